// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned and weak entries that programs make, and inodes that end while a program updates them.
 */
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/statfs.h>

#include "update.h"

static bool is_empty_after_drop(void *map)
{
	drop_caches();
	return map_is_empty(map);
}

/* Evict every inode of m that can be evicted: wait until the one that was used last is gone. */
static void evict(void)
{
	int map = map_create(32, 4, 1), fd = file_create("m/canary");

	map_put(map, fd, 1, INODE_MAP_WEAK);
	close(fd);
	if (!wait_until(is_empty_after_drop, &map, 20))
		FAIL("dropping caches does not evict inodes");
	close(map);
}

static void check_lifetime(int map, __u64 flags)
{
	CHECK_EQ(map_only_key(map).flags, flags);
	counts_wait(1, 1, 1, !flags);
	evict();
	CHECK_EQ(map_count(map), !flags);
	counts_wait(1, !flags, !flags, !flags);
}

static void update_path(const char *path, __u64 flags)
{
	int fd = file_open(path, O_RDONLY);

	CHECK_EQ(update(fd, 1, flags), 0);
	close(fd);
}

TEST(lifetimes)
{
	int map = map_create(32, 4, 8);

	mount_m();
	program_attach("on_ioctl", map);
	close(file_create("m/f"));
	update_path("m/f", 0);
	check_lifetime(map, 0);
	CHECK(map_has_path(map, "m/f"));
	/* Change a pinned entry to weak, */
	update_path("m/f", INODE_MAP_WEAK);
	check_lifetime(map, INODE_MAP_WEAK);
	/* make a new weak one, */
	update_path("m/f", INODE_MAP_WEAK | BPF_NOEXIST);
	check_lifetime(map, INODE_MAP_WEAK);
	/* and change a weak one to pinned. */
	update_path("m/f", INODE_MAP_WEAK);
	update_path("m/f", BPF_EXIST);
	check_lifetime(map, 0);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
}

/* Entries of inodes on kernel-internal mounts are weak, whatever the program requests. */
static void use_internal(int map, int fd)
{
	FOR_EACH_LIFETIME(flags) {
		CHECK_EQ(update(fd, 1, flags), 0);
		CHECK_EQ(map_only_key(map).flags, INODE_MAP_WEAK);
	}
	counts_wait(1, 1, 1, 0);
	close(fd);
	if (!wait_until(map_is_empty, &map, 10))
		FAIL("the entry outlives its inode");
	counts_wait(1, 0, 0, 0);
}

static void wait_in_namespace(void *ready)
{
	CHECK_SYS(unshare(CLONE_NEWUTS));
	CHECK(write(*(int *)ready, "r", 1) == 1);
	pause();
}

TEST(internal_mounts)
{
	int map = map_create(32, 4, 8), event = eventfd(0, EFD_CLOEXEC), fd, pipes[2];
	char path[64], byte;
	pid_t pid;

	program_attach("on_ioctl", map);
	CHECK_SYS(pipe2(pipes, O_CLOEXEC));
	pid = child_start(wait_in_namespace, &pipes[1]);
	CHECK(read(pipes[0], &byte, 1) == 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	fd = file_open(path, O_RDONLY);
	child_kill(pid);
	/* Now only this descriptor holds the namespace. */
	use_internal(map, fd);

	close(pipes[1]);
	use_internal(map, pipes[0]);

	CHECK_ERR(update(event, 1, 0), EOPNOTSUPP);
	CHECK_ERR(update(event, 1, INODE_MAP_WEAK), EOPNOTSUPP);
	counts_wait(1, 0, 0, 0);
}

/* Inodes that end */

void create_and_close(const char *path)
{
	close(file_create(path));
}

static void end_many(void)
{
	for (int i = 0; i < 20; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%d", i);
		create_and_close(path);
		if (i % 2)
			CHECK_SYS(unlink(path));
	}
	evict();
	CHECK_SYS(umount("m"));
}

/* An update comes too late for an inode that is being freed. */
TEST(freed_inode)
{
	int map = map_create(32, 4, 100);

	program_attach("on_free", map);
	FOR_EACH_LIFETIME(flags) {
		programs->bss->flags = flags;
		if (flags)
			CHECK_EQ(sh("mount -o loop image.ext4 m"), 0);
		else
			mount_m();
		CHECK_ERR(update_by(end_many, 1), ESTALE);
	}
	results_check(ESTALE, ESTALE);
	CHECK(results(ESTALE) >= 40);
	CHECK_EQ(results(0), 0);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

static void fail_to_create(void)
{
	CHECK(open("never", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) == -1);
}

/*
 * A program refuses a new inode, and another one sees it freed: no user ever had it, and the kernel
 * does not tell fsnotify that it is freed.
 */
TEST(refused_inode)
{
	int map = map_create(32, 4, 100);

	program_choose("deny_alloc");
	program_choose("on_free");
	programs_attach(map_id_of(map));
	FOR_EACH_LIFETIME(flags) {
		programs->bss->flags = flags;
		CHECK(update_by(fail_to_create, 1) < 0);
	}
	results_check(ESTALE, ESTALE);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

unsigned long blocks_free(void)
{
	struct statfs statfs_;

	CHECK_SYS(statfs("m", &statfs_));
	return statfs_.f_bfree;
}

static bool are_blocks_back(void *want)
{
	return blocks_free() >= *(unsigned long *)want;
}

void check_blocks(unsigned long want)
{
	if (!wait_until(are_blocks_back, &want, 10))
		FAIL("%lu blocks are free, not %lu", blocks_free(), want);
}

/* Create a file of a few megabytes. */
int create_large(const char *path)
{
	static const char data[1 << 16] = { 1 };
	int fd = CHECK_SYS(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));

	for (int i = 0; i < 64; i++)
		CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	CHECK_SYS(fsync(fd));
	return fd;
}

/* An open file without a link can get an entry, which goes at the last close. */
TEST(unlinked_while_open)
{
	int map = map_create(32, 4, 8);
	unsigned long before;

	mount_m();
	program_attach("on_ioctl", map);
	/* Let the directory and the bitmaps allocate what they need. */
	close(create_large("m/f"));
	CHECK_SYS(unlink("m/f"));
	sync();
	before = blocks_free();
	FOR_EACH_LIFETIME(flags) {
		for (int early = 0; early < 2; early++) {
			int fd = create_large("m/f");

			if (early)
				CHECK_EQ(update(fd, 1, flags), 0);
			CHECK_SYS(unlink("m/f"));
			CHECK_EQ(update(fd, 2, flags | (early ? BPF_EXIST : BPF_NOEXIST)), 0);
			CHECK_EQ(map_get(map, fd), 2);
			CHECK(blocks_free() < before);
			close(fd);
			CHECK_EQ(map_count(map), 0);
			counts_wait(1, 0, 0, 0);
			check_blocks(before);
		}
	}
	CHECK_SYS(umount("m"));
}

static void unlink_f(void)
{
	CHECK_SYS(unlink("m/f"));
}

static void rename_over_f(void)
{
	CHECK_SYS(rename("m/g", "m/f"));
}

/* Update in the middle of the unlink or rename that removes the last name. */
static void check_last_name(const char *name, void (*trigger)(void))
{
	int map = map_create(32, 4, 8);
	unsigned long before;

	mount_m();
	program_attach(name, map);
	close(create_large("m/f"));
	CHECK_SYS(unlink("m/f"));
	create_and_close("m/g");
	sync();
	before = blocks_free();
	FOR_EACH_LIFETIME(flags) {
		close(create_large("m/f"));
		create_and_close("m/g");
		programs->bss->flags = flags;
		CHECK_EQ(update_by(trigger, 1), 0);
		CHECK_EQ(map_count(map), 0);
		counts_wait(1, 0, 0, 0);
		check_blocks(before);
	}
	CHECK_SYS(umount("m"));
}

TEST(in_the_unlink)
{
	check_last_name("on_unlink", unlink_f);
}

TEST(in_the_rename)
{
	check_last_name("on_rename", rename_over_f);
}
