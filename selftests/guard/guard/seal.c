// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the tool says about sealing where it does not do so; what becomes of a sealed guard, which nobody
 * can take away again, is in bypass_seal.c.
 */
#include "steps.h"

/* The steps are in a mount namespace of their own. */
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
	/* Nothing of it is left. */
	make("f");
	QUIET("deny", "--ops", "read", "f");
	QUIET("remove", "f");
}
