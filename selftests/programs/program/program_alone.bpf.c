// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that finds its map by name, so that bpftool can load it without passing an id: see
 * names.c.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

/* Adds 1 to the value of the working directory. Returns the value or an errno. */
SEC("syscall")
int count_directory(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int id = inode_map_id("alone");
	struct inode *inode;
	__u32 *value;

	if (id < 0)
		return id;
	bpf_rcu_read_lock();
	inode = task->fs->pwd.dentry->d_inode;
	bpf_rcu_read_unlock();
	value = inode_map_lookup(id, inode, __u32);
	return value ? ++*value : 0;
}
