// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of the module: what keeps it loaded, that it can be removed when nothing does, and that
 * removal waits for everything that may still run its code.
 *
 * Whatever a case does, the module is loaded again when it is over.
 */
#include "harness.h"

#include <sys/syscall.h>
#include <time.h>

#include "module.skel.h"

#define MODULE_FILE	"/lib/modules/extra/inode_map.ko"

static int module_load(void)
{
	int fd = open(MODULE_FILE, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		SKIP("there is no %s", MODULE_FILE);
	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return err;
}

static int module_remove(void)
{
	return syscall(SYS_delete_module, "inode_map", O_NONBLOCK) ? -errno : 0;
}

static bool module_removed(void *arg)
{
	int err = module_remove();

	(void)arg;
	if (err && err != -EWOULDBLOCK)
		FAIL("removing the module: %s", strerror(-err));
	return !err;
}

/* The module's users are gone, but the kernel may free them later. */
static void module_remove_soon(void)
{
	if (!wait_until(module_removed, NULL, 10))
		FAIL("the module is still in use");
	CHECK(access("/proc/inode_map", F_OK) && errno == ENOENT);
	CHECK(!if_nametoindex(INODE_MAP_DEVICE));
}

static bool module_loaded(void *arg)
{
	int err = module_load();

	(void)arg;
	return !err || err == -EEXIST;
}

struct call {
	void (*run)(void);
};

static void call_run(void *arg)
{
	struct call *call = arg;

	/* Fire before the case's own timeout. */
	time_limit(60);
	call->run();
}

static void run_and_load(void (*run)(void))
{
	struct call call = { run };
	pid_t pid;
	int status;

	if (access(MODULE_FILE, R_OK))
		SKIP("there is no %s", MODULE_FILE);
	pid = child_start(call_run, &call);
	CHECK_SYS(waitpid(pid, &status, 0));
	if (!wait_until(module_loaded, NULL, 10))
		FAIL("the module can't be loaded again");
	if (status)
		FAIL("status %#x", status);
}

/* A case that may leave the module removed. */
#define MODULE_TEST(name)						\
	static void run_##name(void);					\
	TEST(name)							\
	{								\
		run_and_load(run_##name);				\
	}								\
	static void run_##name(void)

static struct module *program_load(unsigned int map_id)
{
	struct module *program = module__open();

	CHECK(program);
	program->bss->pid = getpid();
	program->bss->map_id = map_id;
	CHECK_OK(module__load(program));
	return program;
}

static void check_works(void)
{
	int map = map_create(32, 4, 8), fd = file_create("works");

	CHECK_OK(map_set(map, fd, 5));
	CHECK_EQ(map_get(map, fd), 5);
	close(map);
	close(fd);
	counts_wait(0, 0, 0, 0);
}

MODULE_TEST(loaded_twice)
{
	CHECK_EQ(module_load(), -EEXIST);
	check_works();
}

MODULE_TEST(not_in_use)
{
	CHECK_OK(module_remove());
	CHECK_EQ(module_remove(), -ENOENT);
	CHECK_OK(module_load());
	check_works();
	CHECK_EQ(module_load(), -EEXIST);
}

MODULE_TEST(used_by_descriptor)
{
	int map = map_create(32, 4, 8);

	CHECK_ERR(module_remove(), EWOULDBLOCK);
	/* The attempt leaves everything as it was. */
	CHECK_OK(map_set(map, file_create("f"), 1));
	CHECK_EQ(map_count(map), 1);
	CHECK_ERR(module_remove(), EWOULDBLOCK);
	close(map);
	module_remove_soon();
}

MODULE_TEST(used_by_pin)
{
	int map = map_create(4, 4, 8), fd = file_create("f");

	CHECK_SYS(mkdir("bpf", 0755));
	CHECK_SYS(mount("bpf", "bpf", "bpf", 0, NULL));
	CHECK_OK(map_set(map, fd, 3));
	CHECK_OK(bpf_obj_pin(map, "bpf/map"));
	close(map);
	usleep(300000);
	CHECK_ERR(module_remove(), EWOULDBLOCK);
	map = CHECK_OK(bpf_obj_get("bpf/map"));
	CHECK_EQ(map_get(map, fd), 3);
	close(map);
	CHECK_SYS(unlink("bpf/map"));
	module_remove_soon();
}

MODULE_TEST(used_by_program)
{
	struct module *program = program_load(1);
	struct counts counts;

	counts_read(&counts);
	CHECK_EQ(counts.maps, 0);
	CHECK_ERR(module_remove(), EWOULDBLOCK);
	CHECK_OK(module__attach(program));
	CHECK_ERR(module_remove(), EWOULDBLOCK);
	close(file_create("f"));
	CHECK_EQ(program->bss->hits, 0);
	module__destroy(program);
	module_remove_soon();
}

MODULE_TEST(used_by_bound_map)
{
	int map = map_create(32, 4, 8), fd = file_create("f");
	struct module *program = program_load(map_id_of(map));

	CHECK_OK(map_set(map, fd, 8));
	CHECK_OK(inode_map_bind(map, bpf_program__fd(program->progs.look)));
	CHECK_OK(module__attach(program));
	close(map);
	usleep(300000);
	CHECK_ERR(module_remove(), EWOULDBLOCK);
	close(file_open("f", O_RDONLY));
	CHECK_EQ(program->bss->hits, 1);
	CHECK_EQ(program->bss->seen, 8);
	module__destroy(program);
	module_remove_soon();
}

/* A program that never calls the module, but holds a map of it. */
MODULE_TEST(used_by_bound_map_alone)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int prog = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "holder", "GPL", code, 2, NULL);
	int map = map_create(32, 4, 8);

	CHECK_OK(prog);
	CHECK_OK(inode_map_bind(map, prog));
	close(map);
	usleep(300000);
	CHECK_ERR(module_remove(), EWOULDBLOCK);
	close(prog);
	module_remove_soon();
}

/* Entries by the thousand are freed when their map is, and removing the module waits for them. */
MODULE_TEST(many_entries)
{
	int map = map_create(4, 64, 2000);
	char value[64] = "value";

	for (unsigned int i = 0; i < 2000; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "f%u", i);
		fd = CHECK_SYS(open(name, O_RDONLY | O_CREAT | O_CLOEXEC, 0644));
		CHECK_OK(inode_map_set_fd(map, fd, value, BPF_ANY, 0));
		close(fd);
	}
	close(map);
	module_remove_soon();
}

/* A reader of the counters does not keep the module, and finds the counters gone. */
MODULE_TEST(counters_open)
{
	int fd = file_open("/proc/inode_map", O_RDONLY);
	char text[256];

	CHECK(read(fd, text, sizeof(text)) > 0);
	CHECK_OK(module_remove());
	lseek(fd, 0, SEEK_SET);
	CHECK(read(fd, text, sizeof(text)) <= 0);
	CHECK_OK(module_load());
	CHECK(read(fd, text, sizeof(text)) <= 0);
	close(fd);
	check_works();
}

/* All uses of the module, from loading to removal. */
MODULE_TEST(reloaded_20_times)
{
	for (unsigned int i = 0; i < 20; i++) {
		int map = map_create(i % 2 ? 4 : 32, 4, 100);
		struct module *program = program_load(map_id_of(map));
		char name[16];

		CHECK_OK(module__attach(program));
		for (unsigned int j = 0; j < 10; j++) {
			int fd;

			snprintf(name, sizeof(name), "f%u", j);
			fd = file_create(name);
			CHECK_OK(map_set(map, fd, i * 10 + j));
			close(fd);
			close(file_open(name, O_RDONLY));
			CHECK_EQ(program->bss->hits, j + 1);
			CHECK_EQ(program->bss->seen, i * 10 + j);
		}
		if (i % 4)
			module__destroy(program);
		close(map);
		if (i % 4 == 0)
			module__destroy(program);
		module_remove_soon();
		CHECK_OK(module_load());
	}
}

/* At the same time, free the last map, unmount its inodes' filesystem and remove the module. */

static void unmount(void *arg)
{
	(void)arg;
	CHECK_SYS(umount2("mnt", 0));
}

MODULE_TEST(unmounted_while_removed)
{
	double end = now() + 6;
	unsigned int rounds = 0;

	CHECK_SYS(mkdir("mnt", 0755));
	do {
		int map;
		pid_t pid;

		CHECK_SYS(mount("mnt", "mnt", "tmpfs", 0, NULL));
		map = map_create(32, 4, 1000);
		for (unsigned int i = 0; i < 50; i++) {
			unsigned int value = i;
			char name[16];
			int fd;

			snprintf(name, sizeof(name), "mnt/f%u", i);
			fd = file_create(name);
			CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY,
						  i % 2 ? INODE_MAP_WEAK : 0));
			close(fd);
		}
		/* Children that are started before this have the map open, too. */
		if (rounds % 2)
			close(map);
		pid = child_start(unmount, NULL);
		if (rounds % 2 == 0)
			close(map);
		module_remove_soon();
		child_wait(pid);
		CHECK_OK(module_load());
		rounds++;
	} while (rounds < 50 && now() < end);
	printf("# %u rounds\n", rounds);
}
