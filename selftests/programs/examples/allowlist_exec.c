// SPDX-License-Identifier: GPL-2.0-only
/*
 * allowlist_exec: who can execute what, and that nothing can be executed without a list.
 */
#include <signal.h>
#include <sys/mman.h>

#include "bpf/allowlist_exec.skel.h"
#include "examples.h"

void copy_tool(const char *path)
{
	CHECK_EQ(sh("cp /bin/busybox '%s'", path), 0);
}

/* Execute a file, in the cgroup @in if not NULL. Returns execve(2)'s errno or the exit status. */
int try_exec(const char *in, char **argv)
{
	pid_t pid = CHECK_SYS(fork());

	if (pid)
		return exit_status(pid);
	if (in)
		cgroup_enter(in);
	execv(argv[0], argv);
	_exit(errno);
}

/* A copy of busybox can be any tool: here its first argument makes it a shell. */
static int try_tool(const char *in, const char *path)
{
	pid_t pid = CHECK_SYS(fork());

	if (pid)
		return exit_status(pid);
	if (in)
		cgroup_enter(in);
	execl(path, "sh", "-c", "exit " RAN_TEXT, NULL);
	_exit(errno);
}

static bool other_is_denied(void *in)
{
	return try_tool(in, "other") == EPERM;
}

static int try_memfd(const char *in, const char *path)
{
	int fd = CHECK_SYS(memfd_create("tool", 0));
	char copy[64];

	snprintf(copy, sizeof(copy), "/proc/%d/fd/%d", getpid(), fd);
	CHECK_EQ(sh("cat '%s' >%s", path, copy), 0);
	return try_tool(in, copy);
}

TEST(allowlist_exec)
{
	char below[80];
	pid_t pid;

	cgroup_create();
	snprintf(below, sizeof(below), "%s/below", cgroup);
	CHECK_SYS(mkdir(below, 0755));
	copy_tool("tool");
	copy_tool("tool2");
	copy_tool("other");
	CHECK_EQ(try_tool(cgroup, "other"), RAN);

	pid = start(ARGV("allowlist_exec", "--cgroup", cgroup, "tool", "tool2"));
	wait_for(pid, other_is_denied, cgroup);
	counts_wait(1, 2, 2, 2);
	CHECK_EQ(try_tool(cgroup, "tool"), RAN);
	CHECK_EQ(try_tool(cgroup, "tool2"), RAN);
	CHECK_EQ(try_tool(cgroup, "/bin/busybox"), EPERM);
	CHECK_EQ(try_tool(below, "tool"), RAN);
	CHECK_EQ(try_tool(below, "other"), EPERM);
	CHECK_EQ(try_memfd(cgroup, "tool"), EPERM);
	/* Outside of the cgroup nothing changes. */
	CHECK_EQ(try_tool(NULL, "other"), RAN);
	CHECK_EQ(try_tool(CGROUP_ROOT, "other"), RAN);

	/* The list has the file: under any path, and whatever its contents. */
	CHECK_SYS(link("tool", "link"));
	CHECK_EQ(try_tool(cgroup, "link"), RAN);
	CHECK_SYS(rename("tool", "renamed"));
	CHECK_EQ(try_tool(cgroup, "renamed"), RAN);
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mount(".", "d", NULL, MS_BIND, NULL));
	CHECK_EQ(try_tool(cgroup, "d/renamed"), RAN);
	CHECK_EQ(sh("echo more >>renamed"), 0);
	CHECK_EQ(try_tool(cgroup, "renamed"), RAN);

	/* A new file of the same name, or one renamed over it, is another file. */
	copy_tool("tool");
	CHECK_EQ(try_tool(cgroup, "tool"), EPERM);
	CHECK_SYS(rename("other", "tool2"));
	CHECK_EQ(try_tool(cgroup, "tool2"), EPERM);
	counts_wait(1, 1, 1, 1);
	CHECK_SYS(umount("d"));

	stop_silent(pid, SIGINT);
	CHECK_EQ(try_tool(cgroup, "tool2"), RAN);
	cgroup_remove(below);
	cgroup_remove(cgroup);
}

TEST(allowlist_exec_everybody)
{
	pid_t pid;

	copy_tool("tool");
	copy_tool("other");
	pid = start(ARGV("allowlist_exec", "tool"));
	wait_for(pid, other_is_denied, NULL);
	CHECK_EQ(try_tool(NULL, "tool"), RAN);
	CHECK_EQ(try_tool(NULL, "/bin/busybox"), EPERM);
	stop_silent(pid, SIGTERM);
	CHECK_EQ(try_tool(NULL, "other"), RAN);
}

/* A script needs its interpreter in the list, and an interpreter accepts any script. */
TEST(allowlist_exec_scripts)
{
	char **script = ARGV(DIR_PATH "/script"), **nested = ARGV(DIR_PATH "/nested");
	char **by_interpreter = ARGV("/bin/dash", "script");
	pid_t pid;

	cgroup_create();
	copy_tool("other");
	file_write("script", "#!/bin/dash\nexit " RAN_TEXT "\n");
	file_write("nested", "#!" DIR_PATH "/script\n");
	CHECK_SYS(chmod("script", 0755));
	CHECK_SYS(chmod("nested", 0755));
	CHECK_EQ(try_exec(cgroup, nested), RAN);

	pid = start(ARGV("allowlist_exec", "-c", cgroup, "script"));
	wait_for(pid, other_is_denied, cgroup);
	CHECK_EQ(try_exec(cgroup, script), EPERM);
	CHECK_EQ(try_exec(cgroup, by_interpreter), EPERM);
	stop_silent(pid, SIGINT);

	/* dash is linked dynamically: the list has neither the linker nor the libraries. */
	pid = start(ARGV("allowlist_exec", "-c", cgroup, "/bin/dash"));
	wait_for(pid, other_is_denied, cgroup);
	CHECK_EQ(try_exec(cgroup, script), EPERM);
	CHECK_EQ(try_exec(cgroup, by_interpreter), RAN);
	stop_silent(pid, SIGINT);

	pid = start(ARGV("allowlist_exec", "-c", cgroup, "/bin/dash", "nested"));
	wait_for(pid, other_is_denied, cgroup);
	CHECK_EQ(try_exec(cgroup, script), EPERM);
	CHECK_EQ(try_exec(cgroup, nested), EPERM);
	stop_silent(pid, SIGINT);

	pid = start(ARGV("allowlist_exec", "-c", cgroup, "/bin/dash", "script", "nested"));
	wait_for(pid, other_is_denied, cgroup);
	CHECK_EQ(try_exec(cgroup, script), RAN);
	CHECK_EQ(try_exec(cgroup, nested), RAN);
	stop_silent(pid, SIGINT);
	cgroup_remove(cgroup);
}

TEST(allowlist_exec_empty_map)
{
	pid_t pid;
	int map;

	cgroup_create();
	copy_tool("tool");
	copy_tool("other");
	pid = start(ARGV("allowlist_exec", "-c", cgroup, "tool"));
	wait_for(pid, other_is_denied, cgroup);
	CHECK_EQ(try_tool(cgroup, "tool"), RAN);
	map = map_by_name("allowed");
	map_clear(map);
	CHECK_EQ(try_tool(cgroup, "tool"), EPERM);
	close(map);
	stop_silent(pid, SIGINT);
	cgroup_remove(cgroup);
}

/* An id without a map, and no cgroup to compare with: everything is denied. */
TEST(allowlist_exec_no_map)
{
	struct allowlist_exec *programs = allowlist_exec__open();
	__u32 index = 0;
	int fd;

	cgroup_create();
	copy_tool("tool");
	CHECK(programs);
	programs->rodata->allowed_id = 1U << 30;
	programs->rodata->one_cgroup = true;
	CHECK_OK(allowlist_exec__load(programs));
	fd = file_open(cgroup, O_RDONLY);
	CHECK_SYS(bpf_map_update_elem(bpf_map__fd(programs->maps.cgroups), &index, &fd, BPF_ANY));
	CHECK_OK(allowlist_exec__attach(programs));
	CHECK_EQ(try_tool(cgroup, "tool"), EPERM);
	CHECK_EQ(try_tool(NULL, "tool"), RAN);
	CHECK_SYS(bpf_map_delete_elem(bpf_map__fd(programs->maps.cgroups), &index));
	CHECK_EQ(try_tool(NULL, "tool"), EPERM);
	allowlist_exec__destroy(programs);
	CHECK_EQ(try_tool(NULL, "tool"), RAN);
	close(fd);
	cgroup_remove(cgroup);
}
