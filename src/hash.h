/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The entries of a map by inode: a hash table that grows. The story opens hash.c; the lookup that
 * BPF programs make is inline here.
 */
#ifndef _INODE_MAP_HASH_H
#define _INODE_MAP_HASH_H

#include "entry.h"
#include "map.h"

/*
 * An odd number whose product with an inode's address has its index in bits 32 and up. It fits into
 * the instruction that multiplies. Inodes lie at regular distances, in slabs at regular distances,
 * and every multiplier puts some such patterns together. This one is the best of some thousands over
 * 126 patterns. Over 400 others (1,000 to 100,000 inodes of 504 to 1,296 bytes in slabs of 8 to 32
 * KiB, in a row, nearly so and scattered; two to four buckets for each) a lookup meets 0.1 others on
 * the mean and 0.34 in the worst pattern.
 */
#define INODE_MAP_MULTIPLIER	0x834461

/**
 * struct inode_map_table - some buckets
 * @mask: their number, a power of two, less one
 * @moved: how many of them are empty for good, their entries being in @bigger. Under the map's lock
 * @bigger: the table that is to take the place of this one, or NULL. Set once, and stored with
 *	release: before any entry is in it
 * @rcu: frees the table after both kinds of grace period
 * @buckets: the value of the first entry of each, or INODE_MAP_NO_VALUE
 */
struct inode_map_table {
	u32 mask;
	u32 moved;
	struct inode_map_table *bigger;
	struct rcu_head rcu;
	u8 *buckets[];
};

/*
 * What is in an empty bucket: the value of an entry that is no inode's. So the first entry of a
 * bucket can be looked at without a test whether it is there.
 */
extern struct inode_map_entry inode_map_no_entry;
#define INODE_MAP_NO_VALUE	(inode_map_no_entry.value)

/**
 * inode_map_table_of - the table that has some buckets
 * @buckets: its buckets
 *
 * Return: the table.
 */
static __always_inline struct inode_map_table *inode_map_table_of(u8 **buckets)
{
	return (void *)buckets - offsetof(struct inode_map_table, buckets);
}

/**
 * inode_map_index - the number of the bucket where an inode is looked for
 * @buckets: of a table. Found by these and not by the table, it takes an instruction less
 * @inode: the inode; not dereferenced
 *
 * Return: the number.
 */
static __always_inline u32 inode_map_index(u8 **buckets, const struct inode *inode)
{
	u32 hash = (u64)(unsigned long)inode * INODE_MAP_MULTIPLIER >> 32;

	return hash & inode_map_table_of(buckets)->mask;
}

/**
 * inode_map_bucket - where an inode is looked for
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
 * inode_map_find_in - find the value of an inode in a table and in those that come after it
 * @buckets: of the table
 * @inode: the inode, not NULL; not dereferenced
 *
 * Context: as inode_map_find_value().
 * Return: as inode_map_find_value().
 */
static __always_inline u8 *inode_map_find_in(u8 **buckets, const struct inode *inode)
{
	u8 *value = data_race(buckets[inode_map_index(buckets, inode)]);

	/* Loaded once. gcc makes an instruction more of READ_ONCE(). */
	OPTIMIZER_HIDE_VAR(value);
	/* It may be cleared meanwhile. READ_ONCE() would cost an instruction more. */
	while (unlikely(data_race(inode_map_entry_of(value)->inode != inode))) {
		value = READ_ONCE(inode_map_entry_of(value)->next);
		if (value)
			continue;
		/* The entry may have been moved, or the one that we came by. */
		smp_rmb();
		return unlikely(READ_ONCE(inode_map_table_of(buckets)->bigger)) ?
		       inode_map_find_bigger(buckets, inode) : NULL;
	}
	return value;
}

/**
 * inode_map_find_value - find the value of an inode
 * @map: the map
 * @inode: the inode, not NULL; not dereferenced. An inode belongs to one superblock for as long as
 *	it lives, and its entries go before its memory does, so that its address alone is the key
 *
 * Context: any, inside an RCU or RCU-tasks-trace read-side section, which is how long the result
 * can be used, or under the map's lock.
 * Return: the value, or NULL.
 */
static __always_inline u8 *inode_map_find_value(const struct inode_map *map,
						const struct inode *inode)
{
	/* Loads that depend on it follow: the table is complete before it can be found. */
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
