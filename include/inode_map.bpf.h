/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Inode maps for BPF programs. Include it after vmlinux.h.
 *
 * A program names a map by its id, which its loader writes into a constant before the program is
 * loaded, and binds the map to the program, so that the map stays as long as the program does
 * (inode_map.h has both):
 *
 *	const volatile __u32 denied_id;
 *
 *	SEC("lsm/file_open")
 *	int BPF_PROG(file_open, struct file *file)
 *	{
 *		struct verdict *v = inode_map_lookup(denied_id, file->f_inode, struct verdict);
 *
 *		return v ? -EPERM : 0;
 *	}
 */
#ifndef _INODE_MAP_BPF_H
#define _INODE_MAP_BPF_H

#ifndef __VMLINUX_H__
#error "include vmlinux.h before inode_map.bpf.h"
#endif

#include <bpf/bpf_helpers.h>
#include <linux/inode_map.h>

extern __u8 *bpf_inode_map_lookup(__u32 map_id, struct inode *inode,
				  const int rdwr_buf_size) __ksym;

/*
 * A use of the type that makes the compiler describe struct inode in full. Older ones (clang 14)
 * otherwise emit a forward declaration for the prototype above, which libbpf then finds to be
 * incompatible with the kernel's.
 */
static const struct inode *const inode_map_wants_struct_inode __attribute__((used));

/**
 * inode_map_lookup - look an inode up
 * @map_id: id of the BPF map
 * @inode: a struct inode *; may be NULL where the verifier lets it be
 * @type: type of the value, or of the beginning of it
 *
 * See bpf_inode_map_lookup() in src/kfunc.c. For LSM, fentry, fexit, fmod_ret, tracepoint and perf
 * event programs, sleepable or not.
 *
 * Return: a pointer to the value that the program may read and write until it ends, or NULL when
 * the inode is not in the map.
 */
#define inode_map_lookup(map_id, inode, type) \
	((type *)bpf_inode_map_lookup(map_id, inode, sizeof(type)))

#endif /* _INODE_MAP_BPF_H */
