// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls on maps, and checks of what must be true of them:
 *
 *   - After an update has returned 0, a BPF program in the same task sees it at once, unless
 *     another task or program may have removed something meanwhile.
 *   - Every value that is read says that it belongs to this map and this file, and is whole.
 *   - The key of a walk names a file that a task has put into the map; its handle leads to that
 *     file's value.
 *   - Calls fail only with errors that they may fail with.
 *   - A read(2) of /proc/inode_map does not take seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "fuzz.h"

#define VALUE_MAX	(3U << 20)

static const __u32 value_sizes[] = { sizeof(struct fuzz_value), 64, 4096, 1 << 20, VALUE_MAX };
static const __u32 map_sizes[] = { 1, 4, 64, 1000 };
static const __u32 map_flags[] = {
	0, 0, 0, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG,
	BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG, BPF_F_RDONLY, BPF_F_WRONLY, BPF_F_MMAPABLE
};

/* The task's own: tasks do not share memory. */
static char buffer[VALUE_MAX] __attribute__((aligned(8)));

/* Whether the errno is one of a list that ends with 0. */
static bool among(int error, const int *errors)
{
	for (; *errors; errors++)
		if (error == *errors)
			return true;
	return false;
}

/* Any call may fail with EBADF (closed meanwhile) and EPERM (the descriptor's mode forbids it). */
#define MAY_FAIL(what, ...)							\
	do {									\
		int error_ = errno;						\
										\
		if (!among(error_, (const int[]){ EBADF, EPERM, __VA_ARGS__, 0 }))	\
			violation("%s: %s (%d)", what, strerror(error_), error_);	\
	} while (0)

static union inode_map_any_key key_of_fd(const struct map_slot *map, int fd, __u32 flags)
{
	union inode_map_any_key key;

	memset(&key, 0, sizeof(key));
	key.fd = fd;
	if (map->key_size == sizeof(key.full))
		key.full.flags = flags;
	return key;
}

static union inode_map_any_key key_of_handle(const struct map_slot *map, __u32 handle)
{
	union inode_map_any_key key;

	memset(&key, 0, sizeof(key));
	/* 0 is not a handle; in a short key it would be a descriptor. */
	key.fd = handle ? -(int)handle : INT_MIN;
	if (map->key_size == sizeof(key.full)) {
		key.full.fd = -1;
		key.full.handle = handle;
	}
	return key;
}

/* Copy a slot. Returns false if it has no map. The copy's descriptor never names another map. */
static bool map_get(__u32 number, struct map_slot *map)
{
	const struct map_slot *slot = &shared->maps[number];
	__u32 turn = __atomic_load_n(&slot->turn, __ATOMIC_SEQ_CST);

	map->fd = slot->fd;
	map->id = slot->id;
	map->key_size = slot->key_size;
	map->value_size = slot->value_size;
	map->flags = slot->flags;
	map->turn = turn;
	/* Odd: a task is changing the slot. */
	return map->fd >= 0 && !(turn & 1) &&
	       turn == __atomic_load_n(&slot->turn, __ATOMIC_SEQ_CST);
}

/* Put a map into a slot, and close the map that was there. */
static void map_put(__u32 number, int fd, const struct map_slot *new)
{
	struct map_slot *slot = &shared->maps[number];
	__u32 turn = __atomic_load_n(&slot->turn, __ATOMIC_SEQ_CST);
	int old;

	/* Another task is changing it, or was killed while doing so: forget() makes it usable. */
	if (turn & 1 || !__atomic_compare_exchange_n(&slot->turn, &turn, turn + 1, false,
						     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	old = slot->fd;
	slot->fd = fd;
	if (new) {
		slot->id = new->id;
		slot->key_size = new->key_size;
		slot->value_size = new->value_size;
		slot->flags = new->flags;
		memset(slot->given, 0, sizeof(slot->given));
	}
	board->ids[number] = fd < 0 ? 0 : slot->id;
	__atomic_store_n(&slot->turn, turn + 2, __ATOMIC_SEQ_CST);
	if (old >= 0)
		close(old);
}

static int create(const char *name, __u32 key_size, __u32 value_size, __u32 entries, __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags,
		    .map_ifindex = shared->ifindex);

	return bpf_map_create(BPF_MAP_TYPE_HASH, name, key_size, value_size, entries, &opts);
}

static void call_map(const __u32 *args)
{
	struct map_slot new = { .key_size = args[1] & 1 ? 4 : 32, .flags = map_flags[args[3]],
				.value_size = value_sizes[args[2] % NR(value_sizes)] };
	char name[16];
	int id;

	snprintf(name, sizeof(name), "fuzz%u", args[0]);
	new.fd = fresh_fd(create(name, new.key_size, new.value_size,
				 map_sizes[args[1] / 2 % NR(map_sizes)], new.flags));
	if (new.fd < 0) {
		MAY_FAIL("map", EINVAL, ENOMEM, E2BIG, ENODEV, EMFILE, EINTR);
		return;
	}
	id = inode_map_id(new.fd);
	if (id < 0) {
		close(new.fd);
		return;
	}
	new.id = id;
	map_put(args[0], new.fd, &new);
}

static void call_unmap(const __u32 *args)
{
	map_put(args[0], -1, NULL);
}

/* How many maps a program may make: freeing them takes long. */
#define CROWD_MAX	6000

/* Make many maps, which stay until the program has ended. */
static void call_crowd(const __u32 *args)
{
	static const unsigned int sizes[] = { 10, 100, 500, 1500 };
	double begin;

	shared->many = true;
	for (unsigned int i = 0; i < sizes[args[0]] && !shared->stop; i++) {
		if (__atomic_add_fetch(&shared->crowd, 1, __ATOMIC_RELAXED) > CROWD_MAX)
			return;
		begin = now();
		if (distant_fd(create("crowd", 4, 4, 1, 0)) < 0) {
			MAY_FAIL("crowd", ENOMEM, ENODEV, EMFILE, EINTR);
			return;
		}
		__atomic_add_fetch(&shared->crowd_time, (__u64)((now() - begin) * 1e9),
				   __ATOMIC_RELAXED);
	}
}

static const struct {
	__u64 flags;
	__u32 key_flags;
} update_flags[] = {
	{ BPF_ANY, 0 }, { BPF_ANY, INODE_MAP_WEAK }, { BPF_NOEXIST, 0 },
	{ BPF_NOEXIST, INODE_MAP_WEAK }, { BPF_EXIST, 0 }, { BPF_EXIST, INODE_MAP_WEAK },
	{ 4, 0 }, { BPF_ANY, 1 }
};

static void call_update(const __u32 *args)
{
	int fd = shared->files[args[1]];
	struct quiet quiet = quiet_since();
	union inode_map_any_key key;
	struct fuzz_probe file;
	struct map_slot map;
	double begin;

	if (!map_get(args[0], &map) || fd < 0 || !probe(fd, map.id, &file))
		return;
	fill_value((void *)buffer, map.id, &file);
	note_given(&shared->maps[args[0]], &file);
	note_device(fd, &file);
	key = key_of_fd(&map, fd, update_flags[args[2]].key_flags);
	begin = now();
	if (bpf_map_update_elem(map.fd, &key, buffer, update_flags[args[2]].flags)) {
		MAY_FAIL("update", EINVAL, EEXIST, ENOENT, E2BIG, ENOMEM, ESTALE, ENODEV,
			 EOPNOTSUPP, EINTR);
		return;
	}
	if (!probe(fd, map.id, &file) || map.flags & BPF_F_WRONLY_PROG || !still_quiet(&quiet))
		return;
	__atomic_add_fetch(&shared->checked, 1, __ATOMIC_RELAXED);
	if (file.err)
		violation("update of inode %llu dev %#x in map %u returned 0 after %.3f s, and a program reads %d",
			  (unsigned long long)file.ino, file.dev, map.id, now() - begin, file.err);
	check_value(&file.value, map.id, "read by a program");
	check_file(&file.value, file.dev, file.ino, file.gen, "read by a program");
}

static void call_lookup(const __u32 *args)
{
	int fd = shared->files[args[1]];
	struct fuzz_probe file;
	union inode_map_any_key key;
	struct map_slot map;

	if (!map_get(args[0], &map) || fd < 0 || !probe(fd, map.id, &file))
		return;
	key = key_of_fd(&map, fd, 0);
	if (bpf_map_lookup_elem(map.fd, &key, buffer)) {
		MAY_FAIL("lookup", EINVAL, ENOENT, ENODEV, ENOMEM, EINTR);
		return;
	}
	check_value((void *)buffer, map.id, "lookup");
	check_file((void *)buffer, file.dev, file.ino, file.gen, "lookup");
}

static void call_delete(const __u32 *args)
{
	int fd = shared->files[args[1]];
	union inode_map_any_key key;
	struct map_slot map;

	if (!map_get(args[0], &map) || fd < 0)
		return;
	key = key_of_fd(&map, fd, 0);
	if (bpf_map_delete_elem(map.fd, &key))
		MAY_FAIL("delete", EINVAL, ENOENT, ENODEV, ENOMEM, EINTR);
}

static void call_update_handle(const __u32 *args)
{
	union inode_map_any_key key;
	struct map_slot map;

	if (!map_get(args[0], &map))
		return;
	/* It is unknown which file this is. */
	fill_value((void *)buffer, map.id, NULL);
	key = key_of_handle(&map, args[1]);
	if (bpf_map_update_elem(map.fd, &key, buffer, args[2]))
		MAY_FAIL("update by handle", EINVAL, ENOENT, EEXIST, ENODEV, ENOMEM, EINTR);
}

static void call_lookup_handle(const __u32 *args)
{
	union inode_map_any_key key;
	struct map_slot map;

	if (!map_get(args[0], &map))
		return;
	key = key_of_handle(&map, args[1]);
	if (bpf_map_lookup_elem(map.fd, &key, buffer)) {
		MAY_FAIL("lookup by handle", EINVAL, ENOENT, ENODEV, ENOMEM, EINTR);
		return;
	}
	check_value((void *)buffer, map.id, "lookup by handle");
}

static void call_delete_handle(const __u32 *args)
{
	union inode_map_any_key key;
	struct map_slot map;

	if (!map_get(args[0], &map))
		return;
	key = key_of_handle(&map, args[1]);
	if (bpf_map_delete_elem(map.fd, &key))
		MAY_FAIL("delete by handle", EINVAL, ENOENT, ENODEV, ENOMEM, EINTR);
}

/* Try keys that have a bad number in one field. */
static void call_bad_key(const __u32 *args)
{
	struct inode_map_key key = { .fd = shared->files[args[1]] };
	__u32 *words = (void *)&key;
	struct map_slot map;

	if (!map_get(args[0], &map))
		return;
	words[args[2] % (sizeof(key) / sizeof(*words))] = args[2] < 8 ? ~1U : 1U << 30;
	bpf_map_lookup_elem(map.fd, &key, buffer);
	bpf_map_update_elem(map.fd, &key, buffer, BPF_EXIST | BPF_NOEXIST);
	bpf_map_get_next_key(map.fd, &key, buffer);
}

/* Check the key of a walk, and the value that it leads to. */
static void check_key(const struct map_slot *map, const struct map_slot *slot,
		      const struct inode_map_key *key)
{
	__u32 dev = (key->dev & 0xfff00) << 12 | (key->dev & 0xff) | (key->dev >> 12 & 0xfff00);
	__u32 superblock = superblock_device(dev);
	struct fuzz_value *value = (void *)buffer;

	if (!slot->wild && !was_given(slot, dev, key->ino, key->gen) &&
	    !was_given(slot, superblock, key->ino, key->gen) &&
	    map->turn == __atomic_load_n(&slot->turn, __ATOMIC_SEQ_CST) && !slot->wild)
		violation("walk: handle %u of map %u names inode %llu dev %#x gen %u, which is not in it",
			  key->handle, map->id, (unsigned long long)key->ino, dev, key->gen);
	if (bpf_map_lookup_elem(map->fd, key, buffer))
		return;
	check_value(value, map->id, "value of a walk's key");
	if (value->dev == superblock)
		dev = superblock;
	check_file(value, dev, key->ino, key->gen, "value of a walk's key");
}

static void call_walk(const __u32 *args)
{
	union inode_map_any_key key, next;
	struct map_slot map;

	if (!map_get(args[0], &map))
		return;
	for (unsigned int i = 0; i < 300; i++) {
		if (bpf_map_get_next_key(map.fd, i ? &key : NULL, &next)) {
			MAY_FAIL("walk", ENOENT, EINVAL, ENODEV, ENOMEM, EINTR);
			return;
		}
		if (map.key_size == sizeof(next.full))
			check_key(&map, &shared->maps[args[0]], &next.full);
		key = next;
	}
}

/* The kernel has no batch operations for offloaded maps. */
static void call_batch(const __u32 *args)
{
	struct map_slot map;
	__u32 count = 4;
	__u64 keys[16];

	if (!map_get(args[0], &map))
		return;
	if (!bpf_map_lookup_batch(map.fd, NULL, keys, keys, buffer, &count, NULL))
		violation("a batch has been looked up");
	if (!bpf_map_delete_batch(map.fd, keys, &count, NULL))
		violation("a batch has been deleted");
}

static void call_pin(const __u32 *args)
{
	struct map_slot map, new;
	char path[64];

	snprintf(path, sizeof(path), PINS "/fuzz%u", args[1]);
	if (!args[2]) {
		if (map_get(args[0], &map))
			bpf_obj_pin(map.fd, path);
	} else if (args[2] == 1) {
		unlink(path);
	} else {
		struct bpf_map_info info = {};
		__u32 size = sizeof(info);
		int fd = fresh_fd(bpf_obj_get(path));

		if (fd < 0)
			return;
		if (bpf_obj_get_info_by_fd(fd, &info, &size)) {
			close(fd);
			return;
		}
		new.id = info.id;
		new.key_size = info.key_size;
		new.value_size = info.value_size;
		new.flags = info.map_flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG);
		/* It is unknown which files are in it. */
		shared->maps[args[0]].wild = true;
		map_put(args[0], fd, &new);
	}
}

static void call_bind(const __u32 *args)
{
	struct map_slot map;

	if (map_get(args[0], &map))
		bpf_prog_bind_map(syscall_prog, map.fd, NULL);
}

/* Tell the program at a hook what to do from now on. */
static void call_act(const __u32 *args)
{
	struct fuzz_act *act = &board->acts[args[0]];

	if (args[1] == DO_UPDATE || args[1] == DO_REPLACE || args[1] == DO_GET ||
	    args[1] == DO_REQUEST)
		shared->maps[args[2]].wild = true;
	act->map = args[2];
	act->argument = args[3];
	__atomic_store_n(&act->function, args[1], __ATOMIC_SEQ_CST);
}

static void call_syscall_prog(const __u32 *args)
{
	__u64 context[1] = { args[0] };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = sizeof(context));

	bpf_prog_test_run_opts(syscall_prog, &opts);
}

/* The device must refuse programs. */
static void call_offload(const __u32 *args)
{
	static const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_ifindex = shared->ifindex);

	(void)args;
	if (bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "offloaded", "GPL", instructions,
			  NR(instructions), &opts) >= 0)
		violation("a program has been offloaded");
}

/* This task's own time: a read waits for no other task, and the time others run does not count. */
static double processor_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void call_proc(const __u32 *args)
{
	static const unsigned int sizes[] = { 1, 64, 700, 4096 };
	char text[4096];
	int fd = open("/proc/inode_map", O_RDONLY | O_CLOEXEC);
	double begin, took;
	ssize_t got = 1;
	int slow = 0;

	if (fd < 0)
		violation("/proc/inode_map: %s", strerror(errno));
	board->quiet[2 + task_number] = getpid();
	for (unsigned int i = 0; i < 400 && got > 0 && !shared->stop; i++) {
		begin = processor_time();
		got = read(fd, text, sizes[args[0]]);
		took = processor_time() - begin;
		if (got < 0)
			violation("reading /proc/inode_map: %s", strerror(errno));
		if (took > shared->longest_read)
			shared->longest_read = took;
		/* A single slow read is the host's fault. */
		slow = took > watch_limit / 3 ? slow + 1 : 0;
		if (slow == 2)
			violation("two reads of /proc/inode_map after each other took long, the second %.2f s of processor time, with %u maps made before",
				  took, shared->crowd);
	}
	board->quiet[2 + task_number] = 0;
	close(fd);
}

const struct call_type map_calls[] = {
	{ "map", call_map, { MAP_SLOT, NUMBER, NUMBER, NUMBER }, { 0, 8, 5, NR(map_flags) }, 10,
	  REMOVES | ALLOCATES },
	{ "unmap", call_unmap, { MAP_SLOT }, { 0 }, 3, REMOVES },
	{ "crowd", call_crowd, { NUMBER }, { 4 }, 1, ALLOCATES },
	{ "update", call_update, { MAP_SLOT, FILE_SLOT, NUMBER }, { 0, 0, NR(update_flags) }, 20,
	  ALLOCATES },
	{ "lookup", call_lookup, { MAP_SLOT, FILE_SLOT }, { 0 }, 4, ALLOCATES },
	{ "delete", call_delete, { MAP_SLOT, FILE_SLOT }, { 0 }, 6, REMOVES | ALLOCATES },
	{ "update_handle", call_update_handle, { MAP_SLOT, NUMBER, NUMBER }, { 0, 8, 4 }, 4,
	  ALLOCATES },
	{ "lookup_handle", call_lookup_handle, { MAP_SLOT, NUMBER }, { 0, 8 }, 2, ALLOCATES },
	{ "delete_handle", call_delete_handle, { MAP_SLOT, NUMBER }, { 0, 8 }, 3,
	  REMOVES | ALLOCATES },
	{ "bad_key", call_bad_key, { MAP_SLOT, FILE_SLOT, NUMBER }, { 0, 0, 16 }, 1, ALLOCATES },
	{ "walk", call_walk, { MAP_SLOT }, { 0 }, 8, ALLOCATES },
	{ "batch", call_batch, { MAP_SLOT }, { 0 }, 1, 0 },
	{ "pin", call_pin, { MAP_SLOT, NUMBER, NUMBER }, { 0, 3, 3 }, 2, REMOVES },
	{ "bind", call_bind, { MAP_SLOT }, { 0 }, 1, 0 },
	{ "act", call_act, { NUMBER, NUMBER, MAP_SLOT, NUMBER },
	  { NR_HOOKS, DO_REQUEST + 1, 0, NR_POINTERS * 16 }, 16, 0 },
	{ "run", call_syscall_prog, { NUMBER }, { 4 }, 2, 0 },
	{ "offload", call_offload, { NO_ARG }, { 0 }, 1, 0 },
	{ "proc", call_proc, { NUMBER }, { 4 }, 4, 0 },
};

const unsigned int nr_map_calls = NR(map_calls);
