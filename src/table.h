/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entries of a map. The story of their locking and lifetime opens table.c; the lookup that BPF
 * programs make is inline here.
 */
#ifndef _INODE_MAP_TABLE_H
#define _INODE_MAP_TABLE_H

#include <linux/limits.h>
#include <linux/magic.h>

#include "entry.h"
#include "map.h"
#include "reason.h"

/* Handles are 1 to this: minus a handle is a negative __s32, which a 4-byte key can hold. */
#define INODE_MAP_HANDLE_MAX	INT_MAX

/*
 * hash_ptr() without the subtraction, and with another multiplier. Inodes lie at regular distances,
 * in slabs at regular distances, and every multiplier puts some such patterns together:
 * GOLDEN_RATIO_64 those of tmpfs, where among 4,000 to 10,000 inodes a lookup met one or two others
 * on the way. This one has the best worst case of 300, over 800 patterns (1,000 to 100,000 inodes
 * of 600 to 1,264 bytes in slabs of 8 to 32 KiB, in a row and scattered): 0.6 others, 0.1 on the
 * mean. The bench shows it (hit in 1,000, 10,000 and 100,000).
 */
#define INODE_MAP_MULTIPLIER	0xe48e11da44825d99ULL

/**
 * inode_map_bucket - where an inode is looked for in a map
 * @map: the map
 * @inode: the inode; not dereferenced
 *
 * Return: the head of the bucket.
 */
static __always_inline struct hlist_head *inode_map_bucket(struct inode_map *map,
							   const struct inode *inode)
{
	return &map->table[(u64)(unsigned long)inode * INODE_MAP_MULTIPLIER >> map->hash_shift];
}

/**
 * inode_map_find - find the entry of an inode
 * @map: the map
 * @inode: the inode, not NULL; not dereferenced. An inode belongs to one superblock for as long as
 *	it lives, and its entries go before its memory does, so that its address alone is the key
 *
 * Context: any, inside an RCU or RCU-tasks-trace read-side section, which is how long the result
 * can be used, or under the map's lock.
 * Return: the entry, or NULL.
 */
static __always_inline struct inode_map_entry *inode_map_find(struct inode_map *map,
							      const struct inode *inode)
{
	struct inode_map_entry *entry;

	inode_map_for_each_rcu(entry, inode_map_bucket(map, inode), in_table)
		/* It may be cleared meanwhile. READ_ONCE() would cost an instruction more. */
		if (data_race(entry->inode == inode))
			return entry;
	return NULL;
}

/**
 * inode_is_shared_anon - is it the one inode that eventfds, BPF objects and so on share?
 * @inode: the inode
 *
 * It is no identity. Secure anonymous inodes are each on their own, and not private.
 *
 * Return: whether it is.
 */
static inline bool inode_is_shared_anon(const struct inode *inode)
{
	return inode->i_sb->s_magic == ANON_INODE_FS_MAGIC && IS_PRIVATE(inode);
}

struct inode_map_entry *inode_map_find_handle(struct inode_map *map, u32 handle);
unsigned long inode_map_slot(u32 handle);
struct inode_map_entry *inode_map_next_slot(struct inode_map *map, unsigned long slot);
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle);
struct inode_map_entry *inode_map_update(struct inode_map *map, struct inode *inode, dev_t dev,
					 bool weak, const void *value, u64 flags, gfp_t gfp);
int inode_map_update_handle(struct inode_map *map, u32 handle, const void *value, u64 flags);
int inode_map_delete(struct inode_map *map, u32 handle);

int inode_map_try_replace(struct inode_map *map, const struct inode *inode, const void *value);
int inode_map_end_inode(struct inode_map *map, const struct inode *inode);
int inode_map_end_handle(struct inode_map *map, u32 handle);

bool inode_map_unlink(struct inode_map_entry *entry, enum inode_map_reason reason);
void inode_map_unlink_ended(struct inode_map_entry *entry);
bool inode_map_unlink_first(struct inode_map *map);

#endif /* _INODE_MAP_TABLE_H */
