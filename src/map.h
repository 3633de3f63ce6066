/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps. The story of their locking and lifetime opens map.c.
 */
#ifndef _INODE_MAP_MAP_H
#define _INODE_MAP_MAP_H

#include <linux/bpf.h>
#include <linux/rculist.h>
#include <linux/rcupdate_trace.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

/*
 * How often a program tries a lock. Others hold it for less than this takes; whoever the program
 * has interrupted does not let go of it meanwhile.
 */
#define INODE_MAP_TRIES	128

/**
 * struct inode_map - what the module keeps for one BPF map
 * @in_ids: links the map into the list of fresh maps, and once it is published into the table of
 *	maps by id. Both are written under one lock; the table is read under RCU or RCU-tasks-trace
 * @attr: the BPF map; gone when inode_map_destroy() has returned
 * @id: the BPF map id, or 0 until the map is published
 * @name: the BPF map's name, likewise
 * @published: it is in the table of maps by id. Stored behind that, with release
 * @hash_shift: 64 less log2 of the number of buckets
 * @value_size: bytes of a value
 * @lookup_size: bytes of it that programs may both read and write: all or none
 * @peek_size: bytes of it that programs may read, likewise
 * @prog_write: whether programs may change the map
 * @key_size: bytes of a key: 4 or sizeof(struct inode_map_key)
 * @max_entries: limit on @nr_entries
 * @nr_entries: entries that have not ended. Goes up under the lock of @index
 * @next_handle: where the search for an unused handle starts, under the lock of @index
 * @dead: the map is being freed: programs that still see it can't put anything into it. Likewise
 * @index: the entries by inode_map_slot() of their handle. Its xa_lock is the map's lock: every
 *	change of @index, @table and the fields above is made under it
 * @free: detaches all entries, then frees the map
 * @rcu: frees the map after both kinds of grace period
 * @table: the entries by inode, a power of two of buckets
 */
struct inode_map {
	struct hlist_node in_ids;
	const struct bpf_map *attr;
	u32 id;
	char name[BPF_OBJ_NAME_LEN];
	bool published;
	u32 hash_shift;
	u32 value_size;
	u32 lookup_size;
	u32 peek_size;
	bool prog_write;
	u32 key_size;
	u32 max_entries;
	atomic_t nr_entries;
	u32 next_handle;
	bool dead;
	struct xarray index;
	struct work_struct free;
	struct rcu_head rcu;
	struct hlist_head table[];
};

#define INODE_MAP_IDS_BITS	8
extern struct hlist_head inode_map_ids[1 << INODE_MAP_IDS_BITS];

/* For BPF programs, sleepable ones too, and for rcu_read_lock() sections. */
#define inode_map_for_each_rcu(pos, head, member) \
	hlist_for_each_entry_rcu(pos, head, member, rcu_read_lock_trace_held())

/**
 * inode_map_ids_bucket - where a map id is looked for
 * @id: a BPF map id; the kernel hands them out one after the other
 *
 * Return: the head of the bucket.
 */
static __always_inline struct hlist_head *inode_map_ids_bucket(u32 id)
{
	return &inode_map_ids[id & (ARRAY_SIZE(inode_map_ids) - 1)];
}

/**
 * inode_map_by_id - find a map by its BPF map id
 * @id: the id
 *
 * Context: any, inside an RCU or RCU-tasks-trace read-side section, which is how long the result
 * can be used.
 * Return: the map, or NULL when there is no published inode map of that id: then there is nothing
 * in it, but it may exist (see inode_map_by_id_fresh()).
 */
static __always_inline struct inode_map *inode_map_by_id(u32 id)
{
	struct inode_map *map;

	inode_map_for_each_rcu(map, inode_map_ids_bucket(id), in_ids)
		if (map->id == id)
			return map;
	return NULL;
}

struct inode_map *inode_map_create(const struct bpf_map *attr);
void inode_map_destroy(struct inode_map *map);
void inode_map_publish_fresh(struct inode_map *map);
struct inode_map *inode_map_by_id_fresh(u32 id);
int inode_map_id_by_name(const char *name);
struct inode_map *inode_map_next_map(u32 id);

unsigned int inode_map_count(void);

int inode_map_init(void);
void inode_map_exit(void);

/**
 * inode_map_publish - let programs find a map by its id and its name
 * @map: the map
 *
 * Context: process; does not sleep.
 */
static inline void inode_map_publish(struct inode_map *map)
{
	/* Not by the id, which is there before the map is in the table. */
	if (unlikely(!smp_load_acquire(&map->published)))
		inode_map_publish_fresh(map);
}

#endif /* _INODE_MAP_MAP_H */
