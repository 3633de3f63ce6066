// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures how much memory the kernel takes for an entry. bench.c calls this. It prints the table
 * "memory", and needs /proc/slabinfo, our memory cgroup and mkfs.ext4.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common.h"

#define SLABS_MAX	1000

struct slab {
	char name[64];
	double bytes;
};

static struct slab slabs[SLABS_MAX];

/* Show which caches have grown since the last time, to explain the memory. */
static void say_growth(struct slab *slab, const char *name, double bytes)
{
	double growth = bytes - slab->bytes;

	if (!strcmp(slab->name, name) && growth >= MEMORY_ENTRIES)
		printf("# %s: %.1f bytes for each of %u\n", name, growth / MEMORY_ENTRIES,
		       MEMORY_ENTRIES);
	snprintf(slab->name, sizeof(slab->name), "%s", name);
	slab->bytes = bytes;
}

/* The bytes of all objects in use, in all slab caches. */
static double slab_bytes(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned int n = 0;
	char line[512];
	double sum = 0;

	MUST(file);
	while (fgets(line, sizeof(line), file) && n < SLABS_MAX) {
		unsigned long objects, all, size;
		char name[64];

		if (sscanf(line, "%63s %lu %lu %lu", name, &objects, &all, &size) != 4)
			continue;
		say_growth(&slabs[n], name, (double)objects * size);
		sum += slabs[n++].bytes;
	}
	fclose(file);
	return sum;
}

/* The bytes that our cgroup is charged under this name in memory.stat. */
static double charged(const char *name)
{
	FILE *file = fopen(CGROUP "/memory.stat", "r");
	char found[64];
	double bytes;

	MUST(file);
	while (fscanf(file, "%63s %lf", found, &bytes) == 2)
		if (!strcmp(found, name)) {
			fclose(file);
			return bytes;
		}
	die("memory.stat does not have %s", name);
}

/* The kernel's memory: all slabs, and the whole pages that our cgroup is charged for. */
double memory_now(void)
{
	/* The kernel sums a cgroup's counters up every two seconds. */
	pause_ms(5000);
	return slab_bytes() + charged("kernel") - charged("slab");
}

static void drop_caches(void)
{
	sync();
	for (unsigned int i = 0; i < 3; i++) {
		write_to("/proc/sys/vm/drop_caches", "2\n");
		pause_ms(500);
	}
}

/* Insert files by name. Opening a file brings its inode into memory if it is not there. */
static void memory_insert(enum column column, const char *dir)
{
	column_map_make(column, MEMORY_ENTRIES);
	for (unsigned int i = 0; i < MEMORY_ENTRIES; i++) {
		int fd = file_open(file_path(dir, i));

		/* The number that stands for a pointer must be another one each time. */
		MUST(!call(BPF_MAP_UPDATE_ELEM, column, column == BY_POINTER ? (int)i : fd,
			   BPF_NOEXIST));
		close(fd);
	}
}

void bench_memory(void)
{
	for (enum column column = 0; column < EMPTY; column++) {
		double before = memory_now();

		memory_insert(column, BASE "/in");
		emit("memory", "bytes per entry; inode excluded", column_names[column],
		     (memory_now() - before) / MEMORY_ENTRIES);
		close(maps[column]);
		settle(0, 0);
		/* Inode storage has no counters: give it time to delete its entries. */
		pause_ms(2000);
	}
}

/*
 * Include the inodes in the figure. On ext4, dropping caches evicts all inodes that no entry keeps
 * in memory.
 */
void bench_memory_pinned(void)
{
	double before;

	shell("modprobe -q ext4; truncate -s 128M " BASE "/image && "
	      "mkfs.ext4 -q -N 20000 " BASE "/image && mkdir " BASE "/ext4 && "
	      "mount -o loop " BASE "/image " BASE "/ext4");
	files_create(BASE "/ext4", MEMORY_ENTRIES);
	drop_caches();
	before = memory_now();
	memory_insert(INODE_MAP, BASE "/ext4");
	drop_caches();
	emit("memory", "bytes per entry; inode included", column_names[INODE_MAP],
	     (memory_now() - before) / MEMORY_ENTRIES);
	close(maps[INODE_MAP]);
	MUST(!umount(BASE "/ext4"));
	settle(0, 0);
}
