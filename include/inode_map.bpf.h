/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inode maps for BPF programs. Include it after vmlinux.h.
 *
 * A program names a map by its id. It finds the id by the map's name:
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
 * or the loader makes the map first and writes the id to a constant before it loads the program:
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
 * In both cases the loader binds the map to the program, so that the map lives as long as the
 * program (inode_map.h). vmlinux.h does not have the kernel's macros: EPERM is 1.
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
	/* The kernel would truncate longer names, and inode_map_id() would not find them. */	\
	_Static_assert(sizeof(#map) <= 16, "the map's name has more than 15 characters"); \
	struct {								\
		__uint(type, BPF_MAP_TYPE_HASH);				\
		__uint(key_size, sizeof(struct inode_map_key));			\
		__uint(value_size, sizeof(value));				\
		__uint(max_entries, entries);					\
		__VA_ARGS__							\
	} map SEC(".maps")

/**
 * INODE_MAP - declare an inode map; libbpf makes it when it loads the object
 * @map: its name, up to 15 characters: see inode_map_id()
 * @value: type of its values
 * @entries: limit on the number of entries
 *
 * The loader calls inode_map_prepare() before it loads the object, and inode_map_bind_object()
 * after.
 */
#define INODE_MAP(map, value, entries) inode_map_declare_(map, value, entries)

/**
 * INODE_MAP_PINNED - declare an inode map with LIBBPF_PIN_BY_NAME
 * @map: its name, which is also the name of its pin in /sys/fs/bpf
 * @value: type of its values
 * @entries: limit on the number of entries
 *
 * If a map with the same sizes is pinned there already, the object uses it, with its entries.
 */
#define INODE_MAP_PINNED(map, value, entries) \
	inode_map_declare_(map, value, entries, __uint(pinning, LIBBPF_PIN_BY_NAME);)

/**
 * inode_map_is_null - check whether a kernel pointer is NULL
 * @ptr: any pointer
 *
 * For pointers that the verifier trusts although they may be NULL: the d_inode of a dentry in a
 * hook that makes a name (create, mkdir, mknod, symlink, link, the target of a rename), the f_inode
 * of a file that is being made (file_alloc_security), the file of mmap_file. Linux 6.12 takes a
 * comparison of these with NULL for always false and removes it, and the branch too if no other
 * code jumps there, which depends on the compiler. The code that is left loads from address 0,
 * without the fault handling that loads by untrusted pointers get, and the kernel panics.
 *
 * The verifier cannot predict the comparison with another number, and the compiler cannot predict
 * one in assembly. The comparison with 0 is for verifiers that know that the pointer may be NULL
 * and insist on it. (Compare a pointer that a function returned with a reference by a plain test:
 * no verifier trusts it before.)
 *
 * Return: whether @ptr points into the first page, as NULL does.
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

/* The module has this enum since version 2. */
enum inode_map_version___bpf {
	INODE_MAP_VERSION___bpf
};

/**
 * inode_map_version - get the version of the functions that the module has
 *
 * libbpf writes the number into the program when it loads it, and the verifier drops the branch
 * that is not taken. So a program that tests for a function's version before each call of it loads
 * with any module:
 *
 *	if (inode_map_version() >= 2)
 *		v = inode_map_get(map_id, inode, &init, 0);
 *
 * Later versions have every function of earlier ones, with the same arguments and behaviour.
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
 * These uses make the compiler describe the types in full. Old compilers (clang 14) otherwise emit
 * forward declarations for the prototypes below, and libbpf finds those incompatible with the
 * kernel's.
 */
static const struct inode *const inode_map_wants_struct_inode __attribute__((used));
static const struct dentry *const inode_map_wants_struct_dentry __attribute__((used));
static const struct path *const inode_map_wants_struct_path __attribute__((used));

/*
 * Functions that may be given a stale inode or dentry accept any register: to the verifier, a
 * pointer to another type or a number is not an error, and to the module it is a file in no map. So
 * the compiler has to check the type. The wrappers below take a pointer to the type; anything else
 * is an error whatever the warning options, a void * and a plain NULL included. Use a cast if you
 * know better.
 */
#define inode_map_as_inode_(ptr) \
	_Generic((ptr), struct inode *: (ptr), const struct inode *: (struct inode *)(ptr))
#define inode_map_as_dentry_(ptr) \
	_Generic((ptr), struct dentry *: (ptr), const struct dentry *: (struct dentry *)(ptr))
#define inode_map_as_path_(ptr) \
	_Generic((ptr), struct path *: (ptr), const struct path *: (ptr))

/*
 * The functions of the module: src/kfunc*.c describe each, and src/README.md has a table of which
 * programs may call which. Call those that have a wrapper below by the wrapper. The weak ones were
 * added later: test inode_map_version() first, because the verifier refuses a program that reaches
 * a call of a function which the module lacks.
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
 * @inode: any struct inode *: the verifier does not check it, and NULL, error pointers and stale
 *	pointers are in no map
 * @type: type of the value, or of the beginning of it
 *
 * For LSM, fentry, fexit, fmod_ret, tracepoint, perf event and syscall programs, sleepable or not.
 *
 * Return: a pointer to the value, which the program may read and write until it ends, or NULL when
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
 * Return: a pointer to the value, which the program may read until it ends, or NULL.
 */
#define inode_map_peek(map_id, inode, type) \
	((const type *)bpf_inode_map_peek(map_id, inode_map_as_inode_(inode), sizeof(type)))

/**
 * inode_map_read - copy the value of an inode
 * @map_id: id of the BPF map
 * @inode: as for inode_map_lookup()
 * @dst: pointer to a variable of the value's type, or of the beginning of it. Initialize it: the
 *	verifier does not know that the function only writes to it
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
 * @flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST, and INODE_MAP_WEAK for an entry that does not keep
 *	the inode in memory
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
 * @flags: 0, or INODE_MAP_WEAK for a new entry that does not keep the inode in memory
 *
 * For sleepable programs; since version 2. If several programs call this at the same time, one of
 * them makes the entry, and all get the same value.
 *
 * Return: a pointer to the value as inode_map_lookup(), or NULL when the entry could not be made.
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
 * @flags: 0, or INODE_MAP_WEAK for an entry that does not keep the inode in memory
 *
 * For programs that may not sleep; since version 2.
 *
 * Return: -EINPROGRESS (the worker has been asked), -EEXIST (the inode is in the map), or another
 * negative errno.
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
 * inode_map_delete - remove an inode from a map
 * @map_id: id of the BPF map
 * @inode: as for inode_map_lookup()
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
#define inode_map_delete(map_id, inode) \
	bpf_inode_map_delete(map_id, inode_map_as_inode_(inode))

/**
 * inode_map_lookup_tree - look up a file or its nearest ancestor in its filesystem
 * @map_id: id of the BPF map
 * @dentry: any struct dentry *: the verifier does not check it. The answer for a stale one is not
 *	about a file any more, so a sleepable program must hold the dentry in some way (an open file
 *	does), or call this between bpf_rcu_read_lock() and bpf_rcu_read_unlock()
 * @type: type of the value, or of the beginning of it
 *
 * Return: as inode_map_lookup(); NULL also when the function could not tell.
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
 * inode_map_lookup_path - look up a file or its nearest ancestor, across mounts
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
 * @it: a name for the walk; the macro declares it
 * @key: a variable of type struct inode_map_key *, which gets a key of each entry
 * @map_id: id of the BPF map; if there is no such map the loop body does not run
 *
 *	inode_map_for_each(it, key, map_id) {
 *		struct verdict *v = inode_map_value(it, struct verdict);
 *
 *		if (v)
 *			bpf_printk("inode %lu", key->ino);
 *	}
 *
 * Entries may come and go meanwhile; the program itself may add and delete them. The verifier lets
 * a program read the key's fields (or use bpf_probe_read_kernel()), not assign the whole struct.
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
 * inode_map_value - get the value of the entry that a walk is at
 * @it: the walk's name
 * @type: type of the value, or of the beginning of it
 *
 * Return: a pointer to the value that the entry had when the walk came to it, for use within the
 * loop. NULL if programs may not both read and write the map; the verifier wants a test for it.
 */
#define inode_map_value(it, type) \
	((type *)bpf_iter_inode_map_value(&(it), sizeof(type)))

/**
 * inode_map_value_peek - get the value of the entry that a walk is at, for reading only
 * @it: the walk's name
 * @type: type of the value, or of the beginning of it
 *
 * Return: a pointer as inode_map_peek(), otherwise as inode_map_value().
 */
#define inode_map_value_peek(it, type) \
	((const type *)bpf_iter_inode_map_peek(&(it), sizeof(type)))

#endif /* _INODE_MAP_BPF_H */
