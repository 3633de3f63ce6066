/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the parts of the bypass test: see ../bypass/, which runs the tables of attempts.
 *
 * An attempt really does one thing to a file in one way, and finds out whether it took effect. It
 * runs in another process, where it may leave descriptors and mappings, and with own_process any
 * other state of a process. It may change the file, and files that it makes below scratch(), but
 * must undo changes to the whole machine: swap, accounting, /proc/sys, loop devices.
 */
#ifndef BYPASS_H
#define BYPASS_H

#include "harness.h"
#include "bpf/guard/guard.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define OPERATION(name, word, meaning)	name = 1 << GUARD_##name,

/* Sets of the operations in rules: READ and so on. */
enum operation {
	GUARD_OPERATIONS(OPERATION)
	ALL = GUARD_ALL,
};

/* The filesystems on which an attempt makes sense. */
enum filesystem {
	TMPFS	= 1 << 0,
	EXT4	= 1 << 1,
	BTRFS	= 1 << 2,		/* clones, snapshots */
	XFS	= 1 << 3,		/* calls by handle */
	F2FS	= 1 << 4,		/* with compression */
	OCFS2	= 1 << 5,
	BCACHEFS = 1 << 6,
	COMMON	= TMPFS | EXT4,
};

/* The kind of the file; FILE_SIZE is the size of a text. */
enum kind {
	TEXT,
	PROGRAM,			/* a small static program that returns RAN */
	DYNAMIC,			/* a program that also runs through the dynamic linker */
	LIBRARY,
	SCRIPT,				/* returns RAN */
	DIRECTORY,			/* with one file in it, "entry" */
	SWAP,
	SYMLINK,			/* to SYMLINK_TARGET, which does not exist */
	STREAM,				/* a listening stream socket */
	PACKETS,			/* likewise, of the type SOCK_SEQPACKET */
	DATAGRAMS,			/* a socket that takes datagrams */
	BLOCK,				/* a node of a block device that contains a text */
	DISK,				/* likewise, of a device that takes SCSI commands */
	FIFO,
};

#define FILE_SIZE	8192
#define SYMLINK_TARGET	"/nowhere"
#define RAN		42

/* How the attempt reaches the file. */
enum way {
	DIRECT,				/* by the name in the rule */
	BEFORE,				/* by a descriptor from before the rule */
	HARD_LINK,
	SYMBOLIC_LINK,
	PROC_FD,			/* /proc/self/fd/N of a descriptor opened with O_PATH */
	BIND_MOUNT,			/* in a bind mount of the filesystem */
	BIND_FILE,			/* bound to another name, in another mount namespace */
	CHROOT,
	USER_NAMESPACE,			/* as root of a user namespace */
	PARENT_MOVED,			/* after its directory was renamed */
	USER,				/* as an ordinary user who owns the file */
	WAYS,
};

/* Sets of ways. BEFORE is for attempts that give the flags of open(2). */
#define BY(way)		(1U << (way))
#define ANY_NAME	(BY(DIRECT) | BY(HARD_LINK) | BY(BIND_MOUNT) | BY(CHROOT) | \
			 BY(USER_NAMESPACE) | BY(PARENT_MOVED))
#define ANY_PATH	(ANY_NAME | BY(SYMBOLIC_LINK) | BY(PROC_FD) | BY(BIND_FILE))
#define PRIVILEGED	(~BY(USER_NAMESPACE))		/* needs more than a namespace's root */

/* The expected result of an attempt; see ../bypass/. CONTROL: without a rule. */
enum expectation {
	CONTROL,
	STOPPED,
	OTHERS,				/* works while other operations are denied */
	PASSES,				/* works, for the reason in the table */
};

struct target {
	const char *path;
	const char *root;		/* the way's path to the filesystem's root */
	int number;			/* of this run: makes names unique */
	int fd;				/* opened before, or -1 */
	int open_flags;
	enum kind kind;
	void *memory;			/* set by prepare() */
	int spare;
};

struct attempt {
	const char *name;
	/*
	 * Denying any one of these operations stops the attempt, unless why_not is set. With
	 * by_descriptor, the operations of opening the file are added, if it is not open before.
	 */
	unsigned int operations;
	int (*run)(struct target *target);	/* 0: it took effect; or a negative errno */
	/* Optional: runs before there is a rule, in the parent of the process of run(). */
	int (*prepare)(struct target *target);
	unsigned int ways;		/* 0: ANY_PATH */
	unsigned int filesystems;	/* 0: COMMON */
	enum kind kind;
	int open_flags;			/* for descriptor(); by_descriptor adds the way BEFORE */
	bool by_descriptor;
	unsigned int of_entry;		/* operations on an entry of the directory */
	bool changes_directory;		/* it also writes to the directory of the name */
	bool every_way;			/* try all ways, not just some: see ../bypass/ */
	bool own_process;		/* it changes namespaces, credentials, ... of its process */
	bool unchanged;			/* it leaves the file as before, unlike most writes */
	bool sets_time;			/* it also sets the file's time, which attr would stop */
	/* If not CONTROL: the expected result where write is denied and append allowed. */
	enum expectation append_only;
	int error;			/* of a stopped attempt; 0: EPERM */
	const char *why_not;		/* the reason why it is not stopped */
	const char *(*missing)(void);	/* optional: why this kernel can't do it, or NULL */
};

#define TRY(name_, operations_, run_, ...) \
	{ .name = (name_), .operations = (operations_), .run = (run_), ## __VA_ARGS__ }

/* An attempt without a name ends a table. */
extern const struct attempt reading[], writing[], appending[], executing[], naming[],
	attributes[], machinery[], ext4_calls[], btrfs_calls[], xfs_calls[], quotas[],
	nfs_calls[], passthrough_calls[], sockets[], devices[], before[],
	f2fs_calls[], disks[], ocfs2_calls[], bcachefs_calls[];

/* Make an image that the kernel can mount as bcachefs; return whether that worked. */
bool bcachefs_make(const char *path);

/* Export @root by NFS, and mount it on this machine: 0 or a negative errno. */
#define CLIENT_PATH	DIR_PATH "/nfs"
int nfs_serve(const char *root);
/* Stop that, if it was started. */
void nfs_stop(void);

/* A name in a directory without rules, on the same mount. Valid until 16 others are made. */
const char *scratch(const struct target *target, const char *name);
/* Likewise, with a new file of this kind at the name. */
const char *scratch_file(const struct target *target, const char *name, enum kind kind);

/* The file's directory, and its name there. Valid until the next call. */
const char *directory_of(const struct target *target);
const char *name_of(const struct target *target);

/* The descriptor from before, or a new one; or a negative errno. */
int descriptor(const struct target *target);
/* A path to a descriptor's file. Valid until the next call. */
const char *proc_path(int fd);
/* Put that descriptor, or also a mapping of the file, into the target: 0 or a negative errno. */
int open_target(struct target *target);
int map_target(struct target *target, int prot, int flags);

/* Become root of a new user namespace, with a new mount namespace. */
void enter_user_namespace(void);

void make_file(const char *path, enum kind kind);
/* This program's dynamic linker, and a shared library: the paths depend on the architecture. */
const char *loader(void);
const char *library(void);
/* Make a static program, or a dynamic linker, of position-independent code. */
void make_program_of(const char *path, const void *code, size_t size);
/* Map the file as code; or map it, and then make that executable: 0 or a negative errno. */
int map_code(int fd);
int protect_code(int fd);
/* Write through a shared mapping, after making it writable if needed: 0 or a negative errno. */
int write_mapped(int fd, int prot);
/* The result of reading @bytes: 0 or a negative errno; @size may be one. */
int judge_text(const char *bytes, long size);
/* For prepare(): put the text into two fragments, of which the second is written first. */
int make_fragmented(struct target *target);
/* Deduplicate two texts: 0 if they share everything, or a negative errno. */
int dedupe(int from, int to);
/* Turn -1 with errno into -errno. */
long result(long ret);

/* Run a program by calling @exec in a child process: 0 if it returned RAN, or a negative errno. */
int run_program(int (*exec)(void *arg), void *arg);
int exec_path(void *path);		/* for run_program() */
int exec_by_loader(void *path);		/* likewise, a dynamic program through ld.so */

#ifdef __x86_64__
/* ioctl(2) as 32-bit programs call it, and a page that they can address: 0 or -errno. */
void *low_memory(void);
long ioctl_compat(int fd, unsigned int command, void *argument);
#endif
/*
 * Make a system call in a 32-bit program: 0 or -errno. It inherits @fd, the first argument. @text
 * is the second argument or, with @vector, what the second describes. Flags are the sixth.
 */
#if defined(__x86_64__) || defined(__aarch64__)
#define HAVE_COMPAT_PROGRAM
int write_compat(int fd, const char *text, bool vector, unsigned int flags);
#endif
/* Crash a child process, with this in /proc/sys/kernel/core_pattern. */
void dump_core(const char *core_pattern);

/* Make one request with a new io_uring. Returns the request's result or a negative errno. */
struct io_uring_sqe;
int uring(const struct io_uring_sqe *request, unsigned int setup_flags);
/* Likewise for a write that is issued when another write(2) ends, unless that takes too long. */
int uring_in_write(const struct io_uring_sqe *request);
/*
 * Register memory with an io_uring that child processes inherit: its number, or a negative errno.
 * uring_with() makes a request there.
 */
int uring_register(void *memory, size_t size);
int uring_with(int number, const struct io_uring_sqe *request);
/* Likewise with aio: io_submit(2). */
struct iocb;
int aio(struct iocb *request);

/* A loop device for a descriptor, or a negative errno. The first read or write frees it. */
int loop_open(int fd);
/* A loop device that stays, for a new text: its device number. */
dev_t loop_make(const char *path);
int loop_read(int loop);		/* 0: a text */
/* Make a node of a SCSI disk; there are only a few disks. */
void make_disk(const char *path);
long loop_write(int loop, const void *bytes, size_t size);

/* Whether BYPASS_ONLY in the environment selects an attempt of this name. */
bool bypass_selects(const char *name);

/* Run the tool; the case fails if the tool fails. */
void guard(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guard_start(void);
void guard_stop(void);

#endif /* BYPASS_H */
