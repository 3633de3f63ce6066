/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the selftests share.
 *
 * A test program is one subject: a file of TEST() cases. Each case runs in a process of its own, in
 * a mount namespace of its own with an empty tmpfs at DIR, so that what it leaves behind goes with
 * it. After each case the module's own counters must be back to zero: what a case leaks fails it.
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

/* Where each case finds an empty directory that nobody else sees. It is the working directory. */
#define DIR_PATH	"/tmp/case"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);

/* The case that runs, for those that share a function. */
extern const struct test *test_current;

/* A program whose cases leave what nobody can take away any more. */
extern bool test_leaves;

/* What --table prints, if it is set. */
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

/* End the case. FAIL() works in child processes too, if CHILD_OK() is asked for how they ended. */
__attribute__((noreturn, format(printf, 3, 4)))
void test_fail(const char *file, int line, const char *format, ...);
/* SKIP() says why, in the line of the result: without that it is a failure. */
__attribute__((noreturn, format(printf, 1, 2)))
void test_skip(const char *format, ...);

#define FAIL(...)	test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...)	test_skip(__VA_ARGS__)

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			FAIL("%s (errno: %s)", #condition, strerror(errno)); \
	} while (0)

/* The two are integers; both are shown. */
#define CHECK_EQ(got, want)						\
	do {								\
		long long got_ = (got), want_ = (want);			\
									\
		if (got_ != want_)					\
			FAIL("%s is %lld, not %s (%lld)", #got, got_, #want, want_); \
	} while (0)

/* A call that returns 0 or more, or a negative errno, as libraries do. Gives the result. */
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

/* A system call, or libbpf's for one: negative with errno, or the result. */
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
/* Whether there is a module that has them. */
bool counts_try_read(struct counts *counts);
/* Whether this kernel is one with PREEMPT_RT. */
bool kernel_is_rt(void);
/* How many times slower this kernel is than the stock one (TEST_SLOWDOWN); stretches limits. */
unsigned int test_slowdown(void);

/* Wait up to ten seconds until the counters are these; fail when they don't become so. */
void counts_wait(unsigned int maps, unsigned int entries, unsigned int addons, unsigned int pinned);

/* Seconds, from a clock that nobody sets. */
double now(void);

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Write behind what is in @text, which has @size bytes. Fails the case where there is no room. */
__attribute__((format(printf, 3, 4)))
void text_append(char *text, size_t size, const char *format, ...);

/* Wait up to @seconds until @ready(@arg) is true. Returns whether it became so. */
bool wait_until(bool (*ready)(void *arg), void *arg, unsigned int seconds);

/* Maps. @key_size is 4 or 32. All but map_try_create() fail the case when they don't succeed. */
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
void file_write(const char *path, const char *text);
char *file_read(const char *path, char *buffer, size_t size);	/* without the end of line */
ino_t file_ino(const char *path);

/* Whether it can't be opened for reading, with EPERM. The other one is for wait_until(): the kernel
 * detaches in a worker what nobody holds any more. */
bool open_is_denied(const char *path);
bool open_is_allowed(void *path);

/* Where pins are by default, and a file system for those that nobody else sees. */
#define BPFFS_PATH	"/sys/fs/bpf"
void mount_bpffs(void);

/* Run a shell command; returns its exit status. */
__attribute__((format(printf, 1, 2)))
int sh(const char *format, ...);

/* Make a file system in a file (say "ext4", 32) on a loop device and mount it at @path, which is
 * made. Skips the case where the kernel does not have it. With @device, tells the loop device. */
void mount_image(const char *type, unsigned int megabytes, const char *path, char device[32]);
/* Make a subvolume of btrfs in a directory of it. */
void subvolume_make(const char *dir, const char *name);

/* An overlay at "m", whose upper layer is on an ext4 at "disk". Skips the case where there is none. */
void mount_overlay_on_ext4(void);

/* Thaw a file system that the case freezes, when it has ended. What is open now stays open as long. */
void thaw_at_the_end(const char *path);

void drop_caches(void);

/* Fork a process that runs @run(@arg) and exits. */
pid_t child_start(void (*run)(void *arg), void *arg);
/* Wait for it; fail the case unless it returned from @run. */
void child_wait(pid_t pid);
/* End one that goes on until then; fail the case if it has ended by itself. */
void child_kill(pid_t pid);

/* This process runs on that processor, of those that there are. */
void run_on_cpu(unsigned int cpu);

/* Make a cgroup at @path, below CGROUPS. Skips the case where there is no controller of memory. */
#define CGROUPS	"/sys/fs/cgroup"
void memory_cgroup_create(const char *path);

/*
 * Programs of a skeleton: open it, want some of them, set a map's id and whatever else they are to
 * know, load it, attach the programs, and do what makes them run.
 */
unsigned int map_id_of(int map);
/* The program @name, which must be there. It will be loaded. */
struct bpf_program *want_program(struct bpf_object *object, const char *name);
/* Load a skeleton. Skips the case where the kernel does not have what @name is attached to. */
void load_programs(struct bpf_object_skeleton *skeleton, const char *name);
struct bpf_link *attach_program(struct bpf_program *program);
/* To a clock of this process, by whose hard interrupts it runs. */
struct bpf_link *attach_to_clock(struct bpf_program *program);
/* All that are loaded. */
void attach_programs(struct bpf_object *object);

/* What makes one run. It meets the file "f", or the working directory. */
void trigger_open(struct bpf_program *program);
void trigger_lock(struct bpf_program *program);
void trigger_syscall(struct bpf_program *program);
void trigger_test_run(struct bpf_program *program);	/* of type syscall */

/* Not all kernels have all hooks, and there are some that no program can be attached to. */
bool lsm_has_hook(const struct bpf_program *program);	/* true for what is no LSM program */

/* A program that the verifier must refuse, and what it is to say, lest it be for another reason. */
struct refused {
	const char *name, *message;	/* "this|that": one of them */
};

/* Not all kernels refuse it. Where it is refused that must be for this reason. */
bool verifier_refuses(const void *object, size_t size, const struct refused *refused);

#define VERIFIER_REFUSES(skeleton, ...)					\
	({								\
		const struct refused refused_ = { __VA_ARGS__ };	\
		size_t size_;						\
		const void *object_ = skeleton##__elf_bytes(&size_);	\
									\
		verifier_refuses(object_, size_, &refused_);		\
	})

/* Fail the case unless each is refused, loaded alone from an object in which none is by itself. */
void verifier_must_refuse(const void *object, size_t size, const struct refused *refused,
			  unsigned int nr);

/* The same for an array of them and a skeleton. */
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
struct inode_map_key map_only_key(int map);		/* of a map that must have one entry */

#endif /* HARNESS_H */
