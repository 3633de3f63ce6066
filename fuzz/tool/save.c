// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Saving (save.c): the input is rules as the tool makes them, for any paths and subjects. The saved
 * rules, read as a conf file, must be the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define MOST_RULES	6
#define MOST_MEMBERS	3
#define FIRST_SET	100

/**
 * struct made - a rule in the map
 * @body: its value
 * @path: its path
 * @label: its label, or ""
 */
struct made {
	struct guard_rule body;
	char *path;
	char *label;
};

static struct made made[MOST_RULES];
static size_t nr_made;
static __u32 last_id;

/* The tool's text_add() splits a text into chunks. */
static __u32 put_text_of(const char *path, const char *label)
{
	struct policy policy = {};
	size_t i;

	text_add(&policy, ++last_id, path, label);
	for (i = 0; i < policy.new_texts.count; i++)
		world_put(world_map("texts"),
			  (struct guard_text_key *)policy.new_text_keys.items + i,
			  (struct guard_text *)policy.new_texts.items + i);
	free(policy.new_text_keys.items);
	free(policy.new_texts.items);
	return last_id;
}

/* Make an absolute path in the tool's form. */
static char *make_path(struct input *input)
{
	char *text = take_text(input, 300), *path = xasprintf("/%s", text), *result;

	result = absolute_path(path);
	free(text);
	free(path);
	return result;
}

/* Make a set of different subjects. */
static __u32 make_set(struct input *input, __u8 *kinds)
{
	unsigned int count = 1 + take_byte(input) % MOST_MEMBERS, i;
	__u32 set = FIRST_SET + ++last_id, text;
	struct guard_member member = { .set = set };
	char *name, *comma;

	for (i = 0; i < count; i++) {
		member.kind = take_byte(input) % GUARD_KINDS;
		member.subject = ++last_id;
		name = make_path(input);
		/* Only names of executables may have a comma. */
		while (member.kind != GUARD_BY_EXE && (comma = strchr(name, ',')))
			*comma = '.';
		text = put_text_of(name, "");
		world_put(world_map("members"), &member, &text);
		*kinds |= 1U << member.kind;
		free(name);
	}
	return set;
}

static void make_label(struct input *input, char **label)
{
	static const char taken[] = "ab9._:/@+-";
	unsigned int length = take_byte(input) % (GUARD_LABEL + 1), i;

	*label = xcalloc(1, length + 1);
	for (i = 0; i < length; i++)
		(*label)[i] = taken[take_byte(input) % (sizeof(taken) - 1)];
}

static bool is_known(const char *path)
{
	size_t i;

	for (i = 0; i < nr_made; i++)
		if (!strcmp(made[i].path, path))
			return true;
	return false;
}

static void make_body(struct made *rule, struct input *input)
{
	struct guard_rule *body = &rule->body;
	__u16 bits[4];
	__u8 kinds = 0;
	__u32 set;
	int op;

	take(input, bits, sizeof(bits));
	body->generation = 1;
	body->flags = take_byte(input) & (GUARD_TREE | GUARD_FOLLOW | GUARD_SYMLINK);
	body->named = bits[0] & GUARD_ALL ?: 1;
	body->denied = bits[1] & body->named;
	body->only = bits[2] & body->named & ~body->denied;
	body->audit = bits[3] & body->named;
	set = body->only ? make_set(input, &kinds) : 0;
	for (op = 0; op < GUARD_OPS; op++)
		if (body->only & 1U << op) {
			body->set[op] = set;
			body->kinds[op] = kinds;
		}
}

static void make_rule(struct input *input)
{
	struct made *rule = &made[nr_made];
	__u32 id;

	memset(rule, 0, sizeof(*rule));
	rule->path = make_path(input);
	if (is_known(rule->path)) {
		free(rule->path);
		return;
	}
	make_label(input, &rule->label);
	make_body(rule, input);
	rule->body.text = put_text_of(rule->path, rule->label);
	id = ++last_id;
	rule->body.name = id;
	world_put(world_map("rules"), &id, &rule->body);
	nr_made++;
}

/* Each path has its rule in force, so that the tool saves none as a comment. */
static int find_entry(const char *path, struct guard_entry *entry)
{
	size_t i;

	for (i = 0; i < nr_made; i++)
		if (!strcmp(made[i].path, path)) {
			*entry = (struct guard_entry){ { 1, 0 }, { made[i].body.name, 0 } };
			return 0;
		}
	return -ENOENT;
}

static int save(void *unused)
{
	(void)unused;
	if (guard_save(NULL) != EXIT_SUCCESS)
		broken("not saved whole");
	return 0;
}

/* Whether a line names exactly the members of a set. */
static bool has_set(const struct arguments *line, __u32 set)
{
	const struct world_map *members = world_map("members"), *texts = world_map("texts");
	const struct guard_member *member = (const void *)members->keys;
	const struct guard_text_key *key = (const void *)texts->keys;
	const struct who *who = line->who.items;
	size_t i, j, k, count = 0;

	for (i = 0; i < members->count; i++) {
		char name[512] = "", *at = name;

		if (member[i].set != set)
			continue;
		count++;
		for (j = 0; j < texts->count; j++)
			if (key[j].text == ((const __u32 *)members->values)[i])
				at = mempcpy(at, texts->values + j * GUARD_CHUNK, GUARD_CHUNK);
		for (k = 0; k < line->who.count; k++)
			if (who[k].kind == member[i].kind && !strcmp(who[k].text, name))
				break;
		if (k == line->who.count)
			return false;
	}
	return count == line->who.count;
}

/* A line must say about an operation what the rule does. */
static void check_op(const struct arguments *line, const struct guard_rule *body, int op)
{
	__u32 bit = 1U << op;

	if (!(body->named & bit))
		broken("%s: not what the rule is about", op_names[op]);
	if (line->deny != !!((body->denied | body->only) & bit) ||
	    (line->audit == 1) != !!(body->audit & bit))
		broken("%s: another verdict", op_names[op]);
	if (!has_set(line, body->only & bit ? body->set[op] : 0))
		broken("%s: for others", op_names[op]);
}

/* Check a line against its rule. Returns the operations that the line names. */
static __u32 check_line(const struct arguments *line, const struct made *rule)
{
	int op;

	if (strcmp(line->label ?: "", rule->label) ||
	    line->tree != !!(rule->body.flags & GUARD_TREE) ||
	    line->follow != !!(rule->body.flags & GUARD_FOLLOW) ||
	    line->nofollow != !!(rule->body.flags & GUARD_SYMLINK))
		broken("a line of another kind for %s", rule->path);
	for (op = 0; op < GUARD_OPS; op++)
		if (line->ops & 1U << op)
			check_op(line, &rule->body, op);
	return line->ops;
}

static void check_rule(const struct conf *conf, const struct made *rule)
{
	const struct conf_line *lines = conf->lines.items;
	__u32 done = 0;
	size_t i;

	for (i = 0; i < conf->lines.count; i++) {
		if (lines[i].arguments.nr_paths != 1)
			broken("a line of %d paths", lines[i].arguments.nr_paths);
		if (!strcmp(lines[i].arguments.paths[0], rule->path))
			done |= check_line(&lines[i].arguments, rule);
	}
	if (done != rule->body.named)
		broken("%s has %#x, not %#x", rule->path, done, rule->body.named);
}

static void check_saved(const char *text)
{
	struct conf conf = {};
	size_t i;

	world.conf = (struct input){ (const uint8_t *)text, strlen(text) };
	if (conf_read("conf", &conf) || conf.errors)
		broken("can't be read: %s", text);
	for (i = 0; i < nr_made; i++)
		check_rule(&conf, &made[i]);
	conf_free(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	size_t i, count;
	char *text;

	world_begin();
	world.entry = find_entry;
	last_id = 0;
	nr_made = 0;
	for (count = take_byte(&input) % (MOST_RULES + 1); count; count--)
		make_rule(&input);
	text = said_by(save, NULL);
	check_lines(text);
	check_saved(text);
	free(text);
	for (i = 0; i < nr_made; i++) {
		free(made[i].path);
		free(made[i].label);
	}
	world_end();
	return 0;
}
