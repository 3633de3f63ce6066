// SPDX-License-Identifier: GPL-2.0
/*
 * The examples in bpf/, run as they are: that they do what they say, that they fail closed where
 * they say so, and that nothing of them stays when they are stopped.
 */
#include "harness.h"

#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "bpf/allowlist_exec.skel.h"
#include "bpf/tree_deny.skel.h"

/* Where the examples are. */
#define BIN_PATH	"/usr/sbin/"
/* What they print, and it once it was read. */
#define OUTPUT		DIR_PATH "/output"
static char out[65536];

/* What the programs that are executed here return: nobody else does. */
#define RAN		42
#define RAN_TEXT	"42"

#define CGROUP_ROOT	"/sys/fs/cgroup"
static char cgroup[64];

/* Cgroups. They have names that no earlier run left behind, in which they would stay. */

static void cgroup_create(void)
{
	snprintf(cgroup, sizeof(cgroup), CGROUP_ROOT "/examples-%d", getpid());
	if (mkdir(cgroup, 0755) && (errno == ENOENT || errno == EPERM))
		SKIP("there are no cgroups at " CGROUP_ROOT);
}

static void cgroup_enter(const char *path)
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

static void cgroup_remove(char *path)
{
	if (!wait_until(cgroup_is_removed, path, 10))
		FAIL("removing %s: %s", path, strerror(errno));
}

/* Examples that run */

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

static int exit_status(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t start(char **argv)
{
	return child_start(exec_example, argv);
}

#define ARGV(...)	((char *[]){ __VA_ARGS__, NULL })

/* It has been found to be running when @ready(@arg). */
static void wait_for(pid_t pid, bool (*ready)(void *arg), void *arg)
{
	if (wait_until(ready, arg, 60))
		return;
	kill(pid, SIGKILL);
	exit_status(pid);
	read_output();
	FAIL("it does not run: %s", out);
}

static void stop(pid_t pid, int signal)
{
	int status;

	CHECK_SYS(kill(pid, signal));
	status = exit_status(pid);
	read_output();
	if (status)
		FAIL("stopped, it returned %d: %s", status, out);
}

static void stop_silent(pid_t pid, int signal)
{
	stop(pid, signal);
	if (*out)
		FAIL("it printed: %s", out);
	counts_wait(0, 0, 0, 0);
}

/* Run one that comes to an end by itself. Returns its status, leaves @out. */
static int run_to_end(char **argv)
{
	int status = exit_status(start(argv));

	read_output();
	return status;
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void check_matches(const char *text, const char *pattern)
{
	regex_t regex;

	CHECK(!regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE));
	if (regexec(&regex, text, 0, NULL, 0))
		FAIL("nothing matches /%s/ in: %s", pattern, text);
	regfree(&regex);
}

/* It must fail, with one line that says why. */
static void check_fails(char **argv, const char *why)
{
	int status = run_to_end(argv);

	if (status != EXIT_FAILURE || count_lines(out) != 1 || !strstr(out, why))
		FAIL("%s: status %d, no \"%s\" alone in: %s", argv[0], status, why, out);
	if (strncmp(out, argv[0], strlen(argv[0])))
		FAIL("%s does not say who it is: %s", argv[0], out);
}

/* The map of the one that runs, from user space. */
static int map_by_name(const char *name)
{
	struct bpf_map_info info;
	__u32 id = 0, size;

	while (!bpf_map_get_next_id(id, &id)) {
		int map = bpf_map_get_fd_by_id(id);

		/* It may just have gone. */
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

static void map_clear(int map)
{
	struct inode_map_key key;

	while (!bpf_map_get_next_key(map, NULL, &key))
		CHECK_SYS(bpf_map_delete_elem(map, &key));
}

/* allowlist_exec */

static void copy_tool(const char *path)
{
	CHECK_EQ(sh("cp /bin/busybox '%s'", path), 0);
}

/* Execute a file; what execve(2) returned, or what the program did. In the cgroup, if there is. */
static int try_exec(const char *in, char **argv)
{
	pid_t pid = CHECK_SYS(fork());

	if (pid)
		return exit_status(pid);
	if (in)
		cgroup_enter(in);
	execv(argv[0], argv);
	_exit(errno);
}

/* A copy of busybox can be a shell; it goes by its first argument. */
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
	/* Elsewhere nothing changes. */
	CHECK_EQ(try_tool(NULL, "other"), RAN);
	CHECK_EQ(try_tool(CGROUP_ROOT, "other"), RAN);

	/* The file, whatever path leads to it and whatever is in it. */
	CHECK_SYS(link("tool", "link"));
	CHECK_EQ(try_tool(cgroup, "link"), RAN);
	CHECK_SYS(rename("tool", "renamed"));
	CHECK_EQ(try_tool(cgroup, "renamed"), RAN);
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mount(".", "d", NULL, MS_BIND, NULL));
	CHECK_EQ(try_tool(cgroup, "d/renamed"), RAN);
	CHECK_EQ(sh("echo more >>renamed"), 0);
	CHECK_EQ(try_tool(cgroup, "renamed"), RAN);

	/* What takes its name, or is put in its place, is another file. */
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

/* A script wants its interpreter allowed, and an interpreter can be told to read any script. */
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

	/* dash is linked dynamically: the linker and the libraries are not in the map. */
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

/* An id that names no map, and no cgroup to compare with: all is denied. */
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

/* tree_deny */

/* 0, or why it could not be opened. */
static int try_open(const char *path, int flags)
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

	/* Mounts and links. */
	CHECK_EQ(try_open("b", O_RDONLY | O_DIRECTORY), EPERM);
	CHECK_EQ(try_open("b/deep/f", O_RDONLY), EPERM);
	CHECK_EQ(try_open("d/m/f", O_RDONLY), 0);
	CHECK_EQ(try_open("o/link", O_RDONLY), 0);

	/* Renames, of files and of the directory. */
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

/* Make directories in one another and change to the last one, which is far from the first. */
static void enter_deep(unsigned int depth)
{
	while (depth--) {
		CHECK_SYS(mkdir("d", 0755));
		CHECK_SYS(chdir("d"));
	}
}

/* Where it can't be told whether there is an ancestor in the map, the file can't be opened. */
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

/* The loader in another language, of the same program. */
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

/* tag_on_write */

/* Open a file in a process of its own, in the cgroup if there is one. Returns the process's id. */
static pid_t open_in(const char *in, const char *path, int flags)
{
	pid_t pid = CHECK_SYS(fork());

	if (pid) {
		CHECK_EQ(exit_status(pid), 0);
		return pid;
	}
	if (in)
		cgroup_enter(in);
	_exit(try_open(path, flags));
}

/* Whether files are noted. Leaves none. */
static bool probe_is_noted(void *unused)
{
	struct counts counts;

	(void)unused;
	open_in(cgroup, "probe", O_WRONLY | O_CREAT);
	counts_read(&counts);
	CHECK_SYS(unlink("probe"));
	return counts.entries;
}

static void dump(bool json)
{
	int status = run_to_end(ARGV("tag_on_write", "--dump", json ? "--json" : NULL));

	if (status)
		FAIL("--dump returned %d: %s", status, out);
}

#define TIME	"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"

/* What the list must have about a file; @shown is its path, as a regular expression. */
static void check_noted(bool json, const char *path, const char *shown, pid_t pid,
			unsigned int count)
{
	char pattern[1024];
	struct stat stat;

	CHECK_SYS(lstat(path, &stat));
	snprintf(pattern, sizeof(pattern),
		 json ? "^[[ ]\\{\"time\":\"" TIME "\",\"pid\":%d,\"count\":%u,\"device\":"
			"\\{\"major\":%u,\"minor\":%u\\},\"inode\":%lu,\"path\":\"%s\"\\}[],]" :
			"^" TIME " +%d +%u +%u:%u +%lu %s$",
		 pid, count, major(stat.st_dev), minor(stat.st_dev), (unsigned long)stat.st_ino,
		 shown);
	check_matches(out, pattern);
}

/* Seconds since the time that the list begins with. */
static long age_of_first(void)
{
	struct tm tm = {};

	CHECK(strptime(out, "%Y-%m-%dT%H:%M:%SZ", &tm));
	return time(NULL) - timegm(&tm);
}

/* A name of which each list has its own idea. */
#define ODD		"a \"b\"\\\n\xc3\xa4"
#define ODD_TEXT	"/a\\\\040\"b\"\\\\134\\\\012\xc3\xa4"
#define ODD_JSON	"/a \\\\\"b\\\\\"\\\\\\\\\\\\u000a\xc3\xa4"

TEST(tag_on_write)
{
	pid_t pid, once, odd, below, last = 0;
	char below_path[80];

	cgroup_create();
	snprintf(below_path, sizeof(below_path), "%s/below", cgroup);
	CHECK_SYS(mkdir(below_path, 0755));
	CHECK_SYS(mkfifo("fifo", 0600));
	CHECK_EQ(sh("touch read outside; mkdir d"), 0);
	open_in(cgroup, "before", O_WRONLY | O_CREAT);

	pid = start(ARGV("tag_on_write", cgroup));
	wait_for(pid, probe_is_noted, NULL);
	counts_wait(1, 0, 0, 0);
	dump(false);
	CHECK(!*out);
	dump(true);
	CHECK(!strcmp(out, "[]\n"));

	once = open_in(cgroup, "d/once", O_WRONLY | O_CREAT | O_EXCL);
	for (unsigned int i = 0; i < 3; i++)
		last = open_in(cgroup, "thrice", O_RDWR | O_CREAT);
	odd = open_in(cgroup, ODD, O_WRONLY | O_CREAT);
	below = open_in(below_path, "below", O_WRONLY | O_CREAT);
	/* Others don't change what is noted. */
	open_in(NULL, "d/once", O_WRONLY);
	open_in(cgroup, "thrice", O_RDONLY);
	/* None of these is. */
	open_in(cgroup, "read", O_RDONLY);
	open_in(cgroup, "fifo", O_RDWR);
	open_in(cgroup, "/dev/null", O_WRONLY);
	open_in(NULL, "outside", O_WRONLY);
	open_in(CGROUP_ROOT, "outside", O_WRONLY);
	counts_wait(1, 4, 4, 0);

	dump(false);
	CHECK_EQ(count_lines(out), 4);
	check_noted(false, "d/once", "/d/once", once, 1);
	check_noted(false, "thrice", "/thrice", last, 3);
	check_noted(false, ODD, ODD_TEXT, odd, 1);
	check_noted(false, "below", "/below", below, 1);
	CHECK(age_of_first() >= -2 && age_of_first() < 60 * (long)test_slowdown());
	dump(true);
	CHECK_EQ(count_lines(out), 4);
	CHECK(out[0] == '[' && !strcmp(out + strlen(out) - 3, "}]\n"));
	check_noted(true, "d/once", "/d/once", once, 1);
	check_noted(true, "thrice", "/thrice", last, 3);
	check_noted(true, ODD, ODD_JSON, odd, 1);
	check_noted(true, "below", "/below", below, 1);

	/* The name that a file has now, and none when there is no file. */
	CHECK_SYS(rename("thrice", "d/renamed"));
	CHECK_SYS(unlink(ODD));
	CHECK_SYS(unlink("below"));
	counts_wait(1, 2, 2, 0);
	check_fails(ARGV("tag_on_write", cgroup), "running already");

	stop(pid, SIGINT);
	CHECK_EQ(count_lines(out), 2);
	check_noted(false, "d/once", "/d/once", once, 1);
	check_noted(false, "d/renamed", "/d/renamed", last, 3);
	counts_wait(0, 0, 0, 0);
	check_fails(ARGV("tag_on_write", "--dump"), "not running");
	open_in(cgroup, "after", O_WRONLY | O_CREAT);
	cgroup_remove(below_path);
	cgroup_remove(cgroup);
}

TEST(tag_on_write_json)
{
	pid_t pid, writer;

	cgroup_create();
	pid = start(ARGV("tag_on_write", "--json", cgroup));
	wait_for(pid, probe_is_noted, NULL);
	writer = open_in(cgroup, "f", O_WRONLY | O_CREAT);
	stop(pid, SIGTERM);
	CHECK_EQ(count_lines(out), 1);
	check_noted(true, "f", "/f", writer, 1);
	cgroup_remove(cgroup);
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

	/* As it is without the module: the device is not in sight. */
	CHECK_SYS(unshare(CLONE_NEWNET));
	check_fails(ARGV("allowlist_exec", "/bin/true"), "is the inode_map module loaded?");
	check_fails(ARGV("tree_deny", "."), "is the inode_map module loaded?");
	check_fails(ARGV("tag_on_write", CGROUP_ROOT), "is the inode_map module loaded?");
}
