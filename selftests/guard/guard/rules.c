// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules: what deny, allow and remove do with them, and which rule decides. This file tries one way
 * to do each operation; bypass.c has all the others.
 */
#include "steps.h"
#include "bpf/guard/guard.h"

#include <dirent.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

#define SHELL	"/usr/bin/dash"

STEP(any_name)
{
	int before;

	make("f");
	make("g");
	before = file_open("f", O_RDONLY);
	QUIET("deny", "--ops", "read", "f");
	DENIED(try_read("f"));
	/* A descriptor from before the rule. */
	CHECK(read(before, out, 1) < 0 && errno == EPERM);
	ALLOWED(try_read("g"));
	CHECK_SYS(link("f", "hard"));
	CHECK_SYS(symlink("f", "soft"));
	CHECK_SYS(rename("f", "renamed"));
	make("bound");
	CHECK_SYS(mount("hard", "bound", NULL, MS_BIND, NULL));
	DENIED(try_read("renamed"));
	DENIED(try_read("hard"));
	DENIED(try_read("bound"));
	CHECK_SYS(umount("bound"));
	CHECK_SYS(unlink("soft"));
	CHECK_SYS(symlink("renamed", "soft"));
	DENIED(try_read("soft"));
	/* The rule is for the name as well: a new file there gets it. */
	CHECK_EQ(try_open("f", O_WRONLY | O_CREAT), 0);
	DENIED(try_read("f"));
}

STEP(other_path)
{
	make("f");
	CHECK_SYS(link("f", "hard"));
	QUIET("deny", "--ops", "read", "f");
	/* A rule is for the file that the path leads to, and the file has only one. */
	QUIET("deny", "--ops", "write", "hard");
	DENIED(try_read("hard"));
	DENIED(try_write("f"));
	SAYS("status", "--json");
	HAS("\"rules\":1,");
	QUIET("remove", "hard");
	ALLOWED(try_read("f"));
	SAYS("status", "--json");
	HAS("\"rules\":0,");
}

/* Calls that no operation covers. */
STEP(not_guarded)
{
	char value[16];
	struct stat of;
	int fd;

	make("f");
	CHECK_SYS(setxattr("f", "trusted.x", "x", 1, 0));
	QUIET("deny", "f");
	CHECK_SYS(stat("f", &of));
	CHECK_SYS(access("f", R_OK));
	CHECK_EQ(getxattr("f", "trusted.x", value, sizeof(value)), 1);
	close(file_open("f", O_PATH));
	fd = CHECK_SYS(inotify_init());
	CHECK_SYS(inotify_add_watch(fd, "f", IN_OPEN));
	close(fd);
	DENIED(try_read("f"));
}

/* The guard only denies: a rule does not override file permissions. */
STEP(only_denies)
{
	make("f");
	CHECK_SYS(chmod("f", 0));
	QUIET("allow", "f");
	CHECK(sh("setpriv --reuid 65534 --regid 65534 --clear-groups cat f 2>/dev/null"));
	ALLOWED(try_read("f"));
}

/* Operations: one way to do each */

static int op_exec(const char *path)
{
	char *const argv[] = { "true", NULL }, *const none[] = { NULL };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		execve(path, argv, none);
		_exit(errno);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

static int op_delete(const char *path)
{
	return unlink(path) ? errno : 0;
}

static int op_rename(const char *path)
{
	char other[64];

	snprintf(other, sizeof(other), "%s.renamed", path);
	return try_rename(path, other) ?: try_rename(other, path);
}

static int op_link(const char *path)
{
	char other[64];

	snprintf(other, sizeof(other), "%s.link", path);
	return link(path, other) ? errno : 0;
}

static int op_attr(const char *path)
{
	return chmod(path, 0700) ? errno : 0;
}

/* Map with a descriptor that only reads. */
static int op_mmap(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	void *memory;

	if (fd < 0)
		return errno;
	memory = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		error = errno;
	else
		munmap(memory, 1);
	close(fd);
	return error;
}

#define OPERATION_WORD(name, word, meaning)	[GUARD_##name] = word,
#define OPERATION_BIT(name)			(1U << GUARD_##name)

static const char *const words[] = { GUARD_OPERATIONS(OPERATION_WORD) };

/* Delete comes last, because it removes the file. */
static const struct {
	enum guard_op op;
	unsigned int with;	/* other operations that it needs */
	int (*attempt)(const char *path);
} operations[] = {
	{ GUARD_READ, 0, try_read },
	{ GUARD_WRITE, 0, try_write },
	{ GUARD_EXEC, 0, op_exec },
	/* Without a rule for append, the rules for write decide. */
	{ GUARD_APPEND, OPERATION_BIT(WRITE), try_append },
	/* Rename it and back, which needs what making the name needs. */
	{ GUARD_RENAME, OPERATION_BIT(WRITE), op_rename },
	{ GUARD_LINK, 0, op_link },
	{ GUARD_ATTR, 0, op_attr },
	{ GUARD_MMAP, OPERATION_BIT(READ), op_mmap },
	{ GUARD_DELETE, 0, op_delete },
};

_Static_assert(ARRAY_SIZE(operations) == GUARD_OPS, "each operation has an attempt");

/* Write a line that denies all but some operations. */
static void deny_others(FILE *conf, unsigned int but, const char *path)
{
	const char *comma = "";

	fprintf(conf, "deny --ops ");
	for (int op = 0; op < GUARD_OPS; op++) {
		if (but & 1U << op)
			continue;
		fprintf(conf, "%s%s", comma, words[op]);
		comma = ",";
	}
	fprintf(conf, " %s\n", path);
}

/* A denied operation fails, and it works when all others are denied. */
STEP(operations)
{
	char path[64];
	FILE *conf = fopen("conf", "w");
	size_t i;

	CHECK(conf);
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		CHECK_EQ(sh("cp %s deny-%zu && cp %s allow-%zu", "/usr/bin/busybox", i,
			    "/usr/bin/busybox", i), 0);
		fprintf(conf, "deny --ops %s deny-%zu\n", words[operations[i].op], i);
		snprintf(path, sizeof(path), "allow-%zu", i);
		deny_others(conf, 1U << operations[i].op | operations[i].with, path);
	}
	fclose(conf);
	QUIET("apply", "conf");
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		snprintf(path, sizeof(path), "deny-%zu", i);
		if (operations[i].attempt(path) != EPERM)
			FAIL("%s is not denied", words[operations[i].op]);
		snprintf(path, sizeof(path), "allow-%zu", i);
		if (operations[i].attempt(path))
			FAIL("%s does not work when others are denied: %s",
			     words[operations[i].op], strerror(errno));
	}
}

STEP(replacing)
{
	make("new");
	make("f");
	make("g");
	QUIET("deny", "--ops", "delete", "f");
	QUIET("deny", "--ops", "rename", "g");
	DENIED(try_rename("new", "f"));
	DENIED(try_rename("new", "g"));
	DENIED(op_delete("f"));
	/* The name can be removed and made anew. */
	ALLOWED(op_delete("g"));
	/* But nothing can be mounted on it. */
	make("h");
	QUIET("deny", "--ops", "rename", "h");
	CHECK(mount("new", "h", NULL, MS_BIND, NULL) && errno == EPERM);
}

STEP(all_is_the_default)
{
	make("f");
	QUIET("deny", "f");
	SAYS("list");
	MATCHES("^active .* deny:all +.*/f$");
	DENIED(try_read("f"));
	DENIED(op_attr("f"));
	DENIED(op_delete("f"));
	SAYS("deny", "-v", "--ops", "all", "f");
	HAS("nothing to change");
}

STEP(merging)
{
	make("f");
	QUIET("deny", "--ops", "read,write", "f");
	QUIET("allow", "--ops", "read", "f");
	ALLOWED(try_read("f"));
	DENIED(try_write("f"));
	QUIET("deny", "--ops", "read,link", "f");
	DENIED(try_read("f"));
	DENIED(try_write("f"));
	DENIED(op_link("f"));
	SAYS("deny", "-v", "--ops", "link", "f");
	HAS("nothing to change");
	SAYS("deny", "--verbose", "--ops", "attr", "f");
	CHECK(!strcmp(out, "changed\n"));
}

STEP(append_only)
{
	int fd;

	make("log");
	fd = file_open("log", O_WRONLY | O_APPEND);
	QUIET("deny", "--ops", "write,delete", "log");
	DENIED(try_append("log"));
	QUIET("allow", "--ops", "append", "log");
	ALLOWED(try_append("log"));
	DENIED(try_write("log"));
	DENIED(try_open("log", O_WRONLY | O_TRUNC));
	DENIED(truncate("log", 0) ? errno : 0);
	CHECK(write(fd, "x", 1) == 1);
	CHECK(fcntl(fd, F_SETFL, 0) && errno == EPERM);
}

STEP(append_alone)
{
	make("f");
	QUIET("deny", "--ops", "append", "f");
	DENIED(try_append("f"));
	ALLOWED(try_write("f"));
}

static int list_directory(const char *path)
{
	DIR *directory = opendir(path);

	if (!directory)
		return errno;
	errno = 0;
	readdir(directory);
	closedir(directory);
	return errno;
}

STEP(directory)
{
	CHECK_SYS(mkdir("d", 0755));
	make("d/file");
	QUIET("deny", "--ops", "write", "d");
	DENIED(try_open("d/new", O_WRONLY | O_CREAT));
	DENIED(op_delete("d/file"));
	DENIED(mkdir("d/new", 0755) ? errno : 0);
	/* The rule does not cover the files in the directory. */
	ALLOWED(try_write("d/file"));
	ALLOWED(list_directory("d"));
	QUIET("deny", "--ops", "read", "d");
	DENIED(list_directory("d"));
	ALLOWED(try_read("d/file"));
	QUIET("deny", "--ops", "delete", "d");
	QUIET("allow", "--ops", "write", "d");
	CHECK_SYS(unlink("d/file"));
	DENIED(rmdir("d") ? errno : 0);
}

STEP(tree)
{
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("d/a", 0755));
	CHECK_SYS(mkdir("d/a/b", 0755));
	make("d/a/b/f");
	make("outside");
	QUIET("deny", "--ops", "write", "--tree", "d");
	DENIED(try_write("d/a/b/f"));
	DENIED(try_open("d/new", O_WRONLY | O_CREAT));
	DENIED(try_open("d/a/b/new", O_WRONLY | O_CREAT));
	ALLOWED(try_read("d/a/b/f"));
	ALLOWED(try_write("outside"));
	/* A file that is moved in is guarded; one that is moved out is not. */
	QUIET("deny", "--ops", "read", "--tree", "d");
	QUIET("remove", "--tree", "d");
	QUIET("deny", "--ops", "read", "--tree", "d");
	CHECK_SYS(rename("outside", "d/inside"));
	DENIED(try_read("d/inside"));
	CHECK_SYS(rename("d/inside", "outside"));
	ALLOWED(try_read("outside"));
	DENIED(list_directory("d/a"));
	FAILS(1, "Not a directory", "deny", "--tree", "outside");
}

/* For each operation, the file's own rule decides first, then that of the nearest tree. */
STEP(nested_trees)
{
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("d/in", 0755));
	make("d/far");
	make("d/in/near");
	make("d/in/own");
	QUIET("deny", "--ops", "read,write", "--tree", "d");
	QUIET("allow", "--ops", "read", "--tree", "d/in");
	QUIET("allow", "--ops", "write", "d/in/own");
	DENIED(try_read("d/far"));
	ALLOWED(try_read("d/in/near"));
	/* The nearer rule does not name the operation: the farther one decides. */
	DENIED(try_write("d/in/near"));
	ALLOWED(try_write("d/in/own"));
	QUIET("deny", "--ops", "read", "d/in/own");
	DENIED(try_read("d/in/own"));
	/* A directory can have a rule of its own and one for its tree. */
	QUIET("deny", "--ops", "read", "d/in");
	DENIED(list_directory("d/in"));
	ALLOWED(try_read("d/in/near"));
}

STEP(tree_of_one_filesystem)
{
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("d/mnt", 0755));
	CHECK_SYS(mount("other", "d/mnt", "tmpfs", 0, NULL));
	make("d/mnt/f");
	QUIET("deny", "--ops", "read", "--tree", "d");
	ALLOWED(try_read("d/mnt/f"));
}

/* A hard link belongs to the tree through which it is opened. */
STEP(tree_and_hard_links)
{
	CHECK_SYS(mkdir("d", 0755));
	make("d/f");
	CHECK_SYS(link("d/f", "outside"));
	QUIET("deny", "--ops", "read", "--tree", "d");
	DENIED(try_read("d/f"));
	ALLOWED(try_read("outside"));
}

/* Subjects */

static int read_by(const char *exe, const char *path)
{
	return sh("%s -c 'read -r line <%s' 2>/dev/null", exe, path);
}

STEP(only_for)
{
	make("f");
	make("g");
	CHECK_EQ(sh("cp " SHELL " copy"), 0);
	CHECK_EQ(read_by("./copy", "f"), 0);
	QUIET("allow", "--ops", "read", "--only-for", SHELL, "f");
	QUIET("deny", "--ops", "read", "--only-for", SHELL, "g");
	CHECK_EQ(read_by(SHELL, "f"), 0);
	CHECK_EQ(read_by(SHELL, "g"), 0);
	DENIED(try_read("f"));
	DENIED(try_read("g"));
	CHECK(read_by("./copy", "f"));
	/* The same executable through a symbolic link. */
	CHECK_SYS(symlink(SHELL, "soft"));
	CHECK_EQ(read_by("./soft", "f"), 0);
	/* The rule says nothing about operations that it does not name. */
	ALLOWED(try_write("f"));

	/* Each executable may only do what its rules say. */
	QUIET("allow", "--ops", "read", "--only-for", "copy", "g");
	CHECK_EQ(read_by("./copy", "g"), 0);
	CHECK(read_by(SHELL, "g"));
	CHECK(read_by("./copy", "f"));

	QUIET("allow", "--ops", "read", "--only-for", SHELL, "--only-for", "copy", "f");
	CHECK_EQ(read_by("./copy", "f"), 0);
	CHECK_EQ(read_by(SHELL, "f"), 0);
	DENIED(try_read("f"));
	SAYS("list");
	HAS("only-for(");
	SAYS("list", "--json");
	json_check(out);
	HAS("\"verdict\":\"only-for\",\"only_for\":[\"" SHELL "\"");
	FAILS(1, "not an executable file", "allow", "--only-for", "g", "f");
	FAILS(1, "No such file", "allow", "--only-for", "nothing", "f");
}

/* The process has its memory to itself, and ignores libraries that others choose for it. */
STEP(only_for_no_puppets)
{
	make("f");
	QUIET("allow", "--ops", "read", "--only-for", SHELL, "f");
	CHECK(memory_is_kept(SHELL));
}

STEP(symbolic_links)
{
	char target[16];

	make("f");
	CHECK_SYS(symlink("f", "soft"));
	QUIET("deny", "--ops", "read", "soft");
	DENIED(try_read("f"));
	QUIET("remove", "soft");
	QUIET("deny", "--ops", "read,delete", "--no-dereference", "soft");
	ALLOWED(try_read("f"));
	CHECK(readlink("soft", target, sizeof(target)) < 0 && errno == EPERM);
	DENIED(op_delete("soft"));
	/* To open the link's target is not to read the link. */
	ALLOWED(try_read("soft"));
	QUIET("deny", "--ops", "write", "f");
	QUIET("remove", "soft");
	CHECK(readlink("soft", target, sizeof(target)) < 0 && errno == EPERM);
	ALLOWED(try_write("f"));
	QUIET("remove", "-P", "soft");
	CHECK_SYS(readlink("soft", target, sizeof(target)));
}

STEP(removing)
{
	CHECK_SYS(mkdir("d", 0755));
	make("d/f");
	make("f");
	make("g");
	QUIET("deny", "--ops", "read", "f", "g", "d");
	QUIET("deny", "--ops", "read", "--tree", "d");
	/* All or nothing. */
	FAILS(1, "not-guarded: is not guarded", "remove", "f", "not-guarded");
	DENIED(try_read("f"));
	QUIET("remove", "f");
	ALLOWED(try_read("f"));
	DENIED(try_read("g"));
	QUIET("remove", "--tree", "d");
	ALLOWED(try_read("d/f"));
	DENIED(list_directory("d"));
	FAILS(1, "is not guarded", "remove", "--tree", "d");
	QUIET("deny", "--ops", "read", "--tree", "d");
	/* Removes both rules. */
	QUIET("remove", "d");
	ALLOWED(list_directory("d"));
	ALLOWED(try_read("d/f"));
	/* By the path of the rule, when that leads to nothing. */
	CHECK_SYS(unlink("g"));
	QUIET("remove", "g");
	SAYS("status");
	HAS(" 0 of ");
	QUIET("deny", "--ops", "read", "f", "d");
	QUIET("remove", "--all");
	SAYS("status");
	HAS(" 0 of ");
	ALLOWED(try_read("f"));
}

STEP(failures_change_nothing)
{
	make("f");
	FAILS(1, "inode-guard: nothing: No such file or directory\n", "deny", "--ops", "read",
	      "--inode", "f", "nothing");
	ALLOWED(try_read("f"));
	SAYS("list", "--json");
	CHECK(!strcmp(out, "[]\n"));
	/* One line for each error. */
	FAILS(1, "inode-guard: nil: No such file", "deny", "--inode", "nothing", "nil");
	CHECK(strstr(err, "inode-guard: nothing: No such file"));
}

STEP(usage)
{
	FAILS(2, "COMMAND is missing", NULL);
	FAILS(2, "there is no command 'guard'", "guard");
	FAILS(2, "'reed' is no operation (read, write, ", "deny", "--ops", "reed", "f");
	FAILS(2, "'' is no operation", "deny", "--ops", "read,", "f");
	FAILS(2, "PATH is missing", "deny");
	FAILS(2, "PATH is missing", "allow", "--ops", "read");
	FAILS(2, "PATH is missing", "remove");
	FAILS(2, "--all takes no PATH", "remove", "--all", "f");
	FAILS(2, "unexpected argument", "save", "a", "b");
	FAILS(2, "unexpected argument", "start", "f");
	FAILS(2, "unexpected argument", "stop", "f");
	FAILS(2, "unexpected argument", "status", "f");
	FAILS(2, "unexpected argument", "list", "f");
	FAILS(2, "unexpected argument", "watch", "f");
	FAILS(2, "unknown option", "deny", "--wrong", "f");
	FAILS(2, "--wrong", "status", "--wrong");
	FAILS(2, "wants an argument", "deny", "--ops");
	FAILS(2, "not a number from 1 to", "start", "--max-rules", "0");
	FAILS(2, "not a number from 1 to", "start", "--max-rules", "1x");
}

STEP(help)
{
	static char *const commands[] = {
		"start", "stop", "status", "deny", "allow", "remove", "list", "save", "apply",
		"watch", "refresh", "service",
	};
	size_t i;

	SAYS("--help");
	MATCHES("^Usage: inode-guard COMMAND");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		HAS(commands[i]);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		SAYS(commands[i], "--help");
		MATCHES("^Usage: inode-guard ");
		HAS("--help");
	}
	SAYS("--version");
	MATCHES("^inode-guard [0-9.]+$");
}

STEP(only_root)
{
	make("f");
	QUIET("deny", "--ops", "read", "f");
	CHECK_EQ(sh("setpriv --reuid 65534 --regid 65534 --clear-groups inode-guard list 2>error"),
		 1);
	CHECK_EQ(sh("grep -q 'are you root' error"), 0);
	CHECK_EQ(sh("setpriv --reuid 65534 --regid 65534 --clear-groups inode-guard remove --all "
		    "2>/dev/null"), 1);
	DENIED(try_read("f"));
}
