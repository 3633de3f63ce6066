/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the files of the tool, with the parts of it that have files of their own: util.h,
 * options.h, conf.h, policy.h, names.h and lookup.h; and a guide to the files of this folder.
 *
 *   guard.h	shared by programs and tool: operations, the contents of the maps
 *   *.bpf.h	the programs' parts, all in guard.bpf.c, which has the hooks: judge.bpf.h decides,
 *		rule.bpf.h finds the rules, who.bpf.h tells who acts, process.bpf.h what was seen of
 *		the process before, subject.bpf.h keeps others from controlling executables that may
 *		do more, cgroup.bpf.h knows cgroups by their paths, append.bpf.h tells which writes
 *		append, name.bpf.h finds the rule of a name, follow.bpf.h gives it to files that get
 *		the name, hold.bpf.h counts changes on the way to it, event.bpf.h reports what was
 *		denied; syscall.bpf.h and word.bpf.h read system calls and memory, kernel.bpf.h has
 *		the kernel's macros, and types that not every kernel has
 *   seal.bpf.c	the programs of a sealed guard, which share seal.h with the tool
 *   main.c	the table of commands, with what most of them do
 *   apply.c	apply
 *   options.c	reads command lines by that table
 *   conf.c	reads conf files, whose lines are some of the commands
 *   pattern.c	finds the files that match patterns in conf files
 *   pins.c	has the pins: what exists, opening the running guard, the lock
 *   load.c	start, stop
 *   upgrade.c	takes the place of a running guard of another version
 *   status.c	status
 *   adopt.c	adopt: makes processes count as those of their executable
 *   reading.c	attaches the hook of reading and writing while a rule needs it
 *   policy.c	changes the policy, all of it or nothing
 *   request.c	makes the rules that are asked for
 *   who.c	finds the subjects that they are only for
 *   rule.c	has what both need: rules, and the entries that have them
 *   names.c	finds the names that rules are for
 *   way.c	has programs watch the ways to them
 *   hold.c	writes the names that rules hold by while the way to them changes
 *   lookup.c	looks up paths, and does not wait forever
 *   helper.c	has the processes that it waits for
 *   ahead.c	looks up paths before the lock is taken
 *   store.c	reads and writes the maps that hold the policy
 *   collect.c	removes from them what no rule needs any more
 *   filesystem.c	tells properties of filesystems, and reads the list of mounts
 *   shown.c	finds the state of each rule and executable
 *   list.c	shows it: list
 *   save.c	writes the rules as a conf file: save
 *   events.c	reads the events of what is denied; events.h has what it shares
 *   denial.c	formats them as text and as JSON
 *   watch.c	shows them
 *   learn.c	makes rules from them
 *   log.c	writes them to the journal or syslog
 *   seal.c	keeps root from stopping the guard; sealed.c has what the tool then refuses
 *   service.c	keeps the rules of names up to date, and passes the events on
 *   watchers.c	to its clients
 *   util.c	is for all of them
 *
 * A change calls downwards: main.c, policy.c, request.c, who.c, rule.c, names.c, store.c. To add
 *
 *   an operation	a line in GUARD_OPERATIONS (guard.h), which words, help, completion and the
 *			tests' lists are made from; the hooks that are about it (guard.bpf.c); its
 *			paragraph in the manual; a row in selftests/guard/guard/rules.c, without
 *			which that does not compile, and attempts in selftests/guard/attempts/
 *   an option		a line in the tables of main.c, which help and completion are made from; a
 *			case in options.c; the manual
 *   a state of rules	enum state (shown.h), its name and how to tell it (shown.c); the manual
 */
#ifndef _GUARD_TOOL_H
#define _GUARD_TOOL_H

#include "conf.h"
#include "guard.h"
#include "lookup.h"
#include "names.h"
#include "options.h"
#include "policy.h"
#include "util.h"

/* Exit codes; EXIT_FAILURE is 1. */
enum {
	EXIT_USAGE = 2,
	EXIT_STATE = 3,
	EXIT_MISSING = 4,
};

/**
 * struct guard - the running guard
 * @maps: the inode maps that give inodes their rules
 * @subjects: the inode map of executables and directories that have an id
 * @rules: descriptor of the map of that name in guard.bpf.c; so are the following
 * @hits: likewise
 * @members: likewise
 * @cgroup_paths: likewise
 * @cgroups: likewise
 * @texts: likewise
 * @leaves: likewise
 * @fresh: likewise
 * @held: likewise
 * @targets: likewise
 * @changes: likewise
 * @moves: likewise
 * @processes: likewise
 * @events: likewise
 * @state_map: descriptor of the map in which the state is
 * @state: the contents of @state_map
 * @lock: descriptor that holds the lock, or -1
 */
struct guard {
	int maps[RULE_MAPS];
	int subjects;
	int rules;
	int hits;
	int members;
	int cgroup_paths;
	int cgroups;
	int texts;
	int leaves;
	int fresh;
	int held;
	int targets;
	int changes;
	int moves;
	int processes;
	int events;
	int state_map;
	struct guard_state *state;
	int lock;
};

/* main.c, apply.c */

const struct command *command_named(const char *name);

struct progress;

/* Replace the rules by those of conf files; @progress may be NULL. Returns an exit code. */
int apply_conf(struct conf *conf, struct progress *progress);
int cmd_apply(struct arguments *arguments);

/* pins.c, load.c, status.c */

enum guard_running {
	GUARD_STOPPED,
	GUARD_DAMAGED,
	GUARD_RUNNING,
};

/* Start the guard, as a command line says, and seal it if that says so. */
int guard_start(const struct arguments *arguments);
int guard_stop(void);
/* Open the running guard, to change it or not; returns an exit code, after reporting errors. */
int guard_open(struct guard *guard, bool change);
/* Let others change the policy. */
void guard_unlock(struct guard *guard);
void guard_close(struct guard *guard);
int guard_status(bool json);
/*
 * Whether the kernel calls the programs, which it attaches to security hooks even if it was not
 * told to call them. Asks for a call, and checks @probed.
 */
bool guard_is_called(const struct guard_state *state);
__u32 guard_max_rules(const struct guard *guard);
/* Wait until no program uses what was valid before. */
void guard_wait_programs(void);
/* Whether the guard has been stopped since it was opened. */
bool guard_is_over(const struct guard *guard);
/* Open the directory that a watcher locks: a descriptor, or -1 and errno. */
int guard_watch_open(void);

/* seal.c, sealed.c */

/* The label of the rules that sealing makes. */
#define SEAL_LABEL	"sealed"

/* Seal a running guard: exactly so, or at least so; returns an exit code. */
int guard_seal(enum guard_seal seal, bool or_more);
bool guard_is_sealed(const struct guard *guard);
const char *seal_name(__u32 seal);
/* If the guard is sealed, report that @what is no longer done, and return -EPERM; otherwise 0. */
int seal_refuse(const struct guard *guard, const char *what);
/* The same if the guard is sealed so that it takes no rules at all. */
int seal_refuse_rules(const struct guard *guard);
/* Whether sealing has made a rule, and would make it again. */
bool seal_has_made(const struct guard *guard, const struct rule *rule);
/* Whether a sealed guard accepts a change of the policy: 0, or -EPERM after reporting why not. */
int seal_check(struct policy *policy);
/* Whether an entry must keep its rule, since it is not the one that @rule replaces. */
bool seal_keeps(struct policy *policy, const struct guard_entry *entry, __u32 rule);

/* adopt.c */

int guard_adopt(const struct arguments *arguments);
/* How many processes execute what a rule is only for, and do not count as its own. */
size_t processes_unseen(const struct guard *guard);

/* upgrade.c */

/*
 * Take the place of a guard of another version, if one runs, with the rules that @apply makes,
 * which returns an exit code, having told. Returns an exit code: EXIT_SUCCESS also if there was
 * nothing to do.
 */
int guard_upgrade(const struct arguments *arguments, int (*apply)(void *context), void *context);

/* service.c */

int guard_service(const struct arguments *arguments);

/* shown.c, list.c, save.c, watch.c */

/**
 * struct counts - numbers of rules or executables that are not in force, by their state in "list"
 * @waiting: nothing is at their name
 * @elsewhere: their path leads elsewhere
 * @gone: their files are gone
 * @hanging: unknown, since looking up their path takes too long
 */
struct counts {
	size_t waiting;
	size_t elsewhere;
	size_t gone;
	size_t hanging;
};

/* Returns 0 or a negative errno. */
int policy_count(struct policy *policy, struct counts *rules, struct counts *exes);
int guard_list(bool json);
int guard_save(const char *path);
int guard_watch(bool json);

/* learn.c */

int guard_learn(const struct arguments *arguments);

#endif /* _GUARD_TOOL_H */
