// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs that the bench measures: one for each operation on each kind of map. programs.c,
 * smp.c and profile.c attach them. They are LSM programs that don't sleep, and run when the bench
 * opens a file, whose inode they look up.
 *
 * A program reads the clock, repeats the operation, and reads the clock again. The repetitions are
 * unrolled, so that there is no loop to subtract. The program "nothing" measures what the clock
 * itself costs.
 *
 * When the program first reads the clock, it has the inode and the map's id in registers. All else
 * that the operation needs to make its key is part of its cost. So the program makes the key anew
 * each time, as one would that makes a single lookup.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>
#include "bench.h"

char _license[] SEC("license") = "GPL";

extern __u64 bpf_bench_clock(void) __ksym;
extern __u8 *bpf_bench_nothing(__u32 map_id, struct inode *inode, const int rdwr_buf_size) __ksym;

/*
 * The maps that the inode map is compared with. The bench sets their sizes. They hash without a
 * random seed, with which other keys would collide in each run.
 */

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__type(key, struct bench_number);
	__type(value, __u64);
} by_number SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__type(key, __u64);
	__type(value, __u64);
} by_pointer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__type(key, struct bench_number);
	__type(value, __u64);
} lru SEC(".maps");

/* Set by the bench: its process, and the inode map that programs look into. */
__u32 pid;
__u32 map_id;

/* The outcome: instructions, and the last result, which is a pointer to a value or an error. */
__u64 elapsed;
long result;

/* The key of the entry that by_pointer_insert made last. */
__u64 pointer;

#define EIGHT(what)	what what what what what what what what

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == pid;
}

/* Have the compiler forget what it knows about an inode, so that it makes the next key anew. */
#define forget(inode)	asm volatile("" : "+r"(inode) : : "memory")

/*
 * A program that measures @what, which @times, a macro, repeats. It is at an LSM hook with one
 * @argument, from which it has a pointer in the variable @with, and it sets "last".
 */
#define MEASURE_AT(hook, argument, name, with, from, times, what)		\
SEC("?lsm/" hook)								\
int BPF_PROG(name, argument)							\
{										\
	__auto_type with = from;						\
	__u32 id = map_id;							\
	__u64 begin;								\
	long last = 0;								\
										\
	if (!ours())								\
		return 0;							\
	begin = bpf_bench_clock();						\
	times(what)								\
	elapsed = bpf_bench_clock() - begin;					\
	result = last;								\
	/* Some programs use neither. */					\
	forget(with);								\
	forget(id);								\
	return 0;								\
}

#define MEASURE(name, times, what) \
	MEASURE_AT("file_open", struct file *file, name, inode, file->f_inode, times, what)

#define SIXTY_FOUR(what)	EIGHT(EIGHT(what))

#define ONCE(what)		what

MEASURE(nothing, ONCE, {
	asm volatile("%0 = 0" : "=r"(last));
})

MEASURE(floor_lookup, SIXTY_FOUR, {
	last = (long)bpf_bench_nothing(id, inode, sizeof(__u64));
})

/* Lookups: whether one is a hit or a miss depends on the file that is opened. */

MEASURE(by_inode_get, SIXTY_FOUR, {
	last = (long)bpf_inode_map_lookup(id, inode, sizeof(__u64));
})

MEASURE(storage_get, SIXTY_FOUR, {
	last = (long)bpf_inode_storage_get(&storage, inode, NULL, 0);
})

static __always_inline void make_number(struct bench_number *number, struct inode *inode)
{
	number->dev = inode->i_sb->s_dev;
	number->ino = inode->i_ino;
}

MEASURE(by_number_get, SIXTY_FOUR, {
	struct bench_number number;

	forget(inode);
	make_number(&number, inode);
	last = (long)bpf_map_lookup_elem(&by_number, &number);
})

MEASURE(by_pointer_get, SIXTY_FOUR, {
	__u64 key = (__u64)inode;

	forget(inode);
	last = (long)bpf_map_lookup_elem(&by_pointer, &key);
})

MEASURE(lru_get, SIXTY_FOUR, {
	struct bench_number number;

	forget(inode);
	make_number(&number, inode);
	last = (long)bpf_map_lookup_elem(&lru, &number);
})

/* Replace the value of an inode that has one. */

MEASURE(by_inode_set, SIXTY_FOUR, {
	__u64 value = 1;

	last = bpf_inode_map_replace(id, inode, &value, sizeof(value));
})

/* There is no operation that replaces a value: the program has to delete it first. */
MEASURE(storage_set, SIXTY_FOUR, {
	__u64 value = 1;

	bpf_inode_storage_delete(&storage, inode);
	last = !bpf_inode_storage_get(&storage, inode, &value, BPF_LOCAL_STORAGE_GET_F_CREATE);
})

MEASURE(by_number_set, SIXTY_FOUR, {
	struct bench_number number;
	__u64 value = 1;

	forget(inode);
	make_number(&number, inode);
	last = bpf_map_update_elem(&by_number, &number, &value, BPF_EXIST);
})

MEASURE(by_pointer_set, SIXTY_FOUR, {
	__u64 key = (__u64)inode;
	__u64 value = 1;

	forget(inode);
	last = bpf_map_update_elem(&by_pointer, &key, &value, BPF_EXIST);
})

MEASURE(lru_set, SIXTY_FOUR, {
	struct bench_number number;
	__u64 value = 1;

	forget(inode);
	make_number(&number, inode);
	last = bpf_map_update_elem(&lru, &number, &value, BPF_EXIST);
})

/*
 * Trees: look up the value of the file, or of its nearest ancestor that has one. In maps other than
 * the inode map, the program has to walk. Unlike bpf_inode_map_lookup_tree(), this walk does not
 * notice concurrent renames. These programs are not at file_open: in Linux 7.2 the path of a file
 * is in a union, whose pointers no map takes.
 */

#define MEASURE_TREE(name, what)						\
	MEASURE_AT("inode_getattr", const struct path *path, name,		\
		   dentry, path->dentry, EIGHT, what)

#define WALK(what)								\
	{									\
		struct dentry *at = dentry;					\
										\
		last = 0;							\
		for (int i = 0; i <= BENCH_DEPTH && !last; i++) {		\
			struct inode *inode = at->d_inode;			\
										\
			what							\
			at = at->d_parent;					\
		}								\
	}

MEASURE_TREE(by_inode_tree, {
	last = (long)bpf_inode_map_lookup_tree(id, dentry, sizeof(__u64));
})

MEASURE_TREE(storage_tree, WALK({
	last = (long)bpf_inode_storage_get(&storage, inode, NULL, 0);
}))

MEASURE_TREE(by_number_tree, WALK({
	struct bench_number number;

	make_number(&number, inode);
	last = (long)bpf_map_lookup_elem(&by_number, &number);
}))

MEASURE_TREE(by_pointer_tree, WALK({
	__u64 key = (__u64)inode;

	last = (long)bpf_map_lookup_elem(&by_pointer, &key);
}))

MEASURE_TREE(lru_tree, WALK({
	struct bench_number number;

	make_number(&number, inode);
	last = (long)bpf_map_lookup_elem(&lru, &number);
}))

/*
 * Lookups per second: many more lookups, timed in nanoseconds. The time includes the loop, which is
 * the same for all maps.
 */

/* The time on each processor. The bench opens files on these processors only. */
__u64 spent[BENCH_CPUS];

#define MEASURE_RATE(name, what)						\
SEC("?lsm/file_open")								\
int BPF_PROG(name, struct file *file)						\
{										\
	__u32 cpu = bpf_get_smp_processor_id();					\
	struct inode *inode = file->f_inode;					\
	__u32 id = map_id;							\
	__u64 begin;								\
	long last = 0;								\
										\
	if (!ours())								\
		return 0;							\
	begin = bpf_ktime_get_ns();						\
	_Pragma("clang loop unroll(disable)")					\
	for (int i = 0; i < BENCH_RATE_TIMES / 8; i++) {			\
		EIGHT(what)							\
	}									\
	spent[cpu % BENCH_CPUS] = last ? bpf_ktime_get_ns() - begin : 0;			\
	forget(inode);								\
	forget(id);								\
	return 0;								\
}

MEASURE_RATE(by_inode_rate, {
	last = (long)bpf_inode_map_lookup(id, inode, sizeof(__u64));
})

MEASURE_RATE(storage_rate, {
	last = (long)bpf_inode_storage_get(&storage, inode, NULL, 0);
})

MEASURE_RATE(by_number_rate, {
	struct bench_number number;

	forget(inode);
	make_number(&number, inode);
	last = (long)bpf_map_lookup_elem(&by_number, &number);
})

MEASURE_RATE(by_pointer_rate, {
	__u64 key = (__u64)inode;

	forget(inode);
	last = (long)bpf_map_lookup_elem(&by_pointer, &key);
})

MEASURE_RATE(lru_rate, {
	struct bench_number number;

	forget(inode);
	make_number(&number, inode);
	last = (long)bpf_map_lookup_elem(&lru, &number);
})

/* Not measured: gives an inode an entry in by_pointer, for which user space has no key. */
SEC("?lsm/file_open")
int BPF_PROG(by_pointer_insert, struct file *file)
{
	__u64 key = (__u64)file->f_inode;
	__u64 value = 1;

	if (!ours())
		return 0;
	pointer = key;
	result = bpf_map_update_elem(&by_pointer, &key, &value, BPF_ANY);
	return 0;
}
