// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tool's environment, in memory: pinned maps and their entries, files, mounts, the ring buffer,
 * paths and the log. The linker redirects calls of the tool to this file ("wrap", see the
 * Makefile); the functions at its end replace those of lookup.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "world.h"

/* Descriptors of maps are above any real one, so that closing one does nothing. */
#define FIRST_MAP	(1 << 28)

struct world world;

static struct world_map maps[WORLD_MAPS];
static char last_path[PATH_MAX];

/* Input */

size_t take(struct input *input, void *to, size_t size)
{
	size_t length = size < input->size ? size : input->size;

	memset(to, 0, size);
	if (length)
		memcpy(to, input->data, length);
	input->data += length;
	input->size -= length;
	return length;
}

unsigned int take_byte(struct input *input)
{
	unsigned char byte;

	take(input, &byte, 1);
	return byte;
}

char *take_text(struct input *input, size_t most)
{
	size_t length = take_byte(input) | take_byte(input) << 8;
	char *text;

	if (length > most)
		length = most;
	text = xcalloc(1, length + 1);
	take(input, text, length);
	return text;
}

/* Maps */

static const char *name_at(size_t i)
{
	static char name[32];

	if (i < GUARD_MAPS)
		return guard_maps[i].name;
	if (i == GUARD_MAPS)
		return "subjects";
	pin_map_name(name, sizeof(name), i - GUARD_MAPS - 1);
	return name;
}

struct world_map *world_map_at(size_t i)
{
	return &maps[i];
}

struct world_map *world_map(const char *name)
{
	size_t i;

	for (i = 0; i < WORLD_MAPS; i++)
		if (!strcmp(name_at(i), name))
			return &maps[i];
	return NULL;
}

void world_put(struct world_map *map, const void *key, const void *value)
{
	/* Double the arrays when the count is a power of two. */
	if (!(map->count & (map->count - 1))) {
		map->keys = xrealloc(map->keys, (2 * map->count + 1) * map->key_size);
		map->values = xrealloc(map->values, (2 * map->count + 1) * map->value_size);
	}
	memcpy(map->keys + map->count * map->key_size, key, map->key_size);
	memcpy(map->values + map->count * map->value_size, value, map->value_size);
	map->count++;
}

static void map_begin(struct world_map *map, size_t i)
{
	free(map->keys);
	free(map->values);
	memset(map, 0, sizeof(*map));
	if (i < GUARD_MAPS) {
		map->type = guard_maps[i].type;
		map->key_size = guard_maps[i].key_size;
		map->value_size = guard_maps[i].value_size;
		return;
	}
	map->type = BPF_MAP_TYPE_HASH;
	map->key_size = sizeof(struct inode_map_key);
	map->value_size = i == GUARD_MAPS ? sizeof(__u32) : sizeof(struct guard_entry);
}

static int state_file(void)
{
	static int fd = -1;
	void *memory;

	if (fd >= 0)
		return fd;
	fd = memfd_create("state", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sysconf(_SC_PAGESIZE)))
		broken("no memory for the state");
	memory = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		broken("no memory for the state");
	world.state = memory;
	return fd;
}

void world_end(void)
{
	strings_free(&world.matches);
	filesystems_forget();
	world.asked = false;
}

void world_begin(void)
{
	struct guard_state *state;
	size_t i;

	state_file();
	state = world.state;
	world_end();
	memset(&world, 0, sizeof(world));
	world.asked = true;
	world.state = state;
	memset(state, 0, sizeof(*state));
	state->version = GUARD_VERSION;
	state->ready = 1;
	state->generation = 1;
	for (i = 0; i < WORLD_MAPS; i++)
		map_begin(&maps[i], i);
}

static struct world_map *map_of(int fd)
{
	return fd >= FIRST_MAP && fd < FIRST_MAP + WORLD_MAPS ? &maps[fd - FIRST_MAP] : NULL;
}

static int fail(int err)
{
	errno = err;
	return -err;
}

int __wrap_bpf_obj_get(const char *path);
int __wrap_bpf_obj_get(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	if (!strcmp(name, "state"))
		return dup(state_file());
	return world_map(name) ? FIRST_MAP + (world_map(name) - maps) : fail(ENOENT);
}

int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size);
int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	struct bpf_map_info *is = info;
	const struct world_map *map = map_of(fd);

	if (!map)
		return fail(EBADF);
	memset(info, 0, *size);
	is->type = map->type;
	is->key_size = map->key_size;
	is->value_size = map->value_size;
	is->max_entries = 131072 * 3;
	return 0;
}

int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts);
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts)
{
	const struct world_map *map = map_of(fd);
	__u32 first = in ? *(__u32 *)in : 0, most = *count;

	(void)opts;
	*count = 0;
	if (!map || map->type != BPF_MAP_TYPE_HASH)
		return fail(EINVAL);
	if (first < map->count)
		*count = map->count - first < most ? map->count - first : most;
	if (*count) {
		memcpy(keys, map->keys + first * map->key_size, *count * map->key_size);
		memcpy(values, map->values + first * map->value_size, *count * map->value_size);
	}
	*(__u32 *)out = first + *count;
	return first + *count == map->count ? fail(ENOENT) : 0;
}

/* The others are inode maps. */
static bool is_hash(const struct world_map *map)
{
	return map && map < maps + GUARD_MAPS && map->type == BPF_MAP_TYPE_HASH;
}

/* Return the index of an element of a hash map, or the number of elements if there is none. */
static size_t find_key(const struct world_map *map, const void *key)
{
	size_t i;

	for (i = 0; i < map->count; i++)
		if (!memcmp(map->keys + i * map->key_size, key, map->key_size))
			break;
	return i;
}

/* As in the kernel, a key that is not there leads to the first. */
static int next_in_hash(const struct world_map *map, const void *key, void *next)
{
	size_t at = key ? find_key(map, key) : map->count;

	at = at < map->count ? at + 1 : 0;
	if (at >= map->count)
		return fail(ENOENT);
	memcpy(next, map->keys + at * map->key_size, map->key_size);
	return 0;
}

/* The handle of an entry of an inode map is its index plus 1. */
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next);
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next)
{
	const struct world_map *map = map_of(fd);
	struct inode_map_key full = {};
	size_t at;

	if (is_hash(map))
		return next_in_hash(map, key, next);
	at = key ? ((const struct inode_map_key *)key)->handle : 0;
	if (!map || at >= map->count)
		return fail(ENOENT);
	memcpy(&full, map->keys + at * map->key_size,
	       map->key_size < sizeof(full) ? map->key_size : sizeof(full));
	full.handle = at + 1;
	memcpy(next, &full, map->key_size < sizeof(full) ? map->key_size : sizeof(full));
	return 0;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	const struct world_map *map = map_of(fd);
	const struct inode_map_key *full = key;
	size_t at;
	int err;

	if (is_hash(map)) {
		at = find_key(map, key);
		if (at == map->count)
			return fail(ENOENT);
		memcpy(value, map->values + at * map->value_size, map->value_size);
		return 0;
	}
	if (!map || map->key_size != sizeof(*full))
		return fail(ENOENT);
	if (!full->handle && map->value_size == sizeof(struct guard_entry)) {
		err = world.entry ? world.entry(last_path, value) : -ENOENT;
		return err ? fail(-err) : 0;
	}
	if (!full->handle || full->handle > map->count)
		return fail(ENOENT);
	memcpy(value, map->values + (full->handle - 1) * map->value_size, map->value_size);
	return 0;
}

/* The guard: like pins.c, without a directory of pins */

int __wrap_guard_examine(struct guard *guard);
int __wrap_guard_examine(struct guard *guard)
{
	int err = guard_open_state(guard);

	return err ?: guard->state->ready ? GUARD_RUNNING : GUARD_DAMAGED;
}

int __wrap_guard_open(struct guard *guard, bool change);
int __wrap_guard_open(struct guard *guard, bool change)
{
	int err;

	(void)change;
	guard_init(guard);
	err = guard_open_state(guard) ?: guard_open_maps(guard);
	if (!err)
		return EXIT_SUCCESS;
	guard_close(guard);
	return guard_examine_failed(err);
}

/* The ring buffer */

struct ring_buffer {
	ring_buffer_sample_fn take;
	void *context;
};

struct ring_buffer *__wrap_ring_buffer__new(int map, ring_buffer_sample_fn callback, void *context,
					    const struct ring_buffer_opts *opts);
struct ring_buffer *__wrap_ring_buffer__new(int map, ring_buffer_sample_fn callback, void *context,
					    const struct ring_buffer_opts *opts)
{
	struct ring_buffer *ring = xcalloc(1, sizeof(*ring));

	(void)map;
	(void)opts;
	ring->take = callback;
	ring->context = context;
	return ring;
}

/* Deliver all events, then end the guard, so that commands that watch it end. */
int __wrap_ring_buffer__poll(struct ring_buffer *ring, int timeout);
int __wrap_ring_buffer__poll(struct ring_buffer *ring, int timeout)
{
	struct input events = world.events;
	size_t length;
	void *event;

	(void)timeout;
	while (events.size) {
		length = take_byte(&events) | take_byte(&events) << 8;
		if (length > events.size)
			length = events.size;
		/* In memory of its own, so that the sanitizer sees reads beyond its end. */
		event = xcalloc(1, length + !length);
		take(&events, event, length);
		ring->take(ring->context, event, length);
		free(event);
	}
	world.state->ready = 0;
	return 0;
}

int __wrap_ring_buffer__consume(struct ring_buffer *ring);
int __wrap_ring_buffer__consume(struct ring_buffer *ring)
{
	(void)ring;
	return 0;
}

void __wrap_ring_buffer__free(struct ring_buffer *ring);
void __wrap_ring_buffer__free(struct ring_buffer *ring)
{
	free(ring);
}

/* Files */

static FILE *open_input(const struct input *input)
{
	/* fmemopen(3) refuses empty files. */
	return input->size ? fmemopen((void *)input->data, input->size, "r") :
			     fmemopen("\n", 1, "r");
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	/* The tool writes to none of these files; libFuzzer writes to its own when it ends. */
	if (!world.asked || *mode != 'r')
		return __real_fopen(path, mode);
	if (!strcmp(path, MOUNTS))
		return open_input(&world.mounts);
	if (!strcmp(path, "conf"))
		return open_input(&world.conf);
	errno = ENOENT;
	return NULL;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	char watch[PATH_MAX];
	va_list args;
	int mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (!world.asked || flags & (O_WRONLY | O_RDWR))
		return __real_open(path, flags, mode);
	pin_path(watch, GUARD_WATCH);
	if (!strcmp(path, watch))
		return memfd_create("watch", MFD_CLOEXEC);
	errno = ENOENT;
	return -1;
}

/* Every path is a file with two names, on mount 1. */
int __wrap_statx(int dir, const char *path, int flags, unsigned int mask, struct statx *info);
int __wrap_statx(int dir, const char *path, int flags, unsigned int mask, struct statx *info)
{
	(void)dir;
	(void)path;
	(void)flags;
	memset(info, 0, sizeof(*info));
	info->stx_mask = mask;
	info->stx_mode = S_IFREG | 0600;
	info->stx_nlink = 2;
	info->stx_mnt_id = 1;
	return 0;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length)
{
	(void)fd;
	(void)flags;
	(void)length;
	if (world.sent)
		world.sent(((const struct sockaddr_un *)to)->sun_path, data, size);
	return size;
}

int __wrap_service_connect(void);
int __wrap_service_connect(void)
{
	return -ENOENT;
}

/* libFuzzer has its own handlers for signals that end it. */
int __real_sigaction(int signal, const struct sigaction *action, struct sigaction *before);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *before);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
	return world.asked ? 0 : __real_sigaction(signal, action, before);
}

/* Paths: in place of lookup.c */

int path_open(const char *path, int flags)
{
	int err = world.found ? world.found(path) : 0;

	(void)flags;
	snprintf(last_path, sizeof(last_path), "%s", path);
	return err ?: dup(state_file());
}

char *path_read_link(const char *path)
{
	(void)path;
	return NULL;
}

int path_wait(int dir, const char *path)
{
	(void)dir;
	(void)path;
	return 0;
}

void paths_look_up(const struct array *paths)
{
	(void)paths;
}

int paths_expand(const char *pattern, struct array *paths)
{
	char **matches = world.matches.items;
	size_t i;

	(void)pattern;
	for (i = 0; i < world.matches.count; i++)
		*(char **)array_add(paths, sizeof(char *)) = xstrdup(matches[i]);
	return world.matches.count ? 0 : -ENOENT;
}

void lookups_limit(void)
{
}

bool lookups_unlimit(void)
{
	return false;
}

char *path_of_fd(int fd)
{
	return fd < 0 ? NULL : xstrdup(last_path);
}
