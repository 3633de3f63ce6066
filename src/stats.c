// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/inode_map: how many objects the module has in memory.
 *
 * Read in process context, without locks. The numbers include objects that nobody can reach any
 * more and that wait for a grace period, so that what does not go back to zero is a leak.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "addon.h"
#include "map.h"
#include "stats.h"

#define INODE_MAP_PROC	"inode_map"

static int inode_map_stats_show(struct seq_file *seq, void *unused)
{
	seq_printf(seq, "maps %u\nentries %u\naddons %u\npinned %u\n", inode_map_count(),
		   inode_map_entry_count(), inode_addon_count(), inode_pin_count());
	return 0;
}

/**
 * inode_map_stats_init - create the file
 *
 * Return: 0 or -ENOMEM.
 */
int inode_map_stats_init(void)
{
	return proc_create_single(INODE_MAP_PROC, 0400, NULL, inode_map_stats_show) ? 0 : -ENOMEM;
}

/**
 * inode_map_stats_exit - remove the file
 */
void inode_map_stats_exit(void)
{
	remove_proc_entry(INODE_MAP_PROC, NULL);
}
