/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/inode_map.
 */
#ifndef _INODE_MAP_PROC_H
#define _INODE_MAP_PROC_H

int inode_map_proc_init(void);
void inode_map_proc_exit(void);

#endif /* _INODE_MAP_PROC_H */
