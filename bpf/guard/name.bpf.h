/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names that rules are for: a directory that has an id, and the last component. The entry of the
 * map "leaves" has the rule for whatever file is at the name.
 *
 * Normally the inode at the name has the rule, too, and decisions only look there. An inode that is
 * made at the name can't have it before it exists: until the first sleepable program has seen it
 * (follow.bpf.h), the name is in "fresh", and decisions look up the name as well.
 */
#ifndef _GUARD_NAME_BPF_H
#define _GUARD_NAME_BPF_H

#include "maps.bpf.h"
#include "word.bpf.h"

/* Enough for a name of NAME_MAX bytes. */
#define HASH_STEPS	(256 / GUARD_WORD)

/* Whether decisions look up the names of files that have no rule yet. */
static __always_inline bool names_matter(void)
{
	return STATE(beyond) & GUARD_ALL_FRESH;
}

struct hashing {
	__u64 name;
	__u32 left;
	__u64 hash;
};

static int hash_step(__u32 index, void *context)
{
	struct hashing *hashing = context;
	__u32 left = hashing->left;
	__u64 word;

	if (!left)
		return 1;
	word = load_word_at(hashing->name + index * GUARD_WORD);
	if (left < GUARD_WORD) {
		word &= ~0ULL >> 8 * (GUARD_WORD - left);
		left = GUARD_WORD;
	}
	hashing->hash = guard_hash_step(hashing->hash, word);
	hashing->left = left - GUARD_WORD;
	return 0;
}

/* Fill in the length and the hash of a key, for the name at an address. */
static __always_inline void hash_name(__u64 name, __u32 length, struct guard_leaf_key *key)
{
	struct hashing hashing = { .name = name, .left = length };

	key->length = length;
	hashing.hash = guard_hash_begin(STATE(seed), length);
	bpf_loop(HASH_STEPS, hash_step, &hashing, 0);
	key->hash = guard_hash_end(hashing.hash);
}

static __always_inline void hash_dentry(struct dentry *dentry, struct guard_leaf_key *key)
{
	hash_name(load_address(&dentry->d_name.name), dentry->d_name.len, key);
}

/* The key of @dentry, a name in @dir. Returns false if @dir is no directory of such names. */
static __always_inline bool leaf_key(struct inode *dir, struct dentry *dentry,
				     struct guard_leaf_key *key)
{
	const __u32 *id = inode_map_peek(subjects_id, dir, __u32);

	if (!id)
		return false;
	key->dir = *id;
	hash_dentry(dentry, key);
	return true;
}

/* The leaf of a name in @dir, or NULL. */
static __always_inline struct guard_leaf *find_leaf_inline(struct inode *dir,
							   struct dentry *dentry)
{
	struct guard_leaf_key key = {};

	if (inode_map_is_null(dir) || !leaf_key(dir, dentry, &key))
		return NULL;
	return bpf_map_lookup_elem(&leaves, &key);
}

static __noinline struct guard_leaf *find_leaf(struct inode *dir, struct dentry *dentry)
{
	return find_leaf_inline(dir, dentry);
}

/* The leaf of a dentry's name, if it still has one. Inline: call chains are deep enough. */
static __always_inline struct guard_leaf *leaf_of(struct dentry *dentry)
{
	struct dentry *parent;

	if (inode_map_is_null(dentry) || inode_map_is_null(dentry->d_hash.pprev))
		return NULL;
	parent = dentry->d_parent;
	return find_leaf_inline(parent->d_inode, dentry);
}

#endif /* _GUARD_NAME_BPF_H */
