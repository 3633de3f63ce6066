/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addon: what the module attaches to an inode that is in any map. For its locking and lifetime
 * see the top of addon.c.
 */
#ifndef _INODE_MAP_ADDON_H
#define _INODE_MAP_ADDON_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "compat.h"
#include "mark.h"

struct inode_map_super;
struct inode_remark;

/*
 * The bit of inode->i_fsnotify_mask that says "this inode may have an addon". fsnotify() never
 * raises it for an inode: inotify queues FS_IN_IGNORED itself, and FS_ERROR, which has the same
 * value, goes to marks on superblocks. So the bit causes no notifications. Audit trees use the same
 * bit for the same reason: an inode without it has no addon, an inode with it may have none.
 */
#define INODE_ADDON_MASK	FS_IN_IGNORED

/**
 * struct inode_addon - one for each inode that is in any map, however many maps
 * @mark: how the addon is found from the inode and learns that the inode ends. Must be first
 * @inode: the inode. May be dereferenced while an entry is in @entries and @lock is held; otherwise
 *	only an address
 * @super: what the module keeps of its superblock (super.c), until the addon is freed
 * @ino: inode number when the addon was made. Never changes
 * @gen: generation, likewise
 * @dev: device as by stat(2), if a caller knew that, or else the superblock's. No lock
 * @users: entries, tasks about to add one, and a reprieve (remark.c). Never rises from zero. All of
 *	them share the mark's reference from its allocation, which the last user drops
 * @lock: protects @entries to @dead. The map's lock (map->index.xa_lock) nests inside
 * @entries: the entries of all maps for this inode, linked by their in_addon
 * @pin: mark that keeps the inode in memory for pinned users when @mark does not, or NULL
 * @anchor: mark that fsnotify calls for the addon since it destroyed @mark (remark.c), or NULL
 * @remark: the reprieve that attaches the next anchor, or NULL
 * @pinned_users: how many of @users want the inode kept in memory
 * @pins: whether @mark keeps the inode in memory
 * @dead: the inode is gone or going: no entry is left and none may be added. Never cleared
 * @attached: fsnotify has taken @mark into account for the inode's mask and for whether the inode
 *	is kept. No lock; set once, with release
 *
 * An addon that was found through an entry may be dereferenced until the RCU read-side section
 * ends, and its inode may not. What readers show of the inode is copied here and constant, except
 * for @dev.
 */
struct inode_addon {
	struct inode_mark mark;
	struct inode *inode;
	struct inode_map_super *super;
	u64 ino;
	u32 gen;
	dev_t dev;
	refcount_t users;
	spinlock_t lock;
	struct hlist_head entries;
	struct inode_mark *pin;
	struct inode_mark *anchor;
	struct inode_remark *remark;
	u32 pinned_users;
	bool pins;
	bool dead;
	bool attached;
};

/* Minus the number of addons that are about to get another mark: see remark.c. */
extern atomic_t inode_remarks;

/**
 * inode_in_any_map - whether an inode may be in any map, by the bit that its addon sets
 * @inode: any pointer; what does not point to an inode is in no map
 *
 * The usual answer is no, after two loads. The second one, of inode_remarks, matters only on
 * kernels that clear the bit while the inode is in use: the number goes down before the bit is
 * cleared, and up a grace period after it has been set again.
 *
 * Most LSM programs pass an inode that the kernel holds for them, but a program may pass any
 * pointer (see kfunc.c). If the load faults, or for NULL, the answer is no. (Entries that have
 * ended have NULL for their inode.) If another inode is at the address by now, its entries are the
 * ones found.
 *
 * Context: any.
 * Return: true if it may be in a map, false if it is in none.
 */
static __always_inline bool inode_in_any_map(const struct inode *inode)
{
	BUILD_BUG_ON(BIT(15) != INODE_ADDON_MASK);
	return kernel_word_has_or(inode, &inode->i_fsnotify_mask, &inode_remarks);
}

struct inode_addon *inode_addon_get(struct inode *inode, dev_t dev, bool pinned);
bool inode_addon_put(struct inode_addon *addon, bool pinned);
void inode_addon_release(struct inode_addon *addon);
void inode_addon_end(struct inode *inode);

void inode_addon_lost(struct inode_addon *addon, struct inode_mark *mark);
void inode_addon_die(struct inode_addon *addon);
void inode_addon_unpin(struct inode_addon *addon);
int inode_addon_repin(struct inode_addon *addon);

unsigned int inode_addon_count(void);
unsigned int inode_pin_count(void);

int inode_addon_init(void);
void inode_addon_exit(void);

#endif /* _INODE_MAP_ADDON_H */
