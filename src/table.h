/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of a map: how they are linked, replaced and ended. For their locking and lifetime see
 * the top of table.c. update.c, delete.c, defer.c and end.c are built on this.
 *
 * __noendbr: these functions are called directly only, and on the way of every update or deletion.
 */
#ifndef _INODE_MAP_TABLE_H
#define _INODE_MAP_TABLE_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "addon.h"
#include "compat.h"
#include "entry.h"
#include "handle.h"
#include "map.h"
#include "reason.h"

struct inode;

/**
 * inode_map_lock - lock the entry of an inode in a map
 * @map: the map
 * @addon: the inode's addon
 *
 * Context: any but interrupts; does not sleep.
 */
static inline void inode_map_lock(struct inode_map *map, struct inode_map_addon *addon)
	__acquires(&addon->lock) __acquires(&map->index.xa_lock)
{
	spin_lock(&addon->lock);
	xa_lock(&map->index);
}

/**
 * inode_map_unlock - drop the locks that inode_map_lock() took
 * @map: the map
 * @addon: the inode's addon
 */
static inline void inode_map_unlock(struct inode_map *map, struct inode_map_addon *addon)
	__releases(&map->index.xa_lock) __releases(&addon->lock)
{
	xa_unlock(&map->index);
	spin_unlock(&addon->lock);
}

__noendbr void inode_map_remove(struct inode_map *map, struct inode_map_entry *entry,
				enum inode_map_reason reason);
__noendbr bool inode_map_replace(struct inode_map *map, struct inode_map_entry *old,
				 struct inode_map_entry *new);
__noendbr struct inode_map_entry *inode_map_claim(struct inode_map *map,
						  struct inode_map_entry *entry);
__noendbr struct inode_map_entry *inode_map_find_inode_locked(const struct inode_map *map,
							      const struct inode *inode,
							      const struct inode_map_addon *addon);
__noendbr int inode_map_link(struct inode_map *map, struct inode_map_entry *new, u64 flags,
			     u32 handle);

bool __must_check inode_map_unlink(struct inode_map_entry *entry, enum inode_map_reason reason);
void inode_map_unlink_ended(struct inode_map_entry *entry);

/**
 * inode_map_renew - give the inode of an entry another value
 * @map: the map
 * @old: the entry, linked
 * @new: an entry that has the value. It takes over what @old holds
 *
 * Context: under both locks.
 * Return: true if the caller has to call inode_map_entry_retire() for @old. If false, a program has
 * just ended @old.
 */
static inline bool inode_map_renew(struct inode_map *map, struct inode_map_entry *old,
				   struct inode_map_entry *new)
{
	lockdep_assert_held(&old->addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	/* Not old->inode: a program may be ending the entry. */
	new->inode = old->addon->inode;
	new->addon = old->addon;
	new->pinned = old->pinned;
	return inode_map_replace(map, old, new);
}

/**
 * inode_map_end_linked - end an entry and unlink it
 * @map: the map
 * @entry: the entry, linked
 * @reason: why
 *
 * Context: under both locks.
 * Return: whether the caller has to release the entry. If not, a program has ended it before.
 */
static inline bool inode_map_end_linked(struct inode_map *map, struct inode_map_entry *entry,
					enum inode_map_reason reason)
{
	bool ours;

	lockdep_assert_held(&entry->addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	ours = inode_map_claim(map, entry);
	inode_map_remove(map, entry, ours ? reason : INODE_MAP_DELETED);
	return ours;
}

/**
 * inode_map_handle_addon - the addon of the entry that has a handle
 * @map: the map
 * @handle: the handle
 *
 * Lock it before changing the entry, and look that up again.
 *
 * Context: any, under RCU. The result is valid until the RCU read-side section ends.
 * Return: the addon, or NULL if no entry has the handle.
 */
static inline struct inode_map_addon *inode_map_handle_addon(struct inode_map *map, u32 handle)
{
	struct inode_map_entry *entry = inode_map_find_handle(map, handle);

	return entry ? entry->addon : NULL;
}

/**
 * inode_map_find_handle_locked - look an entry up again by its handle, now that it is locked
 * @map: the map
 * @handle: the handle
 * @addon: what inode_map_handle_addon() returned
 *
 * Context: under both locks, in the RCU read-side section that found @addon.
 * Return: the entry, or NULL if it was removed before. If it got another value, this is the new
 * entry, of the same addon.
 */
static inline struct inode_map_entry *
inode_map_find_handle_locked(struct inode_map *map, u32 handle, const struct inode_map_addon *addon)
{
	struct inode_map_entry *entry = inode_map_find_handle(map, handle);

	lockdep_assert_held(&addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	return entry && entry->addon == addon ? entry : NULL;
}

/**
 * inode_map_check_flags - may an update go on?
 * @exists: whether the entry exists
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 *
 * Return: 0, -EEXIST or -ENOENT.
 */
static inline int inode_map_check_flags(bool exists, u64 flags)
{
	if (exists && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!exists && flags == BPF_EXIST)
		return -ENOENT;
	return 0;
}

#endif /* _INODE_MAP_TABLE_H */
