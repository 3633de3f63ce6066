/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds: the references on an inode and its superblock that a program needs during an update.
 */
#ifndef _INODE_MAP_HOLD_H
#define _INODE_MAP_HOLD_H

#include <linux/types.h>

struct inode;
struct inode_map_hold;

struct inode_map_hold *inode_map_hold_get(struct inode *inode, gfp_t gfp);
struct inode_map_hold *inode_map_hold_try(struct inode *inode);
struct inode *inode_map_hold_settle(struct inode_map_hold *hold);
bool inode_map_hold_is_orphan(const struct inode_map_hold *hold);
void inode_map_hold_put(struct inode_map_hold *hold);

#endif /* _INODE_MAP_HOLD_H */
