// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long entries live: every way an inode can end, or nearly end, on every kind of file system.
 *
 * Tables say what has to happen (tables.c): events[] lists the usual outcome, exceptions[] any
 * other, and why. Each pair of a file system and an event is a case for pinned entries and one for
 * weak ones, "ext4/unlink/pinned". The table in src/README.md is printed from them (print.c,
 * --table).
 *
 * All cases go the same way, in run_cell(): the file system is mounted at m (filesystems.c), the
 * inode gets an entry (entries.c), the event happens (events.c), in one step or two, and after
 * each step the entry has stayed or gone, and nothing else has; then the file system is unmounted
 * and its device must be free. Why an entry went is read from the tracepoint. While an entry is
 * there it must be the one that the inode's name leads to. Eviction is proven each time by a weak
 * entry of another file.
 */
#include <sys/mman.h>

#include "lifetime.h"

#define TRACE_EVENT	TRACEFS_DIR "/events/inode_map/inode_map_remove/enable"

static const char *const reasons[] = {
	[UNLINKED] = "unlinked",
	[EVICTED] = "evicted",
	[UNMOUNTED] = "unmounted",
	[DELETED] = "deleted",
	[FREED] = "map freed",
};

static enum outcome wanted(unsigned int step)
{
	return outcome_of(fs(), s->cell->expect, s->cell->flags, step);
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

/* Whether the inode's name, or its descriptor, leads to the entry. */
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
 * If few objects wait for a grace period of RCU tasks trace, the kernel delays them for another
 * quarter of a second. Make some more of them.
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

/* Remove what is left of the case: nothing may be in the way. */
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
	/* Late writes have spoiled the image: have it made again. */
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

/* The cases switch it on. */
static void trace_off(void)
{
	int fd = open(TRACE_EVENT, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) != 1)
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
