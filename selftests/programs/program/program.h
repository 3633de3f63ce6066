/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What program.c and its programs (program.bpf.c) agree on.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "value.h"

/* The function that a program is to call. */
enum todo {
	DO_LOOKUP,
	DO_PEEK,
	DO_READ,
	DO_LOOKUP_TREE,
	DO_READ_TREE,
	DO_REPLACE,
	DO_DELETE,
	DO_DELETE_HANDLE,
	DO_WALK,
	DO_VALUE,
	/* For sleepable programs with trusted pointers. */
	DO_TRUSTED,
	DO_UPDATE = DO_TRUSTED,
	DO_LOOKUP_PATH,
	DO_READ_PATH,
	DO_ALL,
};

/* For a function that returns a pointer, a result is 0, or NOTHING for NULL. It is no errno. */
#define NOTHING		(-10000)

/* The number that programs write. */
#define WRITTEN		0x5566778811223344

/* The maximum number of results of a program that makes several calls. */
#define RESULTS		16

/* More than the size of a value. */
#define BUFFER_SIZE	64

#endif /* PROGRAM_H */
