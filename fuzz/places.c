// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filesystems of the files that programs use: those of the lifetime table that can be mounted.
 * Programs mount and unmount one of them. One is an overlay whose inodes can't be evicted while the
 * filesystem under it is frozen. If the kernel lacks a filesystem, its directory is in a tmpfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selftests/lib/fuse_server.h"
#include "fuzz.h"

enum { TMPFS, EXT4, XFS, BTRFS, OVERLAY, VOLATILE, FUSE, SQUASHFS, ISO9660, NR_PLACES };

const char *const place_paths[] = {
	[TMPFS]		= BASE "/tmpfs",
	[EXT4]		= BASE "/ext4",
	[XFS]		= BASE "/xfs",
	[BTRFS]		= BASE "/btrfs",
	[OVERLAY]	= BASE "/overlay",
	[VOLATILE]	= BASE "/volatile",
	[FUSE]		= BASE "/fuse",
	[SQUASHFS]	= BASE "/squashfs",
	[ISO9660]	= BASE "/iso9660",
};

const unsigned int nr_places = NR_PLACES, volatile_place = VOLATILE;

#define HANG_BASE	BASE "/hang-base"
#define HANG		BASE "/hang"
#define VOLATILE_IMAGE	BASE "/volatile.image"

static char volatile_loop[32];
static bool can_hang;

static bool kernel_has(const char *type, const char *module)
{
	return !shell("modprobe -q %s 2>/dev/null; grep -qw %s /proc/filesystems", module, type);
}

/* Make an image and mount it. Returns false if the kernel or this system lacks the filesystem. */
static bool mount_image(const char *type, unsigned int megabytes, const char *path)
{
	return kernel_has(type, type) &&
	       !shell("truncate -s %uM %s.image && mkfs.%s %s.image >/dev/null 2>&1 && "
		      "mount -t %s -o loop %s.image %s", megabytes, path, type, path, type, path,
		      path);
}

/* Mount a read-only image of a directory that has all names. */
static void mount_read_only(const char *type, const char *module, const char *command,
			    const char *path)
{
	if (!kernel_has(type, module) ||
	    shell("cd " BASE " && %s >/dev/null 2>&1 && mount -t %s -o loop,ro %s.image %s",
		  command, type, path, path))
		printf("fuzz: there is no %s here\n", type);
}

/* The server lives as long as the fuzzer does. */
static bool mount_fuse(const char *path)
{
	char options[64];
	pid_t pid;
	int fd;

	if (!kernel_has("fuse", "fuse"))
		return false;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("fuzz", path, "fuse", 0, options)) {
		close(fd);
		return false;
	}
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(fuse_server_run(fd) ? 1 : 0);
	}
	close(fd);
	return true;
}

static void make_volatile(void)
{
	FILE *pipe;

	if (shell("truncate -s 16M " VOLATILE_IMAGE " && mkfs.ext4 -q " VOLATILE_IMAGE))
		return;
	pipe = popen("losetup --find --show " VOLATILE_IMAGE, "r");
	if (!pipe || fscanf(pipe, "%31s", volatile_loop) != 1)
		volatile_loop[0] = 0;
	if (pipe)
		pclose(pipe);
}

void places_make(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mkdir(BASE, 0755) || mount("fuzz", BASE, "tmpfs", 0, NULL))
		die("%s: %s", BASE, strerror(errno));
	for (unsigned int i = 0; i < NR_PLACES; i++)
		mkdir(place_paths[i], 0755);
	shell("modprobe -q loop 2>/dev/null; modprobe -q overlay 2>/dev/null");
	mount("fuzz", place_paths[TMPFS], "tmpfs", 0, NULL);
	if (!mount_image("ext4", 32, place_paths[EXT4]))
		printf("fuzz: there is no ext4 here\n");
	if (!mount_image("xfs", 320, place_paths[XFS]))
		printf("fuzz: there is no xfs here\n");
	if (!mount_image("btrfs", 128, place_paths[BTRFS]))
		printf("fuzz: there is no btrfs here\n");
	shell("mkdir " BASE "/names && cd " BASE "/names && for i in $(seq 0 %u); do echo text >n$i; done",
	      NR_NAMES - 1);
	mount_read_only("squashfs", "squashfs", "mksquashfs names squashfs.image",
			place_paths[SQUASHFS]);
	/* xorriso does not write to a file that a symbolic link leads to. */
	mount_read_only("iso9660", "isofs", "xorriso -as mkisofs -quiet -R -o iso9660.image names",
			place_paths[ISO9660]);
	if (!mount_fuse(place_paths[FUSE]))
		printf("fuzz: there is no FUSE here\n");
	if (shell("cd " BASE " && mkdir lower ext4/upper ext4/work && echo text >lower/low && "
		  "mount -t overlay -o lowerdir=lower,upperdir=ext4/upper,workdir=ext4/work "
		  "overlay overlay"))
		printf("fuzz: there is no overlayfs here\n");
	shell("mkdir " HANG_BASE " " HANG);
	can_hang = mount_image("ext4", 32, HANG_BASE) &&
		   !shell("cd " BASE " && mkdir hang-base/upper hang-base/work && "
			  "mount -t overlay -o lowerdir=lower,upperdir=hang-base/upper,"
			  "workdir=hang-base/work overlay hang");
	make_volatile();
	shared->volatile_is_mounted = false;
}

/* Mount the volatile one: tmpfs or ext4, at random. */
void place_mount(void)
{
	if (!volatile_loop[0] || one_in(2))
		mount("fuzz", place_paths[VOLATILE], "tmpfs", 0, NULL);
	else
		mount(volatile_loop, place_paths[VOLATILE], "ext4", 0, NULL);
}

void place_umount(bool lazily)
{
	umount2(place_paths[VOLATILE], lazily ? MNT_DETACH : 0);
}

static void freeze(unsigned long what)
{
	int fd = open(HANG_BASE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ioctl(fd, what, 0);
		close(fd);
	}
}

/* Until place_thaw(), nothing that has to write to the filesystem under HANG completes. */
void place_freeze(void)
{
	if (!can_hang)
		return;
	__atomic_store_n(&shared->frozen, true, __ATOMIC_SEQ_CST);
	freeze(FIFREEZE);
}

/*
 * The kernel does not thaw a filesystem that a task has only begun to freeze, and freezing can take
 * long. So call this repeatedly while there is a task that may freeze it, and once more after that.
 */
void place_thaw(void)
{
	if (!can_hang)
		return;
	freeze(FITHAW);
	__atomic_store_n(&shared->frozen, false, __ATOMIC_SEQ_CST);
}

/* Clean up after a program, once its descriptors are closed. */
void places_clean(void)
{
	char path[64];

	while (!umount2(place_paths[VOLATILE], 0) || !umount2(place_paths[VOLATILE], MNT_DETACH))
		;
	for (unsigned int i = 0; i < NR_PLACES; i++) {
		for (unsigned int j = 0; j < NR_NAMES; j++) {
			snprintf(path, sizeof(path), "%s/n%u", place_paths[i], j);
			if (unlink(path) && errno != ENOENT)
				rmdir(path);
		}
	}
	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), PINS "/fuzz%u", i);
		unlink(path);
	}
}
