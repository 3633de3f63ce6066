// SPDX-License-Identifier: GPL-2.0-only
/*
 * What BPF programs and perf see of the tracepoints, and in which order.
 */
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "event.h"
#include "observe.skel.h"
#include "observe.h"

static struct observe *programs_start(const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct observe *programs = observe__open();

	CHECK(programs);
	for (int i = 0; i < 2; i++)
		want_program(programs->obj, names[i]);
	CHECK_OK(observe__load(programs));
	CHECK_OK(observe__attach(programs));
	return programs;
}

static struct event events[1 << 14];
static unsigned int nr_events;

static int event_store(void *unused, void *event, size_t size)
{
	(void)unused;
	CHECK_EQ(size, sizeof(struct event));
	CHECK(nr_events < ARRAY_SIZE(events));
	events[nr_events++] = *(struct event *)event;
	return 0;
}

static void events_read(struct observe *programs)
{
	struct ring_buffer *buffer = ring_buffer__new(bpf_map__fd(programs->maps.events),
						      event_store, NULL, NULL);

	CHECK(buffer);
	CHECK_OK(ring_buffer__consume(buffer));
	CHECK(programs->data->complete);
	ring_buffer__free(buffer);
}

static char *programs_text(struct observe *programs)
{
	static const char *const reasons[] = { "deleted", "replaced", "unlinked", "evicted",
					       "unmounted", "map freed" };
	static char text[1 << 16];
	char *to = text;

	*to = 0;
	events_read(programs);
	CHECK(nr_events < 500);
	for (unsigned int i = 0; i < nr_events; i++) {
		struct event *event = &events[i];
		const char *detail = event->detail ? "pinned" : "weak";

		if (event->removed)
			detail = event->detail < 6 ? reasons[event->detail] : "unknown";
		to += sprintf(to, "inode_map_%s: map_id=%u dev=%u:%u ino=%llu handle=%u %s%s\n",
			      event->removed ? "remove" : "insert", event->map_id, event->major,
			      event->minor, (unsigned long long)event->ino, event->handle,
			      event->removed ? "reason=" : "", detail);
	}
	return text;
}

TEST(tp_btf)
{
	struct observe *programs = programs_start("btf_insert", "btf_remove");

	events_make();
	check_events(programs_text(programs));
	observe__destroy(programs);
}

TEST(tracepoint)
{
	struct observe *programs = programs_start("tp_insert", "tp_remove");

	events_make();
	check_events(programs_text(programs));
	observe__destroy(programs);
}

TEST(perf_event)
{
	int map = map_create(32, 4, 8), fd = file_create("f"), events[2];

	for (int i = 0; i < 2; i++) {
		struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
						.size = sizeof(attr) };
		char path[256], id[32];

		snprintf(path, sizeof(path), TRACING "/events/inode_map/inode_map_%s/id",
			 i ? "remove" : "insert");
		if (access(path, F_OK))
			SKIP("there is no %s", path);
		attr.config = atoi(file_read(path, id, sizeof(id)));
		events[i] = CHECK_SYS(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
	}
	CHECK_OK(map_set(map, fd, 1));
	CHECK_OK(map_set(map, fd, 2));
	CHECK_OK(map_set(map, fd, 3));
	CHECK_OK(inode_map_remove_fd(map, fd));
	for (int i = 0; i < 2; i++) {
		__u64 count;

		CHECK_EQ(read(events[i], &count, sizeof(count)), sizeof(count));
		CHECK_EQ(count, 3);
	}
}

/*
 * The order of events when tasks change the same entries of two maps at once: an entry is inserted
 * before it is removed, and its handle is used again only when its value is replaced.
 */

static void change_at_random(void *arg)
{
	int *maps = arg;

	srandom(getpid());
	for (int i = 0; i < 250; i++) {
		int map = maps[random() & 1], err, fd;
		unsigned int value = i;
		char name[16];

		snprintf(name, sizeof(name), "f%ld", random() % 6);
		fd = open(name, O_RDWR | O_CREAT, 0644);
		CHECK(fd >= 0);
		if (random() % 8 == 0)
			unlink(name);
		else if (random() % 3 == 0)
			inode_map_remove_fd(map, fd);
		err = inode_map_set_fd(map, fd, &value, BPF_ANY, random() & 1 ? INODE_MAP_WEAK : 0);
		if (err && err != -ESTALE)
			FAIL("update: %s", strerror(-err));
		close(fd);
	}
}

TEST(order)
{
	struct observe *programs = programs_start("btf_insert", "btf_remove");
	enum { REPLACED = 1, HANDLES = 4096 };
	static enum { NEVER, THERE, REPLACING, GONE } state[2][HANDLES];
	int maps[] = { map_create(32, 4, 64), map_create(32, 4, 64) };
	unsigned int ids[] = { map_id_of(maps[0]), map_id_of(maps[1]) }, counts[4] = { 0 };
	pid_t pids[3];

	for (int i = 0; i < 3; i++)
		pids[i] = child_start(change_at_random, maps);
	for (int i = 0; i < 3; i++)
		child_wait(pids[i]);
	close(maps[0]);
	close(maps[1]);
	counts_wait(0, 0, 0, 0);

	events_read(programs);
	CHECK(nr_events > 500);
	for (unsigned int i = 0; i < nr_events; i++) {
		struct event *event = &events[i];
		unsigned int handle = event->handle, map = event->map_id == ids[1], was;

		CHECK(event->map_id == ids[map]);
		CHECK(handle > 0 && handle < HANDLES);
		was = state[map][handle];
		if (event->removed ? was != THERE : was != NEVER && was != REPLACING)
			FAIL("event %u, map %u handle %u: %s when it was in state %u", i,
			     event->map_id, handle, event->removed ? "removed" : "inserted", was);
		state[map][handle] = !event->removed ? THERE :
				     event->detail == REPLACED ? REPLACING : GONE;
	}
	for (unsigned int i = 0; i < 2 * HANDLES; i++)
		counts[state[i / HANDLES][i % HANDLES]]++;
	printf("# %u events, %u entries\n", nr_events, counts[GONE]);
	CHECK(counts[GONE] > 50);
	CHECK_EQ(counts[THERE], 0);
	CHECK_EQ(counts[REPLACING], 0);
	observe__destroy(programs);
}
