// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The names that rules hold by while a change on the way is not followed yet: the map "held" (see
 * hold.bpf.h). The service writes it, under the lock, each time it has looked up all names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "tool.h"

/* A name that may mean a rule. */
struct held_name {
	struct guard_leaf_key key;
	const struct rule *rule;
};

static int compare_names(const void *one, const void *other)
{
	return memcmp(one, other, sizeof(struct guard_leaf_key));
}

/* Sort audit-only rules of a name last, so that they take no room from others. */
static int compare_held(const void *one, const void *other)
{
	const struct held_name *a = one, *b = other;

	return compare_names(a, b) ?: !denied_ops(a->rule) - !denied_ops(b->rule);
}

/* Add the last components of a rule's paths: as they were given, and behind symbolic links. */
static void add_names(struct policy *policy, const struct rule *rule, struct array *all)
{
	struct held_name *held;
	struct array names = {};
	size_t i, j;

	for (i = 0; i < rule->names.count; i++) {
		place_names(((char **)rule->names.items)[i], rule->body.flags & GUARD_SYMLINK,
			    &names);
		for (j = 0; j < names.count; j++) {
			held = array_add(all, sizeof(*held));
			name_key(policy->guard, ((char **)names.items)[j], &held->key);
			held->rule = rule;
		}
		strings_free(&names);
	}
}

static const struct rule *rule_of_id(struct policy *policy, __u32 id)
{
	return id ? index_get(&policy->rule_by_id, id) : NULL;
}

/* Add a rule to a name. A rule that says the same as one that is there needs no room. */
static void hold_rule(struct policy *policy, struct guard_held *held, const struct rule *rule)
{
	__u32 *ids = is_tree(rule) ? held->trees : held->rules;
	const struct rule *other;
	size_t i;

	for (i = 0; i < GUARD_HELD_RULES && ids[i]; i++) {
		other = rule_of_id(policy, ids[i]);
		if (other && rule_same(other, rule))
			return;
	}
	if (i < GUARD_HELD_RULES)
		ids[i] = rule->id;
	else if (is_tree(rule))
		held->denied_below |= denied_ops(rule);
	else
		held->denied |= denied_ops(rule);
}

/* Delete names that no longer mean any rule; @names are sorted. */
static int forget_names(struct policy *policy, const struct array *names)
{
	int map = policy->guard->held, err;
	struct array keys = {}, values = {};
	struct guard_leaf_key *key;
	size_t i;

	err = map_read(map, sizeof(*key), sizeof(struct guard_held), &keys, &values);
	for (i = 0; i < keys.count && !err; i++) {
		key = (struct guard_leaf_key *)keys.items + i;
		if (names->count && bsearch(key, names->items, names->count,
					    sizeof(struct held_name), compare_names))
			continue;
		if (bpf_map_delete_elem(map, key) && errno != ENOENT)
			err = -errno;
	}
	free(keys.items);
	free(values.items);
	return err;
}

int names_hold(struct policy *policy)
{
	struct array names = {}, keys = {}, values = {};
	struct rule **rules = policy->rules.items;
	const struct held_name *name, *last = NULL;
	struct guard_held *held = NULL;
	size_t i;
	int err;

	for (i = 0; i < policy->rules.count; i++)
		add_names(policy, rules[i], &names);
	if (names.count)
		qsort(names.items, names.count, sizeof(*name), compare_held);
	for (i = 0; i < names.count; i++, last = name) {
		name = (struct held_name *)names.items + i;
		if (!last || compare_names(last, name)) {
			*(struct guard_leaf_key *)array_add(&keys, sizeof(name->key)) = name->key;
			held = array_add(&values, sizeof(*held));
			memset(held, 0, sizeof(*held));
		}
		hold_rule(policy, held, name->rule);
	}
	err = map_write(policy->guard->held, &keys, &values, sizeof(struct guard_leaf_key),
			sizeof(struct guard_held));
	if (!err)
		err = forget_names(policy, &names);
	free(names.items);
	free(keys.items);
	free(values.items);
	return err;
}

unsigned long hold_count(const struct guard *guard)
{
	return __atomic_load_n(&guard->state->beyond, __ATOMIC_SEQ_CST) / GUARD_HELD;
}

void hold_follow(const struct guard *guard, unsigned long count)
{
	__atomic_sub_fetch(&guard->state->beyond, count * GUARD_HELD, __ATOMIC_SEQ_CST);
}
