// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks that go on while the module is loaded and unloaded: files, mounts, caches, rmmod,
 * /proc/inode_map, and tasks that make maps.
 */
#include "order.h"

#include <sys/mount.h>
#include <sys/syscall.h>

#include "tasks.h"

/* Names come and go. */
void mover(void)
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

void opener(void)
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

/* A filesystem that all tasks use. */
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

void shared_mount_tmpfs(void)
{
	shared_mount(MOUNTED_TMPFS);
}

void shared_mount_ext4(void)
{
	shared_mount(MOUNTED_EXT4);
}

void cache_dropper(void)
{
	/* Stop the kernel from logging each drop. */
	MUST(!write_to("/proc/sys/vm/drop_caches", "4"));
	while (goes_on()) {
		if (one_in(4))
			sync();
		MUST(!write_to("/proc/sys/vm/drop_caches", one_in(2) ? "2" : "3"));
		did(DROP_CACHES);
		msleep(20 + below(200));
	}
}

void rmmod(void)
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
			/* EBUSY: another rmmod is running. */
			MAY(RMMOD, err, EAGAIN, ENOENT, EBUSY);
			msleep(below(3));
		}
	}
}

/*
 * Read all of /proc/inode_map: a head, then entries, of maps with ever larger ids and with ever
 * smaller handles in each. The module may be removed meanwhile.
 */
void proc_reader(void)
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

void map_maker(void)
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
		/* Pause longer and longer, for a moment without a map even on a slow kernel. */
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
		/* Programs may look into the map until it is freed, and later. */
		if (one_in(2))
			msleep(below(10));
		close(map.fd);
		did(MAP);
	}
	__atomic_store_n(&board->maps[slot], 0, __ATOMIC_RELAXED);
}
