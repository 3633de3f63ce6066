/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bench and its programs share.
 *
 * Includes nothing: the programs have their types from vmlinux.h.
 */
#ifndef BENCH_H
#define BENCH_H

/* How often a program repeats what it measures. The longer ones fit the verifier only so often. */
#define BENCH_TIMES		64
#define BENCH_TREE_TIMES	8

/* The deepest tree that is looked up. */
#define BENCH_DEPTH		16

/* Lookups per second: how many between two looks at the clock, and on how many processors. */
#define BENCH_RATE_TIMES	512
#define BENCH_CPUS		2

/* What the hash maps that recognise a file by its number have as the key. */
struct bench_number {
	__u64 dev;
	__u64 ino;
};

#endif /* BENCH_H */
