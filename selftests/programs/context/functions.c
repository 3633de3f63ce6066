// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs on kernel functions that run for a map and, by breakpoints, on functions that no program
 * can be attached to; programs that meet an entry that an update has claimed; and two processors at
 * one lock.
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>

#include "context.h"

/* What a program on a function can do to values. It can always delete. */
enum expected {
	BUSY,		/* can't replace: the map's lock is held, or nothing can be allocated */
	BOTH,		/* the lock is held in some calls */
	WORKS,		/* no lock is held, except for a moment by a worker */
	ANY,		/* there may be nothing left to change */
};

struct function {
	const char *name;
	/* the function that PREEMPT_RT has instead */
	const char *rt_name;
	enum expected expected;
};

/* Call everything that leads to one of the functions. */
static void call_functions(void)
{
	churn();
	close(file_create("page"));
	CHECK_SYS(unlink("page"));
	set(map, dir, 5);
	map_count(map);
	/* Here a program deletes. */
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
	/* Some functions are inline on some kernels; those of spinlocks are inline on arm64. */
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
		/* Releases the map's lock, or another one. */
		{ "_raw_spin_unlock", "rt_spin_unlock", BOTH },
		/* Called under the map's lock only when there is nothing to replace. */
		{ "kmem_cache_alloc_lru_noprof", NULL, WORKS },
		{ "call_rcu", NULL, WORKS },
		/* Locks, updates, walks, releases */
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
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		struct function function = functions[i];

		if (rt && function.rt_name)
			function.name = function.rt_name;
		check_function(&function, "on_function", attach_to_function);
	}
}

/* A debug exception runs programs on functions that they can't be attached to, too. */

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

/* x86 requires the size of a long, arm64 that of an instruction. */
#ifdef __x86_64__
#define BREAKPOINT_LEN	sizeof(long)
#else
#define BREAKPOINT_LEN	HW_BREAKPOINT_LEN_4
#endif

struct bpf_link *attach_breakpoint(const char *name, const char *function)
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
		/* In this process, only the module calls this, under the map's lock. */
		{ "__xa_erase", NULL, BUSY },
		/* Also called for files, or for entries before they are locked */
		{ "xas_store", NULL, BUSY },
		{ "xas_load", NULL, BUSY },
		{ "xa_load", NULL, BUSY },
		/* Walks */
		{ "xa_find", NULL, BUSY },
		{ "xas_find", NULL, BUSY },
		/* Called when the other program deletes its entry. */
		{ "irq_work_queue", NULL, BUSY },
	};

	setup();
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++)
		check_function(&functions[i], "on_sample", break_at_function);
}

/*
 * An update has claimed the old entry for the new one and has not replaced it yet. A program that
 * deletes the inode or the handle at this moment deletes both, and the update continues.
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

/* A task waits for a lock, perhaps the map's. This takes two processors at the same time. */

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
