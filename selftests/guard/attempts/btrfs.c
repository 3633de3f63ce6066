// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of btrfs only: subvolumes and sending them, encoded reads and writes, defragmentation, and
 * tree searches. Run by ../bypass/; reading.c has clones, machinery.c a snapshot.
 */
#include "bypass.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <zlib.h>

#define SUBVOLUME	"subvolume"

static char buffer[1 << 17];

static bool has_text(const char *bytes, size_t size)
{
	static const char text[] = "secret of the guarded file";

	return memmem(bytes, size, text, strlen(text));
}

/* Subvolumes */

static struct btrfs_ioctl_vol_args arguments(const char *name, int fd)
{
	struct btrfs_ioctl_vol_args arguments = { .fd = fd };

	snprintf(arguments.name, sizeof(arguments.name), "%s", name);
	return arguments;
}

static struct btrfs_ioctl_vol_args_v2 arguments_v2(const char *name, int fd)
{
	struct btrfs_ioctl_vol_args_v2 arguments = { .fd = fd };

	snprintf(arguments.name, sizeof(arguments.name), "%s", name);
	return arguments;
}

static int subvolume_create(int directory, const char *name)
{
	struct btrfs_ioctl_vol_args of = arguments(name, -1);

	return result(ioctl(directory, BTRFS_IOC_SUBVOL_CREATE, &of));
}

static int subvolume_destroy(int directory, const char *name)
{
	struct btrfs_ioctl_vol_args of = arguments(name, -1);

	return result(ioctl(directory, BTRFS_IOC_SNAP_DESTROY, &of));
}

static int set_read_only(int subvolume)
{
	__u64 flags = BTRFS_SUBVOL_RDONLY;

	return result(ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &flags));
}

static __u64 subvolume_id(const char *path)
{
	struct btrfs_ioctl_ino_lookup_args lookup = { .objectid = BTRFS_FIRST_FREE_OBJECTID };
	int fd = file_open(path, O_RDONLY);

	CHECK_SYS(ioctl(fd, BTRFS_IOC_INO_LOOKUP, &lookup));
	close(fd);
	return lookup.treeid;
}

/* Open the parent directory of a path, and return the path's last component in @name. */
static int open_parent(const char *path, const char **name)
{
	char parent[256];

	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = 0;
	*name = strrchr(path, '/') + 1;
	return file_open(parent, O_RDONLY | O_DIRECTORY);
}

/* Replace the file's directory by a subvolume. */
static int prepare_in_subvolume(struct target *t)
{
	const char *directory = directory_of(t), *name;
	int parent, err;

	CHECK_SYS(unlink(t->path));
	CHECK_SYS(rmdir(directory));
	parent = open_parent(directory, &name);
	err = subvolume_create(parent, name);
	close(parent);
	if (!err)
		make_file(t->path, t->kind);
	return err;
}

static const char *in_directory(const struct target *t, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", t->path, name);
	return path;
}

/* Replace the directory by a subvolume. */
static int prepare_as_subvolume(struct target *t)
{
	const char *name;
	int parent, err;

	CHECK_SYS(unlink(in_directory(t, "entry")));
	CHECK_SYS(rmdir(t->path));
	parent = open_parent(t->path, &name);
	err = subvolume_create(parent, name);
	close(parent);
	if (err)
		return err;
	make_file(in_directory(t, "entry"), TEXT);
	if (t->fd < 0)
		return 0;
	close(t->fd);
	t->fd = file_open(t->path, t->open_flags);
	return 0;
}

static int prepare_subvolume_below(struct target *t)
{
	int fd = file_open(t->path, O_RDONLY), err = subvolume_create(fd, SUBVOLUME);

	close(fd);
	return err;
}

/* Sending */

/* @subvolume is a descriptor of any file in the subvolume. */
static int send_all(int subvolume)
{
	struct btrfs_ioctl_send_args send = { .send_fd = memfd_create("stream", MFD_CLOEXEC) };
	int err = result(ioctl(subvolume, BTRFS_IOC_SEND, &send));
	ssize_t size;

	if (err)
		return err;
	size = CHECK_SYS(pread(send.send_fd, buffer, sizeof(buffer), 0));
	return has_text(buffer, size) ? 0 : -ENODATA;
}

static int prepare_send_directory(struct target *t)
{
	int err = prepare_as_subvolume(t), fd;

	if (err)
		return err;
	fd = file_open(t->path, O_RDONLY);
	err = set_read_only(fd);
	close(fd);
	return err;
}

static int run_send_directory(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : send_all(fd);
}

static int try_send(struct target *t)
{
	int fd = file_open(directory_of(t), O_RDONLY), err = set_read_only(fd);

	return err ? err : send_all(fd);
}

/* Making and deleting subvolumes, as names in a directory */

static int try_create(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : subvolume_create(fd, SUBVOLUME);
}

static int try_create_v2(struct target *t)
{
	struct btrfs_ioctl_vol_args_v2 of = arguments_v2(SUBVOLUME, -1);
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, BTRFS_IOC_SUBVOL_CREATE_V2, &of));
}

static int try_snapshot_into(struct target *t)
{
	struct btrfs_ioctl_vol_args of = arguments(SUBVOLUME, file_open(t->root, O_RDONLY));
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, BTRFS_IOC_SNAP_CREATE, &of));
}

static int try_snapshot_into_v2(struct target *t)
{
	struct btrfs_ioctl_vol_args_v2 of = arguments_v2(SUBVOLUME, file_open(t->root, O_RDONLY));
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &of));
}

static int run_destroy(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : subvolume_destroy(fd, SUBVOLUME);
}

static int run_destroy_v2(struct target *t)
{
	struct btrfs_ioctl_vol_args_v2 of = arguments_v2(SUBVOLUME, -1);
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, BTRFS_IOC_SNAP_DESTROY_V2, &of));
}

/* By its id, with any directory of the filesystem. */
static int run_destroy_by_id(struct target *t)
{
	struct btrfs_ioctl_vol_args_v2 of = {
		.flags = BTRFS_SUBVOL_SPEC_BY_ID,
		.subvolid = subvolume_id(in_directory(t, SUBVOLUME)),
	};
	int fd = file_open(t->root, O_RDONLY);

	return result(ioctl(fd, BTRFS_IOC_SNAP_DESTROY_V2, &of));
}

static int run_destroy_around(struct target *t)
{
	const char *name;
	int fd = open_parent(directory_of(t), &name);

	return subvolume_destroy(fd, name);
}

/* Properties of a subvolume */

static int run_set_read_only(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : set_read_only(fd);
}

static int run_set_received(struct target *t)
{
	struct btrfs_ioctl_received_subvol_args received = { .uuid = "a uuid", .stransid = 1 };
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, BTRFS_IOC_SET_RECEIVED_SUBVOL, &received));
}

/* Content */

static int try_encoded_read(struct target *t)
{
	struct iovec vector = { buffer, sizeof(buffer) };
	struct btrfs_ioctl_encoded_io_args encoded = { .iov = &vector, .iovcnt = 1 };
	int fd = descriptor(t);
	long size;

	if (fd < 0)
		return fd;
	CHECK_SYS(fsync(fd));
	size = result(ioctl(fd, BTRFS_IOC_ENCODED_READ, &encoded));
	if (size < 0)
		return size;
	return has_text(buffer, size) ? 0 : -ENODATA;
}

static int try_encoded_write(struct target *t)
{
	static unsigned char content[FILE_SIZE], compressed[FILE_SIZE];
	unsigned long size = sizeof(compressed);
	struct iovec vector = { .iov_base = compressed };
	struct btrfs_ioctl_encoded_io_args encoded = {
		.iov = &vector, .iovcnt = 1, .len = FILE_SIZE, .unencoded_len = FILE_SIZE,
		.compression = BTRFS_ENCODED_IO_COMPRESSION_ZLIB,
	};
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	memset(content, 'X', sizeof(content));
	CHECK(compress(compressed, &size, content, sizeof(content)) == Z_OK);
	vector.iov_len = size;
	return result(ioctl(fd, BTRFS_IOC_ENCODED_WRITE, &encoded)) < 0 ? -errno : 0;
}

static int prepare_on_disk(struct target *t)
{
	int fd = file_open(t->path, O_RDONLY);

	CHECK_SYS(fsync(fd));
	close(fd);
	return 0;
}

/* Return the flags of the last extent, and the number of extents in @nr. */
static unsigned int extents_of(int fd, unsigned int *nr)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extents[4];
	} any = { .map = { .fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = 4 } };

	CHECK_SYS(ioctl(fd, FS_IOC_FIEMAP, &any));
	*nr = any.map.fm_mapped_extents;
	CHECK(*nr >= 1 && *nr <= 4);
	return any.extents[*nr - 1].fe_flags;
}

/* The content stays, and its location changes; here its encoding changes, too. */
static int run_defragment(struct target *t)
{
	struct btrfs_ioctl_defrag_range_args range = {
		.len = -1, .flags = BTRFS_DEFRAG_RANGE_COMPRESS | BTRFS_DEFRAG_RANGE_START_IO,
		.compress_type = 1,
	};
	int fd = descriptor(t), err;
	unsigned int nr;

	if (fd < 0)
		return fd;
	err = result(ioctl(fd, BTRFS_IOC_DEFRAG_RANGE, &range));
	if (err)
		return err;
	CHECK_SYS(fsync(fd));
	return extents_of(fd, &nr) & FIEMAP_EXTENT_ENCODED ? 0 : -ENODATA;
}

static int run_defragment_all(struct target *t)
{
	int fd = descriptor(t), err;
	unsigned int before, after;

	if (fd < 0)
		return fd;
	extents_of(fd, &before);
	err = result(ioctl(fd, BTRFS_IOC_DEFRAG, NULL));
	if (err)
		return err;
	CHECK_SYS(fsync(fd));
	extents_of(fd, &after);
	return before == 2 && after == 1 ? 0 : -ENODATA;
}

/* Make the file so small that it is stored inline, with the metadata. */
static int prepare_inline(struct target *t)
{
	int fd = file_open(t->path, O_RDWR);

	CHECK_EQ(pread(fd, buffer, 100, 0), 100);
	CHECK_SYS(ftruncate(fd, 0));
	CHECK_EQ(pwrite(fd, buffer, 100, 0), 100);
	CHECK_SYS(fsync(fd));
	close(fd);
	return 0;
}

static int run_search(struct target *t)
{
	struct btrfs_ioctl_search_args search = {
		.key = {
			.min_type = BTRFS_EXTENT_DATA_KEY, .max_type = BTRFS_EXTENT_DATA_KEY,
			.max_offset = -1, .max_transid = -1, .nr_items = 1,
		},
	};
	struct stat stat;

	CHECK_SYS(lstat(t->path, &stat));
	search.key.min_objectid = stat.st_ino;
	search.key.max_objectid = stat.st_ino;
	if (ioctl(file_open(t->root, O_RDONLY), BTRFS_IOC_TREE_SEARCH, &search))
		return -errno;
	return has_text(search.buf, sizeof(search.buf)) ? 0 : -ENODATA;
}

/* The names of an inode by its number, which can be guessed. The call is made on any file. */
static int run_names(struct target *t)
{
	static __u64 room[512];
	struct btrfs_data_container *found = (void *)room;
	struct btrfs_ioctl_ino_path_args names = {
		.inum = file_ino(in_directory(t, "entry")), .size = sizeof(room),
		.fspath = (uintptr_t)room,
	};

	if (ioctl(file_open(t->root, O_RDONLY), BTRFS_IOC_INO_PATHS, &names))
		return -errno;
	if (!found->elem_cnt)
		return -ENODATA;
	return strstr((char *)found->val + found->val[0], "/entry") ? 0 : -ENODATA;
}

#define HERE		.ways = BY(DIRECT), .filesystems = BTRFS
#define BY_FD(flags)	HERE, .open_flags = (flags), .by_descriptor = true
#define DIRECTORY_BY_FD	BY_FD(O_RDONLY | O_DIRECTORY), .kind = DIRECTORY

const struct attempt btrfs_calls[] = {
	TRY("BTRFS_IOC_ENCODED_READ", READ, try_encoded_read, BY_FD(O_RDONLY)),
	TRY("BTRFS_IOC_ENCODED_WRITE", WRITE, try_encoded_write, BY_FD(O_WRONLY)),
	TRY("BTRFS_IOC_DEFRAG", WRITE, run_defragment_all, .prepare = make_fragmented,
	    BY_FD(O_RDONLY), .unchanged = true),
	TRY("BTRFS_IOC_DEFRAG_RANGE, with compression", WRITE, run_defragment,
	    .prepare = prepare_on_disk, BY_FD(O_RDONLY), .unchanged = true),
	TRY("BTRFS_IOC_TREE_SEARCH, for a file that is small", READ, run_search,
	    .prepare = prepare_inline, HERE,
	    .why_not = "root may read what describes the files, and there it is if it has less "
		"than 2048 bytes; so it is on the block device"),

	TRY("BTRFS_IOC_INO_PATHS, for names in it", READ, run_names, .kind = DIRECTORY, HERE,
	    .why_not = "the call is made on any file, and names what it asks about by its number "
		"in memory that can change while the guard looks; only root can"),

	TRY("BTRFS_IOC_SUBVOL_CREATE in it", WRITE, try_create, DIRECTORY_BY_FD),
	TRY("BTRFS_IOC_SUBVOL_CREATE_V2 in it", WRITE, try_create_v2, DIRECTORY_BY_FD),
	TRY("BTRFS_IOC_SNAP_CREATE in it", WRITE, try_snapshot_into, DIRECTORY_BY_FD),
	TRY("BTRFS_IOC_SNAP_CREATE_V2 in it", WRITE, try_snapshot_into_v2, DIRECTORY_BY_FD),
	TRY("BTRFS_IOC_SNAP_DESTROY in it", WRITE, run_destroy,
	    .prepare = prepare_subvolume_below, DIRECTORY_BY_FD),
	TRY("BTRFS_IOC_SNAP_DESTROY_V2 in it", WRITE, run_destroy_v2,
	    .prepare = prepare_subvolume_below, DIRECTORY_BY_FD),
	TRY("BTRFS_IOC_SNAP_DESTROY_V2 in it, by number", WRITE, run_destroy_by_id,
	    .prepare = prepare_subvolume_below, .kind = DIRECTORY, HERE,
	    .why_not = "the call is made on any directory, and names the subvolume in memory that "
		"can change while the guard looks; only root can"),
	TRY("deleting the btrfs subvolume that it is in", DELETE, run_destroy_around,
	    .prepare = prepare_in_subvolume, HERE,
	    .why_not = "the kernel deletes the subvolume as a whole and asks for none of its "
		"files; deny write for the directory that the subvolume is in"),

	TRY("BTRFS_IOC_SUBVOL_SETFLAGS", ATTR, run_set_read_only, .prepare = prepare_as_subvolume,
	    DIRECTORY_BY_FD, .unchanged = true),
	TRY("BTRFS_IOC_SET_RECEIVED_SUBVOL", ATTR, run_set_received,
	    .prepare = prepare_as_subvolume, DIRECTORY_BY_FD, .unchanged = true),

	TRY("BTRFS_IOC_SEND of a subvolume", READ, run_send_directory,
	    .prepare = prepare_send_directory, DIRECTORY_BY_FD),
	TRY("sending the btrfs subvolume that it is in", READ, try_send,
	    .prepare = prepare_in_subvolume, HERE,
	    .why_not = "the kernel reads the subvolume as a whole and asks for none of its files; "
		"only root can. Deny read for the tree of the subvolume, which prevents it"),
	{ }
};
