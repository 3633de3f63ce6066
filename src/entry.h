/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries: the memory of a value, and what it holds. table.c links them; their lifetime is
 * described at the tops of table.c and entry.c.
 */
#ifndef _INODE_MAP_ENTRY_H
#define _INODE_MAP_ENTRY_H

#include <linux/llist.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "super.h"

struct inode;
struct inode_map;
struct inode_map_account;
struct inode_map_addon;

/* entry->fate of an entry that has ended without being replaced. */
#define INODE_MAP_ENDED		((struct inode_map_entry *)-1L)

/**
 * struct inode_map_entry - one value of one map
 * @next: the value of the next entry in the bucket, or NULL. Written under the map's lock, with
 *	release; read under RCU or RCU tasks trace (hash.c). An unlinked entry keeps it
 * @inode: the key: an address to compare, never to dereference. NULL, which is stored without a
 *	lock, once the entry has ended without being replaced, though it may still be linked
 * @addon: the inode's addon, which lists its entries. The entry is a user of it until it is
 *	released; readers may dereference it under RCU, and not under RCU tasks trace alone
 * @fate: NULL while the entry lives, then INODE_MAP_ENDED or the entry that replaced it. Set once,
 *	with cmpxchg() and without a lock, which claims the entry for release (table.c)
 * @handle: the entry's name within its map; a replacement takes it over
 * @bytes: size of the allocation
 * @pinned: whether the entry keeps the inode in memory
 * @account: the account that pays for it, referenced until the entry is freed. Its map is valid
 *	while the entry is linked
 * @in_addon: node in addon->entries, under addon->lock. Once unlinked, it belongs to the task that
 *	has claimed the entry (end.c lists such entries by it). If a program has ended the entry,
 *	unhashed means that it is unlinked from everywhere
 * @deferred: node in the list of entries that a program has left to a worker, linked or not. A
 *	lockless list (defer.c)
 * @release: queued, once unlinked, for the worker that lets go of the inode (super.c). Belongs to
 *	the task that has claimed the entry
 * @retired: node in the list of entries that wait for both kinds of grace period. A lockless list
 *	(entry.c)
 * @value: map->value_size bytes. Programs may write to it as long as they can see it, without a
 *	lock
 *
 * Buckets link values rather than entries, so that a lookup returns what it finds.
 *
 * Fields without a rule are written before the entry is linked and never after. Readers take no
 * lock and may see the entry after it has been unlinked, so nothing that they look at is in the
 * union. The task or worker that has claimed an entry releases it once it is unlinked, and it is
 * freed after both kinds of grace period from then.
 */
struct inode_map_entry {
	u8 *next;
	struct inode *inode;
	struct inode_map_addon *addon;
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
 * inode_map_entry_of - the entry of a value
 * @value: the value, within its entry
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
