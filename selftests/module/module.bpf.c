// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that uses the module.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

__u32 pid;
__u32 map_id;
__u32 hits;
__u32 seen;

SEC("lsm/file_open")
int BPF_PROG(look, struct file *file)
{
	__u32 *value;

	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	value = inode_map_lookup(map_id, file->f_inode, __u32);
	if (value) {
		seen = *value;
		hits++;
	}
	return 0;
}
