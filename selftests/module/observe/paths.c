// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths in /proc/inode_map: strange names, none, several and very long ones, for any reader.
 */
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "observe.h"

/* A name as the listing has it. */
static char *escaped(const char *name)
{
	static char text[5000];
	char *to = text;

	for (; *name; name++) {
		if (strchr(" \t\n\\", *name))
			to += sprintf(to, "\\%03o", (unsigned char)*name);
		else
			*to++ = *name;
	}
	*to = 0;
	return text;
}

TEST(escapes)
{
	static const char *const names[] = {
		"/with space", "/tab\there", "/new\nline", "/back\\slash", "/\\040", "/-", "/ ",
		"/\n\n", "/9 test 0:1 1 1 1 pinned /f", "/\n9 test 0:1 1 1 1 pinned /f",
	};
	char all[257] = "/";

	for (int i = 1, at = 1; i < 256; i++)
		if (i != '/')
			all[at++] = i;
	for (unsigned int i = 0; i <= 10; i++) {
		const char *name = i < 10 ? names[i] : all;
		int map;

		/* In the names of directories as well as of files. */
		if (i == 8 || i == 9)
			CHECK_SYS(mkdir(i == 8 ? "9 test 0:1 1 1 1 pinned " :
						 "\n9 test 0:1 1 1 1 pinned ", 0755));
		map = map_of_one(file_create(name + 1));
		CHECK_STR(path_of(map), escaped(name));
		close(map);
	}
}

TEST(deleted)
{
	int file = file_create("f"), file_map = map_of_one(file), dir, dir_map;

	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("d/e", 0755));
	dir = file_open("d/e", O_RDONLY);
	dir_map = map_of_one(dir);
	CHECK_STR(path_of(file_map), "/f");
	CHECK_STR(path_of(dir_map), "/d/e");
	CHECK_SYS(unlink("f"));
	CHECK_SYS(rmdir("d/e"));
	CHECK_STR(path_of(file_map), "/f//deleted");
	CHECK_STR(path_of(dir_map), "/d/e//deleted");
	close(file);
	close(dir);
	CHECK_EQ(map_count(file_map) + map_count(dir_map), 0);
}

/* Never had a name. */
TEST(unnamed_file)
{
	int fd = CHECK_SYS(open(".", O_TMPFILE | O_RDWR, 0600)), map = map_of_one(fd);
	const char *path = path_of(map);

	CHECK(strlen(path) > 9 && !strcmp(path + strlen(path) - 9, "//deleted"));
}

/* Of several names, the listing shows one that can be opened, whichever was first. */
TEST(hard_links)
{
	int fd = file_create("a"), map = map_of_one(fd);

	CHECK_SYS(mkdir("d", 0755));
	for (int i = 0; i < 4; i++) {
		const char *path;

		/* Delete the name by which the descriptor was opened. */
		CHECK_SYS(link(i & 1 ? "d/b" : "a", i & 1 ? "a" : "d/b"));
		path = path_of(map);
		CHECK(!strcmp(path, "/a") || !strcmp(path, "/d/b"));
		CHECK_SYS(unlink(i & 1 ? "d/b" : "a"));
		CHECK_STR(path_of(map), i & 1 ? "/a" : "/d/b");
		close(fd);
		fd = file_open(i & 1 ? "a" : "d/b", O_RDONLY);
	}
	/* The newest name is the first in the inode's list. */
	CHECK_SYS(link("a", "new"));
	close(fd);
	fd = file_open("new", O_RDONLY);
	CHECK_SYS(unlink("new"));
	CHECK_STR(path_of(map), "/a");

	CHECK_SYS(rename("a", "c"));
	CHECK_STR(path_of(map), "/c");
	CHECK_SYS(rename("d", "e"));
	CHECK_SYS(rename("c", "e/c"));
	CHECK_STR(path_of(map), "/e/c");
	close(fd);
	fd = file_open("e/c", O_RDONLY);
	CHECK_SYS(unlink("e/c"));
	CHECK_STR(path_of(map), "/e/c//deleted");
}

TEST(no_path)
{
	int fds[6], pipes[2], sockets[2];

	CHECK_SYS(pipe(pipes));
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fds[0] = pipes[0];
	fds[1] = sockets[1];
	fds[2] = CHECK_SYS(socket(AF_INET, SOCK_DGRAM, 0));
	fds[3] = file_open("/proc/self/ns/net", O_RDONLY);
	fds[4] = file_open("/proc/self/ns/mnt", O_RDONLY);
	fds[5] = CHECK_SYS(syscall(SYS_pidfd_open, getpid(), 0));
	for (unsigned int i = 0; i < 6; i++) {
		int map = map_create(32, 4, 8);

		/* Pidfds share an inode where there is no pidfs. */
		if (map_set(map, fds[i], 1) == -EOPNOTSUPP && i == 5)
			continue;
		CHECK_OK(map_set(map, fds[i], 1));
		CHECK_STR(path_of(map), "-");
		CHECK_STR(line_of(map)->lifetime, "weak");
		close(map);
	}
}

TEST(root_directory)
{
	int map = map_of_one(file_open(".", O_PATH));

	CHECK_STR(path_of(map), "/");
}

struct reader {
	int map;
	int listing;
	const char *root, *want;
};

static void read_elsewhere(void *arg)
{
	struct reader *reader = arg;

	CHECK_SYS(chroot(reader->root));
	CHECK_SYS(chdir("/"));
	CHECK_STR(line_of_in(reader->map, reader->listing)->path, reader->want);
}

static void read_without_mounts(void *arg)
{
	struct reader *reader = arg;

	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(chdir("/"));
	CHECK_SYS(umount2(DIR_PATH, MNT_DETACH));
	CHECK_STR(path_of(reader->map), reader->want);
}

/* The path within the filesystem, whatever the reader sees of the filesystem. */
TEST(elsewhere)
{
	struct reader reader = { .root = "a", .want = "/a/b/f" };

	CHECK_SYS(mkdir("a", 0755));
	CHECK_SYS(mkdir("a/b", 0755));
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("a/b", "m", NULL, MS_BIND, NULL));
	file_write("a/b/f", "");
	reader.map = map_of_one(file_open("m/f", O_PATH));
	CHECK_STR(path_of(reader.map), "/a/b/f");
	for (int i = 0; i < 2; i++) {
		reader.listing = file_open(LISTING, O_RDONLY);
		reader.root = i ? "m" : "a";
		child_wait(child_start(read_elsewhere, &reader));
		close(reader.listing);
	}
	/* Where another filesystem hides it. */
	CHECK_SYS(mount("over", "a", "tmpfs", 0, NULL));
	CHECK_STR(path_of(reader.map), "/a/b/f");
	/* Where nothing of the filesystem is mounted. */
	child_wait(child_start(read_without_mounts, &reader));
}

/* Longer than a page and than PATH_MAX: the listing's buffer has to grow, several times. */
TEST(long_paths)
{
	static char path[80 * 256 + 8], name[256];
	char *at = path;
	int dir = file_open(".", O_PATH), map = map_create(32, 4, 128), file;
	struct listing listing;

	memset(name, 'n', 255);
	for (int i = 0; i < 80; i++) {
		CHECK_SYS(mkdirat(dir, name, 0755));
		dir = CHECK_SYS(openat(dir, name, O_PATH));
		CHECK_OK(map_set(map, dir, i));
		at += sprintf(at, "/%s", name);
	}
	file = CHECK_SYS(openat(dir, "f", O_RDWR | O_CREAT, 0644));
	sprintf(at, "/f");
	CHECK_OK(map_set(map, file, 1));
	for (unsigned int chunk = 100; chunk < 1000000; chunk *= 10) {
		listing_read(&listing, chunk);
		CHECK_EQ(listing.nr_lines, 81);
		/* The newest entry of a map is listed first. */
		CHECK_STR(listing.lines[0].path, path);
		for (unsigned int i = 1; i <= 80; i++) {
			size_t length = strlen(listing.lines[i].path);

			CHECK_EQ(length, (81 - i) * 256);
			CHECK(!memcmp(listing.lines[i].path, path, length));
		}
		listing_free(&listing);
	}
}
