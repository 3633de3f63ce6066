// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps and programs in containers: how far a pinned map works in other user, mount and network
 * namespaces, and which operation needs which capability. The cases cover each sentence of
 * bpf/containers.md.
 */
#include "harness.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "loader.skel.h"

#define PINS		BPFFS_PATH "/policy"
#define MAP_PIN		PINS "/denied"
#define LINK_PIN	PINS "/deny_open"

#define ALL_NAMESPACES	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
/* A user without privileges. */
#define NOBODY		65534

static int make_pinned_map(void)
{
	mount_bpffs();
	CHECK_SYS(mkdir(PINS, 0755));
	return CHECK_OK(inode_map_open(MAP_PIN, "denied", 4, 8));
}

/* Open an object whose program denies opening the files in the map. */
static struct loader *open_object(int map)
{
	struct loader *loader = loader__open();

	CHECK(loader);
	bpf_program__set_autoload(loader->progs.by_id, true);
	CHECK_OK(bpf_map__set_autocreate(loader->maps.loader_pinned, false));
	CHECK_OK(bpf_map__set_autocreate(loader->maps.loader_own, false));
	loader->rodata->map_id = CHECK_OK(inode_map_id(map));
	return loader;
}

static void attach_by_id(int map)
{
	struct loader *loader = open_object(map);

	CHECK_OK(loader__load(loader));
	CHECK_OK(inode_map_attach_pinned(map, loader->progs.by_id, LINK_PIN));
	loader__destroy(loader);
}

static void deny_path(int map, const char *path)
{
	__u32 value = 1;

	CHECK_OK(inode_map_set_path(map, path, &value, BPF_ANY, 0));
}

/* Enter new namespaces; root in them is the user @uid here. */
static void enter_namespaces(int flags, uid_t uid)
{
	char map[32];

	if (flags & CLONE_NEWUSER && uid) {
		CHECK_SYS(setgid(uid));
		CHECK_SYS(setuid(uid));
	}
	CHECK_SYS(unshare(flags));
	if (!(flags & CLONE_NEWUSER))
		return;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	/* Otherwise root owns this process's files in /proc, and only root may write them. */
	CHECK_SYS(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	file_write("/proc/self/uid_map", map);
	file_write("/proc/self/setgroups", "deny");
	file_write("/proc/self/gid_map", map);
	CHECK_EQ(getuid(), 0);
}

static void keep_capabilities(__u64 capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = capabilities, .permitted = capabilities },
		{ .effective = capabilities >> 32, .permitted = capabilities >> 32 },
	};

	CHECK_SYS(syscall(SYS_capset, &header, data));
}

static void run_in_child(void (*run)(void *arg), void *arg)
{
	child_wait(child_start(run, arg));
}

/* Everything that user space does with a map. */
static void use_map(void)
{
	int map = CHECK_SYS(bpf_obj_get(MAP_PIN)), fd = file_open("f", O_PATH);

	CHECK_OK(map_set(map, fd, 7));
	CHECK_EQ(map_get(map, fd), 7);
	CHECK_EQ(map_count(map), 1);
	CHECK_OK(inode_map_remove_fd(map, fd));
	CHECK_EQ(map_count(map), 0);
}

static void use_in_container(void *arg)
{
	enter_namespaces(ALL_NAMESPACES, *(uid_t *)arg);
	use_map();
}

/* A user whom the pin's mode lets read and write needs no capability here, in any namespaces. */
TEST(pinned_map_of_root)
{
	uid_t uid = 0;

	make_pinned_map();
	close(file_create("f"));
	run_in_child(use_in_container, &uid);
}

TEST(pinned_map_of_others)
{
	uid_t uid = NOBODY;

	make_pinned_map();
	close(file_create("f"));
	CHECK_SYS(chmod(BPFFS_PATH, 0755));
	CHECK_SYS(chmod(MAP_PIN, 0666));
	run_in_child(use_in_container, &uid);
}

static void get_what_is_not_for_me(void *arg)
{
	int error = *(int *)arg;

	enter_namespaces(ALL_NAMESPACES, NOBODY);
	CHECK(bpf_obj_get(MAP_PIN) < 0);
	CHECK_EQ(errno, error);
}

TEST(pinned_map_that_is_not_for_others)
{
	int error = EACCES;

	make_pinned_map();
	CHECK_SYS(chmod(BPFFS_PATH, 0755));
	run_in_child(get_what_is_not_for_me, &error);
	CHECK_SYS(chmod(MAP_PIN, 0444));
	run_in_child(get_what_is_not_for_me, &error);
	CHECK_SYS(chmod(MAP_PIN, 0666));
	CHECK_SYS(chmod(BPFFS_PATH, 0700));
	run_in_child(get_what_is_not_for_me, &error);
}

static void read_only(void *arg)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	int fd = file_open("f", O_PATH), map;

	(void)arg;
	enter_namespaces(ALL_NAMESPACES, NOBODY);
	map = bpf_obj_get_opts(MAP_PIN, &opts);
	CHECK(map >= 0);
	CHECK_EQ(map_get(map, fd), 7);
	CHECK_ERR(map_set(map, fd, 8), EPERM);
	CHECK_ERR(inode_map_remove_fd(map, fd), EPERM);
}

TEST(pinned_map_to_read)
{
	int map = make_pinned_map(), fd = file_create("f");

	CHECK_OK(map_set(map, fd, 7));
	CHECK_SYS(chmod(BPFFS_PATH, 0755));
	CHECK_SYS(chmod(MAP_PIN, 0444));
	run_in_child(read_only, NULL);
}

/* Updates ignore the mount's read-only flag. */
TEST(read_only_mount)
{
	make_pinned_map();
	close(file_create("f"));
	CHECK_SYS(mkdir("pins", 0755));
	CHECK_SYS(mount(PINS, "pins", NULL, MS_BIND, NULL));
	CHECK_SYS(mount(NULL, "pins", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	CHECK(unlink("pins/denied") && errno == EROFS);
	CHECK_SYS(mount("pins", PINS, NULL, MS_MOVE, NULL));
	use_map();
}

/* Another mount of the BPF file system does not have the pin. */
TEST(bpffs_of_its_own)
{
	make_pinned_map();
	CHECK_SYS(mount("bpf", BPFFS_PATH, "bpf", 0, NULL));
	CHECK(bpf_obj_get(MAP_PIN) < 0);
	CHECK_EQ(errno, ENOENT);
}

/* Making maps and programs */

static void create_in(void *arg)
{
	int flags = ((int *)arg)[0], error = ((int *)arg)[1];

	enter_namespaces(flags, 0);
	CHECK_EQ(inode_map_create("test", 4, 8), -error);
}

TEST(create)
{
	run_in_child(create_in, (int []){ CLONE_NEWNET, ENODEV });
	run_in_child(create_in, (int []){ CLONE_NEWUSER | CLONE_NEWNS, EPERM });
	run_in_child(create_in, (int []){ ALL_NAMESPACES, ENODEV });
}

static bool object_loads(int map)
{
	struct loader *loader = open_object(map);
	int err = loader__load(loader);

	loader__destroy(loader);
	return !err;
}

static void load_in_container(void *arg)
{
	enter_namespaces(ALL_NAMESPACES, 0);
	libbpf_set_print(NULL);
	CHECK(!object_loads(*(int *)arg));
}

static void load_as_bpf_administrator(void *arg)
{
	keep_capabilities(1ULL << CAP_BPF | 1ULL << CAP_PERFMON | 1ULL << CAP_NET_ADMIN |
			  1ULL << CAP_MAC_ADMIN);
	libbpf_set_print(NULL);
	CHECK_ERR(inode_map_create("test", 4, 8), EPERM);
	CHECK(!object_loads(*(int *)arg));
}

static void do_it_all(void *arg)
{
	int map;

	(void)arg;
	/* In a mount namespace of its own that has the pins' file system mounted. */
	CHECK_SYS(unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS));
	keep_capabilities(1ULL << CAP_SYS_ADMIN);
	map = CHECK_OK(inode_map_open(MAP_PIN, "denied", 4, 8));
	attach_by_id(map);
}

TEST(load)
{
	int map = make_pinned_map();

	run_in_child(load_in_container, &map);
	run_in_child(load_as_bpf_administrator, &map);
}

/* CAP_SYS_ADMIN in the host's user and network namespaces is enough. */
TEST(loader_in_a_container)
{
	int map;

	mount_bpffs();
	CHECK_SYS(mkdir(PINS, 0755));
	close(file_create("f"));
	run_in_child(do_it_all, NULL);
	map = CHECK_SYS(bpf_obj_get(MAP_PIN));
	deny_path(map, "f");
	CHECK(open_is_denied("f"));
}

/* What a process learns about the system without securityfs. */
static void ask_in_container(void *arg)
{
	int lsm = *(int *)arg;

	enter_namespaces(ALL_NAMESPACES, NOBODY);
	CHECK_EQ(inode_map_check_lsm(), lsm);
	CHECK_OK(inode_map_check_module());
}

TEST(what_there_is)
{
	int lsm = inode_map_check_lsm();

	run_in_child(ask_in_container, &lsm);
}

/* The policy */

static void open_in_container(void *arg)
{
	bool denied = *(bool *)arg;

	enter_namespaces(ALL_NAMESPACES, 0);
	CHECK_EQ(open_is_denied("f"), denied);
	CHECK_SYS(mkdir("elsewhere", 0755));
	close(file_create("elsewhere/f"));
	CHECK_SYS(mount("f", "elsewhere/f", NULL, MS_BIND, NULL));
	CHECK_EQ(open_is_denied("elsewhere/f"), denied);
	CHECK_SYS(umount("elsewhere/f"));
	CHECK_EQ(sh("rm -r elsewhere"), 0);
}

/* A volume is the same file wherever it is mounted, so root in the container is refused, too. */
TEST(volume)
{
	int map = make_pinned_map();
	bool denied = false;

	close(file_create("f"));
	attach_by_id(map);
	run_in_child(open_in_container, &denied);
	deny_path(map, "f");
	denied = true;
	run_in_child(open_in_container, &denied);
}

struct container {
	int requests[2], answers[2];
	pid_t pid;
	char file[64];		/* the host's path of the file that the container opens */
};

enum request { IS_ALLOWED, IS_DENIED, END };

/* Has a file system of its own, made like that of an image, and opens a file in it on request. */
static void run_container(void *arg)
{
	struct container *container = arg;
	char request;

	CHECK_SYS(unshare(CLONE_NEWNS));
	mount_overlay_on_ext4();
	for (;;) {
		CHECK_EQ(write(container->answers[1], "", 1), 1);
		CHECK_EQ(read(container->requests[0], &request, 1), 1);
		if (request == END)
			return;
		CHECK_EQ(open_is_denied("m/f"), request == IS_DENIED);
	}
}

/* Make the container open its file, and wait until it has done so. */
static void ask(struct container *container, char request)
{
	CHECK_EQ(write(container->requests[1], &request, 1), 1);
	CHECK_EQ(read(container->answers[0], &request, 1), 1);
}

static void start_container(struct container *container)
{
	char byte;

	CHECK_SYS(mkdir("lower", 0755));
	close(file_create("lower/f"));
	CHECK_SYS(pipe2(container->requests, O_CLOEXEC));
	CHECK_SYS(pipe2(container->answers, O_CLOEXEC));
	container->pid = child_start(run_container, container);
	snprintf(container->file, sizeof(container->file), "/proc/%d/root" DIR_PATH "/m/f",
		 container->pid);
	/* With its last writer gone, the container's end closes the pipe. */
	close(container->answers[1]);
	CHECK_EQ(read(container->answers[0], &byte, 1), 1);
}

static void end_container(struct container *container)
{
	char request = END;

	CHECK_EQ(write(container->requests[1], &request, 1), 1);
	child_wait(container->pid);
}

/*
 * A file of the image is not the same file as the layer's. The host reaches it through
 * /proc/PID/root of a process of the container. Its entry ends with the container.
 */
TEST(file_of_the_image)
{
	struct container container;
	int map = make_pinned_map();

	attach_by_id(map);
	start_container(&container);
	ask(&container, IS_ALLOWED);
	deny_path(map, container.file);
	ask(&container, IS_DENIED);
	CHECK(!open_is_denied("lower/f"));
	CHECK_EQ(map_count(map), 1);
	end_container(&container);
	counts_wait(1, 0, 0, 0);
}

/* Opening the overlay's file opens the layer's, too; so does a change that copies it up. */
TEST(file_of_a_layer)
{
	struct container container;
	int map = make_pinned_map();

	attach_by_id(map);
	start_container(&container);
	deny_path(map, "lower/f");
	ask(&container, IS_DENIED);
	CHECK(chmod(container.file, 0600) && errno == EPERM);
	ask(&container, IS_DENIED);
	end_container(&container);
	counts_wait(1, 1, 1, 1);
}

/* /proc/inode_map lists all maps: a container's root opens it only if it is the host's root. */
static void read_proc(void *arg)
{
	uid_t uid = *(uid_t *)arg;

	enter_namespaces(ALL_NAMESPACES, uid);
	if (!uid) {
		close(file_open("/proc/inode_map", O_RDONLY));
	} else {
		CHECK(open("/proc/inode_map", O_RDONLY) < 0);
		CHECK_EQ(errno, EACCES);
	}
}

TEST(proc)
{
	run_in_child(read_proc, &(uid_t){ 0 });
	run_in_child(read_proc, &(uid_t){ NOBODY });
}
