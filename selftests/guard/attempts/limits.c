// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Limits of a rule, other than by an attempt on its file: the manual names them, and this file
 * shows them. Run by ../bypass_subject.c, with the guard started.
 */
#include "bypass.h"
#include "subject.h"

#include <elf.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>

#define TREE		"tree"
#define DENY_TREE	"deny --ops read --tree " TREE

static int read_and_close(int fd)
{
	int err = read_next(fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int read_file(const char *path)
{
	return read_and_close(result(open(path, O_RDONLY | O_CLOEXEC)));
}

/* The rule must deny @denied, and not @open_path. */
static int only_denied(const char *denied, const char *open_path)
{
	if (read_file(denied) != -EPERM)
		return -ENOTRECOVERABLE;
	return read_file(open_path);
}

static void make_tree(void)
{
	CHECK_SYS(mkdir(TREE, 0755));
	make_file(TREE "/file", TEXT);
}

static int try_other_name(void)
{
	make_tree();
	CHECK_SYS(link(TREE "/file", "outside"));
	guard(DENY_TREE);
	return only_denied(TREE "/file", "outside");
}

static int try_moved_out(void)
{
	make_tree();
	guard(DENY_TREE);
	CHECK_EQ(read_file(TREE "/file"), -EPERM);
	CHECK_SYS(rename(TREE "/file", "outside"));
	return read_file("outside");
}

static int try_mount_below(void)
{
	make_tree();
	CHECK_SYS(mkdir(TREE "/below", 0755));
	CHECK_SYS(mount("below", TREE "/below", "tmpfs", 0, NULL));
	make_file(TREE "/below/file", TEXT);
	guard(DENY_TREE);
	return only_denied(TREE "/file", TREE "/below/file");
}

/* A bind mount in the tree does not put its files below the tree's inode. */
static int try_bind_below(void)
{
	make_tree();
	CHECK_SYS(mkdir(TREE "/below", 0755));
	CHECK_SYS(mkdir("elsewhere", 0755));
	make_file("elsewhere/file", TEXT);
	CHECK_SYS(mount("elsewhere", TREE "/below", NULL, MS_BIND, NULL));
	guard(DENY_TREE);
	return only_denied(TREE "/file", TREE "/below/file");
}

static int try_overlay(void)
{
	CHECK_SYS(mkdir("lower", 0755));
	CHECK_SYS(mkdir("upper", 0755));
	CHECK_SYS(mkdir("work", 0755));
	CHECK_SYS(mkdir("merged", 0755));
	make_file("lower/file", TEXT);
	CHECK_SYS(mount("overlay", "merged", "overlay", 0,
			"lowerdir=lower,upperdir=upper,workdir=work"));
	guard("deny --ops read merged/file");
	return only_denied("merged/file", "lower/file");
}

static int try_mounted_again(void)
{
	CHECK_EQ(sh("truncate -s 8M image && mkfs.ext4 -q image && mkdir mounted"), 0);
	CHECK_EQ(sh("mount -o loop image mounted"), 0);
	make_file("mounted/file", TEXT);
	guard("deny --ops read mounted/file");
	CHECK_EQ(read_file("mounted/file"), -EPERM);
	CHECK_SYS(umount("mounted"));
	CHECK_EQ(sh("mount -o loop image mounted"), 0);
	return read_file("mounted/file");
}

/* Open a handle taken while the name was known, after all names are dropped from memory. */
static int open_cold(const char *directory, const char *path, bool deny)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} any = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int id, fd, mount_fd;

	CHECK_EQ(sh("truncate -s 8M image && mkfs.ext4 -q image && mkdir mounted"), 0);
	CHECK_EQ(sh("mount -o loop image mounted"), 0);
	CHECK_EQ(sh("mkdir mounted/tree mounted/other"), 0);
	make_file(path, TEXT);
	CHECK_SYS(name_to_handle_at(AT_FDCWD, path, &any.handle, &id, 0));
	if (deny)
		guard("deny --ops read --tree %s", directory);
	mount_fd = file_open("mounted", O_RDONLY);
	drop_caches();
	fd = result(open_by_handle_at(mount_fd, &any.handle, O_RDONLY | O_CLOEXEC));
	close(mount_fd);
	return read_and_close(fd);
}

static int try_cold_control(void)
{
	return open_cold("mounted/tree", "mounted/tree/file", false);
}

static int try_cold(void)
{
	return open_cold("mounted/tree", "mounted/tree/file", true);
}

static int try_cold_other(void)
{
	return open_cold("mounted/tree", "mounted/other/file", true);
}

/* A tracer that was attached before the rule keeps full control of the process. */
static int try_traced_before(void)
{
	static char registers[1024];
	struct iovec all = { registers, sizeof(registers) };
	int status, err;
	pid_t pid;

	make_file(SECRET, TEXT);
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		setenv("ACT", "pause", 1);
		execl(ALLOWED, ALLOWED, NULL);
		_exit(errno);
	}
	CHECK_SYS(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	guard("deny --ops read --only-for " ALLOWED " " SECRET);
	CHECK_SYS(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	CHECK_SYS(waitpid(pid, &status, 0));
	err = result(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

/* The interpreter may read the file, so every script may: the executable is the same. */
static int try_interpreter(void)
{
	make_file("file", TEXT);
	guard("deny --ops read --only-for /bin/busybox file");
	if (read_file("file") != -EPERM)
		return -ENOTRECOVERABLE;
	file_write("script",
		   "read -r line <file && case $line in secret*) exit 0 ;; esac; exit 1\n");
	return sh("busybox sh ./script 2>/dev/null") ? -EPERM : 0;
}

static bool is_open(void *path)
{
	return !read_file(path);
}

static int try_unpin(void)
{
	make_file("file", TEXT);
	guard("deny --ops read file");
	CHECK_EQ(read_file("file"), -EPERM);
	CHECK_EQ(sh("rm -r /sys/fs/bpf/inode-guard"), 0);
	/* The kernel frees each program after several grace periods, long ones on PREEMPT_RT. */
	return wait_until(is_open, "file", 60) ? 0 : -EPERM;
}

const struct subject_attempt limits[] = {
	{ .name = "open_by_handle_at(2) when names are not in memory, without a rule",
	  .run = try_cold_control, .may = true },
	{ .name = "a tree: open_by_handle_at(2) when the file's name is not in memory",
	  .run = try_cold },
	/* The guard can't tell that the file is not in the tree. */
	{ .name = "a tree: open_by_handle_at(2) of a file elsewhere, its name not in memory",
	  .run = try_cold_other },
	{ .name = "a tree: another name of a file in it, outside of it",
	  .run = try_other_name, .may = true,
	  .why_not = "a file is in the tree by the name that it is reached by; deny link, so that "
		"no such names are made" },
	{ .name = "a tree: a file that was moved out of it",
	  .run = try_moved_out, .may = true,
	  .why_not = "it is no longer in the tree; deny rename for the tree" },
	{ .name = "a tree: a filesystem mounted below it",
	  .run = try_mount_below, .may = true,
	  .why_not = "a tree is in one filesystem; make a rule for the mounted one as well" },
	{ .name = "a tree: a directory bound below it",
	  .run = try_bind_below, .may = true,
	  .why_not = "the directory is where it is in its filesystem, not where it is mounted" },
	{ .name = "overlayfs: the file below, where the rule is for the overlay's",
	  .run = try_overlay, .may = true,
	  .why_not = "they are two inodes; make the rule for the file in the layer below" },
	{ .name = "a filesystem that was unmounted and is mounted again",
	  .run = try_mounted_again, .may = true,
	  .why_not = "its inodes are others to the kernel; apply the rules again when it is "
		"mounted" },
	{ .name = "a tracer of the allowed program's process that was there before the rule",
	  .run = try_traced_before, .may = true,
	  .why_not = "it was permitted to trace when it began; start the program after the rule" },
	{ .name = "a script of an interpreter that may",
	  .run = try_interpreter, .may = true,
	  .why_not = "what runs is the interpreter, whatever its script says: do not name one" },
	/* Last, because it ends the guard. */
	{ .name = "removing what the guard has in /sys/fs/bpf",
	  .run = try_unpin, .may = true,
	  .why_not = "the guard is not safe from those who may stop it: root, and who may load BPF "
		"programs or modules" },
	{ }
};
