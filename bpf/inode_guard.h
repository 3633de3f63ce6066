/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What inode-guard keeps about a file: the value of its map, which the programs
 * (inode_guard.bpf.c) read and count in, and the tool (inode_guard.c) writes and shows.
 */
#ifndef _INODE_GUARD_H
#define _INODE_GUARD_H

/* BPF programs have the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/**
 * enum inode_guard_kind - the kinds of access that can be denied
 * @INODE_GUARD_READ: opening for reading (of a directory: listing it)
 * @INODE_GUARD_WRITE: opening for writing, and changing the size
 * @INODE_GUARD_EXEC: executing, and mapping as code
 * @INODE_GUARD_DELETE: removing any of its names
 * @INODE_GUARD_REPLACE: giving one of its names to another file, by a rename
 * @INODE_GUARD_KINDS: how many there are
 */
enum inode_guard_kind {
	INODE_GUARD_READ,
	INODE_GUARD_WRITE,
	INODE_GUARD_EXEC,
	INODE_GUARD_DELETE,
	INODE_GUARD_REPLACE,
	INODE_GUARD_KINDS
};

/**
 * struct inode_guard_value - the value of a guarded file
 * @deny: what to deny, one bit (1 << kind) for each enum inode_guard_kind
 * @reserved: 0
 * @denied: how often each kind has been denied; the programs add to them atomically
 */
struct inode_guard_value {
	__u32 deny;
	__u32 reserved;
	__u64 denied[INODE_GUARD_KINDS];
};

#endif /* _INODE_GUARD_H */
