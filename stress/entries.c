// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks that use the supervisor's maps, and so live for one epoch: they update, walk, delete, run
 * out of memory and read trace events.
 */
#include "tasks.h"

#define CGROUP		"/sys/fs/cgroup/stress"

/* Look up by descriptor: this must find nothing, or a value of this very file. */
void look_up(const struct map *map, int fd, const struct identity *id)
{
	union inode_map_any_key key = key_of_fd(map, fd, 0);
	struct stress_value value;

	if (MAY(LOOKUP_FD, get(map, &key, &value), ENOENT))
		value_check(&value, map, id, "look up");
}

void update(const struct map *map, int fd, const struct identity *id, bool held)
{
	bool weak = one_in(2), full = map->key_size == sizeof(struct inode_map_key);
	union inode_map_any_key key = key_of_fd(map, fd, weak ? INODE_MAP_WEAK : 0);
	__u64 flags = below(4) % 3;
	struct stress_value value;
	enum op op;
	int err;

	value_fill(&value, id, map->id);
	err = set(map, &key, &value, flags);
	op = !full ? SET_FD4 : weak ? SET_WEAK : SET_PINNED;
	/* The map may be full, or the flags may not fit; but never ESTALE: the file is open. */
	MAY(held ? SET_OPEN : op, err, E2BIG, flags == BPF_NOEXIST ? EEXIST :
	    flags == BPF_EXIST ? ENOENT : E2BIG);
	if (held)
		err ? was_refused(op) : did(op);
	if (flags)
		err ? was_refused(flags == BPF_EXIST ? SET_EXIST : SET_NOEXIST) :
		      did(flags == BPF_EXIST ? SET_EXIST : SET_NOEXIST);
}

#define HELD	4

void updater(void)
{
	int fds[HELD] = { -1, -1, -1, -1 };
	struct identity ids[HELD], id;
	char path[PATH_SIZE];

	while (goes_on()) {
		const struct map *map = &maps[one_in(2) ? FREE4 : FREE32];
		unsigned int i = below(HELD);
		int fd;

		if (fds[i] >= 0 && !one_in(4)) {
			update(map, fds[i], &ids[i], true);
			look_up(map, fds[i], &ids[i]);
			continue;
		}
		fd = open_some(path);
		if (fd < 0)
			continue;
		id = identify(fd);
		update(map, fd, &id, false);
		look_up(map, fd, &id);
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
		if (one_in(2)) {
			fds[i] = fd;
			ids[i] = id;
		} else {
			close(fd);
		}
	}
}

/* By handle: look up, update, delete. */
bool visit_some(const struct map *map, const union inode_map_any_key *key, void *arg)
{
	unsigned int what = *(unsigned int *)arg;
	struct stress_value value;
	struct identity id;
	bool known = identity_of(map, key, &id);

	if (!goes_on())
		return true;
	if (!MAY(LOOKUP_HANDLE, get(map, key, &value), ENOENT))
		return false;
	value_check(&value, map, known ? &id : NULL, "look up by handle");
	if (what == 1 && one_in(8)) {
		MAY(DELETE_HANDLE, drop(map, key), ENOENT);
	} else if (what == 2 && one_in(4)) {
		id = (struct identity) { value.ino, value.dev, value.gen };
		value_fill(&value, &id, map->id);
		MAY(SET_HANDLE, set(map, key, &value, one_in(2) ? BPF_EXIST : BPF_ANY), ENOENT);
	}
	return one_in(200);
}

void walker(void)
{
	while (goes_on()) {
		unsigned int map = below(NR_MAPS);
		unsigned int what = map == FREE4 || map == FREE32 ? below(3) : 0;

		walk(&maps[map], visit_some, &what);
	}
}

void deleter(void)
{
	char path[PATH_SIZE];

	while (goes_on()) {
		const struct map *map = &maps[one_in(2) ? FREE4 : FREE32];
		union inode_map_any_key key;
		int fd = open_some(path);

		if (fd < 0)
			continue;
		key = key_of_fd(map, fd, 0);
		MAY(DELETE_FD, drop(map, &key), ENOENT);
		close(fd);
		if (one_in(4))
			msleep(below(5));
	}
}

/* Little memory: weak entries go, and updates may fail for lack of memory. */
void memcg(void)
{
	const struct map *map = &maps[FREE32];
	char path[PATH_SIZE];

	if (write_to(CGROUP "/cgroup.procs", "0"))
		return;
	while (goes_on()) {
		for (unsigned int i = 0; i < 64 && goes_on(); i++) {
			union inode_map_any_key key;
			struct stress_value value;
			struct identity id;
			int fd;

			snprintf(path, sizeof(path), "%s/memcg-%u", places[EXT4], i);
			file_fill(path, 16384);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			MUST(fd >= 0);
			id = identify(fd);
			key = key_of_fd(map, fd, one_in(4) ? 0 : INODE_MAP_WEAK);
			value_fill(&value, &id, map->id);
			MAY(MEMCG, set(map, &key, &value, BPF_ANY), E2BIG, ENOMEM);
			close(fd);
			if (one_in(8))
				unlink(path);
		}
	}
}

/* The module's trace events, as text. */

static bool is_trace_line(const char *line)
{
	unsigned int map, major, minor, handle;
	unsigned long long ino;
	char rest[32];
	const char *at;

	at = strstr(line, "inode_map_insert: ");
	if (at)
		return sscanf(at, "inode_map_insert: map_id=%u dev=%u:%u ino=%llu handle=%u %31s",
			      &map, &major, &minor, &ino, &handle, rest) == 6 &&
		       (!strcmp(rest, "pinned") || !strcmp(rest, "weak"));
	at = strstr(line, "inode_map_remove: ");
	if (!at)
		return strstr(line, "LOST");
	if (sscanf(at, "inode_map_remove: map_id=%u dev=%u:%u ino=%llu handle=%u reason=%31[a-z ]",
		   &map, &major, &minor, &ino, &handle, rest) != 6)
		return false;
	for (unsigned int i = 0; i < STRESS_REASONS; i++)
		if (!strcmp(rest, reasons[i]))
			return true;
	return false;
}

void tracer(void)
{
	static char buffer[65536];
	size_t have = 0;
	int fd;

	MUST(!write_to(INSTANCE "/events/inode_map/enable", "1"));
	fd = open(INSTANCE "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	MUST(fd >= 0);
	while (goes_on()) {
		ssize_t got = read(fd, buffer + have, sizeof(buffer) - have - 1);
		char *line = buffer, *end;

		if (got <= 0) {
			MUST(!got || errno == EAGAIN || errno == EINTR);
			msleep(20);
			continue;
		}
		have += got;
		buffer[have] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			if (!is_trace_line(line))
				violation("a trace line: %s", line);
			did(TRACE);
			line = end + 1;
		}
		have = buffer + have - line;
		memmove(buffer, line, have);
		MUST(have < sizeof(buffer) / 2);
		/* Let other tasks cause the next events. */
		msleep(below(50));
	}
	close(fd);
	MUST(!write_to(INSTANCE "/events/inode_map/enable", "0"));
}

void groups_make(void)
{
	MUST(!mkdir(INSTANCE, 0755));
	if (!write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory") && !mkdir(CGROUP, 0755))
		MUST(!write_to(CGROUP "/memory.max", "24M"));
	else
		printf("stress: there are no memory cgroups here\n");
}

void groups_remove(void)
{
	rmdir(CGROUP);
	rmdir(INSTANCE);
}
