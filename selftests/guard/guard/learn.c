// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Learning: the lines that it writes allow the accesses that it saw, and no others. */
#include "events.h"

#define SHELL	"/usr/bin/dash"

static int read_by(const char *exe, const char *path)
{
	return sh("%s -c 'read -r line <%s' 2>/dev/null", exe, path);
}

/* Learn from a shell script, and put the lines into the file "lines". */
static void learn(char *script)
{
	CHECK_EQ(tool_run(WORDS("learn", "--", SHELL, "-c", script), NULL), 0);
	put_file("lines", out);
}

static void check_lines(const char *want)
{
	if (strcmp(get_file("lines"), want))
		FAIL("\"%s\", not \"%s\"", get_file("lines"), want);
}

/* With the learnt lines and enforced rules, the same run succeeds, and others fail. */
STEP(learn_command)
{
	static char script[] = "read -r line <d/f && echo $line && echo more >>d/new && rm d/new";

	CHECK_EQ(sh("mkdir d && echo text >d/f && cp d/f d/g && cp " SHELL " other"), 0);
	QUIET("deny", "--ops", "read,write,delete", "--audit", "--tree", "d");
	learn(script);
	/* The output of the command is kept apart. */
	CHECK(!strcmp(err, "text\n"));
	CHECK(!strstr(out, "text"));
	CHECK_EQ(sh("inode-guard save | sed 's/ --audit//' >conf && cat lines >>conf"), 0);
	QUIET("apply", "conf");
	CHECK(read_by("./other", "d/f"));
	CHECK(sh("./other -c 'echo more >>d/new' 2>/dev/null"));
	CHECK(read_by(SHELL, "d/g"));
	CHECK_EQ(sh("rm d/new 2>/dev/null; test ! -e d/new"), 0);
	CHECK_EQ(tool_run((char *[]){ SHELL, "-c", script, NULL }, NULL), 0);
	CHECK(!strcmp(out, "text\n"));
	/* Now nothing is left to learn. */
	learn(script);
	check_lines("");
}

/* One line for accesses that the same executables make; existing ones stay in the rule. */
STEP(learn_lines)
{
	CHECK_EQ(sh("mkdir d && touch f g 'h h' d/f && ln -s f soft && cp " SHELL " 'one exe' && "
		    "cp " SHELL " two"), 0);
	QUIET("allow", "--ops", "read,write", "--audit", "--only-for", SHELL, "f");
	QUIET("deny", "--ops", "read", "--audit", "--inode", "h h");
	QUIET("deny", "--ops", "write", "--audit", "d");
	QUIET("deny", "--ops", "read", "--audit", "--no-dereference", "soft");
	learn("'./one exe' -c 'read -r line <f; : >>f; read -r line <\"h h\"';"
	      "./two -c 'read -r line <f; : >d/new'; readlink soft >/dev/null");
	CHECK_EQ(sh("sed 's#" DIR_PATH "/learn_lines/#@#g' lines >short && mv short lines"), 0);
	CHECK_EQ(sh("grep -qxF 'allow --ops read --only-for @one\\ exe --only-for @two "
		    "--only-for " SHELL " @f' lines"), 0);
	CHECK_EQ(sh("grep -qxF 'allow --ops write --only-for @one\\ exe --only-for " SHELL
		    " @f' lines"), 0);
	CHECK_EQ(sh("grep -qxF 'allow --ops read --inode --only-for @one\\ exe @h\\ h' lines"), 0);
	/* To make a name is to write to its directory. */
	CHECK_EQ(sh("grep -qx 'allow --ops write --only-for @two @d' lines"), 0);
	CHECK_EQ(sh("grep -qx 'allow --ops read --no-dereference --only-for .* @soft' lines"), 0);
	CHECK_EQ(sh("test $(wc -l <lines) = 5"), 0);
}

static int read_as(unsigned int uid, unsigned int gid, const char *exe, const char *path)
{
	return sh("setpriv --reuid %u --regid %u --clear-groups %s -c 'read -r line <%s' 2>/dev/null",
		  uid, gid, exe, path);
}

static void check_has(const char *line)
{
	char pattern[512];

	snprintf(pattern, sizeof(pattern),
		 "sed 's#" DIR_PATH "/[a-z_]*/#@#g' lines | grep -qxF '%s'", line);
	if (sh("%s", pattern))
		FAIL("no \"%s\" in \"%s\"", line, get_file("lines"));
}

/* Rules for users, groups and cgroups learn more of these, and keep those that they name. */
STEP(learn_users)
{
	CHECK_EQ(sh("mkdir d && for f in u g x a c; do echo line >$f; done && chmod 644 u g x a c && "
		    "cp " SHELL " copy && chmod 755 copy . " DIR_PATH), 0);
	QUIET("allow", "--ops", "read", "--audit", "--only-for-user", "1001", "u");
	QUIET("allow", "--ops", "read", "--audit", "--only-for-group", "1001",
	      "--only-for-group", "7", "g");
	QUIET("allow", "--ops", "read", "--audit", "--only-for", SHELL, "--only-for-user", "1001", "x");
	QUIET("allow", "--ops", "read", "--audit", "--only-for", SHELL, "--only-for-user", "1001",
	      "--only-for-group", "7", "--only-for-cgroup", "/", "a");
	QUIET("allow", "--ops", "read", "--audit", "--only-for-cgroup", "/nobody", "c");
	learn("s='setpriv --clear-groups --reuid'; r='read -r line'\n"
	      "$s 1002 --regid 1002 " SHELL " -c \"$r <u; $r <g; $r <x; $r <a\"\n"
	      "$s 1001 --regid 1001 ./copy -c \"$r <u; $r <g; $r <x\"\n"
	      "$s 1001 --regid 1001 " SHELL " -c \"$r <a\"");
	check_has("allow --ops read --only-for-user 1001 --only-for-user 1002 @u");
	check_has("allow --ops read --only-for-group 1001 --only-for-group 1002 --only-for-group 7 @g");
	check_has("allow --ops read --only-for @copy --only-for " SHELL " --only-for-user 1001 "
		  "--only-for-user 1002 @x");
	check_has("allow --ops read --only-for " SHELL " --only-for-user 1001 --only-for-user 1002 "
		  "--only-for-group 1001 --only-for-group 7 --only-for-cgroup / @a");
	CHECK_EQ(sh("inode-guard save | sed 's/ --audit//' >conf && cat lines >>conf"), 0);
	QUIET("apply", "conf");
	CHECK_EQ(read_as(1002, 1002, SHELL, "u"), 0);
	CHECK(read_as(1003, 1003, SHELL, "u"));
	CHECK_EQ(read_as(1002, 1002, SHELL, "g"), 0);
	CHECK_EQ(read_as(1003, 7, SHELL, "g"), 0);
	CHECK(read_as(1003, 1003, SHELL, "g"));
	CHECK_EQ(read_as(1002, 1002, SHELL, "x"), 0);
	CHECK(read_as(1003, 1003, SHELL, "x"));
	CHECK(sh("/usr/bin/env cat x >/dev/null 2>&1"));
	CHECK_EQ(read_as(1001, 1001, SHELL, "a"), 0);
	CHECK_EQ(read_as(1001, 7, SHELL, "a"), 0);
	CHECK(read_as(1001, 1003, SHELL, "a"));
	CHECK(read_as(1001, 1001, "./copy", "a"));
}

static bool is_removed(void *path)
{
	return !rmdir(path) || errno == ENOENT;
}

STEP(learn_cgroups)
{
	static char script[] = "(echo 0 >/sys/fs/cgroup/learnt/cgroup.procs; read -r line <f)";
	pid_t pid;

	put_file("f", "line\n");
	/* Some kernels have no cgroups. */
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) &&
	    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL))
		return;
	QUIET("allow", "--ops", "read", "--audit", "--only-for-cgroup", "/nobody", "f");
	CHECK_SYS(mkdir("/sys/fs/cgroup/learnt", 0755));
	learn(script);
	check_has("allow --ops read --only-for-cgroup /learnt --only-for-cgroup /nobody @f");
	/* A cgroup that is removed before the tool looks. */
	pid = watch_start(WORDS("learn"));
	CHECK_SYS(kill(pid, SIGSTOP));
	CHECK_EQ(sh("%s", script), 0);
	CHECK(wait_until(is_removed, "/sys/fs/cgroup/learnt", 10));
	CHECK_SYS(kill(pid, SIGCONT));
	CHECK_SYS(kill(pid, SIGINT));
	CHECK_EQ(tool_end(pid), 4);
	snprintf(out, sizeof(out), "%s", get_file("events"));
	MATCHES("^# its cgroup is not there: read of .*/f by ");
}

/* Comments report what the lines can't allow. */
STEP(learn_comments)
{
	CHECK_EQ(sh("touch f && cp " SHELL " short-lived"), 0);
	QUIET("deny", "--ops", "read", "--audit", "f");
	CHECK_EQ(tool_run(WORDS("learn", "--", SHELL, "-c",
				"./short-lived -c 'read -r line <f'; rm short-lived"), NULL), 4);
	MATCHES("^# the executable is not there: read of " DIR_PATH "/learn_comments/f by "
		DIR_PATH "/learn_comments/short-lived");
	HAS_NOT("allow");
	CHECK(strstr(err, "1 things that no line can allow"));
	/* In a user namespace, no process counts as one of its executable. */
	QUIET("allow", "--ops", "read", "--audit", "--only-for", SHELL, "f");
	CHECK_EQ(tool_run(WORDS("learn", "--", "unshare", "-r", SHELL, "-c", "read -r line <f"),
			  NULL), 4);
	MATCHES("^# the rule is for it already, as far as can be told: read of .*/f by " SHELL "$");
}

STEP(learn_dropped)
{
	volatile struct guard_state *state = state_map();
	pid_t pid;
	int i;

	make("f");
	QUIET("deny", "--ops", "read", "f");
	pid = watch_start(WORDS("learn"));
	CHECK_SYS(kill(pid, SIGSTOP));
	for (i = 0; i < 3000; i++)
		DENIED(try_read("f"));
	CHECK(state->dropped);
	CHECK_SYS(kill(pid, SIGCONT));
	CHECK_SYS(kill(pid, SIGINT));
	CHECK_EQ(tool_end(pid), 4);
	snprintf(out, sizeof(out), "%s", get_file("events"));
	MATCHES("^inode-guard: [0-9]+ events dropped: what they told of is not in these lines$");
	MATCHES("^allow --ops read --only-for .* " DIR_PATH "/learn_dropped/f$");
}

STEP(learn_usage)
{
	pid_t pid;

	QUIET("learn", "--for", "1");
	FAILS(2, "'0' is not a number from 1 to", "learn", "--for", "0");
	FAILS(2, "--for takes no COMMAND", "learn", "--for", "1", "--", "true");
	FAILS(1, "no-such-command: No such file", "learn", "--", "no-such-command");
	CHECK_EQ(tool_run(WORDS("learn", "--", SHELL, "-c", "exit 3"), NULL), 0);
	CHECK(!strcmp(err, "inode-guard: " SHELL ": status 3\n"));
	pid = watch_start(WORDS("learn"));
	FAILS(1, "somebody else is watching", "learn", "--for", "1");
	watch_end(pid, SIGTERM);
}
