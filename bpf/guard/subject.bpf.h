/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Executables that may do what others may not: nobody else may control their processes. A tracer,
 * or a process that writes to their memory, could make them do anything; so could anybody who
 * chooses the libraries that they load. A process can also tell the kernel that it executes another
 * file than it does. Executables that only audit-only rules name are not protected.
 */
#ifndef _GUARD_SUBJECT_BPF_H
#define _GUARD_SUBJECT_BPF_H

#include "event.bpf.h"

#define PF_DUMPCORE		0x00000200
#define PR_SET_MM		35
#define PR_SET_MM_EXE_FILE	13
#define PR_SET_MM_MAP		14

/* The event names the executable. */
static __always_inline int refuse(struct file *exe)
{
	__sync_fetch_and_add(&state.refused, 1);
	if (STATE(watching) && !inode_map_is_null(exe))
		tell(exe->f_path.dentry, 0, BIT(GUARD_CONTROL), 0, 0, false);
	return STATE(audit) ? 0 : -EPERM;
}

static __always_inline int refuse_for(struct task_struct *task)
{
	struct mm_struct *mm = to_read(task)->mm;

	return refuse(inode_map_is_null(mm) ? NULL : mm->exe_file);
}

/*
 * Another process attaches to a task, opens its memory or descriptors, or watches it. Refuse that
 * for a protected executable, except to processes of the same one; otherwise remember it.
 */
static __always_inline int get_hold(struct task_struct *task, __u32 others)
{
	__u32 subject = STATE(subjects) ? subject_of(task) : 0;

	if (subject && subject == others)
		return 0;
	if (is_protected(subject) && refuse_for(task))
		return -EPERM;
	forget(task);
	return 0;
}

static __always_inline __u32 current_subject(void)
{
	return STATE(subjects) ? subject_now() : 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_ptrace, struct task_struct *child, unsigned int mode)
{
	return mode & PTRACE_MODE_ATTACH ? get_hold(child, current_subject()) : 0;
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(guard_traceme, struct task_struct *parent)
{
	return get_hold(bpf_get_current_task_btf(), STATE(subjects) ? subject_of(parent) : 0);
}

/* Samples what a task does, with its stack. Events of a processor have no task and are allowed. */
SEC("lsm/perf_event_alloc")
int BPF_PROG(guard_perf, struct perf_event *event)
{
	struct task_struct *task = event->hw.target;
	int ret;

	if (inode_map_is_null(task))
		return 0;
	task = bpf_task_from_pid(task->pid);
	if (!task)
		return 0;
	ret = get_hold(task, current_subject());
	bpf_task_release(task);
	return ret;
}

/* Whether somebody watches the task, and so what it executes, by perf_event_open(2). */
static __always_inline bool is_watched(struct task_struct *task)
{
	const struct task_struct___guard *configured = (const void *)task;

	return bpf_core_field_exists(configured->perf_event_ctxp) &&
	       !inode_map_is_null(configured->perf_event_ctxp) &&
	       configured->perf_event_ctxp->nr_events;
}

/* Refuse to dump its memory to a file that belongs to anybody who can make it crash. */
static __always_inline int guard_core(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!STATE(subjects) || !(task->flags & PF_DUMPCORE) || !is_protected(subject_now()))
		return 0;
	return refuse_for(task);
}

/* The number of the process that traces a task, or 0. */
static __always_inline __u32 tracer_of(struct task_struct *task)
{
	return task->ptrace ? task->parent->tgid : 0;
}

/* Whether a process that is not of this executable traces or watches the current task. */
static __always_inline bool is_in_hands(struct task_struct *task, __u32 subject)
{
	__u32 tracer = tracer_of(task);

	return (tracer && subject_of_pid(tracer) != subject) || is_watched(task);
}

/*
 * Refuse to execute a protected file while somebody else traces or watches the task. Set AT_SECURE:
 * the dynamic linker then ignores its environment (LD_PRELOAD, LD_LIBRARY_PATH).
 */
SEC("lsm/bprm_check_security")
int BPF_PROG(guard_bprm, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const __u32 *subject;

	take_over(task);
	if (!STATE(subjects) || is_confined(task))
		return 0;
	subject = inode_map_peek(subjects_id, bprm->file->f_inode, __u32);
	if (!subject || !is_protected(*subject))
		return 0;
	if (is_in_hands(task, *subject))
		return refuse(bprm->file);
	if (!STATE(audit))
		bpf_bprm_opts_set(bprm, BPRM_SECUREEXEC);
	return 0;
}

/* How a process that executes a file counts as one of it: GUARD_SEEN, GUARD_SEEN_AUDITED or 0. */
static __always_inline __u32 seen_as(struct linux_binprm *bprm, struct task_struct *task,
				     const struct guard_process *process)
{
	const __u32 *subject = inode_map_peek(subjects_id, bprm->file->f_inode, __u32);

	if (!subject || !is_as_chosen(process, task) || is_in_hands(task, *subject))
		return 0;
	if (STATE(audit))
		return GUARD_SEEN_AUDITED;
	return BPF_CORE_READ_BITFIELD(bprm, secureexec) ? GUARD_SEEN : 0;
}

/*
 * The file is being executed, the other threads have ended, and the task is the first. Nobody can
 * begin to trace it before execve(2) is done; somebody who watches it later was not watching yet.
 */
SEC("lsm/bprm_committing_creds")
int BPF_PROG(guard_executed, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct guard_process *known, process = {};

	known = bpf_task_storage_get(&processes, task, NULL, 0);
	if (known)
		process = *known;
	choose(&process, task, task->cred, bprm->cred);
	process.flags |= seen_as(bprm, task, &process);
	process.execs = task->self_exec_id;
	if (!known && (process.flags || process.filters))
		known = bpf_task_storage_get(&processes, task, NULL,
					     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!known)
		return 0;
	if (process.flags || process.filters)
		*known = process;
	else
		bpf_task_storage_delete(&processes, task);
	return 0;
}

/* PR_SET_MM names another executable. GUARD_PRCTL_PROBE: the tool asks whether we are called. */
SEC("lsm/task_prctl")
int BPF_PROG(guard_prctl, int option, unsigned long arg2)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (option == GUARD_PRCTL_PROBE)
		__sync_fetch_and_add(&state.probed, 1);
	if (option != PR_SET_MM || (arg2 != PR_SET_MM_EXE_FILE && arg2 != PR_SET_MM_MAP))
		return 0;
	if (STATE(subjects) && refuse_for(task))
		return -EPERM;
	forget(task);
	return 0;
}

#endif /* _GUARD_SUBJECT_BPF_H */
