/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading memory of the kernel that no type describes, such as names, in words. The helper for
 * that, bpf_probe_read_kernel(), is no option: a kernel that is locked down to keep its secrets
 * (lockdown=confidentiality) loads no program that calls it. A load by a pointer that was cast to
 * one of the kernel's types, and that the verifier does not trust, is as safe: where there is
 * nothing to load it gives 0.
 */
#ifndef _GUARD_WORD_BPF_H
#define _GUARD_WORD_BPF_H

#include "guard.h"

/* Newer versions of vmlinux.h declare it, too. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

/*
 * The verifier checks a function that is not static once, and not at each call and for each state
 * that it can be called in. But such a function can't take pointers of the kernel, since the
 * verifier would not know whether to trust them. It gets addresses, which are numbers to the
 * verifier, and reads by pointers that are not trusted, which is safe.
 */
#define AT(type, address) \
	((type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/*
 * A task of which only fields are read. Whenever a pointer is loaded by a trusted one, the verifier
 * searches the names of all the kernel's types to tell whether to trust the new one; before Linux 7
 * one after the other, and up to four times. That took half of the time of loading the guard.
 */
static __always_inline struct task_struct *to_read(struct task_struct *task)
{
	return AT(struct task_struct, task);
}

/*
 * The word at an address, as guard_word() has it. Bytes behind the end of a text are in the same
 * word of memory: allocated texts begin at a multiple of 8. The type is one that begins with a
 * number of 64 bits, and that every kernel has.
 */
static __always_inline __u64 load_word(const void *at)
{
	const __u64 *word = (const __u64 *)AT(struct timespec64, at);

	return guard_word(*word);
}

/*
 * An address in a field of the kernel's, as a number. Since Linux 6.17 the verifier takes the
 * value of a field that points to bytes or numbers for a pointer, whatever is made of it, and
 * refuses arithmetic with two of these.
 */
static __always_inline __u64 load_address(const void *field)
{
	return *(const __u64 *)AT(struct timespec64, field);
}

/* A word of a text that may begin at any address, as a component of a path does. */
static __always_inline __u64 load_word_at(__u64 at)
{
	__u64 shift = at % GUARD_WORD * 8, word;

	at -= at % GUARD_WORD;
	word = load_word((const void *)at);
	if (!shift)
		return word;
	return word >> shift | load_word((const void *)(at + GUARD_WORD)) << (64 - shift);
}

/* Eight characters as a word. */
#define TEXT_WORD(a, b, c, d, e, f, g, h) \
	((a) | (b) << 8 | (c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 | \
	 (__u64)(g) << 48 | (__u64)(h) << 56)

/* Marks the bytes of a word that are zero: the lowest bit that is set is in the first of them. */
static __always_inline __u64 zero_bytes(__u64 word)
{
	return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* The bytes of a word before its first zero; @zero is the result of zero_bytes(). */
static __always_inline __u64 before_zero(__u64 word, __u64 zero)
{
	return word & (((zero & -zero) >> 7) - 1);
}

#endif /* _GUARD_WORD_BPF_H */
