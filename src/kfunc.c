// SPDX-License-Identifier: GPL-2.0
/*
 * The functions that BPF programs call.
 *
 * They run in whatever context the program runs in, from sleepable LSM hooks to NMI, inside an RCU
 * or RCU-tasks-trace read-side section that lasts as long as the program: pointers that they return
 * stay valid until the program ends. Those that only read take no lock, nor do those that delete.
 * One that replaces a value only tries to, because the program may have interrupted who holds it;
 * to make an entry is for programs that may sleep, and the others ask a worker for it (request.c).
 *
 * Inodes, dentries and paths: the verifier vouches for those that LSM hooks and tp_btf programs have
 * as arguments, and for little else. A kernel that demands trusted pointers where nothing says
 * otherwise (7.0 and later) would leave fentry, tracepoint, perf event and syscall programs with no
 * function. So there are two kinds:
 *
 *   update, get, request,       take references, and with them locks inside the object: only a
 *   lookup_path, read_path      pointer that the verifier trusts will do (KF_TRUSTED_ARGS, where
 *                               there is such a flag).
 *   all others                  take whatever is in the register (__ign). The verifier looks at it
 *                               in no way: it may be NULL, an error, stale, of another type, a
 *                               number, even what nothing was ever written to.
 *
 * What the others do with it keeps the kernel safe. An inode is its address: they load one word at
 * a constant distance from it, in a way that survives a fault and that is not made at all outside of
 * the kernel's part of the address space (kernel_word_has()); if a bit is set there, the address is
 * compared with those of the map's entries. From a dentry on it is two such loads for each ancestor,
 * up to a limit (tree.c). Nothing is written to, locked or called by way of the pointer, so that
 * the worst of a wrong one is an answer about another file, if the number happens to be the address
 * of its inode. The loads themselves are what bpf_probe_read_kernel() makes for whoever may load
 * tracing programs; a syscall program, which asks for less, learns of them only whether the address
 * that it has guessed is in a map that it knows.
 *
 * Maps: an id is a name, and a program that calls the functions reaches every inode map. To demand
 * that a map be bound to the program there is no way: the list of these is exchanged and freed when
 * another one is bound, while the program runs. Programs that a BPF token has loaded are refused.
 *
 * Memory arguments: the verifier has checked that all of the bytes are the program's to read and
 * write. NULL passes where the name says so (__nullable; without KF_TRUSTED_ARGS 6.12 does not look
 * at that, unless it is sure of it), and is an -EINVAL.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>

#include <linux/inode_map.h>

#include "compat.h"
#include "key.h"
#include "kfunc.h"
#include "registry.h"
#include "request.h"
#include "table.h"
#include "tree.h"

/*
 * struct bpf_iter_inode_map - a program's walk over the entries of a map
 *
 * The kernel demands the name, and that a program sees nothing of what is in it (struct
 * inode_map_walk).
 */
struct bpf_iter_inode_map {
	u64 __opaque[7];
} __aligned(8);

/**
 * struct inode_map_walk - what is in a struct bpf_iter_inode_map
 * @map: the map, or NULL: the walk is at its end
 * @entry: the entry where the walk is, or NULL before the first one. Stays in memory until the
 *	program ends
 * @key: names this entry
 */
struct inode_map_walk {
	struct inode_map *map;
	struct inode_map_entry *entry;
	struct inode_map_key key;
};

static struct inode_map *inode_map_get(u32 id)
{
	struct inode_map *map = inode_map_by_id(id);

	return likely(map) ? map : inode_map_by_id_fresh(id);
}

/* A map to be changed, or an ERR_PTR(). */
static struct inode_map *inode_map_get_write(u32 id)
{
	struct inode_map *map = inode_map_get(id);

	if (!map)
		return ERR_PTR(-ENODEV);
	return map->prog_write ? map : ERR_PTR(-EPERM);
}

/* A map of which a program wants to have the first bytes of values, or an ERR_PTR(). */
static struct inode_map *inode_map_get_read(u32 id, const void *dst, u32 size)
{
	struct inode_map *map = inode_map_get(id);

	if (!map)
		return ERR_PTR(-ENODEV);
	if (!map->peek_size)
		return ERR_PTR(-EPERM);
	return dst && size <= map->value_size ? map : ERR_PTR(-EINVAL);
}

/* Returns @distance if it is one and not an error. */
static int inode_map_read_found(const struct inode_map_entry *entry, int distance, void *dst,
				u32 size)
{
	if (distance >= 0)
		inode_map_entry_read(entry, dst, size);
	return distance;
}

/* Whether values have so many bytes. 0 is not a number of bytes. */
static __always_inline bool inode_map_fits(u32 size, u32 value_size)
{
	return size - 1 < value_size;
}

/* The value of an inode, if a program may have so many bytes of it as it asks for. */
static __always_inline u8 *inode_map_value(struct inode_map *map, struct inode *inode, bool may)
{
	return likely(may) ? inode_map_find_value(map, inode) : NULL;
}

/*
 * The rest of lookup and peek for a map that is not where it is looked for first. Called last, so
 * that these two keep nothing over a call.
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
 * @inode__ign: the inode. The verifier takes anything; what is none is safe and in no map
 * @rdwr_buf_size: bytes of the value that the program means to access, a constant; not 0, and at
 *	most the map's value size
 *
 * The program may read and write these bytes until it ends; an update of the entry meanwhile does
 * not show in them, and what is written to them is lost by it. Programs on several CPUs may have
 * the same value: counters want atomic operations.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the value, or NULL when the inode is not in the map, when there is no inode map of that
 * id, when the map's values are smaller than @rdwr_buf_size or that is 0 (to the verifier it is then
 * not given, and there would be a byte to read), or when it was created with BPF_F_RDONLY_PROG or
 * BPF_F_WRONLY_PROG.
 */
__bpf_kfunc INODE_MAP_FAST u8 *bpf_inode_map_lookup(u32 map_id, struct inode *inode__ign,
						     const int rdwr_buf_size)
{
	struct inode_map *map;

	if (!inode_in_any_map(inode__ign))
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
 * @rdonly_buf_size: bytes of the value that the program means to read, a constant
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

	if (!inode_in_any_map(inode__ign))
		return NULL;
	map = inode_map_by_id_fast(map_id);
	if (unlikely(map->id != map_id))
		return inode_map_peek_slow(map_id, inode__ign, rdonly_buf_size);
	return inode_map_value(map, inode__ign, inode_map_fits(rdonly_buf_size, map->peek_size));
}

/**
 * bpf_inode_map_read - copy the value of an inode
 * @map_id: id of the BPF map
 * @inode__ign: the inode. The verifier takes anything; what is none is safe and in no map
 * @dst__nullable: gets the value; aligned words of it that programs write to meanwhile are copied
 *	whole
 * @dst__sz: bytes of it: the map's value size, or less for the beginning of the value only
 *
 * Tells "not in the map" from "there is no such map", so that a policy can fail closed.
 *
 * Context: any, NMI included. Takes no lock that it would have to wait for, does not sleep.
 * Return: 0, -ENOENT (not in the map), -ENODEV (no such inode map), -EINVAL (@dst__nullable is NULL,
 * or larger than a value), -EPERM (BPF_F_WRONLY_PROG). It is written to only if this succeeds.
 */
__bpf_kfunc INODE_MAP_FAST int bpf_inode_map_read(u32 map_id, struct inode *inode__ign,
						  void *dst__nullable, u32 dst__sz)
{
	struct inode_map *map = inode_map_get_read(map_id, dst__nullable, dst__sz);
	struct inode_map_entry *entry;

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!inode_in_any_map(inode__ign))
		return -ENOENT;
	entry = inode_map_find(map, inode__ign);
	return inode_map_read_found(entry, entry ? 0 : -ENOENT, dst__nullable, dst__sz);
}

/**
 * bpf_inode_map_update - give an inode a value
 * @map_id: id of the BPF map
 * @inode: the inode; the verifier demands that it be trusted
 * @value: the value
 * @value__sz: bytes of it: the map's value size
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST; and INODE_MAP_WEAK, if the entry shall not keep the
 *	inode in memory
 *
 * What bpf(2) does by a key with a descriptor, for a program that has an inode.
 *
 * Context: process; may sleep (KF_SLEEPABLE), but enters no filesystem: the program may be called
 * with a filesystem's locks held.
 * Return: 0, -EEXIST, -ENOENT (as @flags demand), -E2BIG (the map is full), -ENOMEM (also when very
 * many replaced values wait for a grace period), -ESTALE (the inode or its superblock is going away
 * at this moment), -ENODEV (no such inode map), -EINVAL (@inode is NULL, as that of a negative
 * dentry is; unknown flags, or another size), -EPERM (BPF_F_RDONLY_PROG), -EOPNOTSUPP (the inode is
 * the one that anonymous files share).
 */
__bpf_kfunc int bpf_inode_map_update(u32 map_id, struct inode *inode, void *value, u32 value__sz,
				     u64 flags)
{
	struct inode_map *map = inode_map_get_write(map_id);
	bool weak = flags & INODE_MAP_WEAK;

	if (IS_ERR(map))
		return PTR_ERR(map);
	flags &= ~(u64)INODE_MAP_WEAK;
	/* The verifier takes the inode of a negative dentry for one that is there. */
	if (!inode || flags > BPF_EXIST || value__sz != map->value_size)
		return -EINVAL;
	return PTR_ERR_OR_ZERO(inode_map_make(map, inode, weak, value, flags));
}

/* The entry of an inode, or one that is made from @init: of tasks that race, by one of them. */
static struct inode_map_entry *inode_map_find_or_make(struct inode_map *map, struct inode *inode,
						      bool weak, const void *init)
{
	struct inode_map_entry *entry;

	do {
		entry = inode_map_find(map, inode);
		if (!entry)
			entry = inode_map_make(map, inode, weak, init, BPF_NOEXIST);
	} while (entry == ERR_PTR(-EEXIST));
	return entry;
}

/**
 * bpf_inode_map_get - look an inode up in an inode map, and give it a value if it has none
 * @map: id of the BPF map; above its 32 bits 0, or INODE_MAP_WEAK if a new entry shall not keep the
 *	inode in memory. (A function has five arguments at most.)
 * @inode: the inode; the verifier demands that it be trusted
 * @init: the value of a new entry
 * @init__sz: bytes of it: the map's value size
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * Of tasks that ask for the same inode at the same time, one makes the entry, and all get its
 * value. An entry that is there stays as it is. bpf_inode_map_update() with BPF_NOEXIST tells why
 * an entry can't be made.
 *
 * Context: process; may sleep (KF_SLEEPABLE), but enters no filesystem.
 * Return: the value, as bpf_inode_map_lookup(), or NULL: an error of bpf_inode_map_update(), or one
 * of bpf_inode_map_lookup().
 */
__bpf_kfunc u8 *bpf_inode_map_get(u64 map, struct inode *inode, void *init, u32 init__sz,
				  const int rdwr_buf_size)
{
	struct inode_map *found = inode_map_get_write(lower_32_bits(map));
	u32 flags = upper_32_bits(map);
	struct inode_map_entry *entry;

	if (IS_ERR(found) || !inode || flags & ~(u32)INODE_MAP_WEAK ||
	    init__sz != found->value_size || !inode_map_fits(rdwr_buf_size, found->lookup_size))
		return NULL;
	entry = inode_map_find_or_make(found, inode, flags & INODE_MAP_WEAK, init);
	return IS_ERR(entry) ? NULL : entry->value;
}

/**
 * bpf_inode_map_request - have an inode given a value, if it has none
 * @map_id: id of the BPF map
 * @inode: the inode; the verifier demands that it be trusted
 * @value: the value
 * @value__sz: bytes of it: the map's value size
 * @flags: 0, or INODE_MAP_WEAK, if the entry shall not keep the inode in memory
 *
 * What bpf_inode_map_update() does with BPF_NOEXIST, for programs that may not sleep. A worker
 * makes the entry; it need not be there when this returns. Until then the inode and its superblock
 * are held: umount(2) does not see that, but the superblock of the last mount stays until the
 * worker is done. The worker may find that it can't be done, and then it is not: /proc/inode_map
 * has how often that was.
 *
 * Context: any, whatever locks are held; does not sleep. Where nothing can be allocated it is
 * -EBUSY, which is where interrupts are disabled, and on PREEMPT_RT where preemption is or a
 * spinlock held.
 * Return: never 0, but -EINPROGRESS (the worker has been asked), -EEXIST (the inode is in the map),
 * -EAGAIN (as many entries of the map have been asked for as may be, and not been made yet), -EBUSY
 * (as above), -E2BIG (the map is full), -ENOMEM, -ESTALE (the inode or its superblock is going away
 * at this moment, or the inode has never begun), -ENODEV (no such inode map), -EINVAL (@inode is
 * NULL; unknown flags, or another size), -EPERM (BPF_F_RDONLY_PROG), -EOPNOTSUPP (the inode is the
 * one that anonymous files share).
 */
__bpf_kfunc int bpf_inode_map_request(u32 map_id, struct inode *inode, void *value, u32 value__sz,
				      u64 flags)
{
	struct inode_map *map = inode_map_get_write(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!inode || flags & ~(u64)INODE_MAP_WEAK || value__sz != map->value_size)
		return -EINVAL;
	return inode_map_request(map, inode, flags & INODE_MAP_WEAK, value);
}

/**
 * bpf_inode_map_replace - give an inode that is in a map another value
 * @map_id: id of the BPF map
 * @inode__ign: the inode. The verifier takes anything; what is none is safe and in no map
 * @value__nullable: the value
 * @value__sz: bytes of it: the map's value size
 *
 * What bpf_inode_map_update() does with BPF_EXIST, for programs that may not sleep. The entry's
 * lifetime stays as it is. Who looks the inode up sees the old value or the new one.
 *
 * Context: any; does not sleep. Where nothing can be allocated, or no lock be tried, it is -EBUSY:
 * where interrupts are disabled (and so in NMI); on PREEMPT_RT where preemption is, too, and under
 * any spinlock; on a kernel for a single processor where preemption is. Write through the pointer
 * of bpf_inode_map_lookup() there.
 * Return: 0, -ENOENT (not in the map), -EBUSY (as above, or a lock is held, perhaps by whoever the
 * program has interrupted), -ENOMEM (also when very many replaced values wait for a grace period),
 * -ENODEV (no such inode map), -EINVAL (@value__nullable is NULL or of another size), -EPERM
 * (BPF_F_RDONLY_PROG).
 */
__bpf_kfunc int bpf_inode_map_replace(u32 map_id, struct inode *inode__ign, void *value__nullable,
				      u32 value__sz)
{
	struct inode_map *map = inode_map_get_write(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!value__nullable || value__sz != map->value_size)
		return -EINVAL;
	if (!inode_in_any_map(inode__ign))
		return -ENOENT;
	return inode_map_try_replace(map, inode__ign, value__nullable);
}

/**
 * bpf_inode_map_delete - take an inode out of a map
 * @map_id: id of the BPF map
 * @inode__ign: the inode. The verifier takes anything; what is none is safe and in no map
 *
 * It shows at once. The inode is let go later, by a worker, which also raises the event.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: 0, -ENOENT (not in the map), -ENODEV (no such inode map), -EPERM (BPF_F_RDONLY_PROG).
 */
__bpf_kfunc int bpf_inode_map_delete(u32 map_id, struct inode *inode__ign)
{
	struct inode_map *map = inode_map_get_write(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!inode_in_any_map(inode__ign))
		return -ENOENT;
	return inode_map_end_inode(map, inode__ign);
}

/**
 * bpf_inode_map_delete_handle - remove an entry by its handle
 * @map_id: id of the BPF map
 * @handle: the handle, as in a struct inode_map_key
 *
 * Context: as bpf_inode_map_delete().
 * Return: as bpf_inode_map_delete().
 */
__bpf_kfunc int bpf_inode_map_delete_handle(u32 map_id, u32 handle)
{
	struct inode_map *map = inode_map_get_write(map_id);

	if (IS_ERR(map))
		return PTR_ERR(map);
	return inode_map_end_handle(map, handle);
}

/**
 * bpf_inode_map_lookup_tree - look a file or its nearest ancestor up
 * @map_id: id of the BPF map
 * @dentry__ign: the file; may be negative. The verifier takes anything, and anything is safe
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * The dentry itself is looked up first, then its parent, and so on to the root of its filesystem,
 * all of them in a single moment between two renames.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the value of the first that is in the map. NULL when none is, when it could not be told
 * (bpf_inode_map_read_tree() makes the difference), or as bpf_inode_map_lookup().
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
 * Context: any, NMI included. Takes no lock that it would have to wait for, does not sleep.
 * Return: the distance, 0 when it is the dentry's own value, or -ENOENT (none is in the map). Could
 * not tell: -EAGAIN (dentries were being moved all the time, perhaps by whoever the program has
 * interrupted; or the file was opened by handle when its name was not in memory), -ELOOP (too
 * deep), -EFAULT (not a dentry), -ENODEV, -EINVAL or -EPERM as bpf_inode_map_read().
 */
__bpf_kfunc int bpf_inode_map_read_tree(u32 map_id, struct dentry *dentry__ign, void *dst__nullable,
					u32 dst__sz)
{
	struct inode_map *map = inode_map_get_read(map_id, dst__nullable, dst__sz);
	struct inode_map_entry *entry;
	int distance;

	if (IS_ERR(map))
		return PTR_ERR(map);
	distance = inode_map_tree_find(map, dentry__ign, &entry);
	return inode_map_read_found(entry, distance, dst__nullable, dst__sz);
}

/**
 * bpf_inode_map_lookup_path - look a file or its nearest ancestor up, across mounts
 * @map_id: id of the BPF map
 * @path: the file; the verifier demands that it be trusted
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * As bpf_inode_map_lookup_tree(), but from the root of a filesystem it goes on with the directory
 * that this is mounted on, until it comes to the root of the filesystem where the task has its root
 * directory.
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
 * Return: as bpf_inode_map_read_tree(), but renames are waited for. A filesystem's root is at a
 * distance of one from the directory that it is mounted on.
 */
__bpf_kfunc int bpf_inode_map_read_path(u32 map_id, const struct path *path, void *dst,
					u32 dst__sz)
{
	struct inode_map *map = inode_map_get_read(map_id, dst, dst__sz);
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
 * For programs that no loader tells an id. The map is not bound to the program by this.
 *
 * Context: any, NMI included. Takes no lock that it would have to wait for, does not sleep.
 * Return: the map's id, -ENOENT (no inode map has the name), -ENOTUNIQ (more than one has), -EINVAL
 * (the name is empty), -EBUSY (a map of any name has just been created, and a lock is held).
 */
__bpf_kfunc int bpf_inode_map_id(const char *name__str)
{
	return *name__str ? inode_map_id_by_name(name__str) : -EINVAL;
}

/**
 * bpf_iter_inode_map_new - begin a walk over the entries of a map
 * @it: the walk
 * @map_id: id of the BPF map
 *
 * Context: any, NMI included. Takes no lock that it would have to wait for, does not sleep.
 * Return: 0, -ENODEV (no such inode map), -EPERM (BPF_F_WRONLY_PROG). After an error the walk is at
 * its end.
 */
__bpf_kfunc int bpf_iter_inode_map_new(struct bpf_iter_inode_map *it, u32 map_id)
{
	struct inode_map_walk *walk = (void *)it;
	struct inode_map *map = inode_map_get(map_id);

	BUILD_BUG_ON(sizeof(*walk) > sizeof(*it));
	BUILD_BUG_ON(__alignof__(*walk) != __alignof__(*it));

	memset(walk, 0, sizeof(*walk));
	if (!map)
		return -ENODEV;
	if (!map->peek_size)
		return -EPERM;
	walk->map = map;
	return 0;
}

/**
 * bpf_iter_inode_map_next - go to the next entry of a walk
 * @it: the walk
 *
 * Every entry that is in the map throughout the walk is met once. One that is inserted meanwhile is
 * not met, so that the walk comes to an end however fast others insert.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: a key that names the entry, for the program to read until it goes on, or NULL at the end.
 */
__bpf_kfunc struct inode_map_key *bpf_iter_inode_map_next(struct bpf_iter_inode_map *it)
{
	struct inode_map_walk *walk = (void *)it;

	if (!walk->map)
		return NULL;
	rcu_read_lock();
	walk->entry = inode_map_next(walk->map, walk->key.handle);
	if (walk->entry)
		inode_map_key_fill_full(walk->entry, &walk->key);
	else
		walk->map = NULL;
	rcu_read_unlock();
	return walk->entry ? &walk->key : NULL;
}

/**
 * bpf_iter_inode_map_value - the value of the entry where a walk is
 * @it__iter: the walk
 * @rdwr_buf_size: as for bpf_inode_map_lookup()
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the value that the entry had when the walk came to it, whatever has become of the entry;
 * NULL before the first entry and after the last, or as bpf_inode_map_lookup().
 */
__bpf_kfunc u8 *bpf_iter_inode_map_value(struct bpf_iter_inode_map *it__iter,
					 const int rdwr_buf_size)
{
	struct inode_map_walk *walk = (void *)it__iter;

	if (!walk->map || !walk->entry || !inode_map_fits(rdwr_buf_size, walk->map->lookup_size))
		return NULL;
	return walk->entry->value;
}

/**
 * bpf_iter_inode_map_peek - the value of the entry where a walk is, for reading only
 * @it__iter: the walk
 * @rdonly_buf_size: as for bpf_inode_map_peek()
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: as bpf_iter_inode_map_value(), but only BPF_F_WRONLY_PROG forbids it.
 */
__bpf_kfunc const u8 *bpf_iter_inode_map_peek(struct bpf_iter_inode_map *it__iter,
					      const int rdonly_buf_size)
{
	struct inode_map_walk *walk = (void *)it__iter;

	if (!walk->map || !walk->entry || !inode_map_fits(rdonly_buf_size, walk->map->peek_size))
		return NULL;
	return walk->entry->value;
}

/**
 * bpf_iter_inode_map_destroy - end a walk
 * @it: the walk
 *
 * A walk holds nothing. The verifier demands that there is an end.
 *
 * Context: any.
 */
__bpf_kfunc void bpf_iter_inode_map_destroy(struct bpf_iter_inode_map *it)
{
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
 * Called by the verifier for each call of one of them. A program that was loaded by a BPF token is a
 * container's, and ids would lead it to the host's maps.
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
 * LSM, tracing, tracepoint and perf event programs share one set: one registration serves them all.
 * Syscall programs have one of their own. A program that calls one of the functions holds a
 * reference on the module. The kernel drops the registrations with the module.
 *
 * Return: 0 or a negative errno.
 */
int inode_map_kfunc_init(void)
{
	BTF_TYPE_EMIT_ENUM(INODE_MAP_VERSION);

	return register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &inode_map_kfunc_set) ?:
	       register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &inode_map_kfunc_set);
}
