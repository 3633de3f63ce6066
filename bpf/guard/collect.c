// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Cleaning up after changes of the policy: removes what an interrupted change left for a generation
 * that never came, and what no rule needs any more. The caller holds the lock (pins.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* Empty the slots of an entry that are not in force yet; returns whether there are any. */
static bool clear_pending(struct guard_entry *entry, __u32 generation)
{
	bool change = false;
	int slot;

	for (slot = 0; slot < 2; slot++)
		if (entry->generation[slot] > generation) {
			entry->generation[slot] = 0;
			entry->rule[slot] = 0;
			change = true;
		}
	return change;
}

/* Keep the slots of an entry that are in force; delete the entry if there are none. */
static int sweep_entry(int map, const struct inode_map_key *key, struct guard_entry *entry,
		       const struct policy *policy)
{
	if (!index_get(&policy->rule_by_id, entry_rule(entry, policy->generation)))
		return map_delete_handle(map, key->handle);
	if (clear_pending(entry, policy->generation) &&
	    bpf_map_update_elem(map, key, entry, BPF_EXIST) && errno != ENOENT)
		return -errno;
	return 0;
}

static int sweep_leaves(struct guard *guard, const struct policy *policy)
{
	struct array keys = {}, values = {};
	struct guard_leaf *leaf;
	bool change;
	size_t i;
	int err;

	err = map_read(guard->leaves, sizeof(struct guard_leaf_key), sizeof(*leaf), &keys,
		       &values);
	for (i = 0; i < keys.count && !err; i++) {
		leaf = (struct guard_leaf *)values.items + i;
		change = clear_pending(&leaf->entry, policy->generation);
		change |= clear_pending(&leaf->tree, policy->generation);
		if (change &&
		    bpf_map_update_elem(guard->leaves, (struct guard_leaf_key *)keys.items + i,
					leaf, BPF_EXIST))
			err = -errno;
	}
	free(keys.items);
	free(values.items);
	return err;
}

static int sweep_entries(struct guard *guard, const struct policy *policy)
{
	struct guard_entry entry;
	struct inode_map_key key;
	int index, err;

	for (index = 0; index < RULE_MAPS; index++) {
		memset(&key, 0, sizeof(key));
		while ((err = map_next(guard->maps[index], &key, &entry)) > 0) {
			err = sweep_entry(guard->maps[index], &key, &entry, policy);
			if (err)
				return err;
		}
		if (err)
			return err;
	}
	return 0;
}

/* The item of all ids in the indices of struct wanted. */
static char wanted_item;

/**
 * struct wanted - what the policy in force needs of each map, by id
 * @rules: rules
 * @names: names of rules, which have hits
 * @texts: paths and names
 * @sets: sets of subjects
 * @subjects: executables, and directories in which names are followed
 * @cgroups: cgroups
 * @strict_sets: the sets by which rules that are not audit-only deny anything
 * @protected: the executables in @strict_sets
 * @generation: the generation in force
 * @beyond: the operations that rules for trees name; and GUARD_DEVICES
 * @strict: the operations that rules for trees deny
 * @tried: whether any rule is audit-only
 * @follows: whether any name is followed
 */
struct wanted {
	struct index rules;
	struct index names;
	struct index texts;
	struct index sets;
	struct index subjects;
	struct index cgroups;
	struct index strict_sets;
	struct index protected;
	__u32 generation;
	__u32 beyond;
	__u32 strict;
	bool tried;
	bool follows;
};

static void want(struct index *index, __u32 id)
{
	index_put(index, id, &wanted_item);
}

static void want_member_of(struct wanted *wanted, const struct member *member, bool protect)
{
	want(&wanted->texts, member->text);
	if (member->kind == GUARD_BY_EXE)
		want(&wanted->subjects, member->subject);
	else if (member->kind == GUARD_BY_CGROUP)
		want(&wanted->cgroups, member->subject);
	if (protect && member->kind == GUARD_BY_EXE)
		want(&wanted->protected, member->subject);
}

static void want_sets(struct wanted *wanted, const struct policy *policy, const struct rule *rule)
{
	const struct set *set;
	bool protect;
	size_t i;
	int op;

	for (op = 0; op < GUARD_OPS; op++) {
		if (!(rule->body.only & (1U << op)))
			continue;
		protect = denied_ops(rule) & (1U << op);
		set = index_get(&policy->set_by_id, rule->body.set[op]);
		if (!set || index_get(protect ? &wanted->strict_sets : &wanted->sets, set->id))
			continue;
		want(&wanted->sets, set->id);
		if (protect)
			want(&wanted->strict_sets, set->id);
		for (i = 0; i < set->members.count; i++)
			want_member_of(wanted, (struct member *)set->members.items + i, protect);
	}
}

/* What the rules need. policy_collect() adds directories of leaves, and texts of subjects. */
static void wanted_init(struct wanted *wanted, const struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	size_t i;

	*wanted = (struct wanted){ .generation = policy->guard->state->generation };
	for (i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = rules[i];

		if (rule->dropped || rule->successor)
			continue;
		want(&wanted->rules, rule->id);
		want(&wanted->names, rule->body.name);
		want(&wanted->texts, rule->body.text);
		want_sets(wanted, policy, rule);
		if (rule->body.flags & GUARD_TREE)
			wanted->beyond |= rule->body.named;
		wanted->strict |= strict_ops(rule);
		wanted->tried |= rule->body.audit;
	}
}

static void wanted_free(struct wanted *wanted)
{
	index_free(&wanted->rules);
	index_free(&wanted->names);
	index_free(&wanted->texts);
	index_free(&wanted->sets);
	index_free(&wanted->subjects);
	index_free(&wanted->cgroups);
	index_free(&wanted->strict_sets);
	index_free(&wanted->protected);
}

/*
 * Delete the elements of a hash map that are not wanted. @is_wanted gets the element's key and
 * value, and may add to @wanted what they need.
 */
static int collect(int map, size_t key_size, size_t value_size, struct wanted *wanted,
		   bool (*is_wanted)(struct wanted *wanted, const void *key, const void *value))
{
	struct array keys = {}, values = {};
	size_t i;
	char *key;
	int err;

	err = map_read(map, key_size, value_size, &keys, &values);
	for (i = 0; i < keys.count && !err; i++) {
		key = (char *)keys.items + i * key_size;
		if (!is_wanted(wanted, key, (char *)values.items + i * value_size) &&
		    bpf_map_delete_elem(map, key) && errno != ENOENT)
			err = -errno;
	}
	free(keys.items);
	free(values.items);
	return err;
}

/* Entries that say that a rule was removed go last: after a crash they would be missed. */
static bool want_rule_or_removal(struct wanted *wanted, const void *key, const void *value)
{
	const struct guard_rule *body = value;

	return body->flags & GUARD_REMOVED || index_get(&wanted->rules, *(__u32 *)key);
}

static bool want_rule(struct wanted *wanted, const void *key, const void *value)
{
	(void)value;
	return index_get(&wanted->rules, *(__u32 *)key);
}

static bool want_name(struct wanted *wanted, const void *key, const void *value)
{
	(void)value;
	return index_get(&wanted->names, *(__u32 *)key);
}

static bool want_text(struct wanted *wanted, const void *key, const void *value)
{
	const struct guard_text_key *piece = key;

	(void)value;
	return index_get(&wanted->texts, piece->text);
}

static bool want_member(struct wanted *wanted, const void *key, const void *value)
{
	const struct guard_member *member = key;

	(void)value;
	if (member->set == GUARD_PROTECTED)
		return index_get(&wanted->protected, member->subject);
	return index_get(&wanted->sets, member->set);
}

/* For both maps: by path, and by the kernel's id. */
static bool want_cgroup(struct wanted *wanted, const void *key, const void *value)
{
	(void)key;
	return index_get(&wanted->cgroups, *(__u32 *)value);
}

static int collect_cgroups(struct guard *guard, struct wanted *wanted)
{
	int err = collect(guard->cgroup_paths, sizeof(__u64), sizeof(__u32), wanted, want_cgroup);

	return err ?: collect(guard->cgroups, sizeof(__u64), sizeof(__u32), wanted, want_cgroup);
}

/* Names that a rule in force or an executable in use follows; wants their directories, too. */
static bool want_leaf(struct wanted *wanted, const void *key, const void *value)
{
	const struct guard_leaf_key *name = key;
	const struct guard_leaf *leaf = value;

	if (!index_get(&wanted->rules, entry_rule(&leaf->entry, wanted->generation)) &&
	    !index_get(&wanted->rules, entry_rule(&leaf->tree, wanted->generation)) &&
	    !index_get(&wanted->subjects, leaf->subject) && !leaf->watch)
		return false;
	if (name->dir == GUARD_DEVICE_DIR) {
		wanted->beyond |= GUARD_DEVICES;
		return true;
	}
	wanted->follows = true;
	want(&wanted->subjects, name->dir);
	want(&wanted->texts, leaf->text);
	return true;
}

static int collect_subjects(struct guard *guard, const struct wanted *wanted)
{
	struct inode_map_key key = {};
	__u32 subject;
	int err;

	while ((err = map_next(guard->subjects, &key, &subject)) > 0)
		if (!index_get(&wanted->subjects, subject)) {
			err = map_delete_handle(guard->subjects, key.handle);
			if (err)
				return err;
		}
	return err;
}

int policy_collect(struct guard *guard, const struct policy *policy)
{
	struct guard_state *state = guard->state;
	struct wanted wanted;
	size_t i;
	int err;

	wanted_init(&wanted, policy);
	err = collect(guard->leaves, sizeof(struct guard_leaf_key), sizeof(struct guard_leaf),
		      &wanted, want_leaf);
	if (err)
		goto out;
	for (i = 0; wanted.subjects.slots && i <= wanted.subjects.mask; i++)
		if (wanted.subjects.slots[i].item)
			want(&wanted.texts, wanted.subjects.slots[i].id);
	err = collect(guard->rules, sizeof(__u32), sizeof(struct guard_rule), &wanted,
		      want_rule_or_removal);
	if (err)
		goto out;
	err = collect(guard->rules, sizeof(__u32), sizeof(struct guard_rule), &wanted, want_rule);
	if (err)
		goto out;
	err = collect(guard->hits, sizeof(__u32), sizeof(struct guard_hits), &wanted, want_name);
	if (err)
		goto out;
	err = collect(guard->texts, sizeof(struct guard_text_key), sizeof(struct guard_text),
		      &wanted, want_text);
	if (err)
		goto out;
	err = collect(guard->members, sizeof(struct guard_member), sizeof(__u32), &wanted,
		      want_member);
	if (err)
		goto out;
	err = collect_cgroups(guard, &wanted);
	if (err)
		goto out;
	err = collect_subjects(guard, &wanted);
	if (err)
		goto out;
	__atomic_and_fetch(&state->beyond, GUARD_BY_NAME | wanted.beyond, __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->strict, wanted.strict, __ATOMIC_RELEASE);
	__atomic_store_n(&state->tried, wanted.tried, __ATOMIC_RELEASE);
	__atomic_store_n(&state->subjects, wanted.protected.count != 0, __ATOMIC_RELEASE);
	__atomic_store_n(&state->cgroups, wanted.cgroups.count != 0, __ATOMIC_RELEASE);
	__atomic_store_n(&state->follows, wanted.follows, __ATOMIC_RELEASE);
	__atomic_store_n(&state->dirty, 0, __ATOMIC_RELEASE);
out:
	wanted_free(&wanted);
	return err;
}

int policy_sweep(struct guard *guard)
{
	struct policy policy;
	int err;

	err = policy_load(guard, &policy);
	/* Files that are renamed from now on get what the leaves say. */
	if (!err)
		err = sweep_leaves(guard, &policy);
	if (!err)
		err = sweep_entries(guard, &policy);
	if (!err)
		err = policy_collect(guard, &policy);
	policy_free(&policy);
	return err;
}
