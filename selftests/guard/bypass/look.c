// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Hash a file's state into one number, without what reading it changes. */
#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "runs.h"

static uint64_t hash;

static void hash_bytes(const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3;
}

static void hash_content(int fd)
{
	static char bytes[1 << 16];
	ssize_t size;

	while ((size = read(fd, bytes, sizeof(bytes))) > 0)
		hash_bytes(bytes, size);
}

static void hash_attributes(int fd)
{
	char names[4096], value[4096];
	ssize_t size = flistxattr(fd, names, sizeof(names)), length;
	int flags = 0;

	for (char *name = names; name < names + size; name += strlen(name) + 1) {
		length = fgetxattr(fd, name, value, sizeof(value));
		hash_bytes(name, strlen(name));
		hash_bytes(value, length > 0 ? length : 0);
	}
	ioctl(fd, FS_IOC_GETFLAGS, &flags);
	hash_bytes(&flags, sizeof(flags));
	flags = 0;
	ioctl(fd, FS_IOC_GETVERSION, &flags);
	hash_bytes(&flags, sizeof(flags));
}

static void hash_entries(int fd)
{
	DIR *directory = fdopendir(dup(fd));
	struct dirent *entry;
	uint64_t sum = 0, outer = hash;

	CHECK(directory);
	while ((entry = readdir(directory))) {
		hash = 1;
		hash_bytes(entry->d_name, strlen(entry->d_name));
		sum += hash;
	}
	closedir(directory);
	hash = outer;
	hash_bytes(&sum, sizeof(sum));
}

/* Opening a FIFO must not wait for a writer; opening other files must wait for leases. */
static int open_to_look(const char *path)
{
	struct stat stat;
	bool is_fifo = !lstat(path, &stat) && S_ISFIFO(stat.st_mode);

	return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME |
		    (is_fifo ? O_NONBLOCK : 0));
}

uint64_t state_of(const char *path, bool with_time)
{
	int fd = open_to_look(path);
	struct stat stat;
	struct {
		ino_t ino;
		mode_t mode;
		nlink_t nlink;
		uid_t uid;
		gid_t gid;
		off_t size;
		blkcnt_t blocks;
		struct timespec changed;
	} of;

	if (fd < 0)
		return 0;
	CHECK_SYS(fstat(fd, &stat));
	memset(&of, 0, sizeof(of));
	of.ino = stat.st_ino;
	of.mode = stat.st_mode;
	of.nlink = stat.st_nlink;
	of.uid = stat.st_uid;
	of.gid = stat.st_gid;
	of.size = stat.st_size;
	of.blocks = stat.st_blocks;
	if (with_time)
		of.changed = stat.st_mtim;
	hash = 1;
	hash_bytes(&of, sizeof(of));
	if (S_ISDIR(stat.st_mode))
		hash_entries(fd);
	else
		hash_content(fd);
	hash_attributes(fd);
	close(fd);
	return hash;
}
