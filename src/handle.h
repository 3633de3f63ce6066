/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handles: how entries are found by their handle, and walks over a map. Described at the top of
 * handle.c.
 */
#ifndef _INODE_MAP_HANDLE_H
#define _INODE_MAP_HANDLE_H

#include <linux/limits.h>
#include <linux/types.h>

struct inode_map;
struct inode_map_entry;

/* Handles are 1 to this: a 4-byte key holds minus the handle, a negative __s32. */
#define INODE_MAP_HANDLE_MAX	INT_MAX

/**
 * inode_map_handle_after - the handle that follows another
 * @handle: a handle
 *
 * Return: the next one, which is 1 after the largest.
 */
static inline u32 inode_map_handle_after(u32 handle)
{
	return handle == INODE_MAP_HANDLE_MAX ? 1 : handle + 1;
}

unsigned long inode_map_slot(u32 handle) __attribute_const__;
struct inode_map_entry *inode_map_find_handle(struct inode_map *map, u32 handle);
struct inode_map_entry *inode_map_next_slot(struct inode_map *map, unsigned long slot);
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle);

#endif /* _INODE_MAP_HANDLE_H */
