// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addons whose mark fsnotify destroys although their inode lives on.
 *
 * When the last link of an inode goes, the VFS tells fsnotify that the inode is gone, and fsnotify
 * destroys its marks. Kernels before "fsnotify: call fsnotify_inoderemove() only once when inode is
 * dead" tell it for each name that leaves the dentry cache, even while another name of the inode is
 * cached: a file with two names that is open by one of them when both are unlinked lives on without
 * marks. Nothing that a module is built against tells these kernels apart, and nothing needs to: an
 * inode that has a name in memory, is not being freed and whose superblock is active is not dead.
 *
 * The marks of such an inode are lost, and fsnotify's callback can't attach another: the inode's
 * connector, which lists the marks, goes with them, after the callback has returned. So the
 * callback reprieves the addon, with inode_map_remark(), and a worker gives it another mark, the
 * anchor, which takes over from the addon's own mark. The worker does so as soon as the inode has
 * dropped the old connector. Until then
 *
 *   - the reprieve holds references to the inode and its superblock, so that neither goes away,
 *   - programs look into maps for every inode, whether or not it has the bit: see
 *     inode_map_in_any(). They do so until those that saw the bit cleared are done, a grace period
 *     of both kinds after the anchor was attached,
 *   - tasks that want to add an entry for the inode wait.
 *
 * Meanwhile fsnotify reports no event of the inode. So once the anchor is attached, the worker
 * checks whether the inode has lost its last name, and ends the addon if so.
 *
 *   inode_map_remark()   end.c calls it in fsnotify's callbacks, process context
 *   remark_work()        the worker, one for each reprieve
 *
 * Locks: addon->lock, or inode->i_lock alone; nothing sleeps under them. anchor.c takes its own.
 */
#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "addon.h"
#include "anchor.h"
#include "compat.h"
#include "hold.h"
#include "mark.h"
#include "remark.h"

/**
 * struct inode_map_remark - a reprieve: a request for an anchor for an addon
 * @work: attaches the anchor. Queues itself until it has done so, and then frees the reprieve
 * @due: tells others that the inode's addon is about to get the anchor (anchor.c)
 * @hold: keeps the inode and its superblock. Never changes
 * @addon: the addon, of which this is a weak user. Never changes
 * @connector: the connector of the mark that fsnotify destroyed: the inode has to drop it before
 *	another mark can be attached. Under addon->lock. Only compared; not reused while the addon
 *	has the mark
 * @again: fsnotify has destroyed the anchor that was attached last, too. Under addon->lock
 */
struct inode_map_remark {
	struct delayed_work work;
	struct inode_map_due due;
	struct inode_map_hold *hold;
	struct inode_map_addon *addon;
	const struct fsnotify_mark_connector *connector;
	bool again;
};

/* Its work may sleep while a filesystem evicts an inode, and for grace periods. */
static struct workqueue_struct *remark_wq __ro_after_init;
#define REMARK_DELAY	1

/* Takes the entries of an addon out of their maps: see inode_map_remark_init(). */
static void (*remark_die)(struct inode_map_addon *addon) __ro_after_init;

/* Whether the inode lives, although fsnotify is told otherwise. The caller keeps it in memory. */
static bool is_named(struct inode *inode)
{
	bool has_name;

	spin_lock(&inode->i_lock);
	has_name = !hlist_empty(&inode->i_dentry);
	spin_unlock(&inode->i_lock);
	return has_name;
}

/* Must not fail for lack of memory: the entries would be lost. NULL if the inode is going away. */
static struct inode_map_remark *remark_alloc(struct inode_map_addon *addon)
{
	struct inode_map_remark *remark;
	struct inode_map_hold *hold;
	unsigned int nofs;

	/* The caller may be reclaim, or hold locks of the filesystem. */
	nofs = memalloc_nofs_save();
	hold = inode_map_hold_get(addon->inode, GFP_KERNEL | __GFP_NOFAIL);
	/* If this failed, the inode is going away after all. */
	remark = IS_ERR(hold) ? NULL : kzalloc(sizeof(*remark), GFP_KERNEL | __GFP_NOFAIL);
	memalloc_nofs_restore(nofs);
	if (!remark)
		return NULL;
	remark->hold = hold;
	remark->addon = addon;
	return remark;
}

static void remark_free(struct inode_map_remark *remark)
{
	inode_map_hold_put(remark->hold);
	kfree(remark);
}

static void remark_work(struct work_struct *work);

static void remark_begin(struct inode_map_remark *remark)
{
	inode_map_due_add(&remark->due, remark->addon->inode);
	__module_get(THIS_MODULE);
	INIT_DELAYED_WORK(&remark->work, remark_work);
	queue_delayed_work(remark_wq, &remark->work, REMARK_DELAY);
}

/* Whether the addon has entries. If not, the loss of its mark does not matter. */
static bool addon_is_in_use(struct inode_map_addon *addon)
{
	lockdep_assert_held(&addon->lock);
	return !addon->dead && !hlist_empty(&addon->entries);
}

/*
 * Whether the addon has entries and its inode has a name, and so lives although fsnotify is told
 * otherwise. If there are entries, the inode is in memory: fsnotify's caller holds it.
 */
static bool addon_goes_on(struct inode_map_addon *addon)
{
	bool may;

	spin_lock(&addon->lock);
	/* A hold on a superblock that is being shut down would fail. */
	may = addon_is_in_use(addon) && atomic_read(&addon->inode->i_sb->s_active);
	spin_unlock(&addon->lock);
	return may && is_named(addon->inode);
}

/*
 * Make @remark the addon's reprieve, unless it has one: have that attach an anchor once more.
 * Returns whether @remark is used.
 */
static bool remark_enter(struct inode_map_remark *remark, struct inode_map_mark *destroyed)
{
	struct inode_map_addon *addon = remark->addon;
	bool first = !addon->remark;

	lockdep_assert_held(&addon->lock);
	if (first) {
		refcount_inc(&addon->users);
		addon->remark = remark;
		/* Programs must see this before fsnotify clears the bit. */
		atomic_dec(&inode_map_remarks);
	}
	addon->remark->again = true;
	addon->remark->connector = READ_ONCE(destroyed->fsn.connector);
	inode_map_addon_unpin(addon);
	return first;
}

/**
 * inode_map_remark - have a worker give an addon another mark, if its inode lives on
 * @addon: an addon
 * @destroyed: the addon's own mark or its anchor, which fsnotify is destroying
 *
 * Context: process, in fsnotify's callback; may sleep. The caller may be in reclaim.
 * Return: whether the addon gets one. If not, the inode ends, or the addon has no entry.
 */
bool inode_map_remark(struct inode_map_addon *addon, struct inode_map_mark *destroyed)
{
	struct inode_map_remark *remark;
	bool in_use, first = false;

	if (!addon_goes_on(addon))
		return false;
	remark = remark_alloc(addon);
	if (!remark)
		return false;
	spin_lock(&addon->lock);
	in_use = addon_is_in_use(addon);
	if (in_use)
		first = remark_enter(remark, destroyed);
	spin_unlock(&addon->lock);
	if (first)
		remark_begin(remark);
	else
		remark_free(remark);
	return in_use;
}

/* Attach an anchor, and a pin if one is needed. Returns false if the caller has to try again. */
static bool remark_attach(struct inode_map_remark *remark)
{
	struct inode_map_addon *addon = remark->addon;
	const struct fsnotify_mark_connector *connector;
	struct inode_map_mark *anchor;
	bool again;

	spin_lock(&addon->lock);
	remark->again = false;
	connector = remark->connector;
	spin_unlock(&addon->lock);
	if (rcu_access_pointer(addon->inode->i_fsnotify_marks) == connector)
		return false;
	if (inode_map_addon_repin(addon))
		return false;
	anchor = inode_map_anchor_attach(addon);
	if (!anchor)
		return false;
	spin_lock(&addon->lock);
	/* Even if it has been destroyed by now: it keeps its connector from being reused. */
	swap(addon->anchor, anchor);
	again = remark->again;
	if (!again)
		addon->remark = NULL;
	spin_unlock(&addon->lock);
	if (anchor)
		inode_map_mark_put(anchor);
	return !again;
}

static void remark_work(struct work_struct *work)
{
	struct inode_map_remark *remark = container_of(to_delayed_work(work),
						       struct inode_map_remark, work);

	if (!remark_attach(remark)) {
		queue_delayed_work(remark_wq, &remark->work, REMARK_DELAY);
		return;
	}
	inode_map_due_del(&remark->due);
	/* The inode may have lost its last name while nothing was attached to it. */
	if (inode_map_hold_is_orphan(remark->hold))
		remark_die(remark->addon);
	inode_map_addon_release(remark->addon);
	remark_free(remark);
	/* A program that saw the bit cleared must see inode_map_remarks nonzero. */
	inode_map_synchronize();
	atomic_inc(&inode_map_remarks);
	/* inode_map_remark_exit() waits for this function to return. */
	module_put(THIS_MODULE);
}

/**
 * inode_map_remark_init - create the workqueue
 * @die: takes the entries of an addon out of their maps; called for an addon whose inode has ended
 *	all the same, in process context. end.c gives it
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_remark_init(void (*die)(struct inode_map_addon *addon))
{
	remark_die = die;
	remark_wq = alloc_workqueue("inode_map_remark", WQ_UNBOUND, 0);
	return remark_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_remark_exit - wait until the worker does not run any more
 *
 * No map may exist any more.
 *
 * Context: process; may sleep.
 */
void inode_map_remark_exit(void)
{
	destroy_workqueue(remark_wq);
}
