// SPDX-License-Identifier: GPL-2.0-only
/*
 * tree_deny, in C and in Python: what can be opened, and that it denies what it can't determine.
 */
#include <sched.h>
#include <signal.h>

#include "bpf/tree_deny.skel.h"
#include "examples.h"

/* Returns 0, or the errno of open(2). */
int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static bool is_denied(void *path)
{
	return try_open(path, O_RDONLY) == EPERM;
}

TEST(tree_deny)
{
	char content[16];
	pid_t pid;
	int fd;

	CHECK_EQ(sh("mkdir -p d/sub/deep d2 o b d/m"), 0);
	CHECK_EQ(sh("for f in d/f d/sub/deep/f d2/f o/f; do echo content >$f; done"), 0);
	copy_tool("d/tool");
	CHECK_SYS(link("d/f", "o/link"));
	CHECK_SYS(mount("d/sub", "b", NULL, MS_BIND, NULL));
	CHECK_SYS(mount("m", "d/m", "tmpfs", 0, NULL));
	close(file_create("d/m/f"));
	fd = file_open("d/f", O_RDONLY);

	pid = start(ARGV("tree_deny", "d", "d2"));
	wait_for(pid, is_denied, "d/f");
	counts_wait(1, 2, 2, 2);
	CHECK_EQ(try_open("d/f", O_WRONLY), EPERM);
	CHECK_EQ(try_open("d/f", O_PATH), 0);
	CHECK_EQ(try_open("d", O_RDONLY | O_DIRECTORY), EPERM);
	CHECK_EQ(try_open("d/sub", O_RDONLY | O_DIRECTORY), EPERM);
	CHECK_EQ(try_open("d/sub/deep/f", O_RDONLY), EPERM);
	CHECK_EQ(try_open("d2/f", O_RDONLY), EPERM);
	CHECK_EQ(try_open("d2/new", O_WRONLY | O_CREAT), EPERM);
	CHECK_SYS(unlink("d2/new"));
	CHECK_SYS(truncate("d2/f", 0));
	CHECK_EQ(try_exec(NULL, ARGV("d/tool")), EPERM);
	CHECK_EQ(try_open("o/f", O_RDWR), 0);
	CHECK_EQ(try_open("o", O_RDONLY | O_DIRECTORY), 0);
	CHECK_EQ(try_open(".", O_RDONLY | O_DIRECTORY), 0);
	CHECK_EQ(read(fd, content, sizeof(content)), strlen("content\n"));
	close(fd);

	/* Mounts and links */
	CHECK_EQ(try_open("b", O_RDONLY | O_DIRECTORY), EPERM);
	CHECK_EQ(try_open("b/deep/f", O_RDONLY), EPERM);
	CHECK_EQ(try_open("d/m/f", O_RDONLY), 0);
	CHECK_EQ(try_open("o/link", O_RDONLY), 0);

	/* Renames, of files and of the directory */
	CHECK_SYS(rename("o/f", "d/moved"));
	CHECK_EQ(try_open("d/moved", O_RDONLY), EPERM);
	CHECK_SYS(rename("d/sub/deep", "o/deep"));
	CHECK_EQ(try_open("o/deep/f", O_RDONLY), 0);
	CHECK_SYS(rename("o/deep", "d/sub/deep"));
	CHECK_EQ(try_open("d/sub/deep/f", O_RDONLY), EPERM);
	CHECK_SYS(rename("d2", "e"));
	CHECK_EQ(try_open("e/f", O_RDONLY), EPERM);
	CHECK_SYS(mkdir("d2", 0755));
	CHECK_EQ(try_open("d2/new", O_WRONLY | O_CREAT), 0);

	stop_silent(pid, SIGINT);
	CHECK_EQ(try_open("d/f", O_RDONLY), 0);
	CHECK_EQ(try_open("e/f", O_RDONLY), 0);
}

/* Make a chain of nested directories and change to the last one. */
static void enter_deep(unsigned int depth)
{
	while (depth--) {
		CHECK_SYS(mkdir("d", 0755));
		CHECK_SYS(chdir("d"));
	}
}

/* A file can't be opened if the program can't tell whether an ancestor is in the map. */
TEST(tree_deny_too_deep)
{
	pid_t pid;

	CHECK_SYS(mkdir("denied", 0755));
	enter_deep(1000);
	close(file_create("f"));
	enter_deep(1100);
	close(file_create("f"));
	pid = start(ARGV("tree_deny", DIR_PATH "/denied"));
	wait_for(pid, is_denied, DIR_PATH "/denied");
	CHECK_EQ(try_open("f", O_RDONLY), EPERM);
	for (unsigned int i = 0; i < 1100; i++)
		CHECK_SYS(chdir(".."));
	CHECK_EQ(try_open("f", O_RDONLY), 0);
	CHECK_SYS(chdir(DIR_PATH));
	stop_silent(pid, SIGTERM);
}

TEST(tree_deny_no_map)
{
	struct tree_deny *programs = tree_deny__open();
	int error;

	close(file_create("f"));
	CHECK(programs);
	programs->rodata->denied_id = 1U << 30;
	CHECK_OK(tree_deny__load(programs));
	CHECK_OK(tree_deny__attach(programs));
	error = try_open("f", O_RDONLY);
	tree_deny__destroy(programs);
	CHECK_EQ(error, EPERM);
	CHECK_EQ(try_open("f", O_RDONLY), 0);
}

/* The same program, with a loader in another language. */
TEST(tree_deny_in_python)
{
	char *object = "/root/tree_deny.bpf.o";
	pid_t pid;

	if (access("/usr/bin/python3", X_OK))
		SKIP("there is no Python");
	CHECK_EQ(sh("mkdir -p d/sub d2; touch d/sub/f d2/f f"), 0);
	pid = start(ARGV("tree_deny.py", object, "d", "d2"));
	wait_for(pid, is_denied, "d/sub/f");
	counts_wait(1, 2, 2, 2);
	CHECK_EQ(try_open("d2/f", O_RDONLY), EPERM);
	CHECK_EQ(try_open("f", O_RDONLY), 0);
	stop_silent(pid, SIGTERM);
	CHECK_EQ(try_open("d/sub/f", O_RDONLY), 0);

	check_fails(ARGV("tree_deny.py", object, "none"), "cannot open none: No such file");
	CHECK_SYS(unshare(CLONE_NEWNET));
	check_fails(ARGV("tree_deny.py", object, "d"), "is the inode_map module loaded?");
}
