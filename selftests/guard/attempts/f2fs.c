// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of f2fs only: atomic writes, moving blocks to another file, erasing, compression,
 * defragmentation, and pinned files. Run by ../bypass/.
 */
#include "bypass.h"

#include <linux/f2fs.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#ifndef F2FS_IOC_START_ATOMIC_REPLACE
#define F2FS_IOC_START_ATOMIC_REPLACE	_IO(F2FS_IOCTL_MAGIC, 25)
#endif
/* The unit of compression. */
#define CLUSTER		(4 * 4096)

static char buffer[2 * CLUSTER];

static int call(const struct target *t, unsigned long command, void *argument)
{
	int fd = descriptor(t), ret;

	if (fd < 0)
		return fd;
	ret = result(ioctl(fd, command, argument));
	return ret < 0 ? ret : 0;
}

/* Atomic writes. Closing the file drops what was written and not committed. */

static int try_start_atomic(struct target *t)
{
	return call(t, F2FS_IOC_START_ATOMIC_WRITE, NULL);
}

static int try_commit_atomic(struct target *t)
{
	return call(t, F2FS_IOC_COMMIT_ATOMIC_WRITE, NULL);
}

static int try_abort_atomic(struct target *t)
{
	return call(t, F2FS_IOC_ABORT_ATOMIC_WRITE, NULL);
}

/* Replace the content with nothing. */
static int try_replace_atomic(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, F2FS_IOC_START_ATOMIC_REPLACE))
		return -errno;
	return result(ioctl(fd, F2FS_IOC_COMMIT_ATOMIC_WRITE));
}

/* Blocks */

static int move(int from, int to)
{
	struct f2fs_move_range range = { .dst_fd = to, .len = FILE_SIZE };

	return result(ioctl(from, F2FS_IOC_MOVE_RANGE, &range));
}

static int try_move(struct target *t)
{
	int fd = descriptor(t), other, err;

	if (fd < 0)
		return fd;
	other = CHECK_SYS(open(scratch(t, "other"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	err = move(fd, other);
	return err ? err : read_text(other);
}

/* Move the blocks of another file into this one. */
static int try_move_to(struct target *t)
{
	int fd = descriptor(t), other;

	if (fd < 0)
		return fd;
	other = CHECK_SYS(open(scratch(t, "other"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK_OK(overwrite_text(other));
	return move(other, fd);
}

static int try_erase(struct target *t)
{
	struct f2fs_sectrim_range range = { .len = FILE_SIZE, .flags = F2FS_TRIM_FILE_ZEROOUT };

	return call(t, F2FS_IOC_SEC_TRIM_FILE, &range);
}

static int run_defragment(struct target *t)
{
	struct f2fs_defragment range = { .len = FILE_SIZE };

	/* Sometimes the blocks are contiguous by chance, and none is moved. */
	return call(t, F2FS_IOC_DEFRAGMENT, &range);
}

/* Pinning and compression need an empty file. */
static int prepare_empty(struct target *t)
{
	return result(truncate(t->path, 0));
}

static int run_pin(struct target *t)
{
	__u32 pin = 1, pinned;
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, F2FS_IOC_SET_PIN_FILE, &pin) < 0)
		return -errno;
	/* The number of times that garbage collection was blocked. */
	return ioctl(fd, F2FS_IOC_GET_PIN_FILE, &pinned) < 0 ? -errno : 0;
}

/* Compression */

static int prepare_flag(struct target *t)
{
	int fd = file_open(t->path, O_RDWR), flags;

	CHECK_SYS(ftruncate(fd, 0));
	CHECK_SYS(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_COMPR_FL;
	CHECK_SYS(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	close(fd);
	return 0;
}

static int prepare_compressible(struct target *t)
{
	int fd;

	prepare_flag(t);
	fd = file_open(t->path, O_RDWR);
	memset(buffer, 'A', sizeof(buffer));
	CHECK_EQ(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
	CHECK_SYS(fsync(fd));
	close(fd);
	return 0;
}

static int prepare_for(struct target *t, unsigned long command)
{
	__u64 blocks;
	int fd, err;

	prepare_compressible(t);
	fd = file_open(t->path, O_RDWR);
	err = result(ioctl(fd, F2FS_IOC_COMPRESS_FILE));
	if (!err && command)
		err = result(ioctl(fd, command, &blocks));
	CHECK_SYS(fsync(fd));
	close(fd);
	return err;
}

static int prepare_compressed(struct target *t)
{
	return prepare_for(t, 0);
}

static int prepare_released(struct target *t)
{
	return prepare_for(t, F2FS_IOC_RELEASE_COMPRESS_BLOCKS);
}

static __u64 saved_blocks(int fd)
{
	__u64 blocks = 0;

	CHECK_SYS(ioctl(fd, F2FS_IOC_GET_COMPRESS_BLOCKS, &blocks));
	return blocks;
}

static int run_compress(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, F2FS_IOC_COMPRESS_FILE))
		return -errno;
	CHECK_SYS(fsync(fd));
	return saved_blocks(fd) ? 0 : -ENODATA;
}

static int run_decompress(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, F2FS_IOC_DECOMPRESS_FILE))
		return -errno;
	CHECK_SYS(fsync(fd));
	return saved_blocks(fd) ? -ENODATA : 0;
}

/* Afterwards nobody can write to the file. */
static int run_release(struct target *t)
{
	__u64 blocks;

	return call(t, F2FS_IOC_RELEASE_COMPRESS_BLOCKS, &blocks);
}

static int run_reserve(struct target *t)
{
	__u64 blocks;

	return call(t, F2FS_IOC_RESERVE_COMPRESS_BLOCKS, &blocks);
}

static int run_set_option(struct target *t)
{
	struct f2fs_comp_option option = { .algorithm = 1, .log_cluster_size = 3 }, now;
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, F2FS_IOC_SET_COMPRESS_OPTION, &option))
		return -errno;
	CHECK_SYS(ioctl(fd, F2FS_IOC_GET_COMPRESS_OPTION, &now));
	return now.log_cluster_size == 3 ? 0 : -ENODATA;
}

#define BY_FD(flags) \
	.ways = BY(DIRECT), .filesystems = F2FS, .open_flags = (flags), .by_descriptor = true
#define MOVE_WHY \
	"the call is made on another file, and names this one by a descriptor in memory that can " \
	"change while the guard looks; it takes the blocks of a file of the caller's"

const struct attempt f2fs_calls[] = {
	TRY("F2FS_IOC_START_ATOMIC_WRITE", WRITE, try_start_atomic, BY_FD(O_RDWR),
	    .unchanged = true),
	TRY("F2FS_IOC_COMMIT_ATOMIC_WRITE", WRITE, try_commit_atomic, BY_FD(O_RDWR),
	    .unchanged = true),
	TRY("F2FS_IOC_ABORT_ATOMIC_WRITE", WRITE, try_abort_atomic, BY_FD(O_RDWR),
	    .unchanged = true),
	TRY("F2FS_IOC_START_ATOMIC_REPLACE", WRITE, try_replace_atomic, BY_FD(O_RDWR)),

	TRY("F2FS_IOC_MOVE_RANGE, to another file", READ | WRITE, try_move, BY_FD(O_RDWR)),
	TRY("F2FS_IOC_MOVE_RANGE, as the other file", WRITE, try_move_to, .ways = BY(DIRECT),
	    .filesystems = F2FS, .open_flags = O_WRONLY),
	TRY("F2FS_IOC_MOVE_RANGE, as the other file that was opened before", WRITE, try_move_to,
	    .prepare = open_target, .ways = BY(DIRECT), .filesystems = F2FS, .open_flags = O_WRONLY,
	    .why_not = MOVE_WHY),
	TRY("F2FS_IOC_SEC_TRIM_FILE", WRITE, try_erase, BY_FD(O_WRONLY)),
	TRY("F2FS_IOC_DEFRAGMENT", WRITE, run_defragment, .prepare = make_fragmented,
	    BY_FD(O_RDONLY), .unchanged = true),
	TRY("F2FS_IOC_SET_PIN_FILE", ATTR, run_pin, .prepare = prepare_empty, BY_FD(O_RDONLY)),

	TRY("F2FS_IOC_COMPRESS_FILE", WRITE, run_compress, .prepare = prepare_compressible,
	    BY_FD(O_RDWR), .unchanged = true),
	TRY("F2FS_IOC_DECOMPRESS_FILE", WRITE, run_decompress, .prepare = prepare_compressed,
	    BY_FD(O_RDWR), .unchanged = true),
	TRY("F2FS_IOC_RELEASE_COMPRESS_BLOCKS", WRITE | ATTR, run_release,
	    .prepare = prepare_compressed, BY_FD(O_RDONLY)),
	TRY("F2FS_IOC_RESERVE_COMPRESS_BLOCKS", WRITE | ATTR, run_reserve,
	    .prepare = prepare_released, BY_FD(O_RDONLY)),
	TRY("F2FS_IOC_SET_COMPRESS_OPTION", ATTR, run_set_option, .prepare = prepare_flag,
	    BY_FD(O_RDWR), .unchanged = true),
	{ }
};
