// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks up the running executable in a map given by id, and maps by name; measures how long hiding
 * a map takes.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

const char name[16] = "";

struct args {
	__u32 id;
	__s32 result;
	__u64 value;
};

SEC("syscall")
int read_value(struct args *args)
{
	struct inode *inode = bpf_get_current_task_btf()->mm->exe_file->f_inode;
	__u64 value = 0;

	args->result = inode_map_read(args->id, inode, &value);
	args->value = value;
	return 0;
}

SEC("syscall")
int find_name(struct args *args)
{
	args->result = bpf_inode_map_id(name);
	return 0;
}

/* Maps are hidden under rtnl, one at a time. */
__u64 hidden, hiding_least;
static __u64 hiding_began;

SEC("fentry/inode_map_unregister")
int hiding_begins(void *ctx)
{
	hiding_began = bpf_ktime_get_ns();
	return 0;
}

SEC("fexit/inode_map_unregister")
int hiding_ends(void *ctx)
{
	__u64 took = bpf_ktime_get_ns() - hiding_began;

	if (!hidden || took < hiding_least)
		hiding_least = took;
	hidden++;
	return 0;
}
