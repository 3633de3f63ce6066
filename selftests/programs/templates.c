// SPDX-License-Identifier: GPL-2.0-only
/*
 * The templates in bpf/templates/, as built out of tree by scripts/templates: each still denies an
 * open after its loader has exited, survives a restart of the loader, and ends when told to.
 */
#include "harness.h"

/* scripts/test puts them here. */
#define PROGRAM_PATH	"/usr/sbin/policy-"

static int policy(const char *language, const char *arguments)
{
	return sh(PROGRAM_PATH "%s %s", language, arguments);
}

static void check_template(const char *language)
{
	char path[64];

	snprintf(path, sizeof(path), PROGRAM_PATH "%s", language);
	if (access(path, X_OK))
		SKIP("this template is not built here: make test-templates builds all");
	mount_bpffs();
	close(file_create("one"));
	close(file_create("two"));
	close(file_create("other"));

	CHECK_EQ(policy(language, "one"), 0);
	CHECK(open_is_denied("one"));
	CHECK(!open_is_denied("two") && !open_is_denied("other"));
	/* A second run reuses the map and its entry, and replaces the program. */
	CHECK_EQ(policy(language, "two"), 0);
	CHECK(open_is_denied("one") && open_is_denied("two"));
	CHECK(!open_is_denied("other"));
	counts_wait(1, 2, 2, 2);
	CHECK_EQ(sh("[ \"$(ls " BPFFS_PATH "/policy | tr '\\n' ' ')\" = 'denied deny_open ' ]"), 0);

	/* A failing run does not change the policy. */
	CHECK_EQ(policy(language, "no-such-file 2>/dev/null"), 1);
	CHECK_EQ(policy(language, "2>/dev/null"), 2);
	CHECK(open_is_denied("one") && open_is_denied("two"));

	CHECK_EQ(policy(language, "--stop"), 0);
	CHECK(wait_until(open_is_allowed, "one", 10));
	CHECK(!open_is_denied("two"));
}

TEST(c)
{
	check_template("c");
}

TEST(go)
{
	check_template("go");
}

TEST(rust)
{
	check_template("rust");
}
