// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file systems: make their images, mount them at m, and make the inode that the case is about.
 * Called through the table of file systems, and by lifetime.c.
 */
#include "fuse_server.h"

#include <linux/btrfs.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "lifetime.h"

/* Images by file system: files without a name, empty until they are needed. */
int images[NR_FS];

static bool kernel_has(const char *type)
{
	char name[32], line[64];
	bool found = false;
	FILE *file;

	for (int tried = 0; !found && tried < 2; tried++) {
		if (tried)
			sh("modprobe -q %s", strcmp(type, "iso9660") ? type : "isofs");
		file = fopen("/proc/filesystems", "re");
		CHECK(file);
		while (!found && fgets(line, sizeof(line), file))
			found = sscanf(strchr(line, '\t'), "%31s", name) == 1 &&
				!strcmp(name, type);
		fclose(file);
	}
	return found;
}

static void make_image(int image)
{
	char tool[32];

	CHECK(sscanf(fs()->mkfs, "%31s", tool) == 1);
	if (sh("command -v %s >/dev/null", tool))
		SKIP("there is no %s here", tool);
	if (has(READ_ONLY)) {
		CHECK_SYS(mkdir("image-files", 0755));
		file_write("image-files/f", "content\n");
		file_write("image-files/canary", "content\n");
	}
	CHECK_SYS(ftruncate(image, fs()->megabytes * MIB));
	if (sh("%s /proc/%d/fd/%d %s >mkfs.log 2>&1 </dev/null", fs()->mkfs, getpid(), image,
	       strcmp(tool, "mksquashfs") ? "" : "-noappend -no-progress -no-xattrs")) {
		sh("sed 's/^/# /' mkfs.log");
		FAIL("%s failed", tool);
	}
}

static void attach_image(int image)
{
	struct loop_config config = {
		.fd = image,
		.info.lo_flags = has(READ_ONLY) ? LO_FLAGS_READ_ONLY : 0,
	};
	int control;

	if (access("/dev/loop-control", F_OK))
		sh("modprobe loop");
	control = file_open("/dev/loop-control", O_RDWR);
	snprintf(s->device, sizeof(s->device), "/dev/loop%lld",
		 (long long)CHECK_SYS(ioctl(control, LOOP_CTL_GET_FREE)));
	close(control);
	s->loop = file_open(s->device, has(READ_ONLY) ? O_RDONLY : O_RDWR);
	CHECK_SYS(ioctl(s->loop, LOOP_CONFIGURE, &config));
}

void detach_image(void)
{
	CHECK_SYS(ioctl(s->loop, LOOP_CLR_FD));
	close(s->loop);
	s->loop = -1;
}

static void mount_fs(const char *options)
{
	const char *source = fs()->name;

	if (!kernel_has(fs()->type))
		SKIP("this kernel has no %s", fs()->type);
	CHECK_SYS(mkdir("m", 0755));
	if (has(DEVICE)) {
		int image = images[fs() - filesystems];
		struct stat stat;

		CHECK_SYS(fstat(image, &stat));
		if (!stat.st_size)
			make_image(image);
		attach_image(image);
		source = s->device;
	}
	if (mount(source, "m", fs()->type, has(READ_ONLY) ? MS_RDONLY : 0, options))
		FAIL("mounting %s: %s", fs()->name, strerror(errno));
	s->mounted = true;
	/* Detached now, the device goes with the mount, whatever happens to us. */
	if (has(DEVICE) && !event_has(ATTACHED))
		detach_image();
}

void mount_layers(void)
{
	CHECK_SYS(mkdir("layers", 0755));
	CHECK_SYS(mount("layers", "layers", "tmpfs", 0, NULL));
	CHECK_SYS(mkdir("layers/lower", 0755));
	CHECK_SYS(mkdir("layers/upper", 0755));
	CHECK_SYS(mkdir("layers/work", 0755));
	file_write("layers/lower/lower", "content\n");
	CHECK_SYS(mkdir("layers/lower/lower-dir", 0755));
	mount_fs("lowerdir=layers/lower,upperdir=layers/upper,workdir=layers/work");
}

void umount_layers(void)
{
	CHECK_SYS(umount("layers"));
}

int snapshot_ioctl(unsigned long request, const char *name, int source)
{
	struct btrfs_ioctl_vol_args_v2 snapshot = { .fd = source };
	struct btrfs_ioctl_vol_args subvolume = { };
	int fd = file_open("m", O_RDONLY), ret;

	strcpy(snapshot.name, name);
	strcpy(subvolume.name, name);
	ret = ioctl(fd, request, request == BTRFS_IOC_SNAP_CREATE_V2 ? (void *)&snapshot :
								       (void *)&subvolume);
	close(fd);
	return ret;
}

static void delete_subvolumes(void)
{
	for (int i = 0; i < 2; i++)
		if (snapshot_ioctl(BTRFS_IOC_SNAP_DESTROY, i ? "b" : "a", 0))
			CHECK_EQ(errno, ENOENT);
}

void mount_subvolume(void)
{
	/* commit= sets how often, in seconds, deleted subvolumes are cleaned up. */
	mount_fs("commit=1");
	delete_subvolumes();
	CHECK_SYS(snapshot_ioctl(BTRFS_IOC_SUBVOL_CREATE, "a", 0));
}

void mount_proc(void)
{
	mount_fs(NULL);
	s->process = child_start(wait_for_end, NULL);
}

static void serve(void *unused)
{
	CHECK_OK(fuse_server_run(s->fuse));
	/* Unmounted. */
	wait_for_end(unused);
}

void mount_fuse(void)
{
	char options[64];

	if (!kernel_has(fs()->type))
		SKIP("this kernel has no FUSE");
	s->fuse = file_open("/dev/fuse", O_RDWR);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", s->fuse);
	mount_fs(options);
	s->process = child_start(serve, NULL);
}

static void unshared(void *unused)
{
	CHECK_SYS(unshare(CLONE_NEWUTS));
	next_turn(&s->ready);
	wait_for_end(unused);
}

void start_process(void)
{
	s->process = child_start(unshared, NULL);
	wait_turn(&s->ready, 1, "the process");
	s->ready = 0;
}

void add_kprobe(void)
{
	if (access(TRACEFS_DIR "/kprobe_events", W_OK))
		SKIP("this kernel has no kprobe events");
	remove_kprobe();
	trace_write("kprobe_events", "p:" KPROBE_GROUP "/probe vfs_fsync\n", O_APPEND);
}

void remove_kprobe(void)
{
	if (!access(KPROBE_DIR, F_OK))
		trace_write("kprobe_events", "-:" KPROBE_GROUP "/probe\n", O_APPEND);
}

void setup_fs(void)
{
	if (fs()->setup)
		fs()->setup();
	else if (fs()->type)
		mount_fs(NULL);
}

bool counts_blocks(void)
{
	return has(BLOCKS) && event_has(FREES);
}

static unsigned long free_bytes(void)
{
	struct statfs stat;
	int fd = file_open("m", O_RDONLY);

	CHECK_SYS(syncfs(fd));
	close(fd);
	CHECK_SYS(statfs("m", &stat));
	return stat.f_bfree * stat.f_bsize;
}

/* Four megabytes: more than a file system may use for other things meanwhile. */
static void write_blocks(const char *path)
{
	static char block[MIB];
	int fd = file_open(path, O_WRONLY | O_CREAT);
	unsigned long free;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 4; i++)
		CHECK(write(fd, block, sizeof(block)) == sizeof(block));
	close(fd);
	free = free_bytes();
	if (free + 3 * MIB > s->free)
		FAIL("%lu bytes were free before 4 MiB were written, and %lu are", s->free, free);
}

static bool are_blocks_free(void *unused)
{
	(void)unused;
	return free_bytes() + MIB > s->free;
}

void check_blocks(void)
{
	if (!wait_until(are_blocks_free, NULL, 10))
		FAIL("the blocks are not given back: %lu bytes were free and %lu are", s->free,
		     free_bytes());
}

int open_file(void)
{
	set_path("%s", file_path());
	/* Use a new name: the cgroup is not charged for an inode that is in memory already. */
	if (event_has(CHARGED) && !has(LAYERS) && has(FILES))
		set_path("%s", beside("charged"));
	if (has(READ_ONLY) || has(LAYERS))
		return file_open(s->path, O_RDONLY);
	if (counts_blocks()) {
		/* The directory and the file system have allocated what they need. */
		close(file_create(s->path));
		s->free = free_bytes();
		write_blocks(s->path);
	}
	return file_create(s->path);
}

/* The snapshot has a file of the same number. It would also keep the blocks. */
int open_subvolume_file(void)
{
	int fd = open_file(), subvolume = file_open("m/a", O_RDONLY);

	if (!counts_blocks())
		CHECK_SYS(snapshot_ioctl(BTRFS_IOC_SNAP_CREATE_V2, "b", subvolume));
	close(subvolume);
	return fd;
}

int open_process_file(void)
{
	set_path("m/%d/status", s->process);
	return file_open(s->path, O_RDONLY);
}

int open_kprobe_file(void)
{
	set_path("%s", file_path());
	return file_open(s->path, O_RDONLY);
}

int open_namespace(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", s->process);
	return file_open(path, O_RDONLY);
}

int open_pidfd(void)
{
	return CHECK_SYS(syscall(SYS_pidfd_open, s->process, 0));
}

int open_pipe(void)
{
	int fds[2];

	CHECK_SYS(pipe2(fds, O_CLOEXEC));
	close(fds[1]);
	return fds[0];
}

int open_socket(void)
{
	return CHECK_SYS(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

bool is_detached(void *unused)
{
	char path[128];

	(void)unused;
	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", s->device + 5);
	return access(path, F_OK);
}
