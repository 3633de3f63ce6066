/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Superblocks: what the module keeps of each that has inodes in maps. The story opens super.c.
 */
#ifndef _INODE_MAP_SUPER_H
#define _INODE_MAP_SUPER_H

#include <linux/llist.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct super_block;

/**
 * struct inode_map_release - something to be let go of that may wait for a filesystem
 * @node: links it into the list of its superblock
 * @release: lets go of it, in process context; may sleep
 */
struct inode_map_release {
	struct llist_node node;
	void (*release)(struct inode_map_release *release);
};

/**
 * struct inode_map_super - what is kept of one superblock
 * @in_supers: links it into the table of all of them, under its lock
 * @sb: the superblock. An address to compare; it may be gone
 * @dev: its device
 * @users: addons and holds. With the last one it is freed
 * @releases: what is to be let go of
 * @work: does so, one after the other
 * @rcu: frees it
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
