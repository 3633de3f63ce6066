// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs of inode-guard: security hooks that decide about operations on files.
 *
 * The kernel calls them in the context of the task that makes the access. Only those in sections
 * "lsm.s" may sleep, to give a file its rule. They cost almost nothing for files without a rule. A
 * denied access fails with EPERM, as on an immutable file (chattr +i), for root, too. Programs only
 * deny: a denial by another security module stands.
 *
 * Each hook says here which operations an access counts as; judge.bpf.h decides. The tool that
 * loads and attaches the programs is in the other files of this directory.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>
#include "guard.h"
#include "judge.bpf.h"
#include "append.bpf.h"
#include "cgroup.bpf.h"
#include "exchange.bpf.h"
#include "follow.bpf.h"
#include "ioctl.bpf.h"
#include "socket.bpf.h"
#include "subject.bpf.h"

#define BCACHEFS_MAGIC	0xca451a4e
#define O_ACCMODE	00000003
#define __FMODE_EXEC	0x20
#define MAY_READ	0x4
#define F_SETFL		4
#define PROT_WRITE	0x2
#define MAP_TYPE	0x0f
#define MAP_PRIVATE	0x02
#define VM_WRITE	0x02
#define VM_EXEC		0x04
#define VM_SHARED	0x08
#define ATTR_SIZE	(1 << 3)
#define ATTR_FORCE	(1 << 9)

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Opening, reading, writing */

/*
 * The operations that open(2) is for. Only regular files can be appended to. Access mode 3 allows
 * no reading and no writing, but asks for the permissions of both. A file that the kernel opens
 * to execute it is not read: a program that may be executed and not read works, as with mode 0111.
 */
static __always_inline __u32 open_ops(__u32 flags, bool regular)
{
	__u32 write = flags & O_APPEND && regular ? APPEND : WRITE;

	if (flags & __FMODE_EXEC)
		return EXEC;
	if (flags & O_TRUNC)
		write = WRITE;
	switch (flags & O_ACCMODE) {
	case 0:
		return flags & O_TRUNC ? READ | WRITE : READ;
	case 1:
		return write;
	default:
		return READ | write;
	}
}

static __noinline int judge_open(struct file *file)
{
	__u32 ops = opaque(open_ops(file->f_flags, is_regular(file->f_inode))) &
		    (READ | APPEND | EXEC);

	if (names_matter())
		settle(file->f_inode, file->f_path.dentry);
	return guard(file->f_inode, file->f_path.dentry, ops);
}

/* Not called for descriptors with O_PATH. Sleeps to give a new file its rule. */
SEC("lsm.s/file_open")
int BPF_PROG(guard_open, struct file *file)
{
	return is_guarded(file->f_inode) ? judge_open(file) : 0;
}

/* Whether the kernel uses a file to execute it. */
static __always_inline bool is_exec(struct file *file)
{
	return file->f_flags & __FMODE_EXEC &&
	       BPF_CORE_READ_BITFIELD(bpf_get_current_task_btf(), in_execve);
}

static __noinline int judge_permission(struct file *file, int mask)
{
	struct dentry *dentry = file->f_path.dentry;
	__u32 ops = 0, kinds;

	if (mask & MAY_READ)
		ops |= READ;
	if (mask & MAY_WRITE)
		ops |= is_exchange(file) ? APPEND | READ : APPEND;
	if (!concerns(file->f_inode, ops))
		return 0;
	kinds = ops & WRITE ? writes(file) : 0;
	ops &= READ;
	if (ops && is_exec(file))
		ops = EXEC;
	if (kinds == PLAIN)
		ops |= WRITE;
	else if (kinds == APPENDS)
		ops |= APPEND;
	else if (kinds)
		ops |= EITHER;
	ops = opaque(ops) & (READ | EITHER | EXEC);
	return judge(file->f_inode, dentry, ops, dentry);
}

/* Each read and write of an open file, by whatever system call. */
SEC("lsm/file_permission")
int BPF_PROG(guard_permission, struct file *file, int mask)
{
	return is_guarded(file->f_inode) ? judge_permission(file, mask) : 0;
}

/* Nobody who may only append may clear O_APPEND while another thread is between check and write. */
SEC("lsm/file_fcntl")
int BPF_PROG(guard_fcntl, struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != F_SETFL || arg & O_APPEND || !(file->f_flags & O_APPEND) ||
	    !(file->f_flags & O_ACCMODE))
		return 0;
	return guard(file->f_inode, file->f_path.dentry, WRITE);
}

SEC("lsm/inode_readlink")
int BPF_PROG(guard_readlink, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, READ);
}

/* Mapping */

SEC("lsm/mmap_file")
int BPF_PROG(guard_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags)
{
	__u32 ops = MMAP | READ;

	/* Anonymous memory. */
	if (inode_map_is_null(file))
		return 0;
	/* Whatever the protection: a tracer, or /proc/self/mem, can read all mappings. */
	if (is_exec(file))
		ops = 0;
	if (prot & PROT_EXEC)
		ops |= EXEC;
	if (prot & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE)
		ops |= WRITE;
	ops = opaque(ops) & (MMAP | READ | EXEC | WRITE);
	return guard(file->f_inode, file->f_path.dentry, ops);
}

/* Not in all kernels. Called for the backing file when a file of overlayfs or FUSE is mapped. */
SEC("lsm/mmap_backing_file")
int BPF_PROG(guard_mmap_backing, struct vm_area_struct *vma, struct file *backing_file)
{
	__u32 ops = MMAP | READ;

	if (is_exec(backing_file))
		ops = 0;
	if (vma->vm_flags & VM_EXEC)
		ops |= EXEC;
	/* If it is made writable later, a hook is called again. */
	if (vma->vm_flags & VM_SHARED && vma->vm_flags & VM_WRITE)
		ops |= WRITE;
	ops = opaque(ops) & (MMAP | READ | EXEC | WRITE);
	return guard(backing_file->f_inode, backing_file->f_path.dentry, ops);
}

/* A mapping that the kernel made for execution stays that: the dynamic linker changes it, too. */
SEC("lsm/file_mprotect")
int BPF_PROG(guard_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot)
{
	struct file *file = vma->vm_file;
	__u32 ops = 0;

	if (inode_map_is_null(file) || !prot)
		return 0;
	if (!(file->f_flags & __FMODE_EXEC))
		ops = MMAP | READ;
	if (prot & PROT_EXEC)
		ops |= EXEC;
	if (prot & PROT_WRITE && vma->vm_flags & VM_SHARED)
		ops |= WRITE;
	ops = opaque(ops) & (MMAP | READ | EXEC | WRITE);
	return guard(file->f_inode, file->f_path.dentry, ops);
}

/* Attributes, size among them */

SEC("lsm/inode_setattr")
int BPF_PROG(guard_setattr, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	unsigned int valid = attr->ia_valid;

	if (valid & ATTR_SIZE)
		return guard(dentry->d_inode, dentry, WRITE);
	/* The kernel itself clears set-user-ID bits of files that are written to. */
	if (valid & ATTR_FORCE)
		return 0;
	return guard(dentry->d_inode, dentry, ATTR);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(guard_setxattr, struct mnt_idmap *idmap, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, ATTR);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(guard_removexattr, struct mnt_idmap *idmap, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, ATTR);
}

SEC("lsm/inode_set_acl")
int BPF_PROG(guard_set_acl, struct mnt_idmap *idmap, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, ATTR);
}

SEC("lsm/inode_remove_acl")
int BPF_PROG(guard_remove_acl, struct mnt_idmap *idmap, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, ATTR);
}

/* Flags, by a system call that is not ioctl(2): file_setattr(2), since Linux 6.17. */
SEC("lsm/inode_file_setattr")
int BPF_PROG(guard_file_setattr, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, ATTR) ?: guard_case(dentry->d_inode, dentry);
}

static __always_inline int guard_command(struct file *file, unsigned int cmd)
{
	__u32 ops = ioctl_ops(cmd);

	if (!ops)
		return 0;
	if (ops == ATTR && guard_case(file->f_inode, file->f_path.dentry))
		return -EPERM;
	ops = opaque(ops) & (READ | WRITE | ATTR);
	return guard(file->f_inode, file->f_path.dentry, ops);
}

SEC("lsm/file_ioctl")
int BPF_PROG(guard_ioctl, struct file *file, unsigned int cmd)
{
	return guard_command(file, cmd);
}

SEC("lsm/file_ioctl_compat")
int BPF_PROG(guard_ioctl_compat, struct file *file, unsigned int cmd)
{
	return guard_command(file, cmd);
}

/* Not in all kernels. The guard does not know the commands that io_uring passes to a driver. */
SEC("lsm/uring_cmd")
int BPF_PROG(guard_uring_cmd, struct io_uring_cmd *command)
{
	struct file *file = command->file;

	return guard(file->f_inode, file->f_path.dentry, opaque(READ | WRITE));
}

/* The kernel itself reads and writes a quota file. */
SEC("lsm/quota_on")
int BPF_PROG(guard_quota_on, struct dentry *dentry)
{
	return guard(dentry->d_inode, dentry, READ | WRITE);
}

/* Names */

SEC("lsm.s/inode_create")
int BPF_PROG(guard_create, struct inode *dir, struct dentry *dentry)
{
	if (guard_core())
		return -EPERM;
	settle_dir(dir, dentry);
	return guard_new_name(dir, dentry, NULL);
}

SEC("lsm.s/inode_symlink")
int BPF_PROG(guard_symlink, struct inode *dir, struct dentry *dentry, const char *target)
{
	settle_dir(dir, dentry);
	return guard_new_name(dir, dentry, target);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(guard_mkdir, struct inode *dir, struct dentry *dentry)
{
	return guard_new_name(dir, dentry, NULL);
}

/* The only hook for bcachefs' subvolumes. For other directories all callers reach inode_mkdir. */
SEC("lsm/path_mkdir")
int BPF_PROG(guard_subvolume, const struct path *path, struct dentry *dentry)
{
	struct inode *dir = path->dentry->d_inode;

	if (dir->i_sb->s_magic != BCACHEFS_MAGIC)
		return 0;
	return guard_new_name(dir, dentry, NULL);
}

SEC("lsm.s/inode_mknod")
int BPF_PROG(guard_mknod, struct inode *dir, struct dentry *dentry)
{
	settle_dir(dir, dentry);
	return guard_new_name(dir, dentry, NULL);
}

/* A file that did not pass guard_follow_link, as with NFS, can't be given the name's rule. */
SEC("lsm/inode_link")
int BPF_PROG(guard_link, struct dentry *old_dentry, struct inode *dir, struct dentry *new_dentry)
{
	int ret = guard(old_dentry->d_inode, old_dentry, LINK);

	if (!ret)
		ret = guard_name(dir, new_dentry);
	if (!ret && STATE(follows))
		ret = check_linked(old_dentry->d_inode, dir, new_dentry);
	if (!ret)
		note(dir, new_dentry, link_of(old_dentry->d_inode));
	return ret;
}

static __always_inline int guard_removal(struct inode *dir, struct dentry *dentry)
{
	int ret = guard(dentry->d_inode, dentry, DELETE);

	if (!ret)
		ret = guard_name(dir, dentry);
	if (!ret)
		note(dir, dentry, NULL);
	return ret;
}

SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, struct inode *dir, struct dentry *dentry)
{
	return guard_removal(dir, dentry);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, struct inode *dir, struct dentry *dentry)
{
	return guard_removal(dir, dentry);
}

/* The kernel calls this twice for RENAME_EXCHANGE, the second time with the files swapped. */
SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	int ret = guard(old_dentry->d_inode, old_dentry, RENAME);

	if (!ret)
		ret = guard(new_dentry->d_inode, new_dentry, RENAME | DELETE);
	if (!ret)
		ret = guard_name(old_dir, old_dentry);
	if (!ret)
		ret = guard_name(new_dir, new_dentry);
	/* Only if the name is free: a file that is there has its rule, which was asked above. */
	if (!ret && STATE(follows) && inode_map_is_null(new_dentry->d_inode))
		ret = guard_leaf(new_dir, new_dentry);
	if (!ret) {
		note(old_dir, old_dentry, link_of(new_dentry->d_inode));
		note(new_dir, new_dentry, link_of(old_dentry->d_inode));
	}
	return ret;
}

/* Mounting a filesystem reads and writes its device. The filesystem has one of its own, or none. */
SEC("lsm/sb_kern_mount")
int BPF_PROG(guard_mounted, const struct super_block *sb)
{
	return guard_super(sb, sb->s_flags & SB_RDONLY ? READ : READ | WRITE);
}

/* The hook does not see the new options: a read-only filesystem may become writable. */
SEC("lsm/sb_remount")
int BPF_PROG(guard_remount, const struct super_block *sb)
{
	return sb->s_flags & SB_RDONLY ? guard_super(sb, WRITE) : 0;
}

/* A mount over a file takes its name, as a rename does. */

SEC("lsm/sb_mount")
int BPF_PROG(guard_mount, const char *dev_name, struct path *path, const char *type,
	     unsigned long flags)
{
	struct dentry *dentry = path->dentry;

	if (!is_new_mount(flags))
		return 0;
	hold_mount();
	return guard(dentry->d_inode, dentry, RENAME);
}

SEC("lsm/move_mount")
int BPF_PROG(guard_move_mount, struct path *from_path, struct path *to_path)
{
	struct dentry *dentry = to_path->dentry;

	hold_mount();
	return guard(dentry->d_inode, dentry, RENAME);
}

/* The old root is mounted at @old_path. */
SEC("lsm/sb_pivotroot")
int BPF_PROG(guard_pivotroot, struct path *old_path)
{
	struct dentry *dentry = old_path->dentry;

	hold_mount();
	return guard(dentry->d_inode, dentry, RENAME);
}

SEC("lsm/sb_umount")
int BPF_PROG(guard_umount)
{
	hold_mount();
	return 0;
}
