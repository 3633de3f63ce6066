/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the files of the tool; and a guide to the files of this folder.
 *
 *   guard.h	shared by programs and tool: operations, the contents of the maps
 *   *.bpf.h	the programs' parts, all in guard.bpf.c, which has the hooks: judge.bpf.h decides,
 *		rule.bpf.h finds the rules, who.bpf.h tells who acts, process.bpf.h what was seen of
 *		the process before, subject.bpf.h keeps others from controlling executables that may
 *		do more, cgroup.bpf.h knows cgroups by their paths, append.bpf.h tells which writes
 *		append, name.bpf.h finds the rule of a name, follow.bpf.h gives it to files that get
 *		the name, hold.bpf.h counts changes on the way to it, event.bpf.h reports what was
 *		denied; syscall.bpf.h and word.bpf.h read system calls and memory, kernel.bpf.h has
 *		types that not every kernel has
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
 *   ahead.c	looks up paths before the lock is taken
 *   store.c	reads and writes the maps that hold the policy
 *   collect.c	removes from them what no rule needs any more
 *   filesystem.c	tells properties of filesystems
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

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include <linux/inode_map.h>

#include "guard.h"

/* Exit codes; EXIT_FAILURE is 1. */
enum {
	EXIT_USAGE = 2,
	EXIT_STATE = 3,
	EXIT_MISSING = 4,
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Inode maps by index: trees by operation, then the files. */
#define FILES_MAP	GUARD_OPS
#define RULE_MAPS	(GUARD_OPS + 1)

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

/* util.c */

extern bool verbose;

/* Print one line to standard error, after the name of the tool. */
__attribute__((format(printf, 1, 2)))
void error(const char *format, ...);

/* The meaning of a negative errno, for the end of a line. */
const char *reason(int err);
/* Have reason() name what is full, if @err means that, and how many fit. Returns @err. */
int no_room(int err, const char *what, __u32 most);
/* The same for a map that is full. */
int map_no_room(int err, const char *what, int map);

/* malloc() and friends that end the program if there is no memory. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
__attribute__((format(printf, 1, 2)))
char *xasprintf(const char *format, ...);

/* The words for operations; and those of a set, separated by commas. */
extern const char *const op_names[GUARD_OPS];
/* The word for an operation in an event, which may be GUARD_CONTROL, too. */
const char *op_name(int op);
const char *ops_text(__u32 ops);

/* Parse all of a text as a decimal number from @least to @most: 0, or -EINVAL. */
int number_parse(const char *text, __u32 least, __u32 most, __u32 *number);

/* Make a path as somebody gave it absolute, without "." and empty components. */
char *absolute_path(const char *path);

/*
 * Write a name that others chose, of a file or a thread: as text, with a backslash before each of
 * the @special characters; as one of several words; as a word of a conf file, where it is no
 * pattern; as a JSON string. Unprintable characters become numbers: no terminal obeys them, and the
 * name stays on one line.
 */
void put_text(FILE *file, const char *text, const char *special);
void put_name(FILE *file, const char *text);
void put_word(FILE *file, const char *text);
void put_json(FILE *file, const char *text);

/**
 * struct array - an array that grows
 * @items: the items
 * @count: number of items
 * @room: number of items that fit
 */
struct array {
	void *items;
	size_t count;
	size_t room;
};

/* Add an item of @size bytes at the end; returns it, zeroed. */
void *array_add(struct array *array, size_t size);
/* Free an array of char *, with the strings. */
void strings_free(struct array *array);

/**
 * struct index - finds pointers by an id
 * @slots: ids and pointers
 * @mask: number of slots less one
 * @count: number of slots in use
 */
struct index {
	struct index_slot {
		__u32 id;
		void *item;
	} *slots;
	size_t mask;
	size_t count;
};

void *index_get(const struct index *index, __u32 id);
void index_put(struct index *index, __u32 id, void *item);
void index_free(struct index *index);

/* options.c */

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

/* main.c, apply.c */

const struct command *command_named(const char *name);

struct conf;
struct progress;

/* Replace the rules by those of conf files; @progress may be NULL. Returns an exit code. */
int apply_conf(struct conf *conf, struct progress *progress);
int cmd_apply(struct arguments *arguments);

/* conf.c, pattern.c */

#include "conf.h"

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

struct policy;
struct rule;
struct guard_entry;

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

/* store.c */

/**
 * struct rule - a rule
 * @id: its key in "rules"
 * @body: the value
 * @path: its path, as it was given last
 * @label: its label, "" for none
 * @names: of char *: all paths that it was given, if it is for names
 * @handle: its entries, by the index of the inode map; policy_walk() fills them in
 * @dev: device of the inode that has these entries; likewise
 * @ino: number of that inode; likewise
 * @base: the rule that this one replaces, or NULL
 * @successor: the rule that replaces this one, or NULL
 * @fresh: made by this change of the policy
 * @moved: likewise, and the file at its name did not have @base
 * @dropped: this change removes it
 * @kept: stays as it is, since its path can't be looked up now
 */
struct rule {
	__u32 id;
	struct guard_rule body;
	char *path;
	char *label;
	struct array names;
	__u32 handle[RULE_MAPS];
	__u32 dev;
	__u64 ino;
	struct rule *base;
	struct rule *successor;
	bool fresh;
	bool moved;
	bool dropped;
	bool kept;
};

/* Add a path to the names of a rule, unless it is there. */
void rule_add_name(struct rule *rule, const char *path);

/* Whether no inode has the rule: call after policy_walk(). */
bool rule_is_gone(const struct rule *rule);

/**
 * struct member - a subject in a set
 * @kind: enum guard_kind
 * @subject: as programs know it
 * @text: the user's name for it, a key of "texts"
 */
struct member {
	__u32 kind;
	__u32 subject;
	__u32 text;
};

/**
 * struct set - a set of subjects
 * @id: its id in rules
 * @kinds: the kinds of its members, one bit each
 * @members: of struct member, sorted
 */
struct set {
	__u32 id;
	__u32 kinds;
	struct array members;
};

/**
 * struct policy - the policy in force, and the changes that are being made to it
 * @guard: the guard
 * @generation: the generation in force
 * @rules: of struct rule *
 * @rule_by_id: likewise, by id
 * @rule_by_path: rules that were in force, by a hash of the path; made when it is needed
 * @indexed: whether it has been made
 * @rule_by_name: rules that were in force, by name; made when it is needed
 * @named: whether it has been made
 * @sets: of struct set *
 * @set_by_id: likewise, by id
 * @texts: of char *, by id: paths of rules, executables, cgroups and directories; names of users
 *	and groups
 * @new_text_keys: of struct guard_text_key, for the commit to write
 * @new_texts: of struct guard_text, likewise
 * @walked: whether the handles have been filled in
 * @doomed: of struct doomed: entries that hold no rule any more
 * @missing: number of paths that were left out, since something was missing
 * @changed: whether there is any change
 */
struct policy {
	struct guard *guard;
	__u32 generation;
	struct array rules;
	struct index rule_by_id;
	struct index rule_by_path;
	bool indexed;
	struct index rule_by_name;
	bool named;
	struct array sets;
	struct index set_by_id;
	struct index texts;
	struct array new_text_keys;
	struct array new_texts;
	bool walked;
	struct array doomed;
	size_t missing;
	bool changed;
};

int policy_load(struct guard *guard, struct policy *policy);
void policy_free(struct policy *policy);
/* Find the entries that exist: fill in the handles of the rules. */
int policy_walk(struct policy *policy);
/* Remove what an interrupted change of the policy left. */
int policy_sweep(struct guard *guard);
/* Remove paths, sets and subjects that no rule needs. This completes a change. */
int policy_collect(struct guard *guard, const struct policy *policy);
__u32 entry_rule(const struct guard_entry *entry, __u32 generation);
/* Whether a slot of an entry is for the next generation. */
bool entry_is_pending(const struct guard_entry *entry, __u32 generation);

int map_read(int map, size_t key_size, size_t value_size, struct array *keys, struct array *values);
int map_write(int map, const struct array *keys, const struct array *values, size_t key_size,
	      size_t value_size);
int map_next(int map, struct inode_map_key *key, void *value);
int map_delete_handle(int map, __u32 handle);
/* An entry by a descriptor: 0 or a negative errno. As inode_map.h, but for a known kind of key. */
int entry_get(int map, int fd, void *value);
int entry_update(int map, int fd, const void *value, __u64 flags);
/* Have the commit write the pieces of a text: a path, and a label or "". */
void text_add(struct policy *policy, __u32 id, const char *path, const char *label);
/* A text in memory, to be freed; and the label that follows its path. */
char *text_join(const char *path, const char *label);
const char *text_label(const char *text);
__u32 next_id(struct policy *policy);
/* Make an entry say @rule from the next generation on. */
void entry_set(struct guard_entry *entry, __u32 generation, __u32 rule);

/* lookup.c, ahead.c, filesystem.c */

#include "lookup.h"

/* names.c, way.c */

#include "names.h"

/* who.c */

/* Whether a subject exists: 0 or a negative errno; and reporting that error. */
int who_check(const struct who *who);
void who_failed(const char *where, const struct who *who, int err);
/* Find the kernel's id of a cgroup by its path in the unified hierarchy: 0 or a negative errno. */
int cgroup_find(const char *path, __u64 *id);
/* Make the cgroup that is at a path now known to programs, if there is one. */
int cgroup_enter(struct policy *policy, __u32 subject, const char *path);
int compare_members(const void *one, const void *other);
/* Add a set to the policy, still without members. */
struct set *set_add(struct policy *policy, __u32 id);
void set_add_member(struct set *set, const struct member *member);
/* See map_no_room(). */
int members_no_room(int err, const struct guard *guard);
/* Find or make the set of a request's subjects: 0 or a negative errno, after reporting it. */
int request_set(struct policy *policy, struct arguments *request, const char *where);

/* hold.c */

/* Write which rules hold by which names, for when a way changes: 0 or a negative errno. */
int names_hold(struct policy *policy);
/* The number of changes that are not followed yet; and report that @count of them are. */
unsigned long hold_count(const struct guard *guard);
void hold_follow(const struct guard *guard, unsigned long count);

/* rule.c */

/* An entry to delete when no rule is in it any more. */
struct doomed {
	int index;
	__u32 handle;
};

static inline bool is_tree(const struct rule *rule)
{
	return rule->body.flags & GUARD_TREE;
}

/* The operations that a rule denies to anybody. */
static inline __u32 denied_ops(const struct rule *rule)
{
	return (rule->body.denied | rule->body.only) & ~rule->body.audit;
}

/* The operations that a rule adds to @strict of the state, if it is for a tree. */
static inline __u32 strict_ops(const struct rule *rule)
{
	__u32 ops = is_tree(rule) ? denied_ops(rule) : 0;

	return ops & 1U << GUARD_WRITE ? ops | 1U << GUARD_APPEND : ops;
}

/* Change an entry by its handle. If the entry is gone with its inode, there is nothing to do. */
int entry_change(struct policy *policy, int index, __u32 handle, __u32 rule);
/* The rule of a file, or the rule for its tree, in the next generation; or NULL. */
struct rule *find_rule(struct policy *policy, int fd, bool tree, int *err);
/* Make a rule of the next generation, which replaces @base if that is not NULL. */
struct rule *rule_make(struct policy *policy, struct rule *base, __u32 flags);
void rule_copy(struct rule *rule, const struct rule *base);
bool rule_same(const struct rule *a, const struct rule *b);
/* Undo the making of a rule. */
void rule_forget(struct rule *rule);
/* Write a rule's entries for the operations in a mask; a rule for a file has a single entry. */
int rule_put(struct policy *policy, const struct rule *rule, int fd, __u32 ops);
/* Put a rule in force for all its names; @place, if not NULL, is the place of @path. */
int rule_follow(struct policy *policy, const struct rule *rule, struct place *place,
		const char *path);

/* reading.c */

/* Attach the hook of reading and writing: 0 or a negative errno. */
int reading_attach(struct guard *guard);
/* The same if a rule of the policy needs it, before the rule is in force. */
int reading_begin(struct policy *policy);
/* After that: detach the hook if no rule needs it. */
void reading_end(struct policy *policy);

/* request.c, policy.c */

/* Each returns 0, or a negative errno after reporting it; @where goes before the message. */
int change_request(struct policy *policy, struct arguments *request, bool replace,
		   const char *where, void (*step)(void *), void *arg);
int change_remove(struct policy *policy, const char *path, bool nofollow, int tree);
int change_remove_all(struct policy *policy);
/* Look up the names of all rules and executables again. */
int change_refresh(struct policy *policy);
int change_settle(struct policy *policy);
/*
 * Open the guard, and call @change to change the policy. If it reports an error and returns true,
 * nothing is changed. @ahead: what rules_look_up() has loaded, or NULL. If the tool is verbose, and
 * @what is not NULL, prints @what and whether anything has changed. Returns an exit code.
 */
int change_policy(struct policy *ahead, int (*change)(struct policy *policy, void *context),
		  void *context, const char *what);
/* Whether a file can have a rule: 0; -EOPNOTSUPP on procfs; -EMLINK: see is_broken_link(). */
int file_check(int fd, const struct stat *stat);
/* Report why no rule could be made for a path. */
void change_failed(const char *where, const char *path, int err);

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
/* Connect to the running service: a socket, or a negative errno. */
int service_connect(void);

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
