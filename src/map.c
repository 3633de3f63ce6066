// SPDX-License-Identifier: GPL-2.0
/*
 * Maps and their entries.
 *
 * An entry is reachable from three places: its bucket in the map's table (lookups), the map's index
 * by handle (iteration, and keys that are handles) and the list of its addon (the end of the
 * inode). It is linked into all three and unlinked from all three in one go, under two locks:
 *
 *   addon->lock       so that no entry is added to an inode that is ending, and
 *   map->index lock   (xa_lock) which orders the changes of one map.
 *
 * They nest in this order. Under them nothing sleeps, allocates or releases anything.
 *
 * Readers take no lock. What they can reach (entries, maps) is freed after a grace period of RCU
 * tasks trace and then one of RCU: sleepable programs are readers of the former, the others and we
 * ourselves of the latter. An addon found through an entry can be dereferenced under RCU only.
 *
 * The value of a linked entry is never written by an update: a new entry takes the place of the old
 * one, with its handle, so that a reader sees the old value or the new one.
 *
 * Handles count up from 1 and start again at 1 when the largest was used. Iteration goes from the
 * largest to the smallest, against the direction in which they are given out: what is inserted
 * during a walk is behind the walker, who therefore comes to an end however fast others insert, and
 * meets every entry that was there all the time exactly once. The index is an xarray, which walks
 * upwards, so that entries are stored at inode_map_slot().
 *
 * A map ends in two steps. inode_map_destroy() is called under rtnl and only hides the map; a
 * worker then takes the entries out one by one, which lets go of inodes, through workers again.
 */
#include <linux/bpf.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "map.h"
#include "trace.h"

/* Maps by id. */
struct hlist_head inode_map_ids[1 << INODE_MAP_IDS_BITS];
static DEFINE_SPINLOCK(inode_map_ids_lock);

static struct workqueue_struct *free_wq;

static atomic_t nr_maps = ATOMIC_INIT(0);

/* Where in the index an entry is: the larger its handle, the sooner a walk meets it. */
static unsigned long inode_map_slot(u32 handle)
{
	return INODE_MAP_HANDLE_MAX - handle;
}

static void inode_map_lock(struct inode_map *map, struct inode_addon *addon)
	__acquires(&addon->lock) __acquires(&map->index.xa_lock)
{
	spin_lock(&addon->lock);
	xa_lock(&map->index);
}

static void inode_map_unlock(struct inode_map *map, struct inode_addon *addon)
	__releases(&map->index.xa_lock) __releases(&addon->lock)
{
	xa_unlock(&map->index);
	spin_unlock(&addon->lock);
}

/* Links. All of these run under both locks. */

static void inode_map_insert(struct inode_map *map, struct inode_map_entry *entry, u32 handle)
{
	entry->handle = handle;
	/* The slot was reserved: nothing is allocated and nothing can fail. */
	__xa_store(&map->index, inode_map_slot(handle), entry, 0);
	hlist_add_head(&entry->in_addon, &entry->addon->entries);
	map->nr_entries++;
	hlist_add_head_rcu(&entry->in_table, inode_map_bucket(map, entry->inode));
	trace_inode_map_insert(map, entry);
}

static void inode_map_replace(struct inode_map *map, struct inode_map_entry *old,
			      struct inode_map_entry *new)
{
	new->handle = old->handle;
	__xa_store(&map->index, inode_map_slot(old->handle), new, 0);
	hlist_add_before(&new->in_addon, &old->in_addon);
	hlist_del_init(&old->in_addon);
	hlist_replace_rcu(&old->in_table, &new->in_table);
	trace_inode_map_remove(map, old, INODE_MAP_REPLACED);
	trace_inode_map_insert(map, new);
}

static void inode_map_remove(struct inode_map *map, struct inode_map_entry *entry,
			     enum inode_map_reason reason)
{
	hlist_del_rcu(&entry->in_table);
	hlist_del_init(&entry->in_addon);
	__xa_erase(&map->index, inode_map_slot(entry->handle));
	map->nr_entries--;
	trace_inode_map_remove(map, entry, reason);
}

/**
 * inode_map_unlink - take an entry out of its map
 * @entry: a linked entry; inode_map_entry_release() is due once the locks are dropped
 * @reason: why
 *
 * Context: any but interrupts; the addon's lock is held, which is what keeps the map alive.
 */
void inode_map_unlink(struct inode_map_entry *entry, enum inode_map_reason reason)
{
	struct inode_map *map = entry->map;

	lockdep_assert_held(&entry->addon->lock);
	xa_lock(&map->index);
	inode_map_remove(map, entry, reason);
	xa_unlock(&map->index);
}

/**
 * inode_map_find_handle - find an entry by its handle
 * @map: the map
 * @handle: the handle
 *
 * Context: any, under RCU, which is how long the result can be used.
 * Return: the entry, or NULL.
 */
struct inode_map_entry *inode_map_find_handle(struct inode_map *map, u32 handle)
{
	if (!handle || handle > INODE_MAP_HANDLE_MAX)
		return NULL;
	return xa_load(&map->index, inode_map_slot(handle));
}

/**
 * inode_map_next - walk over the entries
 * @map: the map
 * @handle: the handle where the walk is, whether or not its entry is still there, or 0 to begin
 *
 * Context: any, under RCU, which is how long the result can be used. A walk may leave RCU between
 * its steps.
 * Return: the entry with the largest handle below @handle, or of all, or NULL at the end.
 */
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle)
{
	unsigned long slot = 0;

	if (handle > INODE_MAP_HANDLE_MAX)
		handle = 0;
	if (handle)
		slot = inode_map_slot(handle) + 1;
	return xa_find(&map->index, &slot, ULONG_MAX, XA_PRESENT);
}

/* The addon of the entry that a handle names, or NULL: what to lock before the entry is changed. */
static struct inode_addon *inode_map_handle_addon(struct inode_map *map, u32 handle)
{
	struct inode_map_entry *entry = inode_map_find_handle(map, handle);

	return entry ? entry->addon : NULL;
}

/*
 * The entry that a handle names, or NULL, now that its addon is locked: it may have been removed
 * before it was, or have got another value, which is another entry of the same addon.
 */
static struct inode_map_entry *inode_map_find_locked(struct inode_map *map, u32 handle,
						     const struct inode_addon *addon)
{
	struct inode_map_entry *entry = inode_map_find_handle(map, handle);

	return entry && entry->addon == addon ? entry : NULL;
}

/* Reserve an unused handle, which walks and lookups don't see until an entry is stored there. */
static int inode_map_reserve_handle(struct inode_map *map, u32 *handle)
{
	u32 next;
	int err;

	do {
		xa_lock(&map->index);
		next = map->next_handle;
		map->next_handle = next == INODE_MAP_HANDLE_MAX ? 1 : next + 1;
		err = __xa_insert(&map->index, inode_map_slot(next), NULL, INODE_MAP_GFP);
		xa_unlock(&map->index);
	} while (err == -EBUSY);

	if (!err)
		*handle = next;
	return err;
}

/* What the flags of an update say when the entry exists or does not. */
static int inode_map_check_flags(bool exists, u64 flags)
{
	if (exists && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!exists && flags == BPF_EXIST)
		return -ENOENT;
	return 0;
}

/*
 * Link a new entry, in place of the one that the inode has in the map if there is one. @handle is
 * reserved, for the case that there is none, or 0. Returns -EAGAIN when one was needed.
 */
static int inode_map_link(struct inode_map *map, struct inode_map_entry *new, u64 flags, u32 handle)
{
	struct inode_addon *addon = new->addon;
	struct inode_map_entry *old;
	int err;

	inode_map_lock(map, addon);
	old = inode_map_find(map, new->inode);
	/* Or it is the entry of an addon before this one, which is going and not ours to change. */
	if (addon->dead || (old && old->addon != addon))
		err = -ESTALE;
	else
		err = inode_map_check_flags(old, flags);
	if (err)
		goto out;
	if (old)
		inode_map_replace(map, old, new);
	else if (map->nr_entries >= map->max_entries)
		err = -E2BIG;
	else if (!handle)
		err = -EAGAIN;
	else
		inode_map_insert(map, new, handle);
out:
	inode_map_unlock(map, addon);
	if (!err && old)
		inode_map_entry_release(old);
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
	u32 handle = 0;
	int err;

	if (!inode_map_has(map, new->inode)) {
		err = inode_map_reserve_handle(map, &handle);
		if (err)
			return err;
	}
	/* From here on @new is not ours if this succeeds: another task may remove and free it. */
	err = inode_map_link(map, new, flags, handle);
	/* Does nothing when an entry has been stored there. */
	if (handle)
		xa_release(&map->index, inode_map_slot(handle));
	return err;
}

/*
 * An update that can't succeed is turned down before anything is allocated for it. Under the lock:
 * a map that is full only because this very inode has just been added is not full for it.
 */
static int inode_map_precheck(struct inode_map *map, const struct inode *inode, u64 flags)
{
	bool exists, full;

	xa_lock(&map->index);
	exists = inode_map_find(map, inode);
	full = map->nr_entries >= map->max_entries;
	xa_unlock(&map->index);

	if (!exists && flags != BPF_EXIST && full)
		return -E2BIG;
	return inode_map_check_flags(exists, flags);
}

/**
 * inode_map_update - give an inode a value
 * @map: the map
 * @inode: the inode; the caller holds a reference to it
 * @weak: the entry shall not keep the inode in memory
 * @value: map->value_size bytes
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 *
 * Context: process; may sleep.
 * Return: 0, or -EEXIST, -ENOENT (as @flags demand), -E2BIG (the map is full), -ENOMEM, -ESTALE
 * (the inode or its superblock is going away at this moment).
 */
int inode_map_update(struct inode_map *map, struct inode *inode, bool weak, const void *value,
		     u64 flags)
{
	struct inode_map_entry *new;
	struct inode_addon *addon;
	struct inode_mark *pin;
	int err;

	err = inode_map_precheck(map, inode, flags);
	if (err)
		return err;
	new = inode_map_entry_alloc(map, value, map->value_size);
	if (!new)
		return -ENOMEM;
	addon = inode_addon_get(inode);
	if (IS_ERR(addon)) {
		err = PTR_ERR(addon);
		goto err_free;
	}
	pin = weak ? NULL : inode_pin_get(inode);
	if (IS_ERR(pin)) {
		err = PTR_ERR(pin);
		goto err_addon;
	}
	new->inode = inode;
	new->sb = inode->i_sb;
	new->addon = addon;
	new->pin = pin;

	do {
		err = inode_map_try_update(map, new, flags);
	} while (err == -EAGAIN);
	if (!err)
		return 0;

	inode_pin_put(pin);
err_addon:
	inode_addon_put(addon);
err_free:
	inode_map_entry_free(new);
	return err;
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
	struct inode_map_entry *new, *old;
	struct inode_addon *addon;
	int err = -ENOENT;

	new = inode_map_entry_alloc(map, value, map->value_size);
	if (!new)
		return -ENOMEM;

	rcu_read_lock();
	addon = inode_map_handle_addon(map, handle);
	if (!addon)
		goto out;
	inode_map_lock(map, addon);
	old = inode_map_find_locked(map, handle, addon);
	if (old)
		err = inode_map_check_flags(true, flags);
	if (!err) {
		new->inode = old->inode;
		new->sb = old->sb;
		new->addon = addon;
		new->pin = old->pin;
		inode_addon_hold(addon);
		inode_pin_hold(new->pin);
		inode_map_replace(map, old, new);
	}
	inode_map_unlock(map, addon);
	if (!err)
		inode_map_entry_release(old);
out:
	rcu_read_unlock();
	if (err)
		inode_map_entry_free(new);
	return err;
}

/**
 * inode_map_delete - remove an entry
 * @map: the map
 * @handle: the entry's handle
 * @reason: why
 *
 * Context: any but interrupts; does not sleep. The inode is let go later, by a worker.
 * Return: 0, or -ENOENT when no entry has this handle.
 */
int inode_map_delete(struct inode_map *map, u32 handle, enum inode_map_reason reason)
{
	struct inode_map_entry *entry = NULL;
	struct inode_addon *addon;

	rcu_read_lock();
	addon = inode_map_handle_addon(map, handle);
	if (!addon)
		goto out;
	inode_map_lock(map, addon);
	entry = inode_map_find_locked(map, handle, addon);
	if (entry)
		inode_map_remove(map, entry, reason);
	inode_map_unlock(map, addon);
	if (entry)
		inode_map_entry_release(entry);
out:
	rcu_read_unlock();
	return entry ? 0 : -ENOENT;
}

/* Maps */

static void inode_map_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct inode_map, rcu));
	atomic_dec(&nr_maps);
}

static void inode_map_free_trace(struct rcu_head *rcu)
{
	call_rcu(rcu, inode_map_free_rcu);
}

/* The handle of the first entry of a walk, or 0 when the map is empty. */
static u32 inode_map_first_handle(struct inode_map *map)
{
	struct inode_map_entry *entry;
	u32 handle;

	rcu_read_lock();
	entry = inode_map_next(map, 0);
	handle = entry ? entry->handle : 0;
	rcu_read_unlock();
	return handle;
}

static void inode_map_free(struct work_struct *work)
{
	struct inode_map *map = container_of(work, struct inode_map, free);
	u32 handle;

	/* Nobody adds entries any more; inodes that end take theirs out at the same time as we. */
	while ((handle = inode_map_first_handle(map))) {
		inode_map_delete(map, handle, INODE_MAP_FREED);
		cond_resched();
	}
	xa_destroy(&map->index);
	call_rcu_tasks_trace(&map->rcu, inode_map_free_trace);
	/* inode_map_exit() waits for this function to return. */
	module_put(THIS_MODULE);
}

/**
 * inode_map_create - allocate a map
 * @key_size: bytes of a key
 * @value_size: bytes of a value
 * @max_entries: limit on the number of entries, not 0; also sizes the table
 *
 * The map holds a reference on the module until inode_map_destroy() has let go of its inodes.
 *
 * Context: process; may sleep. Called under rtnl.
 * Return: the map or an ERR_PTR(): -E2BIG, -ENOMEM, -ENODEV (the module is being removed).
 */
struct inode_map *inode_map_create(u32 key_size, u32 value_size, u32 max_entries)
{
	struct inode_map *map;
	u32 hash_bits;

	if (max_entries > INODE_MAP_HANDLE_MAX)
		return ERR_PTR(-E2BIG);
	/* A shift by all 64 bits of a hash is undefined: two buckets at least. */
	hash_bits = max_entries > 2 ? order_base_2(max_entries) : 1;
	map = kvzalloc(struct_size(map, table, 1UL << hash_bits), INODE_MAP_GFP);
	if (!map)
		return ERR_PTR(-ENOMEM);
	if (!try_module_get(THIS_MODULE)) {
		kvfree(map);
		return ERR_PTR(-ENODEV);
	}
	INIT_HLIST_NODE(&map->in_ids);
	map->hash_bits = hash_bits;
	map->key_size = key_size;
	map->value_size = value_size;
	map->max_entries = max_entries;
	map->next_handle = 1;
	xa_init_flags(&map->index, XA_FLAGS_ACCOUNT);
	INIT_WORK(&map->free, inode_map_free);
	atomic_inc(&nr_maps);
	return map;
}

/**
 * inode_map_publish - let programs find a map by its id
 * @map: the map
 * @attr: the BPF map, which the kernel gives its id and its name between its creation and its first
 *	use
 *
 * Context: process; does not sleep.
 */
void inode_map_publish(struct inode_map *map, const struct bpf_map *attr)
{
	if (!hlist_unhashed_lockless(&map->in_ids))
		return;
	spin_lock(&inode_map_ids_lock);
	if (hlist_unhashed(&map->in_ids)) {
		map->id = attr->id;
		strscpy(map->name, attr->name, sizeof(map->name));
		hlist_add_head_rcu(&map->in_ids, inode_map_ids_bucket(map->id));
	}
	spin_unlock(&inode_map_ids_lock);
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
	spin_lock(&inode_map_ids_lock);
	if (!hlist_unhashed(&map->in_ids))
		hlist_del_rcu(&map->in_ids);
	spin_unlock(&inode_map_ids_lock);
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
 * Return: 0 or -ENOMEM.
 */
int inode_map_init(void)
{
	free_wq = alloc_workqueue("inode_map_free", WQ_UNBOUND, 0);
	return free_wq ? 0 : -ENOMEM;
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
	inode_map_entry_exit();
	/* The first kind of callback queues the second. */
	rcu_barrier_tasks_trace();
	rcu_barrier();
}
