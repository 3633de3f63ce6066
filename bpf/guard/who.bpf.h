/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who acts: whether the current task is in a set. A set has subjects of one or more kinds; the task
 * has to be one of each of these kinds.
 */
#ifndef _GUARD_WHO_BPF_H
#define _GUARD_WHO_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "process.bpf.h"
#include "word.bpf.h"

#define PF_KTHREAD	0x00200000
/* The maximum number of groups that a task can have. */
#define NGROUPS_MAX	65536
/* Deeper than any path of a cgroup that can be named. */
#define CGROUP_DEPTH	1024

#define KIND(kind)	(1U << GUARD_BY_##kind)

static __always_inline bool is_member(__u32 set, __u32 kind, __u32 subject)
{
	struct guard_member member = { .set = set, .kind = kind, .subject = subject };

	return bpf_map_lookup_elem(&members, &member);
}

/* Whether a rule that is in force, and not audit-only, is for an executable. */
static __always_inline bool is_protected(__u32 subject)
{
	return subject && is_member(GUARD_PROTECTED, GUARD_BY_EXE, subject);
}

/* The id of the executable that the kernel says a task executes; 0 if it has none. */
static __always_inline __u32 named_subject_of(struct task_struct *task)
{
	struct mm_struct *mm = to_read(task)->mm;
	const __u32 *subject;
	struct file *exe;

	if (inode_map_is_null(mm) || is_confined(task))
		return 0;
	exe = mm->exe_file;
	if (inode_map_is_null(exe))
		return 0;
	subject = inode_map_peek(subjects_id, exe->f_inode, __u32);
	return subject ? *subject : 0;
}

/* The executable that a task counts as. For audit-only rules what the kernel says is enough. */
static __always_inline __u32 subject_of(struct task_struct *task)
{
	__u32 subject = named_subject_of(task);

	return subject && (is_seen(task) || !is_protected(subject)) ? subject : 0;
}

/* Likewise for the current task. */
static __always_inline __u32 subject_now(void)
{
	__u32 subject = named_subject_of(bpf_get_current_task_btf());

	return subject && (!is_protected(subject) || is_seen_now()) ? subject : 0;
}

/* Likewise by number, for a process whose task the verifier does not know to exist. */
static __always_inline __u32 subject_of_pid(__u32 pid)
{
	struct task_struct *task = bpf_task_from_pid(pid);
	__u32 subject;

	if (!task)
		return 0;
	subject = subject_of(task);
	bpf_task_release(task);
	return subject;
}

/* Searching many subjects for one that is in a set; @gids is where the kernel has them. */
struct search {
	const void *gids;
	__u32 set;
	__u32 found;
};

static int group_step(__u32 index, void *context)
{
	struct search *search = context;
	const void *at = search->gids + (index & (NGROUPS_MAX - 1)) * sizeof(__u32);
	const __u32 *gid = (const __u32 *)AT(struct timespec64, at);

	search->found = is_member(search->set, GUARD_BY_GROUP, *gid);
	return search->found;
}

static __always_inline bool is_in_groups(const struct cred *cred, __u32 set)
{
	struct search search = { .set = set };

	if (is_member(set, GUARD_BY_GROUP, cred->fsgid.val))
		return true;
	search.gids = cred->group_info->gid;
	bpf_loop(cred->group_info->ngroups, group_step, &search, 0);
	return search.found;
}

/* By the user and groups that file permissions are checked for, in the initial namespace. */
static __always_inline bool may_by_cred(const struct cred *cred, __u32 set, __u32 kinds)
{
	if (kinds & KIND(USER) && !is_member(set, GUARD_BY_USER, cred->fsuid.val))
		return false;
	return !(kinds & KIND(GROUP)) || is_in_groups(cred, set);
}

/*
 * If the kernel acts for a process with other credentials, as overlayfs does in its layers with
 * those of the mounter, both must be allowed. Kernel threads are nobody by themselves.
 */
static __always_inline bool may_by_creds(struct task_struct *task, __u32 set, __u32 kinds)
{
	if (!may_by_cred(to_read(task)->cred, set, kinds))
		return false;
	return task->flags & PF_KTHREAD || may_by_cred(to_read(task)->real_cred, set, kinds);
}

/* From the root down: any ancestor of the task's cgroup will do. */
static int cgroup_step(__u32 level, void *context)
{
	__u64 id = bpf_get_current_ancestor_cgroup_id(level);
	struct search *search = context;
	const __u32 *subject;

	if (!id)
		return 1;
	subject = bpf_map_lookup_elem(&cgroups, &id);
	search->found = subject && is_member(search->set, GUARD_BY_CGROUP, *subject);
	return search->found;
}

static __always_inline bool is_in_cgroups(__u32 set)
{
	struct search search = { .set = set };

	if (!bpf_core_field_exists(struct task_struct___guard, cgroups))
		return false;
	bpf_loop(CGROUP_DEPTH, cgroup_step, &search, 0);
	return search.found;
}

/*
 * Whether the current task is in a set that has these kinds of subjects. Not static: the verifier
 * checks it once, and not for each operation of each rule.
 */
__noinline int is_in_set(__u32 set, __u32 kinds)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (kinds & KIND(EXE)) {
		__u32 subject = subject_now();

		if (!subject || !is_member(set, GUARD_BY_EXE, subject))
			return false;
	}
	if (kinds & (KIND(USER) | KIND(GROUP)) && !may_by_creds(task, set, kinds))
		return false;
	return !(kinds & KIND(CGROUP)) || is_in_cgroups(set);
}

#endif /* _GUARD_WHO_BPF_H */
