// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addons.
 *
 * An inode that is in any map has one addon, which lists the entries of all maps for it. It is a
 * mark (mark.c), found or added atomically, and has users: entries, and tasks about to add one.
 *
 * Pinned entries keep the inode in memory, weak ones don't. Marks do this for them: fsnotify takes
 * a reference to the inode if one of the attached marks wants it. When the superblock shuts down it
 * drops those references, before the check for busy inodes. As long as all users want the same, the
 * addon's own mark does what they want. When they differ, it does not keep the inode, but a second
 * mark, the pin, does; the pin goes with the last pinned user, and weak users can stay. An addon's
 * own mark that keeps the inode stops doing so when the first weak user comes, after a pin has been
 * attached. A mark that does not keep the inode never starts to.
 *
 *   inode_map_addon_get()      finds the inode's addon or adds it, and counts the caller as a user.
 *   inode_map_addon_put()      drops a user, unless that would sleep. Then the caller has to call
 *   inode_map_addon_release()  which drops what is no longer needed: the pin if no pinned user is
 *                              left, and the addon if no user is left.
 *
 * An addon without users that is still attached will never be used again. A task that finds one
 * helps detach it and adds a new addon, rather than wait.
 *
 * Entries end in one of two ways. Either a map or a program removes one (delete.c), or the inode
 * ends, which fsnotify tells (end.c). So an inode is known to be alive only while one of its
 * entries is linked and the addon's lock is held. Not every filesystem waits for a grace period of
 * RCU before it frees an inode: pipes don't, and XFS may reuse one for another file within the
 * grace period. Readers only compare an inode's address; what they show of it was copied into the
 * addon when the addon was made. stat(2) may report another device than the superblock's, but only
 * a caller with a path can ask for it, and may come later.
 *
 * Locks: addon->lock, with the lock of the addon's mark inside; and connector->lock by itself. All
 * are spinlocks, and nothing sleeps or is released under them.
 */
#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>

#include <asm/barrier.h>

#include "account.h"
#include "addon.h"
#include "anchor.h"
#include "super.h"
#include "yield.h"

static atomic_t nr_pinned = ATOMIC_INIT(0);

static void addon_free(struct fsnotify_mark *fsn);
static void addon_pin_free(struct fsnotify_mark *fsn);

/* Read-only once end.c has given its callback. */
static struct fsnotify_ops addon_ops __ro_after_init = {
	.handle_inode_event	= inode_map_mark_handle_event,
	.free_mark		= addon_free,
};

static struct inode_map_mark_class addon_class = {
	.name	= "inode_map_addon",
	.size	= sizeof(struct inode_map_addon),
	.mask	= INODE_MAP_ADDON_MASK,
	.ops	= &addon_ops,
};

static const struct fsnotify_ops pin_ops = {
	.handle_inode_event	= inode_map_mark_handle_event,
	.free_mark		= addon_pin_free,
};

/* DUPS: two tasks may attach a pin to an inode at the same time. One of the pins is kept. */
static struct inode_map_mark_class pin_class = {
	.name	= "inode_map_pin",
	.size	= sizeof(struct inode_map_mark),
	.group_flags = FSNOTIFY_GROUP_DUPS,
	.ops	= &pin_ops,
};

static void addon_free_rcu(struct rcu_head *rcu)
{
	struct inode_map_mark *mark = container_of(rcu, struct inode_map_mark, rcu);

	inode_map_super_put(inode_map_addon_of(mark)->super);
	inode_map_mark_free(&addon_class, mark);
}

/* A grace period of RCU is for readers that reached the addon through an entry. */
static void addon_free(struct fsnotify_mark *fsn)
{
	struct inode_map_addon *addon = inode_map_addon_of(inode_map_mark_of(fsn));

	if (addon->pins)
		atomic_dec(&nr_pinned);
	/* Not kfree_rcu(), which may take seconds: a memory cgroup is charged until then. */
	call_rcu(&addon->mark.rcu, addon_free_rcu);
}

static void addon_pin_free(struct fsnotify_mark *fsn)
{
	atomic_dec(&nr_pinned);
	inode_map_mark_free(&pin_class, inode_map_mark_of(fsn));
}

static struct inode_map_addon *addon_alloc(struct inode *inode, dev_t dev, bool pinned)
{
	unsigned int flags = pinned ? 0 : FSNOTIFY_MARK_FLAG_NO_IREF;
	struct inode_map_super *super;
	struct inode_map_addon *addon;
	struct inode_map_mark *mark;

	super = inode_map_super_get(inode->i_sb, INODE_MAP_GFP);
	if (!super)
		return NULL;
	mark = inode_map_mark_alloc(&addon_class, inode, flags);
	if (!mark) {
		inode_map_super_put(super);
		return NULL;
	}
	addon = inode_map_addon_of(mark);
	addon->inode = inode;
	addon->super = super;
	addon->ino = inode->i_ino;
	addon->gen = inode->i_generation;
	addon->dev = dev;
	refcount_set(&addon->users, 1);
	spin_lock_init(&addon->lock);
	addon->pinned_users = pinned;
	addon->pins = pinned;
	if (pinned)
		atomic_inc(&nr_pinned);
	return addon;
}

/**
 * inode_map_addon_find - find the addon of an inode
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 * Return: the addon with the caller as a weak user, for inode_map_addon_put(), or NULL if there is
 * none to use.
 */
__noendbr struct inode_map_addon *inode_map_addon_find(struct inode *inode)
{
	struct inode_map_mark *mark = inode_map_mark_find(&addon_class, inode);
	struct inode_map_addon *addon;

	if (!mark)
		return inode_map_anchor_find(inode);
	addon = inode_map_addon_of(mark);
	if (!refcount_inc_not_zero(&addon->users)) {
		/* Its last user is gone: make room rather than wait for the release. */
		inode_map_mark_drop(mark);
		return NULL;
	}
	inode_map_mark_put(mark);
	return addon;
}

/* Whether the addon can serve such a user as it is. Counts a pinned user as pinned if so. */
static bool addon_suits(struct inode_map_addon *addon, bool pinned)
{
	bool suits = pinned ? addon->pins || addon->pin : !addon->pins;

	lockdep_assert_held(&addon->lock);
	if (suits && pinned)
		addon->pinned_users++;
	return suits;
}

/*
 * Have a pin keep the inode in memory, rather than the addon's own mark. The reference to @pin
 * becomes the addon's; if the addon needs no pin, return @pin. Counts a pinned user as pinned.
 */
static struct inode_map_mark *addon_use_pin(struct inode_map_addon *addon, bool pinned,
					    struct inode_map_mark *pin)
{
	spin_lock(&addon->lock);
	addon->pinned_users += pinned;
	if (addon->pinned_users && !addon->pin)
		swap(addon->pin, pin);
	if (addon->pins) {
		/* fsnotify looks at this when a mark comes or goes: the pin, at the latest. */
		spin_lock(&addon->mark.fsn.lock);
		addon->mark.fsn.flags |= FSNOTIFY_MARK_FLAG_NO_IREF;
		spin_unlock(&addon->mark.fsn.lock);
		inode_map_addon_unpin(addon);
	}
	spin_unlock(&addon->lock);
	return pin;
}

/* Attach a pin. Returns it or an ERR_PTR(). */
static struct inode_map_mark *addon_pin_attach(struct inode *inode)
{
	struct inode_map_mark *pin = inode_map_mark_alloc(&pin_class, inode, 0);
	int err;

	if (!pin)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&nr_pinned);
	err = inode_map_mark_attach(pin, inode);
	if (!err)
		return pin;
	inode_map_mark_put(pin);
	return ERR_PTR(err);
}

/**
 * inode_map_addon_unpin - note that the addon's own mark no longer keeps the inode in memory
 * @addon: the addon, locked. Its pinned users remain
 */
void inode_map_addon_unpin(struct inode_map_addon *addon)
{
	lockdep_assert_held(&addon->lock);
	if (!addon->pins)
		return;
	addon->pins = false;
	atomic_dec(&nr_pinned);
}

/**
 * inode_map_addon_repin - attach a new pin to the inode if the addon has pinned users
 * @addon: an addon all of whose marks were destroyed. The caller is a user, keeps the inode in
 *	memory, and calls inode_map_addon_release() later, in case the last pinned user has gone by
 *	then
 *
 * Context: process; may sleep.
 * Return: 0, or what inode_map_mark_attach() returned, or -ENOMEM.
 */
int inode_map_addon_repin(struct inode_map_addon *addon)
{
	struct inode_map_mark *pin;
	bool pinned;

	spin_lock(&addon->lock);
	pinned = addon->pinned_users;
	spin_unlock(&addon->lock);
	if (!pinned)
		return 0;
	pin = addon_pin_attach(addon->inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	spin_lock(&addon->lock);
	swap(addon->pin, pin);
	spin_unlock(&addon->lock);
	if (pin)
		inode_map_mark_drop(pin);
	return 0;
}

/* Make a caller that is counted as a weak user the kind of user that it wants to be. */
static int addon_join(struct inode_map_addon *addon, struct inode *inode, bool pinned)
{
	struct inode_map_mark *pin;
	bool suits;

	spin_lock(&addon->lock);
	suits = addon_suits(addon, pinned);
	spin_unlock(&addon->lock);
	if (suits)
		return 0;

	pin = addon_pin_attach(inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	pin = addon_use_pin(addon, pinned, pin);
	if (pin)
		inode_map_mark_drop(pin);
	return 0;
}

/*
 * A mark can be found before fsnotify has computed what follows from the inode's marks: its mask,
 * with the bit that programs look at, and whether to keep the inode. The task that attaches the
 * mark may be preempted or throttled in between for a long time. A task that finds the addon
 * meanwhile attaches a pin and drops it again: fsnotify looks at all marks whenever one is
 * attached.
 */
static int addon_see_attached(struct inode_map_addon *addon, struct inode *inode)
{
	struct inode_map_mark *pin;

	/* Pairs with the stores below and in addon_find_or_add(): the bit is set by now. */
	if (smp_load_acquire(&addon->attached))
		return 0;
	pin = addon_pin_attach(inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	inode_map_mark_drop(pin);
	/* Pairs with the load above: the bit is set. */
	smp_store_release(&addon->attached, true);
	return 0;
}

/* Find the inode's addon or add it. Returns it with the caller as a user, or an ERR_PTR(). */
static struct inode_map_addon *addon_find_or_add(struct inode *inode, dev_t dev, bool pinned)
{
	struct inode_map_addon *addon;
	int err;

	do {
		addon = inode_map_addon_find(inode);
		if (addon) {
			err = addon_see_attached(addon, inode) ?: addon_join(addon, inode, pinned);
			if (!err)
				return addon;
			inode_map_addon_release(addon);
			return ERR_PTR(err);
		}
		addon = addon_alloc(inode, dev, pinned);
		if (!addon)
			return ERR_PTR(-ENOMEM);
		err = inode_map_mark_attach(&addon->mark, inode);
		INODE_MAP_YIELD_SLEEP();
		if (!err) {
			/* Pairs with the load in addon_see_attached(): the bit is set. */
			smp_store_release(&addon->attached, true);
			return addon;
		}
		/* Another task was faster (-EEXIST), or it failed. Nobody has seen this addon. */
		inode_map_mark_put(&addon->mark);
	} while (err == -EEXIST);

	return ERR_PTR(err);
}

/*
 * Whether the connector of the addon's mark has another addon that is in use. That one's mark is no
 * longer attached, so that inode_map_mark_find() does not find it, but fsnotify has yet to call
 * back for it, and then it may be reprieved.
 */
static bool addon_has_rival(struct inode_map_addon *addon)
{
	struct fsnotify_mark_connector *connector = addon->mark.fsn.connector;
	struct fsnotify_mark *other;
	bool rival = false;

	spin_lock(&connector->lock);
	hlist_for_each_entry(other, &connector->list, obj_list) {
		rival = other != &addon->mark.fsn && other->group == addon->mark.fsn.group &&
			refcount_read(&inode_map_addon_of(inode_map_mark_of(other))->users);
		if (rival)
			break;
	}
	spin_unlock(&connector->lock);
	return rival;
}

/*
 * Whether @addon is a second one: the inode has another that can't be found at this moment, because
 * it has lost its mark and is about to get an anchor (remark.c). Only an inode without links can be
 * in this state. The order matters: an addon that is no longer a rival is due, and one that is no
 * longer due can be found.
 */
static bool addon_is_second(struct inode_map_addon *addon, struct inode *inode)
{
	struct inode_map_addon *first;

	if (READ_ONCE(inode->i_nlink))
		return false;
	if (addon_has_rival(addon) || inode_map_due_has(inode))
		return true;
	first = inode_map_anchor_find(inode);
	if (first)
		inode_map_addon_release(first);
	return first && first != addon;
}

/**
 * inode_map_addon_get - find or make the addon of an inode
 * @inode: the inode; the caller holds a reference to it
 * @dev: the device that it is on, as far as the caller knows
 * @pinned: whether to keep the inode in memory
 *
 * The memory is charged to the account that the caller has begun (account.h).
 *
 * Context: process; may sleep.
 * Return: the addon with the caller as a user, for inode_map_addon_put(), or an ERR_PTR(): -ENOMEM;
 * -ESTALE when the inode or its superblock is going away at this moment.
 */
struct inode_map_addon *inode_map_addon_get(struct inode *inode, dev_t dev, bool pinned)
{
	struct inode_map_addon *addon;

	do {
		addon = addon_find_or_add(inode, dev, pinned);
		if (IS_ERR(addon))
			return addon;
		/* The caller knows better than the program that made the addon. */
		if (dev != inode->i_sb->s_dev)
			WRITE_ONCE(addon->dev, dev);
		if (!addon_is_second(addon, inode))
			return addon;
		if (inode_map_addon_put(addon, pinned))
			inode_map_addon_release(addon);
	} while (inode_map_due_wait(inode));

	return ERR_PTR(-ESTALE);
}

/**
 * inode_map_addon_put - drop a user of an addon, if that does not sleep
 * @addon: what inode_map_addon_get() returned
 * @pinned: what it was given
 *
 * Context: any but interrupts; does not sleep.
 * Return: true if the caller has to call inode_map_addon_release(), and is a user until then. If
 * false, the addon may go at any time, and is freed after a grace period of RCU.
 */
bool inode_map_addon_put(struct inode_map_addon *addon, bool pinned)
{
	bool unpinned = false;

	if (pinned) {
		spin_lock(&addon->lock);
		addon->pinned_users--;
		unpinned = !addon->pinned_users && addon->pin;
		spin_unlock(&addon->lock);
	}
	return unpinned || !refcount_dec_not_one(&addon->users);
}

/**
 * inode_map_addon_release - drop a user, with the pin or the addon if nobody else needs them
 * @addon: the addon. The caller is a user of it, and is none on return
 *
 * Context: process; may sleep, for a filesystem to evict the inode.
 */
void inode_map_addon_release(struct inode_map_addon *addon)
{
	struct inode_map_mark *pin = NULL;

	might_sleep();
	spin_lock(&addon->lock);
	/* There may be pinned users again by now. */
	if (!addon->pinned_users)
		swap(addon->pin, pin);
	spin_unlock(&addon->lock);
	if (pin)
		inode_map_mark_drop(pin);
	if (!refcount_dec_and_test(&addon->users))
		return;
	inode_map_anchor_drop(addon);
	inode_map_mark_drop(&addon->mark);
}

/**
 * inode_map_addon_count - how many addons are in memory
 *
 * Return: the number, including those that wait for a grace period.
 */
unsigned int inode_map_addon_count(void)
{
	return atomic_read(&addon_class.nr);
}

/**
 * inode_map_pin_count - how many inodes are kept in memory
 *
 * Return: the number, including released inodes whose mark waits for a grace period.
 */
unsigned int inode_map_pin_count(void)
{
	return atomic_read(&nr_pinned);
}

/**
 * inode_map_addon_init - prepare for making addons
 * @freeing: fsnotify's callback when it destroys an addon's own mark; end.c gives it
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_addon_init(void (*freeing)(struct fsnotify_mark *fsn,
						struct fsnotify_group *group))
{
	int err;

	addon_ops.freeing_mark = freeing;
	err = inode_map_mark_class_register(&addon_class);
	if (err)
		return err;
	err = inode_map_mark_class_register(&pin_class);
	if (err)
		inode_map_mark_class_unregister(&addon_class);
	return err;
}

/**
 * inode_map_addon_exit - wait until the last addon is gone
 *
 * No map may exist any more.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_addon_exit(void)
{
	inode_map_mark_class_unregister(&pin_class);
	inode_map_mark_class_unregister(&addon_class);
}
