/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The maps of inode-guard's programs. The tool makes the inode maps, tells their ids before it
 * loads the programs and binds them; the others libbpf makes. The tool pins all of them.
 */
#ifndef _GUARD_MAPS_BPF_H
#define _GUARD_MAPS_BPF_H

/* In .bss, which the tool has mapped: see struct guard_state. */
struct guard_state state;

/*
 * Inode maps: of rules for single files; of rules for trees, one for each operation, so that the
 * nearest entry decides about it (both struct guard_entry); and of what has an id of its own,
 * executables and the directories of names that rules follow (__u32).
 */
const volatile __u32 files_id;
const volatile __u32 trees_id[GUARD_OPS];
const volatile __u32 subjects_id;

/* A hash table. The tool sets how many entries it may have. */
#define HASH(name, key_type, value_type) \
	struct { \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(map_flags, BPF_F_NO_PREALLOC); \
		__uint(max_entries, 1); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

HASH(rules, __u32, struct guard_rule);
HASH(hits, __u32, struct guard_hits);
HASH(members, struct guard_member, __u32);

/* Cgroups that sets name: by a hash of the path, and of those that there are by the kernel's id. */
HASH(cgroup_paths, __u64, __u32);
HASH(cgroups, __u64, __u32);

HASH(texts, struct guard_text_key, struct guard_text);
HASH(leaves, struct guard_leaf_key, struct guard_leaf);

/*
 * Names of "leaves" at which something was about to be made that could not be given its rule before
 * it is there. While there is any, decisions are made by name as well. One that nothing came to be at
 * stays until something does, or until the tool looks.
 */
HASH(fresh, struct guard_leaf_key, __u32);

/* For when the way to a rule changes: see hold.bpf.h. */
HASH(held, struct guard_leaf_key, struct guard_held);

/* What symbolic links lead to now, and the names of the links. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct guard_leaf_key);
	__type(value, struct guard_leaf_key);
} targets SEC(".maps");

/* What is left of renames whose end no program was told drops out by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct guard_move_key);
	__type(value, struct guard_move);
} moves SEC(".maps");

/* What is known of processes, at their first thread: see process.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct guard_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* Names on the way to rules that are about to change, for the service: struct guard_leaf_key. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10);
} changes SEC(".maps");

/* A word of the state, as it is now. */
#define STATE(word)	(*(volatile typeof(state.word) *)&state.word)

/*
 * A number as it is, about which the verifier then knows nothing: or else it would go through all
 * that follows once for each that there can be.
 */
static __always_inline __u32 opaque(__u32 number)
{
	return number ^ STATE(zero);
}

#endif /* _GUARD_MAPS_BPF_H */
