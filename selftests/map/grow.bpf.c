// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that look for entries while the map moves them to a bigger table: at every step of the
 * move, and in other tasks.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>
#include "grow.h"

char _license[] SEC("license") = "GPL";

__u32 map_id;
__u32 pid;

/* A child of @pid whose files come and go. */
__u32 not_pid;

/* Addresses of inodes; the first @nr_inodes of them are known to have an entry. */
__u64 inodes[STABLE];
__u32 nr_inodes;

__u64 steps;
__u64 hits;
__u64 misses;

static __always_inline void look(__u32 id, __u64 inode)
{
	if (inode_map_lookup(id, (struct inode *)inode, __u32))
		__sync_fetch_and_add(&hits, 1);
	else
		__sync_fetch_and_add(&misses, 1);
}

static void look_for_all(void)
{
	for (__u32 i = 0; i < STABLE; i++)
		if (i < nr_inodes)
			look(map_id, inodes[i]);
	__sync_fetch_and_add(&steps, 1);
}

/* Under the map's lock, when a bucket or an entry is about to be moved. */

SEC("?fentry/inode_map_move_bucket")
int BPF_PROG(at_bucket)
{
	look_for_all();
	return 0;
}

SEC("?fentry/inode_map_table_add")
int BPF_PROG(before_entry)
{
	look_for_all();
	return 0;
}

static long pass_time(__u32 i, void *unused)
{
	return 0;
}

/* Give other tasks time to look meanwhile. */
SEC("?fentry/inode_map_move_bucket")
int BPF_PROG(slow_down)
{
	bpf_loop(5000, pass_time, NULL, 0);
	return 0;
}

/* Now the entry is in both tables. */
SEC("?fexit/inode_map_table_add")
int BPF_PROG(between)
{
	look_for_all();
	return 0;
}

/* Record the inode of a file that the test opens. The test raises @nr_inodes later. */
SEC("?lsm/file_open")
int BPF_PROG(learn, struct file *file)
{
	if (bpf_get_current_pid_tgid() >> 32 == pid && nr_inodes < STABLE)
		inodes[nr_inodes & (STABLE - 1)] = (__u64)file->f_inode;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(look_often, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 id = map_id;

	if (task->real_parent->tgid != pid || task->tgid == not_pid || !id)
		return 0;
	for (int i = 0; i < 200; i++)
		look(id, (__u64)file->f_inode);
	return 0;
}
