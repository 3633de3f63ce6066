/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of a map. For their locking and lifetime see the top of table.c. The lookup that BPF
 * programs make is in hash.h.
 */
#ifndef _INODE_MAP_TABLE_H
#define _INODE_MAP_TABLE_H

#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/types.h>

#include "reason.h"

struct inode_map;
struct inode_map_entry;

/* Handles are 1 to this: a 4-byte key holds minus the handle, a negative __s32. */
#define INODE_MAP_HANDLE_MAX	INT_MAX

/**
 * inode_is_shared_anon - is this the one inode that eventfds, BPF objects and so on share?
 * @inode: the inode
 *
 * It identifies no file. Secure anonymous inodes are not shared, and not private.
 *
 * Return: whether it is.
 */
static inline bool inode_is_shared_anon(const struct inode *inode)
{
	return inode->i_sb->s_magic == ANON_INODE_FS_MAGIC && IS_PRIVATE(inode);
}

struct inode_map_entry *inode_map_find_handle(struct inode_map *map, u32 handle);
unsigned long inode_map_slot(u32 handle);
struct inode_map_entry *inode_map_next_slot(struct inode_map *map, unsigned long slot);
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle);
struct inode_map_entry *inode_map_update(struct inode_map *map, struct inode *inode, dev_t dev,
					 bool weak, const void *value, u64 flags, gfp_t gfp);
int inode_map_update_handle(struct inode_map *map, u32 handle, const void *value, u64 flags);
int inode_map_delete(struct inode_map *map, u32 handle);
int inode_map_delete_inode(struct inode_map *map, const struct inode *inode);

int inode_map_try_replace(struct inode_map *map, const struct inode *inode, const void *value);
int inode_map_end_inode(struct inode_map *map, const struct inode *inode);
int inode_map_end_handle(struct inode_map *map, u32 handle);

bool inode_map_unlink(struct inode_map_entry *entry, enum inode_map_reason reason);
void inode_map_unlink_ended(struct inode_map_entry *entry);
bool inode_map_unlink_first(struct inode_map *map);

#endif /* _INODE_MAP_TABLE_H */
