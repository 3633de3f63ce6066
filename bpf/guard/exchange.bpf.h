/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Exchanging the contents of two files: xfs has an ioctl(2) for that, which is made on one of them
 * and names the other in memory. The kernel asks for the permission to write to both. But the
 * caller gets the contents of both, too, so count it as reading as well.
 */
#ifndef _GUARD_EXCHANGE_BPF_H
#define _GUARD_EXCHANGE_BPF_H

#include "syscall.bpf.h"

#define XFS_MAGIC		0x58465342
#define IOC_EXCHANGE_RANGE	0x40285881
#define IOC_COMMIT_RANGE	0x40585883

/* The second argument of the system call that is being made. */
static __always_inline __u32 second_argument(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

#ifdef GUARD_KNOWS_APPEND
	return is_compat(task) ? regs->COMPAT_ARGUMENT_2 : regs->ARGUMENT_2;
#else
	return PT_REGS_PARM2_SYSCALL(regs);
#endif
}

/* Whether the write to @file that is being made is such an exchange. */
static __always_inline bool is_exchange(struct file *file)
{
	__u32 command;

	if (file->f_inode->i_sb->s_magic != XFS_MAGIC)
		return false;
	command = second_argument(bpf_get_current_task_btf());
	return command == IOC_EXCHANGE_RANGE || command == IOC_COMMIT_RANGE;
}

#endif /* _GUARD_EXCHANGE_BPF_H */
