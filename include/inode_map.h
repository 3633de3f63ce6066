/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inode maps for loaders, in C11 or C++17, on libbpf 1.1 or later. Everything is inline: link
 * nothing but libbpf.
 *
 * Every function returns 0 or more on success and a negative errno on failure, as libbpf does;
 * inode_map_strerror() says what the errno means here.
 *
 * For a map that the BPF object declares (INODE_MAP() of inode_map.bpf.h):
 *
 *	err = inode_map_prepare(skel->maps.denied);	// before the object is loaded
 *	err = denied_bpf__load(skel);
 *	err = inode_map_bind_object(skel->obj);		// after, and then attach
 *
 * For a map that the loader makes:
 *
 *	map = inode_map_create("denied", sizeof(struct verdict), 1024);
 *	skel->rodata->denied_id = inode_map_id(map);	// before the object is loaded
 *	err = denied_bpf__load(skel);
 *	err = inode_map_attach(map, skel->progs.file_open, &link);
 *	err = inode_map_set_path(map, "/etc/shadow", &verdict, BPF_ANY, 0);
 *
 * A program names the map by its id, and holds a reference only to maps that are bound to it. An
 * unbound map is freed with its last descriptor or pin; the program keeps running and finds
 * nothing. Therefore the functions that attach bind first, and the compiler warns about callers
 * that ignore a result which decides whether there is a policy.
 *
 * Maps made here have 32-byte keys. The other functions also work on maps with 4-byte keys, such
 * as bpftool makes.
 */
#ifndef _INODE_MAP_H
#define _INODE_MAP_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/inode_map.h>

/* The C library defines these names only for programs that ask for more than ISO C. */
#ifndef O_PATH
#define O_PATH __O_PATH
#endif
#ifndef O_CLOEXEC
#define O_CLOEXEC __O_CLOEXEC
#endif
#if !defined(__cplusplus) && !defined(_DEFAULT_SOURCE)
long syscall(long number, ...);
#endif

#define INODE_MAP_SYSFS_	"/sys/module/" INODE_MAP_DEVICE
#define INODE_MAP_BTF_		"/sys/kernel/btf/" INODE_MAP_DEVICE
#define INODE_MAP_LSM_LIST_	"/sys/kernel/security/lsm"

/* lsm_list_modules(2), and its id for BPF. The headers of Debian 12 are older than both. */
#define INODE_MAP_NR_LSM_LIST_	461
#define INODE_MAP_LSM_ID_BPF_	109

/* For functions that leave no policy in place when they fail. */
#define INODE_MAP_MUST_CHECK_	__attribute__((warn_unused_result))

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
	case EPERM:
		return "not permitted: it takes root of the host (CAP_SYS_ADMIN), and a map that "
		       "is not read-only";
	case EOPNOTSUPP:
		return "the descriptor is of an anonymous inode that many objects share";
	case ESTALE:
		return "the file or its filesystem is going away";
	case EMEDIUMTYPE:
		return "what is pinned there is no inode map, or one of another shape";
	case ENODATA:
		return "there is no " INODE_MAP_BTF_ ", so that programs can't call the module: "
		       "it was built without BTF, or there is no sysfs";
	case EUNATCH:
		return "the kernel calls no BPF programs at security hooks: boot it with "
		       "lsm=...,bpf";
	case ENOMEDIUM:
		return "can't tell whether the kernel calls BPF programs at security hooks: "
		       "lsm_list_modules(2) fails, and " INODE_MAP_LSM_LIST_ " can't be read";
	default:
		return strerror(-err);
	}
}

/* Read a short file; returns its length. */
static inline int inode_map_read_file_(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	if (length < 0)
		length = -errno;
	else
		text[length] = '\0';
	close(fd);
	return (int)length;
}

/* For when the system call is missing or not allowed: securityfs has the names, between commas. */
static inline int inode_map_check_lsm_list_(void)
{
	static const char separators[] = ",\n";
	char text[512], *name;
	size_t length;
	int err = inode_map_read_file_(INODE_MAP_LSM_LIST_, text, sizeof(text));

	if (err < 0)
		return -ENOMEDIUM;
	for (name = text; *name; name += length) {
		name += strspn(name, separators);
		length = strcspn(name, separators);
		if (length == 3 && !memcmp(name, "bpf", 3))
			return 0;
	}
	return -EUNATCH;
}

/**
 * inode_map_check_lsm - whether the kernel calls BPF programs at its security hooks
 *
 * A kernel that does not lets programs attach all the same and never calls them: the policy looks
 * as if it were in place. Needs no privilege; needs securityfs only where lsm_list_modules(2) is
 * filtered, as in some containers.
 *
 * Return: 0 if it does, -EUNATCH if not, -ENOMEDIUM if neither can be asked.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_check_lsm(void)
{
	__u64 ids[64];
	__u32 size = sizeof(ids);
	long nr = syscall(INODE_MAP_NR_LSM_LIST_, ids, &size, 0L), i;

	if (nr < 0)
		return inode_map_check_lsm_list_();
	for (i = 0; i < nr; i++)
		if (ids[i] == INODE_MAP_LSM_ID_BPF_)
			return 0;
	return -EUNATCH;
}

/**
 * inode_map_check_module - whether the module is loaded, and programs can call it
 *
 * Works in every network namespace.
 *
 * Return: 0, -ENODEV (it is not loaded), or -ENODATA (it has no BTF).
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_check_module(void)
{
	if (!access(INODE_MAP_BTF_, F_OK))
		return 0;
	if (!access(INODE_MAP_SYSFS_, F_OK) || if_nametoindex(INODE_MAP_DEVICE))
		return -ENODATA;
	return -ENODEV;
}

/**
 * inode_map_module_version - the version of the module that is loaded
 * @version: gets it, without an end of line
 * @size: of @version, at least 1
 *
 * Return: its length, -ENODEV (the module is not loaded), or -ENOENT (it does not tell).
 */
static inline int inode_map_module_version(char *version, size_t size)
{
	int length = inode_map_read_file_(INODE_MAP_SYSFS_ "/version", version, size);

	if (length < 0)
		return access(INODE_MAP_SYSFS_, F_OK) ? -ENODEV : length;
	length = (int)strcspn(version, "\n");
	version[length] = '\0';
	return length;
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
INODE_MAP_MUST_CHECK_
static inline int inode_map_create(const char *name, __u32 value_size, __u32 max_entries)
{
	struct bpf_map_create_opts opts;
	int fd;

	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.map_ifindex = if_nametoindex(INODE_MAP_DEVICE);
	if (!opts.map_ifindex)
		return -ENODEV;
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, sizeof(struct inode_map_key), value_size,
			    max_entries, &opts);
	return fd < 0 ? -errno : fd;
}

/* Get the kernel's bpf_map_info of a map. */
static inline int inode_map_info_(int map, struct bpf_map_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(map, info, &size) ? -errno : 0;
}

/* Open the inode map that is pinned at @path, if it has these sizes. */
static inline int inode_map_get_pinned_(const char *path, __u32 key_size, __u32 value_size,
					__u32 max_entries)
{
	int map = bpf_obj_get(path), err;
	struct bpf_map_info info;

	if (map < 0)
		return -errno;
	err = inode_map_info_(map, &info);
	/* The info of a pinned program or link does not have this flag at this place. */
	if (!err && (!(info.map_flags & INODE_MAP_F_INODE) || info.key_size != key_size ||
		     info.value_size != value_size || info.max_entries != max_entries))
		err = -EMEDIUMTYPE;
	if (!err)
		return map;
	close(map);
	return err;
}

/**
 * inode_map_open - open the inode map that is pinned at a path, or create and pin it
 * @path: the path, in a BPF filesystem; its directory must exist
 * @name: as for inode_map_create()
 * @value_size: bytes of a value
 * @max_entries: limit on the number of entries
 *
 * A loader that is restarted finds its map again this way, with its entries.
 *
 * Return: a descriptor of the map, or a negative errno: -EMEDIUMTYPE when something else is pinned
 * there, such as a map with other sizes; it stays as it is.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_open(const char *path, const char *name, __u32 value_size,
				 __u32 max_entries)
{
	int map, err;

	do {
		map = inode_map_get_pinned_(path, sizeof(struct inode_map_key), value_size,
					    max_entries);
		if (map != -ENOENT)
			return map;
		map = inode_map_create(name, value_size, max_entries);
		if (map < 0)
			return map;
		if (!bpf_obj_pin(map, path))
			return map;
		err = -errno;
		close(map);
		/* Another process was faster: open its map. */
	} while (err == -EEXIST);
	return err;
}

/**
 * inode_map_prepare - have libbpf make an inode map that a BPF object declares
 * @map: the map, declared by INODE_MAP() or INODE_MAP_PINNED() of inode_map.bpf.h, of an object
 *	that is open and not loaded
 *
 * Calls bpf_map__set_ifindex(), and bpf_map__reuse_fd() if the map is declared as pinned and the
 * pin exists already: libbpf alone would not reuse that map, because its flags differ by one that
 * the module sets and no caller can ask for.
 *
 * Return: 0 or a negative errno: -ENODEV when the module is not loaded, -EMEDIUMTYPE when something
 * else is pinned there, -EBUSY when the object is loaded.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_prepare(struct bpf_map *map)
{
	const char *path = bpf_map__pin_path(map);
	__u32 ifindex = if_nametoindex(INODE_MAP_DEVICE);
	int fd, err;

	if (!ifindex)
		return -ENODEV;
	err = bpf_map__set_ifindex(map, ifindex);
	if (err || !path)
		return err;
	fd = inode_map_get_pinned_(path, bpf_map__key_size(map), bpf_map__value_size(map),
				   bpf_map__max_entries(map));
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_map__reuse_fd(map, fd);
	close(fd);
	return err;
}

/**
 * inode_map_id - get the id by which programs name a map
 * @map: descriptor of the map
 *
 * Return: the id or a negative errno.
 */
static inline int inode_map_id(int map)
{
	struct bpf_map_info info;
	int err = inode_map_info_(map, &info);

	return err ? err : (int)info.id;
}

/**
 * inode_map_bind - let a map live as long as a program
 * @map: descriptor of the map
 * @prog: descriptor of the program
 *
 * inode_map_attach() binds one map; call this for each further map of the program.
 *
 * Return: 0 or a negative errno.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_bind(int map, int prog)
{
	return bpf_prog_bind_map(prog, map, NULL) ? -errno : 0;
}

/**
 * inode_map_bind_object - bind the inode maps that a BPF object declares to all its programs
 * @obj: the object, loaded; attach its programs after this
 *
 * Return: 0 or a negative errno.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_bind_object(struct bpf_object *obj)
{
	struct bpf_program *prog;
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, obj) {
		if (!bpf_map__ifindex(map))
			continue;
		bpf_object__for_each_program(prog, obj) {
			if (bpf_program__fd(prog) < 0 && !bpf_program__autoload(prog))
				continue;
			err = inode_map_bind(bpf_map__fd(map), bpf_program__fd(prog));
			if (err)
				return err;
		}
	}
	return 0;
}

/**
 * inode_map_attach - bind a map to a program and attach it
 * @map: descriptor of the map
 * @prog: the program, loaded
 * @link: gets the link; bpf_link__destroy() or the end of this process detaches the program
 *
 * Return: 0 or a negative errno.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_attach(int map, const struct bpf_program *prog,
				   struct bpf_link **link)
{
	int err = inode_map_bind(map, bpf_program__fd(prog));

	if (err)
		return err;
	*link = bpf_program__attach(prog);
	return *link ? 0 : -errno;
}

/* Pin a link, and replace the pin that is there, if any. */
static inline int inode_map_pin_link_(int link, const char *path)
{
	static const char suffix[] = "_new";
	size_t length = strlen(path);
	char name[4096];
	int err;

	if (length + sizeof(suffix) > sizeof(name))
		return -ENAMETOOLONG;
	memcpy(name, path, length);
	memcpy(name + length, suffix, sizeof(suffix));
	/* A loader that was killed may have left it. */
	unlink(name);
	if (bpf_obj_pin(link, name))
		return -errno;
	if (!rename(name, path))
		return 0;
	err = -errno;
	unlink(name);
	return err;
}

/**
 * inode_map_attach_pinned - attach a program, pin its link, and replace the link pinned before
 * @map: descriptor of the map
 * @prog: the program, loaded
 * @path: where to pin the link, in a BPF filesystem; its directory must exist
 *
 * The program stays attached and the map stays with it after this process ends, until somebody
 * removes the pin. A link that is pinned at @path already is detached after the new one is
 * attached, so that one of the two always is. (The kernel refuses bpf_link__update_program() for
 * programs at security hooks.) A loader that is killed in between leaves a pin at @path with "_new"
 * appended; the next call removes it. Callers serialize calls for one path.
 *
 * Return: 0 or a negative errno; on failure the program that was attached before stays attached.
 */
INODE_MAP_MUST_CHECK_
static inline int inode_map_attach_pinned(int map, const struct bpf_program *prog,
					  const char *path)
{
	struct bpf_link *link;
	int err = inode_map_attach(map, prog, &link);

	if (err)
		return err;
	err = inode_map_pin_link_(bpf_link__fd(link), path);
	/* If pinning succeeded, the pin keeps the program attached. */
	bpf_link__destroy(link);
	return err;
}

/* A key of either format. */
union inode_map_any_key {
	__s32 fd;
	struct inode_map_key full;
};

/*
 * Make the key that names the inode of @fd in the format of the map. A key without flags has the
 * same bytes in both formats, so don't ask the kernel for the key size: that takes the RTNL.
 */
static inline int inode_map_fd_key(int map, int fd, __u32 key_flags, union inode_map_any_key *key)
{
	struct bpf_map_info info;
	int err;

	if (fd < 0)
		return -EBADF;
	memset(key, 0, sizeof(*key));
	key->fd = fd;
	if (!key_flags)
		return 0;
	err = inode_map_info_(map, &info);
	if (err)
		return err;
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
 * @key_flags: 0 or INODE_MAP_WEAK (-EINVAL if the map has 4-byte keys, which have no flags)
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

/* Open a path to name its inode, not to read it. Follows symbolic links. */
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
