// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to change a file's content, and to append to it: the tables of all such attempts, and those
 * with write(2) and similar calls. ../bypass/ runs them, and detects changes.
 */
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#include "writing.h"

char text_new[4096] __attribute__((aligned(4096))) = TEXT_NEW;

int written(long size)
{
	if (size < 0)
		return size;
	return size ? 0 : -ENODATA;
}

/* write(2) and similar calls */

static int try_write(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : written(result(write(fd, TEXT_NEW, SIZE_NEW)));
}

static int try_pwrite(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : written(result(pwrite(fd, TEXT_NEW, SIZE_NEW, 100)));
}

static int try_write_direct(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : written(result(pwrite(fd, text_new, sizeof(text_new), 0)));
}

static int try_writev(struct target *t)
{
	struct iovec vector = { TEXT_NEW, SIZE_NEW };
	int fd = descriptor(t);

	return fd < 0 ? fd : written(result(writev(fd, &vector, 1)));
}

static int write_with(const struct target *t, int flags)
{
	struct iovec vector = { TEXT_NEW, SIZE_NEW };
	int fd = descriptor(t);

	return fd < 0 ? fd : written(result(pwritev2(fd, &vector, 1, 0, flags)));
}

static int try_pwritev2(struct target *t)
{
	return write_with(t, RWF_DSYNC);
}

static int try_rwf_append(struct target *t)
{
	return write_with(t, RWF_APPEND);
}

static int try_rwf_noappend(struct target *t)
{
	return write_with(t, RWF_NOAPPEND);
}

#ifdef HAVE_COMPAT_PROGRAM
static int try_write_compat(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : write_compat(fd, TEXT_NEW, false, 0);
}

static int try_rwf_append_compat(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : write_compat(fd, TEXT_NEW, true, RWF_APPEND);
}

static int try_rwf_noappend_compat(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : write_compat(fd, TEXT_NEW, true, RWF_NOAPPEND);
}
#endif

static int try_set_append(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, O_APPEND))
		return -errno;
	return written(result(write(fd, TEXT_NEW, SIZE_NEW)));
}

static int try_clear_append(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, 0))
		return -errno;
	return written(result(pwrite(fd, TEXT_NEW, SIZE_NEW, 0)));
}

/* A setuid file that everybody may write: the kernel clears the bit. */
static int prepare_setuid(struct target *t)
{
	return result(chmod(t->path, 04666));
}

static int run_setuid(struct target *t)
{
	int fd;

	CHECK_SYS(syscall(SYS_setresuid, 65534, 65534, 65534));
	fd = descriptor(t);
	return fd < 0 ? fd : written(result(write(fd, TEXT_NEW, SIZE_NEW)));
}

/* Truncation */

int close_opened(long fd)
{
	return fd < 0 ? fd : close(fd);
}

static int try_open_truncate(struct target *t)
{
	return close_opened(result(open(t->path, O_WRONLY | O_TRUNC)));
}

static int try_append_truncate(struct target *t)
{
	return close_opened(result(open(t->path, O_WRONLY | O_APPEND | O_TRUNC)));
}

static int try_open_read_truncate(struct target *t)
{
	return close_opened(result(open(t->path, O_RDONLY | O_TRUNC)));
}

static int try_open_nothing_truncate(struct target *t)
{
	return close_opened(result(open(t->path, O_ACCMODE | O_TRUNC)));
}

static int try_creat(struct target *t)
{
	return close_opened(result(creat(t->path, 0600)));
}

static int try_truncate(struct target *t)
{
	return result(truncate(t->path, 10));
}

static int try_ftruncate(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ftruncate(fd, 10));
}

/* From descriptor to descriptor */

static int source_pipe(void)
{
	int pipes[2];

	CHECK_SYS(pipe(pipes));
	CHECK_EQ(write(pipes[1], TEXT_NEW, SIZE_NEW), SIZE_NEW);
	return pipes[0];
}

/* A file with other content. */
int source_file(const struct target *t)
{
	int fd = CHECK_SYS(open(scratch(t, "source"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	CHECK_EQ(write(fd, text_new, sizeof(text_new)), sizeof(text_new));
	return fd;
}

static int try_splice(struct target *t)
{
	int fd = descriptor(t);
	loff_t at = 0;

	return fd < 0 ? fd : written(result(splice(source_pipe(), NULL, fd, &at, SIZE_NEW, 0)));
}

static int try_vmsplice(struct target *t)
{
	struct iovec vector = { text_new, sizeof(text_new) };
	int pipes[2], fd = descriptor(t);
	loff_t at = 0;

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe(pipes));
	CHECK_SYS(vmsplice(pipes[1], &vector, 1, SPLICE_F_GIFT));
	return written(result(splice(pipes[0], NULL, fd, &at, sizeof(text_new), SPLICE_F_MOVE)));
}

static int try_sendfile(struct target *t)
{
	int fd = descriptor(t);
	off_t at = 0;

	return fd < 0 ? fd : written(result(sendfile(fd, source_file(t), &at, sizeof(text_new))));
}

static int try_copy_file_range(struct target *t)
{
	int fd = descriptor(t);
	loff_t from = 0, to = 0;

	if (fd < 0)
		return fd;
	return written(result(copy_file_range(source_file(t), &from, fd, &to, sizeof(text_new),
					      0)));
}

static int try_clone(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, FICLONE, source_file(t)));
}

static int try_clone_range(struct target *t)
{
	struct file_clone_range range = { .src_length = sizeof(text_new) };
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	range.src_fd = source_file(t);
	return result(ioctl(fd, FICLONERANGE, &range));
}

/* Deduplication needs equal content, which stays. */
static int try_dedupe(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : dedupe(file_open(scratch_file(t, "same", TEXT), O_RDWR), fd);
}

#define MOVE_EXT_WHY \
	"the call is made on another file, and names this one by a descriptor in memory that can " \
	"change while the guard looks; it exchanges blocks with a file of the caller's"

#define HERE		.ways = BY(DIRECT)
#define BY_FD(flags)	.open_flags = (flags), .by_descriptor = true
#define IN_DIRECTORY	.kind = DIRECTORY, .ways = ANY_PATH & ~BY(HARD_LINK)
#define IN_DIRECTORY_PRIVILEGED	.kind = DIRECTORY, .ways = ANY_PATH & ~BY(HARD_LINK) & PRIVILEGED
/* Renames from and to it, which do not work across mounts. */
#define TO_DIRECTORY	.kind = DIRECTORY, \
			.ways = ANY_NAME & ~BY(HARD_LINK)

const struct attempt writing[] = {
	TRY("write(2)", WRITE, try_write, BY_FD(O_WRONLY), .every_way = true),
	TRY("write(2) with O_CREAT", WRITE, try_write, .open_flags = O_WRONLY | O_CREAT),
	TRY("write(2) of a file that is open to read and write", WRITE, try_write,
	    BY_FD(O_RDWR)),
	TRY("pwrite(2)", WRITE, try_pwrite, BY_FD(O_WRONLY)),
	TRY("pwrite(2) with O_DIRECT and O_SYNC", WRITE, try_write_direct,
	    BY_FD(O_WRONLY | O_DIRECT | O_SYNC)),
	TRY("writev(2)", WRITE, try_writev, BY_FD(O_WRONLY)),
	TRY("pwritev2(2)", WRITE, try_pwritev2, BY_FD(O_WRONLY)),
	TRY("pwritev2(2) with RWF_APPEND", WRITE | APPEND, try_rwf_append, BY_FD(O_WRONLY)),
#ifdef HAVE_COMPAT_PROGRAM
	TRY("write(2) by a 32-bit program", WRITE, try_write_compat, HERE, BY_FD(O_WRONLY)),
	TRY("pwritev2(2) with RWF_APPEND by a 32-bit program", WRITE | APPEND,
	    try_rwf_append_compat, HERE, BY_FD(O_WRONLY)),
#endif
	TRY("write(2) that takes the setuid bit away", WRITE, run_setuid,
	    .prepare = prepare_setuid, .open_flags = O_WRONLY, .ways = BY(DIRECT)),
	TRY("open(2) with O_TRUNC", WRITE, try_open_truncate),
	TRY("open(2) to read with O_TRUNC", READ | WRITE, try_open_read_truncate),
	TRY("open(2) with access mode 3 and O_TRUNC", READ | WRITE, try_open_nothing_truncate),
	TRY("creat(2)", WRITE, try_creat),
	TRY("truncate(2)", WRITE, try_truncate, .every_way = true),
	TRY("ftruncate(2)", WRITE, try_ftruncate, BY_FD(O_WRONLY)),
	TRY("splice(2) to it", WRITE, try_splice, BY_FD(O_WRONLY)),
	TRY("vmsplice(2) and splice(2) to it", WRITE, try_vmsplice, BY_FD(O_WRONLY)),
	TRY("sendfile(2) to it", WRITE, try_sendfile, BY_FD(O_WRONLY)),
	TRY("copy_file_range(2) to it", WRITE, try_copy_file_range, BY_FD(O_WRONLY)),
	TRY("FICLONE to it", WRITE, try_clone, .filesystems = BTRFS, BY_FD(O_WRONLY)),
	TRY("FICLONERANGE to it", WRITE, try_clone_range, .filesystems = BTRFS, BY_FD(O_WRONLY)),
	TRY("FIDEDUPERANGE to it", WRITE, try_dedupe, .filesystems = BTRFS, BY_FD(O_WRONLY),
	    .unchanged = true),
	TRY("fallocate(2)", WRITE, try_allocate, BY_FD(O_WRONLY)),
	TRY("fallocate(2) with FALLOC_FL_KEEP_SIZE", WRITE, try_allocate_beyond, BY_FD(O_WRONLY)),
	TRY("fallocate(2) with FALLOC_FL_PUNCH_HOLE", WRITE, try_punch_hole, BY_FD(O_WRONLY)),
	TRY("fallocate(2) with FALLOC_FL_ZERO_RANGE", WRITE, try_zero_range, BY_FD(O_WRONLY),
	    .filesystems = EXT4),
	TRY("fallocate(2) with FALLOC_FL_COLLAPSE_RANGE", WRITE, try_collapse_range,
	    BY_FD(O_WRONLY), .filesystems = EXT4),
	TRY("fallocate(2) with FALLOC_FL_INSERT_RANGE", WRITE, try_insert_range, BY_FD(O_WRONLY),
	    .filesystems = EXT4),
	TRY("FS_IOC_ZERO_RANGE", WRITE, try_ioctl_zero_range, BY_FD(O_WRONLY),
	    .filesystems = EXT4),
	TRY("EXT4_IOC_MOVE_EXT, as the donor", WRITE, try_donate_extents, .open_flags = O_WRONLY,
	    .filesystems = EXT4),
	TRY("EXT4_IOC_MOVE_EXT, as the donor that was opened before", WRITE, try_donate_extents,
	    .prepare = open_target, .open_flags = O_WRONLY, .filesystems = EXT4, HERE,
	    .why_not = MOVE_EXT_WHY),
	TRY("EXT4_IOC_SWAP_BOOT", WRITE, try_swap_boot, BY_FD(O_WRONLY), .filesystems = EXT4,
	    .ways = ANY_PATH & PRIVILEGED & ~BY(HARD_LINK)),

	TRY("mmap(2) to write", READ | WRITE | MMAP, try_mmap, BY_FD(O_RDWR), .every_way = true),
	TRY("mmap(2) to read, then mprotect(2) to writable", READ | WRITE | MMAP, try_mprotect,
	    BY_FD(O_RDWR)),
	TRY("mmap(2) to read, then pkey_mprotect(2) to writable", READ | WRITE | MMAP,
	    try_pkey_mprotect, BY_FD(O_RDWR)),
	TRY("madvise(2) with MADV_REMOVE", READ | WRITE | MMAP, try_madvise_remove, BY_FD(O_RDWR)),
	TRY("mprotect(2) to writable of what was mapped before", READ | WRITE | MMAP,
	    run_mprotect_before, .prepare = prepare_map_read, .open_flags = O_RDWR,
	    .ways = BY(DIRECT)),
	TRY("madvise(2) with MADV_REMOVE of what was mapped before", WRITE, run_madvise_before,
	    .prepare = prepare_map_read, .open_flags = O_RDWR, .ways = BY(DIRECT)),
	TRY("memory that was mapped to write before", WRITE | MMAP, run_store_before,
	    .prepare = prepare_map_write, .open_flags = O_RDWR, .ways = BY(DIRECT),
	    .why_not = "the kernel asks nobody when memory is written; end the processes that have "
		"the file mapped after the rule was made"),
	TRY("mmap(2) of a private copy, written to", WRITE, try_private, .ways = BY(DIRECT),
	    .unchanged = true, .why_not = "this does not change the file"),

	TRY("io_uring: write", WRITE | APPEND, try_uring_write, BY_FD(O_WRONLY)),
	TRY("io_uring: write, by the thread that polls", WRITE | APPEND, try_uring_poll_thread,
	    BY_FD(O_WRONLY)),
	TRY("io_uring: openat with O_TRUNC", WRITE, try_uring_truncate),
	TRY("io_uring: ftruncate", WRITE, try_uring_ftruncate, BY_FD(O_WRONLY)),
	TRY("io_uring: fallocate", WRITE | APPEND, try_uring_fallocate, BY_FD(O_WRONLY)),
	TRY("aio (io_submit(2)) to write", WRITE | APPEND, try_aio, BY_FD(O_WRONLY)),

	TRY("write(2) with O_APPEND", WRITE | APPEND, try_write, BY_FD(O_WRONLY | O_APPEND)),
	TRY("writev(2) with O_APPEND", WRITE | APPEND, try_writev, BY_FD(O_WRONLY | O_APPEND)),
	TRY("fcntl(2) to set O_APPEND, then write(2)", WRITE | APPEND, try_set_append,
	    BY_FD(O_WRONLY)),
	TRY("fcntl(2) to clear O_APPEND, then write(2)", WRITE | APPEND, try_clear_append,
	    .open_flags = O_WRONLY | O_APPEND),
	TRY("pwritev2(2) with RWF_NOAPPEND", WRITE, try_rwf_noappend,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("io_uring: write with O_APPEND", WRITE | APPEND, try_uring_write,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("io_uring: write with RWF_NOAPPEND", WRITE | APPEND, try_uring_noappend,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("aio with RWF_NOAPPEND", WRITE | APPEND, try_aio_noappend, BY_FD(O_WRONLY | O_APPEND)),

	TRY("open(2) with O_CREAT in it", WRITE, try_create, IN_DIRECTORY, .every_way = true),
	TRY("mkdir(2) in it", WRITE, try_mkdir, IN_DIRECTORY),
	TRY("mknod(2) of a fifo in it", WRITE, try_mknod, IN_DIRECTORY),
	TRY("mknod(2) of a socket in it", WRITE, try_bind_socket, IN_DIRECTORY),
	TRY("symlink(2) in it", WRITE, try_symlink, IN_DIRECTORY),
	TRY("link(2) into it", WRITE, try_link_into, TO_DIRECTORY),
	TRY("rename(2) into it", WRITE, try_rename_into, TO_DIRECTORY),
	TRY("rename(2) within it", WRITE, try_rename_within, IN_DIRECTORY, .of_entry = RENAME),
	TRY("rename(2) out of it", WRITE, try_rename_out, TO_DIRECTORY, .of_entry = RENAME),
	TRY("unlink(2) in it", WRITE, try_unlink_in, IN_DIRECTORY, .of_entry = DELETE),
	TRY("io_uring: mkdirat in it", WRITE, try_uring_mkdir, IN_DIRECTORY),
	TRY("open(2) with O_TMPFILE in it, then linkat(2)", WRITE, try_tmpfile_link,
	    IN_DIRECTORY_PRIVILEGED, .of_entry = LINK),
	TRY("open(2) with O_TMPFILE in it", WRITE, try_tmpfile, IN_DIRECTORY, .unchanged = true,
	    .why_not = "such a file has no name in the directory; it can't be given one there"),
	{ }
};

/* Files where write is denied and append allowed, such as logs. */
#define CAN		.append_only = OTHERS
#define CANNOT		.append_only = STOPPED

const struct attempt appending[] = {
	TRY("append only: write(2) with O_APPEND", APPEND, try_write, CAN, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: pwrite(2) with O_APPEND", APPEND, try_pwrite, CAN, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
	/* The guard can't see the flags of such requests, which might have RWF_NOAPPEND. */
	TRY("append only: io_uring: write with O_APPEND", WRITE, try_uring_write, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: write(2)", WRITE, try_write, CANNOT, HERE, BY_FD(O_WRONLY)),
	TRY("append only: open(2) with O_TRUNC", WRITE, try_open_truncate, CANNOT, HERE),
	TRY("append only: open(2) with O_APPEND and O_TRUNC", WRITE, try_append_truncate, CANNOT,
	    HERE),
	TRY("append only: truncate(2)", WRITE, try_truncate, CANNOT, HERE),
	TRY("append only: ftruncate(2)", WRITE, try_ftruncate, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: fcntl(2) to clear O_APPEND, then write(2)", WRITE, try_clear_append,
	    CANNOT, HERE, BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: pwritev2(2) with RWF_NOAPPEND", WRITE, try_rwf_noappend, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
#ifdef HAVE_COMPAT_PROGRAM
	TRY("append only: write(2) with O_APPEND by a 32-bit program", APPEND, try_write_compat,
	    CAN, HERE, BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: write(2) by a 32-bit program", WRITE, try_write_compat, CANNOT, HERE,
	    BY_FD(O_WRONLY)),
	TRY("append only: pwritev2(2) with RWF_NOAPPEND by a 32-bit program", WRITE,
	    try_rwf_noappend_compat, CANNOT, HERE, BY_FD(O_WRONLY | O_APPEND)),
#endif
	TRY("append only: io_uring: write with RWF_NOAPPEND", WRITE, try_uring_noappend, CANNOT,
	    HERE, BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: io_uring: write with RWF_NOAPPEND at the end of a write(2)", WRITE,
	    try_uring_in_write, CANNOT, HERE, BY_FD(O_WRONLY | O_APPEND),
	    .filesystems = BTRFS | XFS, .sets_time = true),
	TRY("append only: aio with RWF_NOAPPEND", WRITE, try_aio_noappend, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: FALLOC_FL_PUNCH_HOLE", WRITE, try_punch_hole, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: io_uring: FALLOC_FL_PUNCH_HOLE", WRITE, try_uring_fallocate, CANNOT,
	    HERE, BY_FD(O_WRONLY | O_APPEND)),
	TRY("append only: FALLOC_FL_ZERO_RANGE", WRITE, try_zero_range, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND), .filesystems = EXT4),
	TRY("append only: FS_IOC_ZERO_RANGE", WRITE, try_ioctl_zero_range, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND), .filesystems = EXT4),
	TRY("append only: EXT4_IOC_MOVE_EXT, as the donor", WRITE, try_donate_extents,
	    .append_only = PASSES, HERE, .open_flags = O_WRONLY | O_APPEND, .filesystems = EXT4,
	    .why_not = MOVE_EXT_WHY),
	TRY("append only: EXT4_IOC_SWAP_BOOT", WRITE, try_swap_boot, CANNOT, HERE,
	    BY_FD(O_WRONLY | O_APPEND), .filesystems = EXT4),
	TRY("append only: mmap(2) to write", WRITE, try_mmap, CANNOT, HERE,
	    BY_FD(O_RDWR | O_APPEND)),
	TRY("append only: madvise(2) with MADV_REMOVE", WRITE, try_madvise_remove, CANNOT, HERE,
	    BY_FD(O_RDWR | O_APPEND)),
	TRY("append only: loop device for a descriptor with O_APPEND", WRITE, try_loop,
	    .append_only = PASSES, HERE, BY_FD(O_RDWR | O_APPEND),
	    .why_not = "the device writes the file without asking, at any place; only root can set "
		"one up"),
	{ }
};
