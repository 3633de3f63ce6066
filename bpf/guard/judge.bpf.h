/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The decision: may this task do these operations with this file? First the rule of the file itself
 * decides about each of them, if it names it; or else the nearest rule for a tree that names it; or
 * else it is allowed. What can't be told is denied.
 */
#ifndef _GUARD_JUDGE_BPF_H
#define _GUARD_JUDGE_BPF_H

#include "event.bpf.h"
#include "name.bpf.h"
#include "who.bpf.h"

/* Macros of the kernel, which BTF does not have. */
#define EPERM	1
#define ENOENT	2
#define EAGAIN	11
#define EBUSY	16

#define BIT(op)	(1U << (op))
#define READ	BIT(GUARD_READ)
#define WRITE	BIT(GUARD_WRITE)
#define EXEC	BIT(GUARD_EXEC)
#define DELETE	BIT(GUARD_DELETE)
#define RENAME	BIT(GUARD_RENAME)
#define LINK	BIT(GUARD_LINK)
#define ATTR	BIT(GUARD_ATTR)
#define MMAP	BIT(GUARD_MMAP)
/* A write that can only append: a rule for either decides. */
#define APPEND	(BIT(GUARD_APPEND) | WRITE)
/* A write that may be such or another: both decide. */
#define EITHER	(APPEND | GUARD_EITHER)

/* No rule has this id: it could not be told which one decides. */
#define UNKNOWN	(~0U)

/* As deep as a tree can be. */
#define TREE_DEPTH	2048
/* How often a tree is looked at, if others move things in it. */
#define TREE_TRIES	8

/* The id of the rule that holds in a generation, or 0. */
static __always_inline __u32 rule_at(const struct guard_entry *entry, __u32 generation)
{
	__u32 best = 0, rule = 0;

	if (entry->generation[0] <= generation) {
		best = entry->generation[0];
		rule = entry->rule[0];
	}
	if (entry->generation[1] <= generation && entry->generation[1] >= best &&
	    entry->generation[1])
		rule = entry->rule[1];
	return rule;
}

static __always_inline __u32 rule_of_inode(struct inode *inode, __u32 generation)
{
	const struct guard_entry *entry = inode_map_peek(files_id, inode, struct guard_entry);

	return entry ? rule_at(entry, generation) : 0;
}

/* The rule of the file; if that has none, of the name that it has just been given, perhaps. */
static __always_inline __u32 rule_of_file(struct inode *inode, struct dentry *dentry,
					  __u32 generation)
{
	__u32 rule = rule_of_inode(inode, generation);
	const struct guard_leaf *leaf;

	if (rule || !names_matter())
		return rule;
	leaf = leaf_of(dentry);
	return leaf ? rule_at(&leaf->entry, generation) : 0;
}

static __always_inline __u32 named_by(__u32 id)
{
	struct guard_rule *rule = id ? bpf_map_lookup_elem(&rules, &id) : NULL;

	return rule ? rule->named : 0;
}

/*
 * A number as it is, about which the verifier then knows nothing: or else it would go through all
 * that follows once for each that there can be.
 */
static __always_inline __u32 opaque(__u32 number)
{
	return number ^ STATE(zero);
}

/* The nearest rules for trees above a file: for each operation, and how far away. */
struct climb {
	struct dentry *dentry;
	__u32 generation;
	__u32 rule[GUARD_OPS];
	__u32 distance[GUARD_OPS];
};

static int climb_step(__u32 index, void *context)
{
	struct climb *climb = context;
	struct dentry *dentry = climb->dentry, *parent;
	__u32 by_name = 0, named = 0, rule, op;
	const struct guard_entry *entry;
	const struct guard_leaf *leaf;

	if (inode_map_is_null(dentry))
		return 1;
	/* A directory that has just come to be at the name of a tree is known by its name only. */
	if (names_matter()) {
		leaf = leaf_of(dentry);
		by_name = leaf ? rule_at(&leaf->tree, climb->generation) : 0;
		named = opaque(named_by(by_name));
	}
	for (op = 0; op < GUARD_OPS; op++) {
		if (opaque(climb->rule[op]))
			continue;
		entry = inode_map_peek(trees_id[op], dentry->d_inode, struct guard_entry);
		rule = entry ? rule_at(entry, climb->generation) : 0;
		if (!rule && named & BIT(op))
			rule = by_name;
		climb->rule[op] = opaque(rule);
		climb->distance[op] = opaque(index);
	}
	parent = dentry->d_parent;
	if (parent == dentry)
		return 1;
	climb->dentry = parent;
	return 0;
}

/* The nearest entry in a map of trees: what is looked for, and what there is. */
struct nearest {
	__u64 dentry;
	__u32 map_id;
	__u32 generation;
	__u32 rule;
	__u32 distance;
};

/* See AT(). Returns whether there is an entry that has no rule, in this generation. */
__noinline int find_nearest(struct nearest *nearest)
{
	struct guard_entry entry = {};
	int tries, ret = -ENOENT;

	if (!nearest)
		return 0;
	for (tries = 0; tries < TREE_TRIES; tries++) {
		ret = inode_map_read_tree(nearest->map_id, AT(struct dentry, nearest->dentry),
					  &entry);
		if (ret != -EAGAIN)
			break;
	}
	nearest->rule = 0;
	nearest->distance = ret;
	if (ret < 0) {
		nearest->rule = ret == -ENOENT ? 0 : UNKNOWN;
		return 0;
	}
	nearest->rule = rule_at(&entry, nearest->generation);
	return !nearest->rule;
}

/*
 * Find the nearest rules for trees that name @ops, 0 for none, UNKNOWN for what can't be told. While
 * the policy is being changed the nearest entry may hold no rule, yet or any more, and one that is
 * nearer may be known by its name only: then step by step.
 */
static __always_inline void find_rules(struct climb *climb, __u32 ops)
{
	struct nearest nearest = { .generation = climb->generation };
	bool slow = names_matter();
	__u32 op;

	nearest.dentry = (__u64)climb->dentry;

	ops &= STATE(beyond);
	for (op = 0; op < GUARD_OPS; op++) {
		climb->rule[op] = opaque(0);
		climb->distance[op] = opaque(0);
		if (!(ops & BIT(op)))
			continue;
		nearest.map_id = trees_id[op];
		slow |= find_nearest(&nearest);
		climb->rule[op] = nearest.rule;
		climb->distance[op] = nearest.distance;
	}
	if (!ops || !opaque(slow))
		return;
	for (op = 0; op < GUARD_OPS; op++)
		climb->rule[op] = opaque(0);
	bpf_loop(TREE_DEPTH, climb_step, climb, 0);
}

static __always_inline bool may(const struct guard_rule *rule, __u64 op)
{
	if (rule->denied & BIT(op))
		return false;
	return !(rule->only & BIT(op)) || is_in_set(rule->set[op], rule->kinds[op]);
}

static __always_inline void count_hit(__u32 name, __u64 op)
{
	struct guard_hits *found = bpf_map_lookup_elem(&hits, &name);

	if (!found) {
		struct guard_hits none = {};

		bpf_map_update_elem(&hits, &name, &none, BPF_NOEXIST);
		found = bpf_map_lookup_elem(&hits, &name);
	}
	if (found)
		__sync_fetch_and_add(&found->count[op], 1);
}

/* Whether a rule allows an operation; if it does not, that is counted. */
__noinline int rule_allows(__u32 id, __u64 op)
{
	struct guard_rule *rule;

	if (!id || op >= GUARD_OPS)
		return true;
	rule = bpf_map_lookup_elem(&rules, &id);
	/* Rules stay as long as there is an entry that names them. */
	if (!rule)
		return false;
	if (may(rule, op))
		return true;
	count_hit(rule->name, op);
	return false;
}

/*
 * The rule for a tree that decides about a write that can only append: of those that name append and
 * those that name write the nearest. @op becomes which of them it is.
 */
static __always_inline __u32 rule_of_append(const struct climb *climb, __u64 *op)
{
	__u32 append = opaque(climb->rule[GUARD_APPEND]);
	__u32 write = opaque(climb->rule[GUARD_WRITE]);

	if (append == UNKNOWN || write == UNKNOWN)
		return UNKNOWN;
	if (append && (!write || opaque(climb->distance[GUARD_APPEND]) <=
				 opaque(climb->distance[GUARD_WRITE]))) {
		*op = GUARD_APPEND;
		return append;
	}
	*op = GUARD_WRITE;
	return write;
}

/*
 * The rule that decides about one of @ops, or 0 or UNKNOWN; @op becomes the operation that the rule
 * is asked about, which for a write that can only append may be either.
 */
static __always_inline __u32 rule_for(const struct climb *climb, __u32 own, __u32 named, __u64 *op)
{
	if (named & BIT(*op))
		return own;
	if (*op != GUARD_APPEND)
		return climb->rule[*op];
	if (named & WRITE) {
		*op = GUARD_WRITE;
		return own;
	}
	return rule_of_append(climb, op);
}

/* Rules that hold by the last component of their path: see hold.bpf.h */

static __always_inline bool is_holding(void)
{
	return STATE(beyond) & -GUARD_HELD;
}

/* What a rule denies of @ops. */
static __always_inline __u32 denied_by(__u32 id, __u32 ops)
{
	__u32 denied = 0;
	__u64 op;

	if (!id)
		return 0;
	/* Of a write that can only append it decides if it names either. */
	if ((ops & EITHER) == APPEND)
		ops &= named_by(id) & BIT(GUARD_APPEND) ? ~WRITE : ~BIT(GUARD_APPEND);
	ops &= named_by(id);
	for (op = 0; op < GUARD_OPS; op++)
		if (ops & BIT(op) && !rule_allows(id, op))
			denied = opaque(denied | BIT(op));
	return denied;
}

/* Going up from a file, for names that rules hold by. */
struct holding {
	struct dentry *dentry;
	__u32 ops;
	__u32 denied;
	__u32 rule;
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
	struct dentry *dentry = holding->dentry;
	const struct guard_held *found;
	__u32 denied, i;

	if (inode_map_is_null(dentry))
		return 1;
	found = held_of(dentry);
	for (i = 0; found && i < 2 * GUARD_HELD_RULES; i++) {
		bool tree = i >= GUARD_HELD_RULES;
		__u32 rule = tree ? found->trees[i - GUARD_HELD_RULES] : found->rules[i];

		if (index && !tree)
			continue;
		denied = opaque(denied_by(rule, holding->ops));
		holding->denied |= denied;
		holding->rule = opaque(denied ? rule : holding->rule);
	}
	if (found) {
		denied = found->denied_below | (index ? 0 : found->denied);
		holding->denied |= denied & holding->ops;
	}
	if (dentry->d_parent == dentry)
		return 1;
	holding->dentry = dentry->d_parent;
	return 0;
}

/* What is to be decided about: operations, with the file whose inode and dentry have these addresses. */
struct judged {
	__u64 inode;
	__u64 dentry;
	__u64 shown;
	__u32 ops;
	__u32 reserved;
};

/* See AT() and judge(). */
__noinline int judge_at(const struct judged *judged)
{
	struct climb climb = {};
	__u32 own, named, rule, ops, denied = 0, told = 0;
	struct dentry *dentry, *shown;
	struct inode *inode;
	__u64 op, index;

	if (!judged)
		return -EPERM;
	inode = AT(struct inode, judged->inode);
	dentry = AT(struct dentry, judged->dentry);
	shown = AT(struct dentry, judged->shown);
	ops = judged->ops;
	climb.dentry = dentry;
	climb.generation = STATE(generation);
	own = rule_of_file(inode, dentry, climb.generation);
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
		if (rule == UNKNOWN) {
			denied |= BIT(op);
		} else if (!rule_allows(rule, op)) {
			denied |= BIT(op);
			told = rule;
		}
		denied = opaque(denied);
		told = opaque(told);
	}
	if (!denied)
		return 0;
	if (STATE(watching))
		tell(shown, told, denied);
	return STATE(audit) ? 0 : -EPERM;
}

/* See AT() and judge(). What the own rule of what is shown names is not asked again. */
__noinline int judge_held_at(const struct judged *judged)
{
	struct holding holding = {};
	struct dentry *shown;
	struct inode *inode;

	if (!judged)
		return -EPERM;
	shown = AT(struct dentry, judged->shown);
	inode = judged->shown == judged->dentry ? AT(struct inode, judged->inode) : shown->d_inode;
	holding.ops = judged->ops & ~named_by(rule_of_inode(inode, STATE(generation)));
	holding.dentry = shown;
	bpf_loop(TREE_DEPTH, hold_step, &holding, 0);
	if (!holding.denied)
		return 0;
	if (STATE(watching))
		tell(shown, holding.rule, holding.denied);
	return STATE(audit) ? 0 : -EPERM;
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
	__u32 generation = STATE(generation), rule = rule_at(&leaf->entry, generation);

	if (!(named_by(rule) & WRITE))
		rule = rule_at(&leaf->tree, generation);
	if (!(named_by(rule) & WRITE) || rule_allows(rule, GUARD_WRITE))
		return 0;
	if (STATE(watching))
		tell(dentry, rule, WRITE);
	return STATE(audit) ? 0 : -EPERM;
}

/* Decide about making or removing @dentry, a name in @dir, as far as its directory goes. */
static __always_inline int guard_name(struct inode *dir, struct dentry *dentry)
{
	if (!concerns(dir, WRITE))
		return 0;
	return judge(dir, dentry->d_parent, WRITE, dentry);
}

#endif /* _GUARD_JUDGE_BPF_H */
