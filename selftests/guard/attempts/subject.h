/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The tables of subject.c, limits.c, root.c, memory.c and earlier.c, which ../bypass_subject.c
 * runs.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <pthread.h>

#define SECRET_TREE	DIR_PATH "/private"
#define SECRET		SECRET_TREE "/secret"	/* what only ALLOWED may read */
#define ALLOWED		DIR_PATH "/allowed"
#define OTHER		DIR_PATH "/other"	/* a copy of it */
#define LIBRARY_FILE	DIR_PATH "/foreign.so"

struct subject_attempt {
	const char *name;
	int (*run)(void);		/* 0: it has the secret, or the process; negative errno */
	bool may;			/* and shall, or can't be kept from it: see why_not */
	int error;			/* when it is stopped, if not EPERM */
	const char *why_not;
};

/* Load another kernel, which is not started, of course: 0 or a negative errno. */
int load_kernel(void);

extern const struct subject_attempt subjects[], limits[], root_limits[], memory_limits[],
	earlier_limits[], seen[], seen_limits[];

/*
 * What a program does that is executed with such a name in the variable ACT of its environment, before
 * anything else: it returns 0 or a negative errno, which becomes the exit status.
 */
struct act {
	const char *name;
	int (*run)(void);
};

extern const struct act seen_acts[];

/* For acts: read SECRET. */
int read_secret(void);
/* What a function returns in another thread. */
int run_in_thread(int (*run)(void));
/* The error that a process ends with. */
int exit_error(pid_t pid);
/* Execute a program for an act, in a child process or in this one, if that does not fail. */
int run_act(const char *path, const char *name);
int become_act(const char *path, const char *name);
/* This process tells the kernel that it executes another file: 0 or a negative errno. */
int pretend(const char *path);
/* Samples of what a process does, with its stack: a descriptor or a negative errno. */
int perf_open(pid_t pid, bool from_exec);

#endif /* SUBJECT_H */
