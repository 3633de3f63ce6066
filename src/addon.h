/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addon: what the module attaches to an inode that is in any map. For its locking and lifetime
 * see the top of addon.c.
 */
#ifndef _INODE_MAP_ADDON_H
#define _INODE_MAP_ADDON_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/container_of.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "compat.h"
#include "mark.h"
#include "nofault.h"

struct inode_map_remark;
struct inode_map_super;

/*
 * The bit of inode->i_fsnotify_mask that says "this inode may have an addon". fsnotify() never
 * raises it for an inode: inotify queues FS_IN_IGNORED itself, and FS_ERROR, which has the same
 * value, goes to marks on superblocks. So the bit causes no notifications. Audit trees use the same
 * bit for the same reason: an inode without it has no addon, an inode with it may have none.
 */
#define INODE_MAP_ADDON_MASK	FS_IN_IGNORED
/* inode_map_word_has_or() tests this one. */
static_assert(BIT(15) == INODE_MAP_ADDON_MASK);

/**
 * struct inode_map_addon - one for each inode that is in any map, however many maps
 * @mark: how the addon is found from the inode and learns that the inode ends. Must be first.
 *	fsnotify counts its references: one of all users together, one of fsnotify as long as it is
 *	attached, and one of each anchor. After the last, and grace periods of fsnotify's SRCU and
 *	then of RCU, the addon is freed
 * @inode: the inode. May be dereferenced while an entry is in @entries and @lock is held, or by a
 *	task that holds the inode; otherwise only an address
 * @super: what the module keeps of its superblock (super.c). Referenced until the addon is freed
 * @ino: inode number when the addon was made. Never changes
 * @gen: generation, likewise
 * @dev: device as by stat(2), if a caller knew that, or else the superblock's. No lock: stored and
 *	loaded whole
 * @users: entries until they are released, tasks about to add one, and a reprieve (remark.c). Never
 *	rises from zero. The last user drops @anchor and the users' reference to @mark. The count in
 *	@mark does not do for this: it tells when to free the addon, and not when to detach it
 * @lock: protects @entries to @dead. The map's lock (map->index.xa_lock), the mark's lock and
 *	inode->i_lock nest inside. Nothing is released under it
 * @entries: the entries of all maps for this inode, linked by their in_addon
 * @pin: mark that keeps the inode in memory for pinned users when @mark does not, or NULL. The
 *	addon has a reference to it, which goes with the last pinned user
 * @anchor: mark that fsnotify calls for the addon since it destroyed @mark (anchor.c), or NULL. The
 *	addon has a reference to it; the last user drops that without @lock
 * @remark: the reprieve that attaches the next anchor, or NULL. Valid as long as it is here
 * @pinned_users: how many of @users want the inode kept in memory
 * @pins: whether @mark keeps the inode in memory. Read without @lock when the addon is freed
 * @dead: the inode is gone or going: no entry is left and none may be added. Never cleared
 * @attached: fsnotify has taken @mark into account for the inode's mask and for whether the inode
 *	is kept. No lock; set with release, never cleared
 *
 * An addon that was found through an entry may be dereferenced until the RCU read-side section
 * ends, and its inode may not. What readers show of the inode is copied here and constant, except
 * for @dev.
 */
struct inode_map_addon {
	struct inode_map_mark mark;
	struct inode *inode;
	struct inode_map_super *super;
	u64 ino;
	u32 gen;
	dev_t dev;
	refcount_t users;
	spinlock_t lock;
	struct hlist_head entries;
	struct inode_map_mark *pin;
	struct inode_map_mark *anchor;
	struct inode_map_remark *remark;
	u32 pinned_users;
	bool pins;
	bool dead;
	bool attached;
};

static_assert(offsetof(struct inode_map_addon, mark) == 0);

/**
 * inode_map_addon_of - the addon that a mark belongs to
 * @mark: the addon's own mark
 *
 * Return: the addon.
 */
static inline struct inode_map_addon *inode_map_addon_of(struct inode_map_mark *mark)
{
	return container_of(mark, struct inode_map_addon, mark);
}

/*
 * Minus the number of addons that are about to get another mark: see remark.c. Atomic; lowered
 * under addon->lock, raised without.
 */
extern atomic_t inode_map_remarks;

/**
 * inode_map_in_any - whether an inode may be in any map, by the bit that its addon sets
 * @inode: any pointer; what does not point to an inode is in no map
 *
 * The usual answer is no, after two loads. The second one, of inode_map_remarks, matters only on
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
static __always_inline bool inode_map_in_any(const struct inode *inode)
{
	return inode_map_word_has_or(inode, &inode->i_fsnotify_mask, &inode_map_remarks);
}

__noendbr struct inode_map_addon *inode_map_addon_find(struct inode *inode);
struct inode_map_addon *inode_map_addon_get(struct inode *inode, dev_t dev, bool pinned);
bool __must_check inode_map_addon_put(struct inode_map_addon *addon, bool pinned);
void inode_map_addon_release(struct inode_map_addon *addon);

void inode_map_addon_unpin(struct inode_map_addon *addon);
int inode_map_addon_repin(struct inode_map_addon *addon);

unsigned int inode_map_addon_count(void);
unsigned int inode_map_pin_count(void);

int inode_map_addon_init(void (*freeing)(struct fsnotify_mark *fsn, struct fsnotify_group *group));
void inode_map_addon_exit(void);

#endif /* _INODE_MAP_ADDON_H */
