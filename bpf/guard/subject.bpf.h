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
	return refuse(inode_map_is_null(task->mm) ? NULL : task->mm->exe_file);
}

/* Whether an executable is one of those. */
static __always_inline bool is_protected(__u32 subject)
{
	return subject && is_member(GUARD_PROTECTED, GUARD_BY_EXE, subject);
}

/* Attaching to it, its memory, its descriptors. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_ptrace, struct task_struct *child, unsigned int mode)
{
	__u32 subject;

	if (!STATE(subjects) || !(mode & PTRACE_MODE_ATTACH))
		return 0;
	subject = subject_of(child);
	if (!is_protected(subject) || subject == subject_of(bpf_get_current_task_btf()))
		return 0;
	return refuse_for(child);
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(guard_traceme, struct task_struct *parent)
{
	__u32 subject;

	if (!STATE(subjects))
		return 0;
	subject = subject_of(bpf_get_current_task_btf());
	if (!is_protected(subject) || subject == subject_of(parent))
		return 0;
	return refuse_for(bpf_get_current_task_btf());
}

/* Samples of what it does, with its stack. Who watches a processor watches all that it does. */
SEC("lsm/perf_event_alloc")
int BPF_PROG(guard_perf, struct perf_event *event)
{
	struct task_struct *task = event->hw.target;
	__u32 subject;

	if (!STATE(subjects) || inode_map_is_null(task))
		return 0;
	subject = subject_of(task);
	if (!is_protected(subject) || subject == subject_of(bpf_get_current_task_btf()))
		return 0;
	return refuse_for(task);
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

/*
 * It is not executed while somebody traces or watches, and with AT_SECURE in its auxiliary vector, by which
 * the dynamic linker knows that it must not obey its environment (LD_PRELOAD, LD_LIBRARY_PATH).
 */
SEC("lsm/bprm_check_security")
int BPF_PROG(guard_bprm, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const __u32 *subject;

	if (!STATE(subjects) || is_confined(task))
		return 0;
	subject = inode_map_peek(subjects_id, bprm->file->f_inode, __u32);
	if (!subject || !is_protected(*subject))
		return 0;
	if ((task->ptrace && *subject != subject_of(task->parent)) || is_watched(task))
		return refuse(bprm->file);
	if (!STATE(audit))
		bpf_bprm_opts_set(bprm, BPRM_SECUREEXEC);
	return 0;
}

/* Telling the kernel of another executable. And the question of the tool, whether we are called. */
SEC("lsm/task_prctl")
int BPF_PROG(guard_prctl, int option, unsigned long arg2)
{
	if (option == GUARD_PRCTL_PROBE)
		__sync_fetch_and_add(&state.probed, 1);
	if (option != PR_SET_MM || !STATE(subjects))
		return 0;
	if (arg2 != PR_SET_MM_EXE_FILE && arg2 != PR_SET_MM_MAP)
		return 0;
	return refuse_for(bpf_get_current_task_btf());
}

#endif /* _GUARD_SUBJECT_BPF_H */
