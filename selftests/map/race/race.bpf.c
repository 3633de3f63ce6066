// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that look up what others are changing. They run for the children of the process @pid.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "sleepy.bpf.h"
#include "words.h"

char _license[] SEC("license") = "GPL";

__u32 pid;
__u32 map_id;

__u64 hits;
__u64 misses;
__u64 torn;

static __always_inline bool ours(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->real_parent->tgid == pid;
}

/* No branches in the loop: the verifier would follow each of them. */
static __always_inline bool is_whole(struct value *value)
{
	__u64 seed = value->seed, differ = 0;

	for (int i = 0; i < WORDS; i++)
		differ |= value->words[i] ^ WORD(seed, i);
	return !differ;
}

static __always_inline void look(struct inode *inode)
{
	struct value *value;
	bool whole = true;

	if (!ours())
		return;
	value = inode_map_lookup(map_id, inode, struct value);
	if (!value) {
		__sync_fetch_and_add(&misses, 1);
		return;
	}
	/* Check several times, so that the entry can go between two looks. */
	for (int i = 0; i < 8; i++)
		whole &= is_whole(value);
	__sync_fetch_and_add(&hits, 1);
	if (!whole)
		__sync_fetch_and_add(&torn, 1);
}

SEC("?lsm/file_open")
int BPF_PROG(check, struct file *file)
{
	look(file->f_inode);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(check_sleepable, struct file *file)
{
	look(file->f_inode);
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(count, struct file *file)
{
	__u64 *counter;

	if (!ours())
		return 0;
	counter = inode_map_lookup(map_id, file->f_inode, __u64);
	if (counter)
		__sync_fetch_and_add(counter, 1);
	return 0;
}

/* For entries that always exist. */
SEC("?lsm/file_open")
int BPF_PROG(look_often, struct file *file)
{
	__u64 found = 0;

	if (!ours())
		return 0;
	for (int i = 0; i < 200; i++)
		if (inode_map_lookup(map_id, file->f_inode, __u64))
			found++;
	__sync_fetch_and_add(&hits, found);
	__sync_fetch_and_add(&misses, 200 - found);
	return 0;
}

/* Hold up a task that shows an entry to user space, and see whether the entry ends meanwhile. */

struct inode_map_entry {
	struct inode *inode;
} __attribute__((preserve_access_index));

__u64 ended;

static long pass_time(__u32 i, void *unused)
{
	return 0;
}

SEC("?fentry/inode_map_key_fill")
int BPF_PROG(fill_slowly, void *map, struct inode_map_entry *entry)
{
	if (!entry || inode_map_is_null(entry->inode))
		return 0;
	bpf_loop(5000, pass_time, NULL, 0);
	if (inode_map_is_null(entry->inode))
		__sync_fetch_and_add(&ended, 1);
	return 0;
}

/* Wait until user space sets @go. */

volatile __u32 holding;
volatile __u32 go;

static long wait_a_bit(__u32 i, void *unused)
{
	return go ? 1 : 0;
}

static __always_inline void wait_until_go(void)
{
	for (int i = 0; i < 8 && !go; i++)
		bpf_loop(1 << 23, wait_a_bit, NULL, 0);
}

/* Hold up the child that adds a mark when others can find it, but the inode lacks its bit yet. */
SEC("?kprobe")
int hold_mask(void *ctx)
{
	if (holding || !ours())
		return 0;
	holding = 1;
	wait_until_go();
	return 0;
}

/* For the process @pid itself. */
SEC("?lsm/file_open")
int BPF_PROG(look_once, struct file *file)
{
	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	if (inode_map_lookup(map_id, file->f_inode, __u64))
		hits++;
	else
		misses++;
	return 0;
}

/* Keep a pointer to a value. */

static __always_inline void hold(struct inode *inode, bool sleepable)
{
	struct value *value = inode_map_lookup(map_id, inode, struct value);

	if (!value)
		return;
	holding = 1;
	if (sleepable)
		sleep_on_page();
	wait_until_go();
	if (is_whole(value) && value->seed == 1)
		hits++;
	else
		torn++;
	/* The map may have gone, too. */
	if (!inode_map_lookup(map_id, inode, struct value))
		misses++;
}

SEC("?lsm/file_open")
int BPF_PROG(hold_atomic, struct file *file)
{
	if (ours())
		hold(file->f_inode, false);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(hold_sleepable, struct file *file)
{
	if (ours())
		hold(file->f_inode, true);
	return 0;
}
