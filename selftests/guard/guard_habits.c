// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Everyday operations on files that have rules, each with the program that people use for it. The
 * program replaces the file by a new one, and inode-guard's rules must hold for that as well.
 * guard_service.c covers mounts and the swapping of releases.
 */
#include "steps.h"

#define VIM		"/usr/bin/vim.tiny"
#define GIT		"/usr/bin/git"
#define TAR		"/usr/bin/tar"
#define INSTALL		"/usr/bin/install"
#define SED		"/usr/bin/sed"
#define LOGROTATE	"/usr/bin/logrotate"
#define DPKG		"/usr/bin/dpkg"

static ino_t inode_of(const char *path)
{
	struct stat stat;

	CHECK_SYS(lstat(path, &stat));
	return stat.st_ino;
}

static void has_text(const char *path, const char *text)
{
	if (strcmp(get_file(path), text))
		FAIL("%s: \"%s\"", path, get_file(path));
}

/* @command may write @path, and replaces it by a new file. Run it twice, to be sure. */
static void replaces(const char *command, const char *path)
{
	ino_t before;
	int i;

	for (i = 0; i < 2; i++) {
		before = inode_of(path);
		DENIED(try_write(path));
		if (sh("%s >said 2>&1", command))
			FAIL("%s: %s", command, get_file("said"));
		if (inode_of(path) == before)
			FAIL("%s: it is still the same file", command);
		DENIED(try_write(path));
	}
}

/* vim's defaults for files outside of /tmp. */
static void check_vim(void)
{
	put_file("notes", "one\n");
	QUIET("deny", "--ops", "write,delete,rename", "--only-for", VIM, "notes");
	replaces(VIM " -u NONE -N -es -c 'set writebackup backupskip= backupcopy=no' "
		 "-c 's/$/ more/' -c wq notes </dev/null",
		 "notes");
	has_text("notes", "one more more\n");
}

static void check_git(void)
{
	CHECK_EQ(sh("export HOME=$PWD && mkdir work && cd work && git init -q && "
		    "git config user.name x && git config user.email x && "
		    "echo one >f && git add f && git commit -qm one && "
		    "echo two >f && git commit -qam two"), 0);
	QUIET("deny", "--ops", "write,delete", "--only-for", GIT, "work/f");
	replaces("cd work && HOME=$PWD/.. git checkout -q HEAD~1 && "
		 "HOME=$PWD/.. git checkout -q master", "work/f");
	has_text("work/f", "two\n");
}

static void check_archives(void)
{
	CHECK_EQ(sh("echo old >unpacked && echo new >packed && echo old >installed && "
		    TAR " -cf archive.tar --transform s/packed/unpacked/ packed"), 0);
	QUIET("deny", "--ops", "write,delete", "--only-for", TAR, "unpacked");
	replaces(TAR " -xf archive.tar", "unpacked");
	has_text("unpacked", "new\n");
	QUIET("deny", "--ops", "write,delete", "--only-for", INSTALL, "installed");
	replaces(INSTALL " -m 644 packed installed", "installed");
	has_text("installed", "new\n");
	QUIET("deny", "--ops", "write,delete,rename", "--only-for", SED, "installed");
	replaces(SED " -i s/new/newer/ installed", "installed");
}

/* Programs can go on logging, and the old file keeps its contents. */
static void check_logrotate(void)
{
	CHECK_SYS(mkdir("logs", 0755));
	put_file("logs/log", "line\n");
	put_file("logrotate.conf", DIR_PATH "/logs/log {\n\trotate 3\n\tcreate 0600 root root\n}\n");
	QUIET("deny", "--ops", "write", "--only-for", LOGROTATE, "logs/log");
	QUIET("allow", "--ops", "append", "logs/log");
	replaces(LOGROTATE " -f -s state logrotate.conf", "logs/log");
	ALLOWED(try_append("logs/log"));
	has_text("logs/log", "x");
	has_text("logs/log.2", "line\n");
}

/* Build a package from the contents of a directory. */
static void make_package(const char *version)
{
	CHECK_EQ(sh("mkdir -p package/DEBIAN && printf 'Package: habit\\nVersion: %s\\n"
		    "Architecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n' "
		    ">package/DEBIAN/control && dpkg-deb -Znone -b package habit-%s.deb >/dev/null",
		    version, version), 0);
}

static void install_package(const char *version)
{
	if (sh(DPKG " --force-bad-path --log=/dev/null -i habit-%s.deb >said 2>&1", version))
		FAIL("dpkg -i habit-%s.deb: %s", version, get_file("said"));
}

/* dpkg may change the files, and replaces its own executable, too. */
static void check_dpkg(void)
{
	CHECK_EQ(sh("mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates && "
		    ">/var/lib/dpkg/status && >/var/lib/dpkg/available"), 0);
	CHECK_EQ(sh("mkdir -p package/usr/lib/habit && cp /usr/bin/dash package/usr/lib/habit/tool && "
		    "echo 1 >package/usr/lib/habit/data"), 0);
	make_package("1");
	CHECK_EQ(sh("echo 2 >package/usr/lib/habit/data && mkdir package/usr/bin && "
		    "{ cat " DPKG " && echo; } >package" DPKG " && chmod 755 package" DPKG), 0);
	make_package("2");
	CHECK_EQ(sh("echo 3 >package/usr/lib/habit/data"), 0);
	make_package("3");
	install_package("1");
	put_file("secret", "text\n");
	QUIET("deny", "--ops", "write,delete,rename", "--tree", "--only-for", DPKG, "/usr/lib/habit");
	QUIET("deny", "--ops", "write,delete,rename", "--only-for", DPKG, DPKG);
	QUIET("deny", "--ops", "read", "--only-for", "/usr/lib/habit/tool", "secret");
	CHECK_EQ(sh("/usr/lib/habit/tool -c 'read -r line <secret'"), 0);
	CHECK_EQ(sh("cp /usr/lib/habit/tool before"), 0);
	replaces("case $(cat /usr/lib/habit/data) in 1) v=2 ;; *) v=3 ;; esac; " DPKG
		 " --force-bad-path --log=/dev/null -i habit-$v.deb", "/usr/lib/habit/tool");
	has_text("/usr/lib/habit/data", "3\n");
	DENIED(try_write("/usr/lib/habit/data"));
	DENIED(try_write(DPKG));
	CHECK_EQ(sh("/usr/lib/habit/tool -c 'read -r line <secret'"), 0);
	CHECK(sh("./before -c 'read -r line <secret' 2>/dev/null"));
}

static void check_shown(void)
{
	SAYS("status", "--json");
	json_check(out);
	HAS(",\"waiting\":0,\"elsewhere\":0,\"gone\":0,");
	HAS(",\"executables\":{\"waiting\":0,\"elsewhere\":0,\"gone\":0,");
	SAYS("list");
	MATCHES("^active .*/notes$");
	MATCHES("^active .*/usr/lib/habit$");
}

static void run(void *unused)
{
	(void)unused;
	QUIET(START_SMALL);
	check_vim();
	check_git();
	check_archives();
	check_logrotate();
	check_dpkg();
	check_shown();
	QUIET("stop");
}

TEST(habits)
{
	guarded(run);
}
