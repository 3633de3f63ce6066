// SPDX-License-Identifier: GPL-2.0-only
/*
 * Updates by programs at the limits of memory: more of them in one run than may wait to be freed,
 * and the limit of the memory cgroup that the map is charged to.
 */
#include <sys/mman.h>

#include "update.h"

/* One run of a program replaces more values than may wait for its end. */
TEST(too_many_in_one_run)
{
	int map = map_create(32, sizeof(programs->bss->large), 8), fd = file_create("f");
	__u64 done;

	program_attach("on_ioctl_often", map);
	CHECK_ERR(update(fd, 0, BPF_ANY), ENOMEM);
	results_check(ENOMEM, ENOMEM);
	done = results(0);
	/* 64 MiB may wait, plus the current value. */
	CHECK(done > 1024 && done < 3072);
	CHECK_EQ(map_count(map), 1);
	counts_wait(1, 1, 1, 1);
	update(fd, 0, BPF_ANY);
	CHECK(results(0) > done + 1024);
	programs_destroy();
}

#define CGROUP	CGROUPS "/inode_map_update"

/* A job of a process in the cgroup, in shared memory so that the parent can read the result. */
struct job {
	bool large;
	unsigned long room;
	int first;
	unsigned int count, done;
	int error;
	int replaced[8];
};

static void cgroup_limit(unsigned long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", bytes);
	file_write(CGROUP "/memory.max", text);
}

/* The value is @number. A large value starts with it and has it in its last byte, too. */
static int update_number(const struct job *job, int fd, unsigned int number, __u64 flags)
{
	__u8 *large = programs->bss->large;

	if (job->large) {
		memcpy(large, &number, sizeof(number));
		large[sizeof(programs->bss->large) - 1] = number;
	}
	return update(fd, number, flags);
}

static void fill_to_the_limit(void *arg)
{
	struct job *job = arg;
	char text[32];

	file_write(CGROUP "/cgroup.procs", "0");
	/* Avoid page faults below: touch what the loop needs. */
	for (; job->done < 8; job->done++)
		CHECK_EQ(update_number(job, job->first + job->done, job->done, BPF_ANY), 0);
	CHECK_SYS(mlockall(MCL_CURRENT));
	file_read(CGROUP "/memory.current", text, sizeof(text));
	cgroup_limit(strtoul(text, NULL, 10) + job->room);
	for (; job->done < job->count; job->done++) {
		job->error = update_number(job, job->first + job->done, job->done, BPF_ANY);
		if (job->error)
			break;
	}
	for (unsigned int i = 0; i < 8; i++)
		job->replaced[i] = update_number(job, job->first + i, ~i, BPF_EXIST);
}

static void check_number(const struct job *job, int map, int fd, unsigned int number)
{
	static char value[sizeof(programs->bss->large)];

	CHECK_OK(inode_map_get_fd(map, fd, value));
	CHECK(!memcmp(value, &number, sizeof(number)));
	if (job->large)
		CHECK_EQ(value[sizeof(value) - 1], (char)number);
}

static struct job *job_new(unsigned int count)
{
	struct job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(job != MAP_FAILED);
	memset(job, 0, sizeof(*job));
	job->count = count;
	job->first = files_create(count);
	return job;
}

/* At least @least entries must fit in @room, but fewer than the @count files. */
static void use_limit(bool large, unsigned int count, unsigned long room, unsigned int least)
{
	struct job *job;
	int map;

	memory_cgroup_create(CGROUP);
	/* The map's creator pays, whichever task runs the program. */
	file_write(CGROUP "/cgroup.procs", "0");
	map = map_create(32, large ? sizeof(programs->bss->large) : 4, count);
	file_write(CGROUPS "/cgroup.procs", "0");
	job = job_new(count);
	job->large = large;
	job->room = room;
	program_attach(large ? "on_ioctl_large" : "on_ioctl", map);
	child_wait(child_start(fill_to_the_limit, job));

	CHECK_EQ(job->error, -ENOMEM);
	CHECK_EQ(sh("grep -qx 'oom_kill 0' " CGROUP "/memory.events"), 0);
	results_check(ENOMEM, ENOMEM);
	/* The failed call has left the map as it was. */
	CHECK(job->done >= least);
	CHECK_EQ(map_count(map), job->done);
	CHECK(!map_has(map, job->first + job->done));
	for (unsigned int i = 0; i < job->done; i++)
		check_number(job, map, job->first + i, i < 8 && !job->replaced[i] ? ~i : i);
	/* Failed calls leak nothing; and with room, updates succeed. */
	counts_wait(1, job->done, job->done, job->done);
	file_write(CGROUP "/memory.max", "max");
	CHECK_EQ(update_number(job, job->first + job->done, 1, BPF_NOEXIST), 0);
	close(map);
	counts_wait(0, 0, 0, 0);
	CHECK_SYS(rmdir(CGROUP));
}

/* The value's allocation fails... */
TEST(memory_limit_with_large_values)
{
	use_limit(true, 500, 8UL << 20, 100);
}

/* ...or that of what the inode needs. */
TEST(memory_limit_with_small_values)
{
	use_limit(false, 5000, 1UL << 19, 200);
}
