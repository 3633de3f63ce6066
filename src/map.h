/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps. The story of their locking and lifetime opens map.c.
 */
#ifndef _INODE_MAP_MAP_H
#define _INODE_MAP_MAP_H

#include <linux/bpf.h>
#include <linux/rculist.h>
#include <linux/rcupdate_trace.h>
#include <linux/rhashtable-types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct inode_map_account;

/*
 * How often a program tries a lock. Others hold it for less than this takes; whoever the program
 * has interrupted does not let go of it meanwhile.
 */
#define INODE_MAP_TRIES	128

/**
 * struct inode_map - what the module keeps for one BPF map
 * @id: the BPF map id, or 0 until the map is published. Stored with release, behind @name
 * @value_size: bytes of a value
 * @lookup_size: bytes of it that programs may both read and write: all or none
 * @peek_size: bytes of it that programs may read, likewise
 * @prog_write: whether programs may change the map
 * @published: whether programs find the map. Stored with release, behind what they need for that
 * @registered: whether it is in the registry's tables. Under the registry's mutex
 * @buckets: of the table that has the entries by inode (hash.c). Stored with release
 * @account: what the map's entries cost
 * @attr: the BPF map; gone when inode_map_destroy() has returned
 * @name: the BPF map's name, filled up with zeros; empty until the map is published
 * @in_young: links the map into the list of those that are not in the tables
 * @in_names: links it into the table by name, if it has a name and is the one of that name there
 * @same_name: the ring of the maps that have its name. Changed under the registry's mutex
 * @key_size: bytes of a key: 4 or sizeof(struct inode_map_key)
 * @max_entries: limit on @nr_entries
 * @nr_entries: entries that have not ended. Goes up under the lock of @index
 * @grow_at: how many entries make this table too small
 * @moving: whether entries are being moved to a bigger table
 * @next_handle: where the search for an unused handle starts, under the lock of @index
 * @dead: the map is being freed: programs that still see it can't put anything into it. Likewise
 * @index: the entries by inode_map_slot() of their handle. Its xa_lock is the map's lock: every
 *	change of @index, of the links in the table and of the fields above is made under it
 * @move: moves entries to a bigger table
 * @free: detaches all entries, then frees the map
 * @rcu: frees the map after both kinds of grace period
 */
struct inode_map {
	u32 id;
	u32 value_size;
	u32 lookup_size;
	u32 peek_size;
	bool prog_write;
	bool published;
	bool registered;
	u8 **buckets;
	struct inode_map_account *account;
	const struct bpf_map *attr;
	char name[BPF_OBJ_NAME_LEN];
	struct hlist_node in_young;
	struct rhash_head in_names;
	struct list_head same_name;
	u32 key_size;
	u32 max_entries;
	atomic_t nr_entries;
	u32 grow_at;
	bool moving;
	u32 next_handle;
	bool dead;
	struct xarray index;
	struct work_struct move;
	struct work_struct free;
	struct rcu_head rcu;
};

/* For BPF programs, sleepable ones too, and for rcu_read_lock() sections. */
#define inode_map_for_each_rcu(pos, head, member) \
	hlist_for_each_entry_rcu(pos, head, member, rcu_read_lock_trace_held())

struct inode_map *inode_map_create(const struct bpf_map *attr);
void inode_map_destroy(struct inode_map *map);
unsigned int inode_map_count(void);

int inode_map_init(void);
void inode_map_exit(void);

#endif /* _INODE_MAP_MAP_H */
