/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the files of the tool share, and where things are in this folder.
 *
 *   guard.h	what kernel and tool share: operations, the contents of the maps
 *   *.bpf.h	the programs' parts, all in guard.bpf.c, which has the hooks: judge.bpf.h decides,
 *		rule.bpf.h finds the rules, who.bpf.h tells who it is that does something, process.bpf.h
 *		what was seen of him before,
 *		subject.bpf.h keeps executables that may from being others' puppets, cgroup.bpf.h
 *		knows cgroups by their paths, syscall.bpf.h tells what appends, name.bpf.h finds the
 *		rule of a name, follow.bpf.h gives it to what comes to be there, hold.bpf.h counts
 *		changes on the way to it, event.bpf.h tells what was denied; word.bpf.h reads memory,
 *		kernel.bpf.h has types that not every kernel has
 *   seal.bpf.c	the programs of a sealed guard, which share seal.h with the tool
 *   main.c	the table of commands, with what most of them do
 *   options.c	reads command lines by that table
 *   conf.c	reads conf files, whose lines are some of the commands
 *   pattern.c	finds the files that patterns in them stand for
 *   pins.c	has the pins: what there is, opening the running guard, the lock
 *   load.c	start, stop
 *   upgrade.c	takes the place of a running guard of another version
 *   status.c	status
 *   adopt.c	adopt: has processes count as those of their executable
 *   reading.c	has the hook of reading and writing attached while a rule needs it
 *   policy.c	changes the policy, all of it or nothing
 *   request.c	makes the rules that are asked for
 *   who.c	finds whom they are only for
 *   rule.c	has what both are made of: rules, and the entries that have them
 *   names.c	finds the names that rules are for
 *   hold.c	has the names that rules hold by while the way to them changes
 *   lookup.c	looks up paths, and does not wait for ever
 *   ahead.c	has it do so before the lock is taken
 *   store.c	reads and writes the maps that the policy is in
 *   collect.c	removes from them what no rule needs any more
 *   filesystem.c	tells what file systems are like
 *   shown.c	finds out what there is to each rule and executable
 *   list.c	shows it: list
 *   save.c	writes it as conf files have it: save
 *   events.c	has the events of what is denied; what it shares is in events.h
 *   denial.c	writes them as text and as JSON
 *   watch.c	shows them
 *   learn.c	makes rules of them
 *   log.c	writes them to the journal or syslog
 *   seal.c	has root unable to stop it; sealed.c, what the tool does not do any more then
 *   service.c	keeps the rules of names up to date, and passes the events on
 *   util.c	is for all of them
 *
 * A change calls downwards: main.c, policy.c, request.c, who.c, rule.c, names.c, store.c. What it takes to add
 *
 *   an operation	a line in GUARD_OPERATIONS (guard.h), which words, help, completion and the
 *			tests' lists are made from; the hooks that are about it (guard.bpf.c); its
 *			paragraph in the manual; a row in selftests/steps/rules.c, without which
 *			that does not compile, and attempts in selftests/attempts/
 *   an option		a line in the tables of main.c, which help and completion are made from; a
 *			case in options.c; the manual
 *   a state of rules	enum state (shown.h), its name and what tells it (shown.c); the manual
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
#define TREE_MAPS	GUARD_OPS
#define FILES_MAP	GUARD_OPS
#define RULE_MAPS	(GUARD_OPS + 1)

/**
 * struct guard - the running guard
 * @maps: the inode maps that say which inode has which rule
 * @subjects: the inode map of executables and directories that have an id
 * @rules: likewise, for the maps of guard.bpf.c
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
 * @state_map: likewise
 * @state: its contents
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

/* One line to standard error, behind the name of the tool. */
__attribute__((format(printf, 1, 2)))
void error(const char *format, ...);

/* What a negative errno means, for the end of a line. */
const char *reason(int err);
/* Have reason() say of what there are too many, if that is what @err means; return it. */
int no_room(int err, const char *what, __u32 most);
/* The same of a map that is full. */
int map_no_room(int err, const char *what, int map);

/* malloc() and friends that end the program when there is no memory. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
__attribute__((format(printf, 1, 2)))
char *xasprintf(const char *format, ...);

/* The words for operations, and all of them, separated by commas. */
extern const char *const op_names[GUARD_OPS];
/* Of an event, in which there may be GUARD_CONTROL, too. */
const char *op_name(int op);
const char *ops_text(__u32 ops);

/* All of a text as a number in decimal: 0, or -EINVAL if it is none from @least to @most. */
int number_parse(const char *text, __u32 least, __u32 most, __u32 *number);

/* An absolute path for a path as somebody gave it, without "." and empty components. */
char *absolute_path(const char *path);

/*
 * Write what others have given a name, a path or the name of a thread: as a text, with a backslash before
 * each of the @special characters; as one of several words; as a word of a conf file, in which it is no
 * pattern; as a JSON string. Whatever is in it that is not there to be looked at is written as a number:
 * no terminal obeys it, and it is one line.
 */
void put_text(FILE *file, const char *text, const char *special);
void put_name(FILE *file, const char *text);
void put_word(FILE *file, const char *text);
void put_json(FILE *file, const char *text);

/**
 * struct array - an array that grows
 * @items: the items
 * @count: how many
 * @room: for how many there is room
 */
struct array {
	void *items;
	size_t count;
	size_t room;
};

/* Make room for one more item of @size bytes behind the others; returns it, zeroed. */
void *array_add(struct array *array, size_t size);
/* One of char *, with what it has. */
void strings_free(struct array *array);

/* Of two ids (__u32), for qsort(3). */
int compare_ids(const void *one, const void *other);

/**
 * struct index - finds pointers by an id
 * @slots: ids and pointers
 * @mask: number of slots less one
 * @count: how many are in use
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
 * struct who - whom a rule is only for, as it is said
 * @kind: what is named
 * @text: its path, name or number
 */
struct who {
	enum guard_kind kind;
	char *text;
};

/**
 * struct arguments - what a command line says, or a line of a conf file
 * @ops: the operations
 * @deny: whether it denies them; to all, without @who
 * @tree: whether for all below
 * @follow: whether the rule is for whatever is at the name, and not for what is there now
 * @nofollow: whether a symbolic link is meant itself
 * @label: the rule's label, "" for none; NULL, it does not say so
 * @who: of struct who: the only ones that may; if there are any
 * @paths: the files, or whatever the command has arguments for; they are in the caller's argv
 * @nr_paths: how many
 * @set: for request.c: @who as a set, or NULL
 * @optional: what is missing is told and left out
 * @quiet: and not told
 * @hanging: patterns (char *) among the paths that could not be expanded
 * @all: all rules
 * @audit: of a guard 1, audit; 0, enforce; -1, as it is. Of a rule 1, it is just tried
 * @max_rules: how many rules there may be
 * @seconds: for how long, or 0
 * @json: as JSON
 * @check: change nothing
 * @hold: deny by name what is behind a change that is not followed yet
 * @progress: say how far it is
 * @seal: enum guard_seal: how the guard is to be sealed
 * @help: the help was asked for, and shown
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
 * @usage: its arguments, for help
 * @help: what it does
 * @argument: what its argument is, to say that it is missing
 * @least: how many arguments it takes at least
 * @most: and at most
 * @in_conf: whether a line of a conf file can be one
 * @run: does it, and returns an exit code
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
 * Read what follows a command, which is @argv[0]. Returns 0, or -1 with @message telling what is
 * wrong. The arguments point into @argv.
 */
int arguments_parse(struct arguments *arguments, const struct command *command, int argc,
		    char **argv, bool conf, char *message, size_t size);
void arguments_free(struct arguments *arguments);

/* main.c */

const struct command *command_named(const char *name);

struct conf;
struct progress;

/* Make the rules what conf files say; @progress may be NULL. Returns an exit code. */
int apply_conf(struct conf *conf, struct progress *progress);

/* conf.c, pattern.c */

#include "conf.h"

/* pins.c, load.c, status.c */

enum guard_running {
	GUARD_STOPPED,
	GUARD_DAMAGED,
	GUARD_RUNNING,
};

/* Start it, as a command line says, and seal it if that says so. */
int guard_start(const struct arguments *arguments);
int guard_stop(void);
/* Open the running guard, for changing it or not; returns an exit code, having told why. */
int guard_open(struct guard *guard, bool change);
/* Let others change the policy. */
void guard_unlock(struct guard *guard);
void guard_close(struct guard *guard);
int guard_status(bool json);
/*
 * The kernel attaches programs to security hooks even if it was not told to call them. Ask for a
 * call, and see.
 */
bool guard_is_called(const struct guard_state *state);
__u32 guard_max_rules(const struct guard *guard);
/* Wait until no program uses what was valid before. */
void guard_wait_programs(void);
/* Whether the guard has been stopped since it was opened. */
bool guard_is_over(const struct guard *guard);
/* Open what who watches locks: a descriptor, or -1 and errno. */
int guard_watch_open(void);

/* seal.c, sealed.c */

struct policy;
struct rule;
struct guard_entry;

/* The label of the rules that sealing makes. */
#define SEAL_LABEL	"sealed"

/* Have it sealed, if it runs: just so, or so at least; returns an exit code. */
int guard_seal(enum guard_seal seal, bool or_more);
bool guard_is_sealed(const struct guard *guard);
const char *seal_name(__u32 seal);
/* Tell that @what is not done any more, and return -EPERM, if the guard is sealed; or 0. */
int seal_refuse(const struct guard *guard, const char *what);
/* The same, if it takes no rules at all. */
int seal_refuse_rules(const struct guard *guard);
/* Whether sealing has made a rule, and will make it again. */
bool seal_has_made(const struct guard *guard, const struct rule *rule);
/* Whether a sealed guard takes a change of the policy: 0, or -EPERM, having told why not. */
int seal_check(struct policy *policy);
/* Whether an entry has a rule that @rule does not come to replace, and must keep it. */
bool seal_keeps(struct policy *policy, const struct guard_entry *entry, __u32 rule);

/* store.c */

/**
 * struct rule - a rule
 * @id: its key in "rules"
 * @body: the value
 * @path: its path, as it was given last
 * @label: its label, "" for none
 * @names: of char *: all paths that it was given, if it is for names
 * @handle: by the index of the inode map, its entry there; filled in by policy_walk()
 * @dev: device of the inode that has these entries; likewise
 * @ino: number of that inode; likewise
 * @base: the rule that it comes to replace, or NULL
 * @successor: the rule that comes to replace this one, or NULL
 * @fresh: made by this change of the policy
 * @moved: and what is at its name now had not the rule that it replaces
 * @dropped: will be removed by it
 * @kept: stays as it is, since its path can't be looked up at this moment
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

/* Add a path to the names of a rule, if it is not there. */
void rule_add_name(struct rule *rule, const char *path);

/* Whether no inode has the rule: behind policy_walk(). */
bool rule_is_gone(const struct rule *rule);

/**
 * struct member - a subject in a set
 * @kind: enum guard_kind
 * @subject: as programs know it
 * @text: what it was called, a key of "texts"
 */
struct member {
	__u32 kind;
	__u32 subject;
	__u32 text;
};

/**
 * struct set - a set of subjects
 * @id: what rules name it by
 * @kinds: of which kinds there are any, a bit each
 * @members: of struct member, sorted
 */
struct set {
	__u32 id;
	__u32 kinds;
	struct array members;
};

/**
 * struct policy - the policy in force, and what is being made of it
 * @guard: the guard
 * @generation: the one in force
 * @rules: of struct rule *
 * @rule_by_id: likewise, by id
 * @rule_by_path: one that was in force, by a hash of its path; made when it is needed
 * @indexed: whether it has been made
 * @rule_by_name: those that were in force, by name; made when it is needed
 * @named: whether it has been made
 * @sets: of struct set *
 * @set_by_id: likewise, by id
 * @texts: of char *, by id: paths of rules, executables, cgroups and directories; names of users
 *	and groups
 * @new_text_keys: of struct guard_text_key, to be written by the commit
 * @new_texts: of struct guard_text, likewise
 * @walked: whether the handles have been filled in
 * @doomed: of struct doomed: entries that hold no rule any more
 * @missing: how many paths were left out, for what is missing
 * @changed: whether anything is
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
/* Find out which entries there are: fill in the handles of the rules. */
int policy_walk(struct policy *policy);
/* Remove what an interrupted change of the policy left. */
int policy_sweep(struct guard *guard);
/* Remove paths, sets and subjects that no rule needs. With that a change is complete. */
int policy_collect(struct guard *guard, const struct policy *policy);
__u32 entry_rule(const struct guard_entry *entry, __u32 generation);
/* Whether the next generation has a slot in it. */
bool entry_is_pending(const struct guard_entry *entry, __u32 generation);

int map_read(int map, size_t key_size, size_t value_size, struct array *keys, struct array *values);
int map_write(int map, const struct array *keys, const struct array *values, size_t key_size,
	      size_t value_size);
int map_next(int map, struct inode_map_key *key, void *value);
int map_delete_handle(int map, __u32 handle);
/* An entry by a descriptor: 0 or a negative errno. As inode_map.h, but the kind of key is known. */
int entry_get(int map, int fd, void *value);
int entry_update(int map, int fd, const void *value, __u64 flags);
/* Have the pieces of a text written by the commit: a path, and a label or "". */
void text_add(struct policy *policy, __u32 id, const char *path, const char *label);
/* A text in memory, to be freed; and the label that is behind its path. */
char *text_join(const char *path, const char *label);
const char *text_label(const char *text);
__u32 next_id(struct policy *policy);
/* Have an entry say @rule from the generation behind this one on. */
void entry_set(struct guard_entry *entry, __u32 generation, __u32 rule);

/* lookup.c, ahead.c, filesystem.c */

#include "lookup.h"

/* names.c */

/* The id of what a descriptor names; it gets one if it has none. Returns 0 or a negative errno. */
int subject_id(struct policy *policy, int fd, const char *path, __u32 *id);
/**
 * struct place - where a path leads: a directory and a name in it
 * @fd: the directory, opened, or -1
 * @directory: its path
 * @key: the name, as a leaf; its directory's id is filled in when it has one
 */
struct place {
	int fd;
	char *directory;
	struct guard_leaf_key key;
};

/*
 * Find the place of an absolute path, behind symbolic links; with @nofollow, not behind the last.
 * Returns 0, -EISDIR for the root of all, which has no name, or another negative errno.
 */
int place_open(const struct guard *guard, const char *path, bool nofollow, struct place *place);
void place_close(struct place *place);
/* The rule that is for a name, or NULL. */
struct rule *place_rule(struct policy *policy, struct place *place, bool tree);
/* Have a rule be for a device, if what @stat is of is one: in the rule, and as far as it has one in force. */
void device_set(struct guard_rule *body, const struct stat *stat);
int follow_device(struct policy *policy, const struct rule *rule);
/* What a rule was made for is not there: it stays for the device. */
void rule_keep_device(struct rule *rule, const struct rule *old);
/* Whether a rule is for the device that a key of "leaves" is for. */
bool rule_has_device(const struct rule *rule, const struct guard_leaf_key *key);
/* Have a rule, or an executable, be for a name, which @path leads to: 0 or a negative errno. */
int follow_place(struct policy *policy, struct place *place, const char *path,
		 const struct rule *rule, __u32 subject);
int follow_path(struct policy *policy, const char *path, bool nofollow, const struct rule *rule,
		__u32 subject);
/* Look directories up anew: before and behind each change. */
void names_forget(void);
/* The last components of a path and of the symbolic links that it leads to: char *, to be freed. */
void place_names(const char *path, bool nofollow, struct array *names);
/* Fill in what a key has of a name. */
void name_key(const struct guard *guard, const char *name, struct guard_leaf_key *key);
/* Whether there can be a rule for the name of a path: 0 if it has a directory, or a negative errno. */
int name_check(const char *path, bool nofollow);
/* Whether a rule is for the name that a path leads to now. */
bool name_has_rule(struct policy *policy, const struct rule *rule, const char *path);
/* Give what was made at names what they have. What fails is left to programs. */
void names_settle(struct policy *policy);
/* Have programs tell of changes on the ways to all names, and to @paths, and no more of others. */
int names_watch(struct policy *policy, const struct array *paths);

/* who.c */

/* Whether there is what is said: 0 or a negative errno, and telling that. */
int who_check(const struct who *who);
void who_failed(const char *where, const struct who *who, int err);
/* The kernel's id of a cgroup, by its path in the unified hierarchy: 0 or a negative errno. */
int cgroup_find(const char *path, __u64 *id);
/* Have programs know the cgroup that is at a path now, if there is one. */
int cgroup_enter(struct policy *policy, __u32 subject, const char *path);
int compare_members(const void *one, const void *other);
/* A set of the policy, without members yet. */
struct set *set_add(struct policy *policy, __u32 id);
void set_add_member(struct set *set, const struct member *member);
/* See map_no_room(). */
int members_no_room(int err, const struct guard *guard);
/* The set of those whom a request names: 0 or a negative errno, having told. */
int request_set(struct policy *policy, struct arguments *request, const char *where);

/* hold.c */

/* Have rules hold by their names, when a way changes: 0 or a negative errno. */
int names_hold(struct policy *policy);
/* How many changes are not followed yet; and that so many of them are. */
unsigned long hold_count(const struct guard *guard);
void hold_follow(const struct guard *guard, unsigned long count);

/* rule.c */

/* An entry to be deleted when no rule is in it any more. */
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

/* What there is to rules for trees that deny operations. */
static inline __u32 strict_ops(const struct rule *rule)
{
	__u32 ops = is_tree(rule) ? denied_ops(rule) : 0;

	return ops & 1U << GUARD_WRITE ? ops | 1U << GUARD_APPEND : ops;
}

/* By handle. An entry that is gone meanwhile, with its inode, needs nothing. */
int entry_change(struct policy *policy, int index, __u32 handle, __u32 rule);
/* The rule of a file, or the rule for its tree, as it will be; or NULL. */
struct rule *find_rule(struct policy *policy, int fd, bool tree, int *err);
/* A rule of the next generation, which comes to replace @base if that is not NULL. */
struct rule *rule_make(struct policy *policy, struct rule *base, __u32 flags);
void rule_copy(struct rule *rule, const struct rule *base);
bool rule_same(const struct rule *a, const struct rule *b);
/* It is as if it had never been made. */
void rule_forget(struct rule *rule);
/* Entries of a rule for the operations in a mask; a rule for a file has one. */
int rule_put(struct policy *policy, const struct rule *rule, int fd, __u32 ops);
/* Put it into force for all its names, of which that of @path is at @place if that is not NULL. */
int rule_follow(struct policy *policy, const struct rule *rule, struct place *place,
		const char *path);

/* reading.c */

/* Have the hook of reading and writing attached: 0 or a negative errno. */
int reading_attach(struct guard *guard);
/* Likewise, if a rule of the policy needs it, before that is in force. */
int reading_begin(struct policy *policy);
/* Behind that: detach it if none does. */
void reading_end(struct policy *policy);

/* request.c, policy.c */

/* Each returns 0, or a negative errno, having told; @where goes before the message. */
int change_request(struct policy *policy, struct arguments *request, bool replace, const char *where,
		   void (*step)(void *), void *arg);
int change_remove(struct policy *policy, const char *path, bool nofollow, int tree);
int change_remove_all(struct policy *policy);
/* Look up the names of all rules and executables anew. */
int change_refresh(struct policy *policy);
int change_settle(struct policy *policy);
/*
 * Open the guard and have @change change the policy, which returns whether it failed, having told:
 * then nothing is changed. @ahead: what rules_look_up() has loaded, or NULL. If the tool is
 * verbose, @what is said, if it is not NULL, and whether anything is changed. Returns an exit code.
 */
int change_policy(struct policy *ahead, int (*change)(struct policy *policy, void *context),
		  void *context, const char *what);
/* Whether a file can have a rule: 0; or -EOPNOTSUPP, of procfs; -EMLINK: see is_broken_link(). */
int file_check(int fd, const struct stat *stat);
/* Tell why no rule could be made for a path. */
void change_failed(const char *where, const char *path, int err);

/* adopt.c */

int guard_adopt(const struct arguments *arguments);
/* How many processes execute what a rule is only for, and do not count as its own. */
size_t processes_unseen(const struct guard *guard);

/* upgrade.c */

/*
 * Take the place of a guard of another version, if one runs, with the rules that @apply makes, which
 * returns an exit code, having told. Returns an exit code: EXIT_SUCCESS also if there was nothing to do.
 */
int guard_upgrade(const struct arguments *arguments, int (*apply)(void *context), void *context);

/* service.c */

int guard_service(const struct arguments *arguments);
/* A socket to the service that runs, or a negative errno. */
int service_connect(void);

/* shown.c, list.c, save.c, watch.c */

/**
 * struct counts - rules or executables that are not in force, as they are shown by "list"
 * @waiting: for something at their name
 * @elsewhere: since their path leads elsewhere
 * @gone: with their files
 * @hanging: nobody knows, since looking up their path takes too long
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
