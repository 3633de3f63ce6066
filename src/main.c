// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module entry and exit. All here runs in process context, without locks, and may sleep.
 *
 *   device.c   the BPF map type, behind map offload: create, update, lookup, delete, iterate
 *   key.c      the keys of these operations
 *   kfunc.c    the functions that BPF programs call
 *   tree.c     the walk from a file to its nearest ancestor that is in a map
 *   request.c  entries that programs make, by themselves or through a worker
 *   hold.c     the references that an update by a program needs
 *   super.c    the workers that let go of inodes, one for each superblock
 *   map.c      maps: how they begin and end
 *   registry.c how maps are found, by id and by name
 *   table.c    the entries of a map: how they are linked, replaced and ended
 *   hash.c     how entries are found by their inode
 *   entry.c    the memory of entries and its release
 *   account.c  the memory cgroup that pays for it
 *   defer.c    the release of entries that a program has ended or replaced
 *   addon.c    what is attached to an inode that is in a map
 *   mark.c     the fsnotify marks under it
 *   remark.c   new marks for inodes that live on though fsnotify has destroyed theirs
 *   trace.c    the tracepoints
 *   proc.c     /proc/inode_map
 *   yield.c    the pauses of the module that is built for the fuzzer
 *
 * Who calls whom (proc.c, trace.c and yield.c left out):
 *
 *   bpf(2)                    BPF programs
 *     |                           |
 *   device.c ---> key.c         kfunc.c ---> tree.c, registry.c, hash.h (inline lookups)
 *     |   |                       |   |
 *     | map.c ---> registry.c     | request.c ---> hold.c ---> super.c
 *     |   |                       |   |
 *     '---+---> table.c <---------+---'
 *                |  |  '---> hash.c, defer.c (its worker calls table.c and entry.c)
 *                |  |
 *                | entry.c ---> account.c, super.c (its worker calls entry.c and hold.c)
 *                |  |
 *   fsnotify --> addon.c <---> remark.c ---> hold.c
 *                |  |             |
 *                |  '--> mark.c <-'
 *                '-----> table.c, entry.c, when fsnotify tells that an inode ends
 *
 * The locks. "a > b": b nests inside a.
 *
 *   rtnl > bpf_devs_lock > registry_mutex > young_lock   bpf(2) holds the first two when map.c is
 *                                                        called; registry.c takes the others
 *   addon->lock > map->index.xa_lock                     table.c, addon.c. hash.c and the events of
 *                                                        trace.c run under the map's lock, xa_lock
 *   addon->lock > mark->lock                             addon.c
 *   addon->lock > inode->i_lock                          proc.c
 *   group->mark_mutex > mark->lock > connector->lock     fsnotify, when mark.c calls it; no lock of
 *                                                        ours is held then
 *   supers_lock                                          super.c; nothing nests in it
 *   remarks_lock                                         remark.c; nothing nests in it
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

#include "addon.h"
#include "device.h"
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
	err = inode_addon_init();
	if (err)
		goto err_super;
	err = inode_map_init();
	if (err)
		goto err_addon;
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
err_addon:
	inode_addon_exit();
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
	inode_addon_exit();
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
