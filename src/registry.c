// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry: maps by id and by name.
 *
 * A new map has no id and no name yet: the kernel sets both before anybody can name the map. It is
 * fresh until somebody looks for it or updates it. Then it is published: we copy both. A program
 * can do so in any context, because it only tries a lock and allocates nothing.
 *
 * Where a map is found:
 *
 *   recent    one map for each of 256 remainders of ids: the first one published there, as long as
 *             it lives. This is the usual way, two loads.
 *   young     the list of all maps that are not in the tables yet, including fresh ones. The
 *             creation of a map moves those before it into the tables, so the list has the map that
 *             was created last, and those that tasks are creating at this moment.
 *   by_id     the table of all other maps, an xarray: two loads a level, of which there are at most
 *             six however many maps there are. Walks use it, too.
 *   by_name   those that have a name, a hash table that grows. It has one map of each name; all
 *             others of that name are in a ring with it, so that removing one takes a few steps
 *             however many there are. (An rhltable has a list of them, and searches it for the one
 *             to remove.)
 *
 * A map that moves from young to the tables is stored in the tables first and then removed from the
 * list. Readers look into the list first, so they don't miss it, though they may meet it twice.
 *
 * Locks. registry_mutex serializes creation and destruction, which run under rtnl and
 * bpf_devs_lock, and protects the tables and rings. young_lock nests inside and protects the list,
 * "recent" and what is published. Process context takes it, and programs in any context try it. So
 * it is a raw spinlock, which can be tried on PREEMPT_RT, too, and it is held with interrupts
 * disabled, so that on a single processor a program knows that it has not interrupted a holder.
 * Nothing nests inside it. Readers take no lock; a map is freed after both kinds of grace period
 * (map.c).
 *
 * Memory ordering. A map's name is stored before its id (release). A reader of either loads the id
 * first (acquire), or gets to the map through "recent" or a table, where its address is stored
 * later. A task that sees that others have published a map finds the map: "published" is stored
 * after all of that (release), and an update loads it (acquire) before it goes on. The same holds
 * for nr_fresh and readers that look for a fresh map.
 */
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/processor.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "context.h"
#include "registry.h"

/*
 * Stand-ins where there is no recent map, so that lookups need not test for NULL. They allow
 * nothing, and their own ids are looked for in other places.
 */
static struct inode_map nobody = { .id = 0 };
static struct inode_map nobody_at_0 = { .id = 1 };

struct inode_map *inode_map_recent[1 << INODE_MAP_RECENT_BITS] = {
	[0] = &nobody_at_0,
	[1 ... ARRAY_SIZE(inode_map_recent) - 1] = &nobody,
};

static HLIST_HEAD(young);
/* How many maps are not published. Changed under young_lock, when a map can be found by its id. */
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

/* Publishing: everything in this section runs under young_lock. */

static struct inode_map **inode_map_recent_slot(u32 id)
{
	return &inode_map_recent[id & (ARRAY_SIZE(inode_map_recent) - 1)];
}

static struct inode_map *inode_map_nobody(u32 id)
{
	return inode_map_recent_slot(id) == inode_map_recent ? &nobody_at_0 : &nobody;
}

/* The kernel stores the name of a map and then its id, which is not 0. */
static void inode_map_publish_locked(struct inode_map *map)
{
	/*
	 * A task that knows the id learned it after the name was stored. The kernel stores the id
	 * without WRITE_ONCE(), perhaps at this moment. We can't change that: keep KCSAN quiet.
	 */
	u32 id = data_race(READ_ONCE(map->attr->id));
	struct inode_map **recent = inode_map_recent_slot(id);

	lockdep_assert_held(&young_lock);
	if (!id || map->id)
		return;
	/* The bytes behind the name are 0 and stay 0: all of the array is a key. */
	strscpy(map->name, map->attr->name, sizeof(map->name));
	/* Pairs with the acquire loads of readers of the list: the name is there. */
	smp_store_release(&map->id, id);
	if (*recent == inode_map_nobody(id))
		smp_store_release(recent, map);	/* for inode_map_by_id(): so is the id */
	/* Pairs with inode_map_publish(): the map can be found. */
	smp_store_release(&map->published, true);
	/* Pairs with the acquire loads of it: likewise. */
	smp_store_release(&nr_fresh, nr_fresh - 1);
}

/**
 * inode_map_publish_fresh - inode_map_publish() for a map that is not published yet
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

/* Publish all maps that have an id. Returns false if it did not get the lock. */
static bool inode_map_try_publish(void)
{
	struct inode_map *map;
	unsigned long flags;

	if (!inode_map_may_try_raw())
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

/* Finding: everything in this section runs under RCU or RCU tasks trace. */

/**
 * inode_map_by_id_slow - inode_map_by_id() for a map that is not in "recent"
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: as inode_map_by_id().
 */
struct inode_map *inode_map_by_id_slow(u32 id)
{
	struct inode_map *map;

	/* Fresh maps have id 0, which stands for none. */
	if (!id)
		return NULL;
	inode_map_for_each_rcu(map, &young, in_young)
		if (smp_load_acquire(&map->id) == id)	/* see inode_map_publish_locked() */
			return map;
	/* A map that is no longer in the list is in the table. */
	smp_rmb();
	return xa_load(&by_id, id);
}

/**
 * inode_map_by_id_fresh - find a map that inode_map_by_id() has not found, if it is fresh
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: the map, or NULL if no inode map has that id. A program that interrupts a holder of
 * young_lock may miss a fresh map.
 */
struct inode_map *inode_map_by_id_fresh(u32 id)
{
	/* Pairs with inode_map_publish_locked(). */
	if (smp_load_acquire(&nr_fresh))
		inode_map_try_publish();
	/* Look again in any case: others may have published it. */
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

/* @key: the name, padded with zeros. Finds the only map that has it, or returns -ENOTUNIQ. */
static int inode_map_find_name(const char *key, struct inode_map **found)
{
	struct inode_map *map;
	int err = 0;

	inode_map_for_each_rcu(map, &young, in_young) {
		/* Pairs with inode_map_publish_locked(): the id is stored after the name. */
		if (smp_load_acquire(&map->id) && !memcmp(map->name, key, sizeof(map->name)))
			err = inode_map_only(found, map);
		if (err)
			return err;
	}
	/* A map that is no longer in the list is in the table. */
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
 * Return: the id, -ENOENT (no inode map has that name), -ENOTUNIQ (more than one has), -EBUSY
 * (it did not get the lock).
 */
int inode_map_id_by_name(const char *name)
{
	char key[sizeof_field(struct inode_map, name)];
	struct inode_map *found = NULL;
	int err;

	if (strscpy_pad(key, name, sizeof(key)) < 0)
		return -ENOENT;
	/* Pairs with inode_map_publish_locked(). */
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
 * @id: the id of the current map, whether or not it is still there, or 0 to begin
 *
 * Context: any, under RCU. The result is valid until that ends. A walk may leave RCU between its
 * steps.
 * Return: the published map with the smallest id above @id, or NULL at the end.
 */
struct inode_map *inode_map_next_map(u32 id)
{
	struct inode_map *map, *first = NULL;
	unsigned long index = id + 1UL;
	u32 young_id, first_id = 0;

	inode_map_for_each_rcu(map, &young, in_young) {
		/* Pairs with inode_map_publish_locked(). */
		young_id = smp_load_acquire(&map->id);
		if (young_id > id && (!first || young_id < first_id)) {
			first = map;
			first_id = young_id;
		}
	}
	/* A map that is no longer in the list is in the table. */
	smp_rmb();
	map = xa_find(&by_id, &index, first ? first_id : ULONG_MAX, XA_PRESENT);
	return map ?: first;
}

/* Beginning and end: everything in this section runs under registry_mutex, unless it takes it. */

static int inode_map_enter_names(struct inode_map *map)
{
	struct inode_map *other;

	lockdep_assert_held(&registry_mutex);
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

	lockdep_assert_held(&registry_mutex);
	if (next == map) {
		rhashtable_remove_fast(&by_name, &map->in_names, by_name_params);
		return;
	}
	/* One map of a ring is in the table. If it is another one, this does nothing. */
	rhashtable_replace_fast(&by_name, &map->in_names, &next->in_names, by_name_params);
	list_del_rcu(&map->same_name);
}

static int inode_map_enter_tables(struct inode_map *map)
{
	int err;

	lockdep_assert_held(&registry_mutex);
	err = xa_err(xa_store(&by_id, map->id, map, GFP_KERNEL));
	if (err || !map->name[0])
		return err;
	err = inode_map_enter_names(map);
	if (err)
		xa_erase(&by_id, map->id);
	return err;
}

/* Move the young maps that are published into the tables. */
static int inode_map_settle(void)
{
	struct hlist_node *next;
	struct inode_map *map;
	unsigned long flags;
	int err;

	lockdep_assert_held(&registry_mutex);
	/* The list changes only under the mutex. */
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
 * inode_map_register - make a map findable, once it has an id
 * @map: the map, all zero except for what map.c fills in
 *
 * Context: process; may sleep. Called under rtnl and bpf_devs_lock. Takes registry_mutex.
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
	lockdep_assert_held(&registry_mutex);
	if (!map->registered)
		return;
	xa_erase(&by_id, map->id);
	if (map->name[0])
		inode_map_leave_names(map);
}

/**
 * inode_map_unregister - hide a map
 * @map: the map. Programs that have found it may use it until both kinds of grace period are over
 *
 * Context: process; may sleep, but for no grace period. Called under rtnl and bpf_devs_lock. Takes
 * registry_mutex.
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
 * inode_map_registry_init - create the table by name
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_registry_init(void)
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
