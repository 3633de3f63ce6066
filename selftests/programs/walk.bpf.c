// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks over maps, from each type of program that can do one. Programs on hooks act for the process
 * @pid when it opens a file.
 *
 * A walk counts in global variables. The verifier assumes that these may have any value, so that
 * the state of a loop does not change from pass to pass, and it stops following the loop.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "sleepy.bpf.h"
#include "value.h"

char _license[] SEC("license") = "GPL";

/* Same as in walk.c. */
#define MET_MAX	16384

__u32 pid;
volatile __u32 enabled;
__u32 map_id;
__u32 other_map_id;

/* The entries that a walk returned, and results of calls. */
struct inode_map_key keys[MET_MAX];
__u64 numbers[MET_MAX];
volatile __u32 met;
volatile __u32 no_value;
__u64 stopped_number;
volatile int result;
volatile int errors;
volatile __u32 runs;

static __always_inline bool ours(void)
{
	return enabled && bpf_get_current_pid_tgid() >> 32 == pid;
}

static __always_inline void note_key(const struct inode_map_key *key)
{
	__u32 i = met;

	if (i < MET_MAX) {
		keys[i].fd = key->fd;
		keys[i].flags = key->flags;
		keys[i].handle = key->handle;
		keys[i].dev = key->dev;
		keys[i].ino = key->ino;
		keys[i].gen = key->gen;
		keys[i].reserved = key->reserved;
	}
	met = i + 1;
}

/* Read the value and write to it. */
static __always_inline void note_value(struct value *value)
{
	__u32 i = met - 1;

	if (!value) {
		no_value++;
		return;
	}
	if (i < MET_MAX)
		numbers[i] = value->number;
	__sync_fetch_and_add(&value->count, 1);
}

static __always_inline void walk(void)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		note_key(key);
		note_value(inode_map_value(it, struct value));
	}
	runs++;
}

SEC("?lsm/file_open")
int BPF_PROG(walk_lsm)
{
	if (ours())
		walk();
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(walk_lsm_sleepable)
{
	if (ours())
		walk();
	return 0;
}

SEC("?fentry/vfs_open")
int BPF_PROG(walk_fentry)
{
	if (ours())
		walk();
	return 0;
}

SEC("?syscall")
int walk_syscall(void *ctx)
{
	walk();
	return 0;
}

/* Call the functions without the macros, also before the first and after the last entry. */
SEC("?syscall")
int walk_by_hand(void *ctx)
{
	struct bpf_iter_inode_map it;

	result = bpf_iter_inode_map_new(&it, map_id);
	if (bpf_iter_inode_map_value(&it, 8))
		errors++;
	while (bpf_iter_inode_map_next(&it)) {
		met++;
		if (!bpf_iter_inode_map_value(&it, 8))
			no_value++;
	}
	if (bpf_iter_inode_map_value(&it, 8))
		errors++;
	/* A walk stays at its end. */
	if (bpf_iter_inode_map_next(&it))
		errors++;
	bpf_iter_inode_map_destroy(&it);
	return 0;
}

/* Only read the values. */
SEC("?syscall")
int walk_peek(void *ctx)
{
	const struct value *value;
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		met++;
		value = inode_map_value_peek(it, struct value);
		if (!value)
			no_value++;
		else
			stopped_number = value->number;
		if (bpf_iter_inode_map_peek(&it, sizeof(*value) + 1))
			errors++;
	}
	return 0;
}

SEC("?syscall")
int refused_write_to_peeked(void *ctx)
{
	struct value *value;
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		value = (struct value *)inode_map_value_peek(it, struct value);
		if (value)
			value->number = 1;
	}
	return 0;
}

/* Get a part of each value, the whole, or more than it has. */
SEC("?syscall")
int walk_sizes(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		met++;
		if (!bpf_iter_inode_map_value(&it, 1) || !bpf_iter_inode_map_value(&it, 16))
			no_value++;
		if (bpf_iter_inode_map_value(&it, 17))
			errors++;
	}
	return 0;
}

/* Leave the loop at the key with the handle @stop_at. */

__u32 stop_at;
__u32 stopped_at;

SEC("?syscall")
int walk_and_break(void *ctx)
{
	struct inode_map_key *key;
	struct value *value;

	inode_map_for_each(it, key, map_id) {
		met++;
		if (key->handle != stop_at)
			continue;
		value = inode_map_value(it, struct value);
		if (value)
			stopped_number = value->number;
		break;
	}
	return 0;
}

SEC("?syscall")
int delete_all(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		note_key(key);
		if (bpf_inode_map_delete_handle(map_id, key->handle))
			errors++;
		/* The second deletion finds no entry, but the walk still has the value. */
		if (bpf_inode_map_delete_handle(map_id, key->handle) != -2)
			errors++;
		note_value(inode_map_value(it, struct value));
	}
	return 0;
}

/* In each pass, delete and insert the file's entry, which gets a new handle. */
SEC("?lsm.s/file_open")
int BPF_PROG(insert_in_walk, struct file *file)
{
	struct value value = { .number = 99 };
	struct inode_map_key *key;

	if (!ours())
		return 0;
	inode_map_for_each(it, key, map_id) {
		note_key(key);
		inode_map_delete(map_id, file->f_inode);
		if (inode_map_update(map_id, file->f_inode, &value, BPF_NOEXIST))
			errors++;
	}
	runs++;
	return 0;
}

/* Walk over one map in each pass of a walk over another. */

volatile __u32 pairs;
volatile __u64 sum;

SEC("?syscall")
int walk_nested(void *ctx)
{
	struct inode_map_key *key, *inner_key;

	inode_map_for_each(it, key, map_id) {
		met++;
		inode_map_for_each(inner, inner_key, other_map_id) {
			pairs++;
			sum += (__u64)key->handle * inner_key->handle;
		}
	}
	return 0;
}

/* Stop in the second pass until user space continues it. */

volatile __u32 holding;

SEC("?syscall")
int walk_and_hold(void *ctx)
{
	struct inode_map_key *key;
	struct value *value;

	inode_map_for_each(it, key, map_id) {
		met++;
		if (met != 2)
			continue;
		value = inode_map_value(it, struct value);
		if (!value) {
			no_value++;
			continue;
		}
		holding = 1;
		sleep_on_page();
		stopped_number = value->number;
		stopped_at = key->handle;
	}
	result = bpf_inode_map_delete_handle(map_id, stopped_at);
	return 0;
}

/* What the verifier accepts, and what it refuses */

SEC("?syscall")
int accepted_key_after_break(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		break;
	if (key)
		stopped_at = key->handle;
	return 0;
}

/* Copies the whole key, in words of two fields each. */
SEC("?syscall")
int refused_copy_of_key(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		keys[0] = *key;
	return 0;
}

SEC("?syscall")
int accepted_copy_of_key(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		bpf_probe_read_kernel(&keys[0], sizeof(keys[0]), key);
	return 0;
}

SEC("?syscall")
int refused_write_to_key(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		key->handle = 1;
	return 0;
}

SEC("?syscall")
int refused_beyond_key(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		stopped_at = *(volatile __u32 *)(key + 1);
	return 0;
}

SEC("?syscall")
int refused_unchecked_key(void *ctx)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	stopped_at = bpf_iter_inode_map_next(&it)->handle;
	bpf_iter_inode_map_destroy(&it);
	return 0;
}

SEC("?syscall")
int refused_unchecked_value(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id)
		stopped_number = inode_map_value(it, struct value)->number;
	return 0;
}

/* The value stays in memory, but the verifier ties it to the walk. */
SEC("?syscall")
int refused_value_after_loop(void *ctx)
{
	struct value *value = NULL;
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		value = inode_map_value(it, struct value);
		break;
	}
	if (value)
		stopped_number = value->number;
	return 0;
}

SEC("?syscall")
int refused_beyond_value(void *ctx)
{
	struct inode_map_key *key;

	inode_map_for_each(it, key, map_id) {
		volatile __u64 *value = inode_map_value(it, __u64);

		if (value)
			stopped_number = value[1];
	}
	return 0;
}

SEC("?syscall")
int refused_no_end(void *ctx)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	return 0;
}

SEC("?syscall")
int refused_no_begin(void *ctx)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_next(&it);
	return 0;
}

SEC("?syscall")
int refused_value_after_end(void *ctx)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	bpf_iter_inode_map_destroy(&it);
	bpf_iter_inode_map_value(&it, 8);
	return 0;
}

SEC("?syscall")
int refused_opaque(void *ctx)
{
	struct bpf_iter_inode_map it;

	bpf_iter_inode_map_new(&it, map_id);
	stopped_number = *(volatile __u64 *)&it.__opaque[0];
	bpf_iter_inode_map_destroy(&it);
	return 0;
}
