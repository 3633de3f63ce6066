// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coverage of the module.
 *
 * KCOV records the addresses in instrumented code that a task comes to. Only the module is
 * instrumented (FUZZ=1). An edge is a pair of addresses that follow each other; an edge that no
 * task has come to before is new. Tables that all tasks share have the addresses and edges. On a
 * kernel without KCOV the module itself records the same, for all tasks together (src/yield.c).
 *
 * Workers are not among the fuzzer's tasks. The module tells KCOV where their work begins and ends
 * (src/yield.h), and the supervisor gets the addresses that they come to in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define KCOV		"/sys/kernel/debug/kcov"
#define WORDS		(1UL << 16)
#define TEXT_MAX	(1UL << 20)
#define EDGES		(1UL << 20)

/* As in src/yield.h. */
#define INODE_MAP_FUZZ_REMOTE	0x66757a7aU

/* The module's own record, on kernels without KCOV: as in src/yield.c. */
#define BEEN		"/sys/kernel/debug/inode_map_been"
#define PAIRS		(1UL << 16)

/* All tasks share this. */
static struct cover {
	unsigned long base;
	unsigned int nr_edges;
	bool usable;
	unsigned char at[TEXT_MAX];	/* by offset in the module's text */
	unsigned char edges[EDGES];
} *cover;

/* Without KCOV: open in the supervisor while the module is loaded. */
static int been_fd = -1;
static long been_offset;

/* KCOV's buffer: the task's own; in the supervisor, that of the workers. */
static unsigned long *words;

static int open_words(void)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		return -1;
	if (ioctl(fd, KCOV_INIT_TRACE, WORDS)) {
		close(fd);
		return -1;
	}
	memory = mmap(NULL, WORDS * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		close(fd);
		return -1;
	}
	words = memory;
	return fd;
}

/* Call in the supervisor, before any other task exists. Returns whether the kernel has KCOV. */
bool cover_begin(void)
{
	struct kcov_remote_arg arg = {
		.trace_mode = KCOV_TRACE_PC, .area_size = WORDS,
		.common_handle = INODE_MAP_FUZZ_REMOTE
	};
	int fd;

	cover = mmap(NULL, sizeof(*cover), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (cover == MAP_FAILED)
		die("no memory");
	fd = open_words();
	if (fd < 0)
		return false;
	/* The descriptor stays open: closing it would end the recording. */
	if (ioctl(fd, KCOV_REMOTE_ENABLE, &arg))
		die("KCOV can't be enabled for workers: %s", strerror(errno));
	cover->usable = true;
	return true;
}

static unsigned long symbol(const char *wanted)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[256], name[128];
	unsigned long address = 0, found;

	while (file && !address && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx %*c %127s", &found, name) == 2 && !strcmp(name, wanted))
			address = found;
	if (!address)
		die("no %s in /proc/kallsyms", wanted);
	fclose(file);
	return address;
}

/* The module has been loaded: find the address of its text. */
void cover_module(void)
{
	FILE *file = fopen("/sys/module/inode_map/sections/.text", "r");

	if (!file || fscanf(file, "%lx", &cover->base) != 1)
		die("where is the module's text?");
	fclose(file);
	been_fd = cover->usable ? -1 : open(BEEN, O_RDONLY | O_CLOEXEC);
	if (been_fd >= 0)
		been_offset = symbol("__sanitizer_cov_trace_pc") - cover->base;
}

/* The module is about to be unloaded. */
void cover_module_end(void)
{
	static unsigned char at[TEXT_MAX];

	if (been_fd < 0)
		return;
	if (pread(been_fd, at, sizeof(at), 0) != sizeof(at))
		die("%s can't be read", BEEN);
	for (unsigned long i = 0; i < TEXT_MAX; i++)
		if (at[i])
			cover->at[(i + been_offset) % TEXT_MAX] = 1;
	close(been_fd);
	been_fd = -1;
}

/* Returns how many pairs are new. */
static unsigned int look_been(void)
{
	static unsigned char pairs[PAIRS];
	unsigned int new = 0;

	if (pread(been_fd, pairs, sizeof(pairs), TEXT_MAX) != sizeof(pairs))
		die("%s can't be read", BEEN);
	for (unsigned long i = 0; i < PAIRS; i++) {
		if (pairs[i] && !cover->edges[i]) {
			cover->edges[i] = 1;
			new++;
		}
	}
	return new;
}

/* Call in each task. KCOV stays enabled without the descriptor. */
void cover_task_begin(void)
{
	int fd;

	/* Only the supervisor reads it. */
	been_fd = -1;
	if (!cover->usable)
		return;
	fd = open_words();
	if (fd < 0 || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("KCOV can't be enabled: %s", strerror(errno));
	close(fd);
}

void cover_start(void)
{
	if (words)
		__atomic_store_n(words, 0, __ATOMIC_RELAXED);
}

/* Add the recorded addresses to the tables. Returns how many edges are new. */
static unsigned int look(void)
{
	unsigned long nr = __atomic_load_n(words, __ATOMIC_RELAXED), last = 0;
	unsigned int new = 0;

	for (unsigned long i = 1; i <= nr && i < WORDS; i++) {
		unsigned long at = words[i] - cover->base, edge;

		if (at >= TEXT_MAX)
			continue;
		if (!cover->at[at])
			cover->at[at] = 1;
		edge = (last * 0x9e3779b97f4a7c15UL ^ at * 0xc2b2ae3d27d4eb4fUL) >> 44;
		last = at;
		if (!cover->edges[edge] &&
		    !__atomic_exchange_n(&cover->edges[edge], 1, __ATOMIC_RELAXED))
			new++;
	}
	return new;
}

unsigned int cover_stop(void)
{
	unsigned int new = 0;

	if (words)
		new = look();
	else if (been_fd >= 0)
		new = look_been();
	__atomic_add_fetch(&cover->nr_edges, new, __ATOMIC_RELAXED);
	return new;
}

unsigned int cover_edges(void)
{
	return __atomic_load_n(&cover->nr_edges, __ATOMIC_RELAXED);
}

/* For scripts/fuzz: the offsets in the module's text that were reached. */
void cover_print(void)
{
	for (unsigned long at = 0; at < TEXT_MAX; at++)
		if (cover->at[at])
			printf("at %lx\n", at);
}
