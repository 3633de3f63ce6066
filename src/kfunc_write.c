// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions by which BPF programs change a map. kfunc.c says in which contexts they run and
 * what inodes and maps they take, and registers them.
 *
 * Only programs that may sleep can make an entry, and the others ask a worker for it (request.c).
 * Replacing a value only tries locks, because the program may have interrupted a holder, and
 * deleting takes none.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/wordpart.h>

#include <linux/inode_map.h>

#include "addon.h"
#include "delete.h"
#include "entry.h"
#include "hash.h"
#include "kfunc.h"
#include "map.h"
#include "registry.h"
#include "request.h"
#include "update.h"

/* The map for a program that wants to change it, or an ERR_PTR(). Inline, as in kfunc.c. */
static __always_inline struct inode_map *inode_map_writable(u32 id)
{
	struct inode_map *map = inode_map_by_id_any(id);

	if (!map)
		return ERR_PTR(-ENODEV);
	return map->prog_write ? map : ERR_PTR(-EPERM);
}

/* The entry of an inode. If there is none it is made from @init, by one of the tasks that race. */
static struct inode_map_entry *inode_map_find_or_make(struct inode_map *map, struct inode *inode,
						      bool weak, const void *init)
{
	struct inode_map_entry *entry;

	do {
		entry = inode_map_find(map, inode);
		if (!entry)
			entry = inode_map_make(map, inode, weak, init, BPF_NOEXIST);
	} while (entry == ERR_PTR(-EEXIST));
	return entry;
}

__bpf_kfunc_start_defs();

/**
 * bpf_inode_map_update - give an inode a value
 * @map_id: id of the BPF map
 * @inode: the inode; the verifier demands a trusted pointer
 * @value: the value
 * @value__sz: its size in bytes: the map's value size
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST; and INODE_MAP_WEAK if the entry is not to keep the
 *	inode in memory
 *
 * For a program that has an inode, this is what bpf(2) does with a descriptor for a key.
 *
 * Context: process; may sleep (KF_SLEEPABLE), but enters no filesystem: the caller of the program
 * may hold a filesystem's locks.
 * Return: 0, -EEXIST or -ENOENT (as @flags demand), -E2BIG (the map is full), -ENOMEM (also if very
 * many replaced values wait for a grace period), -ESTALE (the inode or its superblock is going away
 * at this moment, or the inode has never been in use), -ENODEV (no such inode map), -EINVAL (@inode
 * is NULL, as it is for a negative dentry; unknown flags; wrong size), -EPERM (BPF_F_RDONLY_PROG),
 * -EOPNOTSUPP (the inode is the one that anonymous files share).
 */
__bpf_kfunc int bpf_inode_map_update(u32 map_id, struct inode *inode, void *value, u32 value__sz,
				     u64 flags)
{
	struct inode_map *map = inode_map_writable(map_id);
	bool weak = flags & INODE_MAP_WEAK;

	if (IS_ERR(map))
		return PTR_ERR(map);
	flags &= ~(u64)INODE_MAP_WEAK;
	/* The verifier does not know that the inode of a negative dentry is NULL. */
	if (!inode || flags > BPF_EXIST || value__sz != map->value_size)
		return -EINVAL;
	return PTR_ERR_OR_ZERO(inode_map_make(map, inode, weak, value, flags));
}

/**
 * bpf_inode_map_get - look an inode up in an inode map, and give it a value if it has none
 * @map: id of the BPF map in the lower 32 bits; in the upper ones 0, or INODE_MAP_WEAK if a new
 *	entry is not to keep the inode in memory. (A function has five arguments at most.)
 * @inode: the inode; the verifier demands a trusted pointer
 * @init: the value of a new entry
 * @init__sz: its size in bytes: the map's value size
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * If several tasks ask for the same inode at the same time, one makes the entry, and all get its
 * value. An existing entry stays as it is. To learn why an entry can't be made, call
 * bpf_inode_map_update() with BPF_NOEXIST.
 *
 * Context: process; may sleep (KF_SLEEPABLE), but enters no filesystem.
 * Return: the value, as from bpf_inode_map_lookup(). NULL on any error of bpf_inode_map_update(),
 * and where bpf_inode_map_lookup() returns NULL although the inode is in the map.
 */
__bpf_kfunc u8 *bpf_inode_map_get(u64 map, struct inode *inode, void *init, u32 init__sz,
				  const int rdwr_buf_size)
{
	struct inode_map *found = inode_map_writable(lower_32_bits(map));
	u32 flags = upper_32_bits(map);
	struct inode_map_entry *entry;

	if (IS_ERR(found) || !inode || flags & ~(u32)INODE_MAP_WEAK ||
	    init__sz != found->value_size || !inode_map_fits(rdwr_buf_size, found->lookup_size))
		return NULL;
	entry = inode_map_find_or_make(found, inode, flags & INODE_MAP_WEAK, init);
	return IS_ERR(entry) ? NULL : entry->value;
}

/**
 * bpf_inode_map_request - have an inode given a value, if it has none
 * @map_id: id of the BPF map
 * @inode: the inode; the verifier demands a trusted pointer
 * @value: the value
 * @value__sz: its size in bytes: the map's value size
 * @flags: 0, or INODE_MAP_WEAK if the entry is not to keep the inode in memory
 *
 * For programs that may not sleep, this is what bpf_inode_map_update() does with BPF_NOEXIST. A
 * worker makes the entry, perhaps after this returns. Until then the inode and its superblock are
 * held: umount(2) does not notice, but after the last mount is gone the superblock stays until the
 * worker is done. The worker may find that the entry can't be made, and then drops the request:
 * /proc/inode_map counts these.
 *
 * Context: any, whatever locks are held; does not sleep. Returns -EBUSY where memory can't be
 * allocated: with interrupts disabled, and on PREEMPT_RT also with preemption disabled or a
 * spinlock held.
 * Return: never 0, but -EINPROGRESS (the worker has been asked), -EEXIST (the inode is in the map),
 * -EAGAIN (too many requests for the map are waiting), -EBUSY (see above), -E2BIG (the map is
 * full), -ENOMEM, -ESTALE (the inode or its superblock is going away at this moment, or the inode
 * has never been in use), -ENODEV (no such inode map), -EINVAL (@inode is NULL; unknown flags;
 * wrong size), -EPERM (BPF_F_RDONLY_PROG), -EOPNOTSUPP (the inode is the one that anonymous files
 * share).
 */
__bpf_kfunc int bpf_inode_map_request(u32 map_id, struct inode *inode, void *value, u32 value__sz,
				      u64 flags)
{
	struct inode_map *map = inode_map_writable(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!inode || flags & ~(u64)INODE_MAP_WEAK || value__sz != map->value_size)
		return -EINVAL;
	return inode_map_request(map, inode, flags & INODE_MAP_WEAK, value);
}

/**
 * bpf_inode_map_replace - give an inode that is in a map another value
 * @map_id: id of the BPF map
 * @inode__ign: the inode. The verifier accepts anything; what is no inode is safe and in no map
 * @value__nullable: the value
 * @value__sz: its size in bytes: the map's value size
 *
 * For programs that may not sleep, this is what bpf_inode_map_update() does with BPF_EXIST. The
 * entry's lifetime stays as it is. A lookup finds the old value or the new one.
 *
 * Context: any; does not sleep. Returns -EBUSY where memory can't be allocated or locks can't be
 * tried: with interrupts disabled (and so in NMI); on PREEMPT_RT also with preemption disabled or a
 * spinlock held; without CONFIG_SMP also with preemption disabled. There, write through the pointer
 * that bpf_inode_map_lookup() returns.
 * Return: 0, -ENOENT (not in the map), -EBUSY (see above, or a lock is held, perhaps by what the
 * program has interrupted), -ENOMEM (also if very many replaced values wait for a grace period),
 * -ENODEV (no such inode map), -EINVAL (@value__nullable is NULL or of the wrong size), -EPERM
 * (BPF_F_RDONLY_PROG).
 */
__bpf_kfunc int bpf_inode_map_replace(u32 map_id, struct inode *inode__ign, void *value__nullable,
				      u32 value__sz)
{
	struct inode_map *map = inode_map_writable(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!value__nullable || value__sz != map->value_size)
		return -EINVAL;
	if (!inode_map_in_any(inode__ign))
		return -ENOENT;
	return inode_map_try_replace(map, inode__ign, value__nullable);
}

/**
 * bpf_inode_map_delete - take an inode out of a map
 * @map_id: id of the BPF map
 * @inode__ign: the inode. The verifier accepts anything; what is no inode is safe and in no map
 *
 * Lookups stop finding it at once. A worker lets go of the inode later and raises the event.
 *
 * Context: any, NMI included. Waits for no lock, does not sleep.
 * Return: 0, -ENOENT (not in the map), -ENODEV (no such inode map), -EPERM (BPF_F_RDONLY_PROG).
 */
__bpf_kfunc int bpf_inode_map_delete(u32 map_id, struct inode *inode__ign)
{
	struct inode_map *map = inode_map_writable(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!inode_map_in_any(inode__ign))
		return -ENOENT;
	return inode_map_end_inode(map, inode__ign);
}

/**
 * bpf_inode_map_delete_handle - remove an entry by its handle
 * @map_id: id of the BPF map
 * @handle: the handle, as in a struct inode_map_key
 *
 * Context: as bpf_inode_map_delete().
 * Return: as bpf_inode_map_delete().
 */
__bpf_kfunc int bpf_inode_map_delete_handle(u32 map_id, u32 handle)
{
	struct inode_map *map = inode_map_writable(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	return inode_map_end_handle(map, handle);
}

__bpf_kfunc_end_defs();
