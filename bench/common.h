/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the bench share. bench.c says what the bench measures. The functions are in
 * common.c unless a comment names another file. If a step fails, they end the program.
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

/* How many files programs look up in a map, at most. All others only fill it. */
#define SAMPLES		256
/* How often system calls, small unmounts and rates are measured. The best round counts. */
#define ROUNDS		5
/* Files that system calls are measured with; also the entries of most maps. */
#define CALLS		1000
/* Entries of the map whose memory is measured. */
#define MEMORY_ENTRIES	10000

/* The columns of the tables: the kinds of map, and calls that do nothing (EMPTY). */
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

/* The BPF programs, and the descriptors of the maps that they look into. maps_make() sets both. */
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

/*
 * With scripts/vm --icount the counter goes up by 1 with each instruction, and with each nanosecond
 * that the processor is idle.
 */
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
extern const char *files_type;
void files_mount(const char *dir);

/* The key of any kind of map. */
union any_key {
	struct bench_number number;
	__u64 pointer;
	int fd;
};

/* Maps. */
void settle(unsigned int nr_maps, unsigned int nr_entries);
int inode_map_make(unsigned int n);
int map_create(enum column column, unsigned int n);
void column_map_make(enum column column, unsigned int n);
void key_make(enum column column, int fd, union any_key *key);
long call_map(int map, enum bpf_cmd cmd, enum column column, int fd, __u64 flags);
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
 * @median: the median of the measurements
 * @mean: their mean
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
	A_MISS,		/* the program's result is 0: NULL, or no error */
	A_HIT,		/* it is not 0 */
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
void on_cpu(unsigned int cpu);
void cpus_set(bool online);
void bench_smp(void);

/* smp_calls.c */
void bench_smp_calls(void);

#endif /* BENCH_COMMON_H */
