/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that subject.c and victim.c attack, and the attempts of victim.c, which are in the
 * table of subject.c.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include "bypass.h"
#include "subject.h"

#define STRING_(text)	#text
#define STRING(text)	STRING_(text)
#define SELF		"/proc/self/exe"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#define SYS_pidfd_getfd	438
#endif

/* act.c */

extern char buffer[FILE_SIZE];
int judge_secret(long size);
int run_with(const char *path, const char *argument0, const char *argument1,
	     const char *name);

/* victim.c */

extern pid_t victim;
int start_victim(void);
int end_victim(int err);
int try_attach(void);
int try_seize(void);
int try_trace_exec(void);
int try_seize_exec(void);
int try_vm_read(void);
int try_vm_write(void);
int try_mem_read(void);
int try_mem_write(void);
int try_fd_of(void);
int try_getfd(void);
int try_perf(void);
int try_perf_exec(void);

#endif /* VICTIM_H */
