/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rules as they are shown (shown.c), for those who list, save and count them.
 */
#ifndef _GUARD_SHOWN_H
#define _GUARD_SHOWN_H

#include "tool.h"

/* What a rule does about an operation; the third with a set. */
enum verdict {
	ALLOW,
	DENY,
	ONLY,
};

enum verdict verdict_of(const struct rule *rule, int op);
/* Whether what a rule says about an operation is just tried. */
bool is_tried(const struct rule *rule, int op);
/* The operations that a rule treats as it treats @op. */
__u32 ops_like(const struct rule *rule, int op);

/* What there is to a rule, or to an executable, at the moment. */
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
 * @state: what there is to it
 * @dev: device of the file, as stat(2) has it
 * @of_superblock: or else, where nobody can be asked for that, as its superblock has it
 * @ino: number of its inode
 * @saved: whether it has been written
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
 * struct kind_words - what a kind of subjects is called
 * @text: before each of them, in the text of "list"
 * @member: the list of them, in its JSON
 * @option: for "deny" and "allow"
 */
struct kind_words {
	const char *text;
	const char *member;
	const char *option;
};

extern const struct kind_words kind_words[GUARD_KINDS];

/* What a subject was called. */
const char *member_text(const struct policy *policy, const struct member *member);

/* All rules under all their paths, by path; an array of struct shown. */
struct array show_rules(struct policy *policy);

/**
 * struct shown_exe - an executable that rules name
 * @id: its id
 * @state: what there is to it
 */
struct shown_exe {
	__u32 id;
	enum state state;
};

/* All of them, by id; an array of struct shown_exe. Returns 0 or a negative errno. */
int show_exes(struct policy *policy, struct array *exes);
/* What there is to a member of a set, if that is one; others are always there. */
enum state exe_state(const struct array *exes, const struct member *member);

/* Load what is to be shown; returns an exit code. */
int load_shown(struct guard *guard, struct policy *policy);

#endif /* _GUARD_SHOWN_H */
