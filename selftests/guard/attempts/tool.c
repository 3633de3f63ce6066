// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of inode-guard. Called by ../bypass/, ../bypass_subject.c and limits.c.
 */
#include "bypass.h"

#include <stdarg.h>

#include "small.h"

#define TOOL_OUTPUT	DIR_PATH "/tool-output"

static void show_output(void)
{
	sh("sed 's/^/#   /' " TOOL_OUTPUT);
}

bool bypass_selects(const char *name)
{
	char texts[512], *rest = texts, *text;
	const char *only = getenv("BYPASS_ONLY");

	if (!only)
		return true;
	snprintf(texts, sizeof(texts), "%s", only);
	while ((text = strsep(&rest, "|")))
		if (strstr(name, text))
			return true;
	return false;
}

void guard(const char *format, ...)
{
	char command[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (sh("inode-guard %s >" TOOL_OUTPUT " 2>&1", command)) {
		show_output();
		FAIL("inode-guard %s", command);
	}
}

void guard_start(void)
{
	/* A failed case may have left a guard. */
	sh("inode-guard stop >/dev/null 2>&1");
	guard("start --max-rules " SMALL_RULES);
}

void guard_stop(void)
{
	guard("stop");
}
