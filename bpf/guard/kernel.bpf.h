/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Definitions that vmlinux.h lacks: macros of the kernel, and types or fields that a kernel only
 * has if it is configured with cgroups, audit, io_uring, perf events or seccomp. Test for those
 * with bpf_core_field_exists().
 */
#ifndef _GUARD_KERNEL_BPF_H
#define _GUARD_KERNEL_BPF_H

#define EPERM			1
#define ENOENT			2
#define EAGAIN			11
#define EBUSY			16

#define S_IFMT			0170000
#define S_IFLNK			0120000
#define S_IFDIR			0040000
#define S_IFCHR			0020000
#define S_IFBLK			0060000
#define S_IFREG			0100000

#define O_TRUNC			00001000
#define MAY_WRITE		0x2
#define PROT_EXEC		0x4
#define PTRACE_MODE_ATTACH	0x02
#define MS_REMOUNT		0x20
#define MS_BIND			0x1000
/* Shared, private, slave, unbindable: how mounts propagate. */
#define MS_PROPAGATION		((1 << 17) | (1 << 18) | (1 << 19) | (1 << 20))

/* In a dentry's flags: its filesystem compares names in a way of its own. */
#define DCACHE_OP_COMPARE	0x2

/* BPF_F_BPRM_SECUREEXEC, which not every kernel's BTF has. */
#define BPRM_SECUREEXEC		(1ULL << 0)

/* Whether mount(2) with these flags puts something at a path. Otherwise it changes a mount. */
static __always_inline bool is_new_mount(unsigned long flags)
{
	return !(flags & MS_REMOUNT) && (!(flags & MS_PROPAGATION) || flags & MS_BIND);
}

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

struct perf_event_context___guard {
	int nr_events;
} __attribute__((preserve_access_index));

struct seccomp___guard {
	atomic_t filter_count;
} __attribute__((preserve_access_index));

struct task_struct___guard {
	kuid_t loginuid;
	unsigned int sessionid;
	struct css_set___guard *cgroups;
	void *io_uring;
	struct perf_event_context___guard *perf_event_ctxp;
	struct seccomp___guard seccomp;
} __attribute__((preserve_access_index));

#endif /* _GUARD_KERNEL_BPF_H */
