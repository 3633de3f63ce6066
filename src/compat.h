/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernel versions and architectures.
 */
#ifndef _INODE_MAP_COMPAT_H
#define _INODE_MAP_COMPAT_H

/* Without it, BPF_OBJ_GET_INFO_BY_FD on any offloaded map oopses (seen with 6.12: nsfs_evict()). */
#ifndef CONFIG_NET_NS
#error "the inode map needs a kernel with CONFIG_NET_NS"
#endif

/* Programs try our spinlocks from interrupts, where those of PREEMPT_RT, which sleep, can't be. */
#ifdef CONFIG_PREEMPT_RT
#error "the inode map does not work on kernels with CONFIG_PREEMPT_RT"
#endif

#include <linux/irqflags.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/preempt.h>
#include <linux/uaccess.h>

/**
 * netdev_keep_in_netns - refuse to move a device to another network namespace
 * @dev: the device
 *
 * The flag was called netns_local when it came with 6.12; later releases of 6.12, and those since
 * 6.15, have it as netns_immutable (Kbuild looks which).
 */
static inline void netdev_keep_in_netns(struct net_device *dev)
{
#ifdef HAVE_NETNS_IMMUTABLE
	dev->netns_immutable = true;
#else
	dev->netns_local = true;
#endif
}

/**
 * kernel_data_address - can a pointer be loaded from with __get_kernel_nofault()?
 * @ptr: any pointer
 *
 * On x86 such a load survives an unmapped address, but not one that is not canonical, one of user
 * space, or the vsyscall page (copy_from_kernel_nofault() makes the same distinctions). Data that
 * was allocated is between the direct map's begin and the kernel image.
 *
 * Return: whether it can.
 */
static __always_inline bool kernel_data_address(const void *ptr)
{
	unsigned long addr = (unsigned long)kasan_reset_tag(ptr);

#ifdef CONFIG_X86_64
	/* This address itself does no harm, and fits into an instruction. */
	if (addr > __START_KERNEL_map)
		return false;
#endif
	return addr >= PAGE_OFFSET;
}

/**
 * kernel_word_has - look at bits of a word that may not be there
 * @word: a kernel_data_address(), perhaps of memory that is not mapped
 * @bits: the bits
 *
 * __get_kernel_nofault() and a test, without what it takes compilers that can't have outputs of an
 * asm that branches (gcc 12 is one) to tell a fault from a value.
 *
 * Return: whether any of the bits is set; false after a fault.
 */
static __always_inline bool kernel_word_has(const u32 *word, u32 bits)
{
#ifdef CONFIG_X86_64
	asm goto("1:	testl %[bits], %[word]\n"
		 "	jz %l[no]\n"
		 _ASM_EXTABLE_UA(1b, %l[no])
		 : : [word] "m" (*word), [bits] "ri" (bits) : "cc" : no);
	return true;
#else
	u32 value;

	__get_kernel_nofault(&value, word, u32, no);
	return value & bits;
#endif
no:
	return false;
}

/**
 * context_may_allocate - can memory be allocated without sleeping, and freed?
 *
 * A tracing program may have interrupted anything, the allocator included. But where interrupts are
 * enabled an interrupt handler could be running instead, which may do both.
 *
 * Return: whether it can.
 */
static inline bool context_may_allocate(void)
{
	return !in_nmi() && !irqs_disabled();
}

#endif /* _INODE_MAP_COMPAT_H */
