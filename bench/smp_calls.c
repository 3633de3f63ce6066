// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inserts and deletes per second, on several processors: whether they go on growing with these, and
 * where not, what they wait for. Each thread has a processor and files of its own. They change one
 * map, or each a map of its own, which shows whether they wait for the map or for what all maps
 * share. The empty system call says what the machine itself has to give: more of its processors may
 * be emulated than there are.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

/* Files of each thread. */
#define FILES	400
/* The best counts, since the host has other things to do. */
#define TRIES	15

enum { INSERTS, DELETES, NR_CHANGES };

/* Columns, and the inode map once more with a map for each thread. */
enum { OWN_MAPS = NR_COLUMNS, NR_KINDS };

struct changer {
	pthread_t thread;
	unsigned int cpu;
	enum column column;
	int map;
	int *fds;
	double begin[NR_CHANGES], end[NR_CHANGES];
};

static pthread_barrier_t together;
static int all_fds[BENCH_CPUS][FILES];
/* Calls per second, by number of processors. */
static double best[NR_KINDS][NR_CHANGES][BENCH_CPUS + 1];

static double seconds_now(void)
{
	struct timespec time;

	MUST(!clock_gettime(CLOCK_MONOTONIC, &time));
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void change_all(struct changer *c, unsigned int change, enum bpf_cmd cmd, __u64 flags)
{
	pthread_barrier_wait(&together);
	c->begin[change] = seconds_now();
	for (unsigned int i = 0; i < FILES; i++)
		MUST(!call_map(c->map, cmd, c->column, c->fds[i], flags));
	c->end[change] = seconds_now();
}

static void *changer(void *arg)
{
	struct changer *c = arg;

	on_cpu(c->cpu);
	change_all(c, INSERTS, BPF_MAP_UPDATE_ELEM, BPF_NOEXIST);
	change_all(c, DELETES, BPF_MAP_DELETE_ELEM, 0);
	return NULL;
}

static enum column column_of(unsigned int kind)
{
	return kind == OWN_MAPS ? INODE_MAP : kind;
}

/* Whether each thread has its own map, or all have the first. */
static int map_of(unsigned int kind, unsigned int thread, unsigned int cpus, int first)
{
	int map = first;

	if (kind == EMPTY)
		return -1;
	if (!thread || kind == OWN_MAPS)
		map = map_create(column_of(kind), FILES * cpus);
	MUST(map >= 0);
	return map;
}

/* Of all threads, from when the first began until the last was done. */
static double rate_of(const struct changer *threads, unsigned int cpus, unsigned int change)
{
	double begin = threads[0].begin[change], end = threads[0].end[change];

	for (unsigned int i = 1; i < cpus; i++) {
		if (threads[i].begin[change] < begin)
			begin = threads[i].begin[change];
		if (threads[i].end[change] > end)
			end = threads[i].end[change];
	}
	return cpus * FILES / (end - begin);
}

static void try_once(unsigned int kind, unsigned int cpus)
{
	struct changer threads[BENCH_CPUS] = {};

	MUST(!pthread_barrier_init(&together, NULL, cpus));
	for (unsigned int i = 0; i < cpus; i++) {
		threads[i].cpu = i;
		threads[i].column = column_of(kind);
		threads[i].fds = all_fds[i];
		threads[i].map = map_of(kind, i, cpus, threads[0].map);
	}
	for (unsigned int i = 0; i < cpus; i++)
		MUST(!pthread_create(&threads[i].thread, NULL, changer, &threads[i]));
	for (unsigned int i = 0; i < cpus; i++)
		MUST(!pthread_join(threads[i].thread, NULL));
	for (unsigned int j = 0; j < NR_CHANGES; j++) {
		double rate = rate_of(threads, cpus, j);

		if (rate > best[kind][j][cpus])
			best[kind][j][cpus] = rate;
	}
	for (unsigned int i = 0; i < cpus; i++)
		if (threads[i].map >= 0 && (!i || kind == OWN_MAPS))
			close(threads[i].map);
	MUST(!pthread_barrier_destroy(&together));
	settle(0, 0);
}

static const char *kind_name(unsigned int kind)
{
	return kind == OWN_MAPS ? "inode map; one for each CPU" : column_names[kind];
}

static void emit_changes(unsigned int kind, unsigned int change, unsigned int cpus)
{
	static const char *const names[NR_CHANGES] = { "insert", "delete" };
	double rate = best[kind][change][cpus];
	char row[64];

	snprintf(row, sizeof(row), "%s; %u %s", names[change], cpus, cpus == 1 ? "CPU" : "CPUs");
	emit("smp calls", row, kind_name(kind), rate / best[STORAGE][change][cpus]);
	emit("smp growth", row, kind_name(kind), rate / best[kind][change][1]);
}

/* User space has no pointer for a key. */
static bool is_measured(unsigned int kind)
{
	return kind != BY_POINTER;
}

void bench_smp_calls(void)
{
	/* Inode storage has its types from the programs. */
	maps_make(1);
	close(maps[INODE_MAP]);
	for (unsigned int i = 0; i < BENCH_CPUS; i++) {
		char dir[64];

		snprintf(dir, sizeof(dir), BASE "/change-%u", i);
		MUST(!mkdir(dir, 0755));
		files_create(dir, FILES);
		for (unsigned int j = 0; j < FILES; j++)
			all_fds[i][j] = file_open(file_path(dir, j));
	}
	cpus_set(true);
	for (unsigned int try = 0; try < TRIES; try++)
		for (unsigned int kind = 0; kind < NR_KINDS; kind++)
			for (unsigned int cpus = 1; cpus <= BENCH_CPUS; cpus *= 2)
				if (is_measured(kind))
					try_once(kind, cpus);
	cpus_set(false);
	bench__destroy(programs);
	for (unsigned int change = 0; change < NR_CHANGES; change++)
		for (unsigned int cpus = 1; cpus <= BENCH_CPUS; cpus *= 2)
			for (unsigned int kind = 0; kind < NR_KINDS; kind++)
				if (is_measured(kind))
					emit_changes(kind, change, cpus);
	for (unsigned int i = 0; i < BENCH_CPUS; i++)
		for (unsigned int j = 0; j < FILES; j++)
			close(all_fds[i][j]);
}
