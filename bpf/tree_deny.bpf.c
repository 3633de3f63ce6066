// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Example: nothing below the directories in an inode map can be opened. The loader is tree_deny.c.
 *
 * The map has only the directories. For each open(2) the program asks for the nearest ancestor in
 * the map: one entry covers a tree of any size, and new files in the tree and files moved into it
 * are denied at once.
 *
 * The policy fails closed: "no ancestor is in the map" is the only answer that allows an open.
 * The others are a distance (0: the directory itself, 1: a file in it, and so on) and errors: the
 * file is more than 2,047 directories deep, dentries are being moved all the time, or the file was
 * opened by a file handle before anybody looked the name up. The program denies all of these.
 *
 * The dentry decides where a file is, that is, the name by which a task opens it:
 *
 *   - a bind mount shows the same dentries: files below the directory are denied there, too, even
 *     if the directory itself is out of sight;
 *   - a rename moves a dentry: a file that leaves the tree can be opened ("lsm/inode_rename" is the
 *     hook to prevent that), and renaming the directory itself changes nothing else;
 *   - a hard link elsewhere is another dentry: the file can be opened by that name, unless the file
 *     itself is in the map, too ("lsm/inode_link" is the hook to prevent that);
 *   - another filesystem that is mounted below the directory has a root of its own, where the walk
 *     ends: the files in it can be opened. A sleepable program ("lsm.s/file_open") can call
 *     inode_map_read_path(), which continues at the mount point.
 *
 * The program denies only opening, which includes executing and listing. Descriptors that are open
 * already keep working; O_PATH opens nothing; tasks can look up, make and remove names, read and
 * change attributes, and truncate files by truncate(2). With O_CREAT, the kernel calls the hook
 * after it has created the file, and the file stays.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>

/* BTF does not have the kernel's macros. */
#define EPERM	1
#define ENOENT	2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The loader sets it before it loads the program. */
const volatile __u32 denied_id;

/* @ret is the return value of an earlier program at this hook: its denial stands. */
SEC("lsm/file_open")
int BPF_PROG(check_open, struct file *file, int ret)
{
	__u32 value = 0;

	if (ret)
		return ret;
	ret = inode_map_read_tree(denied_id, file->f_path.dentry, &value);
	return ret == -ENOENT ? 0 : -EPERM;
}
