/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page that makes a program sleep: its first access (bpf_copy_from_user()) is answered when the
 * test says so.
 */
#ifndef SLEEPY_H
#define SLEEPY_H

#include <stdbool.h>

extern int sleepy_uffd;
extern void *sleepy_address;

/* The page. Skips the case where the kernel does not have that. */
void *sleepy_page(void);
/* Likewise, at sleepy_address: whether accesses to it sleep. */
bool sleepy_page_make(void);
/* Whoever sleeps goes on. */
void sleepy_page_wake(void);

#endif /* SLEEPY_H */
