// SPDX-License-Identifier: GPL-2.0
/*
 * Programs at hooks that are given a pointer which may be NULL though the verifier trusts it. Each
 * asks with inode_map_is_null() and, if it is there, loads from it: when the verifier takes the
 * test away, that load panics the kernel. They look at what the process @pid does, and nothing
 * else.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

__u32 pid;

/* How often there was none, how often there was one, and the number of the last. */
volatile __u32 absent;
volatile __u32 present;
volatile __u64 number;

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == pid;
}

/* In a function of its own, so that nothing else of the program leads to the one branch. */
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

/* The same where the compiler can see all of the program. */
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

/* In kernels for security modules that go by paths. */

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

/* Here it is there. */
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

/* A lookup that finds no file gives its dentry none. No security hook is told. */
SEC("fentry/d_splice_alias")
int BPF_PROG(d_splice_alias, struct inode *inode, struct dentry *dentry)
{
	if (ours())
		look(inode);
	return 0;
}

/* No file is open yet. */
SEC("lsm/file_alloc_security")
int BPF_PROG(file_alloc_security, struct file *file)
{
	if (ours())
		look(file->f_inode);
	return 0;
}

/* Memory may be mapped that is of no file. */
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

/* What is not NULL but next to it, and what is beyond. */

__u64 address;
volatile bool is_null;

SEC("syscall")
int ask(void *ctx)
{
	is_null = inode_map_is_null((void *)address);
	return 0;
}
