// SPDX-License-Identifier: GPL-2.0
/*
 * Many tasks at the same inode and the same map: who wins, that nothing is lost, counted twice or
 * seen half-done, and that what a program holds stays until it is done.
 */
#include "harness.h"

#include <linux/membarrier.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "race.skel.h"

#define TASKS		8
/* How long a case goes on with its rounds. */
#define SECONDS		2

/* All of a value follows from its seed: see race.bpf.c, which has the same. */
#define WORDS		125
#define WORD(seed, i)	((seed) * 0x9e3779b97f4a7c15 + (i))

struct value {
	__u64 seed;
	__u64 words[WORDS];
};

static void value_fill(struct value *value, __u64 seed)
{
	value->seed = seed;
	for (unsigned int i = 0; i < WORDS; i++)
		value->words[i] = WORD(seed, i);
}

static void value_check(const struct value *value)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (value->words[i] != WORD(value->seed, i))
			FAIL("word %u of a value is not of its seed %llu", i, value->seed);
}

static int value_set(int map, int fd, __u64 seed)
{
	struct value value;

	value_fill(&value, seed);
	return inode_map_set_fd(map, fd, &value, BPF_ANY, 0);
}

/* Fails unless @err is 0 or one of those that may be. */
static void check_either(const char *what, int err, int allowed, int also_allowed)
{
	if (err && err != -allowed && err != -also_allowed)
		FAIL("%s: %s", what, strerror(-err));
}

/* Tasks in step */

static struct shared {
	unsigned int arrived, generation;
	unsigned int won, lost, rounds;
	unsigned long long total;
	unsigned int winner;
	bool stop;
} *shared;

static unsigned int tasks, processors;
static int maps[20];

static void msleep(unsigned int ms)
{
	usleep(ms * 1000);
}

static void barrier(void)
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
		/* Those who have a processor each start together. */
		if (tasks > processors || i % 1024 == 0)
			sched_yield();
		if (i % 1024 == 0 && now() > end)
			FAIL("another task did not come");
	}
}

static void add(unsigned int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST);
}

struct task {
	unsigned int number;
	void (*run)(unsigned int task);
};

static void task_run(void *arg)
{
	struct task *task = arg;

	task->run(task->number);
}

static void shared_reset(unsigned int nr_tasks)
{
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	memset(shared, 0, sizeof(*shared));
	tasks = nr_tasks;
	processors = sysconf(_SC_NPROCESSORS_ONLN);
}

static void tasks_start(unsigned int nr_tasks, void (*run)(unsigned int task), pid_t *pids)
{
	shared_reset(nr_tasks);
	for (unsigned int i = 0; i < nr_tasks; i++) {
		struct task task = { i, run };

		pids[i] = child_start(task_run, &task);
	}
}

static void tasks_wait(const pid_t *pids)
{
	for (unsigned int i = 0; i < tasks; i++)
		child_wait(pids[i]);
}

/* Run @run in @nr_tasks processes until all return. */
static void parallel(unsigned int nr_tasks, void (*run)(unsigned int task))
{
	pid_t pids[32];

	tasks_start(nr_tasks, run, pids);
	tasks_wait(pids);
}

/* The same, but tell them to stop after a while. */
static void parallel_for(unsigned int seconds, unsigned int nr_tasks,
			 void (*run)(unsigned int task))
{
	pid_t pids[32];

	tasks_start(nr_tasks, run, pids);
	sleep(seconds);
	shared->stop = true;
	tasks_wait(pids);
}

/* One inode in many maps */

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

	/* Updates, deletes and another inode in one map don't show in the others. */
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

	/* Nor does the end of a map. */
	close(maps[0]);
	counts_wait(nr - 1, nr - 1, 1, 1);
	CHECK_EQ(map_get(maps[1], fd), 9);

	/* The end of the file shows in all of them, at once. */
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

/*
 * Between two rounds, one task judges the last one while the others wait. Returns whether there is
 * another round.
 */
static bool next_round(unsigned int task, void (*judge)(void))
{
	static double end;

	barrier();
	if (!task) {
		/* There is one at least, however long the others took to come. */
		if (!end)
			end = now() + SECONDS;
		if (shared->rounds++)
			judge();
		shared->won = shared->lost = 0;
		shared->stop = now() > end;
	}
	barrier();
	return !shared->stop;
}

/* The same inode into the same map: one of them adds it. The addon before it is still going. */

static int file;

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
	/* There is room for one entry only: nobody may take up two at any moment. */
	maps[0] = map_create(4, 4, 1);
	parallel(TASKS, race_any);
	printf("# %u rounds\n", shared->rounds);
	counts_wait(1, 0, 0, 0);
}

/*
 * One entry comes and goes in a map that has room for one. No other inode is there: the map is
 * never full for those who update this one.
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

/* The same inode into a map of each: they share one addon. */

static void judge_nothing(void)
{
}

static void race_maps(unsigned int task)
{
	while (next_round(task, judge_nothing)) {
		/* Others are still deleting the entries of the last round. */
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

/* Likewise, but what they want of the inode changes all the time, until they all want the same. */
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

/* Two processors add the same inode at the same moment: the addon that both make. */

static void run_on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % processors, &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
}

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
 * The last link goes while somebody has the file open, by a name that went before, and adds it
 * again and again. Kernels differ in whether fsnotify is told then that the inode is gone ("fs: make
 * sure to call fsnotify_inoderemove() only once when inode is dead"); after the last close there must
 * be no entry.
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
		/* At any time while the other one is at it. */
		for (volatile unsigned int spin = 0; spin < rounds * 37 % 10000; spin++)
			;
		CHECK_SYS(unlink("g"));
		__atomic_store_n(&unlinked, true, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&step);
		unlinked = false;
		close(file);
		/* Where it was given another mark meanwhile it is a tick of the clock later. */
		if (!wait_until(map_is_empty, &maps[0], 2))
			FAIL("an entry of a removed file, in round %u", rounds);
	}
	last_round = true;
	pthread_barrier_wait(&step);
	pthread_join(thread, NULL);
	printf("# %u rounds, %u updates, %u of them too late\n", rounds, updates, stale);
	counts_wait(1, 0, 0, 0);
}

/* More inodes than the map has room for. */

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

/* Programs */

static struct race *programs;
static struct bpf_link *links[2];

static void programs_load(const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct bpf_program *program[2];

	programs = race__open();
	CHECK(programs);
	programs->bss->pid = getpid();
	for (unsigned int i = 0; i < 2 && names[i]; i++) {
		program[i] = bpf_object__find_program_by_name(programs->obj, names[i]);
		CHECK(program[i]);
		bpf_program__set_autoload(program[i], true);
	}
	CHECK_OK(race__load(programs));
	for (unsigned int i = 0; i < 2 && names[i]; i++) {
		links[i] = bpf_program__attach(program[i]);
		CHECK(links[i]);
	}
}

static void programs_destroy(void)
{
	bpf_link__destroy(links[0]);
	bpf_link__destroy(links[1]);
	race__destroy(programs);
}

/* Make programs run. Others may remove the file. */
static bool open_briefly(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags, 0644);

	if (fd < 0 && errno != ENOENT)
		FAIL("opening %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void check_programs(void)
{
	printf("# %llu hits and %llu misses of programs\n", programs->bss->hits,
	       programs->bss->misses);
	CHECK_EQ(programs->bss->torn, 0);
}

/* A value is the old or the new one, for whoever reads it. */

static void write_and_read(unsigned int task)
{
	int map = maps[0];
	union inode_map_any_key key;
	struct value value;
	int err;

	for (__u64 seed = task; !stopped(); seed += TASKS) {
		switch (task) {
		case 0:
		case 1:
			CHECK_OK(value_set(map, file, seed));
			break;
		case 2:
			value_fill(&value, seed);
			if (bpf_map_get_next_key(map, NULL, &key))
				break;
			err = bpf_map_update_elem(map, &key, &value, BPF_EXIST) ? -errno : 0;
			check_either("updating by handle", err, ENOENT, ENOENT);
			break;
		case 3:
			err = inode_map_get_fd(map, file, &value);
			check_either("looking up", err, ENOENT, ENOENT);
			if (!err)
				value_check(&value);
			break;
		case 4:
			if (bpf_map_get_next_key(map, NULL, &key))
				break;
			err = bpf_map_lookup_elem(map, &key, &value) ? -errno : 0;
			check_either("looking up by handle", err, ENOENT, ENOENT);
			if (!err)
				value_check(&value);
			break;
		case 5:
			check_either("deleting", inode_map_remove_fd(map, file), ENOENT, ENOENT);
			msleep(2);
			break;
		default:
			open_briefly("f", 0);
		}
	}
}

TEST(whole_values)
{
	file = file_create("f");
	maps[0] = map_create(32, sizeof(struct value), 8);
	programs_load("check", "check_sleepable");
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, TASKS, write_and_read);
	check_programs();
	CHECK(programs->bss->hits > 0);
	CHECK_OK(value_set(maps[0], file, 0));
	programs_destroy();
	counts_wait(1, 1, 1, 1);
}

/* While an entry gets new values, it is there for all who look. */

static void update_and_look(unsigned int task)
{
	union inode_map_any_key key, by_handle;
	struct value value;

	CHECK_OK(inode_map_fd_key(maps[0], file, 0, &key));
	CHECK_OK(bpf_map_get_next_key(maps[0], NULL, &by_handle));
	run_on_cpu(task);
	for (__u64 seed = 0; !stopped(); seed++) {
		switch (task) {
		case 0:
			value_fill(&value, seed);
			CHECK_OK(bpf_map_update_elem(maps[0], seed & 1 ? &key : &by_handle, &value,
						      BPF_EXIST));
			break;
		case 1:
			CHECK(open_briefly("f", 0));
			break;
		default:
			CHECK_OK(bpf_map_lookup_elem(maps[0], &key, &value));
			CHECK_OK(bpf_map_lookup_elem(maps[0], &by_handle, &value));
			CHECK_OK(bpf_map_get_next_key(maps[0], NULL, &key));
			CHECK_EQ(key.fd, by_handle.fd);
			CHECK_OK(inode_map_fd_key(maps[0], file, 0, &key));
		}
	}
}

TEST(never_missing)
{
	file = file_create("f");
	maps[0] = map_create(4, sizeof(struct value), 8);
	CHECK_OK(value_set(maps[0], file, 0));
	programs_load("look_often", NULL);
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, 3, update_and_look);
	printf("# %llu hits\n", programs->bss->hits);
	CHECK(programs->bss->hits > 0);
	CHECK_EQ(programs->bss->misses, 0);
	programs_destroy();
}

/* All that can be done to one file and its entry, at the same time. */

static void do_everything(unsigned int task)
{
	union inode_map_any_key key;
	int map = maps[task % 2];
	struct value value;
	int err;

	for (__u64 seed = task; !stopped(); seed += TASKS) {
		switch (task) {
		case 0:
			open_briefly("f", O_CREAT);
			if (unlink("f"))
				CHECK_EQ(errno, ENOENT);
			break;
		case 1:
			open_briefly("g", O_CREAT);
			if (rename("g", "f") || unlink("f"))
				CHECK_EQ(errno, ENOENT);
			break;
		case 2:
		case 3:
			value_fill(&value, seed);
			err = inode_map_set_path(map, "f", &value, BPF_ANY,
						 seed & 8 ? INODE_MAP_WEAK : 0);
			check_either("adding", err, ENOENT, ESTALE);
			break;
		case 4:
			err = inode_map_remove_path(map, "f");
			check_either("deleting", err, ENOENT, ENOENT);
			break;
		case 5:
			err = inode_map_get_path(map, "f", &value);
			check_either("looking up", err, ENOENT, ENOENT);
			if (!err)
				value_check(&value);
			break;
		case 6:
			value_fill(&value, seed);
			if (bpf_map_get_next_key(map, NULL, &key))
				break;
			err = bpf_map_update_elem(map, &key, &value, BPF_ANY) ? -errno : 0;
			check_either("updating by handle", err, ENOENT, ENOENT);
			err = bpf_map_delete_elem(map, &key) ? -errno : 0;
			check_either("deleting by handle", err, ENOENT, ENOENT);
			break;
		default:
			open_briefly("f", 0);
		}
	}
}

TEST(everything_at_once)
{
	for (unsigned int i = 0; i < 2; i++)
		maps[i] = map_create(32, sizeof(struct value), 8);
	programs_load("check", "check_sleepable");
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, TASKS, do_everything);
	check_programs();
	programs_destroy();
	unlink("f");
	/* No file is left: whatever was added last must have gone with it. */
	counts_wait(2, 0, 0, 0);
}

/* An unmount while others add and update entries of the filesystem, by descriptor and by handle. */

#define MOUNT_FILES	10

static void update_mount(unsigned int task)
{
	union inode_map_any_key key, next;
	int fds[MOUNT_FILES];
	char name[16];

	for (unsigned int i = 0; task < 2 && i < MOUNT_FILES; i++) {
		snprintf(name, sizeof(name), "mnt/f%u", i);
		fds[i] = file_open(name, task ? O_PATH : O_RDONLY);
	}
	add(&shared->won);
	while (!stopped()) {
		int err = bpf_map_get_next_key(maps[0], NULL, &next);

		/* These two are what keeps the filesystem busy. */
		for (unsigned int i = 0; task < 2 && i < MOUNT_FILES; i++)
			CHECK_OK(value_set(maps[0], fds[i], i));
		/* These are not, and go on while it is shut down. */
		while (task >= 2 && !err) {
			struct value value;

			key = next;
			value_fill(&value, task);
			err = bpf_map_update_elem(maps[0], &key, &value, BPF_ANY) ? -errno : 0;
			check_either("updating by handle", err, ENOENT, ENOENT);
			err = bpf_map_get_next_key(maps[0], &key, &next);
		}
		if (task < 2 && access("mnt/f0", F_OK)) {
			/* Now unmounted: a few more, and let go of it. */
			for (unsigned int i = 0; i < MOUNT_FILES; i++) {
				CHECK_OK(value_set(maps[0], fds[i], i));
				close(fds[i]);
			}
			return;
		}
	}
}

static bool all_have_opened(void *arg)
{
	(void)arg;
	return __atomic_load_n(&shared->won, __ATOMIC_SEQ_CST) == tasks;
}

TEST(unmount)
{
	double end = now() + SECONDS;
	unsigned int rounds;
	pid_t pids[4];

	maps[0] = map_create(32, sizeof(struct value), 100);
	CHECK_SYS(mkdir("mnt", 0755));
	for (rounds = 0; now() < end; rounds++) {
		CHECK_SYS(mount("mnt", "mnt", "tmpfs", 0, NULL));
		for (unsigned int i = 0; i < MOUNT_FILES; i++) {
			char name[16];

			snprintf(name, sizeof(name), "mnt/f%u", i);
			close(file_create(name));
		}
		tasks_start(4, update_mount, pids);
		CHECK(wait_until(all_have_opened, NULL, 20));
		msleep(rounds % 4 * 10);
		CHECK_SYS(umount2("mnt", MNT_DETACH));
		child_wait(pids[0]);
		child_wait(pids[1]);
		if (!wait_until(map_is_empty, &maps[0], 10))
			FAIL("%u entries are left of a filesystem that is gone",
			     map_count(maps[0]));
		shared->stop = true;
		child_wait(pids[2]);
		child_wait(pids[3]);
	}
	printf("# %u rounds\n", rounds);
	counts_wait(1, 0, 0, 0);
}

/* Programs on all processors count in one value. */

static void open_and_count(unsigned int task)
{
	unsigned long long opened = 0;

	run_on_cpu(task);
	while (!stopped())
		opened += open_briefly("f", 0);
	__atomic_add_fetch(&shared->total, opened, __ATOMIC_SEQ_CST);
}

TEST(counters)
{
	__u64 value = 1000;

	file = file_create("f");
	maps[0] = map_create(32, sizeof(value), 8);
	CHECK_OK(inode_map_set_fd(maps[0], file, &value, BPF_ANY, 0));
	programs_load("count", NULL);
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, 4, open_and_count);
	printf("# %llu counted\n", shared->total);
	CHECK(shared->total > 0);
	CHECK_OK(inode_map_get_fd(maps[0], file, &value));
	CHECK_EQ(value, 1000 + shared->total);
	programs_destroy();
}

/* Maps come and go while programs look inodes up in them. Nothing but luck keeps a map there. */

static void open_on_cpu(unsigned int task)
{
	run_on_cpu(task);
	while (!stopped())
		open_briefly("f", 0);
}

/* Whether programs have seen the file both in the map and not in it. */
static bool both_seen(void)
{
	return programs->bss->hits > 0 && programs->bss->misses > 0;
}

TEST(map_freed)
{
	double least, most;
	unsigned int rounds;
	pid_t pids[2];

	file = file_create("f");
	programs_load("check", "check_sleepable");
	tasks_start(2, open_on_cpu, pids);
	least = now() + SECONDS;
	most = least + 10 * test_slowdown();
	for (rounds = 0; now() < least || (!both_seen() && now() < most); rounds++) {
		int map = map_create(4, sizeof(struct value), 1 + rounds % 100);

		CHECK_OK(value_set(map, file, rounds));
		programs->bss->map_id = map_id_of(map);
		msleep(rounds % 16);
		close(map);
	}
	shared->stop = true;
	tasks_wait(pids);
	printf("# %u rounds\n", rounds);
	check_programs();
	CHECK(both_seen());
	programs_destroy();
	counts_wait(0, 0, 0, 0);
}

/*
 * Who shows an entry is slow, and meanwhile its inode ends. A pipe's is freed at once, and its memory
 * taken for a process's.
 */

static void make_pipes(unsigned int task)
{
	__u64 value = 1;
	int fds[2];

	run_on_cpu(task);
	while (!stopped()) {
		CHECK_SYS(pipe(fds));
		CHECK_OK(inode_map_set_fd(maps[0], fds[0], &value, BPF_ANY, 0));
		close(fds[0]);
		close(fds[1]);
		close(CHECK_SYS(syscall(SYS_pidfd_open, getpid(), 0)));
	}
}

TEST(recycled_inodes)
{
	unsigned int walks = 0, shown = 0;
	struct inode_map_key key;
	double least, most;
	struct stat stat;
	int fds[2];
	pid_t pid;

	CHECK_SYS(pipe(fds));
	CHECK_SYS(fstat(fds[0], &stat));
	maps[0] = map_create(32, sizeof(__u64), 8);
	programs_load("fill_slowly", NULL);
	tasks_start(1, make_pipes, &pid);
	run_on_cpu(1);
	least = now() + SECONDS;
	most = least + 20 * test_slowdown();
	for (; now() < least || (!programs->bss->ended && now() < most); walks++) {
		if (bpf_map_get_next_key(maps[0], NULL, &key))
			continue;
		shown++;
		if (key.dev != minor(stat.st_dev) || key.gen)
			FAIL("a pipe is shown as inode %llu of device %u", key.ino, key.dev);
	}
	shared->stop = true;
	tasks_wait(&pid);
	printf("# %u walks, %u entries, %llu ended meanwhile\n", walks, shown,
	       programs->bss->ended);
	CHECK(programs->bss->ended > 0);
	programs_destroy();
	close(maps[0]);
	counts_wait(0, 0, 0, 0);
}

/* A program has a pointer to a value when the entry goes. It must find it as it was. */

#define CHURN	200

static const char *hold_path;

static void *serve_fault(void *arg)
{
	int uffd = *(int *)arg;
	struct uffd_msg msg;
	struct uffdio_zeropage zero = { };

	CHECK(read(uffd, &msg, sizeof(msg)) == sizeof(msg));
	while (!programs->bss->go)
		msleep(1);
	zero.range.start = (unsigned long)programs->bss->user_page;
	zero.range.len = sysconf(_SC_PAGESIZE);
	CHECK_SYS(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	return NULL;
}

/* A page whose first access makes the task sleep until it may go on, where that can be had. */
static void make_sleepy_page(void)
{
	static struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	long size = sysconf(_SC_PAGESIZE);
	static int uffd;
	pthread_t thread;

	programs->bss->user_page = mmap(NULL, size, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(programs->bss->user_page != MAP_FAILED);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		return;
	range.range.start = (unsigned long)programs->bss->user_page;
	range.range.len = size;
	CHECK_SYS(ioctl(uffd, UFFDIO_API, &api));
	CHECK_SYS(ioctl(uffd, UFFDIO_REGISTER, &range));
	CHECK(!pthread_create(&thread, NULL, serve_fault, &uffd));
}

static void open_held(unsigned int task)
{
	(void)task;
	/* Its copies: the map shall go when this process's parent lets go of it. */
	close(maps[0]);
	make_sleepy_page();
	close(file_open(hold_path, O_RDONLY));
}

static bool is_holding(void *arg)
{
	(void)arg;
	return *(volatile __u32 *)&programs->bss->holding;
}

/*
 * Of two tasks that give an inode its first values the first is held up when fsnotify lets others
 * find the mark, and programs don't see it yet. What the second is told to be there, is there.
 */

static void first_value(unsigned int task)
{
	__u64 value = task;

	CHECK_OK(inode_map_set_fd(maps[0], file, &value, BPF_ANY, 0));
}

/* What calculates the mask, as the compiler has left it. */
static struct bpf_link *attach_hold_mask(void)
{
	struct bpf_link *link;

	link = bpf_program__attach_kprobe(programs->progs.hold_mask, false,
					  "fsnotify_recalc_mask.part.0");
	return link ?: bpf_program__attach_kprobe(programs->progs.hold_mask, false,
						  "fsnotify_recalc_mask");
}

TEST(seen_on_return)
{
	struct bpf_link *link;
	__u64 value = 1;
	pid_t pid;

	/* An inode with a pinned entry, and one with a weak one. */
	FOR_EACH_LIFETIME(flags) {
		file = file_create("f");
		for (unsigned int i = 0; i < 2; i++)
			maps[i] = map_create(32, sizeof(value), 8);
		programs = race__open();
		CHECK(programs);
		programs->bss->pid = getpid();
		bpf_program__set_autoload(programs->progs.hold_mask, true);
		bpf_program__set_autoload(programs->progs.look_once, true);
		CHECK_OK(race__load(programs));
		link = attach_hold_mask();
		CHECK(link);
		links[0] = bpf_program__attach(programs->progs.look_once);
		CHECK(links[0]);
		programs->bss->map_id = map_id_of(maps[1]);
		tasks_start(1, first_value, &pid);
		if (!wait_until(is_holding, NULL, 10))
			FAIL("the first task is not held up");
		CHECK_OK(inode_map_set_fd(maps[1], file, &value, BPF_ANY, flags));
		/* Other files were opened before. */
		programs->bss->misses = 0;
		close(file_open("f", O_RDONLY));
		CHECK(!programs->bss->go);
		programs->bss->go = 1;
		child_wait(pid);
		CHECK_EQ(programs->bss->misses, 0);
		CHECK_EQ(programs->bss->hits, 1);
		CHECK_EQ(map_count(maps[0]) + map_count(maps[1]), 2);
		bpf_link__destroy(link);
		bpf_link__destroy(links[0]);
		race__destroy(programs);
		for (unsigned int i = 0; i < 2; i++)
			close(maps[i]);
		close(file);
		counts_wait(0, 0, 0, 0);
	}
}

static void delete_held(void)
{
	CHECK_OK(inode_map_remove_path(maps[0], hold_path));
}

static void replace_held(void)
{
	CHECK_OK(value_set(maps[0], file, 2));
}

static void unlink_held(void)
{
	/* The program's task has it open, or is about to: the inode stays, its name goes. */
	CHECK_OK(inode_map_remove_path(maps[0], hold_path));
	CHECK_SYS(unlink(hold_path));
}

static void free_map_held(void)
{
	close(maps[0]);
	maps[0] = -1;
}

static void check_held(const char *program, void (*end)(void))
{
	static int churn[CHURN];
	struct counts counts;
	char name[16];
	pid_t pid;

	programs_load(program, NULL);
	maps[0] = map_create(32, sizeof(struct value), 8);
	maps[1] = map_create(32, sizeof(struct value), CHURN);
	hold_path = "f";
	file = file_create("f");
	for (unsigned int i = 0; i < CHURN; i++) {
		snprintf(name, sizeof(name), "churn%u", i);
		churn[i] = file_create(name);
	}
	CHECK_OK(value_set(maps[0], file, 1));
	programs->bss->map_id = map_id_of(maps[0]);
	tasks_start(1, open_held, &pid);
	if (!wait_until(is_holding, NULL, 10))
		FAIL("the program found no entry");

	end();
	/* A worker begins to wait for grace periods a little later. */
	msleep(200);
	/* Ordinary ones pass while a sleepable program runs. */
	if (strstr(program, "sleepable"))
		for (unsigned int i = 0; i < 3; i++)
			CHECK_SYS(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	/* Memory that is free by mistake is taken, and written to. */
	for (unsigned int i = 0; i < CHURN; i++)
		CHECK_OK(value_set(maps[1], churn[i], 2));
	counts_read(&counts);
	CHECK(is_holding(NULL) && !programs->bss->hits && !programs->bss->torn);
	programs->bss->go = 1;
	child_wait(pid);
	if (!programs->bss->hits || programs->bss->torn)
		FAIL("the value changed under the program");
	/* What it looked up then. A map may take longer to go. */
	if (end != free_map_held)
		CHECK_EQ(programs->bss->misses, end != replace_held);
	/* The old entry, and the new one if there is one. */
	if (counts.entries < CHURN + 1 + (end == replace_held))
		FAIL("only %u entries in memory", counts.entries);

	programs_destroy();
	close(maps[0]);
	close(maps[1]);
	for (unsigned int i = 0; i < CHURN; i++)
		close(churn[i]);
	close(file);
	counts_wait(0, 0, 0, 0);
}

TEST(hold_deleted)
{
	check_held("hold_atomic", delete_held);
	check_held("hold_sleepable", delete_held);
}

TEST(hold_replaced)
{
	check_held("hold_atomic", replace_held);
	check_held("hold_sleepable", replace_held);
}

TEST(hold_unlinked)
{
	check_held("hold_atomic", unlink_held);
	check_held("hold_sleepable", unlink_held);
}

TEST(hold_map_freed)
{
	check_held("hold_atomic", free_map_held);
	check_held("hold_sleepable", free_map_held);
}
