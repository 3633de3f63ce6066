/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries: the memory of a value, and what it holds. How entries are linked is table.c's business.
 */
#ifndef _INODE_MAP_ENTRY_H
#define _INODE_MAP_ENTRY_H

#include <linux/list.h>
#include <linux/llist.h>

#include "account.h"
#include "addon.h"

struct inode_map;

/*
 * INODE_MAP_GFP for programs that may sleep, though not for a grace period, and for those that may
 * not.
 */
#define INODE_MAP_GFP_PROG	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY)
#define INODE_MAP_GFP_NOWAIT	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

/* The fate of an entry that nothing has taken the place of. */
#define INODE_MAP_ENDED		((struct inode_map_entry *)-1L)

/**
 * struct inode_map_entry - one value of one map
 * @next: the value of the next entry in the bucket, or NULL; written under the lock of the map's
 *	index, read under RCU or RCU-tasks-trace (hash.c)
 * @inode: the key, of one superblock for as long as it lives. An address that lookups compare, and
 *	nothing to dereference. NULL once the entry has ended, though it may still be linked
 * @addon: what the inode's entries hang on; the entry counts as a user of it until it is released
 * @fate: NULL until the entry ends or is replaced: then INODE_MAP_ENDED, or the entry that took its
 *	place. Whoever sets it, with cmpxchg(), is who lets go of the entry
 * @handle: names the entry within its map; a replaced value keeps it
 * @bytes: what it takes of memory
 * @pinned: whether it keeps the inode in memory
 * @account: what it is charged to; its map, while the entry is linked
 * @in_addon: links the entry into the list of its addon, under addon->lock. Unhashed when the entry
 *	has been unlinked from everywhere
 * @deferred: links the entry into the list of those that a worker is to let go of, linked or not
 * @release: lets go of the inode
 * @retired: links the entry into the list of those that wait for both kinds of grace period
 * @value: map->value_size bytes; programs may write to it at any time while they can see it
 *
 * Buckets link values: what a lookup has come to is what it returns.
 *
 * All but the links, the value, @inode and @fate are written before the entry is linked and never
 * after. What readers that take no lock may look at is not in the union: they may see the entry
 * when it has been unlinked.
 */
struct inode_map_entry {
	u8 *next;
	struct inode *inode;
	struct inode_addon *addon;
	struct inode_map_entry *fate;
	u32 handle;
	u32 bytes : 31;
	u32 pinned : 1;
	struct inode_map_account *account;
	union {
		struct {
			struct hlist_node in_addon;
			struct llist_node deferred;
		};
		struct inode_map_release release;
		struct llist_node retired;
	};
	u8 value[] __aligned(8);
};

/**
 * inode_map_entry_of - the entry that has a value
 * @value: the value
 *
 * Return: the entry.
 */
static __always_inline struct inode_map_entry *inode_map_entry_of(u8 *value)
{
	return (void *)(value - offsetof(struct inode_map_entry, value));
}

struct inode_map_entry *inode_map_entry_alloc(struct inode_map *map, const void *value, u32 size,
					      gfp_t gfp);
void inode_map_entry_free(struct inode_map_entry *entry);
void inode_map_entry_release(struct inode_map_entry *entry);
void inode_map_entry_retire(struct inode_map_entry *entry);
void inode_map_entry_hurry(void);
void inode_map_entry_read(const struct inode_map_entry *entry, void *value, u32 size);

unsigned int inode_map_entry_count(void);
int inode_map_entry_init(void);
void inode_map_entry_exit(void);

#endif /* _INODE_MAP_ENTRY_H */
