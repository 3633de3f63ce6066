// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device numbers: a dump shows that of stat(2), even where that differs from the superblock's.
 * The files of two btrfs subvolumes have the same inode numbers.
 */
#include "harness.h"

#include <sys/sysmacros.h>

static __u32 encoded(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 | (minor(dev) & ~0xffU) << 12;
}

/* Give a file an entry, and find the entry in a dump by the file's device and inode number. */
static void check_file(int map, const char *path, unsigned int value)
{
	struct inode_map_key key = {};
	bool first = true, found = false;
	struct stat stat;
	char line[64];
	int fd;

	fd = file_open(path, O_PATH);
	map_put(map, fd, value, 0);
	close(fd);
	CHECK_SYS(lstat(path, &stat));
	for (; !bpf_map_get_next_key(map, first ? NULL : &key, &key); first = false) {
		if (key.dev != encoded(stat.st_dev) || key.ino != stat.st_ino)
			continue;
		CHECK(!found);
		found = true;
	}
	if (!found)
		FAIL("%s: no entry of device %u:%u", path, major(stat.st_dev), minor(stat.st_dev));
	snprintf(line, sizeof(line), " %u:%u %lu ", major(stat.st_dev), minor(stat.st_dev),
		 (unsigned long)stat.st_ino);
	CHECK_EQ(sh("grep -q '%s' /proc/inode_map", line), 0);
}

TEST(stat_device)
{
	int map = map_create(32, 4, 8);
	struct stat one, other;

	mount_image("btrfs", 128, "m", NULL);
	subvolume_make("m", "a");
	subvolume_make("m", "b");
	close(file_create("m/a/f"));
	close(file_create("m/b/f"));
	close(file_create("m/f"));
	CHECK_SYS(lstat("m/a/f", &one));
	CHECK_SYS(lstat("m/b/f", &other));
	/* Otherwise this tests nothing. */
	CHECK_EQ(one.st_ino, other.st_ino);
	CHECK(one.st_dev != other.st_dev);

	check_file(map, "m/a/f", 1);
	check_file(map, "m/b/f", 2);
	check_file(map, "m/f", 3);
	CHECK_EQ(map_count(map), 3);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
}
