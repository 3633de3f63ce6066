// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that look up every inode that they are called for, in all maps of the stress test, and
 * check what they find. They need no filter: only inodes of the test are in these maps.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>
#include "board.bpf.h"

char _license[] SEC("license") = "GPL";

/* For copies of values, which don't fit on a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stress_value);
} copy SEC(".maps");

/* One in this many lookups dawdles with the value. */
#define DAWDLE_EVERY	32
#define DAWDLE_STEPS	5000

static long do_nothing(__u32 i, void *unused)
{
	return 0;
}

/* A sleepable program may be preempted where it accesses user memory. */
static __always_inline void dawdle(bool sleepable)
{
	struct task_struct *task = bpf_get_current_task_btf();
	char byte;

	for (int i = 0; i < 4; i++) {
		bpf_loop(DAWDLE_STEPS, do_nothing, NULL, 0);
		if (sleepable)
			bpf_copy_from_user(&byte, 1, (void *)BPF_CORE_READ(task, mm, arg_start));
	}
}

static __always_inline void look(struct inode *inode, __u32 where, bool sleepable)
{
	struct stress_board *b = get_board();
	struct stress_value *value;
	struct identity id = {};
	__u32 map, what;
	__u64 seq;

	/* A rename need not replace anything. */
	if (!b || inode_map_is_null(inode))
		return;
	count(&b->runs[where]);
	id.ino = inode->i_ino;
	id.dev = inode->i_sb->s_dev;
	id.gen = inode->i_generation;
	for (int i = 0; i < STRESS_SLOTS; i++) {
		map = *(volatile __u32 *)&b->maps[i];
		value = inode_map_lookup(map, inode, struct stress_value);
		if (!value)
			continue;
		count(&b->hits[where]);
		what = judge(value, map, &id);
		if (what) {
			violation(b, where, what, map, &id, value);
			return;
		}
		count(&value->hits);
		if (bpf_get_prandom_u32() % DAWDLE_EVERY)
			continue;
		/* The program's value stays the same, whatever happens to the entry. */
		seq = *(volatile __u64 *)&value->seq;
		dawdle(sleepable);
		if (judge(value, map, &id) || *(volatile __u64 *)&value->seq != seq) {
			violation(b, where, WRONG_SUM_LATER, map, &id, value);
			return;
		}
	}
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file)
{
	look(file->f_inode, IN_FILE_OPEN, false);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(file_open_sleepable, struct file *file)
{
	look(file->f_inode, IN_FILE_OPEN_SLEEPABLE, true);
	return 0;
}

SEC("lsm.s/inode_unlink")
int BPF_PROG(inode_unlink_sleepable, struct inode *dir, struct dentry *dentry)
{
	look(dentry->d_inode, IN_UNLINK_SLEEPABLE, true);
	return 0;
}

/* The renamed inode, and the one that the rename replaces. */
SEC("lsm/inode_rename")
int BPF_PROG(inode_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	look(old_dentry->d_inode, IN_RENAME, false);
	look(new_dentry->d_inode, IN_RENAME, false);
	return 0;
}

SEC("fentry/iput")
int BPF_PROG(iput_entry, struct inode *inode)
{
	look(inode, IN_FENTRY_IPUT, false);
	return 0;
}

/* Eviction: the entries of the inode are about to go. */
SEC("fentry/clear_inode")
int BPF_PROG(clear_inode_entry, struct inode *inode)
{
	look(inode, IN_FENTRY_CLEAR_INODE, false);
	return 0;
}

/* The module's tracepoints, and the fields of its structures that the programs read. */

struct inode_map {
	__u32 id;
} __attribute__((preserve_access_index));

struct inode_map_addon {
	__u64 ino;
	__u32 gen;
	__u32 dev;
} __attribute__((preserve_access_index));

struct inode_map_entry {
	struct inode_map_addon *addon;
	__u8 value[];
} __attribute__((preserve_access_index));

static __always_inline void check_entry(const struct inode_map *map,
					const struct inode_map_entry *entry, __u32 where)
{
	struct stress_board *b = get_board();
	struct stress_value *value;
	struct identity id = {};
	__u32 zero = 0, what;

	value = bpf_map_lookup_elem(&copy, &zero);
	if (!b || !value || !map || !entry)
		return;
	count(&b->runs[where]);
	if (bpf_probe_read_kernel(value, sizeof(*value), &entry->value))
		return;
	count(&b->hits[where]);
	id.ino = entry->addon->ino;
	id.gen = entry->addon->gen;
	id.dev = entry->addon->dev;
	what = judge(value, map->id, &id);
	if (what)
		violation(b, where, what, map->id, &id, value);
}

SEC("tp_btf/inode_map_insert")
int BPF_PROG(inserted, const struct inode_map *map, const struct inode_map_entry *entry)
{
	check_entry(map, entry, IN_INSERT);
	return 0;
}

SEC("tp_btf/inode_map_remove")
int BPF_PROG(removed, const struct inode_map *map, const struct inode_map_entry *entry,
	     __u32 reason)
{
	struct stress_board *b = get_board();

	check_entry(map, entry, IN_REMOVE);
	if (b && reason < STRESS_REASONS)
		count(&b->removed[reason]);
	return 0;
}
