/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps. For their locking and lifetime see the top of map.c.
 */
#ifndef _INODE_MAP_MAP_H
#define _INODE_MAP_MAP_H

#include <linux/bpf.h>
#include <linux/build_bug.h>
#include <linux/rculist.h>
#include <linux/rcupdate_trace.h>
#include <linux/rhashtable-types.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct inode_map_account;

/*
 * How often a program tries a lock. Another CPU holds it for less time than this takes. If the
 * program has interrupted the holder, no number of tries would do.
 */
#define INODE_MAP_TRIES	128

/**
 * struct inode_map - what the module keeps for one BPF map
 * @id: BPF map id, or 0 until the map is published. Set once under young_lock, with release, after
 *	@name
 * @value_size: bytes of a value
 * @lookup_size: @value_size if programs may read and write values, else 0
 * @peek_size: @value_size if programs may read values, else 0
 * @prog_write: whether programs may change the map
 * @published: whether programs can find the map. Set once under young_lock, with release, after all
 *	that they need for it
 * @registered: whether the map is in the registry's tables. Under registry_mutex
 * @buckets: buckets of the table that has the entries by inode (hash.c). Changed under the map's
 *	lock, with release; readers take no lock
 * @account: what the map's entries cost. The map has a reference to it until it is freed
 * @attr: the BPF map, which the kernel frees after inode_map_destroy() has returned: not to be used
 *	then
 * @name: name of the BPF map, padded with zeros; empty until the map is published. Set once under
 *	young_lock
 * @in_young: node in the list of maps that are not in the tables. Changed under registry_mutex and
 *	young_lock, read under RCU or RCU tasks trace
 * @in_names: node in the table by name, if the map has a name and is the one of that name there.
 *	Changed under registry_mutex, read under RCU
 * @same_name: ring of the maps of that name. Changed under registry_mutex, read under RCU
 * @key_size: bytes of a key: 4 or sizeof(struct inode_map_key)
 * @max_entries: limit on @nr_entries
 * @nr_entries: entries that have not ended. Atomic; goes up under the map's lock, down without
 *	(table.c)
 * @grow_at: how many entries make the table too small. No lock: a stale number does no harm
 * @moving: whether entries are being moved to a bigger table. Changed under the map's lock, read
 *	also without
 * @next_handle: where the search for an unused handle starts. Under the map's lock
 * @dead: the map is being freed: no entry may be added. Set once under the map's lock, read also
 *	without
 * @index: the entries by inode_map_slot() of their handle; a slot that is reserved reads as NULL.
 *	Its xa_lock is "the map's lock", which protects changes of the index and of links in the
 *	hash table, and nests inside addon->lock. Readers are under RCU
 * @move: moves entries to a bigger table. Queued under the map's lock, never once @dead; cancelled
 *	before the map is freed
 * @free: takes out all entries, then has the map freed. Queued once, by inode_map_destroy()
 * @rcu: frees the map after both kinds of grace period. Queued once, by @free
 *
 * A field without a rule is set before the map can be found and never changes. Programs may use the
 * map until both kinds of grace period after inode_map_destroy(). Then it is freed; its entries,
 * which may be in memory for longer, have only its account.
 */
struct inode_map {
	/* What lookups read, first and in one cache line (asserted below). */
	u32 id;
	u32 value_size;
	u32 lookup_size;
	u32 peek_size;
	bool prog_write;
	bool published;
	bool registered;
	u8 **buckets;

	/* What the map belongs to. */
	struct inode_map_account *account;
	const struct bpf_map *attr;

	/* How it is found (registry.c). */
	char name[BPF_OBJ_NAME_LEN];
	struct hlist_node in_young;
	struct rhash_head in_names;
	struct list_head same_name;

	/* Never change. */
	u32 key_size;
	u32 max_entries;

	/* The entries, under the map's lock but for what is said above. */
	atomic_t nr_entries;
	u32 grow_at;
	bool moving;
	u32 next_handle;
	bool dead;
	struct xarray index;
	struct work_struct move;

	/* The end (map.c). */
	struct work_struct free;
	struct rcu_head rcu;
};

/* Each further cache line would cost the lookup a miss. */
static_assert(offsetofend(struct inode_map, buckets) <= 64);

/* For readers under RCU and for BPF programs, which may be under RCU tasks trace instead. */
#define inode_map_for_each_rcu(pos, head, member) \
	hlist_for_each_entry_rcu(pos, head, member, rcu_read_lock_trace_held())

struct inode_map *inode_map_create(const struct bpf_map *attr);
void inode_map_destroy(struct inode_map *map);
unsigned int inode_map_count(void);

int inode_map_init(void);
void inode_map_exit(void);

#endif /* _INODE_MAP_MAP_H */
