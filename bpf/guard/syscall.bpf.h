/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system call that the current task is in. Where the kernel keeps its number and arguments, and
 * the numbers, depend on the architecture; 32-bit programs on a 64-bit kernel have other numbers.
 *
 * On an architecture that is not listed, the guard works without the operation "append": the tool
 * refuses rules that name it (GUARD_KNOWS_APPEND in guard.h), and each write is a plain write.
 */
#ifndef _GUARD_SYSCALL_BPF_H
#define _GUARD_SYSCALL_BPF_H

#include "guard.h"

/* The numbers of system calls that can append, by a flag or only by the descriptor. */
struct calls {
	__u32 write;
	__u32 pwrite64;
	__u32 writev;
	__u32 pwritev;
	__u32 pwritev2;
	__u32 io_submit;
	__u32 io_uring_enter;
};

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT	0x0002
#define CALLS		{ 1, 18, 20, 296, 328, 209, 426 }
#define COMPAT_CALLS	{ 4, 181, 146, 334, 379, 248, 426 }
#define DELETE_MODULE	176
#define COMPAT_DELETE_MODULE	129
#define CALL_NUMBER	orig_ax
#define ARGUMENT_2	si
#define ARGUMENT_6	r9
#define COMPAT_ARGUMENT_2	cx
#define COMPAT_ARGUMENT_6	bp

static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}

#elif defined(__TARGET_ARCH_arm64)

#define _TIF_32BIT	(1UL << 22)
#define CALLS		{ 64, 68, 66, 70, 287, 2, 426 }
#define COMPAT_CALLS	{ 4, 181, 146, 362, 393, 246, 426 }
#define DELETE_MODULE	106
#define COMPAT_DELETE_MODULE	129
#define CALL_NUMBER	syscallno
#define ARGUMENT_2	regs[1]
#define ARGUMENT_6	regs[5]
#define COMPAT_ARGUMENT_2	ARGUMENT_2
#define COMPAT_ARGUMENT_6	ARGUMENT_6

static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.flags & _TIF_32BIT;
}

#elif defined(__TARGET_ARCH_s390)

/* The same numbers for both. The upper half of the field has the length of the instruction. */
#define CALLS		{ 4, 181, 146, 329, 377, 247, 426 }
#define COMPAT_CALLS	CALLS
#define DELETE_MODULE	129
#define COMPAT_DELETE_MODULE	DELETE_MODULE
#define CALL_NUMBER	int_code & 0xffff
#define ARGUMENT_2	gprs[3]
#define ARGUMENT_6	gprs[7]
#define COMPAT_ARGUMENT_2	ARGUMENT_2
#define COMPAT_ARGUMENT_6	ARGUMENT_6

static __always_inline bool is_compat(struct task_struct *task)
{
	return false;
}

#endif

#endif /* _GUARD_SYSCALL_BPF_H */
