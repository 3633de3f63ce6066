/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy: rules and the subjects that they are only for, as the tool has them in memory, and
 * changing them. A part of tool.h.
 */
#ifndef _GUARD_POLICY_H
#define _GUARD_POLICY_H

#include <sys/types.h>

#include <linux/inode_map.h>

#include "util.h"

struct arguments;
struct guard;
struct place;
struct stat;
struct who;

/* Inode maps by index: trees by operation, then the files. */
#define FILES_MAP	GUARD_OPS
#define RULE_MAPS	(GUARD_OPS + 1)

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
 * @reads: whether a rule needs the hook of reading and writing; set by reading_begin()
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
	bool reads;
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
void reading_end(const struct policy *policy);

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

#endif /* _GUARD_POLICY_H */
