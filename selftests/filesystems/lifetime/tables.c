// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has to happen to entries, as tables: the file systems and what each has, the events and what
 * each does to an entry, and the exceptions. Another way that an inode can end is a row in
 * events[].
 */
#include "lifetime.h"

/* Why an event does not apply, for readers. */
const char *const lacks[NEEDS] = {
	"no files that can be removed",
	"no directories that can be removed",
	"never unmounted while the kernel runs",
	"no block device",
	"can't be frozen",
	"every inode is in use as long as it exists",
};

const struct fs filesystems[NR_FS] = {
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
		/* xorriso does not write through a symbolic link. */
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

#define EXPECT(pinned0, pinned1, weak0, weak1) \
	.expect = { .pinned = { pinned0, pinned1 }, .weak = { weak0, weak1 } }
#define EXPECT_BOTH(outcome0, outcome1)	EXPECT(outcome0, outcome1, outcome0, outcome1)
#define EXPECT_ONE(pinned, weak)	EXPECT(pinned, pinned, weak, weak)

const struct event events[NR_EVENTS] = {
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

const struct exception exceptions[] = {
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

const unsigned int nr_exceptions = ARRAY_SIZE(exceptions);

unsigned int nr_steps(const struct event *event)
{
	return event->step[1] ? 2 : 1;
}

/* The expected outcome for an entry of this lifetime after a step. */
enum outcome outcome_of(const struct fs *fs, const struct expect *expect, bool weak,
			unsigned int step)
{
	enum outcome outcome;

	weak |= fs->has & INTERNAL;
	outcome = weak ? expect->weak[step] : expect->pinned[step];
	return outcome;
}

bool is_there(enum outcome outcome)
{
	return outcome == STAYS || outcome == LINGERS;
}

static const char *lack(const struct fs *fs, const struct event *event)
{
	for (unsigned int i = 0; i < NEEDS; i++)
		if ((event->needs & 1U << i) && !(fs->has & 1U << i))
			return lacks[i] ?: "";
	return NULL;
}

const struct expect *expectation(enum fs_id fs, enum event_id event)
{
	static struct expect not[NR_FS][NR_EVENTS];
	const char *why = lack(&filesystems[fs], &events[event]);

	if (why) {
		not[fs][event].not = why;
		return &not[fs][event];
	}
	for (unsigned int i = 0; i < nr_exceptions; i++)
		if (exceptions[i].fs == fs && exceptions[i].event == event)
			return &exceptions[i].expect;
	return &events[event].expect;
}
