// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that deny opening the files in a map. Each finds its map in another way: by the name of
 * a map declared here, pinned or not, or by the id that the loader writes. The test is loader.c.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#define EPERM	1

char _license[] SEC("license") = "GPL";

INODE_MAP_PINNED(loader_pinned, __u32, 8);
INODE_MAP(loader_own, __u32, 8);

const volatile __u32 map_id;

SEC("?lsm/file_open")
int BPF_PROG(by_pinned_name, struct file *file)
{
	return inode_map_lookup(inode_map_id("loader_pinned"), file->f_inode, __u32) ? -EPERM : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(by_own_name, struct file *file)
{
	return inode_map_lookup(inode_map_id("loader_own"), file->f_inode, __u32) ? -EPERM : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(by_id, struct file *file)
{
	return inode_map_lookup(map_id, file->f_inode, __u32) ? -EPERM : 0;
}
