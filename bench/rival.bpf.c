// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guard without the inode map, to compare inode-guard with: a hash map on {dev, ino}, which the
 * programs look into at the hooks that inode-guard has for the same operations. rivals.c loads and
 * fills it. These are LSM programs that don't sleep. Like its key, this guard takes one file for
 * another when a number is used again.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>
#include "bench.h"

#define EPERM	1

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct bench_number);
	__type(value, __u64);
} guarded SEC(".maps");

static __always_inline int denied(const struct inode *inode)
{
	struct bench_number number;

	if (inode_map_is_null(inode))
		return 0;
	number.dev = inode->i_sb->s_dev;
	number.ino = inode->i_ino;
	return bpf_map_lookup_elem(&guarded, &number) ? -EPERM : 0;
}

SEC("lsm/file_open")
int BPF_PROG(rival_open, struct file *file)
{
	return denied(file->f_inode);
}

SEC("lsm/file_permission")
int BPF_PROG(rival_permission, struct file *file, int mask)
{
	return denied(file->f_inode);
}

SEC("lsm/inode_unlink")
int BPF_PROG(rival_unlink, struct inode *dir, struct dentry *dentry)
{
	return denied(dentry->d_inode);
}

SEC("lsm/inode_rename")
int BPF_PROG(rival_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	return denied(old_dentry->d_inode) ?: denied(new_dentry->d_inode);
}

SEC("lsm/inode_link")
int BPF_PROG(rival_link, struct dentry *dentry, struct inode *dir, struct dentry *new_dentry)
{
	return denied(dentry->d_inode);
}

SEC("lsm/inode_setattr")
int BPF_PROG(rival_setattr, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	return denied(dentry->d_inode);
}
