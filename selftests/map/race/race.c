// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many tasks work on the same inode and the same map: one of them wins, nothing is lost, counted
 * twice or seen half-done, and what a program holds stays until the program ends.
 *
 * This file has values, tasks in step, and one inode in many maps. first.c adds the same inode in
 * several tasks at the same time; programs.c runs all other operations and programs at once; hold.c
 * holds up a task in the middle.
 */
#include <sched.h>
#include <sys/mman.h>

#include "race.h"

void value_fill(struct value *value, __u64 seed)
{
	value->seed = seed;
	for (unsigned int i = 0; i < WORDS; i++)
		value->words[i] = WORD(seed, i);
}

void value_check(const struct value *value)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (value->words[i] != WORD(value->seed, i))
			FAIL("word %u of a value is not of its seed %llu", i, value->seed);
}

int value_set(int map, int fd, __u64 seed)
{
	struct value value;

	value_fill(&value, seed);
	return inode_map_set_fd(map, fd, &value, BPF_ANY, 0);
}

/* Fails the case unless @err is 0 or one of the two allowed errors. */
void check_either(const char *what, int err, int allowed, int also_allowed)
{
	if (err && err != -allowed && err != -also_allowed)
		FAIL("%s: %s", what, strerror(-err));
}

/* Tasks in step */

struct shared *shared;

unsigned int tasks;
static unsigned int processors;
int maps[20];
int file;

void msleep(unsigned int ms)
{
	usleep(ms * 1000);
}

void barrier(void)
{
	unsigned int generation = __atomic_load_n(&shared->generation, __ATOMIC_SEQ_CST);
	double end = now() + 20 * test_slowdown();

	if (__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_SEQ_CST) == tasks) {
		__atomic_store_n(&shared->arrived, 0, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&shared->generation, 1, __ATOMIC_SEQ_CST);
		return;
	}
	for (unsigned int i = 1; __atomic_load_n(&shared->generation, __ATOMIC_SEQ_CST) ==
				 generation; i++) {
		/* Spin if each task has a processor, so that all start together. */
		if (tasks > processors || i % 1024 == 0)
			sched_yield();
		if (i % 1024 == 0 && now() > end)
			FAIL("another task did not come");
	}
}

void add(unsigned int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST);
}

static void task_run(void *arg)
{
	struct task *task = arg;

	task->run(task->number);
}

void shared_reset(unsigned int nr_tasks)
{
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	memset(shared, 0, sizeof(*shared));
	tasks = nr_tasks;
	processors = sysconf(_SC_NPROCESSORS_ONLN);
}

void tasks_start(unsigned int nr_tasks, void (*run)(unsigned int task), pid_t *pids)
{
	shared_reset(nr_tasks);
	for (unsigned int i = 0; i < nr_tasks; i++) {
		struct task task = { i, run };

		pids[i] = child_start(task_run, &task);
	}
}

void tasks_wait(const pid_t *pids)
{
	for (unsigned int i = 0; i < tasks; i++)
		child_wait(pids[i]);
}

/* Run @run in @nr_tasks processes until all return. */
void parallel(unsigned int nr_tasks, void (*run)(unsigned int task))
{
	pid_t pids[32];

	tasks_start(nr_tasks, run, pids);
	tasks_wait(pids);
}

/* The same, but tell the tasks to stop after @seconds. */
void parallel_for(unsigned int seconds, unsigned int nr_tasks,
		  void (*run)(unsigned int task))
{
	pid_t pids[32];

	tasks_start(nr_tasks, run, pids);
	sleep(seconds);
	shared->stop = true;
	tasks_wait(pids);
}

static void check_many_maps(unsigned int nr)
{
	int fd = file_create("f"), other = file_create("g");

	for (unsigned int i = 0; i < nr; i++) {
		maps[i] = map_create(i % 2 ? 4 : 32, 4, 8);
		CHECK_OK(map_set(maps[i], fd, 100 + i));
	}
	counts_wait(nr, nr, 1, 1);
	for (unsigned int i = 0; i < nr; i++)
		CHECK_EQ(map_get(maps[i], fd), 100 + i);

	/* Updates, deletes and another inode in one map do not affect the other maps. */
	CHECK_OK(map_set(maps[0], fd, 7));
	CHECK_OK(map_set(maps[0], other, 8));
	CHECK_OK(inode_map_remove_fd(maps[1], fd));
	for (unsigned int i = 2; i < nr; i++) {
		CHECK_EQ(map_get(maps[i], fd), 100 + i);
		CHECK_EQ(map_count(maps[i]), 1);
	}
	CHECK_EQ(map_get(maps[0], fd), 7);
	CHECK(!map_has(maps[1], fd));
	counts_wait(nr, nr, 2, 2);
	CHECK_OK(map_set(maps[1], fd, 9));

	/* Freeing a map does not either. */
	close(maps[0]);
	counts_wait(nr - 1, nr - 1, 1, 1);
	CHECK_EQ(map_get(maps[1], fd), 9);

	/* When the file ends, its entries disappear from all maps at once. */
	close(fd);
	CHECK_SYS(unlink("f"));
	for (unsigned int i = 1; i < nr; i++)
		CHECK_EQ(map_count(maps[i]), 0);
	counts_wait(nr - 1, 0, 0, 0);
}

TEST(inode_in_2_maps)
{
	check_many_maps(2);
}

TEST(inode_in_20_maps)
{
	check_many_maps(20);
}
