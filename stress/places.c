// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filesystems, mounted below one directory in the run's own mount namespace, and the files in
 * them that all tasks use.
 */
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>

#include "tasks.h"

#define BASE		"/tmp/stress"

const char *const places[NR_PLACES] = {
	[TMPFS]		= BASE "/tmpfs",
	[EXT4]		= BASE "/ext4",
	[MOUNTED_TMPFS]	= BASE "/mounted-tmpfs",
	[MOUNTED_EXT4]	= BASE "/mounted-ext4",
	[OWN_TMPFS]	= BASE "/own-tmpfs",
	[OWN_EXT4]	= BASE "/own-ext4",
};

/* Loop devices of the ext4 filesystems. */
static char loops[NR_PLACES][32];

static bool is_ext4(unsigned int place)
{
	return place == EXT4 || place == MOUNTED_EXT4 || place == OWN_EXT4;
}

const char *some_path(char path[PATH_SIZE])
{
	/* A directory now and then. */
	snprintf(path, PATH_SIZE, "%s/%c%u", places[below(MOUNTED_EXT4 + 1)],
		 one_in(10) ? 'd' : 'f', below(NAMES));
	return path;
}

/* Open a file that may be gone, on a filesystem that may be shutting down: a descriptor, or -1. */
int open_some(char path[PATH_SIZE])
{
	int fd = open(some_path(path), (one_in(2) ? O_PATH : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		MUST(errno == ENOENT);
	return fd;
}

void file_fill(const char *path, size_t size)
{
	static const char page[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	for (; size; size -= sizeof(page))
		MUST(write(fd, page, sizeof(page)) == sizeof(page));
	close(fd);
}

int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* A filesystem that no other task uses. */

void mount_place(unsigned int place)
{
	bool ext4 = is_ext4(place);

	MUST(!mount(ext4 ? loops[place] : "stress", places[place], ext4 ? "ext4" : "tmpfs", 0,
		    ext4 ? NULL : "size=16m"));
	did(ext4 ? MOUNT_EXT4 : MOUNT_TMPFS);
}

static void shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		violation("%s: failed", command);
}

void places_make(void)
{
	MUST(!unshare(CLONE_NEWNS));
	MUST(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(!mkdir(BASE, 0755));
	MUST(!mount("stress", BASE, "tmpfs", 0, NULL));
	shell("for module in loop ext4; do modprobe -q $module 2>/dev/null; done; "
	      "grep -qw ext4 /proc/filesystems");
	for (unsigned int i = 0; i < NR_PLACES; i++) {
		FILE *pipe;
		char command[128];

		MUST(!mkdir(places[i], 0755));
		if (!is_ext4(i))
			continue;
		/* Write the whole image now, so that no task is charged for it later. */
		shell("dd if=/dev/zero of=%s.image bs=1M count=32 2>/dev/null", places[i]);
		shell("mkfs.ext4 -q -E lazy_itable_init=0 %s.image", places[i]);
		snprintf(command, sizeof(command), "losetup --find --show %s.image", places[i]);
		pipe = popen(command, "r");
		MUST(pipe && fscanf(pipe, "%31s", loops[i]) == 1 && !pclose(pipe));
	}
	mount_place(TMPFS);
	mount_place(EXT4);
}

void places_remove(void)
{
	double end = now() + SETTLE_SECONDS;

	MUST(!umount2(places[TMPFS], 0));
	MUST(!umount2(places[EXT4], 0));
	for (unsigned int i = 0; i < NR_PLACES; i++)
		if (is_ext4(i))
			shell("losetup --detach %s", loops[i]);
	/* A loop device that is still in use would keep its image, which keeps this. */
	while (umount2(BASE, 0)) {
		MUST(errno == EBUSY && now() < end);
		msleep(20);
	}
	MUST(!rmdir(BASE));
}
