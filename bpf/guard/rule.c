// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Parts of a change of the policy: rules of the next generation, and the entries of inodes and
 * names that have them. The caller holds the lock (pins.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* Entries */

static int entry_put(struct policy *policy, int index, int fd, __u32 rule)
{
	int map = policy->guard->maps[index], err;
	struct guard_entry entry = {};

	/* Usually there is none yet. */
	entry_set(&entry, policy->generation, rule);
	err = entry_update(map, fd, &entry, BPF_NOEXIST);
	if (err != -EEXIST)
		return map_no_room(err, index == FILES_MAP ?
				   "rules, those among them that are being replaced," :
				   "rules with --tree for one operation", map);
	err = entry_get(map, fd, &entry);
	if (err || seal_keeps(policy, &entry, rule))
		return err;
	entry_set(&entry, policy->generation, rule);
	return entry_update(map, fd, &entry, BPF_ANY);
}

int entry_change(struct policy *policy, int index, __u32 handle, __u32 rule)
{
	struct inode_map_key key = { .fd = -1, .handle = handle };
	int map = policy->guard->maps[index];
	struct guard_entry entry;

	if (bpf_map_lookup_elem(map, &key, &entry))
		return errno == ENOENT ? 0 : -errno;
	entry_set(&entry, policy->generation, rule);
	if (!rule) {
		struct doomed *doomed = array_add(&policy->doomed, sizeof(*doomed));

		doomed->index = index;
		doomed->handle = handle;
	}
	return bpf_map_update_elem(map, &key, &entry, BPF_EXIST) && errno != ENOENT ? -errno : 0;
}

/* The rule that an entry will have in the next generation, or NULL. */
static struct rule *entry_next_rule(struct policy *policy, int index, int fd, int *err)
{
	struct guard_entry entry;

	*err = entry_get(policy->guard->maps[index], fd, &entry);
	if (*err) {
		if (*err == -ENOENT)
			*err = 0;
		return NULL;
	}
	return index_get(&policy->rule_by_id, entry_rule(&entry, policy->generation + 1));
}

struct rule *find_rule(struct policy *policy, int fd, bool tree, int *err)
{
	struct rule *rule;
	int op;

	if (!tree)
		return entry_next_rule(policy, FILES_MAP, fd, err);
	for (op = 0; op < GUARD_OPS; op++) {
		rule = entry_next_rule(policy, op, fd, err);
		if (rule || *err)
			return rule;
	}
	return NULL;
}

/* Rules */

struct rule *rule_make(struct policy *policy, struct rule *base, __u32 flags)
{
	struct rule *rule = xcalloc(1, sizeof(*rule));

	rule->id = next_id(policy);
	rule->body.generation = policy->generation + 1;
	rule->body.name = base ? base->body.name : next_id(policy);
	rule->body.flags = flags;
	rule->label = xstrdup("");
	rule->base = base;
	rule->fresh = true;
	*(struct rule **)array_add(&policy->rules, sizeof(rule)) = rule;
	index_put(&policy->rule_by_id, rule->id, rule);
	return rule;
}

void rule_copy(struct rule *rule, const struct rule *base)
{
	struct guard_rule body = base->body;
	size_t i;

	body.generation = rule->body.generation;
	rule->body = body;
	rule->path = xstrdup(base->path);
	free(rule->label);
	rule->label = xstrdup(base->label);
	for (i = 0; i < base->names.count; i++)
		rule_add_name(rule, ((char **)base->names.items)[i]);
}

static bool same_names(const struct rule *a, const struct rule *b)
{
	char **names = a->names.items, **others = b->names.items;
	size_t i, j;

	if (a->names.count != b->names.count)
		return false;
	for (i = 0; i < a->names.count; i++) {
		for (j = 0; j < b->names.count && strcmp(names[i], others[j]); j++)
			;
		if (j == b->names.count)
			return false;
	}
	return true;
}

bool rule_same(const struct rule *a, const struct rule *b)
{
	return a->moved == b->moved && same_names(a, b) &&
	       a->body.flags == b->body.flags && a->body.named == b->body.named &&
	       a->body.denied == b->body.denied && a->body.only == b->body.only &&
	       a->body.audit == b->body.audit &&
	       !strcmp(a->path, b->path) && !strcmp(a->label, b->label) &&
	       a->body.device == b->body.device && a->body.rdev == b->body.rdev &&
	       !memcmp(a->body.set, b->body.set, sizeof(a->body.set));
}

void rule_forget(struct rule *rule)
{
	rule->dropped = true;
	rule->base = NULL;
}

int rule_put(struct policy *policy, const struct rule *rule, int fd, __u32 ops)
{
	int op, err = 0;

	if (!(rule->body.flags & GUARD_TREE))
		return entry_put(policy, FILES_MAP, fd, rule->id);
	for (op = 0; op < GUARD_OPS && !err; op++)
		if (ops & (1U << op))
			err = entry_put(policy, op, fd, rule->id);
	return err;
}

int rule_follow(struct policy *policy, const struct rule *rule, struct place *place,
		const char *path)
{
	bool nofollow = rule->body.flags & GUARD_SYMLINK;
	char **names = rule->names.items;
	size_t i;
	int err = 0;

	for (i = 0; i < rule->names.count && !err; i++)
		if (place && !strcmp(names[i], path))
			err = follow_place(policy, place, names[i], rule, 0);
		else
			err = follow_path(policy, names[i], nofollow, rule, 0);
	return err ?: follow_device(policy, rule);
}
