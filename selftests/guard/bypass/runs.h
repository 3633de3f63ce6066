/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Declarations shared by the files of the bypass test, besides the attempts: see bypass.c. */
#ifndef RUNS_H
#define RUNS_H

#include "bypass.h"
#include "subject.h"

/* Not an operation: adds a second rule, for files that may be appended to but not written. */
#define ALLOW_APPEND	(ALL + 1)

#define NOBODY	65534

/* A filesystem for the attempts, and a bind mount of it. */
struct place {
	enum filesystem filesystem;
	const char *name, *root, *bound;
};

struct run {
	const struct attempt *attempt;
	const struct place *place;
	struct target target;
	enum way way;
	enum expectation expectation;
	unsigned int denied;		/* operations */
	bool tree;
	char directory[64];		/* the tree, if @tree is set */
	char path[96];
	uint64_t before;
	int result;
	struct run *next;
};

/* bypass.c */

extern const struct attempt *const tables[];
extern const char *const way_names[];
void names_of(unsigned int operations, char text[128]);

/* look.c */

uint64_t state_of(const char *path, bool with_time);

/* plan.c */

extern const struct place *place;
extern unsigned int turn;
extern struct run *runs;
extern unsigned int nr_runs, nr_expected[PASSES + 1], nr_wrong;
extern int *results;
void add_runs(const struct attempt *attempt);

/* run.c */

void stash_open(void);
void run_make(struct run *run);
const char *describe(const struct run *run);
uint64_t run_state(const struct run *run);
void run_prepare(struct run *run);
void run_all(bool denied);

#endif /* RUNS_H */
