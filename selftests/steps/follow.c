// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Files that are replaced by a rename, as package managers do it: with --follow, and without.
 */
#include "steps.h"

#include <linux/fs.h>

static void make_with(const char *path, const char *text)
{
	put_file(path, text);
}

STEP(replaced_without_follow)
{
	make_with("f", "old\n");
	make_with("new", "new\n");
	QUIET("deny", "--ops", "write", "f");
	CHECK_SYS(rename("new", "f"));
	/* The rule was for the file that is gone. */
	ALLOWED(try_write("f"));
	SAYS("list");
	MATCHES("^gone .*/f$");
}

STEP(follow)
{
	char pattern[128];
	int i;

	make("f");
	QUIET("deny", "--ops", "write", "--follow", "f");
	/* Again and again. */
	for (i = 0; i < 3; i++) {
		make("new");
		ALLOWED(try_write("new"));
		CHECK_SYS(rename("new", "f"));
		DENIED(try_write("f"));
		ALLOWED(try_read("f"));
	}
	SAYS("list");
	snprintf(pattern, sizeof(pattern), "^active +[0-9:]+ +%lu .*follow +.*/f$",
		 (unsigned long)file_ino("f"));
	MATCHES(pattern);
	MATCHES("write=3 ");
	/* One rule, which goes as a whole. */
	SAYS("status");
	HAS(" 1 of ");
	QUIET("remove", "f");
	ALLOWED(try_write("f"));
	make("new");
	CHECK_SYS(rename("new", "f"));
	ALLOWED(try_write("f"));
}

/* It has the rule while it still has its own name, so that there is no moment without. */
STEP(follow_from_another_name)
{
	make("f");
	make("new");
	CHECK_SYS(link("new", "also-new"));
	QUIET("deny", "--ops", "write", "--follow", "f");
	CHECK_SYS(rename("new", "f"));
	DENIED(try_write("also-new"));
}

STEP(follow_denied)
{
	make("f");
	make("new");
	QUIET("deny", "--ops", "write,delete", "--follow", "f");
	DENIED(try_rename("new", "f"));
	/* What was not renamed is not guarded. */
	ALLOWED(try_write("new"));
	DENIED(try_write("f"));
	QUIET("deny", "--ops", "rename", "f");
	QUIET("allow", "--ops", "delete", "f");
	DENIED(try_rename("new", "f"));
	ALLOWED(try_write("new"));
}

/* Busy: a mount in this namespace is on the name. That comes after the security hooks. */
STEP(follow_failed)
{
	int fd;

	make("f");
	make("new");
	make("over");
	QUIET("deny", "--ops", "write", "--follow", "f");
	CHECK_SYS(mount("over", "f", NULL, MS_BIND, NULL));
	CHECK_EQ(try_rename("new", "f"), EBUSY);
	CHECK_SYS(umount("f"));
	ALLOWED(try_write("new"));
	DENIED(try_write("f"));
	SAYS("status");
	HAS(" 1 of ");
	/* One that has a rule of its own keeps that. */
	QUIET("deny", "--ops", "read", "new");
	fd = file_open("f", O_RDONLY);
	CHECK_SYS(mount("over", "f", NULL, MS_BIND, NULL));
	CHECK_EQ(try_rename("new", "f"), EBUSY);
	CHECK_SYS(umount("f"));
	DENIED(try_read("new"));
	ALLOWED(try_write("new"));
	close(fd);
}

STEP(follow_exchange)
{
	make("f");
	make("new");
	QUIET("deny", "--ops", "write", "--follow", "f");
	CHECK_SYS(renameat2(AT_FDCWD, "new", AT_FDCWD, "f", RENAME_EXCHANGE));
	DENIED(try_write("f"));
	/* The file that had the name keeps the rule. */
	DENIED(try_write("new"));
	CHECK_SYS(renameat2(AT_FDCWD, "new", AT_FDCWD, "f", RENAME_EXCHANGE));
	DENIED(try_write("f"));
	DENIED(try_write("new"));
}

/* Only the guarded name counts, not another that somebody made for the file. */
STEP(follow_no_other_link)
{
	CHECK_SYS(mkdir("elsewhere", 0755));
	make("f");
	make("victim");
	CHECK_SYS(link("f", "elsewhere/f"));
	CHECK_SYS(link("f", "g"));
	QUIET("deny", "--ops", "write", "--follow", "f");
	CHECK_SYS(rename("victim", "elsewhere/f"));
	ALLOWED(try_write("elsewhere/f"));
	CHECK_SYS(rename("elsewhere/f", "g"));
	ALLOWED(try_write("g"));
	DENIED(try_write("f"));
}

STEP(follow_vacated_name)
{
	make("f");
	make("new");
	make("newer");
	QUIET("deny", "--ops", "write", "--follow", "f");
	CHECK_SYS(rename("f", "f.old"));
	DENIED(try_write("f.old"));
	CHECK_SYS(rename("new", "f"));
	DENIED(try_write("f"));
	CHECK_SYS(unlink("f"));
	CHECK_SYS(rename("newer", "f"));
	DENIED(try_write("f"));
	/* One that is made there, and not renamed, is another file. */
	CHECK_SYS(unlink("f"));
	make("f");
	ALLOWED(try_write("f"));
}

static int read_by(const char *exe, const char *path)
{
	return sh("%s -c 'read -r line <%s' 2>/dev/null", exe, path);
}

STEP(follow_executable)
{
	make("f");
	CHECK_EQ(sh("cp /usr/bin/dash exe && cp /usr/bin/dash new && cp /usr/bin/dash other"), 0);
	QUIET("allow", "--ops", "read", "--follow", "--only-for", "exe", "f");
	CHECK_EQ(read_by("./exe", "f"), 0);
	CHECK(read_by("./new", "f"));
	CHECK_SYS(rename("new", "exe"));
	CHECK_EQ(read_by("./exe", "f"), 0);
	CHECK(read_by("./other", "f"));
}

/* What was not renamed is not the executable, and is what it was before. */
STEP(follow_executable_failed)
{
	make("f");
	make("own");
	CHECK_EQ(sh("cp /usr/bin/dash exe && cp /usr/bin/dash new && cp /usr/bin/dash over"), 0);
	QUIET("allow", "--ops", "read", "--follow", "--only-for", "exe", "f");
	CHECK_SYS(mount("over", "exe", NULL, MS_BIND, NULL));
	CHECK_EQ(try_rename("new", "exe"), EBUSY);
	CHECK(read_by("./new", "f"));
	QUIET("allow", "--ops", "read", "--only-for", "new", "own");
	CHECK_EQ(try_rename("new", "exe"), EBUSY);
	CHECK_SYS(umount("exe"));
	CHECK(read_by("./new", "f"));
	CHECK_EQ(read_by("./new", "own"), 0);
	CHECK_EQ(read_by("./exe", "f"), 0);
}

STEP(executable_without_follow)
{
	make("f");
	CHECK_EQ(sh("cp /usr/bin/dash exe && cp /usr/bin/dash new"), 0);
	QUIET("allow", "--ops", "read", "--only-for", "exe", "f");
	CHECK_SYS(rename("new", "exe"));
	CHECK(read_by("./exe", "f"));
}
