/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries: the memory of a value, and what it holds. How entries are linked is map.c's business.
 */
#ifndef _INODE_MAP_ENTRY_H
#define _INODE_MAP_ENTRY_H

#include <linux/list.h>
#include <linux/llist.h>
#include <linux/rcupdate.h>

#include "addon.h"

struct inode_map;

/*
 * For what a map consists of. Charged to the caller's memory cgroup. A limit that is reached, or a
 * size that no memory can hold, is an error for the caller, neither a report in the log nor a
 * reason to kill anybody.
 */
#define INODE_MAP_GFP		(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* For programs that may sleep, though not for a grace period, and for those that may not. */
#define INODE_MAP_GFP_PROG	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY)
#define INODE_MAP_GFP_NOWAIT	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

/**
 * struct inode_map_entry - one value of one map
 * @in_table: links the entry into its map's bucket; written under the lock of the map's index, read
 *	under RCU or RCU-tasks-trace
 * @inode: the key, with @sb; compared, never dereferenced
 * @sb: the inode's superblock
 * @addon: what the inode's entries hang on; the entry counts as a user of it until it is released
 * @pin: keeps the inode in memory, likewise; NULL when the entry is weak
 * @in_addon: links the entry into the list of its addon, under addon->lock
 * @map: the map; alive while the entry is linked, must not be used after
 * @handle: names the entry within its map; a replaced value keeps it
 * @bytes: what it takes of memory
 * @removed: it is not in the map any more, though it may still be in the map's index; written under
 *	the index lock
 * @deferred: links the entry into the list of those that a worker is to release
 * @rcu: frees the entry after both kinds of grace period
 * @value: map->value_size bytes; programs may write to it at any time while they can see it
 *
 * All but the links, @removed and the value are written before the entry is linked and never after.
 */
struct inode_map_entry {
	struct hlist_node in_table;
	struct inode *inode;
	struct super_block *sb;
	struct inode_addon *addon;
	struct inode_mark *pin;
	struct hlist_node in_addon;
	struct inode_map *map;
	u32 handle;
	u32 bytes;
	bool removed;
	/* One after the other. */
	union {
		struct llist_node deferred;
		struct rcu_head rcu;
	};
	u8 value[] __aligned(8);
};

struct inode_map_entry *inode_map_entry_alloc(struct inode_map *map, const void *value, u32 size,
					      gfp_t gfp);
void inode_map_entry_free(struct inode_map_entry *entry);
void inode_map_entry_release(struct inode_map_entry *entry);
void inode_map_entry_read(const struct inode_map_entry *entry, void *value, u32 size);

unsigned int inode_map_entry_count(void);
void inode_map_entry_exit(void);

#endif /* _INODE_MAP_ENTRY_H */
