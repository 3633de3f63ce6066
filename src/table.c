// SPDX-License-Identifier: GPL-2.0
/*
 * The entries of a map.
 *
 * An entry is reachable from three places: its bucket in the map's hash table (lookups: hash.c), the
 * map's index by handle (iteration, and keys that are handles) and the list of its addon (the end of
 * the inode). It is linked into all three and unlinked from all three in one go, under two locks:
 *
 *   addon->lock       so that no entry is added to an inode that is ending, and
 *   map->index lock   (xa_lock) which orders the changes of one map.
 *
 * They nest in this order. Under them nothing sleeps or releases anything, and nothing is allocated
 * but what the index needs for a new entry, without sleeping; where that is not to be had a place in
 * the index is reserved first, without addon->lock.
 *
 * How an entry ends. Whoever sets entry->fate with cmpxchg() has claimed the entry: it is his to let
 * go of, once it is unlinked, and everybody else finds it ended. It takes no lock, so that a program
 * can do it on top of anything, our own critical sections included; it then clears entry->inode,
 * which is all that lookups compare, and leaves the rest to a worker (defer.c). Until the worker has
 * been there the entry is still linked, but nobody finds it. Who holds the locks (the end of the
 * inode, that of the map, bpf(2), the worker) unlinks what has ended, whoever has claimed it.
 *
 * An update claims the old entry for the new one: its fate is the entry that takes its place. From
 * that moment on the new one can be claimed, in the middle of the update as well: who finds the old
 * one goes on to it. Its inode stays as it is, so that who has found it has found the old value.
 *
 * To replace a value takes the locks. Programs only try them, where they can (compat.h).
 *
 * Readers take no lock. What they can reach (entries, maps) is freed after a grace period of RCU
 * tasks trace and then one of RCU: sleepable programs are readers of the former, the others and we
 * ourselves of the latter. An addon found through an entry can be dereferenced under RCU only.
 *
 * Inodes are no objects of RCU to us. Most filesystems free them after a grace period (free_inode of
 * the superblock's operations, or the VFS by itself: ext4, btrfs, tmpfs, overlayfs, FUSE, procfs,
 * sockets), but pipes and bpffs at once (free_inode_nonrcu()), as may any other; and XFS makes
 * another inode of one that was evicted within the grace period. So entry->inode and addon->inode
 * are addresses to everybody but who has the addon's lock and an entry that is linked. What is shown
 * of an inode is in the addon. Dentries are freed after a grace period, but those of pipes and
 * sockets (DCACHE_NORCU), which proc.c leaves alone; tree.c loads from any in a way that may fault.
 *
 * Processors may reorder what they load and store. An entry, with its value, is complete before it
 * can be found: it is linked with a release, or becomes another's fate with cmpxchg(), which is fully
 * ordered; and who finds it has its address from there, on which all that he loads from it or stores
 * to it depends. The inode's bit (addon.h) is elsewhere, and a reader's
 * loads of the bit and of the bucket are not ordered: they need not be. Both are stored before an
 * update returns, so that who has been told of it, by whatever orders memory, sees both; who has
 * not may see one or none, which is a miss. Nor may a reader meet the entry of an inode that was at
 * the same address before: that is unlinked before the memory is freed, and the addresses of the
 * bit and of the bucket depend on the inode's, which the reader has got later. Who ends an entry
 * stores its fate and then NULL for its inode, and returns behind both, also if he was not the
 * first; who has seen the latter may still load the former as it was before.
 *
 * The value of a linked entry is never written by an update: a new entry takes the place of the old
 * one, with its handle, so that a reader sees the old value or the new one.
 *
 * Handles count up from 1 and start again at 1 when the largest was used. Iteration goes against the
 * direction in which they are given out: what is inserted during a walk is behind the walker, who
 * therefore comes to an end however fast others insert, and meets every entry that was there all the
 * time exactly once. The index is an xarray, which walks upwards, so that entries are stored at
 * inode_map_slot(): handles that count up are slots that count down. As an xarray with small indexes
 * only is smaller and faster, they do so in blocks, each as large as all before it. When one is used
 * up, the next is ahead of the walkers; there are 20.
 */
#include <linux/bpf.h>
#include <linux/log2.h>

#include "compat.h"
#include "defer.h"
#include "table.h"
#include "trace.h"
#include "yield.h"

#define INODE_MAP_FIRST_BLOCK	4096UL

/**
 * inode_map_slot - where in its map's index an entry is
 * @handle: the entry's handle
 *
 * In a block of handles the larger are met sooner by a walk.
 *
 * Return: the slot, less than 2^31. It is another for each handle, and its own slot's slot.
 */
unsigned long inode_map_slot(u32 handle)
{
	unsigned long end = max(roundup_pow_of_two(handle + 1UL), INODE_MAP_FIRST_BLOCK);
	unsigned long begin = end > INODE_MAP_FIRST_BLOCK ? end / 2 : 0;

	return begin + (end - 1 - handle);
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

/* An entry has ended, whether or not somebody lets go of it already. */
static void inode_map_remove(struct inode_map *map, struct inode_map_entry *entry,
			     enum inode_map_reason reason)
{
	inode_map_hash_del(map, entry);
	hlist_del_init(&entry->in_addon);
	__xa_erase(&map->index, inode_map_slot(entry->handle));
	trace_inode_map_remove(map, entry, reason);
}

static bool inode_map_is_ended(const struct inode_map_entry *entry)
{
	return READ_ONCE(entry->fate) || !READ_ONCE(entry->inode);
}

/* What programs have ended of an inode, for the events to come in the order of the changes. */
static void inode_map_remove_ended(struct inode_map *map, const struct inode_addon *addon)
{
	struct inode_map_table *table = inode_map_table_of(map->buckets);
	struct inode_map_entry *entry;
	u8 *value, *next;

	for (; table; table = table->bigger) {
		for (value = *inode_map_bucket(table, addon->inode); value; value = next) {
			entry = inode_map_entry_of(value);
			next = entry->next;
			if (entry->addon == addon && inode_map_is_ended(entry))
				inode_map_remove(map, entry, INODE_MAP_DELETED);
		}
	}
}

static void inode_map_insert(struct inode_map *map, struct inode_map_entry *entry, u32 handle)
{
	inode_map_remove_ended(map, entry->addon);
	entry->handle = handle;
	/* First: it can end as soon as it can be found. */
	atomic_inc(&map->nr_entries);
	hlist_add_head(&entry->in_addon, &entry->addon->entries);
	inode_map_hash_add(map, entry);
	/* The slot was reserved: nothing is allocated and nothing can fail. */
	__xa_store(&map->index, inode_map_slot(handle), entry, 0);
	trace_inode_map_insert(map, entry);
}

/* __xa_insert() as far as it goes without sleeping: the index allocates likewise by itself. */
static bool inode_map_index_add(struct inode_map *map, struct inode_map_entry *entry, u32 handle)
{
	XA_STATE(xas, &map->index, inode_map_slot(handle));

	if (xas_load(&xas))
		return false;
	xas_store(&xas, entry);
	return !xas_error(&xas);
}

/*
 * inode_map_insert() with the next handle, if it is unused and the index has room for it, or gets some
 * without sleeping. Returns whether it was and has.
 */
static bool inode_map_insert_next(struct inode_map *map, struct inode_map_entry *entry)
{
	u32 handle = map->next_handle;

	inode_map_remove_ended(map, entry->addon);
	entry->handle = handle;
	/* First: it can end as soon as it can be found. */
	atomic_inc(&map->nr_entries);
	if (!inode_map_index_add(map, entry, handle)) {
		atomic_dec(&map->nr_entries);
		return false;
	}
	map->next_handle = handle == INODE_MAP_HANDLE_MAX ? 1 : handle + 1;
	hlist_add_head(&entry->in_addon, &entry->addon->entries);
	inode_map_hash_add(map, entry);
	trace_inode_map_insert(map, entry);
	return true;
}

/*
 * Put another entry in the place of one, unless a program has just ended that. The caller then lets
 * go of @old.
 */
static bool inode_map_replace(struct inode_map *map, struct inode_map_entry *old,
			      struct inode_map_entry *new)
{
	XA_STATE(xas, &map->index, inode_map_slot(old->handle));

	new->handle = old->handle;
	if (cmpxchg(&old->fate, NULL, new))
		return false;
	hlist_del(&old->in_addon);
	hlist_add_head(&new->in_addon, &new->addon->entries);
	inode_map_hash_replace(map, old, new);
	/* It is there, so that nothing is allocated and nothing can fail; found first, it takes less. */
	xas_load(&xas);
	xas_store(&xas, new);
	trace_inode_map_remove(map, old, INODE_MAP_REPLACED);
	trace_inode_map_insert(map, new);
	return true;
}

/*
 * Give the inode of an entry another value: what the old entry holds is handed on to the new one.
 * If this succeeds inode_map_entry_retire() is due for @old.
 */
static bool inode_map_renew(struct inode_map *map, struct inode_map_entry *old,
			    struct inode_map_entry *new)
{
	/* Not from the entry: a program may be ending it. */
	new->inode = old->addon->inode;
	new->addon = old->addon;
	new->pinned = old->pinned;
	return inode_map_replace(map, old, new);
}

/* The end of entries */

/*
 * Claim an entry, or the one that has taken its place. Under RCU, which has not been left since it
 * was found, or under the locks, and then it is linked and has not been replaced.
 *
 * Returns the one that is now the caller's to let go of, or NULL if somebody else was quicker. No
 * lookup finds it any more, either way.
 */
static struct inode_map_entry *inode_map_end(struct inode_map *map, struct inode_map_entry *entry)
{
	struct inode_map_entry *last = entry, *fate;

	while ((fate = cmpxchg(&last->fate, NULL, INODE_MAP_ENDED)) && fate != INODE_MAP_ENDED)
		last = fate;
	YIELD_POINT();
	if (!fate)
		atomic_dec(&map->nr_entries);
	/* Lookups may still come across those that are being replaced. */
	for (; entry != last; entry = READ_ONCE(entry->fate))
		WRITE_ONCE(entry->inode, NULL);
	WRITE_ONCE(last->inode, NULL);
	return fate ? NULL : last;
}

/* End an entry and unlink it, under the locks. Returns whether it is the caller's to let go of. */
static bool inode_map_end_linked(struct inode_map *map, struct inode_map_entry *entry,
				 enum inode_map_reason reason)
{
	bool ours = inode_map_end(map, entry);

	inode_map_remove(map, entry, ours ? reason : INODE_MAP_DELETED);
	return ours;
}

/**
 * inode_map_unlink - end an entry, and take it out of its map
 * @entry: a linked entry
 * @reason: why
 *
 * Context: any but interrupts; the addon's lock is held, which is what keeps the map alive.
 * Return: whether inode_map_entry_release() is due once the lock is dropped. If not, a program has
 * ended the entry before, and it may be gone by then.
 */
bool inode_map_unlink(struct inode_map_entry *entry, enum inode_map_reason reason)
{
	struct inode_map *map = entry->account->map;
	bool ours;

	lockdep_assert_held(&entry->addon->lock);
	xa_lock(&map->index);
	ours = inode_map_end_linked(map, entry, reason);
	xa_unlock(&map->index);
	return ours;
}

/**
 * inode_map_unlink_ended - unlink what a program has ended, if nobody else has done so
 * @entry: an entry that was given to inode_map_defer()
 *
 * Context: process; does not sleep.
 */
void inode_map_unlink_ended(struct inode_map_entry *entry)
{
	struct inode_addon *addon = entry->addon;
	struct inode_map *map = entry->account->map;

	spin_lock(&addon->lock);
	/* Until it is unlinked, the map is there. */
	if (!hlist_unhashed(&entry->in_addon)) {
		xa_lock(&map->index);
		inode_map_remove(map, entry, INODE_MAP_DELETED);
		xa_unlock(&map->index);
	}
	spin_unlock(&addon->lock);
}

/**
 * inode_map_unlink_first - take an entry out of a map that is being freed
 * @map: the map, which is dead
 *
 * Context: process; does not sleep.
 * Return: whether there may be more.
 */
bool inode_map_unlink_first(struct inode_map *map)
{
	struct inode_map_entry *entry;
	unsigned long slot = 0;
	bool ours = false;

	rcu_read_lock();
	entry = xa_find(&map->index, &slot, ULONG_MAX, XA_PRESENT);
	if (entry) {
		inode_map_lock(map, entry->addon);
		/* It may have been unlinked meanwhile, or replaced. */
		if (xa_load(&map->index, slot) == entry)
			ours = inode_map_end_linked(map, entry, INODE_MAP_FREED);
		inode_map_unlock(map, entry->addon);
		if (ours)
			inode_map_entry_release(entry);
	}
	rcu_read_unlock();
	return entry;
}

/* It may still be in the index, or one whose place it has taken may be. */
static bool inode_map_has_ended(const struct inode_map_entry *entry)
{
	const struct inode_map_entry *fate;

	while ((fate = READ_ONCE(entry->fate)) && fate != INODE_MAP_ENDED)
		entry = fate;
	return !READ_ONCE(entry->inode);
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
	struct inode_map_entry *entry;

	if (!handle || handle > INODE_MAP_HANDLE_MAX)
		return NULL;
	entry = xa_load(&map->index, inode_map_slot(handle));
	return entry && !inode_map_has_ended(entry) ? entry : NULL;
}

/**
 * inode_map_next_slot - walk over the entries, by slots
 * @map: the map
 * @slot: where to begin
 *
 * Context: any, under RCU, which is how long the result can be used. A walk may leave RCU between
 * its steps.
 * Return: the entry at @slot or the first one behind it, or NULL at the end.
 */
struct inode_map_entry *inode_map_next_slot(struct inode_map *map, unsigned long slot)
{
	struct inode_map_entry *entry;

	entry = xa_find(&map->index, &slot, ULONG_MAX, XA_PRESENT);
	while (entry && inode_map_has_ended(entry))
		entry = xa_find_after(&map->index, &slot, ULONG_MAX, XA_PRESENT);
	return entry;
}

/**
 * inode_map_next - walk over the entries
 * @map: the map
 * @handle: the handle where the walk is, whether or not its entry is still there, or 0 to begin
 *
 * Context: any, under RCU, which is how long the result can be used. A walk may leave RCU between
 * its steps.
 * Return: the next entry, or NULL at the end.
 */
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle)
{
	if (!handle || handle > INODE_MAP_HANDLE_MAX)
		return inode_map_next_slot(map, 0);
	return inode_map_next_slot(map, inode_map_slot(handle) + 1);
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
		/* May drop the lock for as long as it allocates. */
		err = map->dead ? -ENODEV :
				  __xa_insert(&map->index, inode_map_slot(next), NULL,
					      INODE_MAP_GFP);
		xa_unlock(&map->index);
		/* When the handles begin anew, very many in a row may be used. */
		cond_resched();
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
 * reserved, for the case that there is none, or 0. Returns -EAGAIN when one has to be reserved.
 */
static int inode_map_link(struct inode_map *map, struct inode_map_entry *new, u64 flags, u32 handle)
{
	struct inode_addon *addon = new->addon;
	struct inode_map_entry *old;
	int err;

	inode_map_lock(map, addon);
	old = inode_map_find(map, new->inode);
	if (old && READ_ONCE(old->fate))
		old = NULL;
	/* Or it is the entry of an addon before this one, which is going and not ours to change. */
	if (addon->dead || (old && old->addon != addon))
		err = -ESTALE;
	else if (map->dead)
		err = -ENODEV;
	else
		err = inode_map_check_flags(old, flags);
	if (err)
		goto out;
	if (old && inode_map_replace(map, old, new))
		goto out;
	/* If there was one, a program has just ended it. */
	old = NULL;
	err = inode_map_check_flags(false, flags);
	if (err)
		goto out;
	if (atomic_read(&map->nr_entries) >= map->max_entries)
		err = -E2BIG;
	else if (handle)
		inode_map_insert(map, new, handle);
	else if (!inode_map_insert_next(map, new))
		err = -EAGAIN;
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
	u32 handle;
	int err;

	inode_map_hash_make_room(map);
	/* From here on @new is not ours if this succeeds: another task may remove and free it. */
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
 * The short way for an inode that is in the map with the lifetime that is wanted: what its entry
 * holds is handed on, and the marks stay as they are. Returns -ENOENT when there is no such entry.
 */
static int inode_map_renew_inode(struct inode_map *map, const struct inode *inode, bool pinned,
				 struct inode_map_entry *new)
{
	struct inode_map_entry *found, *old = NULL;
	struct inode_addon *addon;

	rcu_read_lock();
	found = inode_map_find(map, inode);
	if (!found || found->pinned != pinned)
		goto out;
	addon = found->addon;
	inode_map_lock(map, addon);
	/* Another may have taken its place. */
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
 * An update that can't succeed is turned down before anything is allocated for it. Under the lock:
 * a map that is full only because this very inode has just been added is not full for it.
 */
static int inode_map_precheck(struct inode_map *map, const struct inode *inode, u64 flags)
{
	bool exists, full;

	if (!inode_in_any_map(inode) && atomic_read(&map->nr_entries) < map->max_entries)
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
 * No umount ever ends a kernel-internal mount, and to keep its inodes would keep what is behind
 * them: a pinned nsfs inode keeps the namespace.
 */
static bool inode_is_internal(const struct inode *inode)
{
	return inode->i_sb->s_flags & (SB_NOUSER | SB_KERNMOUNT);
}

/* inode_map_update(), charged to the map's account. */
static struct inode_map_entry *inode_map_update_charged(struct inode_map *map, struct inode *inode,
							dev_t dev, bool weak, const void *value,
							u64 flags, gfp_t gfp)
{
	bool pinned = !weak && !inode_is_internal(inode);
	struct inode_map_entry *new;
	struct inode_addon *addon;
	bool renew;
	int err;

	/* With BPF_EXIST it is taken for granted, and found out if need be. */
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
		/* It is not in the map, or with another lifetime. */
		err = inode_map_precheck(map, inode, flags);
		if (err)
			goto err_free;
	}
	addon = inode_addon_get(inode, dev, pinned);
	if (IS_ERR(addon)) {
		err = PTR_ERR(addon);
		goto err_free;
	}
	new->inode = inode;
	new->addon = addon;
	new->pinned = pinned;
	YIELD_POINT_SLEEP();

	err = inode_map_try_update(map, new, flags);
	if (!err)
		return new;

	if (inode_addon_put(addon, pinned))
		inode_addon_release(addon);
err_free:
	inode_map_entry_free(new);
	return ERR_PTR(err);
}

/**
 * inode_map_update - give an inode a value
 * @map: the map
 * @inode: the inode; the caller holds a reference to it
 * @dev: the device that it is on, as far as the caller knows: that of its superblock, or another
 * @weak: the entry shall not keep the inode in memory; on kernel-internal mounts none does
 * @value: map->value_size bytes
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 * @gfp: INODE_MAP_GFP, or INODE_MAP_GFP_PROG for programs
 *
 * Context: process; may sleep.
 * Return: the entry that has the value, or an ERR_PTR(): -EEXIST, -ENOENT (as @flags demand),
 * -E2BIG (the map is full), -ENOMEM, -ESTALE (the inode or its superblock is going away at this
 * moment), -ENODEV (the map is), -EOPNOTSUPP (the inode is the one that anonymous files share).
 * Others may have removed the entry: only inside an RCU-tasks-trace read-side section, begun before
 * this is called, is it there to look at.
 */
struct inode_map_entry *inode_map_update(struct inode_map *map, struct inode *inode, dev_t dev,
					 bool weak, const void *value, u64 flags, gfp_t gfp)
{
	struct inode_map_entry *entry;
	struct mem_cgroup *before;

	if (inode_is_shared_anon(inode))
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
	struct inode_addon *addon;
	int err = -ENOENT;

	new = inode_map_entry_alloc(map, value, map->value_size, INODE_MAP_GFP);
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

/* Both locks are held. Another may have taken its place since it was found without them. */
static struct inode_map_entry *inode_map_find_inode_locked(const struct inode_map *map,
							   const struct inode *inode,
							   const struct inode_addon *addon)
{
	struct inode_map_entry *entry = inode_map_find(map, inode);

	return entry && entry->addon == addon ? entry : NULL;
}

/* Remove the entry that an addon has in a map, found again by its inode or, if that is NULL, its handle. */
static int inode_map_delete_of(struct inode_map *map, struct inode_addon *addon,
			       const struct inode *inode, u32 handle)
{
	struct inode_map_entry *entry;
	bool ours;

	inode_map_lock(map, addon);
	entry = inode ? inode_map_find_inode_locked(map, inode, addon) :
			inode_map_find_locked(map, handle, addon);
	ours = entry && inode_map_end_linked(map, entry, INODE_MAP_DELETED);
	inode_map_unlock(map, addon);
	if (!ours)
		return -ENOENT;
	inode_map_entry_release(entry);
	return 0;
}

/**
 * inode_map_delete_inode - remove the entry of an inode
 * @map: the map
 * @inode: the inode
 *
 * Context: any but interrupts; does not sleep. The inode is let go later, by a worker.
 * Return: 0, or -ENOENT when the inode is not in the map.
 */
int inode_map_delete_inode(struct inode_map *map, const struct inode *inode)
{
	struct inode_map_entry *entry;
	int err = -ENOENT;

	rcu_read_lock();
	entry = inode_map_find(map, inode);
	if (entry)
		err = inode_map_delete_of(map, entry->addon, inode, 0);
	rcu_read_unlock();
	return err;
}

/**
 * inode_map_delete - remove an entry
 * @map: the map
 * @handle: the entry's handle
 *
 * Context: any but interrupts; does not sleep. The inode is let go later, by a worker.
 * Return: 0, or -ENOENT when no entry has this handle.
 */
int inode_map_delete(struct inode_map *map, u32 handle)
{
	struct inode_addon *addon;
	int err = -ENOENT;

	rcu_read_lock();
	addon = inode_map_handle_addon(map, handle);
	if (addon)
		err = inode_map_delete_of(map, addon, NULL, handle);
	rcu_read_unlock();
	return err;
}

/* What programs do. */

/* @found was found under RCU, which has not been left since. */
static int inode_map_end_found(struct inode_map *map, struct inode_map_entry *found)
{
	struct inode_map_entry *ended = found ? inode_map_end(map, found) : NULL;

	if (!ended)
		return -ENOENT;
	inode_map_defer(ended);
	return 0;
}

/**
 * inode_map_end_inode - end the entry of an inode
 * @map: the map
 * @inode: the inode; not dereferenced
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section.
 * Return: 0, or -ENOENT when the inode is not in the map.
 */
int inode_map_end_inode(struct inode_map *map, const struct inode *inode)
{
	int err;

	rcu_read_lock();
	err = inode_map_end_found(map, inode_map_find(map, inode));
	rcu_read_unlock();
	return err;
}

/**
 * inode_map_end_handle - end the entry that has a handle
 * @map: the map
 * @handle: the handle
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section.
 * Return: 0, or -ENOENT when no entry has this handle.
 */
int inode_map_end_handle(struct inode_map *map, u32 handle)
{
	int err;

	rcu_read_lock();
	err = inode_map_end_found(map, inode_map_find_handle(map, handle));
	rcu_read_unlock();
	return err;
}

/* Both locks are held. Put @new in the place of the entry that the inode has. */
static int inode_map_renew_locked(struct inode_map *map, const struct inode_addon *addon,
				  const struct inode *inode, struct inode_map_entry *new)
{
	struct inode_map_entry *old;

	if (map->dead)
		return -ENODEV;
	/* By the inode: that takes less than by the handle. */
	old = inode_map_find_inode_locked(map, inode, addon);
	if (!old || !inode_map_renew(map, old, new))
		return -ENOENT;
	inode_map_defer(old);
	return 0;
}

static int inode_map_renew_if_free(struct inode_map *map, struct inode_addon *addon,
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
 * Return: 0, -ENOENT (the inode is not in the map), -EBUSY (a lock was not to be had, or nothing can
 * be allocated, or no lock be tried, where the program runs), -ENOMEM, -ENODEV (the map is being
 * freed).
 */
int inode_map_try_replace(struct inode_map *map, const struct inode *inode, const void *value)
{
	bool may = context_may_allocate() && context_may_try();
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
