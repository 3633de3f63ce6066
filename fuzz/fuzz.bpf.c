// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer's BPF programs. Each does what the board says for its hook, with the arguments of the
 * hook or with bad pointers, and checks the values that it finds.
 *
 * The fuzzer chooses the functions of the fentry programs. These take the function's first or
 * second argument for an inode, whatever it is.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>
#include "board.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fuzz_board);
} board SEC(".maps");

/* Whether a fentry program takes the second argument of its function. */
const volatile bool second_argument[FUZZ_ENTRIES];

static __always_inline struct fuzz_board *get_board(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&board, &zero);
}

/* The barrier keeps the compiler from removing the mask, which the verifier needs. */
static __always_inline __u32 masked(__u32 number, __u32 limit)
{
	asm volatile("" : "+r"(number));
	return number & (limit - 1);
}

static __always_inline void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* Make a pointer a number to the verifier, for act(). */
static __always_inline __u64 number_of(const void *pointer)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* Get the identity of an inode; the address must be one. */
static __always_inline void identify(struct fuzz_value *id, __u64 address)
{
	struct inode *inode = (void *)address;

	id->ino = BPF_CORE_READ(inode, i_ino);
	id->gen = BPF_CORE_READ(inode, i_generation);
	id->dev = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* Check a value. @sure: the address is an inode's, and the inode stays until the program ends. */
static __always_inline void judge(struct fuzz_board *b, const struct fuzz_value *found, __u32 hook,
				  __u32 map, __u64 inode, bool sure)
{
	struct fuzz_value id = {}, value;
	__u32 wrong = NOTHING_WRONG;

	if (bpf_probe_read_kernel(&value, sizeof(value), found))
		return;
	count(&b->hits);
	if (sure)
		identify(&id, inode);
	if (value.sum != fuzz_sum(&value))
		wrong = WRONG_SUM;
	else if (value.map != map)
		wrong = WRONG_MAP;
	else if (sure && !value.any &&
		 (value.ino != id.ino || value.dev != id.dev || value.gen != id.gen))
		wrong = WRONG_FILE;
	if (!wrong || __sync_val_compare_and_swap(&b->wrong, 0ULL, (__u64)wrong))
		return;
	b->where = hook;
	b->ino = id.ino;
	b->dev = id.dev;
	b->gen = id.gen;
	b->value = value;
}

static __always_inline void fill(struct fuzz_value *value, __u32 map, __u64 inode, bool sure)
{
	*value = (struct fuzz_value) { .map = map, .any = !sure };
	if (sure)
		identify(value, inode);
	value->seq = bpf_ktime_get_ns();
	value->sum = fuzz_sum(value);
}

static long do_nothing(__u32 i, void *unused)
{
	return 0;
}

static __always_inline __u64 bad_number(__u32 which)
{
	switch (which & 7) {
	case 0:
		return 1;
	case 1:
		return -1UL;
	case 2:
		return -4095UL;
	case 3:
		return 0x8000000000000000UL;	/* not canonical */
	case 4:
		return 0xffffffffff600000UL;	/* vsyscall */
	case 5:
		return 0xffff888000000007UL;	/* the direct map, not aligned */
	case 6:
		return 0x7fffffffe000UL;	/* user space */
	default:
		return 0xffffffff81000000UL;	/* the kernel's text */
	}
}

static __always_inline void walk(struct fuzz_board *b, __u32 hook, __u32 map)
{
	const struct fuzz_value *value;
	struct inode_map_key *key;
	__u32 steps = 0;

	inode_map_for_each(it, key, map) {
		value = inode_map_value(it, struct fuzz_value);
		if (value)
			judge(b, value, hook, map, 0, false);
		value = inode_map_value_peek(it, struct fuzz_value);
		if (value)
			judge(b, value, hook, map, 0, false);
		if (++steps > 64)
			break;
	}
}

static __always_inline bool is_quiet(const struct fuzz_board *b, __u32 pid)
{
	for (int i = 0; i < FUZZ_QUIET; i++)
		if (*(volatile __u32 *)&b->quiet[i] == pid)
			return true;
	return false;
}

static __always_inline void delay(struct fuzz_board *b, __u32 argument)
{
	__u32 steps = argument == 0 ? 100 : argument == 1 ? 1000 : argument == 2 ? 10000 : 100000;

	if (__sync_fetch_and_add(&b->delayed, (__u64)steps) < FUZZ_DELAY_MAX)
		bpf_loop(steps, do_nothing, NULL, 0);
}

/*
 * Do what the board says for a hook. Unless @sure, @inode and @dentry can be any number. A global
 * function, so that the verifier checks it only once.
 */
__noinline int act(__u32 hook, __u64 inode, __u64 dentry, __u32 sure)
{
	struct fuzz_board *b = get_board();
	struct fuzz_value value = {}, *found;
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u32 function, argument, map;
	struct fuzz_act *todo;

	if (!b)
		return 0;
	hook = masked(hook, FUZZ_HOOKS);
	todo = &b->acts[hook];
	function = *(volatile __u32 *)&todo->function;
	if (!function)
		return 0;
	if (is_quiet(b, pid))
		return 0;
	argument = *(volatile __u32 *)&todo->argument;
	map = *(volatile __u32 *)&b->ids[masked(todo->map, FUZZ_MAPS)];
	count(&b->runs[hook]);
	count(&b->calls[masked(function, NR_FUNCTIONS)]);

	if (inode != 0)
		b->stale[masked(inode >> 8, FUZZ_STALE)] = inode;
	switch (argument / 16) {
	case GET_GOOD:
		break;
	case GET_STALE:
		inode = b->stale[masked(argument, FUZZ_STALE)];
		dentry = inode;
		sure = 0;
		break;
	case GET_NUMBER:
		inode = bad_number(argument);
		dentry = inode;
		sure = 0;
		break;
	case GET_TASK:
		inode = (__u64)bpf_get_current_task();
		dentry = inode;
		sure = 0;
		break;
	default:
		inode = 0;
		dentry = 0;
		sure = 0;
	}

	switch (function) {
	case DO_LOOKUP:
		found = (void *)bpf_inode_map_lookup(map, (struct inode *)inode, sizeof(*found));
		if (found)
			judge(b, found, hook, map, inode, sure);
		break;
	case DO_PEEK:
		found = (void *)bpf_inode_map_peek(map, (struct inode *)inode, sizeof(*found));
		if (found)
			judge(b, found, hook, map, inode, sure);
		break;
	case DO_READ:
		if (!bpf_inode_map_read(map, (struct inode *)inode, &value, sizeof(value)))
			judge(b, &value, hook, map, inode, sure);
		break;
	case DO_REPLACE:
		fill(&value, map, inode, sure);
		bpf_inode_map_replace(map, (struct inode *)inode, &value, sizeof(value));
		break;
	case DO_DELETE:
		count(&b->removing);
		bpf_inode_map_delete(map, (struct inode *)inode);
		count(&b->removed);
		break;
	case DO_DELETE_HANDLE:
		count(&b->removing);
		bpf_inode_map_delete_handle(map, argument);
		count(&b->removed);
		break;
	case DO_LOOKUP_TREE:
		found = (void *)bpf_inode_map_lookup_tree(map, (struct dentry *)dentry,
							  sizeof(*found));
		if (found)
			judge(b, found, hook, map, 0, false);
		break;
	case DO_READ_TREE:
		if (bpf_inode_map_read_tree(map, (struct dentry *)dentry, &value,
					    sizeof(value)) >= 0)
			judge(b, &value, hook, map, 0, false);
		break;
	case DO_ID:
		inode_map_id("fuzz0");
		break;
	case DO_WALK:
		walk(b, hook, map);
		break;
	case DO_DELAY:
		delay(b, argument & 3);
		break;
	}
	return 0;
}

/* For functions that demand trusted pointers: the map to use, or 0 for none. */
static __always_inline __u32 map_for(struct fuzz_board *b, __u32 hook, __u32 function)
{
	const struct fuzz_act *todo = &b->acts[hook];
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (*(volatile __u32 *)&todo->function != function || is_quiet(b, pid))
		return 0;
	count(&b->calls[function]);
	return *(volatile __u32 *)&b->ids[masked(todo->map, FUZZ_MAPS)];
}

/* Make a value for the hook's inode. Returns the map's id, or 0 if the board wants no @function. */
static __always_inline __u32 value_for(__u32 hook, __u32 function, const struct inode *inode,
				       struct fuzz_value *value, __u64 *lifetime)
{
	struct fuzz_board *b = get_board();
	__u32 map = b ? map_for(b, hook, function) : 0;

	if (!map)
		return 0;
	fill(value, map, number_of(inode), true);
	*lifetime = b->acts[hook].argument & 1 ? INODE_MAP_WEAK : 0;
	return map;
}

static __always_inline void update(__u32 hook, struct inode *inode)
{
	struct fuzz_value value;
	__u64 lifetime;
	__u32 map = value_for(hook, DO_UPDATE, inode, &value, &lifetime);

	if (map)
		inode_map_update(map, inode, &value, lifetime);
}

static __always_inline void get(__u32 hook, struct inode *inode)
{
	const struct fuzz_value *found;
	struct fuzz_value value;
	struct fuzz_board *b;
	__u64 lifetime;
	__u32 map = value_for(hook, DO_GET, inode, &value, &lifetime);

	if (!map)
		return;
	found = inode_map_get(map, inode, &value, lifetime);
	b = get_board();
	if (b && found)
		judge(b, found, hook, map, number_of(inode), true);
}

static __always_inline void request(__u32 hook, struct inode *inode)
{
	struct fuzz_value value;
	__u64 lifetime;
	__u32 map = value_for(hook, DO_REQUEST, inode, &value, &lifetime);

	if (map)
		inode_map_request(map, inode, &value, lifetime);
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file)
{
	act(HOOK_OPEN, number_of(file->f_inode), number_of(file->f_path.dentry), true);
	request(HOOK_OPEN, file->f_inode);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(file_open_sleepable, struct file *file)
{
	struct fuzz_board *b = get_board();
	struct fuzz_value value = {};
	const struct fuzz_value *found;
	__u32 map;

	act(HOOK_OPEN_SLEEPABLE, number_of(file->f_inode), number_of(file->f_path.dentry), true);
	update(HOOK_OPEN_SLEEPABLE, file->f_inode);
	get(HOOK_OPEN_SLEEPABLE, file->f_inode);
	if (!b)
		return 0;
	map = map_for(b, HOOK_OPEN_SLEEPABLE, DO_PATH);
	if (!map)
		return 0;
	found = inode_map_lookup_path(map, &file->f_path, struct fuzz_value);
	if (found)
		judge(b, found, HOOK_OPEN_SLEEPABLE, map, 0, false);
	if (inode_map_read_path(map, &file->f_path, &value) >= 0)
		judge(b, &value, HOOK_OPEN_SLEEPABLE, map, 0, false);
	return 0;
}

SEC("lsm.s/inode_unlink")
int BPF_PROG(inode_unlink, struct inode *dir, struct dentry *dentry)
{
	act(HOOK_UNLINK, number_of(dentry->d_inode), number_of(dentry), true);
	update(HOOK_UNLINK, dir);
	get(HOOK_UNLINK, dir);
	request(HOOK_UNLINK, dir);
	return 0;
}

SEC("lsm/inode_rename")
int BPF_PROG(inode_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	act(HOOK_RENAME, number_of(old_dentry->d_inode), number_of(new_dentry), true);
	request(HOOK_RENAME, old_dir);
	return 0;
}

/* The inode is being freed. */
SEC("lsm/inode_free_security")
int BPF_PROG(inode_free, struct inode *inode)
{
	act(HOOK_FREE, number_of(inode), number_of(inode), false);
	request(HOOK_FREE, inode);
	return 0;
}

/* The fields of the module's structures that programs read. */
struct inode_map;

struct inode_map_addon {
	struct inode *inode;
} __attribute__((preserve_access_index));

struct inode_map_entry {
	struct inode_map_addon *addon;
} __attribute__((preserve_access_index));

SEC("tp_btf/inode_map_insert")
int BPF_PROG(inserted, const struct inode_map *map, const struct inode_map_entry *entry)
{
	if (entry)
		act(HOOK_INSERT, (__u64)BPF_CORE_READ(entry, addon, inode), 0, true);
	return 0;
}

SEC("tp_btf/inode_map_remove")
int BPF_PROG(removed, const struct inode_map *map, const struct inode_map_entry *entry,
	     __u32 reason)
{
	if (entry)
		act(HOOK_REMOVE, (__u64)BPF_CORE_READ(entry, addon, inode), 0, false);
	return 0;
}

SEC("syscall")
int run(__u64 *ctx)
{
	act(HOOK_SYSCALL, ctx[0], ctx[0], false);
	return 0;
}

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	act(HOOK_PERF, 0, 0, false);
	return 0;
}

/* The verifier wants a constant offset in the load; from C, the compiler would merge the loads. */
static __always_inline void *argument_of(__u64 *ctx, bool second)
{
	void *argument;

	if (second)
		asm volatile("%[to] = *(u64 *)(%[ctx] + 8)" : [to] "=r"(argument) : [ctx] "r"(ctx));
	else
		asm volatile("%[to] = *(u64 *)(%[ctx] + 0)" : [to] "=r"(argument) : [ctx] "r"(ctx));
	return argument;
}

/* Take the function's first argument or the second. */
#define ENTRY(number)								\
SEC("fentry")									\
int entry##number(__u64 *ctx)							\
{										\
	__u64 argument = number_of(argument_of(ctx, second_argument[number]));	\
										\
	act(HOOK_ENTRY + number, argument, argument, false);			\
	return 0;								\
}

ENTRY(0)
ENTRY(1)
ENTRY(2)
ENTRY(3)
ENTRY(4)
ENTRY(5)
ENTRY(6)

/* For kprobes, which can be at any instruction: delay, whatever function the board wants. */
static __always_inline int hold_up(__u32 hook)
{
	struct fuzz_board *b = get_board();
	const struct fuzz_act *todo;

	if (!b)
		return 0;
	todo = &b->acts[hook];
	if (!*(volatile __u32 *)&todo->function || is_quiet(b, bpf_get_current_pid_tgid() >> 32))
		return 0;
	count(&b->runs[hook]);
	delay(b, *(volatile __u32 *)&todo->argument & 3);
	return 0;
}

#define PROBE(number)								\
SEC("kprobe")									\
int probe##number(void *ctx)							\
{										\
	return hold_up(HOOK_PROBE + number);					\
}

PROBE(0)
PROBE(1)
PROBE(2)
PROBE(3)

SEC("lsm/file_fcntl")
int BPF_PROG(file_fcntl, struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fuzz_board *b = get_board();
	struct fuzz_value value = {};
	__u32 task = masked(arg >> 32, FUZZ_TASKS);
	struct fuzz_probe *probe;

	if (!b || arg >> 48 != FUZZ_MAGIC)
		return 0;
	probe = &b->probes[task];
	probe->err = bpf_inode_map_read((__u32)arg, file->f_inode, &value, sizeof(value));
	probe->value = value;
	identify(&value, number_of(file->f_inode));
	probe->ino = value.ino;
	probe->dev = value.dev;
	probe->gen = value.gen;
	probe->done = 1;
	return 0;
}
