/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deletions: how entries end because somebody wants it, or because their map does. Described at the
 * top of delete.c.
 */
#ifndef _INODE_MAP_DELETE_H
#define _INODE_MAP_DELETE_H

#include <linux/types.h>

struct inode;
struct inode_map;

int inode_map_delete(struct inode_map *map, u32 handle);
int inode_map_delete_inode(struct inode_map *map, const struct inode *inode);
int inode_map_end_inode(struct inode_map *map, const struct inode *inode);
int inode_map_end_handle(struct inode_map *map, u32 handle);
bool inode_map_unlink_first(struct inode_map *map);

#endif /* _INODE_MAP_DELETE_H */
