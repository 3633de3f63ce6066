// SPDX-License-Identifier: GPL-2.0
/*
 * Looks up the inode of each file that the process @pid calls fcntl() on: fcntl(F_GETFD) allocates
 * nothing and is no event for anybody who watches the file.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

__u32 pid;
__u32 map_id;

__u64 calls;
__u64 hits;
__u32 value;

SEC("lsm/file_fcntl")
int BPF_PROG(on_fcntl, struct file *file)
{
	__u32 *found;

	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	__sync_fetch_and_add(&calls, 1);
	found = inode_map_lookup(map_id, file->f_inode, __u32);
	if (found) {
		__sync_fetch_and_add(&hits, 1);
		value = *found;
	}
	return 0;
}
