// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: how entries are found by their handle, and walks over a map.
 *
 * Handles count up from 1 and wrap to 1 after the largest. Iteration goes from larger handles to
 * smaller ones: entries inserted during a walk are behind the walker, so that a walk ends however
 * fast others insert, and meets every entry that stays in the map exactly once. The index is an
 * xarray, which walks upwards, so entries are stored at inode_map_slot(): as handles count up,
 * slots count down. Since an xarray with only small indexes is smaller and faster, they do so in
 * blocks, each as large as all before it. When a block is used up, the next one is ahead of the
 * walkers; there are 20.
 *
 * Locks: none. Readers are under RCU; table.c and update.c change the index, under its lock.
 */
#include <linux/compiler.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/xarray.h>

#include "entry.h"
#include "handle.h"
#include "map.h"

#define INODE_MAP_FIRST_BLOCK	4096UL

/**
 * inode_map_slot - the slot of an entry in its map's index
 * @handle: the entry's handle
 *
 * Within a block, a walk meets larger handles first.
 *
 * Return: the slot, less than 2^31. Unique for each handle; the slot of the slot is the handle.
 */
unsigned long inode_map_slot(u32 handle)
{
	unsigned long end = max(roundup_pow_of_two(handle + 1UL), INODE_MAP_FIRST_BLOCK);
	unsigned long begin = end > INODE_MAP_FIRST_BLOCK ? end / 2 : 0;

	return begin + (end - 1 - handle);
}

/*
 * Whether an entry found in the index, or the one that has replaced it, has ended: either may still
 * be in the index.
 */
static bool inode_map_has_ended(const struct inode_map_entry *entry)
{
	const struct inode_map_entry *fate;

	while ((fate = READ_ONCE(entry->fate)) && fate != INODE_MAP_ENDED)
		entry = fate;
	return !READ_ONCE(entry->inode);
}

/**
 * inode_map_find_handle - find an entry by its handle
 * @map: the map
 * @handle: the handle
 *
 * Context: any, under RCU. The result is valid until the RCU read-side section ends.
 * Return: the entry, or NULL.
 */
struct inode_map_entry *inode_map_find_handle(struct inode_map *map, u32 handle)
{
	struct inode_map_entry *entry;

	if (!handle || handle > INODE_MAP_HANDLE_MAX)
		return NULL;
	entry = xa_load(&map->index, inode_map_slot(handle));
	return entry && !inode_map_has_ended(entry) ? entry : NULL;
}

/**
 * inode_map_next_slot - walk over the entries, by slots
 * @map: the map
 * @slot: where to begin
 *
 * Context: any, under RCU. The result is valid until the RCU read-side section ends. A walk may
 * leave RCU between its steps.
 * Return: the entry at @slot or the first one after it, or NULL at the end.
 */
struct inode_map_entry *inode_map_next_slot(struct inode_map *map, unsigned long slot)
{
	struct inode_map_entry *entry;

	entry = xa_find(&map->index, &slot, ULONG_MAX, XA_PRESENT);
	while (entry && inode_map_has_ended(entry))
		entry = xa_find_after(&map->index, &slot, ULONG_MAX, XA_PRESENT);
	return entry;
}

/**
 * inode_map_next - walk over the entries
 * @map: the map
 * @handle: the handle where the walk is, whether or not its entry is still there, or 0 to begin
 *
 * Context: any, under RCU. The result is valid until the RCU read-side section ends. A walk may
 * leave RCU between its steps.
 * Return: the next entry, or NULL at the end.
 */
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle)
{
	if (!handle || handle > INODE_MAP_HANDLE_MAX)
		return inode_map_next_slot(map, 0);
	return inode_map_next_slot(map, inode_map_slot(handle) + 1);
}
