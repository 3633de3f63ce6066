/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accounts: what the entries of a map cost, and who pays. Described at the top of account.c.
 */
#ifndef _INODE_MAP_ACCOUNT_H
#define _INODE_MAP_ACCOUNT_H

#include <linux/gfp.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct inode_map;
struct mem_cgroup;

/*
 * For all that a map consists of; charged to the memory cgroup of its creator. If a limit is
 * reached, or no memory can hold the size, the caller gets an error: nothing goes to the log, and
 * nothing is killed.
 */
#define INODE_MAP_GFP		(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/*
 * Instead of INODE_MAP_GFP, for programs that may sleep, but not for a grace period, and for
 * programs that may not sleep.
 */
#define INODE_MAP_GFP_PROG	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY)
#define INODE_MAP_GFP_NOWAIT	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

/**
 * struct inode_map_account - what the entries of one map cost
 * @users: references: one of the map, and one of each entry and each request until it is freed.
 *	Never rises from zero; the last one frees the account, in any context but NMI
 * @map: the map. Set once, before the account can be found. Only an address once the map is freed,
 *	which is not before its last entry is unlinked: hold that entry's addon->lock, and see that
 *	the entry is linked
 * @memcg: memory cgroup of the map's creator, or NULL. Never changes; referenced until the account
 *	is freed
 * @dead_bytes: bytes of entries that wait for a grace period. Atomic
 * @progress: jiffies when such entries were last freed, or when an updater last gave up waiting for
 *	that. No lock; a stale value makes an updater wait once more, or once less
 * @nr_requests: entries that programs have asked for and no worker has made yet (request.c). Atomic
 * @requests: those that the worker is to look at. A lockless list; each request on it keeps the
 *	account
 * @request_work: makes them, one after the other. Queued with the first request on an empty list;
 *	the requests keep the account until it has finished the last
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
 * inode_map_account_get - take a reference to an account
 * @account: an account that the caller has a reference to, or whose map it found under RCU
 *
 * The map keeps its own until a grace period of RCU after nobody can find it any more.
 *
 * Return: @account, for inode_map_account_put().
 */
static inline struct inode_map_account *inode_map_account_get(struct inode_map_account *account)
{
	refcount_inc(&account->users);
	return account;
}

/**
 * inode_map_account_begin - charge what is allocated from here on to an account
 * @account: the account
 *
 * The map's creator pays, and not the task in which a program makes an entry, or an updater.
 *
 * Context: any but NMI. Lasts until inode_map_account_end(), which the same context calls.
 * Return: the argument for inode_map_account_end().
 */
static inline struct mem_cgroup *inode_map_account_begin(const struct inode_map_account *account)
{
	return set_active_memcg(account->memcg);
}

/**
 * inode_map_account_end - charge as before
 * @before: what inode_map_account_begin() returned
 *
 * Context: that of inode_map_account_begin().
 */
static inline void inode_map_account_end(struct mem_cgroup *before)
{
	set_active_memcg(before);
}

#endif /* _INODE_MAP_ACCOUNT_H */
