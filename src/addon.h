/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The addon: what the module hangs on an inode that is in any map. The story of its locking and
 * lifetime opens addon.c.
 */
#ifndef _INODE_MAP_ADDON_H
#define _INODE_MAP_ADDON_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "compat.h"
#include "mark.h"
#include "super.h"

struct inode_remark;

/*
 * The bit of inode->i_fsnotify_mask that says "this inode may have an addon". fsnotify() never
 * raises it for an inode: inotify queues FS_IN_IGNORED itself, and FS_ERROR, which has the same
 * value, goes to marks on superblocks. So it costs the inode no notification. Audit trees use the
 * same bit for the same reason: without it there is no addon, with it there may be none.
 */
#define INODE_ADDON_MASK	FS_IN_IGNORED

/**
 * struct inode_addon - one for each inode that is in any map, whatever number of maps
 * @mark: finds the addon from the inode and is told when the inode ends. Must be first
 * @inode: the inode. Alive while the addon has an entry and @lock is held; else only an address
 * @super: what the module keeps of its superblock
 * @ino: the inode's number, when the addon was made
 * @gen: its generation, likewise
 * @dev: the device that stat(2) says it is on, as far as anybody could ask; or else its superblock's.
 *	Not protected
 * @users: who needs the addon: entries, and tasks about to add one. Once zero it stays zero. They
 *	share the mark's reference from its allocation
 * @lock: protects the fields below; the lock of a map's index nests inside
 * @entries: the entries of all maps for this inode, through their in_addon
 * @pin: keeps the inode in memory for pinned users when @mark does not, or NULL
 * @anchor: the mark that fsnotify calls for the addon since @mark was destroyed (remark.c), or NULL
 * @remark: attaches the next anchor, or NULL
 * @pinned_users: how many of the users want the inode to be kept in memory
 * @pins: whether @mark keeps the inode in memory
 * @dead: the inode is gone or going: no entry may be added, and none is left
 * @attached: @mark is one of those by which fsnotify has calculated the inode's mask, and whether
 *	the inode is kept. Not protected; stored with release
 *
 * Under RCU, and for no longer, an addon that was found through an entry can be dereferenced. Its
 * inode can't: what readers show of it is copied here, and does not change, but for the device.
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

/* Minus the number of addons that have lost their mark at this moment: see remark.c. */
extern atomic_t inode_remarks;

/**
 * inode_in_any_map - whether an inode is in any map, by the bit that its addon sets
 * @inode: any pointer; what does not point to an inode is in no map
 *
 * The common answer is no, and this makes it two loads. The second one is of what comes to be only
 * on kernels that clear the bit while the inode is in use. The number goes down before the bit is
 * cleared, and up a grace period after it has been set again.
 *
 * Most LSM programs pass an inode that the kernel holds for them, but a program may pass whatever it
 * likes (see kfunc.c): a load that faults is a "no", and so is NULL, which entries that have ended
 * have for their inode. Whatever inode is at the address by now, its entries are its own.
 *
 * Context: any.
 * Return: true if it may be in a map, false if it is in none.
 */
static __always_inline bool inode_in_any_map(const struct inode *inode)
{
	BUILD_BUG_ON(INODE_ADDON_MASK != BIT(15));
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
