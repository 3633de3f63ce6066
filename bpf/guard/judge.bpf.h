/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The decision: may this task do these operations with this file? First the rule of the file itself
 * decides about each of them, if it names it; or else the nearest rule for a tree that names it; or
 * else it is allowed. What can't be told is denied.
 *
 * A rule that is just tried is asked like any other. What it denies is reported, and the decision is
 * made once more without such rules.
 */
#ifndef _GUARD_JUDGE_BPF_H
#define _GUARD_JUDGE_BPF_H

#include "event.bpf.h"
#include "rule.bpf.h"

/*
 * What is to be decided about: operations, with the file whose inode and dentry have these addresses.
 * Behind judge_at(), @rest is what is left to be decided about without the rules that are just tried,
 * and the last four are as in struct told.
 */
struct judged {
	__u64 inode;
	__u64 dentry;
	__u64 shown;
	__u32 ops;
	__u32 rest;
	__u32 rule;
	__u32 denied;
	__u32 tried_rule;
	__u32 tried;
};

/* What has been decided about, and what becomes of it. */
static __always_inline int conclude(struct dentry *shown, const struct judged *judged)
{
	if ((judged->denied | judged->tried) && STATE(watching))
		tell(shown, judged->rule, judged->denied, judged->tried_rule, judged->tried,
		     judged->shown != judged->dentry);
	return judged->denied && !STATE(audit) ? -EPERM : 0;
}

/* What can't be told is denied, where rules for trees deny anything. */
static __always_inline int is_strict(__u64 op)
{
	return STATE(strict) & BIT(op) ? DENIES : 0;
}

/* See AT() and judge(). */
__noinline int judge_at(struct judged *judged)
{
	__u32 own, named, rule, ops, rest = 0, denied = 0, told = 0, tried = 0, tried_rule = 0;
	struct climb climb = {};
	struct dentry *dentry;
	__u64 op, index;
	int verdict;

	if (!judged)
		return -EPERM;
	dentry = AT(struct dentry, judged->dentry);
	ops = judged->ops;
	climb.dentry = judged->dentry;
	climb.generation = STATE(generation);
	own = rule_of_file(AT(struct inode, judged->inode), dentry, climb.generation);
	named = opaque(named_by(own));

	find_rules(&climb, ops & ~named);
	for (index = 0; index < GUARD_OPS; index++) {
		if (!(ops & BIT(index)))
			continue;
		/* Write by itself, or with append if it may be either. */
		if (index == GUARD_WRITE && (ops & EITHER) == APPEND)
			continue;
		op = index;
		rule = opaque(rule_for(&climb, own, named, &op));
		verdict = rule == UNKNOWN ? is_strict(op) : verdict_of(rule, op);
		if (verdict & TRIED) {
			rest = opaque(rest | BIT(index));
			tried = opaque(verdict & DENIES ? tried | BIT(op) : tried);
			tried_rule = opaque(verdict & DENIES ? rule : tried_rule);
		} else if (verdict) {
			denied |= BIT(op);
			told = rule == UNKNOWN ? told : rule;
		}
		denied = opaque(denied);
		told = opaque(told);
	}
	judged->rest = rest;
	judged->rule = told;
	judged->denied = denied;
	judged->tried_rule = tried_rule;
	judged->tried = tried & ~denied;
	return rest ? 0 : conclude(AT(struct dentry, judged->shown), judged);
}

/* See AT() and judge(). */
__noinline int judge_rest_at(struct judged *judged)
{
	struct climb climb = { .firm = true };
	__u32 own, firm, rule, denied = 0;
	struct dentry *dentry;
	__u64 op, index;

	if (!judged)
		return -EPERM;
	dentry = AT(struct dentry, judged->dentry);
	climb.dentry = judged->dentry;
	climb.generation = STATE(generation);
	own = rule_of_file(AT(struct inode, judged->inode), dentry, climb.generation);
	firm = opaque(firmly_named_by(own));
	climb_up(&climb);
	for (index = 0; index < GUARD_OPS; index++) {
		if (!(judged->rest & BIT(index)))
			continue;
		op = index;
		rule = opaque(rule_for(&climb, own, firm, &op));
		if (verdict_of(rule, op) != DENIES)
			continue;
		denied = opaque(denied | BIT(op));
		judged->rule = rule;
	}
	judged->denied |= denied;
	/* What is denied is not reported once more. */
	judged->tried &= ~denied;
	return conclude(AT(struct dentry, judged->shown), judged);
}

/* Rules that hold by the last component of their path: see hold.bpf.h */

static __always_inline bool is_holding(void)
{
	return STATE(beyond) & -GUARD_HELD;
}

/* What a rule that names @named is asked of @ops: of a write that can only append, if it names either. */
static __always_inline __u32 asked_of(__u32 named, __u32 ops)
{
	if ((ops & EITHER) == APPEND)
		ops &= named & BIT(GUARD_APPEND) ? ~WRITE : ~BIT(GUARD_APPEND);
	return ops & named;
}

/* Going up from a file, for names that rules hold by; the last four are as in struct told. */
struct holding {
	struct dentry *dentry;
	__u32 ops;
	__u32 reported;
	__u32 rule;
	__u32 denied;
	__u32 tried_rule;
	__u32 tried;
};

/* What a rule denies of @ops; and above these bits, what it would deny, being just tried. */
__noinline int verdicts_of(__u32 id, __u32 ops)
{
	__u32 denied = 0, tried = 0;
	int verdict;
	__u64 op;

	for (op = 0; op < GUARD_OPS; op++) {
		verdict = ops & BIT(op) ? verdict_of(id, op) : 0;
		if (verdict == DENIES)
			denied = opaque(denied | BIT(op));
		else if (verdict & DENIES)
			tried = opaque(tried | BIT(op));
	}
	return denied | tried << GUARD_OP_BITS;
}

/* Ask a rule that holds; one that is just tried not about what such rules have reported before. */
static __always_inline void ask_held(struct holding *holding, __u32 id)
{
	__u32 firm = opaque(firmly_named_by(id)), denied, tried, ops;

	ops = asked_of(opaque(named_by(id)), holding->ops) & ~firm & ~holding->reported;
	denied = opaque(verdicts_of(id, ops | asked_of(firm, holding->ops)));
	tried = denied >> GUARD_OP_BITS;
	denied &= GUARD_ALL;
	holding->denied = opaque(holding->denied | denied);
	holding->tried = opaque(holding->tried | tried);
	holding->rule = opaque(denied ? id : holding->rule);
	holding->tried_rule = opaque(tried ? id : holding->tried_rule);
}

static __always_inline const struct guard_held *held_of(struct dentry *dentry)
{
	struct guard_leaf_key key = {}, *name;
	const struct guard_held *found;

	hash_dentry(dentry, &key);
	found = bpf_map_lookup_elem(&held, &key);
	if (found)
		return found;
	name = bpf_map_lookup_elem(&targets, &key);
	return name ? bpf_map_lookup_elem(&held, name) : NULL;
}

static int hold_step(__u32 index, void *context)
{
	struct holding *holding = context;
	struct dentry *dentry = holding->dentry;
	const struct guard_held *found;
	__u32 denied, i;

	if (inode_map_is_null(dentry))
		return 1;
	found = held_of(dentry);
	for (i = 0; found && !index && i < GUARD_HELD_RULES; i++)
		if (found->rules[i])
			ask_held(holding, opaque(found->rules[i]));
	for (i = 0; found && i < GUARD_HELD_RULES; i++)
		if (found->trees[i])
			ask_held(holding, opaque(found->trees[i]));
	if (found) {
		denied = found->denied_below | (index ? 0 : found->denied);
		holding->denied = opaque(holding->denied | (denied & holding->ops));
	}
	if (dentry->d_parent == dentry)
		return 1;
	holding->dentry = dentry->d_parent;
	return 0;
}

/* See AT() and judge(). What the own rule of what is shown names is not asked again. */
__noinline int judge_held_at(const struct judged *judged)
{
	struct holding holding = {};
	struct dentry *shown;
	struct inode *inode;
	__u32 tried;

	if (!judged)
		return -EPERM;
	shown = AT(struct dentry, judged->shown);
	inode = judged->shown == judged->dentry ? AT(struct inode, judged->inode) : shown->d_inode;
	holding.ops = judged->ops & ~firmly_named_by(rule_of_inode(inode, STATE(generation)));
	holding.reported = judged->tried;
	holding.dentry = shown;
	bpf_loop(TREE_DEPTH, hold_step, &holding, 0);
	tried = holding.tried & ~holding.denied;
	if ((holding.denied | tried) && STATE(watching))
		tell(shown, holding.rule, holding.denied, holding.tried_rule, tried, false);
	return holding.denied && !STATE(audit) ? -EPERM : 0;
}

/*
 * Decide about @ops, a bit each, with the file that @inode is, at @dentry in its filesystem; @shown
 * is what an event tells of, that or a name in it. Returns 0 or -EPERM.
 */
static __always_inline int judge(struct inode *inode, struct dentry *dentry, __u32 ops,
				 struct dentry *shown)
{
	struct judged judged = { .ops = ops };

	judged.inode = (__u64)inode;
	judged.dentry = (__u64)dentry;
	judged.shown = (__u64)shown;
	if (judge_at(&judged))
		return -EPERM;
	if (judged.rest && judge_rest_at(&judged))
		return -EPERM;
	return is_holding() && judge_held_at(&judged) ? -EPERM : 0;
}

/* Whether there can be any rule for a file: the least that hooks ask which are called most. */
static __always_inline bool is_guarded(struct inode *inode)
{
	return inode_map_peek(files_id, inode, struct guard_entry) || STATE(beyond);
}

/* Whether there can be a rule for @ops with this file: for nearly all there is none. */
static __always_inline bool concerns(struct inode *inode, __u32 ops)
{
	return inode_map_peek(files_id, inode, struct guard_entry) ||
	       STATE(beyond) & (ops | GUARD_BY_NAME);
}

/* Decide about a file by its dentry. */
static __always_inline int guard(struct inode *inode, struct dentry *dentry, __u32 ops)
{
	if (inode_map_is_null(inode) || !concerns(inode, ops))
		return 0;
	return judge(inode, dentry, ops, dentry);
}

/*
 * Decide about something that is to be at @dentry, a name that rules may be for: it takes what writing
 * to it takes. Returns 0 or -EPERM.
 */
static __noinline int judge_leaf(const struct guard_leaf *leaf, struct dentry *dentry)
{
	__u32 generation = STATE(generation), own = rule_at(&leaf->entry, generation);
	__u32 tree = rule_at(&leaf->tree, generation);
	__u32 rule = opaque(named_by(own) & WRITE ? own : named_by(tree) & WRITE ? tree : 0);
	__u32 verdict = opaque(verdict_of(rule, GUARD_WRITE)), tried = 0;

	if (verdict & TRIED) {
		tried = verdict & DENIES ? rule : 0;
		/* What is left is the rule for the tree, if that is not what was asked. */
		rule = rule == own && firmly_named_by(tree) & WRITE ? tree : 0;
		verdict = opaque(verdict_of(rule, GUARD_WRITE));
	}
	tried = opaque(tried);
	if (verdict)
		tried = 0;
	if ((verdict || tried) && STATE(watching))
		tell(dentry, rule, verdict ? WRITE : 0, tried, tried ? WRITE : 0, false);
	return verdict && !STATE(audit) ? -EPERM : 0;
}

/* Decide about making or removing @dentry, a name in @dir, as far as its directory goes. */
static __always_inline int guard_name(struct inode *dir, struct dentry *dentry)
{
	if (!concerns(dir, WRITE))
		return 0;
	return judge(dir, dentry->d_parent, WRITE, dentry);
}

#endif /* _GUARD_JUDGE_BPF_H */
