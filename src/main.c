// SPDX-License-Identifier: GPL-2.0
/*
 * Module entry and exit.
 *
 *   device.c   the BPF map type, behind map offload: create, update, lookup, delete, iterate
 *   key.c      the keys of these operations
 *   kfunc.c    what BPF programs call
 *   tree.c     the walk from a file to its nearest ancestor that is in a map
 *   request.c  entries that programs make, by themselves or by a worker
 *   hold.c     what a program needs to hold for an update
 *   super.c    the workers that let go of inodes, one for each superblock
 *   map.c      maps: how they begin and end
 *   registry.c how they are found, by id and by name
 *   table.c    the entries of a map: how they are linked
 *   hash.c     how they are found by their inode
 *   entry.c    the entries themselves
 *   account.c  what they cost, and whom
 *   defer.c    the release of entries that a program has taken out of a map
 *   addon.c    what is hung on an inode that is in a map
 *   mark.c     the fsnotify marks under it
 *   trace.c    the tracepoints
 *   proc.c     /proc/inode_map
 *
 * Exit runs only when no map, no program, no request of one and no release that may wait for a
 * filesystem is left: all of them hold the module. What it waits for are grace periods, and the end of callbacks.
 */
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
 * Who asks for the device's index, as all do that make a map (if_nametoindex(3)), has it loaded if he
 * has CAP_NET_ADMIN: dev_load().
 */
MODULE_ALIAS("netdev-" INODE_MAP_DEVICE);
