// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned and weak entries: what happens to them when the kernel reclaims inodes, and what else
 * decides how long they live.
 *
 * Each time, a weak entry of another file on the same file system proves that inodes were evicted.
 */
#include "harness.h"

#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int open_put(int map, const char *path, unsigned int value, __u32 flags)
{
	int fd = file_create(path);

	map_put(map, fd, value, flags);
	return fd;
}

static void put(int map, const char *path, unsigned int value, __u32 flags)
{
	close(open_put(map, path, value, flags));
}

static bool is_empty_after_drop(void *map)
{
	drop_caches();
	return map_is_empty(map);
}

/* Evict every inode of the file system at m that can be evicted, up to the one used last. */
static void evict(void)
{
	int map = map_create(32, 4, 1);

	put(map, "m/canary", 1, INODE_MAP_WEAK);
	if (!wait_until(is_empty_after_drop, &map, 20))
		FAIL("dropping caches does not evict inodes");
	close(map);
}

static void mount_m(void)
{
	mount_image("ext4", 16, "m", NULL);
}

TEST(pinned_stays)
{
	int map = map_create(32, 4, 8);
	struct inode_map_key before, after;
	int fd;

	mount_m();
	put(map, "m/f", 1, 0);
	before = map_only_key(map);
	for (int i = 0; i < 2; i++) {
		evict();
		CHECK_EQ(map_count(map), 1);
		fd = file_open("m/f", O_RDONLY);
		CHECK_EQ(map_get(map, fd), 1);
		close(fd);
	}
	after = map_only_key(map);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	counts_wait(1, 1, 1, 1);
	CHECK_SYS(unlink("m/f"));
	CHECK_EQ(map_count(map), 0);
}

/* The same for a directory: its files are looked up again. */
TEST(pinned_stays_below_an_evicted_directory)
{
	int map = map_create(32, 4, 8);

	mount_m();
	CHECK_SYS(mkdir("m/d", 0755));
	put(map, "m/d/f", 1, 0);
	evict();
	CHECK(map_has_path(map, "m/d/f"));
}

TEST(weak_goes)
{
	int map = map_create(32, 4, 8);

	mount_m();
	put(map, "m/f", 1, INODE_MAP_WEAK);
	counts_wait(1, 1, 1, 0);
	evict();
	CHECK_EQ(map_count(map), 0);
	CHECK(!map_has_path(map, "m/f"));
	counts_wait(1, 0, 0, 0);
	/* It is the same file, and can be put into the map again. */
	put(map, "m/f", 2, INODE_MAP_WEAK);
	CHECK(map_has_path(map, "m/f"));
}

TEST(weak_stays_while_open)
{
	int map = map_create(32, 4, 8);
	int fd;

	mount_m();
	fd = open_put(map, "m/f", 1, INODE_MAP_WEAK);
	evict();
	CHECK_EQ(map_get(map, fd), 1);
	close(fd);
	evict();
	CHECK_EQ(map_count(map), 0);
}

/* The inode has one addon: a pinned entry in one map keeps it for a weak one in another map. */
TEST(weak_and_pinned)
{
	int weak = map_create(32, 4, 8), pinned = map_create(32, 4, 8);

	mount_m();
	for (int pinned_first = 0; pinned_first < 2; pinned_first++) {
		put(pinned_first ? pinned : weak, "m/f", 1, pinned_first ? 0 : INODE_MAP_WEAK);
		put(pinned_first ? weak : pinned, "m/f", 1, pinned_first ? INODE_MAP_WEAK : 0);
		counts_wait(2, 2, 1, 1);
		CHECK_EQ(map_only_key(weak).flags, INODE_MAP_WEAK);
		CHECK_EQ(map_only_key(pinned).flags, 0);
		evict();
		CHECK(map_has_path(weak, "m/f"));
		CHECK(map_has_path(pinned, "m/f"));

		CHECK_OK(inode_map_remove_path(pinned, "m/f"));
		counts_wait(2, 1, 1, 0);
		CHECK(map_has_path(weak, "m/f"));
		evict();
		counts_wait(2, 0, 0, 0);
		CHECK_EQ(map_count(weak), 0);
	}
}

/* Two pinned entries share the pin. */
TEST(pinned_in_two_maps)
{
	int maps[] = { map_create(32, 4, 8), map_create(32, 4, 8) };

	mount_m();
	put(maps[0], "m/f", 1, 0);
	put(maps[1], "m/f", 2, 0);
	counts_wait(2, 2, 1, 1);
	CHECK_OK(inode_map_remove_path(maps[0], "m/f"));
	counts_wait(2, 1, 1, 1);
	evict();
	CHECK(map_has_path(maps[1], "m/f"));
	/* Freeing a map releases what it pins. */
	close(maps[1]);
	counts_wait(1, 0, 0, 0);
}

TEST(weak_becomes_pinned)
{
	int map = map_create(32, 4, 8);

	mount_m();
	put(map, "m/f", 1, INODE_MAP_WEAK);
	put(map, "m/f", 2, 0);
	CHECK_EQ(map_only_key(map).flags, 0);
	counts_wait(1, 1, 1, 1);
	evict();
	CHECK(map_has_path(map, "m/f"));
}

TEST(pinned_becomes_weak)
{
	int map = map_create(32, 4, 8);

	mount_m();
	put(map, "m/f", 1, 0);
	put(map, "m/f", 2, INODE_MAP_WEAK);
	CHECK_EQ(map_only_key(map).flags, INODE_MAP_WEAK);
	counts_wait(1, 1, 1, 0);
	evict();
	CHECK_EQ(map_count(map), 0);
}

TEST(update_by_handle_keeps_the_lifetime)
{
	int map = map_create(32, 4, 8);

	mount_m();
	FOR_EACH_LIFETIME(flags) {
		struct inode_map_key key, again;
		unsigned int value = 2;

		put(map, "m/f", 1, flags);
		key = map_only_key(map);
		key.flags ^= INODE_MAP_WEAK;
		CHECK_SYS(bpf_map_update_elem(map, &key, &value, BPF_ANY));
		again = map_only_key(map);
		CHECK_EQ(again.handle, key.handle);
		CHECK_EQ(again.flags, flags);
		counts_wait(1, 1, 1, !flags);
		CHECK_SYS(bpf_map_lookup_elem(map, &again, &value));
		CHECK_EQ(value, 2);
		evict();
		CHECK_EQ(map_count(map), !flags);
		CHECK_EQ(map_has_path(map, "m/f"), !flags);
		CHECK_SYS(unlink("m/f"));
		CHECK_EQ(map_count(map), 0);
	}
}

/* A key of 4 bytes can't say "weak". */
TEST(four_byte_keys_pin)
{
	int map = map_create(4, 4, 8);
	int fd;

	mount_m();
	fd = file_create("m/f");
	CHECK_OK(map_set(map, fd, 1));
	close(fd);
	counts_wait(1, 1, 1, 1);
	evict();
	CHECK(map_has_path(map, "m/f"));
}

/* Kernel-internal mounts: entries are weak, whatever the caller asked for. */

static void put_internal(int map, int fd)
{
	FOR_EACH_LIFETIME(flags) {
		map_put(map, fd, 1, flags);
		CHECK_EQ(map_only_key(map).flags, INODE_MAP_WEAK);
		CHECK_EQ(map_get(map, fd), 1);
	}
	counts_wait(1, 1, 1, 0);
}

/* The entry lives as long as @fd, the only descriptor of its inode. */
static void use_internal(int map, int fd)
{
	put_internal(map, fd);
	drop_caches();
	CHECK_EQ(map_get(map, fd), 1);
	close(fd);
	if (!wait_until(map_is_empty, &map, 10))
		FAIL("the entry outlives its inode");
	counts_wait(1, 0, 0, 0);
}

TEST(pipe_end)
{
	int map = map_create(32, 4, 8);
	int fds[2];

	CHECK_SYS(pipe2(fds, O_CLOEXEC));
	put_internal(map, fds[0]);
	/* Both ends are one inode. */
	CHECK_EQ(map_get(map, fds[1]), 1);
	close(fds[0]);
	CHECK_EQ(map_get(map, fds[1]), 1);
	use_internal(map, fds[1]);
}

TEST(socket)
{
	int map = map_create(32, 4, 8);
	int fds[2];

	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	put_internal(map, fds[0]);
	CHECK(!map_has(map, fds[1]));
	use_internal(map, fds[0]);
	use_internal(map, fds[1]);
}

TEST(memfd)
{
	int map = map_create(32, 4, 8);

	use_internal(map, CHECK_SYS(memfd_create("test", MFD_CLOEXEC)));
}

static void wait_for_end(void *unused)
{
	(void)unused;
	pause();
}

TEST(pidfd)
{
	int map = map_create(32, 4, 8);
	pid_t pid = child_start(wait_for_end, NULL);
	int fd = CHECK_SYS(syscall(SYS_pidfd_open, pid, 0));
	int other = CHECK_SYS(syscall(SYS_pidfd_open, getpid(), 0));
	unsigned int value = 1;

	if (inode_map_set_fd(map, fd, &value, BPF_ANY, 0) == -EOPNOTSUPP) {
		child_kill(pid);
		SKIP("this kernel's pidfds share one inode");
	}
	put_internal(map, fd);
	CHECK(!map_has(map, other));
	/* The descriptor keeps the inode, not the process. */
	child_kill(pid);
	use_internal(map, fd);
}

static int namespace_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	return file_open(path, O_RDONLY);
}

struct resident {
	void (*run)(int map);
	int map;
	int ready[2];
};

static void live(void *arg)
{
	struct resident *resident = arg;

	resident->run(resident->map);
	CHECK(write(resident->ready[1], "r", 1) == 1);
	pause();
}

/* Start a process that runs @run(@map) and then waits to be killed. Returns when it waits. */
static pid_t resident_start(void (*run)(int map), int map)
{
	struct resident resident = { .run = run, .map = map };
	pid_t pid;
	char byte;

	CHECK_SYS(pipe2(resident.ready, O_CLOEXEC));
	pid = child_start(live, &resident);
	close(resident.ready[1]);
	if (read(resident.ready[0], &byte, 1) != 1)
		FAIL("the process in a namespace of its own did not start");
	close(resident.ready[0]);
	return pid;
}

static void unshare_uts(int unused)
{
	(void)unused;
	CHECK_SYS(unshare(CLONE_NEWUTS));
}

TEST(namespace)
{
	int map = map_create(32, 4, 8);
	pid_t pid = resident_start(unshare_uts, -1);
	int fd = namespace_open(pid, "uts");
	int own = namespace_open(getpid(), "uts");

	put_internal(map, fd);
	CHECK(!map_has(map, own));
	child_kill(pid);
	use_internal(map, fd);
}

static void mount_in_namespace(int map)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mkdir("t", 0755));
	CHECK_SYS(mount("t", "t", "tmpfs", 0, NULL));
	put(map, "t/f", 1, 0);
}

/* An entry does not keep the namespace. A mount that only exists there shows when it ends. */
TEST(namespace_ends)
{
	int map = map_create(32, 4, 8), mounted = map_create(32, 4, 8);
	pid_t pid = resident_start(mount_in_namespace, mounted);
	int fd = namespace_open(pid, "mnt");

	map_put(map, fd, 1, 0);
	child_kill(pid);
	CHECK_EQ(map_count(mounted), 1);
	close(fd);
	if (!wait_until(map_is_empty, &mounted, 10))
		FAIL("the mount namespace is still there");
	if (!wait_until(map_is_empty, &map, 10))
		FAIL("the entry of the mount namespace is still there");
}

/* Anonymous inodes other than the shared one are like any inode. */
static void use_anonymous(int fd, int other)
{
	int map = map_create(32, 4, 8);

	put_internal(map, fd);
	CHECK(!map_has(map, other));
	use_internal(map, fd);
	close(map);
}

TEST(userfaultfd)
{
	int fds[2];

	for (int i = 0; i < 2; i++)
		fds[i] = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fds[0] < 0)
		SKIP("this kernel has no userfaultfd");
	use_anonymous(fds[0], fds[1]);
}

TEST(secret_memory)
{
	int fds[2] = { -1, -1 };

	/* Not all architectures have it. */
#ifdef SYS_memfd_secret
	for (int i = 0; i < 2; i++)
		fds[i] = syscall(SYS_memfd_secret, O_CLOEXEC);
#endif
	if (fds[0] < 0)
		SKIP("this kernel has no secret memory");
	use_anonymous(fds[0], fds[1]);
}
