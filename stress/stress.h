/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stress test and its programs share: the values, which tell whose they are and whether
 * they are whole, and the board where the programs write what they saw.
 *
 * Includes nothing: the programs have their types from vmlinux.h.
 */
#ifndef STRESS_H
#define STRESS_H

/* All of a value but @hits follows from its first four words. */
#define STRESS_WORDS	60

/**
 * struct stress_value - a value
 * @hits: written by programs, and not part of @sum
 * @sum: stress_sum()
 * @ino: inode number of the file it was given to
 * @dev: major << 20 | minor of the file's filesystem
 * @gen: generation of the inode, which is random in tmpfs and ext4
 * @map: id of the map
 * @writer: number of the task that wrote it
 * @seq: never the same twice in a run
 * @words: stress_word() of each index
 */
struct stress_value {
	__u64 hits;
	__u64 sum;
	__u64 ino;
	__u32 dev;
	__u32 gen;
	__u32 map;
	__u32 writer;
	__u64 seq;
	__u64 words[STRESS_WORDS];
};

static inline __attribute__((always_inline)) __u64 stress_mix(__u64 sum, __u64 word)
{
	sum = (sum ^ word) * 0xd6e8feb86659fd93ULL;
	return sum ^ sum >> 32;
}

static inline __attribute__((always_inline)) __u64 stress_sum(const struct stress_value *value)
{
	__u64 sum = 1;

	sum = stress_mix(sum, value->ino);
	sum = stress_mix(sum, (__u64)value->dev << 32 | value->gen);
	sum = stress_mix(sum, (__u64)value->map << 32 | value->writer);
	sum = stress_mix(sum, value->seq);
	for (int i = 0; i < STRESS_WORDS; i++)
		sum = stress_mix(sum, value->words[i]);
	return sum;
}

/* The programs. */
enum stress_where {
	IN_FILE_OPEN,
	IN_FILE_OPEN_SLEEPABLE,
	IN_UNLINK_SLEEPABLE,
	IN_RENAME,
	IN_FENTRY_IPUT,
	IN_FENTRY_CLEAR_INODE,
	IN_INSERT,
	IN_REMOVE,
	IN_CHANGE,
	IN_CHANGE_SLEEPABLE,
	IN_CHANGE_FENTRY,
	NR_WHERE
};

/* What programs call. */
enum stress_call {
	CALL_PEEK,
	CALL_READ,
	CALL_LOOKUP_TREE,
	CALL_READ_TREE,
	CALL_LOOKUP_PATH,
	CALL_READ_PATH,
	CALL_UPDATE,
	CALL_GET,
	CALL_REQUEST,
	CALL_REPLACE,
	CALL_DELETE,
	CALL_DELETE_HANDLE,
	CALL_WALK,
	CALL_ID,
	NR_CALLS
};

enum stress_what {
	NOTHING_WRONG,
	WRONG_SUM,		/* a value that is not whole, or was freed */
	WRONG_SUM_LATER,	/* the same, while the program had the value */
	WRONG_FILE,
	WRONG_MAP,
	WRONG_ERROR,		/* a function returned what it may not */
	NR_WHAT
};

/*
 * Maps that programs look into: four that stay, the others come and go. Programs change entries of
 * the first ones, as every task does.
 */
#define STRESS_SLOTS	8
#define STRESS_FREE	2
#define STRESS_REASONS	6

/**
 * struct stress_board - what programs and tasks share
 * @maps: ids of the maps to look into, or 0
 * @runs: how often each program ran
 * @hits: how often it found an entry
 * @removed: removals, by reason
 * @called: how often a function did what it is for, by enum stress_call
 * @refused: how often it returned an error that it may, or NULL
 * @seq: how many values programs have made
 * @violations: the number of violations
 * @first: 1 while a program writes the following about the first violation, 2 when it is complete
 */
struct stress_board {
	__u32 maps[STRESS_SLOTS];
	__u64 runs[NR_WHERE];
	__u64 hits[NR_WHERE];
	__u64 removed[STRESS_REASONS];
	__u64 called[NR_CALLS];
	__u64 refused[NR_CALLS];
	__u64 seq;
	__u64 violations;
	__u64 first;
	__u32 where;
	__u32 what;
	__u32 pid;
	__u32 map;
	__u32 dev;
	__u32 gen;
	__u64 ino;
	__u32 call;
	__s32 error;
	struct stress_value value;
};

#endif /* STRESS_H */
