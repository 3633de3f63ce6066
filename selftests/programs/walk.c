// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks of BPF programs over maps: they return the same entries as bpf(2), programs may change the
 * entries, and walks end correctly, whatever other tasks do to the map meanwhile.
 */
#include "harness.h"
#include "order.h"

#include <pthread.h>
#include <sys/mman.h>

#include "sleepy.h"
#include "value.h"
#include "walk.skel.h"

/* Same as in walk.bpf.c. */
#define MET_MAX	16384

#define SECONDS	2

static struct walk *programs;
static struct bpf_program *program;

/* Open a skeleton that will load only the program @name. */
static void program_choose(const char *name)
{
	programs = walk__open();
	CHECK(programs);
	program = want_program(programs->obj, name);
}

static void program_load(const char *name, int map)
{
	program_choose(name);
	CHECK_OK(walk__load(programs));
	programs->bss->pid = getpid();
	programs->bss->map_id = map_id_of(map);
}

/* Run a syscall program. */
static void run(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	programs->bss->met = 0;
	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program), &opts));
}

/* Run a program that is attached to a hook. */
static void run_by_open(void)
{
	programs->bss->met = 0;
	programs->bss->enabled = 1;
	close(open("f", O_RDONLY | O_CLOEXEC));
	programs->bss->enabled = 0;
}

static void put(int map, int fd, __u64 number, __u32 key_flags)
{
	struct value value = { .number = number };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, key_flags));
}

static struct value get(int map, int fd)
{
	struct value value;

	CHECK_OK(inode_map_get_fd(map, fd, &value));
	return value;
}

static int files_open(const char *name, unsigned int i, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "%s%u", name, i);
	return CHECK_SYS(open(path, O_CREAT | O_RDWR | O_CLOEXEC | flags, 0600));
}

/* Give the files NAME0 ... the values @first ..., every third one weak if the keys allow it. */
static void fill(int map, unsigned int key_size, const char *name, unsigned int count,
		 __u64 first)
{
	for (unsigned int i = 0; i < count; i++) {
		int fd = files_open(name, i, 0);

		put(map, fd, first + i, key_size == 32 && i % 3 == 0 ? INODE_MAP_WEAK : 0);
		close(fd);
	}
}

/* Check that the walk returned the same entries as bpf(2), in order. Returns their number. */
static unsigned int check_met(int map, unsigned int key_size)
{
	union inode_map_any_key key;
	unsigned int i = 0;
	int err = bpf_map_get_next_key(map, NULL, &key);

	while (!err) {
		struct inode_map_key *met = &programs->bss->keys[i];
		struct value value;

		CHECK(i < programs->bss->met);
		if (key_size == 4)
			CHECK_EQ(-(__s32)met->handle, key.fd);
		else
			CHECK(!memcmp(met, &key.full, sizeof(*met)));
		CHECK_SYS(bpf_map_lookup_elem(map, &key, &value));
		CHECK_EQ(programs->bss->numbers[i], value.number);
		i++;
		err = bpf_map_get_next_key(map, &key, &key);
	}
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(programs->bss->met, i);
	return i;
}

/* Check every field that 4-byte keys lack. */
static void check_fields(const char *name, unsigned int count, __u64 first)
{
	for (unsigned int i = 0; i < programs->bss->met; i++) {
		struct inode_map_key *met = &programs->bss->keys[i];
		char path[32];

		CHECK(programs->bss->numbers[i] - first < count);
		snprintf(path, sizeof(path), "%s%llu", name,
			 (unsigned long long)(programs->bss->numbers[i] - first));
		CHECK_EQ(met->fd, -1);
		CHECK_EQ(met->ino, file_ino(path));
		CHECK_EQ(met->reserved, 0);
	}
}

static void check_kind(const char *name, void (*trigger)(void), unsigned int key_size)
{
	int map = map_create(key_size, sizeof(struct value), 64), fd;
	struct bpf_link *link = NULL;

	fill(map, key_size, "g", 20, 1000);
	/* Make gaps. */
	for (unsigned int i = 0; i < 20; i += 5) {
		fd = files_open("g", i, 0);
		CHECK_OK(inode_map_remove_fd(map, fd));
		close(fd);
	}
	close(file_create("f"));
	program_load(name, map);
	if (trigger == run_by_open)
		link = attach_program(program);
	trigger();
	CHECK_EQ(check_met(map, key_size), 16);
	check_fields("g", 20, 1000);
	CHECK_EQ(programs->bss->no_value, 0);
	CHECK(programs->bss->runs > 0);
	/* The map has what the program wrote to the values. */
	for (unsigned int i = 0; i < 20; i++) {
		fd = files_open("g", i, 0);
		if (i % 5)
			CHECK(get(map, fd).count == programs->bss->runs);
		else
			CHECK(!map_has(map, fd));
		close(fd);
	}
	bpf_link__destroy(link);
	walk__destroy(programs);
	close(map);
}

TEST(lsm)
{
	check_kind("walk_lsm", run_by_open, 32);
	check_kind("walk_lsm", run_by_open, 4);
}

TEST(lsm_sleepable)
{
	check_kind("walk_lsm_sleepable", run_by_open, 32);
	check_kind("walk_lsm_sleepable", run_by_open, 4);
}

TEST(fentry)
{
	check_kind("walk_fentry", run_by_open, 32);
}

TEST(syscall_program)
{
	check_kind("walk_syscall", run, 32);
	check_kind("walk_syscall", run, 4);
}

TEST(empty_map)
{
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	program_load("walk_by_hand", map);
	for (int i = 0; i < 2; i++) {
		programs->bss->result = 1;
		run();
		CHECK_EQ(programs->bss->result, 0);
		CHECK_EQ(programs->bss->met, 0);
		CHECK_EQ(programs->bss->errors, 0);
		/* The second round starts with a map that has become empty again. */
		put(map, fd, 1, 0);
		run();
		CHECK_EQ(programs->bss->met, 1);
		CHECK_EQ(programs->bss->no_value, 0);
		CHECK_EQ(programs->bss->errors, 0);
		CHECK_OK(inode_map_remove_fd(map, fd));
	}
}

TEST(no_such_map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int hash = CHECK_OK(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 16, 8, &opts));
	int map = map_create(32, sizeof(struct value), 8), freed = map_create(32, 16, 8);
	__u32 id = map_id_of(map), wrong[] = { 0, map_id_of(hash), map_id_of(freed), id + 256,
					       id + (1U << 31), UINT32_MAX };
	int fd = file_create("f");

	put(map, fd, 1, 0);
	put(freed, fd, 1, 0);
	close(freed);
	counts_wait(1, 1, 1, 1);
	program_load("walk_by_hand", map);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		programs->bss->map_id = wrong[i];
		run();
		CHECK_ERR(programs->bss->result, ENODEV);
		CHECK_EQ(programs->bss->met, 0);
		CHECK_EQ(programs->bss->errors, 0);
	}
	walk__destroy(programs);

	program_load("walk_syscall", map);
	programs->bss->map_id = wrong[2];
	run();
	CHECK_EQ(programs->bss->met, 0);
	CHECK_EQ(programs->bss->runs, 1);
}

/* Walks work in maps with BPF_F_RDONLY_PROG, without values, and fail with BPF_F_WRONLY_PROG. */
TEST(restricted_maps)
{
	int map = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, 16, 8, BPF_F_RDONLY_PROG));
	int secret = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, 16, 8, BPF_F_WRONLY_PROG));
	int fd = file_create("f");

	put(map, fd, 1, 0);
	put(secret, fd, 1, 0);
	program_load("walk_by_hand", map);
	run();
	CHECK_EQ(programs->bss->result, 0);
	CHECK_EQ(programs->bss->met, 1);
	CHECK_EQ(programs->bss->no_value, 1);
	programs->bss->map_id = map_id_of(secret);
	run();
	CHECK_ERR(programs->bss->result, EPERM);
	CHECK_EQ(programs->bss->met, 0);
}

/* Read-only values, of a map that programs may write to and of one that they may not. */
TEST(peek)
{
	int maps[] = {
		map_create(32, sizeof(struct value), 8),
		CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, sizeof(struct value), 8,
					BPF_F_RDONLY_PROG)),
	};
	int fd = file_create("f");

	for (unsigned int i = 0; i < 2; i++) {
		put(maps[i], fd, 70 + i, 0);
		if (i == 0)
			program_load("walk_peek", maps[i]);
		programs->bss->map_id = map_id_of(maps[i]);
		run();
		CHECK_EQ(programs->bss->met, 1);
		CHECK_EQ(programs->bss->no_value, 0);
		CHECK_EQ(programs->bss->stopped_number, 70 + i);
		CHECK_EQ(programs->bss->errors, 0);
	}
}

TEST(sizes)
{
	int map = map_create(32, 16, 8), smaller = map_create(32, 15, 8), fd = file_create("f");
	char value[16] = { };

	put(map, fd, 1, 0);
	CHECK_OK(inode_map_set_fd(smaller, fd, value, BPF_ANY, 0));
	program_load("walk_sizes", map);
	run();
	CHECK_EQ(programs->bss->met, 1);
	CHECK_EQ(programs->bss->no_value, 0);
	CHECK_EQ(programs->bss->errors, 0);
	programs->bss->map_id = map_id_of(smaller);
	run();
	CHECK_EQ(programs->bss->met, 1);
	CHECK_EQ(programs->bss->no_value, 1);
	CHECK_EQ(programs->bss->errors, 0);
}

/* A program can leave a walk at any entry. The verifier allows the value only within the loop. */
TEST(break_off)
{
	int map = map_create(32, sizeof(struct value), 8);

	fill(map, 32, "g", 5, 100);
	program_load("walk_and_break", map);
	/* Handles count up from 1, walks go down. */
	programs->bss->stop_at = 4;
	run();
	CHECK_EQ(programs->bss->met, 2);
	CHECK_EQ(programs->bss->stopped_number, 103);
	programs->bss->stop_at = 9;
	programs->bss->stopped_number = 0;
	run();
	CHECK_EQ(programs->bss->met, 5);
	CHECK_EQ(programs->bss->stopped_number, 0);
}

TEST(delete_in_walk)
{
	int map = map_create(32, sizeof(struct value), 64);

	fill(map, 32, "g", 50, 100);
	program_load("delete_all", map);
	run();
	CHECK_EQ(programs->bss->met, 50);
	CHECK_EQ(programs->bss->errors, 0);
	CHECK_EQ(programs->bss->no_value, 0);
	for (unsigned int i = 0; i < 50; i++) {
		CHECK_EQ(programs->bss->keys[i].handle, 50 - i);
		CHECK_EQ(programs->bss->numbers[i], 149 - i);
	}
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
	/* No entry is left. */
	run();
	CHECK_EQ(programs->bss->met, 0);
}

/* A walk does not return entries inserted meanwhile: otherwise it would not end. */
TEST(insert_in_walk)
{
	int map = map_create(32, sizeof(struct value), 64);
	struct bpf_link *link;

	fill(map, 32, "g", 10, 100);
	close(file_create("f"));
	program_load("insert_in_walk", map);
	link = attach_program(program);
	for (unsigned int i = 0; i < 3; i++) {
		run_by_open();
		CHECK_EQ(programs->bss->runs, i + 1);
		CHECK_EQ(programs->bss->errors, 0);
		/* From the second time on, f has an entry before the walk starts. */
		CHECK_EQ(programs->bss->met, i ? 11 : 10);
		for (unsigned int j = 0; j < 10; j++)
			CHECK_EQ(programs->bss->keys[j + !!i].handle, 10 - j);
		CHECK_EQ(map_count(map), 11);
	}
	bpf_link__destroy(link);
}

TEST(nested)
{
	int map = map_create(32, sizeof(struct value), 64);
	int other = map_create(4, sizeof(struct value), 64);

	fill(map, 32, "g", 7, 0);
	fill(other, 4, "g", 9, 0);
	program_load("walk_nested", map);
	programs->bss->other_map_id = map_id_of(other);
	run();
	CHECK_EQ(programs->bss->met, 7);
	CHECK_EQ(programs->bss->pairs, 63);
	CHECK_EQ(programs->bss->sum, 7 * 8 / 2 * (9 * 10 / 2));
	/* Both walks over the same map */
	programs->bss->other_map_id = map_id_of(map);
	programs->bss->pairs = 0;
	programs->bss->sum = 0;
	run();
	CHECK_EQ(programs->bss->pairs, 49);
	CHECK_EQ(programs->bss->sum, 28 * 28);
}

TEST(many_entries)
{
	const unsigned int count = 10000;
	int map = map_create(32, sizeof(struct value), count);

	fill(map, 32, "g", count, 0);
	program_load("walk_syscall", map);
	run();
	CHECK_EQ(check_met(map, 32), count);
	CHECK_EQ(programs->bss->no_value, 0);
}

/* While other tasks change the map */

static bool *stop;

static bool stopped(void)
{
	return __atomic_load_n(stop, __ATOMIC_SEQ_CST);
}

static int churned;

/* Insert and delete 16 files of the task's own, and give new values to some that stay. */
static void churn(void *number)
{
	char name[] = { 'a' + *(unsigned int *)number, 0 };
	int files[16], stable[4];

	for (unsigned int i = 0; i < 16; i++)
		files[i] = files_open(name, i, 0);
	for (unsigned int i = 0; i < 4; i++)
		stable[i] = files_open("stable", i, 0);
	for (unsigned int i = 0; !stopped(); i++) {
		int err;

		put(churned, files[i % 16], 500000 + i, i & 16 ? INODE_MAP_WEAK : 0);
		put(churned, stable[i % 4], 1000 + i % 4, i % 4 % 3 ? 0 : INODE_MAP_WEAK);
		err = inode_map_remove_fd(churned, files[(i + 3) % 16]);
		if (err && err != -ENOENT)
			FAIL("deleting an entry: %s", strerror(-err));
	}
}

/* Check that the walk returned each stable entry once, and no handle twice. */
static void check_stable(unsigned int count)
{
	unsigned int met = programs->bss->met, stable = 0;

	CHECK(met <= MET_MAX);
	for (unsigned int i = 0; i < met; i++) {
		if (i && !handle_is_met_before(programs->bss->keys[i - 1].handle,
					       programs->bss->keys[i].handle))
			FAIL("the handle %u after %u", programs->bss->keys[i].handle,
			     programs->bss->keys[i - 1].handle);
		if (programs->bss->numbers[i] >= 500000)
			continue;
		/* They were inserted in the order of their numbers, and walks go backwards. */
		CHECK_EQ(programs->bss->numbers[i], 1000 + count - 1 - stable);
		stable++;
	}
	CHECK_EQ(stable, count);
	CHECK_EQ(programs->bss->no_value, 0);
}

TEST(others_insert_and_delete)
{
	pid_t pids[2];
	unsigned int walks = 0, met = 0;
	double end;

	stop = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stop != MAP_FAILED);
	churned = map_create(32, sizeof(struct value), 200);
	fill(churned, 32, "stable", 100, 1000);
	program_load("walk_syscall", churned);
	for (unsigned int i = 0; i < 2; i++)
		pids[i] = child_start(churn, &i);
	for (end = now() + SECONDS * test_slowdown(); now() < end; walks++) {
		run();
		check_stable(100);
		met += programs->bss->met - 100;
	}
	*stop = true;
	for (unsigned int i = 0; i < 2; i++)
		child_wait(pids[i]);
	printf("# %u walks met %u of the others\n", walks, met);
	CHECK(walks > 5 && met > 0);
	close(churned);
	counts_wait(0, 0, 0, 0);
}

static void *run_in_thread(void *unused)
{
	run();
	return unused;
}

static bool is_holding(void *unused)
{
	(void)unused;
	return *(volatile __u32 *)&programs->bss->holding;
}

/*
 * A map that is not bound to the program is freed in the middle of a walk. The walk ends, but its
 * value of the current entry stays valid.
 */
TEST(freed_map)
{
	int map = map_create(32, sizeof(struct value), 64);
	pthread_t thread;

	fill(map, 32, "g", 10, 100);
	program_load("walk_and_hold", map);
	programs->bss->user_page = sleepy_page();
	CHECK(!pthread_create(&thread, NULL, run_in_thread, NULL));
	if (!wait_until(is_holding, NULL, 20))
		FAIL("the program does not run");
	close(map);
	/* The entries have left the map, and wait for the program's end. */
	counts_wait(1, 10, 0, 0);
	sleepy_page_wake();
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(programs->bss->met, 2);
	CHECK_EQ(programs->bss->no_value, 0);
	/* Handles 10 and 9, values 109 and 108. */
	CHECK_EQ(programs->bss->stopped_number, 108);
	CHECK_EQ(programs->bss->stopped_at, 9);
	CHECK_ERR(programs->bss->result, ENODEV);
	counts_wait(0, 0, 0, 0);
}

/* Free maps again and again, without waiting for the walks. */
static void free_maps(void *id)
{
	while (!stopped()) {
		int map = map_create(32, sizeof(struct value), 64);

		*(volatile __u32 *)id = map_id_of(map);
		fill(map, 32, "g", 20, 1000);
		close(map);
	}
}

TEST(maps_are_freed)
{
	unsigned int walks = 0, met[21] = { }, partly = 0;
	double end;
	pid_t pid;

	stop = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stop != MAP_FAILED);
	program_choose("walk_syscall");
	CHECK_OK(walk__load(programs));
	pid = child_start(free_maps, &programs->bss->map_id);
	for (end = now() + SECONDS * test_slowdown(); now() < end; walks++) {
		run();
		CHECK(programs->bss->met <= 20);
		CHECK_EQ(programs->bss->no_value, 0);
		for (unsigned int i = 0; i < programs->bss->met; i++) {
			CHECK_EQ(programs->bss->numbers[i], 999 + programs->bss->keys[i].handle);
			CHECK(!i || programs->bss->keys[i].handle <
				    programs->bss->keys[i - 1].handle);
		}
		met[programs->bss->met]++;
	}
	*stop = true;
	child_wait(pid);
	for (unsigned int i = 1; i < 20; i++)
		partly += met[i];
	printf("# %u walks, %u met none, %u some, %u all\n", walks, met[0], partly, met[20]);
	CHECK(met[0] + partly > 0 && partly + met[20] > 0);
	counts_wait(0, 0, 0, 0);
}

/* The verifier reports the argument or, since 7.2, its register. */
#define NO_ITERATOR	"expected an initialized iter_inode_map as arg #|" \
			"expected an initialized iter_inode_map as R1"

TEST(verifier)
{
	static const char *const accepted[] = { "accepted_key_after_break",
						"accepted_copy_of_key" };
	static const struct refused refused[] = {
		{ "refused_copy_of_key", "access beyond the end of member" },
		{ "refused_write_to_key", "only read is supported" },
		{ "refused_write_to_peeked", "cannot write into rdonly_mem" },
		{ "refused_beyond_key", "access beyond struct inode_map_key" },
		{ "refused_unchecked_key", "invalid mem access 'scalar'" },
		{ "refused_unchecked_value", "invalid mem access 'mem_or_null'" },
		{ "refused_value_after_loop", "invalid mem access 'scalar'" },
		{ "refused_beyond_value", "invalid access to memory, mem_size=8 off=8 size=8" },
		{ "refused_no_end", "Unreleased reference" },
		{ "refused_no_begin", NO_ITERATOR },
		{ "refused_value_after_end", NO_ITERATOR },
		{ "refused_opaque", "invalid read from stack" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(accepted); i++) {
		program_choose(accepted[i]);
		CHECK_OK(walk__load(programs));
		walk__destroy(programs);
	}
	CHECK_VERIFIER_REFUSES(walk, refused);
}
