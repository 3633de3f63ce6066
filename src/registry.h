/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry: maps by id and by name. Its locking is at the top of registry.c; the lookup that
 * BPF programs make is inline here and takes no lock.
 */
#ifndef _INODE_MAP_REGISTRY_H
#define _INODE_MAP_REGISTRY_H

#include <linux/array_size.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include <asm/barrier.h>

#include "map.h"

/*
 * One map for each remainder of ids, or a stand-in. Changed under young_lock; readers are under RCU
 * or RCU tasks trace.
 */
#define INODE_MAP_RECENT_BITS	8
extern struct inode_map *inode_map_recent[1 << INODE_MAP_RECENT_BITS];

/* inode_map_by_id() if another map is in the first place where the id is looked for. */
struct inode_map *inode_map_by_id_slow(u32 id);

/**
 * inode_map_by_id_fast - the map in the first place where a BPF map id is looked for
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: a map, never NULL. If it has another id, call inode_map_by_id_slow().
 */
static __always_inline struct inode_map *inode_map_by_id_fast(u32 id)
{
	/* The loads that follow depend on this one: they see the map complete. */
	return READ_ONCE(inode_map_recent[id & (ARRAY_SIZE(inode_map_recent) - 1)]);
}

/**
 * inode_map_by_id - find a map by its BPF map id
 * @id: the id
 *
 * Context: any, inside an RCU or RCU-tasks-trace read-side section. The result is valid until that
 * ends.
 * Return: the map, or NULL if no published inode map has that id. An unpublished one has no
 * entries, but may exist (see inode_map_by_id_fresh()).
 */
static __always_inline struct inode_map *inode_map_by_id(u32 id)
{
	struct inode_map *map = inode_map_by_id_fast(id);

	return likely(map->id == id) ? map : inode_map_by_id_slow(id);
}

struct inode_map *inode_map_by_id_fresh(u32 id);

/**
 * inode_map_by_id_any - find a map by its BPF map id, published or not
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: the map, or NULL, as inode_map_by_id_fresh().
 */
static __always_inline struct inode_map *inode_map_by_id_any(u32 id)
{
	struct inode_map *map = inode_map_by_id(id);

	return likely(map) ? map : inode_map_by_id_fresh(id);
}

int inode_map_id_by_name(const char *name);
struct inode_map *inode_map_next_map(u32 id);

int inode_map_register(struct inode_map *map);
void inode_map_unregister(struct inode_map *map);
void inode_map_publish_fresh(struct inode_map *map);

int inode_map_registry_init(void);
void inode_map_registry_exit(void);

/**
 * inode_map_publish - let programs find a map by its id and its name
 * @map: the map
 *
 * Context: process; does not sleep.
 */
static inline void inode_map_publish(struct inode_map *map)
{
	/* Test this and not the id, which is set before programs can find the map. */
	if (unlikely(!smp_load_acquire(&map->published)))
		inode_map_publish_fresh(map);
}

#endif /* _INODE_MAP_REGISTRY_H */
