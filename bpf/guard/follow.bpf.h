/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rules that follow a name, and executables that do: what is renamed to the name gets the rule
 * before it gets the name, so that there is no moment without. If the rename then fails, it loses
 * the rule again. Only the name counts, a directory and the last component: other hard links of a
 * guarded file are nothing to follow. A file that loses the name keeps the rule, under what other
 * names it has.
 */
#ifndef _GUARD_FOLLOW_BPF_H
#define _GUARD_FOLLOW_BPF_H

/* How often the tool can change a rule while it is being moved. */
#define FOLLOW_TRIES	4
/* How often a lock is tried that others hold for a moment. */
#define UNDO_TRIES	4

static __always_inline struct guard_leaf *find_leaf(struct inode *dir, struct dentry *dentry)
{
	const __u32 *id = inode_map_peek(subjects_id, dir, __u32);
	struct guard_leaf_key key = {};

	if (!id)
		return NULL;
	key.dir = *id;
	if (bpf_probe_read_kernel_str(key.name, sizeof(key.name), dentry->d_name.name) <= 0)
		return NULL;
	return bpf_map_lookup_elem(&leaves, &key);
}

static __always_inline bool same_entry(const struct guard_entry *a, const struct guard_entry *b)
{
	return a->generation[0] == b->generation[0] && a->generation[1] == b->generation[1] &&
	       a->rule[0] == b->rule[0] && a->rule[1] == b->rule[1];
}

/* What there is now that a move would change. */
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

/* After guard_rename, which may deny it; if not after it, then what is done here is undone. */
SEC("lsm.s/inode_rename")
int BPF_PROG(guard_follow, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	struct inode *inode = old_dentry->d_inode;
	struct guard_move_key key = {};
	struct guard_move move = {};
	struct guard_entry entry;
	struct guard_leaf *leaf;
	__u32 subject, tries;

	/* It is there, of which not every verifier is sure. */
	if (inode_map_is_null(inode) || !STATE(follows))
		return 0;
	leaf = find_leaf(new_dir, new_dentry);
	if (!leaf)
		return 0;
	remember(inode, leaf, &move);
	if (!move.moved)
		return 0;
	key.task = bpf_get_current_pid_tgid();
	key.inode = (__u64)inode;
	bpf_map_update_elem(&moves, &key, &move, BPF_ANY);

	subject = leaf->subject;
	if (subject && inode_map_update(subjects_id, inode, &subject, BPF_ANY))
		return -EPERM;
	/*
	 * The tool changes first the leaf, then the entries that it finds: so what it did not find
	 * has the leaf as it is now.
	 */
	for (tries = 0; tries < FOLLOW_TRIES && move.moved & GUARD_MOVED_RULE; tries++) {
		entry = leaf->entry;
		if (inode_map_update(files_id, inode, &entry, BPF_ANY))
			return -EPERM;
		leaf = find_leaf(new_dir, new_dentry);
		if (!leaf || same_entry(&leaf->entry, &entry))
			return 0;
	}
	return move.moved & GUARD_MOVED_RULE ? -EPERM : 0;
}

/* Give an inode the value that it had in an inode map, or none if it had none. */
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

/* Of a rename that has ended, well or not. */
static __noinline int end_move(struct inode *inode, int ret)
{
	struct guard_move_key key = {};
	struct guard_move *found, move;

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
	/* With RENAME_EXCHANGE, what was there. */
	dentry = renamed->new_dentry;
	end_move(dentry->d_inode, ret);
	return 0;
}

#endif /* _GUARD_FOLLOW_BPF_H */
