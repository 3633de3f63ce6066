// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to read a file: each of these attempts gets at its content. passed.c has those that need
 * another process, or the kernel, to open the file or to pass it on. Run by ../bypass/.
 */
#include "bypass.h"
#include "ext4.h"

#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

static char buffer[FILE_SIZE] __attribute__((aligned(4096)));

static int judge(long size)
{
	return judge_text(buffer, size);
}

/* read(2) and similar calls */

static int try_read(struct target *t)
{
	return read_next(descriptor(t));
}

static int try_pread(struct target *t)
{
	return read_text(descriptor(t));
}

static int try_readv(struct target *t)
{
	struct iovec vector = { buffer, sizeof(buffer) };
	int fd = descriptor(t);

	return fd < 0 ? fd : judge(result(readv(fd, &vector, 1)));
}

static int try_preadv2(struct target *t)
{
	struct iovec vector = { buffer, sizeof(buffer) };
	int fd = descriptor(t);

	return fd < 0 ? fd : judge(result(preadv2(fd, &vector, 1, 0, RWF_HIPRI)));
}

static int try_openat2(struct target *t)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT };
	int root = file_open(t->root, O_PATH);

	return read_text(result(syscall(SYS_openat2, root, t->path + strlen(t->root), &how,
				       sizeof(how))));
}

static int try_open_path(struct target *t)
{
	int fd = result(open(t->path, O_PATH | O_CLOEXEC));

	return fd < 0 ? fd : read_text(result(open(proc_path(fd), O_RDONLY | O_CLOEXEC)));
}

static int try_open_by_handle(struct target *t)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} any = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int id, mount = file_open(t->root, O_RDONLY);

	if (name_to_handle_at(AT_FDCWD, t->path, &any.handle, &id, AT_SYMLINK_FOLLOW))
		return -errno;
	return read_text(result(open_by_handle_at(mount, &any.handle, O_RDONLY | O_CLOEXEC)));
}

static int try_relative(struct target *t)
{
	int dir = file_open(directory_of(t), O_PATH | O_DIRECTORY);

	return read_text(result(openat(dir, name_of(t), O_RDONLY | O_CLOEXEC)));
}

/* From descriptor to descriptor: judge what arrives in the pipe or file. */

static int try_sendfile(struct target *t)
{
	int pipes[2], fd = descriptor(t);
	off_t at = 0;
	long size;

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe(pipes));
	size = result(sendfile(pipes[1], fd, &at, 4096));
	return size < 0 ? size : read_next(pipes[0]);
}

static int try_splice(struct target *t)
{
	int pipes[2], fd = descriptor(t);
	loff_t at = 0;
	long size;

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe(pipes));
	size = result(splice(fd, &at, pipes[1], NULL, 4096, 0));
	return size < 0 ? size : read_next(pipes[0]);
}

static int try_splice_tee(struct target *t)
{
	int first[2], second[2], fd = descriptor(t);
	loff_t at = 0;
	long size;

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe(first));
	CHECK_SYS(pipe(second));
	size = result(splice(fd, &at, first[1], NULL, 4096, 0));
	if (size < 0)
		return size;
	CHECK_SYS(tee(first[0], second[1], 4096, 0));
	return read_next(second[0]);
}

static int copy_target(const struct target *t)
{
	return CHECK_SYS(open(scratch(t, "copy"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int try_copy_file_range(struct target *t)
{
	int copy, fd = descriptor(t);
	loff_t from = 0, to = 0;
	long size;

	if (fd < 0)
		return fd;
	copy = copy_target(t);
	size = result(copy_file_range(fd, &from, copy, &to, FILE_SIZE, 0));
	return size < 0 ? size : read_text(copy);
}

static int try_clone(struct target *t)
{
	int copy, fd = descriptor(t);
	long err;

	if (fd < 0)
		return fd;
	copy = copy_target(t);
	err = result(ioctl(copy, FICLONE, fd));
	return err ? err : read_text(copy);
}

static int try_clone_range(struct target *t)
{
	struct file_clone_range range = { .src_fd = descriptor(t), .src_length = FILE_SIZE };
	int copy;
	long err;

	if (range.src_fd < 0)
		return range.src_fd;
	copy = copy_target(t);
	err = result(ioctl(copy, FICLONERANGE, &range));
	return err ? err : read_text(copy);
}

/* Deduplication tells whether a guess of the content is right. */
static int try_dedupe(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : dedupe(fd, file_open(scratch_file(t, "guess", TEXT), O_RDWR));
}

/* The block exchange for defragmentation leaves the content in the other file. */
static int try_move_extents(struct target *t)
{
	struct move_extent move = { .len = 1 };
	int fd = descriptor(t);
	const char *donor;
	long err;

	if (fd < 0)
		return fd;
	donor = scratch(t, "donor");
	move.donor_fd = CHECK_SYS(open(donor, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK_SYS(fallocate(move.donor_fd, 0, 0, FILE_SIZE));
	CHECK_SYS(fsync(fd));
	err = result(ioctl(fd, EXT4_IOC_MOVE_EXT, &move));
	if (err)
		return err;
	return move.moved_len ? 0 : -ENODATA;
}

/* Memory */

static int run_map(struct target *t)
{
	memcpy(buffer, t->memory, sizeof(buffer));
	return judge(sizeof(buffer));
}

static int read_mapping(struct target *t, int prot, int flags)
{
	int err = map_target(t, prot, flags);

	return err ? err : run_map(t);
}

static int try_mmap_private(struct target *t)
{
	return read_mapping(t, PROT_READ, MAP_PRIVATE);
}

static int try_mmap_shared(struct target *t)
{
	return read_mapping(t, PROT_READ, MAP_SHARED | MAP_POPULATE);
}

static int try_mmap_validate(struct target *t)
{
	return read_mapping(t, PROT_READ, MAP_SHARED_VALIDATE);
}

static int try_mmap_private_write(struct target *t)
{
	return read_mapping(t, PROT_WRITE, MAP_PRIVATE);
}

/* An inaccessible mapping can be made readable. */
static int prepare_map_nothing(struct target *t)
{
	return map_target(t, PROT_NONE, MAP_PRIVATE);
}

static int run_mprotect(struct target *t)
{
	if (mprotect(t->memory, FILE_SIZE, PROT_READ))
		return -errno;
	return run_map(t);
}

static int try_mprotect(struct target *t)
{
	int err = prepare_map_nothing(t);

	return err ? err : run_mprotect(t);
}

/* It bypasses the protection of mappings, but can't read what could not be mapped. */
static int run_proc_mem(struct target *t)
{
	int mem = file_open("/proc/self/mem", O_RDONLY);

	return judge(result(pread(mem, buffer, sizeof(buffer), (uintptr_t)t->memory)));
}

static int try_proc_mem(struct target *t)
{
	int err = prepare_map_nothing(t);

	return err ? err : run_proc_mem(t);
}

/* If the CPU can tell execution from reading, this mapping is not readable by itself. */
static int try_mmap_exec(struct target *t)
{
	int err = map_target(t, PROT_EXEC, MAP_PRIVATE);

	return err ? err : run_proc_mem(t);
}

static int prepare_map(struct target *t)
{
	return map_target(t, PROT_READ, MAP_SHARED);
}

static int run_map_files(struct target *t)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (long)t->memory,
		 (long)t->memory + FILE_SIZE);
	return read_text(result(open(path, O_RDONLY | O_CLOEXEC)));
}

/* io_uring and aio */

static int uring_read(const struct target *t, unsigned int setup)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_READ, .addr = (uintptr_t)buffer,
					.len = sizeof(buffer) };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : judge(uring(&request, setup));
}

static int try_uring_read(struct target *t)
{
	return uring_read(t, 0);
}

static int try_uring_poll_thread(struct target *t)
{
	return uring_read(t, IORING_SETUP_SQPOLL);
}

static int try_uring_worker(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_READ, .flags = IOSQE_ASYNC,
					.addr = (uintptr_t)buffer, .len = sizeof(buffer) };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : judge(uring(&request, 0));
}

static int try_uring_readv(struct target *t)
{
	struct iovec vector = { buffer, sizeof(buffer) };
	struct io_uring_sqe request = { .opcode = IORING_OP_READV, .addr = (uintptr_t)&vector,
					.len = 1 };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : judge(uring(&request, 0));
}

static int try_uring_open(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
					.addr = (uintptr_t)t->path, .open_flags = O_RDONLY };

	return read_text(uring(&request, 0));
}

static int try_uring_open2(struct target *t)
{
	struct open_how how = { .flags = O_RDONLY };
	struct io_uring_sqe request = { .opcode = IORING_OP_OPENAT2, .fd = AT_FDCWD,
					.addr = (uintptr_t)t->path, .len = sizeof(how),
					.off = (uintptr_t)&how };

	return read_text(uring(&request, IORING_SETUP_SQPOLL));
}

static int try_uring_splice(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_SPLICE, .off = -1, .len = 4096 };
	int pipes[2], done, fd = descriptor(t);

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe(pipes));
	request.fd = pipes[1];
	request.splice_fd_in = fd;
	request.splice_off_in = 0;
	done = uring(&request, 0);
	return done < 0 ? done : read_next(pipes[0]);
}

static int try_aio(struct target *t)
{
	struct iocb request = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_buf = (uintptr_t)buffer,
				.aio_nbytes = sizeof(buffer) };
	int fd = descriptor(t);

	request.aio_fildes = fd;
	return fd < 0 ? fd : judge(aio(&request));
}

/* Directories */

static int try_list(struct target *t)
{
	char *entries = buffer;
	long size, fd = descriptor(t);

	if (fd < 0)
		return fd;
	size = result(syscall(SYS_getdents64, fd, entries, sizeof(buffer)));
	if (size < 0)
		return size;
	return memmem(entries, size, "entry", 6) ? 0 : -ENODATA;
}

const struct attempt reading[] = {
	TRY("read(2)", READ, try_read, .by_descriptor = true, .every_way = true),
	TRY("pread(2)", READ, try_pread, .by_descriptor = true),
	TRY("readv(2)", READ, try_readv, .by_descriptor = true),
	TRY("preadv2(2)", READ, try_preadv2, .by_descriptor = true),
	TRY("read(2) of a file that is open to read and write", READ, try_read,
	    .open_flags = O_RDWR, .by_descriptor = true, .unchanged = true),
	TRY("read(2) with O_DIRECT", READ, try_read, .open_flags = O_DIRECT,
	    .by_descriptor = true),
	TRY("open(2) with O_NOATIME and O_NONBLOCK", READ, try_read,
	    .open_flags = O_NOATIME | O_NONBLOCK | O_SYNC | O_ASYNC | O_NOCTTY,
	    .ways = ANY_PATH & PRIVILEGED),
	TRY("openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_SYMLINKS", READ, try_openat2,
	    .ways = ANY_NAME),
	TRY("openat(2) by a descriptor of the directory", READ, try_relative, .ways = ANY_NAME),
	TRY("O_PATH, then open(2) of /proc/self/fd", READ, try_open_path),
	TRY("open_by_handle_at(2)", READ, try_open_by_handle, .ways = ANY_PATH & PRIVILEGED),
	TRY("sendfile(2) from it", READ, try_sendfile, .by_descriptor = true),
	TRY("splice(2) from it", READ, try_splice, .by_descriptor = true),
	TRY("splice(2) from it and tee(2)", READ, try_splice_tee, .by_descriptor = true),
	TRY("copy_file_range(2) from it", READ, try_copy_file_range, .by_descriptor = true),
	TRY("FICLONE of it", READ, try_clone, .filesystems = BTRFS, .by_descriptor = true),
	TRY("FICLONERANGE of it", READ, try_clone_range, .filesystems = BTRFS,
	    .by_descriptor = true),
	TRY("FIDEDUPERANGE, to find out what is in it", READ, try_dedupe, .filesystems = BTRFS,
	    .by_descriptor = true),
	TRY("EXT4_IOC_MOVE_EXT, the content to another file", READ | WRITE, try_move_extents,
	    .filesystems = EXT4, .open_flags = O_RDWR, .by_descriptor = true, .unchanged = true),

	TRY("mmap(2), private", READ | MMAP, try_mmap_private, .by_descriptor = true,
	    .every_way = true),
	TRY("mmap(2), shared and populated", READ | MMAP, try_mmap_shared, .by_descriptor = true),
	TRY("mmap(2) with MAP_SHARED_VALIDATE", READ | MMAP, try_mmap_validate,
	    .by_descriptor = true),
	TRY("mmap(2) of a private copy to write", READ | MMAP, try_mmap_private_write,
	    .by_descriptor = true),
	TRY("mmap(2) to execute, to read it", READ | MMAP | EXEC, try_mmap_exec,
	    .by_descriptor = true),
	TRY("mmap(2) with PROT_NONE, then mprotect(2) to readable", READ | MMAP, try_mprotect,
	    .by_descriptor = true),
	TRY("mmap(2) with PROT_NONE, then read of /proc/self/mem", READ | MMAP, try_proc_mem,
	    .by_descriptor = true),
	TRY("mprotect(2) to readable of what was mapped before", READ | MMAP, run_mprotect,
	    .prepare = prepare_map_nothing, .ways = BY(DIRECT)),
	TRY("/proc/PID/map_files of what was mapped before", READ, run_map_files,
	    .prepare = prepare_map, .ways = BY(DIRECT)),
	TRY("memory that was mapped to read before", READ | MMAP, run_map,
	    .prepare = prepare_map, .ways = BY(DIRECT),
	    .why_not = "the kernel asks nobody when memory is read; end the processes that have "
		"the file mapped after the rule was made"),
	TRY("memory that was mapped with PROT_NONE before, by /proc/self/mem", READ | MMAP,
	    run_proc_mem, .prepare = prepare_map_nothing, .ways = BY(DIRECT),
	    .why_not = "the same: it was permitted to be read when it was mapped"),

	TRY("io_uring: read", READ, try_uring_read, .by_descriptor = true),
	TRY("io_uring: read, by the thread that polls", READ, try_uring_poll_thread,
	    .by_descriptor = true),
	TRY("io_uring: read, by a worker", READ, try_uring_worker, .by_descriptor = true),
	TRY("io_uring: readv", READ, try_uring_readv, .by_descriptor = true),
	TRY("io_uring: openat", READ, try_uring_open),
	TRY("io_uring: openat2, by the thread that polls", READ, try_uring_open2),
	TRY("io_uring: splice from it", READ, try_uring_splice, .by_descriptor = true),
	TRY("aio (io_submit(2))", READ, try_aio, .by_descriptor = true),

	TRY("getdents(2)", READ, try_list, .kind = DIRECTORY,
	    .open_flags = O_RDONLY | O_DIRECTORY, .by_descriptor = true, .every_way = true),
	{ }
};
