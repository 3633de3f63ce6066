// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables grow: a map that may have many entries starts with few buckets, and no reader misses an
 * entry while the table grows.
 */
#include "harness.h"

#include "grow.h"
#include "grow.skel.h"

/* Enough for a table to grow several times: see src/hash.c. */
#define ENTRIES		3000

/* For a map that grows while others look for the FEW_STABLE entries that are always there. */
#define FEW_ENTRIES	600
#define FEW_STABLE	24
#define READERS		2
#define SECONDS		6

static struct grow *programs;

static int file_number(unsigned int i)
{
	char name[16];

	snprintf(name, sizeof(name), "f%u", i);
	return file_open(name, O_RDWR | O_CREAT);
}

static void programs_load(const char *const *names, unsigned int nr)
{
	programs = grow__open();
	CHECK(programs);
	for (unsigned int i = 0; i < nr; i++)
		want_program(programs->obj, names[i]);
	CHECK_SYS(grow__load(programs));
	programs->bss->pid = getpid();
	CHECK_SYS(grow__attach(programs));
}

static void insert(int map, unsigned int i)
{
	int fd = file_number(i);

	CHECK_OK(map_set(map, fd, i));
	close(fd);
}

static void check_all(int map, unsigned int nr)
{
	CHECK_EQ(map_count(map), nr);
	for (unsigned int i = 0; i < nr; i++) {
		int fd = file_number(i);

		CHECK_EQ(map_get(map, fd), i);
		close(fd);
	}
}

/* At each step, by programs that run where the map moves entries. */
TEST(found_at_every_step)
{
	static const char *const names[] = { "at_bucket", "before_entry", "between", "learn" };
	int map = map_create(32, 4, ENTRIES);

	programs_load(names, ARRAY_SIZE(names));
	programs->bss->map_id = map_id_of(map);
	for (unsigned int i = 0; i < ENTRIES / 4; i++) {
		insert(map, i);
		/* The file opened last is this one. */
		programs->bss->nr_inodes = i < STABLE ? i + 1 : STABLE;
	}
	printf("# %llu steps, %llu hits\n", programs->bss->steps, programs->bss->hits);
	CHECK(programs->bss->steps > ENTRIES / 4);
	CHECK(programs->bss->hits > 0);
	CHECK_EQ(programs->bss->misses, 0);
	check_all(map, ENTRIES / 4);
	grow__destroy(programs);
	close(map);
}

/* Files 0 to FEW_STABLE - 1 have entries as long as the map exists. */
static void run_reader(void *map)
{
	unsigned int value;

	for (unsigned int i = 0; ; i = (i + 1) % FEW_STABLE) {
		int fd = file_number(i);

		CHECK_OK(inode_map_get_fd(*(int *)map, fd, &value));
		CHECK_EQ(value, i);
		close(fd);
		if (!i)
			CHECK(map_count(*(int *)map) >= FEW_STABLE);
	}
}

/* The other entries come and go, in buckets that are being moved, too. */
static void run_deleter(void *map)
{
	for (unsigned int i = FEW_STABLE; ; i = i < FEW_ENTRIES ? i + 1 : FEW_STABLE) {
		int fd = file_number(i);

		inode_map_remove_fd(*(int *)map, fd);
		close(fd);
	}
}

static void grow_once(int map)
{
	pid_t pids[READERS + 1];

	for (unsigned int i = 0; i < FEW_STABLE; i++)
		insert(map, i);
	for (unsigned int i = 0; i <= READERS; i++)
		pids[i] = child_start(i ? run_reader : run_deleter, &map);
	programs->bss->not_pid = pids[0];
	programs->bss->map_id = map_id_of(map);
	for (unsigned int i = FEW_STABLE; i < FEW_ENTRIES; i++)
		insert(map, i);
	programs->bss->map_id = 0;
	for (unsigned int i = 0; i <= READERS; i++)
		child_kill(pids[i]);
}

/* By programs in other tasks, through bpf(2), and by walks. */
TEST(found_by_others)
{
	static const char *const names[] = { "look_often", "slow_down" };
	double end = now() + SECONDS;
	unsigned int rounds = 0;

	programs_load(names, ARRAY_SIZE(names));
	do {
		int map = map_create(32, 4, FEW_ENTRIES);

		grow_once(map);
		close(map);
		rounds++;
	} while (now() < end);
	printf("# %u maps, %llu hits\n", rounds, programs->bss->hits);
	CHECK(programs->bss->hits > 0);
	CHECK_EQ(programs->bss->misses, 0);
	grow__destroy(programs);
}

/* A map holds exactly max_entries, however small it started. */
TEST(max_entries)
{
	int map = map_create(32, 4, ENTRIES), fd;

	for (unsigned int i = 0; i < ENTRIES; i++)
		insert(map, i);
	fd = file_number(ENTRIES);
	CHECK_ERR(map_set(map, fd, 1), E2BIG);
	check_all(map, ENTRIES);
	close(fd);
	close(map);
}

/* Free a map while its entries are being moved. */
TEST(freed_while_it_grows)
{
	for (unsigned int nr = 30; nr < 300; nr += 3) {
		int map = map_create(32, 4, ENTRIES);

		for (unsigned int i = 0; i < nr; i++)
			insert(map, i);
		close(map);
	}
	counts_wait(0, 0, 0, 0);
}
