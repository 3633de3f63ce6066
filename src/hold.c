// SPDX-License-Identifier: GPL-2.0
/*
 * Holds: references that a program needs on an inode and its superblock for the time of an update.
 *
 * bpf(2) names an inode by a descriptor, which holds the inode and the mount. A program has a
 * pointer that the kernel vouches for, to an inode that may be in the middle of its eviction or
 * whose superblock may be shutting down. An update needs neither to begin before it ends: a mark
 * that is attached after fsnotify has destroyed those of the inode would stay for ever.
 *
 * The references can turn out to be the last ones, the inode's eviction and the superblock's
 * shutdown with them. A program may be called with locks of the filesystem held, so these are left
 * to a worker then. Who calls the program has references of his own, so that this is rare.
 */
#include <linux/slab.h>

#include "hold.h"
#include "super.h"

/**
 * struct inode_hold - references on an inode and its superblock
 * @inode: referenced
 * @sb: its superblock, active
 * @super: what the module keeps of that
 * @drop: drops both where that may sleep
 */
struct inode_hold {
	struct inode *inode;
	struct super_block *sb;
	struct inode_map_super *super;
	struct inode_map_release drop;
};

static void inode_hold_free(struct inode_hold *hold)
{
	inode_map_super_put(hold->super);
	kfree(hold);
}

static void inode_hold_drop(struct inode_map_release *drop)
{
	struct inode_hold *hold = container_of(drop, struct inode_hold, drop);

	if (hold->inode)
		iput(hold->inode);
	deactivate_super(hold->sb);
	inode_hold_free(hold);
}

/**
 * inode_hold_is_orphan - may the VFS have taken leave of the inode before now?
 * @hold: what inode_hold_get() returned
 *
 * fsnotify is told that an inode has been removed when the last name that is in memory goes. Who
 * holds a dentry of it has that before him. Who holds nothing but the inode may come too late.
 *
 * Context: process; does not sleep.
 * Return: whether it has no link and no name any more, so that nobody will tell.
 */
bool inode_hold_is_orphan(const struct inode_hold *hold)
{
	struct inode *inode = hold->inode;
	bool orphan;

	spin_lock(&inode->i_lock);
	orphan = !inode->i_nlink && hlist_empty(&inode->i_dentry);
	spin_unlock(&inode->i_lock);
	return orphan;
}

/**
 * inode_hold_put - drop what inode_hold_get() took
 * @hold: what it returned
 *
 * Context: process; does not sleep.
 */
void inode_hold_put(struct inode_hold *hold)
{
	if (hold->inode && atomic_add_unless(&hold->inode->i_count, -1, 1))
		hold->inode = NULL;
	if (!hold->inode && atomic_add_unless(&hold->sb->s_active, -1, 1)) {
		inode_hold_free(hold);
		return;
	}
	inode_map_super_release(hold->super, &hold->drop);
}

/*
 * The inode has not begun, or has ended. It may be a new one that a security module has refused, of
 * whose end fsnotify is not told. Or it has been evicted: then nothing is taken for it, lest ours
 * be the last reference to a superblock that is being unmounted. One that can be used has a name,
 * or is in the list of its superblock's inodes (on some internal mounts none is).
 */
static bool inode_is_nobodys(const struct inode *inode)
{
	return list_empty(&inode->i_sb_list) && hlist_empty(&inode->i_dentry);
}

/**
 * inode_hold_get - keep an inode and its superblock from going away
 * @inode: the inode; its memory and its superblock's stay for the time of the call
 * @gfp: for the memory of the hold
 *
 * Context: process; may sleep.
 * Return: the hold, for inode_hold_put(), or an ERR_PTR(): -ENOMEM; -ESTALE when the inode or its
 * superblock is going away at this moment, or the inode has never begun.
 */
struct inode_hold *inode_hold_get(struct inode *inode, gfp_t gfp)
{
	struct super_block *sb = inode->i_sb;
	struct inode_hold *hold;

	if (inode_is_nobodys(inode))
		return ERR_PTR(-ESTALE);
	hold = kmalloc(sizeof(*hold), gfp);
	if (!hold)
		return ERR_PTR(-ENOMEM);
	hold->super = inode_map_super_get(sb, gfp);
	if (!hold->super) {
		kfree(hold);
		return ERR_PTR(-ENOMEM);
	}
	hold->drop.release = inode_hold_drop;
	hold->sb = sb;
	if (!atomic_inc_not_zero(&sb->s_active))
		goto err_free;
	hold->inode = igrab(inode);
	if (!hold->inode)
		goto err_sb;
	return hold;

err_sb:
	inode_hold_put(hold);
	return ERR_PTR(-ESTALE);
err_free:
	inode_hold_free(hold);
	return ERR_PTR(-ESTALE);
}
