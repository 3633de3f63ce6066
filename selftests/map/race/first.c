// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who comes first: tasks add the same inode to one map or to several, compete for a map's last
 * room, and add an inode while its last link goes.
 */
#include <pthread.h>

#include "race.h"

/*
 * Between two rounds, task 0 judges the last round while the others wait. Returns whether there is
 * another round.
 */
static bool next_round(unsigned int task, void (*judge)(void))
{
	static double end;

	barrier();
	if (!task) {
		/* There is at least one round, however late the other tasks arrive. */
		if (!end)
			end = now() + SECONDS;
		if (shared->rounds++)
			judge();
		shared->won = 0;
		shared->lost = 0;
		shared->stop = now() > end;
	}
	barrier();
	return !shared->stop;
}

/* Add the same inode to the same map: one task wins. The previous round's addon is still going. */

static void judge_noexist(void)
{
	CHECK_EQ(shared->won, 1);
	CHECK_EQ(shared->lost, TASKS - 1);
	CHECK_EQ(map_count(maps[0]), 1);
	CHECK_EQ(map_get(maps[0], file), shared->winner);
	CHECK_OK(inode_map_remove_fd(maps[0], file));
}

static void race_noexist(unsigned int task)
{
	while (next_round(task, judge_noexist)) {
		unsigned int value = shared->rounds * TASKS + task;
		int err = inode_map_set_fd(maps[0], file, &value, BPF_NOEXIST, 0);

		check_either("adding an inode", err, EEXIST, EEXIST);
		if (!err)
			shared->winner = value;
		add(err ? &shared->lost : &shared->won);
	}
}

TEST(one_winner)
{
	file = file_create("f");
	maps[0] = map_create(32, 4, 8);
	parallel(TASKS, race_noexist);
	printf("# %u rounds\n", shared->rounds);
	counts_wait(1, 0, 0, 0);
}

static void judge_any(void)
{
	unsigned int value = map_get(maps[0], file);

	CHECK_EQ(shared->won, TASKS);
	CHECK_EQ(map_count(maps[0]), 1);
	if (value / TASKS != shared->rounds - 1)
		FAIL("a value of round %u, not %u", value / TASKS, shared->rounds - 1);
	CHECK_OK(inode_map_remove_fd(maps[0], file));
}

static void race_any(unsigned int task)
{
	while (next_round(task, judge_any)) {
		CHECK_OK(map_set(maps[0], file, shared->rounds * TASKS + task));
		add(&shared->won);
	}
}

TEST(all_win)
{
	file = file_create("f");
	/* The map has room for one entry: no task may take up two at any moment. */
	maps[0] = map_create(4, 4, 1);
	parallel(TASKS, race_any);
	printf("# %u rounds\n", shared->rounds);
	counts_wait(1, 0, 0, 0);
}

/*
 * One entry comes and goes in a map with room for one. As there is no other inode, the map is never
 * full for the tasks that update this one.
 */
static void update_last_room(unsigned int task)
{
	union inode_map_any_key key;

	CHECK_OK(inode_map_fd_key(maps[0], file, 0, &key));
	while (!stopped()) {
		CHECK_OK(bpf_map_update_elem(maps[0], &key, &task, BPF_ANY));
		if (bpf_map_delete_elem(maps[0], &key))
			CHECK_EQ(errno, ENOENT);
	}
}

TEST(last_room)
{
	file = file_create("f");
	maps[0] = map_create(32, 4, 1);
	parallel_for(2, TASKS, update_last_room);
}

/* Each task adds the same inode to a map of its own: the maps share one addon. */

static void judge_nothing(void)
{
}

static void race_maps(unsigned int task)
{
	while (next_round(task, judge_nothing)) {
		/* Other tasks may still be deleting their entries of the last round. */
		for (unsigned int i = 0; i < 4; i++) {
			unsigned int value = shared->rounds;

			CHECK_OK(inode_map_set_fd(maps[task], file, &value, BPF_NOEXIST, 0));
			CHECK_EQ(map_get(maps[task], file), shared->rounds);
			CHECK_OK(inode_map_remove_fd(maps[task], file));
		}
		CHECK_OK(map_set(maps[task], file, shared->rounds * TASKS + task));
		barrier();
		for (unsigned int i = 0; i < TASKS; i++)
			CHECK_EQ(map_get(maps[i], file), shared->rounds * TASKS + i);
		if (!task && shared->rounds % 32 == 0)
			counts_wait(TASKS, TASKS, 1, 1);
		barrier();
		CHECK_OK(inode_map_remove_fd(maps[task], file));
	}
	CHECK_OK(map_set(maps[task], file, 0));
}

TEST(one_addon)
{
	file = file_create("f");
	for (unsigned int i = 0; i < TASKS; i++)
		maps[i] = map_create(32, 4, 8);
	parallel(TASKS, race_maps);
	printf("# %u rounds\n", shared->rounds);
	counts_wait(TASKS, TASKS, 1, 1);
}

/* Likewise, but the lifetime that they ask for changes all the time, until all ask for the same. */
static void race_lifetimes(unsigned int task)
{
	unsigned int value = 0;
	__u32 flags;

	while (next_round(task, judge_nothing)) {
		for (unsigned int i = 0; i < 8; i++) {
			flags = (i / 2 + task) % 2 ? INODE_MAP_WEAK : 0;
			CHECK_OK(inode_map_set_fd(maps[task], file, &value, BPF_ANY, flags));
			if (i == 3)
				CHECK_OK(inode_map_remove_fd(maps[task], file));
		}
		flags = shared->rounds % 2 ? INODE_MAP_WEAK : 0;
		CHECK_OK(inode_map_set_fd(maps[task], file, &value, BPF_ANY, flags));
		barrier();
		if (!task && shared->rounds % 32 < 2)
			counts_wait(TASKS, TASKS, 1, !flags);
		barrier();
	}
}

TEST(one_pin)
{
	file = file_create("f");
	for (unsigned int i = 0; i < TASKS; i++)
		maps[i] = map_create(32, 4, 8);
	parallel(TASKS, race_lifetimes);
	printf("# %u rounds\n", shared->rounds);
	for (unsigned int i = 0; i < TASKS; i++)
		CHECK_OK(inode_map_remove_fd(maps[i], file));
	counts_wait(TASKS, 0, 0, 0);
}

/* Two processors add the same inode at the same moment: both make an addon. */

static void race_addon(unsigned int task)
{
	union inode_map_any_key key;

	run_on_cpu(task);
	CHECK_OK(inode_map_fd_key(maps[task], file, 0, &key));
	while (next_round(task, judge_nothing)) {
		for (unsigned int i = 0; i < 8; i++) {
			barrier();
			CHECK_OK(bpf_map_update_elem(maps[task], &key, &i, BPF_NOEXIST));
			barrier();
			CHECK_OK(bpf_map_delete_elem(maps[task], &key));
		}
	}
}

TEST(same_moment)
{
	file = file_create("f");
	for (unsigned int i = 0; i < 2; i++)
		maps[i] = map_create(4, 4, 8);
	parallel(2, race_addon);
	printf("# %u rounds\n", shared->rounds);
	counts_wait(2, 0, 0, 0);
}

/*
 * The last link goes while a task has the file open, by a name removed earlier, and adds it again
 * and again. Kernels differ in whether they then tell fsnotify that the inode is gone ("fs: make
 * sure to call fsnotify_inoderemove() only once when inode is dead"); after the last close there
 * must be no entry.
 */

static pthread_barrier_t step;
static bool last_round, unlinked;
static unsigned int updates, stale;

static void *update_open(void *unused)
{
	(void)unused;
	run_on_cpu(1);
	for (;;) {
		pthread_barrier_wait(&step);
		if (last_round)
			return NULL;
		do {
			int err = value_set(maps[0], file, updates++);

			check_either("adding", err, ESTALE, ESTALE);
			stale += !!err;
		} while (!__atomic_load_n(&unlinked, __ATOMIC_SEQ_CST));
		pthread_barrier_wait(&step);
	}
}

TEST(last_link)
{
	double end = now() + SECONDS;
	unsigned int rounds;
	pthread_t thread;

	maps[0] = map_create(32, sizeof(struct value), 8);
	shared_reset(2);
	CHECK(!pthread_barrier_init(&step, NULL, 2));
	CHECK(!pthread_create(&thread, NULL, update_open, NULL));
	run_on_cpu(0);
	for (rounds = 0; now() < end; rounds++) {
		file = file_create("f");
		CHECK_SYS(link("f", "g"));
		CHECK_SYS(unlink("f"));
		pthread_barrier_wait(&step);
		/* Unlink at a varying moment while the other thread updates. */
		for (volatile unsigned int spin = 0; spin < rounds * 37 % 10000; spin++)
			;
		CHECK_SYS(unlink("g"));
		__atomic_store_n(&unlinked, true, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&step);
		unlinked = false;
		close(file);
		/* If the inode got another mark meanwhile, the entry goes a tick later. */
		if (!wait_until(map_is_empty, &maps[0], 2))
			FAIL("an entry of a removed file, in round %u", rounds);
	}
	last_round = true;
	pthread_barrier_wait(&step);
	pthread_join(thread, NULL);
	printf("# %u rounds, %u updates, %u of them too late\n", rounds, updates, stale);
	counts_wait(1, 0, 0, 0);
}

/* Add more inodes than the map has room for. */

#define ROOM	20
#define EACH	8

static int files[TASKS][EACH];

static void judge_full(void)
{
	union inode_map_any_key key;

	CHECK_EQ(shared->won, ROOM);
	CHECK_EQ(shared->lost, TASKS * EACH - ROOM);
	CHECK_EQ(map_count(maps[0]), ROOM);
	while (!bpf_map_get_next_key(maps[0], NULL, &key))
		CHECK_OK(bpf_map_delete_elem(maps[0], &key));
}

static void race_full(unsigned int task)
{
	while (next_round(task, judge_full)) {
		for (unsigned int i = 0; i < EACH; i++) {
			int err = map_set(maps[0], files[task][i], task);

			check_either("adding an inode", err, E2BIG, E2BIG);
			add(err ? &shared->lost : &shared->won);
		}
	}
}

TEST(max_entries)
{
	maps[0] = map_create(4, 4, ROOM);
	for (unsigned int i = 0; i < TASKS * EACH; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		files[i / EACH][i % EACH] = file_create(name);
	}
	parallel(TASKS, race_full);
	printf("# %u rounds\n", shared->rounds);
	counts_wait(1, 0, 0, 0);
}
