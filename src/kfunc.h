/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that BPF programs call.
 */
#ifndef _INODE_MAP_KFUNC_H
#define _INODE_MAP_KFUNC_H

#include <linux/types.h>

#include "compat.h"

/**
 * enum inode_map_version - which functions there are
 * @INODE_MAP_VERSION: one more with each release that adds functions. Programs read it from the
 *	module's BTF (inode_map_version() of include/inode_map.bpf.h)
 *
 * A function that has been released stays, with its arguments and behaviour.
 */
enum inode_map_version {
	INODE_MAP_VERSION	= 2,
};

struct bpf_iter_inode_map;
struct dentry;
struct inode;
struct inode_map_key;
struct path;

/*
 * For functions that programs call for every file, where each instruction counts. Without these
 * attributes there would be two more, for function tracing and for indirect calls. Programs call
 * the functions directly, and what calls the program can be traced instead.
 */
#define INODE_MAP_FAST	notrace __noendbr

/**
 * inode_map_fits - may a program have so many bytes of a value?
 * @size: bytes that the program wants; 0, which the verifier takes for no size, never fits
 * @value_size: bytes that it may have: map->lookup_size or map->peek_size
 *
 * Return: whether it may.
 */
static __always_inline bool inode_map_fits(u32 size, u32 value_size)
{
	return size - 1 < value_size;
}

/* kfunc.c */
INODE_MAP_FAST u8 *bpf_inode_map_lookup(u32 map_id, struct inode *inode__ign,
					const int rdwr_buf_size);
INODE_MAP_FAST const u8 *bpf_inode_map_peek(u32 map_id, struct inode *inode__ign,
					    const int rdonly_buf_size);
INODE_MAP_FAST int bpf_inode_map_read(u32 map_id, struct inode *inode__ign, void *dst__nullable,
				      u32 dst__sz);
u8 *bpf_inode_map_lookup_tree(u32 map_id, struct dentry *dentry__ign, const int rdwr_buf_size);
int bpf_inode_map_read_tree(u32 map_id, struct dentry *dentry__ign, void *dst__nullable,
			    u32 dst__sz);
u8 *bpf_inode_map_lookup_path(u32 map_id, const struct path *path, const int rdwr_buf_size);
int bpf_inode_map_read_path(u32 map_id, const struct path *path, void *dst, u32 dst__sz);
int bpf_inode_map_id(const char *name__str);

/* kfunc_write.c */
int bpf_inode_map_update(u32 map_id, struct inode *inode, void *value, u32 value__sz, u64 flags);
u8 *bpf_inode_map_get(u64 map, struct inode *inode, void *init, u32 init__sz,
		      const int rdwr_buf_size);
int bpf_inode_map_request(u32 map_id, struct inode *inode, void *value, u32 value__sz, u64 flags);
int bpf_inode_map_replace(u32 map_id, struct inode *inode__ign, void *value__nullable,
			  u32 value__sz);
int bpf_inode_map_delete(u32 map_id, struct inode *inode__ign);
int bpf_inode_map_delete_handle(u32 map_id, u32 handle);

/* kfunc_walk.c */
int bpf_iter_inode_map_new(struct bpf_iter_inode_map *it, u32 map_id);
struct inode_map_key *bpf_iter_inode_map_next(struct bpf_iter_inode_map *it);
u8 *bpf_iter_inode_map_value(struct bpf_iter_inode_map *it__iter, const int rdwr_buf_size);
const u8 *bpf_iter_inode_map_peek(struct bpf_iter_inode_map *it__iter, const int rdonly_buf_size);
void bpf_iter_inode_map_destroy(struct bpf_iter_inode_map *it);

int inode_map_kfunc_init(void);

#endif /* _INODE_MAP_KFUNC_H */
