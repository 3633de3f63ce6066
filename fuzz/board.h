/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzer and its BPF programs share: the values, by which anybody can tell whose they are,
 * and the board, by which tasks tell programs what to do and programs tell what they saw.
 *
 * Includes nothing: the programs have their types from vmlinux.h.
 */
#ifndef FUZZ_BOARD_H
#define FUZZ_BOARD_H

/* Powers of two, which the verifier understands best. */
#define FUZZ_MAPS	8
#define FUZZ_TASKS	4
#define FUZZ_HOOKS	32
#define FUZZ_STALE	16
/* The watchdog, the supervisor, and each task while it measures. */
#define FUZZ_QUIET	(2 + FUZZ_TASKS)
/* So many steps may they loop in each program of calls: more would be to blame on us. */
#define FUZZ_DELAY_MAX	2000000

/* What a task passes to fcntl(F_GETFD) has this at the top: see struct fuzz_probe. */
#define FUZZ_MAGIC	0xf022ULL

/**
 * struct fuzz_value - a value
 * @ino: inode number of the file it was given to
 * @dev: its filesystem's device, major << 20 | minor
 * @gen: its generation
 * @map: id of the map
 * @any: a program gave it to an address of which it does not know what is there
 * @seq: never the same twice in a run, or nearly
 * @sum: fuzz_sum() of the rest
 */
struct fuzz_value {
	__u64 ino;
	__u32 dev;
	__u32 gen;
	__u32 map;
	__u32 any;
	__u64 seq;
	__u64 sum;
};

static inline __attribute__((always_inline)) __u64 fuzz_sum(const struct fuzz_value *value)
{
	__u64 sum = 1;

	sum = (sum ^ value->ino) * 0xd6e8feb86659fd93ULL;
	sum = (sum ^ sum >> 32 ^ ((__u64)value->dev << 32 | value->gen)) * 0xd6e8feb86659fd93ULL;
	sum = (sum ^ sum >> 32 ^ ((__u64)value->map << 32 | value->any)) * 0xd6e8feb86659fd93ULL;
	return (sum ^ sum >> 32 ^ value->seq) * 0xd6e8feb86659fd93ULL;
}

/* The places where programs run. From HOOK_ENTRY on they are chosen anew in each epoch. */
enum fuzz_hook {
	HOOK_OPEN,		/* lsm/file_open */
	HOOK_OPEN_SLEEPABLE,	/* lsm.s/file_open */
	HOOK_UNLINK,		/* lsm.s/inode_unlink */
	HOOK_RENAME,		/* lsm/inode_rename */
	HOOK_FREE,		/* lsm/inode_free_security */
	HOOK_INSERT,		/* tp_btf/inode_map_insert: both locks are held */
	HOOK_REMOVE,		/* tp_btf/inode_map_remove */
	HOOK_SYSCALL,		/* a syscall program, which tasks run themselves */
	HOOK_PERF,		/* perf_event: in an interrupt of anything */
	HOOK_ENTRY,		/* fentry of something */
	HOOK_PROBE = 16,	/* kprobe in something; does nothing but delay */
	NR_HOOKS = 20
};

#define FUZZ_ENTRIES	(HOOK_PROBE - HOOK_ENTRY)
#define FUZZ_PROBES	(NR_HOOKS - HOOK_PROBE)

enum fuzz_function {
	DO_NOTHING,
	DO_LOOKUP,
	DO_PEEK,
	DO_READ,
	DO_UPDATE,
	DO_REPLACE,
	DO_DELETE,
	DO_DELETE_HANDLE,
	DO_LOOKUP_TREE,
	DO_READ_TREE,
	DO_PATH,
	DO_ID,
	DO_WALK,
	DO_DELAY,
	DO_GET,
	DO_REQUEST,
	NR_FUNCTIONS = 16
};

/* What a function gets for an inode or dentry, by its argument. */
enum fuzz_pointer {
	GET_GOOD,		/* the hook's own */
	GET_STALE,		/* one that a hook had before */
	GET_NULL,
	GET_NUMBER,		/* from a table of bad ones */
	GET_TASK,		/* the current task */
	NR_POINTERS
};

/**
 * struct fuzz_act - what the program at a hook is to do
 * @function: enum fuzz_function
 * @map: which of the maps; one that is none is an id that no map has
 * @argument: an enum fuzz_pointer times 16 and a number; or how long, or a handle
 */
struct fuzz_act {
	__u32 function;
	__u32 map;
	__u32 argument;
};

/**
 * struct fuzz_probe - the file of a descriptor as the kernel and a program see it
 * @err: what bpf_inode_map_read() said
 * @dev: the superblock's device
 * @ino: the inode's number
 * @gen: its generation
 * @done: set when the rest is there
 * @value: what was read
 *
 * A task gets it with fcntl(fd, F_GETFD, FUZZ_MAGIC << 48 | task << 32 | id of a map).
 */
struct fuzz_probe {
	__s32 err;
	__u32 dev;
	__u64 ino;
	__u32 gen;
	__u32 done;
	struct fuzz_value value;
};

enum fuzz_wrong {
	NOTHING_WRONG,
	WRONG_SUM,
	WRONG_FILE,
	WRONG_MAP,
};

/**
 * struct fuzz_board - what programs and tasks tell each other
 * @ids: of the maps, or 0
 * @quiet: processes that programs leave alone
 * @acts: by hook
 * @probes: by task
 * @stale: addresses of inodes that hooks had
 * @delayed: how many steps programs have looped to delay whoever it was
 * @runs: how often something was done, by hook
 * @calls: how often, by function
 * @hits: likewise, and it found a value
 * @removing: how often a program has begun to end an entry, or to try it
 * @removed: how often it is through with it
 * @wrong: the first thing that was wrong, an enum fuzz_wrong
 * @where: at which hook
 * @ino: of the inode that was looked up
 * @dev: likewise
 * @gen: likewise
 * @value: what was found
 */
struct fuzz_board {
	__u32 ids[FUZZ_MAPS];
	__u32 quiet[FUZZ_QUIET];
	struct fuzz_act acts[FUZZ_HOOKS];
	struct fuzz_probe probes[FUZZ_TASKS];
	__u64 stale[FUZZ_STALE];
	__u64 delayed;
	__u64 runs[FUZZ_HOOKS];
	__u64 calls[NR_FUNCTIONS];
	__u64 hits;
	__u64 removing;
	__u64 removed;
	__u64 wrong;
	__u32 where;
	__u64 ino;
	__u32 dev;
	__u32 gen;
	struct fuzz_value value;
};

#endif /* FUZZ_BOARD_H */
