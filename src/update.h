/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Updates: how an inode, or an existing entry, gets a value. Described at the top of update.c.
 */
#ifndef _INODE_MAP_UPDATE_H
#define _INODE_MAP_UPDATE_H

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/types.h>

struct inode_map;
struct inode_map_entry;

/**
 * inode_map_is_shared_anon - is this the one inode that eventfds, BPF objects and so on share?
 * @inode: the inode
 *
 * It identifies no file. Secure anonymous inodes are not shared, and not private.
 *
 * Return: whether it is.
 */
static inline bool inode_map_is_shared_anon(const struct inode *inode)
{
	return inode->i_sb->s_magic == ANON_INODE_FS_MAGIC && IS_PRIVATE(inode);
}

struct inode_map_entry *inode_map_update(struct inode_map *map, struct inode *inode, dev_t dev,
					 bool weak, const void *value, u64 flags, gfp_t gfp);
int inode_map_update_handle(struct inode_map *map, u32 handle, const void *value, u64 flags);
int inode_map_try_replace(struct inode_map *map, const struct inode *inode, const void *value);

#endif /* _INODE_MAP_UPDATE_H */
