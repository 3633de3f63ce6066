// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files with several names: their entries stay until the last user is gone, in whatever order the
 * names go, and programs find them all the time.
 *
 * Kernels before 6.12.117 tell fsnotify that an inode is gone when one of two names has left the
 * dentry cache after the last link, although the file is open by the other name.
 */
#include "harness.h"

#include "names.skel.h"

#define VALUE	7

/* A program that looks the file up whenever its attributes are read. */
static struct names *watch(int map, const char *path)
{
	struct names *names = names__open();

	CHECK(names);
	names->bss->map_id = map_id_of(map);
	names->bss->number = file_ino(path);
	CHECK_OK(names__load(names));
	CHECK_OK(names__attach(names));
	return names;
}

static void ask(int fd)
{
	struct stat st;

	CHECK_SYS(fstatat(fd, "", &st, AT_EMPTY_PATH));
}

/* For as long as it takes to lose marks and to get others, and a grace period longer. */
static void keep_asking(int fd)
{
	double end = now() + 0.25 * test_slowdown();

	while (now() < end)
		ask(fd);
}

static void ask_forever(void *arg)
{
	for (;;)
		ask(*(int *)arg);
}

/* The program has seen the file, and each time with a value. */
static void check_watched(struct names *names)
{
	CHECK(names->bss->lookups > 0);
	CHECK_EQ(names->bss->misses, 0);
	names__destroy(names);
}

/* Make "m/a" with an entry, and @others more names of the file: "m/b", "m/c" and so on. */
static void make_names(int map, __u32 flags, unsigned int others)
{
	char name[] = "m/b";
	int fd = file_create("m/a");

	map_put(map, fd, VALUE, flags);
	close(fd);
	for (; others; others--, name[2]++)
		CHECK_SYS(link("m/a", name));
}

/* While "m/b" is in use, the dentry of "m/a" goes at once only if it is the last link. */
static void unlink_all(const char *names)
{
	char path[] = "m/a";

	for (; *names; names++) {
		path[2] = *names;
		CHECK_SYS(unlink(path));
	}
}

/* Make "m/a" and "m/b", and unlink both while the file is open: its descriptor. */
static int make_unlinked(int map, __u32 flags)
{
	int fd;

	make_names(map, flags, 1);
	fd = file_open("m/b", O_PATH);
	unlink_all("ba");
	return fd;
}

static void mount_tmpfs(void)
{
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("tmpfs", "m", "tmpfs", 0, NULL));
}

static void mount_fs(const char *type)
{
	if (!strcmp(type, "tmpfs"))
		mount_tmpfs();
	else
		mount_image(type, strcmp(type, "xfs") ? 16 : 300, "m", NULL);
}

/* The file is used by its second name after both have gone, until it is closed. */
static void use_after_unlink(const char *type)
{
	int map = map_create(32, 4, 8);

	mount_fs(type);
	FOR_EACH_LIFETIME(flags) {
		struct names *names;
		pid_t other;
		int fd;

		make_names(map, flags, 1);
		fd = file_open("m/b", O_PATH);
		names = watch(map, "m/b");
		other = child_start(ask_forever, &fd);
		unlink_all("ba");
		keep_asking(fd);
		child_kill(other);
		check_watched(names);
		CHECK_EQ(map_get(map, fd), VALUE);
		CHECK_EQ(map_only_key(map).flags, flags);
		counts_wait(1, 1, 1, !flags);

		close(fd);
		CHECK_EQ(map_count(map), 0);
		counts_wait(1, 0, 0, 0);
	}
	CHECK_SYS(umount("m"));
}

TEST(ext4)
{
	use_after_unlink("ext4");
}

TEST(tmpfs)
{
	use_after_unlink("tmpfs");
}

TEST(xfs)
{
	use_after_unlink("xfs");
}

/* The names go one after the other, at once and with pauses. */
TEST(many_names)
{
	static const char *const paths[] = { "m/a", "m/b", "m/c", "m/d" };
	int map = map_create(32, 4, 8);

	mount_tmpfs();
	FOR_EACH_LIFETIME(flags) {
		for (unsigned int wait = 0; wait < 2; wait++) {
			struct names *names;
			int fds[4];

			make_names(map, flags, 4);
			for (int i = 0; i < 4; i++)
				fds[i] = file_open(paths[i], O_PATH);
			names = watch(map, "m/d");
			unlink_all("abcde");
			for (int i = 0; i < 3; i++) {
				if (wait)
					keep_asking(fds[i]);
				close(fds[i]);
				ask(fds[3]);
			}
			keep_asking(fds[3]);
			check_watched(names);
			CHECK_EQ(map_get(map, fds[3]), VALUE);
			counts_wait(1, 1, 1, !flags);
			close(fds[3]);
			CHECK_EQ(map_count(map), 0);
			counts_wait(1, 0, 0, 0);
		}
	}
}

/* All at once: there is no time to attach a mark in between. */
TEST(closed_at_once)
{
	int map = map_create(32, 4, 8);

	mount_tmpfs();
	FOR_EACH_LIFETIME(flags) {
		int fd = make_unlinked(map, flags);

		close(fd);
		counts_wait(1, 0, 0, 0);
		CHECK_EQ(map_count(map), 0);
	}
}

/* Updates at every moment: of this map and another, with the same lifetime and the other. */
static void update_meanwhile(bool breathe)
{
	int map = map_create(32, 4, 8), other = map_create(32, 4, 8);

	mount_tmpfs();
	FOR_EACH_LIFETIME(flags) {
		FOR_EACH_LIFETIME(other_flags) {
			struct names *names;
			int fd;

			make_names(map, flags, 1);
			fd = file_open("m/b", O_PATH);
			names = watch(map, "m/b");
			unlink_all("ba");
			if (breathe)
				keep_asking(fd);
			map_put(other, fd, VALUE + 1, other_flags);
			map_put(map, fd, VALUE + 2, flags);
			keep_asking(fd);
			check_watched(names);
			CHECK_EQ(map_get(map, fd), VALUE + 2);
			CHECK_EQ(map_get(other, fd), VALUE + 1);
			/* The inode has one addon. */
			counts_wait(2, 2, 1, !flags || !other_flags);

			CHECK_OK(inode_map_remove_fd(map, fd));
			counts_wait(2, 1, 1, !other_flags);
			map_put(map, fd, VALUE, flags);
			CHECK_EQ(map_get(map, fd), VALUE);
			counts_wait(2, 2, 1, !flags || !other_flags);
			close(fd);
			CHECK_EQ(map_count(map) + map_count(other), 0);
			counts_wait(2, 0, 0, 0);
		}
	}
}

TEST(update_at_once)
{
	update_meanwhile(false);
}

TEST(update_later)
{
	update_meanwhile(true);
}

/* Deleting the entry releases the addon while the file is open. */
TEST(deleted_meanwhile)
{
	int map = map_create(32, 4, 8);

	mount_tmpfs();
	FOR_EACH_LIFETIME(flags) {
		for (unsigned int wait = 0; wait < 2; wait++) {
			int fd = make_unlinked(map, flags);

			if (wait)
				keep_asking(fd);
			CHECK_OK(inode_map_remove_fd(map, fd));
			counts_wait(1, 0, 0, 0);
			close(fd);
		}
	}
}

/* The map is freed, and with it the module's references. */
TEST(map_freed_meanwhile)
{
	mount_tmpfs();
	FOR_EACH_LIFETIME(flags) {
		int map = map_create(32, 4, 8), fd = make_unlinked(map, flags);

		close(map);
		counts_wait(0, 0, 0, 0);
		close(fd);
	}
	CHECK_SYS(umount("m"));
}

/* The file system is unmounted right after the file is closed. */
TEST(unmounted_at_once)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		int fd;

		mount_image("ext4", 16, "m", NULL);
		fd = make_unlinked(map, flags);
		close(fd);
		CHECK(wait_until(umount_succeeds, "m", 10));
		CHECK_SYS(rmdir("m"));
		counts_wait(1, 0, 0, 0);
	}
}

/* A lazy unmount, which the open file outlives. */
TEST(detached)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		int fd;

		mount_tmpfs();
		fd = make_unlinked(map, flags);
		CHECK_SYS(umount2("m", MNT_DETACH));
		keep_asking(fd);
		CHECK_EQ(map_get(map, fd), VALUE);
		close(fd);
		counts_wait(1, 0, 0, 0);
		CHECK_EQ(map_count(map), 0);
		CHECK_SYS(rmdir("m"));
	}
}
