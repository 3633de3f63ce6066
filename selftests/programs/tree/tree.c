// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees: a search finds a file's nearest ancestor in the map, at the right distance, on several
 * filesystems, optionally across mounts, and while directories move (tree_storm.c). If the answer
 * can't be determined, the program gets an error.
 *
 * This file has trees in one filesystem, of any depth; mounts.c has filesystems with several roots,
 * handles and mounts; errors.c has errors and what the verifier refuses.
 */
#include "tree_looks.h"

/* How many dentries a search visits at most, including the file's own. */
#define DEPTH	2048

/* In one filesystem */

/* Test a tree in the filesystem whose root is the directory @dir. */
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

/* Opening a file of an overlay opens it again in its layer, which is another tree. */
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

	/* A layer is not mounted anywhere: the path ends there. */
	put(map, "/tmp", 3);
	put(map, "/", 4);
	take(map, "lower");
	expect("m/d/f", PATH, 6, 3);
	check_answer("the layer", "path", &programs->bss->path[1], -ENOENT, NOTHING);
}

/* A search does not find or stop at the entries of other maps. */
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

/* A lookup returns a pointer into the value, for writing. */
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

/* A file about to be created already has a name, and so a place in the tree. */
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

	/* The inode itself is the same under each name. */
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

	/* The open file keeps its parent directory, whose entry stays as long. */
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

/* A file without a name is in the tree in which it was created. */
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

	/* An open file moves with its directory. */
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

	/* The maximum depth */
	dir = descend(dir, DEPTH - 1 - 2001);
	close(create_at(dir, "f"));
	expect(below(dir, "f"), BOTH, DEPTH - 1, 1);
	take(map, ".");
	expect_none(below(dir, "f"), TREE, ENOENT);
	/* The path goes on above the filesystem's root. */
	expect_none(below(dir, "f"), PATH, ELOOP);
	put(map, ".", 1);

	/* One level too deep */
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
