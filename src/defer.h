/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries that a program has taken out of a map and that a worker lets go of.
 */
#ifndef _INODE_MAP_DEFER_H
#define _INODE_MAP_DEFER_H

#include "entry.h"

void inode_map_defer(struct inode_map_entry *entry, bool handed_on);
void inode_map_defer_flush(void);

#endif /* _INODE_MAP_DEFER_H */
