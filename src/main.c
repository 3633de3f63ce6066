// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module entry and exit. All here runs in process context, without locks, and may sleep.
 *
 *   device.c       the BPF map type, behind map offload: create, update, lookup, delete, iterate
 *   key.c          the keys of these operations
 *   kfunc.c        the functions that BPF programs call: those that find and read
 *   kfunc_write.c  likewise, those that change a map
 *   kfunc_walk.c   likewise, those that walk over a map
 *   tree.c         the walk from a file to its nearest ancestor that is in a map
 *   map.c          maps: how they begin and end
 *   registry.c     how maps are found, by id and by name
 *   request.c      entries that programs make, by themselves or through a worker
 *   hold.c         the references that an update by a program needs
 *   update.c       how an inode, or an existing entry, gets a value
 *   delete.c       how entries end because somebody wants it, or because their map does
 *   defer.c        the release of entries that a program has ended or replaced
 *   table.c        the entries of a map: how they are linked, replaced and ended
 *   hash.c         how entries are found by their inode
 *   handle.c       how entries are found by their handle, and walks
 *   entry.c        the memory of entries and its release
 *   account.c      the memory cgroup that pays for it
 *   super.c        the workers that let go of inodes, one for each superblock
 *   end.c          the end of an inode, which fsnotify tells: its entries leave all maps
 *   remark.c       whether the inode lives on all the same, and then another mark for it
 *   addon.c        what is attached to an inode that is in a map
 *   anchor.c       the marks of addons that have lost their own
 *   mark.c         the fsnotify marks under both
 *   trace.c        the tracepoints
 *   proc.c         /proc/inode_map
 *   yield.c        the pauses of the module that is built for the fuzzer
 *
 * Who calls whom (proc.c, trace.c and yield.c left out; kfunc.c stands for all three). A file calls
 * those below it, and there is no circle:
 *
 *      bpf(2)         BPF programs          fsnotify
 *        |                 |                   |
 *     device.c          kfunc.c                |
 *        |   \             |   \               |
 *        |   map.c         |  request.c        |
 *        |     |           |   |     \         |
 *        |     |           |   |      '----> end.c
 *     update.c, delete.c <-'---'               | \
 *        |         |                           | remark.c
 *        |      defer.c                        |   |
 *        |         |                           |   |
 *        '----> table.c <----------------------'   |
 *                  |                               |
 *               entry.c                            |
 *                  |                               |
 *               addon.c <--------------------------'
 *                  |
 *               anchor.c
 *                  |
 *               mark.c
 *
 *   key.c             is called by device.c and kfunc.c
 *   tree.c            by kfunc.c
 *   registry.c        by device.c, kfunc.c, map.c and request.c
 *   request.c         by map.c as well, when a map begins and when the module ends
 *   hash.c, handle.c  by all from device.c and kfunc.c down to table.c
 *   account.c         by device.c, map.c, request.c, update.c and entry.c
 *   hold.c            by request.c and remark.c
 *   super.c           by entry.c, addon.c and hold.c
 *
 * Nothing is called upwards but functions that were given for it, in process context and without a
 * lock of ours: fsnotify calls end.c for the marks of addon.c and anchor.c, remark.c's worker calls
 * end.c, and super.c's workers call entry.c and hold.c.
 *
 * Which locks of ours are held across these calls: addon->lock when end.c calls table.c and when
 * remark.c calls inode_map_addon_unpin(); addon->lock and the map's lock when others call table.c,
 * where its kernel-doc says so, when table.c calls hash.c, handle.c and trace.c, and when update.c
 * calls defer.c. Otherwise none.
 *
 * The locks. "a > b": b nests inside a.
 *
 *   rtnl > bpf_devs_lock > registry_mutex > young_lock   bpf(2) holds the first two when map.c is
 *                                                        called; registry.c takes the others
 *   addon->lock > map->index.xa_lock                     table.c, update.c, delete.c, end.c. The
 *                                                        second, "the map's lock", alone: hash.c,
 *                                                        map.c, update.c
 *   addon->lock > mark->lock                             addon.c
 *   addon->lock > inode->i_lock                          proc.c. The second alone: hold.c, remark.c
 *   connector->lock                                      addon.c; nothing nests in it there
 *   group->mark_mutex > mark->lock > connector->lock     fsnotify, when mark.c calls it; no lock of
 *                                                        ours is held then
 *   supers_lock                                          super.c; nothing nests in it
 *   due_lock                                             anchor.c; nothing nests in it
 *
 * Lookups take none of them: they are inside an RCU or RCU-tasks-trace read-side section. A program
 * that may not sleep only tries addon->lock and the map's lock, to replace a value, and any program
 * only tries young_lock, to find a new map. tree.c waits for rename_lock where it may.
 *
 * Exit runs when no map, no program that calls us, no request of one and no release that may wait
 * for a filesystem is left, because each holds the module. It waits for grace periods and for
 * callbacks to return.
 */
#include <linux/init.h>
#include <linux/module.h>

#include <linux/inode_map.h>

#include "device.h"
#include "end.h"
#include "kfunc.h"
#include "map.h"
#include "proc.h"
#include "super.h"
#include "yield.h"

static int __init inode_map_module_init(void)
{
	int err;

	err = inode_map_super_init();
	if (err)
		return err;
	err = inode_map_end_init();
	if (err)
		goto err_super;
	err = inode_map_init();
	if (err)
		goto err_end;
	err = inode_map_proc_init();
	if (err)
		goto err_map;
	err = inode_map_kfunc_init();
	if (err)
		goto err_proc;
	/* Last: from here on there can be maps. */
	err = inode_map_device_init();
	if (err)
		goto err_proc;
	inode_map_been_init();
	return 0;

err_proc:
	inode_map_proc_exit();
err_map:
	inode_map_exit();
err_end:
	inode_map_end_exit();
err_super:
	inode_map_super_exit();
	return err;
}

static void __exit inode_map_module_exit(void)
{
	inode_map_been_exit();
	inode_map_device_exit();
	inode_map_proc_exit();
	inode_map_exit();
	inode_map_end_exit();
	inode_map_super_exit();
}

module_init(inode_map_module_init);
module_exit(inode_map_module_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the inode map authors");
MODULE_DESCRIPTION("BPF map keyed by inode");
MODULE_VERSION(PROJECT_VERSION);
/*
 * Asking for the index of the device, as every creator of a map does (if_nametoindex(3)), loads the
 * module if the task has CAP_NET_ADMIN: dev_load().
 */
MODULE_ALIAS("netdev-" INODE_MAP_DEVICE);
