// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hook of reading and writing, file_permission: each read and write of the machine goes through
 * it. Since no other hook costs others as much, its program is only attached while a rule needs it:
 * from before the rule is in force until it has ended.
 *
 * The program has a pin of its own, from which it can be attached again. The pin of its link comes
 * and goes, and is not counted. The word "reading" says that there is a link. It is set after the
 * link is pinned, and cleared before it is unpinned: a tool that is killed may leave a link too
 * many, but never one too few. A sealed guard always has the link.
 *
 * To attach or detach, the caller holds the lock (pins.c).
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "pins.h"

#define LINK_PIN	READING_PIN
#define PROGRAM_PIN	"permission_program"

/* Operations that it decides about: reading, writing, and executing open files. */
#define OP(name)	(1U << GUARD_##name)
#define OPS		(OP(READ) | OP(WRITE) | OP(APPEND) | OP(EXEC))

static bool is_linked(void)
{
	char path[PATH_MAX];

	pin_path(path, LINK_PIN);
	return !access(path, F_OK);
}

bool reading_is_whole(const struct guard *guard)
{
	return !guard->state->reading || is_linked();
}

int reading_make(int program)
{
	return pin_make(program, PROGRAM_PIN);
}

static int link_program(void)
{
	char path[PATH_MAX];
	int program, link, err;

	pin_path(path, PROGRAM_PIN);
	program = bpf_obj_get(path);
	if (program < 0)
		return -errno;
	link = bpf_link_create(program, 0, BPF_LSM_MAC, NULL);
	err = link < 0 ? -errno : pin_make(link, LINK_PIN);
	if (link >= 0)
		close(link);
	close(program);
	return err;
}

int reading_attach(struct guard *guard)
{
	int err = is_linked() ? 0 : link_program();

	if (!err)
		__atomic_store_n(&guard->state->reading, 1, __ATOMIC_SEQ_CST);
	return err;
}

static void detach(struct guard *guard)
{
	char path[PATH_MAX];

	__atomic_store_n(&guard->state->reading, 0, __ATOMIC_SEQ_CST);
	pin_path(path, LINK_PIN);
	unlink(path);
}

static bool is_needed(const struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	size_t i;

	for (i = 0; i < policy->rules.count; i++)
		if (!rules[i]->dropped && !rules[i]->successor && rules[i]->body.named & OPS)
			return true;
	return false;
}

int reading_begin(struct policy *policy)
{
	policy->reads = is_needed(policy);
	return policy->reads ? reading_attach(policy->guard) : 0;
}

void reading_end(const struct policy *policy)
{
	if (!policy->reads && is_linked() && !guard_is_sealed(policy->guard))
		detach(policy->guard);
}
