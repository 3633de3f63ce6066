// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anchors: the marks of addons that have lost their own though the inode lives on.
 *
 * remark.c says when that happens, and attaches the anchor. It takes over from the addon's own
 * mark: a task finds the addon by it (addon.c), and fsnotify calls for it when the inode ends
 * (end.c).
 *
 * An anchor holds a reference to its addon's own mark, and thus keeps the addon's memory: a task
 * that finds the anchor can look at the addon, even when that has no user left. The addon's last
 * user drops the anchor.
 *
 * From the loss of the one mark until the other is attached, an addon can't be found. Its inode is
 * due then, and a task that wants to add an entry for it waits rather than make a second addon.
 *
 * Locks: due_lock protects the list of inodes that are due. It is taken in process context, and
 * nothing nests inside it.
 */
#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/fsnotify_backend.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "addon.h"
#include "anchor.h"

atomic_t inode_map_remarks = ATOMIC_INIT(0);

static LIST_HEAD(all_due);
static DEFINE_SPINLOCK(due_lock);
static DECLARE_WAIT_QUEUE_HEAD(due_wait);

static void anchor_free(struct fsnotify_mark *fsn);

/* Read-only once end.c has given its callback. */
static struct fsnotify_ops anchor_ops __ro_after_init = {
	.handle_inode_event	= inode_map_mark_handle_event,
	.free_mark		= anchor_free,
};

static struct inode_map_mark_class anchor_class = {
	.name	= "inode_map_anchor",
	.size	= sizeof(struct inode_map_anchor),
	.mask	= INODE_MAP_ADDON_MASK,
	.ops	= &anchor_ops,
};

static void anchor_free(struct fsnotify_mark *fsn)
{
	struct inode_map_mark *mark = inode_map_mark_of(fsn);

	inode_map_mark_put(&inode_map_anchor_of(mark)->addon->mark);
	inode_map_mark_free(&anchor_class, mark);
}

/**
 * inode_map_anchor_attach - attach an anchor for an addon
 * @addon: the addon; the caller is a user of it and keeps the inode in memory
 *
 * Context: process; may sleep.
 * Return: the anchor's mark, for inode_map_mark_put(), or NULL if it can't be attached yet or there
 * is no memory.
 */
struct inode_map_mark *inode_map_anchor_attach(struct inode_map_addon *addon)
{
	struct inode_map_mark *mark = inode_map_mark_alloc(&anchor_class, addon->inode,
							   FSNOTIFY_MARK_FLAG_NO_IREF);

	if (!mark)
		return NULL;
	inode_map_anchor_of(mark)->addon = addon;
	refcount_inc(&addon->mark.fsn.refcnt);
	if (!inode_map_mark_attach(mark, addon->inode))
		return mark;
	inode_map_mark_put(mark);
	return NULL;
}

/**
 * inode_map_anchor_find - find the addon of an inode by its anchor
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 * Return: the addon with the caller as a weak user, for inode_map_addon_put(), or NULL.
 */
struct inode_map_addon *inode_map_anchor_find(struct inode *inode)
{
	struct inode_map_addon *addon;
	struct inode_map_mark *mark;

	might_sleep();
	/* On most kernels there never is an anchor. */
	if (!atomic_read(&anchor_class.nr))
		return NULL;
	mark = inode_map_mark_find(&anchor_class, inode);
	if (!mark)
		return NULL;
	addon = inode_map_anchor_of(mark)->addon;
	if (!refcount_inc_not_zero(&addon->users)) {
		/* Its last user is gone: make room rather than wait for the release. */
		inode_map_mark_drop(mark);
		return NULL;
	}
	inode_map_mark_put(mark);
	return addon;
}

/**
 * inode_map_anchor_drop - take the anchor of an addon off its inode
 * @addon: an addon that has no user any more
 *
 * Context: process; may sleep.
 */
void inode_map_anchor_drop(struct inode_map_addon *addon)
{
	might_sleep();
	if (addon->anchor)
		inode_map_mark_drop(addon->anchor);
}

/**
 * inode_map_due_add - note that the addon of an inode is about to get an anchor
 * @due: what notes it, until inode_map_due_del()
 * @inode: the inode
 *
 * Context: process; does not sleep.
 */
void inode_map_due_add(struct inode_map_due *due, const struct inode *inode)
{
	due->inode = inode;
	spin_lock(&due_lock);
	list_add(&due->node, &all_due);
	spin_unlock(&due_lock);
}

/**
 * inode_map_due_del - note that the addon has its anchor, and wake the tasks that wait for it
 * @due: what inode_map_due_add() was given
 *
 * Context: process; does not sleep.
 */
void inode_map_due_del(struct inode_map_due *due)
{
	spin_lock(&due_lock);
	list_del(&due->node);
	spin_unlock(&due_lock);
	wake_up_all(&due_wait);
}

/**
 * inode_map_due_has - whether an inode's addon has lost its mark and has no anchor yet
 * @inode: the inode
 *
 * Context: process; does not sleep.
 * Return: true if so.
 */
bool inode_map_due_has(const struct inode *inode)
{
	struct inode_map_due *due;
	bool has = false;

	if (!atomic_read(&inode_map_remarks))
		return false;
	spin_lock(&due_lock);
	list_for_each_entry(due, &all_due, node) {
		has = due->inode == inode;
		if (has)
			break;
	}
	spin_unlock(&due_lock);
	return has;
}

/**
 * inode_map_due_wait - wait for at most a second until an inode's addon has an anchor
 * @inode: the inode; the caller holds a reference to it
 *
 * The wait lasts until fsnotify has destroyed the inode's marks; it includes no grace period.
 *
 * Context: process; sleeps.
 * Return: whether the addon has an anchor, or needs none.
 */
bool inode_map_due_wait(const struct inode *inode)
{
	return wait_event_timeout(due_wait, !inode_map_due_has(inode), HZ);
}

/**
 * inode_map_anchor_init - prepare for making anchors
 * @freeing: fsnotify's callback when it destroys an anchor's mark; end.c gives it
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_anchor_init(void (*freeing)(struct fsnotify_mark *fsn,
						 struct fsnotify_group *group))
{
	anchor_ops.freeing_mark = freeing;
	return inode_map_mark_class_register(&anchor_class);
}

/**
 * inode_map_anchor_exit - wait until the last anchor is gone
 *
 * No map may exist any more.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_anchor_exit(void)
{
	inode_map_mark_class_unregister(&anchor_class);
}
