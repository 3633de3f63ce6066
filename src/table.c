// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries of a map: how they are linked, replaced and ended.
 *
 * update.c and delete.c call this for bpf(2) and for programs, defer.c for programs that could not
 * take the locks, and end.c when an inode ends.
 *
 * An entry is reachable from three places: its bucket in the map's hash table (lookups: hash.c),
 * the map's index by handle (walks, and keys that are handles: handle.c) and the list of its addon
 * (the end of the inode: end.c). It is linked into all three and unlinked from all three at once,
 * under two locks:
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
 * What the verbs mean, here and in the files that call this:
 *
 *   claim     set entry->fate, which makes the claimer the one that releases the entry
 *   end       claim an entry without replacing it, so that lookups do not find it any more
 *   remove    take an ended entry out of the three places, under both locks
 *   unlink    end an entry, unless it has ended, and remove it
 *   release   let go of the inode, which may be left to a worker, and then retire the entry
 *   retire    free an unlinked entry after both kinds of grace period
 *   defer     leave to a worker what a program can't do: unlink and release, or retire
 *   delete    what a user asks for: unlink and release in bpf(2), end and defer in a program
 *
 * An update claims the old entry for the new one: the old entry's fate is the entry that replaces
 * it. From then on the new entry can be claimed, too, even in the middle of the update: a claimer
 * that finds the old entry follows its fate. The old entry keeps its inode, so that a reader that
 * has found it has found the old value.
 *
 * Replacing a value takes both locks. Programs only try them, where they may (context.h).
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
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/list.h>

#include "account.h"
#include "hash.h"
#include "table.h"
#include "trace.h"
#include "yield.h"

/* Links. These run under both locks; inode_map_link() takes them. */

/**
 * inode_map_remove - unlink an entry that has ended
 * @map: the map
 * @entry: the entry, linked, whether or not it is being released already
 * @reason: why
 *
 * Context: under both locks.
 */
__noendbr void inode_map_remove(struct inode_map *map, struct inode_map_entry *entry,
				enum inode_map_reason reason)
{
	lockdep_assert_held(&entry->addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
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
static void inode_map_remove_ended(struct inode_map *map, const struct inode_map_addon *addon)
{
	struct inode_map_table *table = inode_map_table_of(map->buckets);
	struct inode_map_entry *entry;
	u8 *value, *next;

	lockdep_assert_held(&addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
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
	lockdep_assert_held(&entry->addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	inode_map_remove_ended(map, entry->addon);
	entry->handle = handle;
	/* Count it first: it can end as soon as it can be found. */
	atomic_inc(&map->nr_entries);
	hlist_add_head(&entry->in_addon, &entry->addon->entries);
	inode_map_hash_add(map, entry);
	/* The slot was reserved: this allocates nothing and can't fail. */
	WARN_ON_ONCE(xa_err(__xa_store(&map->index, inode_map_slot(handle), entry, 0)));
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

	lockdep_assert_held(&entry->addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	inode_map_remove_ended(map, entry->addon);
	entry->handle = handle;
	/* Count it first: it can end as soon as it can be found. */
	atomic_inc(&map->nr_entries);
	if (!inode_map_index_add(map, entry, handle)) {
		atomic_dec(&map->nr_entries);
		return false;
	}
	map->next_handle = inode_map_handle_after(handle);
	hlist_add_head(&entry->in_addon, &entry->addon->entries);
	inode_map_hash_add(map, entry);
	trace_inode_map_insert(map, entry);
	return true;
}

/**
 * inode_map_replace - replace an entry, unless a program has just ended it
 * @map: the map
 * @old: the entry, linked
 * @new: the entry that takes its place, complete
 *
 * Context: under both locks.
 * Return: whether it did: the caller then releases @old.
 */
__noendbr bool inode_map_replace(struct inode_map *map, struct inode_map_entry *old,
				 struct inode_map_entry *new)
{
	XA_STATE(xas, &map->index, inode_map_slot(old->handle));

	lockdep_assert_held(&old->addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
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

/**
 * inode_map_find_inode_locked - look an entry up again by its inode, now that it is locked
 * @map: the map
 * @inode: the inode; not dereferenced
 * @addon: the addon of the entry that was found before
 *
 * Context: under both locks.
 * Return: the entry, or NULL if it was removed before. If it got another value, this is the new
 * entry, of the same addon.
 */
__noendbr struct inode_map_entry *inode_map_find_inode_locked(const struct inode_map *map,
							      const struct inode *inode,
							      const struct inode_map_addon *addon)
{
	struct inode_map_entry *entry = inode_map_find(map, inode);

	lockdep_assert_held(&addon->lock);
	lockdep_assert_held(&map->index.xa_lock);
	return entry && entry->addon == addon ? entry : NULL;
}

/**
 * inode_map_link - link a new entry
 * @map: the map
 * @new: the entry, complete but for its handle. It replaces the entry that the inode has in the
 *	map, if any
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 * @handle: a handle that is reserved, for a new entry that replaces none; or 0 for the next one
 *
 * If this succeeds, don't touch @new any more: another task may remove and free it.
 *
 * Context: process; does not sleep.
 * Return: 0, -EAGAIN (reserve a handle and try again), -EEXIST, -ENOENT (as @flags demand), -E2BIG
 * (the map is full), -ESTALE (the inode is going away at this moment), -ENODEV (the map is).
 */
__noendbr int inode_map_link(struct inode_map *map, struct inode_map_entry *new, u64 flags,
			     u32 handle)
{
	struct inode_map_addon *addon = new->addon;
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

/* The end of entries */

/**
 * inode_map_claim - end an entry, or the one that has replaced it
 * @map: the map
 * @entry: the entry
 *
 * Lookups don't find the entry any more when this returns, even if another has ended it.
 *
 * Context: any, NMI included. Either in the RCU read-side section that found the entry, or under
 * both locks for an entry that is linked and has not been replaced.
 * Return: the claimed entry, which the caller has to release, or NULL if another was faster.
 */
__noendbr struct inode_map_entry *inode_map_claim(struct inode_map *map,
						  struct inode_map_entry *entry)
{
	struct inode_map_entry *last = entry, *fate;

	while ((fate = cmpxchg(&last->fate, NULL, INODE_MAP_ENDED)) && fate != INODE_MAP_ENDED)
		last = fate;
	INODE_MAP_YIELD();
	if (!fate)
		atomic_dec(&map->nr_entries);
	/* Lookups may still find entries that are being replaced. */
	for (; entry != last; entry = READ_ONCE(entry->fate))
		WRITE_ONCE(entry->inode, NULL);
	WRITE_ONCE(last->inode, NULL);
	return fate ? NULL : last;
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
	struct inode_map_addon *addon = entry->addon;
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
