// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The verifier on the guard's programs, as built by this compiler: the tests for NULL are still in
 * the translated programs, and the programs are far from the verifier's limits.
 */
#include "harness.h"

#include <linux/bpf.h>

#include "bpf/guard/guard.h"
#include "bpf/guard/seal.h"
#include "bpf/guard/guard.skel.h"
#include "bpf/guard/seal.skel.h"
#include "selftests/programs/null.skel.h"

/* The verifier's limit (BPF_COMPLEXITY_LIMIT_INSNS). Each program must stay well below it. */
#define STEPS_MAX	1000000
#define STEPS_NEAR	(STEPS_MAX / 10)
/* The limit for the guard's programs together: newer verifiers take some microseconds a step. */
#define STEPS_TOGETHER	(STEPS_MAX / 5 * 3)

/* The limit for searches through the names of the kernel's types: see to_read(). */
#define SEARCHES_MAX	2500
#define SEARCH		"btf_find_by_name_kind"
#define PROBE_ENABLE	"events/kprobes/searches/enable"

/* The hooks of the guard that see dentries without an inode, or no file. */
static const char *const asked[] = {
	"guard_create", "guard_symlink", "guard_mkdir", "guard_mknod", "guard_link",
	"guard_rename", "guard_mmap",
};

/* Count the comparisons that only inode_map_is_null() makes. */
static unsigned int count_tests(const struct bpf_insn *insns, size_t nr)
{
	unsigned int tests = 0;

	for (size_t i = 0; i < nr; i++)
		if (insns[i].code == (BPF_JMP | BPF_JLT | BPF_K) && insns[i].imm == 4096)
			tests++;
	return tests;
}

/* Count the tests in the translated program; @steps: instructions that the verifier processed. */
static unsigned int count_translated(int fd, unsigned int *steps)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info), length;
	struct bpf_insn *insns;
	unsigned int tests;

	CHECK_OK(bpf_obj_get_info_by_fd(fd, &info, &size));
	*steps = info.verified_insns;
	length = info.xlated_prog_len;
	insns = malloc(length);
	CHECK(insns);
	memset(&info, 0, sizeof(info));
	info.xlated_prog_len = length;
	info.xlated_prog_insns = (__u64)(unsigned long)insns;
	CHECK_OK(bpf_obj_get_info_by_fd(fd, &info, &size));
	CHECK(length && info.xlated_prog_len == length && info.xlated_prog_insns);
	tests = count_tests(insns, info.xlated_prog_len / sizeof(*insns));
	free(insns);
	return tests;
}

/* Return how many tests the program has. Add its steps to @sum. */
static unsigned int check_program(struct bpf_program *program, unsigned int *sum)
{
	unsigned int want = count_tests(bpf_program__insns(program),
					bpf_program__insn_cnt(program));
	unsigned int steps, got = count_translated(bpf_program__fd(program), &steps);

	printf("# %s: %u tests for NULL, verified in %u of %u steps\n",
	       bpf_program__name(program), got, steps, STEPS_MAX);
	CHECK_EQ(got, want);
	if (steps >= STEPS_NEAR)
		FAIL("%s takes the verifier %u steps", bpf_program__name(program), steps);
	*sum += steps;
	return got;
}

static bool is_asked(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		if (!strcmp(name, asked[i]))
			return true;
	return false;
}

static struct guard_bpf *load_guard(void)
{
	struct guard_bpf *programs = guard_bpf__open();
	struct bpf_program *program;

	CHECK(programs);
	bpf_object__for_each_program(program, programs->obj)
		bpf_program__set_autoload(program, lsm_has_hook(program));
	CHECK_OK(guard_bpf__load(programs));
	return programs;
}

TEST(guard)
{
	struct guard_bpf *programs = load_guard();
	struct bpf_program *program;
	unsigned int found = 0, sum = 0, tests;

	bpf_object__for_each_program(program, programs->obj) {
		if (!bpf_program__autoload(program))
			continue;
		tests = check_program(program, &sum);
		if (!is_asked(bpf_program__name(program)))
			continue;
		found++;
		if (!tests)
			FAIL("%s does not ask for NULL", bpf_program__name(program));
	}
	CHECK_EQ(found, ARRAY_SIZE(asked));
	printf("# all together: %u steps\n", sum);
	if (sum >= STEPS_TOGETHER)
		FAIL("all together take the verifier %u steps", sum);
	guard_bpf__destroy(programs);
}

/* The hits of a probe. */
static unsigned long count_hits(void)
{
	char text[4096], *line;

	file_read(TRACEFS_DIR "/kprobe_profile", text, sizeof(text));
	line = strstr(text, "searches");
	CHECK(line);
	return strtoul(line + strlen("searches"), NULL, 10);
}

/* Each search takes as long as a thousand steps, or more, before Linux 7. */
TEST(searches)
{
	unsigned long searches;

	if (access(TRACEFS_DIR "/kprobe_events", W_OK))
		SKIP("this kernel has no kprobe events");
	trace_write("kprobe_events", "p:searches " SEARCH "\n", O_APPEND);
	trace_write(PROBE_ENABLE, "1", 0);
	guard_bpf__destroy(load_guard());
	searches = count_hits();
	trace_write(PROBE_ENABLE, "0", 0);
	trace_write("kprobe_events", "-:searches\n", O_APPEND);
	printf("# %lu searches\n", searches);
	CHECK(searches);
	if (searches >= SEARCHES_MAX)
		FAIL("the verifier searches the kernel's types %lu times", searches);
}

/* The programs that are loaded only to seal the guard. */
TEST(seal)
{
	struct seal_bpf *programs = seal_bpf__open();
	struct bpf_program *program;
	unsigned int sum = 0;

	CHECK(programs);
	CHECK_OK(seal_bpf__load(programs));
	bpf_object__for_each_program(program, programs->obj)
		check_program(program, &sum);
	printf("# all together: %u steps\n", sum);
	if (sum >= STEPS_NEAR)
		FAIL("all together take the verifier %u steps", sum);
	seal_bpf__destroy(programs);
}

/* Programs that consist of little else. */
TEST(null)
{
	struct null *programs = null__open();
	struct bpf_program *program;
	unsigned int sum = 0;

	CHECK(programs);
	bpf_object__for_each_program(program, programs->obj)
		bpf_program__set_autoload(program, lsm_has_hook(program));
	CHECK_OK(null__load(programs));
	bpf_object__for_each_program(program, programs->obj)
		if (bpf_program__autoload(program))
			CHECK(check_program(program, &sum));
	null__destroy(programs);
}
