// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures operations of BPF programs: attaches a program of bench.bpf.c, opens files to run it,
 * and reads how many instructions it counted. bench.c calls this, and scale.c uses measure() and
 * measure_one(). It prints the table "programs", and needs the files in BASE "/in" and BASE "/out".
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

/* How often a program runs for each file. */
#define RUNS		3

/* The programs of each column, in bench.bpf.c. */
const char *const get_names[NR_COLUMNS] = {
	"by_inode_get", "storage_get", "by_number_get", "by_pointer_get", "lru_get", "floor_lookup"
};

static const char *const set_names[NR_COLUMNS] = {
	"by_inode_set", "storage_set", "by_number_set", "by_pointer_set", "lru_set", NULL
};

static const char *const tree_names[NR_COLUMNS] = {
	"by_inode_tree", "storage_tree", "by_number_tree", "by_pointer_tree", "lru_tree", NULL
};

/*
 * The instructions that the attached program counts for one file, at its open(2) or fstat(2), those
 * of the clock included. The least number counts, so that no timer interrupt is in it.
 */
static __u64 run_program(const char *path, enum outcome outcome)
{
	struct stat stat;
	__u64 least = 0;
	int fd;

	for (unsigned int i = 0; i < RUNS; i++) {
		programs->bss->elapsed = 0;
		fd = file_open(path);
		MUST(!fstat(fd, &stat));
		close(fd);
		MUST(programs->bss->elapsed);
		if (outcome != ANY_OUTCOME && !!programs->bss->result != outcome)
			die("%s: the outcome is %ld", path, programs->bss->result);
		keep_least(&least, programs->bss->elapsed);
	}
	return least;
}

/* The instructions of the clock: this program does nothing else. */
static double clock_cost(const char *path)
{
	struct bpf_link *link = attach("nothing");
	double cost = run_program(path, ANY_OUTCOME);

	detach(link);
	return cost;
}

/**
 * measure - count instructions of an operation of a program, for up to SAMPLES files
 * @name: the program
 * @times: how often the program repeats the operation
 * @dir: the directory of the files
 * @n: how many files it has; those that are opened are evenly spread over them
 * @outcome: what the last result of the program must be
 *
 * Return: the cost of one operation, without the clock.
 */
struct cost measure(const char *name, unsigned int times, const char *dir, unsigned int n,
		    enum outcome outcome)
{
	unsigned int nr = n < SAMPLES ? n : SAMPLES;
	double clock = clock_cost(file_path(dir, 0));
	struct bpf_link *link = attach(name);
	__u64 samples[SAMPLES];
	struct cost cost;

	for (unsigned int i = 0; i < nr; i++)
		samples[i] = run_program(file_path(dir, (unsigned long long)i * n / nr), outcome);
	detach(link);
	cost = cost_of(samples, nr);
	cost.median = (cost.median - clock) / times;
	cost.mean = (cost.mean - clock) / times;
	return cost;
}

/**
 * measure_one - count instructions of an operation of a program, for one file that it finds
 * @name: the program
 * @times: how often the program repeats the operation
 * @path: the file
 *
 * Return: the cost of one operation, without the clock. The mean is the same as the median.
 */
struct cost measure_one(const char *name, unsigned int times, const char *path)
{
	double clock = clock_cost(path);
	struct bpf_link *link = attach(name);
	double all = run_program(path, A_HIT);

	detach(link);
	return (struct cost) { .median = (all - clock) / times, .mean = (all - clock) / times };
}

static void measure_get(const char *row, const char *dir, unsigned int n, enum outcome outcome)
{
	struct cost costs[NR_COLUMNS];

	for (enum column column = 0; column < NR_COLUMNS; column++)
		costs[column] = measure(get_names[column], BENCH_TIMES, dir, n,
					column == EMPTY ? A_MISS : outcome);
	emit_costs("programs", row, costs, n);
}

void bench_get(unsigned int n)
{
	char row[64];

	maps_make(n);
	insert_all(BASE "/in", n);
	snprintf(row, sizeof(row), "hit in %u", n);
	measure_get(row, BASE "/in", n, A_HIT);
	maps_free();
}

/* First the files have an entry in no map, then they have one in another inode map. */
void bench_miss(void)
{
	int other = inode_map_make(SAMPLES), mine;

	MUST(other >= 0);
	maps_make(CALLS);
	insert_all(BASE "/in", CALLS);
	measure_get("miss", BASE "/out", SAMPLES, A_MISS);
	mine = maps[INODE_MAP];
	maps[INODE_MAP] = other;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		int fd = file_open(file_path(BASE "/out", i));

		MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
		close(fd);
	}
	maps[INODE_MAP] = mine;
	emit_cost("programs", "miss; in another map", INODE_MAP,
		  measure(get_names[INODE_MAP], BENCH_TIMES, BASE "/out", SAMPLES, A_MISS));
	close(other);
	maps_free();
}

void bench_set(void)
{
	maps_make(CALLS);
	insert_all(BASE "/in", CALLS);
	for (enum column column = 0; column < EMPTY; column++) {
		/* Only a few files, since replaced values use memory until a grace period ends. */
		emit_cost("programs", "replace", column,
			  measure(set_names[column], BENCH_TIMES, BASE "/in", 16, A_MISS));
		pause_ms(1000);
	}
	maps_free();
}

/*
 * The file that is opened lies below BENCH_DEPTH directories of ours, and has the name that
 * measure() looks for. One of these directories has an entry in each map.
 */
void bench_tree(void)
{
	static const unsigned int depths[] = { 1, 4, BENCH_DEPTH };
	char leaf[256] = BASE "/tree", path[256], row[64];

	MUST(!mkdir(leaf, 0755));
	for (unsigned int i = 1; i < BENCH_DEPTH; i++) {
		strcat(leaf, "/d");
		MUST(!mkdir(leaf, 0755));
	}
	files_create(leaf, 1);
	maps_make(CALLS);
	insert_all(BASE "/in", CALLS - 3);
	for (unsigned int i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		snprintf(path, sizeof(path), "%s", leaf);
		for (unsigned int up = 1; up < depths[i]; up++)
			*strrchr(path, '/') = 0;
		insert_one(path);
		snprintf(row, sizeof(row), "tree at depth %u", depths[i]);
		for (enum column column = 0; column < EMPTY; column++)
			emit_cost("programs", row, column,
				  measure(tree_names[column], BENCH_TREE_TIMES, leaf, 1, A_HIT));
		remove_one(path);
	}
	maps_free();
}
