// SPDX-License-Identifier: GPL-2.0
/*
 * The templates of bpf/templates/, as scripts/templates has built them outside of the tree: each
 * denies an open when its loader has ended, goes on over a restart, and ends when it is told to.
 */
#include "harness.h"

/* Where scripts/test puts them. */
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
	/* Again: map and entry are those that there were, and one program is there. */
	CHECK_EQ(policy(language, "two"), 0);
	CHECK(open_is_denied("one") && open_is_denied("two"));
	CHECK(!open_is_denied("other"));
	counts_wait(1, 2, 2, 2);
	CHECK_EQ(sh("[ \"$(ls " BPFFS_PATH "/policy | tr '\\n' ' ')\" = 'denied deny_open ' ]"), 0);

	/* What fails leaves the policy as it is. */
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
