// SPDX-License-Identifier: GPL-2.0-only
/*
 * An entry belongs to an inode, whatever its names, and to no other inode with the same number. It
 * goes when the last name and the last user of its inode have gone, not sooner or later.
 */
#include "harness.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static void put(int map, const char *path, unsigned int value, __u32 flags)
{
	int fd = file_open(path, O_PATH | O_NOFOLLOW);

	map_put(map, fd, value, flags);
	close(fd);
}

/* The value of a path, or 0. */
static unsigned int get(int map, const char *path)
{
	int fd = file_open(path, O_PATH | O_NOFOLLOW);
	unsigned int value = map_has(map, fd) ? map_get(map, fd) : 0;

	close(fd);
	return value;
}

static void create(const char *path)
{
	close(file_create(path));
}

TEST(hard_links)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		create("a");
		CHECK_SYS(link("a", "b"));
		put(map, "a", 1, flags);
		CHECK_EQ(get(map, "b"), 1);
		put(map, "b", 2, flags);
		CHECK_EQ(map_count(map), 1);
		CHECK_EQ(get(map, "a"), 2);

		CHECK_SYS(unlink("a"));
		CHECK_EQ(get(map, "b"), 2);
		CHECK_SYS(link("b", "c"));
		CHECK_SYS(unlink("b"));
		CHECK_EQ(get(map, "c"), 2);
		CHECK_SYS(unlink("c"));
		CHECK_EQ(map_count(map), 0);
	}
	counts_wait(1, 0, 0, 0);
}

TEST(bind_mount)
{
	int map = map_create(32, 4, 8);

	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("e", 0755));
	create("d/f");
	create("f");
	CHECK_SYS(mount("d", "e", NULL, MS_BIND, NULL));
	CHECK_SYS(mount("d/f", "f", NULL, MS_BIND, NULL));

	put(map, "d/f", 1, 0);
	CHECK_EQ(get(map, "e/f"), 1);
	CHECK_EQ(get(map, "f"), 1);
	put(map, "e", 2, 0);
	CHECK_EQ(get(map, "d"), 2);

	CHECK_SYS(umount("f"));
	CHECK_EQ(get(map, "f"), 0);
	CHECK_SYS(umount("e"));
	CHECK_EQ(get(map, "d/f"), 1);
	CHECK_EQ(get(map, "e"), 0);
	CHECK_EQ(map_count(map), 2);
}

TEST(rename_keeps_the_entry)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		create("a");
		put(map, "a", 1, flags);
		CHECK_SYS(mkdir("d", 0755));
		CHECK_SYS(rename("a", "d/b"));
		CHECK_EQ(get(map, "d/b"), 1);
		create("a");
		CHECK_EQ(get(map, "a"), 0);
		CHECK_EQ(map_count(map), 1);
		CHECK_EQ(sh("rm -r a d"), 0);
		CHECK_EQ(map_count(map), 0);
	}
}

TEST(rename_over)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		int fd;

		create("a");
		create("b");
		put(map, "a", 1, flags);
		put(map, "b", 2, flags);
		CHECK_SYS(rename("a", "b"));
		CHECK_EQ(map_count(map), 1);
		CHECK_EQ(get(map, "b"), 1);

		/* The replaced file stays while it is open. */
		create("c");
		put(map, "c", 3, flags);
		fd = file_open("b", O_RDONLY);
		CHECK_SYS(rename("c", "b"));
		CHECK_EQ(map_get(map, fd), 1);
		CHECK_EQ(get(map, "b"), 3);
		close(fd);
		CHECK_EQ(map_count(map), 1);
		CHECK_EQ(get(map, "b"), 3);

		CHECK_SYS(unlink("b"));
		CHECK_EQ(map_count(map), 0);
	}
}

TEST(rename_exchange)
{
	int map = map_create(32, 4, 8);

	create("a");
	CHECK_SYS(mkdir("b", 0755));
	put(map, "a", 1, 0);
	put(map, "b", 2, 0);
	CHECK_SYS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	CHECK_EQ(get(map, "b"), 1);
	CHECK_EQ(get(map, "a"), 2);
	CHECK_EQ(map_count(map), 2);
	CHECK_SYS(unlink("b"));
	CHECK_EQ(map_count(map), 1);
	CHECK_SYS(rmdir("a"));
	CHECK_EQ(map_count(map), 0);
}

TEST(unlink_while_open)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		int fd = file_create("a"), copy;

		map_put(map, fd, 1, flags);
		CHECK_SYS(unlink("a"));
		CHECK_EQ(map_get(map, fd), 1);
		copy = CHECK_SYS(dup(fd));
		close(fd);
		CHECK_EQ(map_get(map, copy), 1);
		map_put(map, copy, 2, flags);
		CHECK_EQ(map_get(map, copy), 2);
		close(copy);
		CHECK_EQ(map_count(map), 0);
	}
	counts_wait(1, 0, 0, 0);
}

/* A file without a name can still be put into a map. */
TEST(unlinked_before)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		int fd = file_create("a");

		CHECK_SYS(unlink("a"));
		map_put(map, fd, 1, flags);
		CHECK_EQ(map_get(map, fd), 1);
		close(fd);
		CHECK_EQ(map_count(map), 0);
	}
}

TEST(unlink_while_open_by_two_names)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		for (int first = 0; first < 2; first++) {
			int fds[2] = { file_create("a") };

			CHECK_SYS(link("a", "b"));
			fds[1] = file_open("b", O_RDONLY);
			map_put(map, fds[0], 1, flags);
			CHECK_SYS(unlink("a"));
			CHECK_SYS(unlink("b"));
			close(fds[first]);
			CHECK_EQ(map_get(map, fds[!first]), 1);
			close(fds[!first]);
			/* On some kernels the module has to attach another mark: src/remark.c. */
			CHECK(wait_until(map_is_empty, &map, 5));
		}
	}
}

static void use_tmpfile(const char *directory)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		char proc[64], path[64];
		int fd = CHECK_SYS(open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));

		map_put(map, fd, 1, flags);
		CHECK_EQ(map_get(map, fd), 1);
		close(fd);
		CHECK_EQ(map_count(map), 0);

		/* The file may get a name, and then lives as long as that. */
		fd = CHECK_SYS(open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
		map_put(map, fd, 2, flags);
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		snprintf(path, sizeof(path), "%s/named", directory);
		CHECK_SYS(linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
		close(fd);
		CHECK_EQ(get(map, path), 2);
		CHECK_SYS(unlink(path));
		CHECK_EQ(map_count(map), 0);
	}
	close(map);
}

TEST(tmpfile)
{
	use_tmpfile(".");
}

TEST(tmpfile_on_ext4)
{
	mount_image("ext4", 16, "m", NULL);
	use_tmpfile("m");
}

TEST(number_reuse)
{
	int map = map_create(32, 4, 8);

	mount_image("ext4", 16, "m", NULL);
	FOR_EACH_LIFETIME(flags) {
		ino_t ino;
		int i;

		create("m/old");
		ino = file_ino("m/old");
		put(map, "m/old", 1, flags);
		CHECK_SYS(unlink("m/old"));
		CHECK_EQ(map_count(map), 0);

		for (i = 0; i < 100; i++) {
			char path[32];

			snprintf(path, sizeof(path), "m/new%d", i);
			create(path);
			CHECK_EQ(get(map, path), 0);
			if (file_ino(path) == ino)
				break;
		}
		if (i == 100)
			FAIL("ext4 did not use inode number %lu again", (unsigned long)ino);
		CHECK_EQ(sh("rm m/new*"), 0);
	}
}

/* While a removed file is open, no other file gets its number or its entry. */
TEST(number_reuse_while_open)
{
	int map = map_create(32, 4, 8);
	int fd;

	mount_image("ext4", 16, "m", NULL);
	fd = file_create("m/old");
	map_put(map, fd, 1, 0);
	CHECK_SYS(unlink("m/old"));
	for (int i = 0; i < 20; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/new%d", i);
		create(path);
		CHECK_EQ(get(map, path), 0);
	}
	CHECK_EQ(map_get(map, fd), 1);
	close(fd);
	CHECK_EQ(map_count(map), 0);
}

/* An inode of any type, by an O_PATH descriptor, and by the other descriptor @fd, or -1. */
static void use_type(const char *path, int fd)
{
	int map = map_create(32, 4, 8);

	FOR_EACH_LIFETIME(flags) {
		put(map, path, 1, flags);
		CHECK_EQ(get(map, path), 1);
		CHECK_EQ(map_only_key(map).ino, file_ino(path));
		if (fd >= 0) {
			CHECK_EQ(map_get(map, fd), 1);
			map_put(map, fd, 2, flags);
			CHECK_EQ(get(map, path), 2);
			CHECK_OK(inode_map_remove_fd(map, fd));
			CHECK_EQ(get(map, path), 0);
		}
	}
	put(map, path, 3, 0);
	if (fd >= 0)
		close(fd);
	CHECK_SYS(remove(path));
	CHECK_EQ(map_count(map), 0);
	close(map);
}

TEST(regular_file)
{
	use_type("f", file_create("f"));
}

TEST(directory)
{
	CHECK_SYS(mkdir("d", 0755));
	use_type("d", file_open("d", O_RDONLY | O_DIRECTORY));
}

TEST(symbolic_link)
{
	int map = map_create(32, 4, 8);

	create("f");
	CHECK_SYS(symlink("f", "l"));
	put(map, "l", 1, 0);
	put(map, "f", 2, 0);
	CHECK_EQ(get(map, "l"), 1);
	/* The library follows the link. */
	CHECK_OK(inode_map_remove_path(map, "l"));
	CHECK_EQ(get(map, "l"), 1);
	CHECK_EQ(get(map, "f"), 0);
	close(map);

	use_type("l", -1);
}

TEST(character_device)
{
	CHECK_SYS(mknod("c", S_IFCHR | 0600, makedev(1, 3)));
	use_type("c", file_open("c", O_RDWR));
}

/* Two nodes of one device are two inodes. */
TEST(device_nodes_of_one_device)
{
	int map = map_create(32, 4, 8);
	int fd;

	CHECK_SYS(mknod("c", S_IFCHR | 0600, makedev(1, 3)));
	CHECK_SYS(mknod("d", S_IFCHR | 0600, makedev(1, 3)));
	put(map, "c", 1, 0);
	fd = file_open("d", O_RDWR);
	CHECK(!map_has(map, fd));
	close(fd);
	fd = file_open("c", O_RDWR);
	CHECK_EQ(map_get(map, fd), 1);
}

TEST(block_device)
{
	int fd;

	/* Loop devices, if there are any: an unused one can be opened, too. */
	if (sh("losetup --find >/dev/null 2>&1"))
		SKIP("there are no loop devices");
	CHECK_SYS(mknod("b", S_IFBLK | 0600, makedev(7, 0)));
	fd = file_open("b", O_RDONLY);
	use_type("b", fd);
}

TEST(fifo)
{
	CHECK_SYS(mkfifo("p", 0600));
	use_type("p", file_open("p", O_RDWR));
}

TEST(unix_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };
	int map = map_create(32, 4, 8);
	int fd = CHECK_SYS(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	CHECK_SYS(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	/* The socket is one inode, its name in the file system is another. */
	put(map, "s", 1, 0);
	CHECK(!map_has(map, fd));
	map_put(map, fd, 2, 0);
	CHECK_EQ(get(map, "s"), 1);
	CHECK_EQ(map_count(map), 2);
	close(fd);
	CHECK_EQ(map_count(map), 1);
	close(map);

	use_type("s", -1);
}

TEST(same_number_on_two_file_systems)
{
	int map = map_create(32, 4, 8);
	int fds[2];

	CHECK_SYS(mkdir("a", 0755));
	CHECK_SYS(mkdir("b", 0755));
	CHECK_SYS(mount("a", "a", "tmpfs", 0, NULL));
	CHECK_SYS(mount("b", "b", "tmpfs", 0, NULL));
	fds[0] = file_create("a/f");
	fds[1] = file_create("b/f");
	CHECK_EQ(file_ino("a/f"), file_ino("b/f"));

	map_put(map, fds[0], 1, 0);
	CHECK(!map_has(map, fds[1]));
	map_put(map, fds[1], 2, 0);
	CHECK_EQ(map_get(map, fds[0]), 1);
	CHECK_EQ(map_get(map, fds[1]), 2);
	CHECK_EQ(map_count(map), 2);
	CHECK_OK(inode_map_remove_fd(map, fds[0]));
	CHECK_EQ(map_get(map, fds[1]), 2);
	CHECK_EQ(map_count(map), 1);
}

static bool has_free_blocks(void *want)
{
	struct statfs now;

	sync();
	CHECK_SYS(statfs("m", &now));
	return now.f_bfree * now.f_bsize >= *(unsigned long *)want;
}

/* A map does not keep a removed file's blocks. */
TEST(blocks_are_given_back)
{
	int map = map_create(32, 4, 8);
	struct statfs before;
	unsigned long want;

	mount_image("ext4", 32, "m", NULL);
	FOR_EACH_LIFETIME(flags) {
		CHECK_SYS(statfs("m", &before));
		want = before.f_bfree * before.f_bsize;
		CHECK_EQ(sh("dd if=/dev/zero of=m/f bs=1M count=8 2>/dev/null"), 0);
		CHECK(!has_free_blocks(&want));
		put(map, "m/f", 1, flags);
		CHECK_SYS(unlink("m/f"));
		if (!wait_until(has_free_blocks, &want, 10))
			FAIL("the blocks of the removed file are still in use");
	}
}

/* Keys that a walk returns */

static unsigned int st_dev_packed(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 | (minor(dev) & ~0xffU) << 12;
}

TEST(walk_fills_the_key)
{
	int map = map_create(32, 4, 8);
	struct inode_map_key key;
	struct stat stat;
	unsigned int generation;
	int fd;

	mount_image("ext4", 16, "m", NULL);
	FOR_EACH_LIFETIME(flags) {
		fd = file_create("m/f");
		CHECK_SYS(fstat(fd, &stat));
		CHECK_SYS(ioctl(fd, FS_IOC_GETVERSION, &generation));
		CHECK(generation);

		map_put(map, fd, 1, flags);
		key = map_only_key(map);
		CHECK_EQ(key.fd, -1);
		CHECK_EQ(key.flags, flags);
		CHECK(key.handle >= 1 && key.handle <= INT32_MAX);
		CHECK_EQ(key.dev, st_dev_packed(stat.st_dev));
		CHECK_EQ(key.ino, stat.st_ino);
		CHECK_EQ(key.gen, generation);
		CHECK_EQ(key.reserved, 0);

		close(fd);
		CHECK_SYS(unlink("m/f"));
		CHECK_EQ(map_count(map), 0);
	}
}

TEST(walked_key_works)
{
	int map = map_create(32, 4, 8);
	int fd = file_create("f");

	FOR_EACH_LIFETIME(flags) {
		struct inode_map_key key, again;
		unsigned int value = 0;

		map_put(map, fd, 1, flags);
		key = map_only_key(map);
		CHECK_SYS(bpf_map_lookup_elem(map, &key, &value));
		CHECK_EQ(value, 1);
		value = 2;
		CHECK_SYS(bpf_map_update_elem(map, &key, &value, BPF_EXIST));
		CHECK_EQ(map_get(map, fd), 2);
		again = map_only_key(map);
		CHECK(!memcmp(&again, &key, sizeof(key)));
		CHECK_SYS(bpf_map_delete_elem(map, &key));
		CHECK(!map_has(map, fd));
		CHECK(bpf_map_lookup_elem(map, &key, &value) && errno == ENOENT);
		CHECK_EQ(map_count(map), 0);
	}
}

TEST(walk_with_4_byte_keys)
{
	int map = map_create(4, 4, 8);
	unsigned int seen = 0;
	__s32 key, next;

	for (unsigned int i = 1; i <= 4; i++) {
		char path[] = { 'a' + i, 0 };

		CHECK_OK(map_set(map, file_create(path), 1U << i));
	}
	for (int err = bpf_map_get_next_key(map, NULL, &next); !err;
	     err = bpf_map_get_next_key(map, &key, &next)) {
		unsigned int value = 0;

		CHECK(next < 0);
		key = next;
		CHECK_SYS(bpf_map_lookup_elem(map, &key, &value));
		CHECK(!(seen & value));
		seen |= value;
		value <<= 8;
		CHECK_SYS(bpf_map_update_elem(map, &key, &value, BPF_EXIST));
	}
	CHECK_EQ(seen, 0x1e);
	while (!bpf_map_get_next_key(map, NULL, &next))
		CHECK_SYS(bpf_map_delete_elem(map, &next));
	counts_wait(1, 0, 0, 0);
}

/* A handle names one entry, and never a later one of the same inode or of another. */
TEST(handles)
{
	int map = map_create(32, 4, 4);
	int fd = file_create("f"), other = file_create("g");
	__u32 seen[50];

	for (unsigned int i = 0; i < 50; i++) {
		map_put(map, i % 2 ? fd : other, i, 0);
		seen[i] = map_only_key(map).handle;
		for (unsigned int j = 0; j < i; j++)
			CHECK(seen[j] != seen[i]);
		map_put(map, i % 2 ? fd : other, i, INODE_MAP_WEAK);
		CHECK_EQ(map_only_key(map).handle, seen[i]);
		CHECK_OK(inode_map_remove_fd(map, i % 2 ? fd : other));
	}

	map_put(map, fd, 1, 0);
	for (unsigned int i = 0; i < 50; i++) {
		struct inode_map_key key = { .fd = -1, .handle = seen[i] };
		unsigned int value = 7;

		CHECK(bpf_map_lookup_elem(map, &key, &value) && errno == ENOENT);
		CHECK(bpf_map_update_elem(map, &key, &value, BPF_ANY) && errno == ENOENT);
		CHECK(bpf_map_delete_elem(map, &key) && errno == ENOENT);
	}
	CHECK_EQ(map_get(map, fd), 1);
}
