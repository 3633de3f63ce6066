// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of every type that may call the functions. Most call the one that @todo selects, some
 * make several calls in a row. They run once for the process @pid when it has set @armed.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "program.h"
#include "common.bpf.h"

char _license[] SEC("license") = "GPL";

__u32 pid;
__u32 armed;
__u32 map_id;
__u32 todo;
__u32 handle;

__u32 done;
int result;
int results[RESULTS];
__u64 number;
__u32 keys;	/* how many keys a walk returned, and the handle in the last */
__u32 met;

__u32 size;
__u8 buffer[BUFFER_SIZE];

static __always_inline bool ours(void)
{
	if (!armed || bpf_get_current_pid_tgid() >> 32 != pid)
		return false;
	armed = 0;
	return true;
}

static __always_inline void finish(int ret)
{
	result = ret;
	__sync_fetch_and_add(&done, 1);
}

/* One function */

static __always_inline int look(const struct value *value)
{
	if (!value)
		return NOTHING;
	number = value->number;
	return 0;
}

static __always_inline int copied(int ret, const struct value *value)
{
	if (ret >= 0)
		number = value->number;
	return ret;
}

/* Returns the result of starting the walk. */
static __always_inline int walk(void)
{
	struct bpf_iter_inode_map it;
	struct inode_map_key *key;
	int ret;

	ret = bpf_iter_inode_map_new(&it, map_id);
	for (keys = 0; (key = bpf_iter_inode_map_next(&it)); keys++)
		met = key->handle;
	/* At the end a walk stays there, without an entry. */
	if (bpf_iter_inode_map_next(&it) || inode_map_value(it, struct value))
		ret = 1;
	bpf_iter_inode_map_destroy(&it);
	return ret;
}

static __always_inline int walk_values(void)
{
	struct inode_map_key *key;
	int ret = NOTHING;

	inode_map_for_each(it, key, map_id)
		ret = look(inode_map_value(it, struct value));
	return ret;
}

static __always_inline int run(struct inode *inode, struct dentry *dentry)
{
	struct value value = { .number = WRITTEN };

	switch (todo) {
	case DO_LOOKUP:
		return look(inode_map_lookup(map_id, inode, struct value));
	case DO_PEEK:
		return look(inode_map_peek(map_id, inode, struct value));
	case DO_READ:
		return copied(inode_map_read(map_id, inode, &value), &value);
	case DO_LOOKUP_TREE:
		return look(inode_map_lookup_tree(map_id, dentry, struct value));
	case DO_READ_TREE:
		return copied(inode_map_read_tree(map_id, dentry, &value), &value);
	case DO_REPLACE:
		return inode_map_replace(map_id, inode, &value);
	case DO_DELETE:
		return inode_map_delete(map_id, inode);
	case DO_DELETE_HANDLE:
		return bpf_inode_map_delete_handle(map_id, handle);
	case DO_WALK:
		return walk();
	case DO_VALUE:
		return walk_values();
	}
	return 1;
}

static __always_inline int run_trusted(struct inode *inode, const struct path *path)
{
	struct value value = { .number = WRITTEN };

	switch (todo) {
	case DO_UPDATE:
		return inode_map_update(map_id, inode, &value, BPF_ANY);
	case DO_LOOKUP_PATH:
		return look(inode_map_lookup_path(map_id, path, struct value));
	case DO_READ_PATH:
		return copied(inode_map_read_path(map_id, path, &value), &value);
	}
	return 1;
}

/* The file being opened */

SEC("?lsm/file_open")
int BPF_PROG(on_lsm, struct file *file)
{
	if (ours())
		finish(run(file->f_inode, file->f_path.dentry));
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(on_lsm_sleepable, struct file *file)
{
	if (!ours())
		return 0;
	if (todo >= DO_TRUSTED) {
		finish(run_trusted(file->f_inode, &file->f_path));
		return 0;
	}
	/* For the dentry: the inode is the only field of the file that the verifier trusts. */
	bpf_rcu_read_lock();
	finish(run(file->f_inode, file->f_path.dentry));
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?fentry/vfs_open")
int BPF_PROG(on_fentry, const struct path *path, struct file *file)
{
	if (ours())
		finish(run(path->dentry->d_inode, path->dentry));
	return 0;
}

SEC("?fexit/vfs_open")
int BPF_PROG(on_fexit, const struct path *path, struct file *file, int ret)
{
	if (ours())
		finish(run(file->f_inode, file->f_path.dentry));
	return 0;
}

SEC("?fmod_ret/security_file_open")
int BPF_PROG(on_fmod_ret, struct file *file, int ret)
{
	if (ours())
		finish(run(file->f_inode, file->f_path.dentry));
	return ret;
}

/* The file being locked */

/* The verifier assumes that both pointers may be NULL, and objects to following them unchecked. */
SEC("?tp_btf/posix_lock_inode")
int BPF_PROG(on_tp_btf, struct inode *inode, struct file_lock *lock)
{
	if (lock && ours())
		finish(run(inode, lock->c.flc_file->f_path.dentry));
	return 0;
}

/* The working directory */

static __always_inline int run_on_directory(void)
{
	return run(working_directory()->d_inode, working_directory());
}

SEC("?tp/raw_syscalls/sys_enter")
int on_tracepoint(void *ctx)
{
	if (ours())
		finish(run_on_directory());
	return 0;
}

/* Refused by some kernels. */
SEC("?raw_tp/sys_enter")
int on_raw_tracepoint(void *ctx)
{
	if (ours())
		finish(run_on_directory());
	return 0;
}

SEC("?perf_event")
int on_perf_event(void *ctx)
{
	if (ours())
		finish(run_on_directory());
	return 0;
}

SEC("?fentry.s/bpf_fentry_test1")
int BPF_PROG(on_fentry_sleepable, int argument)
{
	if (!ours())
		return 0;
	bpf_rcu_read_lock();
	finish(run_on_directory());
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?syscall")
int on_syscall(void *ctx)
{
	if (!ours())
		return 0;
	bpf_rcu_read_lock();
	finish(run_on_directory());
	bpf_rcu_read_unlock();
	return 0;
}

/* A file about to be created: it has no inode yet, although the verifier assumes one. */

SEC("?lsm/inode_create")
int BPF_PROG(no_inode, struct inode *dir, struct dentry *dentry)
{
	if (ours())
		finish(run(dentry->d_inode, dentry));
	return 0;
}

SEC("?lsm.s/inode_create")
int BPF_PROG(no_inode_sleepable, struct inode *dir, struct dentry *dentry)
{
	struct value value = { .number = WRITTEN };

	if (ours())
		finish(inode_map_update(map_id, dentry->d_inode, &value, BPF_ANY));
	return 0;
}

/* Pointers to neither an inode nor a dentry, which the verifier does not check */

__u64 address;

/* An integer, so that the test can choose any bad pointer. */
SEC("?lsm/file_open")
int BPF_PROG(any_number, struct file *file)
{
	if (ours())
		finish(run((struct inode *)address, (struct dentry *)address));
	return 0;
}

/* The address of the file's inode, or of its dentry, as an integer. */
SEC("?lsm/file_open")
int BPF_PROG(addresses, struct file *file)
{
	if (!ours())
		return 0;
	address = todo == DO_LOOKUP_TREE || todo == DO_READ_TREE ? (__u64)file->f_path.dentry :
								   (__u64)file->f_inode;
	finish(0);
	return 0;
}

/*
 * A pointer to another kernel object. Not the file: on kernels with lock checking, its inode is at
 * the offset of a dentry's inode, and would be found.
 */
SEC("?lsm/file_open")
int BPF_PROG(any_object, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (ours())
		finish(run((struct inode *)task, (struct dentry *)task));
	return 0;
}

/* A pointer that nothing keeps valid, in a sleepable program. */
SEC("?lsm.s/file_open")
int BPF_PROG(any_walked, struct file *file)
{
	if (ours())
		finish(run(file->f_path.dentry->d_inode, file->f_path.dentry));
	return 0;
}

/* Pointers to the program's stack, to an array's value, and to the program's context */

SEC("?lsm/file_open")
int BPF_PROG(any_stack, struct file *file)
{
	__u64 words[4] = { -1, -1, -1, -1 };

	if (ours())
		finish(run((struct inode *)words, (struct dentry *)words));
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(any_value, struct file *file)
{
	if (ours())
		finish(run((struct inode *)buffer, (struct dentry *)buffer));
	return 0;
}

SEC("?lsm/file_open")
int any_context(void *ctx)
{
	if (ours())
		finish(run(ctx, ctx));
	return 0;
}

/* Several calls in a row, with results in the order of @results */

/* With one byte more than a value has, and with one byte less. */
SEC("?lsm.s/file_open")
int BPF_PROG(other_sizes, struct file *file)
{
	struct inode *inode = file->f_inode;
	__u64 bytes[4] = { WRITTEN };
	struct inode_map_key *key;
	struct dentry *dentry;

	if (!ours())
		return 0;
	bpf_rcu_read_lock();
	dentry = file->f_path.dentry;
	bpf_rcu_read_unlock();
	results[0] = look((void *)bpf_inode_map_peek(map_id, inode, 17));
	results[1] = look((void *)bpf_inode_map_lookup_tree(map_id, dentry, 17));
	results[2] = look((void *)bpf_inode_map_lookup_path(map_id, &file->f_path, 17));
	inode_map_for_each(it, key, map_id)
		results[3] = look((void *)bpf_iter_inode_map_value(&it, 17));
	results[4] = bpf_inode_map_read_tree(map_id, dentry, bytes, 17);
	results[5] = bpf_inode_map_read_path(map_id, &file->f_path, bytes, 17);
	results[6] = bpf_inode_map_replace(map_id, inode, bytes, 17);
	results[7] = bpf_inode_map_replace(map_id, inode, bytes, 15);
	results[8] = bpf_inode_map_replace(map_id, inode, bytes, 0);

	results[9] = look((void *)bpf_inode_map_peek(map_id, inode, 15));
	results[10] = look((void *)bpf_inode_map_lookup_tree(map_id, dentry, 15));
	results[11] = look((void *)bpf_inode_map_lookup_path(map_id, &file->f_path, 15));
	inode_map_for_each(again, key, map_id)
		results[12] = look((void *)bpf_iter_inode_map_value(&again, 15));
	results[13] = bpf_inode_map_read_tree(map_id, dentry, bytes, 15);
	results[14] = bpf_inode_map_read_path(map_id, &file->f_path, bytes, 15);
	finish(0);
	return 0;
}

/*
 * With size 0. The verifier of 6.12 does not know size 0, and would let the program read a byte;
 * Linux 7.3 refuses a program that reads it.
 */
static __always_inline int nothing(const __u8 *byte)
{
	return byte ? 0 : NOTHING;
}

SEC("?lsm.s/file_open")
int BPF_PROG(no_size, struct file *file)
{
	struct inode *inode = file->f_inode;
	struct inode_map_key *key;
	struct dentry *dentry;

	if (!ours())
		return 0;
	bpf_rcu_read_lock();
	dentry = file->f_path.dentry;
	bpf_rcu_read_unlock();
	results[0] = nothing(bpf_inode_map_lookup(map_id, inode, 0));
	results[1] = nothing(bpf_inode_map_peek(map_id, inode, 0));
	results[2] = nothing(bpf_inode_map_lookup_tree(map_id, dentry, 0));
	results[3] = nothing(bpf_inode_map_lookup_path(map_id, &file->f_path, 0));
	inode_map_for_each(it, key, map_id)
		results[4] = nothing(bpf_iter_inode_map_value(&it, 0));
	inode_map_for_each(again, key, map_id)
		results[5] = nothing(bpf_iter_inode_map_peek(&again, 0));
	finish(0);
	return 0;
}

/* The verifier accepts pointers that may be NULL; these are. */
SEC("?lsm/file_open")
int BPF_PROG(null_memory, struct file *file)
{
	__u32 key = 0;
	struct value *null;

	if (!ours())
		return 0;
	null = bpf_map_lookup_elem(&ordinary, &key);
	results[0] = bpf_inode_map_read(map_id, file->f_inode, null, sizeof(*null));
	null = bpf_map_lookup_elem(&ordinary, &key);
	results[1] = bpf_inode_map_read_tree(map_id, file->f_path.dentry, null, sizeof(*null));
	null = bpf_map_lookup_elem(&ordinary, &key);
	results[2] = bpf_inode_map_replace(map_id, file->f_inode, null, sizeof(*null));
	finish(0);
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(read_bytes, struct file *file)
{
	__u32 bytes = size;

	if (bytes <= sizeof(buffer) && ours())
		finish(bpf_inode_map_read(map_id, file->f_inode, buffer, bytes));
	return 0;
}

static __always_inline void replace_and_look(struct inode *inode)
{
	struct value value = { .number = WRITTEN, .count = 8 }, *old, *new;

	old = inode_map_lookup(map_id, inode, struct value);
	if (!old)
		return;
	results[0] = inode_map_replace(map_id, inode, &value);
	/* A write to the old value is lost. */
	old->count = 9;
	new = inode_map_lookup(map_id, inode, struct value);
	results[1] = old->number;
	results[2] = new ? new->number == WRITTEN && new->count == 8 : NOTHING;
	results[3] = walk();
	results[4] = keys;
	finish(0);
}

SEC("?lsm/file_open")
int BPF_PROG(replace, struct file *file)
{
	if (ours())
		replace_and_look(file->f_inode);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(replace_sleepable, struct file *file)
{
	if (ours())
		replace_and_look(file->f_inode);
	return 0;
}

/* Delete by @handle, if that is not 0. */
SEC("?lsm/file_open")
int BPF_PROG(delete_and_look, struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	struct value value = {}, *old;
	__u32 by = handle;

	if (!ours())
		return 0;
	old = inode_map_lookup(map_id, inode, struct value);
	if (!old)
		return 0;
	results[0] = by ? bpf_inode_map_delete_handle(map_id, by) :
			  inode_map_delete(map_id, inode);
	results[1] = look(inode_map_lookup(map_id, inode, struct value));
	results[2] = look(inode_map_peek(map_id, inode, struct value));
	results[3] = look(inode_map_lookup_tree(map_id, dentry, struct value));
	results[4] = inode_map_read(map_id, inode, &value);
	results[5] = inode_map_replace(map_id, inode, &value);
	results[6] = inode_map_delete(map_id, inode);
	results[7] = by ? bpf_inode_map_delete_handle(map_id, by) : 0;
	results[8] = walk();
	results[9] = keys;
	/* The old value stays readable until the program ends. */
	results[10] = old->number;
	finish(0);
	return 0;
}

/* Deleting an entry makes room for a new one at once. */
SEC("?lsm.s/file_open")
int BPF_PROG(delete_and_update, struct file *file)
{
	struct value value = { .number = WRITTEN };

	if (!ours())
		return 0;
	results[0] = inode_map_delete(map_id, file->f_inode);
	results[1] = inode_map_update(map_id, file->f_inode, &value, BPF_NOEXIST);
	results[2] = look(inode_map_lookup(map_id, file->f_inode, struct value));
	results[3] = walk();
	results[4] = keys;
	finish(0);
	return 0;
}

SEC("?syscall")
int names(void *ctx)
{
	results[0] = inode_map_id("program_one");
	results[1] = inode_map_id("program_on");
	results[2] = inode_map_id("program_one_");
	results[3] = inode_map_id("fifteen_letters");
	results[4] = inode_map_id("fifteen_letters_");
	results[5] = inode_map_id("");
	return 0;
}
