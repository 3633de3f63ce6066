// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Patterns (conf.c, pattern.c): the input says how each character of a path is quoted. The pattern
 * that the tool makes of that for glob(3) must match the path that was meant, and must not match it
 * with another character in place of a quoted one.
 */
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum quoting {
	NONE,
	BACKSLASH,
	SINGLE,
	DOUBLE,
	NUMBER,
	QUOTINGS
};

/**
 * struct made - a path, as it is in a line, and what it means
 * @word: the word in the line
 * @like: the path, or a path that the pattern matches
 * @quoted: offset in @like of a special character that was quoted, or 0
 * @is_pattern: whether the word is a pattern
 */
struct made {
	char word[8192];
	char like[4096];
	size_t quoted;
	bool is_pattern;
};

/* Add a character that must be quoted to stand for itself. */
static void add_quoted(char **to, char c, enum quoting quoting)
{
	char mark = quoting == SINGLE ? '\'' : '"';

	if (quoting == NUMBER)
		*to += sprintf(*to, "\\x%02x", (unsigned char)c);
	else if (quoting == BACKSLASH && c != 'n' && c != 't' && c != 'x')
		*to += sprintf(*to, "\\%c", c);
	else if (c == '\\' || c == mark)
		*to += sprintf(*to, "\"\\%c\"", c);
	else
		*to += sprintf(*to, "%c%c%c", mark, c, mark);
}

/* Add an unquoted special character, and something that it matches. */
static void add_special(struct made *made, char **word, size_t *length, char c)
{
	*(*word)++ = c;
	made->is_pattern = true;
	/* A star also matches the empty string. */
	if (c == '?')
		made->like[(*length)++] = 'q';
}

/* Whether a character has no special meaning in an unquoted word. */
static bool is_plain(char c)
{
	return !strchr(" \t\r\n\"'\\#*?[", c);
}

static void add(struct made *made, char **word, size_t *length, char c, enum quoting quoting)
{
	if (quoting == NONE && (c == '*' || c == '?')) {
		add_special(made, word, length, c);
		return;
	}
	if (quoting == NONE && is_plain(c))
		*(*word)++ = c;
	else
		add_quoted(word, c, quoting == NONE ? NUMBER : quoting);
	if (strchr("*?[\\", c))
		made->quoted = *length;
	made->like[(*length)++] = c;
}

/* Make a word. It has no further slash and no dot, because the tool normalizes paths. */
static void make(struct made *made, struct input *input)
{
	char *word = made->word;
	size_t length = 0;

	*word++ = '/';
	made->like[length++] = '/';
	while (input->size && length < 1000 && word - made->word < 6000) {
		enum quoting quoting = take_byte(input) % QUOTINGS;
		char c = take_byte(input);

		if (c && c != '/' && c != '.')
			add(made, &word, &length, c, quoting);
	}
	*word = '\0';
	made->like[length] = '\0';
}

static int read_line(void *argument)
{
	void **both = argument;

	conf_read_line(both[0], both[1]);
	return 0;
}

/* When lookups hang, the tool must keep a rule whose path the pattern matches. */
static void check_kept(struct conf_line *line, const struct made *made)
{
	struct rule rule = { .path = (char *)made->like }, *rules[] = { &rule };
	struct policy policy = { .rules = { rules, 1, 1 } };
	struct arguments request = { .hanging = line->patterns, .quiet = true };

	patterns_keep(&policy, &request);
	if (!rule.kept || policy.missing != 1)
		broken("%s does not keep the rule of %s", made->word, made->like);
}

static void check_pattern(struct conf *conf, struct conf_line *line, struct made *made)
{
	const char *pattern;

	if (line->patterns.count != 1 || line->plain.count)
		broken("%s is taken for no pattern", made->word);
	pattern = ((char **)line->patterns.items)[0];
	if (fnmatch(pattern, made->like, 0))
		broken("%s became %s, which does not match %s", made->word, pattern, made->like);
	check_kept(line, made);
	/* A star could match the other character. */
	if (made->quoted && !strchr(made->word, '*')) {
		made->like[made->quoted] = 'q';
		if (!fnmatch(pattern, made->like, 0))
			broken("%s became %s, which matches %s", made->word, pattern, made->like);
	}
	patterns_refresh(conf);
	patterns_watch(conf, -1);
}

static void check_path(const struct conf_line *line, const struct made *made)
{
	if (line->patterns.count || line->plain.count != 1 ||
	    strcmp(((char **)line->plain.items)[0], made->like))
		broken("%s is not taken for %s", made->word, made->like);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	static struct made made;
	struct conf conf = {};
	struct conf_line *line;
	char *text;

	world_begin();
	*(char **)array_add(&world.matches, sizeof(char *)) = xstrdup("/match");
	made.is_pattern = false;
	made.quoted = 0;
	make(&made, &input);
	text = xasprintf("deny -- %s", made.word);
	free(said_by(read_line, (void *[]){ &conf, text }));
	line = conf.lines.items;
	if (conf.lines.count != 1 || conf.errors)
		broken("can't be read: %s", text);
	if (made.is_pattern)
		check_pattern(&conf, line, &made);
	else
		check_path(line, &made);
	conf_free(&conf);
	free(text);
	world_end();
	return 0;
}
