// SPDX-License-Identifier: GPL-2.0-only
/*
 * Superblocks.
 *
 * Releasing an inode may evict it, and a filesystem whose server or device hangs may take forever
 * to do that. So workers release inodes, and at most one at a time for each superblock: a
 * filesystem that hangs occupies one worker, however many of its inodes there are to release, and
 * delays only itself.
 *
 * Each superblock has a reference-counted record, found by the superblock's address and device when
 * an addon or a hold is made. The record does not keep the superblock alive: fsnotify (addon.c) or
 * the hold (hold.c) does. Another superblock may reuse the address meanwhile. If it has the same
 * device as well, the two share a worker.
 *
 * Lock: supers_lock protects the table; process context and RCU callbacks take it. No other lock
 * nests inside it. To find a record and become a user of it takes only RCU: a record is freed after
 * a grace period, and its users never rise from zero.
 */
#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "super.h"
#include "yield.h"

#define SUPERS_BITS	8

static struct hlist_head supers[1 << SUPERS_BITS];
static DEFINE_SPINLOCK(supers_lock);

static struct workqueue_struct *release_wq __ro_after_init;

static void inode_map_super_work(struct work_struct *work)
{
	struct inode_map_super *super = container_of(work, struct inode_map_super, work);
	struct llist_node *first = llist_reverse_order(llist_del_all(&super->releases));
	struct inode_map_release *release, *next;

	/* The last release may drop the last user: @super must not be touched after it. */
	llist_for_each_entry_safe(release, next, first, node) {
		release->release(release);
		/* inode_map_super_exit() waits for this function to return. */
		module_put(THIS_MODULE);
		cond_resched();
	}
}

/* Called under supers_lock, or under RCU. Under RCU the record found may have no user left. */
static struct inode_map_super *inode_map_super_find(const struct super_block *sb)
{
	struct inode_map_super *super;

	hlist_for_each_entry_rcu(super, &supers[hash_ptr(sb, SUPERS_BITS)], in_supers,
				 lockdep_is_held(&supers_lock))
		if (super->sb == sb && super->dev == sb->s_dev)
			return super;
	return NULL;
}

/* The usual case: there is a record with users. Count the caller as one more. */
static struct inode_map_super *inode_map_super_try(const struct super_block *sb)
{
	struct inode_map_super *super;

	rcu_read_lock();
	super = inode_map_super_find(sb);
	if (super && !refcount_inc_not_zero(&super->users))
		super = NULL;
	rcu_read_unlock();
	return super;
}

/* Count the caller as a user of the existing record, or add @new if there is none. */
static struct inode_map_super *inode_map_super_enter(const struct super_block *sb,
						     struct inode_map_super *new)
{
	struct inode_map_super *super;

	spin_lock_bh(&supers_lock);
	super = inode_map_super_find(sb);
	if (super) {
		refcount_inc(&super->users);
	} else {
		hlist_add_head_rcu(&new->in_supers, &supers[hash_ptr(sb, SUPERS_BITS)]);
		super = new;
	}
	spin_unlock_bh(&supers_lock);
	return super;
}

/**
 * inode_map_super_get - find or make the record of a superblock
 * @sb: the superblock; the caller keeps it from going away meanwhile
 * @gfp: for the record's memory
 *
 * Context: process; may sleep.
 * Return: the record, for inode_map_super_put(), or NULL when there is no memory.
 */
struct inode_map_super *inode_map_super_get(const struct super_block *sb, gfp_t gfp)
{
	struct inode_map_super *super, *new;

	super = inode_map_super_try(sb);
	if (super)
		return super;
	new = kzalloc(sizeof(*new), gfp);
	if (!new)
		return NULL;
	new->sb = sb;
	new->dev = sb->s_dev;
	refcount_set(&new->users, 1);
	init_llist_head(&new->releases);
	INIT_WORK(&new->work, inode_map_super_work);
	INODE_MAP_YIELD_SLEEP();
	super = inode_map_super_enter(sb, new);
	/* Another task was faster. */
	if (super != new)
		kfree(new);
	return super;
}

/**
 * inode_map_super_put - drop a user of a record
 * @super: what inode_map_super_get() returned
 *
 * Context: process or softirq; does not sleep.
 */
void inode_map_super_put(struct inode_map_super *super)
{
	bool last;

	if (refcount_dec_not_one(&super->users))
		return;
	spin_lock_bh(&supers_lock);
	last = refcount_dec_and_test(&super->users);
	if (last)
		hlist_del_rcu(&super->in_supers);
	spin_unlock_bh(&supers_lock);
	if (last)
		kfree_rcu(super, rcu);
}

/**
 * inode_map_super_release - have a worker release something
 * @super: the record of its superblock, of which it is a user until it is released
 * @release: what to call. Keeps the module loaded until the call returns
 *
 * Context: any but interrupts; does not sleep.
 */
void inode_map_super_release(struct inode_map_super *super, struct inode_map_release *release)
{
	__module_get(THIS_MODULE);
	if (llist_add(&release->node, &super->releases))
		queue_work(release_wq, &super->work);
}

/**
 * inode_map_super_init - prepare for keeping records of superblocks
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_super_init(void)
{
	/* Each filesystem that hangs occupies a worker: allow as many as there can be. */
	release_wq = alloc_workqueue("inode_map_release", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return release_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_super_exit - wait until no worker runs the module's code
 *
 * No record may have users any more.
 *
 * Context: process; may sleep.
 */
void inode_map_super_exit(void)
{
	destroy_workqueue(release_wq);
}
