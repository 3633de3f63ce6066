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

/* The list of mounts */

void mounts_begin(struct mounts *mounts)
{
	*mounts = (struct mounts){ .file = fopen(MOUNTS, "re") };
}

void mounts_end(struct mounts *mounts)
{
	free(mounts->text);
	if (mounts->file)
		fclose(mounts->file);
}

/* Decode octal escapes in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++, to++) {
		if (*text == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 3;
		} else {
			*to = *text;
		}
	}
	*to = '\0';
}

/* See proc_pid_mountinfo(5). Fields are never missing, but the source of a mount may be empty. */
static bool mount_parse(char *text, struct mount_line *line)
{
	char *rest = strstr(text, " - ");
	int length = 0;

	if (!rest || sscanf(text, "%llu %*d %u:%u %n", &line->id, &line->major, &line->minor,
			    &length) != 3)
		return false;
	rest += strlen(" - ");
	rest[strcspn(rest, "\n")] = '\0';
	text += length;
	line->root = strsep(&text, " ");
	line->point = strsep(&text, " ");
	line->type = strsep(&rest, " ");
	strsep(&rest, " ");
	line->options = strsep(&rest, " ");
	if (!line->point || !line->options)
		return false;
	unescape(line->root);
	unescape(line->point);
	return true;
}

bool mounts_next(struct mounts *mounts, struct mount_line *line)
{
	while (mounts->file && getline(&mounts->text, &mounts->size, mounts->file) > 0)
		if (mount_parse(mounts->text, line))
			return true;
	return false;
}

/* Filesystems */

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

/* Remember the filesystem of a mount. */
static struct filesystem *filesystem_add(const struct mount_line *line)
{
	struct filesystem *filesystem = array_add(&known, sizeof(*filesystem));

	filesystem->mount = line->id;
	filesystem->type = xstrdup(line->type);
	filesystem->options = xasprintf(",%s,", line->options);
	return filesystem;
}

/* The filesystem of an open file, or NULL if its mount can't be seen from here. */
static const struct filesystem *filesystem_of(int fd)
{
	struct filesystem *items = known.items, *found = NULL;
	struct mount_line line;
	struct mounts mounts;
	struct statx info;
	size_t i;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &info) ||
	    !(info.stx_mask & STATX_MNT_ID))
		return NULL;
	for (i = 0; i < known.count; i++)
		if (items[i].mount == info.stx_mnt_id)
			return &items[i];
	mounts_begin(&mounts);
	while (!found && mounts_next(&mounts, &line))
		if (line.id == info.stx_mnt_id)
			found = filesystem_add(&line);
	mounts_end(&mounts);
	return found;
}

static bool is_one_of(const char *type, const char *const *types, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(type, types[i]))
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
	if (is_one_of(filesystem->type, all, ARRAY_SIZE(all)))
		return true;
	return is_one_of(filesystem->type, some, ARRAY_SIZE(some)) && has_casefold_flag(fd);
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
	struct mount_line line;
	struct mounts mounts;
	bool is = false;

	mounts_begin(&mounts);
	while (!is && mounts_next(&mounts, &line))
		is = makedev(line.major, line.minor) == dev &&
		     is_one_of(line.type, types, ARRAY_SIZE(types));
	mounts_end(&mounts);
	return is;
}
