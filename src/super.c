// SPDX-License-Identifier: GPL-2.0
/*
 * Superblocks.
 *
 * To let go of an inode may be to evict it, and a filesystem whose server or device hangs does that
 * for as long as it likes. So it is done by workers, and those of one superblock have one worker at
 * a time between them: a filesystem that hangs keeps one worker, however many of its inodes are to
 * be let go of, and holds up nobody but itself.
 *
 * What is kept of a superblock is found by its address and device when an addon or a hold is made,
 * and counted. It says nothing about the superblock's life, which is fsnotify's business (addon.c)
 * or the hold's (hold.c): another superblock may be at the address meanwhile. If it has the device
 * as well, the two share a worker.
 *
 * Lock: supers_lock, which is taken in process context and by callbacks of RCU. Nothing nests in it. Who
 * finds one that has users needs RCU only: it is freed after a grace period, and its users never go up
 * from zero.
 */
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "super.h"
#include "yield.h"

#define SUPERS_BITS	8

static struct hlist_head supers[1 << SUPERS_BITS];
static DEFINE_SPINLOCK(supers_lock);

static struct workqueue_struct *super_wq;

static void inode_map_super_work(struct work_struct *work)
{
	struct inode_map_super *super = container_of(work, struct inode_map_super, work);
	struct llist_node *first = llist_reverse_order(llist_del_all(&super->releases));
	struct inode_map_release *release, *next;

	/* The last one may be the last user: nothing of @super is looked at any more. */
	llist_for_each_entry_safe(release, next, first, node) {
		release->release(release);
		/* inode_map_super_exit() waits for this function to return. */
		module_put(THIS_MODULE);
		cond_resched();
	}
}

/* Under the lock, or under RCU: then its last user may be gone. */
static struct inode_map_super *inode_map_super_find(const struct super_block *sb)
{
	struct inode_map_super *super;

	hlist_for_each_entry_rcu(super, &supers[hash_ptr(sb, SUPERS_BITS)], in_supers,
				 lockdep_is_held(&supers_lock))
		if (super->sb == sb && super->dev == sb->s_dev)
			return super;
	return NULL;
}

/* The usual way: count the caller in as a user of what has one. */
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

/* Count the caller in as a user of what there is. Otherwise @new becomes that. */
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
 * inode_map_super_get - find or make what is kept of a superblock
 * @sb: the superblock; the caller keeps it from going away meanwhile
 * @gfp: for its memory
 *
 * Context: process; may sleep.
 * Return: it, for inode_map_super_put(), or NULL when there is no memory.
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
	YIELD_POINT_SLEEP();
	super = inode_map_super_enter(sb, new);
	/* Somebody was quicker. */
	if (super != new)
		kfree(new);
	return super;
}

/**
 * inode_map_super_put - count a user out
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
 * inode_map_super_release - have a worker let go of something
 * @super: what is kept of its superblock; what is let go of is a user of it until then
 * @release: what to call. The module stays until it has been
 *
 * Context: any but interrupts; does not sleep.
 */
void inode_map_super_release(struct inode_map_super *super, struct inode_map_release *release)
{
	__module_get(THIS_MODULE);
	if (llist_add(&release->node, &super->releases))
		queue_work(super_wq, &super->work);
}

/**
 * inode_map_super_init - get ready to keep something of superblocks
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_map_super_init(void)
{
	/* As many filesystems may hang as there can be workers. */
	super_wq = alloc_workqueue("inode_map_release", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return super_wq ? 0 : -ENOMEM;
}

/**
 * inode_map_super_exit - wait until no worker is in the module's code any more
 *
 * Nothing uses a superblock any more.
 *
 * Context: process; may sleep.
 */
void inode_map_super_exit(void)
{
	destroy_workqueue(super_wq);
}
