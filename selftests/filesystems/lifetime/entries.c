// SPDX-License-Identifier: GPL-2.0-only
/*
 * Give the inode its entry, in the way that each event needs: prepare() in the table of events. And
 * make the canary, another file's weak entry, whose end proves that inodes were evicted.
 */
#include <sched.h>

#include "lifetime.h"

static __u32 handle_of(int fd)
{
	struct inode_map_key key;

	/* Walks meet the newest entry first. */
	CHECK_SYS(bpf_map_get_next_key(s->map, NULL, &key));
	CHECK_EQ(map_get(s->map, fd), 1);
	return key.handle;
}

/* Give the inode its entry. The descriptor stays open if the case needs it. */
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

void put_file(void)
{
	put(fs()->open ? fs()->open() : open_file());
}

/* Make another file, with an entry of its own, that will replace it. */
void put_rename(void)
{
	int fd;

	put_file();
	fd = file_create(beside("new"));
	map_put(s->map, fd, 2, s->cell->flags);
	close(fd);
}

void put_links(void)
{
	int fd = fs()->open ? fs()->open() : open_file();

	CHECK_SYS(link(s->path, beside("link")));
	put(fd);
}

void put_dir(void)
{
	set_path("%s", dir_path());
	if (mkdir(s->path, 0755))
		CHECK_EQ(errno, EEXIST);
	put(file_open(s->path, O_RDONLY | O_DIRECTORY));
}

static void child(void *run)
{
	((void (*)(void))run)();
	/* The descriptor is the child's. */
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

void put_by_child(void)
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

int canary_map;

/* Make the canary. The file system evicts the newest inode last. */
void put_canary(void)
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
 * procfs frees only half of the unused dentries each time, and so never the last one. Look up some
 * more names, to be freed first.
 */
static void look_up_names(void)
{
	static const char *const names[] = { "stat", "maps", "limits", "environ", "io", "mem" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
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

void put_in_cgroup(void)
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

void put_in_namespace(void)
{
	put_file();
	start_child(unshare_mounts);
}

void put_bind_mount(void)
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
	/* The rest of the line whose first byte was read. */
	CHECK_EQ(rest, 1);
	next_turn(&s->ready);
	wait_for_end(NULL);
}

/* The entries of the walk are on another file system, so that they don't disturb the test. */
void put_and_walk(void)
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

bool is_canary_gone(void *unused)
{
	(void)unused;
	if (has(PROCESS))
		look_up_names();
	drop_caches();
	return !map_count(canary_map);
}

/* Whether a weak entry is expected to be evicted, which shows that inodes are evicted at all. */
bool evicts(void)
{
	return s->cell->expect->weak[nr_steps(s->cell->event) - 1] == EVICTED;
}
