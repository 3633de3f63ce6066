/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the bench share: see common.c, and bench.c for what the bench is.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <x86intrin.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "bench.h"
#include "bench.skel.h"

#define BASE		"/tmp/bench"
#define CGROUP		"/sys/fs/cgroup/bench"

/* Files that programs look up in a map, at most; the others only fill it. */
#define SAMPLES		256
/* How often the others are repeated. */
#define ROUNDS		5
/* Files that system calls are measured with. */
#define CALLS		1000
/* Entries that memory is measured with. */
#define MEMORY_ENTRIES	10000

enum column {
	INODE_MAP,
	STORAGE,
	BY_NUMBER,
	BY_POINTER,
	LRU,
	EMPTY,
	NR_COLUMNS
};

extern const char *const column_names[NR_COLUMNS];

/* The maps of one size, and the programs that look into them. */
extern struct bench *programs;
extern int maps[NR_COLUMNS];

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);

#define MUST(condition)								\
	do {									\
		if (!(condition))						\
			die("%s:%d: %s (errno: %s)", __FILE__, __LINE__, #condition,	\
			    strerror(errno));					\
	} while (0)

static inline __u64 clock_now(void)
{
	return __rdtsc();
}

void say(const char *what);
void emit(const char *table, const char *row, const char *column, double value);
void pause_ms(unsigned int ms);
void keep_least(__u64 *least, __u64 value);
void write_to(const char *path, const char *text);
void shell(const char *command);

/* Files. */
const char *file_path(const char *dir, unsigned int i);
void files_create(const char *dir, unsigned int n);
int file_open(const char *path);
void tmpfs_mount(const char *dir);

union any_key {
	struct bench_number number;
	__u64 pointer;
	int fd;
};

/* Maps. */
void settle(unsigned int nr_maps, unsigned int nr_entries);
int inode_map_make(unsigned int n);
void column_map_make(enum column column, unsigned int n);
void key_make(enum column column, int fd, union any_key *key);
long call(enum bpf_cmd cmd, enum column column, int fd, __u64 flags);
void entry_add(const char *path);

/* Programs, and the maps that they look into. */
struct bpf_link *attach(const char *name);
void detach(struct bpf_link *link);
void maps_make_sizes(unsigned int n, unsigned int others);
void maps_make(unsigned int n);
void maps_free(void);
void insert_all(const char *dir, unsigned int n);
void insert_one(const char *path);
void remove_one(const char *path);

/**
 * struct cost - instructions of an operation that was measured many times
 * @median: of the times
 * @mean: likewise
 */
struct cost {
	double median;
	double mean;
};

struct cost cost_of(__u64 *samples, unsigned int n);
void emit_cost(const char *table, const char *row, enum column column, struct cost cost);
void emit_costs(const char *table, const char *row, const struct cost *costs, unsigned int n);

/* programs.c */
enum outcome {
	A_MISS,		/* also: no error */
	A_HIT,
	ANY_OUTCOME,
};

extern const char *const get_names[NR_COLUMNS];

struct cost measure(const char *name, unsigned int times, const char *dir, unsigned int n,
		    enum outcome outcome);
struct cost measure_one(const char *name, unsigned int times, const char *path);
void bench_miss(void);
void bench_get(unsigned int n);
void bench_tree(void);
void bench_set(void);

/* calls.c */
void bench_calls(void);
void bench_create(void);

/* memory.c */
double memory_now(void);
void bench_memory(void);
void bench_memory_pinned(void);

/* others.c */
enum { OPEN, READ, READ_BYTE, STAT, NR_ORDINARY };

extern const char *const ordinary_names[NR_ORDINARY];

void ordinary_call(unsigned int which, const char *path, int fd);
const char *ordinary_files(void);
void ordinary_entries(void);
__u64 unmount(unsigned int n, bool entries);
void bench_unmount(unsigned int n);
void bench_ordinary(void);
void bench_guard(void);

/* profile.c */
void profile(bool of_guard);

/* scale.c */
void bench_scale(unsigned int n);

/* rivals.c */
void rival_begin(const char *dir, unsigned int n);
void rival_end(void);
void fanotify_begin(const char *dir, unsigned int n, const char *const *mounts);
void fanotify_end(void);
void audit_begin(const char *dir, unsigned int n);
void audit_end(const char *dir, unsigned int n);

/* day.c */
void bench_day(bool quick);

/* smp.c */
void bench_smp(void);

#endif /* BENCH_COMMON_H */
