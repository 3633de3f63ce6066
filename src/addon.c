// SPDX-License-Identifier: GPL-2.0
/*
 * Addons and pins.
 *
 * An inode that is in any map has one addon, which lists the entries of all maps for it. The addon
 * does not hold the inode: entries that must outlast memory pressure share a second mark, the pin,
 * which does. Two marks, because fsnotify counts references to inodes itself (it waits for them
 * when a superblock shuts down, before it looks for busy inodes), and decides by the marks that are
 * attached: the inode is let go when the last pinned entry goes, and weak ones can stay.
 *
 * Entries end in one of two ways. Either a map gives one up (map.c), or the inode ends and
 * fsnotify calls inode_addon_freeing(), in process context with none of its locks held:
 *
 *   last link and last user gone    from the last dput(), inode still referenced by the caller
 *   eviction (no pin)               from destroy_inode(): nobody can find the inode any more
 *   superblock shutdown             before the check for busy inodes
 *
 * Lock order: addon->lock, then the lock of a map's index (xa_lock). Both are spinlocks and nothing
 * is allocated or released under them.
 */
#include <linux/fs.h>
#include <linux/kdev_t.h>

#include "addon.h"
#include "table.h"

static struct inode_addon *to_addon(struct inode_mark *mark)
{
	return container_of(mark, struct inode_addon, mark);
}

static void inode_addon_setup(struct inode_mark *mark, struct inode *inode)
{
	struct inode_addon *addon = to_addon(mark);

	addon->inode = inode;
	addon->sb = inode->i_sb;
	addon->ino = inode->i_ino;
	addon->gen = inode->i_generation;
	addon->dev = new_encode_dev(inode->i_sb->s_dev);
	spin_lock_init(&addon->lock);
	INIT_HLIST_HEAD(&addon->entries);
}

/* What ends the inode: fsnotify does not say. Its caller holds the inode. */
static enum inode_map_reason inode_addon_reason(const struct inode_addon *addon)
{
	/* Names go first, and with them inodes that are not kept without; then it is inactive. */
	if (!READ_ONCE(addon->sb->s_root) || !(READ_ONCE(addon->sb->s_flags) & SB_ACTIVE))
		return INODE_MAP_UNMOUNTED;
	if (READ_ONCE(addon->inode->i_state) & I_FREEING)
		return INODE_MAP_EVICTED;
	return INODE_MAP_UNLINKED;
}

/*
 * The inode ends: take every entry out of its map. Or the addon has no user left: then it has no
 * entry, and the inode may be gone.
 */
static void inode_addon_freeing(struct fsnotify_mark *fsn, struct fsnotify_group *group)
{
	struct inode_addon *addon = to_addon(container_of(fsn, struct inode_mark, fsn));
	struct inode_map_entry *entry;
	struct hlist_node *next;
	HLIST_HEAD(gone);

	spin_lock(&addon->lock);
	addon->dead = true;
	hlist_for_each_entry_safe(entry, next, &addon->entries, in_addon) {
		inode_map_unlink(entry, inode_addon_reason(addon));
		hlist_add_head(&entry->in_addon, &gone);
	}
	spin_unlock(&addon->lock);

	hlist_for_each_entry_safe(entry, next, &gone, in_addon)
		inode_map_entry_release(entry);
}

static struct inode_mark_class addon_class = {
	.size	= sizeof(struct inode_addon),
	.mask	= INODE_ADDON_MASK,
	.flags	= FSNOTIFY_MARK_FLAG_NO_IREF,
	.init	= inode_addon_setup,
	.ops	= {
		.handle_inode_event	= inode_mark_handle_event,
		.freeing_mark		= inode_addon_freeing,
		.free_mark		= inode_mark_free,
	},
};

static struct inode_mark_class pin_class = {
	.size	= sizeof(struct inode_mark),
	.ops	= {
		.handle_inode_event	= inode_mark_handle_event,
		.free_mark		= inode_mark_free,
	},
};

/**
 * inode_addon_get - find or make the addon of an inode
 * @inode: the inode; the caller holds a reference to it
 *
 * The memory is charged to the memory cgroup of the task that makes it.
 *
 * Context: process; may sleep.
 * Return: the addon, for inode_addon_put(), or an ERR_PTR(): -ENOMEM; -ESTALE when the inode or its
 * superblock is going away at this moment.
 */
struct inode_addon *inode_addon_get(struct inode *inode)
{
	struct inode_mark *mark = inode_mark_get(&addon_class, inode);

	return IS_ERR(mark) ? ERR_CAST(mark) : to_addon(mark);
}

/**
 * inode_addon_hold - count one more user of an addon in
 * @addon: an addon that has a user, who can't go meanwhile
 *
 * Context: any.
 */
void inode_addon_hold(struct inode_addon *addon)
{
	refcount_inc(&addon->mark.users);
}

/**
 * inode_addon_put - count a user of an addon out
 * @addon: what inode_addon_get() returned or inode_addon_hold() was given
 *
 * Context: any but NMI; does not sleep.
 */
void inode_addon_put(struct inode_addon *addon)
{
	inode_mark_put(&addon->mark);
}

/**
 * inode_addon_end - take an inode out of every map
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 */
void inode_addon_end(struct inode *inode)
{
	inode_mark_destroy(&addon_class, inode);
	inode_mark_destroy(&pin_class, inode);
}

/**
 * inode_pin_get - keep an inode in memory until it is removed or its superblock shuts down
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 * Return: the pin, for inode_pin_put(), or an ERR_PTR() as inode_addon_get().
 */
struct inode_mark *inode_pin_get(struct inode *inode)
{
	return inode_mark_get(&pin_class, inode);
}

/**
 * inode_pin_hold - count one more user of a pin in
 * @pin: a pin that has a user, who can't go meanwhile, or NULL
 *
 * Context: any.
 */
void inode_pin_hold(struct inode_mark *pin)
{
	if (pin)
		refcount_inc(&pin->users);
}

/**
 * inode_pin_put - count a user of a pin out
 * @pin: what inode_pin_get() returned or inode_pin_hold() was given, or NULL
 *
 * The inode is let go later, by a worker.
 *
 * Context: any but NMI; does not sleep.
 */
void inode_pin_put(struct inode_mark *pin)
{
	if (pin)
		inode_mark_put(pin);
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
 * inode_pin_count - how many pins are in memory
 *
 * Return: the number, those that wait for a grace period included.
 */
unsigned int inode_pin_count(void)
{
	return atomic_read(&pin_class.nr);
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

	err = inode_mark_init();
	if (err)
		return err;
	err = inode_mark_class_register(&addon_class);
	if (err)
		goto err_mark;
	err = inode_mark_class_register(&pin_class);
	if (err)
		goto err_addon;
	return 0;

err_addon:
	inode_mark_class_unregister(&addon_class);
err_mark:
	inode_mark_exit();
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
	inode_mark_exit();
	inode_mark_class_unregister(&pin_class);
	inode_mark_class_unregister(&addon_class);
}
