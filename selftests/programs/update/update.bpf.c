// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program for each way to get an inode that an update accepts, and programs that the verifier
 * must refuse. They act for the process @pid and its children: on the ioctl() COMMAND, which no
 * file implements, or on their own triggers while @enabled is set. If @enabled is CHILDREN, they
 * ignore the process itself.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "command.h"

char _license[] SEC("license") = "GPL";

extern struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
extern void bpf_put_file(struct file *file) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

__u32 pid;
volatile __u32 enabled;
__u32 map_id;
__u64 flags;
__u32 value;
__u8 large[32768];
__u64 wide;

/* The last call's result, and how often each errno was returned, with 0 for success. */
volatile int result;
__u64 results[128];

static __always_inline bool ours(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->real_parent->tgid == pid)
		return true;
	return task->tgid == pid && enabled != CHILDREN;
}

static __always_inline void note(int err)
{
	result = err;
	__sync_fetch_and_add(&results[-err & 127], 1);
}

static __always_inline void update(struct inode *inode)
{
	__u32 copy = value;

	note(inode_map_update(map_id, inode, &copy, flags));
}

/* The hook's dentry has an inode, but the verifier of 7.x requires the test. */
static __always_inline void update_named(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	if (!inode_map_is_null(inode))
		update(inode);
}

/* The inode of a file, at several hooks */

SEC("?lsm.s/file_ioctl")
int BPF_PROG(on_ioctl, struct file *file, unsigned int command)
{
	if (command == COMMAND && ours())
		update(file->f_inode);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(on_open, struct file *file)
{
	if (enabled && ours())
		update(file->f_inode);
	return 0;
}

SEC("?lsm.s/bprm_committed_creds")
int BPF_PROG(on_exec, struct linux_binprm *bprm)
{
	if (enabled && ours())
		update(bprm->file->f_inode);
	return 0;
}

SEC("?lsm.s/file_ioctl")
int BPF_PROG(on_executable, struct file *unused, unsigned int command)
{
	struct file *executable;

	if (command != COMMAND || !ours())
		return 0;
	executable = bpf_get_task_exe_file(bpf_get_current_task_btf());
	if (!executable)
		return 0;
	update(executable->f_inode);
	bpf_put_file(executable);
	return 0;
}

/* An inode whose dentry the hook gets. The filesystem holds locks of the directory. */

SEC("?lsm.s/inode_setattr")
int BPF_PROG(on_setattr, struct mnt_idmap *idmap, struct dentry *dentry)
{
	if (enabled && ours())
		update_named(dentry);
	return 0;
}

SEC("?lsm.s/inode_unlink")
int BPF_PROG(on_unlink, struct inode *dir, struct dentry *dentry)
{
	if (enabled && ours())
		update_named(dentry);
	return 0;
}

SEC("?lsm.s/inode_rename")
int BPF_PROG(on_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	if (enabled && ours())
		update_named(new_dentry);
	return 0;
}

/* A directory, and a dentry without an inode, although the verifier assumes one */

SEC("?lsm.s/inode_create")
int BPF_PROG(on_create, struct inode *dir, struct dentry *dentry)
{
	if (enabled && ours())
		update(dir);
	return 0;
}

SEC("?lsm.s/inode_create")
int BPF_PROG(on_create_negative, struct inode *dir, struct dentry *dentry)
{
	if (enabled && ours())
		update(dentry->d_inode);
	return 0;
}

/* An inode that ends, or that was never in use */

SEC("?lsm.s/inode_free_security")
int BPF_PROG(on_free, struct inode *inode)
{
	if (enabled)
		update(inode);
	return 0;
}

SEC("?lsm/inode_alloc_security")
int BPF_PROG(deny_alloc, struct inode *inode)
{
	return enabled && ours() ? -12 : 0;
}

/* Other sizes */

SEC("?lsm.s/file_ioctl")
int BPF_PROG(on_ioctl_wide, struct file *file, unsigned int command)
{
	if (command == COMMAND && ours())
		note(inode_map_update(map_id, file->f_inode, &wide, flags));
	return 0;
}

SEC("?lsm.s/file_ioctl")
int BPF_PROG(on_ioctl_large, struct file *file, unsigned int command)
{
	if (command == COMMAND && ours())
		note(inode_map_update(map_id, file->f_inode, &large, flags));
	return 0;
}

/* Many updates in a single run: replaced values stay in memory until the program ends. */
SEC("?lsm.s/file_ioctl")
int BPF_PROG(on_ioctl_often, struct file *file, unsigned int command)
{
	struct bpf_iter_num it;

	if (command != COMMAND || !ours())
		return 0;
	bpf_iter_num_new(&it, 0, 4096);
	while (bpf_iter_num_next(&it))
		note(inode_map_update(map_id, file->f_inode, &large, flags));
	bpf_iter_num_destroy(&it);
	return 0;
}

/* Programs that the verifier must refuse */

SEC("?lsm/file_open")
int BPF_PROG(refused_not_sleepable, struct file *file)
{
	update(file->f_inode);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_in_rcu, struct file *file)
{
	bpf_rcu_read_lock();
	update(file->f_inode);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?lsm.s/inode_getattr")
int BPF_PROG(refused_untrusted, const struct path *path)
{
	update(path->dentry->d_inode);
	return 0;
}

SEC("?fentry.s/bpf_fentry_test1")
int BPF_PROG(refused_fentry)
{
	struct task_struct *task = bpf_get_current_task_btf();

	update(task->fs->pwd.dentry->d_inode);
	return 0;
}

SEC("?syscall")
int refused_syscall(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	update(task->fs->pwd.dentry->d_inode);
	return 0;
}

SEC("?syscall")
int refused_syscall_exe(void *ctx)
{
	struct file *executable = bpf_get_task_exe_file(bpf_get_current_task_btf());

	if (executable) {
		update(executable->f_inode);
		bpf_put_file(executable);
	}
	return 0;
}

/* The verifier of 6.12 does not trust the iterator's file. */
SEC("?iter.s/task_file")
int refused_iterator(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;

	if (!inode_map_is_null(file))
		update(file->f_inode);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_null_inode, struct file *file)
{
	update(NULL);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_null_value, struct file *file)
{
	bpf_inode_map_update(map_id, file->f_inode, NULL, 4, 0);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_beyond_value, struct file *file)
{
	__u32 copy = value;

	bpf_inode_map_update(map_id, file->f_inode, &copy, 8, 0);
	return 0;
}
