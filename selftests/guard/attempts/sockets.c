// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ways to talk to the listener at a UNIX socket with a name. Run by ../bypass/. */
#include "bypass.h"

#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address_of(const struct target *t)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", t->path);
	return address;
}

static int make(int type)
{
	return CHECK_SYS(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
}

static int connect_to(const struct target *t, int fd)
{
	struct sockaddr_un address = address_of(t);

	return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int try_stream(struct target *t)
{
	return connect_to(t, make(SOCK_STREAM));
}

static int try_packets(struct target *t)
{
	return connect_to(t, make(SOCK_SEQPACKET));
}

static int try_datagrams(struct target *t)
{
	return connect_to(t, make(SOCK_DGRAM));
}

/* Connect a socket that is connected already. */
static int try_reconnect(struct target *t)
{
	int pair[2];

	CHECK_SYS(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	return connect_to(t, pair[0]);
}

static int try_sendto(struct target *t)
{
	struct sockaddr_un address = address_of(t);
	long sent = result(sendto(make(SOCK_DGRAM), "x", 1, MSG_DONTWAIT,
				  (struct sockaddr *)&address, sizeof(address)));

	return sent < 0 ? sent : 0;
}

static int try_sendmsg(struct target *t)
{
	struct sockaddr_un address = address_of(t);
	struct iovec vector = { "x", 1 };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &vector,
		.msg_iovlen = 1,
	};
	long sent = result(sendmsg(make(SOCK_DGRAM), &message, MSG_DONTWAIT));

	return sent < 0 ? sent : 0;
}

static int try_uring_connect(struct target *t)
{
	struct sockaddr_un address = address_of(t);
	struct io_uring_sqe request = {
		.opcode = IORING_OP_CONNECT, .fd = make(SOCK_STREAM),
		.addr = (uintptr_t)&address, .off = sizeof(address),
	};

	return uring(&request, 0);
}

static int try_uring_sendmsg(struct target *t)
{
	struct sockaddr_un address = address_of(t);
	struct iovec vector = { "x", 1 };
	struct msghdr message = {
		.msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &vector,
		.msg_iovlen = 1,
	};
	struct io_uring_sqe request = {
		.opcode = IORING_OP_SENDMSG, .fd = make(SOCK_DGRAM),
		.addr = (uintptr_t)&message, .len = 1,
	};
	int sent = uring(&request, 0);

	return sent < 0 ? sent : 0;
}

static int prepare_stream(struct target *t)
{
	t->fd = make(SOCK_STREAM);
	return connect_to(t, t->fd);
}

static int prepare_datagrams(struct target *t)
{
	t->fd = make(SOCK_DGRAM);
	return connect_to(t, t->fd);
}

static int run_send(struct target *t)
{
	long sent = result(send(t->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));

	return sent < 0 ? sent : 0;
}

/* Talking through the socket does not change the file. */
#define TALK		.unchanged = true

const struct attempt sockets[] = {
	TRY("connect(2) to a stream socket", WRITE, try_stream, TALK, .kind = STREAM),
	TRY("connect(2) to a socket of packets", WRITE, try_packets, TALK, .kind = PACKETS),
	TRY("connect(2) to a socket of datagrams", WRITE, try_datagrams, TALK, .kind = DATAGRAMS),
	TRY("connect(2) to a socket of datagrams from another", WRITE, try_reconnect, TALK,
	    .kind = DATAGRAMS),
	TRY("sendto(2) to a socket", WRITE, try_sendto, TALK, .kind = DATAGRAMS),
	TRY("sendmsg(2) to a socket", WRITE, try_sendmsg, TALK, .kind = DATAGRAMS),
	TRY("io_uring: connect to a socket", WRITE, try_uring_connect, TALK, .kind = STREAM),
	TRY("io_uring: sendmsg to a socket", WRITE, try_uring_sendmsg, TALK, .kind = DATAGRAMS),
	TRY("send(2) to a socket of datagrams that was connected before", WRITE, run_send,
	    .prepare = prepare_datagrams, TALK, .kind = DATAGRAMS, .ways = BY(DIRECT)),
	TRY("send(2) by a stream that was connected before", WRITE, run_send,
	    .prepare = prepare_stream, TALK, .kind = STREAM, .ways = BY(DIRECT),
	    .why_not = "what is connected is one end of a connection, and has nothing to do with the file "
		"any more"),
	{ }
};
