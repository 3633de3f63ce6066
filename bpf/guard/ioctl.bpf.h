/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Converts an ioctl(2), by type and number, to operations: for guard.bpf.c. Commands that are not
 * listed do nothing to the file that they are made on, or the kernel calls another hook for them.
 */
#ifndef _GUARD_IOCTL_BPF_H
#define _GUARD_IOCTL_BPF_H

#include "rule.bpf.h"

#define F2FS_TYPE	0xf5

/*
 * Commands of f2fs. Garbage collection, flushing a device and resizing (6, 10, 11, 16) move blocks
 * of any files without changing them. All supported kernels refuse volatile writes (3, 4).
 */
static __always_inline __u32 f2fs_ops(unsigned int number)
{
	switch (number) {
	case 9:			/* F2FS_IOC_MOVE_RANGE: the other file gets the contents */
		return READ | WRITE;
	case 1:			/* F2FS_IOC_START_ATOMIC_WRITE */
	case 2:			/* F2FS_IOC_COMMIT_ATOMIC_WRITE */
	case 5:			/* F2FS_IOC_ABORT_ATOMIC_WRITE */
	case 8:			/* F2FS_IOC_DEFRAGMENT */
	case 20:		/* F2FS_IOC_SEC_TRIM_FILE */
	case 23:		/* F2FS_IOC_DECOMPRESS_FILE */
	case 24:		/* F2FS_IOC_COMPRESS_FILE */
	case 25:		/* F2FS_IOC_START_ATOMIC_REPLACE */
	case 28:		/* F2FS_IOC_RESERVE_DEV_ALIAS */
	case 29:		/* F2FS_IOC_RELEASE_DEV_ALIAS */
		return WRITE;
	case 18:		/* F2FS_IOC_RELEASE_COMPRESS_BLOCKS: nobody can write to it then */
	case 19:		/* F2FS_IOC_RESERVE_COMPRESS_BLOCKS */
		return WRITE | ATTR;
	case 13:		/* F2FS_IOC_SET_PIN_FILE */
	case 22:		/* F2FS_IOC_SET_COMPRESS_OPTION */
		return ATTR;
	default:
		return 0;
	}
}

/*
 * By type and number: the sizes differ between 32 and 64 bits. Making or deleting a subvolume
 * changes names in the directory that the call is made on. Sending a subvolume reads all of it,
 * whichever of its files the call is made on.
 */
static __always_inline __u32 ioctl_ops(unsigned int cmd)
{
	switch (cmd & 0xffff) {
	case 'f' << 8 | 2:	/* FS_IOC_SETFLAGS */
	case 'f' << 8 | 9:	/* EXT4_IOC_MIGRATE */
	case 'f' << 8 | 19:	/* FS_IOC_SET_ENCRYPTION_POLICY */
	case 'f' << 8 | 133:	/* FS_IOC_ENABLE_VERITY */
	case 'v' << 8 | 2:	/* FS_IOC_SETVERSION */
	case 'f' << 8 | 4:	/* EXT4_IOC_SETVERSION */
	case 'X' << 8 | 32:	/* FS_IOC_FSSETXATTR */
	case 0x94 << 8 | 26:	/* BTRFS_IOC_SUBVOL_SETFLAGS */
	case 0x94 << 8 | 37:	/* BTRFS_IOC_SET_RECEIVED_SUBVOL */
		return ATTR;
	case 'f' << 8 | 17:	/* EXT4_IOC_SWAP_BOOT */
	case 0x94 << 8 | 2:	/* BTRFS_IOC_DEFRAG */
	case 0x94 << 8 | 16:	/* BTRFS_IOC_DEFRAG_RANGE */
	case 0x94 << 8 | 1:	/* BTRFS_IOC_SNAP_CREATE */
	case 0x94 << 8 | 23:	/* BTRFS_IOC_SNAP_CREATE_V2 */
	case 0x94 << 8 | 14:	/* BTRFS_IOC_SUBVOL_CREATE */
	case 0x94 << 8 | 24:	/* BTRFS_IOC_SUBVOL_CREATE_V2 */
	case 0x94 << 8 | 15:	/* BTRFS_IOC_SNAP_DESTROY */
	case 0x94 << 8 | 63:	/* BTRFS_IOC_SNAP_DESTROY_V2 */
		return WRITE;
	case 'o' << 8 | 6:	/* OCFS2_IOC_MOVE_EXT */
		return WRITE;
	case 0x12 << 8 | 95:	/* BLKRRPART */
	case 0x12 << 8 | 105:	/* BLKPG */
	case 0x12 << 8 | 119:	/* BLKDISCARD */
	case 0x12 << 8 | 125:	/* BLKSECDISCARD */
	case 0x12 << 8 | 127:	/* BLKZEROOUT */
	case 0x12 << 8 | 131:	/* BLKRESETZONE */
	case 0x12 << 8 | 134:	/* BLKOPENZONE */
	case 0x12 << 8 | 135:	/* BLKCLOSEZONE */
	case 0x12 << 8 | 136:	/* BLKFINISHZONE */
		return WRITE;
	case 0x94 << 8 | 38:	/* BTRFS_IOC_SEND */
		return READ;
	case 'f' << 8 | 15:	/* EXT4_IOC_MOVE_EXT: the other file gets the contents */
	case 0x00 << 8 | 1:	/* SCSI_IOCTL_SEND_COMMAND */
	case 0x22 << 8 | 0x85:	/* SG_IO */
	case 'N' << 8 | 0x41:	/* NVME_IOCTL_ADMIN_CMD */
	case 'N' << 8 | 0x42:	/* NVME_IOCTL_SUBMIT_IO */
	case 'N' << 8 | 0x43:	/* NVME_IOCTL_IO_CMD */
	case 'N' << 8 | 0x47:	/* NVME_IOCTL_ADMIN64_CMD */
	case 'N' << 8 | 0x48:	/* NVME_IOCTL_IO64_CMD */
	case 'N' << 8 | 0x49:	/* NVME_IOCTL_IO64_CMD_VEC */
		return READ | WRITE;
	default:
		return (cmd >> 8 & 0xff) == F2FS_TYPE ? f2fs_ops(cmd & 0xff) : 0;
	}
}

#endif /* _GUARD_IOCTL_BPF_H */
