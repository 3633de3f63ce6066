// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Looking up the paths that a command is about before it takes the lock (lookup.c): other commands
 * do not wait when one of them hangs. With the lock held the command looks them up again, since
 * they may have changed.
 */
#include <stdlib.h>
#include <string.h>

#include "pins.h"

static void add_path(struct array *paths, const char *path)
{
	string_add(paths, absolute_path(path));
}

static void look_up(struct array *paths)
{
	paths_look_up(paths);
	strings_free(paths);
}

static void add_arguments(struct array *paths, const struct arguments *arguments)
{
	const struct who *who = arguments->who.items;
	size_t j;
	int i;

	for (i = 0; i < arguments->nr_paths; i++)
		add_path(paths, arguments->paths[i]);
	for (j = 0; j < arguments->who.count; j++)
		if (who[j].kind == GUARD_BY_EXE)
			add_path(paths, who[j].text);
}

void arguments_look_up(const struct arguments *arguments)
{
	struct array paths = {};

	add_arguments(&paths, arguments);
	look_up(&paths);
}

void conf_look_up(const struct conf *conf)
{
	const struct conf_line *lines = conf->lines.items;
	struct array paths = {};
	size_t i;

	for (i = 0; i < conf->lines.count; i++)
		add_arguments(&paths, &lines[i].arguments);
	look_up(&paths);
}

void policy_look_up(const struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct set **sets = policy->sets.items;
	const struct member *member;
	struct array paths = {};
	const char *path;
	size_t i, j;

	for (i = 0; i < policy->rules.count; i++) {
		if (!rules[i]->names.count)
			add_path(&paths, rules[i]->path);
		for (j = 0; j < rules[i]->names.count; j++)
			add_path(&paths, ((char **)rules[i]->names.items)[j]);
	}
	for (i = 0; i < policy->sets.count; i++)
		for (j = 0; j < sets[i]->members.count; j++) {
			member = (struct member *)sets[i]->members.items + j;
			path = index_get(&policy->texts, member->text);
			if (path && member->kind == GUARD_BY_EXE)
				add_path(&paths, path);
		}
	look_up(&paths);
}

/* Without the lock: while the policy is changed, this loads the old one or the new one. */
void rules_look_up(struct policy *policy)
{
	struct guard guard;

	memset(policy, 0, sizeof(*policy));
	guard_init(&guard);
	if (guard_examine(&guard) == GUARD_RUNNING && !guard_open_maps(&guard)) {
		if (policy_load(&guard, policy))
			policy_free(policy);
		else
			policy_look_up(policy);
	}
	guard_close(&guard);
	policy->guard = NULL;
}

bool policy_take(struct policy *policy, struct policy *ahead, struct guard *guard)
{
	bool current = ahead && ahead->generation && !guard->state->dirty &&
		       ahead->generation == guard->state->generation;

	if (current) {
		*policy = *ahead;
		policy->guard = guard;
		memset(ahead, 0, sizeof(*ahead));
	} else if (ahead) {
		policy_free(ahead);
	}
	return current;
}
