// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that can be done to inode maps and to the files in them, at the same time, for as long
 * as one likes, with checks all along:
 *
 *   - Every value says which file it was given to (device, inode number, generation), in which map,
 *     and has a checksum. Whoever reads one, programs included, knows at once when it is another
 *     file's or another map's, or not whole.
 *   - Some files and entries belong to one task, which predicts the result of everything that it
 *     does to them, to the errno and the value.
 *   - Filesystems that only one task uses must unmount at the first try, though they have entries.
 *   - rmmod must be refused while there is a map; and when there is none it must succeed, while
 *     files come and go, filesystems are mounted and unmounted, and other tasks try to make maps.
 *   - Walks hand out ever smaller handles, which is why they end.
 *   - In the end every insertion has had its removal, and all counters are zero.
 *
 * A run is a series of epochs. In each the module is loaded, the supervisor makes the maps,
 * attaches the programs and starts the tasks that use the maps; then it ends them, lets go of
 * everything and unloads the module. Tasks that need no map of the supervisor's go on through all
 * epochs.
 *
 * Runs as root, in a virtual machine: see scripts/stress.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "stress.h"
#include "order.h"
#include "stress.skel.h"

#define MODULE		"/lib/modules/extra/inode_map.ko"
#define BASE		"/tmp/stress"
#define CGROUP		"/sys/fs/cgroup/stress"
#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/stress"

#define TASKS_MAX	48
/* How long the module stays loaded, if the run is long enough for some such epochs. */
#define EPOCH_SECONDS	30
/* A task that does nothing for so long hangs. */
#define STUCK_SECONDS	120
/* How long it may take until what was let go of is gone. */
#define SETTLE_SECONDS	60

/* What was done, for the summary: how often it succeeded, and how often it failed as it may. */
enum op {
	SET_PINNED,
	SET_WEAK,
	SET_FD4,
	SET_NOEXIST,
	SET_EXIST,
	SET_OPEN,
	SET_HANDLE,
	DELETE_FD,
	DELETE_HANDLE,
	LOOKUP_FD,
	LOOKUP_HANDLE,
	LOOKUP_OWN,
	WALK,
	PROC,
	TRACE,
	MAP,
	OPEN,
	CREATE,
	UNLINK,
	RENAME,
	LINK,
	RMDIR,
	OWN_UNLINK,
	OWN_RELINK,
	MOUNT_TMPFS,
	MOUNT_EXT4,
	UMOUNT,
	UMOUNT_LAZY,
	UMOUNT_OWN,
	DROP_CACHES,
	MEMCG,
	RMMOD_REFUSED,
	RMMOD,
	INSMOD,
	NR_OPS
};

static const char *const op_names[NR_OPS] = {
	[SET_PINNED]	= "update, pinned",
	[SET_WEAK]	= "update, weak",
	[SET_FD4]	= "update, 4-byte key",
	[SET_NOEXIST]	= "update, BPF_NOEXIST",
	[SET_EXIST]	= "update, BPF_EXIST",
	[SET_OPEN]	= "update of a file held open",
	[SET_HANDLE]	= "update by handle",
	[DELETE_FD]	= "delete",
	[DELETE_HANDLE]	= "delete by handle",
	[LOOKUP_FD]	= "look up",
	[LOOKUP_HANDLE]	= "look up by handle",
	[LOOKUP_OWN]	= "look up of an own entry",
	[WALK]		= "walk over a map",
	[PROC]		= "read /proc/inode_map",
	[TRACE]		= "read trace events",
	[MAP]		= "create and free a map",
	[OPEN]		= "open a file",
	[CREATE]	= "create a file",
	[UNLINK]	= "unlink",
	[RENAME]	= "rename over",
	[LINK]		= "hard-link",
	[RMDIR]		= "make and remove a directory",
	[OWN_UNLINK]	= "unlink of an own file",
	[OWN_RELINK]	= "move an own file by a hard link",
	[MOUNT_TMPFS]	= "mount tmpfs",
	[MOUNT_EXT4]	= "mount ext4",
	[UMOUNT]	= "unmount, used by others",
	[UMOUNT_LAZY]	= "unmount lazily",
	[UMOUNT_OWN]	= "unmount, used by no other",
	[DROP_CACHES]	= "drop caches",
	[MEMCG]		= "update in a small memory cgroup",
	[RMMOD_REFUSED]	= "rmmod with maps, refused",
	[RMMOD]		= "rmmod without maps",
	[INSMOD]	= "insmod",
};

static const char *const where_names[NR_WHERE] = {
	[IN_FILE_OPEN]			= "lsm/file_open",
	[IN_FILE_OPEN_SLEEPABLE]	= "lsm.s/file_open",
	[IN_UNLINK_SLEEPABLE]		= "lsm.s/inode_unlink",
	[IN_RENAME]			= "lsm/inode_rename",
	[IN_FENTRY_IPUT]		= "fentry/iput",
	[IN_FENTRY_CLEAR_INODE]		= "fentry/clear_inode",
	[IN_INSERT]			= "tp_btf/inode_map_insert",
	[IN_REMOVE]			= "tp_btf/inode_map_remove",
};

static const char *const reasons[STRESS_REASONS] = {
	"deleted", "replaced", "unlinked", "evicted", "unmounted", "map freed"
};

enum phase {
	LOADING,
	RUNNING,	/* the supervisor has maps: the module can't go */
	UNLOADING,
};

/* What all processes share. */
static struct shared {
	enum phase phase;
	unsigned int epoch;
	bool stop_epoch, stop;
	unsigned int failed;		/* 1: somebody writes the message; 2: it is there */
	char message[1024];
	unsigned int idle[TASKS_MAX];	/* the epoch in which a maker of maps is waiting */
	unsigned long long seq;
	unsigned long long done[NR_OPS], refused[NR_OPS];
	unsigned long long beats[TASKS_MAX];
} *shared;

static struct stress_board *board;
static int board_fd;

/* The task of this process. */
static unsigned int task_number;
static const char *task_name = "supervisor";
static bool task_of_epoch;
static unsigned long long random_state;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void msleep(unsigned int ms)
{
	usleep(ms * 1000);
}

/* Random numbers: a stream for each task, all of which follow from the seed. */

static unsigned long long mix(unsigned long long number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

static unsigned int below(unsigned int limit)
{
	random_state += 0x9e3779b97f4a7c15ULL;
	return (mix(random_state) >> 32) % limit;
}

static bool one_in(unsigned int chances)
{
	return !below(chances);
}

/* Violations */

static void end_run(void);

__attribute__((noreturn, format(printf, 1, 2)))
static void violation(const char *format, ...)
{
	unsigned int none = 0;
	va_list args;
	int length;

	if (__atomic_compare_exchange_n(&shared->failed, &none, 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		length = snprintf(shared->message, sizeof(shared->message),
				  "task %u (%s, pid %d), epoch %u: ", task_number, task_name,
				  getpid(), shared->epoch);
		va_start(args, format);
		vsnprintf(shared->message + length, sizeof(shared->message) - length, format, args);
		va_end(args);
		__atomic_store_n(&shared->failed, 2, __ATOMIC_SEQ_CST);
	}
	if (!task_number)
		end_run();
	_exit(1);
}

#define MUST(condition)							\
	do {								\
		if (!(condition))					\
			violation("line %d: %s (errno: %s)", __LINE__, #condition, \
				  strerror(errno));			\
	} while (0)

/* Counting */

static void did(enum op op)
{
	__atomic_add_fetch(&shared->done[op], 1, __ATOMIC_RELAXED);
}

static void was_refused(enum op op)
{
	__atomic_add_fetch(&shared->refused[op], 1, __ATOMIC_RELAXED);
}

/*
 * Count the result of a call, 0 or a negative errno, that may fail with the errnos of a list which
 * ends with 0. Returns whether it succeeded.
 */
static bool result_is(enum op op, int err, const int *allowed)
{
	if (!err) {
		did(op);
		return true;
	}
	for (; *allowed; allowed++) {
		if (err == -*allowed) {
			was_refused(op);
			return false;
		}
	}
	violation("%s: %s (%d)", op_names[op], strerror(-err), -err);
}

#define MAY(op, err, ...)	result_is(op, err, (const int[]){ __VA_ARGS__, 0 })

/* For system calls: 0 or more, or -1 with errno. */
#define MAY_SYS(op, call, ...)	MAY(op, (call) < 0 ? -errno : 0, __VA_ARGS__)

static enum phase phase(void)
{
	return __atomic_load_n(&shared->phase, __ATOMIC_SEQ_CST);
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

/* Whether the task shall go on. */
static bool goes_on(void)
{
	__atomic_add_fetch(&shared->beats[task_number], 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST))
		_exit(1);
	/* Programs take long to load when everybody else is busy, too. */
	if (!task_of_epoch && phase() == LOADING)
		msleep(20);
	return !is_set(&shared->stop) && !(task_of_epoch && is_set(&shared->stop_epoch));
}

/* Which file is it? */

struct identity {
	__u64 ino;
	__u32 dev;	/* as in struct stress_value */
	__u32 gen;
};

static bool same(const struct identity *a, const struct identity *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->gen == b->gen;
}

static struct identity identify(int fd)
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

/* Maps and values */

struct map {
	int fd;
	__u32 id, key_size, max_entries;
};

enum { FREE4, FREE32, OWN4, OWN32, NR_MAPS };

/* Anybody changes anything in the free maps. In the others, only who made an entry does. */
static struct map maps[NR_MAPS];

static void value_fill(struct stress_value *value, const struct identity *id, __u32 map)
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

static const char *describe(const struct stress_value *value, const struct map *map,
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

/* @id may be NULL, for a caller who does not know which file it should be. */
static void value_check(const struct stress_value *value, const struct map *map,
			const struct identity *id, const char *how)
{
	if (value->sum != stress_sum(value))
		violation("%s: the value is not whole: %s", how, describe(value, map, id));
	if (id && (value->ino != id->ino || value->dev != id->dev || value->gen != id->gen))
		violation("%s: another file's value: %s", how, describe(value, map, id));
	if (value->map != map->id)
		violation("%s: another map's value: %s", how, describe(value, map, id));
}

static union inode_map_any_key key_of_fd(const struct map *map, int fd, __u32 key_flags)
{
	union inode_map_any_key key;

	memset(&key, 0, sizeof(key));
	key.full.fd = fd;
	if (map->key_size == sizeof(key.full))
		key.full.flags = key_flags;
	return key;
}

static union inode_map_any_key key_of_handle(const struct map *map, __u32 handle)
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

/* What a key of a walk tells about the file; false when it is too short for that. */
static bool identity_of(const struct map *map, const union inode_map_any_key *key,
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

static int set(const struct map *map, const union inode_map_any_key *key,
	       const struct stress_value *value, __u64 flags)
{
	return bpf_map_update_elem(map->fd, key, value, flags) ? -errno : 0;
}

static int get(const struct map *map, const union inode_map_any_key *key,
	       struct stress_value *value)
{
	return bpf_map_lookup_elem(map->fd, key, value) ? -errno : 0;
}

static int drop(const struct map *map, const union inode_map_any_key *key)
{
	return bpf_map_delete_elem(map->fd, key) ? -errno : 0;
}

typedef bool visit_fn(const struct map *map, const union inode_map_any_key *key, void *arg);

/*
 * Walk over a map until @visit returns true. Walks go from large handles to small ones. An entry
 * whose handle was reserved before the walk began may come into it later: one for each task.
 */
static void walk(const struct map *map, visit_fn *visit, void *arg)
{
	union inode_map_any_key key, next;
	unsigned int steps = 0;
	__u32 last = 0;

	while (!bpf_map_get_next_key(map->fd, steps ? &key : NULL, &next)) {
		__u32 handle = handle_of(map, &next);

		if (!handle || handle > 0x7fffffff ||
		    (steps && !handle_is_met_before(last, handle)))
			violation("walk: handle %u after %u in map %u", handle, last, map->id);
		/* Twice: what is inserted anew, where handles come to another block. */
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

/* Places */

enum { TMPFS, EXT4, MOUNTED_TMPFS, MOUNTED_EXT4, OWN_TMPFS, OWN_EXT4, NR_PLACES };

static const char *const places[NR_PLACES] = {
	[TMPFS]		= BASE "/tmpfs",
	[EXT4]		= BASE "/ext4",
	[MOUNTED_TMPFS]	= BASE "/mounted-tmpfs",
	[MOUNTED_EXT4]	= BASE "/mounted-ext4",
	[OWN_TMPFS]	= BASE "/own-tmpfs",
	[OWN_EXT4]	= BASE "/own-ext4",
};

/* Loop devices of those that are ext4. */
static char loops[NR_PLACES][32];

#define NAMES		12	/* files in each place that all tasks use */
#define PATH_SIZE	128

static bool is_ext4(unsigned int place)
{
	return place == EXT4 || place == MOUNTED_EXT4 || place == OWN_EXT4;
}

static const char *some_path(char path[PATH_SIZE])
{
	/* A directory now and then. */
	snprintf(path, PATH_SIZE, "%s/%c%u", places[below(MOUNTED_EXT4 + 1)],
		 one_in(10) ? 'd' : 'f', below(NAMES));
	return path;
}

/* Open what may be gone, or may just be shut down: a descriptor, or -1. */
static int open_some(char path[PATH_SIZE])
{
	int fd = open(some_path(path), (one_in(2) ? O_PATH : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		MUST(errno == ENOENT);
	return fd;
}

static void file_fill(const char *path, size_t size)
{
	static const char page[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	for (; size; size -= sizeof(page))
		MUST(write(fd, page, sizeof(page)) == sizeof(page));
	close(fd);
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* --- Tasks that use the supervisor's maps ------------------------------------- */

/* Look up by descriptor: nothing, or a value of this very file. */
static void look_up(const struct map *map, int fd, const struct identity *id)
{
	union inode_map_any_key key = key_of_fd(map, fd, 0);
	struct stress_value value;

	if (MAY(LOOKUP_FD, get(map, &key, &value), ENOENT))
		value_check(&value, map, id, "look up");
}

static void update(const struct map *map, int fd, const struct identity *id, bool held)
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
	/* Full, or of no such entry, or of one: anything but going away, as it is open. */
	MAY(held ? SET_OPEN : op, err, E2BIG, flags == BPF_NOEXIST ? EEXIST :
	    flags == BPF_EXIST ? ENOENT : E2BIG);
	if (held)
		err ? was_refused(op) : did(op);
	if (flags)
		err ? was_refused(flags == BPF_EXIST ? SET_EXIST : SET_NOEXIST) :
		      did(flags == BPF_EXIST ? SET_EXIST : SET_NOEXIST);
}

#define HELD	4

static void updater(void)
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
static bool visit_some(const struct map *map, const union inode_map_any_key *key, void *arg)
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

static void walker(void)
{
	while (goes_on()) {
		unsigned int map = below(NR_MAPS);
		unsigned int what = map == FREE4 || map == FREE32 ? below(3) : 0;

		walk(&maps[map], visit_some, &what);
	}
}

static void deleter(void)
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

/* Own files, with own entries: all is known. */

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

/* The file's end, and with it the entry's. It does not go before. */
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

/* Another name: the entry stays. */
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

static void owner(void)
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

/* A filesystem that nobody else uses. */

static void mount_place(unsigned int place)
{
	bool ext4 = is_ext4(place);

	MUST(!mount(ext4 ? loops[place] : "stress", places[place], ext4 ? "ext4" : "tmpfs", 0,
		    ext4 ? NULL : "size=16m"));
	did(ext4 ? MOUNT_EXT4 : MOUNT_TMPFS);
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

			/* ext4 has those of the last time; a number that is free is used again. */
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

				/* Nothing of the last mount, which may have had this very file. */
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

static void own_mount_tmpfs(void)
{
	own_mount(OWN_TMPFS);
}

static void own_mount_ext4(void)
{
	own_mount(OWN_EXT4);
}

/* Little memory: what is weak goes, and there may be none for an update. */
static void memcg(void)
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

static void tracer(void)
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
		/* Let others do something for the next. */
		msleep(below(50));
	}
	close(fd);
	MUST(!write_to(INSTANCE "/events/inode_map/enable", "0"));
}

/* --- Tasks that go on while the module comes and goes -------------------------- */

/* Names come and go. */
static void mover(void)
{
	char path[PATH_SIZE], other[PATH_SIZE], *dir;
	struct stat stat;
	int fd;

	while (goes_on()) {
		some_path(path);
		dir = strrchr(path, '/') + 1;
		if (*dir == 'd') {
			if (MAY_SYS(RMDIR, mkdir(path, 0755), EEXIST, ENOENT) || one_in(4))
				if (rmdir(path))
					MUST(errno == ENOENT);
			continue;
		}
		snprintf(other, sizeof(other), "%.*s/f%u", (int)(dir - path - 1), path,
			 below(NAMES));
		switch (below(6)) {
		case 0:
		case 1:
			fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
			if (MAY_SYS(CREATE, fd, ENOENT))
				close(fd);
			break;
		case 2:
			MAY_SYS(UNLINK, unlink(path), ENOENT);
			break;
		case 3:
			MAY_SYS(RENAME, rename(path, other), ENOENT, EXDEV);
			break;
		case 4:
			MAY_SYS(LINK, link(path, other), ENOENT, EEXIST, EXDEV);
			break;
		default:
			if (lstat(path, &stat))
				MUST(errno == ENOENT);
		}
	}
}

static void opener(void)
{
	char path[PATH_SIZE];
	int fd;

	while (goes_on()) {
		fd = open(some_path(path), O_RDONLY | O_CLOEXEC);
		if (MAY_SYS(OPEN, fd, ENOENT)) {
			if (one_in(16))
				msleep(below(4));
			close(fd);
		}
	}
}

/* A filesystem that all use. */
static void shared_mount(unsigned int place)
{
	const char *path = places[place];
	char name[PATH_SIZE];

	while (goes_on()) {
		int tries = 10, fd;

		mount_place(place);
		for (unsigned int i = 0; i < NAMES; i++) {
			snprintf(name, sizeof(name), "%s/f%u", path, i);
			fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
			MUST(fd >= 0);
			close(fd);
		}
		msleep(20 + below(200));
		while (!MAY_SYS(UMOUNT, umount2(path, 0), EBUSY) && --tries)
			msleep(below(10));
		if (!tries)
			MAY_SYS(UMOUNT_LAZY, umount2(path, MNT_DETACH), EBUSY);
		msleep(below(20));
	}
}

static void shared_mount_tmpfs(void)
{
	shared_mount(MOUNTED_TMPFS);
}

static void shared_mount_ext4(void)
{
	shared_mount(MOUNTED_EXT4);
}

static void cache_dropper(void)
{
	/* Without a line in the kernel log each time. */
	MUST(!write_to("/proc/sys/vm/drop_caches", "4"));
	while (goes_on()) {
		if (one_in(4))
			sync();
		MUST(!write_to("/proc/sys/vm/drop_caches", one_in(2) ? "2" : "3"));
		did(DROP_CACHES);
		msleep(20 + below(200));
	}
}

static void rmmod(void)
{
	while (goes_on()) {
		unsigned int epoch = __atomic_load_n(&shared->epoch, __ATOMIC_SEQ_CST);
		bool there = phase() == RUNNING;
		int err;

		if (phase() == LOADING) {
			msleep(1);
			continue;
		}
		err = syscall(SYS_delete_module, "inode_map", O_NONBLOCK) ? -errno : 0;
		there &= phase() == RUNNING &&
			 __atomic_load_n(&shared->epoch, __ATOMIC_SEQ_CST) == epoch;
		if (there) {
			if (err != -EAGAIN)
				violation("rmmod while there are maps: %s", strerror(-err));
			did(RMMOD_REFUSED);
			msleep(below(10));
		} else {
			/* EBUSY: another rmmod is at it. */
			MAY(RMMOD, err, EAGAIN, ENOENT, EBUSY);
			msleep(below(3));
		}
	}
}

/*
 * Read all of /proc/inode_map: a head, then entries, of maps with ever larger ids and with ever
 * smaller handles in each. The module may go meanwhile.
 */
static void proc_reader(void)
{
	static char buffer[1 << 20];

	while (goes_on()) {
		unsigned int id, last_id = 0, handle, last_handle = 0, lines = 0, a, b, c, d;
		ssize_t got = 0, have = 0;
		char *line, *end, kind[8];
		int fd = open("/proc/inode_map", O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			MUST(errno == ENOENT && phase() != RUNNING);
			was_refused(PROC);
			msleep(20);
			continue;
		}
		while ((size_t)have < sizeof(buffer) - 1 &&
		       (got = read(fd, buffer + have, 1 + below(sizeof(buffer) - have - 1))) > 0)
			have += got;
		if (got < 0)
			MUST(errno == EIO || errno == ENODEV || errno == ENOENT);
		close(fd);
		if (got < 0) {
			was_refused(PROC);
			continue;
		}
		buffer[have] = 0;
		for (line = buffer; (end = strchr(line, '\n')); line = end + 1) {
			unsigned long long ino;

			*end = 0;
			if (!lines++) {
				if (sscanf(line, "maps %u entries %u addons %u pinned %u", &a, &b,
					   &c, &d) != 4)
					violation("/proc/inode_map: head: %s", line);
				continue;
			}
			if (sscanf(line, "%u %*s %u:%u %llu %u %u %7s /%*s", &id, &a, &b, &ino, &c,
				   &handle, kind) != 7 ||
			    (strcmp(kind, "pinned") && strcmp(kind, "weak")))
				violation("/proc/inode_map: line %u: %s", lines, line);
			if (id < last_id ||
			    (id == last_id && !handle_is_met_before(last_handle, handle)))
				violation("/proc/inode_map: after map %u handle %u: %s", last_id,
					  last_handle, line);
			last_id = id;
			last_handle = handle;
		}
		if (!lines || *line)
			violation("/proc/inode_map: %u lines, and then: %s", lines, line);
		did(PROC);
		if (one_in(4))
			msleep(below(20));
	}
}

/* Make a map, or say why not: there is no module, or it is just going. */
static int try_map(struct map *map, __u32 key_size, __u32 max_entries)
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

static void map_maker(void)
{
	unsigned int slot = NR_MAPS + task_number % (STRESS_SLOTS - NR_MAPS);
	char path[PATH_SIZE];
	unsigned int what = 0, pause = 60;
	struct map map;

	while (goes_on()) {
		if (phase() == LOADING) {
			shared->idle[task_number] = shared->epoch;
			pause = 60;
			msleep(1);
			continue;
		}
		/* Longer and longer: on a slow kernel, too, there is a moment without a map. */
		if (phase() == UNLOADING) {
			msleep(20 + below(pause));
			pause = pause < 4000 ? 2 * pause : pause;
		}
		if (try_map(&map, one_in(2) ? 4 : 32, 1 + below(64))) {
			was_refused(MAP);
			msleep(5);
			continue;
		}
		for (unsigned int i = below(40); i; i--) {
			struct identity id;
			int fd = open_some(path);

			if (i == 10)
				__atomic_store_n(&board->maps[slot], map.id, __ATOMIC_RELAXED);
			if (fd < 0)
				continue;
			id = identify(fd);
			update(&map, fd, &id, false);
			look_up(&map, fd, &id);
			close(fd);
		}
		walk(&map, visit_some, &what);
		/* Programs may look into it to the end, and beyond. */
		if (one_in(2))
			msleep(below(10));
		close(map.fd);
		did(MAP);
	}
	__atomic_store_n(&board->maps[slot], 0, __ATOMIC_RELAXED);
}

/* --- The supervisor ------------------------------------------------------------ */

static const struct kind {
	const char *name;
	void (*run)(void);
	unsigned int tasks;
	bool of_epoch;
} kinds[] = {
	{ "mover",		mover,			2, false },
	{ "opener",		opener,			2, false },
	{ "mount tmpfs",	shared_mount_tmpfs,	1, false },
	{ "mount ext4",		shared_mount_ext4,	1, false },
	{ "drop caches",	cache_dropper,		1, false },
	{ "rmmod",		rmmod,			1, false },
	{ "proc",		proc_reader,		1, false },
	{ "maps",		map_maker,		2, false },
	{ "update",		updater,		3, true },
	{ "walk",		walker,			2, true },
	{ "delete",		deleter,		1, true },
	{ "own files",		owner,			2, true },
	{ "own tmpfs",		own_mount_tmpfs,	1, true },
	{ "own ext4",		own_mount_ext4,		1, true },
	{ "memcg",		memcg,			1, true },
	{ "trace",		tracer,			1, true },
};

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static struct task {
	const struct kind *kind;
	pid_t pid;
	unsigned long long beats;
	double beat;
} tasks[TASKS_MAX];

static unsigned long long seed;
static double begin;
static unsigned int nr_restarted;
static struct stress *programs;
static double attach_seconds;

static void sum_up(void)
{
	printf("%-36s %12s %12s\n", "operation", "succeeded", "refused");
	for (unsigned int i = 0; i < NR_OPS; i++)
		printf("%-36s %12llu %12llu\n", op_names[i], shared->done[i], shared->refused[i]);
	printf("%-36s %12s %12s\n", "program", "hits", "runs");
	for (unsigned int i = 0; i < NR_WHERE; i++)
		printf("%-36s %12llu %12llu\n", where_names[i],
		       (unsigned long long)board->hits[i], (unsigned long long)board->runs[i]);
	printf("%-36s %12s\n", "removal", "events");
	for (unsigned int i = 0; i < STRESS_REASONS; i++)
		printf("%-36s %12llu\n", reasons[i], (unsigned long long)board->removed[i]);
	if (nr_restarted)
		printf("tasks that ran out of their cgroup's memory: %u\n", nr_restarted);
}

static void end_run(void)
{
	for (unsigned int i = 1; i < TASKS_MAX; i++)
		if (tasks[i].pid)
			kill(tasks[i].pid, SIGKILL);
	while (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST) == 1)
		msleep(1);
	sum_up();
	printf("stress: FAILED after %.1f s, seed %llu: %s\n", now() - begin, seed,
	       shared->message);
	fflush(stdout);
	_exit(1);
}

static void show_stack(pid_t pid)
{
	char path[64], buffer[4096];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = read(fd, buffer, sizeof(buffer) - 1);
	if (got > 0)
		printf("%.*s", (int)got, buffer);
	close(fd);
}

static void task_start(unsigned int number, const struct kind *kind)
{
	struct task *task = &tasks[number];
	cpu_set_t cpus;

	fflush(stdout);
	task->kind = kind;
	task->beat = now();
	task->pid = fork();
	MUST(task->pid >= 0);
	if (task->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	task_number = number;
	task_name = kind->name;
	task_of_epoch = kind->of_epoch;
	random_state = mix(seed ^ mix((unsigned long long)number << 32 | shared->epoch));
	/* Half of them stay on one processor. */
	CPU_ZERO(&cpus);
	CPU_SET(number / 2 % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	if (number % 2)
		MUST(!sched_setaffinity(0, sizeof(cpus), &cpus));
	kind->run();
	_exit(0);
}

/* Start those of an epoch, or those that go on through all. The numbers are the same every time. */
static void tasks_start(bool of_epoch)
{
	unsigned int number = 1;

	for (unsigned int i = 0; i < NR_KINDS; i++)
		for (unsigned int j = 0; j < kinds[i].tasks; j++, number++)
			if (kinds[i].of_epoch == of_epoch)
				task_start(number, &kinds[i]);
}

static void task_ended(struct task *task, int status)
{
	unsigned int number = task - tasks;

	task->pid = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && task->kind->run == memcg) {
		nr_restarted++;
		task_start(number, task->kind);
		return;
	}
	violation("task %u (%s) ended with status %#x", number, task->kind->name, status);
}

/* What the programs saw. */
static void check_board(void)
{
	static const char *const what[NR_WHAT] = {
		"nothing", "a value that is not whole", "a value that changed under the program",
		"another file's value", "another map's value"
	};

	if (!__atomic_load_n(&board->violations, __ATOMIC_SEQ_CST))
		return;
	/* Somebody is about to write what it was. */
	for (unsigned int i = 0; i < 1000; i++)
		if (__atomic_load_n(&board->first, __ATOMIC_SEQ_CST) < 2)
			msleep(1);
	violation("program %s in process %u found %s: %s (%llu violations)",
		  where_names[board->where % NR_WHERE], board->pid, what[board->what % NR_WHAT],
		  describe(&board->value, &(struct map){ .id = board->map },
			   &(struct identity){ board->ino, board->dev, board->gen }),
		  (unsigned long long)board->violations);
}

static bool some_run(bool of_epoch)
{
	for (unsigned int i = 1; i < TASKS_MAX; i++)
		if (tasks[i].pid && tasks[i].kind->of_epoch == of_epoch)
			return true;
	return false;
}

/* Look at everything, once. */
static void supervise(void)
{
	int status;

	for (unsigned int i = 1; i < TASKS_MAX; i++) {
		struct task *task = &tasks[i];
		unsigned long long beats;

		if (!task->pid)
			continue;
		if (waitpid(task->pid, &status, WNOHANG) == task->pid) {
			task_ended(task, status);
			continue;
		}
		beats = __atomic_load_n(&shared->beats[i], __ATOMIC_RELAXED);
		if (beats != task->beats) {
			task->beats = beats;
			task->beat = now();
		} else if (now() - task->beat > STUCK_SECONDS) {
			show_stack(task->pid);
			violation("task %u (%s) hangs", i, task->kind->name);
		}
	}
	check_board();
	if (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST))
		end_run();
}

static void supervise_until(double end)
{
	while (now() < end) {
		supervise();
		msleep(20);
	}
}

static void tasks_end(bool of_epoch)
{
	__atomic_store_n(of_epoch ? &shared->stop_epoch : &shared->stop, true, __ATOMIC_SEQ_CST);
	while (some_run(of_epoch)) {
		supervise();
		msleep(5);
	}
}

static void insmod(void)
{
	double end = now() + SETTLE_SECONDS;
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	/* An rmmod of the last epoch may still be at it. */
	while (syscall(SYS_finit_module, fd, "", 0)) {
		MUST((errno == EBUSY || errno == EEXIST) && now() < end);
		supervise();
		msleep(5);
	}
	close(fd);
	did(INSMOD);
}

/* Insertions that were seen, less the removals. */
static long long balance(void)
{
	return board->runs[IN_INSERT] - board->runs[IN_REMOVE];
}

/* What it was before the epoch. Between two, one program is detached before the other. */
static long long old_balance;

static void programs_attach(void)
{
	old_balance = balance();
	programs = stress__open();
	MUST(programs);
	MUST(!bpf_map__reuse_fd(programs->maps.board, board_fd));
	MUST(!stress__load(programs));
	MUST(!stress__attach(programs));
}

static void programs_detach(void)
{
	stress__destroy(programs);
	programs = NULL;
}

static void makers_idle(void)
{
	double end = now() + SETTLE_SECONDS;

	for (unsigned int i = 1; i < TASKS_MAX; i++)
		while (tasks[i].pid && tasks[i].kind->run == map_maker &&
		       __atomic_load_n(&shared->idle[i], __ATOMIC_SEQ_CST) != shared->epoch) {
			MUST(now() < end);
			supervise();
			msleep(1);
		}
}

static void epoch_begin(void)
{
	static const struct map wanted[NR_MAPS] = {
		[FREE4]	 = { -1, 0, 4, 50 },
		[FREE32] = { -1, 0, 32, 150 },
		[OWN4]	 = { -1, 0, 4, 1000 },
		[OWN32]	 = { -1, 0, 32, 1000 },
	};

	double before;

	__atomic_add_fetch(&shared->epoch, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->phase, LOADING, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->stop_epoch, false, __ATOMIC_SEQ_CST);
	makers_idle();
	insmod();
	for (unsigned int i = 0; i < NR_MAPS; i++) {
		/* An rmmod that began before the epoch may get the module before the first map. */
		while (try_map(&maps[i], wanted[i].key_size, wanted[i].max_entries)) {
			MUST(!i);
			insmod();
		}
		board->maps[i] = maps[i].id;
	}
	before = now();
	programs_attach();
	attach_seconds += now() - before;
	__atomic_store_n(&shared->phase, RUNNING, __ATOMIC_SEQ_CST);
	tasks_start(true);
}

static void maps_close(void)
{
	for (unsigned int i = 0; i < NR_MAPS; i++) {
		board->maps[i] = 0;
		MUST(!close(maps[i].fd));
	}
}

static void unload(void)
{
	double end = now() + SETTLE_SECONDS;

	while (syscall(SYS_delete_module, "inode_map", O_NONBLOCK)) {
		/* The task whose business it is may have been quicker. */
		if (errno == ENOENT)
			return;
		MUST((errno == EAGAIN || errno == EBUSY) && now() < end);
		supervise();
		msleep(2);
	}
	did(RMMOD);
}

static void epoch_end(void)
{
	tasks_end(true);
	__atomic_store_n(&shared->phase, UNLOADING, __ATOMIC_SEQ_CST);
	if (one_in(2)) {
		programs_detach();
		maps_close();
	} else {
		maps_close();
		msleep(below(100));
		programs_detach();
	}
	unload();
}

static bool counters_are_zero(char head[128])
{
	FILE *file = fopen("/proc/inode_map", "r");

	MUST(file && fgets(head, 128, file));
	fclose(file);
	head[strcspn(head, "\n")] = 0;
	return !strcmp(head, "maps 0 entries 0 addons 0 pinned 0");
}

/* The last epoch's end: nobody else is there any more, so that everything can be accounted for. */
static void last_epoch_end(void)
{
	double end = now() + SETTLE_SECONDS;
	char head[128];

	tasks_end(true);
	tasks_end(false);
	__atomic_store_n(&shared->phase, UNLOADING, __ATOMIC_SEQ_CST);
	maps_close();
	while (!counters_are_zero(head)) {
		if (now() > end)
			violation("counters at the end: %s", head);
		msleep(20);
	}
	check_board();
	if (balance() != old_balance)
		violation("%lld more entries were inserted than removed", balance() - old_balance);
	programs_detach();
	unload();
}

static void shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		violation("%s: failed", command);
}

static void places_make(void)
{
	MUST(!unshare(CLONE_NEWNS));
	MUST(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(!mkdir(BASE, 0755));
	MUST(!mount("stress", BASE, "tmpfs", 0, NULL));
	shell("for module in loop ext4; do modprobe -q $module 2>/dev/null; done; "
	      "grep -qw ext4 /proc/filesystems");
	for (unsigned int i = 0; i < NR_PLACES; i++) {
		FILE *pipe;
		char command[128];

		MUST(!mkdir(places[i], 0755));
		if (!is_ext4(i))
			continue;
		/* All of it is written now, so that nobody is charged for it later. */
		shell("dd if=/dev/zero of=%s.image bs=1M count=32 2>/dev/null", places[i]);
		shell("mkfs.ext4 -q -E lazy_itable_init=0 %s.image", places[i]);
		snprintf(command, sizeof(command), "losetup --find --show %s.image", places[i]);
		pipe = popen(command, "r");
		MUST(pipe && fscanf(pipe, "%31s", loops[i]) == 1 && !pclose(pipe));
	}
	mount_place(TMPFS);
	mount_place(EXT4);
}

static void places_remove(void)
{
	double end = now() + SETTLE_SECONDS;

	MUST(!umount2(places[TMPFS], 0));
	MUST(!umount2(places[EXT4], 0));
	for (unsigned int i = 0; i < NR_PLACES; i++)
		if (is_ext4(i))
			shell("losetup --detach %s", loops[i]);
	/* A loop device that is still in use would keep its image, which keeps this. */
	while (umount2(BASE, 0)) {
		MUST(errno == EBUSY && now() < end);
		msleep(20);
	}
	MUST(!rmdir(BASE));
}

static void groups_make(void)
{
	MUST(!mkdir(INSTANCE, 0755));
	if (!write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory") && !mkdir(CGROUP, 0755))
		MUST(!write_to(CGROUP "/memory.max", "24M"));
	else
		printf("stress: there are no memory cgroups here\n");
}

static void groups_remove(void)
{
	rmdir(CGROUP);
	rmdir(INSTANCE);
}

static void *share(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (memory == MAP_FAILED) {
		perror("stress: mmap");
		exit(1);
	}
	return memory;
}

static void share_all(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	shared = share(-1, sizeof(*shared));
	board_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "board", sizeof(__u32),
				  sizeof(struct stress_board), 1, &opts);
	if (board_fd < 0) {
		perror("stress: creating a map");
		exit(1);
	}
	board = share(board_fd, sizeof(*board));
}

static void run(double duration, bool reload)
{
	double end = 0, epoch = duration / 6;

	if (epoch > EPOCH_SECONDS)
		epoch = EPOCH_SECONDS;
	groups_make();
	places_make();
	tasks_start(false);
	for (;;) {
		epoch_begin();
		/* What came before was preparation. */
		if (shared->epoch == 1)
			end = now() + duration;
		if (!reload || now() + epoch >= end)
			break;
		supervise_until(now() + epoch);
		epoch_end();
	}
	supervise_until(end);
	last_epoch_end();
	places_remove();
	groups_remove();
}

/* What never happened was not tested. */
static bool all_happened(void)
{
	bool all = true;

	for (unsigned int i = 0; i < NR_OPS; i++)
		/* Some kernels have no memory cgroups. */
		if (!shared->done[i] && i != MEMCG) {
			printf("stress: this never succeeded: %s\n", op_names[i]);
			all = false;
		}
	/* By the time of clear_inode() few inodes have entries. */
	for (unsigned int i = 0; i < NR_WHERE; i++)
		if (!board->runs[i] || (!board->hits[i] && i != IN_FENTRY_CLEAR_INODE)) {
			printf("stress: %s never found anything\n", where_names[i]);
			all = false;
		}
	for (unsigned int i = 0; i < STRESS_REASONS; i++)
		if (!board->removed[i]) {
			printf("stress: no entry was removed because %s\n", reasons[i]);
			all = false;
		}
	return all;
}

static void usage(FILE *file)
{
	fprintf(file, "Usage: stress [--duration SECONDS] [--seed NUMBER] [--keep-module]\n\n"
		      "  --duration SECONDS  how long (default 60)\n"
		      "  --seed NUMBER       for the choices of all tasks (default: any)\n"
		      "  --keep-module       load the module and attach programs once only\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "duration", required_argument, NULL, 'd' },
		{ "seed", required_argument, NULL, 's' },
		{ "keep-module", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	double duration = 60;
	bool reload = true;
	int option;

	seed = time(NULL) ^ (unsigned long long)getpid() << 32;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			duration = atof(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'k':
			reload = false;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (duration < 1 || optind < argc) {
		usage(stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("stress: seed %llu, %.0f s\n", seed, duration);
	random_state = mix(seed);
	share_all();
	begin = now();
	run(duration, reload);
	sum_up();
	if (!all_happened()) {
		printf("stress: FAILED, seed %llu\n", seed);
		return 1;
	}
	printf("stress: passed, %.1f s, %u epochs (%.1f s to attach programs)\n", now() - begin,
	       shared->epoch, attach_seconds);
	return 0;
}
