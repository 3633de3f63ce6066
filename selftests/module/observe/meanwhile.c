// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading /proc/inode_map in pieces: of a map with many entries, and while entries, names, maps and
 * mounts come and go.
 */
#include "order.h"

#include <time.h>

#include "observe.h"

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
	/* The text has totals, which must not change meanwhile. */
	counts_wait(2, 2 * MANY, MANY, MANY);
	for (unsigned int i = 0; i < ARRAY_SIZE(chunks); i++) {
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
	/* A file that keeps its name. */
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

		/* Replace values of files that the other children use, too: the handles stay. */
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

		/* A listing in this order can't have anything twice. */
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
	/* Go on if six seconds are not enough for a read of each kind. */
	for (end = now_ms() + 6000; now_ms() < end || reads < 4; reads++) {
		static const size_t chunks[] = { 100, 4096, 333, 65536 };
		struct listing listing;

		listing_read(&listing, chunks[reads % 4]);
		check_stable(&listing, maps, STABLE + 10);
		nr_lines += listing.nr_lines;
		listing_free(&listing);
	}
	for (int i = 0; i < 4; i++)
		child_kill(pids[i]);
	printf("# %u reads, %u lines\n", reads, nr_lines);
	/* Other entries than the stable ones were seen, too. */
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
		child_kill(pids[i]);
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
	/* The rest of the current line, and the only one that is left after it. */
	listing.text = read_all(fd, 100, &listing.size);
	CHECK(strstr(listing.text, " /keep\n"));
	CHECK(!strstr(listing.text, "/f0\n"));
	close(fd);
	listing_read(&listing, 100);
	CHECK_EQ(listing.nr_lines, 1);
}

/* A map is freed while it is being listed, and another is made. */
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
