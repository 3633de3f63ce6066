// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tool inode-guard: what it takes and what it prints. The steps are in the files next to this
 * one, and share one guard. GUARD_STEPS="name..." selects steps by name, TEST_PROGRAMS=1 those that
 * involve the guard's programs.
 *
 * bypass.c tests what is stopped, and how; guard_life.c and guard_killed.c, starting and stopping;
 * guard_atomic.c, that changes of the policy are atomic; guard_many.c, many rules.
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

	time_limit(60);
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

/* A watcher ends when the guard stops. */
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
	QUIET(START_SMALL);
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
