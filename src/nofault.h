/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads through pointers that may be wrong: a program may pass the functions for programs an object
 * that is not there any more. Any context; no locks.
 */
#ifndef _INODE_MAP_NOFAULT_H
#define _INODE_MAP_NOFAULT_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/types.h>
#include <linux/uaccess.h>

#include <asm/barrier.h>
#ifdef CONFIG_X86_64
#include <asm/asm.h>
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

#endif /* _INODE_MAP_NOFAULT_H */
