/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addons whose mark fsnotify destroyed though their inode lives on. Described at the top of
 * remark.c.
 */
#ifndef _INODE_MAP_REMARK_H
#define _INODE_MAP_REMARK_H

#include <linux/types.h>

struct inode_map_addon;
struct inode_map_mark;

bool inode_map_remark(struct inode_map_addon *addon, struct inode_map_mark *destroyed);

int inode_map_remark_init(void (*die)(struct inode_map_addon *addon));
void inode_map_remark_exit(void);

#endif /* _INODE_MAP_REMARK_H */
