// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps and inodes end while programs delete their entries.
 */
#include "context.h"

static void delete_entries(void)
{
	run_on("delete_entries", programs->bss->map_id);
}

static bool deleted_both_ways(void)
{
	return get(&programs->bss->deletes.ok) && get(&programs->bss->others.ok);
}

/* In half of the rounds, give the programs time between the beginning and the end. */
static void give_way(unsigned int round)
{
	if (round % 2)
		usleep(round % 10 * 100);
}

/* Repeat @end while programs delete. */
static void check_end(void (*end)(unsigned int round))
{
	double least = now() + SECONDS, most = now() + 20 * test_slowdown();
	unsigned int rounds = 0;
	struct thread thread;

	LOAD("delete_entries", "delete_on_sample");
	attach_samples("delete_on_sample", 500);
	thread_start(&thread, 1, delete_entries);
	run_on_cpu(0);
	while (now() < least || (!deleted_both_ways() && now() < most))
		end(rounds++);
	threads_stop(&thread, 1);
	printf("# %u rounds\n", rounds);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
	CHECK(deleted_both_ways());
}

static void free_map(unsigned int round)
{
	int freed = map_create(32, sizeof(struct value), 8);

	programs->bss->map_id = map_id_of(freed);
	set(freed, dir, round);
	set(freed, file, round);
	give_way(round);
	close(freed);
}

TEST(freed_meanwhile)
{
	setup();
	check_end(free_map);
	counts_wait(1, 0, 0, 0);
}

/* Pinned and weak entries, in turn. */
static void put_in_turn(int fd, unsigned int round)
{
	struct value value = { .tag = round, .copy = round };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, round % 2 ? INODE_MAP_WEAK : 0));
}

static void unlink_file(unsigned int round)
{
	int fd = file_create("u");

	put_in_turn(fd, round);
	close(fd);
	give_way(round / 2);
	CHECK_SYS(unlink("u"));
	CHECK_EQ(map_count(map), 0);
}

TEST(unlinked_meanwhile)
{
	setup();
	check_end(unlink_file);
	CHECK_EQ(programs->bss->deletes.dead, 0);
	counts_wait(1, 0, 0, 0);
}

static void unmount(unsigned int round)
{
	int fd;

	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	for (unsigned int i = 0; i < 4; i++) {
		char path[] = { 'm', '/', 'a' + i, 0 };

		fd = file_create(path);
		put_in_turn(fd, round + i);
		close(fd);
	}
	give_way(round);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
}

TEST(unmounted_meanwhile)
{
	setup();
	CHECK_SYS(mkdir("m", 0755));
	check_end(unmount);
	CHECK_EQ(programs->bss->deletes.dead, 0);
	counts_wait(1, 0, 0, 0);
}

/*
 * A task that deletes from one map is held up after it has put the entry where the worker finds it,
 * and before it wakes the worker. The end of another map, whose entry was queued behind that one,
 * does not wait for the task, and wakes the worker.
 */

static void delete_held(void)
{
	attach_breakpoint("hold_irq_work", "irq_work_queue");
	programs->bss->held_tid = gettid();
	run_on("delete_entries", map_id_of(map));
	stop = true;
}

static bool is_holding(void *unused)
{
	(void)unused;
	return programs->bss->holding;
}

static bool has_unlinked(void *unused)
{
	(void)unused;
	return get(&programs->bss->unlinked) == 2;
}

/* Keep workers off the held-up task's processor: woken there, a worker would be held up, too. */
#define WORKERS_CPUS	"/sys/devices/virtual/workqueue/cpumask"

TEST(freed_while_another_is_held_up)
{
	struct thread thread;
	char cpus[256];
	int other;

	file_read(WORKERS_CPUS, cpus, sizeof(cpus));
	file_write(WORKERS_CPUS, "1");
	setup();
	other = map_create(32, sizeof(struct value), 8);
	set(map, dir, 1);
	set(other, file, 2);
	LOAD("delete_entries", "hold_irq_work", "on_unlink_ended");
	attach("on_unlink_ended");
	run_on_cpu(0);
	thread_start(&thread, 1, delete_held);
	CHECK(wait_until(is_holding, NULL, 10));
	run_on("delete_entries", map_id_of(other));
	CHECK_EQ(programs->bss->deletes.ok, 1);
	CHECK_EQ(programs->bss->unlinked, 0);
	close(other);
	if (!wait_until(has_unlinked, NULL, 10))
		FAIL("the map's end waits, or the worker is not told");
	CHECK_EQ(programs->bss->released, 0);
	programs->bss->go = 1;
	threads_stop(&thread, 1);
	file_write(WORKERS_CPUS, cpus);
	CHECK_EQ(programs->bss->released, 1);
	CHECK_EQ(programs->bss->deletes.ok, 2);
	counts_wait(1, 0, 0, 0);
}
