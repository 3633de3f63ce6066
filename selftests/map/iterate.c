// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks over a map with BPF_MAP_GET_NEXT_KEY: they end, and return each entry that stays in the map
 * exactly once, whatever other tasks do meanwhile.
 */
#include "harness.h"

#include <sys/mman.h>
#include <time.h>

static const unsigned int key_sizes[] = { sizeof(__s32), sizeof(struct inode_map_key) };

#define FOR_EACH_KEY_SIZE(size) \
	for (unsigned int i_ = 0, size; i_ < 2 && (size = key_sizes[i_]); i_++)

static unsigned int key_size_of(int map)
{
	struct bpf_map_info info = { };
	__u32 size = sizeof(info);

	CHECK_OK(bpf_obj_get_info_by_fd(map, &info, &size));
	return info.key_size;
}

/* The handle in a key that a walk returned. */
static unsigned int handle_of(unsigned int key_size, const union inode_map_any_key *key)
{
	if (key_size == sizeof(key->fd)) {
		CHECK(key->fd < 0);
		return -key->fd;
	}
	CHECK_EQ(key->full.fd, -1);
	return key->full.handle;
}

static void handle_key(unsigned int key_size, unsigned int handle, union inode_map_any_key *key)
{
	memset(key, 0, sizeof(*key));
	if (key_size == sizeof(key->fd)) {
		key->fd = -handle;
	} else {
		key->full.fd = -1;
		key->full.handle = handle;
	}
}

/* One step of a walk; a NULL @key starts it. Returns whether there was an entry. */
static bool next(int map, const union inode_map_any_key *key, union inode_map_any_key *next_key)
{
	int err = bpf_map_get_next_key(map, key, next_key) ? -errno : 0;

	if (err && err != -ENOENT)
		FAIL("walking: %s", strerror(-err));
	return !err;
}

/* The value of an entry, or 0 if it is gone. */
static unsigned int value_of(int map, const union inode_map_any_key *key)
{
	unsigned int value;

	if (!bpf_map_lookup_elem(map, key, &value))
		return value;
	CHECK_EQ(errno, ENOENT);
	return 0;
}

static int create_numbered(const char *prefix, unsigned int number)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	return file_create(name);
}

TEST(none)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		int fd = file_create("f");
		union inode_map_any_key key, start;

		CHECK(!next(map, NULL, &key));
		handle_key(key_size, 1, &start);
		CHECK(!next(map, &start, &key));
		CHECK_OK(inode_map_fd_key(map, fd, 0, &start));
		CHECK(!next(map, &start, &key));

		/* A map that was emptied behaves like a new one. */
		CHECK_OK(map_set(map, fd, 1));
		CHECK_OK(inode_map_remove_fd(map, fd));
		CHECK(!next(map, NULL, &key));
		CHECK(!next(map, &start, &key));
	}
}

TEST(one)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		int fd = file_create("f");
		union inode_map_any_key key, second;

		CHECK_OK(map_set(map, fd, 17));
		CHECK(next(map, NULL, &key));
		CHECK_EQ(value_of(map, &key), 17);
		CHECK(!next(map, &key, &second));
		/* A new value does not change the key. */
		CHECK_OK(map_set(map, fd, 18));
		CHECK_EQ(value_of(map, &key), 18);
		CHECK(!next(map, &key, &second));
		CHECK(next(map, NULL, &second));
		CHECK_EQ(handle_of(key_size, &key), handle_of(key_size, &second));
	}
}

#define MANY	1000

/* Every entry once, and no handle twice. The 32-byte keys identify the file. */
TEST(many)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, MANY);
		static unsigned int seen[MANY];
		static ino_t ino[MANY];
		union inode_map_any_key key, previous, *at = NULL;
		unsigned int steps = 0;

		memset(seen, 0, sizeof(seen));
		for (unsigned int i = 0; i < MANY; i++) {
			int fd = create_numbered("f", i);
			struct stat stat;

			CHECK_OK(map_set(map, fd, i + 1));
			CHECK_SYS(fstat(fd, &stat));
			ino[i] = stat.st_ino;
			close(fd);
		}
		while (next(map, at, &key)) {
			unsigned int value = value_of(map, &key);

			CHECK(value >= 1 && value <= MANY);
			CHECK_EQ(seen[value - 1]++, 0);
			if (key_size == sizeof(key.full))
				CHECK_EQ(key.full.ino, ino[value - 1]);
			if (at)
				CHECK(handle_of(key_size, at) != handle_of(key_size, &key));
			previous = key;
			at = &previous;
			steps++;
		}
		CHECK_EQ(steps, MANY);
		close(map);
	}
}

/* Delete the entry that the walk is at, as a task that empties a map does. */
TEST(delete_current)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 100);
		unsigned int sum = 0, steps = 0;
		union inode_map_any_key key, next_key;
		bool more;

		for (unsigned int i = 0; i < 100; i++) {
			int fd = create_numbered("f", i);

			CHECK_OK(map_set(map, fd, i));
			close(fd);
		}
		for (more = next(map, NULL, &key); more; key = next_key) {
			sum += value_of(map, &key);
			steps++;
			/* Delete every other entry, then continue from the deleted key. */
			if (steps % 2)
				CHECK_OK(bpf_map_delete_elem(map, &key));
			more = next(map, &key, &next_key);
		}
		CHECK_EQ(steps, 100);
		CHECK_EQ(sum, 99 * 100 / 2);
		CHECK_EQ(map_count(map), 50);

		for (more = next(map, NULL, &key); more; key = next_key) {
			CHECK_OK(bpf_map_delete_elem(map, &key));
			more = next(map, &key, &next_key);
		}
		CHECK_EQ(map_count(map), 0);
		close(map);
	}
}

/* The walk's current entry goes with its file, and so do entries before and after it. */
TEST(unlink_current)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 10);
		unsigned int seen = 0;
		union inode_map_any_key key, next_key;
		char name[16];

		for (unsigned int i = 0; i < 10; i++) {
			int fd = create_numbered("f", i);

			CHECK_OK(map_set(map, fd, i + 1));
			close(fd);
		}
		CHECK(next(map, NULL, &key));
		for (unsigned int steps = 1; steps < 5; steps++) {
			seen |= 1U << value_of(map, &key);
			CHECK(next(map, &key, &next_key));
			key = next_key;
		}
		snprintf(name, sizeof(name), "f%u", value_of(map, &key) - 1);
		seen |= 1U << value_of(map, &key);
		CHECK_SYS(unlink(name));
		CHECK_EQ(value_of(map, &key), 0);
		/* Remove the next two files. */
		CHECK(next(map, &key, &next_key));
		for (unsigned int i = 0; i < 2; i++) {
			union inode_map_any_key behind = key;

			CHECK(next(map, &behind, &next_key));
			seen |= 1U << value_of(map, &next_key);
			snprintf(name, sizeof(name), "f%u", value_of(map, &next_key) - 1);
			CHECK_SYS(unlink(name));
		}
		while (next(map, &key, &next_key)) {
			CHECK(!(seen & 1U << value_of(map, &next_key)));
			seen |= 1U << value_of(map, &next_key);
			key = next_key;
		}
		CHECK_EQ(seen, 0x7fe);
		close(map);
		CHECK_EQ(sh("rm -f f?"), 0);
	}
}

/* A walk can start at a file in the map. From any other file it starts at the beginning. */
TEST(from_descriptor)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 10), fds[10];
		union inode_map_any_key key, next_key, fd_key, first;
		int absent = file_create("absent");
		unsigned int steps = 0;

		for (unsigned int i = 0; i < 10; i++) {
			fds[i] = create_numbered("f", i);
			CHECK_OK(map_set(map, fds[i], i));
		}
		CHECK(next(map, NULL, &first));
		for (bool more = next(map, NULL, &key); more; key = next_key, steps++) {
			union inode_map_any_key from_fd;
			bool same;

			CHECK_OK(inode_map_fd_key(map, fds[value_of(map, &key)], 0, &fd_key));
			more = next(map, &key, &next_key);
			same = next(map, &fd_key, &from_fd);
			CHECK_EQ(same, more);
			if (more)
				CHECK_EQ(handle_of(key_size, &from_fd),
					 handle_of(key_size, &next_key));
		}
		CHECK_EQ(steps, 10);
		CHECK_OK(inode_map_fd_key(map, absent, 0, &fd_key));
		CHECK(next(map, &fd_key, &key));
		CHECK_EQ(handle_of(key_size, &key), handle_of(key_size, &first));

		/* Likewise a file whose entry is gone: it has no place any more. */
		CHECK_OK(inode_map_remove_fd(map, fds[5]));
		CHECK_OK(inode_map_fd_key(map, fds[5], 0, &fd_key));
		CHECK(next(map, &fd_key, &key));
		CHECK_EQ(handle_of(key_size, &key), handle_of(key_size, &first));
		close(map);
		for (unsigned int i = 0; i < 10; i++)
			close(fds[i]);
	}
}

/* In a map, a handle names one entry forever; it is never reused. */
TEST(unique_handles)
{
	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 16), fds[16];
		static unsigned char used[4096];

		memset(used, 0, sizeof(used));
		for (unsigned int i = 0; i < 16; i++)
			fds[i] = create_numbered("f", i);
		for (unsigned int round = 0; round < 20; round++) {
			union inode_map_any_key key, next_key;
			bool more;

			for (unsigned int i = 0; i < 16; i++) {
				CHECK_OK(map_set(map, fds[i], round));
				/* A new value keeps the entry. */
				CHECK_OK(map_set(map, fds[i], round * 100));
			}
			for (more = next(map, NULL, &key); more; key = next_key) {
				unsigned int handle = handle_of(key_size, &key);

				CHECK(handle && handle < sizeof(used));
				CHECK_EQ(used[handle]++, 0);
				/* An update by handle leaves the entry its handle. */
				CHECK_OK(bpf_map_update_elem(map, &key, &round, BPF_EXIST));
				more = next(map, &key, &next_key);
			}
			for (unsigned int i = 0; i < 16; i++)
				CHECK_OK(inode_map_remove_fd(map, fds[i]));
			CHECK_EQ(value_of(map, &key), 0);
		}
		close(map);
	}
}

/* Files of tracefs with equal inode numbers are different inodes. */
TEST(equal_numbers)
{
	static const char *const names[] = {
		"sched/sched_switch/id", "sched/sched_switch/enable", "sched/sched_switch/filter",
		"sched/sched_wakeup/id", "sched/sched_wakeup/enable", "sched/sched_wakeup/filter",
	};
	static int fds[6];
	struct stat stats[6];
	unsigned int equal = 0;
	char path[64];

	for (unsigned int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s", names[i]);
		fds[i] = open(path, O_PATH | O_CLOEXEC);
		if (fds[i] < 0)
			SKIP("can't open %s: %s", path, strerror(errno));
		CHECK_SYS(fstat(fds[i], &stats[i]));
		equal += i && stats[i].st_ino == stats[0].st_ino;
	}
	if (!equal)
		SKIP("the files of tracefs have numbers of their own here");

	FOR_EACH_KEY_SIZE(key_size) {
		int map = map_create(key_size, 4, 8);
		unsigned int seen = 0, steps = 0;
		union inode_map_any_key key, next_key;
		bool more;

		for (unsigned int i = 0; i < 6; i++)
			CHECK_OK(inode_map_set_fd(map, fds[i], &i, BPF_NOEXIST, 0));
		for (unsigned int i = 0; i < 6; i++)
			CHECK_EQ(map_get(map, fds[i]), i);
		for (more = next(map, NULL, &key); more; key = next_key) {
			unsigned int value = value_of(map, &key);

			if (key_size == sizeof(key.full))
				CHECK_EQ(key.full.ino, stats[value].st_ino);
			seen |= 1U << value;
			CHECK(++steps <= 6);
			more = next(map, &key, &next_key);
		}
		CHECK_EQ(seen, 0x3f);
		CHECK_OK(inode_map_remove_fd(map, fds[0]));
		CHECK_EQ(map_count(map), 5);
		close(map);
	}
}

/* Walks while others change the map */

#define STABLE	50
#define OTHERS	40
#define SECONDS	2
#define BLOCKS	20	/* blocks of handles: see src/handle.c */

static volatile bool *stop;
static int map;
static int stable[STABLE];

/* Insert and delete other inodes as fast as possible, so that there are always new entries. */
static void insert_and_delete(void *arg)
{
	union inode_map_any_key keys[OTHERS];
	unsigned int value = STABLE + 1;

	for (unsigned int i = 0; i < OTHERS; i++) {
		int fd = create_numbered(arg, i);

		CHECK_OK(inode_map_fd_key(map, fd, 0, &keys[i]));
	}
	while (!*stop) {
		for (unsigned int i = 0; i < OTHERS; i++) {
			CHECK_OK(bpf_map_update_elem(map, &keys[i], &value, BPF_NOEXIST));
			if (bpf_map_delete_elem(map, &keys[(i + OTHERS / 2) % OTHERS]))
				CHECK_EQ(errno, ENOENT);
		}
		for (unsigned int i = 0; i < OTHERS; i++)
			bpf_map_delete_elem(map, &keys[i]);
	}
}

/* Give the stable entries new values, by descriptor and by handle. */
static void update_stable(void *arg)
{
	(void)arg;
	while (!*stop) {
		union inode_map_any_key key, next_key;
		bool more;

		for (unsigned int i = 0; i < STABLE; i++) {
			unsigned int value = i + 1;

			CHECK_OK(inode_map_set_fd(map, stable[i], &value, BPF_EXIST, 0));
		}
		for (more = next(map, NULL, &key); more && !*stop; key = next_key) {
			unsigned int value = value_of(map, &key);

			/* Meanwhile the file may have gone, but the handle can't name another. */
			if (value && bpf_map_update_elem(map, &key, &value, BPF_EXIST))
				CHECK_EQ(errno, ENOENT);
			more = next(map, &key, &next_key);
		}
	}
}

/* Create files, add them to the map, and unlink them, which removes their entries. */
static void create_and_unlink(void *arg)
{
	char name[32];

	for (unsigned int i = 0; !*stop; i++) {
		int fd = create_numbered(arg, i % 10);

		CHECK_OK(map_set(map, fd, STABLE + 1));
		close(fd);
		snprintf(name, sizeof(name), "%s%u", (char *)arg, (i + 5) % 10);
		if (unlink(name))
			CHECK_EQ(errno, ENOENT);
	}
	for (unsigned int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "%s%u", (char *)arg, i);
		unlink(name);
	}
}

/*
 * One walk. New entries get handles behind the walker, so it takes no more steps than entries fit.
 * Only when a block of handles is used up does the next one lie ahead; count its steps separately.
 */
static void walk(unsigned int key_size, unsigned int max_entries)
{
	unsigned int seen[STABLE] = { }, steps = 0, last = 0, blocks = 0;
	union inode_map_any_key key, next_key;
	bool more;

	for (more = next(map, NULL, &key); more; key = next_key) {
		unsigned int value = value_of(map, &key), handle = handle_of(key_size, &key);

		CHECK(handle != last);
		if (handle > last) {
			CHECK(++blocks <= BLOCKS);
			steps = 0;
		}
		last = handle;
		if (++steps > max_entries)
			FAIL("a walk took more than %u steps", max_entries);
		CHECK(value <= STABLE + 1);
		if (value && value <= STABLE)
			seen[value - 1]++;
		more = next(map, &key, &next_key);
	}
	for (unsigned int i = 0; i < STABLE; i++)
		if (seen[i] != 1)
			FAIL("entry %u seen %u times", i, seen[i]);
}

/* Many walks over stable entries, half of them older than the entries that come and go. */
static void check_walks(unsigned int key_size, void (*change)(void *arg))
{
	const unsigned int max_entries = STABLE + 2 * OTHERS;
	unsigned int walks = 0;
	double end;
	pid_t pids[3];

	map = map_create(key_size, 4, max_entries);
	for (unsigned int i = 0; i < STABLE; i++)
		stable[i] = create_numbered("stable", i);
	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stop != MAP_FAILED);

	for (unsigned int i = 0; i < STABLE / 2; i++)
		CHECK_OK(map_set(map, stable[i], i + 1));
	pids[0] = child_start(change, "a");
	pids[1] = child_start(change, "b");
	/* The other half gets handles in between those of the changing entries. */
	for (unsigned int i = STABLE / 2; i < STABLE; i++) {
		usleep(1000);
		CHECK_OK(map_set(map, stable[i], i + 1));
	}
	pids[2] = child_start(update_stable, NULL);
	for (end = now() + SECONDS; now() < end; walks++)
		walk(key_size, max_entries);
	*stop = true;
	for (unsigned int i = 0; i < 3; i++)
		child_wait(pids[i]);
	printf("# %u walks\n", walks);
	CHECK_EQ(map_count(map), STABLE);
	close(map);
	for (unsigned int i = 0; i < STABLE; i++)
		close(stable[i]);
	CHECK_SYS(munmap((void *)stop, sizeof(*stop)));
}

TEST(exactly_once_4)
{
	check_walks(4, insert_and_delete);
}

TEST(exactly_once_32)
{
	check_walks(32, insert_and_delete);
}

TEST(exactly_once_while_files_go)
{
	check_walks(32, create_and_unlink);
}

/* Three tasks empty a map at the same time, two by handle and one by file: each entry goes once. */

static unsigned int *deleted;

static void empty_by_handle(void *arg)
{
	union inode_map_any_key key;

	(void)arg;
	while (next(map, NULL, &key)) {
		if (!bpf_map_delete_elem(map, &key))
			__atomic_add_fetch(deleted, 1, __ATOMIC_SEQ_CST);
		else
			CHECK_EQ(errno, ENOENT);
	}
}

TEST(emptied_by_three)
{
	deleted = mmap(NULL, sizeof(*deleted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	CHECK(deleted != MAP_FAILED);
	FOR_EACH_KEY_SIZE(key_size) {
		pid_t pids[2];
		int fds[300];

		*deleted = 0;
		map = map_create(key_size, 4, 300);
		CHECK_EQ(key_size_of(map), key_size);
		for (unsigned int i = 0; i < 300; i++) {
			fds[i] = create_numbered("f", i);
			CHECK_OK(map_set(map, fds[i], i));
		}
		pids[0] = child_start(empty_by_handle, NULL);
		pids[1] = child_start(empty_by_handle, NULL);
		for (unsigned int i = 0; i < 300; i++) {
			int err = inode_map_remove_fd(map, fds[i]);

			if (!err)
				__atomic_add_fetch(deleted, 1, __ATOMIC_SEQ_CST);
			else
				CHECK_EQ(err, -ENOENT);
		}
		child_wait(pids[0]);
		child_wait(pids[1]);
		CHECK_EQ(*deleted, 300);
		CHECK_EQ(map_count(map), 0);
		close(map);
		for (unsigned int i = 0; i < 300; i++)
			close(fds[i]);
	}
}
