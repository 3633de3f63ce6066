/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page that makes a program sleep: its first access (bpf_copy_from_user()) blocks until the test
 * calls sleepy_page_wake().
 */
#ifndef SLEEPY_H
#define SLEEPY_H

#include <stdbool.h>

extern int sleepy_uffd;
extern void *sleepy_address;

/* Make the page. Skips the case if the kernel does not support that. */
void *sleepy_page(void);
/* Likewise, at sleepy_address. Returns whether accesses to it sleep. */
bool sleepy_page_make(void);
/* Wake the program that sleeps. */
void sleepy_page_wake(void);

#endif /* SLEEPY_H */
