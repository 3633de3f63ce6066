// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reading, mapping and writing the content of open files, and judging what was read. Called by the
 * attempts.
 */
#include "bypass.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

/* Aligned, for files opened with O_DIRECT. */
static char buffer[FILE_SIZE] __attribute__((aligned(4096)));

int judge_text(const char *bytes, long size)
{
	if (size < 0)
		return size;
	return size > 100 && is_text(bytes) ? 0 : -ENODATA;
}

int read_text(int fd)
{
	return fd < 0 ? fd : judge_text(buffer, result(pread(fd, buffer, sizeof(buffer), 0)));
}

int read_next(int fd)
{
	return fd < 0 ? fd : judge_text(buffer, result(read(fd, buffer, sizeof(buffer))));
}

int map_text(int fd)
{
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? -errno : judge_text(memory, FILE_SIZE);
}

int overwrite_text(int fd)
{
	long size;

	if (fd < 0)
		return fd;
	memset(buffer, 'X', sizeof(buffer));
	size = result(pwrite(fd, buffer, sizeof(buffer), 0));
	return size < 0 ? size : size == FILE_SIZE ? 0 : -ENODATA;
}

int map_code(int fd)
{
	if (fd < 0)
		return fd;
	return mmap(NULL, FILE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ?
	       -errno : 0;
}

int protect_code(int fd)
{
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, FILE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	return result(mprotect(memory, FILE_SIZE, PROT_READ | PROT_EXEC));
}

int write_mapped(int fd, int prot)
{
	char *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, FILE_SIZE, prot, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	if (!(prot & PROT_WRITE) && mprotect(memory, FILE_SIZE, prot | PROT_WRITE))
		return -errno;
	memory[0] = 'X';
	return 0;
}

int make_fragmented(struct target *target)
{
	int fd = file_open(target->path, O_RDWR);
	char bytes[FILE_SIZE];

	CHECK_EQ(pread(fd, bytes, FILE_SIZE, 0), FILE_SIZE);
	CHECK_SYS(ftruncate(fd, 0));
	for (int at = FILE_SIZE / 2; at >= 0; at -= FILE_SIZE / 2) {
		CHECK_EQ(pwrite(fd, bytes + at, FILE_SIZE / 2, at), FILE_SIZE / 2);
		CHECK_SYS(fsync(fd));
	}
	close(fd);
	return 0;
}

int dedupe(int from, int to)
{
	struct {
		struct file_dedupe_range range;
		struct file_dedupe_range_info info;
	} any = { .range = { .src_length = FILE_SIZE, .dest_count = 1 }, .info.dest_fd = to };

	if (ioctl(from, FIDEDUPERANGE, &any))
		return -errno;
	if (any.info.status < 0)
		return any.info.status;
	return any.info.status == FILE_DEDUPE_RANGE_SAME ? 0 : -ENODATA;
}
