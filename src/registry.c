// SPDX-License-Identifier: GPL-2.0
/*
 * The registry: maps by id and by name.
 *
 * When a map is created it has neither its id nor its name: the kernel sets both before anybody else
 * can name it. It is fresh until somebody looks for it: then it is published, which is to copy both.
 * A program can do that in any context, by trying a lock, and so without allocating anything.
 *
 * Where a map is found:
 *
 *   recent    one map for each of 256 remainders of ids: the first published there, as long as it
 *             lives. It is the common way: two loads.
 *   young     the list of all that are in neither of the tables yet, fresh ones too. The creation of
 *             a map puts those before it into the tables, so that the list has the map that was
 *             created last, and those of tasks that are creating one at this moment.
 *   by_id     the table of all others, an xarray: two loads a level, of which there are six at the
 *             most however many maps there are. Walks go there, too.
 *   by_name   those that have a name, a hash table that grows: one map of each name. All others of
 *             that name are in a ring with it, so that each goes in a few steps however many they
 *             are. (An rhltable has a list of them, and searches it for the one that goes.)
 *
 * From young to the tables a map goes in this order: stored there, then taken from the list. Readers
 * look into the list first, so that they don't miss it; they may meet it twice.
 *
 * Locks. registry_mutex orders creation and destruction, which are called under rtnl; young_lock
 * protects the list, "recent" and what is published. It is taken in process context and tried by
 * programs in any: hence a raw spinlock, which can be on PREEMPT_RT, too, and with interrupts
 * disabled, by which a program knows on a single processor. Nothing nests inside it. Readers take
 * no lock; a map is freed after both kinds of grace period (map.c).
 *
 * What is published is ordered for processors that reorder. A map's name is stored before its id
 * (release), and who looks for either loads the id first (acquire), or comes to both by the address
 * that "recent" or a table gives, stored behind them. Who finds that others have published the map
 * finds it: "published" is stored behind all that with release and loaded with acquire before an
 * update goes on, and so is the number of fresh maps by who looks for one of those.
 */
#include <linux/rhashtable.h>
#include <linux/string.h>

#include "compat.h"
#include "registry.h"

/*
 * What is where there is no recent map: maps without any right, whose ids are looked for elsewhere.
 * So there is no need to test for NULL.
 */
static struct inode_map nobody = { .id = 0 };
static struct inode_map nobody_at_0 = { .id = 1 };

struct inode_map *inode_map_recent[1 << INODE_MAP_RECENT_BITS] = {
	[0] = &nobody_at_0,
	[1 ... ARRAY_SIZE(inode_map_recent) - 1] = &nobody,
};

static HLIST_HEAD(young);
/* How many are without an id. Goes down when the map can be found by it. */
static unsigned int nr_fresh;
static DEFINE_RAW_SPINLOCK(young_lock);

static DEFINE_XARRAY(by_id);
static struct rhashtable by_name;
static DEFINE_MUTEX(registry_mutex);

static const struct rhashtable_params by_name_params = {
	.head_offset		= offsetof(struct inode_map, in_names),
	.key_offset		= offsetof(struct inode_map, name),
	.key_len		= sizeof_field(struct inode_map, name),
	.automatic_shrinking	= true,
};

/* Publishing: all of these run under young_lock. */

static struct inode_map **inode_map_recent_slot(u32 id)
{
	return &inode_map_recent[id & (ARRAY_SIZE(inode_map_recent) - 1)];
}

static struct inode_map *inode_map_nobody(u32 id)
{
	return inode_map_recent_slot(id) == inode_map_recent ? &nobody_at_0 : &nobody;
}

/* The kernel gives the map its name and then its id, which is not 0. */
static void inode_map_publish_locked(struct inode_map *map)
{
	/*
	 * Whoever is told the id has been told by then what came before. The kernel stores it without
	 * a mark, perhaps at this moment: KCSAN is not to say so of a kernel that is as it is.
	 */
	u32 id = data_race(READ_ONCE(map->attr->id));
	struct inode_map **recent = inode_map_recent_slot(id);

	if (!id || map->id)
		return;
	/* What follows the name is 0 and stays so: it is a key. */
	strscpy(map->name, map->attr->name, sizeof(map->name));
	smp_store_release(&map->id, id);
	if (*recent == inode_map_nobody(id))
		smp_store_release(recent, map);
	smp_store_release(&map->published, true);
	smp_store_release(&nr_fresh, nr_fresh - 1);
}

/**
 * inode_map_publish_fresh - inode_map_publish() for a map that has not been published
 * @map: the map
 *
 * Context: process; does not sleep.
 */
void inode_map_publish_fresh(struct inode_map *map)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&young_lock, flags);
	inode_map_publish_locked(map);
	raw_spin_unlock_irqrestore(&young_lock, flags);
}

/* Publish all maps that can be, or return false where the lock is not to be had. */
static bool inode_map_try_publish(void)
{
	struct inode_map *map;
	unsigned long flags;

	if (!context_may_try_raw())
		return false;
	for (unsigned int i = 0; i < INODE_MAP_TRIES; i++) {
		if (raw_spin_trylock_irqsave(&young_lock, flags)) {
			hlist_for_each_entry(map, &young, in_young)
				inode_map_publish_locked(map);
			raw_spin_unlock_irqrestore(&young_lock, flags);
			return true;
		}
		cpu_relax();
	}
	return false;
}

/* Finding: all of these run under RCU or RCU-tasks-trace. */

/**
 * inode_map_by_id_slow - inode_map_by_id() for a map that is not among the recent ones
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: as inode_map_by_id().
 */
struct inode_map *inode_map_by_id_slow(u32 id)
{
	struct inode_map *map;

	/* A fresh map has not 0 for its id, but none. */
	if (!id)
		return NULL;
	inode_map_for_each_rcu(map, &young, in_young)
		if (smp_load_acquire(&map->id) == id)
			return map;
	/* What has left the list is in the table. */
	smp_rmb();
	return xa_load(&by_id, id);
}

/**
 * inode_map_by_id_fresh - find a map that inode_map_by_id() has not found, if it is fresh
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: the map, or NULL when there is no inode map of that id. When a program that interrupts us
 * looks for a fresh map it may not be found.
 */
struct inode_map *inode_map_by_id_fresh(u32 id)
{
	if (smp_load_acquire(&nr_fresh))
		inode_map_try_publish();
	/* Or somebody else was quicker. */
	return inode_map_by_id(id);
}

/* Returns -ENOTUNIQ if @also is another map than @found. */
static int inode_map_only(struct inode_map **found, struct inode_map *also)
{
	if (*found && *found != also)
		return -ENOTUNIQ;
	*found = also;
	return 0;
}

/* @key: the name, with zeros behind it up to the end. Finds one, or -ENOTUNIQ. */
static int inode_map_find_name(const char *key, struct inode_map **found)
{
	struct inode_map *map;
	int err = 0;

	inode_map_for_each_rcu(map, &young, in_young) {
		if (smp_load_acquire(&map->id) && !memcmp(map->name, key, sizeof(map->name)))
			err = inode_map_only(found, map);
		if (err)
			return err;
	}
	/* What has left the list is in the table. */
	smp_rmb();
	map = rhashtable_lookup(&by_name, key, by_name_params);
	if (!map)
		return 0;
	return list_empty(&map->same_name) ? inode_map_only(found, map) : -ENOTUNIQ;
}

/**
 * inode_map_id_by_name - find a map by its name
 * @name: the name, not empty
 *
 * Context: as inode_map_by_id().
 * Return: the id, -ENOENT (no inode map of that name), -ENOTUNIQ (more than one), -EBUSY (a lock
 * was not to be had).
 */
int inode_map_id_by_name(const char *name)
{
	char key[sizeof_field(struct inode_map, name)];
	struct inode_map *found = NULL;
	int err;

	if (strscpy_pad(key, name, sizeof(key)) < 0)
		return -ENOENT;
	if (smp_load_acquire(&nr_fresh) && !inode_map_try_publish())
		return -EBUSY;
	rcu_read_lock();
	err = inode_map_find_name(key, &found);
	rcu_read_unlock();
	if (err)
		return err;
	return found ? found->id : -ENOENT;
}

/**
 * inode_map_next_map - walk over the maps
 * @id: the id where the walk is, whether or not its map is still there, or 0 to begin
 *
 * Context: any, under RCU, which is how long the result can be used. A walk may leave RCU between
 * its steps.
 * Return: the published map with the smallest id above @id, or NULL at the end.
 */
struct inode_map *inode_map_next_map(u32 id)
{
	struct inode_map *map, *first = NULL;
	unsigned long index = id + 1UL;
	u32 young_id, first_id = 0;

	inode_map_for_each_rcu(map, &young, in_young) {
		young_id = smp_load_acquire(&map->id);
		if (young_id > id && (!first || young_id < first_id)) {
			first = map;
			first_id = young_id;
		}
	}
	/* What has left the list is in the table. */
	smp_rmb();
	map = xa_find(&by_id, &index, first ? first_id : ULONG_MAX, XA_PRESENT);
	return map ?: first;
}

/* Beginning and end: under registry_mutex. */

static int inode_map_enter_names(struct inode_map *map)
{
	struct inode_map *other;

	INIT_LIST_HEAD(&map->same_name);
	other = rhashtable_lookup_get_insert_fast(&by_name, &map->in_names, by_name_params);
	if (IS_ERR(other))
		return PTR_ERR(other);
	if (other)
		list_add_rcu(&map->same_name, &other->same_name);
	return 0;
}

static void inode_map_leave_names(struct inode_map *map)
{
	struct inode_map *next = list_next_entry(map, same_name);

	if (next == map) {
		rhashtable_remove_fast(&by_name, &map->in_names, by_name_params);
		return;
	}
	/* Of a ring only one is in the table: if it is another, this does nothing. */
	rhashtable_replace_fast(&by_name, &map->in_names, &next->in_names, by_name_params);
	list_del_rcu(&map->same_name);
}

static int inode_map_enter_tables(struct inode_map *map)
{
	int err;

	err = xa_err(xa_store(&by_id, map->id, map, GFP_KERNEL));
	if (err || !map->name[0])
		return err;
	err = inode_map_enter_names(map);
	if (err)
		xa_erase(&by_id, map->id);
	return err;
}

/* Put the young maps that are published into the tables. */
static int inode_map_settle(void)
{
	struct hlist_node *next;
	struct inode_map *map;
	unsigned long flags;
	int err;

	/* Who adds and removes any has the mutex. */
	hlist_for_each_entry_safe(map, next, &young, in_young) {
		inode_map_publish(map);
		if (!map->published)
			continue;
		err = inode_map_enter_tables(map);
		if (err)
			return err;
		map->registered = true;
		raw_spin_lock_irqsave(&young_lock, flags);
		hlist_del_rcu(&map->in_young);
		raw_spin_unlock_irqrestore(&young_lock, flags);
	}
	return 0;
}

/**
 * inode_map_register - let a map be found, once it has an id
 * @map: the map, all zero but for what map.c fills in
 *
 * Context: process; may sleep. Called under rtnl.
 * Return: 0 or -ENOMEM.
 */
int inode_map_register(struct inode_map *map)
{
	unsigned long flags;
	int err;

	mutex_lock(&registry_mutex);
	err = inode_map_settle();
	if (!err) {
		raw_spin_lock_irqsave(&young_lock, flags);
		hlist_add_head_rcu(&map->in_young, &young);
		WRITE_ONCE(nr_fresh, nr_fresh + 1);
		raw_spin_unlock_irqrestore(&young_lock, flags);
	}
	mutex_unlock(&registry_mutex);
	return err;
}

static void inode_map_leave_tables(struct inode_map *map)
{
	if (!map->registered)
		return;
	xa_erase(&by_id, map->id);
	if (map->name[0])
		inode_map_leave_names(map);
}

/**
 * inode_map_unregister - hide a map
 * @map: the map. Who has found it may be using it until both kinds of grace period are over
 *
 * Context: process; may sleep, but for no grace period. Called under rtnl.
 */
void inode_map_unregister(struct inode_map *map)
{
	struct inode_map **recent;
	unsigned long flags;

	mutex_lock(&registry_mutex);
	inode_map_leave_tables(map);
	raw_spin_lock_irqsave(&young_lock, flags);
	recent = inode_map_recent_slot(map->id);
	if (*recent == map)
		WRITE_ONCE(*recent, inode_map_nobody(map->id));
	if (!map->registered)
		hlist_del_rcu(&map->in_young);
	if (!map->published)
		WRITE_ONCE(nr_fresh, nr_fresh - 1);
	raw_spin_unlock_irqrestore(&young_lock, flags);
	mutex_unlock(&registry_mutex);
}

/**
 * inode_map_registry_init - get ready to register maps
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_map_registry_init(void)
{
	return rhashtable_init(&by_name, &by_name_params);
}

/**
 * inode_map_registry_exit - free the tables
 *
 * No map exists any more.
 *
 * Context: process; may sleep.
 */
void inode_map_registry_exit(void)
{
	rhashtable_destroy(&by_name);
	xa_destroy(&by_id);
}
