// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to a device that has a rule through one of its nodes, and calls that only devices have. Run
 * by ../bypass/.
 */
#include "bypass.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Make another node of the same device. */
static const char *make_alias(const struct target *t)
{
	const char *alias = scratch(t, "alias");
	struct stat stat;

	CHECK_SYS(lstat(t->path, &stat));
	CHECK_SYS(mknod(alias, stat.st_mode, stat.st_rdev));
	return alias;
}

static int alias_open(const struct target *t, int flags)
{
	return result(open(make_alias(t), flags | O_CLOEXEC));
}

/* Write through to the device, past the node's page cache. */
static int put(int fd)
{
	int err = overwrite_text(fd);

	return err ? err : result(fsync(fd));
}

static int try_alias_read(struct target *t)
{
	return read_text(alias_open(t, O_RDONLY));
}

static int try_alias_direct(struct target *t)
{
	return read_text(alias_open(t, O_RDONLY | O_DIRECT));
}

static int try_alias_write(struct target *t)
{
	return put(alias_open(t, O_WRONLY));
}

static int try_alias_append(struct target *t)
{
	return put(alias_open(t, O_WRONLY | O_APPEND));
}

static int try_alias_map(struct target *t)
{
	return map_text(alias_open(t, O_RDONLY));
}

/* Open the other node before there is a rule. */
static int prepare_alias(struct target *t)
{
	t->fd = alias_open(t, O_RDWR);
	return t->fd < 0 ? t->fd : 0;
}

static int run_read(struct target *t)
{
	return read_text(t->fd);
}

static int run_write(struct target *t)
{
	return put(t->fd);
}

static int erase(int fd, unsigned long command)
{
	__u64 range[2] = { 0, FILE_SIZE };

	return result(ioctl(fd, command, range));
}

static int run_alias_zero(struct target *t)
{
	return erase(t->fd, BLKZEROOUT);
}

static int try_discard(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : erase(fd, BLKDISCARD);
}

static int try_zero(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : erase(fd, BLKZEROOUT);
}

static int try_append(struct target *t)
{
	return put(descriptor(t));
}

/* With a reader, so that opening does not block. */
static int try_fifo_append(struct target *t)
{
	int reader = result(open(t->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)), fd, ret;

	if (reader < 0)
		return reader;
	fd = result(open(t->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC));
	if (fd < 0)
		return fd;
	ret = result(write(fd, "x", 1));
	return ret < 0 ? ret : 0;
}

#define BY_FD(flags)	.open_flags = (flags), .by_descriptor = true
/* Rules for a tree do not cover the devices in it. */
#define A_BLOCK		.kind = BLOCK, .filesystems = TMPFS
#define ONCE		A_BLOCK, .ways = BY(DIRECT), .every_way = true
/* Other ways need a device in a user's namespace, or don't reach a node. */
#define BY_NODE		A_BLOCK, .ways = (ANY_PATH & PRIVILEGED)

const struct attempt devices[] = {
	TRY("another node of the device: read", READ, try_alias_read, ONCE),
	TRY("another node of the device: read with O_DIRECT", READ, try_alias_direct, ONCE),
	TRY("another node of the device: write", WRITE, try_alias_write, ONCE),
	TRY("another node of the device: write with O_APPEND", WRITE, try_alias_append, ONCE),
	TRY("another node of the device: mmap", READ | MMAP, try_alias_map, ONCE),
	TRY("another node of the device that was opened before: read", READ, run_read, ONCE,
	    .prepare = prepare_alias),
	TRY("another node of the device that was opened before: write", WRITE, run_write, ONCE,
	    .prepare = prepare_alias),
	TRY("another node of the device that was opened before: BLKZEROOUT", WRITE, run_alias_zero,
	    ONCE, .prepare = prepare_alias),
	TRY("BLKDISCARD", WRITE, try_discard, BY_NODE, BY_FD(O_RDWR)),
	TRY("BLKZEROOUT", WRITE, try_zero, BY_NODE, BY_FD(O_RDWR)),
	TRY("a device: write with O_APPEND", WRITE, try_append, BY_NODE, BY_FD(O_WRONLY | O_APPEND),
	    .append_only = STOPPED),
	TRY("a FIFO: write with O_APPEND", READ | WRITE, try_fifo_append, .kind = FIFO,
	    .ways = BY(DIRECT)),
	{ }
};
