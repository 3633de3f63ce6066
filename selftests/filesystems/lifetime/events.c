// SPDX-License-Identifier: GPL-2.0-only
/*
 * The events: functions that are the steps in the table of events.
 */
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "lifetime.h"

void event_unlink(void)
{
	CHECK_SYS(unlink(s->path));
	if (s->fd >= 0)
		s->path[0] = 0;
}

void event_unlink_link(void)
{
	event_unlink();
	set_path("%s", beside("link"));
}

void event_rename(void)
{
	int fd;

	CHECK_SYS(rename(beside("new"), s->path));
	fd = file_open(s->path, O_PATH);
	CHECK_EQ(map_get(s->map, fd), 2);
	close(fd);
}

void event_rmdir(void)
{
	CHECK_SYS(rmdir(s->path));
}

void event_close(void)
{
	close(s->fd);
	s->fd = -1;
}

void event_drop_caches(void)
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
	/* Write what has become dirty since. */
	sync();
	file_write(CGROUP "/memory.high", "0");
	return !map_count(s->map);
}

/* Reclaim stops when it has freed enough, in its own order: the canary may go before the others. */
void event_memory(void)
{
	if (!evicts())
		is_canary_gone_under_pressure(NULL);
	else if (!wait_until(is_canary_gone_under_pressure, NULL, 20))
		FAIL("memory pressure evicts nothing");
	/* The caller checks whether the entry went. */
	if (evicts() && s->cell->flags)
		wait_until(is_all_gone_under_pressure, NULL, 20);
	else
		is_canary_gone_under_pressure(NULL);
	close(canary_map);
	CHECK_SYS(rmdir(CGROUP));
}

void event_umount(void)
{
	char path[sizeof(s->path)];

	CHECK_SYS(umount("m"));
	s->mounted = false;
	if (s->child) {
		strcpy(path, s->path);
		set_path("/proc/%d/root" DIR_PATH "/%s", s->child, path);
	}
}

void event_lazy_umount(void)
{
	CHECK_SYS(umount2("m", MNT_DETACH));
	s->mounted = false;
	s->path[0] = 0;
}

void event_kill_child(void)
{
	kill_process(&s->child);
}

void event_detach(void)
{
	detach_image();
}

/* We can't pull out a device here, but shrinking one to nothing makes every access to it fail. */
void event_device_fails(void)
{
	CHECK_SYS(ftruncate(images[fs() - filesystems], 0));
	CHECK_SYS(ioctl(s->loop, LOOP_SET_CAPACITY));
	detach_image();
}

void event_remount(void)
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
void event_freeze(void)
{
	int fd;

	freeze(FIFREEZE);
	fd = file_open(s->path, O_PATH);
	map_put(s->map, fd, 1, s->cell->flags);
	close(fd);
}

void event_thaw(void)
{
	freeze(FITHAW);
}

void event_exit(void)
{
	kill_process(&s->process);
}

void event_write(void)
{
	close(file_open(s->path, O_WRONLY));
	CHECK_SYS(access("layers/upper/lower", F_OK));
}

void event_delete_subvolume(void)
{
	CHECK_SYS(snapshot_ioctl(BTRFS_IOC_SNAP_DESTROY, "a", 0));
}

/*
 * A pinned entry keeps its inode in use, and while a deleted subvolume has an inode in use, btrfs
 * keeps all blocks of the subvolume (btrfs_del_inode_from_root()).
 */
void event_delete_entry(void)
{
	struct inode_map_key key = { .fd = -1, .handle = s->handle };

	if (bpf_map_delete_elem(s->map, &key))
		CHECK_EQ(errno, ENOENT);
}

/* Send a notification of the server about the name f. */
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

void event_notify_delete(void)
{
	struct fuse_notify_delete_out message = {
		.parent = FUSE_ROOT_ID, .child = file_ino(s->path), .namelen = 1,
	};

	fuse_notify(FUSE_NOTIFY_DELETE, &message, sizeof(message));
}

void event_notify_invalid(void)
{
	struct fuse_notify_inval_entry_out message = { .parent = FUSE_ROOT_ID, .namelen = 1 };

	fuse_notify(FUSE_NOTIFY_INVAL_ENTRY, &message, sizeof(message));
}

void event_kill_server(void)
{
	kill_process(&s->process);
	close(s->fuse);
	s->fuse = -1;
}

/* When looked up once more, the name is gone. */
void event_remove_kprobe(void)
{
	remove_kprobe();
	CHECK(access(s->path, F_OK) && errno == ENOENT);
}

void event_add_kprobe(void)
{
	add_kprobe();
	CHECK_SYS(access(s->path, F_OK));
}

void event_close_map(void)
{
	close(s->map);
	s->map = -1;
}

void event_end_walk(void)
{
	int ready = s->ready;

	next_turn(&s->go);
	wait_turn(&s->ready, ready + 1, "the walking process");
	kill_process(&s->child);
}

void event_unload(void)
{
	CHECK(syscall(SYS_delete_module, "inode_map", O_NONBLOCK) && errno == EWOULDBLOCK);
}
