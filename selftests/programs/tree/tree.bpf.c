// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that search trees: for files being opened, created or renamed, and with bad dentry
 * pointers. They record each answer for the test, and act only on what the process @pid does.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "tree.h"

char _license[] SEC("license") = "GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct larger_value {
	struct value value;
	__u8 more;
} __attribute__((packed));

__u32 pid;
__u32 map_id;

/* The first ANSWERS answers of each pair of functions. */
struct answer tree[ANSWERS];
struct answer path[ANSWERS];
__u32 tree_calls;
__u32 path_calls;

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == pid;
}

/* Where the next answer goes, or NULL if there is no room. */
static __always_inline struct answer *next(struct answer *answers, __u32 *calls)
{
	__u32 call = (*calls)++;

	if (call >= ANSWERS)
		return NULL;
	/* Keep the modulo: the verifier does not remember the comparison. */
	barrier_var(call);
	return &answers[call % ANSWERS];
}

static __always_inline void note(struct answer *answer, int distance, const struct value *read,
				 struct value *looked)
{
	answer->distance = distance;
	answer->read = read->number;
	answer->looked = looked ? looked->number : NOTHING;
	if (looked)
		__sync_fetch_and_add(&looked->count, 1);
}

static __always_inline void look_tree(struct dentry *dentry)
{
	struct answer *answer = next(tree, &tree_calls);
	struct value value = { .number = NOTHING };
	struct value *looked;
	int distance;

	if (!answer)
		return;
	distance = inode_map_read_tree(map_id, dentry, &value);
	looked = inode_map_lookup_tree(map_id, dentry, struct value);
	note(answer, distance, &value, looked);
}

/* The lock satisfies the verifier in sleepable programs: the file holds its dentry anyway. */
static __always_inline struct dentry *dentry_of(struct file *file)
{
	struct dentry *dentry;

	bpf_rcu_read_lock();
	dentry = file->f_path.dentry;
	bpf_rcu_read_unlock();
	return dentry;
}

/* Searches as in a policy */

SEC("?lsm/file_open")
int BPF_PROG(open_tree, struct file *file)
{
	if (ours())
		look_tree(file->f_path.dentry);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(open_tree_sleepable, struct file *file)
{
	if (ours())
		look_tree(dentry_of(file));
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(open_path, struct file *file)
{
	struct value value = { .number = NOTHING };
	struct answer *answer;
	struct value *looked;
	int distance;

	if (!ours())
		return 0;
	answer = next(path, &path_calls);
	if (!answer)
		return 0;
	distance = inode_map_read_path(map_id, &file->f_path, &value);
	looked = inode_map_lookup_path(map_id, &file->f_path, struct value);
	note(answer, distance, &value, looked);
	return 0;
}

/* The dentry has no inode yet. */
SEC("?lsm/inode_create")
int BPF_PROG(create_tree, struct inode *dir, struct dentry *dentry, umode_t mode)
{
	if (ours())
		look_tree(dentry);
	return 0;
}

/* In between, rename_lock's count is odd, because of the program's own task. */

__u64 longest;	/* longest search so far, in nanoseconds */

static __always_inline void look_timed(struct dentry *dentry)
{
	__u64 begin = bpf_ktime_get_ns(), took;

	look_tree(dentry);
	took = bpf_ktime_get_ns() - begin;
	if (took > longest)
		longest = took;
}

SEC("?fentry/__d_move")
int BPF_PROG(move_begins, struct dentry *dentry, struct dentry *target, bool exchange)
{
	if (ours())
		look_timed(dentry);
	return 0;
}

SEC("?fexit/__d_move")
int BPF_PROG(move_ends, struct dentry *dentry, struct dentry *target, bool exchange)
{
	if (ours())
		look_timed(dentry);
	return 0;
}

/* Slow down the renames of the process @slow_pid, so that readers on other processors meet them. */

__u32 slow_pid;

#define SLOW_NS		5000000

static long go_on(__u32 index, void *end)
{
	return bpf_ktime_get_ns() > *(__u64 *)end;
}

SEC("?fentry/__d_move")
int BPF_PROG(slow_move, struct dentry *dentry, struct dentry *target, bool exchange)
{
	__u64 end = bpf_ktime_get_ns() + SLOW_NS;

	if (bpf_get_current_pid_tgid() >> 32 == slow_pid)
		bpf_loop(1 << 20, go_on, &end, 0);
	return 0;
}

/* Bad dentry pointers */

SEC("?fexit/d_lookup")
int BPF_PROG(null_dentry, struct dentry *parent, struct qstr *name, struct dentry *dentry)
{
	if (ours())
		look_tree(dentry);
	return 0;
}

SEC("?fexit/lookup_one_qstr_excl")
int BPF_PROG(error_dentry, struct qstr *name, struct dentry *base, unsigned int flags,
	     struct dentry *dentry)
{
	if (ours())
		look_tree(dentry);
	return 0;
}

/* Sizes: see enum size_answer. */

int sizes[SIZE_ANSWERS];

SEC("?lsm.s/file_open")
int BPF_PROG(ask_sizes, struct file *file)
{
	struct larger_value larger = {};
	struct value value = {};
	struct dentry *dentry;
	__u8 byte = 0;

	if (!ours())
		return 0;
	dentry = dentry_of(file);
	sizes[READ_TREE_BYTE] = inode_map_read_tree(map_id, dentry, &byte);
	sizes[READ_PATH_BYTE] = inode_map_read_path(map_id, &file->f_path, &byte);
	sizes[READ_TREE_WHOLE] = inode_map_read_tree(map_id, dentry, &value);
	sizes[READ_PATH_WHOLE] = inode_map_read_path(map_id, &file->f_path, &value);
	sizes[READ_TREE_LARGER] = inode_map_read_tree(map_id, dentry, &larger);
	sizes[READ_PATH_LARGER] = inode_map_read_path(map_id, &file->f_path, &larger);
	sizes[READ_TREE_NOWHERE] = bpf_inode_map_read_tree(map_id, dentry, NULL, 0);
	sizes[LOOKUP_TREE_BYTE] = !!bpf_inode_map_lookup_tree(map_id, dentry, 1);
	sizes[LOOKUP_PATH_BYTE] = !!bpf_inode_map_lookup_path(map_id, &file->f_path, 1);
	sizes[LOOKUP_TREE_WHOLE] = !!inode_map_lookup_tree(map_id, dentry, struct value);
	sizes[LOOKUP_PATH_WHOLE] = !!inode_map_lookup_path(map_id, &file->f_path, struct value);
	sizes[LOOKUP_TREE_LARGER] = !!inode_map_lookup_tree(map_id, dentry, struct larger_value);
	sizes[LOOKUP_PATH_LARGER] = !!inode_map_lookup_path(map_id, &file->f_path,
							    struct larger_value);
	return 0;
}

/* Programs that the verifier must refuse */

SEC("?lsm/file_open")
int BPF_PROG(refused_not_sleepable, struct file *file)
{
	inode_map_lookup_path(map_id, &file->f_path, struct value);
	return 0;
}

SEC("?fentry/vfs_open")
int BPF_PROG(refused_fentry, const struct path *path, struct file *file)
{
	inode_map_lookup_path(map_id, (struct path *)path, struct value);
	return 0;
}
