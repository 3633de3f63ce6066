// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules in audit mode: they report and stop nothing. Other rules deny as if these were not there.
 */
#include "events.h"

#define SHELL	"/usr/bin/dash"

/* End the watcher, with its output in out; return the number of lines. */
static unsigned int shown(pid_t watcher)
{
	unsigned int lines = 0;

	watch_end(watcher, SIGTERM);
	for (const char *c = out; *c; c++)
		lines += *c == '\n';
	return lines;
}

STEP(audit_rule)
{
	pid_t pid;

	make("f");
	QUIET("deny", "--ops", "read,write", "--audit", "f");
	pid = watch_start(WORDS("watch"));
	ALLOWED(try_read("f"));
	ALLOWED(try_write("f"));
	await_event("write");
	shown(pid);
	MATCHES("^" TIME " audit read " DIR_PATH "/audit_rule/f .* rule=" DIR_PATH "/audit_rule/f$");
	MATCHES("^" TIME " audit write " DIR_PATH "/audit_rule/f ");
	HAS_NOT(" denied ");
	SAYS("list");
	MATCHES("^audit .* read=1,write=[1-9]+  audit-deny:read,write  .*/f$");
	SAYS("list", "--json");
	json_check(out);
	HAS("\"state\":\"audit\",");
	HAS("\"operation\":\"read\",\"verdict\":\"deny\",\"hits\":1,\"audit\":true}");
	/* A command without --audit turns its operations into enforced ones. */
	QUIET("deny", "--ops", "read", "f");
	DENIED(try_read("f"));
	ALLOWED(try_write("f"));
	SAYS("list");
	MATCHES("^active .* deny:read;audit-deny:write  .*/f$");
	QUIET("deny", "--ops", "read", "--audit", "f");
	ALLOWED(try_read("f"));
}

/* An access is denied for one operation, and reported for another. */
STEP(audit_and_denied)
{
	pid_t pid;

	make("f");
	QUIET("deny", "--ops", "read", "--audit", "f");
	QUIET("deny", "--ops", "write", "f");
	pid = watch_start(WORDS("watch"));
	DENIED(try_open("f", O_RDWR));
	await_event("denied");
	CHECK_EQ(shown(pid), 2);
	MATCHES(" audit read .*/f ");
	MATCHES(" denied write .*/f ");
	/* The tree's rule reports one operation, and the file's rule denies the other. */
	CHECK_SYS(mkdir("d", 0755));
	make("d/f");
	QUIET("deny", "--ops", "read", "--audit", "--tree", "d");
	QUIET("deny", "--ops", "write", "d/f");
	pid = watch_start(WORDS("watch"));
	DENIED(try_open("d/f", O_RDWR));
	await_event("denied");
	CHECK_EQ(shown(pid), 2);
	MATCHES(" audit read .*/d/f .* rule=.*/d$");
	MATCHES(" denied write .*/d/f .* rule=.*/d/f$");
}

/* The rule that would decide without an audit rule still decides, however far up it is. */
STEP(audit_of_others)
{
	pid_t pid;

	CHECK_EQ(sh("mkdir -p a/b/c && touch a/f a/b/f a/b/c/f"), 0);
	QUIET("deny", "--ops", "read,write", "--tree", "a");
	QUIET("deny", "--ops", "read", "--audit", "--tree", "a/b");
	QUIET("deny", "--ops", "read", "--audit", "--tree", "a/b/c");
	QUIET("deny", "--ops", "read", "--audit", "a/b/c/f");
	QUIET("allow", "--ops", "read", "--audit", "a/f");
	pid = watch_start(WORDS("watch"));
	DENIED(try_read("a/f"));
	DENIED(try_read("a/b/f"));
	DENIED(try_read("a/b/c/f"));
	await_event("a/b/c/f");
	CHECK_EQ(shown(pid), 3);
	MATCHES(" denied read .*/a/b/c/f .* rule=.*/a$");
	HAS_NOT(" audit ");
	/* What a rule further up allows is allowed, and the nearest audit rule reports it. */
	QUIET("allow", "--ops", "read", "--tree", "a");
	pid = watch_start(WORDS("watch"));
	ALLOWED(try_read("a/f"));
	ALLOWED(try_read("a/b/f"));
	ALLOWED(try_read("a/b/c/f"));
	await_event("a/b/c/f");
	CHECK_EQ(shown(pid), 2);
	MATCHES(" audit read .*/a/b/f .* rule=.*/a/b$");
	MATCHES(" audit read .*/a/b/c/f .* rule=.*/a/b/c/f$");
	DENIED(try_write("a/b/c/f"));
	/* A nearer enforced rule decides. */
	QUIET("allow", "--ops", "write", "--tree", "a/b/c");
	ALLOWED(try_write("a/b/c/f"));
	DENIED(try_write("a/b/f"));
	/* Appending: with an audit rule for append, the rules for write decide. */
	QUIET("allow", "--ops", "append", "--audit", "--tree", "a/b");
	QUIET("allow", "--ops", "append", "--audit", "a/b/f");
	DENIED(try_append("a/b/f"));
	DENIED(try_append("a/f"));
	QUIET("allow", "--ops", "append", "--tree", "a/b");
	ALLOWED(try_append("a/b/f"));
}

/* Names: files that are made there, renamed there or linked there. */
STEP(audit_names)
{
	pid_t pid;

	CHECK_EQ(sh("mkdir d && touch f g h i"), 0);
	QUIET("deny", "--ops", "write,delete,rename,link", "--audit", "new", "over");
	QUIET("deny", "--ops", "write", "strict");
	QUIET("deny", "--ops", "read", "g");
	QUIET("deny", "--ops", "attr", "--audit", "h");
	pid = watch_start(WORDS("watch"));
	ALLOWED(try_open("new", O_WRONLY | O_CREAT));
	await_event("/new ");
	ALLOWED(try_rename("f", "new"));
	ALLOWED(try_write("new"));
	/* The file has a rule of its own, and keeps it. */
	ALLOWED(try_rename("g", "over"));
	DENIED(try_read("over"));
	ALLOWED(link("over", "d/over") ? errno : 0);
	QUIET("deny", "--ops", "write", "--audit", "d/link");
	ALLOWED(link("over", "d/link") ? errno : 0);
	DENIED(try_read("d/link"));
	DENIED(try_open("strict", O_WRONLY | O_CREAT));
	await_event("/strict ");
	shown(pid);
	MATCHES(" audit write .*/new ");
	MATCHES(" audit delete .*/new ");
	MATCHES(" audit write .*/over ");
	MATCHES(" denied write .*/strict ");
	/* A file's audit rule gives way to the enforced rule of its new name. */
	QUIET("deny", "--ops", "read", "h2");
	ALLOWED(try_rename("h", "h2"));
	DENIED(try_read("h2"));
	/* Two enforced rules: the rename is denied, as ever. */
	QUIET("deny", "--ops", "attr", "i");
	QUIET("deny", "--ops", "read", "i2");
	DENIED(try_rename("i", "i2"));
}

static int try_chmod(const char *path)
{
	return chmod(path, 0711) ? errno : 0;
}

/* An audit rule does not displace other rules of a name, for the file or for a tree. */
STEP(audit_and_others_of_a_name)
{
	CHECK_EQ(sh("mkdir d e t && touch d/f e/f"), 0);
	QUIET("deny", "--ops", "read", "--audit", "named");
	QUIET("deny", "--ops", "attr", "--tree", "named");
	QUIET("deny", "--ops", "write", "d");
	ALLOWED(try_rename("d", "named"));
	DENIED(try_open("named/new", O_WRONLY | O_CREAT));
	DENIED(try_chmod("named/f"));
	/* A tree's audit rule gives way to an enforced one, and never the other way round. */
	QUIET("allow", "--ops", "attr", "--audit", "--tree", "e");
	QUIET("deny", "--ops", "attr", "--tree", "meant");
	ALLOWED(try_rename("e", "meant"));
	DENIED(try_chmod("meant/f"));
	QUIET("allow", "--ops", "attr", "--audit", "--tree", "tried");
	QUIET("deny", "--ops", "attr", "--tree", "t");
	make("t/f");
	ALLOWED(try_rename("t", "tried"));
	DENIED(try_chmod("tried/f"));
}

static int read_by(const char *exe, const char *path)
{
	return sh("%s -c 'read -r line <%s' 2>/dev/null", exe, path);
}

/* Audit rules do not change how the executables that they name run. */
STEP(audit_only_for)
{
	pid_t pid;

	make("f");
	make("g");
	CHECK_EQ(sh("echo line >f; cp " SHELL " copy"), 0);
	QUIET("allow", "--ops", "read", "--audit", "--only-for", SHELL, "f");
	pid = watch_start(WORDS("watch"));
	CHECK_EQ(read_by("./copy", "f"), 0);
	CHECK_EQ(read_by(SHELL, "f"), 0);
	await_event("\n");
	shown(pid);
	MATCHES(" audit read .*/f .* executable=.*/copy ");
	HAS_NOT("executable=" SHELL " ");
	SAYS("list");
	MATCHES("^audit .* audit-only-for\\(" SHELL "\\):read  .*/f$");
	CHECK(!memory_is_kept(SHELL));
	QUIET("allow", "--ops", "read", "--only-for", "./copy", "g");
	CHECK(!memory_is_kept(SHELL));
	QUIET("allow", "--ops", "read", "--only-for", SHELL, "f");
	CHECK(memory_is_kept(SHELL));
	QUIET("allow", "--ops", "read", "--audit", "--only-for", SHELL, "f");
	CHECK(!memory_is_kept(SHELL));
}

/* The same for rules that name users, groups and cgroups. */
STEP(audit_only_for_others)
{
	static const char *const read_as =
		"setpriv --reuid %u --regid %u --clear-groups cat f >/dev/null";
	pid_t pid;

	make("f");
	CHECK_SYS(chmod("f", 0644));
	CHECK_SYS(chmod(".", 0755));
	CHECK_SYS(chmod(DIR_PATH, 0755));
	QUIET("allow", "--ops", "read", "--audit", "--only-for-user", "1001",
	      "--only-for-group", "1002", "f");
	QUIET("allow", "--ops", "write", "--audit", "--only-for-cgroup", "/nobody", "f");
	pid = watch_start(WORDS("watch"));
	CHECK_EQ(sh(read_as, 1001, 1001), 0);
	CHECK_EQ(sh(read_as, 1002, 1002), 0);
	CHECK_EQ(sh(read_as, 1001, 1002), 0);
	ALLOWED(try_write("f"));
	await_event(" write ");
	shown(pid);
	MATCHES(" audit read .* uid=1001 ");
	MATCHES(" audit read .* uid=1002 ");
	MATCHES(" audit write .* uid=0 ");
	HAS_NOT(" denied ");
	SAYS("list");
	MATCHES("^waiting .* read=[1-9]+,write=2  audit-only-for\\(user=1001,group=1002\\):read;"
	    "audit-only-for\\(cgroup=/nobody\\):write  ");
	SAYS("save");
	HAS("deny --ops read --audit --only-for-user 1001 --only-for-group 1002 " DIR_PATH);
	HAS("deny --ops write --audit --only-for-cgroup /nobody " DIR_PATH);
}

STEP(audit_in_files)
{
	char *saved;

	CHECK_EQ(sh("mkdir d && touch f"), 0);
	put_file("conf", "deny --ops read --audit f\nallow --ops write --only-for " SHELL " f\n"
		 "allow --audit --ops exec --only-for " SHELL " f\n"
		 "deny --audit --ops read --tree d\n");
	QUIET("apply", "conf");
	ALLOWED(try_read("f"));
	DENIED(try_write("f"));
	SAYS("save");
	saved = strdup(out);
	HAS("deny --ops read --audit " DIR_PATH "/audit_in_files/f\n");
	HAS("deny --ops write --only-for " SHELL " " DIR_PATH "/audit_in_files/f\n");
	HAS("deny --ops exec --audit --only-for " SHELL " " DIR_PATH "/audit_in_files/f\n");
	HAS("deny --ops read --tree --audit " DIR_PATH "/audit_in_files/d\n");
	put_file("saved", saved);
	check_saved(saved);
	/* The rules become enforced ones. */
	CHECK_EQ(sh("sed 's/ --audit//' saved >meant"), 0);
	SAYS("apply", "-v", "meant");
	HAS(", changed");
	DENIED(try_read("f"));
	QUIET("apply", "saved");
	ALLOWED(try_read("f"));
}
