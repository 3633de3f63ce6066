// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Conf files: a line of words is a "deny" or an "allow" as on the command line (options.c).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* What follows a backslash: returns how many characters it is, or 0. */
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

/*
 * Take the next word from a line, in place. Returns 1, 0 at the line's end, or -1 with the reason.
 */
static int next_word(char **line, char **word, const char **message)
{
	char *from = *line + strspn(*line, " \t\r\n"), *to = from, quote = '\0';
	int length;

	*word = from;
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
			to++;
			from += length;
		} else {
			*to++ = *from;
		}
	}
	if (quote) {
		*message = "a quotation that does not end";
		return -1;
	}
	*line = *from ? from + 1 : from;
	*to = '\0';
	return 1;
}

/* Split a line into words; returns their number, or -1. The array ends with NULL. */
static int split_line(char *line, char ***words, const char **message)
{
	struct array array = {};
	char *word;
	int ret;

	while ((ret = next_word(&line, &word, message)) > 0)
		*(char **)array_add(&array, sizeof(char *)) = word;
	if (ret < 0) {
		free(array.items);
		return -1;
	}
	array_add(&array, sizeof(char *));
	*words = array.items;
	return array.count - 1;
}

/* Read the words of a line; returns 0, or -1 with @message. */
static int conf_words(struct arguments *arguments, int count, char **words, char *message,
		      size_t size)
{
	const struct command *command = command_named(words[0]);

	if (!command || !command->in_conf) {
		snprintf(message, size, "'%s' is neither 'deny' nor 'allow'", words[0]);
		return -1;
	}
	return arguments_parse(arguments, command, count, words, true, message, size);
}

static void conf_line(struct conf *conf, char *line, size_t length, unsigned int number)
{
	struct arguments arguments = {};
	const char *why = NULL;
	char message[256];
	char **words = NULL;
	int count = -1;

	if (strlen(line) != length)
		why = "a zero byte";
	else
		count = split_line(line, &words, &why);
	if (count > 0 && conf_words(&arguments, count, words, message, sizeof(message)))
		why = message;
	if (why) {
		error("%s:%u: %s", conf->name, number, why);
		conf->errors++;
	}
	if (why || !count) {
		arguments_free(&arguments);
		free(words);
		return;
	}
	conf->paths += arguments.nr_paths;
	*(struct arguments *)array_add(&conf->requests, sizeof(arguments)) = arguments;
	*(unsigned int *)array_add(&conf->lines, sizeof(number)) = number;
	*(char ***)array_add(&conf->words, sizeof(words)) = words;
}

int conf_read(const char *path, struct conf *conf)
{
	bool input = !strcmp(path, "-");
	FILE *file = input ? stdin : fopen(path, "re");
	unsigned int number = 0;
	char *line = NULL;
	ssize_t length;
	size_t size = 0;
	int err = 0;

	memset(conf, 0, sizeof(*conf));
	conf->name = input ? "standard input" : path;
	if (!file) {
		error("%s: %s", path, strerror(errno));
		return -1;
	}
	while ((length = getline(&line, &size, file)) >= 0) {
		/* The requests keep it. */
		conf_line(conf, line, length, ++number);
		*(char ***)array_add(&conf->words, sizeof(char **)) = (char **)line;
		line = NULL;
		size = 0;
	}
	free(line);
	if (ferror(file)) {
		error("%s: %s", conf->name, strerror(errno));
		err = -1;
	}
	if (!input)
		fclose(file);
	return err;
}

void conf_free(struct conf *conf)
{
	char ***words = conf->words.items;
	size_t i;

	for (i = 0; i < conf->requests.count; i++)
		arguments_free((struct arguments *)conf->requests.items + i);
	for (i = 0; i < conf->words.count; i++)
		free(words[i]);
	free(conf->requests.items);
	free(conf->lines.items);
	free(conf->words.items);
}
