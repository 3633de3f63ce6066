/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the programs of inode-guard (guard.bpf.c) and its tool: the contents of the maps.
 *
 * The policy changes in a single moment. The entry that gives an inode its rule has two slots, each
 * with the first generation of the policy that it is valid for. The word @generation of the state
 * holds the current generation. The tool writes all slots of the next generation, stores the word,
 * then cleans up. If it is interrupted at any point, the word still says which slots are valid.
 */
#ifndef _GUARD_H
#define _GUARD_H

/* BPF programs have the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* On other architectures the guard can't tell which writes only append: see syscall.bpf.h. */
#if defined(__TARGET_ARCH_x86) || defined(__TARGET_ARCH_arm64) || defined(__TARGET_ARCH_s390) || \
	defined(__x86_64__) || defined(__aarch64__) || defined(__s390x__)
#define GUARD_KNOWS_APPEND
#endif

/*
 * The service replaces a guard of another version (upgrade.c); everything else but a stop refuses
 * its pins. For that @version, @ready and @audit of the state, and the map "processes", stay as
 * they are.
 */
#define GUARD_VERSION	11

/* A prctl(2) option that no kernel has: the tool calls it to see whether programs are called. */
#define GUARD_PRCTL_PROBE	0x67756172

/*
 * The operations that rules name: the constant's end, the word, and its meaning for the help text.
 * All names of operations are generated from this list: in rules, in the tool's output and help,
 * in the completion and the tests. Keep the order: a running guard has these bits in its maps.
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

/* GUARD_READ and so on; GUARD_OPS is their number. */
enum guard_op {
	GUARD_OPERATIONS(GUARD_OP_CONSTANT)
	GUARD_OPS
};

#define GUARD_ALL	((1U << GUARD_OPS) - 1)

/*
 * Sets of operations are 16 bits wide (struct guard_rule). The highest bit is not an operation: it
 * marks an access that either appends or writes otherwise (EITHER in rule.bpf.h).
 */
#define GUARD_OP_BITS	16
#define GUARD_EITHER	(1U << (GUARD_OP_BITS - 1))

/*
 * The word @beyond of the state has counters above the bits of operations: GUARD_FRESH for each
 * name in "fresh", GUARD_HELD for each change. One test of the word tells that there is nothing.
 */
#define GUARD_FRESH	(1ULL << GUARD_OP_BITS)
#define GUARD_HELD	(1ULL << 42)
#define GUARD_BY_NAME	(~0ULL << GUARD_OP_BITS)
#define GUARD_ALL_FRESH	(GUARD_HELD - GUARD_FRESH)

/* In the same word: there are rules for devices (GUARD_DEVICE_DIR). */
#define GUARD_DEVICES	GUARD_EITHER

/*
 * In events only: an attempt to gain control of an executable that may do what others may not, or
 * to pass as it. Rules can't name this operation; it is about executables that rules name.
 */
#define GUARD_CONTROL	(GUARD_OP_BITS - 2)

_Static_assert(GUARD_OPS < GUARD_CONTROL, "no bit is left for another operation");

/**
 * struct guard_entry - value of the inode maps that give inodes their rules
 * @generation: the first generation of the policy that the slot is valid for; 0 if it is empty
 * @rule: the rule, a key of the map "rules"; 0 for none
 *
 * The valid slot is the one with the largest generation that is not above the current one.
 */
struct guard_entry {
	__u32 generation[2];
	__u32 rule[2];
};

/**
 * enum guard_flags - kinds of rules
 * @GUARD_TREE: for a directory and everything below it
 * @GUARD_FOLLOW: for whatever file is at its name
 * @GUARD_REMOVED: no longer a rule, from its generation on
 * @GUARD_SYMLINK: its path leads to a symbolic link, and the rule is for the link itself
 */
enum guard_flags {
	GUARD_TREE	= 1 << 0,
	GUARD_FOLLOW	= 1 << 1,
	GUARD_REMOVED	= 1 << 2,
	GUARD_SYMLINK	= 1 << 3,
};

/**
 * enum guard_kind - kinds of subjects that a rule can be limited to
 * @GUARD_BY_EXE: processes of an executable, which has an id in "subjects"
 * @GUARD_BY_USER: processes of a user; the subject is the uid in the initial user namespace
 * @GUARD_BY_GROUP: likewise of a group
 * @GUARD_BY_CGROUP: processes in a cgroup or below it; it has an id in "cgroup_paths"
 * @GUARD_KINDS: number of kinds
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
 * @name: key of its "hits"; stays the same when a rule is given other operations. Of the rules with
 *	the same name, the one with the largest generation not above the current one is in force
 * @text: key of its path and label in "texts"
 * @flags: enum guard_flags
 * @named: the operations that it decides about, one bit (1 << op) each
 * @denied: the operations that it denies
 * @only: the operations that it allows to a set of subjects, and denies to others
 * @audit: the operations of @named that it is audit-only for: accesses are decided as if it did not
 *	name them, and reported if it would deny them
 * @set: the set, for each operation of @only
 * @kinds: the kinds of subjects in that set, one bit each
 * @dev: st_dev of the inode that it was made for
 * @ino: number of that inode
 * @device: S_IFBLK or S_IFCHR if that inode was a device: the rule is then for the device, through
 *	any node; otherwise 0
 * @rdev: the device number, as the kernel encodes it
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
 * @count: how often each operation was denied, or would have been denied
 */
struct guard_hits {
	__u64 count[GUARD_OPS];
};

/* The set of all executables that rules in force are for; audit-only rules don't count. */
#define GUARD_PROTECTED	0

/**
 * struct guard_member - key of the map "members"; the value is a key of "texts": what the user
 *	called the subject
 * @set: a set of subjects, or GUARD_PROTECTED
 * @kind: enum guard_kind
 * @subject: a subject in it
 */
struct guard_member {
	__u32 set;
	__u32 kind;
	__u32 subject;
};

/* Maximum length of a cgroup's path as the kernel reports it, including the terminating zero. */
#define GUARD_CGROUP_PATH	1024

#define GUARD_CHUNK	120
#define GUARD_LABEL	32

/**
 * struct guard_text_key - key of the map "texts"
 * @text: the text's id
 * @index: number of the piece
 */
struct guard_text_key {
	__u32 text;
	__u32 index;
};

/**
 * struct guard_text - value of the map "texts"
 * @piece: GUARD_CHUNK bytes of a path that ends with a zero; the rule's label follows, if it has
 *	one. The last piece is padded with zeros
 */
struct guard_text {
	char piece[GUARD_CHUNK];
};

/**
 * struct guard_leaf_key - key of the map "leaves": a name that rules or executables follow
 * @dir: its directory, an id in "subjects"
 * @length: length of the last component in bytes
 * @hash: its hash, see guard_hash_begin(). The names are not compared: only root can read @seed, so
 *	nobody else can search for two names with the same hash
 */
struct guard_leaf_key {
	__u32 dir;
	__u32 length;
	__u64 hash;
};

/*
 * In @dir, for the rule of a device, through whatever node it is opened: @length is then the type,
 * S_IFBLK or S_IFCHR, ORed with an operation; @hash is the device number, as the kernel encodes it.
 */
#define GUARD_DEVICE_DIR	(~0U)

/* Operations on the device itself; the others are on a node. */
#define GUARD_DEVICE_OPS	((1U << GUARD_READ) | (1U << GUARD_WRITE) | (1U << GUARD_EXEC) | \
				 (1U << GUARD_MMAP))

/* Texts are hashed and copied in words of this many bytes. */
#define GUARD_WORD	8

/* Convert a word to a number whose lowest byte is the first in memory, or back. */
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

/* Hash the next word of a name; the last one is padded with zeros. See guard_word(). */
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
 * @entry: the rule for a file that gets this name, as its entry in the map of files will have it
 * @tree: likewise the rule for the tree below it
 * @subject: its id as an executable, or 0
 * @text: the name as it was given to the rule, or to the rule for a tree: a key of "texts"
 * @watch: whether the path of a rule goes through the name: the service is told of its changes
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

/* Maximum number of distinct rules in a struct guard_held. */
#define GUARD_HELD_RULES	6

/**
 * struct guard_held - value of the map "held", whose keys are names in no directory (@dir is 0)
 * @rules: the rules for files with this name, in whatever directory; 0 after the last one
 * @trees: likewise the rules for trees
 * @denied: operations that rules deny that did not fit: denied to all, one bit each
 * @denied_below: likewise, for trees
 */
struct guard_held {
	__u32 rules[GUARD_HELD_RULES];
	__u32 trees[GUARD_HELD_RULES];
	__u32 denied;
	__u32 denied_below;
};

/**
 * enum guard_moved - what the programs changed for a rename or link that is under way
 * @GUARD_MOVED_RULE: the entry in the map of files
 * @GUARD_HAD_RULE: that entry existed before
 * @GUARD_MOVED_SUBJECT: the entry in "subjects"
 * @GUARD_HAD_SUBJECT: that entry existed before
 */
enum guard_moved {
	GUARD_MOVED_RULE	= 1 << 0,
	GUARD_HAD_RULE		= 1 << 1,
	GUARD_MOVED_SUBJECT	= 1 << 2,
	GUARD_HAD_SUBJECT	= 1 << 3,
};

/**
 * struct guard_move_key - key of the map "moves"
 * @task: the thread that renames or links
 * @inode: address of the inode that gets the name
 */
struct guard_move_key {
	__u64 task;
	__u64 inode;
};

/**
 * struct guard_move - value of the map "moves": the state before, to restore if the rename fails
 * @moved: enum guard_moved
 * @subject: its id as an executable
 * @entry: its entry in the map of files
 * @trees: the operations whose maps of trees the inode was added to, one bit each
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
 * @GUARD_SEEN: the guard saw it execute its program, and nobody else controls it
 * @GUARD_SEEN_AUDITED: likewise, but the guard only audited
 * @GUARD_WAS_ROOTS: it was root's, and has not executed anything since it gave that up
 * @GUARD_NO_NEW_PRIVS: root chose no_new_privs for it
 * @GUARD_ADOPTED: the administrator declared it as seen; that is valid for the program that it was
 *	executing at that time
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
 * @filters: number of seccomp filters that root chose for it
 * @execs: how often it and its ancestors had executed a file, including the last time
 */
struct guard_process {
	__u32 flags;
	__u32 filters;
	__u64 execs;
};

/**
 * enum guard_seal - how a guard is sealed, until the machine boots again
 * @GUARD_UNSEALED: not sealed
 * @GUARD_SEAL_ADD: the tool only makes changes to the policy that deny more
 * @GUARD_SEAL_ALL: the tool does not change the policy
 */
enum guard_seal {
	GUARD_UNSEALED,
	GUARD_SEAL_ADD,
	GUARD_SEAL_ALL,
};

/**
 * struct guard_state - the words that programs and tool share, in mapped memory
 * @version: GUARD_VERSION
 * @ready: whether the guard has started completely
 * @generation: the current generation of the policy; 0 if there is none, and everything is allowed
 * @audit: report, deny nothing
 * @strict: the operations that rules for trees deny to anybody, one bit each; append is set if
 *	write is. Audit-only rules don't count
 * @tried: whether any rules are audit-only
 * @dirty: whether a change of the policy was begun and not completed
 * @next: the next id for rules, names, texts, sets and subjects
 * @watching: whether anybody reads events
 * @probed: how often a program was called for GUARD_PRCTL_PROBE
 * @subjects: whether the set GUARD_PROTECTED has any members
 * @follows: whether any rule follows a name
 * @pins: the number of pins that a complete guard has
 * @zero: 0, which the verifier does not know: see opaque()
 * @cgroups: whether any set has cgroups
 * @hold: whether rules hold by the last component until the service has followed a change
 * @beyond: what a decision looks at beyond the entry of the file: the operations that rules for
 *	trees name, one bit each; GUARD_FRESH for each name in "fresh"; and GUARD_HELD for each
 *	change on the way to a rule that the service has not followed yet
 * @seed: for the hashes of names
 * @changes: how often a watched name was about to change
 * @mounts: how often something was about to be mounted or unmounted, if @hold
 * @dropped: number of events that did not fit
 * @refused: how often GUARD_CONTROL, or an attempt to break the seal, was denied or would have been
 * @sealed: enum guard_seal
 * @reading: whether the hook for reading and writing is attached (reading.c)
 * @succeeds: whether another guard still denies what this one is about to deny, and is asked which
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

/* The audit subsystem's value for a process that nobody has logged in for. */
#define GUARD_UNSET	(~0U)

#define GUARD_PATH	1536
#define GUARD_EXE	768

/**
 * struct guard_place - the way from a file to the root of its filesystem
 * @dev: device of the filesystem, 12 bits of major and 20 bits of minor number
 * @length: length of the names in @path or @exe_path of struct guard_event, in bytes
 * @cut: whether the way did not fit
 * @inum: inode number
 */
struct guard_place {
	__u32 dev;
	__u16 length;
	__u16 cut;
	__u64 inum;
};

/**
 * struct guard_event - entry in the ring buffer: an access that was denied, or would have been
 * @time: nanoseconds since boot, including suspend
 * @pid: the process
 * @uid: its uid in the initial user namespace
 * @parent: its parent process
 * @login: the user who logged in, whatever the process has become since, or GUARD_UNSET
 * @session: the number of that login session, or GUARD_UNSET
 * @fsuid: the user that file permissions are checked for
 * @cgroup: its cgroup in the unified hierarchy, as the inode number of the directory; or 0
 * @fsgid: the group, likewise
 * @unseen: whether a rule is limited to its executable, and the process does not count as its own
 * @rule: the rule; 0 if the access was denied because it could not be told which rule decides
 * @ops: the operations that were denied, one bit each
 * @tried: the operations that were only reported, since the rule is audit-only, one bit each
 * @audit: whether @ops were only reported, too
 * @name: whether the name was to be made or removed, which is writing to its directory
 * @tried_rule: the rule that would deny @tried
 * @command: the thread's name
 * @parent_command: the name of its parent's first thread
 * @file: where the file is
 * @exe: where the executable is
 * @path: the names on the way up from the file, each padded with zeros to a multiple of GUARD_WORD
 * @exe_path: likewise for the executable
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
