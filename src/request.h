/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries that programs make, by themselves or through a worker.
 */
#ifndef _INODE_MAP_REQUEST_H
#define _INODE_MAP_REQUEST_H

#include <linux/types.h>

struct inode;
struct inode_map;
struct inode_map_account;
struct inode_map_entry;

/* How many requests of a map may wait for its worker. */
#define INODE_MAP_REQUESTS_MAX	256

struct inode_map_entry *inode_map_make(struct inode_map *map, struct inode *inode, bool weak,
				       const void *value, u64 flags);
int inode_map_request(struct inode_map *map, struct inode *inode, bool weak, const void *value);

unsigned int inode_map_request_count(void);
unsigned int inode_map_request_lost(void);

void inode_map_requests_init(struct inode_map_account *account);
int inode_map_request_init(void);
void inode_map_request_exit(void);

#endif /* _INODE_MAP_REQUEST_H */
