/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernel versions and architectures, and what programs may do in a context.
 */
#ifndef _INODE_MAP_COMPAT_H
#define _INODE_MAP_COMPAT_H

/* Without it, BPF_OBJ_GET_INFO_BY_FD on any offloaded map oopses (seen with 6.12: nsfs_evict()). */
#ifndef CONFIG_NET_NS
#error "the inode map needs a kernel with CONFIG_NET_NS"
#endif

#include <linux/btf.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/preempt.h>
#include <linux/rcupdate_trace.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

/* For functions that are only called directly: no landing pad for indirect branches. */
#ifdef CONFIG_X86
#include <asm/ibt.h>
#else
#define __noendbr
#endif

/* Gone in 7.0, where pointer arguments must be trusted unless their names say otherwise. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

/* Kernels without this macro have the list node in a named union. */
#ifndef for_each_alias
#define for_each_alias(dentry, inode) \
	hlist_for_each_entry(dentry, &(inode)->i_dentry, d_u.d_alias)
#endif

/**
 * inode_map_netdev_keep - refuse to move a device to another network namespace
 * @dev: the device
 *
 * The flag came with 6.12 as netns_local. Later releases of 6.12, and 6.15 and later, call it
 * netns_immutable (Kbuild looks which).
 */
static inline void inode_map_netdev_keep(struct net_device *dev)
{
#ifdef HAVE_NETNS_IMMUTABLE
	dev->netns_immutable = true;
#else
	dev->netns_local = true;
#endif
}

#ifndef HAVE_INODE_STATE_READ_ONCE
/**
 * inode_state_read_once - the state of an inode, without its lock
 * @inode: the inode
 *
 * The name of the kernel's own function, on kernels where only functions may read the state.
 *
 * Return: the I_ bits.
 */
static inline unsigned long inode_state_read_once(const struct inode *inode)
{
	return READ_ONCE(inode->i_state);
}
#endif

#ifndef HAVE_RCU_TRACE_IMPLIES_RCU_GP
/**
 * rcu_trace_implies_rcu_gp - does a grace period of RCU tasks trace contain one of RCU?
 *
 * Kernels without this function have RCU tasks trace as an SRCU whose readers have no memory
 * barriers, and whose grace periods wait for RCU's instead.
 *
 * Return: whether it does.
 */
static inline bool rcu_trace_implies_rcu_gp(void)
{
	return true;
}
#endif

/**
 * inode_map_may_load - can inode_map_load_ptr() load from there?
 * @ptr: any pointer
 *
 * inode_map_load_ptr() survives an address where nothing is mapped, and on x86 one that is not
 * canonical. On x86 a fault at a user-space address is a kernel bug all the same, and the vsyscall
 * page counts as one. Allocated memory is between the start of the direct map and the kernel image.
 *
 * Return: whether it can.
 */
static __always_inline bool inode_map_may_load(const void *ptr)
{
#ifdef CONFIG_X86_64
	/* Signed, kernel addresses are negative, and this bound fits into an instruction. */
	return (long)ptr <= (long)__START_KERNEL_map;
#else
	return (unsigned long)kasan_reset_tag(ptr) >= PAGE_OFFSET;
#endif
}

/**
 * inode_map_word_has - test bits of an object that may not exist
 * @object: any pointer
 * @word: a word in the object
 * @bits: the bits
 *
 * On x86 this is two instructions and two branches to one place: fewer than inode_map_may_load(),
 * __get_kernel_nofault() and a test. It needs no outputs of an asm goto, which gcc 12 can't have.
 *
 * Return: whether any of the bits is set; false after a fault, or if inode_map_may_load() refuses
 * @object.
 */
static __always_inline bool inode_map_word_has(const void *object, const u32 *word, u32 bits)
{
#ifdef CONFIG_X86_64
	asm goto("	cmpq %[end], %[object]\n"
		 "	jg %l[no]\n"
		 "1:	testl %[bits], %[word]\n"
		 "	jz %l[no]\n"
		 _ASM_EXTABLE(1b, %l[no])
		 : : [object] "r" (object), [end] "e" (__START_KERNEL_map),
		     [word] "m" (*word), [bits] "ri" (bits) : "cc" : no);
	return true;
#else
	u32 value;

	if (!inode_map_may_load(object))
		goto no;
	__get_kernel_nofault(&value, word, u32, no);
	return value & bits;
#endif
no:
	return false;
}

/**
 * inode_map_word_has_or - test a bit of an object that may not exist, or else a flag
 * @object: any pointer
 * @word: a word in the object; its bit 15 is tested
 * @flag: set if it is negative
 *
 * The flag is loaded after the word. On x86 this is one instruction more than inode_map_word_has().
 *
 * Return: whether either is set; false after a fault, or if inode_map_may_load() refuses @object.
 */
static __always_inline bool inode_map_word_has_or(const void *object, const u32 *word,
						  const atomic_t *flag)
{
#ifdef CONFIG_X86_64
	/* Bit 15 of the word and the flag's sign are the top bits of their bytes: OR these two. */
	asm goto("	cmpq %[end], %[object]\n"
		 "	jg %l[no]\n"
		 "1:	movzbl %[byte], %%eax\n"
		 "	orb %[flag], %%al\n"
		 "	jns %l[no]\n"
		 _ASM_EXTABLE(1b, %l[no])
		 : : [object] "r" (object), [end] "e" (__START_KERNEL_map),
		     [byte] "m" (((const u8 *)word)[1]), [flag] "m" (((const u8 *)flag)[3])
		 : "cc", "eax" : no);
	return true;
#else
	u32 value;

	if (!inode_map_may_load(object))
		goto no;
	__get_kernel_nofault(&value, word, u32, no);
	if (value & BIT(15))
		return true;
	/* Pairs with the unlock after remark_enter(), before the bit is cleared. */
	smp_rmb();
	return unlikely(atomic_read(flag) < 0);
#endif
no:
	return false;
}

/**
 * inode_map_load_ptr - load a pointer from where nothing may be mapped
 * @ptr: one that inode_map_may_load() accepts
 *
 * Return: the pointer; NULL after a fault.
 */
static __always_inline void *inode_map_load_ptr(const void *ptr)
{
#ifdef CONFIG_X86_64
	void *value;

	asm volatile("1:	movq %[from], %[to]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_ZERO_REG, %[to])
		     : [to] "=r" (value) : [from] "m" (*(void *const *)ptr));
	return value;
#else
	unsigned long value;

	/* s390's macro loads integers, not pointers. */
	__get_kernel_nofault(&value, ptr, unsigned long, fault);
	return (void *)value;
fault:
	return NULL;
#endif
}

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
 * inode_map_synchronize - wait until all programs that run now have ended
 *
 * Sleepable programs are readers of RCU tasks trace; other programs and our own code are of RCU.
 *
 * Context: process; sleeps for grace periods.
 */
static inline void inode_map_synchronize(void)
{
	synchronize_rcu_tasks_trace();
	if (!rcu_trace_implies_rcu_gp())
		synchronize_rcu();
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

#endif /* _INODE_MAP_COMPAT_H */
