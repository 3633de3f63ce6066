// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of bcachefs only: subvolumes, snapshots, and inherited attributes. Run by ../bypass/, if
 * the kernel has bcachefs. Debian has no tool to make such a filesystem, but a superblock is
 * enough: the kernel makes the rest.
 */
#include "bypass.h"

#include <sys/ioctl.h>
#include <sys/xattr.h>

struct subvolume {
	__u32 flags, directory;
	__u16 mode, pad[3];
	__u64 to, from;
};

#define SNAPSHOT		1
#define IOC_CREATE		_IOW(0xbc, 16, struct subvolume)
#define IOC_DESTROY		_IOW(0xbc, 17, struct subvolume)
#define IOC_REINHERIT		_IOR(0xbc, 64, const char *)

/* The superblock's offset, and the size of the disk, in bytes. */
#define SUPERBLOCK		4096
#define SIZE			(32 << 20)
#define MAGIC			0xa990ce66f67385c6, 0xeff73d80cf606ad9
/* 256 buckets of 256 sectors; for journal, tree and data. */
#define MEMBER			0x4d, 0x4d, 256, 256 << 16, 0, 0x200e0000

/* A superblock of version 1.13, as words at offsets. It has no checksum. */
static const struct {
	unsigned int at;
	__u64 words[8];
} superblock[] = {
	{ 16, { 0x040d040d, MAGIC, 0x1d, 0x1d, 0x2d, 0x2d } },	/* the version; ids */
	/* The superblock's sector; blocks of 8 sectors, one device, 28 words after the layout. */
	{ 104, { 8, 0, 8 | 1 << 24 | 28ULL << 32, 0, 1ULL << 32 } },
	/* Options, as for a new filesystem without checksums; tree nodes of 128 sectors. */
	{ 144, { 0x8111000080080100, 0x0111c102, 0, 0xfa30000000, 0x100000064, 0x1e0000 } },
	{ 208, { 0x07ba80 } },					/* features */
	{ 240, { MAGIC, 11 << 8 | 1 << 16, 8 } },		/* positions of the superblocks */
	{ 752, { 20 | 11ULL << 32, 144, MEMBER } },
	{ 912, { 8 | 1ULL << 32, MEMBER } },
};

bool bcachefs_make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool made = fd >= 0 && !ftruncate(fd, SIZE);

	for (unsigned int i = 0; made && i < ARRAY_SIZE(superblock); i++)
		made = pwrite(fd, superblock[i].words, sizeof(superblock[i].words),
			      SUPERBLOCK + superblock[i].at) == sizeof(superblock[i].words);
	close(fd);
	return made;
}

static const char *below(const struct target *t, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", t->path, name);
	return path;
}

/* The calls are made on any file of the filesystem. */

static int create(const struct target *t, const char *path, const char *from)
{
	struct subvolume of = {
		.flags = from ? SNAPSHOT : 0,
		.directory = AT_FDCWD,
		.mode = 0755,
		.to = (uintptr_t)path,
		.from = (uintptr_t)from,
	};

	return result(ioctl(file_open(t->root, O_RDONLY), IOC_CREATE, &of));
}

static int destroy(const struct target *t, const char *path)
{
	struct subvolume of = { .directory = AT_FDCWD, .to = (uintptr_t)path };

	return result(ioctl(file_open(t->root, O_RDONLY), IOC_DESTROY, &of));
}

static int try_create(struct target *t)
{
	return create(t, below(t, "subvolume"), NULL);
}

/* Replace the file's directory by a subvolume. */
static int prepare_around(struct target *t)
{
	const char *directory = directory_of(t);
	int err;

	CHECK_SYS(unlink(t->path));
	CHECK_SYS(rmdir(directory));
	err = create(t, directory, NULL);
	if (!err)
		make_file(t->path, t->kind);
	return err;
}

static int try_snapshot(struct target *t)
{
	char copy[300];
	int err;

	snprintf(copy, sizeof(copy), "%s", scratch(t, "snapshot"));
	err = create(t, copy, directory_of(t));
	if (err)
		return err;
	snprintf(copy + strlen(copy), sizeof(copy) - strlen(copy), "/%s", name_of(t));
	return read_text(file_open(copy, O_RDONLY));
}

static int prepare_below(struct target *t)
{
	return create(t, below(t, "subvolume"), NULL);
}

static int try_destroy(struct target *t)
{
	return destroy(t, below(t, "subvolume"));
}

static int try_destroy_around(struct target *t)
{
	return destroy(t, directory_of(t));
}

/* Compression is an inherited attribute. */
static int prepare_inherited(struct target *t)
{
	return result(setxattr(directory_of(t), "bcachefs.compression", "lz4", 3, 0));
}

static int try_reinherit(struct target *t)
{
	int fd = file_open(directory_of(t), O_RDONLY), did = ioctl(fd, IOC_REINHERIT, name_of(t));

	if (did < 0)
		return -errno;
	return did ? 0 : -ENODATA;
}

#define HERE	.filesystems = BCACHEFS, .ways = BY(DIRECT)
#define ALIKE	"the call is made on any file, and has the path in memory that can change while the " \
		"guard looks"

const struct attempt bcachefs_calls[] = {
	TRY("BCH_IOCTL_SUBVOLUME_CREATE in it", WRITE, try_create, HERE, .kind = DIRECTORY),
	TRY("BCH_IOCTL_SUBVOLUME_DESTROY in it", WRITE, try_destroy, .prepare = prepare_below, HERE,
	    .kind = DIRECTORY, .why_not = ALIKE),
	TRY("deleting the bcachefs subvolume that it is in", DELETE, try_destroy_around,
	    .prepare = prepare_around, HERE, .why_not = ALIKE),
	TRY("a bcachefs snapshot", READ, try_snapshot, .prepare = prepare_around, HERE,
	    .why_not = "it has other files"),
	TRY("BCHFS_IOC_REINHERIT_ATTRS of it", ATTR, try_reinherit, .prepare = prepare_inherited,
	    HERE, .why_not = "the call is made on the directory, and has the name in memory that "
		"can change while the guard looks"),
	{ }
};
