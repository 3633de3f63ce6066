/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Superblocks: a record for each that has inodes in maps. Described at the top of super.c.
 */
#ifndef _INODE_MAP_SUPER_H
#define _INODE_MAP_SUPER_H

#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct super_block;

/**
 * struct inode_map_release - something to release that may wait for a filesystem
 * @node: links it into its superblock's list, from inode_map_super_release() until @release is
 *	called. A lockless list
 * @release: releases it, in process context; may sleep. Set before it is queued
 *
 * Part of what is released, which nobody else uses from then on; @release frees that.
 */
struct inode_map_release {
	struct llist_node node;
	void (*release)(struct inode_map_release *release);
};

/**
 * struct inode_map_super - the record of one superblock
 * @in_supers: links it into the table of all records. Changed under supers_lock, read under RCU
 * @sb: the superblock. Never changes. Only an address to compare: the superblock may be gone
 * @dev: the superblock's device. Never changes
 * @users: addons and holds. Never rises from zero. Falls to zero under supers_lock; that user takes
 *	the record out of the table and frees it
 * @releases: what @work is to release. A lockless list; what is on it keeps the record
 * @work: releases them, one after the other. Queued with the first on an empty list. The last
 *	release may free the record
 * @rcu: frees the record after a grace period of RCU
 */
struct inode_map_super {
	struct hlist_node in_supers;
	const struct super_block *sb;
	dev_t dev;
	refcount_t users;
	struct llist_head releases;
	struct work_struct work;
	struct rcu_head rcu;
};

struct inode_map_super *inode_map_super_get(const struct super_block *sb, gfp_t gfp);
void inode_map_super_put(struct inode_map_super *super);
void inode_map_super_release(struct inode_map_super *super, struct inode_map_release *release);

int inode_map_super_init(void);
void inode_map_super_exit(void);

#endif /* _INODE_MAP_SUPER_H */
