// SPDX-License-Identifier: GPL-2.0-only
/*
 * The examples in bpf/, run unchanged: they do what they say, fail closed where they say so, and
 * leave nothing behind when they are stopped.
 *
 * This file starts and stops them, and tests their command lines and errors. The other files test
 * one example each.
 */
#include <regex.h>
#include <sched.h>
#include <signal.h>

#include "examples.h"

/* Where the examples are. */
#define BIN_PATH	"/usr/sbin/"
/* Where their output goes; read_output() copies it to @out. */
#define OUTPUT		DIR_PATH "/output"

char out[65536];

char cgroup[64];

/* Cgroups, under unique names: an earlier run may have left some behind. */

void cgroup_create(void)
{
	snprintf(cgroup, sizeof(cgroup), CGROUP_ROOT "/examples-%d", getpid());
	if (mkdir(cgroup, 0755) && (errno == ENOENT || errno == EPERM))
		SKIP("there are no cgroups at " CGROUP_ROOT);
}

void cgroup_enter(const char *path)
{
	char procs[128], text[16];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	snprintf(text, sizeof(text), "%d", getpid());
	file_write(procs, text);
}

static bool cgroup_is_removed(void *path)
{
	return !rmdir(path) || errno == ENOENT;
}

void cgroup_remove(char *path)
{
	if (!wait_until(cgroup_is_removed, path, 10))
		FAIL("removing %s: %s", path, strerror(errno));
}

/* Running examples */

static void exec_example(void *arg)
{
	char **argv = arg, path[128];
	int fd = CHECK_SYS(open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK_SYS(dup2(fd, STDOUT_FILENO));
	CHECK_SYS(dup2(fd, STDERR_FILENO));
	snprintf(path, sizeof(path), BIN_PATH "%s", argv[0]);
	execv(path, argv);
	_exit(127);
}

static void read_output(void)
{
	int fd = file_open(OUTPUT, O_RDONLY);
	ssize_t size = CHECK_SYS(read(fd, out, sizeof(out) - 1));

	out[size] = 0;
	close(fd);
}

int exit_status(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t start(char **argv)
{
	return child_start(exec_example, argv);
}

/* Wait for @ready(@arg), which shows that the example is running. */
void wait_for(pid_t pid, bool (*ready)(void *arg), void *arg)
{
	if (wait_until(ready, arg, 60))
		return;
	kill(pid, SIGKILL);
	exit_status(pid);
	read_output();
	FAIL("it does not run: %s", out);
}

void stop(pid_t pid, int signal)
{
	int status;

	CHECK_SYS(kill(pid, signal));
	status = exit_status(pid);
	read_output();
	if (status)
		FAIL("stopped, it returned %d: %s", status, out);
}

void stop_silent(pid_t pid, int signal)
{
	stop(pid, signal);
	if (*out)
		FAIL("it printed: %s", out);
	counts_wait(0, 0, 0, 0);
}

/* Run an example that ends by itself. Returns its status; @out has its output. */
int run_to_end(char **argv)
{
	int status = exit_status(start(argv));

	read_output();
	return status;
}

unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

void check_matches(const char *text, const char *pattern)
{
	regex_t regex;

	CHECK(!regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE));
	if (regexec(&regex, text, 0, NULL, 0))
		FAIL("nothing matches /%s/ in: %s", pattern, text);
	regfree(&regex);
}

/* The example must fail and print one line with the reason. */
void check_fails(char **argv, const char *why)
{
	int status = run_to_end(argv);

	if (status != EXIT_FAILURE || count_lines(out) != 1 || !strstr(out, why))
		FAIL("%s: status %d, no \"%s\" alone in: %s", argv[0], status, why, out);
	if (strncmp(out, argv[0], strlen(argv[0])))
		FAIL("%s does not say who it is: %s", argv[0], out);
}

/* Open the running example's map. */
int map_by_name(const char *name)
{
	struct bpf_map_info info;
	__u32 id = 0, size;

	while (!bpf_map_get_next_id(id, &id)) {
		int map = bpf_map_get_fd_by_id(id);

		/* The map may just have gone. */
		if (map < 0)
			continue;
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		CHECK_SYS(bpf_obj_get_info_by_fd(map, &info, &size));
		if (!strcmp(info.name, name))
			return map;
		close(map);
	}
	FAIL("there is no map %s", name);
}

void map_clear(int map)
{
	struct inode_map_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		CHECK_SYS(bpf_map_delete_elem(map, &key));
}

/* Command lines */

static void check_usage(char **argv)
{
	int status = run_to_end(argv);

	if (status != 2 || !strstr(out, argv[0]))
		FAIL("%s: status %d, and not usage: %s", argv[0], status, out);
}

static void check_help(char *name)
{
	CHECK_EQ(run_to_end(ARGV(name, "--help")), 0);
	check_matches(out, "^Usage: ");
	check_matches(out, "^Exit status: ");
}

TEST(command_lines)
{
	check_help("allowlist_exec");
	check_help("tree_deny");
	check_help("tag_on_write");
	check_usage(ARGV("allowlist_exec"));
	check_usage(ARGV("allowlist_exec", "--no-such-option", "f"));
	check_usage(ARGV("tree_deny"));
	check_usage(ARGV("tag_on_write"));
	check_usage(ARGV("tag_on_write", "a", "b"));
	check_usage(ARGV("tag_on_write", "--dump", "a"));
}

TEST(errors)
{
	check_fails(ARGV("allowlist_exec", "none"), "cannot add none: no such file");
	check_fails(ARGV("allowlist_exec", "-c", "none", "/bin/true"), "cannot open none: No such");
	check_fails(ARGV("allowlist_exec", "-c", ".", "/bin/true"), ". is not a cgroup: ");
	check_fails(ARGV("tree_deny", ".", "none"), "cannot open none: No such file");
	check_fails(ARGV("tree_deny", "/bin/busybox"), "cannot open /bin/busybox: Not a directory");
	check_fails(ARGV("tag_on_write", "none"), "cannot open none: No such file");
	check_fails(ARGV("tag_on_write", "."), ". is not the directory of a cgroup");

	/* In another network namespace the device is out of sight, as without the module. */
	CHECK_SYS(unshare(CLONE_NEWNET));
	check_fails(ARGV("allowlist_exec", "/bin/true"), "is the inode_map module loaded?");
	check_fails(ARGV("tree_deny", "."), "is the inode_map module loaded?");
	check_fails(ARGV("tag_on_write", CGROUP_ROOT), "is the inode_map module loaded?");
}
