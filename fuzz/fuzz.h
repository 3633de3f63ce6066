/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the fuzzer share.
 *
 *   fuzz.c      the supervisor: epochs, the corpus, what is told at the end
 *   program.c   programs: their text, how they are made and changed
 *   run.c       the tasks that run them
 *   maps.c      calls that are made on maps, with checks
 *   values.c    values, and whether they are right
 *   files.c     calls that are made on inodes, mounts and tasks
 *   places.c    the filesystems
 *   hooks.c     BPF programs: loading and attaching them
 *   cover.c     where the module has been, by KCOV
 *   watch.c     processes that see whether others hold them up
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

/* What an argument of a call is; the letter stands before its number in the text. */
enum arg_kind { NO_ARG, MAP_SLOT, FILE_SLOT, PLACE, NAME, NUMBER };

/*
 * Some calls can take an entry out of a map, or another file into a slot; some say so, by ENOMEM,
 * when they get no memory; and one waits for other tasks that make it as well.
 */
#define REMOVES		1
#define ALLOCATES	2
#define MEETS		4

/**
 * struct call_type - something that a task can do
 * @name: its name in the text
 * @run: does it
 * @args: what its arguments are
 * @limits: for each argument, how many numbers there are to choose from
 * @weight: how often it is chosen
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
unsigned int nr_call_types(void);

struct call {
	__u32 type;
	__u32 args[ARGS_MAX];
};

/**
 * struct program - what is run at once
 * @tasks: what each of the tasks does, one call after the other, @repeat times
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

/* --- What all processes share --------------------------------------------------- */

/**
 * struct map_slot - a map
 * @fd: its descriptor, the same in all tasks, or -1
 * @id: its id
 * @key_size: bytes of a key
 * @value_size: bytes of a value
 * @turn: counts the maps that were in the slot
 * @flags: it was created with
 * @wild: there may be more in it than tasks have put there: until the end of the program
 * @given: identities of the files that tasks have put into it: a set by hashes, so that what is not
 *	in it certainly was not
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
	bool many;		/* the program takes its time */
	int next_fd;		/* numbers of descriptors are not used twice in a program */
	pid_t tasks[FUZZ_TASKS];
	bool ready[FUZZ_TASKS];	/* it waits for its first program */
	bool running[FUZZ_TASKS];
	bool meets[FUZZ_TASKS];	/* there are meetings in what it runs */
	unsigned int met[FUZZ_TASKS]; /* so many it has come to */
	bool dies[FUZZ_TASKS];	/* a program kills it */
	bool starved[FUZZ_TASKS]; /* the kernel may, for want of memory */
	bool confined[FUZZ_TASKS]; /* it is in a cgroup of its own, or was */
	bool volatile_is_mounted, frozen, stop;
	unsigned long removing, removed;
	unsigned long long done, checked;
	unsigned int failed;	/* 1: somebody writes the message; 2: it is there */
	char message[2048];
	struct program program;
	unsigned long new_edges;
	bool watch;		/* the watchdog is to work */
	unsigned long long rounds;
	double longest_update, longest_network, longest_read;
};

extern struct shared *shared;
extern struct fuzz_board *board;
extern unsigned int task_number;	/* FUZZ_TASKS: not one of the tasks */

double now(void);
__attribute__((noreturn, format(printf, 1, 2))) void violation(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
bool write_to(const char *path, const char *text);
__attribute__((format(printf, 1, 2))) int shell(const char *format, ...);

/* --- run.c ---------------------------------------------------------------------- */

void run_begin(void);
void run_end(void);
void run_program(const struct program *program);
/* The task's next call that ALLOCATES has the allocation of this number fail, from 1. */
void fail_next(unsigned int number);
/* Put the task into a cgroup. */
void enter_cgroup(const char *cgroup);
/* Move a descriptor to a number that no other has had in this program. Takes -1 as well. */
int fresh_fd(int fd);
/* Likewise one of many that are in no slot: where fresh numbers don't come. */
int distant_fd(int fd);
/* Whether nothing has been removed since, by anybody; @since is from quiet_since(). */
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
