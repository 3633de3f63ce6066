// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks that have files, entries or a filesystem that no other task touches, so that they know all
 * about these. They live for one epoch.
 */
#include <sys/mount.h>

#include "tasks.h"

#define OWN_FILES	6

struct own {
	char path[PATH_SIZE];
	struct identity id;
	int fd;			/* or -1 */
	const struct map *map;
	bool exists, weak;
	__u64 seq;
	__u32 handle;		/* or 0, when it is not known */
};

static void own_open(struct own *own)
{
	if (own->fd < 0) {
		struct identity id;

		own->fd = open(own->path, (one_in(2) ? O_PATH : O_RDONLY) | O_CLOEXEC);
		MUST(own->fd >= 0);
		id = identify(own->fd);
		MUST(same(&id, &own->id));
	}
}

static void own_close(struct own *own)
{
	if (own->fd >= 0)
		close(own->fd);
	own->fd = -1;
}

static void own_create(struct own *own)
{
	own->fd = open(own->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(own->fd >= 0);
	own->id = identify(own->fd);
	own->exists = false;
	own->handle = 0;
	own->map = &maps[one_in(2) ? OWN4 : OWN32];
}

static void own_value(struct own *own, int err, const struct stress_value *value, const char *how)
{
	if (!err != own->exists || (err && err != -ENOENT))
		violation("%s: %s, but the entry of %s (%s) is %sthere", how, strerror(-err),
			  own->path, own->weak ? "weak" : "pinned", own->exists ? "" : "not ");
	if (err)
		return;
	value_check(value, own->map, &own->id, how);
	if (value->seq != own->seq)
		violation("%s: value %llu instead of %llu, the last that %s got", how, value->seq,
			  (unsigned long long)own->seq, own->path);
}

static void own_look(struct own *own)
{
	union inode_map_any_key key;
	struct stress_value value;
	int err;

	own_open(own);
	key = key_of_fd(own->map, own->fd, 0);
	err = get(own->map, &key, &value);
	own_value(own, err, &value, "look up of an own entry");
	if (own->handle) {
		key = key_of_handle(own->map, own->handle);
		err = get(own->map, &key, &value);
		own_value(own, err, &value, "look up of an own entry by handle");
	}
	did(LOOKUP_OWN);
}

static void own_set(struct own *own)
{
	bool weak = own->map->key_size != 4 && one_in(2);
	__u64 flags = below(3);
	int want = own->exists && flags == BPF_NOEXIST ? -EEXIST :
		   !own->exists && flags == BPF_EXIST ? -ENOENT : 0;
	union inode_map_any_key key;
	struct stress_value value;
	bool by_handle;
	int err;

	value_fill(&value, &own->id, own->map->id);
	by_handle = own->handle && own->exists && one_in(3);
	if (by_handle) {
		key = key_of_handle(own->map, own->handle);
	} else {
		own_open(own);
		key = key_of_fd(own->map, own->fd, weak ? INODE_MAP_WEAK : 0);
	}
	err = set(own->map, &key, &value, flags);
	if (err != want)
		violation("update of own %s%s, flags %llu: %s instead of %s", own->path,
			  by_handle ? " by handle" : "", flags, strerror(-err), strerror(-want));
	if (err)
		return;
	own->exists = true;
	own->seq = value.seq;
	if (!by_handle)
		own->weak = weak;
}

static bool own_find(const struct map *map, const union inode_map_any_key *key, void *arg)
{
	struct own *own = arg;
	struct stress_value value;
	struct identity id;

	if (!identity_of(map, key, &id) || !same(&id, &own->id))
		return false;
	if (own->handle && own->handle != key->full.handle)
		violation("walk: the handle of %s was %u and is %u", own->path, own->handle,
			  key->full.handle);
	if (own->weak != !!(key->full.flags & INODE_MAP_WEAK))
		violation("walk: flags %#x of %s", key->full.flags, own->path);
	own->handle = key->full.handle;
	MUST(!get(map, key, &value));
	own_value(own, 0, &value, "walk");
	return true;
}

static void own_walk(struct own *own)
{
	__u32 handle = own->handle;

	if (own->map->key_size == 4)
		return;
	own->handle = own->exists ? own->handle : 0;
	walk(own->map, own_find, own);
	if (own->exists && !own->handle)
		violation("walk: the entry of %s was not met", own->path);
	if (!own->exists && own->handle)
		violation("walk: an entry of %s, which has none", own->path);
	if (!own->exists)
		own->handle = handle;
}

static void own_delete(struct own *own)
{
	union inode_map_any_key key;
	int err, want = own->exists ? 0 : -ENOENT;

	if (own->handle && one_in(2)) {
		key = key_of_handle(own->map, own->handle);
	} else {
		own_open(own);
		key = key_of_fd(own->map, own->fd, 0);
	}
	err = drop(own->map, &key);
	if (err != want)
		violation("delete of own %s: %s instead of %s", own->path, strerror(-err),
			  strerror(-want));
	own->exists = false;
	own->handle = 0;
}

/* Unlink the file: the entry ends with it, and not before. */
static void own_unlink(struct own *own)
{
	union inode_map_any_key key;
	struct stress_value value;
	double end = now() + 10;
	int err;

	MUST(!unlink(own->path));
	if (own->fd >= 0) {
		own_look(own);
		own_set(own);
		own_look(own);
	}
	own_close(own);
	if (own->handle) {
		key = key_of_handle(own->map, own->handle);
		while (!(err = get(own->map, &key, &value))) {
			value_check(&value, own->map, &own->id, "look up after unlink");
			if (now() > end)
				violation("the entry of %s is still there after unlink", own->path);
			msleep(5);
		}
		MUST(err == -ENOENT);
	}
	did(OWN_UNLINK);
	own_create(own);
}

/* Give the file another name: the entry stays. */
static void own_relink(struct own *own)
{
	char path[PATH_SIZE + 8];

	snprintf(path, sizeof(path), "%s.new", own->path);
	MUST(!link(own->path, path));
	MUST(!unlink(own->path));
	MUST(!rename(path, own->path));
	own_look(own);
	did(OWN_RELINK);
}

void owner(void)
{
	struct own files[OWN_FILES] = {};

	for (unsigned int i = 0; i < OWN_FILES; i++) {
		snprintf(files[i].path, PATH_SIZE, "%s/own-%u-%u", places[i % 2], task_number, i);
		own_create(&files[i]);
	}
	while (goes_on()) {
		struct own *own = &files[below(OWN_FILES)];

		switch (below(16)) {
		case 0:
			own_unlink(own);
			break;
		case 1:
			own_relink(own);
			break;
		case 2:
			/* A weak entry may go from now on. */
			if (own->fd >= 0 && !(own->exists && own->weak))
				own_close(own);
			break;
		case 3:
		case 4:
			own_delete(own);
			break;
		case 5:
		case 6:
			own_walk(own);
			break;
		case 7 ... 10:
			own_set(own);
			break;
		default:
			own_look(own);
		}
	}
	for (unsigned int i = 0; i < OWN_FILES; i++)
		MUST(!unlink(files[i].path));
}

static bool find_dev(const struct map *map, const union inode_map_any_key *key, void *arg)
{
	__u32 *dev = arg;
	struct identity id;

	if (!identity_of(map, key, &id) || id.dev != *dev)
		return false;
	*dev = 0;
	return true;
}

static void own_mount(unsigned int place)
{
	const char *path = places[place];
	char name[PATH_SIZE];
	__u32 dev = 0, gone;

	while (goes_on()) {
		mount_place(place);
		for (unsigned int i = below(12); i; i--) {
			const struct map *map = &maps[one_in(2) ? OWN32 : FREE32];
			union inode_map_any_key key;
			struct stress_value value;
			struct identity id;
			int fd;

			/* ext4 still has the last files, and reuses the numbers of removed ones. */
			snprintf(name, sizeof(name), "%s/f%u", path, i);
			if (one_in(2))
				unlink(name);
			fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
			MUST(fd >= 0);
			id = identify(fd);
			dev = id.dev;
			key = key_of_fd(map, fd, one_in(2) ? INODE_MAP_WEAK : 0);
			value_fill(&value, &id, map->id);
			if (map == &maps[OWN32]) {
				struct stress_value got;

				/* The last mount may have had this file, but left no entry. */
				MUST(get(map, &key, &got) == -ENOENT);
				MUST(!set(map, &key, &value, BPF_NOEXIST));
				MUST(!get(map, &key, &got) && got.seq == value.seq);
			} else {
				MAY(SET_OPEN, set(map, &key, &value, BPF_ANY), E2BIG);
			}
			if (one_in(2))
				MUST(!unlink(name));
			if (one_in(8))
				MUST(!mkdir(strcat(name, ".d"), 0755) && !rmdir(name));
			close(fd);
		}
		if (one_in(2))
			msleep(below(20));
		MUST(!umount2(path, 0));
		did(UMOUNT_OWN);
		gone = dev;
		walk(&maps[OWN32], find_dev, &gone);
		if (dev && !gone)
			violation("an entry of a filesystem that is unmounted: dev %#x", dev);
		dev = 0;
	}
}

void own_mount_tmpfs(void)
{
	own_mount(OWN_TMPFS);
}

void own_mount_ext4(void)
{
	own_mount(OWN_EXT4);
}
