/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the guard has seen of a process (struct guard_process), and whether the process counts as
 * one of the executable that the kernel says it executes. It does if the guard saw it execute that
 * file and had the dynamic linker ignore the environment, if nobody traced it, and if only seccomp
 * filters that root chose answer its system calls: these answers are what the program reads, and
 * so they can control what it executes.
 *
 * A filter does not tell who installed it. So the guard counts the filters at the last time that
 * the process was root's: when it executed a file as root, or as another user without having
 * executed anything since it gave up root, as a service manager does to start a program for
 * another user. The kernel never takes a filter, or no_new_privs, from a process.
 *
 * The storage belongs to the first thread of a process. fork(2) copies it, and execve(2) sets it
 * anew. Most processes have none, which is the same as all zeros.
 */
#ifndef _GUARD_PROCESS_BPF_H
#define _GUARD_PROCESS_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"

#define CLONE_THREAD		0x00010000
#define CAP_SYS_ADMIN		21
#define PFA_NO_NEW_PRIVS	0

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

/*
 * Whether a task is in a user namespace of its own: there anybody can mount files where an
 * executable finds its dynamic linker and libraries.
 */
static __always_inline bool is_confined(struct task_struct *task)
{
	return to_read(task)->real_cred->user_ns->level;
}

/*
 * Whether the guard saw a task execute its program. While the guard only audits, or another guard
 * still denies as well, what it saw while auditing counts, too. GUARD_ADOPTED only counts for the
 * program that was being executed then.
 */
static __always_inline bool is_seen(struct task_struct *task)
{
	__u32 counts = GUARD_SEEN, flags = 0;
	const struct guard_process *process;
	struct task_struct *leader;

	bpf_rcu_read_lock();
	leader = task->group_leader;
	process = bpf_task_storage_get(&processes, leader, NULL, 0);
	if (process && (!(process->flags & GUARD_ADOPTED) ||
			process->execs == leader->self_exec_id))
		flags = process->flags;
	bpf_rcu_read_unlock();
	if (STATE(audit) || STATE(succeeds))
		counts |= GUARD_SEEN_AUDITED;
	return flags & counts;
}

/*
 * Whether it saw the current task. Not static: the verifier checks it once, and so searches the
 * names of types once for the pointer that is loaded there (see to_read()).
 */
__noinline int is_seen_now(void)
{
	return is_seen(bpf_get_current_task_btf());
}

/* Others may have taken control of the process. */
static __always_inline void forget(struct task_struct *task)
{
	struct guard_process *process;

	bpf_rcu_read_lock();
	process = bpf_task_storage_get(&processes, task->group_leader, NULL, 0);
	if (process)
		process->flags &= ~(GUARD_SEEN | GUARD_SEEN_AUDITED);
	bpf_rcu_read_unlock();
}

/* Whether a task with these credentials may install filters for programs with more privileges. */
static __always_inline bool is_roots(const struct cred *cred)
{
	return !cred->user_ns->level && cred->cap_effective.val & 1ULL << CAP_SYS_ADMIN;
}

static __always_inline __u32 filters_of(struct task_struct *task)
{
	const struct task_struct___guard *configured = (const void *)task;

	if (!bpf_core_field_exists(configured->seccomp.filter_count))
		return 0;
	return configured->seccomp.filter_count.counter;
}

static __always_inline bool has_no_new_privs(struct task_struct *task)
{
	return task->atomic_flags & 1UL << PFA_NO_NEW_PRIVS;
}

/* Set in @process, for a process that executes a file, what root chose for it. */
static __always_inline void choose(struct guard_process *process, struct task_struct *task,
				   const struct cred *old, const struct cred *new)
{
	__u32 flags = process->flags;

	process->flags &= GUARD_NO_NEW_PRIVS;
	if (is_roots(old) || is_roots(new) || flags & GUARD_WAS_ROOTS) {
		process->flags = has_no_new_privs(task) ? GUARD_NO_NEW_PRIVS : 0;
		process->filters = filters_of(task);
	}
}

/* Whether the task only has what root chose. */
static __always_inline bool is_as_chosen(const struct guard_process *process,
					 struct task_struct *task)
{
	return filters_of(task) <= process->filters &&
	       (!has_no_new_privs(task) || process->flags & GUARD_NO_NEW_PRIVS);
}

/* Copy what is known of the current process to @task. Returns whether there was anything. */
static __always_inline bool hand_on(struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct guard_process *process, *own;

	bpf_rcu_read_lock();
	process = bpf_task_storage_get(&processes, current->group_leader, NULL, 0);
	if (process) {
		own = bpf_task_storage_get(&processes, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (own)
			*own = *process;
	}
	bpf_rcu_read_unlock();
	return process;
}

/*
 * A thread other than the first is about to execute a file. It will become the first thread, so it
 * needs what is known of the process. If execve(2) fails, nobody looks at that.
 */
static __always_inline void take_over(struct task_struct *task)
{
	if (task->pid != task->tgid && !hand_on(task))
		bpf_task_storage_delete(&processes, task);
}

SEC("lsm/task_alloc")
int BPF_PROG(guard_fork, struct task_struct *child, unsigned long flags)
{
	if (!(flags & CLONE_THREAD))
		hand_on(child);
	return 0;
}

/* A program that root executed gives up root. */
static __always_inline int note_new_cred(const struct cred *new, const struct cred *old)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct guard_process *process;
	struct task_struct *leader;

	if (!is_roots(old) || is_roots(new))
		return 0;
	bpf_rcu_read_lock();
	leader = task->group_leader;
	process = bpf_task_storage_get(&processes, leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (process) {
		process->flags |= GUARD_WAS_ROOTS;
		process->execs = leader->self_exec_id;
	}
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(guard_setuid, struct cred *new, const struct cred *old)
{
	return note_new_cred(new, old);
}

SEC("lsm/capset")
int BPF_PROG(guard_capset, struct cred *new, const struct cred *old)
{
	return note_new_cred(new, old);
}

#endif /* _GUARD_PROCESS_BPF_H */
