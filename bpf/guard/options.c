// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reading command lines, and the lines of conf files, which use some of the commands: one parser
 * for all. The table of commands says which options each takes (main.c). No locks are needed.
 */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/**
 * struct parsing - a command line that is being read
 * @command: the command
 * @arguments: the result
 * @conf: whether it is a line of a conf file
 * @message: what is wrong with it, or ""
 * @size: bytes of @message
 */
struct parsing {
	const struct command *command;
	struct arguments *arguments;
	bool conf;
	char *message;
	size_t size;
};

#define GUARD_OP_IN_LIST(name, word, meaning)	word ", "

__attribute__((format(printf, 2, 3)))
static error_t wrong(struct parsing *parsing, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parsing->message, parsing->size, format, args);
	va_end(args);
	return EINVAL;
}

static int find_op(const char *word, size_t length)
{
	int op;

	for (op = 0; op < GUARD_OPS; op++)
		if (strlen(op_names[op]) == length && !strncmp(word, op_names[op], length))
			break;
	return op;
}

/* Parse "read,write" and so on to bits. */
static error_t parse_ops(struct parsing *parsing, const char *list, __u32 *ops)
{
	const char *word = list;
	size_t length;
	int op;

	*ops = 0;
	for (;; word += length + 1) {
		length = strcspn(word, ",");
		op = find_op(word, length);
		if (op < GUARD_OPS)
			*ops |= 1U << op;
		else if (length == strlen("all") && !strncmp(word, "all", length))
			*ops |= GUARD_ALL;
		else
			return wrong(parsing, "'%.*s' is no operation ("
				     GUARD_OPERATIONS(GUARD_OP_IN_LIST) "all)", (int)length, word);
#ifndef GUARD_KNOWS_APPEND
		if (op == GUARD_APPEND)
			return wrong(parsing, "append can't be told from other writing on this "
				     "architecture");
#endif
		if (!word[length])
			return 0;
	}
}

static error_t parse_number(struct parsing *parsing, const char *text, __u32 max, __u32 *number)
{
	if (number_parse(text, 1, max, number))
		return wrong(parsing, "'%s' is not a number from 1 to %u", text, max);
	return 0;
}

/* A label stands between other words, in lists and in logs: it must not look like several. */
static error_t parse_label(struct parsing *parsing, char *text)
{
	static const char taken[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._:/@+-";

	if (text[strspn(text, taken)] || strlen(text) > GUARD_LABEL)
		return wrong(parsing, "a label is up to %d letters, digits, and characters of "
			     "._:/@+-", GUARD_LABEL);
	parsing->arguments->label = text;
	return 0;
}

static error_t parse_seal(struct parsing *parsing, const char *text)
{
	if (!text || !strcmp(text, "add"))
		parsing->arguments->seal = GUARD_SEAL_ADD;
	else if (!strcmp(text, "all"))
		parsing->arguments->seal = GUARD_SEAL_ALL;
	else
		return wrong(parsing, "a guard can't be sealed as '%s' (add, all)", text);
	return 0;
}

static void add_who(struct parsing *parsing, enum guard_kind kind, char *text)
{
	struct who *who = array_add(&parsing->arguments->who, sizeof(*who));

	who->kind = kind;
	who->text = text;
}

/* Users or groups, whose names have no commas. */
static error_t parse_names(struct parsing *parsing, enum guard_kind kind, const char *list)
{
	const char *word = list;
	size_t length;

	for (;; word += length + 1) {
		length = strcspn(word, ",");
		if (!length)
			return wrong(parsing, "'%s' has an empty name in it", list);
		add_who(parsing, kind, xasprintf("%.*s", (int)length, word));
		if (!word[length])
			return 0;
	}
}

/* Whether a word that argp did not accept is an option whose argument is missing. */
static bool wants_argument(const struct parsing *parsing, const char *word)
{
	const struct argp_option *option;

	for (option = parsing->command->options; option->name || option->key; option++) {
		if (!option->arg)
			continue;
		if (!strncmp(word, "--", 2) ? !strcmp(word + 2, option->name ?: "") :
					      word[strlen(word) - 1] == option->key)
			return true;
	}
	return false;
}

static error_t parse_error(struct parsing *parsing, const struct argp_state *state)
{
	const char *word = state->argv[state->next - 1];

	if (*parsing->message)
		return 0;
	if (state->next == state->argc && wants_argument(parsing, word))
		wrong(parsing, "option '%s' wants an argument", word);
	else
		wrong(parsing, "unknown option '%s'", word);
	return 0;
}

/* Check what remains after all options. */
static error_t parse_end(struct parsing *parsing)
{
	const struct command *command = parsing->command;
	struct arguments *arguments = parsing->arguments;

	if (arguments->nr_paths > command->most)
		return wrong(parsing, "unexpected argument '%s'",
			     arguments->paths[command->most]);
	if (arguments->seconds && arguments->nr_paths)
		return wrong(parsing, "--for takes no COMMAND");
	if (arguments->all && arguments->nr_paths)
		return wrong(parsing, "--all takes no %s", command->argument);
	if (!arguments->all && arguments->nr_paths < command->least)
		return wrong(parsing, "%s is missing", command->argument);
	return 0;
}

static void show_help(const struct argp_state *state, const struct command *command)
{
	char name[64];

	snprintf(name, sizeof(name), "inode-guard %s", command->name);
	argp_help(state->root_argp, stdout,
		  ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC,
		  name);
}

/* For each command, argp only accepts the options that are in its table. */
static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct arguments *arguments = parsing->arguments;

	switch (key) {
	case 'a':
		/* The --audit of some commands and the --all of another: each looks at its own. */
		arguments->audit = 1;
		arguments->all = !parsing->command->in_conf;
		return 0;
	case 'e':
		arguments->audit = 0;
		return 0;
	case 'n':
		return parse_number(parsing, argument, GUARD_MOST_RULES, &arguments->max_rules);
	case 's':
		return parse_number(parsing, argument, GUARD_MOST_SECONDS, &arguments->seconds);
	case 'o':
		return parse_ops(parsing, argument, &arguments->ops);
	case 't':
		arguments->tree = true;
		return 0;
	case 'f':
		arguments->follow = true;
		return 0;
	case 'i':
		arguments->follow = false;
		return 0;
	case 'x':
		add_who(parsing, GUARD_BY_EXE, xstrdup(argument));
		return 0;
	case 'u':
		return parse_names(parsing, GUARD_BY_USER, argument);
	case 'g':
		return parse_names(parsing, GUARD_BY_GROUP, argument);
	case 'C':
		add_who(parsing, GUARD_BY_CGROUP, xstrdup(argument));
		return 0;
	case 'l':
		return parse_label(parsing, argument);
	case 'P':
		arguments->nofollow = true;
		return 0;
	case 'O':
		arguments->optional = true;
		return 0;
	case 'j':
		arguments->json = true;
		return 0;
	case 'c':
		arguments->check = true;
		return 0;
	case 'H':
		arguments->hold = true;
		return 0;
	case 'p':
		arguments->progress = true;
		return 0;
	case 'S':
		return parse_seal(parsing, argument);
	case 'v':
	case 'h':
		/* These are for command lines only. */
		if (parsing->conf)
			return wrong(parsing, "unknown option '%s'", state->argv[state->next - 1]);
		verbose |= key == 'v';
		if (key == 'v')
			return 0;
		show_help(state, parsing->command);
		arguments->help = true;
		return ECANCELED;
	case ARGP_KEY_ARGS:
		arguments->paths = state->argv + state->next;
		arguments->nr_paths = state->argc - state->next;
		return 0;
	case ARGP_KEY_END:
		return parse_end(parsing);
	case ARGP_KEY_ERROR:
		return parse_error(parsing, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int arguments_parse(struct arguments *arguments, const struct command *command, int argc,
		    char **argv, bool conf, char *message, size_t size)
{
	struct parsing parsing = {
		.command = command, .arguments = arguments, .conf = conf, .message = message,
		.size = size,
	};
	const struct argp argp = {
		command->options, parse, command->usage, command->help, NULL, NULL, NULL
	};
	error_t err;

	*arguments = (struct arguments){
		.deny = !strcmp(command->name, "deny"), .audit = -1, .max_rules = GUARD_RULES,
		.ops = GUARD_ALL, .follow = true,
	};
	*message = '\0';
	err = argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL,
			 &parsing);
	if (arguments->help)
		return 0;
	if (err && !*message)
		snprintf(message, size, "%s", strerror(err));
	return err ? -1 : 0;
}

void arguments_free(struct arguments *arguments)
{
	struct who *who = arguments->who.items;
	size_t i;

	for (i = 0; i < arguments->who.count; i++)
		free(who[i].text);
	free(who);
	memset(&arguments->who, 0, sizeof(arguments->who));
}
