// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The tool inode-guard: what it takes and what it says. All of it is in steps, in the files beside
 * this one. They share one guard; GUARD_STEPS="name..." runs some of them, TEST_PROGRAMS=1 those in
 * which the guard's programs have a part.
 *
 * What is stopped, and how, is the subject of bypass.c; starting and stopping, of guard_life.c and
 * guard_killed.c; that a change of the policy has no middle, of guard_atomic.c; many rules, of
 * guard_many.c.
 */
#include "harness.h"

#include "steps.h"
#include "bpf/guard/guard.h"

/* Steps */

static struct step *steps, **last_step = &steps;

void step_register(struct step *step)
{
	*last_step = step;
	last_step = &step->next;
}

static bool is_wanted(const struct step *step)
{
	const char *wanted = getenv("GUARD_STEPS"), *name = step->name, *found;
	size_t length = strlen(name);

	if (!wanted || !*wanted)
		return !step->is_tools || !getenv("TEST_PROGRAMS");
	for (found = strstr(wanted, name); found; found = strstr(found + 1, name))
		if ((found == wanted || found[-1] == ' ') &&
		    (!found[length] || found[length] == ' '))
			return true;
	return false;
}

static void step_child(void *arg)
{
	struct step *step = arg;

	alarm(60 * test_slowdown());
	CHECK_SYS(mkdir(step->name, 0755));
	CHECK_SYS(chdir(step->name));
	step->run();
}

static bool step_passes(struct step *step)
{
	double begun = now();
	int status;

	CHECK_SYS(waitpid(child_start(step_child, step), &status, 0));
	printf("# %s: %s, %.1f s\n", step->name, status ? "FAILED" : "ok", now() - begun);
	QUIET("start", "--enforce");
	QUIET("remove", "--all");
	return !status;
}

static bool is_watching(void *state)
{
	return ((volatile struct guard_state *)state)->watching;
}

/* A watcher ends with the guard. */
static void check_stop(void)
{
	pid_t watcher = tool_start(WORDS("watch"), "events");

	CHECK(wait_until(is_watching, (void *)state_map(), 10));
	QUIET("stop");
	CHECK_EQ(tool_end(watcher), 0);
}

static void run_steps(void *arg)
{
	unsigned int failed = 0;
	struct step *step;

	(void)arg;
	QUIET("start");
	for (step = steps; step; step = step->next)
		if (is_wanted(step))
			failed += !step_passes(step);
	check_stop();
	if (failed)
		FAIL("%u steps failed", failed);
}

TEST(steps)
{
	guarded(run_steps);
}
