// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Properties of filesystems that rules depend on, without locks. Asks no filesystem that may hang:
 * memory describes files (AT_STATX_DONT_SYNC), and the list of mounts describes filesystems.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool.h"

/* Since Linux 6.5. */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID	AT_REMOVEDIR
#endif

/**
 * struct filesystem - the filesystem of a mount
 * @mount: the mount's id
 * @type: its type
 * @options: options of the superblock, with a comma before and after each
 */
struct filesystem {
	__u64 mount;
	char *type;
	char *options;
};

/* The filesystems that were looked up. */
static struct array known;

int file_stat(int fd, struct stat *stat)
{
	struct statx info;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_INO, &info))
		return -errno;
	memset(stat, 0, sizeof(*stat));
	stat->st_dev = makedev(info.stx_dev_major, info.stx_dev_minor);
	stat->st_ino = info.stx_ino;
	stat->st_mode = info.stx_mode;
	stat->st_nlink = info.stx_nlink;
	stat->st_rdev = makedev(info.stx_rdev_major, info.stx_rdev_minor);
	return 0;
}

bool is_mount_root(int fd)
{
	struct statx info;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &info) &&
	       info.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

void filesystems_forget(void)
{
	struct filesystem *items = known.items;
	size_t i;

	for (i = 0; i < known.count; i++) {
		free(items[i].type);
		free(items[i].options);
	}
	known.count = 0;
}

/* Read a line of the list of mounts; returns whether it describes @mount. */
static bool read_mount(const char *line, __u64 mount, struct filesystem *filesystem)
{
	unsigned long long id;
	char *type = NULL, *options = NULL;
	const char *rest;

	if (sscanf(line, "%llu", &id) != 1 || id != mount)
		return false;
	rest = strstr(line, " - ");
	if (!rest || sscanf(rest, " - %ms %*s %ms", &type, &options) != 2) {
		free(type);
		return false;
	}
	filesystem->mount = mount;
	filesystem->type = type;
	filesystem->options = xasprintf(",%s,", options);
	free(options);
	return true;
}

/* The filesystem of an open file, or NULL if its mount can't be seen from here. */
static const struct filesystem *filesystem_of(int fd)
{
	struct filesystem *items = known.items, found;
	struct statx info;
	char *line = NULL;
	size_t size = 0, i;
	bool is_there = false;
	FILE *file;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &info) ||
	    !(info.stx_mask & STATX_MNT_ID))
		return NULL;
	for (i = 0; i < known.count; i++)
		if (items[i].mount == info.stx_mnt_id)
			return &items[i];
	file = fopen(MOUNTS, "re");
	while (file && !is_there && getline(&line, &size, file) > 0)
		is_there = read_mount(line, info.stx_mnt_id, &found);
	free(line);
	if (file)
		fclose(file);
	if (!is_there)
		return NULL;
	items = array_add(&known, sizeof(found));
	*items = found;
	return items;
}

static bool has_type(const struct filesystem *filesystem, const char *const *types, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(filesystem->type, types[i]))
			return true;
	return false;
}

bool is_of_procfs(int fd)
{
	const struct filesystem *filesystem = filesystem_of(fd);

	return filesystem && !strcmp(filesystem->type, "proc") && !is_mount_root(fd);
}

/* Names that are compared without regard to case */

/* Whether a directory has the flag. Only for filesystems that answer from memory. */
static bool has_casefold_flag(int fd)
{
	int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	unsigned int flags = 0;
	bool has;

	if (dir < 0)
		return false;
	has = !ioctl(dir, FS_IOC_GETFLAGS, &flags) && flags & FS_CASEFOLD_FL;
	close(dir);
	return has;
}

bool directory_folds_case(int fd)
{
	static const char *const all[] = {
		"vfat", "msdos", "exfat", "hfs", "hfsplus", "hpfs", "ntfs", "affs", "adfs",
	};
	static const char *const some[] = { "ext4", "f2fs", "tmpfs", "bcachefs" };
	/* Of ntfs3, cifs and zfs. */
	static const char *const options[] = { ",nocase,", ",caseinsensitive,", ",casemixed," };
	const struct filesystem *filesystem = filesystem_of(fd);
	size_t i;

	if (!filesystem)
		return false;
	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (strstr(filesystem->options, options[i]))
			return true;
	if (has_type(filesystem, all, ARRAY_SIZE(all)))
		return true;
	return has_type(filesystem, some, ARRAY_SIZE(some)) && has_casefold_flag(fd);
}

/* Hard links in a lower layer of an overlay */

/* Whether an overlay keeps an index of hard links, so that they stay one file. */
static bool has_index(const struct filesystem *overlay)
{
	FILE *file;
	int word;

	if (strstr(overlay->options, ",index=on,") || strstr(overlay->options, ",nfs_export=on,"))
		return true;
	if (strstr(overlay->options, ",index=off,"))
		return false;
	/* The kernel shows only options that differ from the default. */
	file = fopen("/sys/module/overlay/parameters/index", "re");
	word = file ? fgetc(file) : 'N';
	if (file)
		fclose(file);
	return word == 'Y';
}

/*
 * Whether a file of an overlay is in its upper layer by now, by the file handle that the overlay
 * makes: three bytes of padding, version, magic number, length, and flags.
 */
static bool is_in_upper_layer(int fd)
{
	enum { MAGIC = 4, FLAGS = 6, PATH_UPPER = 1 << 2 };
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} file = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	return !name_to_handle_at(fd, "", &file.handle, &mount, AT_EMPTY_PATH | AT_HANDLE_FID) &&
	       file.handle.handle_bytes > FLAGS && file.bytes[MAGIC] == 0xfb &&
	       file.bytes[FLAGS] & PATH_UPPER;
}

bool is_broken_link(int fd, const struct stat *stat)
{
	const struct filesystem *filesystem;

	if (stat->st_nlink < 2 || S_ISDIR(stat->st_mode))
		return false;
	filesystem = filesystem_of(fd);
	return filesystem && !strcmp(filesystem->type, "overlay") &&
	       strstr(filesystem->options, ",upperdir=") && !has_index(filesystem) &&
	       !is_in_upper_layer(fd);
}

/* Device numbers */

bool is_superblock_device(__u32 dev)
{
	static const char *const types[] = { "btrfs", "overlay", "ceph" };
	FILE *file = fopen(MOUNTS, "re");
	struct filesystem filesystem;
	unsigned int major, minor;
	char *line = NULL;
	size_t size = 0;
	bool is = false;

	while (file && !is && getline(&line, &size, file) > 0) {
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
		    makedev(major, minor) != dev || sscanf(rest, " - %ms", &filesystem.type) != 1)
			continue;
		is = has_type(&filesystem, types, ARRAY_SIZE(types));
		free(filesystem.type);
	}
	free(line);
	if (file)
		fclose(file);
	return is;
}
