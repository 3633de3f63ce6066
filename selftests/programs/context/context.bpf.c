// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that change a map on top of what they interrupt: in NMI, in interrupts, under the map's
 * own locks, and in functions that the kernel runs for the map. They act only on what the process
 * @pid does, except those on the module's tracepoints, in workers, or run by user space.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "outcomes.h"
#include "sleepy.bpf.h"

char _license[] SEC("license") = "GPL";

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

#define ENOENT	2
#define EBUSY	16
#define ENODEV	19

/* The fields of the module's structures that the programs read, wherever they are. */

struct inode_map {
	__u32 id;
} __attribute__((preserve_access_index));

struct inode_map_entry {
	struct inode *inode;
	struct inode_map *map;
	struct inode_map_entry *fate;
	__u32 handle;
	__u8 value[0];
} __attribute__((preserve_access_index));

__u32 pid;
volatile __u32 map_id;
volatile __u32 other_map_id;
volatile __u32 other_handle;

__u64 calls;
__u64 finds;
struct outcomes reads;
struct outcomes replaces;
struct outcomes deletes;
struct outcomes others;
struct outcomes opened;

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == pid;
}

static __always_inline void note(struct outcomes *outcomes, int err)
{
	if (!err) {
		__sync_fetch_and_add(&outcomes->ok, 1);
	} else if (err == -EBUSY) {
		__sync_fetch_and_add(&outcomes->busy, 1);
	} else if (err == -ENOENT) {
		__sync_fetch_and_add(&outcomes->absent, 1);
	} else if (err == -ENODEV) {
		__sync_fetch_and_add(&outcomes->dead, 1);
	} else {
		outcomes->error = err;
		__sync_fetch_and_add(&outcomes->other, 1);
	}
}

static __always_inline struct inode *working_directory(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->fs->pwd.dentry->d_inode;
}

/* Delete every entry, by its handle. */
static __always_inline void delete_all(__u32 id, struct outcomes *outcomes)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, id)
		note(outcomes, bpf_inode_map_delete_handle(id, key->handle));
}

/* Make every change to the entry of the working directory; delete all other entries. */
static __always_inline void change(void)
{
	struct inode *inode = working_directory();
	struct value value = {};

	__sync_fetch_and_add(&calls, 1);
	if (inode_map_lookup(map_id, inode, struct value))
		__sync_fetch_and_add(&finds, 1);
	note(&reads, inode_map_read(map_id, inode, &value));
	note(&replaces, inode_map_replace(map_id, inode, &value));
	note(&deletes, bpf_inode_map_delete(map_id, inode));
	delete_all(map_id, &others);
}

/* The tracepoint is inside the NMI handler. */
SEC("?tp_btf/nmi_handler")
int BPF_PROG(on_nmi, void *handler, __s64 delta, int handled)
{
	if (ours())
		change();
	return 0;
}

/* At intervals, or where user space has set a breakpoint. */
SEC("?perf_event")
int on_sample(void *ctx)
{
	if (ours())
		change();
	return 0;
}

/* In any task, for instance a worker. */
SEC("?perf_event")
int delete_on_sample(void *ctx)
{
	delete_all(map_id, &others);
	return 0;
}

/* On the function that user space selects. */
SEC("?fentry")
int on_function(void *ctx)
{
	if (ours())
		change();
	return 0;
}

SEC("?tp_btf/contention_begin")
int BPF_PROG(on_contention, void *lock, unsigned int flags)
{
	if (ours())
		change();
	return 0;
}

/* On the module's tracepoints: change the entry of the event, and delete another one. */

static __always_inline void change_same(struct inode_map *map, struct inode_map_entry *entry)
{
	struct value value = {};

	/* The verifier assumes that arguments of a module's tracepoint may be NULL. */
	if (!map || !entry || map->id != map_id)
		return;
	__sync_fetch_and_add(&calls, 1);
	note(&replaces, inode_map_replace(map_id, entry->inode, &value));
	note(&deletes, bpf_inode_map_delete(map_id, entry->inode));
	note(&deletes, bpf_inode_map_delete_handle(map_id, entry->handle));
	note(&others, bpf_inode_map_delete_handle(map_id, other_handle));
}

SEC("?tp_btf/inode_map_insert")
int BPF_PROG(same_insert, struct inode_map *map, struct inode_map_entry *entry)
{
	change_same(map, entry);
	return 0;
}

SEC("?tp_btf/inode_map_remove")
int BPF_PROG(same_remove, struct inode_map *map, struct inode_map_entry *entry)
{
	change_same(map, entry);
	return 0;
}

/* A change of one map empties the other. */
static __always_inline void change_crosswise(struct inode_map *map)
{
	if (!map)
		return;
	if (map->id == map_id)
		delete_all(other_map_id, &deletes);
	else if (map->id == other_map_id)
		delete_all(map_id, &others);
}

SEC("?tp_btf/inode_map_insert")
int BPF_PROG(cross_insert, struct inode_map *map)
{
	change_crosswise(map);
	return 0;
}

SEC("?tp_btf/inode_map_remove")
int BPF_PROG(cross_remove, struct inode_map *map)
{
	change_crosswise(map);
	return 0;
}

/* Deletes when user space runs the program. */

struct arguments {
	__u32 map_id;
};

SEC("?syscall")
int delete_entries(struct arguments *arguments)
{
	delete_all(arguments->map_id, &deletes);
	return 0;
}

SEC("?syscall")
int replace_pwd(struct arguments *arguments)
{
	struct value value = { .tag = calls };
	struct inode *inode;

	/* The verifier requires this; the call does not. */
	bpf_rcu_read_lock();
	inode = working_directory();
	bpf_rcu_read_unlock();
	note(&replaces, inode_map_replace(arguments->map_id, inode, &value));
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(delete_opened, struct file *file)
{
	if (ours())
		note(&opened, bpf_inode_map_delete(map_id, file->f_inode));
	return 0;
}

/* In the middle of a replacement: when the update writes the fate of the old entry. */

volatile __u32 by_handle;
volatile __u32 claimed_handle;
__u64 fate_address;

SEC("?syscall")
int find_fate(struct arguments *arguments)
{
	struct inode_map_key *key;
	struct value *value;

	inode_map_for_each(it, key, arguments->map_id) {
		value = inode_map_value(it, struct value);
		if (value)
			fate_address = (__u64)value -
				       bpf_core_field_offset(struct inode_map_entry, value) +
				       bpf_core_field_offset(struct inode_map_entry, fate);
		claimed_handle = key->handle;
	}
	return 0;
}

SEC("?perf_event")
int on_claim(void *ctx)
{
	struct inode *inode = working_directory();
	struct value value;

	/* The deletion itself writes the fate of the new entry. */
	if (deletes.ok)
		return 0;
	if (by_handle)
		note(&deletes, bpf_inode_map_delete_handle(map_id, claimed_handle));
	else
		note(&deletes, bpf_inode_map_delete(map_id, inode));
	note(&reads, inode_map_read(map_id, inode, &value));
	note(&others, bpf_inode_map_delete(map_id, inode));
	note(&others, bpf_inode_map_delete_handle(map_id, claimed_handle));
	return 0;
}

/* Holds up a task that has queued a deleted entry for a worker, before it wakes the worker. */

__u32 held_tid;
volatile __u32 holding;
volatile __u32 released;
volatile __u32 go;

static long wait_step(__u32 i, void *unused)
{
	return go ? 1 : 0;
}

/* At irq_work_queue(). */
SEC("?perf_event")
int hold_irq_work(void *ctx)
{
	if ((__u32)bpf_get_current_pid_tgid() != held_tid || holding)
		return 0;
	holding = 1;
	for (int i = 0; i < 8 && !go; i++)
		bpf_loop(1 << 23, wait_step, NULL, 0);
	released = 1;
	return 0;
}

__u64 unlinked;

SEC("?fentry/inode_map_unlink_ended")
int on_unlink_ended(void *ctx)
{
	__sync_fetch_and_add(&unlinked, 1);
	return 0;
}

/*
 * Programs that take a while to count in values. The lower half of a value's tag is its inode
 * number, so that a pointer to another value shows. What they write to a value shows which one they
 * meant.
 */

__u64 kept_ino;
__u64 kept_count;
__u64 counted;
__u64 wrong;

static long pass_time(__u32 i, void *unused)
{
	return 0;
}

static __always_inline void count(struct inode *inode, bool sleepable)
{
	volatile struct value *value = inode_map_lookup(map_id, inode, struct value);
	__u32 ino = inode->i_ino;
	__u64 tag;

	if (!value)
		return;
	tag = value->tag;
	if ((__u32)tag != ino || value->copy != tag)
		__sync_fetch_and_add(&wrong, 1);
	if (sleepable)
		sleep_on_page();
	bpf_loop(sleepable ? 20000 : 2000, pass_time, NULL, 0);
	if (value->tag != tag || value->copy != tag)
		__sync_fetch_and_add(&wrong, 1);
	value->last = tag;
	__sync_fetch_and_add(&value->count, 1);
	__sync_fetch_and_add(&counted, 1);
	if (ino == kept_ino)
		__sync_fetch_and_add(&kept_count, 1);
}

SEC("?lsm/file_open")
int BPF_PROG(count_atomic, struct file *file)
{
	if (ours())
		count(file->f_inode, false);
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(count_sleepable, struct file *file)
{
	if (ours())
		count(file->f_inode, true);
	return 0;
}
