// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Example: nothing below the directories in an inode map can be opened. The loader is tree_deny.c.
 *
 * The map has the directories only. For each open(2) the program asks for the nearest ancestor in
 * the map: one entry stands for a tree of any size, and what is created in it or moved into it is
 * denied at once.
 *
 * The policy fails closed: "no ancestor is in the map" is the only answer that lets one open.
 * The others are a distance (0: the directory itself, 1: what is in it, and so on) and errors: more
 * than 2048 directories deep, moved about too fast to tell, opened by a file handle before anybody
 * looked the name up. These are denied, wherever the file is.
 *
 * A file is where its dentry is, the name by which it is opened:
 *
 *   - a bind mount shows the same dentries: what is below the directory is denied there, too, even
 *     if the directory itself is out of sight;
 *   - a rename moves a dentry: what leaves the tree can be opened ("lsm/inode_rename" would be the
 *     hook to prevent it), and the directory can be renamed without anything else changing;
 *   - a hard link elsewhere is another dentry: the file can be opened by that name, unless the file
 *     itself is in the map, too ("lsm/inode_link" would be the hook to prevent it);
 *   - another filesystem that is mounted below the directory has a root of its own, where the walk
 *     ends: what is in it can be opened. A sleepable program ("lsm.s/file_open") can call
 *     inode_map_read_path(), which goes on at the mount point.
 *
 * Only opening is denied, which includes executing and listing. Descriptors that are open already
 * go on working; O_PATH opens nothing; names can be looked up, made and removed, attributes read
 * and changed, and files truncated by truncate(2). With O_CREAT, the kernel asks when it has
 * created the file, which stays.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>

/* Macros of the kernel, which BTF does not have. */
#define EPERM	1
#define ENOENT	2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by the loader before it loads the program. */
const volatile __u32 denied_id;

/* @ret is what an earlier program at this hook returned: its denial stands. */
SEC("lsm/file_open")
int BPF_PROG(check_open, struct file *file, int ret)
{
	__u32 value = 0;

	if (ret)
		return ret;
	ret = inode_map_read_tree(denied_id, file->f_path.dentry, &value);
	return ret == -ENOENT ? 0 : -EPERM;
}
