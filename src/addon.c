// SPDX-License-Identifier: GPL-2.0
/*
 * Addons.
 *
 * An inode that is in any map has one addon, which lists the entries of all maps for it. It is a
 * mark (mark.c), found or added atomically, and has users: entries, and tasks about to add one.
 *
 * Pinned entries want the inode to be kept in memory, weak ones don't. Marks do that, or don't:
 * fsnotify counts references to inodes itself, waits for them when a superblock shuts down, before
 * it looks for busy inodes, and decides by the marks that are attached. As long as all users want
 * the same the addon's own mark does what they want. Where they are mixed it does not keep the
 * inode, and a second mark, the pin, does: it goes with the last pinned user, and weak ones can
 * stay. An addon that keeps the inode stops doing so when the first weak user comes, after a pin
 * has been attached; it never begins to.
 *
 *   inode_addon_get()      finds the inode's addon or adds it, and counts the caller in.
 *   inode_addon_put()      counts a user out, unless the rest would sleep. Then it is left to
 *   inode_addon_release()  which lets go of what nobody needs any more: the pin, if no pinned user
 *                          is left, and the addon, if no user is.
 *
 * An addon whose last user is gone but which is still attached is in nobody's use and never will be
 * again: who finds such an addon helps detach it and adds a new one, rather than wait.
 *
 * Entries end in one of two ways. Either a map or a program gives one up (table.c), or the inode
 * ends and fsnotify calls inode_addon_freeing(), in process context with none of its locks held,
 * users or not:
 *
 *   last link and last user gone    from the last dput(), inode still referenced by the caller
 *   eviction (not kept)             from destroy_inode(): nobody can find the inode any more
 *   superblock shutdown             before the check for busy inodes
 *
 * Some kernels call it for inodes that go on, too: then the addon gets another mark (remark.c).
 *
 * So an inode is alive as long as an entry of it is linked and the addon's lock is held, and only
 * then. Not every filesystem frees inodes after a grace period of RCU: pipes and sockets do so at
 * once, and XFS makes another inode of one within it. To readers an inode is an address that they
 * compare; what they show of it is copied into the addon when that is made. Its device can be
 * another to stat(2) than to the superblock, and only who has a path can ask for that: he comes
 * later, perhaps.
 *
 * Lock order: addon->lock, then the lock of a map's index (xa_lock) or the lock of a mark. All are
 * spinlocks and nothing is allocated or released under them.
 */
#include <linux/fs.h>

#include "addon.h"
#include "compat.h"
#include "remark.h"
#include "table.h"
#include "yield.h"

static atomic_t nr_pinned = ATOMIC_INIT(0);

static struct inode_addon *to_addon(struct inode_mark *mark)
{
	return container_of(mark, struct inode_addon, mark);
}

/* What ends the inode: fsnotify does not say. Its caller holds the inode. */
static enum inode_map_reason inode_end_reason(const struct inode_addon *addon)
{
	/*
	 * Whoever had the superblock has let go of it, and nobody can get it again: this is its
	 * shutdown. SB_ACTIVE says so too late: names go before, and on 7.x fsnotify's marks.
	 */
	if (!atomic_read(&addon->inode->i_sb->s_active))
		return INODE_MAP_UNMOUNTED;
	if (inode_state_read_once(addon->inode) & I_FREEING)
		return INODE_MAP_EVICTED;
	return INODE_MAP_UNLINKED;
}

/*
 * Take the entries of a locked addon out of their maps. Those that are the caller's to let go of are put
 * on a list, and the number of them is returned.
 */
static unsigned int inode_addon_unlink_all(struct inode_addon *addon, struct hlist_head *gone)
{
	struct inode_map_entry *entry;
	struct hlist_node *next;
	unsigned int nr = 0;

	addon->dead = true;
	hlist_for_each_entry_safe(entry, next, &addon->entries, in_addon) {
		/* Or a program has ended it. Then a worker will let go of it. */
		if (!inode_map_unlink(entry, inode_end_reason(addon)))
			continue;
		hlist_add_head(&entry->in_addon, gone);
		nr++;
	}
	return nr;
}

/*
 * The end of an addon in fsnotify's callback for its own mark. There is nothing to wait for, where there is
 * no other mark: the addon's own has been taken off the inode already, and the last user's reference is
 * not its last one, since fsnotify has another until the callback has returned. So nobody is asked to let
 * go of the inode. Returns whether it was so.
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
	/* Whoever attaches a pin from here on is a user, and will take it off. */
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
 * Context: process; does not sleep. While there are entries the caller keeps the inode in memory.
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
 * The inode ends, and fsnotify's caller holds it. Or it does not, see remark.c. Or the addon has no
 * user left: then it has no entry, and the inode may be gone.
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

/* Two tasks may attach a pin to an inode at the same time; one of them is kept. */
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

/* For those who reached the addon through an entry. */
static void inode_addon_free(struct fsnotify_mark *fsn)
{
	struct inode_addon *addon = to_addon(to_inode_mark(fsn));

	if (addon->pins)
		atomic_dec(&nr_pinned);
	/* Not kfree_rcu(), which may take seconds: until then it is charged to a memory cgroup. */
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

/* The inode's addon with the caller counted in, or NULL where there is none to use. */
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

/* Count a user in as pinned, or find out whether it can stay as it is. */
static bool inode_addon_suits(struct inode_addon *addon, bool pinned)
{
	bool suits = pinned ? addon->pins || addon->pin : !addon->pins;

	if (suits && pinned)
		addon->pinned_users++;
	return suits;
}

/*
 * Have the inode kept in memory by a pin, whose reference becomes the addon's, or which is handed
 * back. The new user is counted in as pinned if it is.
 */
static struct inode_mark *inode_addon_mix(struct inode_addon *addon, bool pinned,
					  struct inode_mark *pin)
{
	spin_lock(&addon->lock);
	addon->pinned_users += pinned;
	if (addon->pinned_users && !addon->pin)
		swap(addon->pin, pin);
	if (addon->pins) {
		/* fsnotify counts anew when the next mark comes or goes: the pin, at the latest. */
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
 * inode_addon_unpin - the addon's own mark keeps the inode in memory no more
 * @addon: the addon, locked. It has pinned users still, if it had
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
 * inode_addon_repin - have the inode kept in memory by another pin, if it is to be kept
 * @addon: an addon all of whose marks were destroyed; the caller is a user, and is to call
 *	inode_addon_release(), should there be no pinned user any more. He keeps the inode, too
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

/* Give a user of an addon what he wants. The caller is counted in, as a weak user so far. */
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
 * fsnotify lets a mark be found before it calculates what the inode's marks amount to: its mask,
 * which has the bit that programs look at, and whether it is kept. Between the two is a task that
 * may be preempted, or throttled, for long. Who finds the addon by then has fsnotify calculate by
 * itself, which it does over all marks whenever one comes: a pin, which goes again.
 */
static int inode_addon_see_attached(struct inode_addon *addon, struct inode *inode)
{
	struct inode_mark *pin;

	/* Pairs with the release by whoever has seen to it: the bit is there for who sees this. */
	if (smp_load_acquire(&addon->attached))
		return 0;
	pin = inode_pin_attach(inode);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	inode_mark_drop(pin);
	smp_store_release(&addon->attached, true);
	return 0;
}

/* Find the inode's addon or add it. Returns it with the caller counted in, or an ERR_PTR(). */
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
			smp_store_release(&addon->attached, true);
			return addon;
		}
		/* Somebody was quicker (-EEXIST), or it failed: drop the copy nobody else saw. */
		inode_mark_put(&addon->mark);
	} while (err == -EEXIST);

	return ERR_PTR(err);
}

/*
 * Whether the connector of a mark has another addon that is in use. It is not attached any more
 * and waits for fsnotify to say so: inode_mark_find() does not find it, and it may be reprieved.
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
 * Whether the inode has an addon that can't be found at this moment, because it has lost its mark
 * and is to get another (see remark.c), so that @addon is a second one. Only an inode without links
 * comes to that. In this order: what is no rival yet is due then, and what is due no more is found.
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
 * @pinned: whether the inode shall be kept in memory
 *
 * The memory is charged to the account that the caller has begun (account.h).
 *
 * Context: process; may sleep.
 * Return: the addon with the caller counted as a user, for inode_addon_put(), or an ERR_PTR():
 * -ENOMEM; -ESTALE when the inode or its superblock is going away at this moment.
 */
struct inode_addon *inode_addon_get(struct inode *inode, dev_t dev, bool pinned)
{
	struct inode_addon *addon;

	do {
		addon = inode_addon_find_or_add(inode, dev, pinned);
		if (IS_ERR(addon))
			return addon;
		/* He knows better than the program that made it. */
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
 * inode_addon_put - count a user of an addon out
 * @addon: what inode_addon_get() returned
 * @pinned: what it was given
 *
 * Context: any but interrupts; does not sleep.
 * Return: whether inode_addon_release() is due. If not, the addon may be gone on return, after a
 * grace period of RCU.
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
 * inode_addon_release - let go of an inode that no user, or no pinned user, needs any more
 * @addon: the addon, of which the caller is a user and ceases to be one
 *
 * Context: process; may sleep, for a filesystem to evict the inode.
 */
void inode_addon_release(struct inode_addon *addon)
{
	struct inode_mark *pin = NULL;

	spin_lock(&addon->lock);
	/* There may be one again by now. */
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
 * Return: the number, those that wait for a grace period included.
 */
unsigned int inode_addon_count(void)
{
	return atomic_read(&addon_class.nr);
}

/**
 * inode_pin_count - how many inodes are kept in memory
 *
 * Return: the number, those included that have been let go and whose mark waits for a grace period.
 */
unsigned int inode_pin_count(void)
{
	return atomic_read(&nr_pinned);
}

/**
 * inode_addon_init - get ready to make addons
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
