/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests share.
 *
 * A test program covers one subject: a file of TEST() cases. Each case runs in a process and a
 * mount namespace of its own, with an empty tmpfs at DIR_PATH, so that what it leaves behind goes
 * with it. After each case the module's own counters must be back to zero: a case that leaks fails.
 * Programs print TAP; they need root and the module.
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

/* Each case finds an empty, private directory here. It is the working directory. */
#define DIR_PATH	"/tmp/case"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);

/* The running case, for cases that share a function. */
extern const struct test *test_current;

/* Set by a program whose cases leave something that cannot be removed any more. */
extern bool test_leaves;

/* What --table prints, if set. */
extern void (*test_table)(void);

/* TEST(name) { ... }: a case. It passes when it returns. */
#define TEST(name)							\
	static void test_##name(void);					\
	__attribute__((constructor)) static void register_##name(void)	\
	{								\
		static struct test test = { #name, test_##name, NULL };	\
									\
		test_register(&test);					\
	}								\
	static void test_##name(void)

/* End the case. FAIL() works in child processes too, if CHILD_OK() checks how they ended. */
__attribute__((noreturn, format(printf, 3, 4)))
void test_fail(const char *file, int line, const char *format, ...);
/* SKIP() prints the reason in the result line. A case that skips without a reason fails. */
__attribute__((noreturn, format(printf, 1, 2)))
void test_skip(const char *format, ...);

#define FAIL(...)	test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...)	test_skip(__VA_ARGS__)

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			FAIL("%s (errno: %s)", #condition, strerror(errno)); \
	} while (0)

/* Both must be integers; both are printed. */
#define CHECK_EQ(got, want)						\
	do {								\
		long long got_ = (got), want_ = (want);			\
									\
		if (got_ != want_)					\
			FAIL("%s is %lld, not %s (%lld)", #got, got_, #want, want_); \
	} while (0)

/* A call that returns 0 or more, or a negative errno, as libraries do. Evaluates to the result. */
#define CHECK_OK(call)							\
	({								\
		long long ret_ = (call);				\
									\
		if (ret_ < 0)						\
			FAIL("%s: %s", #call, strerror(-ret_));		\
		ret_;							\
	})

/* A call that must fail with -@error. */
#define CHECK_ERR(call, error)						\
	do {								\
		long long ret_ = (call);				\
									\
		if (ret_ != -(error))					\
			FAIL("%s returned %lld (%s), not -%s", #call, ret_, \
			     ret_ < 0 ? strerror(-ret_) : "success", #error); \
	} while (0)

/* A system call, or a libbpf call with its convention: negative with errno set, or the result. */
#define CHECK_SYS(call)							\
	({								\
		long long ret_ = (call);				\
									\
		if (ret_ < 0)						\
			FAIL("%s: %s", #call, strerror(errno));		\
		ret_;							\
	})

/* The module's counters, from /proc/inode_map. */
struct counts {
	unsigned int maps;
	unsigned int entries;
	unsigned int addons;
	unsigned int pinned;
};

void counts_read(struct counts *counts);
/* Returns false when no module provides them. */
bool counts_try_read(struct counts *counts);
/* Whether this is a PREEMPT_RT kernel. */
bool kernel_is_rt(void);
/* How many times slower this kernel is than the stock one (TEST_SLOWDOWN); scales time limits. */
unsigned int test_slowdown(void);
/*
 * The time after which something hangs that takes @seconds at the most on a machine that has
 * nothing else to do: three times as long.
 */
unsigned int hang_limit(unsigned int seconds);
/* End this process by SIGALRM when it hangs, likewise. */
void time_limit(unsigned int seconds);

/* Wait up to ten seconds for the counters to reach these values; fail if they don't. */
void counts_wait(unsigned int maps, unsigned int entries, unsigned int addons, unsigned int pinned);

/* Seconds, from a clock that nobody sets. */
double now(void);

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Append to @text, a buffer of @size bytes. Fails the case when there is no room. */
__attribute__((format(printf, 3, 4)))
void text_append(char *text, size_t size, const char *format, ...);

/* Wait up to @seconds for @ready(@arg) to return true. Returns whether it did. */
bool wait_until(bool (*ready)(void *arg), void *arg, unsigned int seconds);

/* Maps. @key_size is 4 or 32. All but map_try_create() fail the case on error. */
int map_create(unsigned int key_size, unsigned int value_size, unsigned int max_entries);
int map_try_create(unsigned int type, unsigned int key_size, unsigned int value_size,
		   unsigned int max_entries, unsigned int flags);
int map_set(int map, int fd, unsigned int value);	/* 4-byte values, BPF_ANY, pinned */
unsigned int map_get(int map, int fd);
unsigned int map_count(int map);			/* by walking it */
bool map_has(int map, int fd);

/* Files. All return an open descriptor, or fail the case. */
int file_create(const char *path);			/* with one line in it, open for reading */
int file_open(const char *path, int flags);
/* Open the new files "f0", "f1" and so on: descriptors that follow each other, from this on. */
int files_create(unsigned int count);
void file_write(const char *path, const char *text);
char *file_read(const char *path, char *buffer, size_t size);	/* without the newline */
#define TRACEFS_DIR	"/sys/kernel/tracing"
/* @flags: of open(2), besides O_WRONLY */
void trace_write(const char *file, const char *text, int flags);
ino_t file_ino(const char *path);

/*
 * Whether open(2) for reading fails with EPERM. open_is_allowed() is for wait_until(): the kernel
 * detaches an unreferenced program in a worker.
 */
bool open_is_denied(const char *path);
bool open_is_allowed(void *path);

/* Where pins are by default; mount_bpffs() mounts a private file system there. */
#define BPFFS_PATH	"/sys/fs/bpf"
void mount_bpffs(void);

/* Run a shell command; returns its exit status. */
__attribute__((format(printf, 1, 2)))
int sh(const char *format, ...);

/*
 * Make a file system (say "ext4", 32) on a loop device and mount it at @path, which is created.
 * Skips the case if the kernel does not support it. @device receives the loop device, unless NULL.
 */
void mount_image(const char *type, unsigned int megabytes, const char *path, char device[32]);
/* Unmount @path, unless it is busy: for wait_until(). */
bool umount_succeeds(void *path);
/* Make a btrfs subvolume in @dir. */
void subvolume_make(const char *dir, const char *name);

/* Mount an overlay at "m", upper layer on an ext4 at "disk". Skips the case without support. */
void mount_overlay_on_ext4(void);

/* Thaw @path after the case. The child that does so keeps what is open now open until then. */
void thaw_at_the_end(const char *path);

void drop_caches(void);

/* Fork a process that runs @run(@arg) and exits. */
pid_t child_start(void (*run)(void *arg), void *arg);
/* Wait for it; fail the case unless it returned from @run. */
void child_wait(pid_t pid);
/* Kill a child that runs until then; fail the case if it has ended by itself. */
void child_kill(pid_t pid);

/* Pin this process to a processor: @cpu modulo the number of processors. */
void run_on_cpu(unsigned int cpu);

/* Make a cgroup at @path, below CGROUPS. Skips the case without a memory controller. */
#define CGROUPS	"/sys/fs/cgroup"
void memory_cgroup_create(const char *path);

/*
 * Programs of a skeleton: open it, select some of its programs, set a map's id and their other
 * parameters, load it, attach the programs, and trigger them.
 */
unsigned int map_id_of(int map);
/* Select the program @name, which must exist, to be loaded. */
struct bpf_program *want_program(struct bpf_object *object, const char *name);
/* Load a skeleton. Skips the case if the kernel lacks what @name attaches to. */
void load_programs(struct bpf_object_skeleton *skeleton, const char *name);
struct bpf_link *attach_program(struct bpf_program *program);
/* Attach to a clock of this process, so that the program runs in its hard interrupts. */
struct bpf_link *attach_to_clock(struct bpf_program *program);
/* Attach all that are loaded. */
void attach_programs(struct bpf_object *object);

/* Make a program run once. It sees the file "f", or the working directory. */
void trigger_open(struct bpf_program *program);
void trigger_lock(struct bpf_program *program);
void trigger_syscall(struct bpf_program *program);
void trigger_test_run(struct bpf_program *program);	/* of type syscall */

/* Kernels differ in their hooks, and some hooks accept no program. */
bool lsm_has_hook(const struct bpf_program *program);	/* true for a program that is not LSM */

/* A program that the verifier must refuse, and the message that identifies the reason. */
struct refused {
	const char *name, *message;	/* "this|that": either one */
};

/* Not all kernels refuse it. A kernel that does must do so for this reason. */
bool verifier_refuses(const void *object, size_t size, const struct refused *refused);

#define VERIFIER_REFUSES(skeleton, ...)					\
	({								\
		const struct refused refused_ = { __VA_ARGS__ };	\
		size_t size_;						\
		const void *object_ = skeleton##__elf_bytes(&size_);	\
									\
		verifier_refuses(object_, size_, &refused_);		\
	})

/* Fail the case unless each is refused when loaded alone. The object must not autoload programs. */
void verifier_must_refuse(const void *object, size_t size, const struct refused *refused,
			  unsigned int nr);

/* The same for an array and a skeleton. */
#define CHECK_VERIFIER_REFUSES(skeleton, refused)			\
	do {								\
		size_t size_;						\
		const void *object_ = skeleton##__elf_bytes(&size_);	\
									\
		verifier_must_refuse(object_, size_, refused, ARRAY_SIZE(refused)); \
	} while (0)

/* 32-byte keys. FOR_EACH_LIFETIME(flags) { ... }: once for pinned entries, once for weak ones. */
#define FOR_EACH_LIFETIME(flags) \
	for (__u32 flags = 0; flags <= INODE_MAP_WEAK; flags += INODE_MAP_WEAK)

void map_put(int map, int fd, unsigned int value, __u32 key_flags);	/* 4-byte values, BPF_ANY */
bool map_has_path(int map, const char *path);
bool map_is_empty(void *map);				/* of an int *: for wait_until() */
struct inode_map_key map_only_key(int map);		/* of a map with exactly one entry */

#endif /* HARNESS_H */
