/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory of the kernel that no type describes, such as names, read in words. There is a helper for
 * that, but the kernel takes no program that calls it (bpf_probe_read_kernel()) when it is locked
 * down to keep its secrets, lockdown=confidentiality. A load by a pointer to one of its types, which
 * the verifier knows to be no more than a number, is as safe: where there is nothing to load it
 * gives 0.
 */
#ifndef _GUARD_WORD_BPF_H
#define _GUARD_WORD_BPF_H

#include "guard.h"

/* Newer versions of vmlinux.h have it, too. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

/*
 * The verifier goes through a function that is not static once, and not at each call and for each state
 * that it can be called in. Such a function can't be given pointers of the kernel, since whether these
 * are trusted is not known there: it gets addresses, in memory, where they are numbers to the verifier.
 * What is read by them is read as by a pointer that is not trusted, which is safe.
 */
#define AT(type, address) \
	((type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/*
 * A task of which only fields are read. Each pointer that is loaded by one that the verifier trusts has it
 * look through the names of all the kernel's types, before Linux 7 one after the other and up to four
 * times, for whether that one is to be trusted as well: half of the time that loading the guard took.
 */
static __always_inline struct task_struct *to_read(struct task_struct *task)
{
	return AT(struct task_struct, task);
}

/*
 * The word at an address, as guard_word() has it. What it has behind the end of a text is in the same
 * word of memory: texts that are allocated begin at a multiple of 8. The type is one that begins
 * with a number of 64 bits, and which every kernel has.
 */
static __always_inline __u64 load_word(const void *at)
{
	const __u64 *word = (const __u64 *)AT(struct timespec64, at);

	return guard_word(*word);
}

/*
 * An address that the kernel has in a field, as a number. Since Linux 6.17 the verifier takes what a field
 * has that points to bytes or numbers for a pointer to such memory, whatever is made of it, and lets
 * nobody calculate with two of them.
 */
static __always_inline __u64 load_address(const void *field)
{
	return *(const __u64 *)AT(struct timespec64, field);
}

/* A word where a text may begin anywhere, as a component of a path does. */
static __always_inline __u64 load_word_at(__u64 at)
{
	__u64 shift = at % GUARD_WORD * 8, word;

	at -= at % GUARD_WORD;
	word = load_word((const void *)at);
	if (!shift)
		return word;
	return word >> shift | load_word((const void *)(at + GUARD_WORD)) << (64 - shift);
}

/* The word that eight characters are. */
#define TEXT_WORD(a, b, c, d, e, f, g, h) \
	((a) | (b) << 8 | (c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 | \
	 (__u64)(g) << 48 | (__u64)(h) << 56)

/* The bytes of a word that are zero: the lowest bit that is set is in the first. */
static __always_inline __u64 zero_bytes(__u64 word)
{
	return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* What a word has before its first zero, of which zero_bytes() has told. */
static __always_inline __u64 before_zero(__u64 word, __u64 zero)
{
	return word & (((zero & -zero) >> 7) - 1);
}

#endif /* _GUARD_WORD_BPF_H */
