// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to write with io_uring, aio and a loop device. The attempts are in the tables of writing.c.
 */
#include <linux/aio_abi.h>
#include <linux/io_uring.h>

#include "writing.h"

int try_uring_write(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_WRITE, .addr = (uintptr_t)TEXT_NEW,
					.len = SIZE_NEW };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : written(uring(&request, 0));
}

int try_uring_poll_thread(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_WRITE, .addr = (uintptr_t)TEXT_NEW,
					.len = SIZE_NEW };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : written(uring(&request, IORING_SETUP_SQPOLL));
}

int try_uring_noappend(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_WRITE, .addr = (uintptr_t)TEXT_NEW,
					.len = SIZE_NEW, .rw_flags = RWF_NOAPPEND };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : written(uring(&request, 0));
}

/* The request runs inside a write(2), which appends if the descriptor does. */
int try_uring_in_write(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_WRITE, .addr = (uintptr_t)TEXT_NEW,
					.len = SIZE_NEW, .rw_flags = RWF_NOAPPEND };
	int ret = -EPERM;

	request.fd = descriptor(t);
	if (request.fd < 0)
		return request.fd;
	for (int i = 0; ret == -EPERM && i < 50; i++)
		ret = uring_in_write(&request);
	return written(ret);
}

int try_uring_truncate(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
					.addr = (uintptr_t)t->path,
					.open_flags = O_WRONLY | O_TRUNC };

	return close_opened(uring(&request, 0));
}

int try_uring_ftruncate(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_FTRUNCATE, .off = 10 };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : uring(&request, 0);
}

static int aio_write(const struct target *t, int flags)
{
	struct iocb request = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_buf = (uintptr_t)TEXT_NEW,
				.aio_nbytes = SIZE_NEW, .aio_rw_flags = flags };
	int fd = descriptor(t);

	request.aio_fildes = fd;
	return fd < 0 ? fd : written(aio(&request));
}

int try_aio(struct target *t)
{
	return aio_write(t, 0);
}

int try_aio_noappend(struct target *t)
{
	return aio_write(t, RWF_NOAPPEND);
}

/* A loop device writes at a position of its own. */
int try_loop(struct target *t)
{
	int loop, fd = descriptor(t);

	if (fd < 0)
		return fd;
	loop = loop_open(fd);
	return loop < 0 ? loop : written(loop_write(loop, text_new, sizeof(text_new)));
}
