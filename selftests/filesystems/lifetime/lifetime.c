// SPDX-License-Identifier: GPL-2.0
/*
 * How long entries live: every way an inode can end, or nearly, on every kind of file system.
 *
 * What is to happen is written down in tables: events[] has what is usual, exceptions[] what is
 * not, and why. Each pair of a file system and an event is a case for pinned entries and one for
 * weak ones, "ext4/unlink/pinned". The table in src/README.md is printed from here (--table).
 *
 * All cases go the same way: the file system is mounted at m, the inode gets an entry, the event
 * happens, in one step or two, and after each step the entry has stayed or gone, and nothing else
 * has; then the file system is unmounted and its device must be free. Why an entry went is read
 * from the tracepoint. While an entry is there it must be the one that the inode's name leads to.
 * Eviction is proven each time by a weak entry of another file.
 */
#include "harness.h"
#include "fuse_server.h"

#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define TRACEFS_DIR	"/sys/kernel/tracing"
#define TRACE_EVENT	TRACEFS_DIR "/events/inode_map/inode_map_remove/enable"
#define CGROUP		"/sys/fs/cgroup/inode_map_lifetime"

#define KPROBE_GROUP	"inode_map_lifetime"
#define KPROBE_DIR	TRACEFS_DIR "/events/" KPROBE_GROUP "/probe/"

#define MIB		(1024UL * 1024)

/* --- The tables ----------------------------------------------------------- */

enum outcome {
	STAYS,		/* and its name leads to it */
	LINGERS,	/* stays, but its name leads to another inode or is gone */
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
	SHRINK	= 1 << 5,	/* unused inodes, whatever becomes of them */
	CLOSE	= 1 << 6,	/* inodes that live as long as descriptors */
	PROCESS	= 1 << 7,	/* inodes of a process */
	SUBVOL	= 1 << 8,
	LAYERS	= 1 << 9,
	KPROBE	= 1 << 10,
	BIND	= 1 << 11,
	SERVER	= 1 << 12,
	NEEDS	= 13,
};

/* Why an event does not apply, for people. */
static const char *const lacks[NEEDS] = {
	"no files that can be removed",
	"no directories that can be removed",
	"never unmounted while the kernel runs",
	"no block device",
	"can't be frozen",
	"every inode is in use as long as it exists",
};

/* Other properties of a file system. */
enum {
	BLOCKS		= 1 << 16,	/* removed files give their blocks back */
	INTERNAL	= 1 << 17,	/* entries are weak, whatever was asked */
	READ_ONLY	= 1 << 18,
};

struct fs {
	const char *name;		/* of cases and in the table */
	const char *type;		/* to mount at m */
	const char *mkfs;		/* command that makes an image; what follows is its path */
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
	BUSY	= 1 << 1,	/* ... and so the file system can't be unmounted after it */
	GONE	= 1 << 2,	/* the file system is not mounted at m any more */
	ATTACHED = 1 << 3,	/* the device is not to be detached with the file system */
	FREES	= 1 << 4,	/* the blocks are given back in the end */
	CHARGED	= 1 << 5,	/* the inode belongs to a memory cgroup */
	SPOILS	= 1 << 6,	/* the image is to be made anew */
};

enum event_id {
	UNLINK, UNLINK_OPEN, RENAME_OVER, LAST_LINK, RMDIR, DROP_CACHES, MEMORY, UMOUNTED, LAZY,
	NAMESPACE, DETACH, DEVICE_FAILS, REMOUNT, FROZEN, CREATOR, LAST_CLOSE, EXIT, BIND_UMOUNT,
	COPY_UP, SUBVOL_DELETE, SERVER_DELETES, SERVER_FORGETS, SERVER_DIES, KPROBE_REMOVED,
	MAP_FREED, MAP_WALKED, UNLOAD, NR_EVENTS,
};

static void mount_layers(void);
static void umount_layers(void);
static void mount_subvolume(void);
static void mount_fuse(void);
static void mount_proc(void);
static void add_kprobe(void);
static void remove_kprobe(void);
static void start_process(void);
static int open_subvolume_file(void);
static int open_process_file(void);
static int open_kprobe_file(void);
static int open_namespace(void);
static int open_pidfd(void);
static int open_pipe(void);
static int open_socket(void);

static const struct fs filesystems[NR_FS] = {
	[EXT4] = {
		.name = "ext4", .type = "ext4", .mkfs = "mkfs.ext4 -q", .megabytes = 16,
		.has = FILES | DIRS | UMOUNT | DEVICE | FREEZE | SHRINK | BLOCKS,
	},
	[XFS] = {
		.name = "xfs", .type = "xfs", .mkfs = "mkfs.xfs -q -f", .megabytes = 300,
		.has = FILES | DIRS | UMOUNT | DEVICE | FREEZE | SHRINK | BLOCKS,
	},
	[BTRFS] = {
		.name = "btrfs", .type = "btrfs", .mkfs = "mkfs.btrfs -q", .megabytes = 128,
		.has = FILES | DIRS | UMOUNT | DEVICE | FREEZE | SHRINK | BLOCKS,
	},
	[SUBVOLUME] = {
		.name = "btrfs subvolume", .type = "btrfs", .mkfs = "mkfs.btrfs -q",
		.megabytes = 128, .file = "m/a/f", .twin = "m/b/f", .dir = "m/a/d",
		.setup = mount_subvolume, .open = open_subvolume_file,
		.has = FILES | DIRS | UMOUNT | DEVICE | FREEZE | SHRINK | BLOCKS | SUBVOL,
	},
	[TMPFS] = {
		.name = "tmpfs", .type = "tmpfs",
		.has = FILES | DIRS | UMOUNT | SHRINK | BLOCKS,
	},
	[OVERLAY] = {
		.name = "overlayfs", .type = "overlay", .setup = mount_layers,
		.teardown = umount_layers,
		.has = FILES | DIRS | UMOUNT | SHRINK,
	},
	[LOWER] = {
		.name = "overlayfs lower", .type = "overlay", .setup = mount_layers,
		.teardown = umount_layers, .file = "m/lower", .dir = "m/lower-dir",
		.has = FILES | DIRS | UMOUNT | SHRINK | LAYERS,
	},
	[FUSE] = {
		.name = "FUSE", .type = "fuse", .setup = mount_fuse,
		.has = FILES | DIRS | UMOUNT | SHRINK | SERVER,
	},
	[SQUASHFS] = {
		.name = "squashfs", .type = "squashfs",
		.mkfs = "mksquashfs image-files", .has = UMOUNT | DEVICE | SHRINK | READ_ONLY,
	},
	[ISO9660] = {
		.name = "iso9660", .type = "iso9660",
		/* Which does not write where a symbolic link leads. */
		.mkfs = "xorriso -as mkisofs -quiet -R -o image image-files && cp image",
		.has = UMOUNT | DEVICE | SHRINK | READ_ONLY,
	},
	[PROCFS] = {
		.name = "procfs", .type = "proc", .setup = mount_proc, .open = open_process_file,
		.has = UMOUNT | SHRINK | PROCESS,
	},
	[TRACEFS] = {
		.name = "tracefs", .setup = add_kprobe, .open = open_kprobe_file,
		.teardown = remove_kprobe, .file = KPROBE_DIR "format",
		.canary = KPROBE_DIR "id", .twin = KPROBE_DIR "filter",
		.dir = TRACEFS_DIR "/instances/lifetime",
		.has = DIRS | SHRINK | KPROBE | INTERNAL,
	},
	[NSFS] = {
		.name = "nsfs", .setup = start_process, .open = open_namespace,
		.has = CLOSE | PROCESS | BIND | INTERNAL,
	},
	[PIDFS] = {
		.name = "pidfs", .setup = start_process, .open = open_pidfd,
		.has = CLOSE | PROCESS | INTERNAL,
	},
	[PIPE] = { .name = "pipes", .open = open_pipe, .has = CLOSE | INTERNAL },
	[SOCKET] = { .name = "sockets", .open = open_socket, .has = CLOSE | INTERNAL },
};

static void put_file(void);
static void put_rename(void);
static void put_links(void);
static void put_dir(void);
static void put_by_child(void);
static void put_in_cgroup(void);
static void put_in_namespace(void);
static void put_bind_mount(void);
static void put_and_walk(void);
static void event_unlink(void);
static void event_rename(void);
static void event_unlink_link(void);
static void event_rmdir(void);
static void event_drop_caches(void);
static void event_memory(void);
static void event_umount(void);
static void event_lazy_umount(void);
static void event_kill_child(void);
static void event_detach(void);
static void event_device_fails(void);
static void event_remount(void);
static void event_freeze(void);
static void event_thaw(void);
static void event_close(void);
static void event_exit(void);
static void event_write(void);
static void event_delete_subvolume(void);
static void event_delete_entry(void);
static void event_notify_delete(void);
static void event_notify_invalid(void);
static void event_kill_server(void);
static void event_remove_kprobe(void);
static void event_add_kprobe(void);
static void event_close_map(void);
static void event_end_walk(void);
static void event_unload(void);

#define EXPECT(pinned0, pinned1, weak0, weak1) \
	.expect = { .pinned = { pinned0, pinned1 }, .weak = { weak0, weak1 } }
#define EXPECT_BOTH(outcome0, outcome1)	EXPECT(outcome0, outcome1, outcome0, outcome1)
#define EXPECT_ONE(pinned, weak)	EXPECT(pinned, pinned, weak, weak)

static const struct event events[NR_EVENTS] = {
	[UNLINK] = {
		.name = "unlink", .text = { "removed" },
		.needs = FILES, .flags = FREES, .step = { event_unlink },
		EXPECT_ONE(UNLINKED, UNLINKED),
	},
	[UNLINK_OPEN] = {
		.name = "unlink-open",
		.text = { "removed while open (`umount` says `EBUSY`)", "closed" },
		.needs = FILES, .flags = OPEN | BUSY | FREES, .step = { event_unlink, event_close },
		EXPECT_BOTH(STAYS, UNLINKED),
	},
	[RENAME_OVER] = {
		.name = "rename-over", .text = { "replaced by a rename" },
		.needs = FILES, .flags = FREES, .extra = 1, .prepare = put_rename,
		.step = { event_rename }, EXPECT_ONE(UNLINKED, UNLINKED),
	},
	[LAST_LINK] = {
		.name = "last-link", .text = { "one of two hard links removed", "the other, too" },
		.needs = FILES, .flags = FREES, .prepare = put_links,
		.step = { event_unlink_link, event_unlink }, EXPECT_BOTH(STAYS, UNLINKED),
	},
	[RMDIR] = {
		.name = "rmdir", .text = { "a directory, removed" },
		.needs = DIRS, .prepare = put_dir, .step = { event_rmdir },
		EXPECT_ONE(UNLINKED, UNLINKED),
	},
	[DROP_CACHES] = {
		.name = "drop-caches", .text = { "caches dropped (`drop_caches`)" },
		.needs = SHRINK, .step = { event_drop_caches }, EXPECT_ONE(STAYS, EVICTED),
	},
	[MEMORY] = {
		.name = "memory-pressure", .text = { "memory pressure in its memory cgroup" },
		.needs = SHRINK, .flags = CHARGED, .prepare = put_in_cgroup,
		.step = { event_memory }, EXPECT_ONE(STAYS, EVICTED),
	},
	[UMOUNTED] = {
		.name = "umount", .text = { "unmounted" },
		.needs = UMOUNT, .flags = GONE, .step = { event_umount },
		EXPECT_ONE(UNMOUNTED, UNMOUNTED),
	},
	[LAZY] = {
		.name = "lazy-umount",
		.text = { "unmounted lazily while a file is open", "closed" },
		.needs = UMOUNT, .flags = OPEN | GONE, .step = { event_lazy_umount, event_close },
		EXPECT_BOTH(STAYS, UNMOUNTED),
	},
	[NAMESPACE] = {
		.name = "namespace",
		.text = { "mounted in another mount namespace only", "that ends" },
		.needs = UMOUNT, .flags = GONE, .prepare = put_in_namespace,
		.step = { event_umount, event_kill_child }, EXPECT_BOTH(STAYS, UNMOUNTED),
	},
	[DETACH] = {
		.name = "detach", .text = { "its loop device detached", "unmounted" },
		.needs = DEVICE, .flags = ATTACHED | GONE, .step = { event_detach, event_umount },
		EXPECT_BOTH(STAYS, UNMOUNTED),
	},
	[DEVICE_FAILS] = {
		.name = "device-fails", .text = { "its device loses all its blocks", "unmounted" },
		.needs = DEVICE, .flags = ATTACHED | GONE | SPOILS,
		.step = { event_device_fails, event_umount }, EXPECT_BOTH(STAYS, UNMOUNTED),
	},
	[REMOUNT] = {
		.name = "remount", .text = { "remounted read-only" },
		.needs = UMOUNT, .step = { event_remount }, EXPECT_ONE(STAYS, STAYS),
	},
	[FROZEN] = {
		.name = "freeze", .text = { "frozen", "thawed" },
		.needs = FREEZE, .step = { event_freeze, event_thaw }, EXPECT_BOTH(STAYS, STAYS),
	},
	[CREATOR] = {
		.name = "creator-dies", .text = { "the process that made file and entry killed" },
		.prepare = put_by_child, .step = { event_kill_child }, EXPECT_ONE(STAYS, STAYS),
	},
	[LAST_CLOSE] = {
		.name = "close", .text = { "last descriptor closed" },
		.needs = CLOSE, .step = { event_close }, EXPECT_ONE(EVICTED, EVICTED),
	},
	[EXIT] = {
		.name = "exit", .text = { "the process it belongs to ends" },
		.needs = PROCESS, .step = { event_exit }, EXPECT_ONE(STAYS, STAYS),
	},
	[BIND_UMOUNT] = {
		.name = "bind-umount",
		.text = { "bind-mounted, and no descriptor left", "that mount unmounted" },
		.needs = BIND, .prepare = put_bind_mount, .step = { event_exit, event_umount },
		EXPECT_BOTH(STAYS, EVICTED),
	},
	[COPY_UP] = {
		.name = "copy-up", .text = { "copied up", "caches dropped" },
		.needs = LAYERS, .step = { event_write, event_drop_caches },
		EXPECT(STAYS, STAYS, STAYS, EVICTED),
	},
	[SUBVOL_DELETE] = {
		.name = "subvolume-delete",
		.text = { "its subvolume deleted", "the entry (then the blocks are free)" },
		.needs = SUBVOL, .flags = FREES,
		.step = { event_delete_subvolume, event_delete_entry },
	},
	[SERVER_DELETES] = {
		.name = "server-deletes",
		.text = { "removed at the server, which tells (`FUSE_NOTIFY_DELETE`)" },
		.needs = SERVER, .step = { event_notify_delete }, EXPECT_ONE(UNLINKED, UNLINKED),
	},
	[SERVER_FORGETS] = {
		.name = "server-invalidates",
		.text = { "its name invalidated by the server (`FUSE_NOTIFY_INVAL_ENTRY`)" },
		.needs = SERVER, .step = { event_notify_invalid }, EXPECT_ONE(STAYS, EVICTED),
	},
	[SERVER_DIES] = {
		.name = "server-dies", .text = { "its server killed", "unmounted" },
		.needs = SERVER, .flags = GONE, .step = { event_kill_server, event_umount },
		EXPECT_BOTH(STAYS, UNMOUNTED),
	},
	[KPROBE_REMOVED] = {
		.name = "kprobe",
		.text = { "its kprobe event removed", "one of that name added" },
		.needs = KPROBE, .step = { event_remove_kprobe, event_add_kprobe },
		EXPECT_ONE(LINGERS, EVICTED),
	},
	[MAP_FREED] = {
		.name = "map-freed", .text = { "the map freed" },
		.step = { event_close_map }, EXPECT_ONE(FREED, FREED),
	},
	[MAP_WALKED] = {
		.name = "map-freed-walked",
		.text = { "the map closed, but by one who walks it", "by that one, too" },
		.extra = 2, .prepare = put_and_walk, .step = { event_close_map, event_end_walk },
		EXPECT_BOTH(STAYS, FREED),
	},
	[UNLOAD] = {
		.name = "unload", .text = { "the module to be unloaded (`rmmod` is refused)" },
		.step = { event_unload }, EXPECT_ONE(STAYS, STAYS),
	},
};

#define EXCEPT(fs_, event_, pinned_, weak_, why_) \
	{ .fs = fs_, .event = event_, .expect = { .pinned = { pinned_, pinned_ }, \
	  .weak = { weak_, weak_ }, .why = why_ } }
#define NOT(fs_, event_, why_)	{ .fs = fs_, .event = event_, .expect = { .not = why_ } }

#define MEMORY_ONLY	"its inodes exist in memory only"
#define UNUSED_NAMES	"that drops the names not in use, and they the inodes"
#define NEW_LINK	"the other name is not in memory before it is used"
#define FORGETS		"a new inode is made for the name"
#define IN_USE		"btrfs keeps a deleted subvolume while an inode of it is in use"
#define LAST_DESCRIPTOR	"that process had the last descriptor"

static const struct {
	enum fs_id fs;
	enum event_id event;
	struct expect expect;
} exceptions[] = {
	EXCEPT(TMPFS, DROP_CACHES, STAYS, STAYS, MEMORY_ONLY),
	EXCEPT(TMPFS, MEMORY, STAYS, STAYS, MEMORY_ONLY),
	EXCEPT(PROCFS, DROP_CACHES, LINGERS, EVICTED, FORGETS),
	EXCEPT(PROCFS, MEMORY, LINGERS, EVICTED, FORGETS),
	EXCEPT(PROCFS, REMOUNT, LINGERS, EVICTED, FORGETS),
	EXCEPT(OVERLAY, REMOUNT, STAYS, EVICTED, UNUSED_NAMES),
	EXCEPT(LOWER, REMOUNT, STAYS, EVICTED, UNUSED_NAMES),
	EXCEPT(FUSE, REMOUNT, STAYS, EVICTED, UNUSED_NAMES),
	{ OVERLAY, LAST_LINK, { { STAYS, UNLINKED }, { EVICTED, EVICTED }, NEW_LINK, NULL } },
	{ LOWER, LAST_LINK, { { STAYS, UNLINKED }, { EVICTED, EVICTED }, NEW_LINK, NULL } },
	EXCEPT(PROCFS, EXIT, LINGERS, EVICTED, "the name goes, no link is counted"),
	EXCEPT(NSFS, CREATOR, EVICTED, EVICTED, LAST_DESCRIPTOR),
	EXCEPT(PIDFS, CREATOR, EVICTED, EVICTED, LAST_DESCRIPTOR),
	EXCEPT(PIPE, CREATOR, EVICTED, EVICTED, LAST_DESCRIPTOR),
	EXCEPT(SOCKET, CREATOR, EVICTED, EVICTED, LAST_DESCRIPTOR),
	{ SUBVOLUME, SUBVOL_DELETE, { { LINGERS, DELETED }, { EVICTED, EVICTED }, IN_USE, NULL } },
	NOT(SQUASHFS, REMOUNT, "can't be remounted read-only, being it"),
	NOT(ISO9660, REMOUNT, "can't be remounted read-only, being it"),
};

/* --- What the cases have in common ---------------------------------------- */

struct cell {
	struct test test;
	const struct fs *fs;
	const struct event *event;
	const struct expect *expect;
	__u32 flags;
};

/* Of the case that runs; its processes share it. */
static struct state {
	const struct cell *cell;
	int map;
	unsigned int map_id;
	unsigned int handle;
	int fd;			/* the inode's, or -1 */
	char path[128];		/* its name, or "" */
	int loop;		/* device, or -1 */
	char device[32];
	bool mounted;		/* m is */
	unsigned long free;	/* bytes, without the file */
	pid_t process;		/* that the inode belongs to */
	pid_t child;
	int fuse;		/* the server's device, or -1 */
	FILE *trace;
	char reason[32];	/* from there */
	int ready;		/* steps that the child has done */
	int go;			/* and may do */
} *s;

/* Images by file system: files without a name, empty until they are needed. */
static int images[NR_FS];

static const struct fs *fs(void)
{
	return s->cell->fs;
}

static bool has(unsigned int property)
{
	return (fs()->has & property) == property;
}

static bool event_has(unsigned int flag)
{
	return s->cell->event->flags & flag;
}

static const char *file_path(void)
{
	return fs()->file ?: "m/f";
}

static const char *dir_path(void)
{
	return fs()->dir ?: "m/d";
}

/* A name in the file's directory. */
static const char *beside(const char *name)
{
	static char path[128];
	const char *file = file_path();

	snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(file, '/') - file), file, name);
	return path;
}

static void set_path(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->path, sizeof(s->path), format, args);
	va_end(args);
}

/* Wait, in whichever process, until another one has come so far. */
struct turn {
	int *turn;
	int value;
};

static bool is_turn(void *turn_)
{
	struct turn *turn = turn_;

	return __atomic_load_n(turn->turn, __ATOMIC_ACQUIRE) >= turn->value;
}

static void wait_turn(int *turn, int value, const char *who)
{
	if (!wait_until(is_turn, &(struct turn){ turn, value }, 60))
		FAIL("%s does not get ready", who);
}

static void next_turn(int *turn)
{
	__atomic_add_fetch(turn, 1, __ATOMIC_RELEASE);
}

static void kill_process(pid_t *pid)
{
	if (!*pid)
		return;
	CHECK_SYS(kill(*pid, SIGKILL));
	CHECK_SYS(waitpid(*pid, NULL, 0));
	*pid = 0;
}

static void wait_for_end(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

/* --- File systems --------------------------------------------------------- */

static bool kernel_has(const char *type)
{
	char name[32], line[64];
	bool found = false;
	FILE *file;

	for (int tried = 0; !found && tried < 2; tried++) {
		if (tried)
			sh("modprobe -q %s", strcmp(type, "iso9660") ? type : "isofs");
		file = fopen("/proc/filesystems", "re");
		CHECK(file);
		while (!found && fgets(line, sizeof(line), file))
			found = sscanf(strchr(line, '\t'), "%31s", name) == 1 &&
				!strcmp(name, type);
		fclose(file);
	}
	return found;
}

static void make_image(int image)
{
	char tool[32];

	CHECK(sscanf(fs()->mkfs, "%31s", tool) == 1);
	if (sh("command -v %s >/dev/null", tool))
		SKIP("there is no %s here", tool);
	if (has(READ_ONLY)) {
		CHECK_SYS(mkdir("image-files", 0755));
		file_write("image-files/f", "content\n");
		file_write("image-files/canary", "content\n");
	}
	CHECK_SYS(ftruncate(image, fs()->megabytes * MIB));
	if (sh("%s /proc/%d/fd/%d %s >mkfs.log 2>&1 </dev/null", fs()->mkfs, getpid(), image,
	       strcmp(tool, "mksquashfs") ? "" : "-noappend -no-progress -no-xattrs")) {
		sh("sed 's/^/# /' mkfs.log");
		FAIL("%s failed", tool);
	}
}

static void attach_image(int image)
{
	struct loop_config config = {
		.fd = image,
		.info.lo_flags = has(READ_ONLY) ? LO_FLAGS_READ_ONLY : 0,
	};
	int control;

	if (access("/dev/loop-control", F_OK))
		sh("modprobe loop");
	control = file_open("/dev/loop-control", O_RDWR);
	snprintf(s->device, sizeof(s->device), "/dev/loop%lld",
		 (long long)CHECK_SYS(ioctl(control, LOOP_CTL_GET_FREE)));
	close(control);
	s->loop = file_open(s->device, has(READ_ONLY) ? O_RDONLY : O_RDWR);
	CHECK_SYS(ioctl(s->loop, LOOP_CONFIGURE, &config));
}

static void detach_image(void)
{
	CHECK_SYS(ioctl(s->loop, LOOP_CLR_FD));
	close(s->loop);
	s->loop = -1;
}

static void mount_fs(const char *options)
{
	const char *source = fs()->name;

	if (!kernel_has(fs()->type))
		SKIP("this kernel has no %s", fs()->type);
	CHECK_SYS(mkdir("m", 0755));
	if (has(DEVICE)) {
		int image = images[fs() - filesystems];
		struct stat stat;

		CHECK_SYS(fstat(image, &stat));
		if (!stat.st_size)
			make_image(image);
		attach_image(image);
		source = s->device;
	}
	if (mount(source, "m", fs()->type, has(READ_ONLY) ? MS_RDONLY : 0, options))
		FAIL("mounting %s: %s", fs()->name, strerror(errno));
	s->mounted = true;
	/* Then the device goes with the mount, whatever happens to us. */
	if (has(DEVICE) && !event_has(ATTACHED))
		detach_image();
}

static void mount_layers(void)
{
	CHECK_SYS(mkdir("layers", 0755));
	CHECK_SYS(mount("layers", "layers", "tmpfs", 0, NULL));
	CHECK_SYS(mkdir("layers/lower", 0755));
	CHECK_SYS(mkdir("layers/upper", 0755));
	CHECK_SYS(mkdir("layers/work", 0755));
	file_write("layers/lower/lower", "content\n");
	CHECK_SYS(mkdir("layers/lower/lower-dir", 0755));
	mount_fs("lowerdir=layers/lower,upperdir=layers/upper,workdir=layers/work");
}

static void umount_layers(void)
{
	CHECK_SYS(umount("layers"));
}

static int snapshot_ioctl(unsigned long request, const char *name, int source)
{
	struct btrfs_ioctl_vol_args_v2 snapshot = { .fd = source };
	struct btrfs_ioctl_vol_args subvolume = { };
	int fd = file_open("m", O_RDONLY), ret;

	strcpy(snapshot.name, name);
	strcpy(subvolume.name, name);
	ret = ioctl(fd, request, request == BTRFS_IOC_SNAP_CREATE_V2 ? (void *)&snapshot :
								       (void *)&subvolume);
	close(fd);
	return ret;
}

static void delete_subvolumes(void)
{
	for (int i = 0; i < 2; i++)
		if (snapshot_ioctl(BTRFS_IOC_SNAP_DESTROY, i ? "b" : "a", 0))
			CHECK_EQ(errno, ENOENT);
}

static void mount_subvolume(void)
{
	/* What is deleted is cleaned up once in so many seconds. */
	mount_fs("commit=1");
	delete_subvolumes();
	CHECK_SYS(snapshot_ioctl(BTRFS_IOC_SUBVOL_CREATE, "a", 0));
}

static void mount_proc(void)
{
	mount_fs(NULL);
	s->process = child_start(wait_for_end, NULL);
}

static void serve(void *unused)
{
	CHECK_OK(fuse_server_run(s->fuse));
	/* Unmounted. */
	wait_for_end(unused);
}

static void mount_fuse(void)
{
	char options[64];

	if (!kernel_has(fs()->type))
		SKIP("this kernel has no FUSE");
	s->fuse = file_open("/dev/fuse", O_RDWR);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", s->fuse);
	mount_fs(options);
	s->process = child_start(serve, NULL);
}

static void unshared(void *unused)
{
	CHECK_SYS(unshare(CLONE_NEWUTS));
	next_turn(&s->ready);
	wait_for_end(unused);
}

static void start_process(void)
{
	s->process = child_start(unshared, NULL);
	wait_turn(&s->ready, 1, "the process");
	s->ready = 0;
}

static void trace_write(const char *file, const char *text, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACEFS_DIR "/%s", file);
	fd = file_open(path, O_WRONLY | flags);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("writing \"%s\" to %s: %s", text, path, strerror(errno));
	close(fd);
}

static void add_kprobe(void)
{
	if (access(TRACEFS_DIR "/kprobe_events", W_OK))
		SKIP("this kernel has no kprobe events");
	remove_kprobe();
	trace_write("kprobe_events", "p:" KPROBE_GROUP "/probe vfs_fsync\n", O_APPEND);
}

static void remove_kprobe(void)
{
	if (!access(KPROBE_DIR, F_OK))
		trace_write("kprobe_events", "-:" KPROBE_GROUP "/probe\n", O_APPEND);
}

static void setup_fs(void)
{
	if (fs()->setup)
		fs()->setup();
	else if (fs()->type)
		mount_fs(NULL);
}

/* --- Inodes --------------------------------------------------------------- */

static bool counts_blocks(void)
{
	return has(BLOCKS) && event_has(FREES);
}

static unsigned long free_bytes(void)
{
	struct statfs stat;
	int fd = file_open("m", O_RDONLY);

	CHECK_SYS(syncfs(fd));
	close(fd);
	CHECK_SYS(statfs("m", &stat));
	return stat.f_bfree * stat.f_bsize;
}

/* Four megabytes: more than a file system may take for other things meanwhile. */
static void write_blocks(const char *path)
{
	static char block[MIB];
	int fd = file_open(path, O_WRONLY | O_CREAT);
	unsigned long free;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 4; i++)
		CHECK(write(fd, block, sizeof(block)) == sizeof(block));
	close(fd);
	free = free_bytes();
	if (free + 3 * MIB > s->free)
		FAIL("%lu bytes were free before 4 MiB were written, and %lu are", s->free, free);
}

static bool are_blocks_free(void *unused)
{
	(void)unused;
	return free_bytes() + MIB > s->free;
}

static void check_blocks(void)
{
	if (!wait_until(are_blocks_free, NULL, 10))
		FAIL("the blocks are not given back: %lu bytes were free and %lu are", s->free,
		     free_bytes());
}

static int open_file(void)
{
	set_path("%s", file_path());
	/* A name that nobody looked up: what is in memory of it already is not the cgroup's. */
	if (event_has(CHARGED) && !has(LAYERS) && has(FILES))
		set_path("%s", beside("charged"));
	if (has(READ_ONLY) || has(LAYERS))
		return file_open(s->path, O_RDONLY);
	if (counts_blocks()) {
		/* The directory and the file system have what they need. */
		close(file_create(s->path));
		s->free = free_bytes();
		write_blocks(s->path);
	}
	return file_create(s->path);
}

/* The snapshot has a file of the same number. It would also keep the blocks. */
static int open_subvolume_file(void)
{
	int fd = open_file(), subvolume = file_open("m/a", O_RDONLY);

	if (!counts_blocks())
		CHECK_SYS(snapshot_ioctl(BTRFS_IOC_SNAP_CREATE_V2, "b", subvolume));
	close(subvolume);
	return fd;
}

static int open_process_file(void)
{
	set_path("m/%d/status", s->process);
	return file_open(s->path, O_RDONLY);
}

static int open_kprobe_file(void)
{
	set_path("%s", file_path());
	return file_open(s->path, O_RDONLY);
}

static int open_namespace(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", s->process);
	return file_open(path, O_RDONLY);
}

static int open_pidfd(void)
{
	return CHECK_SYS(syscall(SYS_pidfd_open, s->process, 0));
}

static int open_pipe(void)
{
	int fds[2];

	CHECK_SYS(pipe2(fds, O_CLOEXEC));
	close(fds[1]);
	return fds[0];
}

static int open_socket(void)
{
	return CHECK_SYS(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* --- Entries -------------------------------------------------------------- */

static __u32 handle_of(int fd)
{
	struct inode_map_key key;

	/* Walks meet the newest entry first. */
	CHECK_SYS(bpf_map_get_next_key(s->map, NULL, &key));
	CHECK_EQ(map_get(s->map, fd), 1);
	return key.handle;
}

/* Give the inode its entry. The descriptor stays open where the case needs it. */
static void put(int fd)
{
	map_put(s->map, fd, 1, s->cell->flags);
	s->handle = handle_of(fd);
	if (fs()->twin && !strcmp(s->path, file_path()) && !access(fs()->twin, F_OK)) {
		int twin = file_open(fs()->twin, O_RDONLY);

		CHECK_EQ(file_ino(fs()->twin), file_ino(s->path));
		CHECK(!map_has(s->map, twin));
		close(twin);
	}
	if (s->path[0] && !event_has(OPEN)) {
		close(fd);
		fd = -1;
	}
	s->fd = fd;
}

static void put_file(void)
{
	put(fs()->open ? fs()->open() : open_file());
}

/* A file that is to replace it, which has an entry, too. */
static void put_rename(void)
{
	int fd;

	put_file();
	fd = file_create(beside("new"));
	map_put(s->map, fd, 2, s->cell->flags);
	close(fd);
}

static void put_links(void)
{
	int fd = fs()->open ? fs()->open() : open_file();

	CHECK_SYS(link(s->path, beside("link")));
	put(fd);
}

static void put_dir(void)
{
	set_path("%s", dir_path());
	if (mkdir(s->path, 0755))
		CHECK_EQ(errno, EEXIST);
	put(file_open(s->path, O_RDONLY | O_DIRECTORY));
}

static void child(void *run)
{
	((void (*)(void))run)();
	/* A descriptor is the child's own. */
	s->fd = -1;
	next_turn(&s->ready);
	wait_for_end(NULL);
}

static void start_child(void (*run)(void))
{
	int ready = s->ready;

	s->child = child_start(child, run);
	wait_turn(&s->ready, ready + 1, "the child process");
}

static void put_by_child(void)
{
	start_child(put_file);
}

static const char *canary_path(void)
{
	static char path[64];

	if (fs()->type && !strcmp(fs()->type, "proc"))
		snprintf(path, sizeof(path), "m/%d/comm", s->process);
	else
		snprintf(path, sizeof(path), "%s", fs()->canary ?: "m/canary");
	return path;
}

static int canary_map;

/* A weak entry that goes when inodes of the file system are evicted: the newest goes last. */
static void put_canary(void)
{
	int fd;

	if (access(canary_path(), F_OK))
		fd = file_create(canary_path());
	else
		fd = file_open(canary_path(), O_RDONLY);
	map_put(canary_map, fd, 1, INODE_MAP_WEAK);
	close(fd);
}

/*
 * procfs frees half of what is not in use, each time, and so never the last. Here are some more
 * names that are in use less.
 */
static void look_up_names(void)
{
	static const char *const names[] = { "stat", "maps", "limits", "environ", "io", "mem" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "m/%d/%s", s->process, names[i]);
		access(path, F_OK);
	}
}

static void put_file_and_canary(void)
{
	file_write(CGROUP "/cgroup.procs", "0");
	put_file();
	put_canary();
	/* Dirty inodes are in use. */
	sync();
}

static void put_in_cgroup(void)
{
	char controllers[256] = "";

	if (!access("/sys/fs/cgroup/cgroup.controllers", R_OK))
		file_read("/sys/fs/cgroup/cgroup.controllers", controllers, sizeof(controllers));
	if (!strstr(controllers, "memory"))
		SKIP("this kernel has no memory cgroups");
	file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755))
		CHECK_EQ(errno, EEXIST);
	file_write(CGROUP "/memory.high", "max");
	canary_map = map_create(32, 4, 1);
	start_child(put_file_and_canary);
	kill_process(&s->child);
}

static void unshare_mounts(void)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
}

static void put_in_namespace(void)
{
	put_file();
	start_child(unshare_mounts);
}

static void put_bind_mount(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", s->process);
	close(file_create("m"));
	CHECK_SYS(mount(path, "m", NULL, MS_BIND, NULL));
	s->mounted = true;
	set_path("m");
	put(file_open("m", O_RDONLY));
}

static void walk(void)
{
	struct inode_map_key key;
	char byte[2] = "";
	int listing = file_open("/proc/inode_map", O_RDONLY);
	int map = CHECK_SYS(bpf_map_get_fd_by_id(s->map_id));
	unsigned int rest = 0;

	close(s->map);
	CHECK_SYS(bpf_map_get_next_key(map, NULL, &key));
	/* Into the first line after the head. */
	while (byte[0] != '\n')
		CHECK(read(listing, byte, 1) == 1);
	CHECK(read(listing, byte, 1) == 1);

	next_turn(&s->ready);
	wait_turn(&s->go, 1, "the other process");
	CHECK_SYS(bpf_map_get_next_key(map, &key, &key));
	close(map);
	counts_wait(0, 0, 0, 0);
	while (read(listing, byte, 1) == 1)
		rest += byte[0] == '\n';
	/* The line that was begun. */
	CHECK_EQ(rest, 1);
	next_turn(&s->ready);
	wait_for_end(NULL);
}

/* Not in the way of what is tested: these are on another file system. */
static void put_and_walk(void)
{
	int fd;

	for (int i = 0; i < 2; i++) {
		fd = file_create(i ? "other" : "another");
		map_put(s->map, fd, 2, s->cell->flags);
		close(fd);
	}
	put_file();
	start_child(walk);
}

/* --- Events --------------------------------------------------------------- */

static void event_unlink(void)
{
	CHECK_SYS(unlink(s->path));
	if (s->fd >= 0)
		s->path[0] = 0;
}

static void event_unlink_link(void)
{
	event_unlink();
	set_path("%s", beside("link"));
}

static void event_rename(void)
{
	int fd;

	CHECK_SYS(rename(beside("new"), s->path));
	fd = file_open(s->path, O_PATH);
	CHECK_EQ(map_get(s->map, fd), 2);
	close(fd);
}

static void event_rmdir(void)
{
	CHECK_SYS(rmdir(s->path));
}

static void event_close(void)
{
	close(s->fd);
	s->fd = -1;
}

static bool is_canary_gone(void *unused)
{
	(void)unused;
	if (has(PROCESS))
		look_up_names();
	drop_caches();
	return !map_count(canary_map);
}

static unsigned int nr_steps(const struct event *event)
{
	return event->step[1] ? 2 : 1;
}

/* Whether a weak entry is expected to be evicted, so that one can tell that inodes are. */
static bool evicts(void)
{
	return s->cell->expect->weak[nr_steps(s->cell->event) - 1] == EVICTED;
}

static void event_drop_caches(void)
{
	if (!evicts()) {
		drop_caches();
		drop_caches();
		return;
	}
	canary_map = map_create(32, 4, 1);
	put_canary();
	if (!wait_until(is_canary_gone, NULL, 20))
		FAIL("dropping caches evicts nothing");
	close(canary_map);
}

static bool is_canary_gone_under_pressure(void *unused)
{
	(void)unused;
	file_write(CGROUP "/memory.high", "0");
	return !map_count(canary_map);
}

static bool is_all_gone_under_pressure(void *unused)
{
	(void)unused;
	/* What has become dirty since. */
	sync();
	file_write(CGROUP "/memory.high", "0");
	return !map_count(s->map);
}

/* Reclaim goes as far as it is asked to, and in its own order: a canary's end is not everybody's. */
static void event_memory(void)
{
	if (!evicts())
		is_canary_gone_under_pressure(NULL);
	else if (!wait_until(is_canary_gone_under_pressure, NULL, 20))
		FAIL("memory pressure evicts nothing");
	/* Whether it went is for others to see. */
	if (evicts() && s->cell->flags)
		wait_until(is_all_gone_under_pressure, NULL, 20);
	else
		is_canary_gone_under_pressure(NULL);
	close(canary_map);
	CHECK_SYS(rmdir(CGROUP));
}

static void event_umount(void)
{
	char path[sizeof(s->path)];

	CHECK_SYS(umount("m"));
	s->mounted = false;
	if (s->child) {
		strcpy(path, s->path);
		set_path("/proc/%d/root" DIR_PATH "/%s", s->child, path);
	}
}

static void event_lazy_umount(void)
{
	CHECK_SYS(umount2("m", MNT_DETACH));
	s->mounted = false;
	s->path[0] = 0;
}

static void event_kill_child(void)
{
	kill_process(&s->child);
}

static void event_detach(void)
{
	detach_image();
}

/* No device can be pulled out here; to shrink one to nothing makes every access to it fail. */
static void event_device_fails(void)
{
	CHECK_SYS(ftruncate(images[fs() - filesystems], 0));
	CHECK_SYS(ioctl(s->loop, LOOP_SET_CAPACITY));
	detach_image();
}

static void event_remount(void)
{
	CHECK_SYS(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
}

static void freeze(unsigned long request)
{
	int fd = file_open("m", O_RDONLY);

	CHECK_SYS(ioctl(fd, request, 0));
	close(fd);
}

/* Entries can be changed meanwhile. */
static void event_freeze(void)
{
	int fd;

	freeze(FIFREEZE);
	fd = file_open(s->path, O_PATH);
	map_put(s->map, fd, 1, s->cell->flags);
	close(fd);
}

static void event_thaw(void)
{
	freeze(FITHAW);
}

static void event_exit(void)
{
	kill_process(&s->process);
}

static void event_write(void)
{
	close(file_open(s->path, O_WRONLY));
	CHECK_SYS(access("layers/upper/lower", F_OK));
}

static void event_delete_subvolume(void)
{
	CHECK_SYS(snapshot_ioctl(BTRFS_IOC_SNAP_DESTROY, "a", 0));
}

/*
 * A pinned one is an inode in use, and while a deleted subvolume has any of these, btrfs keeps all
 * of its blocks (btrfs_del_inode_from_root()).
 */
static void event_delete_entry(void)
{
	struct inode_map_key key = { .fd = -1, .handle = s->handle };

	if (bpf_map_delete_elem(s->map, &key))
		CHECK_EQ(errno, ENOENT);
}

/* What a server says without being asked, about the name f. */
static void fuse_notify(int code, const void *message, size_t size)
{
	struct fuse_out_header header = {
		.error = code, .len = sizeof(header) + size + sizeof("f"),
	};
	char buffer[128];

	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + sizeof(header), message, size);
	memcpy(buffer + sizeof(header) + size, "f", sizeof("f"));
	CHECK_EQ(write(s->fuse, buffer, header.len), header.len);
}

static void event_notify_delete(void)
{
	struct fuse_notify_delete_out message = {
		.parent = FUSE_ROOT_ID, .child = file_ino(s->path), .namelen = 1,
	};

	fuse_notify(FUSE_NOTIFY_DELETE, &message, sizeof(message));
}

static void event_notify_invalid(void)
{
	struct fuse_notify_inval_entry_out message = { .parent = FUSE_ROOT_ID, .namelen = 1 };

	fuse_notify(FUSE_NOTIFY_INVAL_ENTRY, &message, sizeof(message));
}

static void event_kill_server(void)
{
	kill_process(&s->process);
	close(s->fuse);
	s->fuse = -1;
}

/* Looked up once more, the name is gone. */
static void event_remove_kprobe(void)
{
	remove_kprobe();
	CHECK(access(s->path, F_OK) && errno == ENOENT);
}

static void event_add_kprobe(void)
{
	add_kprobe();
	CHECK_SYS(access(s->path, F_OK));
}

static void event_close_map(void)
{
	close(s->map);
	s->map = -1;
}

static void event_end_walk(void)
{
	int ready = s->ready;

	next_turn(&s->go);
	wait_turn(&s->ready, ready + 1, "the walking process");
	kill_process(&s->child);
}

static void event_unload(void)
{
	CHECK(syscall(SYS_delete_module, "inode_map", O_NONBLOCK) && errno == EWOULDBLOCK);
}

/* --- Cases ---------------------------------------------------------------- */

static const char *const reasons[] = {
	[UNLINKED] = "unlinked",
	[EVICTED] = "evicted",
	[UNMOUNTED] = "unmounted",
	[DELETED] = "deleted",
	[FREED] = "map freed",
};

/* What is expected of an entry of this lifetime after a step. */
static enum outcome outcome_of(const struct fs *fs, const struct expect *expect, bool weak,
			       unsigned int step)
{
	enum outcome outcome;

	weak |= fs->has & INTERNAL;
	outcome = weak ? expect->weak[step] : expect->pinned[step];
	return outcome;
}

static enum outcome wanted(unsigned int step)
{
	return outcome_of(fs(), s->cell->expect, s->cell->flags, step);
}

static bool is_there(enum outcome outcome)
{
	return outcome == STAYS || outcome == LINGERS;
}

/* The reason in the trace, "" when there is none yet. */
static const char *read_reason(void)
{
	char line[512], reason[32], *event;
	unsigned int id, handle;

	while (fgets(line, sizeof(line), s->trace)) {
		event = strstr(line, "inode_map_remove: map_id=");
		if (!event || sscanf(event, "inode_map_remove: map_id=%u %*s %*s handle=%u "
				     "reason=%31[a-z ]", &id, &handle, reason) != 3)
			continue;
		if (id == s->map_id && handle == s->handle && strcmp(reason, "replaced"))
			strcpy(s->reason, reason);
	}
	clearerr(s->trace);
	return s->reason;
}

static bool has_reason(void *unused)
{
	(void)unused;
	return read_reason()[0];
}

static void check_reason(enum outcome want)
{
	if (!wait_until(has_reason, NULL, 10))
		FAIL("the entry is still there, and should be \"%s\"", reasons[want]);
	if (strcmp(read_reason(), reasons[want]))
		FAIL("the entry is \"%s\", and should be \"%s\"", read_reason(), reasons[want]);
}

/* Whether the inode's name, or the descriptor, leads to the entry. */
static bool leads_there(void)
{
	int fd = s->path[0] ? open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : s->fd;
	bool found = fd >= 0 && map_has(s->map, fd);

	if (found)
		CHECK_EQ(map_get(s->map, fd), 1);
	if (s->path[0] && fd >= 0)
		close(fd);
	return found;
}

static void check_entry(enum outcome want)
{
	struct inode_map_key key = { .fd = -1, .handle = s->handle };
	unsigned int value, extra = s->cell->event->extra;

	if (!is_there(want))
		check_reason(want);
	else if (has_reason(NULL))
		FAIL("the entry is \"%s\", and should be there", read_reason());
	if (s->map < 0)
		return;
	CHECK_EQ(map_count(s->map), extra + is_there(want));
	if (bpf_map_lookup_elem(s->map, &key, &value))
		CHECK(!is_there(want) && errno == ENOENT);
	else
		CHECK(is_there(want) && value == 1);
	if (is_there(want) && leads_there() != (want == STAYS))
		FAIL("the inode's name %s", want == STAYS ? "does not lead to the entry any more" :
		     "leads to the entry, unexpectedly");
}

/*
 * The kernel lets few objects that wait for readers of RCU tasks trace wait for a quarter of a
 * second more. Here are some more of them.
 */
static void hurry(int map)
{
	int fd = file_open(".", O_PATH);

	for (int i = 0; i < 40; i++)
		map_put(map, fd, 1, INODE_MAP_WEAK);
	CHECK_OK(inode_map_remove_fd(map, fd));
	close(fd);
}

static void hurry_maps(void)
{
	int map = map_create(32, 4, 1);

	hurry(map);
	close(map);
}

/* Maps, entries, addons and pins in memory. */
static void check_counts(enum outcome want)
{
	unsigned int extra = s->cell->event->extra, there = is_there(want), pinned = 0;
	bool map_gone = want == FREED;

	if (map_gone)
		extra = 0;
	if (!s->cell->flags)
		pinned = extra + (has(INTERNAL) ? 0 : there);
	if (s->map < 0)
		hurry_maps();
	else if (!there)
		hurry(s->map);
	counts_wait(!map_gone, extra + there, extra + there, pinned);
}

static bool is_detached(void *unused)
{
	char path[128];

	(void)unused;
	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", s->device + 5);
	return access(path, F_OK);
}

/* What is left of the case goes, too, and nothing is in the way. */
static void finish(enum outcome last)
{
	if (s->fd >= 0)
		event_close();
	kill_process(&s->child);
	if (s->mounted) {
		CHECK_SYS(umount("m"));
		if (s->map >= 0 && is_there(last)) {
			check_reason(outcome_of(fs(), &events[UMOUNTED].expect, s->cell->flags, 0));
			CHECK_EQ(map_count(s->map), has(FILES) ? 0 : s->cell->event->extra);
		}
	}
	kill_process(&s->process);
	if (s->device[0] && !wait_until(is_detached, NULL, 10))
		FAIL("%s is still in use", s->device);
	/* What was written too late is in the image. */
	if (event_has(SPOILS))
		CHECK_SYS(ftruncate(images[fs() - filesystems], 0));
	if (s->map >= 0) {
		close(s->map);
		hurry_maps();
	}
	if (fs()->teardown)
		fs()->teardown();
}

static void clean(void)
{
	if (!s->mounted || !has(FILES))
		return;
	unlink(beside("link"));
	unlink(beside("new"));
	if (!has(LAYERS)) {
		unlink(file_path());
		rmdir(dir_path());
	}
}

static void run_cell(void)
{
	const struct cell *cell = (const struct cell *)test_current;
	const struct event *event = cell->event;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(s != MAP_FAILED);
	s->cell = cell;
	s->fd = -1;
	s->loop = -1;
	s->fuse = -1;
	setup_fs();
	clean();
	s->map = map_create(32, 4, 8);
	s->map_id = map_id_of(s->map);
	file_write(TRACE_EVENT, "1");
	s->trace = fdopen(file_open(TRACEFS_DIR "/trace_pipe", O_RDONLY | O_NONBLOCK), "r");
	CHECK(s->trace);

	if (event->prepare)
		event->prepare();
	else
		put_file();
	for (unsigned int i = 0; i < nr_steps(event); i++) {
		event->step[i]();
		check_entry(wanted(i));
		if (event_has(BUSY) && !i)
			CHECK(umount("m") && errno == EBUSY);
	}
	if (counts_blocks())
		check_blocks();
	check_counts(wanted(nr_steps(event) - 1));
	finish(wanted(nr_steps(event) - 1));
}

static const char *lack(const struct fs *fs, const struct event *event)
{
	for (unsigned int i = 0; i < NEEDS; i++)
		if ((event->needs & 1U << i) && !(fs->has & 1U << i))
			return lacks[i] ?: "";
	return NULL;
}

static const struct expect *expectation(enum fs_id fs, enum event_id event)
{
	static struct expect not[NR_FS][NR_EVENTS];
	const char *why = lack(&filesystems[fs], &events[event]);

	if (why) {
		not[fs][event].not = why;
		return &not[fs][event];
	}
	for (unsigned int i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (exceptions[i].fs == fs && exceptions[i].event == event)
			return &exceptions[i].expect;
	return &events[event].expect;
}

static void add_cell(enum fs_id fs, enum event_id event, __u32 flags)
{
	const struct expect *expect = expectation(fs, event);
	struct cell *cell;
	char *name, *space;

	if (expect->not)
		return;
	cell = calloc(1, sizeof(*cell));
	if (!cell || asprintf(&name, "%s/%s/%s", filesystems[fs].name, events[event].name,
			      flags ? "weak" : "pinned") < 0)
		abort();
	while ((space = strpbrk(name, " ,")))
		*space = '-';
	cell->test.name = name;
	cell->test.run = run_cell;
	cell->fs = &filesystems[fs];
	cell->event = &events[event];
	cell->expect = expect;
	cell->flags = flags;
	test_register(&cell->test);
}

/* --- The table for people ------------------------------------------------- */

static const char *word(enum outcome outcome)
{
	static const char *const words[] = {
		[STAYS] = "stays",
		[LINGERS] = "stays, unreachable",
		[UNLINKED] = "goes: unlinked",
		[EVICTED] = "goes: evicted",
		[UNMOUNTED] = "goes: unmounted",
		[DELETED] = "goes: deleted",
		[FREED] = "goes: map freed",
	};

	return words[outcome];
}

/* Names that need not be told apart when both are meant. */
static bool is_implied(enum fs_id fs, const bool *in)
{
	return (fs == SUBVOLUME && in[BTRFS]) || (fs == LOWER && in[OVERLAY]);
}

static void print_names(const bool *in)
{
	const char *comma = "";

	for (int fs = 0; fs < NR_FS; fs++) {
		if (in[fs] && !is_implied(fs, in)) {
			printf("%s%s", comma, filesystems[fs].name);
			comma = ", ";
		}
	}
}

/* What happens, in the columns of the table; "" where the event does not apply. */
static void describe(enum fs_id fs, enum event_id event, char *text, size_t size)
{
	const struct expect *expect = expectation(fs, event);
	unsigned int last = nr_steps(&events[event]) - 1;
	enum outcome first, then = STAYS;
	const char *why = expect->why;
	char addons[2][8];
	size_t at = 0;

	text[0] = 0;
	if (expect->not)
		return;
	for (int weak = 0; weak < 2; weak++) {
		first = outcome_of(&filesystems[fs], expect, weak, 0);
		then = outcome_of(&filesystems[fs], expect, weak, last);
		at += snprintf(text + at, size - at, " %s%s%s |", word(first),
			       first == then ? "" : ", then ", first == then ? "" : word(then));
		snprintf(addons[weak], sizeof(addons[weak]), "%d", is_there(then));
	}
	snprintf(text + at, size - at, " %s%s%s |%s%s |", addons[0],
		 strcmp(addons[0], addons[1]) ? ", " : "",
		 strcmp(addons[0], addons[1]) ? addons[1] : "",
		 why ? " " : "", why ?: "");
}

/* A line for each group of file systems that behave in the same way. */
static void print_event(enum event_id event)
{
	const struct event *it = &events[event];
	bool done[NR_FS] = { }, first_line = true;

	for (int first = 0; first < NR_FS; first++) {
		char text[256], other[256];
		bool in[NR_FS] = { };

		describe(first, event, text, sizeof(text));
		if (!text[0] || done[first])
			continue;
		for (int fs = first; fs < NR_FS; fs++) {
			describe(fs, event, other, sizeof(other));
			in[fs] = !strcmp(text, other);
			done[fs] |= in[fs];
		}
		if (first_line)
			printf("| %s%s%s | ", it->text[0], it->text[1] ? ", then " : "",
			       it->text[1] ?: "");
		else
			printf("| | ");
		first_line = false;
		print_names(in);
		printf(" |%s\n", text);
	}
}

static void print_table(void)
{
	printf("| event | on | pinned entry | weak entry | addons after | because |\n"
	       "| --- | --- | --- | --- | --- | --- |\n");
	for (int event = 0; event < NR_EVENTS; event++)
		print_event(event);
	printf("\nWhat is not in the table does not apply:\n\n");
	for (unsigned int need = 0; need < NEEDS && lacks[need]; need++) {
		bool in[NR_FS];

		for (int fs = 0; fs < NR_FS; fs++)
			in[fs] = !(filesystems[fs].has & 1U << need);
		printf("- %s: ", lacks[need]);
		print_names(in);
		printf("\n");
	}
	for (unsigned int i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (exceptions[i].expect.not)
			printf("- %s: %s (%s)\n", exceptions[i].expect.not,
			       filesystems[exceptions[i].fs].name,
			       events[exceptions[i].event].text[0]);
}

/* The cases switch it on. */
static void trace_off(void)
{
	int fd = open(TRACE_EVENT, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) != 1)
		perror(TRACE_EVENT);
	close(fd);
}

__attribute__((constructor)) static void add_cells(void)
{
	atexit(trace_off);
	test_table = print_table;
	for (int fs = 0; fs < NR_FS; fs++) {
		images[fs] = -1;
		if (filesystems[fs].mkfs)
			images[fs] = memfd_create("image", MFD_CLOEXEC);
		for (int event = 0; event < NR_EVENTS; event++)
			FOR_EACH_LIFETIME(flags)
				add_cell(fs, event, flags);
	}
}
