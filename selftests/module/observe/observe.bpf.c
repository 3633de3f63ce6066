// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records the module's tracepoints in order: two programs see the arguments of the tracepoints, and
 * another sees what perf and trace-cmd see.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "event.h"

char _license[] SEC("license") = "GPL";

/* The fields of the module's structures that the programs read (CO-RE finds their offsets). */

struct inode_map {
	__u32 id;
} __attribute__((preserve_access_index));

struct inode_map_addon {
	__u64 ino;
	__u32 dev;
} __attribute__((preserve_access_index));

struct inode_map_entry {
	struct inode_map_addon *addon;
	__u32 handle;
	__u32 bytes : 31;
	__u32 pinned : 1;
} __attribute__((preserve_access_index));

struct trace_event_raw_inode_map_insert {
	__u64 ino;
	__u32 map_id;
	__u32 dev;
	__u32 handle;
	bool pinned;
} __attribute__((preserve_access_index));

struct trace_event_raw_inode_map_remove {
	__u64 ino;
	__u32 map_id;
	__u32 dev;
	__u32 handle;
	__u32 reason;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Cleared when there was no room for an event. */
bool complete = true;

static __always_inline void report(__u32 map_id, __u64 ino, __u32 dev, __u32 handle, __u32 removed,
				   __u32 detail)
{
	struct event event = {
		.ino		= ino,
		.map_id		= map_id,
		.major		= dev >> 20,
		.minor		= dev & 0xfffff,
		.handle		= handle,
		.removed	= removed,
		.detail		= detail,
	};

	if (bpf_ringbuf_output(&events, &event, sizeof(event), 0))
		complete = false;
}

static __always_inline void record(struct inode_map *map, struct inode_map_entry *entry,
				   __u32 removed, __u32 detail)
{
	report(map->id, entry->addon->ino, entry->addon->dev, entry->handle, removed, detail);
}

/* To the verifier, an argument of a module's tracepoint is a pointer that may be NULL. */

SEC("?tp_btf/inode_map_insert")
int BPF_PROG(btf_insert, struct inode_map *map, struct inode_map_entry *entry)
{
	if (map && entry)
		record(map, entry, 0, BPF_CORE_READ_BITFIELD(entry, pinned));
	return 0;
}

SEC("?tp_btf/inode_map_remove")
int BPF_PROG(btf_remove, struct inode_map *map, struct inode_map_entry *entry, __u32 reason)
{
	if (map && entry)
		record(map, entry, 1, reason);
	return 0;
}

SEC("?tp/inode_map/inode_map_insert")
int tp_insert(struct trace_event_raw_inode_map_insert *ctx)
{
	report(ctx->map_id, ctx->ino, ctx->dev, ctx->handle, 0, ctx->pinned);
	return 0;
}

SEC("?tp/inode_map/inode_map_remove")
int tp_remove(struct trace_event_raw_inode_map_remove *ctx)
{
	report(ctx->map_id, ctx->ino, ctx->dev, ctx->handle, 1, ctx->reason);
	return 0;
}
