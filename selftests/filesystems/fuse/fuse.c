// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filesystems that stop answering. Cases use and free maps that have their inodes, and unmount the
 * filesystems. Nothing else on the machine may wait for that, above all network configuration,
 * since maps are freed under its lock.
 *
 * The first filesystem is FUSE, served by this program, which can stop at any request (server.c).
 * Releasing an inode of FUSE never waits for the server, so there is another filesystem where that
 * does wait: an overlay on a frozen one.
 */
#include <linux/fs.h>
#include <linux/fuse.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "finder.h"
#include "fuse.h"

/* Bounded waits. Nothing here waits for a process that itself waits for the filesystem. */

static bool has_ended(void *arg)
{
	pid_t *pid = arg;
	int status;

	if (*pid && waitpid(*pid, &status, WNOHANG) == *pid) {
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			FAIL("a child process failed (status %#x)", status);
		*pid = 0;
	}
	return !*pid;
}

static void bounded(const char *what, void (*run)(void *arg), void *arg)
{
	pid_t pid = child_start(run, arg);

	if (!wait_until(has_ended, &pid, BOUND))
		FAIL("%s: still waiting after %d seconds", what, BOUND);
}

/* Take the lock of network configuration, in this network namespace and another. */
static void configure_network(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5; i++) {
		struct ifreq request = { .ifr_name = "lo" };
		int fd = CHECK_SYS(socket(AF_INET, SOCK_DGRAM, 0));

		CHECK_SYS(ioctl(fd, SIOCGIFFLAGS, &request));
		request.ifr_flags ^= IFF_UP;
		CHECK_SYS(ioctl(fd, SIOCSIFFLAGS, &request));
		request.ifr_flags ^= IFF_UP;
		CHECK_SYS(ioctl(fd, SIOCSIFFLAGS, &request));
		close(fd);
		/* Not every kernel has any of these. */
		sh("ip link add sweep type dummy 2>/dev/null && ip link del sweep");
		if (i == 2)
			CHECK_SYS(unshare(CLONE_NEWNET));
	}
}

struct uses {
	int map;
	int fd;
};

/* Maps of other inodes. */
static void use_other_maps(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5; i++) {
		int map = map_create(i & 1 ? 4 : 32, 4, 8), fd = file_create("other");

		CHECK_OK(map_set(map, fd, i));
		CHECK_EQ(map_get(map, fd), i);
		CHECK_EQ(map_count(map), 1);
		close(map);
		close(fd);
		CHECK_SYS(unlink("other"));
	}
}

/* Maps of inodes of the filesystem. */
static void use_same_inode(void *arg)
{
	struct uses *uses = arg;

	for (int i = 0; i < 5; i++) {
		map_put(uses->map, uses->fd, i, i & 1 ? INODE_MAP_WEAK : 0);
		CHECK_EQ(map_get(uses->map, uses->fd), i);
		CHECK_OK(inode_map_remove_fd(uses->map, uses->fd));
	}
}

static void read_listing(void *unused)
{
	char buffer[4096];
	int fd = file_open("/proc/inode_map", O_RDONLY);

	(void)unused;
	while (CHECK_SYS(read(fd, buffer, sizeof(buffer))))
		;
	close(fd);
}

static void check_world_goes_on(void)
{
	bounded("the network's configuration", configure_network, NULL);
	bounded("other maps", use_other_maps, NULL);
	bounded("/proc/inode_map", read_listing, NULL);
}

/* FUSE that answers. */

TEST(answering)
{
	int map = map_create(32, 4, 8), fd, dir;
	struct fault *program = finder_attach(map);

	fuse_start("m");
	fd = file_open("m/f", O_RDONLY);
	dir = file_open("m", O_PATH);
	CHECK(!finder_finds(program, fd));
	map_put(map, fd, 1, 0);
	map_put(map, dir, 2, 0);
	CHECK(finder_finds(program, fd));
	CHECK_EQ(program->bss->value, 1);
	CHECK(finder_finds(program, dir));
	close(fd);
	close(dir);

	/* The pinned inode stays the same after its directory entry has been dropped. */
	file_write("/proc/sys/vm/drop_caches", "3");
	fd = file_open("m/f", O_PATH);
	CHECK(finder_finds(program, fd));
	close(fd);
	/* A weak entry goes. */
	fd = file_open("m/g", O_PATH);
	map_put(map, fd, 3, INODE_MAP_WEAK);
	CHECK_EQ(map_count(map), 3);
	close(fd);
	for (int i = 0; i < 10 && map_count(map) > 2; i++)
		file_write("/proc/sys/vm/drop_caches", "3");
	CHECK_EQ(map_count(map), 2);

	/* The entry of a removed file goes. */
	CHECK_SYS(unlink("m/f"));
	CHECK_EQ(map_count(map), 1);
	fd = file_open("m/g", O_PATH);
	map_put(map, fd, 4, 0);
	close(fd);
	fd = file_open("m/h", O_PATH);
	map_put(map, fd, 5, INODE_MAP_WEAK);
	close(fd);
	CHECK_EQ(map_count(map), 3);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
	child_wait(server);
	fault__destroy(program);
}

/* FUSE that stops answering, and how that ends. */

enum ending { RESUME, ABORT, KILL };

/* Whether these succeed is up to the filesystem. They must not keep the maps. */

static void write_file(void *unused)
{
	int fd;

	(void)unused;
	CHECK_SYS(close_range(3, ~0U, 0));
	fd = file_open("m/f", O_RDWR);
	CHECK_EQ(write(fd, "dirty", 5), 5);
	if (fsync(fd) || close(fd))
		printf("# writing: %s\n", strerror(errno));
}

static void open_file(void *unused)
{
	(void)unused;
	CHECK_SYS(close_range(3, ~0U, 0));
	if (open("m/h", O_RDONLY) < 0)
		printf("# opening: %s\n", strerror(errno));
}

static void free_map(void *arg)
{
	struct uses *uses = arg;

	close(uses->map);
}

static void abort_connection(const struct stat *stat)
{
	char path[64];

	CHECK_SYS(mkdir("connections", 0755));
	CHECK_SYS(mount("none", "connections", "fusectl", 0, NULL));
	snprintf(path, sizeof(path), "connections/%u/abort", minor(stat->st_dev));
	file_write(path, "1");
	CHECK_SYS(umount("connections"));
}

static void stopped_server(enum ending ending)
{
	struct uses uses, kept;
	int file, status, fd;
	struct stat stat;
	pid_t waiting[2];

	fuse_start("m");
	uses.map = map_create(32, 4, 8);
	kept.map = map_create(32, 4, 8);
	/* O_PATH: a process that exits would wait to close an open file. */
	file = file_open("m/f", O_PATH);
	CHECK_SYS(fstat(file, &stat));
	uses.fd = file;
	kept.fd = file_open("m/g", O_PATH);
	map_put(uses.map, file, 1, 0);
	map_put(uses.map, kept.fd, 2, 0);
	fd = file_open("m", O_PATH);
	map_put(uses.map, fd, 3, 0);
	close(fd);
	/* Once the name "g" has left the dentry cache, only the map keeps its inode. */
	close(kept.fd);
	kept.fd = file;
	counts_wait(2, 3, 3, 3);

	/* One process waits with dirty pages, the other to open a file. */
	control->stop_at = FUSE_WRITE;
	waiting[0] = child_start(write_file, NULL);
	CHECK(wait_until(has_stopped, NULL, BOUND));
	waiting[1] = child_start(open_file, NULL);
	file_write("/proc/sys/vm/drop_caches", "2");
	check_world_goes_on();
	bounded("updates of an inode that is stopped", use_same_inode, &kept);
	map_put(kept.map, file, 4, 0);

	/* Free the map, as far as the filesystem lets that happen. */
	free_map(&uses);
	check_world_goes_on();
	counts_wait(1, 1, 1, 1);
	bounded("updates of an inode that is stopped", use_same_inode, &kept);
	CHECK(control->stopped);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(waitpid(waiting[i], &status, WNOHANG), 0);

	switch (ending) {
	case RESUME:
		control->stop_at = 0;
		break;
	case ABORT:
		abort_connection(&stat);
		control->stop_at = 0;
		break;
	case KILL:
		CHECK_SYS(kill(server, SIGKILL));
		CHECK_SYS(waitpid(server, &status, 0));
		break;
	}
	for (int i = 0; i < 2; i++)
		if (!wait_until(has_ended, &waiting[i], BOUND))
			FAIL("process %d of 2 goes on waiting", i + 1);
	if (ending == RESUME)
		CHECK(!memcmp(control->files[0].data, "dirty", 5));
	/* The filesystem may have failed, but it is mounted and has the same inodes. */
	map_put(kept.map, file, 5, 0);
	CHECK_EQ(map_get(kept.map, file), 5);
	close(file);
	CHECK_EQ(map_count(kept.map), 1);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(kept.map), 0);
	if (ending != KILL)
		child_wait(server);
	counts_wait(1, 0, 0, 0);
}

TEST(stopped_and_resumed)
{
	stopped_server(RESUME);
}

TEST(stopped_and_aborted)
{
	stopped_server(ABORT);
}

TEST(stopped_and_killed)
{
	stopped_server(KILL);
}

/* Unmounting while the server does not answer. */

static void unmount(void *unused)
{
	(void)unused;
	CHECK_SYS(umount("m"));
}

TEST(stopped_and_unmounted)
{
	int maps[2], fd;
	pid_t waiting;

	fuse_start("m");
	for (int i = 0; i < 2; i++) {
		maps[i] = map_create(32, 4, 8);
		for (int j = 0; j < NR_FILES; j++) {
			char path[16];

			snprintf(path, sizeof(path), "m/%s", file_names[j]);
			fd = file_open(path, O_PATH);
			map_put(maps[i], fd, 1, j == 2 ? INODE_MAP_WEAK : 0);
			close(fd);
		}
	}
	control->stop_at = FUSE_OPEN;
	waiting = child_start(open_file, NULL);
	CHECK(wait_until(has_stopped, NULL, BOUND));
	/* A waiting process keeps it mounted: its request has been read and can't be withdrawn. */
	CHECK(umount("m") == -1 && errno == EBUSY);
	close(maps[0]);
	check_world_goes_on();
	counts_wait(1, 3, 3, 2);
	CHECK_SYS(umount2("m", MNT_DETACH));
	check_world_goes_on();
	CHECK_EQ(map_count(maps[1]), 3);
	/* The death of the server ends the connection, and with it all waiting requests. */
	CHECK_SYS(kill(server, SIGKILL));
	CHECK(wait_until(has_ended, &waiting, BOUND));
	counts_wait(1, 0, 0, 0);
	CHECK_EQ(map_count(maps[1]), 0);
}

/* A request that nobody reads: the unmount does not wait for an answer either. */
TEST(not_read_and_unmounted)
{
	int map = map_create(32, 4, 8), fd;

	fuse_start("m");
	fd = file_open("m/f", O_PATH);
	map_put(map, fd, 1, 0);
	close(fd);
	CHECK_SYS(kill(server, SIGSTOP));
	bounded("the unmount", unmount, NULL);
	CHECK_EQ(map_count(map), 0);
	check_world_goes_on();
	CHECK_SYS(kill(server, SIGCONT));
	child_wait(server);
}

/*
 * An inode whose release blocks: that of an overlay, which holds the last reference to a file
 * without links on a frozen filesystem, where the file can't be removed.
 */

static unsigned int module_references(void)
{
	char text[16];

	return atoi(file_read("/sys/module/inode_map/refcnt", text, sizeof(text)));
}

static bool is_unused(void *unused)
{
	(void)unused;
	return !module_references();
}

static bool has_no_maps(void *unused)
{
	struct counts counts;

	(void)unused;
	counts_read(&counts);
	return !counts.maps;
}

TEST(frozen)
{
	struct counts counts;
	int map, fd;

	mount_overlay_on_ext4();
	/* This process must not keep the map. */
	thaw_at_the_end("disk");
	close(file_create("m/f"));
	fd = file_open("m/f", O_PATH);
	map = map_create(32, 4, 8);
	map_put(map, fd, 1, 0);
	close(fd);
	counts_wait(1, 1, 1, 1);
	/* Only the map keeps the overlay's inode, and only that inode keeps the file. */
	CHECK_SYS(unlink("disk/upper/f"));
	for (int i = 0; i < 5; i++)
		file_write("/proc/sys/vm/drop_caches", "2");
	CHECK_EQ(map_count(map), 1);

	fd = file_open("disk", O_RDONLY);
	CHECK_SYS(ioctl(fd, FIFREEZE, 0));
	close(map);
	CHECK(wait_until(has_no_maps, NULL, BOUND));
	for (int i = 0; i < 3; i++) {
		check_world_goes_on();
		/* A worker is still releasing the inode, which keeps the entry and the module. */
		counts_read(&counts);
		if (!counts.pinned)
			FAIL("nothing waits for the frozen filesystem");
		CHECK(module_references() > 0);
	}
	CHECK_SYS(ioctl(fd, FITHAW, 0));
	counts_wait(0, 0, 0, 0);
	CHECK(wait_until(is_unused, NULL, BOUND));
	close(fd);
	CHECK_SYS(umount("m"));
}
