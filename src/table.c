// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries of a map.
 *
 * An entry is reachable from three places: its bucket in the map's hash table (lookups: hash.c),
 * the map's index by handle (iteration, and keys that are handles) and the list of its addon (the
 * end of the inode). It is linked into all three and unlinked from all three at once, under two
 * locks:
 *
 *   addon->lock       so that no entry is added to an inode that is ending, and
 *   map->index lock   (xa_lock) which serialises the changes of one map.
 *
 * They nest in this order. Nothing sleeps or is released under them. Only the index may allocate
 * memory for a new entry under both, without sleeping; if that fails, the updater drops them,
 * reserves a slot in the index without addon->lock, and tries again.
 *
 * How an entry ends. The task or program that sets entry->fate with cmpxchg() has claimed the
 * entry: it has to release the entry once that is unlinked, and to everybody else the entry has
 * ended. Claiming takes no lock, so that a program can do it in any context, even one that
 * interrupts our own critical sections. The program then clears entry->inode, the only field that
 * lookups compare, and leaves the rest to a worker (defer.c). Until the worker runs, the entry is
 * still linked, but lookups don't find it. A task that holds the locks (at the end of the inode or
 * of the map, in bpf(2), or in the worker) unlinks an ended entry regardless of who has claimed it.
 *
 * An update claims the old entry for the new one: the old entry's fate is the entry that replaces
 * it. From then on the new entry can be claimed, too, even in the middle of the update: a claimer
 * that finds the old entry follows its fate. The old entry keeps its inode, so that a reader that
 * has found it has found the old value.
 *
 * Replacing a value takes both locks. Programs only try them, in contexts that allow it (compat.h).
 *
 * Readers take no lock. What they can reach (entries, maps) is freed after a grace period of RCU
 * tasks trace and then one of RCU: sleepable programs are readers of the former, other programs and
 * the module itself of the latter. An addon found through an entry can be dereferenced under RCU
 * only.
 *
 * We can't rely on RCU for inodes. Most filesystems free them after a grace period (free_inode of
 * the superblock's operations, or the VFS by itself: ext4, btrfs, tmpfs, overlayfs, FUSE, procfs,
 * sockets), but pipes and bpffs at once (free_inode_nonrcu()), as may any other; and XFS may reuse
 * an evicted inode for another file within the grace period. So entry->inode and addon->inode are
 * only addresses, except while the addon's lock is held and an entry is linked. What readers show
 * of an inode is copied in the addon. Dentries are freed after a grace period, except those of
 * pipes and sockets (DCACHE_NORCU), which proc.c leaves alone; tree.c loads from any dentry with
 * loads that may fault.
 *
 * Processors may reorder loads and stores. An entry, with its value, is complete before it can be
 * found: it is published by a release store, or as another entry's fate with cmpxchg(), which is
 * fully ordered; a reader has its address from there, and its accesses to the entry depend on that
 * address. The inode's bit (addon.h) is elsewhere, and a reader's loads of the bit and of the
 * bucket are not ordered. They need not be: both are stored before an update returns, so that a
 * reader that learns of the update in a way that orders memory sees both, and any other may see one
 * or none, which is a miss. A reader does not find the entry of an inode that was at the same
 * address before, either: that entry is unlinked before the memory is freed, and the addresses of
 * the bit and of the bucket depend on the inode's address, which the reader got later. Ending an
 * entry stores its fate, then NULL for its inode, and returns after both, even if another has ended
 * the entry first. A reader that has seen the NULL may still load the old fate.
 *
 * An update never writes to the value of a linked entry: a new entry replaces the old one and takes
 * over its handle, so that a reader sees the old value or the new one.
 *
 * Handles count up from 1 and wrap to 1 after the largest. Iteration goes from larger handles to
 * smaller ones: entries inserted during a walk are behind the walker, so that a walk ends however
 * fast others insert, and meets every entry that stays in the map exactly once. The index is an
 * xarray, which walks upwards, so entries are stored at inode_map_slot(): as handles count up,
 * slots count down. Since an xarray with only small indexes is smaller and faster, they do so in
 * blocks, each as large as all before it. When a block is used up, the next one is ahead of the
 * walkers; there are 20.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "account.h"
#include "addon.h"
#include "compat.h"
#include "defer.h"
#include "entry.h"
#include "hash.h"
#include "map.h"
#include "mark.h"
#include "reason.h"
#include "table.h"
#include "trace.h"
#include "yield.h"

#define INODE_MAP_FIRST_BLOCK	4096UL

/**
 * inode_map_slot - the slot of an entry in its map's index
 * @handle: the entry's handle
 *
 * Within a block, a walk meets larger handles first.
 *
 * Return: the slot, less than 2^31. Unique for each handle; the slot of the slot is the handle.
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

/* Unlink an entry that has ended, whether or not it is being released already. */
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

/* Unlink the inode's entries that programs have ended, so that events come in order of changes. */
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
	/* Count it first: it can end as soon as it can be found. */
	atomic_inc(&map->nr_entries);
	hlist_add_head(&entry->in_addon, &entry->addon->entries);
	inode_map_hash_add(map, entry);
	/* The slot was reserved: this allocates nothing and can't fail. */
	__xa_store(&map->index, inode_map_slot(handle), entry, 0);
	trace_inode_map_insert(map, entry);
}

/* __xa_insert() that does not sleep: xas_store() allocates without sleeping if it has to. */
static bool inode_map_index_add(struct inode_map *map, struct inode_map_entry *entry, u32 handle)
{
	XA_STATE(xas, &map->index, inode_map_slot(handle));

	if (xas_load(&xas))
		return false;
	xas_store(&xas, entry);
	return !xas_error(&xas);
}

/*
 * inode_map_insert() with the next handle. Returns false if that is in use, or if the index has no
 * room for it and gets none without sleeping.
 */
static bool inode_map_insert_next(struct inode_map *map, struct inode_map_entry *entry)
{
	u32 handle = map->next_handle;

	inode_map_remove_ended(map, entry->addon);
	entry->handle = handle;
	/* Count it first: it can end as soon as it can be found. */
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
 * Replace @old by @new, unless a program has just ended @old. Returns whether it did: the caller
 * then releases @old.
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
	/* The slot is in use: this allocates nothing and can't fail. Loading first costs less. */
	xas_load(&xas);
	xas_store(&xas, new);
	trace_inode_map_remove(map, old, INODE_MAP_REPLACED);
	trace_inode_map_insert(map, new);
	return true;
}

/*
 * Give the inode of an entry another value: the new entry takes over what the old one holds. If
 * this succeeds, the caller has to call inode_map_entry_retire() for @old.
 */
static bool inode_map_renew(struct inode_map *map, struct inode_map_entry *old,
			    struct inode_map_entry *new)
{
	/* Not old->inode: a program may be ending the entry. */
	new->inode = old->addon->inode;
	new->addon = old->addon;
	new->pinned = old->pinned;
	return inode_map_replace(map, old, new);
}

/* The end of entries */

/*
 * Claim an entry, or the one that has replaced it. Call it either in the RCU read-side section that
 * found the entry, or under the locks for an entry that is linked and has not been replaced.
 *
 * Returns the claimed entry, which the caller has to release, or NULL if another was faster.
 * Lookups don't find the entry any more, either way.
 */
static struct inode_map_entry *inode_map_end(struct inode_map *map, struct inode_map_entry *entry)
{
	struct inode_map_entry *last = entry, *fate;

	while ((fate = cmpxchg(&last->fate, NULL, INODE_MAP_ENDED)) && fate != INODE_MAP_ENDED)
		last = fate;
	YIELD_POINT();
	if (!fate)
		atomic_dec(&map->nr_entries);
	/* Lookups may still find entries that are being replaced. */
	for (; entry != last; entry = READ_ONCE(entry->fate))
		WRITE_ONCE(entry->inode, NULL);
	WRITE_ONCE(last->inode, NULL);
	return fate ? NULL : last;
}

/* End an entry and unlink it, under the locks. Returns whether the caller has to release it. */
static bool inode_map_end_linked(struct inode_map *map, struct inode_map_entry *entry,
				 enum inode_map_reason reason)
{
	bool ours = inode_map_end(map, entry);

	inode_map_remove(map, entry, ours ? reason : INODE_MAP_DELETED);
	return ours;
}

/**
 * inode_map_unlink - end an entry and take it out of its map
 * @entry: a linked entry
 * @reason: why
 *
 * Context: any but interrupts. The caller holds the addon's lock, which keeps the map alive.
 * Return: true if the caller has to call inode_map_entry_release() after it has dropped the lock.
 * If false, a program has ended the entry before, and the entry may be gone by then.
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
 * inode_map_unlink_ended - unlink an entry that a program has ended, unless it is unlinked already
 * @entry: an entry that was given to inode_map_defer()
 *
 * Context: process; does not sleep.
 */
void inode_map_unlink_ended(struct inode_map_entry *entry)
{
	struct inode_addon *addon = entry->addon;
	struct inode_map *map = entry->account->map;

	spin_lock(&addon->lock);
	/* The map exists as long as the entry is linked. */
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

/*
 * Whether an entry found in the index, or the one that has replaced it, has ended: either may still
 * be in the index.
 */
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
 * Context: any, under RCU. The result is valid until the RCU read-side section ends.
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
 * Context: any, under RCU. The result is valid until the RCU read-side section ends. A walk may
 * leave RCU between its steps.
 * Return: the entry at @slot or the first one after it, or NULL at the end.
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
 * Context: any, under RCU. The result is valid until the RCU read-side section ends. A walk may
 * leave RCU between its steps.
 * Return: the next entry, or NULL at the end.
 */
struct inode_map_entry *inode_map_next(struct inode_map *map, u32 handle)
{
	if (!handle || handle > INODE_MAP_HANDLE_MAX)
		return inode_map_next_slot(map, 0);
	return inode_map_next_slot(map, inode_map_slot(handle) + 1);
}

/* The addon of the entry with a handle, or NULL. Lock it before changing the entry. */
static struct inode_addon *inode_map_handle_addon(struct inode_map *map, u32 handle)
{
	struct inode_map_entry *entry = inode_map_find_handle(map, handle);

	return entry ? entry->addon : NULL;
}

/*
 * The entry with a handle, looked up again now that its addon is locked. NULL if it was removed
 * before. If it got another value, this is the new entry, of the same addon.
 */
static struct inode_map_entry *inode_map_find_locked(struct inode_map *map, u32 handle,
						     const struct inode_addon *addon)
{
	struct inode_map_entry *entry = inode_map_find_handle(map, handle);

	return entry && entry->addon == addon ? entry : NULL;
}

/* Reserve an unused handle. Walks and lookups don't see it until an entry is stored there. */
static int inode_map_reserve_handle(struct inode_map *map, u32 *handle)
{
	u32 next;
	int err;

	do {
		xa_lock(&map->index);
		next = map->next_handle;
		map->next_handle = next == INODE_MAP_HANDLE_MAX ? 1 : next + 1;
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

/* Whether an update with these flags may go on, by whether the entry exists. */
static int inode_map_check_flags(bool exists, u64 flags)
{
	if (exists && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!exists && flags == BPF_EXIST)
		return -ENOENT;
	return 0;
}

/*
 * Link a new entry. It replaces the entry that the inode has in the map, if any. Otherwise it gets
 * @handle, which is reserved, or the next one if @handle is 0. Returns -EAGAIN when the caller has
 * to reserve a handle.
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
	/* @old may also belong to an earlier addon, which is going away: don't touch it. */
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
	/* If there was an old entry, a program has just ended it. */
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
	struct inode_addon *addon;

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
 * A kernel-internal mount is never unmounted, so nothing would end its pinned inodes, which keep
 * what is behind them: a pinned nsfs inode keeps the namespace.
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

/* Look the entry up again, under both locks: another may have replaced it since it was found. */
static struct inode_map_entry *inode_map_find_inode_locked(const struct inode_map *map,
							   const struct inode *inode,
							   const struct inode_addon *addon)
{
	struct inode_map_entry *entry = inode_map_find(map, inode);

	return entry && entry->addon == addon ? entry : NULL;
}

/* Remove the entry that an addon has in a map. Looks it up by @inode or, if NULL, by @handle. */
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
 * Context: any but interrupts; does not sleep. A worker releases the inode later.
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
 * Context: any but interrupts; does not sleep. A worker releases the inode later.
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

/* Operations of programs */

/* Called in the RCU read-side section that found @found. */
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

/* Replace the entry that the inode has by @new, under both locks. */
static int inode_map_renew_locked(struct inode_map *map, const struct inode_addon *addon,
				  const struct inode *inode, struct inode_map_entry *new)
{
	struct inode_map_entry *old;

	if (map->dead)
		return -ENODEV;
	/* A lookup by inode is cheaper than one by handle. */
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
 * Return: 0, -ENOENT (the inode is not in the map), -EBUSY (a lock was busy, or the program runs in
 * a context that allows no allocation or no trylock), -ENOMEM, -ENODEV (the map is being freed).
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
