// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files, shell commands and filesystems: see harness.h.
 */
#include "harness.h"

#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		FAIL("opening %s: %s", path, strerror(errno));
	return fd;
}

void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ssize_t size = strlen(text);

	if (fd < 0)
		FAIL("opening %s to write: %s", path, strerror(errno));
	if (write(fd, text, size) != size)
		FAIL("writing to %s: %s", path, strerror(errno));
	close(fd);
}

int file_create(const char *path)
{
	file_write(path, "content\n");
	return file_open(path, O_RDONLY);
}

char *file_read(const char *path, char *buffer, size_t size)
{
	int fd = file_open(path, O_RDONLY);
	ssize_t got = read(fd, buffer, size - 1);

	if (got < 0)
		FAIL("reading %s: %s", path, strerror(errno));
	close(fd);
	buffer[got] = 0;
	buffer[strcspn(buffer, "\n")] = 0;
	return buffer;
}

ino_t file_ino(const char *path)
{
	struct stat stat;

	if (lstat(path, &stat))
		FAIL("stat of %s: %s", path, strerror(errno));
	return stat.st_ino;
}

bool open_is_denied(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		CHECK_EQ(errno, EPERM);
		return true;
	}
	close(fd);
	return false;
}

bool open_is_allowed(void *path)
{
	return !open_is_denied(path);
}

void mount_bpffs(void)
{
	CHECK_SYS(mount("bpf", BPFFS_PATH, "bpf", 0, "mode=0700"));
}

int sh(const char *format, ...)
{
	char command[4096];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int files_create(unsigned int count)
{
	struct rlimit limit = { count + 100, count + 100 };
	int first = -1, fd;
	char name[16];

	CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fd = CHECK_SYS(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
		if (first < 0)
			first = fd;
		CHECK_EQ(fd, first + i);
	}
	return first;
}

void trace_write(const char *file, const char *text, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACEFS_DIR "/%s", file);
	fd = file_open(path, O_WRONLY | flags);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("writing \"%s\" to %s: %s", text, path, strerror(errno));
	close(fd);
}

void mount_image(const char *type, unsigned int megabytes, const char *path, char device[32])
{
	char loop[32], command[256];
	FILE *pipe;

	if (sh("modprobe %s 2>/dev/null; modprobe loop 2>/dev/null; grep -qw %s /proc/filesystems",
	       type, type))
		SKIP("this kernel has no %s", type);
	if (sh("command -v mkfs.%s >/dev/null", type))
		SKIP("there is no mkfs.%s here", type);
	CHECK_SYS(mkdir(path, 0755));
	if (sh("truncate -s %uM image.%s && mkfs.%s image.%s >/dev/null 2>mkfs.log", megabytes,
	       type, type, type))
		FAIL("mkfs.%s failed", type);

	snprintf(command, sizeof(command), "losetup --find --show image.%s", type);
	pipe = popen(command, "r");
	CHECK(pipe && fscanf(pipe, "%31s", loop) == 1 && pclose(pipe) == 0);
	if (mount(loop, path, type, 0, NULL))
		FAIL("mounting %s (%s) at %s: %s", loop, type, path, strerror(errno));
	/* The kernel detaches it when its last user, the mount, is gone. */
	if (sh("losetup --detach %s", loop))
		FAIL("losetup --detach %s failed", loop);
	if (device)
		memcpy(device, loop, sizeof(loop));
}

bool umount_succeeds(void *path)
{
	if (!umount(path))
		return true;
	CHECK_EQ(errno, EBUSY);
	return false;
}

void subvolume_make(const char *dir, const char *name)
{
	struct btrfs_ioctl_vol_args args = {};
	int fd = file_open(dir, O_RDONLY | O_DIRECTORY);

	snprintf(args.name, sizeof(args.name), "%s", name);
	CHECK_SYS(ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &args));
	close(fd);
}

void mount_overlay_on_ext4(void)
{
	if (sh("modprobe overlay 2>/dev/null; grep -qw overlay /proc/filesystems"))
		SKIP("this kernel has no overlayfs");
	mount_image("ext4", 8, "disk", NULL);
	CHECK_EQ(sh("mkdir -p lower disk/upper disk/work m"), 0);
	CHECK_SYS(mount("overlay", "m", "overlay", 0,
			"lowerdir=lower,upperdir=disk/upper,workdir=disk/work"));
}

void memory_cgroup_create(const char *path)
{
	char controllers[256] = "";

	if (access(CGROUPS "/cgroup.controllers", R_OK))
		SKIP("there is no cgroup2 file system at " CGROUPS);
	file_read(CGROUPS "/cgroup.controllers", controllers, sizeof(controllers));
	if (!strstr(controllers, "memory"))
		SKIP("this kernel has no memory cgroups");
	file_write(CGROUPS "/cgroup.subtree_control", "+memory");
	/* A case that failed may have left it. */
	rmdir(path);
	CHECK_SYS(mkdir(path, 0755));
}

void thaw_at_the_end(const char *path)
{
	int pipes[2], fd = file_open(path, O_RDONLY);
	char byte;
	pid_t pid;

	CHECK_SYS(pipe2(pipes, O_CLOEXEC));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		close(pipes[1]);
		/* End of file: all processes that may need the filesystem have exited. */
		while (read(pipes[0], &byte, 1) < 0 && errno == EINTR)
			;
		ioctl(fd, FITHAW, 0);
		_exit(0);
	}
	close(pipes[0]);
	close(fd);
}

void drop_caches(void)
{
	sync();
	file_write("/proc/sys/vm/drop_caches", "3");
}
