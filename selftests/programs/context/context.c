// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that change a map on top of anything: an NMI, an interrupt, the map's own locks,
 * functions that the kernel runs for the map, the end of the map or of its inodes. They never wait,
 * can delete in any context, replace where possible, and their changes show at once.
 *
 * This file has NMIs and interrupts, and what all share: the programs, threads, the map.
 * tracepoints.c has the module's own tracepoints, functions.c the kernel's functions and programs
 * in their middle, ends.c the end of maps and inodes, gone.c deleted entries, values.c the values.
 */
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "context.h"

struct context *programs;
/* The map that the programs change, and its inodes: the working directory and a file. */
int map, dir, file;

/* Programs */

struct bpf_program *program(const char *name)
{
	struct bpf_program *found = bpf_object__find_program_by_name(programs->obj, name);

	if (!found)
		FAIL("there is no program %s", name);
	return found;
}

void programs_open(const char *const *names)
{
	programs = context__open();
	CHECK(programs);
	for (; *names; names++)
		bpf_program__set_autoload(program(*names), true);
	programs->bss->map_id = map_id_of(map);
	programs->bss->pid = getpid();
}

struct bpf_link *attach(const char *name)
{
	return attach_program(program(name));
}

/* Run a syscall program that changes the map @id. */
void run_on(const char *name, __u32 id)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &id, .ctx_size_in = sizeof(id));

	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program(name)), &opts));
}

__u64 get(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

/* Threads, each of which repeats an operation on a processor of its own */

bool stop;

static void *thread_run(void *arg)
{
	struct thread *thread = arg;

	run_on_cpu(thread->cpu);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		thread->run();
	return NULL;
}

void thread_start(struct thread *thread, unsigned int cpu, void (*run)(void))
{
	*thread = (struct thread){ .cpu = cpu, .run = run };
	stop = false;
	CHECK(!pthread_create(&thread->thread, NULL, thread_run, thread));
}

void threads_stop(struct thread *threads, unsigned int nr)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr; i++)
		CHECK(!pthread_join(threads[i].thread, NULL));
}

/* Run both for SECONDS at least, and until @enough returns true. */
void run_both(void (*first)(void), void (*second)(void), bool (*enough)(void *unused))
{
	struct thread threads[2];

	thread_start(&threads[0], 0, first);
	thread_start(&threads[1], 1, second);
	sleep(SECONDS);
	CHECK(wait_until(enough, NULL, 20));
	threads_stop(threads, 2);
}

/* The map */

void set(int to, int fd, __u64 tag)
{
	struct value value = { .tag = tag, .copy = tag };

	CHECK_OK(inode_map_set_fd(to, fd, &value, BPF_ANY, 0));
}

void remove_if_there(int from, int fd)
{
	int err = inode_map_remove_fd(from, fd);

	if (err && err != -ENOENT)
		FAIL("deleting an entry: %s", strerror(-err));
}

void setup(void)
{
	map = map_create(32, sizeof(struct value), 8);
	dir = file_open(".", O_PATH);
	file = file_create("f");
}

/* Make every change that user space can make. */
void churn(void)
{
	struct inode_map_key key, next;
	struct value value = {};

	set(map, dir, 1);
	set(map, file, 2);
	set(map, dir, 3);
	if (!bpf_map_get_next_key(map, NULL, &key)) {
		bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_update_elem(map, &key, &value, BPF_ANY))
			CHECK_EQ(errno, ENOENT);
		if (bpf_map_delete_elem(map, &key))
			CHECK_EQ(errno, ENOENT);
	}
	remove_if_there(map, file);
	set(map, file, 4);
}

/* When nobody changes the map any more, it works like a new one. */
void check_whole(void)
{
	CHECK_EQ(map_count(map), map_has(map, dir) + map_has(map, file));
	set(map, dir, 5);
	set(map, file, 6);
	CHECK_EQ(map_count(map), 2);
	CHECK_OK(inode_map_remove_fd(map, dir));
	CHECK_OK(inode_map_remove_fd(map, file));
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

/* NMIs */

static void do_nothing(void)
{
}

/* Not every architecture has the tracepoint: arm64 does not. */
static void need_nmis(void)
{
	if (access("/sys/kernel/tracing/events/nmi/nmi_handler", F_OK))
		SKIP("this architecture has no tracepoint for NMIs");
}

/* Send the other processors an NMI, in which they print their stacks. */
static void send_nmis(unsigned int from_cpu)
{
	run_on_cpu(from_cpu);
	file_write("/proc/sysrq-trigger", "l");
}

TEST(nmi_delete)
{
	const unsigned int rounds = 20;
	struct thread thread;

	need_nmis();
	setup();
	LOAD("on_nmi");
	attach("on_nmi");
	thread_start(&thread, 1, do_nothing);
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int tries = 0;

		set(map, dir, i);
		/* An NMI may find another task than the thread on its processor. */
		do {
			if (tries++ == 10)
				FAIL("round %u: not deleted", i);
			send_nmis(0);
		} while (!wait_until(map_is_empty, &map, 1));
	}
	threads_stop(&thread, 1);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
	CHECK_OUTCOMES(replaces);
	CHECK_OUTCOMES(reads);
	CHECK_EQ(programs->bss->deletes.ok + programs->bss->others.ok, rounds);
	/* NMI context allows no allocation. */
	CHECK_EQ(programs->bss->replaces.ok, 0);
	CHECK(programs->bss->replaces.busy > 0);
	CHECK(programs->bss->reads.ok > 0 && programs->bss->finds > 0);
	check_whole();
}

TEST(nmi_churn)
{
	struct thread threads[2];

	need_nmis();
	setup();
	LOAD("on_nmi");
	attach("on_nmi");
	thread_start(&threads[0], 0, churn);
	thread_start(&threads[1], 1, churn);
	for (unsigned int i = 0; i < 60; i++)
		send_nmis(i);
	threads_stop(threads, 2);
	CHECK(programs->bss->calls > 0);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
	CHECK_OUTCOMES(replaces);
	CHECK_OUTCOMES(reads);
	CHECK_EQ(programs->bss->replaces.ok, 0);
	CHECK(programs->bss->deletes.ok > 0);
	check_whole();
}

/* Interrupts */

struct bpf_link *attach_event(const char *name, struct perf_event_attr *attr, int tid,
			      int cpu)
{
	struct bpf_link *link;
	int event;

	attr->size = sizeof(*attr);
	event = syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	/* arm64 refuses them because it would have to step over them. */
	if (event < 0 && errno == EINVAL && attr->type == PERF_TYPE_BREAKPOINT)
		SKIP("this architecture has no breakpoints in the kernel for one task");
	CHECK_SYS(event);
	link = bpf_program__attach_perf_event(program(name), event);
	if (!link)
		FAIL("attaching %s: %s", name, strerror(errno));
	return link;
}

void attach_samples(const char *name, unsigned int period_us)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = period_us * 1000,
	};

	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		attach_event(name, &attr, -1, cpu);
}

static bool interrupted_enough(void *unused)
{
	(void)unused;
	return get(&programs->bss->deletes.ok) && get(&programs->bss->others.ok) &&
	       get(&programs->bss->reads.ok) && get(&programs->bss->finds) &&
	       get(&programs->bss->replaces.busy);
}

TEST(interrupts)
{
	setup();
	LOAD("on_sample");
	attach_samples("on_sample", 100);
	run_both(churn, churn, interrupted_enough);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
	CHECK_OUTCOMES(replaces);
	CHECK_OUTCOMES(reads);
	CHECK_EQ(programs->bss->replaces.ok, 0);
	programs->bss->pid = -1;
	check_whole();
}
