// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks change values and entries while other tasks and programs look: they see whole values and
 * miss none, even while filesystems and maps go.
 */
#include "race.h"

struct race *programs;
struct bpf_link *links[2];

void programs_load(const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct bpf_program *program[2];

	programs = race__open();
	CHECK(programs);
	programs->bss->pid = getpid();
	for (unsigned int i = 0; i < 2 && names[i]; i++)
		program[i] = want_program(programs->obj, names[i]);
	CHECK_OK(race__load(programs));
	for (unsigned int i = 0; i < 2 && names[i]; i++)
		links[i] = attach_program(program[i]);
}

void programs_destroy(void)
{
	bpf_link__destroy(links[0]);
	bpf_link__destroy(links[1]);
	race__destroy(programs);
}

/* Trigger programs. Other tasks may remove the file. */
static bool open_briefly(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags, 0644);

	if (fd < 0 && errno != ENOENT)
		FAIL("opening %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void check_programs(void)
{
	printf("# %llu hits and %llu misses of programs\n", programs->bss->hits,
	       programs->bss->misses);
	CHECK_EQ(programs->bss->torn, 0);
}

/* A reader sees either the old or the new value. */

static void write_and_read(unsigned int task)
{
	int map = maps[0];
	union inode_map_any_key key;
	struct value value;
	int err;

	for (__u64 seed = task; !stopped(); seed += TASKS) {
		switch (task) {
		case 0:
		case 1:
			CHECK_OK(value_set(map, file, seed));
			break;
		case 2:
			value_fill(&value, seed);
			if (bpf_map_get_next_key(map, NULL, &key))
				break;
			err = bpf_map_update_elem(map, &key, &value, BPF_EXIST) ? -errno : 0;
			check_either("updating by handle", err, ENOENT, ENOENT);
			break;
		case 3:
			err = inode_map_get_fd(map, file, &value);
			check_either("looking up", err, ENOENT, ENOENT);
			if (!err)
				value_check(&value);
			break;
		case 4:
			if (bpf_map_get_next_key(map, NULL, &key))
				break;
			err = bpf_map_lookup_elem(map, &key, &value) ? -errno : 0;
			check_either("looking up by handle", err, ENOENT, ENOENT);
			if (!err)
				value_check(&value);
			break;
		case 5:
			check_either("deleting", inode_map_remove_fd(map, file), ENOENT, ENOENT);
			msleep(2);
			break;
		default:
			open_briefly("f", 0);
		}
	}
}

TEST(whole_values)
{
	file = file_create("f");
	maps[0] = map_create(32, sizeof(struct value), 8);
	programs_load("check", "check_sleepable");
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, TASKS, write_and_read);
	check_programs();
	CHECK(programs->bss->hits > 0);
	CHECK_OK(value_set(maps[0], file, 0));
	programs_destroy();
	counts_wait(1, 1, 1, 1);
}

/* While an entry gets new values, every reader finds it. */

static void update_and_look(unsigned int task)
{
	union inode_map_any_key key, by_handle;
	struct value value;

	CHECK_OK(inode_map_fd_key(maps[0], file, 0, &key));
	CHECK_OK(bpf_map_get_next_key(maps[0], NULL, &by_handle));
	run_on_cpu(task);
	for (__u64 seed = 0; !stopped(); seed++) {
		switch (task) {
		case 0:
			value_fill(&value, seed);
			CHECK_OK(bpf_map_update_elem(maps[0], seed & 1 ? &key : &by_handle, &value,
						     BPF_EXIST));
			break;
		case 1:
			CHECK(open_briefly("f", 0));
			break;
		default:
			CHECK_OK(bpf_map_lookup_elem(maps[0], &key, &value));
			CHECK_OK(bpf_map_lookup_elem(maps[0], &by_handle, &value));
			CHECK_OK(bpf_map_get_next_key(maps[0], NULL, &key));
			CHECK_EQ(key.fd, by_handle.fd);
			CHECK_OK(inode_map_fd_key(maps[0], file, 0, &key));
		}
	}
}

TEST(never_missing)
{
	file = file_create("f");
	maps[0] = map_create(4, sizeof(struct value), 8);
	CHECK_OK(value_set(maps[0], file, 0));
	programs_load("look_often", NULL);
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, 3, update_and_look);
	printf("# %llu hits\n", programs->bss->hits);
	CHECK(programs->bss->hits > 0);
	CHECK_EQ(programs->bss->misses, 0);
	programs_destroy();
}

/* Do everything at once that can be done to one file and its entry. */

static void do_everything(unsigned int task)
{
	union inode_map_any_key key;
	int map = maps[task % 2];
	struct value value;
	int err;

	for (__u64 seed = task; !stopped(); seed += TASKS) {
		switch (task) {
		case 0:
			open_briefly("f", O_CREAT);
			if (unlink("f"))
				CHECK_EQ(errno, ENOENT);
			break;
		case 1:
			open_briefly("g", O_CREAT);
			if (rename("g", "f") || unlink("f"))
				CHECK_EQ(errno, ENOENT);
			break;
		case 2:
		case 3:
			value_fill(&value, seed);
			err = inode_map_set_path(map, "f", &value, BPF_ANY,
						 seed & 8 ? INODE_MAP_WEAK : 0);
			check_either("adding", err, ENOENT, ESTALE);
			break;
		case 4:
			err = inode_map_remove_path(map, "f");
			check_either("deleting", err, ENOENT, ENOENT);
			break;
		case 5:
			err = inode_map_get_path(map, "f", &value);
			check_either("looking up", err, ENOENT, ENOENT);
			if (!err)
				value_check(&value);
			break;
		case 6:
			value_fill(&value, seed);
			if (bpf_map_get_next_key(map, NULL, &key))
				break;
			err = bpf_map_update_elem(map, &key, &value, BPF_ANY) ? -errno : 0;
			check_either("updating by handle", err, ENOENT, ENOENT);
			err = bpf_map_delete_elem(map, &key) ? -errno : 0;
			check_either("deleting by handle", err, ENOENT, ENOENT);
			break;
		default:
			open_briefly("f", 0);
		}
	}
}

TEST(everything_at_once)
{
	for (unsigned int i = 0; i < 2; i++)
		maps[i] = map_create(32, sizeof(struct value), 8);
	programs_load("check", "check_sleepable");
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, TASKS, do_everything);
	check_programs();
	programs_destroy();
	unlink("f");
	/* No file is left, so the entry that was added last must have gone with its file. */
	counts_wait(2, 0, 0, 0);
}

/* Unmount while tasks add and update the filesystem's entries, by descriptor and by handle. */

#define MOUNT_FILES	10

static void update_mount(unsigned int task)
{
	union inode_map_any_key key, next;
	int fds[MOUNT_FILES];
	char name[16];

	for (unsigned int i = 0; task < 2 && i < MOUNT_FILES; i++) {
		snprintf(name, sizeof(name), "mnt/f%u", i);
		fds[i] = file_open(name, task ? O_PATH : O_RDONLY);
	}
	add(&shared->won);
	while (!stopped()) {
		int err = bpf_map_get_next_key(maps[0], NULL, &next);

		/* Tasks 0 and 1 have files open and keep the filesystem busy. */
		for (unsigned int i = 0; task < 2 && i < MOUNT_FILES; i++)
			CHECK_OK(value_set(maps[0], fds[i], i));
		/* The other tasks have none, and continue while the filesystem is shut down. */
		while (task >= 2 && !err) {
			struct value value;

			key = next;
			value_fill(&value, task);
			err = bpf_map_update_elem(maps[0], &key, &value, BPF_ANY) ? -errno : 0;
			check_either("updating by handle", err, ENOENT, ENOENT);
			err = bpf_map_get_next_key(maps[0], &key, &next);
		}
		if (task < 2 && access("mnt/f0", F_OK)) {
			/* Unmounted: update once more, and close the files. */
			for (unsigned int i = 0; i < MOUNT_FILES; i++) {
				CHECK_OK(value_set(maps[0], fds[i], i));
				close(fds[i]);
			}
			return;
		}
	}
}

static bool all_have_opened(void *arg)
{
	(void)arg;
	return __atomic_load_n(&shared->won, __ATOMIC_SEQ_CST) == tasks;
}

TEST(unmount)
{
	double end = now() + SECONDS;
	unsigned int rounds;
	pid_t pids[4];

	maps[0] = map_create(32, sizeof(struct value), 100);
	CHECK_SYS(mkdir("mnt", 0755));
	for (rounds = 0; now() < end; rounds++) {
		CHECK_SYS(mount("mnt", "mnt", "tmpfs", 0, NULL));
		for (unsigned int i = 0; i < MOUNT_FILES; i++) {
			char name[16];

			snprintf(name, sizeof(name), "mnt/f%u", i);
			close(file_create(name));
		}
		tasks_start(4, update_mount, pids);
		CHECK(wait_until(all_have_opened, NULL, 20));
		msleep(rounds % 4 * 10);
		CHECK_SYS(umount2("mnt", MNT_DETACH));
		child_wait(pids[0]);
		child_wait(pids[1]);
		if (!wait_until(map_is_empty, &maps[0], 10))
			FAIL("%u entries are left of a filesystem that is gone",
			     map_count(maps[0]));
		shared->stop = true;
		child_wait(pids[2]);
		child_wait(pids[3]);
	}
	printf("# %u rounds\n", rounds);
	counts_wait(1, 0, 0, 0);
}

/* Programs on all processors count in one value. */

static void open_and_count(unsigned int task)
{
	unsigned long long opened = 0;

	run_on_cpu(task);
	while (!stopped())
		opened += open_briefly("f", 0);
	__atomic_add_fetch(&shared->total, opened, __ATOMIC_SEQ_CST);
}

TEST(counters)
{
	__u64 value = 1000;

	file = file_create("f");
	maps[0] = map_create(32, sizeof(value), 8);
	CHECK_OK(inode_map_set_fd(maps[0], file, &value, BPF_ANY, 0));
	programs_load("count", NULL);
	programs->bss->map_id = map_id_of(maps[0]);
	parallel_for(SECONDS, 4, open_and_count);
	printf("# %llu counted\n", shared->total);
	CHECK(shared->total > 0);
	CHECK_OK(inode_map_get_fd(maps[0], file, &value));
	CHECK_EQ(value, 1000 + shared->total);
	programs_destroy();
}

/* Maps come and go while programs look up inodes in them. Nothing keeps a map alive for them. */

static void open_on_cpu(unsigned int task)
{
	run_on_cpu(task);
	while (!stopped())
		open_briefly("f", 0);
}

/* Whether programs have found the file in a map and have also missed it. */
static bool both_seen(void)
{
	return programs->bss->hits > 0 && programs->bss->misses > 0;
}

TEST(map_freed)
{
	double least, most;
	unsigned int rounds;
	pid_t pids[2];

	file = file_create("f");
	programs_load("check", "check_sleepable");
	tasks_start(2, open_on_cpu, pids);
	least = now() + SECONDS;
	most = least + 10 * test_slowdown();
	for (rounds = 0; now() < least || (!both_seen() && now() < most); rounds++) {
		int map = map_create(4, sizeof(struct value), 1 + rounds % 100);

		CHECK_OK(value_set(map, file, rounds));
		programs->bss->map_id = map_id_of(map);
		msleep(rounds % 16);
		close(map);
	}
	shared->stop = true;
	tasks_wait(pids);
	printf("# %u rounds\n", rounds);
	check_programs();
	CHECK(both_seen());
	programs_destroy();
	counts_wait(0, 0, 0, 0);
}
