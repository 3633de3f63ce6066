/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program may do where it runs: take or try locks, allocate memory. Any context; no locks.
 */
#ifndef _INODE_MAP_CONTEXT_H
#define _INODE_MAP_CONTEXT_H

#include <linux/irqflags.h>
#include <linux/kconfig.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/types.h>

/**
 * inode_map_holds_no_lock - does the task in which a program runs hold no spinlock?
 *
 * On PREEMPT_RT spinlocks are mutexes, and so are the locks of the allocator: a task that could
 * sleep may take them, or only try them, but not if it holds the same lock already. A task that
 * holds any has migration disabled. So has a program: once.
 *
 * Return: true if it holds none; false if it may hold one.
 */
static inline bool inode_map_holds_no_lock(void)
{
#ifdef CONFIG_SMP
	return preemptible() && current->migration_disabled <= 1;
#else
	return false;
#endif
}

/**
 * inode_map_may_alloc - can memory be allocated without sleeping, and freed?
 *
 * A tracing program may have interrupted anything, the allocator included. But where interrupts are
 * enabled an interrupt handler could run instead, and that may do both. On PREEMPT_RT the allocator
 * leaves interrupts enabled, but there a task that holds no spinlock may do both.
 *
 * Return: whether it can.
 */
static inline bool inode_map_may_alloc(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return inode_map_holds_no_lock();
	return !in_nmi() && !irqs_disabled();
}

/**
 * inode_map_may_try - can a program try spinlocks?
 *
 * On a kernel without CONFIG_SMP spinlocks only disable preemption, and trying one always succeeds:
 * the program must not have interrupted a holder.
 *
 * Return: whether it can.
 */
static inline bool inode_map_may_try(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return inode_map_holds_no_lock();
	return IS_ENABLED(CONFIG_SMP) || preemptible();
}

/**
 * inode_map_may_lock - can a program wait for a spinlock?
 *
 * Only if its task holds none: the holder of the one may be waiting for the other. Kernels without
 * CONFIG_PREEMPT_COUNT can't tell, because they do not count how often preemption was disabled.
 *
 * Return: whether it can.
 */
static inline bool inode_map_may_lock(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) ? inode_map_holds_no_lock() : preemptible();
}

/**
 * inode_map_may_try_raw - can a program try raw spinlocks that disable interrupts?
 *
 * Return: whether it can.
 */
static inline bool inode_map_may_try_raw(void)
{
	return IS_ENABLED(CONFIG_SMP) || (!in_nmi() && !irqs_disabled());
}

#endif /* _INODE_MAP_CONTEXT_H */
