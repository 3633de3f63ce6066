/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a program sleeps, until the test wakes it: see sleepy.h.
 */
#ifndef SLEEPY_BPF_H
#define SLEEPY_BPF_H

/* Set by the test, to sleepy_page() or another page of its own. */
void *user_page;

/* Sleeps if the page is not present. For sleepable programs only. */
static __always_inline void sleep_on_page(void)
{
	__u64 word;

	bpf_copy_from_user(&word, sizeof(word), user_page);
}

#endif /* SLEEPY_BPF_H */
