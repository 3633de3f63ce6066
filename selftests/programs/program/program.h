/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What program.c and its programs (program.bpf.c) agree on.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "value.h"

/* What a program is to do: call this function. */
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
	/* For sleepable programs with pointers that the verifier trusts. */
	DO_TRUSTED,
	DO_UPDATE = DO_TRUSTED,
	DO_LOOKUP_PATH,
	DO_READ_PATH,
	DO_ALL,
};

/* The result of a function that returns a pointer: 0, or for NULL this, which is no errno. */
#define NOTHING		(-10000)

/* What programs write. */
#define WRITTEN		0x5566778811223344

/* Results of programs that make several calls. */
#define RESULTS		16

/* More than a value has. */
#define BUFFER_SIZE	64

#endif /* PROGRAM_H */
