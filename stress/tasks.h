/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the stress test share, except for what programs need as well (stress.h). See
 * stress.c.
 */
#ifndef TASKS_H
#define TASKS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "stress.h"

#define MODULE		"/lib/modules/extra/inode_map.ko"
#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/stress"

#define TASKS_MAX	48

/* How long the module stays loaded, if the run is long enough for some epochs of that length. */
#define EPOCH_SECONDS	30

/* A task that does nothing for this long hangs. */
#define STUCK_SECONDS	120

/* How long it may take until released objects are freed. */
#define SETTLE_SECONDS	60

/* Operations that the summary counts: how often each succeeded, or failed as it may. */
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

enum phase {
	LOADING,
	RUNNING,	/* the supervisor has maps: the module can't be removed */
	UNLOADING,
};

/* What all processes share. */
struct shared {
	enum phase phase;
	unsigned int epoch;
	bool stop_epoch, stop;
	unsigned int failed;		/* 1: a task writes the message; 2: it is complete */
	char message[1024];
	unsigned int idle[TASKS_MAX];	/* the epoch in which a maker of maps is waiting */
	unsigned long long seq;
	unsigned long long done[NR_OPS], refused[NR_OPS];
	unsigned long long beats[TASKS_MAX];
};

#define MUST(condition)							\
	do {								\
		if (!(condition))					\
			violation("%s:%d: %s (errno: %s)", __FILE__, __LINE__, #condition, \
				  strerror(errno));			\
	} while (0)

#define MAY(op, err, ...)	result_is(op, err, (const int[]){ __VA_ARGS__, 0 })

/* For system calls: 0 or more, or -1 with errno. */
#define MAY_SYS(op, call, ...)	MAY(op, (call) < 0 ? -errno : 0, __VA_ARGS__)

struct identity {
	__u64 ino;
	__u32 dev;	/* as in struct stress_value */
	__u32 gen;
};

struct map {
	int fd;
	__u32 id, key_size, max_entries;
};

enum { FREE4, FREE32, OWN4, OWN32, NR_MAPS };

typedef bool visit_fn(const struct map *map, const union inode_map_any_key *key, void *arg);

enum { TMPFS, EXT4, MOUNTED_TMPFS, MOUNTED_EXT4, OWN_TMPFS, OWN_EXT4, NR_PLACES };

#define NAMES		12	/* files in each place that all tasks use */
#define PATH_SIZE	128

struct kind {
	const char *name;
	void (*run)(void);
	unsigned int tasks;
	bool of_epoch;
};

struct task {
	const struct kind *kind;
	pid_t pid;
	unsigned long long beats;
	double beat;
};

/* stress.c */

extern struct task tasks[TASKS_MAX];
extern unsigned int nr_restarted;
void end_run(void);
void tasks_start(bool of_epoch);
void check_board(void);
void supervise(void);
void tasks_end(bool of_epoch);

/* report.c */

extern const char *const op_names[NR_OPS];
extern const char *const where_names[NR_WHERE];
extern const char *const call_names[NR_CALLS];
extern const char *const reasons[STRESS_REASONS];
void sum_up(void);
bool all_happened(void);

/* base.c */

extern struct shared *shared;
extern struct stress_board *board;
extern int board_fd;
extern unsigned int task_number;
extern const char *task_name;
extern bool task_of_epoch;
extern unsigned long long random_state;
double now(void);
void msleep(unsigned int ms);
unsigned long long mix(unsigned long long number);
unsigned int below(unsigned int limit);
bool one_in(unsigned int chances);
__attribute__((noreturn, format(printf, 1, 2)))
void violation(const char *format, ...);
void did(enum op op);
void was_refused(enum op op);
bool result_is(enum op op, int err, const int *allowed);
enum phase phase(void);
bool goes_on(void);

/* values.c */

bool same(const struct identity *a, const struct identity *b);
struct identity identify(int fd);
extern struct map maps[NR_MAPS];
void value_fill(struct stress_value *value, const struct identity *id, __u32 map);
const char *describe(const struct stress_value *value, const struct map *map,
		     const struct identity *id);
void value_check(const struct stress_value *value, const struct map *map,
		 const struct identity *id, const char *how);
union inode_map_any_key key_of_fd(const struct map *map, int fd, __u32 key_flags);
union inode_map_any_key key_of_handle(const struct map *map, __u32 handle);
bool identity_of(const struct map *map, const union inode_map_any_key *key,
		 struct identity *id);
int set(const struct map *map, const union inode_map_any_key *key,
	const struct stress_value *value, __u64 flags);
int get(const struct map *map, const union inode_map_any_key *key,
	struct stress_value *value);
int drop(const struct map *map, const union inode_map_any_key *key);
void walk(const struct map *map, visit_fn *visit, void *arg);
int try_map(struct map *map, __u32 key_size, __u32 max_entries);

/* places.c */

extern const char *const places[NR_PLACES];
const char *some_path(char path[PATH_SIZE]);
int open_some(char path[PATH_SIZE]);
void file_fill(const char *path, size_t size);
int write_to(const char *path, const char *text);
void mount_place(unsigned int place);
void places_make(void);
void places_remove(void);

/* entries.c */

void look_up(const struct map *map, int fd, const struct identity *id);
void update(const struct map *map, int fd, const struct identity *id, bool held);
void updater(void);
bool visit_some(const struct map *map, const union inode_map_any_key *key, void *arg);
void walker(void);
void deleter(void);
void memcg(void);
void tracer(void);
void groups_make(void);
void groups_remove(void);

/* own.c */

void owner(void);
void own_mount_tmpfs(void);
void own_mount_ext4(void);

/* always.c */

void mover(void);
void opener(void);
void shared_mount_tmpfs(void);
void shared_mount_ext4(void);
void cache_dropper(void);
void rmmod(void);
void proc_reader(void);
void map_maker(void);

/* epochs.c */

extern double attach_seconds;
void epoch_begin(void);
void epoch_end(void);
void last_epoch_end(void);

#endif /* TASKS_H */
