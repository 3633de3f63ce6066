/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Commands and their arguments (options.c). A part of tool.h.
 */
#ifndef _GUARD_OPTIONS_H
#define _GUARD_OPTIONS_H

#include "util.h"

struct argp_option;
struct command;
struct set;

#define GUARD_RULES		131072
#define GUARD_MOST_RULES	(1U << 24)
#define GUARD_MOST_SECONDS	(1U << 30)

/**
 * struct who - a subject that a rule is only for, as the user names it
 * @kind: its kind
 * @text: its path, name or number
 */
struct who {
	enum guard_kind kind;
	char *text;
};

/**
 * struct arguments - the contents of a command line, or of a line of a conf file
 * @ops: the operations
 * @deny: whether it denies them: to all, or if there is @who, to others
 * @tree: whether it is for all below
 * @follow: whether the rule is for whatever file is at the name, and not for the file there now
 * @nofollow: whether the rule is for a symbolic link itself
 * @label: the rule's label, "" for none; NULL if not given
 * @who: of struct who: the only subjects that may, if there are any
 * @paths: the files, or other arguments of the command; they are in the caller's argv
 * @nr_paths: number of these
 * @set: for request.c: @who as a set, or NULL
 * @optional: report and leave out what is missing
 * @quiet: don't report that
 * @hanging: patterns (char *) among the paths that could not be expanded
 * @all: all rules
 * @audit: of a guard: 1, audit; 0, enforce; -1, as it is. Of a rule: 1, it is audit-only
 * @max_rules: maximum number of rules
 * @seconds: for how long, or 0
 * @json: as JSON
 * @check: change nothing
 * @hold: have rules hold by name until a change on the way is followed
 * @progress: show how far it is
 * @seal: enum guard_seal: how to seal the guard
 * @help: the help was requested, and shown
 */
struct arguments {
	__u32 ops;
	bool deny;
	bool tree;
	bool follow;
	bool nofollow;
	char *label;
	struct array who;
	char **paths;
	int nr_paths;
	struct set *set;
	bool optional;
	bool quiet;
	struct array hanging;
	bool all;
	int audit;
	__u32 max_rules;
	__u32 seconds;
	bool json;
	bool check;
	bool hold;
	bool progress;
	__u32 seal;
	bool help;
};

/**
 * struct command - a command
 * @name: its name
 * @what: what it does, in the list of commands
 * @options: its options
 * @usage: its arguments, for the help
 * @help: what it does, for the help
 * @argument: the name of its argument, for when that is missing
 * @least: minimum number of arguments
 * @most: maximum number of arguments
 * @in_conf: whether a line of a conf file can be this command
 * @run: executes it, and returns an exit code
 */
struct command {
	const char *name;
	const char *what;
	const struct argp_option *options;
	const char *usage;
	const char *help;
	const char *argument;
	int least;
	int most;
	bool in_conf;
	int (*run)(struct arguments *arguments);
};

/*
 * Read what follows a command, which is @argv[0]. Returns 0, or -1 with the reason in @message. The
 * arguments point into @argv.
 */
int arguments_parse(struct arguments *arguments, const struct command *command, int argc,
		    char **argv, bool conf, char *message, size_t size);
void arguments_free(struct arguments *arguments);

#endif /* _GUARD_OPTIONS_H */
