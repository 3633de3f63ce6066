// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tool tells the truth: about rules that can't hold, about rules that are not in force, and
 * about a guard that the kernel does not call.
 */
#include "steps.h"

/* How many rules' names have no file, or another one. */
STEP(status_counts)
{
	make("f");
	CHECK_EQ(sh("mkdir one two && touch one/f two/f && ln -s one current"), 0);
	QUIET("deny", "--ops", "read", "f", "waits", "current/f");
	SAYS("status");
	MATCHES("^running: enforcing, 3 of [0-9]+ rules, 1 waiting, generation ");
	CHECK_EQ(sh("ln -s two next && mv -T next current"), 0);
	CHECK_EQ(tool_run(WORDS("status"), NULL), 4);
	MATCHES("^running: enforcing, 3 of [0-9]+ rules, 1 waiting, 1 elsewhere, generation ");
	CHECK_EQ(tool_run(WORDS("status", "--json"), NULL), 4);
	json_check(out);
	HAS("\"waiting\":1,\"elsewhere\":1,\"gone\":0,\"hanging\":0,");
	QUIET("remove", "current/f");
	QUIET("deny", "--ops", "read", "--inode", "two/f");
	CHECK_SYS(unlink("two/f"));
	CHECK_EQ(tool_run(WORDS("status"), NULL), 4);
	MATCHES(" 1 waiting, 1 gone, ");
}

/* The kernel calls BPF programs through ftrace, which can be switched off. */
STEP(status_not_called)
{
	make("f");
	QUIET("deny", "--ops", "read", "f");
	if (sh("echo 0 2>/dev/null >/proc/sys/kernel/ftrace_enabled"))
		return;
	/* Some kernels call them in another way. */
	if (!try_read("f")) {
		CHECK_EQ(tool_run(WORDS("status"), NULL), 1);
		HAS("running: not called by the kernel, ");
		CHECK(strstr(err, "does not call the programs: kernel.ftrace_enabled is 0"));
		CHECK_EQ(tool_run(WORDS("status", "--json"), NULL), 1);
		HAS("\"called\":false,");
	}
	CHECK_EQ(sh("echo 1 >/proc/sys/kernel/ftrace_enabled"), 0);
	DENIED(try_read("f"));
	SAYS("status");
	HAS("running: enforcing, ");
}

STEP(no_rules_in_procfs)
{
	FAILS(1, "files of procfs come and go", "deny", "--ops", "write",
	      "/proc/sys/kernel/core_pattern");
	FAILS(1, "files of procfs come and go", "deny", "--tree", "/proc/sys/kernel");
	SAYS("list", "--json");
	CHECK(!strcmp(out, "[]\n"));
	/* The root of a procfs mount exists as long as the mount. */
	CHECK_EQ(sh("mkdir proc && mount -t proc proc proc"), 0);
	QUIET("deny", "--ops", "write", "--tree", "proc");
	CHECK_SYS(umount("proc"));
	/* Its source may be an empty word, which the list of mounts leaves out. */
	CHECK_SYS(mount("", "proc", "proc", 0, NULL));
	FAILS(1, "files of procfs come and go", "deny", "--ops", "write", "proc/version");
	CHECK_SYS(umount("proc"));
}

/* save keeps a file's comments, empty lines and order. */
STEP(save_keeps_comments)
{
	static const char before[] =
		"# Of the web server\n"
		"\n"
		"deny --ops read b\n"
		"  # and its logs\n"
		"deny --ops write a\n"
		"allow --ops append a\n";
	static const char after[] =
		"# Of the web server\n"
		"\n"
		"deny --ops read " DIR_PATH "/save_keeps_comments/b\n"
		"  # and its logs\n"
		"deny --ops write " DIR_PATH "/save_keeps_comments/a\n"
		"allow --ops append " DIR_PATH "/save_keeps_comments/a\n"
		"deny --ops exec " DIR_PATH "/save_keeps_comments/c\n";
	struct stat stat;

	put_file("conf", before);
	CHECK_SYS(chmod("conf", 0640));
	CHECK_SYS(chown("conf", 0, 7));
	QUIET("apply", "conf");
	QUIET("deny", "--ops", "exec", "c");
	QUIET("save", "conf");
	if (strcmp(get_file("conf"), after))
		FAIL("\"%s\"", get_file("conf"));
	CHECK_SYS(lstat("conf", &stat));
	CHECK_EQ(stat.st_mode, S_IFREG | 0640);
	CHECK_EQ(stat.st_gid, 7);
	QUIET("save", "conf");
	CHECK(!strcmp(get_file("conf"), after));
	/* A new file is only for root. */
	QUIET("save", "new");
	CHECK_SYS(lstat("new", &stat));
	CHECK_EQ(stat.st_mode, S_IFREG | 0600);
	CHECK_EQ(sh("grep -q 'exec .*/c$' new && grep -q 'read .*/b$' new"), 0);
	/* Lines of removed rules are removed. */
	QUIET("remove", "b");
	QUIET("save", "conf");
	CHECK_EQ(sh("grep -q '^# Of the web server' conf && ! grep -q '/b$' conf"), 0);
}

STEP(apply_skips_what_is_missing)
{
	make("f");
	make("g");
	put_file("conf", "deny --ops read f\ndeny --ops read nowhere/name\ndeny --ops read g\n");
	FAILS(1, "conf:2: nowhere/name: No such file", "apply", "conf");
	ALLOWED(try_read("f"));
	CHECK_EQ(tool_run(WORDS("apply", "--skip-missing", "conf"), NULL), 4);
	CHECK(strstr(err, "conf:2: nowhere/name: No such file"));
	DENIED(try_read("f"));
	DENIED(try_read("g"));
	QUIET("remove", "--all");
	/* The same by a line with --optional. */
	put_file("conf", "deny --ops read f\ndeny --optional --ops read nowhere/name\n"
		 "allow --optional --ops read --only-for missing g\n");
	CHECK_EQ(tool_run(WORDS("apply", "conf"), NULL), 4);
	DENIED(try_read("f"));
	ALLOWED(try_read("g"));
	CHECK_EQ(tool_run(WORDS("apply", "--check", "conf"), NULL), 0);
	/* Errors of the syntax are still errors. */
	put_file("conf", "deny --optional --ops reed f\n");
	FAILS(1, "conf:1: 'reed' is no operation", "apply", "conf");
}

STEP(conf_patterns)
{
	CHECK_EQ(sh("touch key_a key_b 'key_*' other"), 0);
	put_file("conf", "deny --ops read key_?\n");
	QUIET("apply", "conf");
	DENIED(try_read("key_a"));
	DENIED(try_read("key_b"));
	DENIED(try_read("key_*"));
	ALLOWED(try_read("other"));
	put_file("conf", "deny --ops read 'key_*'\ndeny --ops read oth[e]r\n");
	QUIET("apply", "conf");
	ALLOWED(try_read("key_a"));
	DENIED(try_read("key_*"));
	DENIED(try_read("other"));
	put_file("conf", "deny --ops read key\\_\\*\n");
	QUIET("apply", "conf");
	ALLOWED(try_read("key_a"));
	DENIED(try_read("key_*"));
	put_file("conf", "deny --ops read none_*\n");
	FAILS(1, "/none_*: no file matches this pattern", "apply", "conf");
	QUIET("apply", "--skip-missing", "conf");
	put_file("conf", "deny --optional --ops read none_* other\n");
	QUIET("apply", "conf");
	DENIED(try_read("other"));
}

/* A name that looks like a pattern means one file. */
STEP(save_quotes_patterns)
{
	CHECK_EQ(sh("touch key_a 'key_*' 'key_?' 'key_[a]'"), 0);
	QUIET("deny", "--ops", "read", "key_*", "key_?", "key_[a]");
	QUIET("save", "conf");
	QUIET("remove", "--all");
	QUIET("apply", "conf");
	ALLOWED(try_read("key_a"));
	DENIED(try_read("key_*"));
	DENIED(try_read("key_?"));
	DENIED(try_read("key_[a]"));
}

/* The time for a line is linear in its length, not quadratic. */
TOOL_STEP(conf_long_line)
{
	CHECK_EQ(sh("{ printf 'deny --ops reed'; yes ' f' | head -n 200000 | tr -d '\\n'; "
		    "echo; } >conf"), 0);
	FAILS(1, "conf:1: 'reed' is no operation", "apply", "conf");
}

/* The system's own file, and those that packages install. */
STEP(conf_fragments)
{
	CHECK_EQ(sh("touch a b c d && mkdir -p /etc/inode-guard.d"), 0);
	CHECK_EQ(sh("echo deny --ops read $PWD/a >/etc/inode-guard.conf && cd /etc/inode-guard.d && "
		    "echo deny --ops write $OLDPWD/b >20-b.conf && "
		    "echo allow --ops write $OLDPWD/b >30-b.conf && "
		    "echo deny --ops read $OLDPWD/c >10-c.conf && "
		    "echo deny --ops read $OLDPWD/d >d.conf.bak"), 0);
	QUIET("apply");
	DENIED(try_read("a"));
	ALLOWED(try_write("b"));
	DENIED(try_read("c"));
	ALLOWED(try_read("d"));
	CHECK_EQ(sh("echo nonsense >/etc/inode-guard.d/40.conf"), 0);
	FAILS(1, "/etc/inode-guard.d/40.conf:1: 'nonsense' is neither", "apply");
	CHECK_EQ(sh("rm -r /etc/inode-guard.d /etc/inode-guard.conf"), 0);
	/* Without files the policy becomes empty. */
	QUIET("apply");
	ALLOWED(try_read("a"));
	put_file("one", "deny --ops read a\n");
	put_file("two", "deny --ops read c\n");
	QUIET("apply", "one", "two");
	DENIED(try_read("a"));
	DENIED(try_read("c"));
}
