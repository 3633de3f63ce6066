// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps and their entries through bpf(2), and the module's counters: see harness.h.
 */
#include "harness.h"

bool counts_try_read(struct counts *counts)
{
	FILE *file = fopen("/proc/inode_map", "r");
	int fields;

	if (!file)
		return false;
	fields = fscanf(file, "maps %u entries %u addons %u pinned %u", &counts->maps,
			&counts->entries, &counts->addons, &counts->pinned);
	fclose(file);
	return fields == 4;
}

void counts_read(struct counts *counts)
{
	if (!counts_try_read(counts))
		FAIL("can't read /proc/inode_map: %s", strerror(errno));
}

static bool counts_are(void *want)
{
	struct counts counts;

	counts_read(&counts);
	return !memcmp(&counts, want, sizeof(counts));
}

void counts_wait(unsigned int maps, unsigned int entries, unsigned int addons, unsigned int pinned)
{
	struct counts want = { maps, entries, addons, pinned }, got;

	if (wait_until(counts_are, &want, 10))
		return;
	counts_read(&got);
	FAIL("maps %u, entries %u, addons %u, pinned %u; expected %u, %u, %u, %u", got.maps,
	     got.entries, got.addons, got.pinned, maps, entries, addons, pinned);
}

int map_try_create(unsigned int type, unsigned int key_size, unsigned int value_size,
		   unsigned int max_entries, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags,
		    .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));
	int fd;

	if (!opts.map_ifindex)
		FAIL("there is no device " INODE_MAP_DEVICE);
	fd = bpf_map_create(type, "test", key_size, value_size, max_entries, &opts);
	return fd < 0 ? -errno : fd;
}

int map_create(unsigned int key_size, unsigned int value_size, unsigned int max_entries)
{
	return CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, key_size, value_size, max_entries, 0));
}

int map_set(int map, int fd, unsigned int value)
{
	return inode_map_set_fd(map, fd, &value, BPF_ANY, 0);
}

unsigned int map_get(int map, int fd)
{
	unsigned int value;

	CHECK_OK(inode_map_get_fd(map, fd, &value));
	return value;
}

bool map_has(int map, int fd)
{
	char value[65536];
	int err = inode_map_get_fd(map, fd, value);

	if (err && err != -ENOENT)
		FAIL("looking an inode up: %s", strerror(-err));
	return !err;
}

unsigned int map_count(int map)
{
	union inode_map_any_key key, next;
	unsigned int count = 0;
	int err = bpf_map_get_next_key(map, NULL, &next);

	while (!err) {
		count++;
		key = next;
		err = bpf_map_get_next_key(map, &key, &next);
	}
	if (errno != ENOENT)
		FAIL("walking the map: %s", strerror(errno));
	return count;
}

unsigned int map_id_of(int map)
{
	return CHECK_OK(inode_map_id(map));
}

void map_put(int map, int fd, unsigned int value, __u32 key_flags)
{
	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, key_flags));
}

struct inode_map_key map_only_key(int map)
{
	struct inode_map_key key, next;

	CHECK_SYS(bpf_map_get_next_key(map, NULL, &key));
	CHECK(bpf_map_get_next_key(map, &key, &next) && errno == ENOENT);
	return key;
}

bool map_has_path(int map, const char *path)
{
	int fd = file_open(path, O_RDONLY);
	bool found = map_has(map, fd);

	close(fd);
	return found;
}

bool map_is_empty(void *map)
{
	return !map_count(*(int *)map);
}
