/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The inode map's keys, as bpf(2) carries them between user space and the module.
 *
 * A map is created with one of two key sizes:
 *
 *   4   an __s32: zero or above, a file descriptor of the caller; below zero, the negated handle of
 *       an entry;
 *   32  a struct inode_map_key.
 *
 * A file descriptor names an inode (O_PATH is enough). A handle names an entry that is in the map.
 * BPF_MAP_GET_NEXT_KEY returns it. It stays the same while the entry lives, whatever values the
 * entry gets, and is not used again until 2^31 - 1 others have been.
 */
#ifndef _UAPI_LINUX_INODE_MAP_H
#define _UAPI_LINUX_INODE_MAP_H

/* BPF programs get the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Name of the network device through which maps are created (map_ifindex is its index). */
#define INODE_MAP_DEVICE	"inode_map"

/*
 * Set in the map_flags of every inode map, as struct bpf_map_info and bpftool show them, and of no
 * other map. The module sets it; callers can't ask for it.
 */
#define INODE_MAP_F_INODE	(1U << 31)

/**
 * enum inode_map_key_flags - how an entry's lifetime depends on its inode
 * @INODE_MAP_WEAK: the entry does not keep the inode in memory and goes when the inode is evicted;
 *	without it the entry is pinned: the inode stays in memory as long as the entry. Entries on
 *	kernel-internal mounts (pipes, sockets, namespaces, pidfds) are always weak.
 *
 * Programs pass them to bpf_inode_map_update() together with the BPF_* flags of an update, so they
 * begin far above those.
 */
enum inode_map_key_flags {
	INODE_MAP_WEAK	= 1U << 16,
};

/**
 * struct inode_map_key - the 32-byte key
 * @fd: a file descriptor of the caller that names the inode, or -1 to choose an entry by @handle
 * @flags: enum inode_map_key_flags. With @fd, the lifetime that an update gives the entry; with a
 *	handle, the lifetime that the entry has (an update by handle never changes it)
 * @handle: with @fd -1, the entry's handle, 1 to 2^31 - 1; with @fd, must be 0
 * @dev: device number of the inode's superblock, 12 bits of major and 20 of minor packed as in
 *	st_dev of stat(2). On btrfs, the number of the subvolume, as in stat(2), once an update by
 *	descriptor has given the inode an entry (one by a program can't get it).
 *	BPF_MAP_GET_NEXT_KEY fills it in. Must be 0 with @fd, is ignored with a handle
 * @ino: inode number; filled in, checked and ignored as @dev
 * @gen: inode generation; filled in, checked and ignored as @dev
 * @reserved: must be 0
 *
 * BPF_MAP_GET_NEXT_KEY fills in every field (@fd is -1), so that a dump tells which file an entry
 * names, and a caller can use each key of a dump unchanged.
 */
struct inode_map_key {
	__s32 fd;
	__u32 flags;
	__u32 handle;
	__u32 dev;
	__u64 ino;
	__u32 gen;
	__u32 reserved;
};

#endif /* _UAPI_LINUX_INODE_MAP_H */
