// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries that programs make: at once, with inode_map_get(), or through a worker, with
 * inode_map_request(). An inode gets one value, however many tasks ask; requests are bounded and
 * hold nothing up; and they end cleanly when the inode, filesystem or map goes. A program can query
 * which functions the module has.
 *
 * worker.c has requests that wait for a worker that is held up.
 */
#include <pthread.h>

#include "asking.h"

/* Programs */

/* Load and attach the program @name, and @also unless NULL. */
struct request *programs_attach(const char *name, const char *also)
{
	struct request *programs = request__open();

	CHECK(programs);
	want_program(programs->obj, name);
	if (also)
		want_program(programs->obj, also);
	CHECK_OK(request__load(programs));
	programs->bss->pid = getpid();
	CHECK_OK(request__attach(programs));
	return programs;
}

/* Open a file with the program armed, and return the program's result. */
int run_on(struct request *programs, const char *path)
{
	__u32 before = programs->bss->done;

	programs->bss->armed = 1;
	close(file_open(path, O_RDONLY));
	programs->bss->armed = 0;
	CHECK_EQ(programs->bss->done, before + 1);
	return programs->bss->result;
}

int run_on_map(struct request *programs, int map, const char *path)
{
	programs->bss->map_id = map_id_of(map);
	return run_on(programs, path);
}

/* Maps */

int map_of_values(unsigned int max_entries)
{
	return map_create(32, sizeof(struct value), max_entries);
}

struct value value_of(int map, int fd)
{
	struct value value;

	CHECK_OK(inode_map_get_fd(map, fd, &value));
	return value;
}

void set(int map, int fd, __u64 number)
{
	struct value value = { .number = number };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, 0));
}

/* The id of a map that is gone. */
static __u32 freed_id(void)
{
	int map = map_of_values(8);
	__u32 id = map_id_of(map);

	close(map);
	counts_wait(0, 0, 0, 0);
	return id;
}

struct place {
	int map, fd;
};

static bool is_made(void *arg)
{
	struct place *place = arg;

	return map_has(place->map, place->fd);
}

void wait_until_made(int map, int fd)
{
	struct place place = { map, fd };

	if (!wait_until(is_made, &place, 10))
		FAIL("nobody has made what was asked for");
}

/* Pending requests, and lost ones */

unsigned int requests(unsigned int *lost)
{
	FILE *file = fopen("/proc/inode_map", "r");
	unsigned int on_the_way;

	CHECK(file);
	CHECK(fscanf(file, "maps %*u entries %*u addons %*u pinned %*u requests %u lost %u",
		     &on_the_way, lost) == 2);
	fclose(file);
	return on_the_way;
}

static bool none_is_on_the_way(void *unused)
{
	unsigned int lost;

	(void)unused;
	return !requests(&lost);
}

/* Wait until no request is pending, and return how many were lost. */
unsigned int requests_wait(void)
{
	unsigned int lost;

	if (!wait_until(none_is_on_the_way, NULL, 20))
		FAIL("%u requests are on the way still", requests(&lost));
	requests(&lost);
	return lost;
}

/* Making entries at once */

TEST(get)
{
	struct request *programs = programs_attach("get", NULL);
	int map = map_of_values(8), fd = file_create("f");

	FOR_EACH_LIFETIME(lifetime) {
		programs->bss->flags = lifetime;
		programs->bss->init = NUMBER;
		CHECK_EQ(run_on_map(programs, map, "f"), 0);
		CHECK_EQ(programs->bss->seen[0], NUMBER);
		CHECK_EQ(map_only_key(map).flags, lifetime);
		counts_wait(1, 1, 1, !lifetime);

		/* An existing entry stays, and the program's writes to it are visible. */
		programs->bss->seen[0] = 0;
		programs->bss->init = NUMBER + 1;
		programs->bss->flags = lifetime ^ INODE_MAP_WEAK;
		CHECK_EQ(run_on(programs, "f"), 0);
		CHECK_EQ(programs->bss->seen[0], NUMBER);
		CHECK_EQ(value_of(map, fd).number, NUMBER);
		CHECK_EQ(value_of(map, fd).count, 2);
		CHECK_EQ(map_only_key(map).flags, lifetime);
		CHECK_OK(inode_map_remove_fd(map, fd));
	}
	counts_wait(1, 0, 0, 0);
}

static void *open_file(void *unused)
{
	(void)unused;
	close(file_open("f", O_RDONLY));
	return NULL;
}

/* Both tasks have seen that there is no entry. */
TEST(get_race)
{
	struct request *programs = programs_attach("get", "meet");
	int map = map_of_values(8);

	programs->bss->map_id = map_id_of(map);
	for (unsigned int i = 0; i < 20; i++) {
		int fd = file_create("f");
		struct value value;
		pthread_t other;

		programs->bss->gets = 0;
		programs->bss->arrived = 0;
		programs->bss->armed = 1;
		CHECK(!pthread_create(&other, NULL, open_file, NULL));
		open_file(NULL);
		CHECK(!pthread_join(other, NULL));
		programs->bss->armed = 0;
		CHECK_EQ(programs->bss->arrived, 2);
		CHECK_EQ(programs->bss->gets, 2);

		value = value_of(map, fd);
		CHECK_EQ(value.count, 2);
		CHECK_EQ(programs->bss->seen[0], value.number);
		CHECK_EQ(programs->bss->seen[1], value.number);
		CHECK_EQ(map_count(map), 1);
		CHECK_SYS(unlink("f"));
		close(fd);
	}
	counts_wait(1, 0, 0, 0);
}

static int map_create_flags(unsigned int flags)
{
	return CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, sizeof(struct value), 8, flags));
}

static void check_get_nothing(struct request *programs, int map)
{
	unsigned int before = map_count(map);

	CHECK_EQ(run_on_map(programs, map, "f"), NOTHING);
	CHECK_EQ(map_count(map), before);
}

TEST(get_refused)
{
	struct request *programs = programs_attach("get", NULL);
	__u32 freed = freed_id();
	int map = map_of_values(8), full = map_of_values(1);

	close(file_create("f"));
	set(full, file_create("other"), NUMBER);
	check_get_nothing(programs, full);
	check_get_nothing(programs, map_create_flags(BPF_F_RDONLY_PROG));
	check_get_nothing(programs, map_create_flags(BPF_F_WRONLY_PROG));
	check_get_nothing(programs, map_create(32, sizeof(struct value) + 8, 8));
	programs->bss->map_id = freed;
	CHECK_EQ(run_on(programs, "f"), NOTHING);

	for (unsigned int bit = 0; bit < 32; bit++) {
		programs->bss->flags = 1U << bit;
		if (programs->bss->flags != INODE_MAP_WEAK)
			check_get_nothing(programs, map);
	}
}

TEST(get_sizes)
{
	struct request *programs = programs_attach("get_sizes", NULL);
	int map = map_of_values(8), fd = file_create("f");

	CHECK_EQ(run_on_map(programs, map, "f"), 0);
	CHECK_EQ(value_of(map, fd).number, 1);
}

#define POSSIBLY_NULL	"Possibly NULL pointer passed to trusted"

/* A file about to be created has no inode, although the verifier of 6.12 assumes one. */
TEST(no_inode)
{
	static const struct {
		const char *name;
		int want;
	} programs_of[] = { { "get_null", NOTHING }, { "request_null", -EINVAL } };
	int map = map_of_values(8);

	for (unsigned int i = 0; i < ARRAY_SIZE(programs_of); i++) {
		struct request *programs;

		/* 7.x assumes that it may be NULL, and refuses a program without a test. */
		if (VERIFIER_REFUSES(request, programs_of[i].name, POSSIBLY_NULL))
			continue;
		programs = programs_attach(programs_of[i].name, NULL);
		programs->bss->map_id = map_id_of(map);
		programs->bss->armed = 1;
		close(file_create("new"));
		programs->bss->armed = 0;
		CHECK_EQ(programs->bss->done, 1);
		CHECK_EQ(programs->bss->result, programs_of[i].want);
		request__destroy(programs);
		CHECK_SYS(unlink("new"));
	}
	CHECK_EQ(map_count(map), 0);
}

/* Requests */

static void check_request(const char *name)
{
	struct request *programs = programs_attach(name, NULL);
	int map = map_of_values(8), fd = file_create("f");
	unsigned int lost = requests_wait();

	programs->bss->init = NUMBER;
	FOR_EACH_LIFETIME(lifetime) {
		programs->bss->flags = lifetime;
		CHECK_ERR(run_on_map(programs, map, "f"), EINPROGRESS);
		wait_until_made(map, fd);
		CHECK_EQ(value_of(map, fd).number, NUMBER);
		CHECK_EQ(map_only_key(map).flags, lifetime);
		counts_wait(1, 1, 1, !lifetime);

		programs->bss->init++;
		CHECK_ERR(run_on(programs, "f"), EEXIST);
		CHECK_EQ(requests_wait(), lost);
		CHECK_EQ(value_of(map, fd).number, NUMBER);
		CHECK_OK(inode_map_remove_fd(map, fd));
		programs->bss->init = NUMBER;
	}
	counts_wait(1, 0, 0, 0);
}

TEST(request)
{
	check_request("request");
}

TEST(request_sleepable)
{
	check_request("request_sleepable");
}

TEST(request_refused)
{
	struct request *programs = programs_attach("request", NULL);
	__u32 freed = freed_id();
	int map = map_of_values(8), full = map_of_values(1);
	int fd = file_create("f"), wronly;

	set(full, file_create("other"), NUMBER);
	CHECK_ERR(run_on_map(programs, full, "f"), E2BIG);
	CHECK_ERR(run_on_map(programs, map_create_flags(BPF_F_RDONLY_PROG), "f"), EPERM);
	CHECK_ERR(run_on_map(programs, map_create(32, sizeof(struct value) + 8, 8), "f"), EINVAL);
	programs->bss->map_id = freed;
	CHECK_ERR(run_on(programs, "f"), ENODEV);
	/* BPF_F_WRONLY_PROG only forbids reading, which a request does not do. */
	wronly = map_create_flags(BPF_F_WRONLY_PROG);
	CHECK_ERR(run_on_map(programs, wronly, "f"), EINPROGRESS);
	wait_until_made(wronly, fd);

	for (unsigned int bit = 0; bit < 64; bit++) {
		programs->bss->flags = 1ULL << bit;
		if (programs->bss->flags != INODE_MAP_WEAK)
			CHECK_ERR(run_on_map(programs, map, "f"), EINVAL);
	}
	requests_wait();
	CHECK_EQ(map_count(map), 0);
}

TEST(request_sizes)
{
	struct request *programs = programs_attach("request_size", NULL);
	int map = map_of_values(8);

	close(file_create("f"));
	for (unsigned int size = 0; size < 32; size++) {
		if (size == sizeof(struct value))
			continue;
		programs->data->size = size;
		CHECK_ERR(run_on_map(programs, map, "f"), EINVAL);
	}
	requests_wait();
	CHECK_EQ(map_count(map), 0);
}

/* A pipe's entry is weak, whatever the program requested. */
TEST(request_internal)
{
	struct request *programs = programs_attach("request", NULL);
	int map = map_of_values(8), ends[2];
	char path[64];

	CHECK_SYS(pipe(ends));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	CHECK_ERR(run_on_map(programs, map, path), EINPROGRESS);
	wait_until_made(map, ends[0]);
	CHECK_EQ(map_only_key(map).flags, INODE_MAP_WEAK);
	close(ends[0]);
	close(ends[1]);
	CHECK_EQ(map_count(map), 0);
}

/* Inodes that can't be held */

/* Run @run with the program @name, whose request must fail with -ESTALE. */
static void check_stale(const char *name, void (*run)(void))
{
	struct request *programs = programs_attach(name, NULL);
	int map = map_of_values(8);

	programs->bss->map_id = map_id_of(map);
	programs->bss->armed = 1;
	run();
	programs->bss->armed = 0;
	CHECK(programs->bss->done);
	CHECK_ERR(programs->bss->result, ESTALE);
	requests_wait();
	CHECK_EQ(map_count(map), 0);
}

static void make_file(void)
{
	close(file_create("new"));
}

static void remove_file(void)
{
	CHECK_SYS(unlink("m/f"));
}

TEST(request_unborn)
{
	check_stale("request_unborn", make_file);
}

TEST(request_freed)
{
	mount_image("ext4", 16, "m", NULL);
	close(file_create("m/f"));
	check_stale("request_freed", remove_file);
}

/* The inode's lock is held: a request that waited for it would never return. */
TEST(request_dropped)
{
	mount_image("ext4", 16, "m", NULL);
	close(file_create("m/f"));
	check_stale("request_dropped", remove_file);
}

TEST(request_irqs_off)
{
	struct request *programs;
	unsigned int before = requests_wait();
	int map = map_of_values(8), fd;

	mount_image("ext4", 16, "m", NULL);
	programs = programs_attach("request_irqs_off", NULL);
	programs->bss->map_id = map_id_of(map);
	file_write("m/f", "something to write");
	fd = file_open("m/f", O_RDONLY);
	programs->bss->armed = 1;
	CHECK_SYS(fsync(fd));
	programs->bss->armed = 0;
	CHECK(programs->bss->done);
	CHECK_ERR(programs->bss->result, EBUSY);
	CHECK_EQ(requests_wait(), before);
	CHECK_EQ(map_count(map), 0);
}

/* Versions */

TEST(version)
{
	struct request *programs = programs_attach("ask_version", NULL);
	int map = map_of_values(8), fd = file_create("f");

	CHECK_ERR(run_on_map(programs, map, "f"), EINPROGRESS);
	CHECK_EQ(programs->bss->version, 2);
	wait_until_made(map, fd);
}

/* A program may call a missing function only behind a test that is false without it. */
TEST(version_of_old)
{
	static const struct refused refused[] = {
		{ "refused_unasked",
		  "referenced but wasn't resolved|invalid kernel function call not eliminated" },
	};
	struct request *programs = programs_attach("old_module", NULL);

	close(file_create("f"));
	CHECK_EQ(run_on(programs, "f"), 1);
	CHECK_VERIFIER_REFUSES(request, refused);
}

/* Programs that the verifier must refuse */

#define NOT_TRUSTED	"R2 must be referenced or trusted"

TEST(verifier)
{
	static const struct refused refused[] = {
		{ "refused_get_atomic",
		  "program must be sleepable to call sleepable kfunc bpf_inode_map_get" },
		{ "refused_get_walked", NOT_TRUSTED },
		{ "refused_get_unchecked", "invalid mem access 'mem_or_null'" },
		{ "refused_get_beyond", "invalid access to memory, mem_size=8 off=8 size=1" },
		{ "refused_get_small", "len pair leads to invalid memory access" },
		{ "refused_request_plain", NOT_TRUSTED },
		{ "refused_request_walked", NOT_TRUSTED },
		{ "refused_request_small", "len pair leads to invalid memory access" },
	};

	CHECK_VERIFIER_REFUSES(request, refused);
}
