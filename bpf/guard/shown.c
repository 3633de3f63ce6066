// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The state of each rule, and of each executable in rules, at the moment: "list" shows it, "save"
 * writes it, and "status" counts it. The lock keeps it from changing, except with "status".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shown.h"

/* Rules */

enum verdict verdict_of(const struct rule *rule, int op)
{
	if (rule->body.denied & (1U << op))
		return DENY;
	return rule->body.only & (1U << op) ? ONLY : ALLOW;
}

bool is_tried(const struct rule *rule, int op)
{
	return rule->body.audit & (1U << op);
}

__u32 ops_like(const struct rule *rule, int op)
{
	__u32 ops = 0;
	int other;

	for (other = 0; other < GUARD_OPS; other++)
		if (rule->body.named & (1U << other) &&
		    verdict_of(rule, other) == verdict_of(rule, op) &&
		    is_tried(rule, other) == is_tried(rule, op) &&
		    rule->body.set[other] == rule->body.set[op])
			ops |= 1U << other;
	return ops;
}

const char *const state_names[] = {
	[STATE_ACTIVE]		= "active",
	[STATE_AUDIT]		= "audit",
	[STATE_GONE]		= "gone",
	[STATE_ELSEWHERE]	= "elsewhere",
	[STATE_WAITING]		= "waiting",
	[STATE_HANGING]		= "hanging",
};

static int compare_shown(const void *one, const void *other)
{
	const struct shown *a = one, *b = other;
	int order = strcmp(a->path, b->path);

	return order ?: (int)(a->rule->body.flags & GUARD_TREE) -
			(int)(b->rule->body.flags & GUARD_TREE);
}

/* Whether an inode has a rule. */
static bool fd_has_rule(const struct policy *policy, const struct rule *rule, int fd)
{
	bool tree = rule->body.flags & GUARD_TREE;
	struct guard_entry entry;
	int index;

	for (index = tree ? 0 : FILES_MAP; index < (tree ? FILES_MAP : RULE_MAPS); index++)
		if (!entry_get(policy->guard->maps[index], fd, &entry) &&
		    entry_rule(&entry, policy->generation) == rule->id)
			return true;
	return false;
}

/* Programs decide about a new file by its name, which the root of a mount does not have. */
static bool is_in_force(struct policy *policy, const struct rule *rule, const char *path, int fd)
{
	if (fd_has_rule(policy, rule, fd))
		return true;
	return __atomic_load_n(&policy->guard->state->beyond, __ATOMIC_SEQ_CST) & GUARD_ALL_FRESH &&
	       !is_mount_root(fd) && name_has_rule(policy, rule, path);
}

/* Whether a set has cgroups, none of which exists. */
static bool lacks_cgroups(const struct policy *policy, const struct set *set)
{
	const struct member *members = set->members.items;
	const char *path;
	size_t i;
	__u64 id;

	if (!(set->kinds & 1U << GUARD_BY_CGROUP))
		return false;
	for (i = 0; i < set->members.count; i++) {
		path = index_get(&policy->texts, members[i].text);
		if (members[i].kind == GUARD_BY_CGROUP && path && !cgroup_find(path, &id))
			return false;
	}
	return true;
}

/* Whether a rule is only for cgroups that don't exist yet: until then it is for nobody. */
static bool waits_for_cgroups(const struct policy *policy, const struct rule *rule)
{
	const struct set *set;
	int op;

	for (op = 0; op < GUARD_OPS; op++) {
		set = rule->body.only & 1U << op ?
		      index_get(&policy->set_by_id, rule->body.set[op]) : NULL;
		if (set && lacks_cgroups(policy, set))
			return true;
	}
	return false;
}

static void show_rule(struct policy *policy, const struct rule *rule, const char *path,
		      struct shown *shown)
{
	bool follows = rule->body.flags & GUARD_FOLLOW, gone = rule_is_gone(rule);
	struct stat stat;
	int fd;

	*shown = (struct shown){
		.rule = rule, .path = path, .dev = gone ? rule->body.dev : rule->dev,
		.ino = gone ? rule->body.ino : rule->ino,
	};
	fd = path_open(path, rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0);
	if (fd >= 0 && is_in_force(policy, rule, path, fd) && !file_stat(fd, &stat)) {
		shown->state = policy->guard->state->audit ||
			       (rule->body.audit && !denied_ops(rule)) ? STATE_AUDIT : STATE_ACTIVE;
		shown->dev = stat.st_dev;
		shown->ino = stat.st_ino;
	} else if (fd == -ETIMEDOUT) {
		shown->state = STATE_HANGING;
	} else if (follows) {
		shown->state = fd == -ENOENT ? STATE_WAITING : STATE_ELSEWHERE;
	} else {
		shown->state = gone ? STATE_GONE : STATE_ELSEWHERE;
	}
	if (shown->state <= STATE_AUDIT && waits_for_cgroups(policy, rule))
		shown->state = STATE_WAITING;
	/* The map may have the device that programs see. */
	if (!gone && shown->dev == rule->dev && shown->state != STATE_ACTIVE &&
	    shown->state != STATE_AUDIT)
		shown->of_superblock = is_superblock_device(rule->dev);
	if (fd >= 0)
		close(fd);
}

struct array show_rules(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct array shown = {};
	size_t i, j;

	for (i = 0; i < policy->rules.count; i++) {
		const struct array *names = &rules[i]->names;

		if (!names->count)
			show_rule(policy, rules[i], rules[i]->path,
				  array_add(&shown, sizeof(struct shown)));
		for (j = 0; j < names->count; j++)
			show_rule(policy, rules[i], ((char **)names->items)[j],
				  array_add(&shown, sizeof(struct shown)));
	}
	if (shown.count)
		qsort(shown.items, shown.count, sizeof(struct shown), compare_shown);
	return shown;
}

const struct kind_words kind_words[GUARD_KINDS] = {
	[GUARD_BY_EXE]		= { "", "only_for", "only-for" },
	[GUARD_BY_USER]		= { "user=", "only_for_users", "only-for-user" },
	[GUARD_BY_GROUP]	= { "group=", "only_for_groups", "only-for-group" },
	[GUARD_BY_CGROUP]	= { "cgroup=", "only_for_cgroups", "only-for-cgroup" },
};

const char *member_text(const struct policy *policy, const struct member *member)
{
	return index_get(&policy->texts, member->text) ?: "?";
}

/* Executables */

/* The item of all ids in an index of ids. */
static char listed;

/* Find the ids of executables that any inode has, and those that any name has. */
static int find_subjects(struct policy *policy, struct index *by_inode, struct index *by_name)
{
	struct array keys = {}, values = {};
	struct guard *guard = policy->guard;
	const struct guard_leaf *leaf;
	struct inode_map_key key = {};
	__u32 subject;
	size_t i;
	int err;

	while ((err = map_next(guard->subjects, &key, &subject)) > 0)
		index_put(by_inode, subject, &listed);
	if (!err)
		err = map_read(guard->leaves, sizeof(struct guard_leaf_key), sizeof(*leaf), &keys,
			       &values);
	for (i = 0; i < keys.count && !err; i++) {
		leaf = (struct guard_leaf *)values.items + i;
		if (leaf->subject)
			index_put(by_name, leaf->subject, &listed);
	}
	free(keys.items);
	free(values.items);
	return err;
}

static enum state find_state(const struct policy *policy, __u32 id, const char *path,
			     const struct index *by_inode, const struct index *by_name)
{
	int fd = path_open(path, 0);
	bool is_it = false;
	__u32 there;

	if (fd >= 0) {
		is_it = !entry_get(policy->guard->subjects, fd, &there) && there == id;
		close(fd);
	}
	if (is_it)
		return STATE_ACTIVE;
	if (fd == -ETIMEDOUT)
		return STATE_HANGING;
	if (index_get(by_name, id))
		return fd == -ENOENT ? STATE_WAITING : STATE_ELSEWHERE;
	return index_get(by_inode, id) ? STATE_ELSEWHERE : STATE_GONE;
}

static int compare_exes(const void *one, const void *other)
{
	const struct shown_exe *a = one, *b = other;

	return a->id < b->id ? -1 : a->id > b->id;
}

int show_exes(struct policy *policy, struct array *exes)
{
	struct index by_inode = {}, by_name = {}, seen = {};
	struct set **sets = policy->sets.items;
	const struct member *members;
	struct shown_exe *exe;
	size_t i, j;
	int err = 0;

	if (policy->sets.count)
		err = find_subjects(policy, &by_inode, &by_name);
	for (i = 0; i < policy->sets.count && !err; i++) {
		members = sets[i]->members.items;
		for (j = 0; j < sets[i]->members.count; j++) {
			__u32 id = members[j].subject;

			if (members[j].kind != GUARD_BY_EXE || index_get(&seen, id))
				continue;
			index_put(&seen, id, &listed);
			exe = array_add(exes, sizeof(*exe));
			exe->id = id;
			exe->state = find_state(policy, id, member_text(policy, &members[j]),
						&by_inode, &by_name);
		}
	}
	if (exes->count)
		qsort(exes->items, exes->count, sizeof(*exe), compare_exes);
	index_free(&by_inode);
	index_free(&by_name);
	index_free(&seen);
	return err;
}

enum state exe_state(const struct array *exes, const struct member *member)
{
	const struct shown_exe key = { .id = member->subject }, *exe;

	if (member->kind != GUARD_BY_EXE)
		return STATE_ACTIVE;
	exe = bsearch(&key, exes->items, exes->count, sizeof(key), compare_exes);
	return exe->state;
}

/* For all rules and executables */

static void count_state(struct counts *counts, enum state state)
{
	counts->waiting += state == STATE_WAITING;
	counts->elsewhere += state == STATE_ELSEWHERE;
	counts->gone += state == STATE_GONE;
	counts->hanging += state == STATE_HANGING;
}

int policy_count(struct policy *policy, struct counts *rules, struct counts *exes)
{
	struct array shown = show_rules(policy), shown_exes = {};
	int err = show_exes(policy, &shown_exes);
	size_t i;

	memset(rules, 0, sizeof(*rules));
	memset(exes, 0, sizeof(*exes));
	for (i = 0; i < shown.count; i++)
		count_state(rules, ((struct shown *)shown.items)[i].state);
	for (i = 0; i < shown_exes.count; i++)
		count_state(exes, ((struct shown_exe *)shown_exes.items)[i].state);
	free(shown.items);
	free(shown_exes.items);
	return err;
}

int load_shown(struct guard *guard, struct policy *policy)
{
	struct policy ahead;
	int err = 0, ret;

	rules_look_up(&ahead);
	ret = guard_open(guard, false);
	if (ret) {
		policy_free(&ahead);
		return ret;
	}
	if (!policy_take(policy, &ahead, guard))
		err = policy_load(guard, policy);
	if (!err)
		err = policy_walk(policy);
	if (!err)
		return EXIT_SUCCESS;
	error("cannot read the policy: %s", reason(err));
	policy_free(policy);
	guard_close(guard);
	return EXIT_FAILURE;
}
