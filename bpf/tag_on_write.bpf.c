// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Example: a program adds files to an inode map, here each regular file that a task of a cgroup
 * opens for writing. The loader is tag_on_write.c.
 *
 * Giving an inode its first value takes memory and locks, so inode_map_update() is for programs
 * that may sleep: "lsm.s/", not "lsm/". Any program may change an existing value in place, by the
 * pointer that inode_map_lookup() returns.
 *
 * The entries are weak: they do not keep the inodes in memory, because those of a busy cgroup would
 * fill a lot of it. The price is that an entry goes when memory pressure evicts the inode of a file
 * that nobody uses. Without INODE_MAP_WEAK the entries would stay until the file is deleted or its
 * filesystem is unmounted.
 *
 * A task may open a file for writing and not write to it; truncate(2) writes without opening.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>
#include "tag_on_write.h"

/* BTF does not have the kernel's macros. */
#define EEXIST		17
#define FMODE_WRITE	0x2
#define S_IFMT		0170000
#define S_IFREG		0100000

/* The program does not find cgroups deeper than this. */
#define MAX_LEVELS	64

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The loader sets these before it loads the program. */
const volatile __u32 tags_id;
const volatile __u64 cgroup_id;

/* How often adding a file to the map failed. */
__u64 lost;

/* Whether the task is in the cgroup or in one below it. A level that does not exist has id 0. */
static __always_inline bool is_in_cgroup(void)
{
	__u64 id;
	int level;

	for (level = 0; level < MAX_LEVELS; level++) {
		id = bpf_get_current_ancestor_cgroup_id(level);
		if (id == cgroup_id)
			return true;
		if (!id)
			break;
	}
	return false;
}

/* Count one more open of a file. Returns whether the file is in the map. */
static __always_inline bool tag_again(struct inode *inode, __u64 time, __u32 pid)
{
	struct tag *tag = inode_map_lookup(tags_id, inode, struct tag);

	if (!tag)
		return false;
	tag->time = time;
	tag->pid = pid;
	__sync_fetch_and_add(&tag->count, 1);
	return true;
}

/*
 * Not inlined: the compiler would let the program return the error where it knows that to be 0. The
 * verifier does not know, and would refuse the program.
 */
static __noinline void tag_inode(struct inode *inode)
{
	struct tag tag = {
		.time = bpf_ktime_get_boot_ns(),
		.count = 1,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};
	int error;

	if (tag_again(inode, tag.time, tag.pid))
		return;
	error = inode_map_update(tags_id, inode, &tag, BPF_NOEXIST | INODE_MAP_WEAK);
	/* Another task was faster. */
	if (error == -EEXIST && tag_again(inode, tag.time, tag.pid))
		return;
	if (error)
		__sync_fetch_and_add(&lost, 1);
}

/* @ret is the return value of an earlier program at this hook. This one denies nothing. */
SEC("lsm.s/file_open")
int BPF_PROG(tag_open, struct file *file, int ret)
{
	struct inode *inode = file->f_inode;

	if (!ret && file->f_mode & FMODE_WRITE && (inode->i_mode & S_IFMT) == S_IFREG &&
	    is_in_cgroup())
		tag_inode(inode);
	return ret;
}
