// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The policy: what is in the map can't be opened. The loader makes the map, and writes its id here
 * before it loads this.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

/* Macros of the kernel, which vmlinux.h does not have. */
#define EPERM	1
#define ENOENT	2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 denied_id;

/* @ret is what another program at this hook has returned. All answers but "not in the map" deny. */
SEC("lsm/file_open")
int BPF_PROG(deny_open, struct file *file, int ret)
{
	__u32 value = 0;

	if (ret)
		return ret;
	ret = inode_map_read(denied_id, file->f_inode, &value);
	return ret == -ENOENT ? 0 : -EPERM;
}
