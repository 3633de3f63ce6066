// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees: the entry of the nearest ancestor of a file.
 *
 * A walk follows d_parent pointers up from a dentry, under RCU and without a reference on anything.
 * It sees the tree as of a single moment: rename_lock's sequence count, which every move of a
 * dentry raises, must be the same before and after it. A reader can't wait for an odd count to
 * become even, because a tracing program may have interrupted the very rename that made it odd. So
 * a walk is tried a number of times. If every try met a rename, a task that holds no spinlock, as
 * at security hooks, waits for the lock and walks once more. Others get an error.
 *
 * Programs may pass any pointer for a dentry (see kfunc.c). So every access to one is a load that
 * survives a fault, and inodes are only looked up by address. A stale dentry gives the answer for
 * whatever it has become, as with bpf_probe_read_kernel(), and what never was one gives some error.
 *
 * A dentry that was opened by file handle may be disconnected. It stays so as long as it is in use,
 * even if somebody looks its name up meanwhile and gets another dentry. Its ancestors are unknown
 * then, which is not the same as having none (pipes, sockets).
 *
 * Locks: rename_lock, only where inode_map_may_lock() or the caller may sleep.
 */
#include <linux/dcache.h>
#include <linux/errno.h>
#include <linux/fs_struct.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/types.h>

#include "addon.h"
#include "context.h"
#include "hash.h"
#include "nofault.h"
#include "tree.h"

/* How often the count is read, and how many walks are made at an even count, before giving up. */
#define TREE_LOOKS	256
#define TREE_WALKS	16

/**
 * struct inode_map_tree_walk - a walk from a dentry to the root of its filesystem
 * @map: the map in which ancestors are looked up
 * @limit: how many dentries may be looked at
 * @distance: how many steps up the entry found is, or the root
 * @found: the entry, or NULL
 *
 * On the walker's stack.
 */
struct inode_map_tree_walk {
	struct inode_map *map;
	u32 limit;
	u32 distance;
	struct inode_map_entry *found;
};

/* The result of a walk that found nothing up to the root of a tree. */
static int tree_end(const struct dentry *root)
{
	return inode_map_word_has(root, &root->d_flags, DCACHE_DISCONNECTED) ? -EAGAIN : -ENOENT;
}

/*
 * Returns 0, -ENOENT, -ELOOP, -EFAULT, or -EAGAIN if the tree is disconnected. Without the lock the
 * walk may have seen a dentry at one place and its parent at another.
 */
static __always_inline int tree_walk_once(struct inode_map_tree_walk *walk,
					  const struct dentry *dentry)
{
	const struct dentry *parent;
	struct inode *inode;

	for (u32 left = walk->limit; left; left--, dentry = parent) {
		if (!inode_map_may_load(dentry))
			return -EFAULT;
		inode = inode_map_load_ptr(&dentry->d_inode);
		parent = inode_map_load_ptr(&dentry->d_parent);
		if (inode_map_in_any(inode)) {
			walk->found = inode_map_find(walk->map, inode);
			if (walk->found) {
				walk->distance = walk->limit - left;
				return 0;
			}
		}
		if (parent == dentry) {
			walk->distance = walk->limit - left;
			return tree_end(dentry);
		}
	}
	return -ELOOP;
}

static int tree_walk(struct inode_map_tree_walk *walk, const struct dentry *dentry)
{
	struct inode_map_tree_walk own = { .map = walk->map, .limit = 1 };
	/*
	 * The bare count. On PREEMPT_RT a reader of the count with its associated lock takes that
	 * lock while the count is odd, but the program may have interrupted the holder, or its own
	 * task may be the holder.
	 */
	const seqcount_t *moves = &rename_lock.seqcount.seqcount;
	unsigned int seq;
	int err;

	for (unsigned int looks = 0; looks < TREE_LOOKS; looks++) {
		seq = raw_read_seqcount(moves);
		if (seq & 1) {
			cpu_relax();
			continue;
		}
		err = tree_walk_once(walk, dentry);
		if (!read_seqcount_retry(moves, seq))
			return err;
		looks += TREE_LOOKS / TREE_WALKS;
	}
	/* The dentry's own entry does not depend on where the dentry is. */
	if (tree_walk_once(&own, dentry))
		return -EAGAIN;
	*walk = own;
	return 0;
}

static int tree_walk_locked(struct inode_map_tree_walk *walk, const struct dentry *dentry)
{
	int err;

	read_seqlock_excl(&rename_lock);
	err = tree_walk_once(walk, dentry);
	read_sequnlock_excl(&rename_lock);
	return err;
}

/**
 * inode_map_tree_find - find the entry of a dentry or of its nearest ancestor that has one
 * @map: the map
 * @dentry: where to begin; may be negative. NULL and stale pointers are safe
 * @found: gets the entry
 *
 * The walk ends at the root of the filesystem, whatever is mounted.
 *
 * Context: any, NMI included, inside an RCU or RCU-tasks-trace read-side section. The result is
 * valid until that ends.
 * Return: the distance, 0 for the dentry itself, or -ENOENT (none has an entry). If the walk could
 * not tell: -EAGAIN (dentries were being moved all the time and the context may not wait, or the
 * dentry is not connected to the root of its filesystem), -ELOOP (INODE_MAP_TREE_DEPTH dentries had
 * no entry, and there are more), -EFAULT (it is not a dentry).
 */
int inode_map_tree_find(struct inode_map *map, struct dentry *dentry,
			struct inode_map_entry **found)
{
	struct inode_map_tree_walk walk = { .map = map, .limit = INODE_MAP_TREE_DEPTH };
	int err;

	rcu_read_lock();
	err = tree_walk(&walk, dentry);
	if (err == -EAGAIN && inode_map_may_lock())
		err = tree_walk_locked(&walk, dentry);
	rcu_read_unlock();
	*found = walk.found;
	return err ?: walk.distance;
}

/**
 * inode_map_tree_find_path - find the entry of a file or of its nearest ancestor, across mounts
 * @map: the map
 * @path: where to begin; the caller holds a reference to it
 * @found: gets the entry
 *
 * If a filesystem has no entry up to its root the walk goes on at the directory that it is mounted
 * on. It ends in the filesystem of the task's root directory, or in one that is mounted nowhere. A
 * bind mount does not hide what is above it in its own filesystem.
 *
 * Each filesystem is seen as of a single moment, one after the other.
 *
 * Context: process; may sleep. Inside an RCU-tasks-trace read-side section; the result is valid
 * until that ends.
 * Return: the distance, with a filesystem's root one below the directory that it is mounted on, or
 * an error as from inode_map_tree_find(), but never -EAGAIN because of renames.
 */
int inode_map_tree_find_path(struct inode_map *map, const struct path *path,
			     struct inode_map_entry **found)
{
	struct inode_map_tree_walk walk = { .map = map, .limit = INODE_MAP_TREE_DEPTH };
	struct path walker = *path, root = {};
	u32 distance = 0;
	int err;

	/* An exiting task may have none any more. */
	if (current->fs)
		get_fs_root(current->fs, &root);
	path_get(&walker);
	for (;;) {
		rcu_read_lock();
		err = tree_walk(&walk, walker.dentry);
		if (err == -EAGAIN)
			err = tree_walk_locked(&walk, walker.dentry);
		rcu_read_unlock();
		distance += walk.distance;
		if (err != -ENOENT || walker.mnt == root.mnt || !follow_up(&walker))
			break;
		distance++;
		walk.limit = INODE_MAP_TREE_DEPTH - distance;
	}
	path_put(&walker);
	path_put(&root);
	*found = walk.found;
	return err ?: distance;
}
