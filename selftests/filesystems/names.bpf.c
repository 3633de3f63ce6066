// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks up an inode whenever its attributes are read, and counts.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

__u32 map_id;
__u64 number;		/* of the inode that is looked up */

__u64 lookups;
__u64 misses;

SEC("lsm/inode_getattr")
int BPF_PROG(on_getattr, const struct path *path)
{
	struct inode *inode = path->dentry->d_inode;
	__u32 *value;

	if (inode_map_is_null(inode) || inode->i_ino != number)
		return 0;
	value = inode_map_lookup(map_id, inode, __u32);
	__sync_fetch_and_add(&lookups, 1);
	if (!value)
		__sync_fetch_and_add(&misses, 1);
	return 0;
}
