// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad pointers that the verifier accepts and that do no harm; and what it must refuse
 * (program_refused.bpf.c), each for its reason.
 */
#include "program_refused.skel.h"
#include "calls.h"

/* An address that is no inode and no dentry is in no map, and passing it does no harm. */

/* The functions before this one take an inode or dentry that the verifier does not check. */
#define DO_LOOKED_UP	DO_DELETE_HANDLE

static void check_misses(struct run *run, int map, int fd)
{
	FOR_EACH_FUNCTION(function, DO_LOOKED_UP) {
		int result;

		run->programs->bss->todo = function;
		result = run_once(run);
		if (function == DO_READ_TREE) {
			/* The result depends on the memory that the walk meets. */
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
	struct run run = { .trigger = trigger_open };
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
		/* user space, mapped and not, on both sides of the canonical limit */
		(__u64)(unsigned long)&mapped, 0x10000, 0x7ffffffff000, 0x7fffffffffff,
		0x800000000000, 1ULL << 62, 1ULL << 63, (1ULL << 63) + 1, 0xffff7fffffffffff,
		/* the kernel, some of them mapped: direct map, code, the vsyscall page */
		0xffff800000000000, 0xffff888000000000, 0xffff888000000fff, 0xffffc90000000000,
		0xffffea0000000000, 0xffffffff7fffffff, 0xffffffff80000000, 0xffffffff80000001,
		0xffffffff81000000, 0xffffffff81000fff, 0xffffffffc0000000, 0xffffffffff5fffff,
		0xffffffffff600000, 0xffffffffff600001,
	};

	check_any("any_number", addresses, ARRAY_SIZE(addresses));
}

TEST(any_pointer)
{
	static const char *const names[] = {
		"any_object", "any_stack", "any_value", "any_context"
	};
	const __u64 unused = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		check_any(names[i], &unused, 1);
}

/* A lookup goes by the address alone, wherever the program got it. */
TEST(address)
{
	struct run find = { .trigger = trigger_open }, run = { .trigger = trigger_open };
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

/* A pointer that the verifier no longer trusts, to the file being opened. */
TEST(walked)
{
	check_type("any_walked", trigger_open, "f", DO_LOOKED_UP);
}

/* Programs that the verifier must refuse, each with the message that identifies the reason */

#define CHECK_REFUSED(...)						\
	do {								\
		static const struct refused refused_[] = { __VA_ARGS__ };	\
									\
		CHECK_VERIFIER_REFUSES(program_refused, refused_);			\
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

/* The kernel offers functions only to the types that they were registered for. */
TEST(verifier_types)
{
	CHECK_REFUSED({ "refused_xdp", "bpf_inode_map_id is not allowed" },
		      { "refused_socket", "bpf_iter_inode_map_new is not allowed" },
		      { "refused_kprobe", "bpf_inode_map_delete_handle is not allowed" });
}
