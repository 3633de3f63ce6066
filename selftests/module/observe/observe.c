// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the module shows: /proc/inode_map and the tracepoints. This file tests the listing itself,
 * its fields and lines, and has the functions that read it; paths.c tests its last field,
 * meanwhile.c reading it while entries change. events.c makes events and tests what tracefs shows
 * of them; programs.c, what programs see.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "observe.h"

/* Read the rest of an open file, from its position, @chunk bytes at a time. */
char *read_all(int fd, size_t chunk, size_t *size)
{
	size_t room = 1 << 16;
	char *text = malloc(room);
	ssize_t got;

	CHECK(text);
	*size = 0;
	for (;;) {
		if (room - *size <= chunk) {
			room = 2 * room + chunk;
			text = realloc(text, room);
			CHECK(text);
		}
		got = CHECK_SYS(read(fd, text + *size, chunk));
		if (!got)
			break;
		*size += got;
	}
	text[*size] = 0;
	return text;
}

/* Parse a line and print it again: any deviation from the format fails the case. */
static void line_parse(struct line *line, char *text)
{
	char again[256];
	int at = 0;

	if (sscanf(text, "%u %15s %u:%u %llu %u %u %7s %n", &line->map, line->name, &line->major,
		   &line->minor, &line->ino, &line->gen, &line->handle, line->lifetime, &at) != 8)
		FAIL("not a line of the listing: %s", text);
	line->path = text + at;
	snprintf(again, sizeof(again), "%u %s %u:%u %llu %u %u %s ", line->map, line->name,
		 line->major, line->minor, line->ino, line->gen, line->handle, line->lifetime);
	if (strncmp(again, text, at) || strlen(again) != (size_t)at || !*line->path ||
	    strchr(line->path, ' ') || (*line->path != '/' && strcmp(line->path, "-")) ||
	    (strcmp(line->lifetime, "pinned") && strcmp(line->lifetime, "weak")))
		FAIL("a line of the listing is malformed: %s", text);
}

void listing_parse(struct listing *listing)
{
	char *at, *end, *next;
	struct counts counts;
	unsigned int lost;
	int length = 0;

	listing->nr_lines = 0;
	for (at = listing->text; *at; at++)
		listing->nr_lines += *at == '\n';
	listing->lines = calloc(listing->nr_lines + 1, sizeof(struct line));
	CHECK(listing->lines);
	if (sscanf(listing->text, "maps %u entries %u addons %u pinned %u requests 0 lost %u%n",
		   &counts.maps, &counts.entries, &counts.addons, &counts.pinned, &lost,
		   &length) != 5 ||
	    listing->text[length] != '\n')
		FAIL("malformed head of the listing: %.80s", listing->text);
	listing->nr_lines = 0;
	for (at = listing->text + length + 1; *at; at = next) {
		end = strchr(at, '\n');
		if (!end)
			FAIL("the listing's last line has no end: %s", at);
		*end = 0;
		next = end + 1;
		line_parse(&listing->lines[listing->nr_lines++], at);
	}
}

static void listing_read_from(struct listing *listing, int fd, size_t chunk)
{
	listing->text = read_all(fd, chunk, &listing->size);
	listing_parse(listing);
}

void listing_read(struct listing *listing, size_t chunk)
{
	int fd = file_open(LISTING, O_RDONLY);

	listing_read_from(listing, fd, chunk);
	close(fd);
}

void listing_free(struct listing *listing)
{
	free(listing->lines);
	free(listing->text);
}

/* The only line of a map. Valid until the next call. */
struct line *line_of_in(int map, int fd)
{
	static struct listing listing;
	unsigned int id = map_id_of(map);
	struct line *line = NULL;

	listing_free(&listing);
	listing_read_from(&listing, fd, 4096);
	for (unsigned int i = 0; i < listing.nr_lines; i++) {
		if (listing.lines[i].map != id)
			continue;
		if (line)
			FAIL("more than one line of map %u", id);
		line = &listing.lines[i];
	}
	if (!line)
		FAIL("no line of map %u", id);
	return line;
}

struct line *line_of(int map)
{
	int fd = file_open(LISTING, O_RDONLY);
	struct line *line = line_of_in(map, fd);

	close(fd);
	return line;
}

const char *path_of(int map)
{
	return line_of(map)->path;
}

/* A map with one inode, to see which path is shown for it. */
int map_of_one(int fd)
{
	int map = map_create(32, 4, 8);

	CHECK_OK(map_set(map, fd, 1));
	return map;
}

static __u32 only_handle(int map, unsigned int key_size)
{
	__s32 key;

	if (key_size == 32)
		return map_only_key(map).handle;
	CHECK_SYS(bpf_map_get_next_key(map, NULL, &key));
	return -key;
}

/* The file and its lines */

static void open_as_nobody(void *unused)
{
	(void)unused;
	CHECK_SYS(setgid(65534));
	CHECK_SYS(setuid(65534));
	CHECK(open(LISTING, O_RDONLY) == -1 && errno == EACCES);
}

TEST(mode)
{
	struct stat stat_;

	CHECK_SYS(stat(LISTING, &stat_));
	CHECK_EQ(stat_.st_mode, S_IFREG | 0400);
	CHECK_EQ(stat_.st_uid, 0);
	child_wait(child_start(open_as_nobody, NULL));
}

/* Whether the head begins with @want. The rest counts requests: other tests may have lost some. */
static bool head_is(void *want)
{
	static const char rest[] = " requests 0 lost ";
	size_t length = strlen(want);
	char head[128];

	file_read(LISTING, head, sizeof(head));
	return !strncmp(head, want, length) && !strncmp(head + length, rest, strlen(rest));
}

static void head_wait(char *want)
{
	char head[128];

	if (!wait_until(head_is, want, 10))
		CHECK_STR(file_read(LISTING, head, sizeof(head)), want);
}

TEST(totals)
{
	int f = file_create("f"), g = file_create("g"), maps[2];

	head_wait("maps 0 entries 0 addons 0 pinned 0");
	maps[0] = map_create(32, 4, 8);
	head_wait("maps 1 entries 0 addons 0 pinned 0");
	maps[1] = map_create(4, 4, 8);
	map_put(maps[0], f, 1, INODE_MAP_WEAK);
	head_wait("maps 2 entries 1 addons 1 pinned 0");
	map_put(maps[1], f, 1, 0);
	head_wait("maps 2 entries 2 addons 1 pinned 1");
	map_put(maps[0], g, 1, INODE_MAP_WEAK);
	head_wait("maps 2 entries 3 addons 2 pinned 1");
	close(maps[1]);
	head_wait("maps 1 entries 2 addons 2 pinned 0");
	close(maps[0]);
	head_wait("maps 0 entries 0 addons 0 pinned 0");
}

/* Every field, on a filesystem that lets us ask for an inode's generation. */
TEST(fields)
{
	int file, gen;

	mount_image("ext4", 8, "m", NULL);
	CHECK_SYS(mkdir("m/d", 0755));
	file = file_create("m/d/f");
	CHECK_SYS(ioctl(file, FS_IOC_GETVERSION, &gen));
	CHECK(gen);
	for (unsigned int key_size = 4; key_size <= 32; key_size += 28) {
		FOR_EACH_LIFETIME(flags) {
			int map = map_create(key_size, 4, 8), other = map_of_one(file_create("x"));
			struct line *line;
			struct stat stat;
			char want[256];
			size_t size;
			char *text;
			int fd;

			if (key_size == 4 && flags)
				continue;
			/* Lines of other maps, and a handle that is not the first. */
			map_put(map, file_open("x", O_PATH), 1, 0);
			CHECK_OK(inode_map_remove_path(map, "x"));
			map_put(map, file, 1, flags);
			CHECK_SYS(fstat(file, &stat));
			CHECK_EQ(only_handle(map, key_size), 2);
			snprintf(want, sizeof(want), "\n%u test %u:%u %lu %u 2 %s /d/f\n",
				 map_id_of(map), major(stat.st_dev), minor(stat.st_dev),
				 stat.st_ino, (unsigned int)gen, flags ? "weak" : "pinned");
			fd = file_open(LISTING, O_RDONLY);
			text = read_all(fd, 4096, &size);
			if (!strstr(text, want))
				FAIL("no line \"%s\" in: %s", want, text);
			free(text);
			close(fd);
			line = line_of(map);
			CHECK_STR(line->name, "test");
			CHECK_STR(path_of(other), "/x");
			close(map);
			close(other);
		}
	}
}

TEST(map_names)
{
	static const char *const names[][2] = {
		{ NULL, "-" }, { "", "-" }, { "a", "a" }, { "A_1.b", "A_1.b" },
		{ "fifteen_letters", "fifteen_letters" },
	};
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));
	int fd = file_create("f");

	for (unsigned int i = 0; i < 5; i++) {
		int map = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, names[i][0], 4, 4, 8, &opts));

		CHECK_OK(map_set(map, fd, 1));
		CHECK_STR(line_of(map)->name, names[i][1]);
		close(map);
	}
}

/* Only the inode's own maps have a line for it; an empty map has no line. */
TEST(which_lines)
{
	int maps[] = { map_create(32, 4, 8), map_create(4, 4, 8), map_create(32, 4, 8) };
	int fd = file_create("f");
	struct listing listing;

	CHECK_OK(map_set(maps[0], fd, 1));
	CHECK_OK(map_set(maps[2], fd, 1));
	CHECK_OK(map_set(maps[1], fd, 1));
	CHECK_OK(inode_map_remove_fd(maps[1], fd));
	listing_read(&listing, 4096);
	CHECK_EQ(listing.nr_lines, 2);
	CHECK_EQ(listing.lines[0].map, map_id_of(maps[0]));
	CHECK_EQ(listing.lines[1].map, map_id_of(maps[2]));
	/* A new value is not a new line. */
	CHECK_OK(map_set(maps[0], fd, 2));
	listing_free(&listing);
	listing_read(&listing, 4096);
	CHECK_EQ(listing.nr_lines, 2);
	listing_free(&listing);
}
