// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions that BPF programs call. Here are those that find entries and read values, and the
 * list of all; kfunc_write.c has those that change a map, and kfunc_walk.c those that walk over it.
 *
 * They run in the context of the program, from sleepable LSM hooks to NMI, inside an RCU or
 * RCU-tasks-trace read-side section that lasts as long as the program: pointers that they return
 * stay valid until the program ends. Functions that only read or delete take no lock of an entry
 * or a map. Those that replace a value only try locks, because the program may have interrupted a
 * holder. Only programs that may sleep can make an entry; the others ask a worker for it
 * (request.c). To find a new map a lock is tried (registry.c); tree walks may wait for rename_lock.
 *
 * Inodes, dentries and paths: the verifier vouches for those that LSM hooks and tp_btf programs
 * have as arguments, and for little else. If all functions wanted trusted pointers, as 7.0 and
 * later demand where nothing says otherwise, fentry, tracepoint, perf event and syscall programs
 * could call none of them. So there are two kinds:
 *
 *   update, get, request,       take references, and with them locks inside the object. They accept
 *   lookup_path, read_path      only pointers that the verifier trusts (KF_TRUSTED_ARGS, where
 *                               there is such a flag).
 *   all others                  take whatever is in the register (__ign). The verifier does not
 *                               look at it: it may be NULL, an error, stale, of another type, a
 *                               number, even uninitialized.
 *
 * What the others do with it keeps the kernel safe. For an inode, they load one word at a constant
 * offset from the address, with a load that survives a fault and that is not made at all outside of
 * the kernel's part of the address space (inode_map_in_any()). If a bit is set there, they compare
 * the address with those of the map's entries. From a dentry and each of its ancestors they load
 * two pointers in the same way, up to a limit (tree.c). They write to nothing, lock nothing and
 * call nothing through the pointer. The worst that a wrong one can get is an answer about another
 * file, if the number happens to be the address of its inode. bpf_probe_read_kernel() makes the
 * same loads for all who may load tracing programs. Syscall programs need fewer privileges, but
 * learn from them only whether an address that they have guessed is in a map that they know.
 *
 * Maps: an id is a name, and a program that calls the functions reaches every inode map. We can't
 * demand that a map be bound to the program: the list of bound maps is exchanged and freed when
 * another one is bound, while the program runs. Programs that were loaded with a BPF token are
 * refused.
 *
 * Memory arguments: the verifier has checked that the program may read and write all of the bytes.
 * NULL passes where the name says so (__nullable; without KF_TRUSTED_ARGS 6.12 checks that only if
 * it is sure of a NULL), and gets -EINVAL.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/path.h>

#include "addon.h"
#include "entry.h"
#include "hash.h"
#include "kfunc.h"
#include "map.h"
#include "registry.h"
#include "tree.h"

/*
 * The map for a program that wants the first @size bytes of values, or an ERR_PTR(). Inline: a
 * program may read a value for every file.
 */
static __always_inline struct inode_map *inode_map_readable(u32 id, const void *dst, u32 size)
{
	struct inode_map *map = inode_map_by_id_any(id);

	if (!map)
		return ERR_PTR(-ENODEV);
	if (!map->peek_size)
		return ERR_PTR(-EPERM);
	return dst && size <= map->value_size ? map : ERR_PTR(-EINVAL);
}

/* Copies the value if @distance is not an error. Returns @distance. */
static int inode_map_read_found(const struct inode_map_entry *entry, int distance, void *dst,
				u32 size)
{
	if (distance >= 0)
		inode_map_entry_read(entry, dst, size);
	return distance;
}

/* The value of an inode, or NULL if there is none or the program may not have it. */
static __always_inline u8 *inode_map_value(struct inode_map *map, struct inode *inode, bool may)
{
	return likely(may) ? inode_map_find_value(map, inode) : NULL;
}

/*
 * Lookup and peek of a map that is not in the first place where its id is looked for. Tail-called,
 * so that these two need not save anything across a call.
 */
static noinline INODE_MAP_FAST u8 *inode_map_lookup_slow(u32 map_id, struct inode *inode, u32 size)
{
	struct inode_map *map = inode_map_by_id_slow(map_id);

	return map ? inode_map_value(map, inode, inode_map_fits(size, map->lookup_size)) : NULL;
}

static noinline INODE_MAP_FAST u8 *inode_map_peek_slow(u32 map_id, struct inode *inode, u32 size)
{
	struct inode_map *map = inode_map_by_id_slow(map_id);

	return map ? inode_map_value(map, inode, inode_map_fits(size, map->peek_size)) : NULL;
}

__bpf_kfunc_start_defs();

/**
 * bpf_inode_map_lookup - look an inode up in an inode map
 * @map_id: id of the BPF map; the loader binds the map to the program, so that it stays
 * @inode__ign: the inode. The verifier accepts anything; what is no inode is safe and in no map
 * @rdwr_buf_size: bytes of the value that the program wants to access, a constant; not 0, and at
 *	most the map's value size
 *
 * The program may read and write these bytes until it ends. If the entry is updated meanwhile they
 * keep the old value, and what the program writes is lost. Programs on several CPUs may have the
 * same value: counters want atomic operations.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the value. NULL if the inode is not in the map, if no inode map has that id, if the map's
 * values are smaller than @rdwr_buf_size, if that is 0 (the verifier then takes it for no size and
 * would let the program read a byte), or if the map was created with BPF_F_RDONLY_PROG or
 * BPF_F_WRONLY_PROG.
 */
__bpf_kfunc INODE_MAP_FAST u8 *bpf_inode_map_lookup(u32 map_id, struct inode *inode__ign,
						    const int rdwr_buf_size)
{
	struct inode_map *map;

	if (!inode_map_in_any(inode__ign))
		return NULL;
	map = inode_map_by_id_fast(map_id);
	if (unlikely(map->id != map_id))
		return inode_map_lookup_slow(map_id, inode__ign, rdwr_buf_size);
	return inode_map_value(map, inode__ign, inode_map_fits(rdwr_buf_size, map->lookup_size));
}

/**
 * bpf_inode_map_peek - look an inode up in an inode map, for reading only
 * @map_id: as for bpf_inode_map_lookup()
 * @inode__ign: likewise
 * @rdonly_buf_size: bytes of the value that the program wants to read, a constant
 *
 * The program can't write to these bytes; others may.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: as bpf_inode_map_lookup(), but only BPF_F_WRONLY_PROG forbids it.
 */
__bpf_kfunc INODE_MAP_FAST const u8 *bpf_inode_map_peek(u32 map_id, struct inode *inode__ign,
							const int rdonly_buf_size)
{
	struct inode_map *map;

	if (!inode_map_in_any(inode__ign))
		return NULL;
	map = inode_map_by_id_fast(map_id);
	if (unlikely(map->id != map_id))
		return inode_map_peek_slow(map_id, inode__ign, rdonly_buf_size);
	return inode_map_value(map, inode__ign, inode_map_fits(rdonly_buf_size, map->peek_size));
}

/**
 * bpf_inode_map_read - copy the value of an inode
 * @map_id: id of the BPF map
 * @inode__ign: the inode. The verifier accepts anything; what is no inode is safe and in no map
 * @dst__nullable: gets the value. Aligned words that programs write to meanwhile are copied whole
 * @dst__sz: its size in bytes: the map's value size, or less for only the beginning of the value
 *
 * Tells "not in the map" from "no such map", so that a policy can fail closed.
 *
 * Context: any, NMI included. Waits for no lock, does not sleep.
 * Return: 0, -ENOENT (not in the map), -ENODEV (no such inode map), -EINVAL (@dst__nullable is NULL
 * or larger than a value), -EPERM (BPF_F_WRONLY_PROG). Writes to @dst__nullable only on success.
 */
__bpf_kfunc INODE_MAP_FAST int bpf_inode_map_read(u32 map_id, struct inode *inode__ign,
						  void *dst__nullable, u32 dst__sz)
{
	struct inode_map *map = inode_map_readable(map_id, dst__nullable, dst__sz);
	struct inode_map_entry *entry;

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!inode_map_in_any(inode__ign))
		return -ENOENT;
	entry = inode_map_find(map, inode__ign);
	return inode_map_read_found(entry, entry ? 0 : -ENOENT, dst__nullable, dst__sz);
}

/**
 * bpf_inode_map_lookup_tree - look up a file or its nearest ancestor
 * @map_id: id of the BPF map
 * @dentry__ign: the file; may be negative. The verifier accepts anything, and anything is safe
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * Looks up the dentry itself first, then its parent, and so on to the root of its filesystem, as
 * they are at a single moment between two renames.
 *
 * Context: any, NMI included. Does not sleep. Waits for rename_lock only where
 * inode_map_may_lock().
 * Return: the value of the first that is in the map. NULL if none is, if the walk could not tell
 * (use bpf_inode_map_read_tree() to know), or as bpf_inode_map_lookup().
 */
__bpf_kfunc u8 *bpf_inode_map_lookup_tree(u32 map_id, struct dentry *dentry__ign,
					  const int rdwr_buf_size)
{
	struct inode_map *map = inode_map_by_id(map_id);
	struct inode_map_entry *entry;

	if (!map || !inode_map_fits(rdwr_buf_size, map->lookup_size))
		return NULL;
	return inode_map_tree_find(map, dentry__ign, &entry) < 0 ? NULL : entry->value;
}

/**
 * bpf_inode_map_read_tree - copy the value of a file or its nearest ancestor
 * @map_id: id of the BPF map
 * @dentry__ign: as for bpf_inode_map_lookup_tree()
 * @dst__nullable: as for bpf_inode_map_read()
 * @dst__sz: likewise
 *
 * Tells "none is in the map" from "could not tell", so that a policy on a tree can fail closed.
 *
 * Context: as bpf_inode_map_lookup_tree().
 * Return: the distance, 0 if it is the dentry's own value, or -ENOENT (none is in the map). Could
 * not tell: -EAGAIN (dentries were being moved all the time, perhaps by what the program has
 * interrupted; or the file was opened by handle when its name was not in memory), -ELOOP (too
 * deep), -EFAULT (not a dentry), -ENODEV, -EINVAL or -EPERM as bpf_inode_map_read().
 */
__bpf_kfunc int bpf_inode_map_read_tree(u32 map_id, struct dentry *dentry__ign, void *dst__nullable,
					u32 dst__sz)
{
	struct inode_map *map = inode_map_readable(map_id, dst__nullable, dst__sz);
	struct inode_map_entry *entry;
	int distance;

	if (IS_ERR(map))
		return PTR_ERR(map);
	distance = inode_map_tree_find(map, dentry__ign, &entry);
	return inode_map_read_found(entry, distance, dst__nullable, dst__sz);
}

/**
 * bpf_inode_map_lookup_path - look up a file or its nearest ancestor, across mounts
 * @map_id: id of the BPF map
 * @path: the file; the verifier demands a trusted pointer
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * Like bpf_inode_map_lookup_tree(), but from the root of a filesystem it goes on at the directory
 * that this is mounted on, up to the root of the filesystem where the task has its root directory.
 *
 * Context: process; may sleep (KF_SLEEPABLE).
 * Return: as bpf_inode_map_lookup_tree().
 */
__bpf_kfunc u8 *bpf_inode_map_lookup_path(u32 map_id, const struct path *path,
					  const int rdwr_buf_size)
{
	struct inode_map *map = inode_map_by_id(map_id);
	struct inode_map_entry *entry;

	if (!map || !inode_map_fits(rdwr_buf_size, map->lookup_size))
		return NULL;
	return inode_map_tree_find_path(map, path, &entry) < 0 ? NULL : entry->value;
}

/**
 * bpf_inode_map_read_path - copy the value of a file or its nearest ancestor, across mounts
 * @map_id: id of the BPF map
 * @path: as for bpf_inode_map_lookup_path()
 * @dst: as for bpf_inode_map_read()
 * @dst__sz: likewise
 *
 * Context: process; may sleep (KF_SLEEPABLE).
 * Return: as bpf_inode_map_read_tree(), but it waits for renames. A filesystem's root is at a
 * distance of one from the directory that it is mounted on.
 */
__bpf_kfunc int bpf_inode_map_read_path(u32 map_id, const struct path *path, void *dst,
					u32 dst__sz)
{
	struct inode_map *map = inode_map_readable(map_id, dst, dst__sz);
	struct inode_map_entry *entry;
	int distance;

	if (IS_ERR(map))
		return PTR_ERR(map);
	distance = inode_map_tree_find_path(map, path, &entry);
	return inode_map_read_found(entry, distance, dst, dst__sz);
}

/**
 * bpf_inode_map_id - find an inode map by its name
 * @name__str: the name, a constant string in a read-only map
 *
 * For programs that no loader gives an id. This does not bind the map to the program.
 *
 * Context: any, NMI included. Waits for no lock, does not sleep.
 * Return: the map's id, -ENOENT (no inode map has the name), -ENOTUNIQ (more than one has), -EINVAL
 * (the name is empty), -EBUSY (a map of any name has just been created, and a lock is held).
 */
__bpf_kfunc int bpf_inode_map_id(const char *name__str)
{
	return *name__str ? inode_map_id_by_name(name__str) : -EINVAL;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(inode_map_kfunc_ids)
BTF_ID_FLAGS(func, bpf_inode_map_lookup, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_inode_map_peek, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_inode_map_read)
BTF_ID_FLAGS(func, bpf_inode_map_update, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_inode_map_get, KF_SLEEPABLE | KF_TRUSTED_ARGS | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_inode_map_request, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_inode_map_replace)
BTF_ID_FLAGS(func, bpf_inode_map_delete)
BTF_ID_FLAGS(func, bpf_inode_map_delete_handle)
BTF_ID_FLAGS(func, bpf_inode_map_lookup_tree, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_inode_map_read_tree)
BTF_ID_FLAGS(func, bpf_inode_map_lookup_path, KF_SLEEPABLE | KF_TRUSTED_ARGS | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_inode_map_read_path, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_inode_map_id)
BTF_ID_FLAGS(func, bpf_iter_inode_map_new, KF_ITER_NEW)
BTF_ID_FLAGS(func, bpf_iter_inode_map_next, KF_ITER_NEXT | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_inode_map_value, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_inode_map_peek, KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_inode_map_destroy, KF_ITER_DESTROY)
BTF_KFUNCS_END(inode_map_kfunc_ids)

/*
 * The verifier calls this for each call of one of the functions. A program that was loaded with a
 * BPF token belongs to a container, and ids would lead it to the host's maps.
 */
static int inode_map_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	return prog->aux->token ? -EACCES : 0;
}

static const struct btf_kfunc_id_set inode_map_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &inode_map_kfunc_ids,
	.filter	= inode_map_kfunc_filter,
};

/**
 * inode_map_kfunc_init - offer the functions to BPF programs
 *
 * LSM, tracing, tracepoint and perf event programs share one set, so one registration serves them
 * all. Syscall programs have their own. A program that calls one of the functions holds a reference
 * on the module. The kernel drops the registrations with the module.
 *
 * Return: 0 or a negative errno.
 */
int __init inode_map_kfunc_init(void)
{
	BTF_TYPE_EMIT_ENUM(INODE_MAP_VERSION);

	return register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &inode_map_kfunc_set) ?:
	       register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &inode_map_kfunc_set);
}
