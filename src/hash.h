/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of a map by inode: a hash table that grows. How it does so under its readers is at
 * the top of hash.c. The lookup that BPF programs make is inline here and takes no lock. The
 * functions that add, delete and replace want the map's lock held.
 */
#ifndef _INODE_MAP_HASH_H
#define _INODE_MAP_HASH_H

#include <linux/compiler.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include <asm/barrier.h>

#include "entry.h"
#include "map.h"

struct inode;

/*
 * An odd multiplier: bits 32 and up of its product with an inode's address give the index. It fits
 * into the multiply instruction. Inodes lie at regular distances within slabs, slabs at regular
 * distances too, and every multiplier makes some such patterns collide. This one is the best of
 * some thousands over 126 patterns. Over 400 others (1,000 to 100,000 inodes of 504 to 1,296 bytes
 * in slabs of 8 to 32 KiB, in a row, nearly so and scattered; two to four buckets for each) a
 * lookup meets 0.1 entries of other inodes on average, and 0.34 in the worst pattern.
 */
#define INODE_MAP_MULTIPLIER	0x834461

/**
 * struct inode_map_table - the buckets of a map
 * @mask: number of buckets, a power of two, less one. Never changes
 * @moved: how many buckets are empty for good, their entries being in @bigger. Under the map's lock
 * @bigger: the table that is to replace this one, or NULL. Set once, under the map's lock and with
 *	release, before any entry is in it; readers load it without a lock. They may go on to it
 *	from this table: it is retired after this one
 * @rcu: frees the table after both kinds of grace period, once @bigger has replaced it. Queued by
 *	who has moved the last bucket
 * @buckets: the value of the first entry of each, or INODE_MAP_NO_VALUE. Changed under the map's
 *	lock, with release; readers take no lock
 *
 * The last table of a map, and the one that is to replace it, are freed with the map.
 *
 * None of the pointers is __rcu: the lookup saves an instruction by loading them without
 * READ_ONCE(), which is what rcu_dereference_check() would do.
 */
struct inode_map_table {
	u32 mask;
	u32 moved;
	struct inode_map_table *bigger;
	struct rcu_head rcu;
	u8 *buckets[];
};

/*
 * Stands in empty buckets: the value of an entry that is no inode's, so that lookups need not test
 * for NULL before they look at the first entry of a bucket. Never changes.
 */
extern struct inode_map_entry inode_map_no_entry;
#define INODE_MAP_NO_VALUE	(inode_map_no_entry.value)

/**
 * inode_map_table_of - the table that buckets belong to
 * @buckets: the buckets
 *
 * Return: the table.
 */
static __always_inline struct inode_map_table *inode_map_table_of(u8 **buckets)
{
	return (void *)buckets - offsetof(struct inode_map_table, buckets);
}

/**
 * inode_map_index - the index of the bucket for an inode
 * @buckets: those of a table. Starting from these, and not from the table, saves an instruction
 * @inode: the inode; not dereferenced
 *
 * Return: the index.
 */
static __always_inline u32 inode_map_index(u8 **buckets, const struct inode *inode)
{
	u32 hash = (u64)(unsigned long)inode * INODE_MAP_MULTIPLIER >> 32;

	return hash & inode_map_table_of(buckets)->mask;
}

/**
 * inode_map_bucket - the bucket for an inode
 * @table: a table
 * @inode: the inode; not dereferenced
 *
 * Return: the bucket.
 */
static inline u8 **inode_map_bucket(struct inode_map_table *table, const struct inode *inode)
{
	return &table->buckets[inode_map_index(table->buckets, inode)];
}

u8 *inode_map_find_bigger(u8 **buckets, const struct inode *inode);

/**
 * inode_map_find_in - find the value of an inode in a table and in those that follow it
 * @buckets: those of the table
 * @inode: the inode, not NULL; not dereferenced
 *
 * Context: as inode_map_find_value().
 * Return: as inode_map_find_value().
 */
static __always_inline u8 *inode_map_find_in(u8 **buckets, const struct inode *inode)
{
	/* Loaded once, by the next line. With READ_ONCE() gcc would need one more instruction. */
	u8 *value = data_race(buckets[inode_map_index(buckets, inode)]);

	OPTIMIZER_HIDE_VAR(value);
	/* ->inode may become NULL meanwhile. READ_ONCE() would cost one more instruction. */
	while (unlikely(data_race(inode_map_entry_of(value)->inode != inode))) {
		value = READ_ONCE(inode_map_entry_of(value)->next);
		if (value)
			continue;
		/* The inode's entry may have been moved, or the one that led us here. */
		smp_rmb();
		return unlikely(READ_ONCE(inode_map_table_of(buckets)->bigger)) ?
		       inode_map_find_bigger(buckets, inode) : NULL;
	}
	return value;
}

/**
 * inode_map_find_value - find the value of an inode
 * @map: the map
 * @inode: the inode, not NULL; not dereferenced. An inode belongs to one superblock all its life,
 *	and its entries are unlinked before its memory is freed, so its address alone is the key
 *
 * Context: any, under the map's lock or inside an RCU or RCU-tasks-trace read-side section. The
 * result is valid until that ends.
 * Return: the value, or NULL.
 */
static __always_inline u8 *inode_map_find_value(const struct inode_map *map,
						const struct inode *inode)
{
	/* The loads that follow depend on this one: they see the table complete. */
	return inode_map_find_in(READ_ONCE(map->buckets), inode);
}

/**
 * inode_map_find - find the entry of an inode
 * @map: the map
 * @inode: as for inode_map_find_value()
 *
 * Context: as inode_map_find_value().
 * Return: the entry, or NULL.
 */
static __always_inline struct inode_map_entry *inode_map_find(const struct inode_map *map,
							      const struct inode *inode)
{
	u8 *value = inode_map_find_value(map, inode);

	return value ? inode_map_entry_of(value) : NULL;
}

int inode_map_hash_create(struct inode_map *map);
void inode_map_hash_stop(struct inode_map *map);
void inode_map_hash_free(struct inode_map *map);
void inode_map_hash_make_room(struct inode_map *map);

void inode_map_hash_add(struct inode_map *map, struct inode_map_entry *entry);
void inode_map_hash_del(struct inode_map *map, struct inode_map_entry *entry);
void inode_map_hash_replace(struct inode_map *map, struct inode_map_entry *old,
			    struct inode_map_entry *new);

int inode_map_hash_init(void);
void inode_map_hash_exit(void);

#endif /* _INODE_MAP_HASH_H */
