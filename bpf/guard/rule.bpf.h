/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules: finding those that are about a file, and what they say.
 */
#ifndef _GUARD_RULE_BPF_H
#define _GUARD_RULE_BPF_H

#include "kernel.bpf.h"
#include "name.bpf.h"
#include "who.bpf.h"

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
/* A write that may append or not: both decide. */
#define EITHER	(APPEND | GUARD_EITHER)

/* Not the id of a rule: it can't be told which rule decides. */
#define UNKNOWN	(~0U)

/* How far up a tree is searched. */
#define TREE_DEPTH	2048
/* How often a tree is searched if others move things in it. */
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

/* The rule of the file; or else of its name, which may have been given a rule just now. */
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

/* The operations that a rule decides about and is not audit-only for. */
static __always_inline __u32 firmly_named_by(__u32 id)
{
	struct guard_rule *rule = id ? bpf_map_lookup_elem(&rules, &id) : NULL;

	return rule ? rule->named & ~rule->audit : 0;
}

/* @id if the rule decides about an operation and is not audit-only for it; or 0. */
__noinline int firm_rule(__u32 id, __u32 op)
{
	return firmly_named_by(id) & BIT(op) ? id : 0;
}

/* Whether a rule is audit-only for an operation. */
static __always_inline bool is_tried(__u32 id, __u64 op)
{
	struct guard_rule *rule = id && STATE(tried) ? bpf_map_lookup_elem(&rules, &id) : NULL;

	return rule && rule->audit & BIT(op);
}

/* The number of a bit, by the top bits of a product that differ for each bit: see first_of(). */
static const __u8 bit_numbers[GUARD_OP_BITS] = {
	0, 1, 2, 5, 3, 9, 6, 11, 15, 4, 8, 10, 14, 7, 13, 12,
};

/* The first operation of a set; some number that is not an operation if the set is empty. */
static __always_inline __u64 first_of(__u32 ops)
{
	__u32 lowest = ops & -ops;

	return ops ? bit_numbers[lowest * 0x09af >> 12 & (GUARD_OP_BITS - 1)] : GUARD_OPS;
}

/*
 * Take the first operation of the set @left. For bpf_loop(): the verifier then checks the callback
 * for one operation, and not for each. Returns false if the set is empty.
 */
static __always_inline bool take_op(__u32 *left, __u64 *op)
{
	__u32 ops = *left;
	__u64 first = first_of(ops);

	/* Have the compiler check the same copy of the number that it uses. */
	barrier_var(first);
	if (first >= GUARD_OPS)
		return false;
	*left = ops & (ops - 1);
	*op = first;
	return true;
}

/*
 * The nearest rules for trees above the file whose dentry has this address: for each operation,
 * with the distance. If @firm, audit-only rules are skipped.
 */
struct climb {
	__u64 dentry;
	__u32 generation;
	__u32 firm;
	__u32 rule[GUARD_OPS];
	__u32 distance[GUARD_OPS];
};

/* The position on the way up: the dentry, its name's rule for trees, and what that names. */
struct climber {
	struct dentry *dentry;
	struct climb *climb;
	__u32 by_name;
	__u32 named;
	__u32 distance;
};

static int climb_for_op(__u32 index, void *context)
{
	struct climber *climber = context;
	struct climb *climb = climber->climb;
	const struct guard_entry *entry;
	__u64 op = index;
	__u32 rule;

	barrier_var(op);
	if (op >= GUARD_OPS)
		return 1;
	if (climb->rule[op])
		return 0;
	entry = inode_map_peek(trees_id[op], climber->dentry->d_inode, struct guard_entry);
	rule = entry ? rule_at(entry, climb->generation) : 0;
	if (!rule && climber->named & BIT(op))
		rule = climber->by_name;
	if (climb->firm)
		rule = firm_rule(rule, op);
	climb->rule[op] = rule;
	climb->distance[op] = climber->distance;
	return 0;
}

static int climb_step(__u32 index, void *context)
{
	struct climber *climber = context;
	struct dentry *dentry = climber->dentry, *parent;
	const struct guard_leaf *leaf;
	__u32 by_name = 0;

	if (inode_map_is_null(dentry))
		return 1;
	/* A directory that has just been given the name of a tree is only known by the name. */
	if (names_matter()) {
		leaf = leaf_of(dentry);
		by_name = leaf ? rule_at(&leaf->tree, climber->climb->generation) : 0;
	}
	climber->by_name = opaque(by_name);
	climber->named = opaque(named_by(by_name));
	climber->distance = index;
	bpf_loop(GUARD_OPS, climb_for_op, climber, 0);
	parent = dentry->d_parent;
	if (parent == dentry)
		return 1;
	climber->dentry = parent;
	return 0;
}

/* See AT(). Fill in the rules, going up step by step. */
__noinline int climb_up(struct climb *climb)
{
	struct climber climber = { .climb = climb };
	__u32 op;

	if (!climb)
		return 0;
	climber.dentry = AT(struct dentry, climb->dentry);
	for (op = 0; op < GUARD_OPS; op++)
		climb->rule[op] = 0;
	bpf_loop(TREE_DEPTH, climb_step, &climber, 0);
	return 0;
}

/* Finding the nearest entry in a map of trees. */
struct nearest {
	__u64 dentry;
	__u32 map_id;
	__u32 generation;
	__u32 rule;
	__u32 distance;
};

/* See AT(). Returns whether the nearest entry has no rule in this generation. */
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

/* Finding the nearest rules for one operation after the other. */
struct finding {
	struct climb *climb;
	struct nearest nearest;
	__u32 left;
	__u32 slow;
};

static int find_for_op(__u32 index, void *context)
{
	struct finding *finding = context;
	struct climb *climb = finding->climb;
	__u64 op;

	if (!take_op(&finding->left, &op))
		return 1;
	finding->nearest.map_id = trees_id[op];
	finding->slow |= find_nearest(&finding->nearest);
	climb->rule[op] = finding->nearest.rule;
	climb->distance[op] = finding->nearest.distance;
	return 0;
}

/*
 * Find the nearest rules for trees that name @ops: 0 for none, UNKNOWN if that can't be told.
 * While the policy changes, the nearest entry may have no rule yet, or none any more; and a nearer
 * directory may only be known by its name. In these cases go up step by step.
 */
static __always_inline void find_rules(struct climb *climb, __u32 ops)
{
	struct finding finding = { .climb = climb, .slow = names_matter() };

	ops &= STATE(beyond) & GUARD_ALL;
	if (!ops)
		return;
	finding.nearest.dentry = climb->dentry;
	finding.nearest.generation = climb->generation;
	finding.left = ops;
	bpf_loop(GUARD_OPS, find_for_op, &finding, 0);
	if (finding.slow)
		climb_up(climb);
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

/* The verdict of a rule on an operation: bits. */
#define DENIES	1
#define TRIED	2

/* Counts a hit if the rule denies the operation. */
__noinline int verdict_of(__u32 id, __u64 op)
{
	struct guard_rule *rule;
	int tried;

	if (!id || op >= GUARD_OPS)
		return 0;
	rule = bpf_map_lookup_elem(&rules, &id);
	/* Can't happen: a rule stays as long as any entry names it. */
	if (!rule)
		return DENIES;
	tried = rule->audit & BIT(op) ? TRIED : 0;
	if (may(rule, op))
		return tried;
	count_hit(rule->name, op);
	return tried | DENIES;
}

/* Whether a rule denies nothing to anybody, since it is audit-only. */
static __always_inline bool only_reports(__u32 id)
{
	struct guard_rule *rule = id ? bpf_map_lookup_elem(&rules, &id) : NULL;

	return rule && rule->audit && !((rule->denied | rule->only) & ~rule->audit);
}

/*
 * The rule for a tree that decides about a write that can only append: the nearest one that names
 * append or write. Sets @op to the operation of these that decides.
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
 * The rule that decides about the operation @op, or 0, or UNKNOWN. Sets @op to the operation to ask
 * the rule about: for a write that can only append, append or write.
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

#endif /* _GUARD_RULE_BPF_H */
