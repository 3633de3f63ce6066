// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The file guard, inode-guard: who passes for an executable that may do what others may not, and
 * where rules end. The attempts are in attempts/subject.c, victim.c, seen.c, limits.c, root.c,
 * memory.c and earlier.c; bypass/ has those on files. Each runs once without a rule, when it must
 * take effect, and once with a rule. BYPASS_ONLY=TEXT in the environment selects the attempts whose
 * names contain TEXT.
 */
#include "harness.h"
#include "bypass.h"
#include "subject.h"

static int *outcome;			/* shared with children */
static unsigned int nr_runs, nr_wrong;

#define NO_RESULT	1		/* the process died */

static void subject_child(void *arg)
{
	const struct subject_attempt *attempt = arg;

	time_limit(20);
	*outcome = attempt->run();
}

/* Run in a directory of its own, so that leftovers go away with the rest of the case. */
static int subject_run(const struct subject_attempt *attempt)
{
	static int number;
	char directory[32];
	int status;

	snprintf(directory, sizeof(directory), DIR_PATH "/%d", ++number);
	CHECK_SYS(mkdir(directory, 0755));
	CHECK_SYS(chdir(directory));
	*outcome = NO_RESULT;
	CHECK_SYS(waitpid(child_start(subject_child, (void *)attempt), &status, 0));
	CHECK_SYS(chdir(DIR_PATH));
	return *outcome;
}

static void subject_judge(const struct subject_attempt *attempt, const char *when, bool stopped)
{
	int want = !stopped ? 0 : attempt->error ? -attempt->error : -EPERM, got;

	if (!bypass_selects(attempt->name))
		return;
	nr_runs++;
	got = subject_run(attempt);
	if (got == want)
		return;
	printf("# wrong: %s, %s: %s, not %s\n", attempt->name, when,
	       got > 0 ? "it broke" : strerror(-got), strerror(-want));
	nr_wrong++;
}

static void subjects_run(const char *when, bool guarded)
{
	for (const struct subject_attempt *attempt = subjects; attempt->name; attempt++)
		subject_judge(attempt, when, guarded && !attempt->may);
	for (const struct subject_attempt *attempt = seen; attempt->name; attempt++)
		subject_judge(attempt, when, guarded && !attempt->may);
}

static void check_none_wrong(void)
{
	printf("# %u runs\n", nr_runs);
	if (nr_wrong)
		FAIL("%u of %u are not as they should be", nr_wrong, nr_runs);
}

static void make_subjects(void)
{
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	CHECK(outcome != MAP_FAILED);
	sh("modprobe -qa overlay loop 2>/dev/null");
	CHECK_EQ(sh("cp /proc/%d/exe " ALLOWED " && cp " ALLOWED " " OTHER, getpid()), 0);
	CHECK_SYS(mkdir(SECRET_TREE, 0755));
}

TEST(subject)
{
	make_subjects();
	make_file(SECRET, TEXT);
	subjects_run("without a rule", false);
	guard_start();
	guard("deny --ops read --only-for " ALLOWED " " SECRET);
	subjects_run("with a rule for the file", true);
	guard("remove --all");
	guard("allow --ops read --only-for " ALLOWED " --tree " SECRET_TREE);
	subjects_run("with a rule for the tree", true);
	guard_stop();
	check_none_wrong();
}

static void limits_run(const struct subject_attempt *limit)
{
	for (; limit->name; limit++) {
		guard("remove --all");
		subject_judge(limit, "with its rule", !limit->may);
	}
}

TEST(limits)
{
	make_subjects();
	guard_start();
	limits_run(seen_limits);
	unlink(SECRET);
	limits_run(root_limits);
	limits_run(memory_limits);
	limits_run(earlier_limits);
	limits_run(limits);
	/* The last attempt has stopped the guard, if it ran. */
	if (!access("/sys/fs/bpf/inode-guard", F_OK))
		guard_stop();
	check_none_wrong();
}
