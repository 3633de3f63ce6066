/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why entries are removed, as the events tell.
 */
#ifndef _INODE_MAP_REASON_H
#define _INODE_MAP_REASON_H

/**
 * enum inode_map_reason - why an entry was removed
 * @INODE_MAP_DELETED: somebody deleted it
 * @INODE_MAP_REPLACED: an entry with another value took its place and its handle
 * @INODE_MAP_UNLINKED: the last link and the last user of the inode are gone
 * @INODE_MAP_EVICTED: the entry was weak and the inode was evicted
 * @INODE_MAP_UNMOUNTED: the superblock was shut down
 * @INODE_MAP_FREED: the map was freed
 */
enum inode_map_reason {
	INODE_MAP_DELETED,
	INODE_MAP_REPLACED,
	INODE_MAP_UNLINKED,
	INODE_MAP_EVICTED,
	INODE_MAP_UNMOUNTED,
	INODE_MAP_FREED,
};

#endif /* _INODE_MAP_REASON_H */
