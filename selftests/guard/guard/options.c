// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which commands have the options of deny and allow. rules.c and follow.c test what these do. */
#include "steps.h"

TOOL_STEP(options_of_deny_and_allow)
{
	static char *const commands[] = { "deny", "allow" };

	make("f");
	CHECK_EQ(sh("cp /bin/true exe"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		QUIET(commands[i], "--ops", "read", "f");
		QUIET(commands[i], "-o", "read", "f");
		QUIET(commands[i], "--ops", "read", "--tree", ".");
		QUIET(commands[i], "-o", "read", "-t", ".");
		QUIET(commands[i], "--ops", "read", "--only-for", "./exe", "f");
		QUIET(commands[i], "-o", "read", "-x", "./exe", "f");
		QUIET(commands[i], "--ops", "read", "--only-for-user", "0", "f");
		QUIET(commands[i], "-o", "read", "-u", "0", "f");
		QUIET(commands[i], "--ops", "read", "--only-for-group", "0", "f");
		QUIET(commands[i], "-o", "read", "-g", "0", "f");
		QUIET(commands[i], "--ops", "read", "--only-for-cgroup", "/x", "f");
		QUIET(commands[i], "-o", "read", "-C", "/x", "f");
		QUIET(commands[i], "--ops", "read", "--inode", "f");
		QUIET(commands[i], "-o", "read", "-i", "f");
		QUIET(commands[i], "--ops", "read", "--follow", "f");
		QUIET(commands[i], "-o", "read", "-f", "f");
		QUIET(commands[i], "--ops", "read", "--audit", "f");
		QUIET(commands[i], "-o", "read", "-a", "f");
		QUIET(commands[i], "--ops", "read", "--label", "word", "f");
		QUIET(commands[i], "-o", "read", "-l", "word", "f");
		QUIET(commands[i], "--ops", "read", "--no-dereference", "f");
		QUIET(commands[i], "-o", "read", "-P", "f");
		QUIET(commands[i], "--ops", "read", "--optional", "f");
		QUIET(commands[i], "-o", "read", "-O", "f");
		SAYS(commands[i], "--ops", "read", "--verbose", "f");
		SAYS(commands[i], "-o", "read", "-v", "f");
		QUIET("remove", "--all");
	}
}

/*
 * Other commands share some of these options, as the page says. A table has an option's letter and
 * name in one line.
 */
TOOL_STEP(options_of_no_other_command)
{
	static char *const commands[] = {
		"start", "stop", "status", "list", "apply", "save", "watch", "remove",
		"refresh", "service", "learn",
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		FAILS(2, "unknown option", commands[i], "--ops", "read");
		FAILS(2, "unknown option", commands[i], "--only-for", "/bin/true");
		FAILS(2, "unknown option", commands[i], "--label", "word");
		FAILS(2, "unknown option", commands[i], "--only-for-user", "0");
		FAILS(2, "unknown option", commands[i], "--only-for-group", "0");
		FAILS(2, "unknown option", commands[i], "--only-for-cgroup", "/x");
		FAILS(2, "unknown option", commands[i], "--inode");
		FAILS(2, "unknown option", commands[i], "--follow");
		if (!strcmp(commands[i], "remove"))
			continue;
		FAILS(2, "unknown option", commands[i], "--tree");
		FAILS(2, "unknown option", commands[i], "--no-dereference");
	}
}
