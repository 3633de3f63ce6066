// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hook for reading and writing: it exists while a rule needs it, and covers descriptors from
 * before.
 */
#include "steps.h"

#define READING_PIN	GUARD_PINS "/guard_permission"

TOOL_STEP(reading_hook)
{
	static char *const needing[] = { "read", "write", "append", "exec", "all" };
	int fd;

	make("f");
	make("g");
	fd = file_open("f", O_RDONLY);
	CHECK(access(READING_PIN, F_OK));
	QUIET("deny", "--ops", "delete,rename,attr,link", "f");
	CHECK(access(READING_PIN, F_OK));
	for (unsigned int i = 0; i < ARRAY_SIZE(needing); i++) {
		QUIET("deny", "--ops", needing[i], "g");
		CHECK(!access(READING_PIN, F_OK));
		QUIET("remove", "g");
		CHECK(access(READING_PIN, F_OK));
	}
	QUIET("deny", "--audit", "--ops", "read", "g");
	QUIET("deny", "--ops", "read", "f");
	DENIED(try_held(fd));
	QUIET("remove", "g");
	DENIED(try_held(fd));
	/* Somebody removes the hook's pin. */
	CHECK_SYS(unlink(READING_PIN));
	CHECK_EQ(tool_run(WORDS("status"), NULL), 1);
	HAS("damaged");
	QUIET("start");
	SAYS("status");
	DENIED(try_held(fd));
	QUIET("remove", "f");
	CHECK(access(READING_PIN, F_OK));
	ALLOWED(try_held(fd));
	close(fd);
}
