/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What tree.bpf.c tells tree.c.
 */
#ifndef TREE_H
#define TREE_H

#include "value.h"

/* Answers that are kept. */
#define ANSWERS		4

/* In place of a value's number. */
#define NOTHING		(~0ULL)

/**
 * struct answer - what a pair of functions, that which reads and that which looks up, said
 * @distance: what the first returned
 * @read: the number that it gave, or NOTHING when it left its memory alone
 * @looked: the number in what the other one found, whose count it raised, or NOTHING
 */
struct answer {
	int distance;
	__u64 read;
	__u64 looked;
};

/* How many bytes were asked for, and what was returned; or, of a lookup, whether it found. */
enum size_answer {
	READ_TREE_BYTE,
	READ_PATH_BYTE,
	READ_TREE_WHOLE,
	READ_PATH_WHOLE,
	READ_TREE_LARGER,
	READ_PATH_LARGER,
	READ_TREE_NOWHERE,
	LOOKUP_TREE_BYTE,
	LOOKUP_PATH_BYTE,
	LOOKUP_TREE_WHOLE,
	LOOKUP_PATH_WHOLE,
	LOOKUP_TREE_LARGER,
	LOOKUP_PATH_LARGER,
	SIZE_ANSWERS
};

#endif /* TREE_H */
