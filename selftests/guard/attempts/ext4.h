/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Declarations for ext4 that are in no header: for reading.c, writing.c and ext4.c. */
#ifndef EXT4_H
#define EXT4_H

#include <sys/ioctl.h>

struct move_extent {
	__u32 reserved;
	__u32 donor_fd;
	__u64 orig_start, donor_start, len, moved_len;
};

#define EXT4_IOC_MIGRATE	_IO('f', 9)
#define EXT4_IOC_MOVE_EXT	_IOWR('f', 15, struct move_extent)
#define EXT4_IOC_SWAP_BOOT	_IO('f', 17)

#endif /* EXT4_H */
