// SPDX-License-Identifier: GPL-2.0
/*
 * Entries: the memory of a value, and what it holds.
 *
 * Entries are allocated by updates, which sleep or don't. Once unlinked, they are released by
 * whoever unlinked them (or a worker for him), without locks, and freed after a grace period of RCU
 * tasks trace and one of RCU: programs of either kind may hold a pointer to the value.
 *
 * An entry that was removed or replaced therefore stays in memory, and charged to its memory
 * cgroup, for hundreds of milliseconds. Who updates faster than that must not run into the limit of
 * a cgroup with dead entries: past some megabytes of them, updates are slowed down. Those that a
 * program makes can't be, because the grace period would wait for the program: they fail when there
 * are very many.
 */
#include <linux/bpf.h>
#include <linux/rcupdate_trace.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "entry.h"

static atomic_t nr_entries = ATOMIC_INIT(0);

static atomic_long_t dead_bytes = ATOMIC_LONG_INIT(0);
#define DEAD_BYTES_MAX		SZ_4M
#define DEAD_BYTES_MAX_PROG	SZ_64M

/*
 * Wait until no more than @limit bytes of dead entries are in memory, for a second at the most: a
 * sleepable program can hold a grace period up for as long as it likes.
 */
static void inode_map_entry_settle(long limit)
{
	wait_var_event_timeout(&dead_bytes, atomic_long_read(&dead_bytes) <= limit, HZ);
}

static struct inode_map_entry *inode_map_entry_alloc_wait(u32 bytes)
{
	struct inode_map_entry *entry;

	if (atomic_long_read(&dead_bytes) > DEAD_BYTES_MAX)
		inode_map_entry_settle(DEAD_BYTES_MAX);
	entry = kvzalloc(bytes, INODE_MAP_GFP);
	if (!entry && atomic_long_read(&dead_bytes)) {
		inode_map_entry_settle(0);
		entry = kvzalloc(bytes, INODE_MAP_GFP);
	}
	return entry;
}

static struct inode_map_entry *inode_map_entry_alloc_prog(u32 bytes, gfp_t gfp)
{
	if (atomic_long_read(&dead_bytes) > DEAD_BYTES_MAX_PROG)
		return NULL;
	/* Virtually contiguous memory takes locks that an interrupt handler must not take. */
	return gfpflags_allow_blocking(gfp) ? kvzalloc(bytes, gfp) : kzalloc(bytes, gfp);
}

/**
 * inode_map_entry_alloc - make an entry that is not linked yet
 * @map: the map that it will be linked into
 * @value: the value
 * @size: bytes of the value
 * @gfp: INODE_MAP_GFP or one of those for programs
 *
 * The memory is charged to the memory cgroup of the task.
 *
 * Context: with INODE_MAP_GFP, process; may sleep, up to a second for a grace period. With
 * INODE_MAP_GFP_PROG, likewise but without waiting for one. With INODE_MAP_GFP_NOWAIT, where
 * context_may_allocate().
 * Return: the entry, for inode_map_entry_free() until it is linked and inode_map_entry_release()
 * after it is unlinked, or NULL.
 */
struct inode_map_entry *inode_map_entry_alloc(struct inode_map *map, const void *value, u32 size,
					      gfp_t gfp)
{
	u32 bytes = struct_size_t(struct inode_map_entry, value, size);
	struct inode_map_entry *entry;

	entry = gfp == INODE_MAP_GFP ? inode_map_entry_alloc_wait(bytes) :
				       inode_map_entry_alloc_prog(bytes, gfp);
	if (!entry)
		return NULL;
	entry->map = map;
	entry->bytes = bytes;
	memcpy(entry->value, value, size);
	atomic_inc(&nr_entries);
	return entry;
}

/**
 * inode_map_entry_free - free an entry that nobody can see
 * @entry: the entry; the caller drops what it holds
 *
 * Context: where context_may_allocate(); does not sleep.
 */
void inode_map_entry_free(struct inode_map_entry *entry)
{
	kvfree(entry);
	if (atomic_dec_and_test(&nr_entries))
		wake_up_var(&nr_entries);
}

static void inode_map_entry_free_rcu(struct rcu_head *rcu)
{
	struct inode_map_entry *entry = container_of(rcu, struct inode_map_entry, rcu);
	u32 bytes = entry->bytes;

	inode_map_entry_free(entry);
	atomic_long_sub(bytes, &dead_bytes);
	wake_up_var(&dead_bytes);
}

static void inode_map_entry_free_trace(struct rcu_head *rcu)
{
	call_rcu(rcu, inode_map_entry_free_rcu);
}

/**
 * inode_map_entry_release - let go of the inode of an unlinked entry and free it
 * @entry: the entry; readers may still see it
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_entry_release(struct inode_map_entry *entry)
{
	inode_pin_put(entry->pin);
	inode_addon_put(entry->addon);
	atomic_long_add(entry->bytes, &dead_bytes);
	call_rcu_tasks_trace(&entry->rcu, inode_map_entry_free_trace);
}

/**
 * inode_map_entry_read - copy a value out
 * @entry: the entry
 * @value: gets the value; aligned to 8
 * @size: bytes of a value of the map
 *
 * Aligned 8-byte words that programs write to meanwhile are copied whole, as counters need it.
 *
 * Context: any, under RCU.
 */
void inode_map_entry_read(const struct inode_map_entry *entry, void *value, u32 size)
{
	u32 words = round_down(size, sizeof(long));

	bpf_long_memcpy(value, entry->value, words);
	memcpy(value + words, entry->value + words, size - words);
}

/**
 * inode_map_entry_count - how many entries are in memory
 *
 * Return: the number, those that wait for a grace period included.
 */
unsigned int inode_map_entry_count(void)
{
	return atomic_read(&nr_entries);
}

/**
 * inode_map_entry_exit - wait until the last entry is freed
 *
 * No map may exist any more; but an inode that is ending may have taken the last entry out of one
 * and have yet to release it. A callback of RCU may still be returning.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_entry_exit(void)
{
	wait_var_event(&nr_entries, !atomic_read(&nr_entries));
}
