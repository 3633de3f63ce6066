/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tree.bpf.c and tree.c agree on.
 */
#ifndef TREE_H
#define TREE_H

#include "value.h"

/* How many answers are kept. */
#define ANSWERS		4

/* Stands for no value's number. */
#define NOTHING		(~0ULL)

/**
 * struct answer - the answers of a pair of functions, one that reads and one that looks up
 * @distance: the return value of the read
 * @read: the number that it read, or NOTHING if it did not write to its buffer
 * @looked: the number in the value that the lookup found, and whose count was raised, or NOTHING
 */
struct answer {
	int distance;
	__u64 read;
	__u64 looked;
};

/* Per size: what a read returned, or whether a lookup found something. */
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
