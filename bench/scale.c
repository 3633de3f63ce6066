// SPDX-License-Identifier: GPL-2.0
/*
 * Many entries. Called by make bench-scale.
 */
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common.h"

struct costs {
	double hit;
	double insert;
	double unmount;
};

/* What an entry costs in a map of @n, which are all the files of a filesystem. */
static void scale_once(unsigned int n, struct costs *costs)
{
	__u64 begin, sum = 0, with, without;

	without = unmount(n, false);
	tmpfs_mount(BASE "/gone");
	files_create(BASE "/gone", n);
	maps_make_sizes(n, 1);
	for (unsigned int i = 0; i < n; i++) {
		int fd = file_open(file_path(BASE "/gone", i));

		begin = clock_now();
		MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
		sum += clock_now() - begin;
		close(fd);
		if (i % 10000 == 9999)
			pause_ms(1);
	}
	costs->insert = (double)sum / n;
	costs->hit = measure(get_names[INODE_MAP], BENCH_TIMES, BASE "/gone", n, A_HIT).mean;
	pause_ms(100);
	begin = clock_now();
	MUST(!umount(BASE "/gone"));
	with = clock_now() - begin;
	costs->unmount = ((double)with - without) / n;
	maps_free();
}

static void emit_scale(const char *row, double small, double large, unsigned int n)
{
	char column[64];

	emit("scale", row, "of 1000", small);
	snprintf(column, sizeof(column), "of %u", n);
	emit("scale", row, column, large);
	emit("scale", row, "ratio", large / small);
}

void bench_scale(unsigned int n)
{
	struct costs small, large;

	scale_once(CALLS, &small);
	say("the large map");
	scale_once(n, &large);
	emit_scale("hit", small.hit, large.hit, n);
	emit_scale("insert", small.insert, large.insert, n);
	emit_scale("unmount; beyond that without entries", small.unmount, large.unmount, n);
}
