// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries that programs make.
 *
 * A program that may sleep makes an entry itself, with inode_map_make(). A program that may not
 * sleep requests it, with inode_map_request(): it may have interrupted a holder of the inode's
 * lock, of fsnotify's or of ours, and a new entry takes all of these. A request is a copy of the
 * value and a hold on the inode (hold.c). It gets to a worker without locks, by a lockless list and
 * an irq_work, as in defer.c. Each map has a worker of its own, so that one that waits for memory
 * does not hold up another map's requests.
 *
 * The worker does what a sleepable program would do: inside an RCU-tasks-trace read-side section it
 * finds the map by its id and makes the entry, unless the inode has one by then. Of several
 * requests for the same inode the first makes the entry, and the others are dropped. Nobody is told
 * what became of a request: the next lookup shows it, and /proc/inode_map counts those that failed.
 *
 * If the last mount of the superblock goes meanwhile, the superblock is shut down only after the
 * worker is done with it. umount(2) does not notice: the hold is not on the mount. The map can be
 * freed meanwhile: a request references only its account, and the map that is found by the id must
 * have that account.
 *
 * Locks: inode_map_request() takes none, and any may be held. inode_map_make() and the worker hold
 * none of ours at first, and take those of an update (update.c).
 *
 * Each request holds a reference on the module, as each deferred entry does.
 */
#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_trace.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "account.h"
#include "context.h"
#include "end.h"
#include "hash.h"
#include "hold.h"
#include "map.h"
#include "registry.h"
#include "request.h"
#include "update.h"
#include "yield.h"

/**
 * struct inode_map_request - an entry that a program has requested
 * @node: node in the list of all requests ("asked"), then in that of the account. Lockless lists
 * @account: account of the map, referenced until the request is freed
 * @hold: keeps the inode and its superblock, until the worker has made the entry
 * @map_id: the map's id. The map may be freed meanwhile, and the id reused
 * @weak: whether the entry is not to keep the inode in memory
 * @value: its value
 *
 * Nothing changes but @node. The worker frees it.
 */
struct inode_map_request {
	struct llist_node node;
	struct inode_map_account *account;
	struct inode_map_hold *hold;
	u32 map_id;
	bool weak;
	u8 value[] __aligned(8);
};

static LLIST_HEAD(asked);
static struct workqueue_struct *request_wq __ro_after_init;

static atomic_t nr_requests = ATOMIC_INIT(0);
static atomic_t nr_lost = ATOMIC_INIT(0);

/* Make an entry, or take the inode out of all maps if fsnotify may have told of its end already. */
static struct inode_map_entry *inode_map_make_held(struct inode_map *map,
						   struct inode_map_hold *hold,
						   struct inode *inode, bool weak,
						   const void *value, u64 flags)
{
	struct inode_map_entry *entry;

	entry = inode_map_update(map, inode, inode->i_sb->s_dev, weak, value, flags,
				 INODE_MAP_GFP_PROG);
	if (IS_ERR(entry) || !inode_map_hold_is_orphan(hold))
		return entry;
	inode_map_end_everywhere(inode);
	return ERR_PTR(-ESTALE);
}

/**
 * inode_map_make - give an inode a value, for a program
 * @map: the map
 * @inode: the inode; its memory and its superblock's stay valid during the call
 * @weak: as for inode_map_update()
 * @value: likewise
 * @flags: likewise
 *
 * Context: process; may sleep, but enters no filesystem.
 * Return: as inode_map_update().
 */
struct inode_map_entry *inode_map_make(struct inode_map *map, struct inode *inode, bool weak,
				       const void *value, u64 flags)
{
	struct inode_map_entry *entry;
	struct inode_map_hold *hold;
	unsigned int nofs;

	nofs = memalloc_nofs_save();
	hold = inode_map_hold_get(inode, GFP_KERNEL | __GFP_NOWARN);
	if (IS_ERR(hold)) {
		entry = ERR_CAST(hold);
	} else {
		entry = inode_map_make_held(map, hold, inode, weak, value, flags);
		inode_map_hold_put(hold);
	}
	memalloc_nofs_restore(nofs);
	return entry;
}

/* The worker */

static int inode_map_request_make(const struct inode_map_request *request, struct inode *inode)
{
	struct inode_map_entry *entry = ERR_PTR(-ENODEV);
	struct inode_map *map;

	rcu_read_lock_trace();
	map = inode_map_by_id(request->map_id);
	if (map && map->account == request->account)
		entry = inode_map_make_held(map, request->hold, inode, request->weak,
					    request->value, BPF_NOEXIST);
	rcu_read_unlock_trace();
	return PTR_ERR_OR_ZERO(entry);
}

static void inode_map_request_finish(struct inode_map_request *request)
{
	struct inode_map_account *account = request->account;
	struct inode *inode = inode_map_hold_settle(request->hold);
	int err = inode ? inode_map_request_make(request, inode) : -ESTALE;

	/* With -EEXIST the inode has an entry, which is what was asked for. */
	if (err && err != -EEXIST)
		atomic_inc(&nr_lost);
	inode_map_hold_put(request->hold);
	kfree(request);
	atomic_dec(&account->nr_requests);
	inode_map_account_put(account);
	atomic_dec(&nr_requests);
	/* inode_map_request_exit() waits for the worker to return. */
	module_put(THIS_MODULE);
}

static void inode_map_request_work(struct work_struct *work)
{
	struct inode_map_account *account = container_of(work, struct inode_map_account,
							 request_work);
	struct llist_node *first = llist_reverse_order(llist_del_all(&account->requests));
	struct inode_map_request *request, *next;
	unsigned int nofs = memalloc_nofs_save();

	INODE_MAP_WORK_BEGIN();
	INODE_MAP_YIELD_SLEEP();
	/* The last request may hold the last reference to the account: don't use that after it. */
	llist_for_each_entry_safe(request, next, first, node) {
		inode_map_request_finish(request);
		cond_resched();
	}
	INODE_MAP_WORK_END();
	memalloc_nofs_restore(nofs);
}

/* In hard interrupt context: hand the requests out to the workers of their maps. */
static void inode_map_requests_queue(struct irq_work *work)
{
	struct llist_node *first = llist_reverse_order(llist_del_all(&asked));
	struct inode_map_request *request, *next;

	llist_for_each_entry_safe(request, next, first, node) {
		struct inode_map_account *account = request->account;

		/* Only the first queues the work. Until it does, its request keeps the account. */
		if (llist_add(&request->node, &account->requests))
			queue_work(request_wq, &account->request_work);
	}
}

static struct irq_work request_irq_work = IRQ_WORK_INIT_HARD(inode_map_requests_queue);

/* What programs do */

/* What the worker would find, too, as far as it can be known here. */
static int inode_map_request_check(struct inode_map *map, const struct inode *inode)
{
	bool exists;

	if (inode_map_is_shared_anon(inode))
		return -EOPNOTSUPP;
	rcu_read_lock();
	exists = inode_map_find(map, inode);
	rcu_read_unlock();
	if (exists)
		return -EEXIST;
	return atomic_read(&map->nr_entries) < map->max_entries ? 0 : -E2BIG;
}

static struct inode_map_request *inode_map_request_alloc(struct inode_map *map,
							 struct inode *inode, const void *value)
{
	struct inode_map_request *request;
	struct mem_cgroup *before;

	before = inode_map_account_begin(map->account);
	request = kmalloc(struct_size(request, value, map->value_size), INODE_MAP_GFP_NOWAIT);
	inode_map_account_end(before);
	if (!request)
		return ERR_PTR(-ENOMEM);
	request->hold = inode_map_hold_try(inode);
	if (IS_ERR(request->hold)) {
		int err = PTR_ERR(request->hold);

		kfree(request);
		return ERR_PTR(err);
	}
	request->account = inode_map_account_get(map->account);
	request->map_id = map->id;
	memcpy(request->value, value, map->value_size);
	return request;
}

/**
 * inode_map_request - have a worker give an inode a value, if it has none
 * @map: the map
 * @inode: the inode; its memory and its superblock's stay valid during the call
 * @weak: as for inode_map_update()
 * @value: map->value_size bytes
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section.
 * Return: -EINPROGRESS, or: -EEXIST, -E2BIG (the map is full), -ENOMEM, -ESTALE (the inode or its
 * superblock is going away at this moment, or the inode has never been in use), -EBUSY (memory
 * can't be allocated in this context), -EAGAIN (the map has as many requests as it may have),
 * -EOPNOTSUPP (the inode is the one that anonymous files share).
 */
int inode_map_request(struct inode_map *map, struct inode *inode, bool weak, const void *value)
{
	struct inode_map_request *request;
	int err = inode_map_request_check(map, inode);

	if (err)
		return err;
	if (!inode_map_may_alloc())
		return -EBUSY;
	if (!atomic_add_unless(&map->account->nr_requests, 1, INODE_MAP_REQUESTS_MAX))
		return -EAGAIN;
	request = inode_map_request_alloc(map, inode, value);
	if (IS_ERR(request)) {
		atomic_dec(&map->account->nr_requests);
		return PTR_ERR(request);
	}
	request->weak = weak;
	atomic_inc(&nr_requests);
	__module_get(THIS_MODULE);
	INODE_MAP_YIELD();
	if (llist_add(&request->node, &asked))
		irq_work_queue(&request_irq_work);
	return -EINPROGRESS;
}

/**
 * inode_map_request_count - how many requests are not finished yet
 *
 * Return: the number.
 */
unsigned int inode_map_request_count(void)
{
	return atomic_read(&nr_requests);
}

/**
 * inode_map_request_lost - how many requests have failed
 *
 * Return: the number since the module was loaded: there was no memory, no room in the map, or the
 * inode or the map went.
 */
unsigned int inode_map_request_lost(void)
{
	return atomic_read(&nr_lost);
}

/* Beginning and end */

/**
 * inode_map_requests_init - prepare the account of a new map for requests
 * @account: the account
 */
void inode_map_requests_init(struct inode_map_account *account)
{
	init_llist_head(&account->requests);
	INIT_WORK(&account->request_work, inode_map_request_work);
}

/**
 * inode_map_request_init - create the workqueue
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_request_init(void)
{
	/* As many maps may wait for memory as there can be workers. */
	request_wq = alloc_workqueue("inode_map_request", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return request_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_request_exit - wait until the irq_work and the workers have ended
 *
 * No program that could make a request is loaded, and there is no request: both hold the module.
 *
 * Context: process; may sleep.
 */
void inode_map_request_exit(void)
{
	irq_work_sync(&request_irq_work);
	destroy_workqueue(request_wq);
}
