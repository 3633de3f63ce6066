// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at hooks that get a pointer which the verifier trusts although it may be NULL. Each
 * calls inode_map_is_null() and loads from the pointer if it is not NULL. If the verifier removes
 * the test, that load panics the kernel. They act only on what the process @pid does.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

__u32 pid;

/* How many pointers were NULL, how many were not, and the inode number behind the last of these. */
volatile __u32 absent;
volatile __u32 present;
volatile __u64 number;

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == pid;
}

/* Not inlined, so that the rest of the program can't decide the branch. */
static __noinline int look(struct inode *inode)
{
	if (inode_map_is_null(inode)) {
		absent++;
		return 0;
	}
	present++;
	number = inode->i_ino;
	return 0;
}

/* The same, with the whole program visible to the compiler. */
static __always_inline void look_inline(struct inode *inode)
{
	if (inode_map_is_null(inode)) {
		absent++;
		return;
	}
	present++;
	number = inode->i_ino;
}

#define NAME_PROGRAM(hook)						\
SEC("lsm/" #hook)							\
int BPF_PROG(hook, struct inode *dir, struct dentry *dentry)		\
{									\
	if (ours())							\
		look(dentry->d_inode);					\
	return 0;							\
}									\
SEC("lsm/" #hook)							\
int BPF_PROG(hook##_inline, struct inode *dir, struct dentry *dentry)	\
{									\
	if (ours())							\
		look_inline(dentry->d_inode);				\
	return 0;							\
}

NAME_PROGRAM(inode_create)
NAME_PROGRAM(inode_mkdir)
NAME_PROGRAM(inode_mknod)
NAME_PROGRAM(inode_symlink)

/* Hooks of kernels with path-based security modules */

#define PATH_PROGRAM(hook)						\
SEC("lsm/" #hook)							\
int BPF_PROG(hook, const struct path *dir, struct dentry *dentry)	\
{									\
	if (ours())							\
		look(dentry->d_inode);					\
	return 0;							\
}

PATH_PROGRAM(path_mkdir)
PATH_PROGRAM(path_mknod)
PATH_PROGRAM(path_symlink)

/* Here the inode exists. */
NAME_PROGRAM(inode_unlink)

SEC("lsm/inode_link")
int BPF_PROG(inode_link, struct dentry *old_dentry, struct inode *dir, struct dentry *new_dentry)
{
	if (ours())
		look(new_dentry->d_inode);
	return 0;
}

SEC("lsm/inode_rename")
int BPF_PROG(inode_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	if (ours())
		look(new_dentry->d_inode);
	return 0;
}

/* A lookup that finds no file passes NULL. No security hook runs. */
SEC("fentry/d_splice_alias")
int BPF_PROG(d_splice_alias, struct inode *inode, struct dentry *dentry)
{
	if (ours())
		look(inode);
	return 0;
}

/* The file is not open yet. */
SEC("lsm/file_alloc_security")
int BPF_PROG(file_alloc_security, struct file *file)
{
	if (ours())
		look(file->f_inode);
	return 0;
}

/* Anonymous mappings have no file. */
SEC("lsm/mmap_file")
int BPF_PROG(mmap_file, struct file *file)
{
	if (!ours())
		return 0;
	if (inode_map_is_null(file))
		absent++;
	else
		look(file->f_inode);
	return 0;
}

/* Addresses next to NULL, and larger ones */

__u64 address;
volatile bool is_null;

SEC("syscall")
int ask(void *ctx)
{
	is_null = inode_map_is_null((void *)address);
	return 0;
}
