// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's memory for entries.
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

/* Bytes in use of all slab caches. */
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

/* What the cgroup is charged of a kind. */
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
	/* The counters of a cgroup are summed up every other second. */
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

/* Insert files by names, which is how they come into memory where they are not. */
static void memory_insert(enum column column, const char *dir)
{
	column_map_make(column, MEMORY_ENTRIES);
	for (unsigned int i = 0; i < MEMORY_ENTRIES; i++) {
		int fd = file_open(file_path(dir, i));

		/* What stands for a pointer must not repeat itself. */
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
		/* Deletes what inode storage has for inodes, too. */
		pause_ms(2000);
	}
}

/*
 * With the inodes: on ext4, whose inodes are evicted when caches are dropped, unless an entry keeps
 * them.
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
