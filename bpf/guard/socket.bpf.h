/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * UNIX sockets that have a name in a filesystem. Who connects to one, or sends to it without that, needs
 * the permission to write to the file, as the kernel has it: so it is a write. What is connected already
 * stays so.
 */
#ifndef _GUARD_SOCKET_BPF_H
#define _GUARD_SOCKET_BPF_H

#include "judge.bpf.h"
#include "word.bpf.h"

/* The kernel holds the lock of @peer, so that its name stays. It is one of AF_UNIX. */
static __always_inline int guard_peer(struct sock *peer)
{
	struct unix_sock *socket = AT(struct unix_sock, peer);
	struct dentry *dentry = socket->path.dentry;

	/* Most have none. */
	if (inode_map_is_null(dentry))
		return 0;
	return guard(dentry->d_inode, dentry, WRITE);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(guard_connect, struct sock *sock, struct sock *other)
{
	return guard_peer(other);
}

SEC("lsm/unix_may_send")
int BPF_PROG(guard_send, struct socket *sock, struct socket *other)
{
	return guard_peer(other->sk);
}

#endif /* _GUARD_SOCKET_BPF_H */
