// SPDX-License-Identifier: GPL-2.0
/*
 * Entries that a program has ended or replaced and that a worker lets go of.
 *
 * A program may have interrupted anything: who holds our locks, the xarray's or RCU's allocations,
 * the workqueue that releases would be queued to. So all that it does to end an entry is to claim
 * it (table.c); the rest is done in process context. The way there is one that NMIs can go: a
 * lockless list and an irq_work, which queues the work. The irq_work runs in hard interrupt context
 * on PREEMPT_RT, too: there irq_work_sync() would else wait for a thread.
 *
 * Nobody waits for an entry that is on the way but the module: each holds a reference on it. A map
 * that is freed unlinks its entries itself, those that a program has ended among them.
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "defer.h"
#include "table.h"
#include "yield.h"

static LLIST_HEAD(deferred);
static struct workqueue_struct *defer_wq;

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
 * inode_map_defer - have a worker let go of an entry
 * @entry: an entry that the caller has claimed. Ended, it may still be linked; if another has taken
 *	its place, what it held has been handed on
 *
 * Context: any, NMI included.
 */
void inode_map_defer(struct inode_map_entry *entry)
{
	__module_get(THIS_MODULE);
	YIELD_POINT();
	if (llist_add(&entry->deferred, &deferred))
		irq_work_queue(&defer_irq_work);
}

/**
 * inode_map_defer_hurry - have the worker look for entries now
 *
 * Whoever put the first entry on the list may not have come to tell the worker yet.
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_defer_hurry(void)
{
	if (!llist_empty(&deferred))
		queue_work(defer_wq, &defer_work);
}

/**
 * inode_map_defer_init - get ready to defer
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_map_defer_init(void)
{
	defer_wq = alloc_workqueue("inode_map_defer", WQ_UNBOUND, 0);
	return defer_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_defer_exit - wait until nothing is under way any more
 *
 * No program that could defer anything is loaded, and nothing is deferred: both hold the module.
 *
 * Context: process; may sleep.
 */
void inode_map_defer_exit(void)
{
	irq_work_sync(&defer_irq_work);
	destroy_workqueue(defer_wq);
}
