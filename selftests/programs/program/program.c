// SPDX-License-Identifier: GPL-2.0
/*
 * What BPF programs can do with a map, function by function: what each returns and what it leaves
 * behind, which types of programs have it, what the flags of a map forbid, and what the verifier
 * refuses. Lookups have a test of their own (lookup.c).
 */
#include "harness.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "program.h"
#include "program.skel.h"
#include "program_alone.skel.h"

#define TRACING		"/sys/kernel/tracing"

/* What user space writes. */
#define NUMBER		0x1122334455667788

#define COUNT_OF(array)	(sizeof(array) / sizeof((array)[0]))

/* Each function: what it returns when ..., and what it does when it returns 0. */
static const struct {
	const char *name;
	int absent;		/* the inode is not in the map */
	int no_map;
	int no_inode;		/* the pointer to the inode is NULL */
	int rdonly_prog;	/* the map has BPF_F_RDONLY_PROG */
	int wronly_prog;
	enum { READS, CHANGES, REMOVES, WALKS } effect;
} functions[] = {
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

#define FOR_EACH_FUNCTION(function, end) \
	for (unsigned int function = 0; function < (end); function++)

#define POSSIBLY_NULL	"Possibly NULL pointer passed to trusted"

/* Loading and attaching */

/* A skeleton in which only the program @name will be loaded. */
static struct program *programs_open(const char *name, struct bpf_program **program)
{
	struct program *programs = program__open();

	CHECK(programs);
	*program = bpf_object__find_program_by_name(programs->obj, name);
	CHECK(*program);
	bpf_program__set_autoload(*program, true);
	return programs;
}

static struct program *programs_load(const char *name, struct bpf_program **program)
{
	struct program *programs = programs_open(name, program);

	CHECK_OK(program__load(programs));
	programs->bss->pid = getpid();
	return programs;
}

/* A clock that is this process's, by whose hard interrupts the program runs. */
static struct bpf_link *attach_clock(struct bpf_program *program)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int event = CHECK_SYS(syscall(SYS_perf_event_open, &attr, 0, -1, -1,
				      PERF_FLAG_FD_CLOEXEC));

	return bpf_program__attach_perf_event(program, event);
}

/* The one program that is attached. */
static struct bpf_link *attached;

static void attach(struct bpf_program *program)
{
	switch (bpf_program__type(program)) {
	case BPF_PROG_TYPE_SYSCALL:
		return;
	case BPF_PROG_TYPE_PERF_EVENT:
		attached = attach_clock(program);
		break;
	default:
		attached = bpf_program__attach(program);
	}
	if (!attached)
		FAIL("attaching %s: %s", bpf_program__name(program), strerror(errno));
}

static struct program *program_attach(const char *name)
{
	struct bpf_program *program;
	struct program *programs = programs_load(name, &program);

	attach(program);
	return programs;
}

static void programs_destroy(struct program *programs)
{
	bpf_link__destroy(attached);
	attached = NULL;
	program__destroy(programs);
}

/* What makes the programs run. They look at the file "f" or the directory ".". */

static void open_file(struct bpf_program *program)
{
	(void)program;
	close(file_open("f", O_RDONLY));
}

static void lock_file(struct bpf_program *program)
{
	struct flock lock = { .l_type = F_RDLCK };
	int fd = file_open("f", O_RDONLY);

	(void)program;
	CHECK_SYS(fcntl(fd, F_SETLK, &lock));
	close(fd);
}

static void make_syscall(struct bpf_program *program)
{
	(void)program;
	syscall(SYS_getpid);
}

static void test_run(struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program), &opts));
}

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

struct run {
	struct program *programs;
	struct bpf_program *program;
	void (*trigger)(struct bpf_program *program);
};

/* Once is enough but where it takes a clock's interrupt. */
static bool has_run(void *arg)
{
	struct run *run = arg;

	run->trigger(run->program);
	return *(volatile __u32 *)&run->programs->bss->done;
}

/* Have the program run once, and return its result. */
static int run_once(struct run *run)
{
	run->programs->bss->done = 0;
	run->programs->bss->number = 0;
	__atomic_store_n(&run->programs->bss->armed, 1, __ATOMIC_SEQ_CST);
	if (!wait_until(has_run, run, 20))
		FAIL("%s does not run", test_current->name);
	return run->programs->bss->result;
}

static int run_in_file_open(struct program *programs)
{
	return run_once(&(struct run){ programs, NULL, open_file });
}

/* Maps */

static void set(int map, int fd, __u64 number, __u32 key_flags)
{
	struct value value = { .number = number, .count = 7 };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, key_flags));
}

/* The number of an inode, or 0. */
static __u64 get(int map, int fd)
{
	struct value value;
	int err = inode_map_get_fd(map, fd, &value);

	if (err == -ENOENT)
		return 0;
	CHECK_OK(err);
	return value.number;
}

/* By one program, one function after the other. */

/*
 * Have the program call @function, which must return @want, and do what it does then. @before is
 * the number that the map has for the inode of @fd, or 0 if the map is empty.
 */
static void check_function(struct run *run, unsigned int function, int want, int map, int fd,
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

static void check_type(const char *name, void (*trigger)(struct bpf_program *program),
		       const char *path, unsigned int end)
{
	struct run run = { .trigger = trigger };
	int file = file_create("f"), fd = file_open(path, O_PATH);
	int map = map_create(32, sizeof(struct value), 8);
	bool locked;

	run.programs = programs_load(name, &run.program);
	run.programs->bss->map_id = map_id_of(map);
	attach(run.program);
	/* Interrupts are disabled; with PREEMPT_RT it takes only preemption to be. */
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
	check_type("on_lsm", open_file, "f", DO_TRUSTED);
}

TEST(lsm_sleepable)
{
	check_type("on_lsm_sleepable", open_file, "f", DO_ALL);
}

TEST(fentry)
{
	check_type("on_fentry", open_file, "f", DO_TRUSTED);
}

TEST(fentry_sleepable)
{
	check_type("on_fentry_sleepable", test_run, ".", DO_TRUSTED);
}

TEST(fexit)
{
	check_type("on_fexit", open_file, "f", DO_TRUSTED);
}

TEST(fmod_ret)
{
	check_type("on_fmod_ret", open_file, "f", DO_TRUSTED);
}

TEST(tp_btf)
{
	check_type("on_tp_btf", lock_file, "f", DO_TRUSTED);
}

TEST(tracepoint)
{
	check_type("on_tracepoint", make_syscall, ".", DO_TRUSTED);
}

/* Since 7.x it has them, too. */
TEST(raw_tracepoint)
{
	if (!VERIFIER_REFUSES(program, "on_raw_tracepoint", "is not allowed"))
		check_type("on_raw_tracepoint", make_syscall, ".", DO_TRUSTED);
}

/* In a hard interrupt, where nothing can be replaced. */
TEST(perf_event)
{
	check_type("on_perf_event", burn_time, ".", DO_TRUSTED);
}

TEST(syscall)
{
	check_type("on_syscall", test_run, ".", DO_TRUSTED);
}

/* Maps that are none, no longer one, or just one */

TEST(no_map)
{
	int hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, sizeof(struct value), 8,
					    NULL));
	int map = map_create(32, sizeof(struct value), 8);
	int freed = map_create(32, sizeof(struct value), 8), fd = file_create("f");
	__u32 id = map_id_of(map), freed_id = map_id_of(freed);
	__u32 wrong[] = { 0, map_id_of(hash), freed_id, id + 256, id + (1U << 31), UINT32_MAX };
	struct run run = { .programs = program_attach("on_lsm_sleepable"), .trigger = open_file };

	set(map, fd, NUMBER, 0);
	set(freed, fd, NUMBER, 0);
	close(freed);
	counts_wait(1, 1, 1, 1);
	for (unsigned int i = 0; i < COUNT_OF(wrong); i++) {
		run.programs->bss->map_id = wrong[i];
		FOR_EACH_FUNCTION(function, DO_ALL)
			check_function(&run, function, functions[function].no_map, map, fd,
				       NUMBER);
	}
}

/* A map is one from the moment that it is created: nobody need have updated it. */
TEST(fresh_map)
{
	struct run run = { .programs = program_attach("on_lsm_sleepable"), .trigger = open_file };
	int other = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	set(other, fd, NUMBER, 0);
	FOR_EACH_FUNCTION(function, DO_ALL) {
		int map = map_create(32, sizeof(struct value), 8);

		run.programs->bss->map_id = map_id_of(map);
		check_function(&run, function, functions[function].absent, map, fd, 0);
		close(map);
	}
}

/* A file that is about to be made has no inode, though the verifier of 6.12 says that it has. */
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

	/* 7.x does not say so, and wants the program to have asked. */
	if (VERIFIER_REFUSES(program, "no_inode_sleepable", POSSIBLY_NULL))
		return;
	run.programs = program_attach("no_inode_sleepable");
	run.programs->bss->map_id = map_id_of(map);
	check_function(&run, DO_UPDATE, functions[DO_UPDATE].no_inode, map, fd, NUMBER);
}

/* Flags of maps */

static int map_create_flags(unsigned int flags)
{
	return CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, sizeof(struct value), 8, flags));
}

TEST(prog_flags)
{
	struct run run = { .programs = program_attach("on_lsm_sleepable"), .trigger = open_file };
	int both = map_create_flags(0), rdonly = map_create_flags(BPF_F_RDONLY_PROG);
	int wronly = map_create_flags(BPF_F_WRONLY_PROG), fd = file_create("f");

	FOR_EACH_FUNCTION(function, DO_ALL) {
		const struct {
			int map, want;
		} cases[] = {
			{ both, 0 },
			{ rdonly, functions[function].rdonly_prog },
			{ wronly, functions[function].wronly_prog },
		};

		for (unsigned int i = 0; i < COUNT_OF(cases); i++) {
			run.programs->bss->map_id = map_id_of(cases[i].map);
			set(cases[i].map, fd, NUMBER + function, 0);
			check_function(&run, function, cases[i].want, cases[i].map, fd,
				       NUMBER + function);
		}
	}
	/* That an inode is not there is not told either. */
	if (map_count(wronly))
		CHECK_OK(inode_map_remove_fd(wronly, fd));
	run.programs->bss->map_id = map_id_of(wronly);
	check_function(&run, DO_READ, -EPERM, wronly, fd, 0);
	check_function(&run, DO_READ_TREE, -EPERM, wronly, fd, 0);
	check_function(&run, DO_READ_PATH, -EPERM, wronly, fd, 0);

	CHECK_ERR(map_try_create(BPF_MAP_TYPE_HASH, 32, sizeof(struct value), 8,
				 BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG), EINVAL);
}

/* What restricts descriptors does not restrict programs. */
TEST(descriptor_flags)
{
	static const unsigned int flags[] = { BPF_F_RDONLY, BPF_F_WRONLY };
	struct run run = { .programs = program_attach("on_lsm_sleepable"), .trigger = open_file };
	struct value value = { .number = NUMBER };
	struct inode_map_key key;
	int fd = file_create("f");

	for (unsigned int i = 0; i < COUNT_OF(flags); i++) {
		bool readable = flags[i] == BPF_F_RDONLY;
		int map = map_create_flags(flags[i]);
		int full = CHECK_SYS(bpf_map_get_fd_by_id(map_id_of(map)));

		CHECK_ERR(inode_map_set_fd(map, fd, &value, BPF_ANY, 0), readable ? EPERM : 0);
		set(full, fd, NUMBER, 0);
		CHECK_ERR(inode_map_get_fd(map, fd, &value), readable ? 0 : EPERM);
		if (readable)
			CHECK_SYS(bpf_map_get_next_key(map, NULL, &key));
		else
			CHECK(bpf_map_get_next_key(map, NULL, &key) && errno == EPERM);
		CHECK_ERR(inode_map_remove_fd(map, fd), readable ? EPERM : 0);

		run.programs->bss->map_id = map_id_of(map);
		FOR_EACH_FUNCTION(function, DO_ALL) {
			set(full, fd, NUMBER, 0);
			check_function(&run, function, 0, full, fd, NUMBER);
		}
		close(map);
		close(full);
	}
}

/* Peeks and reads, and sizes of memory */

/* Exactly the results that a program left. */
static void check_results(struct program *programs, const int *want, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (programs->bss->results[i] != want[i])
			FAIL("call %u returned %d, not %d", i, programs->bss->results[i], want[i]);
}

TEST(other_sizes)
{
	static const int want[] = {
		NOTHING, NOTHING, NOTHING, NOTHING, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
		0, 0, 0, 0, 0, 0,
	};
	struct program *programs = program_attach("other_sizes");
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	set(map, fd, NUMBER, 0);
	programs->bss->map_id = map_id_of(map);
	programs->bss->results[3] = 1;
	run_in_file_open(programs);
	check_results(programs, want, COUNT_OF(want));
	CHECK_EQ(programs->bss->number, NUMBER);
	CHECK_EQ(get(map, fd), NUMBER);
}

/* Programs may read nothing of the second map, and are not allowed to walk it. */
TEST(no_size)
{
	static const int want[] = { NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING };
	struct program *programs = program_attach("no_size");
	int fd = file_create("f");
	const int maps[] = {
		map_create(32, sizeof(struct value), 8),
		map_create_flags(BPF_F_WRONLY_PROG),
	};

	for (unsigned int i = 0; i < COUNT_OF(maps); i++) {
		set(maps[i], fd, NUMBER, 0);
		programs->bss->map_id = map_id_of(maps[i]);
		programs->bss->results[4] = NOTHING;
		programs->bss->results[5] = NOTHING;
		run_in_file_open(programs);
		check_results(programs, want, COUNT_OF(want));
	}
}

TEST(null_memory)
{
	static const int want[] = { -EINVAL, -EINVAL, -EINVAL };
	struct program *programs = program_attach("null_memory");
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	set(map, fd, NUMBER, 0);
	programs->bss->map_id = map_id_of(map);
	run_in_file_open(programs);
	check_results(programs, want, COUNT_OF(want));
	CHECK_EQ(get(map, fd), NUMBER);
}

/* Have the program read @size bytes; it must return @want and write to them if and only if 0. */
static void check_read(struct program *programs, unsigned int size, int want, const __u8 *value)
{
	__u8 expected[BUFFER_SIZE];
	int result;

	memset(programs->bss->buffer, 0xee, BUFFER_SIZE);
	memset(expected, 0xee, BUFFER_SIZE);
	if (!want)
		memcpy(expected, value, size);
	programs->bss->size = size;
	result = run_in_file_open(programs);
	if (result != want)
		FAIL("reading %u bytes returned %d, not %d", size, result, want);
	if (memcmp(programs->bss->buffer, expected, BUFFER_SIZE))
		FAIL("reading %u bytes (%d) left other bytes", size, result);
}

TEST(read)
{
	static const unsigned int value_sizes[] = { 1, 7, 8, 16, 21, 63 };
	struct program *programs = program_attach("read_bytes");
	int fd = file_create("f");
	__u8 value[BUFFER_SIZE];
	__u32 freed_id = 0;

	for (unsigned int i = 0; i < BUFFER_SIZE; i++)
		value[i] = i + 1;
	for (unsigned int i = 0; i < COUNT_OF(value_sizes); i++) {
		unsigned int value_size = value_sizes[i];
		int map = map_create(32, value_size, 8);
		int wronly = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, value_size, 8,
						     BPF_F_WRONLY_PROG));

		freed_id = map_id_of(map);
		programs->bss->map_id = freed_id;
		check_read(programs, value_size, -ENOENT, value);
		check_read(programs, value_size + 1, -EINVAL, value);
		CHECK_OK(inode_map_set_fd(map, fd, value, BPF_ANY, 0));
		CHECK_OK(inode_map_set_fd(wronly, fd, value, BPF_ANY, 0));
		for (unsigned int size = 0; size <= value_size; size++)
			check_read(programs, size, 0, value);
		check_read(programs, value_size + 1, -EINVAL, value);
		check_read(programs, BUFFER_SIZE, -EINVAL, value);
		programs->bss->map_id = map_id_of(wronly);
		check_read(programs, value_size, -EPERM, value);
		close(map);
		close(wronly);
	}
	counts_wait(0, 0, 0, 0);
	programs->bss->map_id = freed_id;
	check_read(programs, 1, -ENODEV, value);
}

/* Replacing */

static void check_replace(const char *name)
{
	/* The old value is what the program has a pointer to, the new one what it finds. */
	static const int want[] = { 0, (int)NUMBER, 1, 0, 1 };
	struct program *programs = program_attach(name);
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");

	programs->bss->map_id = map_id_of(map);
	FOR_EACH_LIFETIME(flags) {
		struct inode_map_key before, after;
		struct value value;

		set(map, fd, NUMBER, flags);
		before = map_only_key(map);
		run_in_file_open(programs);
		check_results(programs, want, COUNT_OF(want));
		CHECK_OK(inode_map_get_fd(map, fd, &value));
		CHECK_EQ(value.number, WRITTEN);
		CHECK_EQ(value.count, 8);
		after = map_only_key(map);
		CHECK(!memcmp(&before, &after, sizeof(after)));
		CHECK_EQ(after.flags, flags);
		CHECK_EQ(programs->bss->met, before.handle);

		/* By its handle as well. */
		CHECK_SYS(bpf_map_lookup_elem(map, &after, &value));
		CHECK_EQ(value.number, WRITTEN);
		counts_wait(1, 1, 1, !flags);
		CHECK_SYS(bpf_map_delete_elem(map, &after));
		counts_wait(1, 0, 0, 0);
	}
	programs_destroy(programs);
}

TEST(replace)
{
	check_replace("replace");
}

TEST(replace_sleepable)
{
	check_replace("replace_sleepable");
}

/* A new value does not hold up or hasten the end of the entry. */
TEST(replaced_then_removed)
{
	struct program *programs = program_attach("replace");
	int map = map_create(32, sizeof(struct value), 8);

	programs->bss->map_id = map_id_of(map);
	FOR_EACH_LIFETIME(flags) {
		int fd = file_create("f");

		set(map, fd, NUMBER, flags);
		close(fd);
		run_in_file_open(programs);
		CHECK_SYS(unlink("f"));
		CHECK_EQ(map_count(map), 0);
		counts_wait(1, 0, 0, 0);
	}
}

#define EVENT	TRACING "/instances/inode_map_program/events/inode_map/inode_map_remove/enable"

/* What a program does is told as what bpf(2) does. */
TEST(reasons)
{
	static char text[1 << 16];
	struct run run = { .programs = program_attach("on_lsm"), .trigger = open_file };
	int map = map_create(32, sizeof(struct value), 8), fd = file_create("f");
	char *replaced, *deleted;
	ssize_t size;
	int trace;

	if (access(TRACING "/events/inode_map/enable", F_OK))
		SKIP("there is no tracefs at " TRACING);
	rmdir(TRACING "/instances/inode_map_program");
	CHECK_SYS(mkdir(TRACING "/instances/inode_map_program", 0700));
	set(map, fd, NUMBER, 0);
	run.programs->bss->map_id = map_id_of(map);
	file_write(EVENT, "1");
	check_function(&run, DO_REPLACE, 0, map, fd, NUMBER);
	check_function(&run, DO_DELETE, 0, map, fd, WRITTEN);
	set(map, fd, NUMBER, 0);
	check_function(&run, DO_DELETE_HANDLE, 0, map, fd, NUMBER);
	file_write(EVENT, "0");

	trace = file_open(TRACING "/instances/inode_map_program/trace", O_RDONLY);
	while ((size = CHECK_SYS(read(trace, text + strlen(text), 4096))))
		;
	close(trace);
	CHECK_SYS(rmdir(TRACING "/instances/inode_map_program"));
	replaced = strstr(text, " handle=1 reason=replaced");
	CHECK(replaced);
	deleted = strstr(replaced, " handle=1 reason=deleted");
	CHECK(deleted);
	CHECK(strstr(deleted, " handle=2 reason=deleted"));
}

/* Deleting */

static void check_delete(bool by_handle)
{
	const int want[] = {
		0, NOTHING, NOTHING, NOTHING, -ENOENT, -ENOENT, -ENOENT, by_handle ? -ENOENT : 0,
		0, 0, (int)NUMBER,
	};
	struct program *programs = program_attach("delete_and_look");
	int map = map_create(32, sizeof(struct value), 8), other = map_create(32, 4, 8);
	int fd = file_create("f");

	programs->bss->map_id = map_id_of(map);
	FOR_EACH_LIFETIME(flags) {
		struct inode_map_key key;
		struct value value;

		set(map, fd, NUMBER, flags);
		key = map_only_key(map);
		programs->bss->handle = by_handle ? key.handle : 0;
		run_in_file_open(programs);
		check_results(programs, want, COUNT_OF(want));
		CHECK(!map_has(map, fd));
		CHECK(bpf_map_lookup_elem(map, &key, &value) && errno == ENOENT);
		CHECK(bpf_map_delete_elem(map, &key) && errno == ENOENT);
		CHECK_EQ(map_count(map), 0);
		counts_wait(2, 0, 0, 0);

		/* Of one map, and of no inode's other maps. */
		set(map, fd, NUMBER, flags);
		map_put(other, fd, 1, flags);
		programs->bss->handle = by_handle ? map_only_key(map).handle : 0;
		run_in_file_open(programs);
		check_results(programs, want, COUNT_OF(want));
		CHECK_EQ(map_get(other, fd), 1);
		counts_wait(2, 1, 1, !flags);
		CHECK_OK(inode_map_remove_fd(other, fd));
		counts_wait(2, 0, 0, 0);
	}
	programs_destroy(programs);
}

TEST(delete)
{
	check_delete(false);
}

TEST(delete_handle)
{
	check_delete(true);
}

TEST(delete_wrong_handle)
{
	static const __u32 wrong[] = { 0, 3, INT32_MAX, 1U << 31, (1U << 31) + 1, UINT32_MAX };
	struct program *programs = program_attach("on_lsm");
	int map = map_create(32, sizeof(struct value), 8);
	int fds[] = { file_create("f"), file_create("g") };

	set(map, fds[0], 1, 0);
	set(map, fds[1], 2, 0);
	programs->bss->map_id = map_id_of(map);
	programs->bss->todo = DO_DELETE_HANDLE;
	for (unsigned int i = 0; i < COUNT_OF(wrong); i++) {
		programs->bss->handle = wrong[i];
		CHECK_ERR(run_in_file_open(programs), ENOENT);
		CHECK_EQ(map_count(map), 2);
	}
	/* Any inode's, whichever the program is about. */
	programs->bss->handle = 2;
	CHECK_OK(run_in_file_open(programs));
	CHECK_EQ(get(map, fds[0]), 1);
	CHECK_EQ(get(map, fds[1]), 0);
}

/* In a full map, before anybody has let go of what was deleted. */
TEST(delete_then_update)
{
	static const int want[] = { 0, 0, 0, 0, 1 };
	struct program *programs = program_attach("delete_and_update");
	int map = map_create(32, sizeof(struct value), 1), fd = file_create("f");
	__u32 last = 0;

	set(map, fd, NUMBER, 0);
	programs->bss->map_id = map_id_of(map);
	for (unsigned int i = 0; i < 20; i++) {
		run_in_file_open(programs);
		check_results(programs, want, COUNT_OF(want));
		CHECK_EQ(get(map, fd), WRITTEN);
		/* Another entry has another handle. */
		CHECK(map_only_key(map).handle != last);
		last = map_only_key(map).handle;
	}
	counts_wait(1, 1, 1, 1);
}

/* Names */

static int map_create_named(const char *name)
{
	return CHECK_OK(inode_map_create(name, 4, 4));
}

static void check_names(struct bpf_program *program, struct program *programs, const int *want)
{
	test_run(program);
	check_results(programs, want, 6);
}

struct names {
	struct bpf_program *program;
	struct program *programs;
	int id;
};

static bool name_is(void *arg)
{
	struct names *names = arg;

	test_run(names->program);
	return names->programs->bss->results[0] == names->id;
}

TEST(names)
{
	struct names names;
	int hash, map, again, letters, id, letters_id;

	names.programs = programs_load("names", &names.program);
#define CHECK_NAMES(...) check_names(names.program, names.programs, (const int[]){ __VA_ARGS__ })
	CHECK_NAMES(-ENOENT, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);

	hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "program_one", 4, 4, 4, NULL));
	CHECK_NAMES(-ENOENT, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);

	/* Found when just created, and when updated. */
	map = map_create_named("program_one");
	id = map_id_of(map);
	CHECK_NAMES(id, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);
	CHECK_OK(map_set(map, file_create("f"), 1));
	CHECK_NAMES(id, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);

	/* A whole name, not the beginning of one; none is not a name. */
	letters = map_create_named("fifteen_letters");
	letters_id = map_id_of(letters);
	map_create_named("");
	CHECK_NAMES(id, -ENOENT, -ENOENT, letters_id, -ENOENT, -EINVAL);

	again = map_create_named("program_one");
	CHECK_NAMES(-ENOTUNIQ, -ENOENT, -ENOENT, letters_id, -ENOENT, -EINVAL);
	close(map);
	names.id = map_id_of(again);
	if (!wait_until(name_is, &names, 10))
		FAIL("the name leads to %d, not %d", names.programs->bss->results[0], names.id);
	close(again);
	names.id = -ENOENT;
	if (!wait_until(name_is, &names, 10))
		FAIL("the name leads to %d still", names.programs->bss->results[0]);
	close(hash);
#undef CHECK_NAMES
}

/* bpftool alone: no loader, and nobody who knows an id. */

static int output_of(const char *command, char *output, size_t size)
{
	FILE *pipe = popen(command, "r");
	size_t got;

	CHECK(pipe);
	got = fread(output, 1, size - 1, pipe);
	output[got] = 0;
	return WEXITSTATUS(pclose(pipe));
}

/* What the program returns. */
static int bpftool_run(void)
{
	char output[4096], *value;

	if (output_of("bpftool prog run pinned bpf/program repeat 0 2>&1", output, sizeof(output)))
		FAIL("bpftool prog run: %s", output);
	value = strstr(output, "Return value: ");
	if (!value)
		FAIL("bpftool prog run does not tell the return value: %s", output);
	return strtoul(value + strlen("Return value: "), NULL, 10);
}

static void bpftool(const char *arguments)
{
	char command[512], output[4096];

	snprintf(command, sizeof(command), "{ bpftool %s; } 2>&1", arguments);
	if (output_of(command, output, sizeof(output)))
		FAIL("bpftool %s: %s", arguments, output);
}

TEST(bpftool_alone)
{
	size_t size;
	const void *object = program_alone__elf_bytes(&size);
	int fd;

	if (sh("command -v bpftool >/dev/null"))
		SKIP("there is no bpftool");
	CHECK_SYS(mkdir("bpf", 0755));
	CHECK_SYS(mount("bpf", "bpf", "bpf", 0, NULL));
	fd = CHECK_SYS(open("alone.bpf.o", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	CHECK_EQ(write(fd, object, size), size);
	close(fd);

	bpftool("prog load alone.bpf.o bpf/program");
	CHECK_ERR(bpftool_run(), ENOENT);
	bpftool("map create bpf/map type hash key 4 value 4 entries 16 name alone dev inode_map");
	CHECK_EQ(bpftool_run(), 0);
	bpftool("map update pinned bpf/map key 9 0 0 0 value 41 0 0 0 9<.");
	CHECK_EQ(bpftool_run(), 42);
	CHECK_EQ(bpftool_run(), 43);
	bpftool("map lookup pinned bpf/map key 9 0 0 0 9<. | grep 'value: 2b 00 00 00'");
	bpftool("map delete pinned bpf/map key 9 0 0 0 9<.");
	CHECK_EQ(bpftool_run(), 0);
}

/* What is no inode and no dentry is in no map, whatever it is, and does no harm. */

/* Those with an inode or dentry that the verifier does not look at. */
#define DO_LOOKED_UP	DO_DELETE_HANDLE

static void check_misses(struct run *run, int map, int fd)
{
	FOR_EACH_FUNCTION(function, DO_LOOKED_UP) {
		int result;

		run->programs->bss->todo = function;
		result = run_once(run);
		if (function == DO_READ_TREE) {
			/* What the walk came to depends on what is there. */
			CHECK(result == -EFAULT || result == -ENOENT || result == -ELOOP ||
			      result == -EAGAIN);
		} else if (result != functions[function].absent) {
			FAIL("%s returned %d for %#llx, not %d", functions[function].name, result,
			     run->programs->bss->address, functions[function].absent);
		}
	}
	CHECK_EQ(get(map, fd), NUMBER);
}

static void check_any(const char *name, const __u64 *addresses, unsigned int nr)
{
	struct run run = { .trigger = open_file };
	int fd = file_create("f"), map = map_create(32, sizeof(struct value), 8);

	set(map, fd, NUMBER, 0);
	run.programs = programs_load(name, &run.program);
	run.programs->bss->map_id = map_id_of(map);
	attach(run.program);
	for (unsigned int i = 0; i < nr; i++) {
		run.programs->bss->address = addresses[i];
		check_misses(&run, map, fd);
	}
	programs_destroy(run.programs);
}

TEST(any_number)
{
	__u64 mapped = 1;
	const __u64 addresses[] = {
		0, 1, 4095, 4096, -1, -ENOENT, -4095, -4096,
		/* of user space, mapped and not, on each side of what is canonical */
		(__u64)(unsigned long)&mapped, 0x10000, 0x7ffffffff000, 0x7fffffffffff,
		0x800000000000, 1ULL << 62, 1ULL << 63, (1ULL << 63) + 1, 0xffff7fffffffffff,
		/* of the kernel's, of which some are mapped: a direct map, code, the vsyscall page */
		0xffff800000000000, 0xffff888000000000, 0xffff888000000fff, 0xffffc90000000000,
		0xffffea0000000000, 0xffffffff7fffffff, 0xffffffff80000000, 0xffffffff80000001,
		0xffffffff81000000, 0xffffffff81000fff, 0xffffffffc0000000, 0xffffffffff5fffff,
		0xffffffffff600000, 0xffffffffff600001,
	};

	check_any("any_number", addresses, COUNT_OF(addresses));
}

TEST(any_pointer)
{
	static const char *const names[] = { "any_object", "any_stack", "any_value", "any_context" };
	const __u64 unused = 0;

	for (unsigned int i = 0; i < COUNT_OF(names); i++)
		check_any(names[i], &unused, 1);
}

/* An address is what an inode is found by, wherever the program has it from. */
TEST(address)
{
	struct run find = { .trigger = open_file }, run = { .trigger = open_file };
	int fd = file_create("f"), map = map_create(32, sizeof(struct value), 8);

	find.programs = programs_load("addresses", &find.program);
	run.programs = programs_load("any_number", &run.program);
	run.programs->bss->map_id = map_id_of(map);
	FOR_EACH_FUNCTION(function, DO_LOOKED_UP) {
		find.programs->bss->todo = function;
		attach(find.program);
		CHECK_EQ(run_once(&find), 0);
		bpf_link__destroy(attached);
		attach(run.program);
		run.programs->bss->address = find.programs->bss->address;
		set(map, fd, NUMBER, 0);
		check_function(&run, function, 0, map, fd, NUMBER);
		bpf_link__destroy(attached);
		attached = NULL;
	}
	program__destroy(find.programs);
	program__destroy(run.programs);
}

/* A pointer that the verifier has lost its trust in. The file that is being opened has it. */
TEST(walked)
{
	check_type("any_walked", open_file, "f", DO_LOOKED_UP);
}

/* What the verifier must refuse, and what it is to say, lest it be for another reason. */

#define CHECK_REFUSED(...)						\
	do {								\
		static const struct refused refused_[] = { __VA_ARGS__ };	\
									\
		CHECK_VERIFIER_REFUSES(program, refused_);			\
	} while (0)

#define BEYOND		"invalid access to memory, mem_size=8 off=8 size=1"
#define UNCHECKED	"invalid mem access 'mem_or_null'"
#define TOO_SMALL	"len pair leads to invalid memory access"
#define NOT_CONSTANT	"is not a const"
#define NOT_SLEEPABLE	"program must be sleepable to call sleepable kfunc bpf_inode_map_"
#define NOT_TRUSTED	"must be referenced or trusted"
#define INSIDE_UNTRUSTED "dereference of modified untrusted_ptr_ ptr R2"

TEST(verifier_writes)
{
	CHECK_REFUSED({ "refused_peek_write", "cannot write into rdonly_mem" },
		      { "refused_peek_atomic", "cannot write into rdonly_mem" },
		      { "refused_read_into_peek", "cannot write into rdonly_mem" },
		      { "refused_key_write", "only read is supported" });
}

TEST(verifier_values)
{
	CHECK_REFUSED({ "refused_peek_beyond", BEYOND },
		      { "refused_peek_unchecked", "invalid mem access 'rdonly_mem_or_null'" },
		      { "refused_peek_variable_size", NOT_CONSTANT },
		      { "refused_tree_beyond", BEYOND },
		      { "refused_tree_unchecked", UNCHECKED },
		      { "refused_path_unchecked", UNCHECKED },
		      { "refused_value_beyond", BEYOND },
		      { "refused_value_unchecked", UNCHECKED },
		      { "refused_value_variable_size", NOT_CONSTANT });
}

TEST(verifier_memory)
{
	CHECK_REFUSED({ "refused_read_small", TOO_SMALL },
		      { "refused_replace_small", TOO_SMALL },
		      { "refused_read_unbounded", "unbounded memory access" },
		      { "refused_update_null_value",
			POSSIBLY_NULL });
}

TEST(verifier_sleepable)
{
	CHECK_REFUSED({ "refused_update_atomic", NOT_SLEEPABLE "update" },
		      { "refused_lookup_path_atomic", NOT_SLEEPABLE "lookup_path" },
		      { "refused_read_path_atomic", NOT_SLEEPABLE "read_path" },
		      { "refused_update_rcu", "bpf_inode_map_update is sleepable within "
					      "rcu_read_lock region" });
}

TEST(verifier_trust)
{
	CHECK_REFUSED({ "refused_update_walked", "R2 " NOT_TRUSTED },
		      { "refused_update_plain", "R2 " NOT_TRUSTED },
		      { "refused_update_syscall", "R2 " NOT_TRUSTED },
		      { "refused_lookup_path_untrusted", "R2 " NOT_TRUSTED "|" INSIDE_UNTRUSTED },
		      { "refused_read_path_untrusted", "R2 " NOT_TRUSTED "|" INSIDE_UNTRUSTED });
}

TEST(verifier_walks)
{
	CHECK_REFUSED({ "refused_walk_open", "Unreleased reference" },
		      { "refused_walk_not_begun", "expected an initialized iter_inode_map" },
		      { "refused_walk_ended", "expected an initialized iter_inode_map" },
		      { "refused_value_ended", "expected an initialized iter_inode_map" });
}

TEST(verifier_names)
{
	CHECK_REFUSED({ "refused_name_variable", "does not point to a readonly map" },
		      { "refused_name_on_stack", "doesn't point to a const string" });
}

/* The kernel offers functions to the types that they were registered for. */
TEST(verifier_types)
{
	CHECK_REFUSED({ "refused_xdp", "bpf_inode_map_id is not allowed" },
		      { "refused_socket", "bpf_iter_inode_map_new is not allowed" },
		      { "refused_kprobe", "bpf_inode_map_delete_handle is not allowed" });
}
