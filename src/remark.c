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
 * callback reprieves the addon, with inode_remark(), and a worker gives it another mark, the
 * anchor, which takes over from the addon's own mark. The worker does so as soon as the inode has
 * dropped the old connector. Until then
 *
 *   - the reprieve holds references to the inode and its superblock, so that neither goes away,
 *   - programs look into maps for every inode, whether or not it has the bit: see
 *     inode_in_any_map(). They do so until those that saw the bit cleared are done, a grace period
 *     of both kinds after the anchor was attached,
 *   - tasks that want to add an entry for the inode wait.
 *
 * Meanwhile fsnotify reports no event of the inode. So once the anchor is attached, the worker
 * checks whether the inode has lost its last name, and ends the addon if so.
 *
 *   inode_addon_freeing(), inode_anchor_freeing()   fsnotify's callbacks, process context
 *   inode_remark_work()                             the worker, one for each reprieve
 *
 * An anchor holds a reference to its addon's own mark, and thus keeps the addon's memory: a task
 * that finds the anchor can look at the addon, even when that has no user left. The addon's last
 * user drops the anchor.
 *
 * Locks: addon->lock and remarks_lock, which don't nest. Nothing sleeps under either.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "addon.h"
#include "compat.h"
#include "hold.h"
#include "mark.h"
#include "remark.h"

/**
 * struct inode_anchor - the mark of an addon that has lost its own
 * @mark: the mark that fsnotify knows. Must be first
 * @addon: the addon, whose own mark it references
 */
struct inode_anchor {
	struct inode_mark mark;
	struct inode_addon *addon;
};

/**
 * struct inode_remark - a reprieve: a request for an anchor for an addon
 * @work: attaches the anchor
 * @all: links it into the list of reprieves, under remarks_lock
 * @hold: keeps the inode and its superblock
 * @addon: the addon, of which this is a weak user
 * @connector: the connector of the mark that fsnotify destroyed: the inode has to drop it before
 *	another mark can be attached. Under addon->lock. Only compared; not reused while the addon
 *	has the mark
 * @again: fsnotify has destroyed the anchor that was attached last, too. Under addon->lock
 */
struct inode_remark {
	struct delayed_work work;
	struct list_head all;
	struct inode_hold *hold;
	struct inode_addon *addon;
	const struct fsnotify_mark_connector *connector;
	bool again;
};

atomic_t inode_remarks = ATOMIC_INIT(0);

static LIST_HEAD(remarks);
static DEFINE_SPINLOCK(remarks_lock);
static DECLARE_WAIT_QUEUE_HEAD(remarks_wait);

/* Its work may sleep while a filesystem evicts an inode, and for grace periods. */
static struct workqueue_struct *remark_wq;
#define REMARK_DELAY	1

static struct inode_anchor *to_anchor(struct inode_mark *mark)
{
	return container_of(mark, struct inode_anchor, mark);
}

static void inode_anchor_freeing(struct fsnotify_mark *fsn, struct fsnotify_group *group)
{
	inode_addon_lost(to_anchor(to_inode_mark(fsn))->addon, to_inode_mark(fsn));
}

static void inode_anchor_free(struct fsnotify_mark *fsn);

static struct inode_mark_class anchor_class = {
	.name	= "inode_map_anchor",
	.size	= sizeof(struct inode_anchor),
	.mask	= INODE_ADDON_MASK,
	.ops	= {
		.handle_inode_event	= inode_mark_handle_event,
		.freeing_mark		= inode_anchor_freeing,
		.free_mark		= inode_anchor_free,
	},
};

static void inode_anchor_free(struct fsnotify_mark *fsn)
{
	struct inode_mark *mark = to_inode_mark(fsn);

	inode_mark_put(&to_anchor(mark)->addon->mark);
	inode_mark_free(&anchor_class, mark);
}

/* Attach an anchor for the addon. Returns NULL if that can't be done yet, or without memory. */
static struct inode_mark *inode_anchor_attach(struct inode_addon *addon)
{
	struct inode_mark *mark = inode_mark_alloc(&anchor_class, addon->inode,
						   FSNOTIFY_MARK_FLAG_NO_IREF);

	if (!mark)
		return NULL;
	to_anchor(mark)->addon = addon;
	refcount_inc(&addon->mark.fsn.refcnt);
	if (!inode_mark_attach(mark, addon->inode))
		return mark;
	inode_mark_put(mark);
	return NULL;
}

/* Whether the inode lives, although fsnotify is told otherwise. The caller keeps it in memory. */
static bool inode_has_name(struct inode *inode)
{
	bool has_name;

	spin_lock(&inode->i_lock);
	has_name = !hlist_empty(&inode->i_dentry);
	spin_unlock(&inode->i_lock);
	return has_name;
}

/* Must not fail for lack of memory: the entries would be lost. NULL if the inode is going away. */
static struct inode_remark *inode_remark_alloc(struct inode_addon *addon)
{
	struct inode_remark *remark;
	struct inode_hold *hold;
	unsigned int nofs;

	/* The caller may be reclaim, or hold locks of the filesystem. */
	nofs = memalloc_nofs_save();
	hold = inode_hold_get(addon->inode, GFP_KERNEL | __GFP_NOFAIL);
	/* If this failed, the inode is going away after all. */
	remark = IS_ERR(hold) ? NULL : kzalloc(sizeof(*remark), GFP_KERNEL | __GFP_NOFAIL);
	memalloc_nofs_restore(nofs);
	if (!remark)
		return NULL;
	remark->hold = hold;
	remark->addon = addon;
	return remark;
}

static void inode_remark_free(struct inode_remark *remark)
{
	inode_hold_put(remark->hold);
	kfree(remark);
}

static void inode_remark_work(struct work_struct *work);

static void inode_remark_begin(struct inode_remark *remark)
{
	spin_lock(&remarks_lock);
	list_add(&remark->all, &remarks);
	spin_unlock(&remarks_lock);
	__module_get(THIS_MODULE);
	INIT_DELAYED_WORK(&remark->work, inode_remark_work);
	queue_delayed_work(remark_wq, &remark->work, REMARK_DELAY);
}

/* Whether the addon has entries. If not, the loss of its mark does not matter. */
static bool inode_addon_is_in_use(struct inode_addon *addon)
{
	lockdep_assert_held(&addon->lock);
	return !addon->dead && !hlist_empty(&addon->entries);
}

/*
 * Whether the addon has entries and its inode has a name, and so lives although fsnotify is told
 * otherwise. If there are entries, the inode is in memory: fsnotify's caller holds it.
 */
static bool inode_addon_goes_on(struct inode_addon *addon)
{
	bool may;

	spin_lock(&addon->lock);
	/* A hold on a superblock that is being shut down would fail. */
	may = inode_addon_is_in_use(addon) && atomic_read(&addon->inode->i_sb->s_active);
	spin_unlock(&addon->lock);
	return may && inode_has_name(addon->inode);
}

/*
 * Make @remark the addon's reprieve, unless it has one: have that attach an anchor once more.
 * Returns whether @remark is used.
 */
static bool inode_remark_enter(struct inode_remark *remark, struct inode_mark *killed)
{
	struct inode_addon *addon = remark->addon;
	bool first = !addon->remark;

	lockdep_assert_held(&addon->lock);
	if (first) {
		refcount_inc(&addon->users);
		addon->remark = remark;
		/* Programs must see this before fsnotify clears the bit. */
		atomic_dec(&inode_remarks);
	}
	addon->remark->again = true;
	addon->remark->connector = READ_ONCE(killed->fsn.connector);
	inode_addon_unpin(addon);
	return first;
}

/**
 * inode_remark - have a worker give an addon another mark, if its inode lives on
 * @addon: an addon
 * @killed: the addon's own mark or its anchor, which fsnotify is destroying
 *
 * Context: process, in fsnotify's callback; may sleep. The caller may be in reclaim.
 * Return: whether the addon gets one. If not, the inode ends, or the addon has no entry.
 */
bool inode_remark(struct inode_addon *addon, struct inode_mark *killed)
{
	struct inode_remark *remark;
	bool in_use, first = false;

	if (!inode_addon_goes_on(addon))
		return false;
	remark = inode_remark_alloc(addon);
	if (!remark)
		return false;
	spin_lock(&addon->lock);
	in_use = inode_addon_is_in_use(addon);
	if (in_use)
		first = inode_remark_enter(remark, killed);
	spin_unlock(&addon->lock);
	if (first)
		inode_remark_begin(remark);
	else
		inode_remark_free(remark);
	return in_use;
}

/* Attach an anchor, and a pin if one is needed. Returns false if the caller has to try again. */
static bool inode_remark_attach(struct inode_remark *remark)
{
	struct inode_addon *addon = remark->addon;
	const struct fsnotify_mark_connector *connector;
	struct inode_mark *anchor;
	bool again;

	spin_lock(&addon->lock);
	remark->again = false;
	connector = remark->connector;
	spin_unlock(&addon->lock);
	if (rcu_access_pointer(addon->inode->i_fsnotify_marks) == connector)
		return false;
	if (inode_addon_repin(addon))
		return false;
	anchor = inode_anchor_attach(addon);
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
		inode_mark_put(anchor);
	return !again;
}

static void inode_remark_work(struct work_struct *work)
{
	struct inode_remark *remark = container_of(to_delayed_work(work), struct inode_remark,
						   work);

	if (!inode_remark_attach(remark)) {
		queue_delayed_work(remark_wq, &remark->work, REMARK_DELAY);
		return;
	}
	spin_lock(&remarks_lock);
	list_del(&remark->all);
	spin_unlock(&remarks_lock);
	wake_up_all(&remarks_wait);
	/* The inode may have lost its last name while nothing was attached to it. */
	if (inode_hold_is_orphan(remark->hold))
		inode_addon_die(remark->addon);
	inode_addon_release(remark->addon);
	inode_remark_free(remark);
	/* A program that saw the bit cleared must see inode_remarks nonzero. */
	synchronize_programs();
	atomic_inc(&inode_remarks);
	/* inode_remark_exit() waits for this function to return. */
	module_put(THIS_MODULE);
}

/**
 * inode_remark_find - find the addon of an inode by its anchor
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 * Return: the addon with the caller as a weak user, for inode_addon_put(), or NULL.
 */
struct inode_addon *inode_remark_find(struct inode *inode)
{
	struct inode_addon *addon;
	struct inode_mark *mark;

	/* On most kernels there never is an anchor. */
	if (!atomic_read(&anchor_class.nr))
		return NULL;
	mark = inode_mark_find(&anchor_class, inode);
	if (!mark)
		return NULL;
	addon = to_anchor(mark)->addon;
	if (!refcount_inc_not_zero(&addon->users)) {
		/* Its last user is gone: make room rather than wait for the release. */
		inode_mark_drop(mark);
		return NULL;
	}
	inode_mark_put(mark);
	return addon;
}

/**
 * inode_remark_is_due - whether an inode's addon has been reprieved and has no anchor yet
 * @inode: the inode
 *
 * Context: process; does not sleep.
 * Return: true if so.
 */
bool inode_remark_is_due(const struct inode *inode)
{
	struct inode_remark *remark;
	bool due = false;

	if (!atomic_read(&inode_remarks))
		return false;
	spin_lock(&remarks_lock);
	list_for_each_entry(remark, &remarks, all) {
		due = remark->addon->inode == inode;
		if (due)
			break;
	}
	spin_unlock(&remarks_lock);
	return due;
}

/**
 * inode_remark_wait - wait for at most a second until an inode's addon has an anchor
 * @inode: the inode; the caller holds a reference to it
 *
 * The wait lasts until fsnotify has destroyed the inode's marks; it includes no grace period.
 *
 * Context: process; sleeps.
 * Return: whether the addon has an anchor, or needs none.
 */
bool inode_remark_wait(const struct inode *inode)
{
	return wait_event_timeout(remarks_wait, !inode_remark_is_due(inode), HZ);
}

/**
 * inode_remark_end - take the anchor of an addon off its inode
 * @addon: an addon that has no user any more
 *
 * Context: process; may sleep.
 */
void inode_remark_end(struct inode_addon *addon)
{
	if (addon->anchor)
		inode_mark_drop(addon->anchor);
}

/**
 * inode_remark_init - prepare for giving addons other marks
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_remark_init(void)
{
	int err;

	BUILD_BUG_ON(offsetof(struct inode_anchor, mark) != 0);

	remark_wq = alloc_workqueue("inode_map_remark", WQ_UNBOUND, 0);
	if (!remark_wq)
		return -ENOMEM;
	err = inode_mark_class_register(&anchor_class);
	if (err)
		destroy_workqueue(remark_wq);
	return err;
}

/**
 * inode_remark_exit - wait until the last anchor is gone
 *
 * No map may exist any more.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_remark_exit(void)
{
	destroy_workqueue(remark_wq);
	inode_mark_class_unregister(&anchor_class);
}
