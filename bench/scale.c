// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many entries, and many maps: what one costs, next to what it costs where there are few. Called by
 * make bench-scale.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

/* Maps, and maps that one inode is in. */
#define MAPS		10000
#define MAPS_OF_ONE	1000
/* How many of the first and of the last of them are measured. */
#define SOME		100
/* The number of a map that is not found by its id at once. */
#define BEYOND		300

/**
 * struct costs - instructions for each entry of a map, and bytes
 * @insert: bpf(2)
 * @hit: a program's lookup
 * @next: bpf(2), get_next_key
 * @dump: likewise, with the lookup of the value
 * @free: from the last close(2) of the map until its entries are gone, less idle time
 * @unmount: beyond that without entries
 * @memory: bytes, without the inode
 */
struct costs {
	double insert, hit, next, dump, free, unmount, memory;
};

static void insert_files(unsigned int n, __u64 *sum)
{
	for (unsigned int i = 0; i < n; i++) {
		int fd = file_open(file_path(BASE "/gone", i));
		__u64 begin = clock_now();

		MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
		*sum += clock_now() - begin;
		close(fd);
		if (i % 10000 == 9999)
			pause_ms(1);
	}
}

/* Instructions of a walk over all @n entries, for each of them; with their values. */
static double walk(unsigned int n, bool values)
{
	union bpf_attr attr = { .map_fd = maps[INODE_MAP] };
	__u64 value, begin = clock_now();
	unsigned int count = 0;
	int key, next;

	for (;; count++) {
		attr.key = count ? (unsigned long)&key : 0;
		attr.next_key = (unsigned long)&next;
		if (syscall(SYS_bpf, BPF_MAP_GET_NEXT_KEY, &attr, sizeof(attr)))
			break;
		key = next;
		if (values) {
			attr.key = (unsigned long)&key;
			attr.value = (unsigned long)&value;
			MUST(!syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)));
		}
	}
	MUST(errno == ENOENT && count == n);
	return (double)(clock_now() - begin) / n;
}

/* Nanoseconds that the processor was idle for. */
static double idle_time(void)
{
	FILE *file = fopen("/proc/uptime", "r");
	double up, idle;

	MUST(file && fscanf(file, "%lf %lf", &up, &idle) == 2);
	fclose(file);
	return idle * 1e9;
}

static double free_map(unsigned int n)
{
	double idle = idle_time();
	__u64 begin = clock_now();

	close(maps[INODE_MAP]);
	settle(0, 0);
	return (clock_now() - begin - (idle_time() - idle)) / n;
}

/* What an entry costs in a map of @n, which are all the files of a filesystem. */
static void scale_once(unsigned int n, struct costs *costs)
{
	__u64 begin, sum = 0, with, without;
	double before;

	without = unmount(n, false);
	tmpfs_mount(BASE "/gone");
	files_create(BASE "/gone", n);
	maps_make_sizes(n, 1);
	before = memory_now();
	insert_files(n, &sum);
	costs->insert = (double)sum / n;
	costs->memory = (memory_now() - before) / n;
	costs->hit = measure(get_names[INODE_MAP], BENCH_TIMES, BASE "/gone", n, A_HIT).mean;
	costs->next = walk(n, false);
	costs->dump = walk(n, true);
	costs->free = free_map(n);

	column_map_make(INODE_MAP, n);
	insert_files(n, &sum);
	pause_ms(100);
	begin = clock_now();
	MUST(!umount(BASE "/gone"));
	with = clock_now() - begin;
	costs->unmount = ((double)with - without) / n;
	maps_free();
}

static void emit_scale(const char *row, unsigned int n, const double values[3], bool small)
{
	const unsigned int sizes[3] = { CALLS, n / 10, n };
	char column[64];

	for (unsigned int i = !small; i < 3; i++) {
		snprintf(column, sizeof(column), "of %u", sizes[i]);
		emit("scale", row, column, values[i]);
	}
	emit("scale", row, "ratio", values[2] / values[!small]);
}

#define EMIT_SCALE(row, member, small)							\
	emit_scale(row, n, (double[]) { costs[0].member, costs[1].member, costs[2].member }, small)

/* Entries: a few, some, and many. */
static void scale_entries(unsigned int n)
{
	struct costs costs[3];

	scale_once(CALLS, &costs[0]);
	say("the middle map");
	scale_once(n / 10, &costs[1]);
	say("the large map");
	scale_once(n, &costs[2]);
	EMIT_SCALE("insert", insert, true);
	EMIT_SCALE("hit", hit, true);
	EMIT_SCALE("get_next_key", next, true);
	EMIT_SCALE("dump", dump, true);
	/* The workers' pauses are more than a small map takes. */
	EMIT_SCALE("free", free, false);
	EMIT_SCALE("unmount; beyond that without entries", unmount, false);
	EMIT_SCALE("bytes", memory, true);
}

/* Instructions of what is done to the first and to the last of many maps. */

static int many[MAPS];
static __u64 times[MAPS];

static void emit_maps(const char *row, unsigned int n)
{
	double first = cost_of(times, SOME).median, last = cost_of(times + n - SOME, SOME).median;

	emit("maps", row, "first", first);
	emit("maps", row, "last", last);
	emit("maps", row, "ratio", last / first);
}

static void maps_create(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		__u64 begin = clock_now();

		many[i] = inode_map_make(1);
		times[i] = clock_now() - begin;
		MUST(many[i] >= 0);
	}
}

static void maps_close(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		close(many[i]);
	settle(0, 0);
}

static void maps_call(enum bpf_cmd cmd, int fd, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		__u64 begin = clock_now();

		maps[INODE_MAP] = many[i];
		MUST(!call(cmd, INODE_MAP, fd, 0));
		times[i] = clock_now() - begin;
	}
}

static double hit_in(int map, const char *path)
{
	programs->bss->map_id = inode_map_id(map);
	return measure_one(get_names[INODE_MAP], BENCH_TIMES, path).median;
}

/*
 * A program's lookups in one of the maps that an inode is in. The first 256 are found by their ids
 * at once (registry.c); it is the others that must not take longer the more there are.
 */
static void emit_hits(const char *row, const char *path, unsigned int n)
{
	double first, last;

	maps_make_sizes(1, 1);
	close(maps[INODE_MAP]);
	emit("maps", "look it up in the first of all", "first", hit_in(many[0], path));
	first = hit_in(many[BEYOND], path);
	last = hit_in(many[n - 1], path);
	bench__destroy(programs);
	emit("maps", row, "first", first);
	emit("maps", row, "last", last);
	emit("maps", row, "ratio", last / first);
}

static void scale_maps(void)
{
	const char *path = BASE "/of-many";
	int fd;

	shell("touch " BASE "/of-many");
	fd = file_open(path);
	maps_create(MAPS);
	emit_maps("create one of 10000", MAPS);
	maps_call(BPF_MAP_UPDATE_ELEM, fd, MAPS_OF_ONE);
	emit_maps("insert the same inode into 1000", MAPS_OF_ONE);
	emit_hits("look it up; in one beyond the first 256", path, MAPS_OF_ONE);
	maps_call(BPF_MAP_DELETE_ELEM, fd, MAPS_OF_ONE);
	emit_maps("delete it", MAPS_OF_ONE);
	maps_call(BPF_MAP_UPDATE_ELEM, fd, MAPS);
	emit_maps("insert it into 10000", MAPS);
	emit_hits("look it up in these; likewise", path, MAPS);
	close(fd);
	maps_close(MAPS);
}

void bench_scale(unsigned int n)
{
	scale_maps();
	scale_entries(n);
}
