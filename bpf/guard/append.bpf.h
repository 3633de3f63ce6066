/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tell whether a write can only append. O_APPEND of the descriptor is not enough: fallocate(2)
 * punches holes in spite of it, and RWF_NOAPPEND turns it off for a single write, as RWF_APPEND
 * turns it on, which no security hook learns. So look at the system call. Where that does not
 * tell, as with io_uring, the write may be either, and is denied if either is. A task that uses
 * io_uring may issue its writes on the way out of any system call, too.
 */
#ifndef _GUARD_APPEND_BPF_H
#define _GUARD_APPEND_BPF_H

#include "kernel.bpf.h"
#include "syscall.bpf.h"

#define O_APPEND	00002000
#define RWF_APPEND	0x10
#define RWF_NOAPPEND	0x20
/* Kernel threads and the workers of io_uring and vhost: they act for system calls of others. */
#define PF_WORKERS	(0x00000010 | 0x00004000 | 0x00200000)

/* Kinds of writes: bits. */
#define PLAIN	1U
#define APPENDS	2U

/* Only regular files have an end to append to, whatever the descriptor says. */
static __always_inline bool is_regular(struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFREG;
}

#ifdef GUARD_KNOWS_APPEND
static __always_inline __u32 call_writes(const struct calls calls, __u32 number, __u32 flags,
					 __u32 by_descriptor)
{
	if (number == calls.write || number == calls.pwrite64 || number == calls.writev ||
	    number == calls.pwritev)
		return by_descriptor;
	if (number == calls.pwritev2) {
		if (flags & RWF_NOAPPEND)
			return PLAIN;
		return flags & RWF_APPEND ? APPENDS : by_descriptor;
	}
	if (number == calls.io_submit || number == calls.io_uring_enter)
		return PLAIN | APPENDS;
	/* Other calls that write to files append only by the descriptor. */
	return PLAIN | by_descriptor;
}

static __always_inline __u32 syscall_writes(struct task_struct *task, __u32 by_descriptor)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	const struct calls compat_calls = COMPAT_CALLS, calls = CALLS;

	if (is_compat(task))
		return call_writes(compat_calls, regs->CALL_NUMBER, regs->COMPAT_ARGUMENT_6,
				   by_descriptor);
	return call_writes(calls, regs->CALL_NUMBER, regs->ARGUMENT_6, by_descriptor);
}

/* Whether a task has ever used io_uring. */
static __always_inline bool uses_uring(struct task_struct *task)
{
	const struct task_struct___guard *configured = (const void *)task;

	return bpf_core_field_exists(configured->io_uring) &&
	       !inode_map_is_null(configured->io_uring);
}

/* The kinds that the current write to @file may be of. */
static __noinline __u32 writes(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_regular(file->f_inode))
		return PLAIN;
	if (task->flags & PF_WORKERS || uses_uring(task))
		return PLAIN | APPENDS;
	return syscall_writes(task, file->f_flags & O_APPEND ? APPENDS : PLAIN);
}
#else
static __noinline __u32 writes(struct file *file)
{
	return PLAIN;
}
#endif

#endif /* _GUARD_APPEND_BPF_H */
