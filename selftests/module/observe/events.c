// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints. Cases make events happen and note the expected ones as the text that tracefs
 * shows. They compare this to what tracefs has shown (here) or programs have seen (programs.c).
 */
#include <sys/sysmacros.h>

#include "observe.h"

#define INSTANCE	TRACING "/instances/inode_map_test"

static char expected[1 << 15];

#define EXPECT(...)	text_append(expected, sizeof(expected), __VA_ARGS__)

struct subject {
	int map;
	unsigned int handle;
	struct stat stat;
};

static void expect_insert(const struct subject *subject, bool weak)
{
	EXPECT("inode_map_insert: map_id=%u dev=%u:%u ino=%lu handle=%u %s\n",
	       map_id_of(subject->map), major(subject->stat.st_dev), minor(subject->stat.st_dev),
	       subject->stat.st_ino, subject->handle, weak ? "weak" : "pinned");
}

static void expect_remove(const struct subject *subject, const char *reason)
{
	EXPECT("inode_map_remove: map_id=%u dev=%u:%u ino=%lu handle=%u reason=%s\n",
	       map_id_of(subject->map), major(subject->stat.st_dev), minor(subject->stat.st_dev),
	       subject->stat.st_ino, subject->handle, reason);
}

/* Every entry of the map @subject->map gets the next handle. */
static void insert(struct subject *subject, int fd, __u32 flags, bool weak)
{
	CHECK_SYS(fstat(fd, &subject->stat));
	map_put(subject->map, fd, 1, flags);
	subject->handle++;
	expect_insert(subject, weak);
}

/* Replace and delete, by descriptor and by handle. An operation that fails causes no event. */
static void events_of_changes(struct subject *subject, __u32 flags)
{
	struct inode_map_key key = { .fd = -1 };
	int fd = file_create("f"), map = subject->map;
	bool weak = flags;
	unsigned int value = 7;

	insert(subject, fd, flags, weak);
	map_put(map, fd, 2, flags ^ INODE_MAP_WEAK);
	expect_remove(subject, "replaced");
	expect_insert(subject, !weak);
	key.handle = subject->handle;
	CHECK_SYS(bpf_map_update_elem(map, &key, &value, BPF_ANY));
	expect_remove(subject, "replaced");
	expect_insert(subject, !weak);
	CHECK_OK(inode_map_remove_fd(map, fd));
	expect_remove(subject, "deleted");
	CHECK_ERR(inode_map_remove_fd(map, fd), ENOENT);
	CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_EXIST, flags), ENOENT);

	insert(subject, fd, flags, weak);
	CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_NOEXIST, flags), EEXIST);
	key.handle = subject->handle;
	CHECK_SYS(bpf_map_delete_elem(map, &key));
	expect_remove(subject, "deleted");
	close(fd);
}

/* An unlink at once, at the last close, by a rename, of a directory, of the last of two links. */
static void events_of_unlinks(struct subject *subject, __u32 flags)
{
	int fd = file_open("f", O_PATH);
	bool weak = flags;

	insert(subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(unlink("f"));
	expect_remove(subject, "unlinked");
	fd = file_create("f");
	insert(subject, fd, flags, weak);
	CHECK_SYS(unlink("f"));
	CHECK_EQ(map_count(subject->map), 1);
	close(fd);
	expect_remove(subject, "unlinked");
	fd = file_create("f");
	insert(subject, fd, flags, weak);
	close(fd);
	close(file_create("g"));
	CHECK_SYS(rename("g", "f"));
	expect_remove(subject, "unlinked");
	CHECK_SYS(mkdir("d", 0755));
	fd = file_open("d", O_PATH);
	insert(subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(rmdir("d"));
	expect_remove(subject, "unlinked");
	fd = file_open("f", O_PATH);
	insert(subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(link("f", "g"));
	CHECK_SYS(unlink("f"));
	CHECK_SYS(unlink("g"));
	expect_remove(subject, "unlinked");
}

/* Only weak entries are evicted. Those of pipes are always weak. */
static void events_of_eviction(struct subject *subject, __u32 flags)
{
	struct inode_map_key key = { .fd = -1 };
	int fd = file_open("/proc/version", O_PATH), pipes[2];
	bool weak = flags;

	insert(subject, fd, flags, weak);
	close(fd);
	for (int i = 0; i < 10 && map_count(subject->map); i++)
		drop_caches();
	CHECK_EQ(map_count(subject->map), !weak);
	if (weak) {
		expect_remove(subject, "evicted");
	} else {
		/* The path leads to another inode by now: procfs has forgotten this one. */
		key.handle = subject->handle;
		CHECK_SYS(bpf_map_delete_elem(subject->map, &key));
		expect_remove(subject, "deleted");
	}
	CHECK_SYS(pipe(pipes));
	insert(subject, pipes[0], flags, true);
	close(pipes[0]);
	close(pipes[1]);
	expect_remove(subject, "evicted");
}

/* An unmount, and a lazy one with a file open. */
static void events_of_unmounts(struct subject *subject, __u32 flags)
{
	bool weak = flags;
	int fd;

	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	fd = file_create("m/f");
	insert(subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(umount("m"));
	expect_remove(subject, "unmounted");
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	fd = file_create("m/f");
	insert(subject, fd, flags, weak);
	CHECK_SYS(umount2("m", MNT_DETACH));
	CHECK_EQ(map_count(subject->map), 1);
	close(fd);
	expect_remove(subject, "unmounted");
	CHECK_SYS(rmdir("m"));
}

static void events_of_freeing(struct subject *subject, __u32 flags)
{
	int fd = file_create("f");

	insert(subject, fd, flags, flags);
	expect_remove(subject, "map freed");
	close(subject->map);
	counts_wait(0, 0, 0, 0);
	close(fd);
	CHECK_SYS(unlink("f"));
}

void events_make(void)
{
	*expected = 0;
	FOR_EACH_LIFETIME(flags) {
		struct subject subject = { .map = map_create(32, 4, 8) };

		events_of_changes(&subject, flags);
		events_of_unlinks(&subject, flags);
		events_of_eviction(&subject, flags);
		events_of_unmounts(&subject, flags);
		events_of_freeing(&subject, flags);
	}
}

/* Compare line by line, to show the difference. */
void check_events(char *seen)
{
	char *want = expected, *want_end, *seen_end;

	CHECK(*want);
	for (int line = 1; *want || *seen; line++) {
		want_end = strchrnul(want, '\n');
		seen_end = strchrnul(seen, '\n');
		if (want_end - want != seen_end - seen || memcmp(want, seen, seen_end - seen))
			FAIL("event %d is \"%.*s\", not \"%.*s\"", line,
			     (int)(seen_end - seen), seen, (int)(want_end - want), want);
		want = want_end + !!*want_end;
		seen = seen_end + !!*seen_end;
	}
}

static void tracing_begin(void)
{
	if (access(TRACING "/events/inode_map/enable", F_OK))
		SKIP("there is no tracefs at " TRACING);
	rmdir(INSTANCE);
	CHECK_SYS(mkdir(INSTANCE, 0700));
	file_write(INSTANCE "/events/inode_map/enable", "1");
}

static void tracing_end(void)
{
	file_write(INSTANCE "/events/inode_map/enable", "0");
	CHECK_SYS(rmdir(INSTANCE));
}

/* The part of each line of the trace that follows the time. */
static char *tracing_text(void)
{
	int fd = file_open(INSTANCE "/trace", O_RDONLY);
	size_t size;
	char *text = read_all(fd, 4096, &size), *events = calloc(1, size + 1), *to = events;

	close(fd);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *event = strstr(line, ": inode_map_");

		if (*line != '#' && event)
			to += sprintf(to, "%s\n", event + 2);
		else if (*line != '#')
			FAIL("unexpected line of the trace: %s", line);
	}
	free(text);
	return events;
}

TEST(tracefs)
{
	char *seen;

	tracing_begin();
	events_make();
	seen = tracing_text();
	tracing_end();
	check_events(seen);
}

/* Tools print events by the format files, so no name in those may be internal to the kernel. */
TEST(tracefs_format)
{
	static const char *const events[] = { "inode_map_insert", "inode_map_remove" };
	static const char *const fields[][6] = {
		{ "field:u64 ino;", "field:u32 map_id;", "field:dev_t dev;", "field:u32 handle;",
		  "field:bool pinned;", "print fmt:" },
		{ "field:u64 ino;", "field:u32 map_id;", "field:dev_t dev;", "field:u32 handle;",
		  "field:u32 reason;",
		  "{ 0, \"deleted\" }, { 1, \"replaced\" }, { 2, \"unlinked\" }, "
		  "{ 3, \"evicted\" }, { 4, \"unmounted\" }, { 5, \"map freed\" }" },
	};

	for (int i = 0; i < 2; i++) {
		char path[256];
		size_t size;
		char *text;
		int fd;

		snprintf(path, sizeof(path), TRACING "/events/inode_map/%s/format", events[i]);
		if (access(path, F_OK))
			SKIP("there is no %s", path);
		fd = file_open(path, O_RDONLY);
		text = read_all(fd, 4096, &size);
		close(fd);
		for (int j = 0; j < 6; j++)
			if (!strstr(text, fields[i][j]))
				FAIL("no \"%s\" in %s: %s", fields[i][j], path, text);
		CHECK(!strstr(text, "INODE_MAP_"));
		free(text);
	}
}
