/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions that BPF programs call.
 */
#ifndef _INODE_MAP_KFUNC_H
#define _INODE_MAP_KFUNC_H

#include <linux/types.h>

struct inode;

u8 *bpf_inode_map_lookup(u32 map_id, struct inode *inode, const int rdwr_buf_size);

int inode_map_kfunc_init(void);

#endif /* _INODE_MAP_KFUNC_H */
