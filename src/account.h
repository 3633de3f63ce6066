/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts: what a map's entries cost, and whom. The story opens account.c.
 */
#ifndef _INODE_MAP_ACCOUNT_H
#define _INODE_MAP_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

struct inode_map;

/**
 * struct inode_map_account - what the entries of one map cost
 * @users: the map, until it is freed, and its entries, until they are; and requests
 * @map: the map. For those who keep an entry from being unlinked, and so the map from being freed
 * @memcg: the memory cgroup of the map's creator, or NULL
 * @dead_bytes: bytes of entries that wait for a grace period
 * @progress: jiffies when some of these were freed last, or when somebody gave up waiting for that
 * @nr_requests: entries that programs have asked for and no worker has made yet (request.c)
 * @requests: those that the worker is to look at
 * @request_work: makes them, one after the other
 */
struct inode_map_account {
	refcount_t users;
	struct inode_map *map;
	struct mem_cgroup *memcg;
	atomic_long_t dead_bytes;
	unsigned long progress;
	atomic_t nr_requests;
	struct llist_head requests;
	struct work_struct request_work;
};

struct inode_map_account *inode_map_account_create(struct inode_map *map);
void inode_map_account_put(struct inode_map_account *account);
bool inode_map_account_is_behind(struct inode_map_account *account);
bool inode_map_account_is_full(const struct inode_map_account *account);
void inode_map_account_freed(struct inode_map_account *account, u32 bytes);

/**
 * inode_map_account_get - count an entry in
 * @account: an account that the caller is a user of, or whose map he has under RCU
 *
 * The map is a user until a grace period of RCU after nobody can find it any more.
 *
 * Return: @account, for inode_map_account_put().
 */
static inline struct inode_map_account *inode_map_account_get(struct inode_map_account *account)
{
	refcount_inc(&account->users);
	return account;
}

/**
 * inode_map_account_begin - charge to an account what is allocated from here on
 * @account: the account
 *
 * Who fires a program that makes an entry pays for it no more than who updates another's map.
 *
 * Context: any but NMI. Until inode_map_account_end(), in the same context.
 * Return: what that is to be given.
 */
static inline struct mem_cgroup *inode_map_account_begin(const struct inode_map_account *account)
{
	return set_active_memcg(account->memcg);
}

/**
 * inode_map_account_end - charge as before
 * @before: what inode_map_account_begin() returned
 *
 * Context: as that.
 */
static inline void inode_map_account_end(struct mem_cgroup *before)
{
	set_active_memcg(before);
}

#endif /* _INODE_MAP_ACCOUNT_H */
