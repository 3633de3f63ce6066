// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The examples of the manual pages: the steps extract them, and run or apply them unchanged. */
#include "steps.h"

#define PAGE	"/usr/share/man/man8/inode-guard.8"
#define CONF_PAGE	"/usr/share/man/man5/inode-guard.conf.5"
#define SHELL	"/usr/bin/dash"

/* Write the example that a page marks with this step's name to a file; it is in ".Bd -literal". */
static void take_example(const char *page, const char *name, const char *path)
{
	char mark[64], *text, *at, *end, *from, *to;

	if (access(page, R_OK))
		FAIL("there is no %s", page);
	text = get_file(page);
	snprintf(mark, sizeof(mark), ".\\\" guard/%s\n", name);
	at = strstr(text, mark);
	if (!at)
		FAIL("the page has no %s", name);
	at = strstr(at, ".Bd -literal");
	CHECK(at);
	at = strchr(at, '\n') + 1;
	end = strstr(at, ".Ed");
	CHECK(end);
	*end = '\0';
	/* "\e" is a backslash. */
	for (from = to = at; *from; from++) {
		*to++ = *from;
		if (from[0] == '\\' && from[1] == 'e')
			from++;
	}
	*to = '\0';
	put_file(path, at);
}

static void run_example(const char *name)
{
	take_example(PAGE, name, "example");
	if (sh("sh -e ./example >output 2>&1"))
		FAIL("%s: %s", name, get_file("output"));
}

/* Hide a directory of the machine, in this mount namespace. */
static void cover(const char *path)
{
	CHECK(!mkdir(path, 0755) || errno == EEXIST);
	CHECK_SYS(mount("cover", path, "tmpfs", 0, NULL));
}

STEP(example_protect)
{
	cover("/etc");
	make("/etc/shadow");
	make("/etc/new");
	run_example("example_protect");
	CHECK(strstr(get_file("output"), "/etc/shadow\n"));
	DENIED(try_write("/etc/shadow"));
	DENIED(chmod("/etc/shadow", 0644) ? errno : 0);
	DENIED(unlink("/etc/shadow") ? errno : 0);
	DENIED(try_rename("/etc/shadow", "/etc/old"));
	DENIED(try_rename("/etc/new", "/etc/shadow"));
	ALLOWED(try_read("/etc/shadow"));
}

STEP(example_host_keys)
{
	cover("/etc");
	CHECK_SYS(mkdir("/etc/ssh", 0755));
	make("/etc/ssh/ssh_host_rsa_key");
	make("/etc/ssh/ssh_host_ed25519_key");
	CHECK_EQ(sh("cp " SHELL " /usr/sbin/sshd"), 0);
	run_example("example_host_keys");
	DENIED(try_read("/etc/ssh/ssh_host_rsa_key"));
	DENIED(try_read("/etc/ssh/ssh_host_ed25519_key"));
	CHECK_EQ(sh("/usr/sbin/sshd -c 'read -r line </etc/ssh/ssh_host_rsa_key'"), 0);
	CHECK(sh(SHELL " -c 'read -r line </etc/ssh/ssh_host_rsa_key' 2>/dev/null"));
	CHECK_SYS(unlink("/usr/sbin/sshd"));
}

STEP(example_logs)
{
	CHECK(!mkdir("/var", 0755) || errno == EEXIST);
	cover("/var/log");
	make("/var/log/auth.log");
	run_example("example_logs");
	ALLOWED(try_append("/var/log/auth.log"));
	DENIED(try_write("/var/log/auth.log"));
	DENIED(truncate("/var/log/auth.log", 0) ? errno : 0);
	DENIED(unlink("/var/log/auth.log") ? errno : 0);
	DENIED(try_rename("/var/log/auth.log", "/var/log/old"));
}

STEP(example_tree)
{
	CHECK(!mkdir("/srv", 0755) || errno == EEXIST);
	cover("/srv");
	CHECK_SYS(mkdir("/srv/www", 0755));
	CHECK_SYS(mkdir("/srv/www/deep", 0755));
	make("/srv/www/deep/page");
	make("/srv/www/counter");
	run_example("example_tree");
	DENIED(try_write("/srv/www/deep/page"));
	DENIED(try_open("/srv/www/deep/new", O_WRONLY | O_CREAT));
	DENIED(unlink("/srv/www/deep/page") ? errno : 0);
	DENIED(unlink("/srv/www/counter") ? errno : 0);
	ALLOWED(try_write("/srv/www/counter"));
	ALLOWED(try_read("/srv/www/deep/page"));
}

STEP(example_upgrade)
{
	static const char replace[] = "cp /bin/busybox /usr/bin/passwd.new && "
				      "%s -f /usr/bin/passwd.new /usr/bin/passwd 2>/dev/null";

	/* A program that renames, under two names, one of which is the package manager's. */
	CHECK_EQ(sh("mkdir as && ln -s /usr/bin/dpkg as/mv && cd /usr/bin && rm -f passwd && "
		    "{ [ ! -e dpkg ] || mv dpkg dpkg.kept; }"), 0);
	CHECK_EQ(sh("for f in /usr/bin/passwd /usr/bin/dpkg mv; do cp /bin/busybox $f; done"), 0);
	run_example("example_upgrade");
	CHECK(sh(replace, "./mv"));
	DENIED(try_write("/usr/bin/passwd"));
	CHECK_EQ(sh(replace, "as/mv"), 0);
	DENIED(try_write("/usr/bin/passwd"));
	CHECK(sh(replace, "./mv"));
	CHECK_EQ(sh(replace, "as/mv"), 0);
	DENIED(try_write("/usr/bin/passwd"));
	QUIET("remove", "--all");
	CHECK_EQ(sh("cd /usr/bin && rm -f passwd dpkg passwd.new && "
		    "{ [ ! -e dpkg.kept ] || mv dpkg.kept dpkg; }"), 0);
}

STEP(example_keep)
{
	cover("/etc");
	make("f");
	QUIET("deny", "--ops", "read", "f");
	run_example("example_keep");
	DENIED(try_read("f"));
	CHECK_EQ(sh("grep -q '^deny --ops read .*/f$' /etc/inode-guard.conf"), 0);
}

STEP(example_conf)
{
	cover("/etc");
	CHECK(!mkdir("/srv", 0755) || errno == EEXIST);
	cover("/srv");
	make("/etc/shadow");
	make("/etc/with space");
	make("/srv/one.conf");
	make("/srv/[draft].txt");
	/* The file that the last path would match as a pattern. */
	make("/srv/d.txt");
	take_example(CONF_PAGE, "example_conf", "/etc/inode-guard.conf");
	CHECK_EQ(tool_run(WORDS("apply"), NULL), 4);
	CHECK(strstr(err, "/root/.ssh/id_ed25519"));
	SAYS("status");
	MATCHES("^running: enforcing, 4 of ");
	DENIED(try_write("/etc/shadow"));
	DENIED(unlink("/etc/with space") ? errno : 0);
	DENIED(try_write("/srv/one.conf"));
	DENIED(try_write("/srv/[draft].txt"));
	ALLOWED(try_write("/srv/d.txt"));
	ALLOWED(try_read("/etc/shadow"));
}
