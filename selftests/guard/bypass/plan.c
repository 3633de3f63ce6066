// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The runs: which attempts run in which ways, with which rules, and what each must result in. */
#include "runs.h"

const struct place *place;	/* where add_run() adds runs */
unsigned int turn;		/* the number of the current attempt */

struct run *runs;
static struct run **last_run = &runs;
unsigned int nr_runs, nr_expected[PASSES + 1], nr_wrong;
int *results;			/* by number; shared with child processes */

static unsigned int ways_of(const struct attempt *attempt)
{
	unsigned int ways = attempt->ways ? attempt->ways : ANY_PATH;

	if (attempt->by_descriptor)
		ways |= BY(BEFORE);
	if (attempt->kind == DIRECTORY)
		ways &= ~BY(HARD_LINK);
	return ways;
}

/* The operations that opening a file needs. */
static unsigned int operations_to_open(unsigned int flags)
{
	unsigned int append = flags & O_APPEND ? APPEND : 0;

	if (flags & O_PATH)
		return 0;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return READ;
	case O_WRONLY:
		return WRITE | append;
	default:			/* 3, too, asks for both permissions */
		return READ | WRITE | append;
	}
}

/* A rule that denies any one of these must stop the attempt. */
static unsigned int operations_of(const struct attempt *attempt, enum way way, bool tree)
{
	unsigned int operations = attempt->operations;

	if (tree && attempt->changes_directory)
		operations |= WRITE;
	if (tree)
		operations |= attempt->of_entry;
	if (attempt->by_descriptor && way != BEFORE)
		operations |= operations_to_open(attempt->open_flags);
	return operations;
}

static void add_run(const struct attempt *attempt, enum way way, enum expectation expectation,
		    unsigned int denied, bool tree)
{
	struct run *run = calloc(1, sizeof(*run));

	CHECK(run);
	run->attempt = attempt;
	run->way = way;
	run->expectation = expectation;
	run->denied = denied;
	run->tree = tree;
	run->target.number = ++nr_runs;
	nr_expected[expectation]++;
	run->target.fd = -1;
	run->target.open_flags = attempt->open_flags;
	run->target.kind = attempt->kind;
	run->place = place;
	run->target.root = place->root;
	*last_run = run;
	last_run = &run->next;
}

/*
 * With rules for files on ext4, each attempt tries every third of the ways that lead to a file,
 * from a start that changes with the attempt. It tries all ways with BYPASS_ALL in the environment,
 * or if every_way is set.
 */
static unsigned int ways_to_try(const struct attempt *attempt, bool tree)
{
	unsigned int ways = ways_of(attempt), some = 0;
	bool all = getenv("BYPASS_ALL");

	if (place->filesystem != EXT4)
		return ways & (BY(DIRECT) | BY(BEFORE) | BY(USER));
	if (tree)
		return ways & (BY(DIRECT) | BY(BEFORE) | (all ? BY(BIND_MOUNT) : 0));
	if (attempt->every_way || all)
		return ways;
	for (int way = HARD_LINK + turn % 3; way < WAYS; way += 3)
		some |= BY(way);
	return ways & (BY(DIRECT) | BY(BEFORE) | BY(USER) | some);
}

static void add_stopped(const struct attempt *attempt, bool tree)
{
	unsigned int ways = ways_to_try(attempt, tree);

	for (int way = 0; way < WAYS; way++) {
		unsigned int operations = operations_of(attempt, way, tree);

		if (!(ways & BY(way)))
			continue;
		if (way != DIRECT && (way != BEFORE || tree)) {
			add_run(attempt, way, STOPPED, operations & -operations, tree);
			continue;
		}
		for (unsigned int operation = 1; operation < ALL; operation <<= 1)
			if (operations & operation)
				add_run(attempt, way, STOPPED, operation, tree);
		add_run(attempt, way, OTHERS, ALL & ~operations, tree);
	}
}

static bool is_selected(const struct attempt *attempt)
{
	return bypass_selects(attempt->name);
}

void add_runs(const struct attempt *attempt)
{
	unsigned int ways = ways_to_try(attempt, false);
	const char *missing;

	if (!is_selected(attempt))
		return;
	if (!((attempt->filesystems ? attempt->filesystems : COMMON) & place->filesystem))
		return;
	missing = attempt->missing ? attempt->missing() : NULL;
	if (missing) {
		printf("# %s: not tried on %s: %s\n", attempt->name, place->name, missing);
		return;
	}
	for (int way = 0; way < WAYS; way++)
		if (ways & BY(way))
			add_run(attempt, way, CONTROL, 0, false);
	if (attempt->append_only) {
		add_run(attempt, DIRECT, attempt->append_only, WRITE | ALLOW_APPEND, false);
		if (attempt->by_descriptor)
			add_run(attempt, BEFORE, attempt->append_only, WRITE | ALLOW_APPEND, false);
		return;
	}
	if (attempt->why_not) {
		for (int way = 0; way < WAYS; way++)
			if (ways & (BY(DIRECT) | BY(USER)) & BY(way))
				add_run(attempt, way, PASSES, attempt->operations, false);
		return;
	}
	add_stopped(attempt, false);
	if (place->filesystem != TMPFS)
		add_stopped(attempt, true);
}
