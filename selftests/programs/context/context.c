// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that change a map on top of anything: an NMI, an interrupt, the map's own locks,
 * whatever the kernel does for the map, the end of the map or of its inodes. They never wait, they
 * delete anywhere, replace where they can, and what they have done shows at once.
 */
#include "harness.h"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* As the programs have them. */

struct value {
	__u64 tag;
	__u64 copy;
	__u64 last;
	__u64 count;
};

struct outcomes {
	__u64 ok;
	__u64 busy;
	__u64 absent;
	__u64 dead;
	__u64 other;
	__s64 error;
};

#include "context.skel.h"

/* How long a case that only tries goes on. */
#define SECONDS		2

static struct context *programs;
/* The map that the programs change, and the inodes in it: the working directory and a file. */
static int map, dir, file;

/* Programs */

static struct bpf_program *program(const char *name)
{
	struct bpf_program *found = bpf_object__find_program_by_name(programs->obj, name);

	if (!found)
		FAIL("there is no program %s", name);
	return found;
}

static void programs_open(const char *const *names)
{
	programs = context__open();
	CHECK(programs);
	for (; *names; names++)
		bpf_program__set_autoload(program(*names), true);
	programs->bss->map_id = map_id_of(map);
	programs->bss->pid = getpid();
}

/* Load these programs. */
#define LOAD(...)							\
	do {								\
		programs_open((const char *const []){ __VA_ARGS__, NULL }); \
		CHECK_OK(context__load(programs));			\
	} while (0)

static struct bpf_link *attach(const char *name)
{
	struct bpf_link *link = bpf_program__attach(program(name));

	if (!link)
		FAIL("attaching %s: %s", name, strerror(errno));
	return link;
}

/* Have a program of the syscall type change the map @id. */
static void run_on(const char *name, __u32 id)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &id, .ctx_size_in = sizeof(id));

	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program(name)), &opts));
}

static __u64 get(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

#define SHOW(outcomes)							\
	printf("# %s: %llu ok, %llu busy, %llu absent, %llu dead\n", #outcomes, \
	       programs->bss->outcomes.ok, programs->bss->outcomes.busy, \
	       programs->bss->outcomes.absent, programs->bss->outcomes.dead)

/* Nothing came out but 0, -EBUSY and -ENOENT. */
#define CHECK_OUTCOMES(outcomes)					\
	do {								\
		SHOW(outcomes);						\
		if (programs->bss->outcomes.other)			\
			FAIL("%llu other %s: %s", programs->bss->outcomes.other, #outcomes, \
			     strerror(-programs->bss->outcomes.error));	\
	} while (0)

/* Deletions, which nothing holds up. */
#define CHECK_DELETIONS(outcomes)					\
	do {								\
		CHECK_OUTCOMES(outcomes);				\
		CHECK_EQ(programs->bss->outcomes.busy, 0);		\
	} while (0)

/* Threads that do something again and again, each on a processor of its own */

static bool stop;

struct thread {
	pthread_t thread;
	unsigned int cpu;
	void (*run)(void);
};

static void move_to_cpu(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	CHECK_SYS(sched_setaffinity(0, sizeof(cpus), &cpus));
}

static void *thread_run(void *arg)
{
	struct thread *thread = arg;

	move_to_cpu(thread->cpu);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		thread->run();
	return NULL;
}

static void thread_start(struct thread *thread, unsigned int cpu, void (*run)(void))
{
	*thread = (struct thread){ .cpu = cpu, .run = run };
	stop = false;
	CHECK(!pthread_create(&thread->thread, NULL, thread_run, thread));
}

static void threads_stop(struct thread *threads, unsigned int nr)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr; i++)
		CHECK(!pthread_join(threads[i].thread, NULL));
}

/* Until there was enough of what the case is for. */
static void run_both(void (*first)(void), void (*second)(void), bool (*enough)(void *unused))
{
	struct thread threads[2];

	thread_start(&threads[0], 0, first);
	thread_start(&threads[1], 1, second);
	sleep(SECONDS);
	CHECK(wait_until(enough, NULL, 20));
	threads_stop(threads, 2);
}

/* The map */

static void set(int to, int fd, __u64 tag)
{
	struct value value = { .tag = tag, .copy = tag };

	CHECK_OK(inode_map_set_fd(to, fd, &value, BPF_ANY, 0));
}

static void remove_if_there(int from, int fd)
{
	int err = inode_map_remove_fd(from, fd);

	if (err && err != -ENOENT)
		FAIL("deleting an entry: %s", strerror(-err));
}

static void setup(void)
{
	map = map_create(32, sizeof(struct value), 8);
	dir = file_open(".", O_PATH);
	file = file_create("f");
}

/* All of the changes that user space can make. */
static void churn(void)
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

/* Nobody changes the map any more: it is as good as new. */
static void check_whole(void)
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

/* Not every architecture has the tracepoint: arm64 has not. */
static void need_nmis(void)
{
	if (access("/sys/kernel/tracing/events/nmi/nmi_handler", F_OK))
		SKIP("this architecture has no tracepoint for NMIs");
}

/* The other processors are sent an NMI, which has them print where they are. */
static void send_nmis(unsigned int from_cpu)
{
	move_to_cpu(from_cpu);
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
		/* The thread may not be what an NMI finds on its processor. */
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
	/* Nothing can be allocated in NMI. */
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

static struct bpf_link *attach_event(const char *name, struct perf_event_attr *attr, int tid,
				     int cpu)
{
	struct bpf_link *link;
	int event;

	attr->size = sizeof(*attr);
	event = syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	/* arm64's would complicate its stepping over them. */
	if (event < 0 && errno == EINVAL && attr->type == PERF_TYPE_BREAKPOINT)
		SKIP("this architecture has no breakpoints in the kernel for one task");
	CHECK_SYS(event);
	link = bpf_program__attach_perf_event(program(name), event);
	if (!link)
		FAIL("attaching %s: %s", name, strerror(errno));
	return link;
}

static void attach_samples(const char *name, unsigned int period_us)
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

/* The tracepoints of the module */

/* How often the programs on the tracepoints have been called since this was called last. */
static bool were_called(void *calls)
{
	return get(&programs->bss->calls) >= *(__u64 *)calls;
}

static void expect_calls(__u64 calls)
{
	CHECK(wait_until(were_called, &calls, 10));
	/* There may be more. */
	usleep(10000);
	CHECK_EQ(programs->bss->calls, calls);
	programs->bss->calls = 0;
}

/* What came out of one kind of change since this was called last. */
#define EXPECT(outcomes, ok_, busy_, absent_)				\
	do {								\
		CHECK_EQ(programs->bss->outcomes.ok, ok_);		\
		CHECK_EQ(programs->bss->outcomes.busy, busy_);		\
		CHECK_EQ(programs->bss->outcomes.absent, absent_);	\
		CHECK_EQ(programs->bss->outcomes.dead + programs->bss->outcomes.other, 0); \
		memset(&programs->bss->outcomes, 0, sizeof(programs->bss->outcomes)); \
	} while (0)

static void set_both(int other)
{
	set(map, other, 1);
	programs->bss->other_handle = map_only_key(map).handle;
	set(map, dir, 1);
}

/*
 * The map's locks are held. No value can be replaced; but the entry of the event can be deleted, in
 * the middle of its insertion, and so can any other. Each deletion's own event comes later, and
 * finds nothing.
 */
TEST(own_insertion)
{
	int other;

	setup();
	other = file_create("other");
	LOAD("same_insert", "same_remove");
	programs->bss->map_id = 0;
	attach("same_insert");
	attach("same_remove");
	set(map, other, 1);
	programs->bss->other_handle = map_only_key(map).handle;
	programs->bss->map_id = map_id_of(map);

	set(map, dir, 1);
	CHECK_EQ(map_count(map), 0);
	CHECK(!map_has(map, dir) && !map_has(map, other));
	expect_calls(3);
	EXPECT(replaces, 0, 1, 2);
	EXPECT(deletes, 1, 0, 5);
	EXPECT(others, 1, 0, 2);
	counts_wait(1, 0, 0, 0);
}

/* Likewise the entry that takes the place of another: the new value is there at the event. */
TEST(own_replacement)
{
	int other;

	setup();
	other = file_create("other");
	LOAD("same_remove", "replace_pwd");
	set_both(other);
	attach("same_remove");

	set(map, dir, 2);
	CHECK_EQ(map_count(map), 0);
	expect_calls(3);
	EXPECT(replaces, 0, 1, 2);
	EXPECT(deletes, 1, 0, 5);
	EXPECT(others, 1, 0, 2);

	/* The same within what a program does. */
	programs->bss->map_id = 0;
	set_both(other);
	programs->bss->map_id = map_id_of(map);
	run_on("replace_pwd", map_id_of(map));
	CHECK_EQ(map_count(map), 0);
	expect_calls(3);
	EXPECT(replaces, 1, 1, 2);
	EXPECT(deletes, 1, 0, 5);
	EXPECT(others, 1, 0, 2);
	counts_wait(1, 0, 0, 0);
}

/* An entry that is gone is not there for programs, either, whatever it went by. */
TEST(own_removal)
{
	int other;

	setup();
	other = file_create("other");
	LOAD("same_remove");
	set_both(other);
	set(map, file, 1);
	attach("same_remove");

	CHECK_OK(inode_map_remove_fd(map, dir));
	expect_calls(2);
	EXPECT(deletes, 0, 0, 4);
	EXPECT(others, 1, 0, 1);
	close(file);
	CHECK_SYS(unlink("f"));
	expect_calls(1);
	EXPECT(deletes, 0, 0, 2);
	EXPECT(others, 0, 0, 1);
	EXPECT(replaces, 0, 0, 3);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

static int other_map, files[2];

static void churn_map(void)
{
	set(map, dir, 1);
	set(map, file, 2);
	set(map, files[0], 3);
	remove_if_there(map, file);
}

static void churn_other_map(void)
{
	set(other_map, dir, 1);
	set(other_map, file, 2);
	set(other_map, files[1], 3);
	remove_if_there(other_map, file);
}

static bool crossed_enough(void *unused)
{
	(void)unused;
	return get(&programs->bss->deletes.ok) > 20 && get(&programs->bss->others.ok) > 20;
}

static bool all_are_gone(void *unused)
{
	(void)unused;
	return map_is_empty(&map) && map_is_empty(&other_map);
}

/*
 * Each change of one map deletes from the other, and those deletions from the first again. Some
 * inodes are in both maps, so that they have a lock in common, some in one only.
 */
TEST(crosswise_events)
{
	struct context__bss *bss;

	setup();
	other_map = map_create(32, sizeof(struct value), 8);
	files[0] = file_create("g");
	files[1] = file_create("h");
	LOAD("cross_insert", "cross_remove", "delete_entries");
	bss = programs->bss;
	bss->other_map_id = map_id_of(other_map);

	/* A quiet one first. */
	set(map, files[0], 1);
	set(map, dir, 1);
	attach("cross_insert");
	attach("cross_remove");
	set(other_map, dir, 1);
	CHECK_EQ(bss->others.ok, 2);
	CHECK(map_is_empty(&map));
	/* The events of these deletions come later, and delete the one that began it. */
	CHECK(wait_until(all_are_gone, NULL, 10));
	CHECK_EQ(bss->deletes.ok, 1);

	run_both(churn_map, churn_other_map, crossed_enough);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
}

/* Functions of the kernel that are called on behalf of a map */

/* What a program on a function can do. It can delete, as everywhere. */
enum expected {
	BUSY,		/* no value can be replaced: the map's lock is held, or nothing allocated */
	BOTH,		/* the lock is sometimes held, sometimes not */
	WORKS,		/* no lock is held; a worker may have one for a moment */
	ANY,		/* there may be nothing left to change */
};

struct function {
	const char *name;
	/* What PREEMPT_RT has instead. */
	const char *rt_name;
	enum expected expected;
};

/* Everything that leads to one of the functions. */
static void call_functions(void)
{
	churn();
	close(file_create("page"));
	CHECK_SYS(unlink("page"));
	set(map, dir, 5);
	map_count(map);
	/* A program deletes. */
	close(file_open("f", O_RDONLY));
	set(map, file, 6);
	remove_if_there(map, file);
	remove_if_there(map, dir);
}

static void check_function(const struct function *function, const char *name,
			   struct bpf_link *(*attach_to)(const char *function))
{
	const struct outcomes *replaces;
	struct bpf_link *links[2];
	unsigned long long ok;
	int err = 0;

	programs_open((const char *const []){ name, "delete_opened", NULL });
	if (!strcmp(name, "on_function"))
		err = bpf_program__set_attach_target(program(name), 0, function->name);
	/* Some are inline functions on some kernels, and those of spinlocks on arm64. */
	if (err == -ESRCH &&
	    (function->expected == ANY || !strncmp(function->name, "_raw_spin_", 10))) {
		printf("# %s: this kernel has no such function\n", function->name);
		context__destroy(programs);
		programs = NULL;
		return;
	}
	CHECK_OK(err);
	CHECK_OK(context__load(programs));
	links[0] = attach("delete_opened");
	links[1] = attach_to(function->name);
	for (unsigned int i = 0; i < 50; i++)
		call_functions();
	bpf_link__destroy(links[1]);
	bpf_link__destroy(links[0]);

	ok = programs->bss->deletes.ok + programs->bss->others.ok;
	replaces = &programs->bss->replaces;
	printf("# %s: %llu calls, %llu deletions; replaced %llu, busy %llu\n", function->name,
	       programs->bss->calls, ok, replaces->ok, replaces->busy);
	CHECK_EQ(programs->bss->deletes.other + programs->bss->others.other, 0);
	CHECK_EQ(programs->bss->deletes.busy + programs->bss->others.busy, 0);
	CHECK_EQ(programs->bss->opened.busy + programs->bss->opened.other, 0);
	CHECK(programs->bss->opened.ok + programs->bss->opened.absent >= 50);
	CHECK_EQ(replaces->other + programs->bss->reads.other, 0);
	if (function->expected != ANY && !ok)
		FAIL("%s: nothing deleted", function->name);
	if (function->expected == BUSY && replaces->ok)
		FAIL("%s: changed a map that is locked", function->name);
	if (function->expected <= BOTH && !replaces->busy)
		FAIL("%s: never busy", function->name);
	context__destroy(programs);
	check_whole();
}

static struct bpf_link *attach_to_function(const char *function)
{
	(void)function;
	return attach("on_function");
}

TEST(functions)
{
	static const struct function functions[] = {
		/* The map's lock is about to be released, or another one is. */
		{ "_raw_spin_unlock", "rt_spin_unlock", BOTH },
		/* With it only when there is nothing to replace. */
		{ "kmem_cache_alloc_lru_noprof", NULL, WORKS },
		{ "call_rcu", NULL, WORKS },
		/* Locks, updates, walks, releases. */
		{ "_raw_spin_lock", "rt_spin_lock", WORKS },
		{ "_raw_spin_trylock", "rt_spin_trylock", WORKS },
		{ "kmem_cache_alloc_noprof", NULL, WORKS },
		{ "fsnotify_find_mark", NULL, WORKS },
		{ "fsnotify_add_mark", NULL, ANY },
		{ "inode_map_next", NULL, WORKS },
		{ "inode_map_defer", NULL, WORKS },
		{ "inode_map_entry_retire", NULL, WORKS },
		{ "__queue_work", NULL, ANY },
		{ "call_rcu_tasks_trace", NULL, ANY },
	};
	const bool rt = kernel_is_rt();

	setup();
	for (unsigned int i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		struct function function = functions[i];

		if (rt && function.rt_name)
			function.name = function.rt_name;
		check_function(&function, "on_function", attach_to_function);
	}
}

/* What programs can't be attached to, they can run at as well: in a debug exception. */

static __u64 kernel_symbol(const char *name)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	unsigned long long address;
	char line[512], symbol[256];

	CHECK(symbols);
	while (fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%llx %*c %255s", &address, symbol) == 2 &&
		    !strcmp(symbol, name)) {
			fclose(symbols);
			return address;
		}
	}
	FAIL("the kernel has no %s", name);
}

/* x86 wants a long, arm64 what an instruction takes. */
#ifdef __x86_64__
#define BREAKPOINT_LEN	sizeof(long)
#else
#define BREAKPOINT_LEN	HW_BREAKPOINT_LEN_4
#endif

static struct bpf_link *attach_breakpoint(const char *name, const char *function)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.sample_period = 1,
		.bp_type = HW_BREAKPOINT_X,
		.bp_addr = kernel_symbol(function),
		.bp_len = BREAKPOINT_LEN,
	};

	return attach_event(name, &attr, gettid(), -1);
}

static struct bpf_link *break_at_function(const char *function)
{
	return attach_breakpoint("on_sample", function);
}

TEST(breakpoints)
{
	static const struct function functions[] = {
		/* For this process, only the module calls these, with the map's lock. */
		{ "__xa_store", NULL, BUSY },
		{ "__xa_erase", NULL, BUSY },
		/* Also for files, or for entries before they are locked. */
		{ "xas_store", NULL, BUSY },
		{ "xas_load", NULL, BUSY },
		{ "xa_load", NULL, BUSY },
		/* Walks. */
		{ "xa_find", NULL, BUSY },
		{ "xas_find", NULL, BUSY },
		/* The deletion by a program, which it does to another entry. */
		{ "irq_work_queue", NULL, BUSY },
	};

	setup();
	for (unsigned int i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		check_function(&functions[i], "on_sample", break_at_function);
}

/*
 * An update has claimed the old entry for the new one and has not put it in its place yet. Who
 * deletes the inode or the handle at this moment deletes both, and the update goes on.
 */

static void break_at_claim(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.sample_period = 1,
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = programs->bss->fate_address,
		.bp_len = sizeof(long),
	};

	attach_event("on_claim", &attr, gettid(), -1);
}

static void check_claim(bool by_handle, bool by_program)
{
	setup();
	LOAD("find_fate", "on_claim", "replace_pwd");
	set(map, dir, 1);
	programs->bss->by_handle = by_handle;
	run_on("find_fate", map_id_of(map));
	CHECK(programs->bss->fate_address);
	break_at_claim();
	if (by_program)
		run_on("replace_pwd", map_id_of(map));
	else
		set(map, dir, 2);
	CHECK_EQ(programs->bss->deletes.ok, 1);
	CHECK_EQ(programs->bss->reads.absent, 1);
	CHECK_EQ(programs->bss->others.absent, 2);
	CHECK_EQ(map_count(map), 0);
	CHECK(!map_has(map, dir));
	check_whole();
}

TEST(claimed_inode)
{
	check_claim(false, false);
}

TEST(claimed_handle)
{
	check_claim(true, false);
}

TEST(claimed_by_program)
{
	check_claim(false, true);
}

/* Somebody waits for a lock, perhaps the map's. It takes two processors at the same time. */

static bool enough_at_once(void *unused)
{
	(void)unused;
	return true;
}

TEST(contention)
{
	struct bpf_link *link;

	setup();
	LOAD("on_contention");
	link = attach("on_contention");
	run_both(churn, churn, enough_at_once);
	bpf_link__destroy(link);
	printf("# %llu calls\n", programs->bss->calls);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
	CHECK_OUTCOMES(replaces);
	check_whole();
}

/* The end of maps and inodes, while a program deletes */

static void delete_entries(void)
{
	run_on("delete_entries", programs->bss->map_id);
}

static bool deleted_both_ways(void)
{
	return get(&programs->bss->deletes.ok) && get(&programs->bss->others.ok);
}

/* In half of the rounds there is a moment for the programs between the beginning and the end. */
static void give_way(unsigned int round)
{
	if (round % 2)
		usleep(round % 10 * 100);
}

/* Do @end again and again. */
static void check_end(void (*end)(unsigned int round))
{
	double least = now() + SECONDS, most = now() + 20 * test_slowdown();
	unsigned int rounds = 0;
	struct thread thread;

	LOAD("delete_entries", "delete_on_sample");
	attach_samples("delete_on_sample", 500);
	thread_start(&thread, 1, delete_entries);
	move_to_cpu(0);
	while (now() < least || (!deleted_both_ways() && now() < most))
		end(rounds++);
	threads_stop(&thread, 1);
	printf("# %u rounds\n", rounds);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
	CHECK(deleted_both_ways());
}

static void free_map(unsigned int round)
{
	int freed = map_create(32, sizeof(struct value), 8);

	programs->bss->map_id = map_id_of(freed);
	set(freed, dir, round);
	set(freed, file, round);
	give_way(round);
	close(freed);
}

TEST(freed_meanwhile)
{
	setup();
	check_end(free_map);
	counts_wait(1, 0, 0, 0);
}

/* Both kinds of entries, in turn. */
static void put_in_turn(int fd, unsigned int round)
{
	struct value value = { .tag = round, .copy = round };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, round % 2 ? INODE_MAP_WEAK : 0));
}

static void unlink_file(unsigned int round)
{
	int fd = file_create("u");

	put_in_turn(fd, round);
	close(fd);
	give_way(round / 2);
	CHECK_SYS(unlink("u"));
	CHECK_EQ(map_count(map), 0);
}

TEST(unlinked_meanwhile)
{
	setup();
	check_end(unlink_file);
	CHECK_EQ(programs->bss->deletes.dead, 0);
	counts_wait(1, 0, 0, 0);
}

static void unmount(unsigned int round)
{
	int fd;

	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	for (unsigned int i = 0; i < 4; i++) {
		char path[] = { 'm', '/', 'a' + i, 0 };

		fd = file_create(path);
		put_in_turn(fd, round + i);
		close(fd);
	}
	give_way(round);
	CHECK_SYS(umount("m"));
	CHECK_EQ(map_count(map), 0);
}

TEST(unmounted_meanwhile)
{
	setup();
	CHECK_SYS(mkdir("m", 0755));
	check_end(unmount);
	CHECK_EQ(programs->bss->deletes.dead, 0);
	counts_wait(1, 0, 0, 0);
}

/*
 * Somebody who deletes from one map is held up after the entry is where the worker finds it, and
 * before the worker is told. The end of another map, whose entry was put there behind that one,
 * does not wait for him, and has the worker look.
 */

static void delete_held(void)
{
	attach_breakpoint("hold_irq_work", "irq_work_queue");
	programs->bss->held_tid = gettid();
	run_on("delete_entries", map_id_of(map));
	stop = true;
}

static bool is_holding(void *unused)
{
	(void)unused;
	return programs->bss->holding;
}

static bool has_unlinked(void *unused)
{
	(void)unused;
	return get(&programs->bss->unlinked) == 2;
}

/* A worker that is woken up on the processor of who is held up would be as well. */
#define WORKERS_CPUS	"/sys/devices/virtual/workqueue/cpumask"

TEST(freed_while_another_is_held_up)
{
	struct thread thread;
	char cpus[256];
	int other;

	file_read(WORKERS_CPUS, cpus, sizeof(cpus));
	file_write(WORKERS_CPUS, "1");
	setup();
	other = map_create(32, sizeof(struct value), 8);
	set(map, dir, 1);
	set(other, file, 2);
	LOAD("delete_entries", "hold_irq_work", "on_unlink_ended");
	attach("on_unlink_ended");
	move_to_cpu(0);
	thread_start(&thread, 1, delete_held);
	CHECK(wait_until(is_holding, NULL, 10));
	run_on("delete_entries", map_id_of(other));
	CHECK_EQ(programs->bss->deletes.ok, 1);
	CHECK_EQ(programs->bss->unlinked, 0);
	close(other);
	if (!wait_until(has_unlinked, NULL, 10))
		FAIL("the map's end waits, or the worker is not told");
	CHECK_EQ(programs->bss->released, 0);
	programs->bss->go = 1;
	threads_stop(&thread, 1);
	file_write(WORKERS_CPUS, cpus);
	CHECK_EQ(programs->bss->released, 1);
	CHECK_EQ(programs->bss->deletes.ok, 2);
	counts_wait(1, 0, 0, 0);
}

/*
 * What a program has deleted is gone at once, though a worker has yet to erase it. Each of these is
 * the first one to look: the worker is quick.
 */

static struct inode_map_key deleted;

static void gone_for_walks(void)
{
	struct inode_map_key next;

	CHECK(bpf_map_get_next_key(map, NULL, &next) && errno == ENOENT);
}

static void gone_for_walks_there(void)
{
	struct inode_map_key next;

	CHECK(bpf_map_get_next_key(map, &deleted, &next) && errno == ENOENT);
}

static void gone_for_lookups(void)
{
	struct value value;

	CHECK_ERR(inode_map_get_fd(map, dir, &value), ENOENT);
}

static void gone_for_handles(void)
{
	struct value value;

	CHECK(bpf_map_lookup_elem(map, &deleted, &value) && errno == ENOENT);
}

static void gone_for_updates_by_handle(void)
{
	struct value value = {};

	CHECK(bpf_map_update_elem(map, &deleted, &value, BPF_ANY) && errno == ENOENT);
}

static void gone_for_deletes(void)
{
	CHECK_ERR(inode_map_remove_fd(map, dir), ENOENT);
}

static void gone_for_deletes_by_handle(void)
{
	CHECK(bpf_map_delete_elem(map, &deleted) && errno == ENOENT);
}

static void gone_for_programs(void)
{
	run_on("delete_entries", map_id_of(map));
	CHECK_EQ(programs->bss->deletes.ok, 1);
	CHECK_EQ(programs->bss->deletes.busy + programs->bss->deletes.absent, 0);
}

static void gone_for_proc(void)
{
	char line[256], id[16];
	FILE *proc = fopen("/proc/inode_map", "r");

	CHECK(proc);
	snprintf(id, sizeof(id), "%u ", map_id_of(map));
	while (fgets(line, sizeof(line), proc))
		if (!strncmp(line, id, strlen(id)))
			FAIL("still there: %s", line);
	fclose(proc);
}

static void gone_for_exist(void)
{
	struct value value = {};

	CHECK_ERR(inode_map_set_fd(map, dir, &value, BPF_EXIST, 0), ENOENT);
}

static void check_anew(int fd)
{
	struct value value = {};
	struct inode_map_key key;

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_NOEXIST, 0));
	key = map_only_key(map);
	CHECK(key.handle != deleted.handle);
	gone_for_handles();
	CHECK_OK(inode_map_remove_fd(map, fd));
}

static void gone_for_noexist(void)
{
	check_anew(dir);
}

/* There was room for one entry only. */
static void gone_for_max_entries(void)
{
	check_anew(file);
}

TEST(gone_at_once)
{
	static void (*const gone[])(void) = {
		gone_for_walks, gone_for_walks_there, gone_for_lookups, gone_for_handles,
		gone_for_updates_by_handle, gone_for_deletes, gone_for_deletes_by_handle,
		gone_for_programs, gone_for_proc, gone_for_exist, gone_for_noexist,
		gone_for_max_entries,
	};
	const unsigned int nr = sizeof(gone) / sizeof(gone[0]);

	setup();
	map = map_create(32, sizeof(struct value), 1);
	LOAD("delete_entries");
	for (unsigned int i = 0; i < 40 * nr; i++) {
		set(map, dir, i);
		deleted = map_only_key(map);
		memset(&programs->bss->deletes, 0, sizeof(programs->bss->deletes));
		run_on("delete_entries", map_id_of(map));
		CHECK_EQ(programs->bss->deletes.ok, 1);
		gone[i % nr]();
	}
	CHECK_EQ(map_count(map), 0);
}

/* A map with room for one inode, which is the only one that comes, is never full. */

static void update_dir(void)
{
	set(map, dir, 1);
}

static void replace_and_delete(void)
{
	run_on("replace_pwd", map_id_of(map));
	run_on("delete_entries", map_id_of(map));
}

static bool changed_both_ways(void *unused)
{
	(void)unused;
	return get(&programs->bss->deletes.ok) && get(&programs->bss->replaces.ok);
}

TEST(room_for_one)
{
	setup();
	close(map);
	map = map_create(32, sizeof(struct value), 1);
	LOAD("delete_entries", "replace_pwd");
	run_both(update_dir, replace_and_delete, changed_both_ways);
	CHECK_DELETIONS(deletes);
	CHECK_OUTCOMES(replaces);
	CHECK_OK(map_has(map, dir) ? inode_map_remove_fd(map, dir) : 0);
	counts_wait(1, 0, 0, 0);
}

/*
 * Values
 *
 * Two programs, one of which sleeps, keep a pointer to the value of a file that is opened, write to
 * it after a while, and tell in it which value they mean. One file's value stays, the others' come
 * and go.
 */

static const char *const names[] = { "kept", "replaced", "deleted" };
static int named[3];
static __u64 inos[3];
static __u64 serial;

static void set_next(unsigned int i)
{
	set(map, named[i], ++serial << 32 | (__u32)inos[i]);
}

static void check_value(unsigned int i)
{
	struct value value;
	int err = inode_map_get_fd(map, named[i], &value);

	if (err == -ENOENT && i == 2)
		return;
	CHECK_OK(err);
	if (value.copy != value.tag || (__u32)value.tag != (__u32)inos[i])
		FAIL("%s has the value %#llx, %#llx", names[i], value.tag, value.copy);
	if (value.last && value.last != value.tag)
		FAIL("%s: the value %#llx was written to as %#llx", names[i], value.tag,
		     value.last);
}

static void open_files(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		/* The page is not there when the program wants it. */
		CHECK_SYS(madvise(programs->bss->user_page, getpagesize(), MADV_DONTNEED));
		close(file_open(names[i], O_RDONLY));
	}
}

static void change_values(void)
{
	set_next(1);
	set_next(2);
	for (unsigned int i = 0; i < 3; i++)
		check_value(i);
	remove_if_there(map, named[2]);
	sched_yield();
}

static bool counted_both_ways(void)
{
	return get(&programs->bss->kept_count) &&
	       get(&programs->bss->counted) > get(&programs->bss->kept_count);
}

TEST(values)
{
	struct thread threads[2];
	double least, most;
	struct value value;

	setup();
	for (unsigned int i = 0; i < 3; i++) {
		named[i] = file_create(names[i]);
		inos[i] = file_ino(names[i]);
		set_next(i);
	}
	LOAD("count_atomic", "count_sleepable");
	programs->bss->kept_ino = inos[0];
	programs->bss->user_page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(programs->bss->user_page != MAP_FAILED);
	attach("count_atomic");
	attach("count_sleepable");
	thread_start(&threads[0], 0, open_files);
	thread_start(&threads[1], 1, open_files);
	least = now() + SECONDS;
	most = now() + 20 * test_slowdown();
	while (now() < least || (!counted_both_ways() && now() < most))
		change_values();
	threads_stop(threads, 2);
	printf("# %llu counted, %llu in the value that stayed, %llu values\n",
	       programs->bss->counted, programs->bss->kept_count, serial);
	CHECK_EQ(programs->bss->wrong, 0);
	CHECK_OK(inode_map_get_fd(map, named[0], &value));
	CHECK(value.count > 0);
	CHECK_EQ(value.count, programs->bss->kept_count);
	CHECK(programs->bss->counted > value.count);
}
