/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The tables of subject.c, limits.c and root.c, which ../bypass_subject.c runs.
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

extern const struct subject_attempt subjects[], limits[], root_limits[];

#endif /* SUBJECT_H */
