/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Anchors: the marks of addons that have lost their own. Described at the top of anchor.c.
 */
#ifndef _INODE_MAP_ANCHOR_H
#define _INODE_MAP_ANCHOR_H

#include <linux/build_bug.h>
#include <linux/container_of.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "mark.h"

struct fsnotify_group;
struct fsnotify_mark;
struct inode;
struct inode_map_addon;

/**
 * struct inode_map_anchor - the mark of an addon that has lost its own
 * @mark: the mark that fsnotify knows. Must be first. fsnotify counts its references, and the
 *	anchor is freed with the last, after a grace period of fsnotify's SRCU
 * @addon: the addon. Set before the mark is attached. The anchor references the addon's own mark
 *	until it is freed, so that the addon can always be dereferenced
 */
struct inode_map_anchor {
	struct inode_map_mark mark;
	struct inode_map_addon *addon;
};

static_assert(offsetof(struct inode_map_anchor, mark) == 0);

/**
 * inode_map_anchor_of - the anchor that a mark belongs to
 * @mark: the mark, within an anchor
 *
 * Return: the anchor.
 */
static inline struct inode_map_anchor *inode_map_anchor_of(struct inode_map_mark *mark)
{
	return container_of(mark, struct inode_map_anchor, mark);
}

/**
 * struct inode_map_due - an inode whose addon has lost its mark and is about to get an anchor
 * @node: links it into the list of all of them, under due_lock, from inode_map_due_add() to
 *	inode_map_due_del()
 * @inode: the inode. Set before it is in the list; compared, and never dereferenced
 *
 * Part of a reprieve (remark.c), which frees it after inode_map_due_del().
 */
struct inode_map_due {
	struct list_head node;
	const struct inode *inode;
};

void inode_map_due_add(struct inode_map_due *due, const struct inode *inode);
void inode_map_due_del(struct inode_map_due *due);
bool inode_map_due_has(const struct inode *inode);
bool inode_map_due_wait(const struct inode *inode);

struct inode_map_mark *inode_map_anchor_attach(struct inode_map_addon *addon);
struct inode_map_addon *inode_map_anchor_find(struct inode *inode);
void inode_map_anchor_drop(struct inode_map_addon *addon);

int inode_map_anchor_init(void (*freeing)(struct fsnotify_mark *fsn, struct fsnotify_group *group));
void inode_map_anchor_exit(void);

#endif /* _INODE_MAP_ANCHOR_H */
