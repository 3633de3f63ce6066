// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the tool says when it refuses to seal. bypass_seal.c has the sealed guard, which nobody can
 * remove.
 */
#include "steps.h"

/* Steps run in a mount namespace of their own. */
TOOL_STEP(seal_refused)
{
	FAILS(1, "another mount namespace than that of process 1", "start", "--seal");
	FAILS(1, "another mount namespace", "start", "--seal=add");
	FAILS(1, "another mount namespace", "start", "-Sall");
	FAILS(1, "it is in audit mode", "start", "--audit", "--seal");
	QUIET("start", "--enforce");
	FAILS(2, "a guard can't be sealed as 'none' (add, all)", "start", "--seal=none");
	FAILS(2, "unknown option", "deny", "--seal", "f");
	FAILS(2, "unknown option", "stop", "--seal");
	SAYS("status");
	HAS_NOT("sealed");
	SAYS("status", "--json");
	HAS("\"sealed\":\"no\"");
	/* The refused seal leaves nothing behind. */
	make("f");
	QUIET("deny", "--ops", "read", "f");
	QUIET("remove", "f");
}
