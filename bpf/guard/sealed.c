// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the tool refuses when the guard is sealed (seal.c). The programs ensure that nobody else
 * can write to the maps. The tool ensures here that what is denied stays denied: it compares each
 * change of the policy with the one in force before it commits it, with the lock held.
 *
 * A change may only deny more. A new rule takes the place of others, such as a rule for a tree
 * that the file is in. So it may deny to all, but allow to some only what no other rule could have
 * denied.
 */
#include <errno.h>
#include <string.h>

#include "tool.h"

const char *seal_name(__u32 seal)
{
	return seal == GUARD_SEAL_ALL ? "all" : seal == GUARD_SEAL_ADD ? "add" : "no";
}

bool guard_is_sealed(const struct guard *guard)
{
	return guard->state && __atomic_load_n(&guard->state->sealed, __ATOMIC_SEQ_CST);
}

int seal_refuse(const struct guard *guard, const char *what)
{
	if (!guard_is_sealed(guard))
		return 0;
	error("%s: the guard is sealed (%s) until the machine boots again", what,
	      seal_name(guard->state->sealed));
	return -EPERM;
}

int seal_refuse_rules(const struct guard *guard)
{
	if (!guard->state || guard->state->sealed != GUARD_SEAL_ALL)
		return 0;
	return seal_refuse(guard, "no rules are made any more");
}

bool seal_has_made(const struct guard *guard, const struct rule *rule)
{
	return guard_is_sealed(guard) && !(rule->body.flags & GUARD_FOLLOW) &&
	       !strcmp(rule->label, SEAL_LABEL);
}

/* Comparing */

static bool in_set(const struct set *set, const struct member *member)
{
	const struct member *members = set->members.items;
	size_t i;

	for (i = 0; i < set->members.count; i++)
		if (members[i].kind == member->kind && members[i].subject == member->subject)
			return true;
	return false;
}

/* Whether all tasks in a set are in @other: a task has to match each kind that a set has. */
static bool set_within(const struct set *set, const struct set *other)
{
	const struct member *members = set ? set->members.items : NULL;
	size_t i;

	if (!set || !other || (set->kinds & other->kinds) != other->kinds)
		return false;
	for (i = 0; i < set->members.count; i++)
		if (other->kinds & 1U << members[i].kind && !in_set(other, &members[i]))
			return false;
	return true;
}

/* Whether a rule denies as much of an operation as the rule that it replaces. */
static bool denies_as_much(const struct policy *policy, const struct guard_rule *body,
			   const struct guard_rule *before, int op)
{
	__u32 bit = 1U << op;

	/* If it was audit-only, or allowed, anything may follow. */
	if (before->audit & bit || !((before->denied | before->only) & bit))
		return true;
	if (!(body->named & bit) || body->audit & bit)
		return false;
	if (body->denied & bit)
		return true;
	if (before->denied & bit || !(body->only & bit))
		return false;
	return set_within(index_get(&policy->set_by_id, body->set[op]),
			  index_get(&policy->set_by_id, before->set[op]));
}

/* A write that can only append is subject to rules for append and for write. */
static __u32 with_append(__u32 ops)
{
	const __u32 both = 1U << GUARD_WRITE | 1U << GUARD_APPEND;

	return ops & both ? ops | both : ops;
}

/* The operations that any rule in force for a tree denies to anybody. */
static __u32 ops_of_trees(const struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	__u32 ops = 0;
	size_t i;

	for (i = 0; i < policy->rules.count; i++)
		if (!rules[i]->fresh)
			ops |= strict_ops(rules[i]);
	return ops;
}

/* Whether a rule newly allows an operation to somebody that another rule could have denied. */
static bool takes_place(const struct rule *rule, const struct guard_rule *before, __u32 of_trees)
{
	const struct guard_rule *body = &rule->body;
	__u32 allowed = body->named & ~body->denied & ~body->audit & ~before->named;
	__u32 of_before = (before->denied | before->only) & ~before->audit;

	return with_append(allowed) & (of_trees | of_before);
}

static const char *loosened_by(const struct policy *policy, const struct rule *rule, __u32 of_trees)
{
	static const struct guard_rule none;
	const struct guard_rule *before = rule->base ? &rule->base->body : &none;
	const __u32 kind = GUARD_TREE | GUARD_FOLLOW | GUARD_SYMLINK;
	int op;

	if (rule->base && (rule->body.flags ^ before->flags) & kind)
		return "is another kind of rule, and can't take the place of the one that there is";
	for (op = 0; op < GUARD_OPS; op++)
		if (!denies_as_much(policy, &rule->body, before, op))
			return "would deny less";
	return takes_place(rule, before, of_trees) ?
	       "would allow what a rule for a tree, or for write or append, denies" : NULL;
}

/* Whether a rule can't be about any file ever again: its files are gone. */
static bool is_nobodys(const struct policy *policy, const struct rule *rule)
{
	return policy->walked && !(rule->body.flags & GUARD_FOLLOW) && rule_is_gone(rule);
}

static int refuse_rule(const struct rule *rule, const char *why)
{
	error("%s: %s, and the guard is sealed", rule->path ?: "a rule", why);
	return -EPERM;
}

int seal_check(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	const char *why;
	__u32 of_trees;
	size_t i;

	if (!guard_is_sealed(policy->guard))
		return 0;
	of_trees = ops_of_trees(policy);
	for (i = 0; i < policy->rules.count; i++) {
		struct rule *rule = rules[i];

		if (rule->fresh != rule->dropped && rule->fresh)
			why = loosened_by(policy, rule, of_trees);
		else if (!rule->fresh && rule->dropped && !is_nobodys(policy, rule))
			why = "rules are not removed any more";
		else
			why = NULL;
		if (why)
			return refuse_rule(rule, why);
	}
	return 0;
}

bool seal_keeps(struct policy *policy, const struct guard_entry *entry, __u32 rule)
{
	__u32 now = entry_rule(entry, policy->generation);
	const struct rule *next;

	if (!now || !guard_is_sealed(policy->guard) || !index_get(&policy->rule_by_id, now))
		return false;
	next = index_get(&policy->rule_by_id, rule);
	return now != rule && !(next && next->base && next->base->id == now);
}
