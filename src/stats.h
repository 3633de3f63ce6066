/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module shows about itself.
 */
#ifndef _INODE_MAP_STATS_H
#define _INODE_MAP_STATS_H

int inode_map_stats_init(void);
void inode_map_stats_exit(void);

#endif /* _INODE_MAP_STATS_H */
