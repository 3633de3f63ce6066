/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The decision: may this task do these operations with this file? First the rule of the file itself
 * decides about each of them, if it names it; or else the nearest rule for a tree that names it; or
 * else it is allowed. What can't be told is denied.
 */
#ifndef _GUARD_JUDGE_BPF_H
#define _GUARD_JUDGE_BPF_H

#include "event.bpf.h"

/*
 * Whether a task is in a user namespace of its own: there everybody can mount what he likes where
 * an executable finds its dynamic linker and libraries.
 */
static __always_inline bool is_confined(struct task_struct *task)
{
	return task->real_cred->user_ns->level;
}

/* The executable of a task, as an id, or 0: it is in no set, or there is none. */
static __always_inline __u32 subject_of(struct task_struct *task)
{
	const __u32 *subject;
	struct file *exe;

	if (inode_map_is_null(task->mm) || is_confined(task))
		return 0;
	exe = task->mm->exe_file;
	if (inode_map_is_null(exe))
		return 0;
	subject = inode_map_peek(subjects_id, exe->f_inode, __u32);
	return subject ? *subject : 0;
}

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

static __always_inline __u32 rule_of_file(struct inode *inode, __u32 generation)
{
	const struct guard_entry *entry = inode_map_peek(files_id, inode, struct guard_entry);

	return entry ? rule_at(entry, generation) : 0;
}

/* A climb from @dentry, to the first rule that holds. */
struct climb {
	struct dentry *dentry;
	__u32 map_id;
	__u32 generation;
	__u32 rule;
	__u32 distance;
};

static int climb_step(__u32 index, void *context)
{
	struct climb *climb = context;
	struct dentry *dentry = climb->dentry;
	const struct guard_entry *entry;
	struct dentry *parent;

	if (inode_map_is_null(dentry))
		return 1;
	entry = inode_map_peek(climb->map_id, dentry->d_inode, struct guard_entry);
	if (entry) {
		climb->rule = rule_at(entry, climb->generation);
		climb->distance = index;
		if (climb->rule)
			return 1;
	}
	parent = dentry->d_parent;
	if (parent == dentry)
		return 1;
	climb->dentry = parent;
	return 0;
}

/*
 * The nearest rule for a tree that names the operation, or 0, or UNKNOWN. While the policy is being
 * changed the nearest entry may hold no rule, yet or any more: then one by one.
 */
static __noinline __u32 rule_of_tree(struct dentry *dentry, __u64 op, __u32 generation,
				     __u32 *distance)
{
	struct guard_entry entry = {};
	struct climb climb = {};
	int tries, ret = -ENOENT;

	if (op >= GUARD_OPS || !(STATE(trees) & BIT(op)))
		return 0;
	for (tries = 0; tries < TREE_TRIES; tries++) {
		ret = inode_map_read_tree(trees_id[op], dentry, &entry);
		if (ret != -EAGAIN)
			break;
	}
	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return UNKNOWN;
	*distance = ret;
	climb.rule = rule_at(&entry, generation);
	if (climb.rule)
		return climb.rule;
	climb.dentry = dentry;
	climb.map_id = trees_id[op];
	climb.generation = generation;
	bpf_loop(TREE_DEPTH, climb_step, &climb, 0);
	*distance = climb.distance;
	return climb.rule;
}

static __always_inline bool may(const struct guard_rule *rule, __u64 op)
{
	struct guard_member member = {};

	if (rule->denied & BIT(op))
		return false;
	if (!(rule->only & BIT(op)))
		return true;
	member.subject = subject_of(bpf_get_current_task_btf());
	if (!member.subject)
		return false;
	member.set = rule->set[op];
	return bpf_map_lookup_elem(&members, &member);
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
static __noinline bool rule_allows(__u32 id, __u64 op)
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

static __always_inline __u32 named_by(__u32 id)
{
	struct guard_rule *rule = id ? bpf_map_lookup_elem(&rules, &id) : NULL;

	return rule ? rule->named : 0;
}

/* What decides about a write that can only append: see judge(). Returns the rule and sets @op. */
static __noinline __u32 rule_of_append(struct dentry *dentry, __u32 generation, __u64 *op)
{
	__u32 append_distance = 0, write_distance = 0, append, write;

	append = rule_of_tree(dentry, GUARD_APPEND, generation, &append_distance);
	write = rule_of_tree(dentry, GUARD_WRITE, generation, &write_distance);
	if (append == UNKNOWN || write == UNKNOWN)
		return UNKNOWN;
	if (append && (!write || append_distance <= write_distance)) {
		*op = GUARD_APPEND;
		return append;
	}
	*op = GUARD_WRITE;
	return write;
}

/*
 * A number as it is, about which the verifier then knows nothing: or else it would go through all
 * that follows once for each that there can be.
 */
static __always_inline __u32 opaque(__u32 number)
{
	return number ^ STATE(zero);
}

/*
 * The rule that decides about one of @ops, or 0 or UNKNOWN; @op becomes the operation that the rule
 * is asked about, which for a write that can only append may be either.
 */
static __always_inline __u32 rule_for(struct dentry *dentry, __u32 own, __u32 named,
				      __u32 generation, __u64 *op)
{
	__u32 distance;

	if (named & BIT(*op))
		return own;
	if (*op != GUARD_APPEND)
		return rule_of_tree(dentry, *op, generation, &distance);
	if (named & WRITE) {
		*op = GUARD_WRITE;
		return own;
	}
	return rule_of_append(dentry, generation, op);
}

/*
 * Decide about @ops, a bit each, with the file that @inode is, at @dentry in its filesystem; @shown
 * is what an event tells of. Returns 0 or -EPERM.
 */
static __noinline int judge(struct inode *inode, struct dentry *dentry, __u32 ops,
			    struct dentry *shown)
{
	__u32 generation = STATE(generation), denied = 0, told = 0;
	__u32 own = rule_of_file(inode, generation);
	__u32 named = named_by(own), rule;
	__u64 op, index;

	for (index = 0; index < GUARD_OPS; index++) {
		if (!(ops & BIT(index)))
			continue;
		/* Write by itself, or with append if it may be either. */
		if (index == GUARD_WRITE && (ops & EITHER) == APPEND)
			continue;
		op = index;
		rule = rule_for(dentry, own, named, generation, &op);
		if (rule == UNKNOWN) {
			denied |= BIT(op);
		} else if (!rule_allows(rule, op)) {
			denied |= BIT(op);
			told = rule;
		}
	}
	denied = opaque(denied);
	if (!denied)
		return 0;
	if (STATE(watching))
		tell(shown, told, denied);
	return STATE(audit) ? 0 : -EPERM;
}

/* Whether there can be a rule for @ops with this file: for nearly all there is none. */
static __always_inline bool concerns(struct inode *inode, __u32 ops)
{
	return inode_map_peek(files_id, inode, struct guard_entry) || STATE(trees) & ops;
}

/* Decide about a file by its dentry. */
static __always_inline int guard(struct inode *inode, struct dentry *dentry, __u32 ops)
{
	if (inode_map_is_null(inode) || !concerns(inode, ops))
		return 0;
	return judge(inode, dentry, ops, dentry);
}

/* Decide about making or removing @dentry, a name in @dir. */
static __always_inline int guard_name(struct inode *dir, struct dentry *dentry)
{
	if (!concerns(dir, WRITE))
		return 0;
	return judge(dir, dentry->d_parent, WRITE, dentry);
}

#endif /* _GUARD_JUDGE_BPF_H */
