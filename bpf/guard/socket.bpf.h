/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UNIX sockets that have a name in a filesystem. To connect to one, or to send to it unconnected, a
 * task needs the kernel's permission to write to the file: so it is a write here, too. Connections
 * that exist are left alone.
 */
#ifndef _GUARD_SOCKET_BPF_H
#define _GUARD_SOCKET_BPF_H

#include "judge.bpf.h"
#include "word.bpf.h"

/* @peer is of AF_UNIX. The kernel holds its lock, so that its name stays. */
static __always_inline int guard_peer(struct sock *peer)
{
	struct unix_sock *socket = AT(struct unix_sock, peer);
	struct dentry *dentry = socket->path.dentry;

	/* Most sockets have no name. */
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
