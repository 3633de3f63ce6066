/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The value of tag_on_write's map, one for each file: the program (tag_on_write.bpf.c) writes it,
 * and the loader (tag_on_write.c) shows it.
 */
#ifndef _TAG_ON_WRITE_H
#define _TAG_ON_WRITE_H

/* BPF programs get the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/**
 * struct tag - the value of a file that was opened for writing
 * @time: when it was last opened, in nanoseconds since boot (CLOCK_BOOTTIME)
 * @count: how often it was opened; the program adds to it atomically
 * @pid: the process that opened it last
 * @reserved: 0
 */
struct tag {
	__u64 time;
	__u64 count;
	__u32 pid;
	__u32 reserved;
};

#endif /* _TAG_ON_WRITE_H */
