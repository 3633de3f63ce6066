// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that the sweeps make, what prepares each try, and the checks after it. They use two
 * maps with a few entries that must stay, and a new file for each try.
 */
#include "fault.h"

int map, other_map;
static int create_fd;
unsigned int map_key_size, map_value_size;
static union inode_map_any_key key;
__u32 key_flags;
char value[VALUE_MAX], read_value[VALUE_MAX];
unsigned int tries;
int file = -1;
struct counts base;

void value_set(unsigned int seed)
{
	for (unsigned int i = 0; i < map_value_size; i++)
		value[i] = seed + i / 4;
}

void key_set_fd(int fd)
{
	memset(&key, 0, sizeof(key));
	if (map_key_size == 4) {
		key.fd = fd;
	} else {
		key.full.fd = fd;
		key.full.flags = key_flags;
	}
}

int call_update(void)
{
	return bpf_map_update_elem(map, &key, value, BPF_ANY) ? -errno : 0;
}

int call_delete(void)
{
	return bpf_map_delete_elem(map, &key) ? -errno : 0;
}

int call_lookup(void)
{
	return bpf_map_lookup_elem(map, &key, read_value) ? -errno : 0;
}

int call_next_key(void)
{
	static union inode_map_any_key next;

	return bpf_map_get_next_key(map, &key, &next) ? -errno : 0;
}

int call_create(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));

	create_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "sweep", map_key_size, 4, 1, &opts);
	return create_fd < 0 ? -errno : 0;
}

char listing[1 << 17];

int call_list(void)
{
	int fd = open("/proc/inode_map", O_RDONLY | O_CLOEXEC), err = 0;
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while ((got = read(fd, listing + size, sizeof(listing) - 1 - size)) > 0)
		size += got;
	if (got < 0)
		err = -errno;
	close(fd);
	listing[size] = 0;
	return err;
}

/* Before each try, and after each successful call. */

void new_file(void)
{
	char name[32];

	snprintf(name, sizeof(name), "sweep%u", tries++);
	file = file_create(name);
	CHECK_SYS(unlink(name));
	key_set_fd(file);
	value_set(tries);
}

void new_file_of_other_map(void)
{
	new_file();
	CHECK_OK(map_set(other_map, file, 1));
}

void new_mount(void)
{
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	file = file_create("m/f");
	key_set_fd(file);
	value_set(tries++);
}

void close_file(void)
{
	if (file >= 0)
		close(file);
	file = -1;
}

void close_mount(void)
{
	close_file();
	CHECK_SYS(umount("m"));
	CHECK_SYS(rmdir("m"));
}

/* The newest entry, which is where walks start, has the lifetime that was requested. */
static void check_lifetime(void)
{
	struct inode_map_key newest;

	if (map_key_size != sizeof(newest))
		return;
	CHECK_SYS(bpf_map_get_next_key(map, NULL, &newest));
	CHECK_EQ(newest.flags, key_flags);
}

void check_and_delete(void)
{
	check_lifetime();
	CHECK_OK(call_lookup());
	CHECK(!memcmp(value, read_value, map_value_size));
	CHECK_OK(call_delete());
}

/* Choose the entry of the file "1", one of those that must stay. */
void choose_entry(void)
{
	file = file_open("1", O_PATH);
	key_set_fd(file);
	value_set(100 + tries++);
}

void choose_handle(void)
{
	memset(&key, 0, sizeof(key));
	if (map_key_size == 4) {
		key.fd = -2;
	} else {
		key.full.fd = -1;
		key.full.handle = 2;
	}
	value_set(100 + tries++);
}

void check_and_restore(void)
{
	CHECK_OK(call_lookup());
	CHECK(!memcmp(value, read_value, map_value_size));
	value_set(1);
	CHECK_OK(call_update());
}

void insert_file(void)
{
	new_file();
	CHECK_OK(call_update());
}

void check_deleted(void)
{
	CHECK_ERR(call_lookup(), ENOENT);
}

void close_map(void)
{
	int fd = file_open("1", O_PATH);

	/* The new map works. */
	CHECK_OK(map_set(create_fd, fd, 1));
	CHECK_EQ(map_get(create_fd, fd), 1);
	close(fd);
	close(create_fd);
}

void nothing(void)
{
}
