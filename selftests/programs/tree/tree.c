// SPDX-License-Identifier: GPL-2.0
/*
 * Trees: a file is found by its nearest ancestor that is in the map, at the right distance, on
 * several kinds of filesystem, across mounts where that is asked for, and while directories are
 * being moved (tree_storm.c). Where it can't be told, programs are told so.
 */
#include "harness.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tree.h"
#include "tree.skel.h"
#include "tree_looks.h"

/* How many dentries the module looks at, the file's own included. */
#define DEPTH	2048

/* In one filesystem */

/* The directory @dir is the root of a filesystem. */
static void use_tree(const char *dir)
{
	int map = map_watched();
	char top[64], middle[64], file[64];

	snprintf(top, sizeof(top), "%s/a", dir);
	snprintf(middle, sizeof(middle), "%s/a/b/c", dir);
	snprintf(file, sizeof(file), "%s/a/b/c/f", dir);
	CHECK_EQ(sh("mkdir -p %s", middle), 0);
	create(file);

	expect_none(file, BOTH, ENOENT);
	put(map, dir, 1);
	expect(file, BOTH, 4, 1);
	put(map, top, 2);
	expect(file, BOTH, 3, 2);
	put(map, middle, 3);
	expect(file, BOTH, 1, 3);
	put(map, file, 4);
	expect(file, BOTH, 0, 4);

	/* Directories are files, too. */
	expect(middle, BOTH, 0, 3);
	expect(top, BOTH, 0, 2);
	expect(dir, BOTH, 0, 1);

	take(map, middle);
	take(map, file);
	expect(file, BOTH, 3, 2);
	expect(middle, BOTH, 2, 2);
	take(map, top);
	expect(file, BOTH, 4, 1);
	expect(top, BOTH, 1, 1);
	take(map, dir);
	expect_none(file, BOTH, ENOENT);
	expect_none(dir, BOTH, ENOENT);
}

TEST(tmpfs)
{
	use_tree(".");
}

TEST(ext4)
{
	mount_image("ext4", 16, "m", NULL);
	use_tree("m");
}

TEST(btrfs)
{
	mount_image("btrfs", 128, "m", NULL);
	use_tree("m");
}

static void mount_overlay(void)
{
	if (sh("modprobe overlay 2>/dev/null; grep -qw overlay /proc/filesystems"))
		SKIP("this kernel has no overlayfs");
	CHECK_EQ(sh("mkdir -p lower/d upper work m && echo >lower/d/f"), 0);
	CHECK_SYS(mount("tree", "m", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"));
}

TEST(overlayfs)
{
	mount_overlay();
	use_tree("m");
}

/* A file that is opened there is opened again in its layer, which is another tree. */
TEST(overlayfs_layers)
{
	int map = map_watched();

	mount_overlay();
	put(map, "m/d", 1);
	expect("m/d/f", BOTH, 1, 1);
	CHECK_EQ(programs->bss->tree_calls, 2);
	check_answer("the layer", "tree", &programs->bss->tree[1], -ENOENT, NOTHING);

	put(map, "lower", 2);
	expect("m/d/f", BOTH, 1, 1);
	check_answer("the layer", "tree", &programs->bss->tree[1], 2, 2);
	check_answer("the layer", "path", &programs->bss->path[1], 2, 2);
	take(map, "m/d");
	expect_none("m/d/f", BOTH, ENOENT);
	check_answer("the layer", "tree", &programs->bss->tree[1], 2, 2);

	/* A layer is mounted nowhere: that is the end of the path. */
	put(map, "/tmp", 3);
	put(map, "/", 4);
	take(map, "lower");
	expect("m/d/f", PATH, 6, 3);
	check_answer("the layer", "path", &programs->bss->path[1], -ENOENT, NOTHING);
}

/* What other maps have is not found, nor does it end a walk. */
TEST(other_map)
{
	int map = map_watched(), other = map_new();

	CHECK_EQ(sh("mkdir -p a/b"), 0);
	create("a/b/f");
	put(other, "a/b/f", 1);
	put(other, "a/b", 2);
	put(other, ".", 3);
	expect_none("a/b/f", BOTH, ENOENT);
	put(map, "a", 4);
	expect("a/b/f", BOTH, 2, 4);
}

/* A pointer into the value, to be written through. */
TEST(counting)
{
	int map = map_watched();

	make_dir("a");
	create("a/f");
	put(map, "a", 1);
	CHECK_EQ(count_of(map, "a"), 0);
	expect("a/f", BOTH, 1, 1);
	CHECK_EQ(count_of(map, "a"), 2);
	expect("a/f", BOTH, 1, 1);
	CHECK_EQ(count_of(map, "a"), 4);
	expect_none(".", BOTH, ENOENT);
	CHECK_EQ(count_of(map, "a"), 4);
}

TEST(sleepable)
{
	int map = map_new();

	ATTACH(map, "open_tree_sleepable");
	make_dir("a");
	create("a/f");
	expect_none("a/f", TREE, ENOENT);
	put(map, "a", 1);
	expect("a/f", TREE, 1, 1);
}

/* A file that is about to be made has a name already, and that a place. */
TEST(negative_dentry)
{
	int map = map_new();

	ATTACH(map, "create_tree");
	CHECK_EQ(sh("mkdir -p a/b"), 0);
	create("a/b/f");
	check_answers("in no tree", TREE, -ENOENT, NOTHING);
	put(map, "a", 1);
	forget_answers();
	create("a/b/g");
	check_answers("in a tree", TREE, 2, 1);
	put(map, "a/b", 2);
	forget_answers();
	create("a/b/h");
	check_answers("in a nearer one", TREE, 1, 2);
}

TEST(hard_links)
{
	int map = map_watched();

	CHECK_EQ(sh("mkdir -p a b/c d"), 0);
	create("a/f");
	CHECK_SYS(link("a/f", "b/c/f"));
	CHECK_SYS(link("a/f", "d/f"));
	put(map, "a", 1);
	put(map, "b", 2);
	expect("a/f", BOTH, 1, 1);
	expect("b/c/f", BOTH, 2, 2);
	expect_none("d/f", BOTH, ENOENT);

	/* The inode itself is one, whatever the name. */
	put(map, "d/f", 3);
	expect("a/f", BOTH, 0, 3);
	expect("b/c/f", BOTH, 0, 3);
}

static void use_removed(const char *dir)
{
	int map = map_watched(), file;

	CHECK_SYS(chdir(dir));
	CHECK_EQ(sh("mkdir -p a/b"), 0);
	file = file_create("a/b/f");
	put(map, "a", 1);
	put(map, "a/b", 2);
	expect(below(file, ""), BOTH, 1, 2);
	CHECK_SYS(unlink("a/b/f"));
	expect(below(file, ""), BOTH, 1, 2);

	/* The file keeps the directory that it was in, and that is in the map as long as it is. */
	CHECK_SYS(rmdir("a/b"));
	expect(below(file, ""), BOTH, 1, 2);
	CHECK_EQ(map_count(map), 2);
	close(file);
	CHECK_EQ(map_count(map), 1);
	make_dir("a/b");
	create("a/b/f");
	expect("a/b/f", BOTH, 2, 1);
}

TEST(removed_while_open)
{
	use_removed(".");
}

TEST(removed_while_open_on_ext4)
{
	mount_image("ext4", 16, "m", NULL);
	use_removed("m");
}

/* A file without a name is in the tree that it was made in. */
TEST(tmpfile)
{
	int map = map_watched(), fd;

	make_dir("a");
	put(map, "a", 1);
	forget_answers();
	fd = CHECK_SYS(open("a", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
	check_answers("a file without a name", BOTH, 1, 1);
	expect(below(fd, ""), BOTH, 1, 1);
}

TEST(rename)
{
	int map = map_watched(), fd, dir;

	CHECK_EQ(sh("mkdir -p a b/c a/d none"), 0);
	create("a/f");
	fd = file_create("a/d/g");
	dir = file_open("a/d", O_PATH);
	put(map, "a", 1);
	put(map, "b", 2);

	expect("a/f", BOTH, 1, 1);
	CHECK_SYS(rename("a/f", "b/c/f"));
	expect("b/c/f", BOTH, 2, 2);
	CHECK_SYS(rename("b/c/f", "none/f"));
	expect_none("none/f", BOTH, ENOENT);

	/* What is open moves with the directory that it is in. */
	expect(below(fd, ""), BOTH, 2, 1);
	CHECK_SYS(rename("a/d", "b/d"));
	expect(below(fd, ""), BOTH, 2, 2);
	expect(below(dir, "g"), BOTH, 2, 2);
	CHECK_SYS(renameat2(AT_FDCWD, "b/d", AT_FDCWD, "none", RENAME_EXCHANGE));
	expect_none(below(fd, ""), BOTH, ENOENT);
	expect("b/d/f", BOTH, 2, 2);
	expect_none("none/g", BOTH, ENOENT);
}

/* Depth */

TEST(depth)
{
	int map = map_watched(), dir, file;

	put(map, ".", 1);
	dir = descend(file_open(".", O_PATH), 2000);
	close(create_at(dir, "f"));
	expect(below(dir, "f"), BOTH, 2001, 1);

	/* As deep as it goes. */
	dir = descend(dir, DEPTH - 1 - 2001);
	close(create_at(dir, "f"));
	expect(below(dir, "f"), BOTH, DEPTH - 1, 1);
	take(map, ".");
	expect_none(below(dir, "f"), TREE, ENOENT);
	/* The path goes on. */
	expect_none(below(dir, "f"), PATH, ELOOP);
	put(map, ".", 1);

	/* Deeper. */
	dir = descend(dir, 1);
	file = create_at(dir, "f");
	expect_none(below(dir, "f"), BOTH, ELOOP);
	expect(below(dir, ""), BOTH, DEPTH - 1, 1);
	set(map, file, 2);
	expect(below(dir, "f"), BOTH, 0, 2);
	CHECK_OK(inode_map_remove_fd(map, file));
	set(map, dir, 3);
	expect(below(dir, "f"), BOTH, 1, 3);
}

TEST(depth_across_mounts)
{
	int map = map_watched(), dir;

	put(map, ".", 1);
	dir = descend(file_open(".", O_PATH), 1500);
	CHECK_SYS(mkdirat(dir, "m", 0755));
	mount_tmpfs(below(dir, "m"));
	dir = descend(file_open(below(dir, "m"), O_PATH), DEPTH - 1 - 1503);
	close(create_at(dir, "f"));
	expect(below(dir, "f"), PATH, DEPTH - 1, 1);
	expect_none(below(dir, "f"), TREE, ENOENT);
	dir = descend(dir, 1);
	close(create_at(dir, "f"));
	expect_none(below(dir, "f"), PATH, ELOOP);
	expect_none(below(dir, "f"), TREE, ENOENT);
}

/* Filesystems that have more than one root, or none */

/* A subvolume is a directory like others, wherever it is mounted. */
TEST(btrfs_subvolumes)
{
	int map = map_watched();
	char device[32];

	mount_image("btrfs", 128, "m", device);
	subvolume_make("m", "s");
	subvolume_make("m/s", "t");
	create("m/s/f");
	create("m/s/t/f");
	make_dir("n");
	CHECK_SYS(mount(device, "n", "btrfs", 0, "subvol=s"));

	put(map, "m", 1);
	expect("m/s/f", BOTH, 2, 1);
	expect("m/s/t/f", BOTH, 3, 1);
	expect("n/f", BOTH, 2, 1);
	put(map, "n", 2);
	expect("m/s/f", BOTH, 1, 2);
	expect("m/s/t/f", BOTH, 2, 2);
	expect("n/t/f", BOTH, 2, 2);
	put(map, "m/s/t", 3);
	expect("n/t/f", BOTH, 1, 3);
	expect("n/f", BOTH, 1, 2);
	expect("m", BOTH, 0, 1);
}

TEST(pipe)
{
	int map = map_watched(), fds[2];

	put(map, "/", 1);
	CHECK_SYS(pipe2(fds, O_CLOEXEC));
	expect_none(below(fds[0], ""), BOTH, ENOENT);
	set(map, fds[0], 2);
	expect(below(fds[0], ""), BOTH, 0, 2);
	expect(below(fds[1], ""), BOTH, 0, 2);
}

/* Which can't be opened by name, but programs are asked before that turns out. */
static void open_socket(int fd)
{
	forget_answers();
	CHECK(open(below(fd, ""), O_RDONLY) < 0 && errno == ENXIO);
}

TEST(socket)
{
	int map = map_watched();
	int fd = CHECK_SYS(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	put(map, "/", 1);
	open_socket(fd);
	check_answers("a socket", BOTH, -ENOENT, NOTHING);
	set(map, fd, 2);
	open_socket(fd);
	check_answers("a socket that is in the map", BOTH, 0, 2);
}

/* Handles */

struct handle {
	struct file_handle handle;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static struct handle handle_of(const char *path)
{
	struct handle handle = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	CHECK_SYS(name_to_handle_at(AT_FDCWD, path, &handle.handle, &mount, 0));
	return handle;
}

static int open_handle(int mount, struct handle *handle)
{
	forget_answers();
	return CHECK_SYS(open_by_handle_at(mount, &handle->handle, O_RDONLY | O_CLOEXEC));
}

/* A file that nobody has found by its name is nowhere, until somebody does. */
TEST(opened_by_handle)
{
	struct handle file, dir;
	int map = map_watched(), mount, fd, again;
	struct stat stat_buf;

	mount_image("ext4", 16, "m", NULL);
	CHECK_EQ(sh("mkdir -p m/a/b"), 0);
	create("m/a/b/f");
	put(map, "m/a", 1);
	file = handle_of("m/a/b/f");
	dir = handle_of("m/a/b");
	mount = file_open("m", O_RDONLY | O_DIRECTORY);

	/* While its name is known there is no difference. */
	fd = open_handle(mount, &file);
	check_answers("by handle", BOTH, 2, 1);
	close(fd);

	drop_caches();
	fd = open_handle(mount, &file);
	check_answers("disconnected", BOTH, -EAGAIN, NOTHING);
	expect_none(below(fd, ""), BOTH, EAGAIN);
	set(map, fd, 2);
	expect(below(fd, ""), BOTH, 0, 2);
	CHECK_OK(inode_map_remove_fd(map, fd));
	expect_none(below(fd, ""), BOTH, EAGAIN);

	/* Directories are connected by the kernel. */
	again = open_handle(mount, &dir);
	expect(below(again, ""), BOTH, 1, 1);
	close(again);
	expect_none(below(fd, ""), BOTH, EAGAIN);

	CHECK_SYS(stat("m/a/b/f", &stat_buf));
	again = open_handle(mount, &file);
	check_answers("connected", BOTH, 2, 1);
	/* What was opened before stays where it is. */
	expect_none(below(fd, ""), BOTH, EAGAIN);
	close(again);
	close(fd);
	expect("m/a/b/f", BOTH, 2, 1);
}

/* Across mounts */

TEST(bind_mount)
{
	int map = map_watched();

	CHECK_EQ(sh("mkdir -p a/b/c x/y"), 0);
	create("a/b/c/f");
	create("a/g");
	create("x/file");
	CHECK_SYS(mount("a/b", "x/y", NULL, MS_BIND, NULL));
	CHECK_SYS(mount("a/g", "x/file", NULL, MS_BIND, NULL));

	/* The filesystem has no root of its own there, and is not looked at from its middle. */
	put(map, "a", 1);
	expect("x/y/c/f", BOTH, 3, 1);
	expect("x/file", BOTH, 1, 1);
	/* What is above the mount comes after all of it, and so does not hide it. */
	put(map, "x", 2);
	expect("x/y/c/f", BOTH, 3, 1);
	expect("x/file", BOTH, 1, 1);
	put(map, ".", 3);
	take(map, "a");
	expect("x/y/c/f", BOTH, 4, 3);
	take(map, ".");
	expect("x/y/c/f", PATH, 4 + 1 + 1, 2);
	expect_none("x/y/c/f", TREE, ENOENT);
	expect("x/file", PATH, 2 + 1 + 1, 2);
	expect_none("a/b/c/f", BOTH, ENOENT);

	CHECK_SYS(umount("x/y"));
	CHECK_SYS(umount("x/file"));
}

/* DIR/d, and on it three filesystems, each mounted below the one before. */
#define FIRST	"d/1"
#define SECOND	FIRST "/e/2"
#define THIRD	SECOND "/3"

static void mount_three(void)
{
	CHECK_EQ(sh("mkdir -p " FIRST), 0);
	mount_tmpfs(FIRST);
	CHECK_EQ(sh("mkdir -p " SECOND), 0);
	mount_tmpfs(SECOND);
	CHECK_EQ(sh("mkdir -p " THIRD), 0);
	mount_tmpfs(THIRD);
	create("d/f");
	create(FIRST "/f");
	create(SECOND "/f");
	create(THIRD "/f");
}

/* Not one may have been left in use. */
static void umount_three(void)
{
	CHECK_SYS(umount(THIRD));
	CHECK_SYS(umount(SECOND));
	CHECK_SYS(umount(FIRST));
}

TEST(mounts)
{
	int map = map_watched();

	mount_three();
	expect_none(THIRD "/f", BOTH, ENOENT);

	put(map, "d", 1);
	expect("d/f", BOTH, 1, 1);
	/* The file, the root, what it is mounted on, and that one's parent. */
	expect(FIRST "/f", PATH, 3, 1);
	expect(SECOND "/f", PATH, 2 + 1 + 1 + 2, 1);
	expect(THIRD "/f", PATH, 2 + 1 + 1 + 1 + 1 + 2, 1);
	expect(THIRD, PATH, 1 + 1 + 1 + 1 + 1 + 2, 1);
	expect_none(FIRST "/f", TREE, ENOENT);
	expect_none(THIRD "/f", TREE, ENOENT);

	/* The nearest. */
	put(map, FIRST "/e", 2);
	expect(THIRD "/f", PATH, 2 + 1 + 1 + 1, 2);
	expect(SECOND "/f", PATH, 2 + 1, 2);
	expect(FIRST "/f", PATH, 3, 1);
	put(map, SECOND, 3);
	expect(THIRD "/f", PATH, 2 + 1, 3);
	expect(SECOND "/f", BOTH, 1, 3);
	put(map, THIRD, 4);
	expect(THIRD "/f", BOTH, 1, 4);
	put(map, THIRD "/f", 5);
	expect(THIRD "/f", BOTH, 0, 5);
	umount_three();
	CHECK_EQ(map_count(map), 1);
}

/* A directory that something is mounted on is one of the ancestors. */
TEST(mounted_on)
{
	int map = map_watched(), under[2];

	make_dir("d");
	under[0] = file_open("d", O_PATH);
	mount_tmpfs("d");
	under[1] = file_open("d", O_PATH);
	/* On the root of the first. */
	mount_tmpfs("d");
	create("d/f");

	set(map, under[0], 1);
	expect("d/f", PATH, 3, 1);
	set(map, under[1], 2);
	expect("d/f", PATH, 2, 2);
	put(map, "d", 3);
	expect("d/f", BOTH, 1, 3);
	take(map, "d");
	expect_none("d/f", TREE, ENOENT);

	close(under[0]);
	close(under[1]);
	CHECK_SYS(umount("d"));
	expect("d", PATH, 0, 2);
	CHECK_SYS(umount("d"));
	expect("d", PATH, 0, 1);
}

/* What a process sees that has FIRST, or a directory in it, as its root. */
static void look_in_root(void *root)
{
	int outside = file_open("d", O_PATH);

	programs->bss->pid = getpid();
	CHECK_SYS(chroot(root));
	CHECK_SYS(chdir("/"));
	expect_none("f", BOTH, ENOENT);
	/* Not above its root, but up to there. */
	expect("e/2/f", PATH, 2 + 1, 2);
	/* What is not below its root has no end there. */
	expect_at(outside, "f", PATH, 1, 1);
}

/* The filesystem's directories above the process's root count, those of others do not. */
static void look_in_deeper_root(void *root)
{
	programs->bss->pid = getpid();
	CHECK_SYS(chroot(root));
	CHECK_SYS(chdir("/"));
	expect("f", BOTH, 2, 3);
	expect(".", BOTH, 1, 3);
}

TEST(process_root)
{
	int map = map_watched();

	mount_three();
	make_dir(FIRST "/e/r");
	create(FIRST "/e/r/f");
	put(map, "d", 1);
	put(map, FIRST "/e", 2);
	expect(FIRST "/f", PATH, 3, 1);
	child_wait(child_start(look_in_root, FIRST));
	/* As seen by who has another root. */
	programs->bss->pid = getpid();
	expect(FIRST "/f", PATH, 3, 1);

	put(map, FIRST "/e", 3);
	child_wait(child_start(look_in_deeper_root, FIRST "/e/r"));
	take(map, FIRST "/e");
	programs->bss->pid = getpid();
	expect(FIRST "/e/r/f", PATH, 5, 1);
	umount_three();
}

static bool has_one_entry(void *map)
{
	return map_count(*(int *)map) == 1;
}

TEST(lazily_unmounted)
{
	int map = map_watched(), first, third;

	mount_three();
	first = file_open(FIRST, O_PATH);
	third = file_open(THIRD, O_PATH);
	put(map, "d", 1);
	put(map, SECOND, 2);
	expect(below(first, "f"), PATH, 3, 1);
	expect(below(third, "f"), PATH, 3, 2);

	CHECK_SYS(umount2(FIRST, MNT_DETACH));
	expect_none(below(first, "f"), PATH, ENOENT);
	expect_none(below(third, "f"), PATH, ENOENT);
	set(map, third, 3);
	expect(below(third, "f"), BOTH, 1, 3);

	/* Nothing holds them any more but the descriptors: entries end with their filesystem. */
	close(third);
	close(first);
	if (!wait_until(has_one_entry, &map, 10))
		FAIL("a filesystem is still there");
	expect("d/f", BOTH, 1, 1);
}

/* A program that has interrupted a rename is told so at once, and what does not depend on it. */

static void check_move(int distance, __u64 number)
{
	CHECK_EQ(programs->bss->tree_calls, 2);
	check_answer("when it begins", "tree", &programs->bss->tree[0], distance, number);
	check_answer("when it ends", "tree", &programs->bss->tree[1], distance, number);
	forget_answers();
}

TEST(in_the_middle_of_a_rename)
{
	int map = map_new();

	ATTACH(map, "move_begins", "move_ends");
	make_dir("a");
	make_dir("b");
	create("a/f");
	create("a/g");
	CHECK_SYS(rename("a/f", "b/f"));
	check_move(-EAGAIN, NOTHING);
	put(map, "a", 1);
	put(map, "b", 2);
	CHECK_SYS(rename("b/f", "a/f"));
	check_move(-EAGAIN, NOTHING);
	CHECK_SYS(renameat2(AT_FDCWD, "a/f", AT_FDCWD, "a/g", RENAME_EXCHANGE));
	check_move(-EAGAIN, NOTHING);

	put(map, "a/f", 3);
	CHECK_SYS(rename("a/f", "b/f"));
	check_move(0, 3);
	CHECK_SYS(renameat2(AT_FDCWD, "b/f", AT_FDCWD, "a/g", RENAME_EXCHANGE));
	check_move(0, 3);
	printf("# at most %llu us\n", programs->bss->longest / 1000);
	CHECK(programs->bss->longest < 1000000000ULL * test_slowdown());
}

/* What is no dentry, with everything in the map that could be found instead */

static void check_bogus(const char *program, const char *dir, int error)
{
	int map = map_new();

	put(map, ".", 1);
	put(map, "/", 2);
	ATTACH(map, program);
	forget_answers();
	if (mkdir(dir, 0755))
		CHECK_EQ(errno, error);
	else
		CHECK_EQ(0, error);
	check_answers(program, TREE, -EFAULT, NOTHING);
}

TEST(null_dentry)
{
	check_bogus("null_dentry", "d", 0);
}

TEST(error_dentry)
{
	char name[256 + 1];

	memset(name, 'x', 256);
	name[256] = 0;
	check_bogus("error_dentry", name, ENAMETOOLONG);
}

/* Sizes, maps that are none, and maps that programs may not use */

/*
 * What was asked for: a byte, a struct value, one byte more. What reads gave, the last one without
 * a place to put it, and whether lookups found something.
 */
static void check_sizes(const char *what, int id, const int reads[4], const bool lookups[3])
{
	programs->bss->map_id = id;
	memset(programs->bss->sizes, 0x55, sizeof(programs->bss->sizes));
	close(file_open("a/f", O_RDONLY));
	for (unsigned int i = 0; i < 7; i++)
		if (programs->bss->sizes[READ_TREE_BYTE + i] != reads[i / 2])
			FAIL("%s: read number %u returned %d, not %d", what, i,
			     programs->bss->sizes[READ_TREE_BYTE + i], reads[i / 2]);
	for (unsigned int i = 0; i < 6; i++)
		if (programs->bss->sizes[LOOKUP_TREE_BYTE + i] != lookups[i / 2])
			FAIL("%s: lookup number %u %s", what, i,
			     lookups[i / 2] ? "found nothing" : "found something");
}

#define CHECK_READS(what, id, byte, whole, larger, nowhere, ...)			\
	check_sizes(what, id, (const int[]){ byte, whole, larger, nowhere },		\
		    (const bool[]){ __VA_ARGS__ })

/* A map in which there is the directory "a". */
static int map_of(unsigned int value_size, unsigned int flags)
{
	static const char value[sizeof(struct value) + 1];
	int map = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, value_size, 4, flags));

	CHECK_OK(inode_map_set_path(map, "a", value, BPF_ANY, 0));
	return map;
}

TEST(sizes)
{
	unsigned int size = sizeof(struct value);

	make_dir("a");
	create("a/f");
	ATTACH(-1, "ask_sizes");
	CHECK_READS("a value of that size", map_id_of(map_of(size, 0)), 1, 1, -EINVAL, -EINVAL,
		    true, true, false);
	CHECK_READS("a smaller value", map_id_of(map_of(size - 1, 0)), 1, -EINVAL, -EINVAL,
		    -EINVAL, true, false, false);
	CHECK_READS("a larger value", map_id_of(map_of(size + 1, 0)), 1, 1, 1, -EINVAL, true, true,
		    true);
	CHECK_READS("a map that programs only read", map_id_of(map_of(size, BPF_F_RDONLY_PROG)),
		    1, 1, -EINVAL, -EINVAL, false, false, false);
	CHECK_READS("a map that programs only write", map_id_of(map_of(size, BPF_F_WRONLY_PROG)),
		    -EPERM, -EPERM, -EPERM, -EPERM, false, false, false);
	CHECK_READS("an empty map", map_id_of(map_new()), -ENOENT, -ENOENT, -EINVAL, -EINVAL,
		    false, false, false);
}

TEST(no_such_map)
{
	int hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 4, 4, NULL));
	int map, freed, ids[4];

	make_dir("a");
	create("a/f");
	map = map_of(sizeof(struct value), 0);
	freed = map_of(sizeof(struct value), 0);
	ids[0] = 0;
	ids[1] = -1;
	ids[2] = map_id_of(hash);
	ids[3] = map_id_of(freed);
	close(freed);
	counts_wait(1, 1, 1, 1);
	ATTACH(map, "ask_sizes");
	for (unsigned int i = 0; i < 4; i++)
		CHECK_READS("no inode map", ids[i], -ENODEV, -ENODEV, -ENODEV, -ENODEV, false,
			    false, false);
}

/* Programs that the verifier must refuse, and what it is to say, lest it be for another reason. */
TEST(verifier)
{
	static const struct refused refused[] = {
		{ "refused_not_sleepable", "must be sleepable" },
		{ "refused_fentry", "must be sleepable" },
	};

	CHECK_VERIFIER_REFUSES(tree, refused);
}
