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
 *   inode_addon_get()      finds the inode's addon or adds it, and counts the caller as a user.
 *   inode_addon_put()      drops a user, unless that would sleep. Then the caller has to call
 *   inode_addon_release()  which drops what is no longer needed: the pin if no pinned user is left,
 *                          and the addon if no user is left.
 *
 * An addon without users that is still attached will never be used again. A task that finds one
 * helps detach it and adds a new addon, rather than wait.
 *
 * Entries end in one of two ways. Either a map or a program removes one (table.c), or the inode
 * ends and fsnotify calls inode_addon_freeing(), in process context with none of its locks held,
 * whether or not the addon has users:
 *
 *   last link and last user gone    from the last dput(), inode still referenced by the caller
 *   eviction (not kept)             from destroy_inode(): the inode can't be found any more
 *   superblock shutdown             before the check for busy inodes
 *
 * Some kernels call it for inodes that live on, too: then the addon gets another mark (remark.c).
 *
 * So an inode is known to be alive only while one of its entries is linked and the addon's lock is
 * held. Not every filesystem waits for a grace period of RCU before it frees an inode: pipes don't,
 * and XFS may reuse one for another file within the grace period. Readers only compare an inode's
 * address; what they show of it was copied into the addon when the addon was made. stat(2) may
 * report another device than the superblock's, but only a caller with a path can ask for it, and
 * may come later.
 *
 * Lock order: addon->lock, then the lock of a map's index (xa_lock) or the lock of a mark. All are
 * spinlocks, and nothing sleeps or is released under them; only the index may allocate, without
 * sleeping (table.c).
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>

#include "addon.h"
#include "compat.h"
#include "entry.h"
#include "mark.h"
#include "reason.h"
#include "remark.h"
#include "super.h"
#include "table.h"
#include "yield.h"

static atomic_t nr_pinned = ATOMIC_INIT(0);

static struct inode_addon *to_addon(struct inode_mark *mark)
{
	return container_of(mark, struct inode_addon, mark);
}

/* Why the inode ends, which fsnotify does not say. fsnotify's caller holds the inode. */
static enum inode_map_reason inode_end_reason(const struct inode_addon *addon)
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
static unsigned int inode_addon_unlink_all(struct inode_addon *addon, struct hlist_head *gone)
{
	struct inode_map_entry *entry;
	struct hlist_node *next;
	unsigned int nr = 0;

	addon->dead = true;
	hlist_for_each_entry_safe(entry, next, &addon->entries, in_addon) {
		/* If a program has ended the entry, a worker will release it. */
		if (!inode_map_unlink(entry, inode_end_reason(addon)))
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
static bool inode_addon_die_with_mark(struct inode_addon *addon)
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
	nr = inode_addon_unlink_all(addon, &gone);
	/* A task that attaches a pin from here on is a user, and will drop the pin. */
	hlist_for_each_entry(entry, &gone, in_addon)
		addon->pinned_users -= entry->pinned;
	spin_unlock(&addon->lock);

	hlist_for_each_entry_safe(entry, next, &gone, in_addon)
		inode_map_entry_retire(entry);
	if (nr && refcount_sub_and_test(nr, &addon->users))
		inode_mark_put(&addon->mark);
	return true;
}

/**
 * inode_addon_die - take every entry of an addon out of its map
 * @addon: the addon; no entry can be added from then on
 *
 * Context: process; does not sleep. If there are entries, the caller keeps the inode in memory.
 */
void inode_addon_die(struct inode_addon *addon)
{
	struct inode_map_entry *entry;
	struct hlist_node *next;
	HLIST_HEAD(gone);

	spin_lock(&addon->lock);
	inode_addon_unlink_all(addon, &gone);
	spin_unlock(&addon->lock);

	hlist_for_each_entry_safe(entry, next, &gone, in_addon)
		inode_map_entry_release(entry);
}

/**
 * inode_addon_lost - a mark of an addon is being destroyed
 * @addon: the addon
 * @mark: its own mark, or its anchor
 *
 * Either the inode ends, and fsnotify's caller holds it; or it lives on (remark.c); or the addon
 * has no user left, and thus no entry, and the inode may be gone.
 *
 * Context: process, in fsnotify's callback; may sleep.
 */
void inode_addon_lost(struct inode_addon *addon, struct inode_mark *mark)
{
	if (inode_remark(addon, mark))
		return;
	if (mark != &addon->mark || !inode_addon_die_with_mark(addon))
		inode_addon_die(addon);
}

static void inode_addon_freeing(struct fsnotify_mark *fsn, struct fsnotify_group *group)
{
	struct inode_mark *mark = to_inode_mark(fsn);

	inode_addon_lost(to_addon(mark), mark);
}

static void inode_addon_free(struct fsnotify_mark *fsn);
static void inode_pin_free(struct fsnotify_mark *fsn);

static struct inode_mark_class addon_class = {
	.name	= "inode_map_addon",
	.size	= sizeof(struct inode_addon),
	.mask	= INODE_ADDON_MASK,
	.ops	= {
		.handle_inode_event	= inode_mark_handle_event,
		.freeing_mark		= inode_addon_freeing,
		.free_mark		= inode_addon_free,
	},
};

/* DUPS: two tasks may attach a pin to an inode at the same time. One of the pins is kept. */
static struct inode_mark_class pin_class = {
	.name	= "inode_map_pin",
	.size	= sizeof(struct inode_mark),
	.group_flags = FSNOTIFY_GROUP_DUPS,
	.ops	= {
		.handle_inode_event	= inode_mark_handle_event,
		.free_mark		= inode_pin_free,
	},
};

static void inode_addon_free_rcu(struct rcu_head *rcu)
{
	struct inode_mark *mark = container_of(rcu, struct inode_mark, rcu);

	inode_map_super_put(to_addon(mark)->super);
	inode_mark_free(&addon_class, mark);
}

/* A grace period of RCU is for readers that reached the addon through an entry. */
static void inode_addon_free(struct fsnotify_mark *fsn)
{
	struct inode_addon *addon = to_addon(to_inode_mark(fsn));

	if (addon->pins)
		atomic_dec(&nr_pinned);
	/* Not kfree_rcu(), which may take seconds: a memory cgroup is charged until then. */
	call_rcu(&addon->mark.rcu, inode_addon_free_rcu);
}

static void inode_pin_free(struct fsnotify_mark *fsn)
{
	atomic_dec(&nr_pinned);
	inode_mark_free(&pin_class, to_inode_mark(fsn));
}

static struct inode_addon *inode_addon_alloc(struct inode *inode, dev_t dev, bool pinned)
{
	unsigned int flags = pinned ? 0 : FSNOTIFY_MARK_FLAG_NO_IREF;
	struct inode_map_super *super;
	struct inode_addon *addon;
	struct inode_mark *mark;

	super = inode_map_super_get(inode->i_sb, INODE_MAP_GFP);
	if (!super)
		return NULL;
	mark = inode_mark_alloc(&addon_class, inode, flags);
	if (!mark) {
		inode_map_super_put(super);
		return NULL;
	}
	addon = to_addon(mark);
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

/* Find the inode's addon and count the caller as a user. Returns NULL if there is none to use. */
static struct inode_addon *inode_addon_find(struct inode *inode)
{
	struct inode_mark *mark = inode_mark_find(&addon_class, inode);
	struct inode_addon *addon;

	if (!mark)
		return inode_remark_find(inode);
	addon = to_addon(mark);
	if (!refcount_inc_not_zero(&addon->users)) {
		/* Its last user is gone: make room rather than wait for the release. */
		inode_mark_drop(mark);
		return NULL;
	}
	inode_mark_put(mark);
	return addon;
}

/* Whether the addon can serve such a user as it is. Counts a pinned user as pinned if so. */
static bool inode_addon_suits(struct inode_addon *addon, bool pinned)
{
	bool suits = pinned ? addon->pins || addon->pin : !addon->pins;

	if (suits && pinned)
		addon->pinned_users++;
	return suits;
}

/*
 * Have a pin keep the inode in memory, rather than the addon's own mark. The reference to @pin
 * becomes the addon's; if the addon needs no pin, return @pin. Counts a pinned user as pinned.
 */
static struct inode_mark *inode_addon_mix(struct inode_addon *addon, bool pinned,
					  struct inode_mark *pin)
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
		inode_addon_unpin(addon);
	}
	spin_unlock(&addon->lock);
	return pin;
}

/* Attach a pin. Returns it or an ERR_PTR(). */
static struct inode_mark *inode_pin_attach(struct inode *inode)
{
	struct inode_mark *pin = inode_mark_alloc(&pin_class, inode, 0);
	int err;

	if (!pin)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&nr_pinned);
	err = inode_mark_attach(pin, inode);
	if (!err)
		return pin;
	inode_mark_put(pin);
	return ERR_PTR(err);
}

/**
 * inode_addon_unpin - note that the addon's own mark no longer keeps the inode in memory
 * @addon: the addon, locked. Its pinned users remain
 */
void inode_addon_unpin(struct inode_addon *addon)
{
	lockdep_assert_held(&addon->lock);
	if (!addon->pins)
		return;
	addon->pins = false;
	atomic_dec(&nr_pinned);
}

/**
 * inode_addon_repin - attach a new pin to the inode if the addon has pinned users
 * @addon: an addon all of whose marks were destroyed. The caller is a user, keeps the inode in
 *	memory, and calls inode_addon_release() later, in case the last pinned user has gone by then
 *
 * Context: process; may sleep.
 * Return: 0, or what inode_mark_attach() returned, or -ENOMEM.
 */
int inode_addon_repin(struct inode_addon *addon)
{
	struct inode_mark *pin;
	bool pinned;

	spin_lock(&addon->lock);
	pinned = addon->pinned_users;
	spin_unlock(&addon->lock);
	if (!pinned)
		return 0;
	pin = inode_pin_attach(addon->inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	spin_lock(&addon->lock);
	swap(addon->pin, pin);
	spin_unlock(&addon->lock);
	if (pin)
		inode_mark_drop(pin);
	return 0;
}

/* Make a caller that is counted as a weak user the kind of user that it wants to be. */
static int inode_addon_join(struct inode_addon *addon, struct inode *inode, bool pinned)
{
	struct inode_mark *pin;
	bool suits;

	spin_lock(&addon->lock);
	suits = inode_addon_suits(addon, pinned);
	spin_unlock(&addon->lock);
	if (suits)
		return 0;

	pin = inode_pin_attach(inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	pin = inode_addon_mix(addon, pinned, pin);
	if (pin)
		inode_mark_drop(pin);
	return 0;
}

/*
 * A mark can be found before fsnotify has computed what follows from the inode's marks: its mask,
 * with the bit that programs look at, and whether to keep the inode. The task that attaches the
 * mark may be preempted or throttled in between for a long time. A task that finds the addon
 * meanwhile attaches a pin and drops it again: fsnotify looks at all marks whenever one is
 * attached.
 */
static int inode_addon_see_attached(struct inode_addon *addon, struct inode *inode)
{
	struct inode_mark *pin;

	/* Pairs with the stores below and in inode_addon_find_or_add(): the bit is set by now. */
	if (smp_load_acquire(&addon->attached))
		return 0;
	pin = inode_pin_attach(inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	inode_mark_drop(pin);
	/* Pairs with the load above: the bit is set. */
	smp_store_release(&addon->attached, true);
	return 0;
}

/* Find the inode's addon or add it. Returns it with the caller as a user, or an ERR_PTR(). */
static struct inode_addon *inode_addon_find_or_add(struct inode *inode, dev_t dev, bool pinned)
{
	struct inode_addon *addon;
	int err;

	do {
		addon = inode_addon_find(inode);
		if (addon) {
			err = inode_addon_see_attached(addon, inode) ?:
			      inode_addon_join(addon, inode, pinned);
			if (!err)
				return addon;
			inode_addon_release(addon);
			return ERR_PTR(err);
		}
		addon = inode_addon_alloc(inode, dev, pinned);
		if (!addon)
			return ERR_PTR(-ENOMEM);
		err = inode_mark_attach(&addon->mark, inode);
		YIELD_POINT_SLEEP();
		if (!err) {
			/* Pairs with the load in inode_addon_see_attached(): the bit is set. */
			smp_store_release(&addon->attached, true);
			return addon;
		}
		/* Another task was faster (-EEXIST), or it failed. Nobody has seen this addon. */
		inode_mark_put(&addon->mark);
	} while (err == -EEXIST);

	return ERR_PTR(err);
}

/*
 * Whether the connector of the addon's mark has another addon that is in use. That one's mark is no
 * longer attached, so that inode_mark_find() does not find it, but fsnotify has yet to call back
 * for it, and then it may be reprieved.
 */
static bool inode_addon_has_rival(struct inode_addon *addon)
{
	struct fsnotify_mark_connector *connector = addon->mark.fsn.connector;
	struct fsnotify_mark *other;
	bool rival = false;

	spin_lock(&connector->lock);
	hlist_for_each_entry(other, &connector->list, obj_list) {
		rival = other != &addon->mark.fsn && other->group == addon->mark.fsn.group &&
			refcount_read(&to_addon(to_inode_mark(other))->users);
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
static bool inode_addon_is_second(struct inode_addon *addon, struct inode *inode)
{
	struct inode_addon *first;

	if (READ_ONCE(inode->i_nlink))
		return false;
	if (inode_addon_has_rival(addon) || inode_remark_is_due(inode))
		return true;
	first = inode_remark_find(inode);
	if (first)
		inode_addon_release(first);
	return first && first != addon;
}

/**
 * inode_addon_get - find or make the addon of an inode
 * @inode: the inode; the caller holds a reference to it
 * @dev: the device that it is on, as far as the caller knows
 * @pinned: whether to keep the inode in memory
 *
 * The memory is charged to the account that the caller has begun (account.h).
 *
 * Context: process; may sleep.
 * Return: the addon with the caller as a user, for inode_addon_put(), or an ERR_PTR(): -ENOMEM;
 * -ESTALE when the inode or its superblock is going away at this moment.
 */
struct inode_addon *inode_addon_get(struct inode *inode, dev_t dev, bool pinned)
{
	struct inode_addon *addon;

	do {
		addon = inode_addon_find_or_add(inode, dev, pinned);
		if (IS_ERR(addon))
			return addon;
		/* The caller knows better than the program that made the addon. */
		if (dev != inode->i_sb->s_dev)
			WRITE_ONCE(addon->dev, dev);
		if (!inode_addon_is_second(addon, inode))
			return addon;
		if (inode_addon_put(addon, pinned))
			inode_addon_release(addon);
	} while (inode_remark_wait(inode));

	return ERR_PTR(-ESTALE);
}

/**
 * inode_addon_put - drop a user of an addon, if that does not sleep
 * @addon: what inode_addon_get() returned
 * @pinned: what it was given
 *
 * Context: any but interrupts; does not sleep.
 * Return: true if the caller has to call inode_addon_release(), and is a user until then. If false,
 * the addon may go at any time, and is freed after a grace period of RCU.
 */
bool inode_addon_put(struct inode_addon *addon, bool pinned)
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
 * inode_addon_release - drop a user, with the pin or the addon if nobody else needs them
 * @addon: the addon. The caller is a user of it, and is none on return
 *
 * Context: process; may sleep, for a filesystem to evict the inode.
 */
void inode_addon_release(struct inode_addon *addon)
{
	struct inode_mark *pin = NULL;

	spin_lock(&addon->lock);
	/* There may be pinned users again by now. */
	if (!addon->pinned_users)
		swap(addon->pin, pin);
	spin_unlock(&addon->lock);
	if (pin)
		inode_mark_drop(pin);
	if (!refcount_dec_and_test(&addon->users))
		return;
	inode_remark_end(addon);
	inode_mark_drop(&addon->mark);
}

/**
 * inode_addon_end - take an inode out of every map
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 */
void inode_addon_end(struct inode *inode)
{
	struct inode_addon *addon = inode_addon_find(inode);

	if (!addon)
		return;
	inode_addon_die(addon);
	inode_addon_release(addon);
}

/**
 * inode_addon_count - how many addons are in memory
 *
 * Return: the number, including those that wait for a grace period.
 */
unsigned int inode_addon_count(void)
{
	return atomic_read(&addon_class.nr);
}

/**
 * inode_pin_count - how many inodes are kept in memory
 *
 * Return: the number, including released inodes whose mark waits for a grace period.
 */
unsigned int inode_pin_count(void)
{
	return atomic_read(&nr_pinned);
}

/**
 * inode_addon_init - prepare for making addons
 *
 * Return: 0 or -ENOMEM.
 */
int inode_addon_init(void)
{
	int err;

	BUILD_BUG_ON(offsetof(struct inode_addon, mark) != 0);

	err = inode_mark_class_register(&addon_class);
	if (err)
		return err;
	err = inode_mark_class_register(&pin_class);
	if (err)
		goto err_addon;
	err = inode_remark_init();
	if (err)
		goto err_pin;
	return 0;

err_pin:
	inode_mark_class_unregister(&pin_class);
err_addon:
	inode_mark_class_unregister(&addon_class);
	return err;
}

/**
 * inode_addon_exit - wait until the last addon is gone
 *
 * No map may exist any more.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_addon_exit(void)
{
	inode_remark_exit();
	inode_mark_class_unregister(&pin_class);
	inode_mark_class_unregister(&addon_class);
}
