/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rules that hold by the last component of their path, while a change on the way to one is not followed
 * yet. Where the path leads now only the service can find out; until it has, whatever has that name is
 * decided about by the rule, if it has none of its own.
 *
 * The hook of a change counts it, GUARD_HELD in the state's "beyond", before it happens. The service
 * takes away what it has seen counted before it looked, having waited for the directory's lock, which
 * who makes the change has until it is made. So what is counted and not followed is never taken away.
 *
 * Which rules may be meant by a name the service has written into "held": those of which it is the last
 * component, as it was given or behind symbolic links. Where a link is made to lead elsewhere, the name
 * that it leads to is entered into "targets" here.
 */
#ifndef _GUARD_HOLD_BPF_H
#define _GUARD_HOLD_BPF_H

#include "judge.bpf.h"
#include "kernel.bpf.h"

/* Bytes of a link's target that are gone through. */
#define TARGET_MAX	256

/* Going through the target of a symbolic link, for its last component. */
struct target {
	__u64 link;
	__u32 begin;
	__u32 end;
	bool slash;
};

static int target_step(__u32 index, void *context)
{
	struct target *target = context;
	char byte = load_word_at(target->link + index);

	if (!byte)
		return 1;
	if (byte != '/') {
		if (target->slash)
			target->begin = index;
		target->end = index + 1;
	}
	target->slash = byte == '/';
	return 0;
}

/* A symbolic link's target, and the dentry that it is to have: their addresses. */
struct link_change {
	__u64 link;
	__u64 dentry;
};

/* See AT() and note_target(). */
__noinline int note_target_at(const struct link_change *change)
{
	struct guard_leaf_key key = {}, name = {};
	struct target target = { .slash = true };
	struct dentry *dentry;

	if (!change)
		return 0;
	target.link = change->link;
	dentry = AT(struct dentry, change->dentry);
	bpf_loop(TARGET_MAX, target_step, &target, 0);
	if (!target.end)
		return 0;
	hash_name(target.link + target.begin, target.end - target.begin, &key);
	hash_dentry(dentry, &name);
	bpf_map_update_elem(&targets, &key, &name, BPF_ANY);
	return 0;
}

/* What has the last component that @link has is, from now on, what has the name of @dentry. */
static __always_inline void note_target(const char *link, struct dentry *dentry)
{
	struct link_change change;

	change.link = (__u64)link;
	change.dentry = (__u64)dentry;
	note_target_at(&change);
}

static __always_inline const char *link_of(struct inode *inode)
{
	if (inode_map_is_null(inode) || (inode->i_mode & S_IFMT) != S_IFLNK)
		return NULL;
	return inode->i_link;
}

/* A mount that concerns the mount namespace that paths are looked up in, as far as can be told. */
static __always_inline void hold_mount(void)
{
	if (!STATE(hold) || is_confined(bpf_get_current_task_btf()))
		return;
	__sync_fetch_and_add(&state.beyond, GUARD_HELD);
	__sync_fetch_and_add(&state.mounts, 1);
}

#endif /* _GUARD_HOLD_BPF_H */
