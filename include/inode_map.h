/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Inode maps for loaders, on libbpf 1.1 or later. All inline: there is nothing to link but libbpf.
 *
 * Every function returns 0 or more on success and a negative errno on failure, as libbpf does;
 * inode_map_strerror() says what it means here.
 *
 *	int map = inode_map_create("denied", sizeof(struct verdict), 1024);
 *	int id = inode_map_id(map);
 *
 *	skel->rodata->denied_id = id;			before the program is loaded
 *	inode_map_bind(map, bpf_program__fd(prog));	after
 *	inode_map_set_path(map, "/etc/shadow", &verdict, BPF_ANY, 0);
 *
 * Maps made here have 32-byte keys. The other functions work on maps with 4-byte keys as well,
 * such as bpftool makes.
 */
#ifndef _INODE_MAP_H
#define _INODE_MAP_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/inode_map.h>

/* The C library shows it under this name only to those who define _GNU_SOURCE. */
#ifndef O_PATH
#define O_PATH __O_PATH
#endif

/**
 * inode_map_strerror - what an error of this library means
 * @err: a negative errno that one of these functions returned
 *
 * Return: one line without an end of line, not to be freed; may be overwritten by the next call.
 */
static inline const char *inode_map_strerror(int err)
{
	switch (-err) {
	case ENODEV:
		return "no device \"" INODE_MAP_DEVICE "\" in this network namespace: is the "
		       "inode_map module loaded?";
	case E2BIG:
		return "the map is full, or too large to create";
	case ENOENT:
		return "no such file, or it is not in the map";
	case EOPNOTSUPP:
		return "the descriptor is of an anonymous inode that many objects share";
	case ESTALE:
		return "the file or its filesystem is going away";
	default:
		return strerror(-err);
	}
}

/**
 * inode_map_create - create an inode map
 * @name: up to 15 characters (letters, digits, '_' and '.')
 * @value_size: bytes of a value
 * @max_entries: limit on the number of entries
 *
 * Needs CAP_SYS_ADMIN, and the network namespace in which the module was loaded.
 *
 * Return: a descriptor of the map, or a negative errno: -ENODEV when the module is not loaded.
 */
static inline int inode_map_create(const char *name, __u32 value_size, __u32 max_entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));
	int fd;

	if (!opts.map_ifindex)
		return -ENODEV;
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, sizeof(struct inode_map_key), value_size,
			    max_entries, &opts);
	return fd < 0 ? -errno : fd;
}

/**
 * inode_map_id - the id by which programs name a map
 * @map: descriptor of the map
 *
 * Return: the id or a negative errno.
 */
static inline int inode_map_id(int map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	return info.id;
}

/**
 * inode_map_bind - let a map live as long as a program
 * @map: descriptor of the map
 * @prog: descriptor of the program
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_bind(int map, int prog)
{
	return bpf_prog_bind_map(prog, map, NULL) ? -errno : 0;
}

/* A key of either format. */
union inode_map_any_key {
	__s32 fd;
	struct inode_map_key full;
};

/*
 * Make the key that names the inode of @fd in the format of the map. Without flags it is the same in
 * both: who asks the kernel for the size waits for the lock of the network's configuration.
 */
static inline int inode_map_fd_key(int map, int fd, __u32 key_flags, union inode_map_any_key *key)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (fd < 0)
		return -EBADF;
	memset(key, 0, sizeof(*key));
	key->fd = fd;
	if (!key_flags)
		return 0;
	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	if (info.key_size != sizeof(key->full))
		return -EINVAL;
	key->full.flags = key_flags;
	return 0;
}

/**
 * inode_map_set_fd - give the inode of a descriptor a value
 * @map: descriptor of the map
 * @fd: descriptor of the file; O_PATH is enough
 * @value: the value
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 * @key_flags: 0 or INODE_MAP_WEAK (which a 4-byte key can't say: -EINVAL)
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_set_fd(int map, int fd, const void *value, __u64 flags,
				   __u32 key_flags)
{
	union inode_map_any_key key;
	int err = inode_map_fd_key(map, fd, key_flags, &key);

	if (err)
		return err;
	return bpf_map_update_elem(map, &key, value, flags) ? -errno : 0;
}

/**
 * inode_map_get_fd - read the value of the inode of a descriptor
 * @map: descriptor of the map
 * @fd: descriptor of the file; O_PATH is enough
 * @value: gets the value
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_get_fd(int map, int fd, void *value)
{
	union inode_map_any_key key;
	int err = inode_map_fd_key(map, fd, 0, &key);

	if (err)
		return err;
	return bpf_map_lookup_elem(map, &key, value) ? -errno : 0;
}

/**
 * inode_map_remove_fd - remove the entry of the inode of a descriptor
 * @map: descriptor of the map
 * @fd: descriptor of the file; O_PATH is enough
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_remove_fd(int map, int fd)
{
	union inode_map_any_key key;
	int err = inode_map_fd_key(map, fd, 0, &key);

	if (err)
		return err;
	return bpf_map_delete_elem(map, &key) ? -errno : 0;
}

/* Open a path to name its inode, not to read it. Follows a symbolic link. */
static inline int inode_map_open_path(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/**
 * inode_map_set_path - give the inode that a path leads to a value
 * @map: descriptor of the map
 * @path: the path; symbolic links are followed (open one with O_PATH | O_NOFOLLOW and use
 *	inode_map_set_fd() to mean the link itself)
 * @value: the value
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST
 * @key_flags: 0 or INODE_MAP_WEAK
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_set_path(int map, const char *path, const void *value, __u64 flags,
				     __u32 key_flags)
{
	int fd = inode_map_open_path(path);
	int err;

	if (fd < 0)
		return fd;
	err = inode_map_set_fd(map, fd, value, flags, key_flags);
	close(fd);
	return err;
}

/**
 * inode_map_get_path - read the value of the inode that a path leads to
 * @map: descriptor of the map
 * @path: the path; symbolic links are followed
 * @value: gets the value
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_get_path(int map, const char *path, void *value)
{
	int fd = inode_map_open_path(path);
	int err;

	if (fd < 0)
		return fd;
	err = inode_map_get_fd(map, fd, value);
	close(fd);
	return err;
}

/**
 * inode_map_remove_path - remove the entry of the inode that a path leads to
 * @map: descriptor of the map
 * @path: the path; symbolic links are followed
 *
 * Return: 0 or a negative errno.
 */
static inline int inode_map_remove_path(int map, const char *path)
{
	int fd = inode_map_open_path(path);
	int err;

	if (fd < 0)
		return fd;
	err = inode_map_remove_fd(map, fd);
	close(fd);
	return err;
}

#endif /* _INODE_MAP_H */
