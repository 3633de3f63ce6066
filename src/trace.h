/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints inode_map:inode_map_insert and inode_map:inode_map_remove.
 *
 * table.c raises them under addon->lock and the map's lock, so that the events of one map come in
 * the order of its changes. Because of these locks, a BPF program that is attached to them can't
 * replace a value in the map.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM inode_map

#if !defined(_INODE_MAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _INODE_MAP_TRACE_H

#include <linux/compiler.h>
#include <linux/kdev_t.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

#include "addon.h"
#include "entry.h"
#include "map.h"
#include "reason.h"

#define INODE_MAP_REASONS					\
	EM(INODE_MAP_DELETED,	"deleted")			\
	EM(INODE_MAP_REPLACED,	"replaced")			\
	EM(INODE_MAP_UNLINKED,	"unlinked")			\
	EM(INODE_MAP_EVICTED,	"evicted")			\
	EM(INODE_MAP_UNMOUNTED,	"unmounted")			\
	EMe(INODE_MAP_FREED,	"map freed")

/* First the values, for readers of the format file, and then their names. */
#undef EM
#undef EMe
#define EM(value, name)		TRACE_DEFINE_ENUM(value);
#define EMe(value, name)	TRACE_DEFINE_ENUM(value);

INODE_MAP_REASONS

#undef EM
#undef EMe
#define EM(value, name)		{ value, name },
#define EMe(value, name)	{ value, name }

TRACE_EVENT(inode_map_insert,

	TP_PROTO(const struct inode_map *map, const struct inode_map_entry *item),

	TP_ARGS(map, item),

	TP_STRUCT__entry(
		__field(u64,	ino)
		__field(u32,	map_id)
		__field(dev_t,	dev)
		__field(u32,	handle)
		__field(bool,	pinned)
	),

	TP_fast_assign(
		__entry->ino	= item->addon->ino;
		__entry->map_id	= map->id;
		__entry->dev	= READ_ONCE(item->addon->dev);
		__entry->handle	= item->handle;
		__entry->pinned	= item->pinned;
	),

	TP_printk("map_id=%u dev=%u:%u ino=%llu handle=%u %s", __entry->map_id,
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->handle,
		  __entry->pinned ? "pinned" : "weak")
);

TRACE_EVENT(inode_map_remove,

	TP_PROTO(const struct inode_map *map, const struct inode_map_entry *item,
		 enum inode_map_reason reason),

	TP_ARGS(map, item, reason),

	TP_STRUCT__entry(
		__field(u64,	ino)
		__field(u32,	map_id)
		__field(dev_t,	dev)
		__field(u32,	handle)
		__field(u32,	reason)
	),

	TP_fast_assign(
		__entry->ino	= item->addon->ino;
		__entry->map_id	= map->id;
		__entry->dev	= READ_ONCE(item->addon->dev);
		__entry->handle	= item->handle;
		__entry->reason	= reason;
	),

	TP_printk("map_id=%u dev=%u:%u ino=%llu handle=%u reason=%s", __entry->map_id,
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino, __entry->handle,
		  __print_symbolic(__entry->reason, INODE_MAP_REASONS))
);

#endif /* _INODE_MAP_TRACE_H */

/* This file is not in include/trace/events: tell define_trace.h where it is. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
