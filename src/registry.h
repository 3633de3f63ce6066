/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The registry: maps by id and by name. The story opens registry.c; the lookup that BPF programs
 * make is inline here.
 */
#ifndef _INODE_MAP_REGISTRY_H
#define _INODE_MAP_REGISTRY_H

#include "map.h"

#define INODE_MAP_RECENT_BITS	8
extern struct inode_map *inode_map_recent[1 << INODE_MAP_RECENT_BITS];

/* inode_map_by_id() for a map whose place another has. */
struct inode_map *inode_map_by_id_slow(u32 id);

/**
 * inode_map_by_id_fast - the map that is where a BPF map id is looked for first
 * @id: the id
 *
 * Context: as inode_map_by_id().
 * Return: a map, never NULL. If it has another id, look for @id with inode_map_by_id_slow().
 */
static __always_inline struct inode_map *inode_map_by_id_fast(u32 id)
{
	/* A dependent load follows: the map is complete before it can be found. */
	return READ_ONCE(inode_map_recent[id & (ARRAY_SIZE(inode_map_recent) - 1)]);
}

/**
 * inode_map_by_id - find a map by its BPF map id
 * @id: the id
 *
 * Context: any, inside an RCU or RCU-tasks-trace read-side section, which is how long the result
 * can be used.
 * Return: the map, or NULL when there is no published inode map of that id: then there is nothing
 * in it, but it may exist (see inode_map_by_id_fresh()).
 */
static __always_inline struct inode_map *inode_map_by_id(u32 id)
{
	struct inode_map *map = inode_map_by_id_fast(id);

	return likely(map->id == id) ? map : inode_map_by_id_slow(id);
}

struct inode_map *inode_map_by_id_fresh(u32 id);
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
	/* Not by the id, which is there before programs find the map. */
	if (unlikely(!smp_load_acquire(&map->published)))
		inode_map_publish_fresh(map);
}

#endif /* _INODE_MAP_REGISTRY_H */
