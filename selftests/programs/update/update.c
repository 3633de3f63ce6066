// SPDX-License-Identifier: GPL-2.0
/*
 * Updates by BPF programs: from every hook that has an inode which the verifier trusts, that they
 * do and refuse what bpf(2) does and refuses, and that no entry comes too late: when its inode, its
 * filesystem or its map goes at the same moment.
 */
#include "harness.h"

#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>

#include "update.skel.h"

/* update.bpf.c has the same. */
#define COMMAND		0x494d
#define CHILDREN	2

/* No result of an update. */
#define NOT_CALLED	1

#define SECONDS		3

#define POSSIBLY_NULL	"Possibly NULL pointer passed to trusted"

static struct update *programs;

static void program_choose(const char *name)
{
	struct bpf_program *program;

	if (!programs)
		programs = update__open();
	CHECK(programs);
	program = bpf_object__find_program_by_name(programs->obj, name);
	CHECK(program);
	bpf_program__set_autoload(program, true);
}

/* Load and attach what was chosen, to update the map @id for this process. */
static void programs_attach(unsigned int id)
{
	struct bpf_program *program;

	programs->bss->pid = getpid();
	programs->bss->map_id = id;
	CHECK_OK(update__load(programs));
	bpf_object__for_each_program(program, programs->obj)
		if (bpf_program__autoload(program) && !bpf_program__attach(program))
			FAIL("attaching %s: %s", bpf_program__name(program), strerror(errno));
}

static void program_attach(const char *name, int map)
{
	program_choose(name);
	programs_attach(map_id_of(map));
}

static void programs_destroy(void)
{
	/* The links go with the process. */
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

/* Have the program update the inode of a descriptor. */
static int update(int fd, unsigned int value, __u64 flags)
{
	programs->bss->value = value;
	programs->bss->flags = flags;
	programs->bss->result = NOT_CALLED;
	CHECK(ioctl(fd, COMMAND) == -1);
	return result_take();
}

/* Let the program run for what @trigger does. */
static int update_by(void (*trigger)(void), unsigned int value)
{
	programs->bss->value = value;
	programs->bss->result = NOT_CALLED;
	programs->bss->enabled = 1;
	trigger();
	programs->bss->enabled = 0;
	return result_take();
}

/* Results so far. */
static __u64 results(int error)
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

/* Fails if there was another one than success and these two. */
static void results_check(int allowed, int also_allowed)
{
	results_print();
	for (int error = 1; error < 128; error++)
		if (error != allowed && error != also_allowed && results(error))
			FAIL("%llu updates: %s", (unsigned long long)results(error),
			     strerror(error));
}

static void mount_m(void)
{
	mount_image("ext4", 16, "m", NULL);
}

/* What makes the programs run. */

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

/* Each kind of program. */

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

	/* It is the entry that bpf(2) would have made. */
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

/* The directory is locked meanwhile. */
TEST(from_inode_create)
{
	check_kind("on_create", create_file, ".");
}

/* A name without an inode, which the verifier of 6.12 takes for one with. */
TEST(negative_dentry)
{
	int map;

	/* 7.x wants the program to have asked. */
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

	/* bpf(2) changes, and sees the change of, what a program made; and the other way round. */
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

/* A replaced value keeps its handle, by which bpf(2) finds and deletes it. */
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
	/* There is room for another value of those that are in it. */
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

/* Neither more bytes than a value has, nor fewer. */
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
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		programs->bss->map_id = wrong[i];
		CHECK_ERR(update(fd, 1, BPF_ANY), ENODEV);
	}
	counts_wait(1, 0, 0, 0);
	/* Nobody has looked for this one before. */
	programs->bss->map_id = id;
	CHECK_EQ(update(fd, 1, BPF_ANY), 0);
	CHECK_EQ(map_get(map, fd), 1);
}

/* Pinned and weak entries, as bpf(2) makes them. */

static bool is_empty_after_drop(void *map)
{
	drop_caches();
	return map_is_empty(map);
}

/* Evict every inode of the file system at m that can be evicted: the last one used is. */
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
	/* From pinned to weak, */
	update_path("m/f", INODE_MAP_WEAK);
	check_lifetime(map, INODE_MAP_WEAK);
	/* weak from the first, */
	update_path("m/f", INODE_MAP_WEAK | BPF_NOEXIST);
	check_lifetime(map, INODE_MAP_WEAK);
	/* and from weak to pinned. */
	update_path("m/f", INODE_MAP_WEAK);
	update_path("m/f", BPF_EXIST);
	check_lifetime(map, 0);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
}

/* Kernel-internal mounts: entries are weak, whatever was asked. */
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
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_SYS(waitpid(pid, NULL, 0));
	/* The namespace is this descriptor's by now. */
	use_internal(map, fd);

	close(pipes[1]);
	use_internal(map, pipes[0]);

	CHECK_ERR(update(event, 1, 0), EOPNOTSUPP);
	CHECK_ERR(update(event, 1, INODE_MAP_WEAK), EOPNOTSUPP);
	counts_wait(1, 0, 0, 0);
}

/* Inodes that end */

static void create_and_close(const char *path)
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

/* Too late for an update: the inode is being freed. */
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
 * A security module refuses a new inode, and another sees it go: it has never been anybody's, and
 * fsnotify is not told that it is freed.
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

static unsigned long blocks_free(void)
{
	struct statfs statfs_;

	CHECK_SYS(statfs("m", &statfs_));
	return statfs_.f_bfree;
}

static bool are_blocks_back(void *want)
{
	return blocks_free() >= *(unsigned long *)want;
}

static void check_blocks(unsigned long want)
{
	if (!wait_until(are_blocks_back, &want, 10))
		FAIL("%lu blocks are free, not %lu", blocks_free(), want);
}

/* A file of a few megabytes. */
static int create_large(const char *path)
{
	static const char data[1 << 16] = { 1 };
	int fd = CHECK_SYS(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));

	for (int i = 0; i < 64; i++)
		CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	CHECK_SYS(fsync(fd));
	return fd;
}

/* The last link goes, the file is open: its entry can be made and goes at the last close. */
TEST(unlinked_while_open)
{
	int map = map_create(32, 4, 8);
	unsigned long before;

	mount_m();
	program_attach("on_ioctl", map);
	/* The directory and the bitmaps have what they need. */
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

/* In the middle of the unlink or the rename that takes the last name. */
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

/* Against others who are at work */

#define OPENERS	3

static struct shared {
	bool stop, paused;
	bool busy[OPENERS];
} *shared;

static bool load(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void store(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
}

/* Open files of m, while there are any, and be in none of them when paused. */
static void open_often(void *number)
{
	bool *busy = &shared->busy[*(unsigned int *)number];

	for (unsigned int i = 0; !load(&shared->stop); i++) {
		char path[32];
		int fd;

		store(busy, true);
		if (load(&shared->paused)) {
			store(busy, false);
			usleep(100);
			continue;
		}
		snprintf(path, sizeof(path), "m/f%u", i % 4);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			if (i % 8 == 0)
				usleep(100);
			ioctl(fd, COMMAND);
			close(fd);
		} else if (errno != ENOENT) {
			FAIL("opening %s: %s", path, strerror(errno));
		}
		/* A moment without a descriptor. */
		usleep(i % 8 * 200);
	}
	store(busy, false);
}

static pid_t openers[OPENERS];

static void shared_create(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	CHECK(shared != MAP_FAILED);
}

static void openers_start(void)
{
	shared_create();
	programs->bss->enabled = CHILDREN;
	for (unsigned int i = 0; i < OPENERS; i++)
		openers[i] = child_start(open_often, &i);
}

static void openers_stop(void)
{
	store(&shared->stop, true);
	for (unsigned int i = 0; i < OPENERS; i++)
		child_wait(openers[i]);
	programs->bss->enabled = 0;
}

static bool are_idle(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < OPENERS; i++)
		if (load(&shared->busy[i]))
			return false;
	return true;
}

static void openers_pause(void)
{
	store(&shared->paused, true);
	if (!wait_until(are_idle, NULL, 20))
		FAIL("a process that opens files does not come back");
}

static void openers_go_on(void)
{
	store(&shared->paused, false);
	usleep(10000);
}

static bool is_umounted(void *path)
{
	if (!umount(path))
		return true;
	CHECK_EQ(errno, EBUSY);
	return false;
}

/* A loop device that stays, with an ext4 with files in it; not mounted. */
static char device[32];

static void device_setup(void)
{
	FILE *pipe;

	mount_image("ext4", 16, "m", NULL);
	for (unsigned int i = 0; i < 4; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%u", i);
		create_and_close(path);
	}
	CHECK_SYS(umount("m"));
	pipe = popen("losetup --find --show image.ext4", "r");
	CHECK(pipe && fscanf(pipe, "%31s", device) == 1 && pclose(pipe) == 0);
}

/* Nobody has it any more, from this moment on. */
static void check_device_is_free(const char *when)
{
	int fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		FAIL("%s is in use after %s: %s", device, when, strerror(errno));
	close(fd);
}

static void device_detach(void)
{
	CHECK_EQ(sh("losetup --detach %s", device), 0);
}

/* Those who open files are told to pause, and after that nothing makes the mount busy. */
static void unmount_idle(void)
{
	openers_pause();
	CHECK_SYS(umount("m"));
	check_device_is_free("an unmount while nobody opens files");
}

static void unmount_busy(void)
{
	if (!wait_until(is_umounted, "m", 20))
		FAIL("the file system can't be unmounted");
	check_device_is_free("an unmount while files are opened");
}

static void unmount_lazily(void)
{
	CHECK_SYS(umount2("m", MNT_DETACH));
	openers_pause();
	check_device_is_free("a lazy unmount");
}

TEST(against_unmounts)
{
	static void (*const unmounts[])(void) = { unmount_idle, unmount_busy, unmount_lazily };
	int map = map_create(32, 4, 100);
	unsigned int rounds = 0;
	double end;

	device_setup();
	program_choose("on_open");
	program_choose("on_ioctl");
	programs_attach(map_id_of(map));
	openers_start();
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		programs->bss->flags = rounds & 1 ? INODE_MAP_WEAK : 0;
		CHECK_SYS(mount(device, "m", "ext4", 0, NULL));
		openers_go_on();
		unmounts[rounds % 3]();
		CHECK_EQ(map_count(map), 0);
	}
	openers_stop();
	printf("# %u rounds\n", rounds);
	results_check(ESTALE, ESTALE);
	CHECK(results(0) > rounds);
	counts_wait(1, 0, 0, 0);
	device_detach();
}

static void drop_often(void *unused)
{
	(void)unused;
	while (!load(&shared->stop))
		file_write("/proc/sys/vm/drop_caches", "2");
}

static void use_many_files(int flags)
{
	for (unsigned int i = 0; i < 200; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/d/f%u", i);
		close(CHECK_SYS(open(path, O_RDONLY | O_CLOEXEC | flags, 0600)));
	}
}

/*
 * Inodes are evicted when their file system goes, and a program comes too late for each of them. It
 * must not keep the file system for a moment either: nobody would wait for that.
 */
TEST(too_late_against_unmounts)
{
	int map = map_create(32, 4, 100);
	unsigned int rounds = 0;
	double end;
	pid_t pid;

	device_setup();
	CHECK_SYS(mount(device, "m", "ext4", 0, NULL));
	CHECK_SYS(mkdir("m/d", 0755));
	use_many_files(O_CREAT);
	CHECK_SYS(umount("m"));
	program_attach("on_free", map);
	programs->bss->enabled = 1;
	shared_create();
	pid = child_start(drop_often, NULL);
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		CHECK_SYS(mount(device, "m", "ext4", 0, NULL));
		use_many_files(0);
		usleep(rounds % 8 * 500);
		CHECK_SYS(umount("m"));
		check_device_is_free("an unmount while caches are dropped");
	}
	store(&shared->stop, true);
	child_wait(pid);
	programs->bss->enabled = 0;
	printf("# %u rounds\n", rounds);
	results_check(ESTALE, ESTALE);
	CHECK_EQ(results(0), 0);
	CHECK(results(ESTALE) > rounds * 100);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
	device_detach();
}

/* The files that are opened are removed and replaced all the time. */
TEST(against_removal)
{
	int map = map_create(32, 4, 100);
	unsigned long before;
	unsigned int rounds = 0;
	double end;

	mount_m();
	program_choose("on_open");
	program_choose("on_ioctl");
	programs_attach(map_id_of(map));
	close(create_large("m/f0"));
	CHECK_SYS(unlink("m/f0"));
	sync();
	before = blocks_free();
	openers_start();
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		char path[32];

		programs->bss->flags = rounds & 4 ? INODE_MAP_WEAK : 0;
		snprintf(path, sizeof(path), "m/f%u", rounds % 4);
		create_and_close(path);
		usleep(rounds % 8 * 50);
		if (rounds % 3) {
			CHECK_SYS(unlink(path));
		} else {
			create_and_close("m/new");
			CHECK_SYS(rename("m/new", path));
		}
	}
	openers_stop();
	printf("# %u rounds\n", rounds);
	results_check(ESTALE, ESTALE);
	CHECK(results(0) > rounds / 8);
	CHECK_EQ(sh("rm -f m/f? m/new"), 0);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
	check_blocks(before);
	CHECK_SYS(umount("m"));
}

/* Maps that nobody bound to the programs, freed while they are in use by their ids. */
TEST(against_freed_maps)
{
	unsigned int rounds = 0;
	double end;

	CHECK_SYS(mkdir("m", 0755));
	for (unsigned int i = 0; i < 4; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%u", i);
		create_and_close(path);
	}
	program_choose("on_open");
	program_choose("on_ioctl");
	programs_attach(0);
	openers_start();
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		int map = map_create(rounds & 1 ? 4 : 32, 4, 100);

		programs->bss->flags = rounds & 2 ? INODE_MAP_WEAK : 0;
		programs->bss->map_id = map_id_of(map);
		usleep(rounds % 8 * 1000);
		close(map);
	}
	openers_stop();
	printf("# %u rounds\n", rounds);
	results_check(ENODEV, ENODEV);
	CHECK(results(0) > rounds && results(ENODEV) > 0);
	counts_wait(0, 0, 0, 0);
}

/* Memory */

/* One run of a program replaces more than may wait for its end. */
TEST(too_many_in_one_run)
{
	int map = map_create(32, sizeof(programs->bss->large), 8), fd = file_create("f");
	__u64 done;

	program_attach("on_ioctl_often", map);
	CHECK_ERR(update(fd, 0, BPF_ANY), ENOMEM);
	results_check(ENOMEM, ENOMEM);
	done = results(0);
	/* 64 MiB, and the one that is there. */
	CHECK(done > 1024 && done < 3072);
	CHECK_EQ(map_count(map), 1);
	counts_wait(1, 1, 1, 1);
	update(fd, 0, BPF_ANY);
	CHECK(results(0) > done + 1024);
	programs_destroy();
}

#define CGROUPS	"/sys/fs/cgroup"
#define CGROUP	CGROUPS "/inode_map_update"

/* A job of a process in the cgroup; its memory is shared, so that the result can be read. */
struct job {
	bool large;
	unsigned long room;
	int first;
	unsigned int count, done;
	int error;
	int replaced[8];
};

static void cgroup_limit(unsigned long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", bytes);
	file_write(CGROUP "/memory.max", text);
}

/* The value is a number, which a large one begins with and has in its last byte, too. */
static int update_number(const struct job *job, int fd, unsigned int number, __u64 flags)
{
	__u8 *large = programs->bss->large;

	if (job->large) {
		memcpy(large, &number, sizeof(number));
		large[sizeof(programs->bss->large) - 1] = number;
	}
	return update(fd, number, flags);
}

static void fill_to_the_limit(void *arg)
{
	struct job *job = arg;
	char text[32];

	file_write(CGROUP "/cgroup.procs", "0");
	/* No page fault below: what the loop needs is there. */
	for (; job->done < 8; job->done++)
		CHECK_EQ(update_number(job, job->first + job->done, job->done, BPF_ANY), 0);
	CHECK_SYS(mlockall(MCL_CURRENT));
	file_read(CGROUP "/memory.current", text, sizeof(text));
	cgroup_limit(strtoul(text, NULL, 10) + job->room);
	for (; job->done < job->count; job->done++) {
		job->error = update_number(job, job->first + job->done, job->done, BPF_ANY);
		if (job->error)
			break;
	}
	for (unsigned int i = 0; i < 8; i++)
		job->replaced[i] = update_number(job, job->first + i, ~i, BPF_EXIST);
}

static void check_number(const struct job *job, int map, int fd, unsigned int number)
{
	static char value[sizeof(programs->bss->large)];

	CHECK_OK(inode_map_get_fd(map, fd, value));
	CHECK(!memcmp(value, &number, sizeof(number)));
	if (job->large)
		CHECK_EQ(value[sizeof(value) - 1], (char)number);
}

static void cgroup_create(void)
{
	char controllers[256] = "";

	if (access(CGROUPS "/cgroup.controllers", R_OK))
		SKIP("there is no cgroup2 file system at " CGROUPS);
	file_read(CGROUPS "/cgroup.controllers", controllers, sizeof(controllers));
	if (!strstr(controllers, "memory"))
		SKIP("this kernel has no memory cgroups");
	file_write(CGROUPS "/cgroup.subtree_control", "+memory");
	/* Left by a case that failed. */
	rmdir(CGROUP);
	CHECK_SYS(mkdir(CGROUP, 0755));
}

static struct job *job_new(unsigned int count)
{
	struct rlimit limit = { count + 100, count + 100 };
	struct job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(job != MAP_FAILED);
	memset(job, 0, sizeof(*job));
	CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
	job->count = count;
	for (unsigned int i = 0; i < count; i++) {
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "f%u", i);
		fd = CHECK_SYS(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
		if (!i)
			job->first = fd;
		CHECK_EQ(fd, job->first + i);
	}
	return job;
}

/* In @room there are @least entries or more, and less than the files, of which there are @count. */
static void use_limit(bool large, unsigned int count, unsigned long room, unsigned int least)
{
	struct job *job;
	int map;

	cgroup_create();
	/* Its creator pays, whoever runs the program. */
	file_write(CGROUP "/cgroup.procs", "0");
	map = map_create(32, large ? sizeof(programs->bss->large) : 4, count);
	file_write(CGROUPS "/cgroup.procs", "0");
	job = job_new(count);
	job->large = large;
	job->room = room;
	program_attach(large ? "on_ioctl_large" : "on_ioctl", map);
	child_wait(child_start(fill_to_the_limit, job));

	CHECK_EQ(job->error, -ENOMEM);
	CHECK_EQ(sh("grep -qx 'oom_kill 0' " CGROUP "/memory.events"), 0);
	results_check(ENOMEM, ENOMEM);
	/* The map is as before the call that failed. */
	CHECK(job->done >= least);
	CHECK_EQ(map_count(map), job->done);
	CHECK(!map_has(map, job->first + job->done));
	for (unsigned int i = 0; i < job->done; i++)
		check_number(job, map, job->first + i, i < 8 && !job->replaced[i] ? ~i : i);
	/* Nothing is kept from the calls that failed; and with room they succeed. */
	counts_wait(1, job->done, job->done, job->done);
	file_write(CGROUP "/memory.max", "max");
	CHECK_EQ(update_number(job, job->first + job->done, 1, BPF_NOEXIST), 0);
	close(map);
	counts_wait(0, 0, 0, 0);
	CHECK_SYS(rmdir(CGROUP));
}

/* It is the value that there is no room for... */
TEST(memory_limit_with_large_values)
{
	use_limit(true, 500, 8UL << 20, 100);
}

/* ...or what the inode needs. */
TEST(memory_limit_with_small_values)
{
	use_limit(false, 5000, 1UL << 19, 200);
}
