/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs that run (program.bpf.c) and those that are refused (program_refused.bpf.c)
 * have both.
 */
#ifndef COMMON_BPF_H
#define COMMON_BPF_H

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

/* Always empty. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} ordinary SEC(".maps");

static __always_inline struct dentry *working_directory(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->fs->pwd.dentry;
}

#endif /* COMMON_BPF_H */
