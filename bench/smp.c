// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures lookups per second on one, two and four processors, alone and beside a thread that
 * replaces values. bench.c calls this for --smp. It prints the table "smp", in which inode storage
 * is 1. It needs a fifth processor for the thread, and the kernel's parameter maxcpus=1 (see
 * cpus_set()).
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"

/*
 * How many times are taken for a figure in each round. The median of a round counts, and then the
 * best round, because the host has other work to do.
 */
#define RATE_LOOKS	401

/* The programs of each column, in bench.bpf.c. */
static const char *const rate_names[NR_COLUMNS] = {
	"by_inode_rate", "storage_rate", "by_number_rate", "by_pointer_rate", "lru_rate", NULL
};

static union any_key update_keys[CALLS];
static enum column update_column;
static atomic_bool update_stop;

void on_cpu(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	MUST(!sched_setaffinity(0, sizeof(cpus), &cpus));
}

/*
 * All processors but the first are online only during a measurement. The kernel patches itself when
 * it attaches a program, and other processors of QEMU may then run stale code.
 */
void cpus_set(bool online)
{
	char path[64];

	for (unsigned int cpu = 1; cpu <= BENCH_CPUS; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
		write_to(path, online ? "1\n" : "0\n");
	}
}

/* A thread that replaces values as fast as it can, on a processor of its own. */
static void *updater(void *unused)
{
	static const __u64 value = 1;

	on_cpu(BENCH_CPUS);
	while (!update_stop)
		for (unsigned int i = 0; i < CALLS && !update_stop; i++)
			MUST(!bpf_map_update_elem(maps[update_column], &update_keys[i], &value,
						  BPF_EXIST));
	return unused;
}

/* Make the keys of all entries, for updater(). */
static void update_keys_make(enum column column, const int *fds)
{
	union any_key *last = NULL;

	update_column = column;
	for (unsigned int i = 0; i < CALLS; i++) {
		if (column != BY_POINTER) {
			key_make(column, fds[i], &update_keys[i]);
			continue;
		}
		MUST(!bpf_map_get_next_key(maps[column], last, &update_keys[i]));
		last = &update_keys[i];
	}
}

struct reader {
	pthread_t thread;
	unsigned int cpu;
	__u64 median;
};

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void *reader(void *arg)
{
	struct reader *reader = arg;
	__u64 looks[RATE_LOOKS];

	on_cpu(reader->cpu);
	for (unsigned int i = 0; i < RATE_LOOKS; i++) {
		char path[64];

		/* Not file_path(), which has one buffer for all threads. */
		snprintf(path, sizeof(path), BASE "/in/%u", i);
		close(file_open(path));
		looks[i] = programs->bss->spent[reader->cpu];
		MUST(looks[i]);
	}
	qsort(looks, RATE_LOOKS, sizeof(looks[0]), compare);
	reader->median = looks[RATE_LOOKS / 2];
	return NULL;
}

/* Lookups per second of all processors together. */
static double rate(unsigned int cpus, bool updates)
{
	struct reader readers[BENCH_CPUS];
	pthread_t update;
	double sum = 0;

	cpus_set(true);
	update_stop = false;
	if (updates)
		MUST(!pthread_create(&update, NULL, updater, NULL));
	for (unsigned int i = 0; i < cpus; i++) {
		readers[i].cpu = i;
		MUST(!pthread_create(&readers[i].thread, NULL, reader, &readers[i]));
	}
	for (unsigned int i = 0; i < cpus; i++) {
		MUST(!pthread_join(readers[i].thread, NULL));
		sum += BENCH_RATE_TIMES * 1e9 / readers[i].median;
	}
	update_stop = true;
	if (updates)
		MUST(!pthread_join(update, NULL));
	cpus_set(false);
	return sum;
}

/* The best rate of each kind of map, without and with an updater. */
static double rates[NR_COLUMNS][BENCH_CPUS][2];

static void measure_rates(enum column column, const int *fds)
{
	struct bpf_link *link = attach(rate_names[column]);

	update_keys_make(column, fds);
	for (unsigned int cpus = 1; cpus <= BENCH_CPUS; cpus *= 2)
		for (unsigned int updates = 0; updates < 2; updates++) {
			double got = rate(cpus, updates);

			if (got > rates[column][cpus - 1][updates])
				rates[column][cpus - 1][updates] = got;
		}
	detach(link);
}

void bench_smp(void)
{
	static int fds[CALLS];
	char row[64];

	maps_make(CALLS);
	insert_all(BASE "/in", CALLS);
	for (unsigned int i = 0; i < CALLS; i++)
		fds[i] = file_open(file_path(BASE "/in", i));
	for (unsigned int i = 0; i < ROUNDS; i++)
		for (enum column column = 0; column < EMPTY; column++)
			measure_rates(column, fds);
	for (unsigned int cpus = 1; cpus <= BENCH_CPUS; cpus *= 2)
		for (unsigned int updates = 0; updates < 2; updates++)
			for (enum column column = 0; column < EMPTY; column++) {
				snprintf(row, sizeof(row), "%u %s%s", cpus,
					 cpus == 1 ? "CPU" : "CPUs",
					 updates ? "; and an updater" : "");
				emit("smp", row, column_names[column],
				     rates[column][cpus - 1][updates] /
				     rates[STORAGE][cpus - 1][updates]);
			}
	for (unsigned int i = 0; i < CALLS; i++)
		close(fds[i]);
	maps_free();
}
