/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: how the module's structures are attached to inodes. For their lifetime see the top of
 * mark.c.
 */
#ifndef _INODE_MAP_MARK_H
#define _INODE_MAP_MARK_H

#include <linux/container_of.h>
#include <linux/fsnotify_backend.h>
#include <linux/gfp.h>
#include <linux/types.h>

struct inode;
struct kmem_cache;
struct qstr;

/*
 * For all that a map consists of; charged to the memory cgroup of its creator. If a limit is
 * reached, or no memory can hold the size, the caller gets an error: nothing goes to the log, and
 * nothing is killed.
 */
#define INODE_MAP_GFP		(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/**
 * struct inode_mark - the beginning of a structure that is attached to an inode
 * @fsn: the fsnotify mark, which counts the structure's references, until fsnotify is done with it
 * @rcu: then frees the structure
 */
struct inode_mark {
	union {
		struct fsnotify_mark fsn;
		struct rcu_head rcu;
	};
};

static inline struct inode_mark *to_inode_mark(struct fsnotify_mark *fsn)
{
	return container_of(fsn, struct inode_mark, fsn);
}

/*
 * Attaching or destroying a mark takes the mutex of its fsnotify group. There are several groups,
 * so that tasks that make entries and tasks that evict inodes with entries seldom contend.
 */
#define INODE_MARK_GROUP_BITS	5

/**
 * struct inode_mark_class - a kind of mark
 * @name: name of its slab cache
 * @size: bytes of the structure that begins with the struct inode_mark
 * @mask: bits of the inode's i_fsnotify_mask while a mark is attached
 * @group_flags: FSNOTIFY_GROUP_*: whether an inode can have more than one of them
 * @ops: fsnotify callbacks; free_mark calls inode_mark_free()
 * @groups: the fsnotify groups. The inode's address selects one, so an inode has all its marks of
 *	the class in the same group
 * @cache: slab cache of the structures: their sizes fit kmalloc()'s badly
 * @nr: how many marks are in memory. Atomic
 *
 * @groups and @cache are valid from inode_mark_class_register() to inode_mark_class_unregister().
 * The other fields but @nr are constant. No lock.
 */
struct inode_mark_class {
	const char *name;
	size_t size;
	u32 mask;
	unsigned int group_flags;
	struct fsnotify_ops ops;
	struct fsnotify_group *groups[1 << INODE_MARK_GROUP_BITS];
	struct kmem_cache *cache;
	atomic_t nr;
};

int inode_mark_class_register(struct inode_mark_class *class);
void inode_mark_class_unregister(struct inode_mark_class *class);

struct inode_mark *inode_mark_alloc(struct inode_mark_class *class, const struct inode *inode,
				    unsigned int flags);
int inode_mark_attach(struct inode_mark *mark, struct inode *inode);
struct inode_mark *inode_mark_find(struct inode_mark_class *class, struct inode *inode);
void inode_mark_put(struct inode_mark *mark);
void inode_mark_drop(struct inode_mark *mark);
void inode_mark_free(struct inode_mark_class *class, struct inode_mark *mark);

int inode_mark_handle_event(struct fsnotify_mark *fsn, u32 mask, struct inode *inode,
			    struct inode *dir, const struct qstr *name, u32 cookie);

#endif /* _INODE_MAP_MARK_H */
