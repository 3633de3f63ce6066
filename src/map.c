// SPDX-License-Identifier: GPL-2.0
/*
 * Maps: how they begin, are found and end. Their entries are table.c's business.
 *
 * A map begins in two steps. When it is created it has neither its id nor its name: the kernel sets
 * both before anybody else can name it. It is fresh until somebody looks for it.
 *
 * A map ends in two steps. inode_map_destroy() is called under rtnl and only hides the map; a
 * worker then takes the entries out one by one, which lets go of inodes, through workers again.
 * Programs that found the map before may still be using it: the worker first marks it dead, under
 * the lock of its index, and no entry is added to a dead map. The memory of the map is freed after
 * a grace period of RCU tasks trace and one of RCU.
 *
 * The maps by id are read without a lock, and changed under inode_map_ids_lock, which is taken in
 * process context and tried by programs in any: hence a raw spinlock, which can be on PREEMPT_RT,
 * too, and with interrupts disabled, by which a program knows on a single processor. Nothing nests
 * inside it.
 *
 * What is published is ordered for processors that reorder: a map's id and name are stored before
 * it is linked into the table (rcu_assign_pointer(), a release), and readers come to them by its
 * address. Who finds that others have published it finds it in the table, too: "published" of a map
 * is stored behind the link with release and loaded with acquire before an update goes on, and so
 * are the number of fresh maps and who looks for one of those.
 */
#include <linux/bpf.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "defer.h"
#include "map.h"
#include "table.h"

/* Maps by id, and those that are not among them yet. */
struct hlist_head inode_map_ids[1 << INODE_MAP_IDS_BITS];
static HLIST_HEAD(inode_map_fresh);
/* How many are among the latter. Goes down when the map can be found among the former. */
static unsigned int nr_fresh;
static DEFINE_RAW_SPINLOCK(inode_map_ids_lock);

static struct workqueue_struct *free_wq;

static atomic_t nr_maps = ATOMIC_INIT(0);

static void inode_map_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct inode_map, rcu));
	atomic_dec(&nr_maps);
}

static void inode_map_free_trace(struct rcu_head *rcu)
{
	call_rcu(rcu, inode_map_free_rcu);
}

static void inode_map_free(struct work_struct *work)
{
	struct inode_map *map = container_of(work, struct inode_map, free);

	xa_lock(&map->index);
	map->dead = true;
	xa_unlock(&map->index);
	/*
	 * Nobody adds entries any more; inodes that end take theirs out at the same time as we, and
	 * so does the worker of those that programs have ended.
	 */
	while (inode_map_unlink_first(map))
		cond_resched();
	inode_map_defer_hurry();
	xa_destroy(&map->index);
	call_rcu_tasks_trace(&map->rcu, inode_map_free_trace);
	/* inode_map_exit() waits for this function to return. */
	module_put(THIS_MODULE);
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
static void *inode_map_alloc(size_t size)
{
	struct work_struct behind;
	void *memory;

	migrate_disable();
	memory = kvzalloc(size, INODE_MAP_GFP);
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

/**
 * inode_map_create - allocate a map
 * @attr: the BPF map: its sizes, its max_entries (not 0; also sizes the table) and its flags. Stays
 *	until inode_map_destroy() returns
 *
 * The map holds a reference on the module until inode_map_destroy() has let go of its inodes.
 *
 * Context: process; may sleep. Called under rtnl.
 * Return: the map or an ERR_PTR(): -E2BIG, -ENOMEM, -ENODEV (the module is being removed).
 */
struct inode_map *inode_map_create(const struct bpf_map *attr)
{
	u32 max_entries = attr->max_entries;
	struct inode_map *map;
	unsigned long flags;
	u32 hash_bits;

	if (max_entries > INODE_MAP_HANDLE_MAX)
		return ERR_PTR(-E2BIG);
	/*
	 * Between one and two buckets for each entry of a full map, twice over: what a collision
	 * costs is worth the eight bytes. (A shift by all 64 bits of a hash would be undefined.)
	 */
	hash_bits = order_base_2(max_entries) + 1;
	map = inode_map_alloc(struct_size(map, table, 1UL << hash_bits));
	if (!map)
		return ERR_PTR(-ENOMEM);
	if (!try_module_get(THIS_MODULE)) {
		kvfree(map);
		return ERR_PTR(-ENODEV);
	}
	map->attr = attr;
	map->hash_shift = 64 - hash_bits;
	map->key_size = attr->key_size;
	map->value_size = attr->value_size;
	map->peek_size = attr->map_flags & BPF_F_WRONLY_PROG ? 0 : attr->value_size;
	map->prog_write = !(attr->map_flags & BPF_F_RDONLY_PROG);
	map->lookup_size = map->prog_write ? map->peek_size : 0;
	map->max_entries = max_entries;
	map->next_handle = 1;
	xa_init_flags(&map->index, XA_FLAGS_ACCOUNT);
	INIT_WORK(&map->free, inode_map_free);
	atomic_inc(&nr_maps);
	raw_spin_lock_irqsave(&inode_map_ids_lock, flags);
	hlist_add_head(&map->in_ids, &inode_map_fresh);
	WRITE_ONCE(nr_fresh, nr_fresh + 1);
	raw_spin_unlock_irqrestore(&inode_map_ids_lock, flags);
	return map;
}

/* Under the lock. The kernel gives the map its name and then its id, which is not 0. */
static void inode_map_publish_locked(struct inode_map *map)
{
	/* Whoever is told the id has been told by then what came before. */
	u32 id = READ_ONCE(map->attr->id);

	if (!id || map->id)
		return;
	hlist_del(&map->in_ids);
	strscpy(map->name, map->attr->name, sizeof(map->name));
	map->id = id;
	hlist_add_head_rcu(&map->in_ids, inode_map_ids_bucket(id));
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

	raw_spin_lock_irqsave(&inode_map_ids_lock, flags);
	inode_map_publish_locked(map);
	raw_spin_unlock_irqrestore(&inode_map_ids_lock, flags);
}

/* Publish all maps that can be, or return false where the lock is not to be had. */
static bool inode_map_try_publish(void)
{
	struct hlist_node *next;
	struct inode_map *map;
	unsigned long flags;

	if (!context_may_try_raw())
		return false;
	for (unsigned int i = 0; i < INODE_MAP_TRIES; i++) {
		if (raw_spin_trylock_irqsave(&inode_map_ids_lock, flags)) {
			hlist_for_each_entry_safe(map, next, &inode_map_fresh, in_ids)
				inode_map_publish_locked(map);
			raw_spin_unlock_irqrestore(&inode_map_ids_lock, flags);
			return true;
		}
		cpu_relax();
	}
	return false;
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
	struct inode_map *map;
	int id = -ENOENT;

	if (smp_load_acquire(&nr_fresh) && !inode_map_try_publish())
		return -EBUSY;
	for (u32 i = 0; i < ARRAY_SIZE(inode_map_ids); i++) {
		inode_map_for_each_rcu(map, &inode_map_ids[i], in_ids) {
			if (strncmp(map->name, name, sizeof(map->name)))
				continue;
			if (id > 0)
				return -ENOTUNIQ;
			id = map->id;
		}
	}
	return id;
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
	struct inode_map *map, *next = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(inode_map_ids); i++)
		inode_map_for_each_rcu(map, &inode_map_ids[i], in_ids)
			if (map->id > id && (!next || map->id < next->id))
				next = map;
	return next;
}

/**
 * inode_map_destroy - hide a map from programs and have it freed
 * @map: the map; no operation of bpf(2) on it is under way or will be
 *
 * Context: process; does not sleep. Called under rtnl and bpf_devs_lock: all that may take long is
 * left to a worker.
 */
void inode_map_destroy(struct inode_map *map)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&inode_map_ids_lock, flags);
	hlist_del_rcu(&map->in_ids);
	/* From whichever list it is in. */
	if (!map->published)
		WRITE_ONCE(nr_fresh, nr_fresh - 1);
	raw_spin_unlock_irqrestore(&inode_map_ids_lock, flags);
	queue_work(free_wq, &map->free);
}

/**
 * inode_map_count - how many maps are in memory
 *
 * Return: the number, those that wait for a grace period included.
 */
unsigned int inode_map_count(void)
{
	return atomic_read(&nr_maps);
}

/**
 * inode_map_init - get ready to create maps
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_map_init(void)
{
	int err = inode_map_entry_init();

	if (err)
		return err;
	err = inode_map_defer_init();
	if (err)
		goto err_entry;
	err = -ENOMEM;
	free_wq = alloc_workqueue("inode_map_free", WQ_UNBOUND, 0);
	if (!free_wq)
		goto err_defer;
	return 0;

err_defer:
	inode_map_defer_exit();
err_entry:
	inode_map_entry_exit();
	return err;
}

/**
 * inode_map_exit - wait until the last map and the last entry are freed
 *
 * No map may exist any more.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_exit(void)
{
	destroy_workqueue(free_wq);
	/* Maps may still wait for grace periods. The first kind of callback queues the second. */
	rcu_barrier_tasks_trace();
	rcu_barrier();
	inode_map_defer_exit();
	inode_map_entry_exit();
}
