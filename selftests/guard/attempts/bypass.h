/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the parts of the bypass test share: see ../bypass/, which runs the tables of attempts.
 *
 * An attempt does one thing to a file in one way, really, and finds out whether it took effect. It
 * runs in another process, where it may leave descriptors and mappings, and with own_process
 * whatever else goes with a process. It may change the file, and what it makes itself below
 * scratch(), but must undo what is the whole machine's: swap, accounting, /proc/sys, loop devices.
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

/* Sets of the operations that rules name: READ and so on. */
enum operation {
	GUARD_OPERATIONS(OPERATION)
	ALL = GUARD_ALL,
};

/* Where an attempt makes sense. */
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

/* What the file is; FILE_SIZE is the size of a text. */
enum kind {
	TEXT,
	PROGRAM,			/* a small static program that returns RAN */
	DYNAMIC,			/* one that the dynamic linker runs, and does so too */
	LIBRARY,
	SCRIPT,				/* returns RAN */
	DIRECTORY,			/* with one file in it, "entry" */
	SWAP,
	SYMLINK,			/* to SYMLINK_TARGET, which is not there */
	STREAM,				/* a socket that somebody listens at */
	PACKETS,			/* likewise, of the type SOCK_SEQPACKET */
	DATAGRAMS,			/* a socket that takes datagrams */
	BLOCK,				/* a node of a block device that has a text */
	DISK,				/* likewise, of one that takes SCSI commands */
	FIFO,
};

#define FILE_SIZE	8192
#define SYMLINK_TARGET	"/nowhere"
#define RAN		42

/* How the file is reached. */
enum way {
	DIRECT,				/* by the name that the rule was given */
	BEFORE,				/* by a descriptor opened before there was a rule */
	HARD_LINK,
	SYMBOLIC_LINK,
	PROC_FD,			/* /proc/self/fd/N of a descriptor opened with O_PATH */
	BIND_MOUNT,			/* in a bind mount of its filesystem */
	BIND_FILE,			/* bound to another name, in another namespace */
	CHROOT,
	USER_NAMESPACE,			/* as root of one */
	PARENT_MOVED,			/* the directory it is in has another name now */
	USER,				/* as an ordinary user, whose file it is */
	WAYS,
};

/* Sets of ways. BEFORE is for those that say with which flags to open. */
#define BY(way)		(1U << (way))
#define ANY_NAME	(BY(DIRECT) | BY(HARD_LINK) | BY(BIND_MOUNT) | BY(CHROOT) | \
			 BY(USER_NAMESPACE) | BY(PARENT_MOVED))
#define ANY_PATH	(ANY_NAME | BY(SYMBOLIC_LINK) | BY(PROC_FD) | BY(BIND_FILE))
#define PRIVILEGED	(~BY(USER_NAMESPACE))		/* takes more than root of a namespace */

/* What is to become of an attempt; see ../bypass/. CONTROL: without a rule. */
enum expectation {
	CONTROL,
	STOPPED,
	OTHERS,				/* works; other operations are denied */
	PASSES,				/* works, for the reason in the table */
};

struct target {
	const char *path;
	const char *root;		/* of the filesystem, as it is reached */
	int number;			/* of this run: for names */
	int fd;				/* opened before, or -1 */
	int open_flags;
	enum kind kind;
	void *memory;			/* for prepare() */
	int spare;
};

struct attempt {
	const char *name;
	/*
	 * The operations each of which stops it, if denied; or which do not: see why_not. With
	 * by_descriptor those of opening the file are added, where it is not open before.
	 */
	unsigned int operations;
	int (*run)(struct target *target);	/* 0: it took effect; or a negative errno */
	/* Optional: before there is a rule, in the process that the one of run() is forked from. */
	int (*prepare)(struct target *target);
	unsigned int ways;		/* 0: ANY_PATH */
	unsigned int filesystems;	/* 0: COMMON */
	enum kind kind;
	int open_flags;			/* of descriptor(); has BEFORE if by_descriptor */
	bool by_descriptor;
	unsigned int of_entry;		/* operations on what is in the directory that it is */
	bool changes_directory;		/* in which the name is: a write to that, too */
	bool every_way;			/* always, not some of them: see ../bypass/ */
	bool own_process;		/* whose namespaces, credentials, ... it changes */
	bool unchanged;			/* the file is as before, other than after most writes */
	bool sets_time;			/* the file's, apart from what it does: attr would stop that */
	/* If not CONTROL: this is to become of it where write is denied and append allowed. */
	enum expectation append_only;
	int error;			/* when stopped; 0: EPERM */
	const char *why_not;		/* it is not stopped, for this reason */
	const char *(*missing)(void);	/* optional: why this kernel can't do it, or NULL */
};

#define TRY(name_, operations_, run_, ...) \
	{ .name = (name_), .operations = (operations_), .run = (run_), ## __VA_ARGS__ }

/* Tables end with an attempt without a name. */
extern const struct attempt reading[], writing[], appending[], executing[], naming[],
	attributes[], machinery[], ext4_calls[], btrfs_calls[], xfs_calls[], quotas[],
	nfs_calls[], passthrough_calls[], sockets[], devices[], before[],
	f2fs_calls[], disks[], ocfs2_calls[], bcachefs_calls[];

/* Make an image that the kernel can mount as bcachefs: whether it was made. */
bool bcachefs_make(const char *path);

/* Have this machine mount, by NFS, what is at @root on it: 0 or a negative errno. */
#define CLIENT_PATH	DIR_PATH "/nfs"
int nfs_serve(const char *root);
/* Ends that, if it was begun. */
void nfs_stop(void);

/* A name in a directory that no rule guards, on the same mount. Valid until 16 others are made. */
const char *scratch(const struct target *target, const char *name);
/* A copy of what a file of this kind has in it, there. */
const char *scratch_file(const struct target *target, const char *name, enum kind kind);

/* The directory that the file is in, and its name there. Valid until the next call. */
const char *directory_of(const struct target *target);
const char *name_of(const struct target *target);

/* The one opened before, or one that is opened now: negative errno. */
int descriptor(const struct target *target);
/* A path that leads to it. Valid until the next call. */
const char *proc_path(int fd);
/* Have that descriptor in the target, and a mapping of the file: 0 or a negative errno. */
int open_target(struct target *target);
int map_target(struct target *target, int prot, int flags);

/* Be root of a user namespace, with a mount namespace, too. */
void enter_user_namespace(void);

void make_file(const char *path, enum kind kind);
/* A static program, or a dynamic linker, of this code, which may be anywhere. */
/* The dynamic linker, and a shared library, of this very program: their paths are the architecture's. */
const char *loader(void);
const char *library(void);
void make_program_of(const char *path, const void *code, size_t size);
/* Whether this is what a new text begins with. */
bool is_text(const char *bytes);
/* Map what is in it as code; or map it, and have that be code then: 0 or a negative errno. */
int map_code(int fd);
int protect_code(int fd);
/* Write through a shared mapping, which is made writable if it is not: 0 or a negative errno. */
int write_mapped(int fd, int prot);
/* What it came to if somebody has read this: 0 or a negative errno; @size may be one. */
int judge_text(const char *bytes, long size);
/* For prepare(): the text in two pieces, the second of which is written first. */
int make_fragmented(struct target *target);
/* Have two texts share what is the same in them: 0 if all is, or a negative errno. */
int dedupe(int from, int to);
/* -1 with errno becomes -errno. */
long result(long ret);

/* Run a program by calling @exec in a child process: 0 if it returned RAN, or a negative errno. */
int run_program(int (*exec)(void *arg), void *arg);
int exec_path(void *path);		/* for run_program() */
int exec_by_loader(void *path);		/* likewise, of a dynamic program, by ld.so */

#ifdef __x86_64__
/* ioctl(2) by the system call of 32-bit programs, with a page that they can name: 0 or -errno. */
void *low_memory(void);
long ioctl_compat(int fd, unsigned int command, void *argument);
#endif
/*
 * A system call of a 32-bit program, made for it: 0 or -errno. It inherits @fd, the first argument;
 * @text is the second, or, with @vector, what the second describes. Flags are the sixth.
 */
#if defined(__x86_64__) || defined(__aarch64__)
#define HAVE_COMPAT_PROGRAM
int write_compat(int fd, const char *text, bool vector, unsigned int flags);
#endif
/* A child process crashes, with this in /proc/sys/kernel/core_pattern. */
void dump_core(const char *core_pattern);

/* One request, by an io_uring made for it. Returns what the request does: negative errno. */
struct io_uring_sqe;
int uring(const struct io_uring_sqe *request, unsigned int setup_flags);
/* Likewise, of a write, issued when a write(2) to something else ends, unless that takes too long. */
int uring_in_write(const struct io_uring_sqe *request);
/*
 * Have memory registered with an io_uring that processes have which are forked: its number, or a
 * negative errno. A request of that.
 */
int uring_register(void *memory, size_t size);
int uring_with(int number, const struct io_uring_sqe *request);
/* Likewise by aio: io_submit(2). */
struct iocb;
int aio(struct iocb *request);

/* A loop device for a descriptor, or a negative errno. It is gone after a read or a write. */
int loop_open(int fd);
/* One that stays, for a new text: the number. */
dev_t loop_make(const char *path);
int loop_read(int loop);		/* 0: a text */
/* The node of a disk, of which there are not many. */
void make_disk(const char *path);
long loop_write(int loop, const void *bytes, size_t size);

/* Whether an attempt of this name is to be tried: BYPASS_ONLY in the environment. */
bool bypass_selects(const char *name);

/* Run the tool; the case fails if that does. */
void guard(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guard_start(void);
void guard_stop(void);

#endif /* BYPASS_H */
