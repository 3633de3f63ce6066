// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries and the end of a file system: no entry delays an unmount, makes it fail, outlives it, or
 * keeps the file system's device.
 */
#include "harness.h"

#include <sched.h>

static void put(int map, const char *path, unsigned int value, __u32 flags)
{
	int fd = file_create(path);

	map_put(map, fd, value, flags);
	close(fd);
}

static bool is_detached(void *device)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", strrchr(device, '/') + 1);
	return access(path, F_OK) != 0;
}

/* The loop device is detached with the file system, and may be reused for another one. */
static void check_detached(char *device)
{
	if (!wait_until(is_detached, device, 10))
		FAIL("%s is still in use", device);
}

static void mount_again(const char *path)
{
	if (sh("mount -o loop image.ext4 %s", path))
		FAIL("mounting the image again failed");
}

static void use_one_map(const char *path)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		char name[64];

		snprintf(name, sizeof(name), "%s/f", path);
		put(map, name, 1, flags);
		put(map, name, 2, flags);
		snprintf(name, sizeof(name), "%s/g", path);
		put(map, name, 3, flags);
		CHECK_EQ(map_count(map), 2);
	}
	CHECK_SYS(umount(path));
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

TEST(ext4)
{
	char device[32];

	mount_image("ext4", 16, "m", device);
	use_one_map("m");
	check_detached(device);
}

TEST(tmpfs)
{
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	use_one_map("m");
}

/* Inodes without names, directories, and the root. */
TEST(all_kinds_of_inodes)
{
	int map = map_create(32, 4, 8);
	char device[32];
	int fd;

	mount_image("ext4", 16, "m", device);
	CHECK_SYS(mkdir("m/d", 0755));
	put(map, "m/d/f", 1, 0);
	CHECK_SYS(mkfifo("m/p", 0600));
	CHECK_SYS(symlink("p", "m/l"));
	for (int i = 0; i < 4; i++) {
		static const char *const paths[] = { "m", "m/d", "m/p", "m/l" };

		fd = file_open(paths[i], O_PATH | O_NOFOLLOW);
		map_put(map, fd, 1, 0);
		close(fd);
	}
	fd = file_create("m/unlinked");
	CHECK_SYS(unlink("m/unlinked"));
	map_put(map, fd, 1, 0);
	CHECK_EQ(map_count(map), 6);
	close(fd);
	CHECK_EQ(map_count(map), 5);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
	check_detached(device);
}

/* Inodes that only the pin kept in memory. */
TEST(after_eviction)
{
	int map = map_create(32, 4, 100);
	char device[32];

	mount_image("ext4", 16, "m", device);
	for (int i = 0; i < 50; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%d", i);
		put(map, path, i, 0);
	}
	drop_caches();
	drop_caches();
	CHECK_EQ(map_count(map), 50);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
	check_detached(device);
}

TEST(several_maps)
{
	enum { MAPS = 5 };
	int maps[MAPS];
	char device[32];

	mount_image("ext4", 16, "m", device);
	for (int i = 0; i < MAPS; i++) {
		maps[i] = map_create(i % 2 ? 32 : 4, 4, 8);
		put(maps[i], "m/shared", i, i % 2 && i > 1 ? INODE_MAP_WEAK : 0);
		put(maps[i], i % 2 ? "m/odd" : "m/even", i, 0);
	}
	CHECK_SYS(umount("m"));
	for (int i = 0; i < MAPS; i++)
		CHECK_EQ(map_count(maps[i]), 0);
	counts_wait(MAPS, 0, 0, 0);
	check_detached(device);
}

/* Entries on another file system stay. */
TEST(other_file_systems)
{
	int map = map_create(32, 4, 8);

	mount_image("ext4", 16, "m", NULL);
	CHECK_SYS(mkdir("t", 0755));
	CHECK_SYS(mount("t", "t", "tmpfs", 0, NULL));
	FOR_EACH_LIFETIME(flags) {
		put(map, "m/f", 1, flags);
		put(map, "t/f", 2, flags);
		put(map, "f", 3, flags);
	}
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 2);
	CHECK(map_has_path(map, "t/f") && map_has_path(map, "f"));
	CHECK_SYS(umount("t"));
	CHECK_EQ(map_count(map), 1);
	CHECK(map_has_path(map, "f"));
}

/* Only an open file keeps a file system, and its entries. */
TEST(busy)
{
	int map = map_create(32, 4, 8);
	char device[32];
	int fd;

	mount_image("ext4", 16, "m", device);
	put(map, "m/f", 1, 0);
	fd = file_create("m/g");
	CHECK(umount("m") && errno == EBUSY);
	CHECK(map_has_path(map, "m/f"));
	close(fd);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
	check_detached(device);
}

TEST(lazy)
{
	FOR_EACH_LIFETIME(flags) {
		int map = map_create(32, 4, 8);
		char device[32];
		int fd;

		mount_image("ext4", 16, flags ? "n" : "m", device);
		fd = file_create(flags ? "n/f" : "m/f");
		map_put(map, fd, 1, flags);
		put(map, flags ? "n/g" : "m/g", 2, flags);
		CHECK_SYS(umount2(flags ? "n" : "m", MNT_DETACH));
		CHECK_EQ(map_get(map, fd), 1);
		CHECK_EQ(map_count(map), 2);
		CHECK(!is_detached(device));
		/* Nothing is going away yet: updates still work. */
		map_put(map, fd, 3, flags);
		CHECK_EQ(map_get(map, fd), 3);
		close(fd);
		if (!wait_until(map_is_empty, &map, 10))
			FAIL("the entry outlives its file system");
		check_detached(device);
		close(map);
	}
}

TEST(lazy_with_nothing_open)
{
	int map = map_create(32, 4, 8);
	char device[32];

	mount_image("ext4", 16, "m", device);
	put(map, "m/f", 1, 0);
	CHECK_SYS(umount2("m", MNT_DETACH));
	CHECK_EQ(map_count(map), 0);
	check_detached(device);
}

TEST(two_mounts)
{
	FOR_EACH_LIFETIME(flags) {
		int map = map_create(32, 4, 8);
		char device[32];

		mount_image("ext4", 16, flags ? "n" : "m", device);
		CHECK_SYS(mkdir(flags ? "n2" : "m2", 0755));
		CHECK_SYS(mount(device, flags ? "n2" : "m2", "ext4", 0, NULL));
		put(map, flags ? "n/f" : "m/f", 1, flags);
		CHECK_SYS(umount(flags ? "n" : "m"));
		CHECK_EQ(map_count(map), 1);
		CHECK(map_has_path(map, flags ? "n2/f" : "m2/f"));
		CHECK_SYS(umount(flags ? "n2" : "m2"));
		CHECK_EQ(map_count(map), 0);
		check_detached(device);
		close(map);
	}
}

/* A file system that is mounted again from the same device is another one. */
TEST(mounted_again)
{
	int map = map_create(32, 4, 8);

	mount_image("ext4", 16, "m", NULL);
	put(map, "m/f", 1, 0);
	CHECK_SYS(umount("m"));
	mount_again("m");
	CHECK(!map_has_path(map, "m/f"));
	put(map, "m/f", 2, 0);
	CHECK_EQ(map_count(map), 1);
}

TEST(many_times)
{
	int map = map_create(32, 4, 8);

	mount_image("ext4", 8, "m", NULL);
	for (int i = 0; i < 50; i++) {
		if (i)
			mount_again("m");
		put(map, "m/f", 1, i % 3 == 2 ? INODE_MAP_WEAK : 0);
		if (i % 2)
			drop_caches();
		CHECK_SYS(umount("m"));
		CHECK_EQ(map_count(map), 0);
	}
	counts_wait(1, 0, 0, 0);
}

struct namespace_child {
	int map;
	char *device;
	int ready[2];
};

static void mount_in_namespace(void *arg)
{
	struct namespace_child *child = arg;

	CHECK_SYS(unshare(CLONE_NEWNS));
	mount_image("ext4", 16, "m", child->device);
	put(child->map, "m/f", 1, 0);
	put(child->map, "m/g", 1, INODE_MAP_WEAK);
	CHECK(write(child->ready[1], child->device, 32) == 32);
	pause();
}

TEST(end_of_mount_namespace)
{
	char device[32];
	struct namespace_child child = { .map = map_create(32, 4, 8), .device = device };
	pid_t pid;

	CHECK_SYS(pipe2(child.ready, O_CLOEXEC));
	pid = child_start(mount_in_namespace, &child);
	close(child.ready[1]);
	if (read(child.ready[0], device, sizeof(device)) != sizeof(device)) {
		child_wait(pid);
		FAIL("the process in the namespace ended");
	}
	CHECK_EQ(map_count(child.map), 2);
	child_kill(pid);
	if (!wait_until(map_is_empty, &child.map, 10))
		FAIL("the entries outlive their file system");
	check_detached(device);
}

/* Unmounts while other tasks use the map */

static void churn_by_descriptor(void *map)
{
	unsigned int value = 1;

	for (unsigned int i = 0;; i++) {
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "m/f%u", i % 4);
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd < 0) {
			CHECK_EQ(errno, ENOENT);
			return;
		}
		CHECK_OK(inode_map_set_fd(*(int *)map, fd, &value, BPF_ANY,
					  i % 3 ? 0 : INODE_MAP_WEAK));
		if (i % 2)
			CHECK_OK(inode_map_remove_fd(*(int *)map, fd));
		close(fd);
		/* A moment without a descriptor. */
		usleep(i % 8 * 100);
	}
}

TEST(while_entries_come_and_go)
{
	int map = map_create(32, 4, 8);
	char device[32];
	pid_t pid;

	mount_image("ext4", 16, "m", device);
	for (int i = 0; i < 4; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%d", i);
		close(file_create(path));
	}
	pid = child_start(churn_by_descriptor, &map);
	usleep(100000);
	if (!wait_until(umount_succeeds, "m", 30))
		FAIL("the file system can't be unmounted");
	CHECK_EQ(map_count(map), 0);
	child_wait(pid);
	check_detached(device);
}

struct churn {
	int map;
	int stop[2];
};

/* By handle: no task has a descriptor, so that nothing makes the mount busy. */
static void churn_by_handle(void *arg)
{
	struct churn *churn = arg;
	struct inode_map_key key;
	unsigned int value = 1;
	char byte;

	while (read(churn->stop[0], &byte, 1) != 1) {
		int err = bpf_map_get_next_key(churn->map, NULL, &key);

		while (!err) {
			/* The entry may be gone, and then stays so. */
			if (bpf_map_update_elem(churn->map, &key, &value, BPF_ANY))
				CHECK_EQ(errno, ENOENT);
			if (key.handle % 8 == 0 && bpf_map_delete_elem(churn->map, &key))
				CHECK_EQ(errno, ENOENT);
			err = bpf_map_get_next_key(churn->map, &key, &key);
		}
		CHECK_EQ(errno, ENOENT);
	}
}

TEST(while_entries_are_changed_by_handle)
{
	struct churn churn = { .map = map_create(32, 4, 100) };
	pid_t pid;

	CHECK_SYS(pipe2(churn.stop, O_CLOEXEC | O_NONBLOCK));
	CHECK_SYS(mkdir("m", 0755));
	pid = child_start(churn_by_handle, &churn);
	for (int i = 0; i < 30; i++) {
		CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
		for (int j = 0; j < 32; j++) {
			char path[32];

			snprintf(path, sizeof(path), "m/f%d", j);
			put(churn.map, path, 1, 0);
		}
		CHECK_SYS(umount("m"));
		CHECK_EQ(map_count(churn.map), 0);
	}
	CHECK(write(churn.stop[1], "s", 1) == 1);
	child_wait(pid);
	counts_wait(1, 0, 0, 0);
}

struct free_race {
	int map;
	int go[2];
};

static void close_on_go(void *arg)
{
	struct free_race *race = arg;
	char byte;

	CHECK(read(race->go[0], &byte, 1) == 1);
	close(race->map);
}

/* The map is freed at the moment when its file systems are unmounted. */
TEST(while_the_map_is_freed)
{
	CHECK_SYS(mkdir("m", 0755));
	for (int i = 0; i < 20; i++) {
		struct free_race race = { .map = map_create(32, 4, 100) };
		pid_t pid;

		CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
		for (int j = 0; j < 32; j++) {
			char path[32];

			snprintf(path, sizeof(path), "m/f%d", j);
			put(race.map, path, 1, 0);
		}
		CHECK_SYS(pipe2(race.go, O_CLOEXEC));
		pid = child_start(close_on_go, &race);
		close(race.map);
		CHECK(write(race.go[1], "g", 1) == 1);
		CHECK_SYS(umount("m"));
		child_wait(pid);
		close(race.go[0]);
		close(race.go[1]);
	}
	counts_wait(0, 0, 0, 0);
}
