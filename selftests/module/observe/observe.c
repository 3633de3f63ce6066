// SPDX-License-Identifier: GPL-2.0
/*
 * What the module shows: /proc/inode_map and the tracepoints.
 */
#include "harness.h"
#include "order.h"

#include <dirent.h>
#include <linux/fs.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "observe.skel.h"

#define LISTING		"/proc/inode_map"
#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/inode_map_test"

#define CHECK_STR(got, want)						\
	do {								\
		const char *got_ = (got), *want_ = (want);		\
									\
		if (strcmp(got_, want_))				\
			FAIL("%s is \"%s\", not \"%s\"", #got, got_, want_); \
	} while (0)

/* Reading the listing */

struct line {
	unsigned int map;
	char name[BPF_OBJ_NAME_LEN];
	unsigned int major, minor;
	unsigned long long ino;
	unsigned int gen;
	unsigned int handle;
	char lifetime[8];
	char *path;
};

struct listing {
	char *text;
	size_t size;
	struct line *lines;
	unsigned int nr_lines;
};

/* All of an open file from where it is, by reads of @chunk bytes. */
static char *read_all(int fd, size_t chunk, size_t *size)
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

/* Lines are read and printed again: what is not exactly as it should be fails the case. */
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

static void listing_parse(struct listing *listing)
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

static void listing_read(struct listing *listing, size_t chunk)
{
	int fd = file_open(LISTING, O_RDONLY);

	listing_read_from(listing, fd, chunk);
	close(fd);
}

static void listing_free(struct listing *listing)
{
	free(listing->lines);
	free(listing->text);
}

/* The only line of a map, to be used until the next one is asked for. */
static struct line *line_of_in(int map, int fd)
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

static struct line *line_of(int map)
{
	int fd = file_open(LISTING, O_RDONLY);
	struct line *line = line_of_in(map, fd);

	close(fd);
	return line;
}

static const char *path_of(int map)
{
	return line_of(map)->path;
}

/* The path that is shown for an inode, from a map that has only that. */
static int map_of_one(int fd)
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

/* What is behind @want is about requests: other tests have them, and may have lost some. */
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

/* Every field, on a filesystem whose generations can be asked for. */
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

/* Nothing but the entry's own maps shows it; a map that has none has no line. */
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

/* Paths */

/* A name as the listing has it. */
static char *escaped(const char *name)
{
	static char text[5000];
	char *to = text;

	for (; *name; name++) {
		if (strchr(" \t\n\\", *name))
			to += sprintf(to, "\\%03o", (unsigned char)*name);
		else
			*to++ = *name;
	}
	*to = 0;
	return text;
}

TEST(escapes)
{
	static const char *const names[] = {
		"/with space", "/tab\there", "/new\nline", "/back\\slash", "/\\040", "/-", "/ ",
		"/\n\n", "/9 test 0:1 1 1 1 pinned /f", "/\n9 test 0:1 1 1 1 pinned /f",
	};
	char all[257] = "/";

	for (int i = 1, at = 1; i < 256; i++)
		if (i != '/')
			all[at++] = i;
	for (unsigned int i = 0; i <= 10; i++) {
		const char *name = i < 10 ? names[i] : all;
		int map;

		/* In the names of directories as well as of files. */
		if (i == 8 || i == 9)
			CHECK_SYS(mkdir(i == 8 ? "9 test 0:1 1 1 1 pinned " :
						 "\n9 test 0:1 1 1 1 pinned ", 0755));
		map = map_of_one(file_create(name + 1));
		CHECK_STR(path_of(map), escaped(name));
		close(map);
	}
}

TEST(deleted)
{
	int file = file_create("f"), file_map = map_of_one(file), dir, dir_map;

	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("d/e", 0755));
	dir = file_open("d/e", O_RDONLY);
	dir_map = map_of_one(dir);
	CHECK_STR(path_of(file_map), "/f");
	CHECK_STR(path_of(dir_map), "/d/e");
	CHECK_SYS(unlink("f"));
	CHECK_SYS(rmdir("d/e"));
	CHECK_STR(path_of(file_map), "/f//deleted");
	CHECK_STR(path_of(dir_map), "/d/e//deleted");
	close(file);
	close(dir);
	CHECK_EQ(map_count(file_map) + map_count(dir_map), 0);
}

/* Never had a name. */
TEST(unnamed_file)
{
	int fd = CHECK_SYS(open(".", O_TMPFILE | O_RDWR, 0600)), map = map_of_one(fd);
	const char *path = path_of(map);

	CHECK(strlen(path) > 9 && !strcmp(path + strlen(path) - 9, "//deleted"));
}

/* Of several names one that can be opened, whichever was first. */
TEST(hard_links)
{
	int fd = file_create("a"), map = map_of_one(fd);

	CHECK_SYS(mkdir("d", 0755));
	for (int i = 0; i < 4; i++) {
		const char *path;

		/* The name that is deleted is the one that the descriptor was opened by. */
		CHECK_SYS(link(i & 1 ? "d/b" : "a", i & 1 ? "a" : "d/b"));
		path = path_of(map);
		CHECK(!strcmp(path, "/a") || !strcmp(path, "/d/b"));
		CHECK_SYS(unlink(i & 1 ? "d/b" : "a"));
		CHECK_STR(path_of(map), i & 1 ? "/a" : "/d/b");
		close(fd);
		fd = file_open(i & 1 ? "a" : "d/b", O_RDONLY);
	}
	/* The newest name is the first in the inode's list. */
	CHECK_SYS(link("a", "new"));
	close(fd);
	fd = file_open("new", O_RDONLY);
	CHECK_SYS(unlink("new"));
	CHECK_STR(path_of(map), "/a");

	CHECK_SYS(rename("a", "c"));
	CHECK_STR(path_of(map), "/c");
	CHECK_SYS(rename("d", "e"));
	CHECK_SYS(rename("c", "e/c"));
	CHECK_STR(path_of(map), "/e/c");
	close(fd);
	fd = file_open("e/c", O_RDONLY);
	CHECK_SYS(unlink("e/c"));
	CHECK_STR(path_of(map), "/e/c//deleted");
}

TEST(no_path)
{
	int fds[6], pipes[2], sockets[2];

	CHECK_SYS(pipe(pipes));
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fds[0] = pipes[0];
	fds[1] = sockets[1];
	fds[2] = CHECK_SYS(socket(AF_INET, SOCK_DGRAM, 0));
	fds[3] = file_open("/proc/self/ns/net", O_RDONLY);
	fds[4] = file_open("/proc/self/ns/mnt", O_RDONLY);
	fds[5] = CHECK_SYS(syscall(SYS_pidfd_open, getpid(), 0));
	for (unsigned int i = 0; i < 6; i++) {
		int map = map_create(32, 4, 8);

		/* Pidfds share an inode where there is no pidfs. */
		if (map_set(map, fds[i], 1) == -EOPNOTSUPP && i == 5)
			continue;
		CHECK_OK(map_set(map, fds[i], 1));
		CHECK_STR(path_of(map), "-");
		CHECK_STR(line_of(map)->lifetime, "weak");
		close(map);
	}
}

TEST(root_directory)
{
	int map = map_of_one(file_open(".", O_PATH));

	CHECK_STR(path_of(map), "/");
}

struct reader {
	int map;
	int listing;
	const char *root, *want;
};

static void read_elsewhere(void *arg)
{
	struct reader *reader = arg;

	CHECK_SYS(chroot(reader->root));
	CHECK_SYS(chdir("/"));
	CHECK_STR(line_of_in(reader->map, reader->listing)->path, reader->want);
}

static void read_without_mounts(void *arg)
{
	struct reader *reader = arg;

	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(chdir("/"));
	CHECK_SYS(umount2(DIR_PATH, MNT_DETACH));
	CHECK_STR(path_of(reader->map), reader->want);
}

/* The path in the filesystem, whoever looks and whatever he sees of it. */
TEST(elsewhere)
{
	struct reader reader = { .root = "a", .want = "/a/b/f" };

	CHECK_SYS(mkdir("a", 0755));
	CHECK_SYS(mkdir("a/b", 0755));
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("a/b", "m", NULL, MS_BIND, NULL));
	file_write("a/b/f", "");
	reader.map = map_of_one(file_open("m/f", O_PATH));
	CHECK_STR(path_of(reader.map), "/a/b/f");
	for (int i = 0; i < 2; i++) {
		reader.listing = file_open(LISTING, O_RDONLY);
		reader.root = i ? "m" : "a";
		child_wait(child_start(read_elsewhere, &reader));
		close(reader.listing);
	}
	/* Where another filesystem hides it. */
	CHECK_SYS(mount("over", "a", "tmpfs", 0, NULL));
	CHECK_STR(path_of(reader.map), "/a/b/f");
	/* Where nothing of the filesystem is mounted. */
	child_wait(child_start(read_without_mounts, &reader));
}

/* Longer than a page and than PATH_MAX: the listing's buffer has to grow, several times. */
TEST(long_paths)
{
	static char path[80 * 256 + 8], name[256];
	char *at = path;
	int dir = file_open(".", O_PATH), map = map_create(32, 4, 128), file;
	struct listing listing;

	memset(name, 'n', 255);
	for (int i = 0; i < 80; i++) {
		CHECK_SYS(mkdirat(dir, name, 0755));
		dir = CHECK_SYS(openat(dir, name, O_PATH));
		CHECK_OK(map_set(map, dir, i));
		at += sprintf(at, "/%s", name);
	}
	file = CHECK_SYS(openat(dir, "f", O_RDWR | O_CREAT, 0644));
	sprintf(at, "/f");
	CHECK_OK(map_set(map, file, 1));
	for (unsigned int chunk = 100; chunk < 1000000; chunk *= 10) {
		listing_read(&listing, chunk);
		CHECK_EQ(listing.nr_lines, 81);
		/* The last that was inserted is the first of its map. */
		CHECK_STR(listing.lines[0].path, path);
		for (unsigned int i = 1; i <= 80; i++) {
			size_t length = strlen(listing.lines[i].path);

			CHECK_EQ(length, (81 - i) * 256);
			CHECK(!memcmp(listing.lines[i].path, path, length));
		}
		listing_free(&listing);
	}
}

/* Many entries */

#define MANY	2500

static void check_complete(struct listing *listing, const int maps[2])
{
	static bool seen[2][MANY + 1];
	unsigned int ids[] = { map_id_of(maps[0]), map_id_of(maps[1]) };

	memset(seen, 0, sizeof(seen));
	CHECK_EQ(listing->nr_lines, 2 * MANY);
	for (unsigned int i = 0; i < listing->nr_lines; i++) {
		struct line *line = &listing->lines[i];
		int which = line->map == ids[1], number;

		CHECK(line->map == ids[which]);
		if (sscanf(line->path, "/f%d", &number) != 1 || number >= MANY)
			FAIL("unexpected path %s", line->path);
		if (line->handle > MANY || !line->handle)
			FAIL("unexpected handle %u", line->handle);
		/* Files were put into the maps in the order of their numbers. */
		CHECK_EQ(line->handle, number + 1);
		if (seen[which][number])
			FAIL("map %u, handle %u: twice", line->map, line->handle);
		seen[which][number] = true;
	}
}

TEST(small_reads)
{
	static const size_t chunks[] = { 1 << 20, 65536, 4096, 4095, 100, 7 };
	int maps[] = { map_create(32, 4, MANY), map_create(4, 4, MANY) };
	size_t size, reference_size = 0;
	char *reference = NULL;
	char piece[10000];
	int fd, other;

	for (int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		fd = file_create(name);
		CHECK_OK(map_set(maps[0], fd, i));
		CHECK_OK(map_set(maps[1], fd, i));
		close(fd);
	}
	/* The text has totals that must not change. */
	counts_wait(2, 2 * MANY, MANY, MANY);
	for (unsigned int i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		struct listing listing;
		char *text;

		fd = file_open(LISTING, O_RDONLY);
		text = read_all(fd, chunks[i], &size);
		close(fd);
		if (!reference) {
			reference = strdup(text);
			reference_size = size;
			listing.text = text;
			listing_parse(&listing);
			check_complete(&listing, maps);
			listing_free(&listing);
			continue;
		}
		if (size != reference_size || memcmp(text, reference, size))
			FAIL("reads of %zu bytes see another text", chunks[i]);
		free(text);
	}

	CHECK_EQ(sh("dd if=%s of=copy bs=100 2>/dev/null", LISTING), 0);
	fd = file_open("copy", O_RDONLY);
	CHECK(!strcmp(read_all(fd, 65536, &size), reference));
	close(fd);

	/* Anywhere, backwards and forwards, on two descriptors in turn. */
	fd = file_open(LISTING, O_RDONLY);
	other = file_open(LISTING, O_RDONLY);
	srandom(1);
	for (int i = 0; i < 60; i++) {
		size_t offset = random() % reference_size, want = 1 + random() % sizeof(piece);
		ssize_t got;

		if (i % 2)
			offset |= 1;
		got = CHECK_SYS(pread(i % 3 ? fd : other, piece, want, offset));
		if (got <= 0 || (size_t)got > want || offset + got > reference_size ||
		    memcmp(piece, reference + offset, got))
			FAIL("%zd bytes of %zu at %zu are not what is there", got, want, offset);
		if (i % 5 == 0) {
			CHECK_SYS(lseek(fd, offset, SEEK_SET));
			got = CHECK_SYS(read(fd, piece, want));
			CHECK(got > 0 && !memcmp(piece, reference + offset, got));
		}
	}
	CHECK_EQ(pread(fd, piece, 100, reference_size), 0);
	CHECK_EQ(pread(fd, piece, 100, reference_size + 12345), 0);
	CHECK_EQ(pread(fd, piece, 100, 1ULL << 40), 0);
}

/* Listing while entries come and go. Children work until they are killed. */

#define STABLE	120

static void churn_entries(void *arg)
{
	int *maps = arg;

	for (unsigned int i = 0;; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "v%d.%u", getpid(), i % 40);
		fd = file_create(name);
		map_put(maps[0], fd, i, i % 2 ? INODE_MAP_WEAK : 0);
		CHECK_OK(map_set(maps[1], fd, i));
		if (i % 3 == 0)
			CHECK_OK(inode_map_remove_fd(maps[0], fd));
		close(fd);
		if (i % 5 == 0)
			CHECK_SYS(unlink(name));
	}
}

static void churn_names(void *arg)
{
	(void)arg;
	for (unsigned int i = 0;; i++) {
		char name[16], other[16];

		snprintf(name, sizeof(name), "s%u", i % STABLE);
		snprintf(other, sizeof(other), "r%u", i % STABLE);
		if (i % 4 == 0) {
			CHECK_SYS(link(name, other));
			CHECK_SYS(unlink(name));
		} else {
			CHECK_SYS(rename(name, other));
		}
		CHECK_SYS(rename(other, name));
	}
}

static void churn_maps(void *arg)
{
	/* One that keeps its name. */
	int fd = file_open("t0", O_PATH);

	(void)arg;
	for (;;) {
		int maps[3];

		for (int i = 0; i < 3; i++) {
			maps[i] = map_create(4, 4, 8);
			CHECK_OK(map_set(maps[i], fd, i));
		}
		for (int i = 0; i < 3; i++)
			close(maps[i]);
	}
}

static void churn_values(void *arg)
{
	int *maps = arg;

	for (unsigned int i = 0;; i++) {
		char name[16];
		int fd;

		/* Replaces values that others have names for: the handles stay. */
		snprintf(name, sizeof(name), "t%u", i % 10);
		fd = file_open(name, O_PATH);
		CHECK_OK(map_set(maps[i & 1], fd, i));
		close(fd);
	}
}

static unsigned long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void kill_child(pid_t pid)
{
	int status;

	/* One that has found something wrong is over already. */
	if (waitpid(pid, &status, WNOHANG) == pid)
		FAIL("a child process ended (status %#x)", status);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_SYS(waitpid(pid, &status, 0));
}

static void check_stable(struct listing *listing, const int maps[2], unsigned int nr_stable)
{
	static unsigned char seen[2][STABLE + 16];
	unsigned int ids[] = { map_id_of(maps[0]), map_id_of(maps[1]) };
	struct line *last = NULL;

	memset(seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < listing->nr_lines; i++) {
		struct line *line = &listing->lines[i];
		int which = line->map == ids[1];
		char names[2][16];

		/* In this order nothing can be there twice. */
		if (last && (line->map < last->map ||
			     (line->map == last->map &&
			      !handle_is_met_before(last->handle, line->handle))))
			FAIL("map %u handle %u after map %u handle %u", line->map, line->handle,
			     last->map, last->handle);
		last = line;
		if (line->map != ids[which] || line->handle > nr_stable)
			continue;
		seen[which][line->handle - 1]++;
		if (line->handle > STABLE)
			continue;
		snprintf(names[0], sizeof(names[0]), "/s%u", line->handle - 1);
		snprintf(names[1], sizeof(names[1]), "/r%u", line->handle - 1);
		if (strcmp(line->path, names[0]) && strcmp(line->path, names[1]))
			FAIL("handle %u is shown as %s", line->handle, line->path);
	}
	for (int which = 0; which < 2; which++)
		for (unsigned int i = 0; i < nr_stable; i++)
			if (seen[which][i] != 1)
				FAIL("map %d of 2, handle %u: %u times", which + 1, i + 1,
				     seen[which][i]);
}

TEST(churn)
{
	static void (*const run[])(void *arg) = { churn_entries, churn_names, churn_maps,
						  churn_values };
	int maps[] = { map_create(32, 4, 1000), map_create(4, 4, 1000) };
	unsigned int reads = 0, nr_lines = 0;
	unsigned long long end;
	pid_t pids[4];

	for (int i = 0; i < STABLE + 10; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "%c%d", i < STABLE ? 's' : 't', i % STABLE);
		fd = file_create(name);
		CHECK_OK(map_set(maps[0], fd, i));
		CHECK_OK(map_set(maps[1], fd, i));
		close(fd);
	}
	for (int i = 0; i < 4; i++)
		pids[i] = child_start(run[i], maps);
	/* Where six seconds are not enough for a read of each kind it takes longer. */
	for (end = now_ms() + 6000; now_ms() < end || reads < 4; reads++) {
		static const size_t chunks[] = { 100, 4096, 333, 65536 };
		struct listing listing;

		listing_read(&listing, chunks[reads % 4]);
		check_stable(&listing, maps, STABLE + 10);
		nr_lines += listing.nr_lines;
		listing_free(&listing);
	}
	for (int i = 0; i < 4; i++)
		kill_child(pids[i]);
	printf("# %u reads, %u lines\n", reads, nr_lines);
	/* The others were there to be seen. */
	CHECK(nr_lines > reads * 2 * (STABLE + 10));
}

/* Unmounts, while the listing is read */

static void read_for_ever(void *arg)
{
	size_t chunk = *(size_t *)arg;

	for (;;) {
		struct listing listing;

		listing_read(&listing, chunk);
		listing_free(&listing);
	}
}

static void fill_mount(int map, unsigned int nr_files)
{
	char name[32];

	if (mount("m", "m", "tmpfs", 0, NULL))
		FAIL("mounting: %s", strerror(errno));
	for (unsigned int i = 0; i < nr_files; i++) {
		int fd;

		snprintf(name, sizeof(name), "m/f%u", i);
		fd = file_create(name);
		map_put(map, fd, i, i % 2 ? INODE_MAP_WEAK : 0);
		close(fd);
	}
}

TEST(unmount_while_read)
{
	size_t chunks[] = { 100, 65536 };
	int map = map_create(32, 4, 64);
	unsigned long long end = now_ms() + 8000;
	unsigned int rounds;
	pid_t pids[2];

	CHECK_SYS(mkdir("m", 0755));
	for (int i = 0; i < 2; i++)
		pids[i] = child_start(read_for_ever, &chunks[i]);
	for (rounds = 0; rounds < 3 || now_ms() < end; rounds++) {
		unsigned long long start;

		fill_mount(map, 24);
		CHECK_EQ(map_count(map), 24);
		start = now_ms();
		CHECK_SYS(umount("m"));
		if (now_ms() - start > 10000)
			FAIL("the unmount took %llu ms", now_ms() - start);
		CHECK_EQ(map_count(map), 0);
	}
	for (int i = 0; i < 2; i++)
		kill_child(pids[i]);
	printf("# %u unmounts\n", rounds);
}

/* A reader that stops half way holds nothing. */
TEST(unmount_between_reads)
{
	int map = map_create(32, 4, 64), keep = file_create("keep"), fd;
	struct listing listing;
	char begin[200];

	CHECK_OK(map_set(map, keep, 1));
	CHECK_SYS(mkdir("m", 0755));
	fill_mount(map, 24);
	fd = file_open(LISTING, O_RDONLY);
	CHECK_EQ(read(fd, begin, sizeof(begin)), sizeof(begin));
	CHECK_SYS(umount("m"));
	counts_wait(1, 1, 1, 1);
	/* The rest of the line that was begun, and the only one that is left. */
	listing.text = read_all(fd, 100, &listing.size);
	CHECK(strstr(listing.text, " /keep\n"));
	CHECK(!strstr(listing.text, "/f0\n"));
	close(fd);
	listing_read(&listing, 100);
	CHECK_EQ(listing.nr_lines, 1);
}

/* A map that ends while the reader is at it, and one that comes. */
TEST(maps_between_reads)
{
	int first = map_create(32, 4, 64), second, third;
	struct listing listing;
	char begin[60];
	int fd;

	CHECK_SYS(mkdir("m", 0755));
	fill_mount(first, 24);
	second = map_of_one(file_create("second"));
	fd = file_open(LISTING, O_RDONLY);
	CHECK_EQ(read(fd, begin, sizeof(begin)), sizeof(begin));
	close(first);
	counts_wait(1, 1, 1, 1);
	third = map_of_one(file_create("third"));
	listing.text = read_all(fd, 100, &listing.size);
	CHECK(strstr(listing.text, " /second\n"));
	CHECK(strstr(listing.text, " /third\n"));
	close(fd);
	close(second);
	close(third);
	CHECK_SYS(umount("m"));
}

/* Tracepoints. Something happens, and what should be seen of it is written down as the text that
 * tracefs shows; what was seen, by whatever means, is compared to that. */

static char expected[1 << 15];

__attribute__((format(printf, 1, 2)))
static void expect(const char *format, ...)
{
	size_t length = strlen(expected);
	va_list args;

	va_start(args, format);
	vsnprintf(expected + length, sizeof(expected) - length, format, args);
	va_end(args);
	CHECK(strlen(expected) < sizeof(expected) - 1);
}

struct subject {
	int map;
	unsigned int handle;
	struct stat stat;
};

static void expect_insert(const struct subject *subject, bool weak)
{
	expect("inode_map_insert: map_id=%u dev=%u:%u ino=%lu handle=%u %s\n",
	       map_id_of(subject->map), major(subject->stat.st_dev), minor(subject->stat.st_dev),
	       subject->stat.st_ino, subject->handle, weak ? "weak" : "pinned");
}

static void expect_remove(const struct subject *subject, const char *reason)
{
	expect("inode_map_remove: map_id=%u dev=%u:%u ino=%lu handle=%u reason=%s\n",
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

static void events_of_lifetime(__u32 flags)
{
	struct subject subject = { .map = map_create(32, 4, 8) };
	struct inode_map_key key = { .fd = -1 };
	bool weak = flags;
	unsigned int value = 7;
	int fd, pipes[2];

	/* Replaced, and replaced by handle, and deleted. */
	fd = file_create("f");
	insert(&subject, fd, flags, weak);
	map_put(subject.map, fd, 2, flags ^ INODE_MAP_WEAK);
	expect_remove(&subject, "replaced");
	expect_insert(&subject, !weak);
	key.handle = subject.handle;
	CHECK_SYS(bpf_map_update_elem(subject.map, &key, &value, BPF_ANY));
	expect_remove(&subject, "replaced");
	expect_insert(&subject, !weak);
	CHECK_OK(inode_map_remove_fd(subject.map, fd));
	expect_remove(&subject, "deleted");
	/* What fails is no event. */
	CHECK_ERR(inode_map_remove_fd(subject.map, fd), ENOENT);
	CHECK_ERR(inode_map_set_fd(subject.map, fd, &value, BPF_EXIST, flags), ENOENT);

	insert(&subject, fd, flags, weak);
	CHECK_ERR(inode_map_set_fd(subject.map, fd, &value, BPF_NOEXIST, flags), EEXIST);
	key.handle = subject.handle;
	CHECK_SYS(bpf_map_delete_elem(subject.map, &key));
	expect_remove(&subject, "deleted");

	/* Unlinked: at once, at the last close, by a rename, a directory, the last of two links. */
	insert(&subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(unlink("f"));
	expect_remove(&subject, "unlinked");
	fd = file_create("f");
	insert(&subject, fd, flags, weak);
	CHECK_SYS(unlink("f"));
	CHECK_EQ(map_count(subject.map), 1);
	close(fd);
	expect_remove(&subject, "unlinked");
	fd = file_create("f");
	insert(&subject, fd, flags, weak);
	close(fd);
	close(file_create("g"));
	CHECK_SYS(rename("g", "f"));
	expect_remove(&subject, "unlinked");
	CHECK_SYS(mkdir("d", 0755));
	fd = file_open("d", O_PATH);
	insert(&subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(rmdir("d"));
	expect_remove(&subject, "unlinked");
	fd = file_open("f", O_PATH);
	insert(&subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(link("f", "g"));
	CHECK_SYS(unlink("f"));
	CHECK_SYS(unlink("g"));
	expect_remove(&subject, "unlinked");

	/* Evicted: if it is weak. Pipes always are. */
	fd = file_open("/proc/version", O_PATH);
	insert(&subject, fd, flags, weak);
	close(fd);
	for (int i = 0; i < 10 && map_count(subject.map); i++)
		drop_caches();
	CHECK_EQ(map_count(subject.map), !weak);
	if (weak) {
		expect_remove(&subject, "evicted");
	} else {
		/* Its path leads to another inode by now: procfs has forgotten this one. */
		key.handle = subject.handle;
		CHECK_SYS(bpf_map_delete_elem(subject.map, &key));
		expect_remove(&subject, "deleted");
	}
	CHECK_SYS(pipe(pipes));
	insert(&subject, pipes[0], flags, true);
	close(pipes[0]);
	close(pipes[1]);
	expect_remove(&subject, "evicted");

	/* Unmounted, and unmounted lazily with a file open. */
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	fd = file_create("m/f");
	insert(&subject, fd, flags, weak);
	close(fd);
	CHECK_SYS(umount("m"));
	expect_remove(&subject, "unmounted");
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	fd = file_create("m/f");
	insert(&subject, fd, flags, weak);
	CHECK_SYS(umount2("m", MNT_DETACH));
	CHECK_EQ(map_count(subject.map), 1);
	close(fd);
	expect_remove(&subject, "unmounted");
	CHECK_SYS(rmdir("m"));

	/* The map is freed. */
	fd = file_create("f");
	insert(&subject, fd, flags, weak);
	expect_remove(&subject, "map freed");
	close(subject.map);
	counts_wait(0, 0, 0, 0);
	close(fd);
	CHECK_SYS(unlink("f"));
}

static void events_make(void)
{
	*expected = 0;
	FOR_EACH_LIFETIME(flags)
		events_of_lifetime(flags);
}

/* Compare line by line: the difference is what one wants to know. */
static void check_events(char *seen)
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

/* What follows the time on each line of the trace. */
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

/* Tools print events from what the format files say: no name in them may be the kernel's own. */
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

/* By BPF programs */

static struct observe *programs_start(const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct observe *programs = observe__open();
	struct bpf_program *program;

	CHECK(programs);
	for (int i = 0; i < 2; i++) {
		program = bpf_object__find_program_by_name(programs->obj, names[i]);
		CHECK(program);
		bpf_program__set_autoload(program, true);
	}
	CHECK_OK(observe__load(programs));
	CHECK_OK(observe__attach(programs));
	return programs;
}

/* As the programs have it. */
struct event {
	__u64 ino;
	__u32 map_id;
	__u32 major;
	__u32 minor;
	__u32 handle;
	__u32 removed;
	__u32 detail;
};

static struct event events[1 << 14];
static unsigned int nr_events;

static int event_store(void *unused, void *event, size_t size)
{
	(void)unused;
	CHECK_EQ(size, sizeof(struct event));
	CHECK(nr_events < sizeof(events) / sizeof(events[0]));
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

/* The order of events, when tasks change the same entries of two maps at once: an entry is inserted
 * before it is removed, and its handle is only used again when its value is replaced. */

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
