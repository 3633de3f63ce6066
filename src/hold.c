// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds: the references on an inode and its superblock that a program needs during an update.
 *
 * bpf(2) names an inode by a descriptor, which holds the inode and the mount. A program has a
 * pointer that the kernel vouches for, but the inode may be in the middle of its eviction, or its
 * superblock may be shutting down. Neither may begin before an update ends: a mark that is attached
 * after fsnotify has destroyed those of the inode would stay forever.
 *
 * A hold may turn out to have the last references, and dropping them evicts the inode and shuts the
 * superblock down. The program may run with locks of the filesystem held, so a worker does that
 * (super.c). It is rare: the caller of the program has references of its own. remark.c holds
 * inodes in the same way.
 *
 * A program that may not sleep has a worker make the entry (request.c). It takes its hold where no
 * lock can be taken, not even the inode's: if the inode has references it gets one more, and if it
 * has none it is not in use.
 *
 * Locks: inode->i_lock, and supers_lock in super.c; inode_map_hold_try() takes none. Callers hold
 * none.
 */
#include <linux/atomic.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "hold.h"
#include "super.h"

/**
 * struct inode_map_hold - references on an inode and its superblock
 * @inode: the inode, referenced (i_count), or NULL
 * @sb: its superblock, with an active reference (s_active)
 * @super: what the module keeps of the superblock, with a reference; NULL between
 *	inode_map_hold_try() and inode_map_hold_settle()
 * @drop: drops all of them where that may sleep
 *
 * A hold belongs to one task at a time, and needs no lock. inode_map_hold_put() frees it, or @drop
 * does.
 */
struct inode_map_hold {
	struct inode *inode;
	struct super_block *sb;
	struct inode_map_super *super;
	struct inode_map_release drop;
};

static void hold_free(struct inode_map_hold *hold)
{
	inode_map_super_put(hold->super);
	kfree(hold);
}

static void hold_drop(struct inode_map_release *drop)
{
	struct inode_map_hold *hold = container_of(drop, struct inode_map_hold, drop);

	if (hold->inode)
		iput(hold->inode);
	deactivate_super(hold->sb);
	hold_free(hold);
}

/**
 * inode_map_hold_is_orphan - may it be too late for fsnotify to tell that the inode is removed?
 * @hold: what inode_map_hold_get() returned
 *
 * fsnotify is told that an inode has been removed when its last name in memory goes. That can't
 * have happened yet to a task that holds a dentry of it, but it can to one that holds only the
 * inode.
 *
 * Context: process; does not sleep.
 * Return: true if the inode has no link and no name any more, so that fsnotify will not be told.
 */
bool inode_map_hold_is_orphan(const struct inode_map_hold *hold)
{
	struct inode *inode = hold->inode;
	bool orphan;

	spin_lock(&inode->i_lock);
	orphan = !inode->i_nlink && hlist_empty(&inode->i_dentry);
	spin_unlock(&inode->i_lock);
	return orphan;
}

/**
 * inode_map_hold_put - drop a hold
 * @hold: what inode_map_hold_get() returned, or inode_map_hold_settle() was given
 *
 * Context: process; does not sleep.
 */
void inode_map_hold_put(struct inode_map_hold *hold)
{
	if (hold->inode && atomic_add_unless(&hold->inode->i_count, -1, 1))
		hold->inode = NULL;
	if (!hold->inode && atomic_add_unless(&hold->sb->s_active, -1, 1)) {
		hold_free(hold);
		return;
	}
	inode_map_super_release(hold->super, &hold->drop);
}

/*
 * The inode is not in use yet, or no longer. A new one may have been refused by a security module:
 * fsnotify is not told when it ends. Or it has been evicted: then take no reference, which could be
 * the last one to a superblock that is being unmounted. An inode in use has a name or is in the
 * list of its superblock's inodes (on some internal mounts none is).
 */
static bool is_unused(const struct inode *inode)
{
	return list_empty(&inode->i_sb_list) && hlist_empty(&inode->i_dentry);
}

/**
 * inode_map_hold_get - keep an inode and its superblock from going away
 * @inode: the inode; its memory and its superblock's stay valid during the call
 * @gfp: for the memory of the hold
 *
 * Context: process; may sleep.
 * Return: the hold, for inode_map_hold_put(), or an ERR_PTR(): -ENOMEM; -ESTALE if the inode or its
 * superblock is going away at this moment, or the inode has never been in use.
 */
struct inode_map_hold *inode_map_hold_get(struct inode *inode, gfp_t gfp)
{
	struct super_block *sb = inode->i_sb;
	struct inode_map_hold *hold;

	if (is_unused(inode))
		return ERR_PTR(-ESTALE);
	hold = kmalloc(sizeof(*hold), gfp);
	if (!hold)
		return ERR_PTR(-ENOMEM);
	hold->super = inode_map_super_get(sb, gfp);
	if (!hold->super) {
		kfree(hold);
		return ERR_PTR(-ENOMEM);
	}
	hold->drop.release = hold_drop;
	hold->sb = sb;
	if (!atomic_inc_not_zero(&sb->s_active))
		goto err_free;
	hold->inode = igrab(inode);
	if (!hold->inode)
		goto err_sb;
	return hold;

err_sb:
	inode_map_hold_put(hold);
	return ERR_PTR(-ESTALE);
err_free:
	hold_free(hold);
	return ERR_PTR(-ESTALE);
}

/**
 * inode_map_hold_try - inode_map_hold_get() for contexts that may not sleep
 * @inode: the inode; its memory and its superblock's stay valid during the call
 *
 * Takes no lock, and never the first reference to an inode.
 *
 * Context: where inode_map_may_alloc().
 * Return: the hold, for inode_map_hold_settle(), or an ERR_PTR() as inode_map_hold_get().
 */
struct inode_map_hold *inode_map_hold_try(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct inode_map_hold *hold;

	if (is_unused(inode) || !atomic_read(&inode->i_count))
		return ERR_PTR(-ESTALE);
	hold = kzalloc(sizeof(*hold), GFP_NOWAIT | __GFP_NOWARN);
	if (!hold)
		return ERR_PTR(-ENOMEM);
	hold->drop.release = hold_drop;
	hold->sb = sb;
	if (!atomic_inc_not_zero(&sb->s_active)) {
		kfree(hold);
		return ERR_PTR(-ESTALE);
	}
	/* The inode may have lost its last one by now: then hold the superblock only. */
	if (atomic_inc_not_zero(&inode->i_count))
		hold->inode = inode;
	return hold;
}

/**
 * inode_map_hold_settle - make a hold of inode_map_hold_try() like one of inode_map_hold_get()
 * @hold: the hold; for inode_map_hold_put() from then on
 *
 * Context: process; may sleep.
 * Return: the inode, or NULL if it is going away.
 */
struct inode *inode_map_hold_settle(struct inode_map_hold *hold)
{
	might_sleep();
	/* It can't fail: there would be no worker to drop the superblock. */
	hold->super = inode_map_super_get(hold->sb, GFP_KERNEL | __GFP_NOFAIL);
	return hold->inode;
}
