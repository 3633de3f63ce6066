/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What tag_on_write keeps about a file: the value of its map, which the program
 * (tag_on_write.bpf.c) writes and the loader (tag_on_write.c) shows.
 */
#ifndef _TAG_ON_WRITE_H
#define _TAG_ON_WRITE_H

/* BPF programs have the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/**
 * struct tag - the value of a file that was opened for writing
 * @time: when it was last, in nanoseconds since the machine was started (CLOCK_BOOTTIME)
 * @count: how often; the program adds to it atomically
 * @pid: by which process it was last
 * @reserved: 0
 */
struct tag {
	__u64 time;
	__u64 count;
	__u32 pid;
	__u32 reserved;
};

#endif /* _TAG_ON_WRITE_H */
