/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs of inode-guard (guard.bpf.c) and its tool share: the contents of the maps.
 *
 * The policy changes in a single moment. What says "this inode has that rule" is in two slots, each
 * with the generation of the policy from which on it holds, and the word @generation of the state
 * tells which is the current one. The tool writes all slots of the next generation, then stores the
 * word, then cleans up; whenever it is interrupted, the word says what is valid.
 */
#ifndef _GUARD_H
#define _GUARD_H

/* BPF programs have the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Elsewhere the guard can't tell what only appends: see syscall.bpf.h. */
#if defined(__TARGET_ARCH_x86) || defined(__TARGET_ARCH_arm64) || defined(__TARGET_ARCH_s390) || \
	defined(__x86_64__) || defined(__aarch64__) || defined(__s390x__)
#define GUARD_KNOWS_APPEND
#endif

/*
 * The service takes the place of a guard of another version (upgrade.c), and everything else but a stop
 * refuses its pins. For that @version, @ready and @audit of the state, and the map "processes", stay as
 * they are.
 */
#define GUARD_VERSION	11

/* prctl(2) options by which the tool sees that security programs are called: no kernel has them. */
#define GUARD_PRCTL_PROBE	0x67756172

/*
 * The operations that rules name: the constant's end, the word, and what it means, for help. All
 * that names them is made from this: the words of rules and of what the tool prints, its help, the
 * completion and the tests. The order is that of the bits, which a running guard has in its maps.
 */
#define GUARD_OPERATIONS(op)								\
	op(READ, "read", "opening it for reading, and reading; of a directory, listing it") \
	op(WRITE, "write", "opening it for writing, writing, changing its size; of a "	\
	   "directory, making and removing names in it; of a socket, connecting and "	\
	   "sending to it")								\
	op(EXEC, "exec", "executing it, mapping it as code")				\
	op(APPEND, "append", "writing by descriptors that can only append; where no rule " \
	   "names it, those about write decide")					\
	op(DELETE, "delete", "removing a name of it, or renaming another file over it")	\
	op(RENAME, "rename", "renaming it, or another file over it; mounting over it")	\
	op(LINK, "link", "making another name for it")					\
	op(ATTR, "attr", "changing mode, owner, times and other attributes")		\
	op(MMAP, "mmap", "mapping it into memory")

#define GUARD_OP_CONSTANT(name, word, meaning)	GUARD_##name,

/* GUARD_READ and so on, and GUARD_OPS, how many there are. */
enum guard_op {
	GUARD_OPERATIONS(GUARD_OP_CONSTANT)
	GUARD_OPS
};

#define GUARD_ALL	((1U << GUARD_OPS) - 1)

/*
 * Sets of operations are 16 bits wide (struct guard_rule), the last of which is none of them: an
 * access that is either appending or other writing (EITHER in judge.bpf.h).
 */
#define GUARD_OP_BITS	16
#define GUARD_EITHER	(1U << (GUARD_OP_BITS - 1))

/*
 * Above the bits of operations, in one word with them, so that one test tells that there is nothing:
 * how many names decisions look for besides.
 */
#define GUARD_FRESH	(1ULL << GUARD_OP_BITS)
#define GUARD_HELD	(1ULL << 42)
#define GUARD_BY_NAME	(~0ULL << GUARD_OP_BITS)
#define GUARD_ALL_FRESH	(GUARD_HELD - GUARD_FRESH)

/* In that word: that there are rules for devices (GUARD_DEVICE_DIR). */
#define GUARD_DEVICES	GUARD_EITHER

/*
 * In events only: what would give somebody control of an executable that may do what others may not, or
 * have him taken for it. No rule names that: the executable is in one.
 */
#define GUARD_CONTROL	(GUARD_OP_BITS - 2)

_Static_assert(GUARD_OPS < GUARD_CONTROL, "no bit is left for another operation");

/**
 * struct guard_entry - value of the inode maps that say which inode has which rule
 * @generation: from which generation of the policy on the slot holds; 0, it is empty
 * @rule: the rule, a key of the map "rules", or 0: there is none
 *
 * What holds is the slot with the largest generation that is not above the current one.
 */
struct guard_entry {
	__u32 generation[2];
	__u32 rule[2];
};

/**
 * enum guard_flags - kinds of rules
 * @GUARD_TREE: for all below a directory, and for itself
 * @GUARD_FOLLOW: for whatever is at its name
 * @GUARD_REMOVED: not a rule any more, from its generation on
 * @GUARD_SYMLINK: its path leads to a symbolic link, which is meant itself
 */
enum guard_flags {
	GUARD_TREE	= 1 << 0,
	GUARD_FOLLOW	= 1 << 1,
	GUARD_REMOVED	= 1 << 2,
	GUARD_SYMLINK	= 1 << 3,
};

/**
 * enum guard_kind - kinds of subjects: whom a rule can be only for
 * @GUARD_BY_EXE: processes of an executable, which has an id in "subjects"
 * @GUARD_BY_USER: those of a user; the subject is his number in the initial user namespace
 * @GUARD_BY_GROUP: likewise of a group
 * @GUARD_BY_CGROUP: those in a cgroup or below it, which has an id in "cgroup_paths"
 * @GUARD_KINDS: how many kinds there are
 */
enum guard_kind {
	GUARD_BY_EXE,
	GUARD_BY_USER,
	GUARD_BY_GROUP,
	GUARD_BY_CGROUP,
	GUARD_KINDS
};

/**
 * struct guard_rule - value of the map "rules"; never changes while a generation has it
 * @generation: the generation it was made for
 * @name: what stays when a rule is given other operations: the key of its "hits". Of the rules with
 *	one name, that of the largest generation which is not above the current one is in force
 * @text: key of its path and label in "texts"
 * @flags: enum guard_flags
 * @named: the operations that it says something about, a bit (1 << op) each; about others another
 *	rule decides
 * @denied: those that it denies
 * @only: those that it allows to a set of subjects, and denies to others
 * @audit: those of @named about which it is only tried: accesses are decided as if it did not name
 *	them, and reported if it would deny them
 * @set: for each operation of @only, the set
 * @kinds: and which kinds of subjects that has, a bit each
 * @dev: st_dev of the inode that it was made for
 * @ino: number of that inode
 * @device: S_IFBLK or S_IFCHR, if that was a device, by whatever node it is opened then; or 0
 * @rdev: its number, as the kernel has it
 */
struct guard_rule {
	__u32 generation;
	__u32 name;
	__u32 text;
	__u32 flags;
	__u16 named;
	__u16 denied;
	__u16 only;
	__u16 audit;
	__u32 set[GUARD_OPS];
	__u8 kinds[GUARD_OPS];
	__u32 dev;
	__u64 ino;
	__u32 device;
	__u32 rdev;
};

/**
 * struct guard_hits - value of the map "hits"
 * @count: how often each operation was denied, or would have been
 */
struct guard_hits {
	__u64 count[GUARD_OPS];
};

/* The set of all executables that a rule in force is for, which are not just tried. */
#define GUARD_PROTECTED	0

/**
 * struct guard_member - key of the map "members", whose value is what the subject was called: a key
 *	of "texts"
 * @set: a set of subjects, or GUARD_PROTECTED
 * @kind: enum guard_kind
 * @subject: a subject in it
 */
struct guard_member {
	__u32 set;
	__u32 kind;
	__u32 subject;
};

/* Bytes of the path of a cgroup that the kernel tells of, with the zero behind it. */
#define GUARD_CGROUP_PATH	1024

#define GUARD_CHUNK	120
#define GUARD_LABEL	32

/**
 * struct guard_text_key - key of the map "texts"
 * @text: the text
 * @index: which piece of it
 */
struct guard_text_key {
	__u32 text;
	__u32 index;
};

/**
 * struct guard_text - value of the map "texts"
 * @piece: GUARD_CHUNK bytes of a path, which ends with a zero; behind that there is the label of a
 *	rule, if it has one. The last piece ends with zeros
 */
struct guard_text {
	char piece[GUARD_CHUNK];
};

/**
 * struct guard_leaf_key - key of the map "leaves": a name that rules or executables follow
 * @dir: its directory, an id in "subjects"
 * @length: bytes of the last component
 * @hash: of these, see guard_hash_begin(). Names are not compared: nobody can look for two that have
 *	one hash, since nobody but root can read @seed
 */
struct guard_leaf_key {
	__u32 dir;
	__u32 length;
	__u64 hash;
};

/*
 * In place of a directory: what has the rule is a device, by whatever node it is opened. Then @length is
 * the type, S_IFBLK or S_IFCHR, and an operation; and @hash the number, as the kernel has it.
 */
#define GUARD_DEVICE_DIR	(~0U)

/* What is done to a device, and not to a node of it. */
#define GUARD_DEVICE_OPS	((1U << GUARD_READ) | (1U << GUARD_WRITE) | (1U << GUARD_EXEC) | \
				 (1U << GUARD_MMAP))

/* Texts are hashed and copied in words of so many bytes. */
#define GUARD_WORD	8

/* A word as a number of which the lowest byte is the first in memory; and back. */
static inline __u64 guard_word(__u64 word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(word);
#else
	return word;
#endif
}

static inline __u64 guard_hash_begin(__u64 seed, __u32 length)
{
	return seed ^ length * 0x9e3779b97f4a7c15ULL;
}

/* A word of a name, or what is left of it and zeros: see guard_word(). */
static inline __u64 guard_hash_step(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0xbf58476d1ce4e5b9ULL;
	return hash ^ hash >> 29;
}

static inline __u64 guard_hash_end(__u64 hash)
{
	hash = (hash ^ hash >> 32) * 0x94d049bb133111ebULL;
	return hash ^ hash >> 31;
}

/**
 * struct guard_leaf - value of the map "leaves"
 * @entry: the rule of what comes to be at that name, as its entry in the map of files will have it
 * @tree: likewise the rule for the tree below it
 * @subject: its id as an executable, or 0
 * @text: the name, as it was given to the rule: a key of "texts"; likewise of the tree
 * @watch: whether the path of a rule goes through it, so that the service is to know of its changes
 * @reserved: 0
 */
struct guard_leaf {
	struct guard_entry entry;
	struct guard_entry tree;
	__u32 subject;
	__u32 text;
	__u32 watch;
	__u32 reserved;
};

/* Rules that differ, of those that have a last component in common. */
#define GUARD_HELD_RULES	6

/**
 * struct guard_held - value of the map "held", whose keys are names in no directory (@dir is 0)
 * @rules: the rules for files that may be what has this name, wherever that is; 0 behind the last
 * @trees: likewise the rules for trees
 * @denied: what those rules name that there was no room for: denied to all, a bit for each operation
 * @denied_below: likewise
 */
struct guard_held {
	__u32 rules[GUARD_HELD_RULES];
	__u32 trees[GUARD_HELD_RULES];
	__u32 denied;
	__u32 denied_below;
};

/**
 * enum guard_moved - what a rename or link that is under way has had changed
 * @GUARD_MOVED_RULE: the entry in the map of files
 * @GUARD_HAD_RULE: it was there before
 * @GUARD_MOVED_SUBJECT: the entry in "subjects"
 * @GUARD_HAD_SUBJECT: it was there before
 */
enum guard_moved {
	GUARD_MOVED_RULE	= 1 << 0,
	GUARD_HAD_RULE		= 1 << 1,
	GUARD_MOVED_SUBJECT	= 1 << 2,
	GUARD_HAD_SUBJECT	= 1 << 3,
};

/**
 * struct guard_move_key - key of the map "moves"
 * @task: the thread that renames
 * @inode: address of the inode that gets the name
 */
struct guard_move_key {
	__u64 task;
	__u64 inode;
};

/**
 * struct guard_move - value of the map "moves": what was before, in case it fails
 * @moved: enum guard_moved
 * @subject: as an executable
 * @entry: in the map of files
 * @trees: the operations whose map of trees it has been added to, a bit each
 * @reserved: 0
 */
struct guard_move {
	__u32 moved;
	__u32 subject;
	struct guard_entry entry;
	__u32 trees;
	__u32 reserved;
};

/**
 * enum guard_seen - what is known of a process
 * @GUARD_SEEN: it executes what it was seen to execute, and nobody else has a hand in it
 * @GUARD_SEEN_AUDITED: likewise, but the guard only audited
 * @GUARD_WAS_ROOTS: it was root's, and has executed nothing since it is not
 * @GUARD_NO_NEW_PRIVS: root has chosen no_new_privs for it
 * @GUARD_ADOPTED: the administrator has said that it is as if it had been seen, of the program that it
 *	had executed by then
 */
enum guard_seen {
	GUARD_SEEN		= 1 << 0,
	GUARD_SEEN_AUDITED	= 1 << 1,
	GUARD_WAS_ROOTS		= 1 << 2,
	GUARD_NO_NEW_PRIVS	= 1 << 3,
	GUARD_ADOPTED		= 1 << 4,
};

/**
 * struct guard_process - value of the map "processes"
 * @flags: enum guard_seen
 * @filters: how many seccomp filters root has chosen for it
 * @execs: how often it and its parents had executed a file, the last time included
 */
struct guard_process {
	__u32 flags;
	__u32 filters;
	__u64 execs;
};

/**
 * enum guard_seal - how a guard is sealed, until the machine boots again
 * @GUARD_UNSEALED: not
 * @GUARD_SEAL_ADD: the tool only changes the policy to deny more
 * @GUARD_SEAL_ALL: it does not change it
 */
enum guard_seal {
	GUARD_UNSEALED,
	GUARD_SEAL_ADD,
	GUARD_SEAL_ALL,
};

/**
 * struct guard_state - the words that programs and tool share, by a map in memory
 * @version: GUARD_VERSION
 * @ready: whether the start has come to its end
 * @generation: the current generation of the policy; 0, there is none, and all is allowed
 * @audit: report, deny nothing
 * @strict: the operations that rules for trees deny to anybody, not just tried, a bit each; with
 *	write, append
 * @tried: whether rules are just tried
 * @dirty: whether a change of the policy was begun and not completed
 * @next: the next id for rules, names, texts, sets and subjects
 * @watching: whether somebody wants events
 * @probed: how often a program was called for GUARD_PRCTL_PROBE
 * @subjects: whether there is anything in the set GUARD_PROTECTED
 * @follows: whether any rule follows
 * @pins: how many pins there are when all is well
 * @zero: 0, which the verifier does not know: see opaque()
 * @cgroups: whether there is any set with cgroups
 * @hold: whether rules hold by the last component meanwhile
 * @beyond: what a decision looks at beyond the entry of the file: the operations that rules for trees
 *	name, a bit each; how often GUARD_FRESH for names that are in "fresh"; and GUARD_HELD for
 *	changes on the way to a rule that the service has not followed yet
 * @seed: for the hashes of names
 * @changes: how often a name that is watched was about to change
 * @mounts: how often something was about to be mounted or unmounted, if @hold
 * @dropped: events that there was no room for
 * @refused: how often GUARD_CONTROL was denied, or would have been, and what would break the seal
 * @sealed: enum guard_seal
 * @reading: whether the hook of reading and writing is attached (reading.c)
 * @succeeds: whether another guard still denies what this one comes to deny, and is asked which
 *	processes count (upgrade.c)
 * @reserved: 0
 */
struct guard_state {
	__u32 version;
	__u32 ready;
	__u32 generation;
	__u32 audit;
	__u32 strict;
	__u32 tried;
	__u32 dirty;
	__u32 next;
	__u32 watching;
	__u32 probed;
	__u32 subjects;
	__u32 follows;
	__u32 pins;
	__u32 zero;
	__u32 cgroups;
	__u32 hold;
	__u64 beyond;
	__u64 seed;
	__u64 changes;
	__u64 mounts;
	__u64 dropped;
	__u64 refused;
	__u32 sealed;
	__u32 reading;
	__u32 succeeds;
	__u32 reserved;
};

/* What audit says of who has not logged in. */
#define GUARD_UNSET	(~0U)

#define GUARD_PATH	1536
#define GUARD_EXE	768

/**
 * struct guard_place - the way from a file to the root of its filesystem
 * @dev: the filesystem, 12 bits of major and 20 of minor number
 * @length: bytes of @names
 * @cut: whether it is longer than there is room for
 * @inum: inode number
 */
struct guard_place {
	__u32 dev;
	__u16 length;
	__u16 cut;
	__u64 inum;
};

/**
 * struct guard_event - what the ring buffer has of an access that was denied, or would have been
 * @time: nanoseconds since boot, those in suspension included
 * @pid: the process
 * @uid: its user, as the initial user namespace numbers them
 * @parent: the process that is its parent
 * @login: the user who logged in, whatever the process has become since, or GUARD_UNSET
 * @session: the number of that login, or GUARD_UNSET
 * @fsuid: the user that file permissions are judged by
 * @cgroup: its control group of the second version, the number of the directory's inode; or 0
 * @fsgid: the group, likewise
 * @unseen: whether the process does not count as one of its executable, which a rule is only for
 * @rule: the rule; 0 when it could not be told which, and was denied for that
 * @ops: what was denied of it, a bit each
 * @tried: what was only reported, since the rule about it is just tried, a bit each
 * @audit: whether @ops was only reported, too
 * @name: whether it is about making or removing the name, which is writing to its directory
 * @tried_rule: the rule that would deny @tried
 * @command: the thread's name
 * @parent_command: the name of its parent's first thread
 * @file: where the file is
 * @exe: where the executable is
 * @path: the names on the way from the file up, each with zeros behind it, one to GUARD_WORD
 * @exe_path: likewise
 */
struct guard_event {
	__u64 time;
	__u32 pid;
	__u32 uid;
	__u32 parent;
	__u32 login;
	__u32 session;
	__u32 fsuid;
	__u64 cgroup;
	__u32 fsgid;
	__u32 unseen;
	__u32 rule;
	__u16 ops;
	__u16 tried;
	__u32 tried_rule;
	__u16 audit;
	__u16 name;
	char command[16];
	char parent_command[16];
	struct guard_place file;
	struct guard_place exe;
	char path[GUARD_PATH];
	char exe_path[GUARD_EXE];
};

#endif /* _GUARD_H */
