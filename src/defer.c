// SPDX-License-Identifier: GPL-2.0
/*
 * Entries that a program has taken out of a map and that a worker lets go of.
 *
 * A program may have interrupted anything: the xarray's or RCU's allocations, the workqueue that
 * releases would be queued to. So all that it does to an entry is to unlink it from the lists of
 * its map and its addon; the rest, which takes locks that are not ours, is done in process context.
 * The way there is one that NMIs can go: a lockless list and an irq_work, which queues the work.
 *
 * An entry is put on the list under the lock of its map's index. Once a map is dead (map.c) nothing
 * is put there for it any more, and a flush then leaves nothing of it behind.
 */
#include <linux/irq_work.h>
#include <linux/workqueue.h>

#include "defer.h"
#include "table.h"

static LLIST_HEAD(deferred);

static void inode_map_defer_work(struct work_struct *work)
{
	struct inode_map_entry *entry, *next;

	llist_for_each_entry_safe(entry, next, llist_del_all(&deferred), deferred) {
		inode_map_forget(entry);
		if (entry->handed_on)
			inode_map_entry_retire(entry);
		else
			inode_map_entry_release(entry);
		cond_resched();
	}
}

static DECLARE_WORK(defer_work, inode_map_defer_work);

static void inode_map_defer_queue(struct irq_work *work)
{
	queue_work(system_unbound_wq, &defer_work);
}

static DEFINE_IRQ_WORK(defer_irq_work, inode_map_defer_queue);

/**
 * inode_map_defer - have a worker let go of an entry
 * @entry: an entry that is in no list of its map or addon any more, but may be in the map's index
 * @handed_on: whether another has taken its place, with inode_map_renew()
 *
 * Context: any, NMI included; the lock of the map's index is held.
 */
void inode_map_defer(struct inode_map_entry *entry, bool handed_on)
{
	entry->handed_on = handed_on;
	if (llist_add(&entry->deferred, &deferred))
		irq_work_queue(&defer_irq_work);
}

/**
 * inode_map_defer_flush - wait until what was deferred before is released
 *
 * Context: process; may sleep.
 */
void inode_map_defer_flush(void)
{
	irq_work_sync(&defer_irq_work);
	/* Whoever put the first entry on the list may not have come to tell the worker yet. */
	queue_work(system_unbound_wq, &defer_work);
	flush_work(&defer_work);
}
