// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that call every function of the module for inodes of the test, beside the tasks that do
 * the same by system calls. They change entries of the free maps only, and give an inode an entry
 * only after they have found one of it there: so no inode of another process gets into a map.
 *
 * A function may return what it says it returns, and no other error; and each value that comes back
 * is whole, of the right map and, where that is known, of the right file.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>
#include "board.bpf.h"

char _license[] SEC("license") = "GPL";

/* vmlinux.h has no macros. */
#define ENOENT		2
#define EAGAIN		11
#define ENOMEM		12
#define EBUSY		16
#define EEXIST		17
#define ENODEV		19
#define E2BIG		7
#define ENOTUNIQ	76
#define EINPROGRESS	115

/* One in this many runs of a program calls something. */
#define CALL_EVERY	4
/* At fentry to iput(), which runs all the time. */
#define CALL_EVERY_IPUT	32

/* How far a walk goes. */
#define WALK_STEPS	16

/* Which task wrote a value: none. */
#define BY_PROGRAM	1000

/* Values are too large for a program's stack. A sleepable program keeps one while others run. */
#define NR_SPARES	64

struct spare {
	__u64 busy;
	struct stress_value value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_SPARES);
	__type(key, __u32);
	__type(value, struct spare);
} spares SEC(".maps");

static __always_inline struct spare *take_spare(void)
{
	__u32 index = bpf_get_prandom_u32() % NR_SPARES;
	struct spare *spare = bpf_map_lookup_elem(&spares, &index);

	if (!spare || __sync_val_compare_and_swap(&spare->busy, 0ULL, 1ULL))
		return NULL;
	return spare;
}

static __always_inline void give_back(struct spare *spare)
{
	__atomic_exchange_n(&spare->busy, 0ULL, __ATOMIC_SEQ_CST);
}

/* A new value, for a file in a map. */
__noinline int fill(struct stress_value *value, const struct identity *id, __u32 map, __u64 seq)
{
	if (!value || !id)
		return 0;
	value->hits = 0;
	value->ino = id->ino;
	value->dev = id->dev;
	value->gen = id->gen;
	value->map = map;
	value->writer = BY_PROGRAM;
	value->seq = seq;
	for (int i = 0; i < STRESS_WORDS; i++) {
		seq = seq * 0x9e3779b97f4a7c15ULL + i;
		value->words[i] = seq;
	}
	value->sum = stress_sum(value);
	return 0;
}

/* Those of programs have the upper bit, those of tasks don't. */
static __always_inline void make_value(struct stress_board *b, struct spare *spare,
				       const struct identity *id, __u32 map)
{
	fill(&spare->value, id, map, __sync_fetch_and_add(&b->seq, 1) | 1ULL << 63);
}

/* Errors that a function may return here. The map may have gone, and memory may be short. */
static __always_inline bool may_return(enum stress_call call, int err)
{
	if (err == -ENODEV)
		return true;
	switch (call) {
	case CALL_READ:
	case CALL_DELETE:
	case CALL_DELETE_HANDLE:
		return err == -ENOENT;
	case CALL_READ_TREE:
	case CALL_READ_PATH:
		return err == -ENOENT || err == -EAGAIN;
	case CALL_REPLACE:
		return err == -ENOENT || err == -EBUSY || err == -ENOMEM;
	case CALL_UPDATE:
		return err == -ENOENT || err == -EEXIST || err == -E2BIG || err == -ENOMEM;
	case CALL_REQUEST:
		return err == -EEXIST || err == -EAGAIN || err == -EBUSY || err == -E2BIG ||
		       err == -ENOMEM;
	case CALL_ID:
		return err == -ENOENT || err == -ENOTUNIQ || err == -EBUSY;
	default:
		return false;
	}
}

struct call {
	struct stress_board *board;
	struct spare *spare;
	struct identity id;
	__u32 where;
	__u32 map;
};

static __always_inline void returned(struct call *c, enum stress_call call, int err)
{
	struct stress_board *b = c->board;

	if (err >= 0 || (call == CALL_REQUEST && err == -EINPROGRESS) ||
	    (call == CALL_ID && err == -ENOTUNIQ)) {
		count(&b->called[call]);
		return;
	}
	count(&b->refused[call]);
	if (may_return(call, err))
		return;
	if (!violation_begin(b, c->where, WRONG_ERROR, c->map, &c->id, &c->spare->value))
		return;
	b->call = call;
	b->error = err;
	b->first = 2;
}

/* @exact: the value is the file's own, not that of a directory above it. */
static __always_inline void judged(struct call *c, const struct stress_value *value, bool exact)
{
	struct identity id = c->id;
	__u32 what;

	if (!exact) {
		id.ino = value->ino;
		id.dev = value->dev;
		id.gen = value->gen;
	}
	what = judge(value, c->map, &id);
	if (what)
		violation(c->board, c->where, what, c->map, &id, value);
}

/* A function that returns a value or NULL. */
static __always_inline void found(struct call *c, enum stress_call call,
				  const struct stress_value *value, bool exact)
{
	if (!value) {
		count(&c->board->refused[call]);
		return;
	}
	count(&c->board->called[call]);
	/* The verifier does not know it any more. */
	if (c->where < NR_WHERE)
		count(&c->board->hits[c->where]);
	judged(c, value, exact);
}

/* The verifier gives no memory that is only for reading to a global function. */
static __always_inline void found_to_read(struct call *c, enum stress_call call,
					  const struct stress_value *value, bool exact)
{
	if (!value || bpf_probe_read_kernel(&c->spare->value, sizeof(*value), value)) {
		count(&c->board->refused[call]);
		return;
	}
	found(c, call, &c->spare->value, exact);
}

/* For programs of all kinds. */

static __always_inline void read_value(struct call *c, struct inode *inode)
{
	int err = inode_map_read(c->map, inode, &c->spare->value);

	returned(c, CALL_READ, err);
	if (!err)
		judged(c, &c->spare->value, true);
}

static __always_inline void read_tree(struct call *c, struct dentry *dentry)
{
	int distance = inode_map_read_tree(c->map, dentry, &c->spare->value);

	returned(c, CALL_READ_TREE, distance);
	if (distance >= 0)
		judged(c, &c->spare->value, false);
}

static __always_inline void replace(struct call *c, struct inode *inode)
{
	make_value(c->board, c->spare, &c->id, c->map);
	returned(c, CALL_REPLACE, inode_map_replace(c->map, inode, &c->spare->value));
}

static __always_inline void remove(struct call *c, struct inode *inode)
{
	returned(c, CALL_DELETE, inode_map_delete(c->map, inode));
}

/* Check the values of some entries, and remove one of them. */
static __always_inline void walk(struct call *c)
{
	const struct stress_value *value;
	struct inode_map_key *key;
	__u32 handle = 0;
	int steps = 0;

	inode_map_for_each(it, key, c->map) {
		handle = key->handle;
		value = inode_map_value_peek(it, struct stress_value);
		found_to_read(c, CALL_WALK, value, false);
		if (++steps >= WALK_STEPS)
			break;
	}
	if (handle)
		returned(c, CALL_DELETE_HANDLE, bpf_inode_map_delete_handle(c->map, handle));
}

/* For those that may not sleep. The entry goes first: a request is for inodes without one. */
static __always_inline void request(struct call *c, struct inode *inode)
{
	remove(c, inode);
	make_value(c->board, c->spare, &c->id, c->map);
	returned(c, CALL_REQUEST,
		 inode_map_request(c->map, inode, &c->spare->value,
				   bpf_get_prandom_u32() & 1 ? INODE_MAP_WEAK : 0));
}

/* For those that may. */

static __always_inline void read_path(struct call *c, struct file *file)
{
	int distance = inode_map_read_path(c->map, &file->f_path, &c->spare->value);

	returned(c, CALL_READ_PATH, distance);
	if (distance >= 0)
		judged(c, &c->spare->value, false);
}

static __always_inline void update(struct call *c, struct inode *inode)
{
	__u32 random = bpf_get_prandom_u32();
	__u64 flags = random & 1 ? INODE_MAP_WEAK : 0;

	if (random & 2)
		remove(c, inode);
	/* BPF_ANY, BPF_NOEXIST, BPF_EXIST */
	flags |= (random >> 2) % 3;
	make_value(c->board, c->spare, &c->id, c->map);
	returned(c, CALL_UPDATE, inode_map_update(c->map, inode, &c->spare->value, flags));
}

static __always_inline void get(struct call *c, struct inode *inode)
{
	__u32 random = bpf_get_prandom_u32();

	if (random & 2)
		remove(c, inode);
	make_value(c->board, c->spare, &c->id, c->map);
	found(c, CALL_GET,
	      inode_map_get(c->map, inode, &c->spare->value, random & 1 ? INODE_MAP_WEAK : 0),
	      true);
}

/*
 * Choose a free map in which the inode is, and fill in @c. A program of each kind begins so, and
 * ends with give_back() if this returns true.
 */
static __always_inline bool begin(struct call *c, struct inode *inode, __u32 where, __u32 every)
{
	struct stress_board *b = get_board();
	const struct stress_value *value;

	if (!b || bpf_get_prandom_u32() % every || inode_map_is_null(inode))
		return false;
	c->board = b;
	c->where = where;
	c->map = *(volatile __u32 *)&b->maps[bpf_get_prandom_u32() & (STRESS_FREE - 1)];
	count(&b->runs[where]);
	c->id.ino = inode->i_ino;
	c->id.dev = inode->i_sb->s_dev;
	c->id.gen = inode->i_generation;
	value = inode_map_peek(c->map, inode, struct stress_value);
	if (!value)
		return false;
	c->spare = take_spare();
	if (!c->spare)
		return false;
	found_to_read(c, CALL_PEEK, value, true);
	return true;
}

SEC("lsm/file_open")
int BPF_PROG(change, struct file *file)
{
	struct inode *inode = file->f_inode;
	struct call c = {};

	if (!begin(&c, inode, IN_CHANGE, CALL_EVERY))
		return 0;
	switch (bpf_get_prandom_u32() % 8) {
	case 0:
		read_value(&c, inode);
		break;
	case 1:
		read_tree(&c, file->f_path.dentry);
		break;
	case 2:
		found(&c, CALL_LOOKUP_TREE,
		      inode_map_lookup_tree(c.map, file->f_path.dentry, struct stress_value),
		      false);
		break;
	case 3:
		replace(&c, inode);
		break;
	case 4:
		remove(&c, inode);
		break;
	case 5:
		walk(&c);
		break;
	case 6:
		returned(&c, CALL_ID, inode_map_id("stress"));
		break;
	default:
		request(&c, inode);
	}
	give_back(c.spare);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(change_sleepable, struct file *file)
{
	struct inode *inode = file->f_inode;
	struct call c = {};

	if (!begin(&c, inode, IN_CHANGE_SLEEPABLE, CALL_EVERY))
		return 0;
	switch (bpf_get_prandom_u32() % 8) {
	case 0:
		read_path(&c, file);
		break;
	case 1:
		found(&c, CALL_LOOKUP_PATH,
		      inode_map_lookup_path(c.map, &file->f_path, struct stress_value), false);
		break;
	case 2:
		replace(&c, inode);
		break;
	case 3:
		walk(&c);
		break;
	case 4:
	case 5:
		get(&c, inode);
		break;
	default:
		update(&c, inode);
	}
	give_back(c.spare);
	return 0;
}

/* Wherever a reference to an inode is dropped, which may be the last one. */
SEC("fentry/iput")
int BPF_PROG(change_in_iput, struct inode *inode)
{
	struct call c = {};

	if (!begin(&c, inode, IN_CHANGE_FENTRY, CALL_EVERY_IPUT))
		return 0;
	switch (bpf_get_prandom_u32() % 4) {
	case 0:
		read_value(&c, inode);
		break;
	case 1:
		walk(&c);
		break;
	case 2:
		remove(&c, inode);
		break;
	default:
		replace(&c, inode);
	}
	give_back(c.spare);
	return 0;
}
