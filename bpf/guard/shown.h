/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules as they are shown (shown.c), for the files that list, save and count them.
 */
#ifndef _GUARD_SHOWN_H
#define _GUARD_SHOWN_H

#include "tool.h"

/* The verdict of a rule on an operation; ONLY comes with a set. */
enum verdict {
	ALLOW,
	DENY,
	ONLY,
};

enum verdict verdict_of(const struct rule *rule, int op);
/* Whether a rule is audit-only for an operation. */
bool is_tried(const struct rule *rule, int op);
/* The operations that a rule treats as it treats @op. */
__u32 ops_like(const struct rule *rule, int op);

/* The state of a rule, or of an executable, at the moment. */
enum state {
	STATE_ACTIVE,
	STATE_AUDIT,
	STATE_GONE,
	STATE_ELSEWHERE,
	STATE_WAITING,
	STATE_HANGING,
};

extern const char *const state_names[];

/**
 * struct shown - a rule under one of its paths
 * @rule: the rule
 * @path: the path
 * @state: its state
 * @dev: device of the file, as stat(2) reports it
 * @of_superblock: whether @dev is the superblock's instead, since stat(2) can't be called
 * @ino: inode number of the file
 * @saved: whether the rule has been written
 */
struct shown {
	const struct rule *rule;
	const char *path;
	enum state state;
	__u32 dev;
	bool of_superblock;
	__u64 ino;
	bool saved;
};

/**
 * struct kind_words - names for a kind of subjects
 * @text: prefix of a subject in the text of "list"
 * @member: name of the list of subjects in its JSON
 * @option: option of "deny" and "allow"
 */
struct kind_words {
	const char *text;
	const char *member;
	const char *option;
};

extern const struct kind_words kind_words[GUARD_KINDS];

/* The name of a subject, as the user gave it. */
const char *member_text(const struct policy *policy, const struct member *member);

/* All rules under all their paths, sorted by path; an array of struct shown. */
struct array show_rules(struct policy *policy);

/**
 * struct shown_exe - an executable that rules name
 * @id: its id
 * @state: its state
 */
struct shown_exe {
	__u32 id;
	enum state state;
};

/* All executables, sorted by id; an array of struct shown_exe. Returns 0 or a negative errno. */
int show_exes(struct policy *policy, struct array *exes);
/* The state of a member of a set, if it is an executable; other members are always active. */
enum state exe_state(const struct array *exes, const struct member *member);

/* Open the guard, and load the policy to show; returns an exit code. */
int load_shown(struct guard *guard, struct policy *policy);

#endif /* _GUARD_SHOWN_H */
