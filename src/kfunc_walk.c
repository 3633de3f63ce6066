// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions by which BPF programs walk over the entries of a map: an open-coded iterator, which
 * they use in a loop. kfunc.c says in which contexts they run and what maps they take, and
 * registers them.
 *
 * Locks: none. A walk is under RCU only while it goes from one entry to the next.
 */
#include <linux/btf.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include <linux/inode_map.h>

#include "entry.h"
#include "handle.h"
#include "key.h"
#include "kfunc.h"
#include "map.h"
#include "registry.h"

/*
 * struct bpf_iter_inode_map - a program's walk over the entries of a map
 *
 * The kernel demands this name, and that its contents be opaque to programs (struct inode_map_walk
 * has them).
 */
struct bpf_iter_inode_map {
	u64 __opaque[7];
} __aligned(8);

/**
 * struct inode_map_walk - the contents of a struct bpf_iter_inode_map
 * @map: the map, or NULL if the walk is at its end
 * @entry: the current entry, or NULL before the first one
 * @key: key of @entry
 *
 * On the program's stack. Map and entry stay in memory until the program ends.
 */
struct inode_map_walk {
	struct inode_map *map;
	struct inode_map_entry *entry;
	struct inode_map_key key;
};

static_assert(sizeof(struct inode_map_walk) <= sizeof(struct bpf_iter_inode_map));
static_assert(__alignof__(struct inode_map_walk) == __alignof__(struct bpf_iter_inode_map));

__bpf_kfunc_start_defs();

/**
 * bpf_iter_inode_map_new - begin a walk over the entries of a map
 * @it: the walk
 * @map_id: id of the BPF map
 *
 * Context: any, NMI included. Waits for no lock, does not sleep.
 * Return: 0, -ENODEV (no such inode map), -EPERM (BPF_F_WRONLY_PROG). After an error the walk is at
 * its end.
 */
__bpf_kfunc int bpf_iter_inode_map_new(struct bpf_iter_inode_map *it, u32 map_id)
{
	struct inode_map_walk *walk = (void *)it;
	struct inode_map *map = inode_map_by_id_any(map_id);

	memset(walk, 0, sizeof(*walk));
	if (!map)
		return -ENODEV;
	if (!map->peek_size)
		return -EPERM;
	walk->map = map;
	return 0;
}

/**
 * bpf_iter_inode_map_next - go to the next entry of a walk
 * @it: the walk
 *
 * The walk meets every entry that is in the map all the time exactly once. Nearly all entries that
 * are inserted meanwhile are behind it (handle.c), so it ends however fast others insert.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the key of the entry, for the program to read until it goes on, or NULL at the end.
 */
__bpf_kfunc struct inode_map_key *bpf_iter_inode_map_next(struct bpf_iter_inode_map *it)
{
	struct inode_map_walk *walk = (void *)it;

	if (!walk->map)
		return NULL;
	rcu_read_lock();
	walk->entry = inode_map_next(walk->map, walk->key.handle);
	if (walk->entry)
		inode_map_key_fill_full(walk->entry, &walk->key);
	else
		walk->map = NULL;
	rcu_read_unlock();
	return walk->entry ? &walk->key : NULL;
}

/**
 * bpf_iter_inode_map_value - the value of a walk's current entry
 * @it__iter: the walk
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the value that the entry had when the walk came to it, whatever has become of the entry.
 * NULL before the first entry and after the last, or as bpf_inode_map_lookup().
 */
__bpf_kfunc u8 *bpf_iter_inode_map_value(struct bpf_iter_inode_map *it__iter,
					 const int rdwr_buf_size)
{
	struct inode_map_walk *walk = (void *)it__iter;

	if (!walk->map || !walk->entry || !inode_map_fits(rdwr_buf_size, walk->map->lookup_size))
		return NULL;
	return walk->entry->value;
}

/**
 * bpf_iter_inode_map_peek - the value of a walk's current entry, for reading only
 * @it__iter: the walk
 * @rdonly_buf_size: as for bpf_inode_map_peek()
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: as bpf_iter_inode_map_value(), but only BPF_F_WRONLY_PROG forbids it.
 */
__bpf_kfunc const u8 *bpf_iter_inode_map_peek(struct bpf_iter_inode_map *it__iter,
					      const int rdonly_buf_size)
{
	struct inode_map_walk *walk = (void *)it__iter;

	if (!walk->map || !walk->entry || !inode_map_fits(rdonly_buf_size, walk->map->peek_size))
		return NULL;
	return walk->entry->value;
}

/**
 * bpf_iter_inode_map_destroy - end a walk
 * @it: the walk
 *
 * A walk holds nothing, but the verifier demands a function that ends it.
 *
 * Context: any.
 */
__bpf_kfunc void bpf_iter_inode_map_destroy(struct bpf_iter_inode_map *it)
{
}

__bpf_kfunc_end_defs();
