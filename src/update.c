// SPDX-License-Identifier: GPL-2.0-only
/*
 * Updates: how an inode, or an existing entry, gets a value.
 *
 * bpf(2) calls inode_map_update() and inode_map_update_handle(), and request.c the former for
 * programs that may sleep and for its worker. They run in process context and may sleep for memory;
 * inode_map_update() also makes the inode's addon. Programs in any context call
 * inode_map_try_replace(), which only tries the locks, and only for an inode that is in the map.
 *
 * Locks: addon->lock, then the map's lock (table.c); or the latter alone, to look at the map and to
 * reserve a handle. Callers hold none of ours, but a program may have interrupted a holder.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "account.h"
#include "addon.h"
#include "context.h"
#include "defer.h"
#include "entry.h"
#include "handle.h"
#include "hash.h"
#include "map.h"
#include "table.h"
#include "update.h"
#include "yield.h"

/* Reserve an unused handle. Walks and lookups don't see it until an entry is stored there. */
static int inode_map_reserve_handle(struct inode_map *map, u32 *handle)
{
	u32 next;
	int err;

	do {
		xa_lock(&map->index);
		next = map->next_handle;
		map->next_handle = inode_map_handle_after(next);
		/* May drop the lock while it allocates. */
		err = map->dead ? -ENODEV :
				  __xa_insert(&map->index, inode_map_slot(next), NULL,
					      INODE_MAP_GFP);
		xa_unlock(&map->index);
		/* After handles have wrapped, very many in a row may be in use. */
		cond_resched();
	} while (err == -EBUSY);

	if (!err)
		*handle = next;
	return err;
}

static bool inode_map_has(struct inode_map *map, const struct inode *inode)
{
	bool exists;

	rcu_read_lock();
	exists = inode_map_find(map, inode);
	rcu_read_unlock();
	return exists;
}

static int inode_map_try_update(struct inode_map *map, struct inode_map_entry *new, u64 flags)
{
	u32 handle;
	int err;

	inode_map_hash_make_room(map);
	/* If this succeeds, don't touch @new any more: another task may remove and free it. */
	err = inode_map_link(map, new, flags, 0);
	if (err != -EAGAIN)
		return err;
	err = inode_map_reserve_handle(map, &handle);
	if (err)
		return err;
	err = inode_map_link(map, new, flags, handle);
	/* Does nothing when an entry has been stored there. */
	xa_release(&map->index, inode_map_slot(handle));
	return err;
}

/*
 * Fast path for an inode that is in the map with the wanted lifetime: the new entry takes over what
 * the old one holds, and the marks stay as they are. Returns -ENOENT when there is no such entry.
 */
static int inode_map_renew_inode(struct inode_map *map, const struct inode *inode, bool pinned,
				 struct inode_map_entry *new)
{
	struct inode_map_entry *found, *old = NULL;
	struct inode_map_addon *addon;

	rcu_read_lock();
	found = inode_map_find(map, inode);
	if (!found || found->pinned != pinned)
		goto out;
	addon = found->addon;
	inode_map_lock(map, addon);
	/* Another entry may have replaced it. */
	old = map->dead ? NULL : inode_map_find(map, inode);
	if (old && (old->addon != addon || old->pinned != pinned))
		old = NULL;
	if (old && !inode_map_renew(map, old, new))
		old = NULL;
	inode_map_unlock(map, addon);
	if (old)
		inode_map_entry_retire(old);
out:
	rcu_read_unlock();
	return old ? 0 : -ENOENT;
}

/*
 * Refuse an update that can't succeed before anything is allocated for it. This takes the index
 * lock because a map that is full only since this very inode was added is not full for the inode.
 */
static int inode_map_precheck(struct inode_map *map, const struct inode *inode, u64 flags)
{
	bool exists, full;

	if (!inode_map_in_any(inode) && atomic_read(&map->nr_entries) < map->max_entries)
		return inode_map_check_flags(false, flags);
	xa_lock(&map->index);
	exists = inode_map_find(map, inode);
	full = atomic_read(&map->nr_entries) >= map->max_entries;
	xa_unlock(&map->index);

	if (!exists && flags != BPF_EXIST && full)
		return -E2BIG;
	return inode_map_check_flags(exists, flags);
}

/*
 * A kernel-internal mount is never unmounted, so nothing would end its pinned inodes, which keep
 * what is behind them: a pinned nsfs inode keeps the namespace.
 */
static bool is_internal(const struct inode *inode)
{
	return inode->i_sb->s_flags & (SB_NOUSER | SB_KERNMOUNT);
}

/* inode_map_update(), charged to the map's account. */
static struct inode_map_entry *inode_map_update_charged(struct inode_map *map, struct inode *inode,
							dev_t dev, bool weak, const void *value,
							u64 flags, gfp_t gfp)
{
	bool pinned = !weak && !is_internal(inode);
	struct inode_map_entry *new;
	struct inode_map_addon *addon;
	bool renew;
	int err;

	/* With BPF_EXIST, assume that the inode is in the map. */
	renew = flags == BPF_EXIST || (flags == BPF_ANY && inode_map_has(map, inode));
	err = renew ? 0 : inode_map_precheck(map, inode, flags);
	if (err)
		return ERR_PTR(err);
	new = inode_map_entry_alloc(map, value, map->value_size, gfp);
	if (!new)
		return ERR_PTR(-ENOMEM);
	if (renew) {
		if (!inode_map_renew_inode(map, inode, pinned, new))
			return new;
		/* The inode is not in the map, or has another lifetime there. */
		err = inode_map_precheck(map, inode, flags);
		if (err)
			goto err_free;
	}
	addon = inode_map_addon_get(inode, dev, pinned);
	if (IS_ERR(addon)) {
		err = PTR_ERR(addon);
		goto err_free;
	}
	new->inode = inode;
	new->addon = addon;
	new->pinned = pinned;
	INODE_MAP_YIELD_SLEEP();

	err = inode_map_try_update(map, new, flags);
	if (!err)
		return new;

	if (inode_map_addon_put(addon, pinned))
		inode_map_addon_release(addon);
err_free:
	inode_map_entry_free(new);
	return ERR_PTR(err);
}

/**
 * inode_map_update - give an inode a value
 * @map: the map
 * @inode: the inode; the caller holds a reference to it
 * @dev: the device that it is on, as far as the caller knows: that of its superblock, or another
 * @weak: don't keep the inode in memory; no entry does on kernel-internal mounts
 * @value: map->value_size bytes
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 * @gfp: INODE_MAP_GFP, or INODE_MAP_GFP_PROG for programs
 *
 * Context: process; may sleep.
 * Return: the entry that has the value, or an ERR_PTR(): -EEXIST, -ENOENT (as @flags demand),
 * -E2BIG (the map is full), -ENOMEM, -ESTALE (the inode or its superblock is going away at this
 * moment), -ENODEV (the map is), -EOPNOTSUPP (the inode is the one that anonymous files share).
 * Others may have removed the entry: it may be dereferenced only inside an RCU-tasks-trace
 * read-side section that began before this call.
 */
struct inode_map_entry *inode_map_update(struct inode_map *map, struct inode *inode, dev_t dev,
					 bool weak, const void *value, u64 flags, gfp_t gfp)
{
	struct inode_map_entry *entry;
	struct mem_cgroup *before;

	if (inode_map_is_shared_anon(inode))
		return ERR_PTR(-EOPNOTSUPP);
	before = inode_map_account_begin(map->account);
	entry = inode_map_update_charged(map, inode, dev, weak, value, flags, gfp);
	inode_map_account_end(before);
	return entry;
}

/**
 * inode_map_update_handle - give an existing entry another value
 * @map: the map
 * @handle: the entry's handle
 * @value: map->value_size bytes
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 *
 * The entry's lifetime stays as it is.
 *
 * Context: process; may sleep.
 * Return: 0, -ENOENT (no entry has this handle), -EEXIST (one has, and @flags is BPF_NOEXIST),
 * -ENOMEM.
 */
int inode_map_update_handle(struct inode_map *map, u32 handle, const void *value, u64 flags)
{
	struct inode_map_entry *new, *old = NULL;
	struct inode_map_addon *addon;
	int err = -ENOENT;

	new = inode_map_entry_alloc(map, value, map->value_size, INODE_MAP_GFP);
	if (!new)
		return -ENOMEM;

	rcu_read_lock();
	addon = inode_map_handle_addon(map, handle);
	if (!addon)
		goto out;
	inode_map_lock(map, addon);
	old = inode_map_find_handle_locked(map, handle, addon);
	if (old)
		err = inode_map_check_flags(true, flags);
	if (!err && !inode_map_renew(map, old, new))
		err = -ENOENT;
	inode_map_unlock(map, addon);
	if (!err)
		inode_map_entry_retire(old);
out:
	rcu_read_unlock();
	if (err)
		inode_map_entry_free(new);
	return err;
}

/* Replace the entry that the inode has by @new, under both locks. */
static int inode_map_renew_locked(struct inode_map *map, const struct inode_map_addon *addon,
				  const struct inode *inode, struct inode_map_entry *new)
{
	struct inode_map_entry *old;

	lockdep_assert_held(&addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	if (map->dead)
		return -ENODEV;
	/* A lookup by inode is cheaper than one by handle. */
	old = inode_map_find_inode_locked(map, inode, addon);
	if (!old || !inode_map_renew(map, old, new))
		return -ENOENT;
	inode_map_defer(old);
	return 0;
}

static int inode_map_renew_if_free(struct inode_map *map, struct inode_map_addon *addon,
				   const struct inode *inode, struct inode_map_entry *new)
{
	int err;

	if (!spin_trylock(&addon->lock))
		return -EBUSY;
	if (!xa_trylock(&map->index)) {
		spin_unlock(&addon->lock);
		return -EBUSY;
	}
	err = inode_map_renew_locked(map, addon, inode, new);
	inode_map_unlock(map, addon);
	return err;
}

/**
 * inode_map_try_replace - give an inode that is in the map another value
 * @map: the map
 * @inode: the inode; not dereferenced
 * @value: map->value_size bytes
 *
 * The entry's lifetime stays as it is.
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section.
 * Return: 0, -ENOENT (the inode is not in the map), -EBUSY (a lock was busy, or the program runs in
 * a context that allows no allocation or no trylock), -ENOMEM, -ENODEV (the map is being freed).
 */
int inode_map_try_replace(struct inode_map *map, const struct inode *inode, const void *value)
{
	bool may = inode_map_may_alloc() && inode_map_may_try();
	struct inode_map_entry *found, *new;
	int err = -ENOENT;

	rcu_read_lock();
	found = inode_map_find(map, inode);
	if (!found)
		goto out;
	err = -EBUSY;
	if (!may)
		goto out;
	new = inode_map_entry_alloc(map, value, map->value_size, INODE_MAP_GFP_NOWAIT);
	if (!new) {
		err = -ENOMEM;
		goto out;
	}
	for (unsigned int i = 0; err == -EBUSY && i < INODE_MAP_TRIES; i++) {
		err = inode_map_renew_if_free(map, found->addon, inode, new);
		cpu_relax();
	}
	if (err)
		inode_map_entry_free(new);
out:
	rcu_read_unlock();
	return err;
}
