/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Inode maps for BPF programs. Include it after vmlinux.h.
 *
 * A program names a map by its id, and finds that by the map's name:
 *
 *	INODE_MAP_PINNED(denied, struct verdict, 1024);
 *
 *	SEC("lsm/file_open")
 *	int BPF_PROG(by_name, struct file *file)
 *	{
 *		int id = inode_map_id("denied");
 *		struct verdict *v = inode_map_lookup(id, file->f_inode, struct verdict);
 *
 *		return v ? -EPERM : 0;
 *	}
 *
 * or the loader, which makes the map first, writes it into a constant before the program is loaded:
 *
 *	const volatile __u32 denied_id;
 *
 *	SEC("lsm/file_open")
 *	int BPF_PROG(by_id, struct file *file)
 *	{
 *		struct verdict *v = inode_map_lookup(denied_id, file->f_inode, struct verdict);
 *
 *		return v ? -EPERM : 0;
 *	}
 *
 * In both cases the loader binds the map to the program, so that the map stays as long as the
 * program does (inode_map.h). The kernel's macros are not in vmlinux.h: EPERM is 1.
 */
#ifndef _INODE_MAP_BPF_H
#define _INODE_MAP_BPF_H

#ifndef __VMLINUX_H__
#error "include vmlinux.h before inode_map.bpf.h"
#endif

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <linux/inode_map.h>

#define inode_map_declare_(map, value, entries, ...)				\
	/* The kernel's names of maps are as long: a longer one is cut off, and not found. */	\
	_Static_assert(sizeof(#map) <= 16, "the map's name has more than 15 characters"); \
	struct {								\
		__uint(type, BPF_MAP_TYPE_HASH);				\
		__uint(key_size, sizeof(struct inode_map_key));			\
		__uint(value_size, sizeof(value));				\
		__uint(max_entries, entries);					\
		__VA_ARGS__							\
	} map SEC(".maps")

/**
 * INODE_MAP - declare an inode map, which libbpf makes when it loads the object
 * @map: its name, up to 15 characters: see inode_map_id()
 * @value: type of its values
 * @entries: limit on the number of entries
 *
 * Its loader calls inode_map_prepare() before the object is loaded, and inode_map_bind_object()
 * after.
 */
#define INODE_MAP(map, value, entries) inode_map_declare_(map, value, entries)

/**
 * INODE_MAP_PINNED - likewise, with LIBBPF_PIN_BY_NAME
 * @map: its name, which is that of its pin in /sys/fs/bpf, too
 * @value: type of its values
 * @entries: limit on the number of entries
 *
 * If one of this shape is pinned there, that one is used, with what is in it.
 */
#define INODE_MAP_PINNED(map, value, entries) \
	inode_map_declare_(map, value, entries, __uint(pinning, LIBBPF_PIN_BY_NAME);)

/**
 * inode_map_is_null - ask whether a pointer of the kernel is there
 * @ptr: any pointer
 *
 * For what the verifier may take for a pointer that is always there, though it is not: the d_inode
 * of a dentry in a hook that makes a name (create, mkdir, mknod, symlink, link, the target of a
 * rename), the f_inode of a file that is being made (file_alloc_security), the file of mmap_file.
 * Linux 6.12 trusts these: it removes a comparison with NULL as one that is always false, and with
 * it the branch, when nothing else leads there. Whether anything does is up to the compiler. What
 * is left loads from the address 0, without the care that is taken with pointers that are not
 * trusted, and the kernel panics.
 *
 * The verifier does not know the outcome of a comparison with another number, though, and the
 * compiler does not know that of one in assembly. The comparison with 0 is for verifiers that know
 * that the pointer may be NULL, and insist on it. (What a function has returned with a reference
 * wants a plain one: no verifier trusts that before.)
 *
 * Return: whether it points into the first page, as NULL does.
 */
static __always_inline bool inode_map_is_null(const void *ptr)
{
	__u64 null;

	asm volatile("%[null] = 1\n"
		     "if %[ptr] == 0 goto +2\n"
		     "if %[ptr] < 4096 goto +1\n"
		     "%[null] = 0\n"
		     : [null] "=&r"(null) : [ptr] "r"(ptr));
	return null;
}

/* What the module has from version 2 on. */
enum inode_map_version___bpf {
	INODE_MAP_VERSION___bpf
};

/**
 * inode_map_version - ask which functions the module has
 *
 * libbpf puts the number in when it loads the program, and the verifier drops the branch that is
 * not taken. So a program that calls a function only behind a test for its version loads with any
 * module:
 *
 *	if (inode_map_version() >= 2)
 *		v = inode_map_get(map_id, inode, &init, 0);
 *
 * What a version has all later ones have: it does the same there, and takes the same arguments.
 *
 * Return: 1 or more.
 */
static __always_inline __u32 inode_map_version(void)
{
	if (!bpf_core_enum_value_exists(enum inode_map_version___bpf, INODE_MAP_VERSION___bpf))
		return 1;
	return bpf_core_enum_value(enum inode_map_version___bpf, INODE_MAP_VERSION___bpf);
}

/*
 * Uses of the types that make the compiler describe them in full. Older ones (clang 14) otherwise
 * emit forward declarations for the prototypes below, which libbpf then finds to be incompatible
 * with the kernel's.
 */
static const struct inode *const inode_map_wants_struct_inode __attribute__((used));
static const struct dentry *const inode_map_wants_struct_dentry __attribute__((used));
static const struct path *const inode_map_wants_struct_path __attribute__((used));

/*
 * The verifier takes any register for the inode or dentry of those functions that may be given a
 * stale one: a pointer to something else, or a number, is no error but a file that is in no map. So
 * it has to be the compiler that minds, and it does, as an error whatever the warnings are: the
 * wrappers below take a pointer to the type and nothing else. A void * is none, and neither is a
 * plain NULL; a cast says that one knows better.
 */
#define inode_map_as_inode_(ptr) \
	_Generic((ptr), struct inode *: (ptr), const struct inode *: (struct inode *)(ptr))
#define inode_map_as_dentry_(ptr) \
	_Generic((ptr), struct dentry *: (ptr), const struct dentry *: (struct dentry *)(ptr))
#define inode_map_as_path_(ptr) \
	_Generic((ptr), struct path *: (ptr), const struct path *: (ptr))

/*
 * The functions of the module: src/kfunc.c describes each, and src/README.md has a table of what may
 * call which. Those with a wrapper below are meant to be called by it. Those that are weak came
 * later, and inode_map_version() tells whether they are there: a call that the verifier comes to is
 * refused where they are not.
 */
struct bpf_iter_inode_map {
	__u64 __opaque[7];
} __attribute__((aligned(8)));

extern __u8 *bpf_inode_map_lookup(__u32 map_id, struct inode *inode,
				  const int rdwr_buf_size) __ksym;
extern const __u8 *bpf_inode_map_peek(__u32 map_id, struct inode *inode,
				      const int rdonly_buf_size) __ksym;
extern int bpf_inode_map_read(__u32 map_id, struct inode *inode, void *dst, __u32 dst__sz) __ksym;
extern int bpf_inode_map_update(__u32 map_id, struct inode *inode, void *value, __u32 value__sz,
				__u64 flags) __ksym;
extern __u8 *bpf_inode_map_get(__u64 map, struct inode *inode, void *init, __u32 init__sz,
			       const int rdwr_buf_size) __ksym __weak;
extern int bpf_inode_map_request(__u32 map_id, struct inode *inode, void *value, __u32 value__sz,
				 __u64 flags) __ksym __weak;
extern int bpf_inode_map_replace(__u32 map_id, struct inode *inode, void *value,
				 __u32 value__sz) __ksym;
extern int bpf_inode_map_delete(__u32 map_id, struct inode *inode) __ksym;
extern int bpf_inode_map_delete_handle(__u32 map_id, __u32 handle) __ksym;

extern __u8 *bpf_inode_map_lookup_tree(__u32 map_id, struct dentry *dentry,
				       const int rdwr_buf_size) __ksym;
extern int bpf_inode_map_read_tree(__u32 map_id, struct dentry *dentry, void *dst,
				   __u32 dst__sz) __ksym;
extern __u8 *bpf_inode_map_lookup_path(__u32 map_id, const struct path *path,
				       const int rdwr_buf_size) __ksym;
extern int bpf_inode_map_read_path(__u32 map_id, const struct path *path, void *dst,
				   __u32 dst__sz) __ksym;

extern int bpf_inode_map_id(const char *name__str) __ksym;

extern int bpf_iter_inode_map_new(struct bpf_iter_inode_map *it, __u32 map_id) __ksym;
extern struct inode_map_key *bpf_iter_inode_map_next(struct bpf_iter_inode_map *it) __ksym;
extern __u8 *bpf_iter_inode_map_value(struct bpf_iter_inode_map *it__iter,
				      const int rdwr_buf_size) __ksym;
extern const __u8 *bpf_iter_inode_map_peek(struct bpf_iter_inode_map *it__iter,
					   const int rdonly_buf_size) __ksym;
extern void bpf_iter_inode_map_destroy(struct bpf_iter_inode_map *it) __ksym;

/**
 * inode_map_lookup - look an inode up
 * @map_id: id of the BPF map
 * @inode: a struct inode *, any: the verifier does not look at it, and NULL, errors and stale
 *	pointers are in no map
 * @type: type of the value, or of the beginning of it
 *
 * For LSM, fentry, fexit, fmod_ret, tracepoint, perf event and syscall programs, sleepable or not.
 *
 * Return: a pointer to the value that the program may read and write until it ends, or NULL when
 * the inode is not in the map.
 */
#define inode_map_lookup(map_id, inode, type) \
	((type *)bpf_inode_map_lookup(map_id, inode_map_as_inode_(inode), sizeof(type)))

/**
 * inode_map_peek - look an inode up, for reading only
 * @map_id: id of the BPF map
 * @inode: as for inode_map_lookup()
 * @type: type of the value, or of the beginning of it
 *
 * Return: a pointer to the value that the program may read until it ends, or NULL.
 */
#define inode_map_peek(map_id, inode, type) \
	((const type *)bpf_inode_map_peek(map_id, inode_map_as_inode_(inode), sizeof(type)))

/**
 * inode_map_read - copy the value of an inode
 * @map_id: id of the BPF map
 * @inode: as for inode_map_lookup()
 * @dst: pointer to a variable of the value's type, or of the beginning of it; initialized, because
 *	the verifier does not know that it is only written to
 *
 * Return: 0, -ENOENT (not in the map), or another negative errno (could not tell).
 */
#define inode_map_read(map_id, inode, dst) \
	bpf_inode_map_read(map_id, inode_map_as_inode_(inode), dst, sizeof(*(dst)))

/**
 * inode_map_update - give an inode a value
 * @map_id: id of the BPF map
 * @inode: a struct inode * that the verifier trusts
 * @value: pointer to a variable of the value's type
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST, and INODE_MAP_WEAK if the entry shall not keep the
 *	inode in memory
 *
 * For sleepable programs.
 *
 * Return: 0 or a negative errno.
 */
#define inode_map_update(map_id, inode, value, flags) \
	bpf_inode_map_update(map_id, inode_map_as_inode_(inode), value, sizeof(*(value)), flags)

/**
 * inode_map_get - look an inode up, and give it a value if it has none
 * @map_id: id of the BPF map
 * @inode: a struct inode * that the verifier trusts
 * @init: pointer to a variable of the value's type: the value of a new entry
 * @flags: 0, or INODE_MAP_WEAK if a new entry shall not keep the inode in memory
 *
 * For sleepable programs; since version 2. Of programs that ask at the same time one makes the
 * entry, and all get the same value.
 *
 * Return: a pointer to the value as inode_map_lookup(), or NULL when it could not be made.
 */
#define inode_map_get(map_id, inode, init, flags)				\
	((typeof(init))bpf_inode_map_get((__u32)(map_id) | (__u64)(flags) << 32,	\
					 inode_map_as_inode_(inode), init, sizeof(*(init)), \
					 sizeof(*(init))))

/**
 * inode_map_request - have a worker give an inode a value, if it has none
 * @map_id: id of the BPF map
 * @inode: a struct inode * that the verifier trusts
 * @value: pointer to a variable of the value's type
 * @flags: 0, or INODE_MAP_WEAK if the entry shall not keep the inode in memory
 *
 * For programs that may not sleep; since version 2.
 *
 * Return: -EINPROGRESS (it will soon be in the map), -EEXIST (it is), or another negative errno.
 */
#define inode_map_request(map_id, inode, value, flags) \
	bpf_inode_map_request(map_id, inode_map_as_inode_(inode), value, sizeof(*(value)), flags)

/**
 * inode_map_replace - give an inode that is in the map another value
 * @map_id: id of the BPF map
 * @inode: as for inode_map_lookup()
 * @value: pointer to a variable of the value's type
 *
 * Return: 0, -ENOENT, -EBUSY, or another negative errno.
 */
#define inode_map_replace(map_id, inode, value) \
	bpf_inode_map_replace(map_id, inode_map_as_inode_(inode), value, sizeof(*(value)))

/**
 * inode_map_delete - take an inode out of a map
 * @map_id: id of the BPF map
 * @inode: as for inode_map_lookup()
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
#define inode_map_delete(map_id, inode) \
	bpf_inode_map_delete(map_id, inode_map_as_inode_(inode))

/**
 * inode_map_lookup_tree - look a file or its nearest ancestor in its filesystem up
 * @map_id: id of the BPF map
 * @dentry: a struct dentry *, any: the verifier does not look at it. What a stale one tells is not
 *	about a file any more: a sleepable program holds the dentry in some way (an open file does)
 *	or is between bpf_rcu_read_lock() and bpf_rcu_read_unlock()
 * @type: type of the value, or of the beginning of it
 *
 * Return: as inode_map_lookup(); NULL also when it could not be told.
 */
#define inode_map_lookup_tree(map_id, dentry, type) \
	((type *)bpf_inode_map_lookup_tree(map_id, inode_map_as_dentry_(dentry), sizeof(type)))

/**
 * inode_map_read_tree - copy the value of a file or its nearest ancestor in its filesystem
 * @map_id: id of the BPF map
 * @dentry: as for inode_map_lookup_tree()
 * @dst: as for inode_map_read()
 *
 * Return: the distance (0: the file's own value), -ENOENT (none is in the map), or another negative
 * errno (could not tell).
 */
#define inode_map_read_tree(map_id, dentry, dst) \
	bpf_inode_map_read_tree(map_id, inode_map_as_dentry_(dentry), dst, sizeof(*(dst)))

/**
 * inode_map_lookup_path - look a file or its nearest ancestor up, across mounts
 * @map_id: id of the BPF map
 * @path: a struct path * that the verifier trusts, such as &file->f_path of a trusted file
 * @type: type of the value, or of the beginning of it
 *
 * For sleepable programs.
 *
 * Return: as inode_map_lookup_tree().
 */
#define inode_map_lookup_path(map_id, path, type) \
	((type *)bpf_inode_map_lookup_path(map_id, inode_map_as_path_(path), sizeof(type)))

/**
 * inode_map_read_path - copy the value of a file or its nearest ancestor, across mounts
 * @map_id: id of the BPF map
 * @path: as for inode_map_lookup_path()
 * @dst: as for inode_map_read()
 *
 * For sleepable programs.
 *
 * Return: as inode_map_read_tree().
 */
#define inode_map_read_path(map_id, path, dst) \
	bpf_inode_map_read_path(map_id, inode_map_as_path_(path), dst, sizeof(*(dst)))

/**
 * inode_map_id - find an inode map by its name
 * @name: the name, a literal
 *
 * Return: its id, -ENOENT (no inode map has this name), -ENOTUNIQ (more than one has), or another
 * negative errno.
 */
#define inode_map_id(name)							\
	({									\
		static const char inode_map_name_[] = name;			\
										\
		bpf_inode_map_id(inode_map_name_);				\
	})

/**
 * inode_map_for_each - walk over the entries of a map
 * @it: a name for the walk, which it declares
 * @key: a variable of type struct inode_map_key *, which gets a key of each entry
 * @map_id: id of the BPF map; where there is none the loop has no pass
 *
 *	inode_map_for_each(it, key, map_id) {
 *		struct verdict *v = inode_map_value(it, struct verdict);
 *
 *		if (v)
 *			bpf_printk("inode %lu", key->ino);
 *	}
 *
 * Entries may come and go meanwhile, by the program's doing too. The verifier lets the key be read
 * field by field (or by bpf_probe_read_kernel()), not assigned as a whole.
 */
#define inode_map_for_each(it, key, map_id)					\
	for (struct bpf_iter_inode_map it					\
			__attribute__((cleanup(bpf_iter_inode_map_destroy))),	\
		/* A reference to a function that only a cleanup names. */	\
		*it##_begun_ __attribute__((unused)) =				\
			(bpf_iter_inode_map_new(&it, map_id),			\
			 (void)bpf_iter_inode_map_destroy,			\
			 (struct bpf_iter_inode_map *)0);			\
	     ((key) = bpf_iter_inode_map_next(&it));)

/**
 * inode_map_value - the value of the entry where a walk is
 * @it: the walk's name
 * @type: type of the value, or of the beginning of it
 *
 * Return: a pointer to the value that the entry had when the walk came to it, for use within the
 * loop. NULL is for the verifier and for maps that programs may not have both ways.
 */
#define inode_map_value(it, type) \
	((type *)bpf_iter_inode_map_value(&(it), sizeof(type)))

/**
 * inode_map_value_peek - the value of the entry where a walk is, for reading only
 * @it: the walk's name
 * @type: type of the value, or of the beginning of it
 *
 * Return: a pointer as inode_map_peek(), otherwise as inode_map_value().
 */
#define inode_map_value_peek(it, type) \
	((const type *)bpf_iter_inode_map_peek(&(it), sizeof(type)))

#endif /* _INODE_MAP_BPF_H */
