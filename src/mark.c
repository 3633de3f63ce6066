// SPDX-License-Identifier: GPL-2.0
/*
 * Counted marks on inodes.
 *
 * What it is for: a map's entry must go the moment its inode is removed, evicted or unmounted, and
 * until then may have to keep the inode in memory, without making an unmount fail. fsnotify marks
 * do both on stock kernels. The connector in inode->i_fsnotify_marks is allocated on first need and
 * published with cmpxchg(), marks of one group are then added under the connector's lock, and a
 * second mark of the same group is refused with -EEXIST. So "find or add" is decided in one place:
 * of two tasks that race to add the first mark, one wins, the other drops its copy and finds the
 * winner's.
 *
 * Lifetime:
 *
 *   inode_mark_get()    finds the inode's mark of a class or adds it, and counts the caller in.
 *   inode_mark_put()    counts a user out. It may run in any context but NMI. The last one queues
 *                       the release, because that sleeps: it takes the group's mutex and may drop
 *                       the last reference of the inode.
 *   release worker      detaches the mark from the inode (a no-op when the VFS did that already)
 *                       and drops the reference that the users shared.
 *   inode_mark_free()   is called back by fsnotify when the last reference is gone and a grace
 *                       period of its SRCU has passed, and frees the memory after one of RCU, for
 *                       those who reached the mark through an entry.
 *
 * A mark whose last user is gone but which is still attached is in nobody's use and never will be
 * again: who finds such a mark helps detach it and adds a new one, rather than wait for the worker.
 *
 * The VFS may destroy a mark at any time between, users or not: on the removal of the last link and
 * last user of the inode, its eviction, or the shutdown of its superblock. Users are not counted
 * out by that; the class's freeing_mark callback makes them go.
 *
 * Locks: none of our own. fsnotify takes group->mark_mutex, mark->lock and connector->lock, in that
 * order. The group's mutex disables reclaim into filesystems, so that eviction, which takes the
 * mutex too, can't be entered from under it.
 *
 * Module lifetime: a queued release holds a reference on the module, so that a release that waits
 * for a filesystem shows as a module in use and not as an rmmod that hangs. What remains after it
 * are grace periods; inode_mark_class_unregister() waits for these.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "mark.h"

static struct workqueue_struct *release_wq;

static void inode_mark_release(struct work_struct *work)
{
	struct inode_mark *mark = container_of(work, struct inode_mark, release);

	fsnotify_destroy_mark(&mark->fsn, mark->class->group);
	fsnotify_put_mark(&mark->fsn);
	/* inode_mark_exit() waits for this function to return. */
	module_put(THIS_MODULE);
}

static struct inode_mark *inode_mark_alloc(struct inode_mark_class *class, struct inode *inode)
{
	struct inode_mark *mark;

	mark = kzalloc(class->size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	if (!mark)
		return NULL;
	fsnotify_init_mark(&mark->fsn, class->group);
	mark->fsn.mask = class->mask;
	mark->fsn.flags = class->flags;
	refcount_set(&mark->users, 1);
	mark->class = class;
	INIT_WORK(&mark->release, inode_mark_release);
	if (class->init)
		class->init(mark, inode);
	atomic_inc(&class->nr);
	return mark;
}

/* The inode's mark of this class with the caller counted in, or NULL where there is none to use. */
static struct inode_mark *inode_mark_find(struct inode_mark_class *class, struct inode *inode)
{
	struct fsnotify_mark *fsn = fsnotify_find_inode_mark(inode, class->group);
	struct inode_mark *mark;

	if (!fsn)
		return NULL;
	mark = container_of(fsn, struct inode_mark, fsn);
	if (!refcount_inc_not_zero(&mark->users)) {
		/* Its last user is gone: make room rather than wait for the release worker. */
		fsnotify_destroy_mark(fsn, class->group);
		mark = NULL;
	}
	fsnotify_put_mark(fsn);
	return mark;
}

/**
 * inode_mark_get - find or add the mark of a class on an inode
 * @class: which kind of mark
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep. Takes the mutex of the class's fsnotify group.
 * Return: the mark with the caller counted as a user, for inode_mark_put(), or an ERR_PTR():
 * -ENOMEM; -ESTALE when the inode or its superblock is going away at this moment.
 */
struct inode_mark *inode_mark_get(struct inode_mark_class *class, struct inode *inode)
{
	struct inode_mark *mark;
	int err;

	do {
		mark = inode_mark_find(class, inode);
		if (mark)
			return mark;
		mark = inode_mark_alloc(class, inode);
		if (!mark)
			return ERR_PTR(-ENOMEM);
		err = fsnotify_add_inode_mark(&mark->fsn, inode, 0);
		if (!err)
			return mark;
		/* Somebody was quicker (-EEXIST), or it failed: drop the copy nobody else saw. */
		fsnotify_put_mark(&mark->fsn);
	} while (err == -EEXIST);

	/* fsnotify's word for a connector that is being destroyed with its inode. */
	return ERR_PTR(err == -ENOENT ? -ESTALE : err);
}

/**
 * inode_mark_put - count a user out
 * @mark: what inode_mark_get() returned; may be gone on return, after a grace period of RCU
 *
 * Context: any but NMI; does not sleep.
 */
void inode_mark_put(struct inode_mark *mark)
{
	if (!refcount_dec_and_test(&mark->users))
		return;
	__module_get(THIS_MODULE);
	queue_work(release_wq, &mark->release);
}

/**
 * inode_mark_destroy - do to an inode's mark of a class what the VFS does when the inode ends
 * @class: which kind of mark
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 */
void inode_mark_destroy(struct inode_mark_class *class, struct inode *inode)
{
	struct fsnotify_mark *fsn = fsnotify_find_inode_mark(inode, class->group);

	if (!fsn)
		return;
	fsnotify_destroy_mark(fsn, class->group);
	fsnotify_put_mark(fsn);
}

/**
 * inode_mark_handle_event - fsnotify's callback for an event
 * @fsn: unused
 * @mask: unused
 * @inode: unused
 * @dir: unused
 * @name: unused
 * @cookie: unused
 *
 * No class asks for a bit that fsnotify() raises for inodes, so nothing calls this; fsnotify wants
 * it to be there.
 *
 * Return: 0.
 */
int inode_mark_handle_event(struct fsnotify_mark *fsn, u32 mask, struct inode *inode,
			    struct inode *dir, const struct qstr *name, u32 cookie)
{
	return 0;
}

static void inode_mark_free_rcu(struct rcu_head *rcu)
{
	struct inode_mark *mark = container_of(rcu, struct inode_mark, rcu);
	struct inode_mark_class *class = mark->class;

	kfree(mark);
	if (atomic_dec_and_test(&class->nr))
		wake_up_var(&class->nr);
}

/**
 * inode_mark_free - fsnotify's callback for a mark without references
 * @fsn: the mark
 *
 * Context: process; from fsnotify's reaper, or from the last fsnotify_put_mark() of a mark that
 * was never attached.
 */
void inode_mark_free(struct fsnotify_mark *fsn)
{
	struct inode_mark *mark = container_of(fsn, struct inode_mark, fsn);

	/* Not kfree_rcu(), which may take seconds: until then it is charged to a memory cgroup. */
	call_rcu(&mark->rcu, inode_mark_free_rcu);
}

/**
 * inode_mark_class_register - make a class of marks usable
 * @class: the class
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int inode_mark_class_register(struct inode_mark_class *class)
{
	struct fsnotify_group *group = fsnotify_alloc_group(&class->ops, 0);

	if (IS_ERR(group))
		return PTR_ERR(group);
	class->group = group;
	return 0;
}

/**
 * inode_mark_class_unregister - wait until no mark of a class is left
 * @class: the class; nobody uses its marks any more and inode_mark_exit() has run
 *
 * Context: process; sleeps for grace periods.
 */
void inode_mark_class_unregister(struct inode_mark_class *class)
{
	/*
	 * Marks are counted out when they are freed: wait for the last one, then for fsnotify's
	 * reaper and for RCU to be out of our code. Waiting for these alone is not enough: a mark
	 * whose inode the VFS is destroying right now has yet to be queued to them.
	 */
	wait_var_event(&class->nr, !atomic_read(&class->nr));
	fsnotify_wait_marks_destroyed();
	rcu_barrier();
	fsnotify_put_group(class->group);
}

/**
 * inode_mark_init - get ready to release marks
 *
 * Return: 0 or -ENOMEM.
 */
int inode_mark_init(void)
{
	release_wq = alloc_workqueue("inode_map_release", WQ_UNBOUND, 0);
	return release_wq ? 0 : -ENOMEM;
}

/**
 * inode_mark_exit - wait for the releases that are under way
 *
 * Nobody may call inode_mark_put() any more.
 *
 * Context: process; may sleep.
 */
void inode_mark_exit(void)
{
	destroy_workqueue(release_wq);
}
