/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Executables that may do what others may not: they must not become puppets of others. Who may
 * trace a process, or write to its memory, could have it do what it likes; who may choose the
 * libraries that it loads, likewise; and a process can tell the kernel that it executes another
 * file than it does. Executables that only rules name which are just tried are not hindered.
 */
#ifndef _GUARD_SUBJECT_BPF_H
#define _GUARD_SUBJECT_BPF_H

#include "event.bpf.h"

#define PTRACE_MODE_ATTACH	0x02
#define PF_DUMPCORE		0x00000200
#define PR_SET_MM		35
#define PR_SET_MM_EXE_FILE	13
#define PR_SET_MM_MAP		14
/* BPF_F_BPRM_SECUREEXEC, which not every kernel's BTF has. */
#define BPRM_SECUREEXEC		(1ULL << 0)

/* Of what executable, that is told, too. */
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
 * Somebody gets hold of a task: attaches to it, to its memory, to its descriptors, watches it. That is
 * refused if its executable is one of those, but to processes of the same; or else it is remembered.
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
	return STATE(subjects) ? subject_of(bpf_get_current_task_btf()) : 0;
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

/* Samples of what it does, with its stack. Who watches a processor watches all that it does. */
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

/* Whether somebody watches by perf_event_open(2) what a task does, and so what it executes. */
static __always_inline bool is_watched(struct task_struct *task)
{
	const struct task_struct___guard *configured = (const void *)task;

	return bpf_core_field_exists(configured->perf_event_ctxp) &&
	       !inode_map_is_null(configured->perf_event_ctxp) &&
	       configured->perf_event_ctxp->nr_events;
}

/* Its memory is not written to a file, which belongs to whoever can have it crash. */
static __always_inline int guard_core(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!STATE(subjects) || !(task->flags & PF_DUMPCORE) || !is_protected(subject_of(task)))
		return 0;
	return refuse_for(task);
}

/* The number of a process that traces a task, or 0. */
static __always_inline __u32 tracer_of(struct task_struct *task)
{
	return task->ptrace ? task->parent->tgid : 0;
}

/* Whether others than processes of an executable trace or watch the current task. */
static __always_inline bool is_in_hands(struct task_struct *task, __u32 subject)
{
	__u32 tracer = tracer_of(task);

	return (tracer && subject_of_pid(tracer) != subject) || is_watched(task);
}

/*
 * It is not executed while somebody traces or watches, and with AT_SECURE in its auxiliary vector, by which
 * the dynamic linker knows that it must not obey its environment (LD_PRELOAD, LD_LIBRARY_PATH).
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

/* Whether a process that executes an executable becomes one of it: GUARD_SEEN, or how else; or 0. */
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
 * The file is executed, other threads have ended, and the task is the first. Nobody can begin to trace
 * it before execve(2) is done, and that it is watched now was not so before it was looked at.
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

/* Telling the kernel of another executable. And the question of the tool, whether we are called. */
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
