/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counted marks on inodes: found or added atomically, released when their last user is gone.
 * The story of their locking and lifetime opens mark.c.
 */
#ifndef _INODE_MAP_MARK_H
#define _INODE_MAP_MARK_H

#include <linux/fsnotify_backend.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

struct inode_mark;

/**
 * struct inode_mark_class - a kind of mark; an inode has at most one of each kind
 * @size: bytes of the structure that begins with the struct inode_mark
 * @mask: becomes part of the inode's i_fsnotify_mask while the mark is attached
 * @flags: FSNOTIFY_MARK_FLAG_* to attach the mark with
 * @init: fills in what follows the struct inode_mark, before anybody else can see it; may be NULL
 * @ops: fsnotify callbacks; free_mark is inode_mark_free()
 * @group: the fsnotify group of all marks of this kind
 * @nr: how many are allocated
 */
struct inode_mark_class {
	size_t size;
	u32 mask;
	unsigned int flags;
	void (*init)(struct inode_mark *mark, struct inode *inode);
	struct fsnotify_ops ops;
	struct fsnotify_group *group;
	atomic_t nr;
};

/**
 * struct inode_mark - an fsnotify mark with a count of users
 * @fsn: the mark. Its reference from initialization belongs to @users as a whole and is dropped by
 *	@release
 * @users: who needs the mark: entries of maps, and tasks about to add one. Once zero it stays zero
 * @class: never changes
 * @release: queued when @users reaches zero
 * @rcu: frees the memory, after fsnotify's own SRCU grace period
 */
struct inode_mark {
	struct fsnotify_mark fsn;
	refcount_t users;
	struct inode_mark_class *class;
	struct work_struct release;
	struct rcu_head rcu;
};

int inode_mark_class_register(struct inode_mark_class *class);
void inode_mark_class_unregister(struct inode_mark_class *class);

struct inode_mark *inode_mark_get(struct inode_mark_class *class, struct inode *inode);
void inode_mark_put(struct inode_mark *mark);
void inode_mark_destroy(struct inode_mark_class *class, struct inode *inode);

int inode_mark_handle_event(struct fsnotify_mark *fsn, u32 mask, struct inode *inode,
			    struct inode *dir, const struct qstr *name, u32 cookie);
void inode_mark_free(struct fsnotify_mark *fsn);

int inode_mark_init(void);
void inode_mark_exit(void);

#endif /* _INODE_MAP_MARK_H */
