// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What list and status show, also in audit mode. */
#include "steps.h"

#include <sys/sysmacros.h>

STEP(list_text)
{
	char pattern[256];
	struct stat stat;

	SAYS("list");
	MATCHES("^STATE +DEVICE +INODE +HITS +OPERATIONS +PATH$");
	make("f");
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(lstat("f", &stat));
	QUIET("deny", "--ops", "read,write", "f");
	QUIET("allow", "--ops", "link", "f");
	QUIET("deny", "--ops", "exec", "--tree", "d");
	SAYS("list");
	snprintf(pattern, sizeof(pattern),
		 "^active +%u:%u +%lu +- +deny:read,write;allow:link +" DIR_PATH "/list_text/f$",
		 major(stat.st_dev), minor(stat.st_dev), (unsigned long)stat.st_ino);
	MATCHES(pattern);
	MATCHES("^active .* - +deny:exec +tree +" DIR_PATH "/list_text/d$");
	/* Sorted by path. */
	CHECK(strstr(out, "/list_text/d\n") < strstr(out, "/list_text/f\n"));
}

STEP(list_json)
{
	char text[256];
	struct stat stat;

	SAYS("list", "--json");
	CHECK(!strcmp(out, "[]\n"));
	make("f \"\\\xff\xc3\xa4\n");
	CHECK_SYS(lstat("f \"\\\xff\xc3\xa4\n", &stat));
	QUIET("deny", "--ops", "read", "--follow", "f \"\\\xff\xc3\xa4\n");
	SAYS("list", "--json");
	json_check(out);
	HAS("/list_json/f \\\"\\\\\\udcff\xc3\xa4\\u000a\",");
	snprintf(text, sizeof(text), "\"state\":\"active\",\"device\":{\"major\":%u,\"minor\":%u},"
		 "\"inode\":%lu,\"tree\":false,\"follow\":true,\"label\":\"\",\"operations\":"
		 "[{\"operation\":\"read\",\"verdict\":\"deny\",\"hits\":0,\"audit\":false}]}",
		 major(stat.st_dev), minor(stat.st_dev), (unsigned long)stat.st_ino);
	HAS(text);
}

static void put_exe(const char *path)
{
	CHECK_EQ(sh("cp /bin/dash %s.new && mv %s.new %s", path, path, path), 0);
}

/* The states of a rule's executables. */
STEP(list_executables)
{
	make("f");
	put_exe("exe");
	put_exe("fixed");
	QUIET("deny", "--ops", "read", "--only-for", "exe", "f");
	QUIET("deny", "--ops", "write", "--inode", "--only-for", "fixed", "f");
	SAYS("list");
	MATCHES(" only-for\\(/[^:]*/exe\\):read;only-for\\(/[^:]*/fixed\\):write ");
	SAYS("status", "--json");
	json_check(out);
	HAS(",\"executables\":{\"waiting\":0,\"elsewhere\":0,\"gone\":0,\"hanging\":0},");

	CHECK_SYS(unlink("exe"));
	SAYS("list");
	MATCHES(" only-for\\(waiting:/[^:]*/exe\\):read;");
	SAYS("status");
	HAS(", 1 executable waiting, generation ");
	/* For a rule with --inode, another file of that name does not count. */
	CHECK_SYS(rename("fixed", "renamed"));
	SAYS("list", "--json");
	json_check(out);
	HAS("/fixed\"],\"executables\":[{\"path\":\"" DIR_PATH "/list_executables/fixed\","
	    "\"state\":\"elsewhere\"}]");
	CHECK_EQ(tool_run(WORDS("status"), NULL), 4);
	HAS(", 1 executable waiting, 1 executable elsewhere, generation ");
	CHECK_SYS(unlink("renamed"));
	put_exe("fixed");
	SAYS("list");
	MATCHES(";only-for\\(gone:/[^:]*/fixed\\):write ");
	CHECK_EQ(tool_run(WORDS("status", "--json"), NULL), 4);
	json_check(out);
	HAS(",\"executables\":{\"waiting\":1,\"elsewhere\":0,\"gone\":1,\"hanging\":0},");
	put_exe("exe");
	SAYS("list");
	MATCHES(" only-for\\(/[^:]*/exe\\):read;");
	/* The path leads to another directory now. */
	CHECK_EQ(sh("mkdir one && mv exe one && ln -s one current"), 0);
	QUIET("remove", "--all");
	QUIET("deny", "--ops", "read", "--only-for", "current/exe", "f");
	CHECK_EQ(sh("mkdir two && cp one/exe two && ln -s two next && mv -T next current"), 0);
	SAYS("list");
	MATCHES(" only-for\\(elsewhere:/[^:]*/current/exe\\):read ");
	QUIET("refresh");
	SAYS("list");
	MATCHES(" only-for\\(/[^:]*/current/exe\\):read ");
}

STEP(hits)
{
	int i;

	make("f");
	make("g");
	QUIET("deny", "--ops", "read,write", "f", "g");
	for (i = 0; i < 3; i++)
		DENIED(try_read("f"));
	DENIED(try_write("f"));
	SAYS("list");
	MATCHES(" read=3,write=1 .*/f$");
	MATCHES(" - .*/g$");
	SAYS("list", "--json");
	json_check(out);
	HAS("{\"operation\":\"read\",\"verdict\":\"deny\",\"hits\":3,\"audit\":false}");
	/* Hits stay when the rule's operations change, and go away with the rule. */
	QUIET("deny", "--ops", "link", "f");
	SAYS("list");
	MATCHES(" read=3,write=1 .*/f$");
	QUIET("remove", "f");
	QUIET("deny", "--ops", "read", "f");
	SAYS("list");
	MATCHES(" - .*/f$");
}

STEP(gone)
{
	CHECK_SYS(mkdir("mnt", 0755));
	CHECK_SYS(mount("mnt", "mnt", "tmpfs", 0, NULL));
	make("f");
	make("mnt/f");
	QUIET("deny", "--ops", "read", "--inode", "f", "mnt/f");
	CHECK_SYS(unlink("f"));
	SAYS("list");
	MATCHES("^gone .*/gone/f$");
	MATCHES("^active .*/mnt/f$");
	/* A rule does not keep a filesystem mounted. */
	CHECK_SYS(umount("mnt"));
	SAYS("list", "--json");
	json_check(out);
	HAS("/mnt/f\",\"state\":\"gone\"");
	counts_wait(11, 0, 0, 0);
	/* A new file of that name is not guarded. A new rule for it replaces the old one. */
	make("f");
	ALLOWED(try_read("f"));
	QUIET("deny", "--ops", "read", "--inode", "f");
	DENIED(try_read("f"));
	SAYS("list");
	MATCHES("^active .*/gone/f$");
	HAS("/gone/f\n");
	CHECK(!strstr(strstr(out, "/gone/f\n") + 1, "/gone/f\n"));
}

STEP(audit)
{
	make("f");
	QUIET("deny", "--ops", "read", "f");
	QUIET("start", "--audit");
	ALLOWED(try_read("f"));
	SAYS("status");
	MATCHES("^running: audit, ");
	SAYS("status", "--json");
	json_check(out);
	HAS("\"audit\":true");
	SAYS("list");
	MATCHES("^audit .* read=1 .*/f$");
	/* A start without either option leaves the mode as it is. */
	QUIET("start");
	ALLOWED(try_read("f"));
	QUIET("start", "--enforce");
	DENIED(try_read("f"));
	SAYS("list");
	MATCHES("^active .* read=3 .*/f$");
}

STEP(relative_paths)
{
	CHECK_SYS(mkdir("d", 0755));
	make("d/f");
	QUIET("deny", "--ops", "read", "./d//f");
	SAYS("list");
	MATCHES(" " DIR_PATH "/relative_paths/d/f$");
}
