// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The pins, which keep programs and maps when no process has them open: finding and opening them,
 * and the lock.
 *
 * All pins are in one directory. A start writes the word "ready" in the state last, and a stop
 * clears it first, so that neither leaves what looks like a running guard if it is interrupted. A
 * process that changes anything holds a lock on that directory, which only root can open. A process
 * that watches holds a lock on a directory in it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "pins.h"

const char *pins_dir = GUARD_DIR;

void pin_path(char *path, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", pins_dir, name);
}

void pin_map_name(char *name, size_t size, int index)
{
	if (index == FILES_MAP)
		snprintf(name, size, "files");
	else
		snprintf(name, size, "tree_%s", op_names[index]);
}

static int open_pin(const char *name)
{
	char path[PATH_MAX];
	int fd;

	pin_path(path, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int pin_make(int fd, const char *name)
{
	char path[PATH_MAX];

	pin_path(path, name);
	return bpf_obj_pin(fd, path) && errno != EEXIST ? -errno : 0;
}

/*
 * In a BPF filesystem that is writable for everybody, any user may have made what is at the path: a
 * directory of their own, or a link to another. So check that root owns it, and that others can't
 * enter it.
 */
static bool is_roots(int fd)
{
	struct statfs fs;
	struct stat stat;

	return !fstatfs(fd, &fs) && (unsigned int)fs.f_type == BPF_FS_MAGIC &&
	       !fstat(fd, &stat) && !stat.st_uid && !(stat.st_mode & 0077);
}

int pins_open(void)
{
	int fd = open(pins_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? -EUCLEAN : -errno;
	if (is_roots(fd))
		return fd;
	close(fd);
	return -EUCLEAN;
}

int pins_open_dir(DIR **dir)
{
	int fd = pins_open(), err;

	if (fd < 0)
		return fd;
	*dir = fdopendir(fd);
	if (*dir)
		return 0;
	err = -errno;
	close(fd);
	return err;
}

int pin_count(void)
{
	struct dirent *entry;
	int count = 0, err;
	DIR *dir;

	err = pins_open_dir(&dir);
	if (err)
		return err;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.' && strcmp(entry->d_name, READING_PIN);
	closedir(dir);
	return count;
}

/* The lock */

/* Whether the path still leads to this directory. */
static bool is_guard_dir(int fd)
{
	struct stat own, there;

	return !fstat(fd, &own) && !lstat(pins_dir, &there) && own.st_dev == there.st_dev &&
	       own.st_ino == there.st_ino;
}

int guard_lock(bool exclusive)
{
	int fd, err;

	for (;;) {
		fd = pins_open();
		if (fd < 0)
			return fd;
		if (flock(fd, exclusive ? LOCK_EX : LOCK_SH)) {
			err = -errno;
			close(fd);
			return err;
		}
		if (is_guard_dir(fd))
			return fd;
		close(fd);
	}
}

int guard_make_and_lock(void)
{
	int fd;

	for (;;) {
		if (mkdir(pins_dir, 0700) && errno != EEXIST)
			return -errno;
		fd = guard_lock(true);
		if (fd != -ENOENT)
			return fd;
	}
}

int guard_watch_open(void)
{
	char path[PATH_MAX];

	pin_path(path, GUARD_WATCH);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void guard_wait_programs(void)
{
	/* membarrier(2) waits for RCU if there are several processors and none is nohz_full. */
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

/* What is there */

void guard_init(struct guard *guard)
{
	memset(guard, 0xff, sizeof(*guard));
	guard->state = NULL;
}

int guard_open_state(struct guard *guard)
{
	long page = sysconf(_SC_PAGESIZE);

	guard->state_map = open_pin("state");
	if (guard->state_map < 0)
		return guard->state_map;
	guard->state = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, guard->state_map, 0);
	if (guard->state != MAP_FAILED)
		return 0;
	guard->state = NULL;
	return -errno;
}

/* A map with keys and values of these types. */
#define MAP(type, name, key, value) \
	{ #name, offsetof(struct guard, name), BPF_MAP_TYPE_##type, sizeof(key), sizeof(value) }
#define RING(name) \
	{ #name, offsetof(struct guard, name), BPF_MAP_TYPE_RINGBUF, 0, 0 }

/* The same as in maps.bpf.h. */
const struct guard_map guard_maps[GUARD_MAPS] = {
	MAP(HASH, rules, __u32, struct guard_rule),
	MAP(HASH, hits, __u32, struct guard_hits),
	MAP(HASH, members, struct guard_member, __u32),
	MAP(HASH, cgroup_paths, __u64, __u32),
	MAP(HASH, cgroups, __u64, __u32),
	MAP(HASH, texts, struct guard_text_key, struct guard_text),
	MAP(HASH, leaves, struct guard_leaf_key, struct guard_leaf),
	MAP(HASH, fresh, struct guard_leaf_key, __u32),
	MAP(HASH, held, struct guard_leaf_key, struct guard_held),
	MAP(LRU_HASH, targets, struct guard_leaf_key, struct guard_leaf_key),
	RING(changes),
	MAP(LRU_HASH, moves, struct guard_move_key, struct guard_move),
	MAP(TASK_STORAGE, processes, int, struct guard_process),
	RING(events),
};

int *guard_map_fd(struct guard *guard, size_t i)
{
	return (int *)((char *)guard + guard_maps[i].fd);
}

static bool has_shape(int map, __u32 type, __u32 key_size, __u32 value_size)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(map, &info, &size) && info.type == type &&
	       info.key_size == key_size && info.value_size == value_size;
}

/*
 * Whether the maps have the shape of this version's: the kernel copies keys and values of a map's
 * own size, whatever room we have for them.
 */
static bool maps_have_shape(struct guard *guard)
{
	const struct guard_map *map;
	int index;

	for (map = guard_maps; map < guard_maps + GUARD_MAPS; map++)
		if (!has_shape(*guard_map_fd(guard, map - guard_maps), map->type, map->key_size,
			       map->value_size))
			return false;
	for (index = 0; index < RULE_MAPS; index++)
		if (!has_shape(guard->maps[index], BPF_MAP_TYPE_HASH, sizeof(struct inode_map_key),
			       sizeof(struct guard_entry)))
			return false;
	return has_shape(guard->subjects, BPF_MAP_TYPE_HASH, sizeof(struct inode_map_key),
			 sizeof(__u32));
}

int guard_open_processes(struct guard *guard)
{
	guard->processes = open_pin("processes");
	if (guard->processes < 0)
		return guard->processes;
	return has_shape(guard->processes, BPF_MAP_TYPE_TASK_STORAGE, sizeof(int),
			 sizeof(struct guard_process)) ? 0 : -EPROTO;
}

int guard_open_maps(struct guard *guard)
{
	char name[32];
	size_t i;
	int index;

	guard->subjects = open_pin("subjects");
	if (guard->subjects < 0)
		return guard->subjects;
	for (i = 0; i < GUARD_MAPS; i++) {
		*guard_map_fd(guard, i) = open_pin(guard_maps[i].name);
		if (*guard_map_fd(guard, i) < 0)
			return *guard_map_fd(guard, i);
	}
	for (index = 0; index < RULE_MAPS; index++) {
		pin_map_name(name, sizeof(name), index);
		guard->maps[index] = open_pin(name);
		if (guard->maps[index] < 0)
			return guard->maps[index];
	}
	return maps_have_shape(guard) ? 0 : -EPROTO;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void guard_close(struct guard *guard)
{
	size_t i;
	int index;

	for (index = 0; index < RULE_MAPS; index++)
		close_fd(guard->maps[index]);
	close_fd(guard->subjects);
	for (i = 0; i < GUARD_MAPS; i++)
		close_fd(*guard_map_fd(guard, i));
	close_fd(guard->state_map);
	if (guard->state)
		munmap(guard->state, sysconf(_SC_PAGESIZE));
	/* Last: this drops the lock. */
	close_fd(guard->lock);
	guard_init(guard);
}

void guard_unlock(struct guard *guard)
{
	close_fd(guard->lock);
	guard->lock = -1;
}

int guard_examine(struct guard *guard)
{
	int pins = pin_count(), err;

	if (pins == -ENOENT)
		return GUARD_STOPPED;
	if (pins < 0)
		return pins;
	err = guard_open_state(guard);
	if (err == -ENOENT)
		return GUARD_DAMAGED;
	if (err)
		return err;
	if (guard->state->version != GUARD_VERSION)
		return -EPROTO;
	if (!guard->state->ready || guard->state->pins != (__u32)pins || !reading_is_whole(guard))
		return GUARD_DAMAGED;
	return GUARD_RUNNING;
}

bool kernel_has(int (*next)(__u32 from, __u32 *id), int (*get)(__u32 id), bool (*is_it)(int fd))
{
	bool found = false;
	__u32 id = 0;
	int fd;

	while (!found && !next(id, &id)) {
		fd = get(id);
		if (fd < 0)
			continue;
		found = is_it(fd);
		close(fd);
	}
	return found;
}

bool program_name(int program, char *name)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return false;
	memcpy(name, info.name, sizeof(info.name));
	return true;
}

/* Whether a link is one of the guard's. */
static bool is_own_link(int fd)
{
	struct bpf_link_info link = {};
	char name[BPF_OBJ_NAME_LEN];
	__u32 size = sizeof(link);
	int program;
	bool is;

	if (bpf_obj_get_info_by_fd(fd, &link, &size) || link.type != BPF_LINK_TYPE_TRACING)
		return false;
	program = bpf_prog_get_fd_by_id(link.prog_id);
	if (program < 0)
		return false;
	is = program_name(program, name) && !strcmp(name, "guard_open");
	close(program);
	return is;
}

static bool is_attached(void)
{
	return kernel_has(bpf_link_get_next_id, bpf_link_get_fd_by_id, is_own_link);
}

bool guard_is_elsewhere(void)
{
	unsigned int tries;

	/* After a stop the kernel takes a moment to detach the programs. */
	for (tries = 0; is_attached(); tries++) {
		if (tries == 30)
			return true;
		usleep(100000);
	}
	return false;
}

void guard_tell_elsewhere(void)
{
	error("the guard runs, but its pins are not in " GUARD_DIR " here: another BPF filesystem is "
	      "mounted there, or this is another mount namespace than where it was started");
}

int guard_tell_stopped(const char *hint)
{
	if (guard_is_elsewhere()) {
		guard_tell_elsewhere();
		return EXIT_FAILURE;
	}
	error("not running%s", hint);
	return EXIT_STATE;
}

int guard_examine_failed(int err)
{
	if (err == -EPROTO)
		error("what is pinned in " GUARD_DIR " is of another version of inode-guard "
		      "('inode-guard service' takes its place, or stop it first)");
	else if (err == -EPERM && !geteuid())
		error(GUARD_DIR ": the guard is sealed, and lets only the tool that has sealed it look at "
		      "it: the same executable, with the libraries that it had, not traced, filtered "
		      "or in other namespaces");
	else if (err == -EUCLEAN)
		error(GUARD_DIR " is not the guard's, which is a directory in a BPF filesystem that only "
		      "root can enter: see who has made it, and remove it");
	else
		error("%s: %s", GUARD_DIR, reason(err));
	return EXIT_FAILURE;
}

int guard_open(struct guard *guard, bool change)
{
	int ret;

	guard_init(guard);
	guard->lock = guard_lock(change);
	lookups_limit();
	if (guard->lock >= 0)
		ret = guard_examine(guard);
	else
		ret = guard->lock == -ENOENT ? GUARD_STOPPED : guard->lock;
	if (ret == GUARD_RUNNING)
		ret = guard_open_maps(guard) ?: GUARD_RUNNING;
	if (ret == GUARD_RUNNING)
		return EXIT_SUCCESS;
	guard_close(guard);
	if (ret == GUARD_STOPPED)
		return guard_tell_stopped(" (start it with 'inode-guard start')");
	if (ret == GUARD_DAMAGED) {
		error("only partly there: 'inode-guard start' completes it, 'inode-guard stop' "
		      "removes it");
		return EXIT_FAILURE;
	}
	return guard_examine_failed(ret);
}

bool guard_is_over(const struct guard *guard)
{
	return !__atomic_load_n(&guard->state->ready, __ATOMIC_ACQUIRE);
}
