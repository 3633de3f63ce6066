/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the test of lifetimes share: see lifetime.c.
 */
#ifndef LIFETIME_H
#define LIFETIME_H

#include "harness.h"

#define CGROUP		"/sys/fs/cgroup/inode_map_lifetime"

#define KPROBE_GROUP	"inode_map_lifetime"
#define KPROBE_DIR	TRACEFS_DIR "/events/" KPROBE_GROUP "/probe/"

#define MIB		(1024UL * 1024)

enum outcome {
	STAYS,		/* and the inode's name leads to the entry */
	LINGERS,	/* stays, but the name leads to another inode or is gone */
	UNLINKED,	/* goes, with this reason */
	EVICTED,
	UNMOUNTED,
	DELETED,
	FREED,
};

/* What a file system must have for an event to apply. */
enum {
	FILES	= 1 << 0,	/* files can be made and removed */
	DIRS	= 1 << 1,	/* directories can */
	UMOUNT	= 1 << 2,
	DEVICE	= 1 << 3,
	FREEZE	= 1 << 4,
	SHRINK	= 1 << 5,	/* unused inodes, whatever happens to them */
	CLOSE	= 1 << 6,	/* inodes that live as long as descriptors */
	PROCESS	= 1 << 7,	/* inodes of a process */
	SUBVOL	= 1 << 8,
	LAYERS	= 1 << 9,
	KPROBE	= 1 << 10,
	BIND	= 1 << 11,
	SERVER	= 1 << 12,
	NEEDS	= 13,
};

/* Other properties of a file system. */
enum {
	BLOCKS		= 1 << 16,	/* removed files give their blocks back */
	INTERNAL	= 1 << 17,	/* entries are weak, whatever the caller asked for */
	READ_ONLY	= 1 << 18,
};

struct fs {
	const char *name;		/* of cases and in the table */
	const char *type;		/* to mount at m */
	const char *mkfs;		/* command that makes an image; its path is appended */
	unsigned int megabytes;		/* of the image; 0: mkfs decides */
	unsigned int has;
	const char *file;		/* path of the file */
	const char *canary;		/* of another one */
	const char *twin;		/* of one that has the same number */
	const char *dir;
	void (*setup)(void);		/* default: mount it at m */
	int (*open)(void);		/* make the inode; default: create or open the file */
	void (*teardown)(void);
};

enum fs_id {
	EXT4, XFS, BTRFS, SUBVOLUME, TMPFS, OVERLAY, LOWER, FUSE, SQUASHFS, ISO9660, PROCFS,
	TRACEFS, NSFS, PIDFS, PIPE, SOCKET, NR_FS,
};

struct expect {
	enum outcome pinned[2];		/* after the first step, and the second */
	enum outcome weak[2];
	const char *why;		/* when it is an exception */
	const char *not;		/* does not apply: why */
};

struct event {
	const char *name;
	const char *text[2];		/* for people: the steps */
	unsigned int needs;
	unsigned int flags;
	unsigned int extra;		/* other entries in the map, which stay */
	struct expect expect;
	void (*prepare)(void);		/* default: put_file */
	void (*step[2])(void);
};

/* Flags of an event. */
enum {
	OPEN	= 1 << 0,	/* the file is open during the first step */
	BUSY	= 1 << 1,	/* ... so that the file system can't be unmounted after it */
	GONE	= 1 << 2,	/* the file system is not mounted at m any more */
	ATTACHED = 1 << 3,	/* don't detach the device with the file system */
	FREES	= 1 << 4,	/* the blocks are freed in the end */
	CHARGED	= 1 << 5,	/* the inode belongs to a memory cgroup */
	SPOILS	= 1 << 6,	/* the image has to be made again */
};

enum event_id {
	UNLINK, UNLINK_OPEN, RENAME_OVER, LAST_LINK, RMDIR, DROP_CACHES, MEMORY, UMOUNTED, LAZY,
	NAMESPACE, DETACH, DEVICE_FAILS, REMOUNT, FROZEN, CREATOR, LAST_CLOSE, EXIT, BIND_UMOUNT,
	COPY_UP, SUBVOL_DELETE, SERVER_DELETES, SERVER_FORGETS, SERVER_DIES, KPROBE_REMOVED,
	MAP_FREED, MAP_WALKED, UNLOAD, NR_EVENTS,
};

/* An unusual outcome: see struct event. */
struct exception {
	enum fs_id fs;
	enum event_id event;
	struct expect expect;
};

struct cell {
	struct test test;
	const struct fs *fs;
	const struct event *event;
	const struct expect *expect;
	__u32 flags;
};

/* The state of the running case, which its processes share. */
struct state {
	const struct cell *cell;
	int map;
	unsigned int map_id;
	unsigned int handle;
	int fd;			/* the inode's, or -1 */
	char path[128];		/* its name, or "" */
	int loop;		/* device, or -1 */
	char device[32];
	bool mounted;		/* whether m is */
	unsigned long free;	/* bytes, without the file */
	pid_t process;		/* that the inode belongs to */
	pid_t child;
	int fuse;		/* the server's device, or -1 */
	FILE *trace;
	char reason[32];	/* from the trace */
	int ready;		/* steps that the child has done */
	int go;			/* steps that it may do */
};

/* To wait, in any process of the case, until another has come this far. */
struct turn {
	int *turn;
	int value;
};

/* tables.c */

extern const char *const lacks[NEEDS];
extern const struct fs filesystems[NR_FS];
extern const struct event events[NR_EVENTS];
extern const struct exception exceptions[];
extern const unsigned int nr_exceptions;
unsigned int nr_steps(const struct event *event);
enum outcome outcome_of(const struct fs *fs, const struct expect *expect, bool weak,
			unsigned int step);
bool is_there(enum outcome outcome);
const struct expect *expectation(enum fs_id fs, enum event_id event);

/* state.c */

extern struct state *s;
const struct fs *fs(void);
bool has(unsigned int property);
bool event_has(unsigned int flag);
const char *file_path(void);
const char *dir_path(void);
const char *beside(const char *name);
void set_path(const char *format, ...);
void wait_turn(int *turn, int value, const char *who);
void next_turn(int *turn);
void kill_process(pid_t *pid);
void wait_for_end(void *unused);

/* filesystems.c */

extern int images[NR_FS];
void detach_image(void);
void mount_layers(void);
void umount_layers(void);
int snapshot_ioctl(unsigned long request, const char *name, int source);
void mount_subvolume(void);
void mount_proc(void);
void mount_fuse(void);
void start_process(void);
void add_kprobe(void);
void remove_kprobe(void);
void setup_fs(void);
bool counts_blocks(void);
void check_blocks(void);
int open_file(void);
int open_subvolume_file(void);
int open_process_file(void);
int open_kprobe_file(void);
int open_namespace(void);
int open_pidfd(void);
int open_pipe(void);
int open_socket(void);
bool is_detached(void *unused);

/* entries.c */

void put_file(void);
void put_rename(void);
void put_links(void);
void put_dir(void);
void put_by_child(void);
extern int canary_map;
void put_canary(void);
void put_in_cgroup(void);
void put_in_namespace(void);
void put_bind_mount(void);
void put_and_walk(void);
bool is_canary_gone(void *unused);
bool evicts(void);

/* events.c */

void event_unlink(void);
void event_unlink_link(void);
void event_rename(void);
void event_rmdir(void);
void event_close(void);
void event_drop_caches(void);
void event_memory(void);
void event_umount(void);
void event_lazy_umount(void);
void event_kill_child(void);
void event_detach(void);
void event_device_fails(void);
void event_remount(void);
void event_freeze(void);
void event_thaw(void);
void event_exit(void);
void event_write(void);
void event_delete_subvolume(void);
void event_delete_entry(void);
void event_notify_delete(void);
void event_notify_invalid(void);
void event_kill_server(void);
void event_remove_kprobe(void);
void event_add_kprobe(void);
void event_close_map(void);
void event_end_walk(void);
void event_unload(void);

/* print.c */

void print_table(void);

#endif /* LIFETIME_H */
