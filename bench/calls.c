// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures system calls: insert, replace and delete an entry, create and free a map. bench.c calls
 * this. It prints the table "calls", and needs the files in BASE "/in" and the skeleton, which has
 * the types of inode storage. User space has no key for the map by pointer: this only creates and
 * frees that map.
 */
#include <unistd.h>

#include "common.h"

/* Time one call for each of CALLS files. Each time includes one read of the clock. */
static struct cost series(enum bpf_cmd cmd, enum column column, const int *fds, __u64 flags)
{
	static __u64 times[CALLS];

	for (unsigned int i = 0; i < CALLS; i++) {
		__u64 begin = clock_now();

		MUST(!call(cmd, column, fds[i], flags));
		times[i] = clock_now() - begin;
	}
	return cost_of(times, CALLS);
}

static void keep_cheapest(struct cost *least, struct cost cost)
{
	if (!least->mean || cost.mean < least->mean)
		*least = cost;
}

enum { INSERT, REPLACE, DELETE, NR_CALLS };

static void bench_calls_column(enum column column, const int *fds,
			       struct cost (*least)[NR_COLUMNS])
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (column != EMPTY)
			column_map_make(column, CALLS);
		keep_cheapest(&least[INSERT][column],
			      series(BPF_MAP_UPDATE_ELEM, column, fds, BPF_NOEXIST));
		pause_ms(10);
		keep_cheapest(&least[REPLACE][column],
			      series(BPF_MAP_UPDATE_ELEM, column, fds, BPF_EXIST));
		pause_ms(10);
		keep_cheapest(&least[DELETE][column], series(BPF_MAP_DELETE_ELEM, column, fds, 0));
		if (column != EMPTY)
			close(maps[column]);
		settle(0, 0);
	}
}

void bench_calls(void)
{
	static const char *const rows[NR_CALLS] = { "insert", "replace", "delete" };
	static struct cost least[NR_CALLS][NR_COLUMNS];
	static int fds[CALLS];

	for (unsigned int i = 0; i < CALLS; i++)
		fds[i] = file_open(file_path(BASE "/in", i));
	for (enum column column = 0; column < NR_COLUMNS; column++)
		if (column != BY_POINTER)
			bench_calls_column(column, fds, least);
	for (unsigned int i = 0; i < NR_CALLS; i++)
		emit_costs("calls", rows[i], least[i], CALLS);
	for (unsigned int i = 0; i < CALLS; i++)
		close(fds[i]);
}

/* Only the system calls count. A worker frees the map later. */
void bench_create(void)
{
	for (enum column column = 0; column < EMPTY; column++) {
		__u64 least = 0;

		for (unsigned int i = 0; i < ROUNDS; i++) {
			__u64 begin = clock_now();

			column_map_make(column, CALLS);
			close(maps[column]);
			keep_least(&least, clock_now() - begin);
			settle(0, 0);
		}
		emit("calls", "create and free", column_names[column], least);
	}
}
