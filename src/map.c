// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps: how they begin and end. registry.c finds them, table.c has their entries.
 *
 * device.c creates and destroys maps, under rtnl and bpf_devs_lock. A map ends in two steps.
 * inode_map_destroy() only hides it. A worker then takes the entries out one by one, which leaves
 * their inodes to other workers. Programs that found the map before may still be using it, so the
 * worker first marks it dead, under the map's lock (map->index.xa_lock): no entry is added to a
 * dead map. The map is freed after a grace period of RCU tasks trace and then one of RCU.
 */
#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "account.h"
#include "defer.h"
#include "delete.h"
#include "entry.h"
#include "handle.h"
#include "hash.h"
#include "map.h"
#include "registry.h"
#include "request.h"
#include "yield.h"

static struct workqueue_struct *free_wq __ro_after_init;

static atomic_t nr_maps = ATOMIC_INIT(0);

static void inode_map_free_rcu(struct rcu_head *rcu)
{
	struct inode_map *map = container_of(rcu, struct inode_map, rcu);

	inode_map_account_put(map->account);
	inode_map_hash_free(map);
	kfree(map);
	atomic_dec(&nr_maps);
}

static void inode_map_free_trace(struct rcu_head *rcu)
{
	call_rcu(rcu, inode_map_free_rcu);
}

static void inode_map_free(struct work_struct *work)
{
	struct inode_map *map = container_of(work, struct inode_map, free);

	INODE_MAP_WORK_BEGIN();
	INODE_MAP_YIELD_SLEEP();
	xa_lock(&map->index);
	map->dead = true;
	xa_unlock(&map->index);
	inode_map_hash_stop(map);
	/*
	 * Nobody adds entries any more. Inodes that end take theirs out at the same time, and so
	 * does the worker for entries that programs have ended.
	 */
	while (inode_map_unlink_first(map))
		cond_resched();
	inode_map_defer_hurry();
	xa_destroy(&map->index);
	call_rcu_tasks_trace(&map->rcu, inode_map_free_trace);
	INODE_MAP_WORK_END();
	/* inode_map_exit() waits for this function to return. */
	module_put(THIS_MODULE);
}

/**
 * inode_map_create - allocate a map
 * @attr: the BPF map: its sizes, its max_entries (not 0) and its flags. Stays valid until
 *	inode_map_destroy() returns
 *
 * The map holds a reference on the module until inode_map_free() has taken out its entries.
 *
 * Context: process; may sleep. Called under rtnl and bpf_devs_lock.
 * Return: the map or an ERR_PTR(): -E2BIG, -ENOMEM, -ENODEV (the module is being removed).
 */
struct inode_map *inode_map_create(const struct bpf_map *attr)
{
	struct inode_map *map;
	int err;

	if (attr->max_entries > INODE_MAP_HANDLE_MAX)
		return ERR_PTR(-E2BIG);
	map = kzalloc(sizeof(*map), INODE_MAP_GFP);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->max_entries = attr->max_entries;
	err = inode_map_hash_create(map);
	if (err)
		goto err_map;
	err = -ENOMEM;
	map->account = inode_map_account_create(map);
	if (!map->account)
		goto err_hash;
	inode_map_requests_init(map->account);
	if (!try_module_get(THIS_MODULE)) {
		err = -ENODEV;
		goto err_account;
	}
	map->attr = attr;
	map->key_size = attr->key_size;
	map->value_size = attr->value_size;
	map->peek_size = attr->map_flags & BPF_F_WRONLY_PROG ? 0 : attr->value_size;
	map->prog_write = !(attr->map_flags & BPF_F_RDONLY_PROG);
	map->lookup_size = map->prog_write ? map->peek_size : 0;
	map->next_handle = 1;
	xa_init_flags(&map->index, XA_FLAGS_ACCOUNT);
	INIT_WORK(&map->free, inode_map_free);
	atomic_inc(&nr_maps);
	err = inode_map_register(map);
	if (err)
		goto err_module;
	return map;

err_module:
	atomic_dec(&nr_maps);
	module_put(THIS_MODULE);
err_account:
	inode_map_account_put(map->account);
err_hash:
	inode_map_hash_free(map);
err_map:
	kfree(map);
	return ERR_PTR(err);
}

/**
 * inode_map_destroy - hide a map from programs and have it freed
 * @map: the map; no operation of bpf(2) on it is under way or will be
 *
 * Context: process; may sleep for the registry's mutex. Called under rtnl and bpf_devs_lock, so
 * all that may take long is left to a worker.
 */
void inode_map_destroy(struct inode_map *map)
{
	inode_map_unregister(map);
	queue_work(free_wq, &map->free);
}

/**
 * inode_map_count - how many maps are in memory
 *
 * Return: the number, including maps that wait for a grace period.
 */
unsigned int inode_map_count(void)
{
	return atomic_read(&nr_maps);
}

/**
 * inode_map_init - set up all that maps and their entries need
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_init(void)
{
	int err = inode_map_registry_init();

	if (err)
		return err;
	err = inode_map_entry_init();
	if (err)
		goto err_registry;
	err = inode_map_hash_init();
	if (err)
		goto err_entry;
	err = inode_map_defer_init();
	if (err)
		goto err_hash;
	err = inode_map_request_init();
	if (err)
		goto err_defer;
	err = -ENOMEM;
	free_wq = alloc_workqueue("inode_map_free", WQ_UNBOUND, 0);
	if (!free_wq)
		goto err_request;
	return 0;

err_request:
	inode_map_request_exit();
err_defer:
	inode_map_defer_exit();
err_hash:
	inode_map_hash_exit();
err_entry:
	inode_map_entry_exit();
err_registry:
	inode_map_registry_exit();
	return err;
}

/**
 * inode_map_exit - wait until the last map and the last entry are freed, and clean up
 *
 * All maps have been destroyed.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_exit(void)
{
	destroy_workqueue(free_wq);
	/* Maps and tables may wait for grace periods. The first callback queues the second. */
	rcu_barrier_tasks_trace();
	rcu_barrier();
	inode_map_request_exit();
	inode_map_hash_exit();
	inode_map_defer_exit();
	inode_map_entry_exit();
	inode_map_registry_exit();
}
