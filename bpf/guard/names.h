/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The names that rules and executables are for (names.c), and the ways to them (way.c). Part of tool.h.
 */
#ifndef _GUARD_NAMES_H
#define _GUARD_NAMES_H

/* As many symbolic links as the kernel goes through. */
#define LINKS_MAX	40

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

/* What a way is gone by */

/* The path of a name in a directory, to be freed. */
char *name_below(const char *directory, const char *name);
/* The target of a symbolic link, to be freed, or NULL if a path, which is @name in @directory, is none. */
char *link_target(const char *directory, const char *name);
/* Write what is in force at a name: 0 or a negative errno. */
int leaf_write(const struct guard *guard, const struct guard_leaf_key *key,
	       const struct guard_leaf *leaf);

/* way.c */

/* Have programs tell of changes on the ways to all names, and to @paths, and no more of others. */
int names_watch(struct policy *policy, const struct array *paths);

#endif /* _GUARD_NAMES_H */
