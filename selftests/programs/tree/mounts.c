// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of filesystems with several roots, or none; files opened by handle; and the tree across
 * mounts.
 */
#include <sys/socket.h>

#include "tree_looks.h"

/* A subvolume is an ordinary directory, wherever it is mounted. */
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

/* A socket can't be opened by name, but programs run before open(2) fails. */
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

/* A file opened by handle is in no tree until some task looks up its name. */
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

	/* As long as its name is cached, there is no difference. */
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

	/* The kernel connects directories. */
	again = open_handle(mount, &dir);
	expect(below(again, ""), BOTH, 1, 1);
	close(again);
	expect_none(below(fd, ""), BOTH, EAGAIN);

	CHECK_SYS(stat("m/a/b/f", &stat_buf));
	again = open_handle(mount, &file);
	check_answers("connected", BOTH, 2, 1);
	/* The earlier descriptor's dentry remains disconnected. */
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

	/* A search goes up to the filesystem's root, not only to the root of the bind mount. */
	put(map, "a", 1);
	expect("x/y/c/f", BOTH, 3, 1);
	expect("x/file", BOTH, 1, 1);
	/* The mount point's ancestors come after the filesystem's own, and don't hide "a". */
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

/* DIR/d with three filesystems, each mounted below the previous one. */
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

/* Fails if a search has left a mount in use. */
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
	/* From the file: the filesystem's root, the mount point, and the mount point's parent. */
	expect(FIRST "/f", PATH, 3, 1);
	expect(SECOND "/f", PATH, 2 + 1 + 1 + 2, 1);
	expect(THIRD "/f", PATH, 2 + 1 + 1 + 1 + 1 + 2, 1);
	expect(THIRD, PATH, 1 + 1 + 1 + 1 + 1 + 2, 1);
	expect_none(FIRST "/f", TREE, ENOENT);
	expect_none(THIRD "/f", TREE, ENOENT);

	/* The nearest ancestor wins. */
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

/* A mount point's directory is one of the ancestors, too. */
TEST(mounted_on)
{
	int map = map_watched(), under[2];

	make_dir("d");
	under[0] = file_open("d", O_PATH);
	mount_tmpfs("d");
	under[1] = file_open("d", O_PATH);
	/* Mounted on the root of the first tmpfs. */
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

/* The view of a process whose root is FIRST. */
static void look_in_root(void *root)
{
	int outside = file_open("d", O_PATH);

	programs->bss->pid = getpid();
	CHECK_SYS(chroot(root));
	CHECK_SYS(chdir("/"));
	expect_none("f", BOTH, ENOENT);
	/* Searches go up to the process's root, but not above it. */
	expect("e/2/f", PATH, 2 + 1, 2);
	/* Outside of the process's root, searches don't end there. */
	expect_at(outside, "f", PATH, 1, 1);
}

/* Above the process's root, only directories of the same filesystem count. */
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
	/* The view of a process with another root */
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

	/* Only the descriptors hold the filesystems: entries end with their filesystem. */
	close(third);
	close(first);
	if (!wait_until(has_one_entry, &map, 10))
		FAIL("a filesystem is still there");
	expect("d/f", BOTH, 1, 1);
}
