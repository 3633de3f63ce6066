// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deletions: how entries end because somebody wants it, or because their map does.
 *
 * bpf(2) calls inode_map_delete() and inode_map_delete_inode(), which unlink the entry. Programs in
 * any context call inode_map_end_inode() and inode_map_end_handle(), which only claim it and leave
 * the rest to a worker (defer.c). The worker that frees a map (map.c) calls
 * inode_map_unlink_first() until no entry is left.
 *
 * Locks: callers hold none of ours. Those that unlink take addon->lock, then the map's lock
 * (table.c); those for programs take none.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>

#include "defer.h"
#include "delete.h"
#include "entry.h"
#include "handle.h"
#include "hash.h"
#include "map.h"
#include "reason.h"
#include "table.h"

/* Remove the entry that an addon has in a map. Looks it up by @inode or, if NULL, by @handle. */
static int inode_map_delete_of(struct inode_map *map, struct inode_map_addon *addon,
			       const struct inode *inode, u32 handle)
{
	struct inode_map_entry *entry;
	bool ours;

	inode_map_lock(map, addon);
	entry = inode ? inode_map_find_inode_locked(map, inode, addon) :
			inode_map_find_handle_locked(map, handle, addon);
	ours = entry && inode_map_end_linked(map, entry, INODE_MAP_DELETED);
	inode_map_unlock(map, addon);
	if (!ours)
		return -ENOENT;
	inode_map_entry_release(entry);
	return 0;
}

/**
 * inode_map_delete_inode - remove the entry of an inode
 * @map: the map
 * @inode: the inode
 *
 * Context: any but interrupts; does not sleep. A worker releases the inode later.
 * Return: 0, or -ENOENT when the inode is not in the map.
 */
int inode_map_delete_inode(struct inode_map *map, const struct inode *inode)
{
	struct inode_map_entry *entry;
	int err = -ENOENT;

	rcu_read_lock();
	entry = inode_map_find(map, inode);
	if (entry)
		err = inode_map_delete_of(map, entry->addon, inode, 0);
	rcu_read_unlock();
	return err;
}

/**
 * inode_map_delete - remove an entry
 * @map: the map
 * @handle: the entry's handle
 *
 * Context: any but interrupts; does not sleep. A worker releases the inode later.
 * Return: 0, or -ENOENT when no entry has this handle.
 */
int inode_map_delete(struct inode_map *map, u32 handle)
{
	struct inode_map_addon *addon;
	int err = -ENOENT;

	rcu_read_lock();
	addon = inode_map_handle_addon(map, handle);
	if (addon)
		err = inode_map_delete_of(map, addon, NULL, handle);
	rcu_read_unlock();
	return err;
}

/* Called in the RCU read-side section that found @found. */
static int inode_map_end_found(struct inode_map *map, struct inode_map_entry *found)
{
	struct inode_map_entry *ended = found ? inode_map_claim(map, found) : NULL;

	if (!ended)
		return -ENOENT;
	inode_map_defer(ended);
	return 0;
}

/**
 * inode_map_end_inode - end the entry of an inode
 * @map: the map
 * @inode: the inode; not dereferenced
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section.
 * Return: 0, or -ENOENT when the inode is not in the map.
 */
int inode_map_end_inode(struct inode_map *map, const struct inode *inode)
{
	int err;

	rcu_read_lock();
	err = inode_map_end_found(map, inode_map_find(map, inode));
	rcu_read_unlock();
	return err;
}

/**
 * inode_map_end_handle - end the entry that has a handle
 * @map: the map
 * @handle: the handle
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section.
 * Return: 0, or -ENOENT when no entry has this handle.
 */
int inode_map_end_handle(struct inode_map *map, u32 handle)
{
	int err;

	rcu_read_lock();
	err = inode_map_end_found(map, inode_map_find_handle(map, handle));
	rcu_read_unlock();
	return err;
}

/**
 * inode_map_unlink_first - take an entry out of a map that is being freed
 * @map: the map, which is dead
 *
 * Context: process; does not sleep.
 * Return: whether there may be more.
 */
bool inode_map_unlink_first(struct inode_map *map)
{
	struct inode_map_entry *entry;
	unsigned long slot = 0;
	bool ours = false;

	rcu_read_lock();
	entry = xa_find(&map->index, &slot, ULONG_MAX, XA_PRESENT);
	if (entry) {
		inode_map_lock(map, entry->addon);
		/* It may have been unlinked meanwhile, or replaced. */
		if (xa_load(&map->index, slot) == entry)
			ours = inode_map_end_linked(map, entry, INODE_MAP_FREED);
		inode_map_unlock(map, entry->addon);
		if (ours)
			inode_map_entry_release(entry);
	}
	rcu_read_unlock();
	return entry;
}
