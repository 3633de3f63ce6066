// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks on inodes.
 *
 * An entry of a map must go the moment its inode is removed, evicted or unmounted. Until then it
 * may have to keep the inode in memory, without making an unmount fail. fsnotify marks do both on
 * stock kernels. fsnotify allocates the connector in inode->i_fsnotify_marks on first need,
 * publishes it with cmpxchg(), adds marks under the connector's lock, and refuses a second mark of
 * the same group with -EEXIST (unless the group allows it). So "find or add" is decided in one
 * place: of two tasks that race to add the first mark, one wins, and the other drops its copy and
 * finds the winner's.
 *
 * Lifetime:
 *
 *   inode_map_mark_alloc()    makes a mark with one reference, which belongs to the caller.
 *   inode_map_mark_attach()   attaches it to an inode. Unless it has FSNOTIFY_MARK_FLAG_NO_IREF it
 *                             keeps the inode in memory from then on. fsnotify counts these
 *                             references itself; when a superblock shuts down it drops them, and
 *                             waits until all are gone.
 *   inode_map_mark_put()      drops a reference. It may sleep, because it may drop the inode's last
 *                             reference, too.
 *   inode_map_mark_drop()     detaches the mark (unless the VFS has done so), then drops a
 *                             reference.
 *   ops->free_mark            is called by fsnotify after the last reference is gone and a grace
 *                             period of its SRCU has passed.
 *
 * The VFS may destroy a mark at any time in between: when the last link and last user of the inode
 * are gone, when it evicts the inode, or when it shuts its superblock down. fsnotify then calls
 * ops->freeing_mark.
 *
 * Locks: none of our own, and callers hold none of ours. fsnotify takes group->mark_mutex,
 * mark->lock and connector->lock, in that order. While the group's mutex is held reclaim does not
 * enter filesystems, so it can't get to eviction, which takes the mutex, too.
 */
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "account.h"
#include "mark.h"

/* The group of an inode's marks of a class. */
static struct fsnotify_group *mark_group(const struct inode_map_mark_class *class,
					 const struct inode *inode)
{
	return class->groups[hash_ptr(inode, INODE_MAP_MARK_GROUP_BITS)];
}

/**
 * inode_map_mark_alloc - make a mark
 * @class: its class
 * @inode: the inode that it is for
 * @flags: FSNOTIFY_MARK_FLAG_NO_IREF, or 0 for one that keeps the inode in memory
 *
 * The memory is charged to the account that the caller has begun (account.h). All of the structure
 * behind its struct inode_map_mark is zero.
 *
 * Context: process; may sleep.
 * Return: the mark, for inode_map_mark_put(), or NULL.
 */
struct inode_map_mark *inode_map_mark_alloc(struct inode_map_mark_class *class,
					    const struct inode *inode, unsigned int flags)
{
	struct inode_map_mark *mark;

	mark = kmem_cache_zalloc(class->cache, INODE_MAP_GFP);
	if (!mark)
		return NULL;
	fsnotify_init_mark(&mark->fsn, mark_group(class, inode));
	mark->fsn.mask = class->mask;
	mark->fsn.flags = flags;
	atomic_inc(&class->nr);
	return mark;
}

/**
 * inode_map_mark_attach - attach a mark to an inode
 * @mark: the mark, which nobody else can see yet
 * @inode: the inode that it was made for; the caller holds a reference to it
 *
 * Context: process; may sleep. Takes the mutex of the mark's fsnotify group.
 * Return: 0, -EEXIST (the inode may have only one of this class, and has it), -ENOMEM, -ESTALE (the
 * inode or its superblock is going away at this moment).
 */
int inode_map_mark_attach(struct inode_map_mark *mark, struct inode *inode)
{
	int err = fsnotify_add_inode_mark(&mark->fsn, inode, 0);

	/* fsnotify's error for a connector that is being destroyed with its inode. */
	return err == -ENOENT ? -ESTALE : err;
}

/**
 * inode_map_mark_find - find the mark of a class that an inode has
 * @class: the class
 * @inode: the inode; the caller holds a reference to it
 *
 * Context: process; may sleep.
 * Return: the mark with a reference, for inode_map_mark_put(), or NULL.
 */
struct inode_map_mark *inode_map_mark_find(struct inode_map_mark_class *class, struct inode *inode)
{
	struct fsnotify_mark *fsn;

	/* No connector, no mark. */
	if (!rcu_access_pointer(inode->i_fsnotify_marks))
		return NULL;
	fsn = fsnotify_find_inode_mark(inode, mark_group(class, inode));
	return fsn ? inode_map_mark_of(fsn) : NULL;
}

/**
 * inode_map_mark_put - drop a reference to a mark
 * @mark: the mark
 *
 * Context: process; may sleep.
 */
void inode_map_mark_put(struct inode_map_mark *mark)
{
	might_sleep();
	fsnotify_put_mark(&mark->fsn);
}

/**
 * inode_map_mark_drop - detach a mark from its inode, as the VFS does when the inode ends
 * @mark: the mark; the caller's reference is dropped, too
 *
 * Context: process; may sleep. Takes the mutex of the mark's fsnotify group.
 */
void inode_map_mark_drop(struct inode_map_mark *mark)
{
	fsnotify_destroy_mark(&mark->fsn, mark->fsn.group);
	inode_map_mark_put(mark);
}

/**
 * inode_map_mark_free - free a mark that nobody can see
 * @class: its class
 * @mark: the mark
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_mark_free(struct inode_map_mark_class *class, struct inode_map_mark *mark)
{
	kmem_cache_free(class->cache, mark);
	if (atomic_dec_and_test(&class->nr))
		wake_up_var(&class->nr);
}

/**
 * inode_map_mark_handle_event - fsnotify's callback for an event
 * @fsn: unused
 * @mask: unused
 * @inode: unused
 * @dir: unused
 * @name: unused
 * @cookie: unused
 *
 * No class asks for an event that fsnotify() raises for inodes, so nothing calls this, but fsnotify
 * requires it.
 *
 * Return: 0.
 */
int inode_map_mark_handle_event(struct fsnotify_mark *fsn, u32 mask, struct inode *inode,
				struct inode *dir, const struct qstr *name, u32 cookie)
{
	return 0;
}

static void mark_class_destroy(struct inode_map_mark_class *class)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(class->groups); i++)
		if (class->groups[i])
			fsnotify_put_group(class->groups[i]);
	kmem_cache_destroy(class->cache);
}

/**
 * inode_map_mark_class_register - make a class of marks usable
 * @class: the class
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_mark_class_register(struct inode_map_mark_class *class)
{
	struct fsnotify_group *group;

	class->cache = kmem_cache_create(class->name, class->size, 0, 0, NULL);
	if (!class->cache)
		return -ENOMEM;
	for (unsigned int i = 0; i < ARRAY_SIZE(class->groups); i++) {
		group = fsnotify_alloc_group(class->ops, class->group_flags);
		if (IS_ERR(group)) {
			mark_class_destroy(class);
			return PTR_ERR(group);
		}
		class->groups[i] = group;
	}
	return 0;
}

/**
 * inode_map_mark_class_unregister - wait until no mark of a class is left
 * @class: the class; nobody uses its marks any more
 *
 * Context: process; sleeps for grace periods.
 */
void inode_map_mark_class_unregister(struct inode_map_mark_class *class)
{
	/*
	 * Marks are counted until they are freed: wait for the last one, and then until fsnotify's
	 * reaper and RCU callbacks have left our code. Waiting for these alone is not enough: a
	 * mark whose inode the VFS is destroying right now is not queued to them yet.
	 */
	wait_var_event(&class->nr, !atomic_read(&class->nr));
	fsnotify_wait_marks_destroyed();
	rcu_barrier();
	mark_class_destroy(class);
}
