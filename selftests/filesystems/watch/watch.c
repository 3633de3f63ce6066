// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries share inodes with the watches of inotify, fanotify and audit, which are marks of fsnotify
 * as well. Neither must disturb the other: watchers get exactly the events that they get without
 * entries, and entries live exactly as long as without watches.
 *
 * This file tests what watchers see; lifetimes.c, how long entries and watches live, and audit.
 */
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>

#include "finder.h"
#include "watch.h"

/* What watchers have seen, as text. */

char seen[1 << 16];

#define SEE(...)	text_append(seen, sizeof(seen), __VA_ARGS__)

/* The bits of inotify; those of fanotify have the same values. */
static const char *mask_text(__u32 mask)
{
	static const struct {
		__u32 bit;
		const char *name;
	} bits[] = {
		{ IN_ACCESS, "ACCESS" }, { IN_MODIFY, "MODIFY" }, { IN_ATTRIB, "ATTRIB" },
		{ IN_CLOSE_WRITE, "CLOSE_WRITE" }, { IN_CLOSE_NOWRITE, "CLOSE_NOWRITE" },
		{ IN_OPEN, "OPEN" }, { IN_MOVED_FROM, "MOVED_FROM" }, { IN_MOVED_TO, "MOVED_TO" },
		{ IN_CREATE, "CREATE" }, { IN_DELETE, "DELETE" }, { IN_DELETE_SELF, "DELETE_SELF" },
		{ IN_MOVE_SELF, "MOVE_SELF" }, { IN_UNMOUNT, "UNMOUNT" },
		{ IN_Q_OVERFLOW, "Q_OVERFLOW" }, { IN_IGNORED, "IGNORED" }, { IN_ISDIR, "ISDIR" },
		{ FAN_OPEN_PERM, "OPEN_PERM" }, { FAN_ACCESS_PERM, "ACCESS_PERM" },
	};
	static char text[512];

	*text = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		if (!(mask & bits[i].bit))
			continue;
		strcat(strcat(text, " "), bits[i].name);
		mask &= ~bits[i].bit;
	}
	if (mask)
		sprintf(text + strlen(text), " %#x", mask);
	return text;
}

void inotify_drain(int inotify)
{
	char buffer[65536] __attribute__((aligned(8))), *at;
	ssize_t got;

	for (;;) {
		got = read(inotify, buffer, sizeof(buffer));
		if (got < 0 && errno == EAGAIN)
			return;
		CHECK_SYS(got);
		for (at = buffer; at < buffer + got;) {
			struct inotify_event *event = (struct inotify_event *)at;

			SEE("inotify %d:%s%s%s%s\n", event->wd, mask_text(event->mask),
			    event->cookie ? " cookie" : "", event->len ? " " : "",
			    event->len ? event->name : "");
			at += sizeof(*event) + event->len;
		}
	}
}

void fanotify_drain(int fanotify, const char *what)
{
	char buffer[65536] __attribute__((aligned(8)));
	struct fanotify_event_metadata *event;
	ssize_t got;

	for (;;) {
		got = read(fanotify, buffer, sizeof(buffer));
		if (got < 0 && errno == EAGAIN)
			return;
		CHECK_SYS(got);
		for (event = (void *)buffer; FAN_EVENT_OK(event, got);
		     event = FAN_EVENT_NEXT(event, got)) {
			/* The size shows which objects are reported, and by what names. */
			SEE("%s:%s %u bytes\n", what, mask_text(event->mask),
			    event->event_len);
			if (event->fd >= 0)
				close(event->fd);
		}
	}
}

#define INOTIFY_ALL	(IN_ALL_EVENTS)
#define FANOTIFY_FD	(FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE)
#define FANOTIFY_FID	(FANOTIFY_FD | FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF)

int fanotify_new(unsigned int flags)
{
	int fd = fanotify_init(flags | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);

	if (fd < 0 && errno == ENOSYS)
		SKIP("this kernel has no fanotify");
	return CHECK_SYS(fd);
}

/*
 * The story: files live and die in a directory that is watched in every way. At each step, entries
 * change in one of these manners.
 */

enum manner {
	NO_ENTRIES,
	BEFORE,			/* there before the watches come, and always after */
	AFTER,			/* come after the watches */
	BEFORE_WEAK,
	AFTER_WEAK,
	TOGGLED,		/* come and go at each step */
	REPLACED,		/* pinned and weak in turn, at each step */
	DELETED,		/* there when the watches come, deleted at the next step */
	TWO_MAPS,
	MAP_FREED,		/* end with the map, in the middle of the story */
	MANNERS,
};

static const char *const manners[] = { "no entries", "before", "after", "before, weak",
				       "after, weak", "toggled", "replaced", "deleted", "two maps",
				       "map freed" };

struct story {
	enum manner manner;
	int maps[2];
	int fds[3];		/* of a file, a directory, a file in that; -1 when gone */
	int inotify, fanotify_fd, fanotify_fid, fanotify_name;
	unsigned int step;
	struct fault *program;
};

/* At each step: an event that waits for a reader may keep a path, and so the inode. */
static void drain(struct story *story)
{
	fanotify_drain(story->fanotify_fd, "fd");
	fanotify_drain(story->fanotify_fid, "fid");
	fanotify_drain(story->fanotify_name, "name");
	inotify_drain(story->inotify);
}

static void put(struct story *story, int which_map, int fd, __u32 flags)
{
	unsigned int value = story->step;

	CHECK_OK(inode_map_set_fd(story->maps[which_map], fd, &value, BPF_ANY, flags));
}

static void change(struct story *story, int fd, bool watched)
{
	unsigned int step = story->step;
	bool there = false;

	switch (story->manner) {
	case NO_ENTRIES:
	case MANNERS:
		return;
	case BEFORE:
	case BEFORE_WEAK:
		if (step == 0)
			put(story, 0, fd, story->manner == BEFORE ? 0 : INODE_MAP_WEAK);
		there = true;
		break;
	case AFTER:
	case AFTER_WEAK:
		if (step == 1)
			put(story, 0, fd, story->manner == AFTER ? 0 : INODE_MAP_WEAK);
		there = watched;
		break;
	case TOGGLED:
		if (step % 2)
			CHECK_OK(inode_map_remove_fd(story->maps[0], fd));
		else
			put(story, 0, fd, 0);
		there = step % 2 == 0;
		break;
	case REPLACED:
		put(story, 0, fd, step % 2 ? INODE_MAP_WEAK : 0);
		there = true;
		break;
	case DELETED:
		if (step == 0)
			put(story, 0, fd, 0);
		if (step == 2)
			CHECK_OK(inode_map_remove_fd(story->maps[0], fd));
		there = step < 2;
		break;
	case TWO_MAPS:
		put(story, step % 2, fd, 0);
		there = true;
		break;
	case MAP_FREED:
		if (step == 0)
			put(story, 0, fd, 0);
		there = step < 3;
		break;
	}
	CHECK_EQ(finder_finds(story->program, fd), there);
	if (story->manner != MAP_FREED || step < 3)
		CHECK_EQ(map_has(story->maps[0], fd), there);
}

static void next_step(struct story *story)
{
	drain(story);
	if (story->manner == MAP_FREED && story->step == 3) {
		close(story->maps[0]);
		counts_wait(1, 0, 0, 0);
	}
	for (int i = 0; i < 3; i++)
		if (story->fds[i] >= 0)
			change(story, story->fds[i], story->step > 0);
	story->step++;
}

static void watchers_open(struct story *story)
{
	story->inotify = CHECK_SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	story->fanotify_fd = fanotify_new(FAN_CLASS_NOTIF);
	story->fanotify_fid = fanotify_new(FAN_CLASS_NOTIF | FAN_REPORT_FID);
	story->fanotify_name = fanotify_new(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME);
	*seen = 0;
}

static void watchers_close(struct story *story)
{
	drain(story);
	close(story->inotify);
	close(story->fanotify_fd);
	close(story->fanotify_fid);
	close(story->fanotify_name);
}

static void write_to(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

static void tell(struct story *story)
{
	char byte;
	int fd;

	watchers_open(story);
	CHECK_SYS(mkdir("story", 0755));
	CHECK_SYS(mkdir("story/d", 0755));
	file_write("story/f", "text");
	file_write("story/d/x", "text");
	file_write("story/other", "text");
	story->fds[0] = file_open("story/f", O_PATH);
	story->fds[1] = file_open("story/d", O_PATH);
	story->fds[2] = file_open("story/d/x", O_PATH);
	next_step(story);

	CHECK_EQ(inotify_add_watch(story->inotify, "story/f", INOTIFY_ALL), 1);
	CHECK_EQ(inotify_add_watch(story->inotify, "story/d", INOTIFY_ALL), 2);
	CHECK_EQ(inotify_add_watch(story->inotify, "story/d/x", INOTIFY_ALL), 3);
	for (int i = 0; i < 3; i++) {
		static const char *const paths[] = { "story/f", "story/d", "story/d/x" };

		CHECK_SYS(fanotify_mark(story->fanotify_fd, FAN_MARK_ADD,
					FANOTIFY_FD | FAN_EVENT_ON_CHILD, AT_FDCWD, paths[i]));
		CHECK_SYS(fanotify_mark(story->fanotify_fid, FAN_MARK_ADD | FAN_MARK_EVICTABLE,
					FANOTIFY_FID | FAN_EVENT_ON_CHILD, AT_FDCWD, paths[i]));
	}
	CHECK_SYS(fanotify_mark(story->fanotify_name, FAN_MARK_ADD,
				FANOTIFY_FID | FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ONDIR |
				FAN_EVENT_ON_CHILD, AT_FDCWD, "story/d"));
	next_step(story);

	fd = file_open("story/f", O_RDWR);
	CHECK_EQ(read(fd, &byte, 1), 1);
	next_step(story);
	write_to(fd, "more");
	close(fd);
	next_step(story);
	CHECK_SYS(chmod("story/f", 0600));
	CHECK_SYS(truncate("story/f", 1));
	next_step(story);
	CHECK_SYS(rename("story/f", "story/g"));
	CHECK_SYS(link("story/g", "story/d/g"));
	next_step(story);
	close(file_create("story/d/y"));
	CHECK_SYS(mkdir("story/d/e", 0755));
	fd = file_open("story/d/x", O_WRONLY);
	write_to(fd, "child");
	next_step(story);
	close(fd);
	CHECK_SYS(rename("story/d/y", "story/d/z"));
	CHECK_SYS(rename("story/d/x", "story/d/w"));
	CHECK_SYS(rmdir("story/d/e"));
	next_step(story);
	CHECK_SYS(unlink("story/d/z"));
	CHECK_SYS(unlink("story/d/g"));
	next_step(story);

	/* The ends: by a rename over the file, by unlink() while open, by rmdir(). */
	close(story->fds[2]);
	story->fds[2] = -1;
	CHECK_SYS(rename("story/other", "story/d/w"));
	next_step(story);
	fd = file_open("story/g", O_RDONLY);
	close(story->fds[0]);
	story->fds[0] = -1;
	CHECK_SYS(unlink("story/g"));
	next_step(story);
	close(fd);
	CHECK_SYS(unlink("story/d/w"));
	next_step(story);
	close(story->fds[1]);
	story->fds[1] = -1;
	CHECK_SYS(rmdir("story/d"));
	CHECK_SYS(rmdir("story"));

	watchers_close(story);
}

static void check_seen(const char *want, const char *manner)
{
	const char *at = seen, *want_end, *end;

	for (int line = 1; *at || *want; line++) {
		end = strchrnul(at, '\n');
		want_end = strchrnul(want, '\n');
		if (end - at != want_end - want || memcmp(at, want, end - at))
			FAIL("%s: event %d is \"%.*s\", without entries it is \"%.*s\"", manner,
			     line, (int)(end - at), at, (int)(want_end - want), want);
		at = end + !!*end;
		want = want_end + !!*want_end;
	}
}

static void check_has(const char *event)
{
	if (!strstr(seen, event))
		FAIL("the watchers have not seen \"%s\" but:\n%s", event, seen);
}

TEST(same_events)
{
	char *without = NULL;

	for (int manner = 0; manner < MANNERS; manner++) {
		struct story story = { .manner = manner };

		story.maps[0] = map_create(32, 4, 8);
		story.maps[1] = map_create(32, 4, 8);
		story.program = finder_attach(story.maps[0]);
		tell(&story);
		fault__destroy(story.program);
		/* The inodes are gone, and all entries with them. */
		CHECK_EQ(map_count(story.maps[1]), 0);
		if (manner != MAP_FREED) {
			CHECK_EQ(map_count(story.maps[0]), 0);
			close(story.maps[0]);
		}
		close(story.maps[1]);
		counts_wait(0, 0, 0, 0);
		if (manner == NO_ENTRIES) {
			without = strdup(seen);
			check_has("inotify 1: OPEN\n");
			check_has("inotify 1: ACCESS\n");
			check_has("inotify 1: MODIFY\n");
			check_has("inotify 1: CLOSE_WRITE\n");
			check_has("inotify 1: ATTRIB\n");
			check_has("inotify 1: MOVE_SELF\n");
			check_has("inotify 1: DELETE_SELF\ninotify 1: IGNORED\n");
			check_has("inotify 2: CREATE y\n");
			check_has("inotify 2: MOVED_FROM cookie y\n");
			check_has("inotify 3: DELETE_SELF\ninotify 3: IGNORED\n");
			check_has("inotify 2: DELETE_SELF\ninotify 2: IGNORED\n");
			check_has("fd: OPEN");
			check_has("fid:");
			check_has("name:");
		}
		check_seen(without, manners[manner]);
	}
}

/* The end of the filesystem. */
TEST(unmount)
{
	char *without = NULL;

	CHECK_SYS(mkdir("m", 0755));
	for (int manner = NO_ENTRIES; manner <= AFTER_WEAK; manner++) {
		struct story story = { .manner = manner };

		watchers_open(&story);
		CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
		story.maps[0] = map_create(32, 4, 8);
		story.program = finder_attach(story.maps[0]);
		close(file_create("m/f"));
		CHECK_SYS(mkdir("m/d", 0755));
		story.fds[0] = file_open("m/f", O_PATH);
		story.fds[1] = file_open("m/d", O_PATH);
		story.fds[2] = file_open("m", O_PATH);
		next_step(&story);
		CHECK_EQ(inotify_add_watch(story.inotify, "m/f", INOTIFY_ALL), 1);
		CHECK_EQ(inotify_add_watch(story.inotify, "m/d", INOTIFY_ALL), 2);
		CHECK_EQ(inotify_add_watch(story.inotify, "m", INOTIFY_ALL), 3);
		CHECK_SYS(fanotify_mark(story.fanotify_fid, FAN_MARK_ADD, FANOTIFY_FID, AT_FDCWD,
					"m/f"));
		next_step(&story);
		close(file_open("m/f", O_RDONLY));
		next_step(&story);
		for (int i = 0; i < 3; i++)
			close(story.fds[i]);
		CHECK_SYS(umount("m"));
		CHECK_EQ(map_count(story.maps[0]), 0);
		watchers_close(&story);
		if (manner == NO_ENTRIES) {
			without = strdup(seen);
			check_has("inotify 1: UNMOUNT\ninotify 1: IGNORED\n");
			check_has("inotify 2: UNMOUNT ISDIR\ninotify 2: IGNORED\n");
			check_has("inotify 3: UNMOUNT ISDIR\ninotify 3: IGNORED\n");
			check_has("fid: CLOSE_NOWRITE OPEN");
		}
		check_seen(without, manners[manner]);
		fault__destroy(story.program);
		close(story.maps[0]);
		counts_wait(0, 0, 0, 0);
	}
}

/* Permission events: each open asks the watcher, and its answer counts. */

static void open_to_be_judged(void *arg)
{
	bool *denied = arg;
	int fd = open("f", O_RDONLY);

	if (*denied)
		CHECK(fd == -1 && errno == EPERM);
	else
		CHECK_SYS(fd);
}

TEST(permission_events)
{
	int fanotify = fanotify_new(FAN_CLASS_CONTENT);
	int map = map_create(32, 4, 8), fd;
	struct fault *program = finder_attach(map);

	close(file_create("f"));
	fd = file_open("f", O_PATH);
	if (fanotify_mark(fanotify, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "f")) {
		CHECK_EQ(errno, EINVAL);
		SKIP("this kernel has no permission events");
	}
	for (int i = 0; i < 12; i++) {
		struct fanotify_event_metadata event;
		struct fanotify_response response;
		struct pollfd poll_ = { .fd = fanotify, .events = POLLIN };
		bool denied = i & 1;
		pid_t pid;

		if (i % 4 == 0)
			map_put(map, fd, i, i & 4 ? INODE_MAP_WEAK : 0);
		if (i % 4 == 2)
			CHECK_OK(inode_map_remove_fd(map, fd));
		CHECK_EQ(finder_finds(program, fd), i % 4 < 2);
		pid = child_start(open_to_be_judged, &denied);
		CHECK_EQ(poll(&poll_, 1, 20000), 1);
		CHECK_EQ(read(fanotify, &event, sizeof(event)), sizeof(event));
		CHECK_EQ(event.mask, FAN_OPEN_PERM);
		CHECK_EQ(event.pid, pid);
		response.fd = event.fd;
		response.response = denied ? FAN_DENY : FAN_ALLOW;
		CHECK_EQ(write(fanotify, &response, sizeof(response)), sizeof(response));
		close(event.fd);
		child_wait(pid);
		CHECK(read(fanotify, &event, sizeof(event)) == -1 && errno == EAGAIN);
	}
	fault__destroy(program);
}
