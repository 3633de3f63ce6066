/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names that rules and executables are for (names.c), and the ways to them (way.c). A part of
 * tool.h.
 */
#ifndef _GUARD_NAMES_H
#define _GUARD_NAMES_H

#include "policy.h"

/* The number of symbolic links that the kernel follows in a path. */
#define LINKS_MAX	40

/* The id of an open file, which gets one if it has none. Returns 0 or a negative errno. */
int subject_id(struct policy *policy, int fd, const char *path, __u32 *id);

/**
 * struct place - where a path leads: a directory and a name in it
 * @fd: the directory, opened, or -1
 * @directory: its path
 * @key: the name, as a leaf; the directory's id is filled in once it has one
 */
struct place {
	int fd;
	char *directory;
	struct guard_leaf_key key;
};

/*
 * Find the place of an absolute path, behind symbolic links, except the last one if @nofollow.
 * Returns 0, -EISDIR for the root directory, which has no name, or another negative errno.
 */
int place_open(const struct guard *guard, const char *path, bool nofollow, struct place *place);
void place_close(struct place *place);
/* The rule that is for a name, or NULL. */
struct rule *place_rule(struct policy *policy, struct place *place, bool tree);
/* Make a rule be for a device, if @stat is of one; and put it in force for the rule's device. */
void device_set(struct guard_rule *body, const struct stat *stat);
int follow_device(struct policy *policy, const struct rule *rule);
/* Nothing is at the rule's path: keep it for the device that it was made for. */
void rule_keep_device(struct rule *rule, const struct rule *old);
/* Whether a rule is for the device that a key of "leaves" is for. */
bool rule_has_device(const struct rule *rule, const struct guard_leaf_key *key);
/* Put a rule, or an executable, in force at the name that @path leads to: 0 or a negative errno. */
int follow_place(struct policy *policy, struct place *place, const char *path,
		 const struct rule *rule, __u32 subject);
int follow_path(struct policy *policy, const char *path, bool nofollow, const struct rule *rule,
		__u32 subject);
/* Forget directories that were looked up: before and after each change. */
void names_forget(void);
/* The last components of a path and of the symbolic links behind it: char *, to be freed. */
void place_names(const char *path, bool nofollow, struct array *names);
/* Fill in a key's length and hash of a name; zero the rest. */
void name_key(const struct guard *guard, const char *name, struct guard_leaf_key *key);
/* Whether a rule can be for the name of a path: 0 if its directory exists, or a negative errno. */
int name_check(const char *path, bool nofollow);
/* Whether a rule is for the name that a path leads to now. */
bool name_has_rule(struct policy *policy, const struct rule *rule, const char *path);
/* Give files that were made at names what the names have. What fails is left to programs. */
void names_settle(struct policy *policy);

/* Going along a way */

/* The path of a name in a directory, to be freed. */
char *name_below(const char *directory, const char *name);
/* The target of a symbolic link @name in @directory, to be freed; NULL if it is none. */
char *link_target(const char *directory, const char *name);
/* Write the leaf of a name: 0 or a negative errno. */
int leaf_write(const struct guard *guard, const struct guard_leaf_key *key,
	       const struct guard_leaf *leaf);

/* way.c */

/* Have programs report changes on the ways to all names, and to @paths, and of no others. */
int names_watch(struct policy *policy, const struct array *paths);

#endif /* _GUARD_NAMES_H */
