/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Types of the kernel, or parts of them, that it has only where it is configured so: with control
 * groups, and with audit. Ask with bpf_core_field_exists().
 */
#ifndef _GUARD_KERNEL_BPF_H
#define _GUARD_KERNEL_BPF_H

struct kernfs_node___guard {
	__u64 id;
} __attribute__((preserve_access_index));

struct cgroup_root___guard {
	int hierarchy_id;
} __attribute__((preserve_access_index));

struct cgroup___guard {
	struct kernfs_node___guard *kn;
	struct cgroup_root___guard *root;
} __attribute__((preserve_access_index));

struct css_set___guard {
	struct cgroup___guard *dfl_cgrp;
} __attribute__((preserve_access_index));

struct task_struct___guard {
	kuid_t loginuid;
	unsigned int sessionid;
	struct css_set___guard *cgroups;
} __attribute__((preserve_access_index));

#endif /* _GUARD_KERNEL_BPF_H */
