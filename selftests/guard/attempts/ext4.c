// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of ext4 only, other than exchanges of blocks, which writing.c and reading.c have. Run by
 * ../bypass/.
 */
#include "bypass.h"
#include "ext4.h"

#include <linux/fs.h>

static int set_flags(int fd, int clear)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -errno;
	flags &= ~clear;
	return result(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* As in ext3: without extents. */
static int prepare_old(struct target *t)
{
	int fd = file_open(t->path, O_RDONLY), err;

	CHECK_SYS(fsync(fd));
	err = set_flags(fd, FS_EXTENT_FL);
	close(fd);
	return err;
}

static int try_migrate(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, EXT4_IOC_MIGRATE, 0));
}

const struct attempt ext4_calls[] = {
	TRY("EXT4_IOC_MIGRATE", ATTR, try_migrate, .prepare = prepare_old, .filesystems = EXT4,
	    .ways = BY(DIRECT), .open_flags = O_RDONLY, .by_descriptor = true),
	{ }
};
