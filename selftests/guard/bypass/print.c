// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * --table prints a line for each attempt, with tabs: "stopped", "not stopped", or "works" where
 * that is allowed; the operations; the attempt; the reason why it is not stopped. The manual's list
 * is made from this.
 */
#include "runs.h"

static void print_line(const char *what, const char *operations, const char *name,
		       const char *why_not)
{
	printf("%s\t%s\t%s\t%s\n", what, operations, name, why_not ? why_not : "");
}

static void print_attempts(const struct attempt *attempt)
{
	char names[128];

	for (; attempt->name; attempt++) {
		names_of(attempt->operations, names);
		print_line(attempt->why_not ? "not stopped" :
			   attempt->append_only == OTHERS ? "works" : "stopped", names,
			   attempt->name, attempt->why_not);
	}
}

static void print_subjects(const struct subject_attempt *attempt, const char *operations)
{
	for (; attempt->name; attempt++)
		print_line(attempt->why_not ? "not stopped" : attempt->may ? "works" : "stopped",
			   operations, attempt->name, attempt->why_not);
}

static void print_table(void)
{
	for (unsigned int i = 0; tables[i]; i++)
		print_attempts(tables[i]);
	print_subjects(subjects, "only-for");
	print_subjects(seen, "only-for");
	print_subjects(seen_limits, "only-for");
	print_subjects(limits, "all");
	print_subjects(root_limits, "all");
	print_subjects(memory_limits, "read");
	print_subjects(earlier_limits, "all");
}

__attribute__((constructor)) static void set_table(void)
{
	test_table = print_table;
}
