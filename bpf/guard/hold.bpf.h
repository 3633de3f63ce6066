/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules that hold by the last component of their path while a change on the way is not followed
 * yet. Only the service can find out where the path leads now. Until it has, the rule decides
 * about any file with that name that has no rule of its own.
 *
 * The hook of a change counts it, as GUARD_HELD in @beyond of the state, before it happens. The
 * service reads the count, waits for the lock of the directory, which the task that makes the
 * change holds until it is made, looks up the paths, and subtracts what it had read. So it never
 * subtracts a change that it has not followed.
 *
 * The service writes into "held" which rules a name can stand for: those with this last component,
 * as given or behind symbolic links. When a link is made to lead elsewhere, the programs enter the
 * name that it leads to into "targets".
 */
#ifndef _GUARD_HOLD_BPF_H
#define _GUARD_HOLD_BPF_H

#include "judge.bpf.h"
#include "kernel.bpf.h"

/* Maximum length of a link's target that is searched, in bytes. */
#define TARGET_MAX	256

/* Searching the target of a symbolic link for its last component. */
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

/* The addresses of a symbolic link's target and of the dentry that it is to be at. */
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

/* From now on, the last component of @link stands for the name of @dentry, too. */
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

/* Count a mount, unless it can't be in the mount namespace in which paths are looked up. */
static __always_inline void hold_mount(void)
{
	if (!STATE(hold) || is_confined(bpf_get_current_task_btf()))
		return;
	__sync_fetch_and_add(&state.beyond, GUARD_HELD);
	__sync_fetch_and_add(&state.mounts, 1);
}

#endif /* _GUARD_HOLD_BPF_H */
