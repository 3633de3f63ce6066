// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of xfs only: the exchange of blocks for defragmentation, and calls by handle. Run by
 * ../bypass/.
 */
#include "bypass.h"

#include <xfs/xfs.h>

#define NAME	"bypass"

static char buffer[FILE_SIZE];

static void fill(int fd)
{
	CHECK_OK(overwrite_text(fd));
}

/* Make a file to exchange content with, and put the content of both on the disk. */
static int make_donor(const struct target *t, int fd)
{
	int donor = CHECK_SYS(open(scratch(t, "donor"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	fill(donor);
	CHECK_SYS(fsync(donor));
	CHECK_SYS(fsync(fd));
	return donor;
}

/* The call is made on any file of the filesystem. */
static int try_exchange(struct target *t)
{
	struct xfs_swapext exchange = { .sx_version = XFS_SX_VERSION, .sx_length = FILE_SIZE };
	int fd = descriptor(t), donor;
	struct stat stat;

	if (fd < 0)
		return fd;
	donor = make_donor(t, fd);
	CHECK_SYS(fstat(fd, &stat));
	exchange.sx_fdtarget = fd;
	exchange.sx_fdtmp = donor;
	exchange.sx_stat.bs_mtime.tv_sec = stat.st_mtim.tv_sec;
	exchange.sx_stat.bs_mtime.tv_nsec = stat.st_mtim.tv_nsec;
	exchange.sx_stat.bs_ctime.tv_sec = stat.st_ctim.tv_sec;
	exchange.sx_stat.bs_ctime.tv_nsec = stat.st_ctim.tv_nsec;
	return result(ioctl(donor, XFS_IOC_SWAPEXT, &exchange));
}

/* The newer call for this, which asks for permission to write both files. */
struct exchange_range {
	__s32 fd;
	__u32 pad;
	__u64 offset, other_offset, length, flags;
};

#define IOC_EXCHANGE_RANGE	_IOW('X', 129, struct exchange_range)

static int exchange_range(int of, int with)
{
	const struct exchange_range range = { .fd = with, .length = FILE_SIZE };

	return result(ioctl(of, IOC_EXCHANGE_RANGE, &range));
}

static int try_exchange_range(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : exchange_range(fd, make_donor(t, fd));
}

static int try_exchange_with(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : exchange_range(make_donor(t, fd), fd);
}

#ifdef __x86_64__
static int try_exchange_compat(struct target *t)
{
	struct exchange_range *range = low_memory();
	int fd = descriptor(t);

	*range = (struct exchange_range){ .fd = fd, .length = FILE_SIZE };
	return fd < 0 ? fd : ioctl_compat(make_donor(t, fd), IOC_EXCHANGE_RANGE, range);
}
#endif

/* Likewise, if the file of the call has not changed since IOC_START_COMMIT. */
struct commit_range {
	struct exchange_range range;
	__u64 freshness[6];
};

#define IOC_START_COMMIT	_IOR('X', 130, struct commit_range)
#define IOC_COMMIT_RANGE	_IOW('X', 131, struct commit_range)

static int try_commit_with(struct target *t)
{
	struct commit_range commit = { .range.length = FILE_SIZE };
	int fd = descriptor(t), donor;

	if (fd < 0)
		return fd;
	donor = make_donor(t, fd);
	CHECK_SYS(ioctl(donor, IOC_START_COMMIT, &commit));
	commit.range.fd = fd;
	return result(ioctl(donor, IOC_COMMIT_RANGE, &commit));
}

/* By handle: the calls are made on a directory of the filesystem */

static char handle[sizeof(xfs_handle_t)];
static unsigned int handle_size;

static struct xfs_fsop_handlereq request(const struct target *t, unsigned int flags)
{
	struct xfs_fsop_handlereq take = {
		.path = (void *)t->path, .oflags = O_LARGEFILE, .ohandle = handle,
		.ohandlen = &handle_size,
	};
	struct xfs_fsop_handlereq use = { .oflags = flags, .ihandle = handle };
	int fd = file_open(t->root, O_RDONLY);

	CHECK_SYS(ioctl(fd, XFS_IOC_PATH_TO_HANDLE, &take));
	close(fd);
	use.ihandlen = handle_size;
	return use;
}

static int open_by_handle(const struct target *t, unsigned int flags)
{
	struct xfs_fsop_handlereq use = request(t, flags);

	return result(ioctl(file_open(t->root, O_RDONLY), XFS_IOC_OPEN_BY_HANDLE, &use));
}

static int try_open_read(struct target *t)
{
	return read_next(open_by_handle(t, O_RDONLY));
}

/* Writes through such a descriptor do not update the file's time. */
static int try_open_write(struct target *t)
{
	int fd = open_by_handle(t, O_WRONLY);

	if (fd < 0)
		return fd;
	fill(fd);
	return 0;
}

static int try_readlink(struct target *t)
{
	unsigned int size = sizeof(buffer);
	struct xfs_fsop_handlereq use = request(t, O_RDONLY);
	long length;

	use.ohandle = buffer;
	use.ohandlen = &size;
	length = result(ioctl(file_open(t->root, O_RDONLY), XFS_IOC_READLINK_BY_HANDLE, &use));
	if (length < 0)
		return length;
	return length > 0 && !strncmp(buffer, SYMLINK_TARGET, length) ? 0 : -ENODATA;
}

static int change_attribute(const struct target *t, unsigned int operation)
{
	struct xfs_attr_multiop change = {
		.am_opcode = operation, .am_attrname = (void *)NAME,
		.am_attrvalue = (void *)"value", .am_length = 5,
	};
	struct xfs_fsop_attrmulti_handlereq all = {
		.hreq = request(t, O_RDONLY), .opcount = 1, .ops = &change,
	};
	int fd = file_open(t->root, O_RDONLY);

	if (ioctl(fd, XFS_IOC_ATTRMULTI_BY_HANDLE, &all))
		return -errno;
	return change.am_error > 0 ? -change.am_error : change.am_error;
}

#define ATTRIBUTE_SET		2
#define ATTRIBUTE_REMOVE	3

static int try_set_attribute(struct target *t)
{
	return change_attribute(t, ATTRIBUTE_SET);
}

static int prepare_attribute(struct target *t)
{
	return change_attribute(t, ATTRIBUTE_SET);
}

static int run_remove_attribute(struct target *t)
{
	return change_attribute(t, ATTRIBUTE_REMOVE);
}

#define HERE		.ways = BY(DIRECT), .filesystems = XFS
#define HANDLE_WHY \
	"the call is made on any directory, and names the file by a handle in memory that can " \
	"change while the guard looks; only root can"

const struct attempt xfs_calls[] = {
	TRY("XFS_IOC_SWAPEXT", READ | WRITE, try_exchange, HERE, .open_flags = O_RDWR),
	TRY("XFS_IOC_SWAPEXT, with a descriptor that was opened before", READ | WRITE,
	    try_exchange, .prepare = open_target, HERE, .open_flags = O_RDWR,
	    .why_not = "the call is made on any file, and names this one by a descriptor in memory "
		"that can change while the guard looks"),
	TRY("XFS_IOC_EXCHANGE_RANGE", READ | WRITE, try_exchange_range, HERE,
	    .open_flags = O_RDWR, .by_descriptor = true),
	TRY("XFS_IOC_EXCHANGE_RANGE, as the other file", READ | WRITE, try_exchange_with, HERE,
	    .open_flags = O_RDWR, .by_descriptor = true),
#ifdef __x86_64__
	TRY("XFS_IOC_EXCHANGE_RANGE, by a 32-bit system call", READ | WRITE, try_exchange_compat,
	    HERE, .open_flags = O_RDWR, .by_descriptor = true),
#endif
	TRY("XFS_IOC_COMMIT_RANGE, as the other file", READ | WRITE, try_commit_with, HERE,
	    .open_flags = O_RDWR, .by_descriptor = true),
	TRY("XFS_IOC_OPEN_BY_HANDLE, to read", READ, try_open_read, HERE),
	TRY("XFS_IOC_OPEN_BY_HANDLE, to write", WRITE, try_open_write, HERE),
	TRY("XFS_IOC_READLINK_BY_HANDLE", READ, try_readlink, HERE, .kind = SYMLINK,
	    .why_not = HANDLE_WHY),
	TRY("XFS_IOC_ATTRMULTI_BY_HANDLE, to set an attribute", ATTR, try_set_attribute, HERE,
	    .why_not = HANDLE_WHY),
	TRY("XFS_IOC_ATTRMULTI_BY_HANDLE, to remove one", ATTR, run_remove_attribute,
	    .prepare = prepare_attribute, HERE, .why_not = HANDLE_WHY),
	{ }
};
