// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * One request by an io_uring, or by aio, with nothing but system calls. Called by the attempts.
 */
#include "bypass.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	size_t size;
	struct io_uring_sqe *requests;
};

static int ring_open(struct ring *ring, unsigned int flags)
{
	size_t size;

	memset(&ring->params, 0, sizeof(ring->params));
	ring->params.flags = flags;
	ring->params.sq_thread_idle = 100;
	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return -errno;
	CHECK(ring->params.features & IORING_FEAT_SINGLE_MMAP);
	size = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	if (size < ring->params.sq_off.array + ring->params.sq_entries * sizeof(unsigned int))
		size = ring->params.sq_off.array + ring->params.sq_entries * sizeof(unsigned int);
	ring->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			   IORING_OFF_SQ_RING);
	CHECK(ring->rings != MAP_FAILED);
	ring->requests = mmap(NULL, ring->params.sq_entries * sizeof(struct io_uring_sqe),
			      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			      IORING_OFF_SQES);
	CHECK(ring->requests != MAP_FAILED);
	ring->size = size;
	return 0;
}

static void ring_close(struct ring *ring)
{
	munmap(ring->rings, ring->size);
	munmap(ring->requests, ring->params.sq_entries * sizeof(struct io_uring_sqe));
	close(ring->fd);
}

static void ring_submit(struct ring *ring, const struct io_uring_sqe *request)
{
	unsigned int *array = (void *)(ring->rings + ring->params.sq_off.array);
	unsigned int *tail = (void *)(ring->rings + ring->params.sq_off.tail);
	unsigned int flags = IORING_ENTER_GETEVENTS;

	ring->requests[0] = *request;
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (ring->params.flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	CHECK_SYS(syscall(SYS_io_uring_enter, ring->fd, 1, 1, flags, NULL, 0));
}

int uring(const struct io_uring_sqe *request, unsigned int setup_flags)
{
	struct io_uring_cqe *done;
	struct ring ring;
	int err = ring_open(&ring, setup_flags);

	if (err)
		return err;
	ring_submit(&ring, request);
	done = (void *)(ring.rings + ring.params.cq_off.cqes);
	err = __atomic_load_n(&done->res, __ATOMIC_ACQUIRE);
	ring_close(&ring);
	return err;
}

int aio(struct iocb *request)
{
	aio_context_t context = 0;
	struct io_event event;

	CHECK_SYS(syscall(SYS_io_setup, 1, &context));
	if (syscall(SYS_io_submit, context, 1, &request) != 1)
		return -errno;
	CHECK_EQ(syscall(SYS_io_getevents, context, 1, 1, &event, NULL), 1);
	return event.res;
}
