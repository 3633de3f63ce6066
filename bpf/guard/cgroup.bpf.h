/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cgroups that rules are for, known by their paths: a service or container gets a new cgroup of
 * the same path each time it starts. The kernel calls the tracepoint for a new cgroup before
 * anybody can see it, so no process is in a cgroup that the map "cgroups" still lacks.
 */
#ifndef _GUARD_CGROUP_BPF_H
#define _GUARD_CGROUP_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "word.bpf.h"

struct path_hashing {
	const char *path;
	__u64 hash;
};

static int path_step(__u32 index, void *context)
{
	struct path_hashing *hashing = context;
	__u64 word = load_word(hashing->path + index * GUARD_WORD);
	__u64 zero = zero_bytes(word);

	if (zero)
		word = before_zero(word, zero);
	hashing->hash = guard_hash_step(hashing->hash, word);
	return zero != 0;
}

static __always_inline __u64 hash_path(const char *path)
{
	struct path_hashing hashing = { .path = path, .hash = guard_hash_begin(STATE(seed), 0) };

	bpf_loop(GUARD_CGROUP_PATH / GUARD_WORD, path_step, &hashing, 0);
	return guard_hash_end(hashing.hash);
}

/* Only cgroups of the unified hierarchy: the others have ids and paths of their own. */
static __always_inline bool is_of_interest(struct cgroup___guard *cgroup)
{
	return STATE(cgroups) && !cgroup->root->hierarchy_id;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(guard_cgroup_made, struct cgroup___guard *cgroup, const char *path)
{
	__u32 *found, subject;
	__u64 hash, id;

	if (!is_of_interest(cgroup))
		return 0;
	hash = hash_path(path);
	found = bpf_map_lookup_elem(&cgroup_paths, &hash);
	if (!found)
		return 0;
	id = cgroup->kn->id;
	subject = *found;
	bpf_map_update_elem(&cgroups, &id, &subject, BPF_ANY);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(guard_cgroup_removed, struct cgroup___guard *cgroup)
{
	__u64 id;

	if (!is_of_interest(cgroup))
		return 0;
	id = cgroup->kn->id;
	bpf_map_delete_elem(&cgroups, &id);
	return 0;
}

#endif /* _GUARD_CGROUP_BPF_H */
