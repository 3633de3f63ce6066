/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds: the references on an inode and its superblock that a program needs during an update.
 */
#ifndef _INODE_MAP_HOLD_H
#define _INODE_MAP_HOLD_H

#include <linux/types.h>

struct inode;
struct inode_hold;

struct inode_hold *inode_hold_get(struct inode *inode, gfp_t gfp);
struct inode_hold *inode_hold_try(struct inode *inode);
struct inode *inode_hold_settle(struct inode_hold *hold);
bool inode_hold_is_orphan(const struct inode_hold *hold);
void inode_hold_put(struct inode_hold *hold);

#endif /* _INODE_MAP_HOLD_H */
