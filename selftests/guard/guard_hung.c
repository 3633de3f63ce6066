// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inode-guard with hung filesystems. Each command ends within a time that does not grow with their
 * number, does its work on the others, and does not hold up other commands.
 */
#include "harness.h"

#include <sys/syscall.h>

#include "fuse_server.h"
#include "steps.h"

#define MOUNTS	6

/*
 * Seconds that a command waits for hung lookups, once for patterns, once for executables and once
 * for files; and the time for the work. One after the other, MOUNTS of them would take longer.
 */
#define PATIENCE	5
#define BOUND		(3 * PATIENCE + 8 * test_slowdown())

static pid_t servers[MOUNTS];

static void serve(void *arg)
{
	exit(fuse_server_run(*(int *)arg) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void mount_one(unsigned int i)
{
	char name[16], options[128];
	int fd = file_open("/dev/fuse", O_RDWR);

	snprintf(name, sizeof(name), "m%u", i);
	CHECK_SYS(mkdir(name, 0755));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	CHECK_SYS(mount("fuse", name, "fuse", 0, options));
	servers[i] = child_start(serve, &fd);
	close(fd);
}

/* Run a command; it must end in time. */
static int timed(char **argv)
{
	double begun = now(), seconds;
	int status = tool_run(argv, NULL);

	seconds = now() - begun;
	printf("# %s %s: status %d after %.1f s\n", argv[1], argv[2] ?: "", status, seconds);
	if (seconds > BOUND)
		FAIL("%s: %.1f s", argv[1], seconds);
	return status;
}

static void check_shown(void)
{
	CHECK_EQ(timed(WORDS("list")), 0);
	MATCHES("^active .*/local$");
	MATCHES("^hanging .*/m0/f$");
	MATCHES("^hanging .*/m5/f$");
	CHECK_EQ(timed(WORDS("status")), 4);
	HAS(" 6 hanging, 1 executable hanging, ");
	/* No rule is lost. */
	CHECK_EQ(timed(WORDS("save", "saved")), 0);
	CHECK_EQ(sh("grep -q '^deny .*/local$' saved && grep -q '^deny .*/m0/f$' saved && "
		    "grep -q '^deny .*/m5/f$' saved"), 0);
}

/* The tool reports every file that hangs. */
static void check_told(void)
{
	CHECK_EQ(timed(WORDS("apply", "conf")), 1);
	CHECK(strstr(err, "/m0/f: took too long to look up") &&
	      strstr(err, "/m5/f: took too long to look up"));
	/* A rule that is skipped because its file hangs stays as it was. */
	CHECK_EQ(timed(WORDS("apply", "--skip-missing", "conf")), 4);
	DENIED(try_write("local"));
	CHECK_EQ(timed(WORDS("status")), 4);
	HAS(" 48 of ");
	CHECK_EQ(timed(WORDS("refresh")), 0);
}

static bool has_helpers(void *pid)
{
	return !sh("grep -qs '^[0-9]* ([^)]*) [A-Z] %d ' /proc/[0-9]*/stat", *(pid_t *)pid);
}

/* Whether a process is blocked in a call that writes or opens a file for its output. */
static bool is_blocked(void *pid)
{
	static const long calls[] = {
		SYS_write, SYS_openat, SYS_unlinkat,
#ifdef SYS_unlink
		SYS_unlink,
#endif
	};
	char path[64];
	long call = -1;
	FILE *file;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/syscall", *(pid_t *)pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%ld", &call) != 1)
		call = -1;
	if (file)
		fclose(file);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (call == calls[i])
			return true;
	return false;
}

/* While a command waits, others don't. */
static void check_others(char **waiting)
{
	pid_t pid = tool_start(waiting, "waiting");
	double begun, seconds;
	bool ended;
	int status;

	CHECK(wait_until(has_helpers, &pid, 10));
	begun = now();
	QUIET("deny", "--ops", "delete", "other");
	QUIET("remove", "other");
	SAYS("list", "--help");
	seconds = now() - begun;
	printf("# beside %s: %.1f s\n", waiting[1], seconds);
	ended = waitpid(pid, &status, WNOHANG) == pid;
	/* Otherwise this proves nothing. */
	CHECK(!ended || seconds > PATIENCE);
	if (seconds > PATIENCE + 3 * test_slowdown())
		FAIL("beside %s: %.1f s", waiting[1], seconds);
	if (!ended)
		CHECK_SYS(waitpid(pid, &status, 0));
}

/* They don't wait either for a command that can't write its output or open its output file. */
static void check_blocked(char **argv, int output)
{
	double begun, seconds;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid)
		tool_exec(argv, output, output);
	/* The command opens the pins before it blocks. */
	CHECK(wait_until(is_blocked, &pid, 20));
	begun = now();
	QUIET("deny", "--ops", "delete", "other");
	QUIET("remove", "other");
	seconds = now() - begun;
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_SYS(kill(pid, SIGKILL));
	if (seconds > PATIENCE + 3 * test_slowdown())
		FAIL("beside %s: %.1f s", argv[1], seconds);
}

static void check_output(void)
{
	int ends[2], flags;
	char byte = 0;

	CHECK_SYS(pipe2(ends, O_CLOEXEC));
	flags = CHECK_SYS(fcntl(ends[1], F_GETFL));
	CHECK_SYS(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK));
	while (write(ends[1], &byte, 1) == 1)
		;
	CHECK_SYS(fcntl(ends[1], F_SETFL, flags));
	check_blocked(WORDS("list"), ends[1]);
	check_blocked(WORDS("save"), ends[1]);
	close(ends[0]);
	close(ends[1]);
	check_blocked(WORDS("save", "m3/saved"), STDOUT_FILENO);
}

/* The tool can't look up a pattern or an executable: the rules from before stay. */
static void check_conf(void)
{
	put_file("conf", "deny --ops write m0/[f]\ndeny --ops read --only-for m1/exe third\n"
		 "deny --ops write --only-for m1/exe m3/[f]\n");
	CHECK_EQ(timed(WORDS("apply", "conf")), 1);
	CHECK(strstr(err, "m0/[f]: took too long to look up"));
	CHECK_EQ(timed(WORDS("apply", "--check", "--skip-missing", "conf")), 0);
	CHECK_EQ(timed(WORDS("apply", "--skip-missing", "conf")), 4);
	CHECK(strstr(err, "m0/[f]: took too long to look up") &&
	      strstr(err, "m1/exe: took too long to look up"));
	SAYS("list");
	MATCHES("^hanging .*/m0/f$");
	MATCHES("^hanging .*/m3/f$");
	MATCHES(" only-for\\(hanging:[^ ]*/m1/exe\\):read .*/third$");
	HAS_NOT("/m2/f");
}

static void run(void *unused)
{
	unsigned int i;

	(void)unused;
	/* Make the kernel ask the server each time. */
	fuse_server_valid = 0;
	make("local");
	make("other");
	make("third");
	QUIET(START_SMALL);
	for (i = 0; i < MOUNTS; i++)
		mount_one(i);
	CHECK_EQ(sh("for i in 0 1 2 3 4 5; do >m$i/f && echo deny --ops write $PWD/m$i/f || exit; "
		    "done >conf; echo deny --ops write $PWD/local >>conf; "
		    "cp /bin/true m1/exe && chmod 755 m1/exe && "
		    "echo deny --ops read --only-for $PWD/m1/exe $PWD/third >>conf"), 0);
	/* Enough files that the output is larger than the tool's buffer. */
	CHECK_EQ(sh("mkdir many && cd many && for i in $(seq 40); do "
		    "touch $(printf 'f%%0199d' $i) || exit; done && "
		    "echo deny --ops delete $PWD/* >>../conf"), 0);
	QUIET("apply", "conf");
	DENIED(try_write("m0/f"));
	DENIED(try_write("local"));

	for (i = 0; i < MOUNTS; i++)
		CHECK_SYS(kill(servers[i], SIGSTOP));
	check_shown();
	check_told();
	check_others(WORDS("apply", "conf"));
	check_others(WORDS("save", "saved"));
	check_others(WORDS("deny", "m0/f", "m1/f", "m2/f"));
	check_output();
	CHECK_EQ(timed(WORDS("remove", "m5/f")), 0);
	/* When the servers answer again, everything is as before. */
	for (i = 0; i < MOUNTS; i++)
		CHECK_SYS(kill(servers[i], SIGCONT));
	DENIED(try_write("m0/f"));
	ALLOWED(try_write("m5/f"));
	SAYS("list");
	MATCHES("^active .*/m0/f$");
	for (i = 0; i < MOUNTS; i++)
		CHECK_SYS(kill(servers[i], SIGSTOP));
	check_conf();
	CHECK_EQ(timed(WORDS("remove", "--all")), 0);
	CHECK_EQ(timed(WORDS("stop")), 0);
	for (i = 0; i < MOUNTS; i++)
		CHECK_SYS(kill(servers[i], SIGKILL));
}

TEST(hung)
{
	if (sh("modprobe fuse 2>/dev/null; grep -qw fuse /proc/filesystems"))
		SKIP("this kernel has no FUSE");
	guarded(run);
}
