/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decision: may this task do these operations on this file? For each operation the file's own
 * rule decides, if it names the operation; or else the nearest rule for a tree that names it; or
 * else it is allowed. If it can't be told which rule decides, the operation is denied.
 *
 * An audit-only rule (--audit) is asked like any other. What it would deny is reported, and the
 * decision is made once more without such rules.
 */
#ifndef _GUARD_JUDGE_BPF_H
#define _GUARD_JUDGE_BPF_H

#include "device.bpf.h"
#include "event.bpf.h"
#include "rule.bpf.h"

/*
 * A question: @ops on the file with these addresses of inode and dentry; events name the dentry
 * @shown. After judge_at(), @rest has the operations to decide once more without audit-only rules;
 * the last four fields are as in struct told.
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

/* Report the decision, if it denies anything and somebody watches. Returns 0 or -EPERM. */
static __always_inline int conclude(struct dentry *shown, const struct judged *judged)
{
	if ((judged->denied | judged->tried) && STATE(watching))
		tell(shown, judged->rule, judged->denied, judged->tried_rule, judged->tried,
		     judged->shown != judged->dentry);
	return judged->denied && !STATE(audit) ? -EPERM : 0;
}

/* If it can't be told which rule decides: deny what any rule for a tree denies. */
static __always_inline int is_strict(__u64 op)
{
	return STATE(strict) & BIT(op) ? DENIES : 0;
}

/*
 * Deciding about one operation after the other: by the rules for trees in @climb, and by the file's
 * own rule, which names @named. @left are still to be decided; the rest is as in struct judged.
 */
struct judging {
	struct climb climb;
	__u32 own;
	__u32 named;
	__u32 left;
	__u32 rest;
	__u32 rule;
	__u32 denied;
	__u32 tried_rule;
	__u32 tried;
};

static int judge_op(__u32 index, void *context)
{
	struct judging *judging = context;
	__u64 op, asked;
	int verdict;
	__u32 rule;

	if (!take_op(&judging->left, &op))
		return 1;
	asked = op;
	rule = opaque(rule_for(&judging->climb, judging->own, judging->named, &asked));
	verdict = rule == UNKNOWN ? is_strict(asked) : verdict_of(rule, asked);
	if (verdict & TRIED) {
		judging->rest |= BIT(op);
		if (verdict & DENIES) {
			judging->tried |= BIT(asked);
			judging->tried_rule = rule;
		}
	} else if (verdict) {
		judging->denied |= BIT(asked);
		if (rule != UNKNOWN)
			judging->rule = rule;
	}
	return 0;
}

/* See AT() and judge(). */
__noinline int judge_at(struct judged *judged)
{
	struct judging judging = {};
	struct dentry *dentry;
	__u32 ops;

	if (!judged)
		return -EPERM;
	dentry = AT(struct dentry, judged->dentry);
	ops = judged->ops;
	judging.climb.dentry = judged->dentry;
	judging.climb.generation = STATE(generation);
	judging.own = rule_of_file(AT(struct inode, judged->inode), dentry,
				   judging.climb.generation);
	judging.named = opaque(named_by(judging.own));
	find_rules(&judging.climb, ops & ~judging.named);

	/* A write that can only append is asked as append, one that may be either as both. */
	if ((ops & EITHER) == APPEND)
		ops &= ~WRITE;
	judging.left = ops & GUARD_ALL;
	/* Hide the zeros from the verifier, which would follow each set that these can become. */
	judging.rest = opaque(0);
	judging.rule = opaque(0);
	judging.denied = opaque(0);
	judging.tried_rule = opaque(0);
	judging.tried = opaque(0);
	bpf_loop(GUARD_OPS, judge_op, &judging, 0);

	judged->rest = judging.rest;
	judged->rule = judging.rule;
	judged->denied = judging.denied;
	judged->tried_rule = judging.tried_rule;
	/* Don't report what is denied once more. */
	judged->tried = judging.tried & ~judging.denied;
	return judged->rest ? 0 : conclude(AT(struct dentry, judged->shown), judged);
}

static int judge_rest_of_op(__u32 index, void *context)
{
	struct judging *judging = context;
	__u32 rule;
	__u64 op;

	if (!take_op(&judging->left, &op))
		return 1;
	rule = opaque(rule_for(&judging->climb, judging->own, judging->named, &op));
	if (verdict_of(rule, op) == DENIES) {
		judging->denied |= BIT(op);
		judging->rule = rule;
	}
	return 0;
}

/* See AT() and judge(). */
__noinline int judge_rest_at(struct judged *judged)
{
	struct judging judging = { .climb.firm = true };
	struct dentry *dentry;

	if (!judged)
		return -EPERM;
	dentry = AT(struct dentry, judged->dentry);
	judging.climb.dentry = judged->dentry;
	judging.climb.generation = STATE(generation);
	judging.own = rule_of_file(AT(struct inode, judged->inode), dentry,
				   judging.climb.generation);
	judging.named = opaque(firmly_named_by(judging.own));
	climb_up(&judging.climb);
	judging.left = judged->rest & GUARD_ALL;
	bpf_loop(GUARD_OPS, judge_rest_of_op, &judging, 0);
	if (judging.denied)
		judged->rule = judging.rule;
	judged->denied |= judging.denied;
	judged->tried &= ~judging.denied;
	return conclude(AT(struct dentry, judged->shown), judged);
}

/* Rules that hold by the last component of their path: see hold.bpf.h */

static __always_inline bool is_holding(void)
{
	return STATE(beyond) & -GUARD_HELD;
}

/* The part of @ops for a rule that names @named; append becomes write if that is not named. */
static __always_inline __u32 asked_of(__u32 named, __u32 ops)
{
	if ((ops & EITHER) == APPEND)
		ops &= named & BIT(GUARD_APPEND) ? ~WRITE : ~BIT(GUARD_APPEND);
	return ops & named;
}

/*
 * Asking rules that hold by name about @ops; those that are audit-only not about @reported, which
 * such rules have reported before. The last four fields are as in struct told.
 */
struct asking {
	__u32 ops;
	__u32 reported;
	__u32 rule;
	__u32 denied;
	__u32 tried_rule;
	__u32 tried;
};

/* Ask one rule. */
__noinline int ask_held(struct asking *asking, __u32 id)
{
	__u32 firm = opaque(firmly_named_by(id)), denied = 0, tried = 0, ops;
	int verdict;
	__u64 op;

	if (!asking || !id)
		return 0;
	ops = asked_of(opaque(named_by(id)), asking->ops) & ~firm & ~asking->reported;
	ops = opaque(ops | asked_of(firm, asking->ops));
	for (op = 0; op < GUARD_OPS; op++) {
		verdict = ops & BIT(op) ? verdict_of(id, op) : 0;
		if (verdict == DENIES)
			denied = opaque(denied | BIT(op));
		else if (verdict & DENIES)
			tried = opaque(tried | BIT(op));
	}
	asking->denied |= denied;
	asking->tried |= tried;
	if (denied)
		asking->rule = id;
	if (tried)
		asking->tried_rule = id;
	return 0;
}

/* Report what was asked, like conclude(). */
static __always_inline int answer(struct dentry *shown, const struct asking *asking)
{
	__u32 tried = asking->tried & ~asking->denied;

	if ((asking->denied | tried) && STATE(watching))
		tell(shown, asking->rule, asking->denied, asking->tried_rule, tried, false);
	return asking->denied && !STATE(audit) ? -EPERM : 0;
}

/* Asking the rules of a device for one operation after the other. */
struct asking_device {
	__u32 type;
	__u32 rdev;
	__u32 generation;
	__u32 own;
	__u32 left;
	struct asking asking;
};

static int ask_for_op(__u32 index, void *context)
{
	struct asking_device *device = context;
	__u32 rule;
	__u64 op;

	if (!take_op(&device->left, &op))
		return 1;
	rule = rule_of_device(device->type, device->rdev, op, device->generation);
	device->asking.ops = BIT(op);
	if (rule != device->own)
		ask_held(&device->asking, rule);
	return 0;
}

/* See AT() and judge(). Does not ask again what the node's own rule has decided. */
__noinline int judge_device_at(const struct judged *judged)
{
	struct asking_device device = {};
	struct inode *inode;

	if (!judged)
		return -EPERM;
	inode = AT(struct inode, judged->inode);
	device.type = inode->i_mode & S_IFMT;
	device.rdev = inode->i_rdev;
	device.generation = STATE(generation);
	device.own = rule_of_file(inode, AT(struct dentry, judged->dentry), device.generation);
	device.left = judged->ops & GUARD_DEVICE_OPS & ~firmly_named_by(device.own);
	device.asking.reported = judged->tried;
	bpf_loop(GUARD_OPS, ask_for_op, &device, 0);
	return answer(AT(struct dentry, judged->shown), &device.asking);
}

/* Decide about mounting or remounting a filesystem that is on a device. */
static __always_inline int guard_super(const struct super_block *sb, __u32 ops)
{
	struct block_device *block = sb->s_bdev;
	struct asking_device device = { .type = S_IFBLK };

	if (!(STATE(beyond) & GUARD_DEVICES) || inode_map_is_null(block))
		return 0;
	device.rdev = block->bd_dev;
	device.generation = STATE(generation);
	device.left = opaque(ops);
	bpf_loop(GUARD_OPS, ask_for_op, &device, 0);
	return answer(sb->s_root, &device.asking);
}

/* Going up from a file, looking for names that rules hold by. */
struct holding {
	struct dentry *dentry;
	struct asking asking;
};

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
	struct asking *asking = &holding->asking;
	struct dentry *dentry = holding->dentry;
	const struct guard_held *found;
	__u32 denied, i;

	if (inode_map_is_null(dentry))
		return 1;
	found = held_of(dentry);
	for (i = 0; found && !index && i < GUARD_HELD_RULES; i++)
		ask_held(asking, found->rules[i]);
	for (i = 0; found && i < GUARD_HELD_RULES; i++)
		ask_held(asking, found->trees[i]);
	if (found) {
		denied = found->denied_below | (index ? 0 : found->denied);
		asking->denied |= denied & asking->ops;
	}
	if (dentry->d_parent == dentry)
		return 1;
	holding->dentry = dentry->d_parent;
	return 0;
}

/* See AT() and judge(). Does not ask about what the own rule of the shown file decides. */
__noinline int judge_held_at(const struct judged *judged)
{
	struct holding holding = {};
	struct asking *asking = &holding.asking;
	struct dentry *shown;
	struct inode *inode;

	if (!judged)
		return -EPERM;
	shown = AT(struct dentry, judged->shown);
	inode = judged->shown == judged->dentry ? AT(struct inode, judged->inode) : shown->d_inode;
	asking->ops = judged->ops & ~firmly_named_by(rule_of_inode(inode, STATE(generation)));
	asking->reported = judged->tried;
	holding.dentry = shown;
	bpf_loop(TREE_DEPTH, hold_step, &holding, 0);
	return answer(shown, asking);
}

/*
 * Decide about @ops, one bit each, on the file @inode at @dentry of its filesystem. Events name
 * @shown, which is @dentry or a name in it. Returns 0 or -EPERM.
 */
static __always_inline int judge(struct inode *inode, struct dentry *dentry, __u32 ops,
				 struct dentry *shown)
{
	struct judged judged = { .ops = ops };

	if (is_kernels_node())
		return 0;
	judged.inode = (__u64)inode;
	judged.dentry = (__u64)dentry;
	judged.shown = (__u64)shown;
	if (judge_at(&judged))
		return -EPERM;
	if (judged.rest && judge_rest_at(&judged))
		return -EPERM;
	if (STATE(beyond) & GUARD_DEVICES && is_device(inode) && judge_device_at(&judged))
		return -EPERM;
	return is_holding() && judge_held_at(&judged) ? -EPERM : 0;
}

/* Whether there can be any rule for a file: the cheapest test, for hooks that are called often. */
static __always_inline bool is_guarded(struct inode *inode)
{
	__u64 beyond = STATE(beyond);

	return inode_map_peek(files_id, inode, struct guard_entry) ||
	       (beyond && (beyond != GUARD_DEVICES || is_device(inode)));
}

/* Whether there can be a rule for @ops on this file: for nearly all files there is none. */
static __always_inline bool concerns(struct inode *inode, __u32 ops)
{
	__u64 beyond = STATE(beyond);

	return inode_map_peek(files_id, inode, struct guard_entry) ||
	       (beyond && (beyond & (ops | GUARD_BY_NAME) ||
			   (beyond & GUARD_DEVICES && is_device(inode))));
}

/* Decide about a file by its dentry. */
static __always_inline int guard(struct inode *inode, struct dentry *dentry, __u32 ops)
{
	if (inode_map_is_null(inode) || !concerns(inode, ops))
		return 0;
	return judge(inode, dentry, ops, dentry);
}

/*
 * Decide about putting a file at @dentry, a name that rules may be for: that needs the permission
 * to write to the name. Returns 0 or -EPERM.
 */
static __noinline int judge_leaf(const struct guard_leaf *leaf, struct dentry *dentry)
{
	__u32 generation = STATE(generation), own = rule_at(&leaf->entry, generation);
	__u32 tree = rule_at(&leaf->tree, generation);
	__u32 rule = opaque(named_by(own) & WRITE ? own : named_by(tree) & WRITE ? tree : 0);
	__u32 verdict = opaque(verdict_of(rule, GUARD_WRITE)), tried = 0;

	if (verdict & TRIED) {
		tried = verdict & DENIES ? rule : 0;
		/* Go on with the rule for the tree, if that was not the one asked. */
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

/* Decide about making or removing @dentry, a name in @dir, as writing to the directory. */
static __always_inline int guard_name(struct inode *dir, struct dentry *dentry)
{
	if (!concerns(dir, WRITE))
		return 0;
	return judge(dir, dentry->d_parent, WRITE, dentry);
}

#endif /* _GUARD_JUDGE_BPF_H */
