/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the stress test share: the board where they count and where the first
 * violation is written down, and the check of a value. Include it after vmlinux.h.
 */
#ifndef BOARD_BPF_H
#define BOARD_BPF_H

#include "stress.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stress_board);
} board SEC(".maps");

struct identity {
	__u64 ino;
	__u32 dev;
	__u32 gen;
};

static __always_inline struct stress_board *get_board(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&board, &zero);
}

static __always_inline void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* Whether it is the first: then the caller sets @first to 2 when it has written down the rest. */
static __always_inline bool violation_begin(struct stress_board *b, __u32 where, __u32 what,
					    __u32 map, const struct identity *id,
					    const struct stress_value *value)
{
	count(&b->violations);
	if (__sync_val_compare_and_swap(&b->first, 0ULL, 1ULL))
		return false;
	b->where = where;
	b->what = what;
	b->pid = bpf_get_current_pid_tgid() >> 32;
	b->map = map;
	b->dev = id->dev;
	b->gen = id->gen;
	b->ino = id->ino;
	bpf_probe_read_kernel(&b->value, sizeof(b->value), value);
	return true;
}

static __always_inline void violation(struct stress_board *b, __u32 where, __u32 what, __u32 map,
				      const struct identity *id, const struct stress_value *value)
{
	if (violation_begin(b, where, what, map, id, value))
		b->first = 2;
}

/* A global function: the verifier checks it once, not at every call. */
__noinline __u32 judge(const struct stress_value *value, __u32 map, const struct identity *id)
{
	if (!value || !id)
		return NOTHING_WRONG;
	if (value->sum != stress_sum(value))
		return WRONG_SUM;
	if (value->ino != id->ino || value->dev != id->dev || value->gen != id->gen)
		return WRONG_FILE;
	if (value->map != map)
		return WRONG_MAP;
	return NOTHING_WRONG;
}

#endif /* BOARD_BPF_H */
