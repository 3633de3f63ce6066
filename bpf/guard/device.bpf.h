/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Devices: a rule for a node holds for the device, through whatever node it is opened. Operations
 * on the node itself, on its name and attributes, are another matter. The nodes in /dev are the
 * kernel's, which makes and removes them as devices come and go.
 */
#ifndef _GUARD_DEVICE_BPF_H
#define _GUARD_DEVICE_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "rule.bpf.h"
#include "who.bpf.h"
#include "word.bpf.h"

#define SB_RDONLY	1

static __always_inline bool is_device(struct inode *inode)
{
	__u32 type = inode->i_mode & S_IFMT;

	return type == S_IFBLK || type == S_IFCHR;
}

/* The rule of a device for an operation, or 0. */
static __always_inline __u32 rule_of_device(__u32 type, __u32 rdev, __u32 op, __u32 generation)
{
	struct guard_leaf_key key = {
		.dir = GUARD_DEVICE_DIR, .length = type | op, .hash = rdev,
	};
	const struct guard_leaf *leaf = bpf_map_lookup_elem(&leaves, &key);

	return leaf ? rule_at(&leaf->entry, generation) : 0;
}

/* The first characters of "kdevtmpfs", the name of the kernel's thread. */
#define KDEVTMPFS	TEXT_WORD('k', 'd', 'e', 'v', 't', 'm', 'p', 'f')

/* Whether the current task is the kernel thread that only makes and removes the nodes in /dev. */
static __always_inline bool is_kernels_node(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->flags & PF_KTHREAD && load_word(task->comm) == KDEVTMPFS;
}

#endif /* _GUARD_DEVICE_BPF_H */
