// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A change of inode-guard's policy is atomic. The test kills the tool at each of its bpf(2) and
 * unlink(2) system calls in turn that may change something. After each kill, either the old policy
 * or the new one is in force for every file, and the next command works. A task that opens files
 * during a change sees either the old policy or the new one.
 */
#include "harness.h"

#include <linux/bpf.h>
#include <time.h>

#include "kill.h"
#include "bpf/guard/guard.h"

#define FILES	8

static char *const paths[FILES] = {
	"f0", "f1", "f2", "f3", "f4", "f5", "tree-a/f", "tree-b/f",
};

/* Descriptors of the files, opened before there was a rule. */
static int held[FILES];

/* A bit for each file that can't be read: by name, then by a descriptor from before the rules. */
static unsigned int denied(void)
{
	unsigned int mask = 0;
	int i, error;

	for (i = 0; i < 2 * FILES; i++) {
		error = i < FILES ? try_read(paths[i]) : try_held(held[i - FILES]);
		if (error && error != EPERM)
			FAIL("%s: %s", paths[i % FILES], strerror(error));
		if (error)
			mask |= 1U << i;
	}
	return mask;
}

#define EITHER_WAY(mask)	((mask) | (mask) << FILES)

/* Two policies with all kinds of rules. No file is denied by both or allowed by both. */
#define OLD	EITHER_WAY(1U << 0 | 1U << 1 | 1U << 2 | 1U << 6)
#define NEW	EITHER_WAY(1U << 3 | 1U << 4 | 1U << 5 | 1U << 7)

static void make_files(void)
{
	int i;

	CHECK_SYS(mkdir("tree-a", 0755));
	CHECK_SYS(mkdir("tree-b", 0755));
	for (i = 0; i < FILES; i++) {
		make(paths[i]);
		held[i] = file_open(paths[i], O_RDONLY);
	}
	put_file("old", "deny --ops read f0\n"
		 "deny f1\n"
		 "allow --ops read --only-for /usr/bin/dash f2\n"
		 "deny --ops write f3\n"
		 "deny --ops read --tree tree-a\n");
	put_file("new", "deny --ops read f3\n"
		 "deny f4\n"
		 "allow --ops read --only-for /usr/bin/bash f5\n"
		 "deny --ops write f0\n"
		 "deny --ops read --tree tree-b\n");
}

static void check_denied(unsigned int want)
{
	unsigned int got = denied();

	if (got != want)
		FAIL("denied are %#x, not %#x", got, want);
}

/* A kill before such a call leaves the same as one before the next call that changes something. */
static bool only_reads(unsigned long command)
{
	switch (command) {
	case BPF_OBJ_GET:
	case BPF_OBJ_GET_INFO_BY_FD:
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_MAP_GET_NEXT_KEY:
		return true;
	default:
		return false;
	}
}

static bool is_meant(const struct call *call)
{
	return call->number == CALL_OF_UNLINK ||
	       (call->number == SYS_bpf && !only_reads(call->command));
}

/* How often the old and the new policy was in force after a kill. */
static unsigned int seen_old, seen_new;

static void check_either(unsigned int nth, unsigned int before, unsigned int after)
{
	unsigned int got = denied();

	if (got != before && got != after)
		FAIL("killed at call %u: denied are %#x, neither %#x nor %#x", nth, got, before,
		     after);
	seen_old += got == before;
	seen_new += got == after;
}

/*
 * Change from @before to @after and back, killing the tool at each call in turn. After each kill
 * the same command succeeds when it runs again.
 */
static void kill_everywhere(char **forth, unsigned int after, char **back, unsigned int before)
{
	unsigned int nth;
	bool killed;

	seen_old = 0;
	seen_new = 0;
	for (nth = 1, killed = true; killed; nth++) {
		killed = killed_at(forth, is_meant, nth);
		check_either(nth, before, after);
		if (tool_run(forth, NULL) || *out || *err)
			FAIL("after call %u: %s", nth, err);
		check_denied(after);
		killed |= killed_at(back, is_meant, nth);
		check_either(nth, after, before);
		if (tool_run(back, NULL) || *out || *err)
			FAIL("after call %u: %s", nth, err);
		check_denied(before);
	}
	printf("# %s, %s: %u calls\n", forth[1], back[1], nth - 1);
	/* Some kills came before the policy changed, and some after. */
	CHECK(nth > 10 && seen_old > 5 && seen_new > 5);
}

/* Concurrent openers */

struct observer {
	volatile unsigned int sure;	/* rounds without a change of policy */
	volatile unsigned int old, new, mixed;
	volatile bool stop;
};

static void observe(void *arg)
{
	volatile struct guard_state *state = state_map();
	struct observer *observer = arg;
	unsigned int generation, mask;

	while (!observer->stop) {
		generation = state->generation;
		mask = denied();
		if (state->generation != generation)
			continue;
		observer->sure++;
		if (mask == OLD)
			observer->old++;
		else if (mask == NEW)
			observer->new++;
		else
			observer->mixed = mask + 1;
	}
}

#define OBSERVERS	2
#define CHANGES		12

static void check_observed(void)
{
	struct observer *observers = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[OBSERVERS];
	int i;

	CHECK(observers != MAP_FAILED);
	for (i = 0; i < OBSERVERS; i++)
		pids[i] = child_start(observe, &observers[i]);
	for (i = 0; i < CHANGES; i++)
		QUIET("apply", i % 2 ? "old" : "new");
	for (i = 0; i < OBSERVERS; i++) {
		observers[i].stop = true;
		child_wait(pids[i]);
		if (observers[i].mixed)
			FAIL("denied were %#x", observers[i].mixed - 1);
		CHECK(observers[i].old && observers[i].new);
		printf("# an observer: %u times the old policy, %u times the new\n",
		       observers[i].old, observers[i].new);
	}
}

static void run(void *arg)
{
	double begun;

	(void)arg;
	make_files();
	QUIET("start", "--max-rules", "2000");
	QUIET("apply", "old");
	check_denied(OLD);
	check_observed();
	begun = now();
	kill_everywhere(WORDS("apply", "new"), NEW, WORDS("apply", "old"), OLD);
	printf("# %.1f s\n", now() - begun);
	QUIET("remove", "--all");
	check_denied(0);
	kill_everywhere(WORDS("deny", "--ops", "read", "f0", "f1", "f2", "tree-a/f"), OLD,
			WORDS("remove", "--all"), 0);
	QUIET("stop");
}

TEST(changes)
{
	guarded(run);
}
