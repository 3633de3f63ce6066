// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What "deny" and "allow" say, on the command line and in the lines of a conf file: both are read
 * by the same function.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

int parse_ops(const char *list, __u32 *ops, char *message, size_t size)
{
	const char *word = list;
	size_t length;
	int op;

	*ops = 0;
	for (;; word += length + 1) {
		length = strcspn(word, ",");
		if (length == 3 && !strncmp(word, "all", 3)) {
			*ops |= GUARD_ALL;
		} else {
			for (op = 0; op < GUARD_OPS; op++)
				if (strlen(op_names[op]) == length &&
				    !strncmp(word, op_names[op], length))
					break;
			if (op == GUARD_OPS) {
				snprintf(message, size, "'%.*s' is no operation (read, write, "
					 "exec, append, delete, rename, link, attr, mmap, all)",
					 (int)length, word);
				return -1;
			}
#ifndef GUARD_KNOWS_APPEND
			if (op == GUARD_APPEND) {
				snprintf(message, size, "append can't be told from other writing on "
					 "this architecture");
				return -1;
			}
#endif
			*ops |= 1U << op;
		}
		if (!word[length])
			return 0;
	}
}

static const struct option request_options[] = {
	{ "ops", required_argument, NULL, 'o' },
	{ "tree", no_argument, NULL, 't' },
	{ "follow", no_argument, NULL, 'f' },
	{ "only-for", required_argument, NULL, 'x' },
	{ "no-dereference", no_argument, NULL, 'P' },
	/* Of commands only. */
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

static int parse_options(int argc, char **argv, struct request *request, bool command,
			 char *message, size_t size)
{
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":o:tfx:Pvh", request_options, NULL)) != -1) {
		switch (opt) {
		case 'o':
			if (parse_ops(optarg, &request->ops, message, size))
				return -1;
			break;
		case 't':
			request->tree = true;
			break;
		case 'f':
			request->follow = true;
			break;
		case 'x':
			request->exes[request->nr_exes++] = optarg;
			break;
		case 'P':
			request->nofollow = true;
			break;
		case ':':
			snprintf(message, size, "option '%s' wants an argument", argv[optind - 1]);
			return -1;
		case 'v':
		case 'h':
			if (command && opt == 'h')
				return 1;
			if (command) {
				verbose = true;
				break;
			}
			__attribute__((fallthrough));
		default:
			snprintf(message, size, "unknown option '%s'", argv[optind - 1]);
			return -1;
		}
	}
	return 0;
}

int request_parse(int argc, char **argv, struct request *request, bool command, char *message,
		  size_t size)
{
	int ret;

	memset(request, 0, sizeof(*request));
	request->deny = !strcmp(argv[0], "deny");
	if (!request->deny && strcmp(argv[0], "allow")) {
		snprintf(message, size, "'%s' is neither 'deny' nor 'allow'", argv[0]);
		return -1;
	}
	request->exes = xcalloc(argc, sizeof(*request->exes));
	ret = parse_options(argc, argv, request, command, message, size);
	if (ret)
		return ret;
	request->paths = argv + optind;
	request->nr_paths = argc - optind;
	if (!request->ops)
		request->ops = GUARD_ALL;
	if (!request->nr_paths) {
		snprintf(message, size, "PATH is missing");
		return -1;
	}
	if (request->tree && request->follow) {
		snprintf(message, size, "--follow is for files, not for trees");
		return -1;
	}
	return 0;
}

void request_free(struct request *request)
{
	free(request->exes);
	request->exes = NULL;
}

/* Conf files */

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

static void conf_line(struct conf *conf, char *line, size_t length, unsigned int number)
{
	struct request request = {};
	const char *why = NULL;
	char message[256];
	char **words = NULL;
	int count = -1;

	if (strlen(line) != length)
		why = "a zero byte";
	else
		count = split_line(line, &words, &why);
	if (count < 0) {
		error("%s:%u: %s", conf->name, number, why);
		conf->errors++;
		return;
	}
	if (!count) {
		free(words);
		return;
	}
	if (request_parse(count, words, &request, false, message, sizeof(message))) {
		error("%s:%u: %s", conf->name, number, message);
		conf->errors++;
		request_free(&request);
		free(words);
		return;
	}
	conf->paths += request.nr_paths;
	*(struct request *)array_add(&conf->requests, sizeof(request)) = request;
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
		request_free((struct request *)conf->requests.items + i);
	for (i = 0; i < conf->words.count; i++)
		free(words[i]);
	free(conf->requests.items);
	free(conf->lines.items);
	free(conf->words.items);
}
