// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries of a map by inode: a hash table that grows while others look into it.
 *
 * Updates call this, before and under the map's lock; lookups are inline in hash.h and run in any
 * context.
 *
 * A map starts with a few buckets, however many entries it may hold, and gets a bigger table once
 * it has half as many entries as buckets. Entries are then moved while readers look into both
 * tables:
 *
 *   table->bigger   is set first. From then on new entries go into the bigger table, and a reader
 *                   that does not find an entry in the old table looks there.
 *   table->moved    counts the buckets of the old table that have been emptied into it.
 *   map->buckets    is switched to the bigger table when all are. The old table is freed after both
 *                   kinds of grace period: readers may still be in it.
 *
 * An entry has a single link, so it is moved under the feet of readers. Each old bucket is emptied
 * from its end, and its last entry always becomes the first of a bigger table's bucket: set its
 * link to the current first entry there, make it the first, and only then cut it off from its
 * predecessor in the old bucket. A reader in the old bucket may follow the moved entry into a
 * bucket of the bigger table and meet entries of other inodes there. It has not skipped an entry of
 * the old bucket, because the moved one was the last. At the end of any bucket the reader checks
 * ->bigger of the table where it started; that was set before the link of any entry changed, so the
 * reader finds there what it has not met. A reader at an entry that is unlinked or replaced
 * meanwhile is safe, too: the entry keeps its link, and what was behind it is either still behind
 * it or has been moved. Every bucket that a reader walks has an end, whatever it interrupts, so no
 * reader ever retries.
 *
 * A slow reader may thus go through any number of tables in a row. Under the lock there are two at
 * most: no further table is begun before the last one has taken its place.
 *
 * A task that inserts an entry allocates the bigger table, without any lock, moves some buckets,
 * and leaves the rest to a worker and to later inserts. If the allocation fails it is tried again
 * later: the map works without it, in longer buckets.
 *
 * Locks: the map's (map->index.xa_lock) for every change. Readers take none: they are inside an RCU
 * or RCU-tasks-trace read-side section.
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_trace.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "account.h"
#include "addon.h"
#include "hash.h"
#include "yield.h"

/* How many buckets a map starts with and has at most. With more entries the buckets get longer. */
#define BITS_FIRST	6
#define BITS_MAX	24

/* Small tables grow fourfold, larger ones twofold. */
#define BITS_SMALL	12

/* How many buckets are moved in one go, by an insert and by the worker. */
#define MOVE_SOME	16
#define MOVE_MANY	64

struct inode_map_entry inode_map_no_entry;

static struct workqueue_struct *move_wq __ro_after_init;

static size_t inode_map_table_bytes(u32 mask)
{
	return struct_size_t(struct inode_map_table, buckets, mask + 1UL);
}

static void inode_map_nothing(struct work_struct *work)
{
}

/*
 * If only part of a table can be allocated, that part is uncharged before this returns. 7.x leaves
 * that to a worker (defer_vm_area_cleanup()), and the memory cgroup stays full until then: the task
 * would not get -ENOMEM but be killed for the next page it wants. The workers of a processor start
 * in the order in which work was queued, so queue a work item behind that one and wait for it. (On
 * other kernels this costs a failed allocation a context switch or two.)
 */
static void *inode_map_vmalloc(size_t bytes)
{
	struct work_struct behind;
	void *memory;

	migrate_disable();
	memory = __vmalloc(bytes, INODE_MAP_GFP);
	if (!memory) {
		INIT_WORK_ONSTACK(&behind, inode_map_nothing);
		schedule_work(&behind);
	}
	migrate_enable();
	if (!memory) {
		flush_work(&behind);
		destroy_work_on_stack(&behind);
	}
	return memory;
}

/* Only the pages that are needed: kmalloc() would round a table and its header up to twice that. */
static void *inode_map_pages(size_t bytes)
{
	void *memory = NULL;

	if (bytes <= KMALLOC_MAX_SIZE)
		memory = alloc_pages_exact(bytes,
					   GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY);
	return memory ?: inode_map_vmalloc(bytes);
}

static struct inode_map_table *inode_map_table_alloc(u32 bits)
{
	u32 mask = (1U << bits) - 1;
	size_t bytes = inode_map_table_bytes(mask);
	struct inode_map_table *table;

	table = bytes <= PAGE_SIZE ? kmalloc(bytes, INODE_MAP_GFP) : inode_map_pages(bytes);
	if (!table)
		return NULL;
	table->mask = mask;
	table->moved = 0;
	table->bigger = NULL;
	memset_l((unsigned long *)table->buckets, (unsigned long)INODE_MAP_NO_VALUE, mask + 1UL);
	return table;
}

static void inode_map_table_free(struct inode_map_table *table)
{
	size_t bytes = table ? inode_map_table_bytes(table->mask) : 0;

	if (bytes <= PAGE_SIZE)
		kfree(table);
	else if (is_vmalloc_addr(table))
		vfree(table);
	else
		free_pages_exact(table, bytes);
}

static void inode_map_table_free_rcu(struct rcu_head *rcu)
{
	inode_map_table_free(container_of(rcu, struct inode_map_table, rcu));
}

static void inode_map_table_free_trace(struct rcu_head *rcu)
{
	call_rcu(rcu, inode_map_table_free_rcu);
}

/* Free a table that no new reader can find, when its present readers are done. NULL is fine. */
static void inode_map_table_retire(struct inode_map_table *table)
{
	if (table)
		call_rcu_tasks_trace(&table->rcu, inode_map_table_free_trace);
}

static struct inode_map_table *inode_map_table(const struct inode_map *map)
{
	return inode_map_table_of(READ_ONCE(map->buckets));
}

/**
 * inode_map_find_bigger - find the value of an inode in the tables that follow one
 * @buckets: those of the table; its @bigger is not NULL
 * @inode: the inode, not NULL; not dereferenced
 *
 * Context: as inode_map_find_value().
 * Return: as inode_map_find_value().
 */
u8 *inode_map_find_bigger(u8 **buckets, const struct inode *inode)
{
	return inode_map_find_in(READ_ONCE(inode_map_table_of(buckets)->bigger)->buckets, inode);
}

/* Links: everything in this section runs under the map's lock. */

/* @link: the link of the preceding entry, or the bucket. */
static bool inode_map_is_bucket(const struct inode_map_table *table, u8 **link)
{
	return link >= table->buckets && link <= table->buckets + table->mask;
}

/*
 * Make an entry the first of its bucket. A selftest does lookups when this function is entered and
 * when it returns.
 */
static noinline void inode_map_table_add(struct inode_map_table *table,
					 struct inode_map_entry *entry)
{
	/* Not entry->inode, which is NULL if the entry has ended. */
	u8 **bucket = inode_map_bucket(table, entry->addon->inode);
	u8 *first = *bucket;

	/* Pairs with smp_rmb() in inode_map_find_in(): a reader led off here sees table->bigger. */
	smp_store_release(&entry->next, first == INODE_MAP_NO_VALUE ? NULL : first);
	INODE_MAP_YIELD();
	/* Pairs with the dependent loads in inode_map_find_in(): the entry is complete. */
	smp_store_release(bucket, entry->value);
}

/* The link that points to an entry, or NULL if it is not in the table. */
static u8 **inode_map_table_link(struct inode_map_table *table, const struct inode_map_entry *entry)
{
	u8 **link = inode_map_bucket(table, entry->addon->inode);

	while (*link && *link != entry->value)
		link = &inode_map_entry_of(*link)->next;
	return *link ? link : NULL;
}

/* Put @value, or nothing if it is NULL, in the place of an entry. */
static void inode_map_hash_relink(struct inode_map *map, const struct inode_map_entry *entry,
				  u8 *value)
{
	struct inode_map_table *table = inode_map_table(map);
	u8 **link = inode_map_table_link(table, entry);

	lockdep_assert_held(&map->index.xa_lock);
	if (!link) {
		table = table->bigger;
		link = table ? inode_map_table_link(table, entry) : NULL;
		/* It is in one of the two. */
		if (WARN_ON_ONCE(!link))
			return;
	}
	if (!value && inode_map_is_bucket(table, link))
		value = INODE_MAP_NO_VALUE;
	/* Pairs with the dependent loads in inode_map_find_in(): an entry at @value is complete. */
	smp_store_release(link, value);
}

/**
 * inode_map_hash_add - make an entry visible to lookups
 * @map: the map, locked
 * @entry: the entry, complete
 */
void inode_map_hash_add(struct inode_map *map, struct inode_map_entry *entry)
{
	struct inode_map_table *table = inode_map_table(map);

	lockdep_assert_held(&map->index.xa_lock);
	inode_map_table_add(table->bigger ?: table, entry);
}

/**
 * inode_map_hash_del - hide an entry from lookups
 * @map: the map, locked
 * @entry: an entry that has been added
 */
void inode_map_hash_del(struct inode_map *map, struct inode_map_entry *entry)
{
	inode_map_hash_relink(map, entry, entry->next);
}

/**
 * inode_map_hash_replace - swap an entry for another one of the same inode
 * @map: the map, locked
 * @old: an entry that has been added
 * @new: the entry that takes its place, complete
 */
void inode_map_hash_replace(struct inode_map *map, struct inode_map_entry *old,
			    struct inode_map_entry *new)
{
	new->next = old->next;
	inode_map_hash_relink(map, old, new->value);
}

/* Growth */

static u32 inode_map_table_bits(const struct inode_map_table *table)
{
	return ilog2(table->mask + 1);
}

/* How many buckets a map may grow to: two to four for each entry, up to 2^BITS_MAX. */
static u32 inode_map_bits_max(const struct inode_map *map)
{
	return min(order_base_2(map->max_entries) + 1, BITS_MAX);
}

/* The number of entries at which a table is too small. */
static u32 inode_map_grow_at(const struct inode_map *map, u32 bits)
{
	return bits < inode_map_bits_max(map) ? 1U << (bits - 1) : U32_MAX;
}

/* Empty a bucket, last entry first. The selftest does lookups around this function, too. */
static noinline void inode_map_move_bucket(struct inode_map_table *table, u8 **bucket)
{
	struct inode_map_entry *last;
	u8 **link;

	while (*bucket != INODE_MAP_NO_VALUE) {
		for (link = bucket; inode_map_entry_of(*link)->next; )
			link = &inode_map_entry_of(*link)->next;
		last = inode_map_entry_of(*link);
		inode_map_table_add(table->bigger, last);
		INODE_MAP_YIELD();
		/* Pairs with smp_rmb() in inode_map_find_in(): a reader finds the entry there. */
		smp_store_release(link, link == bucket ? INODE_MAP_NO_VALUE : NULL);
	}
}

/* Move some buckets. Returns the old table, to be retired, if these were the last; or NULL. */
static struct inode_map_table *inode_map_move(struct inode_map *map, u32 buckets)
{
	struct inode_map_table *table;
	u32 end;

	xa_lock(&map->index);
	table = inode_map_table(map);
	if (!table->bigger || map->dead) {
		xa_unlock(&map->index);
		return NULL;
	}
	end = min(table->moved + buckets, table->mask + 1);
	while (table->moved < end)
		inode_map_move_bucket(table, &table->buckets[table->moved++]);
	if (table->moved <= table->mask) {
		table = NULL;
	} else {
		/* Pairs with the dependent loads of lookups: what was moved is there. */
		smp_store_release(&map->buckets, table->bigger->buckets);
		WRITE_ONCE(map->moving, false);
	}
	xa_unlock(&map->index);
	return table;
}

static void inode_map_move_work(struct work_struct *work)
{
	struct inode_map *map = container_of(work, struct inode_map, move);

	INODE_MAP_WORK_BEGIN();
	INODE_MAP_YIELD_SLEEP();
	while (READ_ONCE(map->moving) && !READ_ONCE(map->dead)) {
		inode_map_table_retire(inode_map_move(map, MOVE_MANY));
		cond_resched();
	}
	INODE_MAP_WORK_END();
}

/* Start moving entries to @bigger. Returns false if the caller has to free it instead. */
static bool inode_map_move_to(struct inode_map *map, struct inode_map_table *bigger)
{
	struct inode_map_table *table;
	bool begin;

	xa_lock(&map->index);
	table = inode_map_table(map);
	begin = !map->dead && !table->bigger && bigger->mask > table->mask;
	if (begin) {
		/* Pairs with the dependent loads in inode_map_find_bigger(): it is complete. */
		smp_store_release(&table->bigger, bigger);
		WRITE_ONCE(map->moving, true);
		WRITE_ONCE(map->grow_at, inode_map_grow_at(map, inode_map_table_bits(bigger)));
		/* Under the lock: inode_map_hash_stop() comes after map->dead is set. */
		queue_work(move_wq, &map->move);
	}
	xa_unlock(&map->index);
	return begin;
}

static void inode_map_grow(struct inode_map *map, u32 nr_entries)
{
	struct inode_map_table *bigger;
	u32 bits;

	rcu_read_lock();
	bits = inode_map_table_bits(inode_map_table(map));
	rcu_read_unlock();
	bits = min(bits + (bits < BITS_SMALL ? 2 : 1), inode_map_bits_max(map));
	bigger = inode_map_table_alloc(bits);
	if (!bigger)
		WRITE_ONCE(map->grow_at, nr_entries + nr_entries / 4 + 1);
	else if (!inode_map_move_to(map, bigger))
		inode_map_table_free(bigger);
}

/**
 * inode_map_hash_make_room - grow the table, if it is time, before an entry is added
 * @map: the map, not locked
 *
 * The memory is charged to the account that the caller has begun (account.h).
 *
 * Context: process; may sleep.
 */
void inode_map_hash_make_room(struct inode_map *map)
{
	u32 nr_entries = atomic_read(&map->nr_entries);

	if (unlikely(READ_ONCE(map->moving)))
		inode_map_table_retire(inode_map_move(map, MOVE_SOME));
	else if (unlikely(nr_entries >= READ_ONCE(map->grow_at)))
		inode_map_grow(map, nr_entries);
}

/**
 * inode_map_hash_create - make the first table of a new map
 * @map: the map, with its max_entries set
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_map_hash_create(struct inode_map *map)
{
	u32 bits = min(inode_map_bits_max(map), BITS_FIRST);
	struct inode_map_table *table = inode_map_table_alloc(bits);

	if (!table)
		return -ENOMEM;
	map->buckets = table->buckets;
	map->grow_at = inode_map_grow_at(map, bits);
	INIT_WORK(&map->move, inode_map_move_work);
	return 0;
}

/**
 * inode_map_hash_stop - stop moving entries
 * @map: the map, which is dead
 *
 * Context: process; may sleep.
 */
void inode_map_hash_stop(struct inode_map *map)
{
	cancel_work_sync(&map->move);
}

/**
 * inode_map_hash_free - free the tables of a map
 * @map: the map, which has no entries and which nobody can see any more
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_hash_free(struct inode_map *map)
{
	struct inode_map_table *table = inode_map_table(map);

	inode_map_table_free(table->bigger);
	inode_map_table_free(table);
}

/**
 * inode_map_hash_init - create the workqueue
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_hash_init(void)
{
	move_wq = alloc_workqueue("inode_map_move", WQ_UNBOUND, 0);
	return move_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_hash_exit - destroy the workqueue
 *
 * No map exists, and none is being freed.
 *
 * Context: process; sleeps.
 */
void inode_map_hash_exit(void)
{
	destroy_workqueue(move_wq);
}
