/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the parts of the fuzzer.
 *
 *   fuzz.c      the supervisor: epochs, the corpus, the summary at the end
 *   program.c   programs: their text, how to make and change them
 *   run.c       the tasks that run them
 *   maps.c      calls on maps, with checks
 *   values.c    values, and checks of them
 *   files.c     calls on inodes, mounts and tasks
 *   places.c    the filesystems
 *   hooks.c     BPF programs: loading and attaching them
 *   cover.c     coverage of the module, by KCOV
 *   watch.c     the watchdog, which checks that others don't hold it up
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>
#include <sys/types.h>

#include "board.h"

#define MODULE		"/lib/modules/extra/inode_map.ko"
#define BASE		"/tmp/fuzz"
#define PINS		"/sys/fs/bpf"
#define CGROUP_ROOT	"/sys/fs/cgroup"
#define CGROUP		CGROUP_ROOT "/fuzz"
#define STARVED		CGROUP_ROOT "/fuzz-starved"

#define NR_FILES	10	/* slots for descriptors */
#define NR_NAMES	5	/* names in each place */
#define GIVEN_BITS	(1U << 15)
#define CALLS_MAX	24	/* in a task of a program */
#define ARGS_MAX	4

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

/* --- Programs ------------------------------------------------------------------ */

/* The kind of an argument of a call; in the text, its letter stands before the number. */
enum arg_kind { NO_ARG, MAP_SLOT, FILE_SLOT, PLACE, NAME, NUMBER };

/*
 * REMOVES: the call can remove an entry from a map, or put another file into a slot. ALLOCATES: it
 * fails with ENOMEM when it gets no memory. MEETS: it waits for other tasks that make it as well.
 */
#define REMOVES		1
#define ALLOCATES	2
#define MEETS		4

/**
 * struct call_type - something that a task can do
 * @name: its name in the text
 * @run: does it
 * @args: kinds of its arguments
 * @limits: for each argument, how many numbers there are to choose from
 * @weight: how often to choose it
 * @flags: REMOVES, ALLOCATES, MEETS
 */
struct call_type {
	const char *name;
	void (*run)(const __u32 *args);
	enum arg_kind args[ARGS_MAX];
	__u32 limits[ARGS_MAX];
	__u32 weight;
	__u32 flags;
};

extern const struct call_type map_calls[], file_calls[];
extern const unsigned int nr_map_calls, nr_file_calls;

const struct call_type *call_type(unsigned int number);

struct call {
	__u32 type;
	__u32 args[ARGS_MAX];
};

/**
 * struct program - calls that tasks run at the same time
 * @tasks: for each task, its calls, run one after the other, @repeat times
 */
struct program {
	struct {
		struct call calls[CALLS_MAX];
		__u32 nr_calls;
		__u32 repeat;
	} tasks[FUZZ_TASKS];
};

/* The longest text of a program. */
#define PROGRAM_TEXT	8192

void program_print(const struct program *program, char separator, char *text, size_t size);
bool program_parse(struct program *program, const char *text, const char **end);
void program_make(struct program *program);
void program_mutate(struct program *program, const struct program *other);

/* --- Random numbers ------------------------------------------------------------ */

extern __u64 random_state;
__u32 below(__u32 limit);
bool one_in(__u32 chances);

/* --- Shared by all processes ----------------------------------------------------- */

/**
 * struct map_slot - a map
 * @fd: its descriptor, the same in all tasks, or -1
 * @id: its id
 * @key_size: bytes of a key
 * @value_size: bytes of a value
 * @turn: odd while a task changes the slot; grows by 2 with each map
 * @flags: flags it was created with
 * @wild: until the end of the program, the map may have entries that no task made
 * @given: hashes of the files that tasks have put into it: a file whose bit is clear was certainly
 *	not put there
 */
struct map_slot {
	int fd;
	__u32 id, key_size, value_size, turn, flags;
	bool wild;
	__u64 given[GIVEN_BITS / 64];
};

#define SHOWN_DEVICES	4096

struct shared {
	struct map_slot maps[FUZZ_MAPS];
	__u32 devices[SHOWN_DEVICES]; /* of superblocks, by those that stat(2) shows instead */
	int files[NR_FILES];
	unsigned int ifindex;	/* of the module's device */
	unsigned int crowd;	/* maps that are in no slot */
	__u64 crowd_time;	/* nanoseconds that it took to create them */
	bool many;		/* the program may take long */
	int next_fd;		/* a program uses no number of a descriptor twice */
	pid_t tasks[FUZZ_TASKS];
	bool ready[FUZZ_TASKS];	/* it waits for its first program */
	bool running[FUZZ_TASKS];
	bool meets[FUZZ_TASKS];	/* its calls have meetings */
	unsigned int met[FUZZ_TASKS]; /* how many meetings it has come to */
	bool dies[FUZZ_TASKS];	/* a program kills it */
	bool starved[FUZZ_TASKS]; /* the kernel may kill it when memory is short */
	bool confined[FUZZ_TASKS]; /* it is in a cgroup of the fuzzer, or was */
	bool volatile_is_mounted, frozen, stop;
	unsigned long removing, removed;
	unsigned long long done, checked;
	unsigned int failed;	/* 1: a task writes the message; 2: the message is complete */
	char message[2048];
	struct program program;
	unsigned long new_edges;
	bool watch;		/* the watchdog checks its times */
	unsigned long long rounds;
	double longest_update, longest_network, longest_read;
};

extern struct shared *shared;
extern struct fuzz_board *board;
extern unsigned int task_number;	/* FUZZ_TASKS in other processes */

double now(void);
__attribute__((noreturn, format(printf, 1, 2))) void violation(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
bool write_to(const char *path, const char *text);
__attribute__((format(printf, 1, 2))) int shell(const char *format, ...);

/* --- run.c ---------------------------------------------------------------------- */

void run_begin(void);
void run_end(void);
void run_program(const struct program *program);
/* Make the number'th allocation, from 1, of the task's next call that ALLOCATES fail. */
void fail_next(unsigned int number);
/* Put the task into a cgroup. */
void enter_cgroup(const char *cgroup);
/* Move a descriptor to a number that this program has not used yet. Takes -1 as well. */
int fresh_fd(int fd);
/* Move one of many descriptors that are in no slot to a number that fresh_fd() does not use. */
int distant_fd(int fd);
/* still_quiet(): whether no task or BPF program has removed anything since quiet_since(). */
struct quiet {
	unsigned long removed, by_programs;
	bool quiet;
};

struct quiet quiet_since(void);
bool still_quiet(const struct quiet *since);

/* --- values.c -------------------------------------------------------------------- */

bool probe(int fd, __u32 map, struct fuzz_probe *result);
void note_given(struct map_slot *slot, const struct fuzz_probe *file);
bool was_given(const struct map_slot *slot, __u32 dev, __u64 ino, __u32 gen);
void note_device(int fd, const struct fuzz_probe *file);
__u32 superblock_device(__u32 shown);
void fill_value(struct fuzz_value *value, __u32 map, const struct fuzz_probe *file);
void check_value(const struct fuzz_value *value, __u32 map, const char *how);
void check_file(const struct fuzz_value *value, __u32 dev, __u64 ino, __u32 gen, const char *how);

/* --- places.c -------------------------------------------------------------------- */

extern const char *const place_paths[];
extern const unsigned int nr_places, volatile_place;
void places_make(void);
void places_clean(void);
void place_mount(void);
void place_umount(bool lazily);
void place_freeze(void);
void place_thaw(void);

/* --- hooks.c --------------------------------------------------------------------- */

void hooks_board(void);
void hooks_attach(void);
void hooks_detach(void);
extern int syscall_prog;

/* --- cover.c --------------------------------------------------------------------- */

bool cover_begin(void);
void cover_module(void);
void cover_module_end(void);
void cover_task_begin(void);
void cover_start(void);
unsigned int cover_stop(void);
unsigned int cover_edges(void);
void cover_print(void);

/* --- watch.c --------------------------------------------------------------------- */

void watch_begin(void);
void watch_end(void);
void watch_pause(bool pause);
extern double watch_limit;

#endif /* FUZZ_H */
