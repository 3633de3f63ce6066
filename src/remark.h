/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addons whose mark fsnotify destroyed though their inode lives on. Described at the top of
 * remark.c.
 */
#ifndef _INODE_MAP_REMARK_H
#define _INODE_MAP_REMARK_H

#include <linux/types.h>

struct inode;
struct inode_addon;
struct inode_mark;

bool inode_remark(struct inode_addon *addon, struct inode_mark *killed);
struct inode_addon *inode_remark_find(struct inode *inode);
bool inode_remark_is_due(const struct inode *inode);
bool inode_remark_wait(const struct inode *inode);
void inode_remark_end(struct inode_addon *addon);

int inode_remark_init(void);
void inode_remark_exit(void);

#endif /* _INODE_MAP_REMARK_H */
