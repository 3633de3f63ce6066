// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold up a task in the middle of an operation: one that shows an entry whose inode ends, one that
 * gives an inode its first value, and a program that points to a value whose entry goes.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "sleepy.h"
#include "race.h"

/*
 * A task that shows an entry is slow, and meanwhile its inode ends. The kernel frees a pipe's inode
 * at once and reuses its memory for a pidfd's.
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

/* A program has a pointer to a value when the entry goes. The value must not change. */

#define CHURN	200

static const char *hold_path;

static void *wake_when_told(void *unused)
{
	(void)unused;
	while (!programs->bss->go)
		msleep(1);
	sleepy_page_wake();
	return NULL;
}

/* Make a page whose first access sleeps until the program may go on, if that is supported. */
static void make_sleepy_page(void)
{
	pthread_t thread;
	bool sleeps = sleepy_page_make();

	programs->bss->user_page = sleepy_address;
	if (sleeps)
		CHECK(!pthread_create(&thread, NULL, wake_when_told, NULL));
}

static void open_held(unsigned int task)
{
	(void)task;
	/* Close the inherited copy: the map must go when the parent closes it. */
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
 * Two tasks give an inode its first values. The first is held up when other tasks can find its mark
 * through fsnotify, but programs can't yet. Once the second update returns, programs must see it.
 */

static void first_value(unsigned int task)
{
	__u64 value = task;

	CHECK_OK(inode_map_set_fd(maps[0], file, &value, BPF_ANY, 0));
}

/* Attach to the function that calculates the mask, under the name that the compiler gave it. */
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

	/* The second entry is pinned, then weak. */
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
		links[0] = attach_program(programs->progs.look_once);
		programs->bss->map_id = map_id_of(maps[1]);
		tasks_start(1, first_value, &pid);
		if (!wait_until(is_holding, NULL, 10))
			FAIL("the first task is not held up");
		CHECK_OK(inode_map_set_fd(maps[1], file, &value, BPF_ANY, flags));
		/* Opening other files has counted before. */
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
	/* The program's task has the file open, or is about to: only the name goes. */
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
	/* The worker starts to wait for grace periods a little later. */
	msleep(200);
	/* Ordinary grace periods end while a sleepable program runs. */
	if (strstr(program, "sleepable"))
		for (unsigned int i = 0; i < 3; i++)
			CHECK_SYS(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	/* Reuse and overwrite memory that was freed by mistake. */
	for (unsigned int i = 0; i < CHURN; i++)
		CHECK_OK(value_set(maps[1], churn[i], 2));
	counts_read(&counts);
	CHECK(is_holding(NULL) && !programs->bss->hits && !programs->bss->torn);
	programs->bss->go = 1;
	child_wait(pid);
	if (!programs->bss->hits || programs->bss->torn)
		FAIL("the value changed under the program");
	/* The result of the program's second lookup. A map may take longer to go. */
	if (end != free_map_held)
		CHECK_EQ(programs->bss->misses, end != replace_held);
	/* The old entry, and the new one, if any. */
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
