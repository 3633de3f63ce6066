// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds up whom: a task that updates as fast as it can, and a filesystem that hangs, hold up
 * only themselves. Others' updates, the creation of maps and the rtnl lock go on.
 */
#include "harness.h"

#include <dirent.h>
#include <linux/fs.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "fairness.skel.h"
#include "sleepy.h"

/* Seconds. A task waits a second at a time for a grace period that does not end. */
#define HELD_UP		0.5

static struct fairness *program;

/* A task that updates as fast as it can. */

#define LARGE		(256 * 1024)

static void update_for_ever(void *arg)
{
	int map = *(int *)arg, fd = file_open("f", O_RDONLY);
	static char value[LARGE];

	for (;;)
		CHECK_OK(inode_map_set_fd(map, fd, value, BPF_ANY, 0));
}

static void *open_file(void *unused)
{
	program->bss->tid = gettid();
	close(file_open("f", O_RDONLY));
	return unused;
}

static bool is_sleeping(void *unused)
{
	(void)unused;
	return *(volatile __u32 *)&program->bss->sleeping;
}

/* While the thread opens its file, nothing that an update replaced can be freed. */
static void hold_grace_periods(pthread_t *thread)
{
	program = fairness__open_and_load();
	CHECK(program);
	CHECK_OK(fairness__attach(program));
	program->bss->user_page = sleepy_page();
	CHECK(!pthread_create(thread, NULL, open_file, NULL));
	CHECK(wait_until(is_sleeping, NULL, 10));
}

static void create_and_free(int unused)
{
	(void)unused;
	close(map_create(32, 4, 8));
}

static void update_own(int map)
{
	static int fd = -1;

	if (fd < 0)
		fd = file_create("own");
	CHECK_OK(map_set(map, fd, 1));
}

static void change_mtu(int unused)
{
	struct ifreq request = { .ifr_name = "lo" };
	static int fd = -1, mtu = 65500;

	(void)unused;
	if (fd < 0)
		fd = CHECK_SYS(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	request.ifr_mtu = mtu++;
	CHECK_SYS(ioctl(fd, SIOCSIFMTU, &request));
}

static double longest(void (*what)(int map), int map)
{
	double worst = 0, begin;

	for (unsigned int i = 0; i < 10; i++) {
		begin = now();
		what(map);
		if (now() - begin > worst)
			worst = now() - begin;
	}
	return worst;
}

TEST(fast_updater)
{
	static const struct {
		const char *name;
		void (*run)(int map);
	} others[] = {
		{ "the creation of a map", create_and_free },
		{ "an update of another map", update_own },
		{ "a change of the loopback device", change_mtu },
	};
	int large = map_create(32, LARGE, 1), small = map_create(32, 4, 8);
	double took, before[3], limit = HELD_UP * test_slowdown();
	pthread_t thread;
	pid_t pid;

	close(file_create("f"));
	for (unsigned int i = 0; i < 3; i++)
		before[i] = longest(others[i].run, small);
	hold_grace_periods(&thread);
	pid = child_start(update_for_ever, &large);
	/* Until the updater is held up itself. */
	sleep(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		took = longest(others[i].run, small);
		printf("# %s: %.3f s at most, without the updater %.3f s\n", others[i].name, took,
		       before[i]);
		if (took > limit)
			FAIL("%s took %.3f s", others[i].name, took);
	}
	/* The updater can be killed where it waits. */
	child_kill(pid);
	sleepy_page_wake();
	CHECK(!pthread_join(thread, NULL));
	fairness__destroy(program);
	close(large);
	close(small);
	counts_wait(0, 0, 0, 0);
}

/* Operations on one inode, also through the library, don't take the rtnl lock. */
TEST(no_rtnl)
{
	static const unsigned int key_sizes[] = { 32, 4 };
	int map, fd = file_create("f");
	__u32 value = 1;

	program = fairness__open_and_load();
	CHECK(program);
	CHECK_OK(fairness__attach(program));
	program->bss->tid = gettid();
	for (unsigned int i = 0; i < 2; i++) {
		map = map_create(key_sizes[i], sizeof(value), 8);
		CHECK(program->bss->configuring);
		program->bss->configuring = 0;
		CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, 0));
		CHECK_OK(inode_map_get_fd(map, fd, &value));
		CHECK_OK(inode_map_remove_fd(map, fd));
		CHECK_EQ(program->bss->configuring, 0);
		close(map);
	}
	fairness__destroy(program);
}

/* The updater waits for grace periods and goes on: nothing fails, and memory use stays bounded. */
TEST(fast_updater_goes_on)
{
	static char value[LARGE];
	int map = map_create(32, LARGE, 1), fd = file_create("f");
	struct counts counts;
	unsigned int most = 0;

	for (unsigned int i = 0; i < 400; i++) {
		memset(value, i, sizeof(value));
		CHECK_OK(inode_map_set_fd(map, fd, value, BPF_ANY, 0));
		counts_read(&counts);
		if (counts.entries > most)
			most = counts.entries;
	}
	printf("# %u entries of 256 KiB at most\n", most);
	/* 4 MiB may wait for a grace period (src/account.c), and some more until that shows. */
	CHECK(most >= 4 && most <= 24);
	CHECK_OK(inode_map_get_fd(map, fd, value));
	CHECK_EQ(value[LARGE - 1], (char)399);
	close(map);
	counts_wait(0, 0, 0, 0);
}

static void create_for_ever(void *max_entries)
{
	for (;;)
		close(map_create(32, 4, *(const unsigned int *)max_entries));
}

/* Spread the calls over time, so that they meet different states of the competing task. */
static double mean(void (*what)(int unused))
{
	const unsigned int times = 40;
	double sum = 0, begin;

	for (unsigned int i = 0; i < times; i++) {
		usleep(20000);
		begin = now();
		what(0);
		sum += now() - begin;
	}
	return sum / times;
}

/*
 * Creating and freeing a map holds the rtnl lock only for a moment, however large the map may
 * become.
 */
TEST(map_maker)
{
	static const unsigned int sizes[] = { 8, 10000, 1U << 20 };
	double alone = mean(change_mtu), beside;
	pid_t pid;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		pid = child_start(create_for_ever, (void *)&sizes[i]);
		sleep(1);
		beside = mean(change_mtu);
		child_kill(pid);
		printf("# a change of the loopback device: %.1f ms on the mean beside maps for %u entries, alone %.1f ms\n",
		       beside * 1000, sizes[i], alone * 1000);
		CHECK(beside < 0.05 * test_slowdown());
	}
	counts_wait(0, 0, 0, 0);
}

/*
 * A filesystem that hangs while many of its inodes have to be released. As in fuse.c, these are
 * inodes of an overlay that hold the last reference to unlinked files on a frozen filesystem.
 */

#define HUNG	40

/* Tasks in the module's code. While nothing else runs, these are workers that release inodes. */
static unsigned int releasing(void)
{
	char path[64], stack[4096];
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	ssize_t size;
	int fd;

	CHECK(dir);
	while ((entry = readdir(dir))) {
		if (atoi(entry->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/stack", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		size = fd < 0 ? 0 : read(fd, stack, sizeof(stack) - 1);
		close(fd);
		if (size <= 0)
			continue;
		stack[size] = 0;
		/* Match the module, not a function: one that ends in a tail call has no frame. */
		nr += !!strstr(stack, "[inode_map]");
	}
	closedir(dir);
	return nr;
}

static bool is_releasing(void *unused)
{
	(void)unused;
	return releasing();
}

static bool has_one_map(void *unused)
{
	struct counts counts;

	(void)unused;
	counts_read(&counts);
	return counts.maps == 1;
}

static bool only_hung_are_left(void *unused)
{
	struct counts counts;

	(void)unused;
	counts_read(&counts);
	return counts.pinned == HUNG;
}

TEST(hung_filesystem)
{
	int map, own, fd, frozen;

	mount_overlay_on_ext4();
	thaw_at_the_end("disk");
	map = map_create(32, 4, HUNG);
	own = map_create(32, 4, 1);
	for (unsigned int i = 0; i < HUNG; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%u", i);
		close(file_create(path));
		fd = file_open(path, O_PATH);
		map_put(map, fd, 1, 0);
		close(fd);
	}
	CHECK_EQ(sh("rm disk/upper/f*"), 0);
	for (unsigned int i = 0; i < 5; i++)
		file_write("/proc/sys/vm/drop_caches", "2");
	CHECK_EQ(map_count(map), HUNG);
	counts_wait(2, HUNG, HUNG, HUNG);

	frozen = file_open("disk", O_RDONLY);
	CHECK_SYS(ioctl(frozen, FIFREEZE, 0));
	close(map);
	CHECK(wait_until(has_one_map, NULL, 10));
	CHECK(wait_until(is_releasing, NULL, 10));
	usleep(500000);
	printf("# %u inodes wait for one filesystem, in %u workers\n", HUNG, releasing());
	CHECK_EQ(releasing(), 1);
	/* Inodes of another filesystem are still released. */
	fd = file_create("own");
	CHECK_OK(map_set(own, fd, 1));
	CHECK_OK(inode_map_remove_fd(own, fd));
	if (!wait_until(only_hung_are_left, NULL, 10))
		FAIL("another filesystem's inode is not let go of");
	CHECK_SYS(ioctl(frozen, FITHAW, 0));
	close(own);
	counts_wait(0, 0, 0, 0);
	close(frozen);
	CHECK_SYS(umount("m"));
}
