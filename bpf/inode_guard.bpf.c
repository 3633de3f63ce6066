// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The programs of inode-guard: security hooks that deny access to the files in an inode map.
 *
 * The tool (inode_guard.c) loads and attaches them. The kernel calls them in the context of the
 * task that makes the access; they do not sleep. A denied access fails with EPERM, as with a file
 * that is immutable (chattr +i), root's included. A denial by another security module stands.
 *
 * How an access is taken:
 *
 *   read      open(2) for reading. Loading a script, a library or a kernel module reads it.
 *   write     open(2) for writing or with O_TRUNC, truncate(2), ftruncate(2).
 *   read and write together are both counted, if both are denied.
 *   exec      what the kernel itself opens in order to execute it: the program, its interpreter
 *             ("#!", the dynamic linker). This is no read: a program that can be executed and not
 *             read works, as it does with mode 0111. Also, mapping a file as code, or else
 *             "ld.so program" and dlopen(3) would be ways round. "sh script" is a read of script.
 *   delete    unlink(2) and rmdir(2) of any of its names.
 *   replace   rename(2) over one of its names, and RENAME_EXCHANGE with it, which puts another
 *             file in its place as well. The file itself may be renamed and linked freely: the
 *             guard goes by the inode, and follows.
 *
 * Limits. The guard is about opening, not about what is open: descriptors and mappings made before
 * the file was added go on working (ftruncate(2) and mapping as code do not). A replace that is
 * not denied can take a file's last name whether or not delete is. Mode, owner and extended
 * attributes may be changed; names may be created and removed in a guarded directory; mounts may
 * hide names; symbolic links may be followed, sockets connected to, and the memory of a process
 * that executes a file read by who may trace it. Writing to the block device under a filesystem and
 * removing a btrfs subvolume as a whole are no access to the files in it. A file seen through
 * overlayfs is another inode than the one below, which the overlay opens in turn: guard the lower
 * file to have both denied, until a copy is made of it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>
#include "inode_guard.h"

/* Macros of the kernel, which BTF does not have. */
#define EPERM		1
#define O_ACCMODE	00000003
#define O_TRUNC		00001000
#define __FMODE_EXEC	0x20
#define PROT_EXEC	0x4
#define ATTR_SIZE	(1 << 3)
#define PAGE_SIZE	4096

#define READ	(1U << INODE_GUARD_READ)
#define WRITE	(1U << INODE_GUARD_WRITE)
#define EXEC	(1U << INODE_GUARD_EXEC)
#define DELETE	(1U << INODE_GUARD_DELETE)
#define REPLACE	(1U << INODE_GUARD_REPLACE)

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The map. The tool sets it before it loads the programs, and binds the map to each of them. */
const volatile __u32 guard_map_id;

/*
 * Deny the access if the file's mask has any kind of it. @ret is what an earlier program returned;
 * a denial is passed on, not counted.
 */
static __always_inline int guard(struct inode *inode, __u32 access, int ret)
{
	struct inode_guard_value *value;
	int kind;

	if (ret)
		return ret;
	if (!inode)
		return 0;
	value = inode_map_lookup(guard_map_id, inode, struct inode_guard_value);
	if (!value)
		return 0;
	access &= value->deny;
	if (!access)
		return 0;
#pragma unroll
	for (kind = 0; kind < INODE_GUARD_KINDS; kind++)
		if (access & (1U << kind))
			__sync_fetch_and_add(&value->denied[kind], 1);
	return -EPERM;
}

/* What open(2) wants. The access mode 3 gives neither, and asks for the permissions of both. */
static __always_inline __u32 open_access(unsigned int flags)
{
	__u32 access = READ | WRITE;

	if (flags & __FMODE_EXEC)
		return EXEC;
	switch (flags & O_ACCMODE) {
	case 0:
		access = READ;
		break;
	case 1:
		access = WRITE;
		break;
	}
	return flags & O_TRUNC ? access | WRITE : access;
}

/* Descriptors that are opened with O_PATH do not come here. */
SEC("lsm/file_open")
int BPF_PROG(guard_open, struct file *file, int ret)
{
	return guard(file->f_inode, open_access(file->f_flags), ret);
}

SEC("lsm/mmap_file")
int BPF_PROG(guard_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
	     unsigned long flags, int ret)
{
	if (!(prot & PROT_EXEC))
		return ret;
	/*
	 * NULL when the memory is anonymous. A kernel that does not tell its verifier so may
	 * remove the comparison with 0 for being pointless: hence the other one.
	 */
	if ((unsigned long)file < PAGE_SIZE)
		return ret;
	barrier_var(file);
	if (!file)
		return ret;
	return guard(file->f_inode, EXEC, ret);
}

SEC("lsm/file_mprotect")
int BPF_PROG(guard_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot, int ret)
{
	struct file *file = vma->vm_file;

	if (!(prot & PROT_EXEC) || !file)
		return ret;
	return guard(file->f_inode, EXEC, ret);
}

SEC("lsm/inode_setattr")
int BPF_PROG(guard_setattr, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr,
	     int ret)
{
	if (!(attr->ia_valid & ATTR_SIZE))
		return ret;
	return guard(dentry->d_inode, WRITE, ret);
}

SEC("lsm/inode_unlink")
int BPF_PROG(guard_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
	return guard(dentry->d_inode, DELETE, ret);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(guard_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
	return guard(dentry->d_inode, DELETE, ret);
}

/* For RENAME_EXCHANGE, the kernel calls it twice, with the files one way and the other. */
SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry, int ret)
{
	return guard(new_dentry->d_inode, REPLACE, ret);
}
