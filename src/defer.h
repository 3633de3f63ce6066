/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries that a program has ended or replaced, and that a worker releases.
 */
#ifndef _INODE_MAP_DEFER_H
#define _INODE_MAP_DEFER_H

struct inode_map_entry;

void inode_map_defer(struct inode_map_entry *entry);
void inode_map_defer_hurry(void);

int inode_map_defer_init(void);
void inode_map_defer_exit(void);

#endif /* _INODE_MAP_DEFER_H */
