/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of an inode. Described at the top of end.c.
 */
#ifndef _INODE_MAP_END_H
#define _INODE_MAP_END_H

struct inode;

void inode_map_end_everywhere(struct inode *inode);

int inode_map_end_init(void);
void inode_map_end_exit(void);

#endif /* _INODE_MAP_END_H */
