/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of subject.c, limits.c, root.c, memory.c and earlier.c, which ../bypass_subject.c
 * runs.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <pthread.h>

#define SECRET_TREE	DIR_PATH "/private"
#define SECRET		SECRET_TREE "/secret"	/* only ALLOWED may read this */
#define ALLOWED		DIR_PATH "/allowed"
#define OTHER		DIR_PATH "/other"	/* a copy of ALLOWED */
#define LIBRARY_FILE	DIR_PATH "/foreign.so"

struct subject_attempt {
	const char *name;
	int (*run)(void);		/* 0: it got the secret or the process; -errno */
	bool may;			/* it is allowed, or can't be prevented: see why_not */
	int error;			/* of a stopped attempt, if not EPERM */
	const char *why_not;
};

/* Load another kernel without starting it: 0 or a negative errno. */
int load_kernel(void);

extern const struct subject_attempt subjects[], limits[], root_limits[], memory_limits[],
	earlier_limits[], seen[], seen_limits[];

/*
 * If a program is executed with such a name in the environment variable ACT, it does this before
 * anything else. The result, 0 or a negative errno, becomes the exit status.
 */
struct act {
	const char *name;
	int (*run)(void);
};

extern const struct act seen_acts[];

/* For acts: read SECRET. */
int read_secret(void);
/* Run a function in another thread; return its result. */
int run_in_thread(int (*run)(void));
/* The error that a process exits with. */
int exit_error(pid_t pid);
/* Execute a program for an act in a child process; or in this one, returning only on error. */
int run_act(const char *path, const char *name);
int become_act(const char *path, const char *name);
/* Tell the kernel that this process executes another file: 0 or a negative errno. */
int pretend(const char *path);
/* Sample what a process does, with its stack: a descriptor or a negative errno. */
int perf_open(pid_t pid, bool from_exec);

#endif /* SUBJECT_H */
