// SPDX-License-Identifier: GPL-2.0-only
/*
 * Very many maps at a time: programs find each by its id and its name, and never one that is gone,
 * and the cost per map does not grow with their number.
 */
#include "harness.h"

#include <net/if.h>
#include <sys/resource.h>

#include "registry.skel.h"

/* Several times as many maps as "recent" in src/registry.c has room for. */
#define MAPS	900

struct args {
	__u32 id;
	__s32 result;
	__u64 value;
};

static int maps[2 * MAPS];
static unsigned int ids[2 * MAPS];
static struct registry *programs;

static struct args run(struct bpf_program *program, unsigned int id)
{
	struct args args = { .id = id };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &args, .ctx_size_in = sizeof(args));

	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program), &opts));
	return args;
}

static void check_value(unsigned int i)
{
	struct args args = run(programs->progs.read_value, ids[i]);

	if (args.result || args.value != i)
		FAIL("map %u of %u, id %u: %d, value %llu", i, MAPS, ids[i], args.result,
		     (unsigned long long)args.value);
}

static void map_create_named(unsigned int i, const char *name)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));

	maps[i] = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, name, 32, 8, 1, &opts));
	ids[i] = map_id_of(maps[i]);
}

static void map_create_numbered(unsigned int i)
{
	char name[16];

	snprintf(name, sizeof(name), "map_%u", i);
	map_create_named(i, name);
}

/* For the running executable, which the programs look up. */
static void value_set(unsigned int i)
{
	__u64 value = i;

	CHECK_OK(inode_map_set_path(maps[i], "/proc/self/exe", &value, BPF_ANY, INODE_MAP_WEAK));
}

static void registry_load(const char *name)
{
	programs = registry__open();
	CHECK(programs);
	snprintf((char *)programs->rodata->name, sizeof(programs->rodata->name), "%s", name);
	CHECK_OK(registry__load(programs));
}

static int id_of(const char *name)
{
	int id;

	registry_load(name);
	id = run(programs->progs.find_name, 0).result;
	registry__destroy(programs);
	return id;
}

static void descriptors(unsigned int count)
{
	struct rlimit limit = { count + 100, count + 100 };

	CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
}

/* Lists every map with entries once, in the order of ids. Maps without entries have no line. */
static unsigned int check_proc(void)
{
	FILE *stream = fopen("/proc/inode_map", "re");
	unsigned int id, last = 0, lines = 0;
	char line[512];

	CHECK(stream);
	while (fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "%u map_", &id) != 1)
			continue;
		if (id <= last)
			FAIL("map %u is shown behind map %u", id, last);
		last = id;
		lines++;
	}
	fclose(stream);
	return lines;
}

TEST(many_maps)
{
	unsigned int left = 0;

	descriptors(2 * MAPS);
	registry_load("");
	for (unsigned int i = 0; i < MAPS; i++) {
		map_create_numbered(i);
		/* The map is found and has no entry yet. */
		CHECK_EQ(run(programs->progs.read_value, ids[i]).result, -ENOENT);
		value_set(i);
		check_value(i);
	}
	for (unsigned int i = 0; i < MAPS; i++)
		check_value(i);
	CHECK_EQ(check_proc(), MAPS);

	/* Free every second map, and some adjacent ones. */
	for (unsigned int i = 0; i < MAPS; i++) {
		if (i % 2 && (i < 300 || i > 600)) {
			left++;
			continue;
		}
		close(maps[i]);
		maps[i] = -1;
	}
	counts_wait(left, left, 1, 0);
	for (unsigned int i = 0; i < MAPS; i++) {
		if (maps[i] >= 0)
			check_value(i);
		else
			CHECK_EQ(run(programs->progs.read_value, ids[i]).result, -ENODEV);
	}
	CHECK_EQ(check_proc(), left);

	/* New maps may take the place of the old ones in the registry. */
	for (unsigned int i = MAPS; i < MAPS + 300; i++) {
		map_create_numbered(i);
		value_set(i);
	}
	for (unsigned int i = 0; i < MAPS + 300; i++)
		if (maps[i] >= 0)
			check_value(i);
	CHECK_EQ(run(programs->progs.read_value, 0).result, -ENODEV);
	CHECK_EQ(run(programs->progs.read_value, 1U << 31).result, -ENODEV);
	CHECK_EQ(run(programs->progs.read_value, UINT32_MAX).result, -ENODEV);
	registry__destroy(programs);
}

TEST(many_names)
{
	unsigned int last = MAPS - 1;

	descriptors(MAPS);
	for (unsigned int i = 0; i < MAPS; i++)
		map_create_numbered(i);
	CHECK_EQ(id_of("map_0"), (int)ids[0]);
	CHECK_EQ(id_of("map_450"), (int)ids[450]);
	CHECK_EQ(id_of("map_899"), (int)ids[899]);
	CHECK_EQ(id_of("map_900"), -ENOENT);
	CHECK_EQ(id_of("map_"), -ENOENT);

	/* Duplicate a name: once as the last map, once as one that others follow. */
	close(maps[last]);
	counts_wait(last, 0, 0, 0);
	map_create_numbered(450);
	CHECK_EQ(id_of("map_450"), -ENOTUNIQ);
	map_create_numbered(0);
	CHECK_EQ(id_of("map_450"), -ENOTUNIQ);
	CHECK_EQ(id_of("map_0"), -ENOTUNIQ);
	CHECK_EQ(id_of("map_1"), (int)ids[1]);
	close(maps[450]);
	counts_wait(last + 1, 0, 0, 0);
	CHECK(id_of("map_450") > 0);
	CHECK(id_of("map_450") != (int)ids[450]);
}

static void check_found(int expected)
{
	CHECK_EQ(run(programs->progs.find_name, 0).result, expected);
}

/* Free two of three maps of the same name, and then the third. */
static void three(unsigned int first, unsigned int second)
{
	unsigned int third = 3 - first - second;

	for (unsigned int i = 0; i < 3; i++)
		map_create_named(i, "three");
	/* So that all three have left the young list. */
	map_create_named(3, "another");
	check_found(-ENOTUNIQ);
	close(maps[first]);
	counts_wait(3, 0, 0, 0);
	check_found(-ENOTUNIQ);
	close(maps[second]);
	counts_wait(2, 0, 0, 0);
	check_found(ids[third]);
	close(maps[third]);
	counts_wait(1, 0, 0, 0);
	check_found(-ENOENT);
	close(maps[3]);
	counts_wait(0, 0, 0, 0);
}

TEST(three_of_a_name)
{
	registry_load("three");
	for (unsigned int first = 0; first < 3; first++)
		for (unsigned int step = 1; step < 3; step++)
			three(first, (first + step) % 3);
	registry__destroy(programs);
}

/* Hide the maps @begin to @end - 1 while all exist. Returns the shortest time in microseconds. */
static double hide(unsigned int begin, unsigned int end, unsigned int left)
{
	programs->bss->hidden = 0;
	for (unsigned int i = begin; i < end; i++)
		close(maps[i]);
	counts_wait(left, 0, 0, 0);
	CHECK_EQ(programs->bss->hidden, end - begin);
	return programs->bss->hiding_least / 1000.0;
}

/*
 * Hiding a map, under the rtnl lock, does not take longer when many maps have its name. Compare the
 * best times: a busy host takes the processor away.
 */
TEST(many_of_a_name)
{
	const unsigned int all = 2 * MAPS, some = 50;
	double alone, oldest, newest;

	descriptors(all);
	registry_load("");
	CHECK_OK(registry__attach(programs));
	for (unsigned int i = 0; i < some; i++)
		map_create_numbered(i);
	alone = hide(0, some, 0);
	for (unsigned int i = 0; i < all; i++)
		map_create_named(i, "same");
	oldest = hide(0, some, all - some);
	newest = hide(all - some, all, all - 2 * some);
	hide(some, all - some, 0);
	printf("# to hide a map took %.1f us, the oldest of %u of one name %.1f us, the newest %.1f us\n",
	       alone, all, oldest, newest);
	CHECK(oldest < 5 * alone && newest < 5 * alone);
	registry__destroy(programs);
}

/* Time one read(2) of the file while all maps are empty. The failed lookup publishes all maps. */
static double read_proc(void)
{
	double begin, took;
	char line[256];
	int fd;

	CHECK_EQ(run(programs->progs.read_value, UINT32_MAX).result, -ENODEV);
	fd = file_open("/proc/inode_map", O_RDONLY);
	begin = now();
	CHECK(read(fd, line, sizeof(line)) > 0);
	CHECK_EQ(read(fd, line, sizeof(line)), 0);
	took = now() - begin;
	close(fd);
	return took;
}

static double least(double one, double other)
{
	return one < other ? one : other;
}

#define TRIES	100

/*
 * Eight times as many maps take about eight times as long, not 64 times. Compare the best times: a
 * busy host takes the processor away in most of the tries.
 */
TEST(proc_is_linear)
{
	double few = 1e9, many = 1e9;

	descriptors(2 * MAPS);
	registry_load("");
	for (unsigned int i = 0; i < MAPS / 4; i++)
		map_create_numbered(i);
	for (unsigned int i = 0; i < 5; i++)
		few = least(few, read_proc());
	for (unsigned int i = MAPS / 4; i < 2 * MAPS; i++)
		map_create_numbered(i);
	for (unsigned int i = 0; i < TRIES && many >= 20 * few; i++)
		many = least(many, read_proc());
	printf("# %u maps: %.1f ms, %u maps: %.1f ms\n", MAPS / 4, few * 1000, 2 * MAPS,
	       many * 1000);
	CHECK(many < 20 * few);
}
