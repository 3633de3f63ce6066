// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program for each way to get an inode, and programs that the verifier must refuse. They act
 * only on what the process @pid does.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "value.h"

char _license[] SEC("license") = "GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

__u32 pid;
__u32 map_id;
__u32 other_map_id;

__u64 calls;
__u64 hits;
__u64 number;
__u64 other_number;

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == pid;
}

static __always_inline void look(struct inode *inode)
{
	struct value *value = inode_map_lookup(map_id, inode, struct value);

	__sync_fetch_and_add(&calls, 1);
	if (!value)
		return;
	__sync_fetch_and_add(&hits, 1);
	__sync_fetch_and_add(&value->count, 1);
	number = value->number;
}

static __always_inline struct inode *working_directory(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->fs->pwd.dentry->d_inode;
}

/* The inode of an opened file */

SEC("?lsm/file_open")
int BPF_PROG(on_lsm, struct file *file)
{
	if (ours())
		look(file->f_inode);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(on_lsm_sleepable, struct file *file)
{
	if (ours())
		look(file->f_inode);
	return 0;
}

SEC("?fentry/vfs_open")
int BPF_PROG(on_fentry, const struct path *path, struct file *file)
{
	if (ours())
		look(path->dentry->d_inode);
	return 0;
}

SEC("?fexit/vfs_open")
int BPF_PROG(on_fexit, const struct path *path, struct file *file, int ret)
{
	if (ours())
		look(file->f_inode);
	return 0;
}

SEC("?fmod_ret/security_file_open")
int BPF_PROG(on_fmod_ret, struct file *file, int ret)
{
	if (ours())
		look(file->f_inode);
	return ret;
}

/* The inode is the argument of a tracepoint, called when a file is locked. */

SEC("?tp_btf/posix_lock_inode")
int BPF_PROG(on_tp_btf, struct inode *inode)
{
	if (ours())
		look(inode);
	return 0;
}

/* The inode of the working directory, which every program can find */

SEC("?tp/raw_syscalls/sys_enter")
int on_tracepoint(void *ctx)
{
	if (ours())
		look(working_directory());
	return 0;
}

SEC("?perf_event")
int on_perf_event(void *ctx)
{
	if (ours())
		look(working_directory());
	return 0;
}

SEC("?fentry.s/bpf_fentry_test1")
int BPF_PROG(on_fentry_sleepable, int argument)
{
	struct inode *inode;

	if (!ours())
		return 0;
	/* The verifier requires this; the lookup does not. */
	bpf_rcu_read_lock();
	inode = working_directory();
	bpf_rcu_read_unlock();
	look(inode);
	return 0;
}

/* The pointer does not point to an inode, or no longer does. */

SEC("?lsm/inode_mkdir")
int BPF_PROG(null_lsm, struct inode *dir, struct dentry *dentry)
{
	if (ours())
		look(dentry->d_inode);
	return 0;
}

SEC("?fentry/security_inode_mkdir")
int BPF_PROG(null_walk, struct inode *dir, struct dentry *dentry)
{
	if (ours())
		look(dentry->d_inode);
	return 0;
}

SEC("?fentry/d_splice_alias")
int BPF_PROG(null_argument, struct inode *inode, struct dentry *dentry)
{
	if (ours())
		look(inode);
	return 0;
}

SEC("?fexit/open_exec")
int BPF_PROG(error_pointer, const char *name, struct file *file)
{
	if (ours())
		look(file->f_inode);
	return 0;
}

SEC("?fexit/__shmem_get_inode")
int BPF_PROG(error_inode, struct mnt_idmap *idmap, struct super_block *sb, struct inode *dir,
	     umode_t mode, dev_t dev, unsigned long flags, struct inode *inode)
{
	if (ours())
		look(inode);
	return 0;
}

SEC("?fexit/iput")
int BPF_PROG(stale, struct inode *inode)
{
	if (ours())
		look(inode);
	return 0;
}

/* Several maps, and values of many sizes */

SEC("?lsm/file_open")
int BPF_PROG(two_maps, struct file *file)
{
	struct value *value;

	if (!ours())
		return 0;
	look(file->f_inode);
	value = inode_map_lookup(other_map_id, file->f_inode, struct value);
	other_number = value ? value->number : 0;
	return 0;
}

__u8 last_bytes[6];
__u8 sizes_hit[6];

/* Reads the last byte and adds 1 to it. */
#define LOOK_SIZE(index, size)							\
	do {									\
		__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, size);	\
										\
		sizes_hit[index] = !!bytes;					\
		if (bytes)							\
			last_bytes[index] = bytes[(size) - 1]++;		\
	} while (0)

SEC("?lsm/file_open")
int BPF_PROG(sizes, struct file *file)
{
	if (!ours())
		return 0;
	LOOK_SIZE(0, 1);
	LOOK_SIZE(1, 4);
	LOOK_SIZE(2, 16);
	LOOK_SIZE(3, 17);
	LOOK_SIZE(4, 4097);
	LOOK_SIZE(5, 100000);
	return 0;
}

/* A policy as a user would write it */

const volatile __u32 denied_id;
const volatile __u32 denied_pid;

SEC("?lsm/file_open")
int BPF_PROG(policy, struct file *file)
{
	__u32 *verdict;

	if (bpf_get_current_pid_tgid() >> 32 != denied_pid)
		return 0;
	verdict = inode_map_lookup(denied_id, file->f_inode, __u32);
	return verdict && *verdict ? -1 : 0;
}

/* What the verifier says to wrong programs, and to programs that are just about right */

SEC("?lsm/file_open")
int BPF_PROG(accepted_last_byte, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, 8);

	if (bytes)
		bytes[7] = bytes[0];
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_read_beyond, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, 8);

	if (bytes)
		number = bytes[8];
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_write_beyond, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, 8);

	if (bytes)
		bytes[8] = 1;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_read_before, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, 8);

	if (bytes)
		number = bytes[-1];
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_unchecked, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, 8);

	number = bytes[0];
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_variable_size, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup(map_id, file->f_inode, number & 7);

	if (bytes)
		hits++;
	return 0;
}

/* The kernel does not offer the function to programs of this type. */
SEC("?socket")
int refused_program_type(void *ctx)
{
	if (bpf_inode_map_lookup(map_id, NULL, 8))
		hits++;
	return 0;
}
