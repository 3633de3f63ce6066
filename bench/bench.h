/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bench and its BPF programs share. This file includes nothing, because the programs take
 * their types from vmlinux.h.
 */
#ifndef BENCH_H
#define BENCH_H

/* How often a program repeats its operation. The verifier takes no program with more tree walks. */
#define BENCH_TIMES		64
#define BENCH_TREE_TIMES	8

/* The most steps from the file that is opened up to the directory that has the entry. */
#define BENCH_DEPTH		16

/* Lookups per second: how many lookups are timed together, and on how many processors at most. */
#define BENCH_RATE_TIMES	512
#define BENCH_CPUS		4

/**
 * struct bench_number - the key of the hash maps that recognise a file by its number
 * @dev: the superblock's device, in the kernel's encoding: major << 20 | minor
 * @ino: the inode number
 */
struct bench_number {
	__u64 dev;
	__u64 ino;
};

#endif /* BENCH_H */
