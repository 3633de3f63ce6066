// SPDX-License-Identifier: GPL-2.0-only
/*
 * What BPF programs can do with a map, function by function: what each returns and leaves behind,
 * which program types may call it, what a map's flags forbid, and what the verifier refuses.
 * Lookups have a test of their own (lookup.c).
 *
 * This file has the programs, their triggers, each function in each type of program, and ids that
 * are not of an inode map. values.c has the effects on values, names.c finding a map by its name,
 * refused.c what the verifier accepts and refuses.
 */
#include "calls.h"

const struct function functions[] = {
	[DO_LOOKUP] = { "lookup", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, READS },
	[DO_PEEK] = { "peek", NOTHING, NOTHING, NOTHING, 0, NOTHING, READS },
	[DO_READ] = { "read", -ENOENT, -ENODEV, -ENOENT, 0, -EPERM, READS },
	[DO_LOOKUP_TREE] = { "lookup_tree", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, READS },
	[DO_READ_TREE] = { "read_tree", -ENOENT, -ENODEV, -ENOENT, 0, -EPERM, READS },
	[DO_REPLACE] = { "replace", -ENOENT, -ENODEV, -ENOENT, -EPERM, 0, CHANGES },
	[DO_DELETE] = { "delete", -ENOENT, -ENODEV, -ENOENT, -EPERM, 0, REMOVES },
	[DO_DELETE_HANDLE] = { "delete_handle", -ENOENT, -ENODEV, -ENOENT, -EPERM, 0, REMOVES },
	[DO_WALK] = { "walk", 0, -ENODEV, 0, 0, -EPERM, WALKS },
	[DO_VALUE] = { "value", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, READS },
	[DO_UPDATE] = { "update", 0, -ENODEV, -EINVAL, -EPERM, 0, CHANGES },
	[DO_LOOKUP_PATH] = { "lookup_path", NOTHING, NOTHING, 0, NOTHING, NOTHING, READS },
	[DO_READ_PATH] = { "read_path", -ENOENT, -ENODEV, 0, 0, -EPERM, READS },
};

/* Loading and attaching */

/* Open a skeleton that will load only the program @name. */
static struct program *programs_open(const char *name, struct bpf_program **program)
{
	struct program *programs = program__open();

	CHECK(programs);
	*program = want_program(programs->obj, name);
	return programs;
}

struct program *programs_load(const char *name, struct bpf_program **program)
{
	struct program *programs = programs_open(name, program);

	CHECK_OK(program__load(programs));
	programs->bss->pid = getpid();
	return programs;
}

/* The only program attached. */
struct bpf_link *attached;

void attach(struct bpf_program *program)
{
	switch (bpf_program__type(program)) {
	case BPF_PROG_TYPE_SYSCALL:
		return;
	case BPF_PROG_TYPE_PERF_EVENT:
		attached = attach_to_clock(program);
		break;
	default:
		attached = attach_program(program);
	}
}

struct program *program_attach(const char *name)
{
	struct bpf_program *program;
	struct program *programs = programs_load(name, &program);

	attach(program);
	return programs;
}

void programs_destroy(struct program *programs)
{
	bpf_link__destroy(attached);
	attached = NULL;
	program__destroy(programs);
}

/* Triggers for the programs, which look at the file "f" or the directory "." */

static void make_file(struct bpf_program *program)
{
	(void)program;
	unlink("new");
	close(file_create("new"));
}

static void burn_time(struct bpf_program *program)
{
	(void)program;
	for (volatile unsigned int spin = 0; spin < 1000000; spin++)
		;
}

/* One trigger is enough, except for a clock's interrupt. */
static bool has_run(void *arg)
{
	struct run *run = arg;

	run->trigger(run->program);
	return *(volatile __u32 *)&run->programs->bss->done;
}

/* Make the program run once, and return its result. */
int run_once(struct run *run)
{
	run->programs->bss->done = 0;
	run->programs->bss->number = 0;
	__atomic_store_n(&run->programs->bss->armed, 1, __ATOMIC_SEQ_CST);
	if (!wait_until(has_run, run, 20))
		FAIL("%s does not run", test_current->name);
	return run->programs->bss->result;
}

int run_in_file_open(struct program *programs)
{
	return run_once(&(struct run){ programs, NULL, trigger_open });
}

/* Maps */

void set(int map, int fd, __u64 number, __u32 key_flags)
{
	struct value value = { .number = number, .count = 7 };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, key_flags));
}

/* The number in the inode's value, or 0 if it has none. */
__u64 get(int map, int fd)
{
	struct value value;
	int err = inode_map_get_fd(map, fd, &value);

	if (err == -ENOENT)
		return 0;
	CHECK_OK(err);
	return value.number;
}

/* One program calls one function after the other */

/*
 * Make the program call @function, check that it returns @want, and check its effect. @before is
 * the number that the map has for the inode of @fd, or 0 if the map is empty.
 */
void check_function(struct run *run, unsigned int function, int want, int map, int fd,
		    __u64 before)
{
	const char *name = functions[function].name;
	__u32 handle = before ? map_only_key(map).handle : 1;
	__u64 after = before, got;
	int result;

	run->programs->bss->todo = function;
	run->programs->bss->handle = handle;
	run->programs->bss->keys = 99;
	run->programs->bss->met = 0;
	result = run_once(run);
	if (result != want)
		FAIL("%s returned %d, not %d", name, result, want);

	if (!want && functions[function].effect == CHANGES)
		after = WRITTEN;
	if (!want && functions[function].effect == REMOVES)
		after = 0;
	got = get(map, fd);
	if (got != after)
		FAIL("after %s, the map has %#llx, not %#llx", name, got, after);
	got = run->programs->bss->number;
	if (functions[function].effect == READS && got != (want ? 0 : before))
		FAIL("%s got %#llx, not %#llx", name, got, before);
	if (functions[function].effect != WALKS)
		return;
	CHECK_EQ(run->programs->bss->keys, want ? 0 : !!before);
	CHECK_EQ(run->programs->bss->met, before && !want ? handle : 0);
}

void check_type(const char *name, void (*trigger)(struct bpf_program *program),
		const char *path, unsigned int end)
{
	struct run run = { .trigger = trigger };
	int file = file_create("f"), fd = file_open(path, O_PATH);
	int map = map_create(32, sizeof(struct value), 8);
	bool locked;

	run.programs = programs_load(name, &run.program);
	run.programs->bss->map_id = map_id_of(map);
	attach(run.program);
	/* Interrupts are disabled; on PREEMPT_RT, disabled preemption is enough. */
	locked = bpf_program__type(run.program) == BPF_PROG_TYPE_PERF_EVENT ||
		 (kernel_is_rt() && (strstr(name, "tp") || strstr(name, "tracepoint")));

	FOR_EACH_FUNCTION(function, end) {
		bool busy = locked && function == DO_REPLACE;

		if (map_count(map))
			CHECK_OK(inode_map_remove_fd(map, fd));
		check_function(&run, function, functions[function].absent, map, fd, 0);
		set(map, fd, NUMBER + function, 0);
		check_function(&run, function, busy ? -EBUSY : 0, map, fd, NUMBER + function);
	}
	programs_destroy(run.programs);
	close(file);
}

TEST(lsm)
{
	check_type("on_lsm", trigger_open, "f", DO_TRUSTED);
}

TEST(lsm_sleepable)
{
	check_type("on_lsm_sleepable", trigger_open, "f", DO_ALL);
}

TEST(fentry)
{
	check_type("on_fentry", trigger_open, "f", DO_TRUSTED);
}

TEST(fentry_sleepable)
{
	check_type("on_fentry_sleepable", trigger_test_run, ".", DO_TRUSTED);
}

TEST(fexit)
{
	check_type("on_fexit", trigger_open, "f", DO_TRUSTED);
}

TEST(fmod_ret)
{
	check_type("on_fmod_ret", trigger_open, "f", DO_TRUSTED);
}

TEST(tp_btf)
{
	check_type("on_tp_btf", trigger_lock, "f", DO_TRUSTED);
}

TEST(tracepoint)
{
	check_type("on_tracepoint", trigger_syscall, ".", DO_TRUSTED);
}

/* Since Linux 7.x this type has them, too. */
TEST(raw_tracepoint)
{
	if (!VERIFIER_REFUSES(program, "on_raw_tracepoint", "is not allowed"))
		check_type("on_raw_tracepoint", trigger_syscall, ".", DO_TRUSTED);
}

/* Runs in a hard interrupt, where nothing can be replaced. */
TEST(perf_event)
{
	check_type("on_perf_event", burn_time, ".", DO_TRUSTED);
}

TEST(syscall)
{
	check_type("on_syscall", trigger_test_run, ".", DO_TRUSTED);
}

/* Ids that are not of an inode map, no longer of one, or of a new one */

TEST(no_map)
{
	int hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, sizeof(struct value), 8,
					    NULL));
	int map = map_create(32, sizeof(struct value), 8);
	int freed = map_create(32, sizeof(struct value), 8), fd = file_create("f");
	__u32 id = map_id_of(map), freed_id = map_id_of(freed);
	__u32 wrong[] = { 0, map_id_of(hash), freed_id, id + 256, id + (1U << 31), UINT32_MAX };
	struct run run = { .programs = program_attach("on_lsm_sleepable"),
			   .trigger = trigger_open };

	set(map, fd, NUMBER, 0);
	set(freed, fd, NUMBER, 0);
	close(freed);
	counts_wait(1, 1, 1, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		run.programs->bss->map_id = wrong[i];
		FOR_EACH_FUNCTION(function, DO_ALL)
			check_function(&run, function, functions[function].no_map, map, fd,
				       NUMBER);
	}
}

/* A map works from its creation on, without an update. */
TEST(fresh_map)
{
	struct run run = { .programs = program_attach("on_lsm_sleepable"),
			   .trigger = trigger_open };
	int other = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	set(other, fd, NUMBER, 0);
	FOR_EACH_FUNCTION(function, DO_ALL) {
		int map = map_create(32, sizeof(struct value), 8);

		run.programs->bss->map_id = map_id_of(map);
		check_function(&run, function, functions[function].absent, map, fd, 0);
		close(map);
	}
}

/* A file about to be created has no inode, although the verifier of 6.12 assumes one. */
TEST(no_inode)
{
	struct run run = { .programs = program_attach("no_inode"), .trigger = make_file };
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	run.programs->bss->map_id = map_id_of(map);
	set(map, fd, NUMBER, 0);
	FOR_EACH_FUNCTION(function, DO_TRUSTED) {
		if (function != DO_DELETE_HANDLE && function != DO_WALK && function != DO_VALUE)
			check_function(&run, function, functions[function].no_inode, map, fd,
				       NUMBER);
	}
	programs_destroy(run.programs);

	/* 7.x assumes that it may be NULL, and refuses a program without a test. */
	if (VERIFIER_REFUSES(program, "no_inode_sleepable", POSSIBLY_NULL))
		return;
	run.programs = program_attach("no_inode_sleepable");
	run.programs->bss->map_id = map_id_of(map);
	check_function(&run, DO_UPDATE, functions[DO_UPDATE].no_inode, map, fd, NUMBER);
}
