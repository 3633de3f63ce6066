// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs do to values: what the map's flags forbid, and reading, replacing and deleting.
 */
#include "calls.h"

static int map_create_flags(unsigned int flags)
{
	return CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, sizeof(struct value), 8, flags));
}

TEST(prog_flags)
{
	struct run run = {
		.programs = program_attach("on_lsm_sleepable"), .trigger = trigger_open
	};
	int both = map_create_flags(0), rdonly = map_create_flags(BPF_F_RDONLY_PROG);
	int wronly = map_create_flags(BPF_F_WRONLY_PROG), fd = file_create("f");

	FOR_EACH_FUNCTION(function, DO_ALL) {
		const struct {
			int map, want;
		} cases[] = {
			{ both, 0 },
			{ rdonly, functions[function].rdonly_prog },
			{ wronly, functions[function].wronly_prog },
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
			run.programs->bss->map_id = map_id_of(cases[i].map);
			set(cases[i].map, fd, NUMBER + function, 0);
			check_function(&run, function, cases[i].want, cases[i].map, fd,
				       NUMBER + function);
		}
	}
	/* A program must not learn either that the map lacks an inode. */
	if (map_count(wronly))
		CHECK_OK(inode_map_remove_fd(wronly, fd));
	run.programs->bss->map_id = map_id_of(wronly);
	check_function(&run, DO_READ, -EPERM, wronly, fd, 0);
	check_function(&run, DO_READ_TREE, -EPERM, wronly, fd, 0);
	check_function(&run, DO_READ_PATH, -EPERM, wronly, fd, 0);

	CHECK_ERR(map_try_create(BPF_MAP_TYPE_HASH, 32, sizeof(struct value), 8,
				 BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG), EINVAL);
}

/* Flags that restrict descriptors do not restrict programs. */
TEST(descriptor_flags)
{
	static const unsigned int flags[] = { BPF_F_RDONLY, BPF_F_WRONLY };
	struct run run = {
		.programs = program_attach("on_lsm_sleepable"), .trigger = trigger_open
	};
	struct value value = { .number = NUMBER };
	struct inode_map_key key;
	int fd = file_create("f");

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		bool readable = flags[i] == BPF_F_RDONLY;
		int map = map_create_flags(flags[i]);
		int full = CHECK_SYS(bpf_map_get_fd_by_id(map_id_of(map)));

		CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_ANY, 0), readable ? EPERM : 0);
		set(full, fd, NUMBER, 0);
		CHECK_ERR(inode_map_get_fd(map, fd, &value), readable ? 0 : EPERM);
		if (readable)
			CHECK_SYS(bpf_map_get_next_key(map, NULL, &key));
		else
			CHECK(bpf_map_get_next_key(map, NULL, &key) && errno == EPERM);
		CHECK_ERR(inode_map_remove_fd(map, fd), readable ? EPERM : 0);

		run.programs->bss->map_id = map_id_of(map);
		FOR_EACH_FUNCTION(function, DO_ALL) {
			set(full, fd, NUMBER, 0);
			check_function(&run, function, 0, full, fd, NUMBER);
		}
		close(map);
		close(full);
	}
}

/* Peeks and reads, and sizes of memory */

/* Check that the program left exactly these results. */
void check_results(struct program *programs, const int *want, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (programs->bss->results[i] != want[i])
			FAIL("call %u returned %d, not %d", i, programs->bss->results[i], want[i]);
}

TEST(other_sizes)
{
	static const int want[] = {
		NOTHING, NOTHING, NOTHING, NOTHING, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
		0, 0, 0, 0, 0, 0,
	};
	struct program *programs = program_attach("other_sizes");
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	set(map, fd, NUMBER, 0);
	programs->bss->map_id = map_id_of(map);
	programs->bss->results[3] = 1;
	run_in_file_open(programs);
	check_results(programs, want, ARRAY_SIZE(want));
	CHECK_EQ(programs->bss->number, NUMBER);
	CHECK_EQ(get(map, fd), NUMBER);
}

/* Programs may not read or walk the second map. */
TEST(no_size)
{
	static const int want[] = { NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING };
	struct program *programs = program_attach("no_size");
	int fd = file_create("f");
	const int maps[] = {
		map_create(32, sizeof(struct value), 8),
		map_create_flags(BPF_F_WRONLY_PROG),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++) {
		set(maps[i], fd, NUMBER, 0);
		programs->bss->map_id = map_id_of(maps[i]);
		programs->bss->results[4] = NOTHING;
		programs->bss->results[5] = NOTHING;
		run_in_file_open(programs);
		check_results(programs, want, ARRAY_SIZE(want));
	}
}

TEST(null_memory)
{
	static const int want[] = { -EINVAL, -EINVAL, -EINVAL };
	struct program *programs = program_attach("null_memory");
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	set(map, fd, NUMBER, 0);
	programs->bss->map_id = map_id_of(map);
	run_in_file_open(programs);
	check_results(programs, want, ARRAY_SIZE(want));
	CHECK_EQ(get(map, fd), NUMBER);
}

/* Have the program read @size bytes. It must return @want, and fill them only if that is 0. */
static void check_read(struct program *programs, unsigned int size, int want, const __u8 *value)
{
	__u8 expected[BUFFER_SIZE];
	int result;

	memset(programs->bss->buffer, 0xee, BUFFER_SIZE);
	memset(expected, 0xee, BUFFER_SIZE);
	if (!want)
		memcpy(expected, value, size);
	programs->bss->size = size;
	result = run_in_file_open(programs);
	if (result != want)
		FAIL("reading %u bytes returned %d, not %d", size, result, want);
	if (memcmp(programs->bss->buffer, expected, BUFFER_SIZE))
		FAIL("reading %u bytes (%d) left other bytes", size, result);
}

TEST(read)
{
	static const unsigned int value_sizes[] = { 1, 7, 8, 16, 21, 63 };
	struct program *programs = program_attach("read_bytes");
	int fd = file_create("f");
	__u8 value[BUFFER_SIZE];
	__u32 freed_id = 0;

	for (unsigned int i = 0; i < BUFFER_SIZE; i++)
		value[i] = i + 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		unsigned int value_size = value_sizes[i];
		int map = map_create(32, value_size, 8);
		int wronly = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, value_size, 8,
						     BPF_F_WRONLY_PROG));

		freed_id = map_id_of(map);
		programs->bss->map_id = freed_id;
		check_read(programs, value_size, -ENOENT, value);
		check_read(programs, value_size + 1, -EINVAL, value);
		CHECK_OK(inode_map_set_fd(map, fd, value, BPF_ANY, 0));
		CHECK_OK(inode_map_set_fd(wronly, fd, value, BPF_ANY, 0));
		for (unsigned int size = 0; size <= value_size; size++)
			check_read(programs, size, 0, value);
		check_read(programs, value_size + 1, -EINVAL, value);
		check_read(programs, BUFFER_SIZE, -EINVAL, value);
		programs->bss->map_id = map_id_of(wronly);
		check_read(programs, value_size, -EPERM, value);
		close(map);
		close(wronly);
	}
	counts_wait(0, 0, 0, 0);
	programs->bss->map_id = freed_id;
	check_read(programs, 1, -ENODEV, value);
}

/* Replacing */

static void check_replace(const char *name)
{
	/* The program's pointer leads to the old value, a new lookup to the new one. */
	static const int want[] = { 0, (int)NUMBER, 1, 0, 1 };
	struct program *programs = program_attach(name);
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	programs->bss->map_id = map_id_of(map);
	FOR_EACH_LIFETIME(flags) {
		struct inode_map_key before, after;
		struct value value;

		set(map, fd, NUMBER, flags);
		before = map_only_key(map);
		run_in_file_open(programs);
		check_results(programs, want, ARRAY_SIZE(want));
		CHECK_OK(inode_map_get_fd(map, fd, &value));
		CHECK_EQ(value.number, WRITTEN);
		CHECK_EQ(value.count, 8);
		after = map_only_key(map);
		CHECK(!memcmp(&before, &after, sizeof(after)));
		CHECK_EQ(after.flags, flags);
		CHECK_EQ(programs->bss->met, before.handle);

		/* By its handle, too */
		CHECK_SYS(bpf_map_lookup_elem(map, &after, &value));
		CHECK_EQ(value.number, WRITTEN);
		counts_wait(1, 1, 1, !flags);
		CHECK_SYS(bpf_map_delete_elem(map, &after));
		counts_wait(1, 0, 0, 0);
	}
	programs_destroy(programs);
}

TEST(replace)
{
	check_replace("replace");
}

TEST(replace_sleepable)
{
	check_replace("replace_sleepable");
}

/* Replacing the value does not change when the entry ends. */
TEST(replaced_then_removed)
{
	struct program *programs = program_attach("replace");
	int map = map_create(32, sizeof(struct value), 8);

	programs->bss->map_id = map_id_of(map);
	FOR_EACH_LIFETIME(flags) {
		int fd = file_create("f");

		set(map, fd, NUMBER, flags);
		close(fd);
		run_in_file_open(programs);
		CHECK_SYS(unlink("f"));
		CHECK_EQ(map_count(map), 0);
		counts_wait(1, 0, 0, 0);
	}
}

#define EVENT	TRACING "/instances/inode_map_program/events/inode_map/inode_map_remove/enable"

/* Tracepoints report the same reasons for programs as for bpf(2). */
TEST(reasons)
{
	static char text[1 << 16];
	struct run run = { .programs = program_attach("on_lsm"), .trigger = trigger_open };
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");
	char *replaced, *deleted;
	ssize_t size;
	int trace;

	if (access(TRACING "/events/inode_map/enable", F_OK))
		SKIP("there is no tracefs at " TRACING);
	rmdir(TRACING "/instances/inode_map_program");
	CHECK_SYS(mkdir(TRACING "/instances/inode_map_program", 0700));
	set(map, fd, NUMBER, 0);
	run.programs->bss->map_id = map_id_of(map);
	file_write(EVENT, "1");
	check_function(&run, DO_REPLACE, 0, map, fd, NUMBER);
	check_function(&run, DO_DELETE, 0, map, fd, WRITTEN);
	set(map, fd, NUMBER, 0);
	check_function(&run, DO_DELETE_HANDLE, 0, map, fd, NUMBER);
	file_write(EVENT, "0");

	trace = file_open(TRACING "/instances/inode_map_program/trace", O_RDONLY);
	while ((size = CHECK_SYS(read(trace, text + strlen(text), 4096))))
		;
	close(trace);
	CHECK_SYS(rmdir(TRACING "/instances/inode_map_program"));
	replaced = strstr(text, " handle=1 reason=replaced");
	CHECK(replaced);
	deleted = strstr(replaced, " handle=1 reason=deleted");
	CHECK(deleted);
	CHECK(strstr(deleted, " handle=2 reason=deleted"));
}

/* Deleting */

static void check_delete(bool by_handle)
{
	const int want[] = {
		0, NOTHING, NOTHING, NOTHING, -ENOENT, -ENOENT, -ENOENT, by_handle ? -ENOENT : 0,
		0, 0, (int)NUMBER,
	};
	struct program *programs = program_attach("delete_and_look");
	int map = map_create(32, sizeof(struct value), 8), other = map_create(32, 4, 8);
	int fd = file_create("f");

	programs->bss->map_id = map_id_of(map);
	FOR_EACH_LIFETIME(flags) {
		struct inode_map_key key;
		struct value value;

		set(map, fd, NUMBER, flags);
		key = map_only_key(map);
		programs->bss->handle = by_handle ? key.handle : 0;
		run_in_file_open(programs);
		check_results(programs, want, ARRAY_SIZE(want));
		CHECK(!map_has(map, fd));
		CHECK(bpf_map_lookup_elem(map, &key, &value) && errno == ENOENT);
		CHECK(bpf_map_delete_elem(map, &key) && errno == ENOENT);
		CHECK_EQ(map_count(map), 0);
		counts_wait(2, 0, 0, 0);

		/* Deletes from one map; the inode's entries in other maps stay. */
		set(map, fd, NUMBER, flags);
		map_put(other, fd, 1, flags);
		programs->bss->handle = by_handle ? map_only_key(map).handle : 0;
		run_in_file_open(programs);
		check_results(programs, want, ARRAY_SIZE(want));
		CHECK_EQ(map_get(other, fd), 1);
		counts_wait(2, 1, 1, !flags);
		CHECK_OK(inode_map_remove_fd(other, fd));
		counts_wait(2, 0, 0, 0);
	}
	programs_destroy(programs);
}

TEST(delete)
{
	check_delete(false);
}

TEST(delete_handle)
{
	check_delete(true);
}

TEST(delete_wrong_handle)
{
	static const __u32 wrong[] = { 0, 3, INT32_MAX, 1U << 31, (1U << 31) + 1, UINT32_MAX };
	struct program *programs = program_attach("on_lsm");
	int map = map_create(32, sizeof(struct value), 8);
	int fds[] = { file_create("f"), file_create("g") };

	set(map, fds[0], 1, 0);
	set(map, fds[1], 2, 0);
	programs->bss->map_id = map_id_of(map);
	programs->bss->todo = DO_DELETE_HANDLE;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		programs->bss->handle = wrong[i];
		CHECK_ERR(run_in_file_open(programs), ENOENT);
		CHECK_EQ(map_count(map), 2);
	}
	/* By handle, a program can delete the entry of any inode. */
	programs->bss->handle = 2;
	CHECK_OK(run_in_file_open(programs));
	CHECK_EQ(get(map, fds[0]), 1);
	CHECK_EQ(get(map, fds[1]), 0);
}

/* In a full map, before the deleted entry is freed. */
TEST(delete_then_update)
{
	static const int want[] = { 0, 0, 0, 0, 1 };
	struct program *programs = program_attach("delete_and_update");
	int map = map_create(32, sizeof(struct value), 1), fd = file_create("f");
	__u32 last = 0;

	set(map, fd, NUMBER, 0);
	programs->bss->map_id = map_id_of(map);
	for (unsigned int i = 0; i < 20; i++) {
		run_in_file_open(programs);
		check_results(programs, want, ARRAY_SIZE(want));
		CHECK_EQ(get(map, fd), WRITTEN);
		/* A new entry has a new handle. */
		CHECK(map_only_key(map).handle != last);
		last = map_only_key(map).handle;
	}
	counts_wait(1, 1, 1, 1);
}
