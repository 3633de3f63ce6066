// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Access from before the rule other than descriptors: growing mappings, pages in a pipe, memory
 * that an io_uring or userfaultfd(2) holds. The kernel calls no hook for any of these again. Run by
 * ../bypass/; reading.c and writing.c have the mappings themselves.
 */
#include "bypass.h"

#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#define PAGE	4096

static char buffer[FILE_SIZE];

/* Changing mappings */

/* Write the text twice, and map the first half. */
static int prepare_half(struct target *t)
{
	int fd = file_open(t->path, O_RDWR);

	CHECK_EQ(pread(fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	CHECK_EQ(pwrite(fd, buffer, sizeof(buffer), FILE_SIZE), sizeof(buffer));
	close(fd);
	return map_target(t, PROT_READ, MAP_SHARED);
}

static int run_remap(struct target *t)
{
	char *memory = mremap(t->memory, FILE_SIZE, 2 * FILE_SIZE, MREMAP_MAYMOVE);

	return memory == MAP_FAILED ? -errno : judge_text(memory + FILE_SIZE, FILE_SIZE);
}

static int prepare_map(struct target *t)
{
	return map_target(t, PROT_READ, MAP_SHARED);
}

static int run_remap_pages(struct target *t)
{
	if (syscall(SYS_remap_file_pages, t->memory, PAGE, 0, 1, 0))
		return -errno;
	memcpy(buffer, t->memory, PAGE);
	return 0;
}

/* Pages in a pipe */

static int prepare_pipe(struct target *t)
{
	int fd = descriptor(t), pipes[2];
	loff_t at = 0;

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe2(pipes, O_CLOEXEC));
	CHECK_EQ(splice(fd, &at, pipes[1], NULL, PAGE, 0), PAGE);
	close(pipes[1]);
	close(fd);
	t->fd = pipes[0];
	return 0;
}

static int run_pipe(struct target *t)
{
	return read_next(t->fd);
}

/* Memory that an io_uring holds: it need not stay mapped. */

static int prepare_registered(struct target *t)
{
	int err = map_target(t, PROT_READ | PROT_WRITE, MAP_SHARED);

	if (err)
		return err;
	t->spare = uring_register(t->memory, FILE_SIZE);
	if (t->spare < 0)
		return t->spare;
	close(t->fd);
	t->fd = -1;
	return 0;
}

/* Transfer between that memory and one end of a pipe. */
static int use_registered(const struct target *t, int opcode, int fd)
{
	struct io_uring_sqe request = { .opcode = opcode, .fd = fd, .len = PAGE };
	int size;

	CHECK_SYS(munmap(t->memory, FILE_SIZE));
	request.addr = (uintptr_t)t->memory;
	size = uring_with(t->spare, &request);
	return size < 0 ? size : size == PAGE ? 0 : -ENODATA;
}

static int run_registered_read(struct target *t)
{
	int pipes[2], err;

	CHECK_SYS(pipe(pipes));
	err = use_registered(t, IORING_OP_WRITE_FIXED, pipes[1]);
	return err ? err : read_next(pipes[0]);
}

static int run_registered_write(struct target *t)
{
	int pipes[2];

	CHECK_SYS(pipe(pipes));
	memset(buffer, 'X', PAGE);
	CHECK_EQ(write(pipes[1], buffer, PAGE), PAGE);
	return use_registered(t, IORING_OP_READ_FIXED, pipes[0]);
}

/* A hole at the end of the file, in a read-only mapping */

static int prepare_hole(struct target *t)
{
	int err = open_target(t);

	if (err)
		return err;
	CHECK_SYS(ftruncate(t->fd, 2 * FILE_SIZE));
	t->memory = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, t->fd, FILE_SIZE);
	return t->memory == MAP_FAILED ? -errno : 0;
}

static int run_fault(struct target *t)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register all = {
		.range = { (uintptr_t)t->memory, FILE_SIZE }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = { .dst = (uintptr_t)t->memory, .len = PAGE };
	static char page[PAGE] __attribute__((aligned(PAGE))) = "what somebody else has written";
	/* Ordinary users can have such a descriptor, too. */
	int fd = result(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));

	if (fd < 0)
		return fd;
	CHECK_SYS(ioctl(fd, UFFDIO_API, &api));
	if (ioctl(fd, UFFDIO_REGISTER, &all))
		return -errno;
	copy.src = (uintptr_t)page;
	return result(ioctl(fd, UFFDIO_COPY, &copy));
}

#define HERE	.ways = BY(DIRECT) | BY(USER), .own_process = true
#define MEMORY_WHY \
	"the kernel asks nobody when memory is used that was permitted before; end the processes " \
	"that had the file open when the rule was made"

const struct attempt before[] = {
	TRY("mremap(2) to a part that was never mapped", READ | MMAP, run_remap,
	    .prepare = prepare_half, HERE, .why_not = "there is no hook for it; " MEMORY_WHY),
	TRY("remap_file_pages(2) of what was mapped before", READ | MMAP, run_remap_pages,
	    .prepare = prepare_map, .open_flags = O_RDWR, HERE),
	TRY("pages that were spliced to a pipe before", READ, run_pipe, .prepare = prepare_pipe,
	    HERE, .why_not = "they are the pipe's; " MEMORY_WHY),
	TRY("a buffer of an io_uring that was registered before, to read", READ,
	    run_registered_read, .prepare = prepare_registered, .open_flags = O_RDWR,
	    .filesystems = TMPFS, HERE,
	    .why_not = MEMORY_WHY),
	TRY("a buffer of an io_uring that was registered before, to write", WRITE,
	    run_registered_write, .prepare = prepare_registered, .open_flags = O_RDWR,
	    .filesystems = TMPFS, HERE, .sets_time = true, .why_not = MEMORY_WHY),
	TRY("UFFDIO_COPY to a hole that was mapped before", WRITE, run_fault,
	    .prepare = prepare_hole, .open_flags = O_RDWR, .filesystems = TMPFS, HERE,
	    .sets_time = true,
	    .why_not = "a mapping that can only be read will do; " MEMORY_WHY),
	{ }
};
