// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries that a program has ended or replaced, and that a worker releases.
 *
 * A program may have interrupted anything: a holder of our locks, the allocations of the xarray or
 * of RCU, the workqueue that releases are queued to. So all that a program does to end an entry is
 * to claim it (table.c); a worker does the rest in process context. Entries get there through a
 * lockless list and an irq_work, which queues the work: both can be used in NMI. The irq_work runs
 * in hard interrupt context on PREEMPT_RT, too; otherwise irq_work_sync() would wait for a thread.
 *
 * Each entry on the way holds a reference on the module, and nothing else waits for it. A map that
 * is being freed unlinks all its entries by itself, including those that programs have ended.
 *
 * Locks: inode_map_defer() takes none. The worker takes addon->lock, then the map's lock.
 */
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "defer.h"
#include "entry.h"
#include "table.h"
#include "yield.h"

static LLIST_HEAD(deferred);
static struct workqueue_struct *defer_wq __ro_after_init;

static void inode_map_defer_work(struct work_struct *work)
{
	struct llist_node *first = llist_reverse_order(llist_del_all(&deferred));
	struct inode_map_entry *entry, *next;

	llist_for_each_entry_safe(entry, next, first, deferred) {
		if (entry->fate == INODE_MAP_ENDED) {
			inode_map_unlink_ended(entry);
			inode_map_entry_release(entry);
		} else {
			inode_map_entry_retire(entry);
		}
		/* inode_map_defer_exit() waits for this function to return. */
		module_put(THIS_MODULE);
		cond_resched();
	}
}

static DECLARE_WORK(defer_work, inode_map_defer_work);

static void inode_map_defer_queue(struct irq_work *work)
{
	queue_work(defer_wq, &defer_work);
}

static struct irq_work defer_irq_work = IRQ_WORK_INIT_HARD(inode_map_defer_queue);

/**
 * inode_map_defer - have a worker release an entry
 * @entry: an entry that the caller has claimed. If it has ended it may still be linked. If it was
 *	replaced, its replacement has taken over what it held
 *
 * Context: any, NMI included.
 */
void inode_map_defer(struct inode_map_entry *entry)
{
	__module_get(THIS_MODULE);
	INODE_MAP_YIELD();
	if (llist_add(&entry->deferred, &deferred))
		irq_work_queue(&defer_irq_work);
}

/**
 * inode_map_defer_hurry - have the worker look at the list now
 *
 * The context that put the first entry on the list may not have queued the irq_work yet.
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_defer_hurry(void)
{
	if (!llist_empty(&deferred))
		queue_work(defer_wq, &defer_work);
}

/**
 * inode_map_defer_init - create the workqueue
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_defer_init(void)
{
	defer_wq = alloc_workqueue("inode_map_defer", WQ_UNBOUND, 0);
	return defer_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_defer_exit - wait until the irq_work and the worker have ended
 *
 * No program that could defer an entry is loaded, and none is deferred: both hold the module.
 *
 * Context: process; may sleep.
 */
void inode_map_defer_exit(void)
{
	irq_work_sync(&defer_irq_work);
	destroy_workqueue(defer_wq);
}
