// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The policy: nobody can open a file that is in the map. The loader makes the map, and writes its
 * id to denied_id before it loads this.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

/* vmlinux.h does not have the kernel's macros. */
#define EPERM	1
#define ENOENT	2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 denied_id;

/* @ret is the return value of an earlier program at this hook. Allow only on "not in the map". */
SEC("lsm/file_open")
int BPF_PROG(deny_open, struct file *file, int ret)
{
	__u32 value = 0;

	if (ret)
		return ret;
	ret = inode_map_read(denied_id, file->f_inode, &value);
	return ret == -ENOENT ? 0 : -EPERM;
}
