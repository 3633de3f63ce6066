// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values, which say to which file and map they belong; keys; and walks over a map.
 */
#include "order.h"

#include <sys/sysmacros.h>

#include "tasks.h"

bool same(const struct identity *a, const struct identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->gen == b->gen;
}

struct identity identify(int fd)
{
	struct {
		struct file_handle head;
		unsigned char room[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	struct identity id;
	struct stat stat;
	__u32 words[3];
	int mount;

	MUST(!fstat(fd, &stat));
	MUST(!name_to_handle_at(fd, "", &handle.head, &mount, AT_EMPTY_PATH));
	memcpy(words, handle.head.f_handle, sizeof(words));
	id.ino = stat.st_ino;
	id.dev = major(stat.st_dev) << 20 | minor(stat.st_dev);
	/* tmpfs: generation, number in two words. ext4: number, generation. */
	MUST(handle.head.handle_bytes == 12 || handle.head.handle_bytes == 8);
	id.gen = words[handle.head.handle_bytes == 12 ? 0 : 1];
	return id;
}

/* In the free maps any task changes any entry. In the others, only the task that made it does. */
struct map maps[NR_MAPS];

void value_fill(struct stress_value *value, const struct identity *id, __u32 map)
{
	unsigned long long state;

	*value = (struct stress_value) {
		.ino = id->ino,
		.dev = id->dev,
		.gen = id->gen,
		.map = map,
		.writer = task_number,
		.seq = __atomic_add_fetch(&shared->seq, 1, __ATOMIC_RELAXED),
	};
	state = value->seq;
	for (unsigned int i = 0; i < STRESS_WORDS; i++)
		value->words[i] = mix(state += 0x9e3779b97f4a7c15ULL);
	value->sum = stress_sum(value);
}

const char *describe(const struct stress_value *value, const struct map *map,
		     const struct identity *id)
{
	static const struct identity none;
	static char text[256];

	if (!id)
		id = &none;
	snprintf(text, sizeof(text),
		 "in map %u, for inode %llu dev %#x gen %u: of map %u, inode %llu dev %#x gen %u, "
		 "writer %u, seq %llu",
		 map->id, (unsigned long long)id->ino, id->dev, id->gen, value->map,
		 (unsigned long long)value->ino, value->dev, value->gen, value->writer,
		 (unsigned long long)value->seq);
	return text;
}

/* @id may be NULL, for a caller that does not know which file it should be. */
void value_check(const struct stress_value *value, const struct map *map,
		 const struct identity *id, const char *how)
{
	if (value->sum != stress_sum(value))
		violation("%s: the value is not whole: %s", how, describe(value, map, id));
	if (id && (value->ino != id->ino || value->dev != id->dev || value->gen != id->gen))
		violation("%s: another file's value: %s", how, describe(value, map, id));
	if (value->map != map->id)
		violation("%s: another map's value: %s", how, describe(value, map, id));
}

union inode_map_any_key key_of_fd(const struct map *map, int fd, __u32 key_flags)
{
	union inode_map_any_key key;

	memset(&key, 0, sizeof(key));
	key.full.fd = fd;
	if (map->key_size == sizeof(key.full))
		key.full.flags = key_flags;
	return key;
}

union inode_map_any_key key_of_handle(const struct map *map, __u32 handle)
{
	union inode_map_any_key key;

	memset(&key, 0, sizeof(key));
	if (map->key_size == sizeof(key.full)) {
		key.full.fd = -1;
		key.full.handle = handle;
	} else {
		key.fd = -(int)handle;
	}
	return key;
}

static __u32 handle_of(const struct map *map, const union inode_map_any_key *key)
{
	return map->key_size == sizeof(key->full) ? key->full.handle : (__u32)-key->fd;
}

/* The file that a key of a walk identifies; false when the key is too short for that. */
bool identity_of(const struct map *map, const union inode_map_any_key *key,
		 struct identity *id)
{
	if (map->key_size != sizeof(key->full))
		return false;
	id->ino = key->full.ino;
	id->gen = key->full.gen;
	id->dev = (key->full.dev & 0xfff00) << 12 |
		  (key->full.dev & 0xff) | (key->full.dev >> 12 & 0xfff00);
	return true;
}

/* 0 or a negative errno */

int set(const struct map *map, const union inode_map_any_key *key,
	const struct stress_value *value, __u64 flags)
{
	return bpf_map_update_elem(map->fd, key, value, flags) ? -errno : 0;
}

int get(const struct map *map, const union inode_map_any_key *key,
	struct stress_value *value)
{
	return bpf_map_lookup_elem(map->fd, key, value) ? -errno : 0;
}

int drop(const struct map *map, const union inode_map_any_key *key)
{
	return bpf_map_delete_elem(map->fd, key) ? -errno : 0;
}

/*
 * Walk over a map until @visit returns true. Walks go from large handles to small ones. An entry
 * whose handle was reserved before the walk began may come into it later: one for each task.
 */
void walk(const struct map *map, visit_fn *visit, void *arg)
{
	union inode_map_any_key key, next;
	unsigned int steps = 0;
	__u32 last = 0;

	while (!bpf_map_get_next_key(map->fd, steps ? &key : NULL, &next)) {
		__u32 handle = handle_of(map, &next);

		if (!handle || handle > 0x7fffffff ||
		    (steps && !handle_is_met_before(last, handle)))
			violation("walk: handle %u after %u in map %u", handle, last, map->id);
		/* Twice: a walk may meet new entries when handles reach another block. */
		if (++steps > 2 * map->max_entries + TASKS_MAX)
			violation("walk: %u steps in a map of %u entries", steps, map->max_entries);
		last = handle;
		key = next;
		if (visit(map, &key, arg))
			return;
	}
	MUST(errno == ENOENT);
	did(WALK);
}

/* Make a map, or return why not: there is no module, or it is being removed. */
int try_map(struct map *map, __u32 key_size, __u32 max_entries)
{
	bool there = phase() == RUNNING;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));
	int err;

	*map = (struct map) { -1, 0, key_size, max_entries };
	if (opts.map_ifindex) {
		map->fd = bpf_map_create(BPF_MAP_TYPE_HASH, "stress", key_size,
					 sizeof(struct stress_value), max_entries, &opts);
		err = map->fd < 0 ? -errno : 0;
	} else {
		err = -ENODEV;
	}
	if (err) {
		if ((err != -ENODEV && err != -EINVAL) || (there && phase() == RUNNING))
			violation("create a map: %s", strerror(-err));
		return err;
	}
	err = inode_map_id(map->fd);
	if (err < 0)
		violation("the id of a map: %s", strerror(-err));
	map->id = err;
	return 0;
}
