/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of inode-guard's programs. The tool creates the inode maps, sets their ids before it
 * loads the programs, and binds them; libbpf creates the other maps. The tool pins all of them.
 */
#ifndef _GUARD_MAPS_BPF_H
#define _GUARD_MAPS_BPF_H

/* In .bss, which the tool maps: see struct guard_state. */
struct guard_state state;

/*
 * Inode maps: the rules for single files; the rules for trees, one map per operation, so that the
 * nearest entry decides (both of struct guard_entry); and the ids of executables and of directories
 * with names that rules follow (__u32).
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

/* Cgroups that sets name, by a hash of the path; and those that exist, by the kernel's id. */
HASH(cgroup_paths, __u64, __u32);
HASH(cgroups, __u64, __u32);

HASH(texts, struct guard_text_key, struct guard_text);
HASH(leaves, struct guard_leaf_key, struct guard_leaf);

/*
 * Names in "leaves" at which a file was about to be made, which can't be given its rule before it
 * exists. While there are any, decisions look up names as well. If no file is made, the name stays
 * until one is, or until the tool looks.
 */
HASH(fresh, struct guard_leaf_key, __u32);

/* For changes on the way to a rule: see hold.bpf.h. */
HASH(held, struct guard_leaf_key, struct guard_held);

/* Last components that symbolic links lead to now, with the names of the links. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct guard_leaf_key);
	__type(value, struct guard_leaf_key);
} targets SEC(".maps");

/* LRU: evicts what is left of renames whose end no program saw. */
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

/* The current value of a word of the state. */
#define STATE(word)	(*(volatile typeof(state.word) *)&state.word)

/*
 * A number as it is, but unknown to the verifier, which otherwise goes through all the following
 * code once for each possible value.
 */
static __always_inline __u32 opaque(__u32 number)
{
	return number ^ STATE(zero);
}

#endif /* _GUARD_MAPS_BPF_H */
