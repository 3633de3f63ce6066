// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts.
 *
 * An account outlives its map: entries that have left the map wait for a filesystem to let go of
 * their inode, and for grace periods, and so long are memory.
 *
 * Entries, with all that hangs on them, are charged to the memory cgroup of the task that created
 * the map, as those of the kernel's own maps are. A cgroup that was removed meanwhile charges to its
 * parent.
 *
 * An entry that was removed or replaced stays in memory, and charged, for some hundredths of a
 * second. Who updates faster than that must not run into the limit of a cgroup with dead entries. So
 * the account of a map says when it is behind, and bpf(2) has the updater of that map wait, and
 * nobody else (device.c). What programs do can't wait, because the grace period would wait for the
 * program: it fails when there are very many (inode_map_account_is_full()).
 *
 * A sleepable program can hold up a grace period for as long as it likes. So nobody waits for longer
 * than a second in which nothing is freed.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "account.h"
#include "mark.h"
#include "request.h"

/* How many bytes of a map's entries may wait for a grace period before bpf(2) waits, and at all. */
#define DEAD_BYTES_BEHIND	SZ_4M
#define DEAD_BYTES_MAX		SZ_64M

/**
 * inode_map_account_create - open the account of a map
 * @map: the map
 *
 * Context: process, of the map's creator; may sleep.
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
	inode_map_requests_init(account);
	return account;
}

/**
 * inode_map_account_put - count a user out
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
 * inode_map_account_is_behind - has an updater of the map to wait?
 * @account: the account
 *
 * Context: process; does not sleep.
 * Return: whether many dead bytes are in memory, and some were freed within the last second. If they
 * were not, one caller a second is told that he need not wait.
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
 * inode_map_account_is_full - is no entry to be made for the map?
 * @account: the account
 *
 * Context: any; does not sleep.
 * Return: whether very many dead bytes are in memory.
 */
bool inode_map_account_is_full(const struct inode_map_account *account)
{
	return atomic_long_read(&account->dead_bytes) > DEAD_BYTES_MAX;
}

/**
 * inode_map_account_freed - an entry that waited for a grace period is freed
 * @account: the account
 * @bytes: of the entry
 *
 * Context: process; does not sleep.
 */
void inode_map_account_freed(struct inode_map_account *account, u32 bytes)
{
	atomic_long_sub(bytes, &account->dead_bytes);
	WRITE_ONCE(account->progress, jiffies);
}
