// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Conf files: each line is a "deny" or "allow", in words as on the command line (options.c). A word
 * with *, ? or [ outside quotation marks is a pattern, as in a shell: as a path, it stands for all
 * files that match. No locks are needed.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Convert what follows a backslash. Returns how many characters that is, or 0 for an error. */
static int unescape(const char *from, char *to)
{
	switch (*from) {
	case '\0':
		return 0;
	case 'n':
		*to = '\n';
		return 1;
	case 't':
		*to = '\t';
		return 1;
	case 'x':
		if (!isxdigit((unsigned char)from[1]) || !isxdigit((unsigned char)from[2]))
			return 0;
		*to = hex_digit(from[1]) << 4 | hex_digit(from[2]);
		return *to ? 3 : 0;
	default:
		*to = *from;
		return 1;
	}
}

/**
 * struct word - a word of a line
 * @text: the word, without quotation marks and backslashes
 * @pattern: the pattern for glob(3), or NULL if it is none
 *
 * Both point into the buffers that a line has for all of its words, which follow each other there.
 */
struct word {
	char *text;
	char *pattern;
};

/**
 * struct room - where the next word of a line goes
 * @text: in the buffer of texts
 * @pattern: in the buffer of patterns
 */
struct room {
	char *text;
	char *pattern;
};

/* Add a character to a pattern. If it is quoted, and special to glob(3), it gets a backslash. */
static void pattern_add(char **to, char c, bool quoted, bool *is_pattern)
{
	if (strchr("*?[]\\", c)) {
		if (quoted)
			*(*to)++ = '\\';
		else if (c != ']')
			*is_pattern = true;
	}
	*(*to)++ = c;
}

/* Take the next word from a line. Returns 1, 0 at the end of the line, or -1 with the reason. */
static int next_word(const char **line, struct word *word, struct room *room, const char **message)
{
	const char *from = *line + strspn(*line, " \t\r\n");
	char *to = room->text, *pattern = room->pattern, quote = '\0';
	bool is_pattern = false;
	int length;

	if (!*from || *from == '#')
		return 0;
	for (; *from; from++) {
		if (!quote && strchr(" \t\r\n", *from))
			break;
		if (quote ? *from == quote : *from == '"' || *from == '\'') {
			quote = quote ? '\0' : *from;
		} else if (*from == '\\' && quote != '\'') {
			length = unescape(from + 1, to);
			if (!length) {
				*message = "a backslash that nothing known follows";
				return -1;
			}
			pattern_add(&pattern, *to++, true, &is_pattern);
			from += length;
		} else {
			pattern_add(&pattern, *from, quote, &is_pattern);
			*to++ = *from;
		}
	}
	if (quote) {
		*message = "a quotation that does not end";
		return -1;
	}
	*to++ = '\0';
	*pattern++ = '\0';
	word->text = room->text;
	word->pattern = is_pattern ? room->pattern : NULL;
	*room = (struct room){ to, pattern };
	*line = from;
	return 1;
}

/**
 * struct words - the words of a line
 * @items: of struct word
 * @argv: their texts, and NULL
 * @room: the buffers that they point into
 */
struct words {
	struct array items;
	char **argv;
	struct room room;
};

/* Split a line into words. Returns the number of words, or -1 with the reason. */
static int words_split(struct words *words, const char *line, const char **message)
{
	size_t length = strlen(line), i;
	struct word word, *items;
	struct room room;
	int ret;

	memset(words, 0, sizeof(*words));
	/* No word is longer than in the line; in a pattern each character may get a backslash. */
	room.text = xcalloc(1, length + 1);
	room.pattern = xcalloc(2, length + 1);
	words->room = room;
	while ((ret = next_word(&line, &word, &room, message)) > 0)
		*(struct word *)array_add(&words->items, sizeof(word)) = word;
	items = words->items.items;
	words->argv = xcalloc(words->items.count + 1, sizeof(*words->argv));
	for (i = 0; i < words->items.count; i++)
		words->argv[i] = items[i].text;
	return ret < 0 ? -1 : (int)words->items.count;
}

static void words_free(struct words *words)
{
	free(words->items.items);
	free(words->argv);
	free(words->room.text);
	free(words->room.pattern);
}

/* Keep a string for as long as the conf. */
static char *conf_keep(struct conf *conf, char *text)
{
	string_add(&conf->memory, text);
	return text;
}

static int compare_words(const void *one, const void *other)
{
	const struct word *a = one, *b = other;

	return a->text < b->text ? -1 : a->text > b->text;
}

/* The pattern of a path, which is the text of a word. Words are sorted by their addresses. */
static const char *pattern_of(const struct words *words, char *text)
{
	const struct word key = { .text = text }, *word;

	word = bsearch(&key, words->items.items, words->items.count, sizeof(key), compare_words);
	return word ? word->pattern : NULL;
}

/* Sort the paths of a line into those that stand for themselves, and patterns. */
static void sort_paths(struct conf *conf, struct conf_line *line, const struct words *words)
{
	char **paths = line->arguments.paths;
	const char *pattern;
	int i;

	for (i = 0; i < line->arguments.nr_paths; i++) {
		pattern = pattern_of(words, paths[i]);
		if (pattern)
			string_add(&line->patterns, absolute_path(pattern));
		else
			string_add(&line->plain, conf_keep(conf, xstrdup(paths[i])));
	}
	line->arguments.paths = NULL;
}

/* Read the words of a line; returns 0, or -1 with @message. */
static int conf_words(struct conf *conf, struct conf_line *line, struct words *words,
		      char *message, size_t size)
{
	struct arguments *arguments = &line->arguments;
	const struct command *command = command_named(words->argv[0]);
	int err;

	if (!command || !command->in_conf) {
		snprintf(message, size, "'%s' is neither 'deny' nor 'allow'", words->argv[0]);
		return -1;
	}
	err = arguments_parse(arguments, command, words->items.count, words->argv, true, message,
			      size);
	if (err) {
		arguments->paths = NULL;
		return -1;
	}
	arguments->optional |= conf->optional;
	if (arguments->label)
		arguments->label = conf_keep(conf, xstrdup(arguments->label));
	sort_paths(conf, line, words);
	return patterns_expand(line, message, size);
}

/* Read a line: report one that is wrong, leave out one that is empty. */
static void conf_line(struct conf *conf, const char *name, const char *text, size_t length,
		      unsigned int number)
{
	struct conf_line line = { .name = name, .number = number };
	const char *why = NULL;
	struct words words = {};
	char message[512];
	int count = -1;

	if (strlen(text) != length)
		why = "a zero byte";
	else
		count = words_split(&words, text, &why);
	if (count > 0 && conf_words(conf, &line, &words, message, sizeof(message)))
		why = message;
	if (why) {
		error("%s:%u: %s", name, number, why);
		conf->errors++;
	}
	if (why || !count) {
		line_free(&line);
	} else {
		conf->paths += line.arguments.nr_paths;
		*(struct conf_line *)array_add(&conf->lines, sizeof(line)) = line;
	}
	words_free(&words);
}

bool conf_is_rule(const char *line)
{
	line += strspn(line, " \t\r\n");
	return *line && *line != '#';
}

void conf_read_line(struct conf *conf, const char *line)
{
	conf_line(conf, "the file as it is", line, strlen(line), 0);
}

int conf_read(const char *path, struct conf *conf)
{
	bool input = !strcmp(path, "-");
	FILE *file = input ? stdin : fopen(path, "re");
	const char *name = input ? "standard input" : conf_keep(conf, xstrdup(path));
	unsigned int number = 0;
	char *line = NULL;
	ssize_t length;
	size_t size = 0;
	int err = 0;

	if (!file) {
		error("%s: %s", path, strerror(errno));
		return -1;
	}
	while ((length = getline(&line, &size, file)) >= 0)
		conf_line(conf, name, line, length, ++number);
	free(line);
	if (ferror(file)) {
		error("%s: %s", name, strerror(errno));
		err = -1;
	}
	if (!input)
		fclose(file);
	return err;
}

static int is_fragment(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(".conf") &&
	       !strcmp(entry->d_name + length - strlen(".conf"), ".conf");
}

int conf_read_system(struct conf *conf)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int i, count, err = 0;

	if (!access(CONF_FILE, F_OK))
		err = conf_read(CONF_FILE, conf);
	count = scandir(CONF_DIR, &entries, is_fragment, alphasort);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), CONF_DIR "/%s", entries[i]->d_name);
		err |= conf_read(path, conf);
		free(entries[i]);
	}
	free(entries);
	if (count < 0 && errno != ENOENT) {
		error("%s: %s", CONF_DIR, strerror(errno));
		err = -1;
	}
	return err ? -1 : 0;
}

void conf_free(struct conf *conf)
{
	struct conf_line *lines = conf->lines.items;
	size_t i;

	for (i = 0; i < conf->lines.count; i++)
		line_free(&lines[i]);
	free(lines);
	strings_free(&conf->memory);
}
