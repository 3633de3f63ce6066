// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of an inode: its entries leave all maps.
 *
 * fsnotify calls addon_freeing() when it destroys the mark of an addon, or anchor_freeing() for its
 * anchor, in process context with none of its locks held, whether or not the addon has users:
 *
 *   last link and last user gone    from the last dput(), inode still referenced by the caller
 *   eviction (not kept)             from destroy_inode(): the inode can't be found any more
 *   superblock shutdown             before the check for busy inodes
 *
 * Some kernels call them for inodes that live on, too: then the addon gets another mark (remark.c).
 *
 * Locks: addon->lock, with the lock of one map after the other inside (table.c). Nothing is
 * released under them.
 */
#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "addon.h"
#include "anchor.h"
#include "compat.h"
#include "end.h"
#include "entry.h"
#include "mark.h"
#include "reason.h"
#include "remark.h"
#include "table.h"

/* Why the inode ends, which fsnotify does not say. fsnotify's caller holds the inode. */
static enum inode_map_reason end_reason(const struct inode_map_addon *addon)
{
	/*
	 * No active reference to the superblock is left and none can be taken: it is shutting down.
	 * SB_ACTIVE is cleared too late: after names are gone, and on 7.x after fsnotify's marks.
	 */
	if (!atomic_read(&addon->inode->i_sb->s_active))
		return INODE_MAP_UNMOUNTED;
	if (inode_state_read_once(addon->inode) & I_FREEING)
		return INODE_MAP_EVICTED;
	return INODE_MAP_UNLINKED;
}

/*
 * Take the entries of a locked addon out of their maps. Put those that the caller has to release on
 * the list @gone, and return their number.
 */
static unsigned int addon_unlink_all(struct inode_map_addon *addon, struct hlist_head *gone)
{
	struct inode_map_entry *entry;
	struct hlist_node *next;
	unsigned int nr = 0;

	lockdep_assert_held(&addon->lock);
	addon->dead = true;
	hlist_for_each_entry_safe(entry, next, &addon->entries, in_addon) {
		/* If a program has ended the entry, a worker will release it. */
		if (!inode_map_unlink(entry, end_reason(addon)))
			continue;
		hlist_add_head(&entry->in_addon, gone);
		nr++;
	}
	return nr;
}

/*
 * End an addon that has no mark but its own, in fsnotify's callback for that mark. This needs no
 * worker and does not sleep: fsnotify has taken the mark off the inode already, and holds a
 * reference to it until the callback returns, so that the users' reference is not the last one.
 * Returns false, and does nothing, if the addon has a pin or an anchor.
 */
static bool addon_die_with_mark(struct inode_map_addon *addon)
{
	struct inode_map_entry *entry;
	struct hlist_node *next;
	HLIST_HEAD(gone);
	unsigned int nr;

	spin_lock(&addon->lock);
	if (addon->pin || addon->anchor) {
		spin_unlock(&addon->lock);
		return false;
	}
	nr = addon_unlink_all(addon, &gone);
	/* A task that attaches a pin from here on is a user, and will drop the pin. */
	hlist_for_each_entry(entry, &gone, in_addon)
		addon->pinned_users -= entry->pinned;
	spin_unlock(&addon->lock);

	hlist_for_each_entry_safe(entry, next, &gone, in_addon)
		inode_map_entry_retire(entry);
	if (nr && refcount_sub_and_test(nr, &addon->users))
		inode_map_mark_put(&addon->mark);
	return true;
}

/*
 * Take every entry of an addon out of its map; none can be added from then on. Does not sleep. If
 * there are entries, the caller keeps the inode in memory.
 */
static void addon_die(struct inode_map_addon *addon)
{
	struct inode_map_entry *entry;
	struct hlist_node *next;
	HLIST_HEAD(gone);

	spin_lock(&addon->lock);
	addon_unlink_all(addon, &gone);
	spin_unlock(&addon->lock);

	hlist_for_each_entry_safe(entry, next, &gone, in_addon)
		inode_map_entry_release(entry);
}

/*
 * fsnotify is destroying the addon's own mark. Either the inode ends, and fsnotify's caller holds
 * it; or it lives on (remark.c); or the addon has no user left, and thus no entry, and the inode
 * may be gone.
 */
static void addon_freeing(struct fsnotify_mark *fsn, struct fsnotify_group *group)
{
	struct inode_map_mark *mark = inode_map_mark_of(fsn);
	struct inode_map_addon *addon = inode_map_addon_of(mark);

	if (!inode_map_remark(addon, mark) && !addon_die_with_mark(addon))
		addon_die(addon);
}

/* Likewise the addon's anchor, which it has instead of its own mark. */
static void anchor_freeing(struct fsnotify_mark *fsn, struct fsnotify_group *group)
{
	struct inode_map_mark *mark = inode_map_mark_of(fsn);
	struct inode_map_addon *addon = inode_map_anchor_of(mark)->addon;

	if (!inode_map_remark(addon, mark))
		addon_die(addon);
}

/**
 * inode_map_end_everywhere - take an inode out of every map
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 */
void inode_map_end_everywhere(struct inode *inode)
{
	struct inode_map_addon *addon = inode_map_addon_find(inode);

	might_sleep();
	if (!addon)
		return;
	addon_die(addon);
	inode_map_addon_release(addon);
}

/**
 * inode_map_end_init - prepare for addons and for their end
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_end_init(void)
{
	int err;

	err = inode_map_addon_init(addon_freeing);
	if (err)
		return err;
	err = inode_map_remark_init(addon_die);
	if (err)
		goto err_addon;
	err = inode_map_anchor_init(anchor_freeing);
	if (err)
		goto err_remark;
	return 0;

err_remark:
	inode_map_remark_exit();
err_addon:
	inode_map_addon_exit();
	return err;
}

/**
 * inode_map_end_exit - wait until the last addon is gone
 *
 * No map may exist any more.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_end_exit(void)
{
	inode_map_remark_exit();
	inode_map_anchor_exit();
	inode_map_addon_exit();
}
