// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The programs of inode-guard: security hooks that decide about operations with files.
 *
 * The kernel calls them in the context of the task that makes the access. They do not sleep, and
 * cost next to nothing for files that there is no rule for. A denied access fails with EPERM, as
 * with a file that is immutable (chattr +i), root's included. A denial by another security module
 * stands: programs only deny.
 *
 * Each hook says here which operations it takes an access for; judge.bpf.h decides. The tool that
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
#define O_TRUNC		00001000
#define __FMODE_EXEC	0x20
#define MAY_WRITE	0x2
#define MAY_READ	0x4
#define F_SETFL		4
#define PROT_WRITE	0x2
#define PROT_EXEC	0x4
#define MAP_TYPE	0x0f
#define MAP_PRIVATE	0x02
#define VM_WRITE	0x02
#define VM_EXEC		0x04
#define VM_SHARED	0x08
#define ATTR_SIZE	(1 << 3)
#define ATTR_FORCE	(1 << 9)
#define MS_REMOUNT	0x20
#define MS_BIND		0x1000
/* Shared, private, slave, unbindable: how mounts propagate. */
#define MS_PROPAGATION	((1 << 17) | (1 << 18) | (1 << 19) | (1 << 20))

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Opening, reading, writing */

/*
 * What open(2) wants. Only what is regular can be appended to. The access mode 3 gives neither, and
 * asks for the permissions of both. What the kernel opens in order to execute it is not read: a
 * program that can be executed and not read works, as it does with mode 0111.
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
	__u32 ops = opaque(open_ops(file->f_flags, is_regular(file->f_inode))) & (READ | APPEND | EXEC);

	if (names_matter())
		settle(file->f_inode, file->f_path.dentry);
	return guard(file->f_inode, file->f_path.dentry, ops);
}

/* Descriptors that are opened with O_PATH do not come here. Sleeps to give a new file its rule. */
SEC("lsm.s/file_open")
int BPF_PROG(guard_open, struct file *file)
{
	return is_guarded(file->f_inode) ? judge_open(file) : 0;
}

/* Whether the kernel uses a file in order to execute it. */
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

/* Every read and write of what is open, by whatever system call. */
SEC("lsm/file_permission")
int BPF_PROG(guard_permission, struct file *file, int mask)
{
	return is_guarded(file->f_inode) ? judge_permission(file, mask) : 0;
}

/* Who may only append must not turn that off, while another thread is between check and write. */
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

	/* The memory is anonymous. */
	if (inode_map_is_null(file))
		return 0;
	/* Whatever the protection is: a tracer reads all mappings, and /proc/self/mem is one. */
	if (is_exec(file))
		ops = 0;
	if (prot & PROT_EXEC)
		ops |= EXEC;
	if (prot & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE)
		ops |= WRITE;
	ops = opaque(ops) & (MMAP | READ | EXEC | WRITE);
	return guard(file->f_inode, file->f_path.dentry, ops);
}

/* Not in all kernels. What overlayfs and FUSE map of the file below, when theirs is mapped. */
SEC("lsm/mmap_backing_file")
int BPF_PROG(guard_mmap_backing, struct vm_area_struct *vma, struct file *backing_file)
{
	__u32 ops = MMAP | READ;

	if (is_exec(backing_file))
		ops = 0;
	if (vma->vm_flags & VM_EXEC)
		ops |= EXEC;
	/* If it is made writable later, that is asked about then. */
	if (vma->vm_flags & VM_SHARED && vma->vm_flags & VM_WRITE)
		ops |= WRITE;
	ops = opaque(ops) & (MMAP | READ | EXEC | WRITE);
	return guard(backing_file->f_inode, backing_file->f_path.dentry, ops);
}

/* What the kernel mapped to execute it stays that: the dynamic linker changes it as well. */
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
	/* The kernel itself takes set-user-ID bits from what is written to. */
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

/* Flags, by a system call of their own that is no ioctl: file_setattr(2), of Linux 6.17. */
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

/* Not in all kernels. What io_uring tells a driver or filesystem to do is not known here. */
SEC("lsm/uring_cmd")
int BPF_PROG(guard_uring_cmd, struct io_uring_cmd *command)
{
	struct file *file = command->file;

	return guard(file->f_inode, file->f_path.dentry, opaque(READ | WRITE));
}

/* The kernel itself reads and writes a file that quotas are in. */
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

/* Of subvolumes that bcachefs makes nothing else is asked. For others inode_mkdir is, of everybody. */
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

/* A file that has come here without guard_follow_link, by NFS for one, can't have the name's rule. */
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

SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, struct inode *dir, struct dentry *dentry)
{
	int ret = guard(dentry->d_inode, dentry, DELETE);

	if (!ret)
		ret = guard_name(dir, dentry);
	if (!ret)
		note(dir, dentry, NULL);
	return ret;
}

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, struct inode *dir, struct dentry *dentry)
{
	int ret = guard(dentry->d_inode, dentry, DELETE);

	if (!ret)
		ret = guard_name(dir, dentry);
	if (!ret)
		note(dir, dentry, NULL);
	return ret;
}

/* For RENAME_EXCHANGE, the kernel calls it twice, with the files one way and the other. */
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
	/* Where nothing is yet. What is there has its rule, which was asked. */
	if (!ret && STATE(follows) && inode_map_is_null(new_dentry->d_inode))
		ret = guard_leaf(new_dir, new_dentry);
	if (!ret) {
		note(old_dir, old_dentry, link_of(new_dentry->d_inode));
		note(new_dir, new_dentry, link_of(old_dentry->d_inode));
	}
	return ret;
}

/* Who mounts what is on a device reads and writes it. It is one of the filesystem's own, or none. */
SEC("lsm/sb_kern_mount")
int BPF_PROG(guard_mounted, const struct super_block *sb)
{
	return guard_super(sb, sb->s_flags & SB_RDONLY ? READ : READ | WRITE);
}

/* This is not told the new options: what can't be written to may become writable. */
SEC("lsm/sb_remount")
int BPF_PROG(guard_remount, const struct super_block *sb)
{
	return sb->s_flags & SB_RDONLY ? guard_super(sb, WRITE) : 0;
}

/* What is mounted over a file takes its name, as a rename does. */

SEC("lsm/sb_mount")
int BPF_PROG(guard_mount, const char *dev_name, struct path *path, const char *type,
	     unsigned long flags)
{
	struct dentry *dentry = path->dentry;

	if (flags & MS_REMOUNT || (flags & MS_PROPAGATION && !(flags & MS_BIND)))
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

/* The old root is mounted there. */
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
