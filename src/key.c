// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys.
 *
 * Both formats are described in include/uapi/linux/inode_map.h. The operations of bpf(2) read and
 * write them, in process context, without any of our locks.
 */
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include <linux/inode_map.h>

#include "addon.h"
#include "entry.h"
#include "key.h"
#include "map.h"
#include "yield.h"

/* Part of the user-space API: 32 bytes, and no hole among them. */
static_assert(sizeof(struct inode_map_key) == 32);
static_assert(offsetof(struct inode_map_key, reserved) == 28);

#define INODE_MAP_KEY_FLAGS	INODE_MAP_WEAK

/**
 * inode_map_key_size_ok - whether there is a key format of this size
 * @key_size: bytes of a key
 *
 * Return: whether there is.
 */
bool inode_map_key_size_ok(u32 key_size)
{
	return key_size == sizeof(__s32) || key_size == sizeof(struct inode_map_key);
}

static int inode_map_target_fd(struct inode_map_target *target, int fd)
{
	struct file *file;

	target->fd = fdget(fd);
	if (fd_empty(target->fd)) {
		/* An O_PATH descriptor will do, too. */
		file = fget_raw(fd);
		if (!file)
			return -EBADF;
		target->fd = CLONED_FD(file);
	}
	target->inode = file_inode(fd_file(target->fd));
	return 0;
}

static int inode_map_target_handle(struct inode_map_target *target, u32 handle)
{
	target->handle = handle;
	return 0;
}

static int inode_map_key_get_fd(s32 key, struct inode_map_target *target)
{
	if (key >= 0)
		return inode_map_target_fd(target, key);
	return inode_map_target_handle(target, -(u32)key);
}

static int inode_map_key_get_full(const struct inode_map_key *key, struct inode_map_target *target)
{
	if (key->fd < -1 || key->flags & ~INODE_MAP_KEY_FLAGS || key->reserved)
		return -EINVAL;
	if (key->fd == -1)
		return inode_map_target_handle(target, key->handle);
	if (key->handle || key->dev || key->ino || key->gen)
		return -EINVAL;
	target->weak = key->flags & INODE_MAP_WEAK;
	return inode_map_target_fd(target, key->fd);
}

/**
 * inode_map_key_get - find out what a key names
 * @map: the map, for its key format
 * @key: map->key_size bytes
 * @target: filled in; for inode_map_key_put() when this succeeds
 *
 * Context: process, in the task that owns the descriptors.
 * Return: 0, -EBADF (no such descriptor), -EINVAL (unknown flags, or fields that must be 0).
 */
int inode_map_key_get(const struct inode_map *map, const void *key,
		      struct inode_map_target *target)
{
	memset(target, 0, sizeof(*target));
	if (map->key_size == sizeof(__s32))
		return inode_map_key_get_fd(*(const __s32 *)key, target);
	return inode_map_key_get_full(key, target);
}

/**
 * inode_map_key_put - release what inode_map_key_get() took
 * @target: what it filled in
 *
 * Context: process. If this was the last reference, the file is released when the task returns to
 * user space, outside the caller's locks.
 */
void inode_map_key_put(struct inode_map_target *target)
{
	fdput(target->fd);
}

/* A separate function, because the kernel may zero a struct kstat even where it is not used. */
static noinline dev_t inode_map_ask_dev(const struct inode_map_target *target)
{
	struct kstat stat;

	if (vfs_getattr_nosec(&fd_file(target->fd)->f_path, &stat, STATX_INO, AT_STATX_DONT_SYNC))
		return target->inode->i_sb->s_dev;
	return stat.dev;
}

/**
 * inode_map_target_dev - the device that an inode is on, as stat(2) says
 * @target: one that names a descriptor
 *
 * On btrfs each subvolume has its own device number, the only thing that tells files of different
 * subvolumes apart. btrfs answers from memory. Other filesystems with such numbers (overlayfs,
 * ceph) may have to ask a server, while the caller holds a lock that everybody needs: for those,
 * return the superblock's device.
 *
 * Context: process; does not wait for a filesystem.
 * Return: the device.
 */
dev_t inode_map_target_dev(const struct inode_map_target *target)
{
	const struct super_block *sb = target->inode->i_sb;

	return sb->s_magic == BTRFS_SUPER_MAGIC ? inode_map_ask_dev(target) : sb->s_dev;
}

/**
 * inode_map_key_fill_full - make a 32-byte key that names an entry
 * @entry: the entry
 * @key: gets the key
 *
 * Context: any, in the RCU read-side section that found the entry.
 */
void inode_map_key_fill_full(const struct inode_map_entry *entry, struct inode_map_key *key)
{
	const struct inode_map_addon *addon = entry->addon;

	INODE_MAP_YIELD();
	*key = (struct inode_map_key) {
		.fd	= -1,
		.flags	= entry->pinned ? 0 : INODE_MAP_WEAK,
		.handle	= entry->handle,
		.dev	= new_encode_dev(READ_ONCE(addon->dev)),
		.ino	= addon->ino,
		.gen	= addon->gen,
	};
}

/**
 * inode_map_key_fill - make a key that names an entry
 * @map: the map, for its key format
 * @entry: the entry
 * @key: gets map->key_size bytes
 *
 * Context: any, in the RCU read-side section that found the entry.
 */
void inode_map_key_fill(const struct inode_map *map, const struct inode_map_entry *entry,
			void *key)
{
	if (map->key_size == sizeof(__s32))
		*(__s32 *)key = -(s32)entry->handle;
	else
		inode_map_key_fill_full(entry, key);
}
