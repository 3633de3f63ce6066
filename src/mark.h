/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Marks: how the module's structures hang on inodes. The story of their lifetime opens mark.c.
 */
#ifndef _INODE_MAP_MARK_H
#define _INODE_MAP_MARK_H

#include <linux/fsnotify_backend.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

/*
 * For what a map consists of. Charged to the memory cgroup of its creator. A limit that is reached, or a
 * size that no memory can hold, is an error for the caller, neither a report in the log nor a
 * reason to kill anybody.
 */
#define INODE_MAP_GFP		(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/**
 * struct inode_mark - what a structure that hangs on an inode begins with
 * @fsn: the fsnotify mark, until fsnotify is done with it
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
 * To attach or destroy a mark takes the mutex of its fsnotify group. There are several, so that who
 * makes entries, and who evicts inodes that have some, seldom meet.
 */
#define INODE_MARK_GROUP_BITS	5

/**
 * struct inode_mark_class - a kind of mark
 * @name: of its slab cache
 * @size: bytes of the structure that begins with the struct inode_mark
 * @mask: becomes part of the inode's i_fsnotify_mask while a mark is attached
 * @group_flags: FSNOTIFY_GROUP_*: whether an inode can have more than one of them
 * @ops: fsnotify callbacks; free_mark calls inode_mark_free()
 * @groups: the fsnotify groups of marks of this kind. By the inode, so that it is one for an inode
 * @cache: where they are allocated: their sizes fit kmalloc()'s badly
 * @nr: how many are allocated
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
