// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker is held up: how many requests can be pending, and what happens to them when their map,
 * inode or filesystem goes meanwhile.
 */
#include "asking.h"

static bool is_stuck(void *programs)
{
	return *(volatile __u64 *)&((struct request *)programs)->bss->stuck == 2;
}

/* Make the worker stop at the next request, and request an entry for the file. */
static void stop_worker(struct request *programs, int map, const char *path)
{
	programs->bss->stuck = 1;
	CHECK_ERR(run_on_map(programs, map, path), EINPROGRESS);
	if (!wait_until(is_stuck, programs, 10))
		FAIL("the worker does nothing");
}

TEST(limit)
{
	struct request *programs = programs_attach("request_many", "hold_up");
	int map = map_of_values(8), other = map_of_values(8), fd = file_create("f");
	unsigned int before = requests_wait(), lost;

	programs->bss->stuck = 1;
	CHECK_EQ(run_on_map(programs, map, "f"), 0);
	CHECK(wait_until(is_stuck, programs, 10));
	CHECK_EQ(programs->bss->asked, REQUESTS_MAX);
	CHECK_EQ(programs->bss->again, MANY - REQUESTS_MAX);
	CHECK_EQ(programs->bss->exists + programs->bss->failed, 0);
	CHECK_EQ(requests(&lost), REQUESTS_MAX);
	CHECK(!map_has(map, fd));
	/* The other map has its own worker, which is not held up. */
	programs->bss->other_id = map_id_of(other);
	CHECK_ERR(run_on(programs, "f"), EINPROGRESS);
	wait_until_made(other, fd);
	CHECK(is_stuck(programs));

	programs->bss->stuck = 0;
	wait_until_made(map, fd);
	/* All requests were for the same entry, so none is lost. */
	CHECK_EQ(requests_wait(), before);
	CHECK_EQ(map_count(map), 1);
	counts_wait(2, 2, 1, 1);
}

/* The inode or map of a request may go before the worker handles it. */
static void check_lost(void (*end)(int map, int fd), int map, unsigned int maps)
{
	struct request *programs = programs_attach("request", "hold_up");
	unsigned int before = requests_wait();
	int fd = file_create("f");

	stop_worker(programs, map, "f");
	end(map, fd);
	programs->bss->stuck = 0;
	CHECK_EQ(requests_wait(), before + 1);
	counts_wait(maps, 0, 0, 0);
}

static void close_map(int map, int fd)
{
	close(map);
	close(fd);
}

TEST(map_goes)
{
	check_lost(close_map, map_of_values(8), 0);
}

static void remove_inode(int map, int fd)
{
	(void)map;
	close(fd);
	CHECK_SYS(unlink("f"));
}

TEST(inode_goes)
{
	check_lost(remove_inode, map_of_values(8), 1);
}

static void fill_map(int map, int fd)
{
	close(fd);
	set(map, file_open(".", O_PATH), NUMBER);
}

TEST(map_is_full)
{
	struct request *programs = programs_attach("request", "hold_up");
	unsigned int before = requests_wait();
	int map = map_of_values(1);

	close(file_create("f"));
	stop_worker(programs, map, "f");
	fill_map(map, file_open("f", O_PATH));
	programs->bss->stuck = 0;
	CHECK_EQ(requests_wait(), before + 1);
	CHECK_EQ(map_count(map), 1);
}

/* If another task adds the entry first, its value stays, and no request is lost. */
TEST(entry_comes)
{
	struct request *programs = programs_attach("request", "hold_up");
	int map = map_of_values(8), fd = file_create("f");
	unsigned int before = requests_wait();

	programs->bss->init = NUMBER;
	stop_worker(programs, map, "f");
	set(map, fd, NUMBER + 1);
	programs->bss->stuck = 0;
	CHECK_EQ(requests_wait(), before);
	CHECK_EQ(value_of(map, fd).number, NUMBER + 1);
}

static bool is_detached(void *device)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", strrchr(device, '/') + 1);
	return access(path, F_OK) != 0;
}

static void unmount(void *path)
{
	CHECK_SYS(umount(path));
}

/* umount(2) succeeds. The superblock and the worker's entry go when the worker is done. */
TEST(unmount_while_stuck)
{
	struct request *programs = programs_attach("request", "hold_up");
	int map = map_of_values(8);
	char device[32];
	pid_t pid;

	mount_image("ext4", 16, "m", device);
	close(file_create("m/f"));
	stop_worker(programs, map, "m/f");
	/* umount(2) waits for a grace period, which the program that holds up the worker delays. */
	pid = child_start(unmount, "m");
	usleep(100000);
	programs->bss->stuck = 0;
	child_wait(pid);
	requests_wait();
	if (!wait_until(is_detached, device, 10))
		FAIL("%s is still in use", device);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

/* Here the worker runs at any moment, because no program holds it up. */
TEST(unmount_at_once)
{
	struct request *programs = programs_attach("request", NULL);
	int map = map_of_values(8);
	char device[32];

	mount_image("ext4", 16, "m", device);
	for (unsigned int i = 0; i < 20; i++) {
		close(file_create("m/f"));
		programs->bss->flags = i & 1 ? INODE_MAP_WEAK : 0;
		CHECK_ERR(run_on_map(programs, map, "m/f"), EINPROGRESS);
		CHECK_SYS(umount("m"));
		if (!wait_until(is_detached, device, 10))
			FAIL("%s is still in use", device);
		CHECK_EQ(map_count(map), 0);
		CHECK_EQ(sh("losetup %s image.ext4 && mount %s m && losetup --detach %s", device,
			    device, device), 0);
	}
	CHECK_SYS(umount("m"));
	counts_wait(1, 0, 0, 0);
}
