// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that the verifier must refuse, each for the reason in refused.c. None of them ever runs.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "program.h"
#include "common.bpf.h"

char _license[] SEC("license") = "GPL";

__u32 map_id;
__u64 number;
__u32 size;
__u8 buffer[BUFFER_SIZE];

/* Writes to read-only memory */

SEC("?lsm/file_open")
int BPF_PROG(refused_peek_write, struct file *file)
{
	struct value *value = (void *)inode_map_peek(map_id, file->f_inode, struct value);

	if (value)
		value->number = 1;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_peek_atomic, struct file *file)
{
	struct value *value = (void *)inode_map_peek(map_id, file->f_inode, struct value);

	if (value)
		__sync_fetch_and_add(&value->count, 1);
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_key_write, struct file *file)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		key->handle = 1;
	return 0;
}

/* Access one byte beyond the requested size, without a check for NULL, or with a variable size */

SEC("?lsm/file_open")
int BPF_PROG(refused_peek_beyond, struct file *file)
{
	const __u8 *bytes = bpf_inode_map_peek(map_id, file->f_inode, 8);

	if (bytes)
		number = bytes[8];
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_peek_unchecked, struct file *file)
{
	const __u8 *bytes = bpf_inode_map_peek(map_id, file->f_inode, 8);

	number = bytes[0];
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_peek_variable_size, struct file *file)
{
	if (bpf_inode_map_peek(map_id, file->f_inode, size & 7))
		number++;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_tree_beyond, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup_tree(map_id, file->f_path.dentry, 8);

	if (bytes)
		bytes[8] = 1;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_tree_unchecked, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup_tree(map_id, file->f_path.dentry, 8);

	bytes[0] = 1;
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_path_unchecked, struct file *file)
{
	__u8 *bytes = bpf_inode_map_lookup_path(map_id, &file->f_path, 8);

	bytes[0] = 1;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_value_beyond, struct file *file)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		__u8 *bytes = bpf_iter_inode_map_value(&it, 8);

		if (bytes)
			bytes[8] = 1;
	}
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_value_unchecked, struct file *file)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		__u8 *bytes = bpf_iter_inode_map_value(&it, 8);

		bytes[0] = 1;
	}
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_value_variable_size, struct file *file)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		if (bpf_iter_inode_map_value(&it, size & 7))
			number++;
	return 0;
}

/* Memory smaller than the size that the program passes */

SEC("?lsm/file_open")
int BPF_PROG(refused_read_small, struct file *file)
{
	__u64 half = 0;

	bpf_inode_map_read(map_id, file->f_inode, &half, sizeof(struct value));
	number = half;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_replace_small, struct file *file)
{
	__u64 half = 0;

	bpf_inode_map_replace(map_id, file->f_inode, &half, sizeof(struct value));
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_read_unbounded, struct file *file)
{
	bpf_inode_map_read(map_id, file->f_inode, buffer, size);
	return 0;
}

/* A read-only value can't be the destination of a read. */
SEC("?lsm/file_open")
int BPF_PROG(refused_read_into_peek, struct file *file)
{
	void *value = (void *)inode_map_peek(map_id, file->f_inode, struct value);

	if (value)
		bpf_inode_map_read(map_id, file->f_inode, value, sizeof(struct value));
	return 0;
}

/* Sleeping functions in programs that must not sleep */

SEC("?lsm/file_open")
int BPF_PROG(refused_update_atomic, struct file *file)
{
	struct value value = {};

	inode_map_update(map_id, file->f_inode, &value, BPF_ANY);
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_lookup_path_atomic, struct file *file)
{
	if (inode_map_lookup_path(map_id, &file->f_path, struct value))
		number++;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_read_path_atomic, struct file *file)
{
	struct value value = {};

	inode_map_read_path(map_id, &file->f_path, &value);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_update_rcu, struct file *file)
{
	struct value value = {};

	bpf_rcu_read_lock();
	inode_map_update(map_id, file->f_inode, &value, BPF_ANY);
	bpf_rcu_read_unlock();
	return 0;
}

/* Functions that take references, with pointers that may be stale */

SEC("?lsm.s/file_open")
int BPF_PROG(refused_update_walked, struct file *file)
{
	struct value value = {};

	inode_map_update(map_id, file->f_path.dentry->d_inode, &value, BPF_ANY);
	return 0;
}

/* A pointer with no more trust than an argument of an fentry program. */
SEC("?fentry.s/bpf_fentry_test1")
int BPF_PROG(refused_update_plain, int argument)
{
	struct value value = {};
	struct inode *inode;

	bpf_rcu_read_lock();
	inode = working_directory()->d_inode;
	bpf_rcu_read_unlock();
	inode_map_update(map_id, inode, &value, BPF_ANY);
	return 0;
}

SEC("?syscall")
int refused_update_syscall(void *ctx)
{
	struct value value = {};
	struct inode *inode;

	bpf_rcu_read_lock();
	inode = working_directory()->d_inode;
	bpf_rcu_read_unlock();
	inode_map_update(map_id, inode, &value, BPF_ANY);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_lookup_path_untrusted, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (inode_map_lookup_path(map_id, &task->fs->pwd, struct value))
		number++;
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_read_path_untrusted, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct value value = {};

	inode_map_read_path(map_id, &task->fs->pwd, &value);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_update_null_value, struct file *file)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&ordinary, &key);

	inode_map_update(map_id, file->f_inode, value, BPF_ANY);
	return 0;
}

/* Walks without a beginning or an end */

SEC("?lsm/file_open")
int BPF_PROG(refused_walk_open, struct file *file)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	if (bpf_iter_inode_map_next(&it))
		number++;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_walk_not_begun, struct file *file)
{
	struct bpf_iter_inode_map it = {};

	if (bpf_iter_inode_map_next(&it))
		number++;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_walk_ended, struct file *file)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	bpf_iter_inode_map_destroy(&it);
	if (bpf_iter_inode_map_next(&it))
		number++;
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_value_ended, struct file *file)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	bpf_iter_inode_map_destroy(&it);
	if (inode_map_value(it, struct value))
		number++;
	return 0;
}

/* Names that others may change */

SEC("?lsm/file_open")
int BPF_PROG(refused_name_variable, struct file *file)
{
	number = bpf_inode_map_id((const char *)buffer);
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(refused_name_on_stack, struct file *file)
{
	char name[8] = "name";

	number = bpf_inode_map_id(name);
	return 0;
}

/* Program types that may not call the functions */

SEC("?xdp")
int refused_xdp(struct xdp_md *ctx)
{
	return inode_map_id("program_one") > 0 ? XDP_PASS : XDP_DROP;
}

SEC("?socket")
int refused_socket(struct __sk_buff *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		number++;
	return 0;
}

SEC("?kprobe/vfs_open")
int refused_kprobe(struct pt_regs *ctx)
{
	return bpf_inode_map_delete_handle(map_id, 1);
}
