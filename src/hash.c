// SPDX-License-Identifier: GPL-2.0
/*
 * The entries of a map by inode.
 *
 * A map begins with a few buckets, however many entries it may have, and gets a bigger table when
 * half as many entries as buckets are in it. The bigger one is filled while others look into both:
 *
 *   table->bigger   is set. From here on entries are added to the bigger table, and who does not
 *                   find one in the old table looks there.
 *   table->moved    counts the buckets of the old one that have been emptied into it.
 *   map->buckets    are the bigger one's when all are. The old one is freed after both kinds of grace
 *                   period, for those who are still in it.
 *
 * An entry has one link, so that it is moved while others walk over it. Of each bucket the last
 * entry is moved first, and always to the front of another one: its link is set to what is there, it
 * becomes the first there, and only then is the one before it told to be the last. Who is on his way
 * in the old bucket may thus come by way of the entry into a bucket of the bigger table, where he
 * meets entries that are not his; but none of those in the old bucket that he has not met were left
 * there. At the end of any bucket he looks for table->bigger of where he began, and it is set
 * before any link of an entry is: what he has not met is there. For who has come to an entry that is
 * unlinked or replaced meanwhile it is the same, because its link stays: what was behind it at that
 * moment is either still behind it or has been moved. And each bucket that anybody walks over has an
 * end, whatever is interrupted: there is nothing to be tried again.
 *
 * So there can be any number of tables one after the other for a reader who is slow, and two for
 * those who have the lock: there is no other bigger table before the last has taken its place.
 *
 * Who inserts an entry allocates the bigger table, without any lock, moves some buckets, and leaves
 * the rest to a worker, or to who comes next. A table that can't be allocated is asked for again
 * later: the map has room for its entries without, in buckets that are longer.
 *
 * Locks: the map's, for all that changes. Readers take none.
 */
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "addon.h"
#include "compat.h"
#include "hash.h"
#include "yield.h"

/* How many buckets a map begins with, and has at the most: with more entries they get longer. */
#define BITS_FIRST	6
#define BITS_MAX	24

/* Tables grow to four times the buckets, and those that are not small any more to twice. */
#define BITS_SMALL	12

/* How many buckets are moved in one go, by who inserts an entry and by the worker. */
#define MOVE_SOME	16
#define MOVE_MANY	64

struct inode_map_entry inode_map_no_entry;

static struct workqueue_struct *move_wq;

static size_t inode_map_table_bytes(u32 mask)
{
	return struct_size_t(struct inode_map_table, buckets, mask + 1UL);
}

static void inode_map_nothing(struct work_struct *work)
{
}

/*
 * What was charged for a table before the rest could not be had is given back before this returns.
 * 7.x leaves that to a worker (defer_vm_area_cleanup()), and the memory cgroup is full until then:
 * the task would not be told -ENOMEM but killed for the next page that it wants. The workers of a
 * processor begin in the order in which the work was queued, so wait for some that is queued behind
 * it. (Elsewhere this costs a failure a context switch or two.)
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

/* As many as it takes: kmalloc() would make of a table, with its header, one of twice the size. */
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

/* Free a table that has been found, but is not to be found any more; or NULL. */
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
 * inode_map_find_bigger - find the value of an inode in the tables that come after one
 * @buckets: of the table
 * @inode: the inode, not NULL; not dereferenced
 *
 * Context: as inode_map_find_value().
 * Return: as inode_map_find_value().
 */
u8 *inode_map_find_bigger(u8 **buckets, const struct inode *inode)
{
	return inode_map_find_in(READ_ONCE(inode_map_table_of(buckets)->bigger)->buckets, inode);
}

/* Links. All of these run under the map's lock. */

/* @link: that of an entry before it, or the bucket. */
static bool inode_map_is_bucket(const struct inode_map_table *table, u8 **link)
{
	return link >= table->buckets && link <= table->buckets + table->mask;
}

/*
 * Make an entry the first of its bucket. A selftest looks for entries when this is called, and when
 * it returns.
 */
static noinline void inode_map_table_add(struct inode_map_table *table,
					 struct inode_map_entry *entry)
{
	/* Not from the entry: it may have ended. */
	u8 **bucket = inode_map_bucket(table, entry->addon->inode);
	u8 *first = *bucket;

	smp_store_release(&entry->next, first == INODE_MAP_NO_VALUE ? NULL : first);
	YIELD_POINT();
	smp_store_release(bucket, entry->value);
}

/* The link to an entry, or NULL when it is not in the table. */
static u8 **inode_map_table_link(struct inode_map_table *table, const struct inode_map_entry *entry)
{
	u8 **link = inode_map_bucket(table, entry->addon->inode);

	while (*link && *link != entry->value)
		link = &inode_map_entry_of(*link)->next;
	return *link ? link : NULL;
}

/* Put @value, or nothing, in the place of an entry, which has been given its link. */
static void inode_map_hash_relink(struct inode_map *map, const struct inode_map_entry *entry,
				  u8 *value)
{
	struct inode_map_table *table = inode_map_table(map);
	u8 **link = inode_map_table_link(table, entry);

	if (!link) {
		table = table->bigger;
		link = inode_map_table_link(table, entry);
	}
	if (!value && inode_map_is_bucket(table, link))
		value = INODE_MAP_NO_VALUE;
	smp_store_release(link, value);
}

/**
 * inode_map_hash_add - let an entry be found by its inode
 * @map: the map, locked
 * @entry: the entry, complete
 */
void inode_map_hash_add(struct inode_map *map, struct inode_map_entry *entry)
{
	struct inode_map_table *table = inode_map_table(map);

	inode_map_table_add(table->bigger ?: table, entry);
}

/**
 * inode_map_hash_del - let an entry be found no more
 * @map: the map, locked
 * @entry: an entry that has been added
 */
void inode_map_hash_del(struct inode_map *map, struct inode_map_entry *entry)
{
	inode_map_hash_relink(map, entry, entry->next);
}

/**
 * inode_map_hash_replace - let another entry be found in the place of one
 * @map: the map, locked
 * @old: an entry that has been added
 * @new: one for the same inode, complete
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

/* As many buckets as a map may come to have: two for each entry, or up to four. */
static u32 inode_map_bits_max(const struct inode_map *map)
{
	return min(order_base_2(map->max_entries) + 1, BITS_MAX);
}

/* How many entries make a table too small. */
static u32 inode_map_grow_at(const struct inode_map *map, u32 bits)
{
	return bits < inode_map_bits_max(map) ? 1U << (bits - 1) : U32_MAX;
}

/* Empty a bucket, its last entry first. Here, too, a selftest looks for entries. */
static noinline void inode_map_move_bucket(struct inode_map_table *table, u8 **bucket)
{
	struct inode_map_entry *last;
	u8 **link;

	while (*bucket != INODE_MAP_NO_VALUE) {
		for (link = bucket; inode_map_entry_of(*link)->next; )
			link = &inode_map_entry_of(*link)->next;
		last = inode_map_entry_of(*link);
		inode_map_table_add(table->bigger, last);
		YIELD_POINT();
		smp_store_release(link, link == bucket ? INODE_MAP_NO_VALUE : NULL);
	}
}

/* Move some buckets. Returns the old table if these were the last, or NULL. */
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
		smp_store_release(&map->buckets, table->bigger->buckets);
		WRITE_ONCE(map->moving, false);
	}
	xa_unlock(&map->index);
	return table;
}

static void inode_map_move_work(struct work_struct *work)
{
	struct inode_map *map = container_of(work, struct inode_map, move);

	YIELD_WORK_BEGIN();
	YIELD_POINT_SLEEP();
	while (READ_ONCE(map->moving) && !READ_ONCE(map->dead)) {
		inode_map_table_retire(inode_map_move(map, MOVE_MANY));
		cond_resched();
	}
	YIELD_WORK_END();
}

/* Begin to move to a table. Returns whether it is used. */
static bool inode_map_move_to(struct inode_map *map, struct inode_map_table *bigger)
{
	struct inode_map_table *table;
	bool begin;

	xa_lock(&map->index);
	table = inode_map_table(map);
	begin = !map->dead && !table->bigger && bigger->mask > table->mask;
	if (begin) {
		smp_store_release(&table->bigger, bigger);
		WRITE_ONCE(map->moving, true);
		WRITE_ONCE(map->grow_at, inode_map_grow_at(map, inode_map_table_bits(bigger)));
		/* Under the lock: inode_map_hash_stop() comes behind. */
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
 * inode_map_hash_make_room - see to the table before an entry is added
 * @map: the map, not locked
 *
 * What it allocates is charged to the account that the caller has begun (account.h).
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
 * inode_map_hash_create - make the table of a map that begins
 * @map: the map, with its max_entries
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
 * inode_map_hash_stop - have nothing moved any more
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
 * @map: the map, which nobody can see any more and has no entries
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
 * inode_map_hash_init - get ready to let tables grow
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_map_hash_init(void)
{
	move_wq = alloc_workqueue("inode_map_move", WQ_UNBOUND, 0);
	return move_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_hash_exit - let no table grow any more
 *
 * No map exists any more, and none is being freed.
 *
 * Context: process; sleeps.
 */
void inode_map_hash_exit(void)
{
	destroy_workqueue(move_wq);
}
