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
 * @node: links it into its superblock's list
 * @release: releases it, in process context; may sleep
 */
struct inode_map_release {
	struct llist_node node;
	void (*release)(struct inode_map_release *release);
};

/**
 * struct inode_map_super - the record of one superblock
 * @in_supers: links it into the table of all records, under supers_lock
 * @sb: the superblock. Only an address to compare: the superblock may be gone
 * @dev: the superblock's device
 * @users: addons and holds. Never rises from zero; the last user frees the record
 * @releases: what @work is to release. A lockless list
 * @work: releases them, one after the other
 * @rcu: frees the record
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
