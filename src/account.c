// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts.
 *
 * An account outlives its map: entries that have left the map wait for a filesystem to let go of
 * their inode, and for grace periods, and use memory all that time.
 *
 * Entries and all that they need are charged to the memory cgroup of the task that created the map,
 * as with the kernel's own maps. If that cgroup has been removed, its parent is charged.
 *
 * An entry that was removed or replaced stays in memory, and charged, for some hundredths of a
 * second. A task that updates faster than that must not fill its cgroup with dead entries. So the
 * account says when its map is behind, and bpf(2) makes the updater of that map wait, and no other
 * task (device.c). Programs can't wait, because the grace period waits for them: what they do fails
 * when there are very many dead entries (inode_map_account_is_full()).
 *
 * A sleepable program can hold up a grace period for as long as it likes. So no task waits longer
 * than a second in which nothing is freed.
 *
 * Locks: none. The counters are atomic.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "account.h"

/* Bytes of a map's entries that may wait for a grace period: without bpf(2) waiting, and at all. */
#define DEAD_BYTES_BEHIND	SZ_4M
#define DEAD_BYTES_MAX		SZ_64M

/**
 * inode_map_account_create - make the account of a new map
 * @map: the map
 *
 * The caller prepares it for requests, with inode_map_requests_init().
 *
 * Context: process, in the task that creates the map; may sleep.
 * Return: the account, for inode_map_account_put(), or NULL.
 */
struct inode_map_account *inode_map_account_create(struct inode_map *map)
{
	struct inode_map_account *account = kzalloc(sizeof(*account), INODE_MAP_GFP);

	if (!account)
		return NULL;
	refcount_set(&account->users, 1);
	account->map = map;
	account->memcg = get_mem_cgroup_from_mm(current->mm);
	account->progress = jiffies;
	return account;
}

/**
 * inode_map_account_put - drop a reference to an account
 * @account: the account
 *
 * Context: any but NMI; does not sleep.
 */
void inode_map_account_put(struct inode_map_account *account)
{
	if (!refcount_dec_and_test(&account->users))
		return;
	mem_cgroup_put(account->memcg);
	kfree(account);
}

/**
 * inode_map_account_is_behind - must an updater of the map wait?
 * @account: the account
 *
 * Context: process; does not sleep.
 * Return: true if there are many dead bytes in memory and some were freed within the last second.
 * If none were, one caller a second gets false and need not wait.
 */
bool inode_map_account_is_behind(struct inode_map_account *account)
{
	unsigned long progress = READ_ONCE(account->progress);

	if (atomic_long_read(&account->dead_bytes) <= DEAD_BYTES_BEHIND)
		return false;
	return time_before(jiffies, progress + HZ) ||
	       cmpxchg(&account->progress, progress, jiffies) != progress;
}

/**
 * inode_map_account_is_full - must no entry be made for the map?
 * @account: the account
 *
 * Context: any; does not sleep.
 * Return: true if there are very many dead bytes in memory.
 */
bool inode_map_account_is_full(const struct inode_map_account *account)
{
	return atomic_long_read(&account->dead_bytes) > DEAD_BYTES_MAX;
}

/**
 * inode_map_account_freed - tell that an entry that waited for a grace period is freed
 * @account: the account
 * @bytes: bytes of the entry
 *
 * Context: process; does not sleep.
 */
void inode_map_account_freed(struct inode_map_account *account, u32 bytes)
{
	atomic_long_sub(bytes, &account->dead_bytes);
	WRITE_ONCE(account->progress, jiffies);
}
