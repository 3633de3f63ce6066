// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every errno that bpf(2) returns for an inode map, in both key formats: see src/README.md.
 */
#include "harness.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static const unsigned int key_sizes[] = { sizeof(__s32), sizeof(struct inode_map_key) };

#define FOR_EACH_KEY_SIZE(size) \
	for (unsigned int i_ = 0, size; i_ < 2 && (size = key_sizes[i_]); i_++)

static int update(int map, const void *key, __u64 flags)
{
	unsigned int value = 1;

	return bpf_map_update_elem(map, key, &value, flags) ? -errno : 0;
}

static int lookup(int map, const void *key)
{
	unsigned int value;

	return bpf_map_lookup_elem(map, key, &value) ? -errno : 0;
}

static int delete(int map, const void *key)
{
	return bpf_map_delete_elem(map, key) ? -errno : 0;
}

static int next(int map, const void *key, void *next_key)
{
	return bpf_map_get_next_key(map, key, next_key) ? -errno : 0;
}

static int hash(unsigned int key_size, unsigned int value_size, unsigned int max_entries,
		unsigned int flags)
{
	int fd = map_try_create(BPF_MAP_TYPE_HASH, key_size, value_size, max_entries, flags);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

TEST(update_flags)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		int fd = file_create("f");
		unsigned int value = 7;

		CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_EXIST, 0), ENOENT);
		CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_NOEXIST, 0));
		value = 8;
		CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_NOEXIST, 0), EEXIST);
		CHECK_EQ(map_get(map, fd), 7);
		CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_EXIST, 0));
		CHECK_EQ(map_get(map, fd), 8);
		value = 9;
		CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, 0));
		CHECK_EQ(map_get(map, fd), 9);
		CHECK_EQ(map_count(map), 1);
		CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_EXIST + 1, 0), EINVAL);
		CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_F_LOCK, 0), EINVAL);
		close(map);
		close(fd);
	}
}

TEST(missing)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		int fd = file_create("f");
		unsigned int value;

		CHECK_ERR(inode_map_get_fd(map, fd, &value), ENOENT);
		CHECK_ERR(inode_map_remove_fd(map, fd), ENOENT);
		CHECK_OK(map_set(map, fd, 1));
		CHECK_OK(inode_map_remove_fd(map, fd));
		CHECK_ERR(inode_map_remove_fd(map, fd), ENOENT);
		CHECK_ERR(inode_map_get_fd(map, fd, &value), ENOENT);
		close(map);
		close(fd);
	}
}

TEST(missing_handle_4)
{
	int map = map_create(4, 4, 8);
	__s32 absent[] = { -1, -1000, INT32_MIN, -INT32_MAX };

	for (unsigned int i = 0; i < 4; i++) {
		CHECK_ERR(lookup(map, &absent[i]), ENOENT);
		CHECK_ERR(delete(map, &absent[i]), ENOENT);
		CHECK_ERR(update(map, &absent[i], BPF_ANY), ENOENT);
		CHECK_ERR(update(map, &absent[i], BPF_NOEXIST), ENOENT);
	}
}

TEST(missing_handle_32)
{
	int map = map_create(32, 4, 8);
	__u32 absent[] = { 0, 1, 1000, INT32_MAX, 1U << 31, UINT32_MAX };

	for (unsigned int i = 0; i < 6; i++) {
		struct inode_map_key key = { .fd = -1, .handle = absent[i] };

		CHECK_ERR(lookup(map, &key), ENOENT);
		CHECK_ERR(delete(map, &key), ENOENT);
		CHECK_ERR(update(map, &key, BPF_ANY), ENOENT);
		CHECK_ERR(update(map, &key, BPF_NOEXIST), ENOENT);
	}
}

TEST(bad_descriptor)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		unsigned int value = 1;
		union inode_map_any_key next_key;
		union inode_map_any_key key;

		CHECK_ERR(inode_map_set_fd(map, 999, &value, BPF_ANY, 0), EBADF);
		CHECK_ERR(inode_map_get_fd(map, 999, &value), EBADF);
		CHECK_ERR(inode_map_remove_fd(map, 999), EBADF);
		CHECK_OK(inode_map_fd_key(map, 999, 0, &key));
		CHECK_ERR(next(map, &key, &next_key), EBADF);
		CHECK_EQ(map_count(map), 0);
		close(map);
	}
}

TEST(bad_key_32)
{
	int map = map_create(32, 4, 8);
	int fd = file_create("f");
	struct inode_map_key bad[] = {
		{ .fd = -2 },
		{ .fd = INT32_MIN },
		{ .fd = fd, .flags = 2 },
		{ .fd = fd, .flags = 1U << 31 },
		{ .fd = fd, .reserved = 1 },
		{ .fd = fd, .handle = 1 },
		{ .fd = fd, .dev = 1 },
		{ .fd = fd, .ino = 1 },
		{ .fd = fd, .gen = 1 },
		{ .fd = -1, .handle = 1, .flags = 2 },
		{ .fd = -1, .handle = 1, .reserved = 1 },
	};

	CHECK_OK(map_set(map, fd, 1));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		union inode_map_any_key next_key;

		CHECK_ERR(lookup(map, &bad[i]), EINVAL);
		CHECK_ERR(update(map, &bad[i], BPF_ANY), EINVAL);
		CHECK_ERR(delete(map, &bad[i]), EINVAL);
		CHECK_ERR(next(map, &bad[i], &next_key), EINVAL);
	}
	CHECK_EQ(map_get(map, fd), 1);
}

TEST(full)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 3);
		int fd[4];
		char name[] = "f0";

		for (int i = 0; i < 4; i++, name[1]++)
			fd[i] = file_create(name);
		for (int i = 0; i < 3; i++)
			CHECK_OK(map_set(map, fd[i], i));
		CHECK_ERR(map_set(map, fd[3], 3), E2BIG);
		/* A full map still accepts new values for existing entries. */
		CHECK_OK(map_set(map, fd[2], 22));
		CHECK_EQ(map_get(map, fd[2]), 22);
		CHECK_OK(inode_map_remove_fd(map, fd[0]));
		CHECK_OK(map_set(map, fd[3], 3));
		CHECK_ERR(map_set(map, fd[0], 0), E2BIG);
		CHECK_EQ(map_count(map), 3);
		for (int i = 0; i < 4; i++)
			close(fd[i]);
		close(map);
	}
}

TEST(unsupported_maps)
{
	FOR_EACH_KEY_SIZE(key_size) {
		CHECK_ERR(map_try_create(BPF_MAP_TYPE_ARRAY, key_size, 4, 8, 0), EINVAL);
		CHECK_ERR(map_try_create(BPF_MAP_TYPE_LRU_HASH, key_size, 4, 8, 0), EINVAL);
		CHECK_ERR(hash(key_size, 0, 8, 0), EINVAL);
		CHECK_ERR(hash(key_size, 4, 0, 0), EINVAL);
		CHECK_ERR(hash(key_size, 4, 8, BPF_F_NUMA_NODE), EINVAL);
		CHECK_ERR(hash(key_size, 4, 8, BPF_F_ZERO_SEED), EINVAL);
		CHECK_ERR(hash(key_size, 4, 8, 1U << 30), EINVAL);
		CHECK_OK(hash(key_size, 4, 8, BPF_F_NO_PREALLOC));
	}
	for (unsigned int size = 0; size <= 64; size++)
		if (size != 4 && size != 32)
			CHECK_ERR(hash(size, 4, 8, 0), EINVAL);
}

/* The largest value is exactly as large as the kernel's own hash map allows. */
TEST(largest_value)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	FOR_EACH_KEY_SIZE(key_size) {
		unsigned int size = 4U << 20, low = 1;

		/* Bisect for the hash map's limit: it accepts @low and refuses @size. */
		while (size - low > 1) {
			unsigned int mid = low + (size - low) / 2;
			int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", key_size, mid, 1, &opts);

			if (fd >= 0) {
				close(fd);
				low = mid;
			} else {
				CHECK_EQ(errno, E2BIG);
				size = mid;
			}
		}
		CHECK(low > 1U << 20);
		CHECK_OK(hash(key_size, low, 1, 0));
		CHECK_ERR(hash(key_size, low + 1, 1, 0), E2BIG);
		CHECK_ERR(hash(key_size, UINT32_MAX, 1, 0), E2BIG);
	}
}

/* A map that may become large starts small: memory could hold none of these tables at full size. */
TEST(large_table)
{
	FOR_EACH_KEY_SIZE(key_size) {
		for (unsigned int bits = 28; bits < 31; bits++)
			CHECK_OK(hash(key_size, 4, 1U << bits, 0));
		CHECK_OK(hash(key_size, 4, INT32_MAX, 0));
		CHECK_ERR(hash(key_size, 4, 1U << 31, 0), E2BIG);
		CHECK_ERR(hash(key_size, 4, UINT32_MAX, 0), E2BIG);
	}
}

TEST(shared_anonymous_inode)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		unsigned int value;
		int fds[] = { CHECK_SYS(eventfd(0, EFD_CLOEXEC)),
			      CHECK_SYS(epoll_create1(EPOLL_CLOEXEC)), map };

		for (unsigned int i = 0; i < 3; i++) {
			CHECK_ERR(map_set(map, fds[i], 1), EOPNOTSUPP);
			CHECK_ERR(inode_map_get_fd(map, fds[i], &value), ENOENT);
			CHECK_ERR(inode_map_remove_fd(map, fds[i]), ENOENT);
		}
		close(map);
	}
}

TEST(map_frozen_or_read_only)
{
	int fd = file_create("f");
	int map = map_create(32, 4, 8);
	int read_only = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 4, 4, 8, BPF_F_RDONLY));

	CHECK_OK(map_set(map, fd, 1));
	CHECK_SYS(bpf_map_freeze(map));
	CHECK_ERR(map_set(map, fd, 2), EPERM);
	CHECK_EQ(map_get(map, fd), 1);
	CHECK_ERR(map_set(read_only, fd, 2), EPERM);
}
