/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whether a write can only append. O_APPEND of the descriptor does not tell: fallocate(2) punches
 * holes through it, and RWF_NOAPPEND turns it off for one write as RWF_APPEND turns it on, which no
 * security hook is told. So it is told by the system call, where that says it. Where it does not,
 * the write may be either, and is denied if either is: io_uring's, for one.
 */
#ifndef _GUARD_APPEND_BPF_H
#define _GUARD_APPEND_BPF_H

#define O_APPEND	00002000
#define RWF_APPEND	0x10
#define RWF_NOAPPEND	0x20
/* Kernel threads and the workers of io_uring and vhost: what they do, they do for system calls. */
#define PF_WORKERS	(0x00000010 | 0x00004000 | 0x00200000)
#define TS_COMPAT	0x0002

/* What a write may be: bits. */
#define PLAIN	1U
#define APPENDS	2U

#if defined(__TARGET_ARCH_x86)
static __always_inline __u32 syscall_writes_compat(unsigned long number, __u32 by_descriptor)
{
	switch (number) {
	case 4:		/* write */
	case 146:	/* writev */
	case 181:	/* pwrite64 */
	case 334:	/* pwritev */
		return by_descriptor;
	case 54:	/* ioctl */
		return PLAIN | by_descriptor;
	default:
		return PLAIN | APPENDS;
	}
}

static __always_inline __u32 syscall_writes(struct task_struct *task, __u32 by_descriptor)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (task->thread_info.status & TS_COMPAT)
		return syscall_writes_compat(regs->orig_ax, by_descriptor);
	switch (regs->orig_ax) {
	case 1:		/* write */
	case 18:	/* pwrite64 */
	case 20:	/* writev */
	case 296:	/* pwritev */
		return by_descriptor;
	case 328:	/* pwritev2 */
		if (regs->r9 & RWF_NOAPPEND)
			return PLAIN;
		return regs->r9 & RWF_APPEND ? APPENDS : by_descriptor;
	case 209:	/* io_submit */
	case 426:	/* io_uring_enter */
		return PLAIN | APPENDS;
	default:
		/* Of what else writes to files, nothing appends but by the descriptor. */
		return PLAIN | by_descriptor;
	}
}
#else
static __always_inline __u32 syscall_writes(struct task_struct *task, __u32 by_descriptor)
{
	return PLAIN | APPENDS;
}
#endif

/* What a write to @file, which is being made, may be. */
static __noinline __u32 writes(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->flags & PF_WORKERS)
		return PLAIN | APPENDS;
	return syscall_writes(task, file->f_flags & O_APPEND ? APPENDS : PLAIN);
}

#endif /* _GUARD_APPEND_BPF_H */
