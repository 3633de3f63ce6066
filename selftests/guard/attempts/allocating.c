// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to change a file's blocks: fallocate(2), and calls of single filesystems. The attempts are
 * in the tables of writing.c.
 */
#include <linux/falloc.h>
#include <linux/io_uring.h>

#include "writing.h"
#include "ext4.h"

static int allocate(const struct target *t, int mode, off_t at, off_t size)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fallocate(fd, mode, at, size));
}

int try_allocate(struct target *t)
{
	return allocate(t, 0, 0, FILE_SIZE * 2);
}

int try_allocate_beyond(struct target *t)
{
	return allocate(t, FALLOC_FL_KEEP_SIZE, FILE_SIZE * 2, FILE_SIZE);
}

int try_punch_hole(struct target *t)
{
	return allocate(t, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
}

int try_zero_range(struct target *t)
{
	return allocate(t, FALLOC_FL_ZERO_RANGE, 0, 4096);
}

int try_collapse_range(struct target *t)
{
	return allocate(t, FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
}

int try_insert_range(struct target *t)
{
	return allocate(t, FALLOC_FL_INSERT_RANGE, 0, 4096);
}

int try_uring_fallocate(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_FALLOCATE, .addr = 4096,
					.len = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : uring(&request, 0);
}

/* XFS had these calls first, with struct xfs_flock64. */
struct space_resv {
	__s16 type, whence;
	__s64 start, len;
	__s32 sysid;
	__u32 pid;
	__s32 pad[4];
};

#define FS_IOC_ZERO_RANGE	_IOW('X', 57, struct space_resv)

int try_ioctl_zero_range(struct target *t)
{
	struct space_resv range = { .len = 4096 };
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, FS_IOC_ZERO_RANGE, &range));
}

/* Calls of single filesystems */

/* Exchange the file's blocks with another file's. The call is made on the other file. */
int try_donate_extents(struct target *t)
{
	struct move_extent move = { .len = 1 };
	int fd = descriptor(t), source;
	long err;

	if (fd < 0)
		return fd;
	source = source_file(t);
	CHECK_SYS(fsync(fd));
	CHECK_SYS(fsync(source));
	move.donor_fd = fd;
	err = result(ioctl(source, EXT4_IOC_MOVE_EXT, &move));
	if (err)
		return err;
	/* The page cache still has the old content. */
	CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	return move.moved_len ? 0 : -ENODATA;
}

int try_swap_boot(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, EXT4_IOC_SWAP_BOOT, 0));
}
