// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of inode_map.h for loaders: what it reports about the kernel and the module, maps that
 * BPF objects declare or that are pinned, their reuse across restarts, and attaching programs so
 * that their maps stay, and so that one program replaces another without a moment with neither
 * attached.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "loader.skel.h"

#define PINNED_MAP	BPFFS_PATH "/loader_pinned"
#define PINNED_LINK	BPFFS_PATH "/link"

static void deny(int map, const char *path)
{
	__u32 value = 1;

	CHECK_OK(inode_map_set_path(map, path, &value, BPF_ANY, 0));
}

/* An object with the program @name alone. */
static struct loader *object_open(const char *name, struct bpf_program **prog)
{
	struct loader *loader = loader__open();

	CHECK(loader);
	*prog = want_program(loader->obj, name);
	return loader;
}

static struct loader *object_load(const char *name, struct bpf_program **prog)
{
	struct loader *loader = object_open(name, prog);

	CHECK_OK(inode_map_prepare(loader->maps.loader_pinned));
	CHECK_OK(inode_map_prepare(loader->maps.loader_own));
	CHECK_OK(loader__load(loader));
	return loader;
}

/* Load an object for a map that the loader has created. */
static struct loader *object_load_by_id(int map, struct bpf_program **prog)
{
	struct loader *loader = object_open("by_id", prog);

	CHECK_OK(bpf_map__set_autocreate(loader->maps.loader_pinned, false));
	CHECK_OK(bpf_map__set_autocreate(loader->maps.loader_own, false));
	loader->rodata->map_id = CHECK_OK(inode_map_id(map));
	CHECK_OK(loader__load(loader));
	return loader;
}

/* Declared maps */

/* Bound, and attached. */
static struct loader *object_attach(const char *name)
{
	struct bpf_program *prog;
	struct loader *loader = object_load(name, &prog);

	CHECK_OK(inode_map_bind_object(loader->obj));
	CHECK_OK(loader__attach(loader));
	return loader;
}

TEST(declared)
{
	struct loader *loader;

	mount_bpffs();
	close(file_create("f"));
	loader = object_attach("by_own_name");
	CHECK(!open_is_denied("f"));
	deny(bpf_map__fd(loader->maps.loader_own), "f");
	CHECK(open_is_denied("f"));
	loader__destroy(loader);
	CHECK(wait_until(open_is_allowed, "f", 10));
}

/* The program is pinned. Its map stays although it is not pinned: it is bound to the program. */
TEST(declared_map_stays_with_the_program)
{
	struct loader *loader;

	mount_bpffs();
	close(file_create("f"));
	loader = object_attach("by_own_name");
	deny(bpf_map__fd(loader->maps.loader_own), "f");
	CHECK_OK(bpf_link__pin(loader->links.by_own_name, PINNED_LINK));
	loader__destroy(loader);
	/* Longer than it takes to free a map. */
	sleep(1);
	CHECK(open_is_denied("f"));
}

/* A restarted loader finds the map with its entries. */
TEST(declared_and_pinned)
{
	mount_bpffs();
	close(file_create("f"));
	for (unsigned int start = 0; start < 3; start++) {
		struct loader *loader = object_attach("by_pinned_name");

		CHECK_EQ(open_is_denied("f"), start > 0);
		deny(bpf_map__fd(loader->maps.loader_pinned), "f");
		CHECK(open_is_denied("f"));
		loader__destroy(loader);
		CHECK(wait_until(open_is_allowed, "f", 10));
		counts_wait(1, 1, 1, 1);
	}
}

/* libbpf alone can't reuse a pinned map: inode_map_prepare() does. */
TEST(libbpf_alone_reuses_no_map)
{
	int map = CHECK_OK(inode_map_create("loader_pinned", sizeof(__u32), 8));
	struct bpf_program *prog;
	struct loader *loader;

	mount_bpffs();
	CHECK_SYS(bpf_obj_pin(map, PINNED_MAP));
	loader = object_open("by_pinned_name", &prog);
	CHECK_OK(inode_map_prepare(loader->maps.loader_own));
	CHECK_OK(bpf_map__set_ifindex(loader->maps.loader_pinned,
				      if_nametoindex(INODE_MAP_DEVICE)));
	libbpf_set_print(NULL);
	CHECK(loader__load(loader) < 0);
	loader__destroy(loader);
}

static void check_declared_does_not_fit(int fd)
{
	struct bpf_program *prog;
	struct loader *loader;

	CHECK_SYS(bpf_obj_pin(fd, PINNED_MAP));
	loader = object_open("by_pinned_name", &prog);
	CHECK_ERR(inode_map_prepare(loader->maps.loader_pinned), EMEDIUMTYPE);
	loader__destroy(loader);
	CHECK_SYS(unlink(PINNED_MAP));
	close(fd);
}

TEST(declared_in_another_shape)
{
	struct bpf_program *prog;
	struct loader *loader;

	mount_bpffs();
	check_declared_does_not_fit(CHECK_OK(inode_map_create("loader_pinned", 8, 8)));
	check_declared_does_not_fit(CHECK_OK(inode_map_create("loader_pinned", 4, 9)));
	check_declared_does_not_fit(map_create(4, 4, 8));
	check_declared_does_not_fit(CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "loader_pinned",
							     32, 4, 8, NULL)));
	/* Without a map of another shape, loading works. */
	loader = object_load("by_pinned_name", &prog);
	loader__destroy(loader);
}

TEST(declared_and_prepared_too_late)
{
	struct bpf_program *prog;
	struct loader *loader;

	mount_bpffs();
	loader = object_load("by_own_name", &prog);
	libbpf_set_print(NULL);
	CHECK_ERR(inode_map_prepare(loader->maps.loader_own), EBUSY);
	loader__destroy(loader);
}

TEST(bound_too_early)
{
	struct bpf_program *prog;
	struct loader *loader = object_open("by_own_name", &prog);

	libbpf_set_print(NULL);
	CHECK_OK(inode_map_prepare(loader->maps.loader_own));
	CHECK(inode_map_bind_object(loader->obj) < 0);
	loader__destroy(loader);
}

TEST(declared_where_there_is_no_device)
{
	struct bpf_program *prog;
	struct loader *loader = object_open("by_own_name", &prog);

	CHECK_SYS(unshare(CLONE_NEWNET));
	CHECK_ERR(inode_map_prepare(loader->maps.loader_own), ENODEV);
	loader__destroy(loader);
}

/* Pinned maps */

TEST(open)
{
	int map, again;

	mount_bpffs();
	close(file_create("f"));
	map = CHECK_OK(inode_map_open(PINNED_MAP, "test", 4, 8));
	deny(map, "f");
	again = CHECK_OK(inode_map_open(PINNED_MAP, "test", 4, 8));
	CHECK_EQ(inode_map_id(again), inode_map_id(map));
	close(map);
	close(again);

	map = CHECK_OK(inode_map_open(PINNED_MAP, "test", 4, 8));
	CHECK(map_has_path(map, "f"));
	/* The map is unchanged, and inode_map_open() refuses one of another shape. */
	CHECK_ERR(inode_map_open(PINNED_MAP, "test", 8, 8), EMEDIUMTYPE);
	CHECK_ERR(inode_map_open(PINNED_MAP, "test", 4, 9), EMEDIUMTYPE);
	CHECK(map_has_path(map, "f"));
	CHECK_ERR(inode_map_open(BPFFS_PATH "/no/directory", "test", 4, 8), ENOENT);
	counts_wait(1, 1, 1, 1);
}

static void check_does_not_fit(int fd)
{
	CHECK_SYS(bpf_obj_pin(fd, PINNED_MAP));
	CHECK_ERR(inode_map_open(PINNED_MAP, "test", 4, 8), EMEDIUMTYPE);
	CHECK_SYS(unlink(PINNED_MAP));
	close(fd);
}

TEST(open_what_is_no_such_map)
{
	int map = map_create(32, 4, 8);
	struct bpf_program *prog;
	struct bpf_link *link;
	struct loader *loader;

	mount_bpffs();
	check_does_not_fit(map_create(4, 4, 8));
	check_does_not_fit(CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "test", 32, 4, 8, NULL)));
	loader = object_load_by_id(map, &prog);
	CHECK_OK(inode_map_attach(map, prog, &link));
	check_does_not_fit(dup(bpf_link__fd(link)));
	check_does_not_fit(dup(bpf_program__fd(prog)));
	bpf_link__destroy(link);
	loader__destroy(loader);
}

#define OPENERS		8

static void open_with_others(void *arg)
{
	__u32 *ids = arg;
	int map = CHECK_OK(inode_map_open(PINNED_MAP, "test", 4, 8));

	for (unsigned int i = 0; i < OPENERS; i++) {
		__u32 none = 0;

		if (__atomic_compare_exchange_n(&ids[i], &none, inode_map_id(map), false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			break;
	}
}

/* Loaders that start at the same time get the same map. */
TEST(open_at_the_same_time)
{
	__u32 *ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[OPENERS];

	CHECK(ids != MAP_FAILED);
	mount_bpffs();
	for (unsigned int round = 0; round < 20; round++) {
		memset(ids, 0, OPENERS * sizeof(*ids));
		for (unsigned int i = 0; i < OPENERS; i++)
			pids[i] = child_start(open_with_others, ids);
		for (unsigned int i = 0; i < OPENERS; i++)
			child_wait(pids[i]);
		for (unsigned int i = 0; i < OPENERS; i++)
			CHECK_EQ(ids[i], ids[0]);
		CHECK_SYS(unlink(PINNED_MAP));
	}
}

/* Attaching */

/* A map, and a program that denies its files, loaded by the task that created the map. */
static struct loader *map_and_program(int *map, struct bpf_program **prog)
{
	*map = map_create(32, 4, 8);
	close(file_create("f"));
	return object_load_by_id(*map, prog);
}

/* A map that denies the file "f", and a BPF file system to pin a link in. */
static int map_that_denies(void)
{
	int map = map_create(32, 4, 8);

	mount_bpffs();
	close(file_create("f"));
	deny(map, "f");
	return map;
}

/* Without binding, the map goes: the program continues to run and finds nothing. */
TEST(map_that_is_not_bound_goes)
{
	struct bpf_program *prog;
	struct loader *loader;
	int map;

	loader = map_and_program(&map, &prog);
	CHECK_OK(loader__attach(loader));
	deny(map, "f");
	CHECK(open_is_denied("f"));
	close(map);
	CHECK(wait_until(open_is_allowed, "f", 10));
	loader__destroy(loader);
}

TEST(attach)
{
	struct bpf_program *prog;
	struct bpf_link *link;
	struct loader *loader;
	int map;

	loader = map_and_program(&map, &prog);
	CHECK_OK(inode_map_attach(map, prog, &link));
	deny(map, "f");
	close(map);
	sleep(1);
	CHECK(open_is_denied("f"));
	bpf_link__destroy(link);
	CHECK(wait_until(open_is_allowed, "f", 10));
	loader__destroy(loader);
}

TEST(attach_too_early)
{
	int map = map_create(32, 4, 8);
	struct bpf_program *prog;
	struct bpf_link *link;
	struct loader *loader = object_open("by_id", &prog);

	libbpf_set_print(NULL);
	CHECK(inode_map_attach(map, prog, &link) < 0);
	loader__destroy(loader);
}

/* Load a program and attach it pinned, replacing an older one, as a loader does before it exits. */
static void attach_pinned(int map)
{
	struct bpf_program *prog;
	struct loader *loader = object_load_by_id(map, &prog);

	CHECK_OK(inode_map_attach_pinned(map, prog, PINNED_LINK));
	loader__destroy(loader);
}

static __u32 pinned_link_id(void)
{
	int fd = CHECK_SYS(bpf_obj_get(PINNED_LINK));
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	CHECK_SYS(bpf_obj_get_info_by_fd(fd, &info, &size));
	close(fd);
	return info.id;
}

static bool link_is_gone(void *id)
{
	int fd = bpf_link_get_fd_by_id(*(__u32 *)id);

	if (fd < 0)
		return true;
	close(fd);
	return false;
}

TEST(attach_pinned)
{
	int map = map_that_denies();
	__u32 before;

	attach_pinned(map);
	before = pinned_link_id();
	attach_pinned(map);
	CHECK(pinned_link_id() != before);
	/* The new program replaced the old one. */
	CHECK(wait_until(link_is_gone, &before, 10));
	close(map);
	sleep(1);
	CHECK(open_is_denied("f"));
	CHECK(access(PINNED_LINK "_new", F_OK) && errno == ENOENT);
	CHECK_SYS(unlink(PINNED_LINK));
	CHECK(wait_until(open_is_allowed, "f", 10));
}

struct opener {
	bool stop;
	unsigned int denials, openings;
};

static void open_all_the_time(void *arg)
{
	struct opener *opener = arg;

	while (!__atomic_load_n(&opener->stop, __ATOMIC_SEQ_CST)) {
		if (open_is_denied("f"))
			__atomic_fetch_add(&opener->denials, 1, __ATOMIC_SEQ_CST);
		else
			__atomic_fetch_add(&opener->openings, 1, __ATOMIC_SEQ_CST);
	}
}

/* No task can open the file while one program replaces another. */
TEST(replace_without_a_gap)
{
	struct opener *opener = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				     -1, 0);
	int map = map_that_denies();
	pid_t pid;

	CHECK(opener != MAP_FAILED);
	attach_pinned(map);
	pid = child_start(open_all_the_time, opener);
	for (unsigned int i = 0; i < 20; i++)
		attach_pinned(map);
	__atomic_store_n(&opener->stop, true, __ATOMIC_SEQ_CST);
	child_wait(pid);
	CHECK(opener->denials > 0);
	CHECK_EQ(opener->openings, 0);
}

/* A link accepts no other program, so replacing one takes a second link. */
TEST(link_takes_no_other_program)
{
	int map = map_create(32, 4, 8);
	struct bpf_program *prog, *other;
	struct loader *loader = object_load_by_id(map, &prog);
	struct loader *second = object_load_by_id(map, &other);
	struct bpf_link *link;

	CHECK_OK(inode_map_attach(map, prog, &link));
	CHECK(bpf_link__update_program(link, other) < 0);
	bpf_link__destroy(link);
	loader__destroy(second);
	loader__destroy(loader);
}

/* A link left behind by a loader that was killed before it could rename it. */
TEST(attach_pinned_after_a_killed_loader)
{
	int map = map_create(32, 4, 8);
	__u32 left;

	mount_bpffs();
	attach_pinned(map);
	left = pinned_link_id();
	CHECK_SYS(rename(PINNED_LINK, PINNED_LINK "_new"));
	attach_pinned(map);
	CHECK(access(PINNED_LINK "_new", F_OK) && errno == ENOENT);
	CHECK(wait_until(link_is_gone, &left, 10));
}

TEST(attach_pinned_fails)
{
	int map = map_that_denies();
	struct bpf_program *prog;
	struct loader *loader = object_load_by_id(map, &prog);

	/* The link can't be renamed to a directory. */
	CHECK_SYS(mkdir(PINNED_LINK, 0700));
	CHECK_ERR(inode_map_attach_pinned(map, prog, PINNED_LINK), EISDIR);
	CHECK(access(PINNED_LINK "_new", F_OK) && errno == ENOENT);
	CHECK(wait_until(open_is_allowed, "f", 10));
	CHECK_ERR(inode_map_attach_pinned(map, prog, BPFFS_PATH "/no/directory"), ENOENT);
	loader__destroy(loader);
}

/* What the system has */

/* The expected result, from the list of security modules in securityfs. */
static int lsm_expected(void)
{
	char text[256], *name;

	file_read("/sys/kernel/security/lsm", text, sizeof(text));
	for (name = strtok(text, ","); name; name = strtok(NULL, ","))
		if (!strcmp(name, "bpf"))
			return 0;
	return -EUNATCH;
}

/* Make lsm_list_modules(2) fail as on a kernel that lacks it. */
static void forbid_lsm_list(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INODE_MAP_NR_LSM_LIST_, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	CHECK_SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_SYS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* Hide a directory of sysfs. */
static void hide(const char *path)
{
	CHECK_SYS(mount("tmpfs", path, "tmpfs", 0, NULL));
}

TEST(lsm)
{
	int expected = lsm_expected();

	CHECK_EQ(inode_map_check_lsm(), expected);
	/* The check depends on no mount. */
	hide("/sys/kernel/security");
	CHECK_EQ(inode_map_check_lsm(), expected);
	forbid_lsm_list();
	CHECK_ERR(inode_map_check_lsm(), ENOMEDIUM);
	CHECK(strstr(inode_map_strerror(-ENOMEDIUM), "can't tell"));
}

TEST(lsm_where_the_list_is_a_file)
{
	static const struct {
		const char *text;
		int expected;
	} lists[] = {
		{ "lockdown,capability,bpf\n", 0 },
		{ "bpf", 0 },
		{ "capability,bpf,landlock\n", 0 },
		{ "capability,ebpf,bpfx,landlock\n", -EUNATCH },
		{ "\n", -EUNATCH },
	};
	int expected = lsm_expected();

	forbid_lsm_list();
	CHECK_EQ(inode_map_check_lsm(), expected);
	hide("/sys/kernel/security");
	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		file_write("/sys/kernel/security/lsm", lists[i].text);
		CHECK_EQ(inode_map_check_lsm(), lists[i].expected);
	}
}

TEST(module)
{
	CHECK_OK(inode_map_check_module());
	CHECK_SYS(unshare(CLONE_NEWNET));
	CHECK_OK(inode_map_check_module());
	/* First the module has no BTF, then it is not there. */
	hide("/sys/kernel/btf");
	CHECK_ERR(inode_map_check_module(), ENODATA);
	hide("/sys/module");
	CHECK_ERR(inode_map_check_module(), ENODEV);
}

TEST(module_without_sysfs)
{
	hide("/sys");
	CHECK_ERR(inode_map_check_module(), ENODATA);
}

TEST(version)
{
	char version[64], expected[64];
	int length = inode_map_module_version(version, sizeof(version));

	if (access("/sys/module/inode_map/version", F_OK)) {
		CHECK_EQ(length, -ENOENT);
	} else {
		file_read("/sys/module/inode_map/version", expected, sizeof(expected));
		CHECK(!strcmp(version, expected));
		CHECK_EQ(length, strlen(version));
	}
	hide("/sys/module");
	CHECK_ERR(inode_map_module_version(version, sizeof(version)), ENODEV);
	CHECK_SYS(mkdir("/sys/module/inode_map", 0755));
	CHECK_ERR(inode_map_module_version(version, sizeof(version)), ENOENT);
	file_write("/sys/module/inode_map/version", "1.2.3\n");
	CHECK_EQ(inode_map_module_version(version, sizeof(version)), 5);
	CHECK(!strcmp(version, "1.2.3"));
}
