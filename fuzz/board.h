/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the fuzzer and its BPF programs: the values, each of which says which file and map it
 * belongs to, and the board, where tasks tell programs what to do and programs tell what they saw.
 *
 * Includes nothing: the programs get their types from vmlinux.h.
 */
#ifndef FUZZ_BOARD_H
#define FUZZ_BOARD_H

/* Powers of two: the verifier follows a mask best. */
#define FUZZ_MAPS	8
#define FUZZ_TASKS	4
#define FUZZ_HOOKS	32
#define FUZZ_STALE	16
/* The watchdog, the supervisor, and each task while it measures a read. */
#define FUZZ_QUIET	(2 + FUZZ_TASKS)
/* How many steps BPF programs may loop in a program of calls: more delay would be our own fault. */
#define FUZZ_DELAY_MAX	2000000

/* The top 16 bits of the argument that a task passes to fcntl(F_GETFD): see struct fuzz_probe. */
#define FUZZ_MAGIC	0xf022ULL

/**
 * struct fuzz_value - a value
 * @ino: inode number of the file that got the value
 * @dev: device of that file's superblock, major << 20 | minor
 * @gen: generation of the inode
 * @map: id of the map
 * @any: the writer did not know which file gets the value: ignore @ino, @dev and @gen
 * @seq: hardly ever the same twice in a run
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

/* The places where programs run. From HOOK_ENTRY on, each epoch chooses new functions for them. */
enum fuzz_hook {
	HOOK_OPEN,		/* lsm/file_open */
	HOOK_OPEN_SLEEPABLE,	/* lsm.s/file_open */
	HOOK_UNLINK,		/* lsm.s/inode_unlink */
	HOOK_RENAME,		/* lsm/inode_rename */
	HOOK_FREE,		/* lsm/inode_free_security */
	HOOK_INSERT,		/* tp_btf/inode_map_insert: both locks are held */
	HOOK_REMOVE,		/* tp_btf/inode_map_remove */
	HOOK_SYSCALL,		/* a syscall program, which tasks run themselves */
	HOOK_PERF,		/* perf_event: interrupts any code */
	HOOK_ENTRY,		/* fentry of some function */
	HOOK_PROBE = 16,	/* kprobe in some function; only delays */
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

/* The pointer that a function gets as inode or dentry, chosen by the argument of the act. */
enum fuzz_pointer {
	GET_GOOD,		/* the hook's own */
	GET_STALE,		/* one that a hook had earlier */
	GET_NULL,
	GET_NUMBER,		/* from a table of bad addresses */
	GET_TASK,		/* the current task */
	NR_POINTERS
};

/**
 * struct fuzz_act - what the program at a hook is to do
 * @function: enum fuzz_function
 * @map: index into the board's @ids; an empty slot has id 0, which no map has
 * @argument: an enum fuzz_pointer times 16 plus a number; or a delay, or a handle
 */
struct fuzz_act {
	__u32 function;
	__u32 map;
	__u32 argument;
};

/**
 * struct fuzz_probe - the file of a descriptor as the kernel and a program see it
 * @err: what bpf_inode_map_read() returned
 * @dev: the superblock's device
 * @ino: the inode's number
 * @gen: its generation
 * @done: the program sets it last
 * @value: the value that the program read
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
 * @ids: ids of the maps; 0 for an empty slot
 * @quiet: processes in which programs do nothing
 * @acts: what to do, by hook
 * @probes: results of fcntl(), by task
 * @stale: addresses of inodes that hooks had
 * @delayed: how many steps programs have looped as delays
 * @runs: how often programs did something, by hook
 * @calls: how often, by function
 * @hits: how often a program found a value
 * @removing: how often a program began to delete an entry, or tried to
 * @removed: how often it was done with that
 * @wrong: the first thing that was wrong, an enum fuzz_wrong
 * @where: the hook where it was
 * @ino: number of the inode that the program looked up
 * @dev: its device
 * @gen: its generation
 * @value: the value that the program found
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
