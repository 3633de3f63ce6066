/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys: from what bpf(2) passes to an inode or a handle, and back.
 */
#ifndef _INODE_MAP_KEY_H
#define _INODE_MAP_KEY_H

#include <linux/file.h>
#include <linux/types.h>

struct inode;
struct inode_map;
struct inode_map_entry;
struct inode_map_key;

/**
 * struct inode_map_target - what a key names
 * @fd: the open file that names an inode, or empty if the key is a handle. Held until
 *	inode_map_key_put()
 * @inode: the inode of @fd, which holds it, or NULL
 * @weak: with @fd, whether a weak entry is asked for
 * @handle: without @fd, the entry's handle; may name no entry
 *
 * On the stack of the task that makes the system call. No lock.
 */
struct inode_map_target {
	struct fd fd;
	struct inode *inode;
	bool weak;
	u32 handle;
};

bool inode_map_key_size_ok(u32 key_size);
int __must_check inode_map_key_get(const struct inode_map *map, const void *key,
				   struct inode_map_target *target);
void inode_map_key_put(struct inode_map_target *target);
dev_t inode_map_target_dev(const struct inode_map_target *target);
void inode_map_key_fill_full(const struct inode_map_entry *entry, struct inode_map_key *key);
void inode_map_key_fill(const struct inode_map *map, const struct inode_map_entry *entry,
			void *key);

#endif /* _INODE_MAP_KEY_H */
