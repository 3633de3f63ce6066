// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map's memory is charged to the memory cgroup of the task that created it. At the cgroup's limit
 * the call fails: nothing is lost, and the OOM killer does not run.
 *
 * In a cgroup at its limit any page fault and any open() may invoke the OOM killer. So the
 * processes in it allocate what they need before the limit is set.
 */
#include "harness.h"

#include <sys/mman.h>

#define KIB		1024UL
#define MIB		(KIB * KIB)

static char cgroup[64];

static void cgroup_write(const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	file_write(path, text);
}

static void limit_set(unsigned long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", bytes);
	cgroup_write("memory.max", text);
}

/* The number after @name in a file of lines "name number". */
static unsigned long cgroup_read(const char *file, const char *name)
{
	char path[128], word[64];
	unsigned long number;
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	stream = fopen(path, "re");
	CHECK(stream);
	while (fscanf(stream, "%63s %lu", word, &number) == 2) {
		if (!strcmp(word, name)) {
			fclose(stream);
			return number;
		}
	}
	FAIL("there is no %s in %s", name, path);
}

/* The kernel memory charged to the cgroup. */
static unsigned long charged(void)
{
	return cgroup_read("memory.stat", "kernel");
}

static void cgroup_enter(void)
{
	cgroup_write("cgroup.procs", "0");
}

static void cgroup_create(const char *name)
{
	snprintf(cgroup, sizeof(cgroup), CGROUPS "/inode_map_%s", name);
	memory_cgroup_create(cgroup);
}

/* Create a map in a process in the cgroup. */
static int map_create_inside(unsigned int value_size, unsigned int count)
{
	int map;

	cgroup_enter();
	map = map_create(32, value_size, count);
	file_write(CGROUPS "/cgroup.procs", "0");
	return map;
}

static void cgroup_remove(void)
{
	CHECK_SYS(rmdir(cgroup));
}

/* A job of a process in the cgroup, in shared memory so that the parent can read the result. */
struct job {
	int map;
	int files;
	unsigned int count;
	unsigned int value_size;
	__u32 key_flags;
	unsigned long room;
	unsigned long charged[2];
	unsigned int done;
	int error;
	bool replaced[8];
	char value[64 * KIB];
};

static struct job *job_new(unsigned int value_size, unsigned int count)
{
	struct job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(job != MAP_FAILED && value_size <= sizeof(job->value));
	memset(job, 0, sizeof(*job));
	job->value_size = value_size;
	job->count = count;
	job->files = files_create(count);
	job->map = map_create_inside(value_size, count);
	return job;
}

/* Give the files 0 to count - 1 values, until an update fails. */
static void fill(struct job *job)
{
	for (job->done = 0, job->error = 0; job->done < job->count; job->done++) {
		struct inode_map_key key = {
			.fd = job->files + job->done,
			.flags = job->key_flags,
		};

		memset(job->value, job->done, job->value_size);
		if (bpf_map_update_elem(job->map, &key, job->value, BPF_ANY)) {
			job->error = errno;
			return;
		}
	}
}

static void run_fill(void *arg)
{
	struct job *job = arg;

	cgroup_enter();
	job->charged[0] = charged();
	fill(job);
	job->charged[1] = charged();
}

static bool is_uncharged(void *job_)
{
	struct job *job = job_;
	unsigned long grown = job->charged[1] - job->charged[0];

	return charged() < job->charged[0] + grown / 4;
}

TEST(entries_are_charged)
{
	cgroup_create("entries");
	FOR_EACH_LIFETIME(flags) {
		struct job *job = job_new(KIB, 2000);

		job->key_flags = flags;
		child_wait(child_start(run_fill, job));
		CHECK_EQ(job->error, 0);
		CHECK_EQ(job->done, job->count);
		if (job->charged[1] - job->charged[0] < job->count * job->value_size)
			FAIL("%u values of %u bytes were charged as %lu", job->count,
			     job->value_size, job->charged[1] - job->charged[0]);
		/* Entries stay charged after the process has exited, until they go. */
		CHECK(!is_uncharged(job));
		for (unsigned int i = 0; i < job->count; i++) {
			CHECK_OK(inode_map_remove_fd(job->map, job->files + i));
			close(job->files + i);
		}
		if (!wait_until(is_uncharged, job, 20))
			FAIL("%lu bytes are still charged after the end of all entries, "
			     "of %lu before and %lu with them", charged(), job->charged[0],
			     job->charged[1]);
		close(job->map);
	}
	cgroup_remove();
}

/* A task that fills another's map does not pay for it. */
TEST(others_are_not_charged)
{
	struct job *job;

	cgroup_create("others");
	job = job_new(KIB, 2000);
	close(job->map);
	job->map = map_create(32, KIB, job->count);
	child_wait(child_start(run_fill, job));
	CHECK_EQ(job->done, job->count);
	if (job->charged[1] > job->charged[0] + job->count * job->value_size / 4)
		FAIL("%lu bytes are charged to who filled another's map",
		     job->charged[1] - job->charged[0]);
	close(job->map);

	/* The reverse: the creator pays for what others add. */
	job->map = map_create_inside(KIB, job->count);
	job->charged[0] = charged();
	fill(job);
	CHECK_EQ(job->done, job->count);
	job->charged[1] = charged();
	if (job->charged[1] - job->charged[0] < job->count * job->value_size)
		FAIL("%lu bytes are charged to the creator of a map that another has filled",
		     job->charged[1] - job->charged[0]);
	close(job->map);
	if (!wait_until(is_uncharged, job, 20))
		FAIL("%lu bytes are still charged after the end of the map", charged());
	cgroup_remove();
}

/* Each processor charges a cgroup 64 pages at a time, so that much may not show. */
#define STOCK	(64 * 4096ul)

/* Enough of them for STOCK not to matter. */
#define ADDONS	16000

/* Small values: mostly addons are charged, and then a pin for each inode whose entry was weak. */
TEST(addons_are_charged)
{
	unsigned long stocks = STOCK * sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long weak, pinned;
	struct job *job;

	cgroup_create("addons");
	job = job_new(4, ADDONS);
	job->key_flags = INODE_MAP_WEAK;
	child_wait(child_start(run_fill, job));
	CHECK_EQ(job->error, 0);
	weak = job->charged[1] - job->charged[0];
	/* An entry and its slot in the table take less than 100 bytes, an addon more than that. */
	CHECK(ADDONS * 100 + stocks < ADDONS * 150 && ADDONS * 150 < ADDONS * 200 - stocks);
	if (weak < ADDONS * 150)
		FAIL("%u weak entries were charged as %lu bytes", job->count, weak);

	/* An inode with a weak entry gets a pin when it has to stay in memory. */
	job->key_flags = 0;
	child_wait(child_start(run_fill, job));
	CHECK_EQ(job->error, 0);
	counts_wait(1, ADDONS, ADDONS, ADDONS);
	pinned = charged() - job->charged[0];
	CHECK(stocks < ADDONS * 40 && ADDONS * 40 < ADDONS * 80 - stocks);
	if (pinned < ADDONS * 40)
		FAIL("%u pins were charged as %lu bytes", job->count, pinned);
	cgroup_remove();
}

static void run_fill_and_empty(void *arg)
{
	struct job *job = arg;

	run_fill(job);
	for (unsigned int i = 0; i < job->count; i++)
		CHECK_OK(inode_map_remove_fd(job->map, job->files + i));
	counts_wait(1, 0, 0, 0);
	job->charged[1] = charged();
}

/* The table has grown, does not shrink, and stays charged. */
TEST(table_is_charged)
{
	unsigned int count = 40000;
	struct job *job;

	cgroup_create("table");
	job = job_new(4, count);
	child_wait(child_start(run_fill_and_empty, job));
	CHECK_EQ(job->error, 0);
	printf("# %lu bytes are charged for the table of %u entries\n",
	       job->charged[1] - job->charged[0], count);
	CHECK(job->charged[1] - job->charged[0] >= count * sizeof(void *));
	close(job->map);
	if (!wait_until(is_uncharged, job, 20))
		FAIL("the table of a freed map is still charged");
	cgroup_remove();
}

static unsigned long current(void)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s/memory.current", cgroup);
	return strtoul(file_read(path, text, sizeof(text)), NULL, 10);
}

static void check_not_killed(void)
{
	CHECK_EQ(cgroup_read("memory.events", "oom_kill"), 0);
}

static void run_fill_to_the_limit(void *arg)
{
	struct job *job = arg;
	unsigned int count = job->count;

	cgroup_enter();
	/* Avoid page faults below: the stack has its full depth, and no page is copy-on-write. */
	job->count = 8;
	fill(job);
	job->count = count;
	CHECK_SYS(mlockall(MCL_CURRENT));
	limit_set(current() + job->room);
	fill(job);
	/* An update reuses the memory of an old entry if it can, or fails and leaves the value. */
	for (unsigned int i = 0; i < 8; i++) {
		struct inode_map_key key = { .fd = job->files + i };

		memset(job->value, ~i, job->value_size);
		job->replaced[i] = !bpf_map_update_elem(job->map, &key, job->value, BPF_EXIST);
		if (!job->replaced[i] && errno != ENOMEM)
			job->error = errno;
	}
}

static void check_values(const struct job *job)
{
	char value[sizeof(job->value)];

	for (unsigned int i = 0; i < job->done; i++) {
		bool is_new = i < 8 && job->replaced[i];

		CHECK_OK(inode_map_get_fd(job->map, job->files + i, value));
		for (unsigned int j = 0; j < job->value_size; j++)
			CHECK_EQ(value[j], (char)(is_new ? ~i : i));
	}
	CHECK(!map_has(job->map, job->files + job->done));
	CHECK_EQ(map_count(job->map), job->done);
}

/* @room is how much the limit leaves; at least @least entries must fit in it. */
static void use_limit(unsigned int value_size, unsigned int count, unsigned long room,
		      unsigned int least)
{
	cgroup_create("limit");
	FOR_EACH_LIFETIME(flags) {
		struct job *job = job_new(value_size, count);

		job->key_flags = flags;
		job->room = room;
		child_wait(child_start(run_fill_to_the_limit, job));
		CHECK_EQ(job->error, ENOMEM);
		check_not_killed();
		if (job->done < least)
			FAIL("only %u values of %u bytes in %lu", job->done, value_size, room);
		check_values(job);

		/* Once there is room again, updates work. */
		for (unsigned int i = 0; i < job->done; i++)
			CHECK_OK(inode_map_remove_fd(job->map, job->files + i));
		counts_wait(1, 0, 0, 0);
		job->count = least / 2;
		child_wait(child_start(run_fill, job));
		CHECK_EQ(job->error, 0);
		check_not_killed();

		cgroup_write("memory.max", "max");
		for (unsigned int i = 0; i < count; i++)
			close(job->files + i);
		close(job->map);
		counts_wait(0, 0, 0, 0);
	}
	cgroup_remove();
}

/* The value's allocation fails... */
TEST(limit_with_large_values)
{
	use_limit(16 * KIB, 1000, 8 * MIB, 100);
}

/* ...or the addon's. */
TEST(limit_with_small_values)
{
	use_limit(4, 8000, MIB, 500);
}

/* Empty maps that may have very many entries, under a limit with no room for these. */

#define LARGE_MAPS	64

static void run_create_large(void *arg)
{
	unsigned long before, bytes;

	(void)arg;
	cgroup_enter();
	before = charged();
	limit_set(before + 16 * MIB);
	for (unsigned int i = 0; i < LARGE_MAPS; i++)
		map_create(32, 4, 10000000);
	bytes = (charged() - before) / LARGE_MAPS;
	printf("# %lu bytes are charged for an empty map that may have 10,000,000 entries\n",
	       bytes);
	CHECK(bytes <= 64 * KIB);
}

TEST(empty_map_is_small)
{
	cgroup_create("empty");
	child_wait(child_start(run_create_large, NULL));
	check_not_killed();
	counts_wait(0, 0, 0, 0);
	cgroup_remove();
}
