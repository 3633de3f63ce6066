/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules for names, and executables known by name: a file at the name has them before its first use.
 *
 *   - A file that is renamed or linked to the name gets the rule before it has the name. If the
 *     operation then fails, the file loses the rule again (struct guard_move).
 *   - A file that is made there can't have a rule before it exists. Its name is in "fresh" before
 *     that, and decisions look up the name, too (name.bpf.h), until a sleepable program sees the
 *     inode and gives it the rule: settle(), normally in the open(2) that made it.
 *
 * Only the name counts, a directory and the last component: other hard links of a guarded file are
 * not followed. A file that loses the name keeps the rule under its other names. A file with
 * another rule of its own can't be given the name: that could be used to take its rule from it.
 *
 * An audit-only rule prevents nothing: a file that has another rule keeps that and goes without it,
 * and a file that has an audit-only rule loses that for the name's.
 */
#ifndef _GUARD_FOLLOW_BPF_H
#define _GUARD_FOLLOW_BPF_H

#include "hold.bpf.h"
#include "kernel.bpf.h"

/* Attempts to give a rule that the tool changes at the same time. */
#define FOLLOW_TRIES	4
/* Attempts to undo while others hold a lock, which they do for a moment. */
#define UNDO_TRIES	4

static __always_inline bool same_entry(const struct guard_entry *a, const struct guard_entry *b)
{
	return a->generation[0] == b->generation[0] && a->generation[1] == b->generation[1] &&
	       a->rule[0] == b->rule[0] && a->rule[1] == b->rule[1];
}

/* Whether two rules say the same. */
static __noinline bool same_rule(__u32 one, __u32 other)
{
	const struct guard_rule *a, *b;
	int op;

	if (one == other)
		return true;
	a = bpf_map_lookup_elem(&rules, &one);
	b = bpf_map_lookup_elem(&rules, &other);
	if (!a || !b || a->named != b->named || a->denied != b->denied || a->only != b->only ||
	    a->audit != b->audit)
		return false;
	for (op = 0; op < GUARD_OPS; op++)
		if (a->set[op] != b->set[op])
			return false;
	return true;
}

/* Giving an inode what a name has */

/*
 * Give an inode the rule of a name. The tool changes the leaf first, then the entries that it
 * finds. It may not find this one, so read the leaf again until both agree. Returns 0 or -EPERM.
 */
static __always_inline int give_rule(struct inode *inode, struct inode *dir, struct dentry *dentry,
				     struct guard_leaf *leaf)
{
	struct guard_entry entry;
	__u32 tries;

	for (tries = 0; tries < FOLLOW_TRIES; tries++) {
		entry = leaf->entry;
		if (inode_map_update(files_id, inode, &entry, BPF_ANY))
			return -EPERM;
		leaf = find_leaf(dir, dentry);
		if (!leaf || same_entry(&leaf->entry, &entry))
			return 0;
	}
	return -EPERM;
}

/*
 * Whether an inode has an entry for a tree that stays: the same rule, one that is not audit-only,
 * or one that the tool is about to put in force. What is left of a rule that was removed does not
 * stay.
 */
static __always_inline bool has_tree(struct inode *inode, __u32 op, __u32 rule, __u32 generation)
{
	const struct guard_entry *entry = inode_map_peek(trees_id[op], inode, struct guard_entry);
	__u32 own;

	if (!entry)
		return false;
	own = opaque(rule_at(entry, generation));
	if (!own)
		return entry->generation[0] > generation || entry->generation[1] > generation;
	return own == rule || !is_tried(own, op);
}

/* Gives the rule for a tree for one operation after the other. */
struct giving {
	struct inode *inode;
	struct guard_entry entry;
	__u32 generation;
	__u32 rule;
	__u32 left;
	__u32 given;
	__u32 failed;
};

static int give_for_op(__u32 index, void *context)
{
	struct giving *giving = context;
	__u64 op;

	if (!take_op(&giving->left, &op))
		return 1;
	if (has_tree(giving->inode, op, giving->rule, giving->generation))
		return 0;
	if (inode_map_update(trees_id[op], giving->inode, &giving->entry, BPF_ANY)) {
		giving->failed = true;
		return 1;
	}
	giving->given |= BIT(op);
	return 0;
}

/* Give an inode the rule for a tree, for each operation that it names. Returns which, or -1. */
static __noinline int give_tree(struct inode *inode, const struct guard_leaf *leaf)
{
	struct giving giving = { .inode = inode, .entry = leaf->tree };

	giving.generation = STATE(generation);
	giving.rule = opaque(rule_at(&leaf->tree, giving.generation));
	giving.left = opaque(named_by(giving.rule));
	bpf_loop(GUARD_OPS, give_for_op, &giving, 0);
	return giving.failed ? -1 : giving.given;
}

/*
 * A name is about to change: tell the service if the path of a rule goes through it. If the ring
 * buffer is full, the service sees by the count that it missed something. @link is the target of
 * the symbolic link that comes to be at the name, or NULL.
 */
static __noinline int note_leaf(const struct guard_leaf_key *key, const struct guard_leaf *leaf,
				struct dentry *dentry, const char *link)
{
	struct guard_leaf_key *told;

	if (!leaf->watch)
		return 0;
	if (STATE(hold)) {
		if (link)
			note_target(link, dentry);
		__sync_fetch_and_add(&state.beyond, GUARD_HELD);
	}
	__sync_fetch_and_add(&state.changes, 1);
	told = bpf_ringbuf_reserve(&changes, sizeof(*told), 0);
	if (!told)
		return 0;
	*told = *key;
	bpf_ringbuf_submit(told, 0);
	return 0;
}

static __noinline int note_change(struct inode *dir, struct dentry *dentry, const char *link)
{
	struct guard_leaf_key key = {};
	struct guard_leaf *leaf;

	if (!leaf_key(dir, dentry, &key))
		return 0;
	leaf = bpf_map_lookup_elem(&leaves, &key);
	if (leaf)
		note_leaf(&key, leaf, dentry, link);
	return 0;
}

static __always_inline void note(struct inode *dir, struct dentry *dentry, const char *link)
{
	if (STATE(follows))
		note_change(dir, dentry, link);
}

/* Making something at the name */

/* From now on decisions look up names as well. */
static __always_inline void expect(const struct guard_leaf_key *key)
{
	__u32 one = 1;

	if (!bpf_map_update_elem(&fresh, key, &one, BPF_NOEXIST))
		__sync_fetch_and_add(&state.beyond, GUARD_FRESH);
}

static __always_inline void expect_no_more(struct inode *dir, struct dentry *dentry)
{
	struct guard_leaf_key key = {};

	if (leaf_key(dir, dentry, &key) && !bpf_map_delete_elem(&fresh, &key))
		__sync_fetch_and_add(&state.beyond, -GUARD_FRESH);
}

/* Decide by a name's rule about a file that is about to get the name. */
static __noinline int guard_leaf(struct inode *dir, struct dentry *dentry)
{
	const struct guard_leaf *leaf = find_leaf(dir, dentry);

	return leaf ? judge_leaf(leaf, dentry) : 0;
}

/* Decide likewise about making a file at a name. If it may be made, expect it. */
static __noinline int guard_new_leaf(struct inode *dir, struct dentry *dentry, const char *link)
{
	struct guard_leaf_key key = {};
	const struct guard_leaf *leaf;

	if (!leaf_key(dir, dentry, &key))
		return 0;
	leaf = bpf_map_lookup_elem(&leaves, &key);
	if (!leaf)
		return 0;
	if (!is_kernels_node() && judge_leaf(leaf, dentry))
		return -EPERM;
	expect(&key);
	note_leaf(&key, leaf, dentry, link);
	return 0;
}

/* Decide about a new name; @link as in note_leaf(). */
static __always_inline int guard_new_name(struct inode *dir, struct dentry *dentry,
					  const char *link)
{
	int ret = guard_name(dir, dentry);

	if (ret || !STATE(follows))
		return ret;
	return guard_new_leaf(dir, dentry, link);
}

/* Give the inode that now is at a name in "fresh" what the name has. */
static __noinline int settle_leaf(struct inode *inode, struct inode *dir, struct dentry *dentry)
{
	struct guard_leaf *leaf = find_leaf(dir, dentry);
	__u32 generation = STATE(generation), subject;

	if (!leaf)
		return 0;
	if (rule_at(&leaf->entry, generation) && !rule_of_inode(inode, generation) &&
	    give_rule(inode, dir, dentry, leaf))
		return 0;
	leaf = find_leaf(dir, dentry);
	if (!leaf || give_tree(inode, leaf) < 0)
		return 0;
	subject = leaf->subject;
	if (subject && !inode_map_peek(subjects_id, inode, __u32) &&
	    inode_map_update(subjects_id, inode, &subject, BPF_ANY))
		return 0;
	expect_no_more(dir, dentry);
	return 0;
}

/* Likewise for an inode that is being used, by its dentry. */
static __noinline int settle(struct inode *inode, struct dentry *dentry)
{
	struct dentry *parent;

	if (inode_map_is_null(dentry) || inode_map_is_null(dentry->d_hash.pprev))
		return 0;
	parent = dentry->d_parent;
	return settle_leaf(inode, parent->d_inode, dentry);
}

/* Likewise for the directory in which a name is being made. */
static __always_inline void settle_dir(struct inode *dir, struct dentry *dentry)
{
	if (names_matter())
		settle(dir, dentry->d_parent);
}

/*
 * Names are compared byte by byte, which is wrong where case does not count. The tool makes no
 * rule for a name in such a directory, and a directory with names that have rules must not become
 * one, which it could while it is empty. Only filesystems with a comparison of their own matter;
 * the flags are not checked, since the caller can change them meanwhile.
 */
static __always_inline int guard_case(struct inode *dir, struct dentry *dentry)
{
	if (!STATE(follows) || inode_map_is_null(dir) || inode_map_is_null(dentry))
		return 0;
	if ((dir->i_mode & S_IFMT) != S_IFDIR || !(dentry->d_flags & DCACHE_OP_COMPARE) ||
	    !inode_map_peek(subjects_id, dir, __u32))
		return 0;
	if (STATE(watching))
		tell(dentry, 0, ATTR, 0, 0, false);
	return STATE(audit) ? 0 : -EPERM;
}

/* Renaming and linking */

/* Record what a move would change. */
static __always_inline void remember(struct inode *inode, const struct guard_leaf *leaf,
				     struct guard_move *move)
{
	if (rule_at(&leaf->entry, STATE(generation))) {
		move->moved |= GUARD_MOVED_RULE;
		if (!inode_map_read(files_id, inode, &move->entry))
			move->moved |= GUARD_HAD_RULE;
	}
	if (leaf->subject) {
		move->moved |= GUARD_MOVED_SUBJECT;
		if (!inode_map_read(subjects_id, inode, &move->subject))
			move->moved |= GUARD_HAD_SUBJECT;
	}
}

/* Whether an inode has another rule of its own that it would lose, and that is not audit-only. */
static __always_inline bool has_another(const struct guard_move *move,
					const struct guard_leaf *leaf)
{
	__u32 generation = STATE(generation), own;

	if (!(move->moved & GUARD_HAD_RULE))
		return false;
	own = rule_at(&move->entry, generation);
	return own && !same_rule(own, rule_at(&leaf->entry, generation)) && !only_reports(own);
}

/* What to return for a move when the rule of its name can't be given. */
static __always_inline int refuse_move(__u32 rule)
{
	return STATE(audit) || only_reports(rule) ? 0 : -EPERM;
}

/*
 * @inode is about to get the name @dentry in @dir. Runs after the hooks that may deny that; if a
 * later one does, end_move() undoes what is done here.
 */
static __noinline int follow(struct inode *inode, struct inode *dir, struct dentry *dentry)
{
	struct guard_move_key key = {};
	struct guard_move move = {};
	struct guard_leaf *leaf;
	__u32 subject, rule;
	int given;

	leaf = find_leaf(dir, dentry);
	if (!leaf)
		return 0;
	remember(inode, leaf, &move);
	rule = opaque(rule_at(&leaf->entry, STATE(generation)));
	if (has_another(&move, leaf)) {
		if (refuse_move(rule))
			return -EPERM;
		/* It still gets the rest of what the name has. */
		move.moved &= ~GUARD_MOVED_RULE;
	}
	key.task = bpf_get_current_pid_tgid();
	key.inode = (__u64)inode;
	bpf_map_update_elem(&moves, &key, &move, BPF_ANY);

	subject = leaf->subject;
	if (subject && inode_map_update(subjects_id, inode, &subject, BPF_ANY))
		return -EPERM;
	if (move.moved & GUARD_MOVED_RULE && give_rule(inode, dir, dentry, leaf) &&
	    refuse_move(rule))
		return -EPERM;
	leaf = find_leaf(dir, dentry);
	given = leaf ? give_tree(inode, leaf) : 0;
	if (given < 0)
		return -EPERM;
	if (given) {
		move.trees = given;
		bpf_map_update_elem(&moves, &key, &move, BPF_ANY);
	}
	return 0;
}

SEC("lsm.s/inode_rename")
int BPF_PROG(guard_follow, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	struct inode *inode = old_dentry->d_inode;

	/* It is never NULL, but not every verifier knows that. */
	if (inode_map_is_null(inode) || !STATE(follows))
		return 0;
	/* Give it what its old name has, before it leaves that name. */
	if (names_matter())
		settle(inode, old_dentry);
	return follow(inode, new_dir, new_dentry);
}

SEC("lsm.s/path_link")
int BPF_PROG(guard_follow_link, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry)
{
	struct inode *inode = old_dentry->d_inode;
	struct dentry *parent;

	if (inode_map_is_null(inode) || !STATE(follows))
		return 0;
	if (names_matter())
		settle(inode, old_dentry);
	parent = new_dir->dentry;
	return guard_leaf(parent->d_inode, new_dentry) ?:
	       follow(inode, parent->d_inode, new_dentry);
}

/* Refuse a link to a name if the inode does not have the rule of the name. */
static __noinline int check_linked(struct inode *inode, struct inode *dir, struct dentry *dentry)
{
	const struct guard_leaf *leaf = find_leaf(dir, dentry);
	__u32 generation = STATE(generation), rule;

	rule = leaf ? rule_at(&leaf->entry, generation) : 0;
	if (!rule || same_rule(rule, rule_of_inode(inode, generation)))
		return 0;
	return refuse_move(rule);
}

/* Restore the value that an inode had in an inode map, or delete it if there was none. */
static __always_inline void undo(__u32 map_id, struct inode *inode, void *value, __u32 size,
				 bool had)
{
	__u32 tries;
	int ret;

	for (tries = 0; tries < UNDO_TRIES; tries++) {
		if (had)
			ret = bpf_inode_map_replace(map_id, inode, value, size);
		else
			ret = inode_map_delete(map_id, inode);
		if (ret != -EBUSY)
			return;
	}
}

/* A rename or link has ended: if it failed, undo what was done for it. */
static __noinline int end_move(struct inode *inode, int ret)
{
	struct guard_move_key key = {};
	struct guard_move *found, move;
	__u32 op;

	key.task = bpf_get_current_pid_tgid();
	key.inode = (__u64)inode;
	found = bpf_map_lookup_elem(&moves, &key);
	if (!found)
		return 0;
	move = *found;
	bpf_map_delete_elem(&moves, &key);
	if (!ret)
		return 0;
	if (move.moved & GUARD_MOVED_RULE)
		undo(files_id, inode, &move.entry, sizeof(move.entry),
		     move.moved & GUARD_HAD_RULE);
	if (move.moved & GUARD_MOVED_SUBJECT)
		undo(subjects_id, inode, &move.subject, sizeof(move.subject),
		     move.moved & GUARD_HAD_SUBJECT);
	for (op = 0; op < GUARD_OPS; op++)
		if (move.trees & BIT(op))
			inode_map_delete(trees_id[op], inode);
	return 0;
}

SEC("fexit/vfs_rename")
int BPF_PROG(guard_renamed, struct renamedata *renamed, int ret)
{
	struct dentry *dentry;

	if (!STATE(follows))
		return 0;
	dentry = renamed->old_dentry;
	end_move(dentry->d_inode, ret);
	/* With RENAME_EXCHANGE, the file that was at the new name. */
	dentry = renamed->new_dentry;
	end_move(dentry->d_inode, ret);
	return 0;
}

SEC("fexit/vfs_link")
int BPF_PROG(guard_linked, struct dentry *old_dentry, struct mnt_idmap *idmap, struct inode *dir,
	     struct dentry *new_dentry, struct inode **delegated, int ret)
{
	if (STATE(follows))
		end_move(old_dentry->d_inode, ret);
	return 0;
}

#endif /* _GUARD_FOLLOW_BPF_H */
