// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One request with io_uring or aio, using only system calls. Called by the attempts. */
#include "bypass.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/stat.h>

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

static void ring_enter(const struct ring *ring, unsigned int submit, unsigned int complete)
{
	unsigned int flags = IORING_ENTER_GETEVENTS;

	if (ring->params.flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	CHECK_SYS(syscall(SYS_io_uring_enter, ring->fd, submit, complete, flags, NULL, 0));
}

/* Submit requests, and wait until @complete of them are done. */
static void ring_submit(struct ring *ring, const struct io_uring_sqe *requests, unsigned int nr,
			unsigned int complete)
{
	unsigned int *array = (void *)(ring->rings + ring->params.sq_off.array);
	unsigned int *tail = (void *)(ring->rings + ring->params.sq_off.tail);

	for (unsigned int i = 0; i < nr; i++) {
		ring->requests[i] = requests[i];
		array[i] = i;
	}
	__atomic_store_n(tail, nr, __ATOMIC_RELEASE);
	ring_enter(ring, nr, complete);
}

/* The result of the request at @place in the completion queue. */
static int ring_result(const struct ring *ring, unsigned int place)
{
	struct io_uring_cqe *done = (void *)(ring->rings + ring->params.cq_off.cqes);

	return __atomic_load_n(&done[place].res, __ATOMIC_ACQUIRE);
}

int uring(const struct io_uring_sqe *request, unsigned int setup_flags)
{
	struct ring ring;
	int err = ring_open(&ring, setup_flags);

	if (err)
		return err;
	ring_submit(&ring, request, 1, 1);
	err = ring_result(&ring, 0);
	ring_close(&ring);
	return err;
}

int uring_in_write(const struct io_uring_sqe *request)
{
	struct io_uring_sqe requests[2] = {
		{ .opcode = IORING_OP_POLL_ADD, .flags = IOSQE_IO_LINK, .poll32_events = POLLIN },
		*request,
	};
	struct ring ring;
	int err = ring_open(&ring, 0), pipes[2];

	if (err)
		return err;
	CHECK_SYS(pipe2(pipes, O_CLOEXEC));
	requests[0].fd = pipes[0];
	ring_submit(&ring, requests, 2, 0);
	/* If the write had to update the file's time, a worker would do it. */
	CHECK_SYS(futimens(request->fd, NULL));
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	ring_enter(&ring, 0, 2);
	err = ring_result(&ring, 1);
	ring_close(&ring);
	close(pipes[0]);
	close(pipes[1]);
	return err;
}

static struct ring kept[32];

int uring_register(void *memory, size_t size)
{
	struct iovec vector = { memory, size };
	static unsigned int next;
	struct ring *ring = &kept[next];
	int err;

	CHECK(next < ARRAY_SIZE(kept));
	err = ring_open(ring, 0);
	if (err)
		return err;
	if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &vector, 1))
		return -errno;
	return next++;
}

int uring_with(int number, const struct io_uring_sqe *request)
{
	ring_submit(&kept[number], request, 1, 1);
	return ring_result(&kept[number], 0);
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
