/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: how the module's structures are attached to inodes. For their lifetime see the top of
 * mark.c.
 */
#ifndef _INODE_MAP_MARK_H
#define _INODE_MAP_MARK_H

#include <linux/container_of.h>
#include <linux/fsnotify_backend.h>
#include <linux/types.h>

struct inode;
struct kmem_cache;
struct qstr;

/**
 * struct inode_map_mark - the beginning of a structure that is attached to an inode
 * @fsn: the fsnotify mark, which counts the structure's references. Valid until fsnotify calls
 *	ops->free_mark, a grace period of its SRCU after the last reference is gone
 * @rcu: may free the structure from then on, if that has readers under RCU
 */
struct inode_map_mark {
	union {
		struct fsnotify_mark fsn;
		struct rcu_head rcu;
	};
};

/**
 * inode_map_mark_of - the mark of ours that a mark of fsnotify belongs to
 * @fsn: the fsnotify mark, within one of ours
 *
 * Return: the mark.
 */
static inline struct inode_map_mark *inode_map_mark_of(struct fsnotify_mark *fsn)
{
	return container_of(fsn, struct inode_map_mark, fsn);
}

/*
 * Attaching or destroying a mark takes the mutex of its fsnotify group. There are several groups,
 * so that tasks that make entries and tasks that evict inodes with entries seldom contend.
 */
#define INODE_MAP_MARK_GROUP_BITS	5

/**
 * struct inode_map_mark_class - a kind of mark
 * @name: name of its slab cache
 * @size: bytes of the structure that begins with the struct inode_map_mark
 * @mask: bits of the inode's i_fsnotify_mask while a mark is attached
 * @group_flags: FSNOTIFY_GROUP_*: whether an inode can have more than one of them
 * @ops: fsnotify callbacks; free_mark calls inode_map_mark_free(), or has it called
 * @groups: the fsnotify groups. The inode's address selects one, so an inode has all its marks of
 *	the class in the same group
 * @cache: slab cache of the structures: their sizes fit kmalloc()'s badly
 * @nr: how many marks are in memory. Atomic; inode_map_mark_class_unregister() waits until there is
 *	none
 *
 * Static; there is one of addons, one of pins and one of anchors. @groups and @cache are valid from
 * inode_map_mark_class_register() to inode_map_mark_class_unregister(). The other fields but @nr
 * never change from then on. No lock.
 */
struct inode_map_mark_class {
	const char *name;
	size_t size;
	u32 mask;
	unsigned int group_flags;
	const struct fsnotify_ops *ops;
	struct fsnotify_group *groups[1 << INODE_MAP_MARK_GROUP_BITS];
	struct kmem_cache *cache;
	atomic_t nr;
};

int inode_map_mark_class_register(struct inode_map_mark_class *class);
void inode_map_mark_class_unregister(struct inode_map_mark_class *class);

struct inode_map_mark *inode_map_mark_alloc(struct inode_map_mark_class *class,
					    const struct inode *inode, unsigned int flags);
int __must_check inode_map_mark_attach(struct inode_map_mark *mark, struct inode *inode);
struct inode_map_mark *inode_map_mark_find(struct inode_map_mark_class *class, struct inode *inode);
void inode_map_mark_put(struct inode_map_mark *mark);
void inode_map_mark_drop(struct inode_map_mark *mark);
void inode_map_mark_free(struct inode_map_mark_class *class, struct inode_map_mark *mark);

int inode_map_mark_handle_event(struct fsnotify_mark *fsn, u32 mask, struct inode *inode,
				struct inode *dir, const struct qstr *name, u32 cookie);

#endif /* _INODE_MAP_MARK_H */
