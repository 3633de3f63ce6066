// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries: the memory of a value, and what it holds.
 *
 * Updates allocate entries, in contexts that may sleep or not. Once an entry is unlinked, the
 * context that claimed it (table.c), or a worker in its place (defer.c), releases it without locks.
 * Letting go of the inode may take long and is left to the worker of its superblock (super.c). The
 * entry is then freed after a grace period of RCU tasks trace and one of RCU, because programs of
 * either kind may hold a pointer to the value. All entries that wait share one such pair, and a
 * worker that does nothing else waits for it. account.c limits how much they may take up meanwhile.
 *
 * Most values are small and there may be very many of them: slab caches of just their size serve
 * these.
 *
 * Locks: callers hold none of ours. inode_map_entry_release() takes addon->lock.
 *
 * Module lifetime: a queued release holds a reference on the module. One that waits for a
 * filesystem thus shows as a module in use, and not as an rmmod that hangs.
 */
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/math.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "account.h"
#include "addon.h"
#include "compat.h"
#include "entry.h"
#include "map.h"
#include "yield.h"

static atomic_t nr_entries = ATOMIC_INIT(0);

/* Runs what frees entries. */
static struct workqueue_struct *reap_wq __ro_after_init;

/*
 * Entries that wait for both kinds of grace period, and the work that waits for them. It waits
 * itself, with inode_map_synchronize(): queueing a callback of RCU tasks trace costs more than
 * replacing a value, and the callback is left lying for a quarter of a second. The delay lets more
 * entries share a grace period.
 */
static LLIST_HEAD(retired);
static void inode_map_entry_reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reap, inode_map_entry_reap);
#define REAP_DELAY		(HZ / 20)

/* Indexed by the number of words in a value, less one. */
static struct kmem_cache *entry_caches[8] __ro_after_init;

static struct kmem_cache *inode_map_entry_cache(u32 bytes)
{
	u32 words = DIV_ROUND_UP(bytes - sizeof(struct inode_map_entry), sizeof(u64));

	return words && words <= ARRAY_SIZE(entry_caches) ? entry_caches[words - 1] : NULL;
}

static struct inode_map_entry *inode_map_entry_alloc_bytes(u32 bytes, gfp_t gfp)
{
	struct kmem_cache *cache = inode_map_entry_cache(bytes);

	if (cache)
		return kmem_cache_alloc(cache, gfp);
	/* kvmalloc() takes locks that an interrupt handler must not take. */
	return gfpflags_allow_blocking(gfp) ? kvmalloc(bytes, gfp) : kmalloc(bytes, gfp);
}

/**
 * inode_map_entry_alloc - make an entry, not linked yet
 * @map: the map that it is for
 * @value: the value
 * @size: bytes of the value
 * @gfp: INODE_MAP_GFP, INODE_MAP_GFP_PROG or INODE_MAP_GFP_NOWAIT
 *
 * The memory is charged to the map's account.
 *
 * Context: process and may sleep; with INODE_MAP_GFP_NOWAIT, where inode_map_may_alloc(). The
 * caller keeps the map from being freed.
 * Return: the entry, for inode_map_entry_free() before it is linked or inode_map_entry_release()
 * after it is unlinked. NULL if there is no memory or if very many entries of the map wait for a
 * grace period.
 */
struct inode_map_entry *inode_map_entry_alloc(struct inode_map *map, const void *value, u32 size,
					      gfp_t gfp)
{
	u32 bytes = struct_size_t(struct inode_map_entry, value, size);
	struct inode_map_entry *entry;
	struct mem_cgroup *before;

	if (inode_map_account_is_full(map->account))
		return NULL;
	before = inode_map_account_begin(map->account);
	entry = inode_map_entry_alloc_bytes(bytes, gfp);
	inode_map_account_end(before);
	if (!entry)
		return NULL;
	entry->fate = NULL;
	entry->account = inode_map_account_get(map->account);
	entry->bytes = bytes;
	memcpy(entry->value, value, size);
	atomic_inc(&nr_entries);
	return entry;
}

/**
 * inode_map_entry_free - free an entry that nobody can see
 * @entry: the entry. The caller has dropped what it holds, but for its account
 *
 * Context: where inode_map_may_alloc(); does not sleep.
 */
void inode_map_entry_free(struct inode_map_entry *entry)
{
	struct kmem_cache *cache = inode_map_entry_cache(entry->bytes);

	inode_map_account_put(entry->account);
	if (cache)
		kmem_cache_free(cache, entry);
	else
		kvfree(entry);
	if (atomic_dec_and_test(&nr_entries))
		wake_up_var(&nr_entries);
}

/* Free the entries that are on the list now, after both kinds of grace period. */
static void inode_map_entry_reap(struct work_struct *work)
{
	struct llist_node *reaped = llist_del_all(&retired);
	struct inode_map_entry *entry, *next;

	if (!reaped)
		return;
	INODE_MAP_WORK_BEGIN();
	INODE_MAP_YIELD_SLEEP();
	inode_map_synchronize();
	llist_for_each_entry_safe(entry, next, reaped, retired) {
		inode_map_account_freed(entry->account, entry->bytes);
		inode_map_entry_free(entry);
		cond_resched();
	}
	INODE_MAP_WORK_END();
}

/**
 * inode_map_entry_retire - free an unlinked entry that holds nothing any more
 * @entry: the entry; readers may still see it
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_entry_retire(struct inode_map_entry *entry)
{
	atomic_long_add(entry->bytes, &entry->account->dead_bytes);
	/*
	 * Once the entry is on the list, work that was queued before may free it. If it is the last
	 * one, exit then destroys the workqueue that we are about to use. RCU prevents that: the
	 * work waits for a grace period before it frees anything.
	 */
	rcu_read_lock();
	INODE_MAP_YIELD();
	if (llist_add(&entry->retired, &retired)) {
		INODE_MAP_YIELD();
		queue_delayed_work(reap_wq, &reap, REAP_DELAY);
	}
	rcu_read_unlock();
}

/**
 * inode_map_entry_hurry - have retired entries freed as soon as possible
 *
 * Context: process; does not sleep.
 */
void inode_map_entry_hurry(void)
{
	if (!llist_empty(&retired))
		mod_delayed_work(reap_wq, &reap, 0);
}

static void inode_map_entry_release_now(struct inode_map_release *release)
{
	struct inode_map_entry *entry = container_of(release, struct inode_map_entry, release);

	INODE_MAP_WORK_BEGIN();
	INODE_MAP_YIELD_SLEEP();
	inode_map_addon_release(entry->addon);
	inode_map_entry_retire(entry);
	INODE_MAP_WORK_END();
}

/**
 * inode_map_entry_release - let go of the inode of an unlinked entry and free it
 * @entry: the entry; readers may still see it
 *
 * Context: any but interrupts; does not sleep.
 */
void inode_map_entry_release(struct inode_map_entry *entry)
{
	if (!inode_map_addon_put(entry->addon, entry->pinned)) {
		inode_map_entry_retire(entry);
		return;
	}
	entry->release.release = inode_map_entry_release_now;
	inode_map_super_release(entry->addon->super, &entry->release);
}

/**
 * inode_map_entry_read - copy a value out
 * @entry: the entry
 * @value: gets the value; aligned to 8
 * @size: bytes of a value of the map
 *
 * Each aligned long is copied as a whole, even if programs write to it meanwhile: counters need it.
 *
 * Context: any, under RCU or RCU tasks trace.
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
 * Return: the number, including entries that wait for a grace period.
 */
unsigned int inode_map_entry_count(void)
{
	return atomic_read(&nr_entries);
}

static void inode_map_entry_destroy_caches(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(entry_caches); i++)
		kmem_cache_destroy(entry_caches[i]);
}

/**
 * inode_map_entry_init - create the caches and the workqueue
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_entry_init(void)
{
	char name[32];

	for (u32 i = 0; i < ARRAY_SIZE(entry_caches); i++) {
		u32 size = (i + 1) * sizeof(u64);

		snprintf(name, sizeof(name), "inode_map_entry_%u", size);
		entry_caches[i] = kmem_cache_create(name, sizeof(struct inode_map_entry) + size,
						    0, 0, NULL);
		if (!entry_caches[i])
			goto err;
	}
	reap_wq = alloc_workqueue("inode_map_reap", WQ_UNBOUND, 0);
	if (!reap_wq)
		goto err;
	return 0;

err:
	inode_map_entry_destroy_caches();
	return -ENOMEM;
}

/**
 * inode_map_entry_exit - wait until the last entry is freed
 *
 * All maps have been destroyed, but an inode that is ending may have taken the last entry out of
 * one and not have released it yet.
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_entry_exit(void)
{
	wait_var_event(&nr_entries, !atomic_read(&nr_entries));
	/* It may be queued though nothing is left to free: see inode_map_entry_retire(). */
	cancel_delayed_work_sync(&reap);
	destroy_workqueue(reap_wq);
	inode_map_entry_destroy_caches();
}
