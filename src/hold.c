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
 *
 * A program that may not sleep has a worker make the entry (request.c). What holds the inode until
 * then is taken where no lock can be, that of the inode included: where there are references it is
 * one more, and where there is none the inode is not in use.
 */
#include <linux/slab.h>

#include "hold.h"
#include "super.h"

/**
 * struct inode_hold - references on an inode and its superblock
 * @inode: referenced
 * @sb: its superblock, active
 * @super: what the module keeps of that, or NULL until inode_hold_settle()
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

/**
 * inode_hold_try - inode_hold_get() for who may not sleep
 * @inode: the inode; its memory and its superblock's stay for the time of the call
 *
 * Takes no lock, and never the first reference to an inode.
 *
 * Context: where context_may_allocate().
 * Return: the hold, for inode_hold_settle(), or an ERR_PTR() as inode_hold_get().
 */
struct inode_hold *inode_hold_try(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct inode_hold *hold;

	if (inode_is_nobodys(inode) || !atomic_read(&inode->i_count))
		return ERR_PTR(-ESTALE);
	hold = kzalloc(sizeof(*hold), GFP_NOWAIT | __GFP_NOWARN);
	if (!hold)
		return ERR_PTR(-ENOMEM);
	hold->drop.release = inode_hold_drop;
	hold->sb = sb;
	if (!atomic_inc_not_zero(&sb->s_active)) {
		kfree(hold);
		return ERR_PTR(-ESTALE);
	}
	/* It may have lost its last one by now: then the hold is of the superblock only. */
	if (atomic_inc_not_zero(&inode->i_count))
		hold->inode = inode;
	return hold;
}

/**
 * inode_hold_settle - have what inode_hold_try() took dropped as inode_hold_get()'s
 * @hold: what it returned; for inode_hold_put() from then on
 *
 * Context: process; may sleep.
 * Return: the inode, or NULL: it is going away.
 */
struct inode *inode_hold_settle(struct inode_hold *hold)
{
	/* Without it there would be nobody to let go of the superblock. */
	hold->super = inode_map_super_get(hold->sb, GFP_KERNEL | __GFP_NOFAIL);
	return hold->inode;
}
