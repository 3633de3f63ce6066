// SPDX-License-Identifier: GPL-2.0-only
/*
 * Updates by BPF programs, from every hook that has an inode which the verifier trusts. They do and
 * refuse the same as bpf(2), and make no entry too late, when the inode, its filesystem or the map
 * goes at the same moment.
 *
 * This file has the programs, their triggers, the hooks, flags and errors. ends.c has lifetimes of
 * the entries and inodes that end, races.c concurrent tasks, memory.c the limits of memory.
 */
#include <sys/ioctl.h>

#include "update.h"

/* Not a result of an update. */
#define NOT_CALLED	1

#define POSSIBLY_NULL	"Possibly NULL pointer passed to trusted"

struct update *programs;

void program_choose(const char *name)
{
	if (!programs)
		programs = update__open();
	CHECK(programs);
	want_program(programs->obj, name);
}

/* Load and attach the chosen programs, to update the map @id for this process. */
void programs_attach(unsigned int id)
{
	programs->bss->pid = getpid();
	programs->bss->map_id = id;
	CHECK_OK(update__load(programs));
	attach_programs(programs->obj);
}

void program_attach(const char *name, int map)
{
	program_choose(name);
	programs_attach(map_id_of(map));
}

void programs_destroy(void)
{
	/* The links end with the process. */
	update__destroy(programs);
	programs = NULL;
}

static int result_take(void)
{
	int result = programs->bss->result;

	if (result == NOT_CALLED)
		FAIL("the program did not run");
	return result;
}

/* Make the program update the inode of @fd. */
int update(int fd, unsigned int value, __u64 flags)
{
	programs->bss->value = value;
	programs->bss->flags = flags;
	programs->bss->result = NOT_CALLED;
	CHECK(ioctl(fd, COMMAND) == -1);
	return result_take();
}

/* Enable the program during @trigger. */
int update_by(void (*trigger)(void), unsigned int value)
{
	programs->bss->value = value;
	programs->bss->result = NOT_CALLED;
	programs->bss->enabled = 1;
	trigger();
	programs->bss->enabled = 0;
	return result_take();
}

/* How many updates have returned @error so far. */
__u64 results(int error)
{
	return __atomic_load_n(&programs->bss->results[error], __ATOMIC_SEQ_CST);
}

static void results_print(void)
{
	for (int error = 0; error < 128; error++)
		if (results(error))
			printf("# %llu times %s\n", (unsigned long long)results(error),
			       error ? strerror(error) : "success");
}

/* Fails if an update returned anything but success and these two errors. */
void results_check(int allowed, int also_allowed)
{
	results_print();
	for (int error = 1; error < 128; error++)
		if (error != allowed && error != also_allowed && results(error))
			FAIL("%llu updates: %s", (unsigned long long)results(error),
			     strerror(error));
}

void mount_m(void)
{
	mount_image("ext4", 16, "m", NULL);
}

/* Triggers for the programs */

static void open_file(void)
{
	close(file_open("f", O_RDONLY));
}

static void run_shell(void)
{
	CHECK_EQ(sh(":"), 0);
}

static void change_mode(void)
{
	CHECK_SYS(chmod("f", 0600));
}

static void create_file(void)
{
	int fd = open("new", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	close(fd);
}

static void command_file(void)
{
	int fd = file_open("f", O_RDONLY);

	CHECK(ioctl(fd, COMMAND) == -1);
	close(fd);
}

/* Each kind of program */

static void check_kind(const char *name, void (*trigger)(void), const char *path)
{
	int map = map_create(32, 4, 8), reference = map_create(32, 4, 8);
	struct inode_map_key key, want;
	int fd;

	close(file_create("f"));
	fd = file_open(path, O_PATH);
	program_attach(name, map);
	CHECK_EQ(update_by(trigger, 77), 0);
	CHECK_EQ(map_count(map), 1);
	CHECK_EQ(map_get(map, fd), 77);

	/* The entry is the same as bpf(2) makes. */
	map_put(reference, fd, 1, 0);
	key = map_only_key(map);
	want = map_only_key(reference);
	CHECK(!memcmp(&key, &want, sizeof(key)));
	CHECK_EQ(key.ino, file_ino(path[0] == '/' ? realpath(path, NULL) : path));
	CHECK_EQ(key.flags, 0);
	counts_wait(2, 2, 1, 1);
	CHECK_OK(inode_map_remove_fd(map, fd));
	CHECK_EQ(map_count(map), 0);
	programs_destroy();
}

TEST(from_file_ioctl)
{
	check_kind("on_ioctl", command_file, "f");
}

TEST(from_file_open)
{
	check_kind("on_open", open_file, "f");
}

TEST(from_bprm_committed_creds)
{
	check_kind("on_exec", run_shell, "/bin/sh");
}

TEST(from_executable_of_task)
{
	check_kind("on_executable", command_file, "/proc/self/exe");
}

TEST(from_inode_setattr)
{
	check_kind("on_setattr", change_mode, "f");
}

/* The directory is locked at this hook. */
TEST(from_inode_create)
{
	check_kind("on_create", create_file, ".");
}

/* A dentry without an inode, although the verifier of 6.12 assumes one. */
TEST(negative_dentry)
{
	int map;

	/* 7.x assumes that it may be NULL, and refuses a program without a test. */
	if (VERIFIER_REFUSES(update, "on_create_negative", POSSIBLY_NULL))
		return;
	map = map_create(32, 4, 8);
	program_attach("on_create_negative", map);
	CHECK_ERR(update_by(create_file, 1), EINVAL);
	CHECK_EQ(map_count(map), 0);
}

TEST(verifier)
{
	static const struct refused refused[] = {
		{ "refused_not_sleepable", "program must be sleepable to call" },
		{ "refused_in_rcu", "is sleepable within rcu_read_lock region" },
		{ "refused_untrusted", "R2 must be referenced or trusted" },
		{ "refused_fentry", "R2 must be referenced or trusted" },
		{ "refused_syscall", "R2 must be referenced or trusted" },
		{ "refused_syscall_exe", "bpf_get_task_exe_file is not allowed" },
		{ "refused_iterator", "R2 must be referenced or trusted" },
		{ "refused_null_inode", POSSIBLY_NULL },
		{ "refused_null_value", POSSIBLY_NULL },
		{ "refused_beyond_value", "len pair leads to invalid memory access" },
	};

	CHECK_VERIFIER_REFUSES(update, refused);
}

/* Flags and errors */

static void check_flags(unsigned int key_size)
{
	int map = map_create(key_size, 4, 8), fd = file_create("f");

	program_attach("on_ioctl", map);
	CHECK_ERR(update(fd, 1, BPF_EXIST), ENOENT);
	CHECK_EQ(map_count(map), 0);
	CHECK_EQ(update(fd, 2, BPF_NOEXIST), 0);
	CHECK_EQ(map_get(map, fd), 2);
	CHECK_ERR(update(fd, 3, BPF_NOEXIST), EEXIST);
	CHECK_EQ(map_get(map, fd), 2);
	CHECK_EQ(update(fd, 4, BPF_EXIST), 0);
	CHECK_EQ(map_get(map, fd), 4);
	CHECK_EQ(update(fd, 5, BPF_ANY), 0);
	CHECK_EQ(map_get(map, fd), 5);
	CHECK_EQ(map_count(map), 1);
	counts_wait(1, 1, 1, 1);

	/* bpf(2) and programs see and change each other's entries. */
	CHECK_OK(map_set(map, fd, 6));
	CHECK_EQ(update(fd, 7, BPF_EXIST), 0);
	CHECK_EQ(map_get(map, fd), 7);
	CHECK_OK(inode_map_remove_fd(map, fd));
	CHECK_ERR(update(fd, 8, BPF_EXIST), ENOENT);
	CHECK_EQ(update(fd, 9, BPF_ANY), 0);
	CHECK_EQ(map_get(map, fd), 9);
	close(fd);
	CHECK_SYS(unlink("f"));
	CHECK_EQ(map_count(map), 0);
	programs_destroy();
}

TEST(flags_4)
{
	check_flags(4);
}

TEST(flags_32)
{
	check_flags(32);
}

/* A replaced value keeps its handle, by which bpf(2) finds and deletes the entry. */
TEST(handle)
{
	int map = map_create(32, 4, 8), fd = file_create("f"), other = file_create("g");
	struct inode_map_key before, key;
	unsigned int value;

	program_attach("on_ioctl", map);
	CHECK_EQ(update(fd, 1, BPF_ANY), 0);
	before = map_only_key(map);
	CHECK_EQ(update(fd, 2, BPF_ANY), 0);
	key = map_only_key(map);
	CHECK(!memcmp(&key, &before, sizeof(key)));
	CHECK_SYS(bpf_map_lookup_elem(map, &key, &value));
	CHECK_EQ(value, 2);
	CHECK_EQ(update(other, 3, BPF_ANY), 0);
	CHECK_EQ(map_count(map), 2);
	CHECK_SYS(bpf_map_delete_elem(map, &key));
	CHECK(!map_has(map, fd));
	CHECK_EQ(map_get(map, other), 3);
}

TEST(full)
{
	int map = map_create(32, 4, 2);
	int files[] = { file_create("a"), file_create("b"), file_create("c") };

	program_attach("on_ioctl", map);
	CHECK_EQ(update(files[0], 1, BPF_ANY), 0);
	CHECK_OK(map_set(map, files[1], 2));
	CHECK_ERR(update(files[2], 3, BPF_ANY), E2BIG);
	CHECK_ERR(update(files[2], 3, BPF_NOEXIST), E2BIG);
	CHECK(!map_has(map, files[2]));
	/* A full map still accepts new values for existing entries. */
	CHECK_EQ(update(files[1], 4, BPF_ANY), 0);
	CHECK_EQ(map_get(map, files[1]), 4);
	CHECK_OK(inode_map_remove_fd(map, files[0]));
	CHECK_EQ(update(files[2], 5, BPF_ANY), 0);
	CHECK_EQ(map_get(map, files[2]), 5);
	counts_wait(1, 2, 2, 2);
}

TEST(unknown_flags)
{
	int map = map_create(32, 4, 8), fd = file_create("f");

	program_attach("on_ioctl", map);
	for (unsigned int bit = 0; bit < 64; bit++) {
		__u64 flag = 1ULL << bit;

		if (flag == BPF_NOEXIST || flag == BPF_EXIST || flag == INODE_MAP_WEAK)
			continue;
		CHECK_ERR(update(fd, 1, flag), EINVAL);
		CHECK_ERR(update(fd, 1, flag | INODE_MAP_WEAK), EINVAL);
	}
	CHECK_ERR(update(fd, 1, BPF_NOEXIST | BPF_EXIST), EINVAL);
	CHECK_ERR(update(fd, 1, BPF_NOEXIST | BPF_EXIST | INODE_MAP_WEAK), EINVAL);
	CHECK_EQ(map_count(map), 0);
}

/* An update must pass exactly as many bytes as a value has. */
TEST(sizes)
{
	static char value[32768];
	int fd = file_create("f");
	int maps[] = { map_create(32, 4, 8), map_create(32, 7, 8), map_create(32, 8, 8),
		       map_create(32, 9, 8) };
	int map = map_create(32, sizeof(value), 8);

	program_attach("on_ioctl_wide", maps[0]);
	for (unsigned int i = 0; i < 4; i++) {
		programs->bss->map_id = map_id_of(maps[i]);
		CHECK_EQ(update(fd, 0, BPF_ANY), i == 2 ? 0 : -EINVAL);
		CHECK_EQ(map_count(maps[i]), i == 2);
	}
	programs_destroy();

	program_attach("on_ioctl_large", map);
	for (unsigned int i = 0; i < sizeof(value); i++)
		programs->bss->large[i] = i * 7 + i / 256;
	CHECK_EQ(update(fd, 0, BPF_ANY), 0);
	CHECK_OK(inode_map_get_fd(map, fd, value));
	CHECK(!memcmp(value, programs->bss->large, sizeof(value)));
}

TEST(no_such_map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int hash = CHECK_OK(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 4, 8, &opts));
	int map = map_create(32, 4, 8), fd = file_create("f");
	int freed = map_create(32, 4, 8);
	__u32 id = map_id_of(map), wrong[] = { 0, map_id_of(hash), map_id_of(freed), id + 256,
					       id + (1U << 31), UINT32_MAX };

	close(freed);
	counts_wait(1, 0, 0, 0);
	program_attach("on_ioctl", map);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		programs->bss->map_id = wrong[i];
		CHECK_ERR(update(fd, 1, BPF_ANY), ENODEV);
	}
	counts_wait(1, 0, 0, 0);
	/* No program has looked for this map before. */
	programs->bss->map_id = id;
	CHECK_EQ(update(fd, 1, BPF_ANY), 0);
	CHECK_EQ(map_get(map, fd), 1);
}
