// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Checks of everything that inode-guard prints: see world.h. These parsers share no code with the
 * tool, because they are there to find its mistakes.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

void broken(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "broken: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

char *said_by(int (*command)(void *argument), void *argument)
{
	FILE *output = stdout, *errors = stderr;
	char *text = NULL, *told = NULL;
	size_t size, told_size;

	stdout = open_memstream(&text, &size);
	stderr = open_memstream(&told, &told_size);
	command(argument);
	fclose(stdout);
	fclose(stderr);
	stdout = output;
	stderr = errors;
	if (strlen(text) != size || strlen(told) != told_size)
		broken("a zero byte in what it says");
	check_lines(told);
	free(told);
	return text;
}

/* Text */

/* Decode a character of UTF-8. Returns its length, or 0 if it is invalid. */
static size_t character(const unsigned char *c, size_t left, uint32_t *number)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length, i;

	length = *c < 0x80 ? 1 : *c >> 5 == 6 ? 2 : *c >> 4 == 14 ? 3 : *c >> 3 == 30 ? 4 : 0;
	if (!length || length > left)
		return 0;
	*number = length == 1 ? *c : *c & (0xff >> (length + 1));
	for (i = 1; i < length; i++) {
		if (c[i] >> 6 != 2)
			return 0;
		*number = *number << 6 | (c[i] & 0x3f);
	}
	if (*number < least[length] || *number > 0x10ffff || (*number >> 11) == 0x1b)
		return 0;
	return length;
}

/* Characters that control a terminal, or make it show another order, other lines or nothing. */
static bool is_dangerous(uint32_t number)
{
	static const uint32_t single[] = {
		0xad, 0x61c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a,
		0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206a,
		0x206f, 0xfeff, 0xfff9, 0xfffa, 0xfffb, 0xe0001, 0xe0020, 0xe007f,
	};
	size_t i;

	if (number < 0x20 || (number >= 0x7f && number <= 0x9f))
		return true;
	for (i = 0; i < ARRAY_SIZE(single); i++)
		if (number == single[i])
			return true;
	return false;
}

void check_seen(const char *text, size_t length)
{
	const unsigned char *c = (const unsigned char *)text;
	uint32_t number;
	size_t step;

	for (; length; c += step, length -= step) {
		step = character(c, length, &number);
		if (!step)
			broken("the byte %#x, which is of no character", *c);
		if (is_dangerous(number))
			broken("U+%04X", number);
	}
}

size_t check_lines(const char *text)
{
	size_t lines = 0;
	const char *end;

	for (; *text; text = end + 1, lines++) {
		end = strchr(text, '\n');
		if (!end)
			broken("a line that does not end");
		check_seen(text, end - text);
	}
	return lines;
}

/* JSON (RFC 8259) */

static unsigned int hex(const char *text)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int value = 0;
	const char *digit;
	size_t i;

	for (i = 0; i < 4; i++) {
		digit = text[i] ? strchr(digits, text[i]) : NULL;
		if (!digit)
			broken("no number behind \\u");
		value = value << 4 | (unsigned int)(digit - digits);
	}
	return value;
}

static char *put_character(char *to, uint32_t number)
{
	if (number < 0x80) {
		*to++ = number;
	} else if (number < 0x800) {
		*to++ = 0xc0 | number >> 6;
		*to++ = 0x80 | (number & 0x3f);
	} else if (number < 0x10000) {
		*to++ = 0xe0 | number >> 12;
		*to++ = 0x80 | (number >> 6 & 0x3f);
		*to++ = 0x80 | (number & 0x3f);
	} else {
		*to++ = 0xf0 | number >> 18;
		*to++ = 0x80 | (number >> 12 & 0x3f);
		*to++ = 0x80 | (number >> 6 & 0x3f);
		*to++ = 0x80 | (number & 0x3f);
	}
	return to;
}

/* Decode what follows "\u". A lone surrogate from U+DC80 on is a byte, as the manual says. */
static const char *put_escaped(const char *from, char **to)
{
	unsigned int number = hex(from), second;

	from += 4;
	if (number >= 0xdc80 && number <= 0xdcff) {
		*(*to)++ = number;
		return from;
	}
	if (number >= 0xd800 && number <= 0xdbff) {
		if (from[0] != '\\' || from[1] != 'u')
			broken("half of a character");
		second = hex(from + 2);
		if (second < 0xdc00 || second > 0xdfff)
			broken("two halves of no character");
		number = 0x10000 + ((number - 0xd800) << 10) + (second - 0xdc00);
		from += 6;
	}
	*to = put_character(*to, number);
	return from;
}

char *json_string(const char **text)
{
	static const char escapes[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
	const char *from = *text + 1, *end;
	char *result = xcalloc(1, strlen(from) + 1), *to = result;

	if (**text != '"')
		broken("no string: %.20s", *text);
	while (*from != '"') {
		if ((unsigned char)*from < 0x20)
			broken("a string that does not end, or the byte %#x in it", *from);
		if (*from != '\\') {
			*to++ = *from++;
		} else if (from[1] == 'u') {
			from = put_escaped(from + 2, &to);
		} else {
			end = strchr(escapes, from[1]);
			if (!from[1] || !end)
				broken("the escape \\%c", from[1]);
			*to++ = meaning[end - escapes];
			from += 2;
		}
	}
	*text = from + 1;
	return result;
}

/* Check the members of an array or an object. */
static const char *check_members(const char *text, char end)
{
	const char *at = text + 1 + strspn(text + 1, " \n");

	if (*at == end)
		return at + 1;
	for (;;) {
		if (end == '}') {
			free(json_string(&at));
			if (*at++ != ':')
				broken("no colon: %.20s", at);
		}
		at = check_json(at);
		if (*at == end)
			return at + 1;
		if (*at++ != ',')
			broken("no comma: %.20s", at);
		at += strspn(at, " \n");
	}
}

const char *check_json(const char *text)
{
	static const char *const words[] = { "true", "false", "null" };
	char *end;
	size_t i;

	if (*text == '{' || *text == '[')
		return check_members(text, *text == '{' ? '}' : ']');
	if (*text == '"') {
		free(json_string(&text));
		return text;
	}
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(text, words[i], strlen(words[i])))
			return text + strlen(words[i]);
	strtoull(text, &end, 10);
	if (end == text)
		broken("no value: %.20s", text);
	return end;
}

/* Rules */

static const char *const who_options[GUARD_KINDS] = {
	[GUARD_BY_EXE]		= "--only-for",
	[GUARD_BY_USER]		= "--only-for-user",
	[GUARD_BY_GROUP]	= "--only-for-group",
	[GUARD_BY_CGROUP]	= "--only-for-cgroup",
};

/* Write a rule as a line of a conf file, to be freed. */
static char *arguments_line(const struct arguments *arguments)
{
	const struct who *who = arguments->who.items;
	char *line = NULL;
	size_t size, i;
	int path;
	FILE *file = open_memstream(&line, &size);

	fprintf(file, "%s --ops %s%s%s%s%s%s", arguments->deny ? "deny" : "allow",
		ops_text(arguments->ops), arguments->tree ? " --tree" : "",
		arguments->follow ? "" : " --inode", arguments->nofollow ? " --no-dereference" : "",
		arguments->audit == 1 ? " --audit" : "", arguments->optional ? " --optional" : "");
	if (arguments->label)
		fprintf(file, " --label '%s'", arguments->label);
	for (i = 0; i < arguments->who.count; i++) {
		fprintf(file, " %s ''", who_options[who[i].kind]);
		put_word(file, who[i].text);
	}
	fputs(" --", file);
	for (path = 0; path < arguments->nr_paths; path++) {
		fputs(" ''", file);
		put_word(file, arguments->paths[path]);
	}
	fputc('\n', file);
	fclose(file);
	return line;
}

/* Whether two rules are the same. */
static bool arguments_same(const struct arguments *one, const struct arguments *other)
{
	const struct who *who = one->who.items, *others = other->who.items;
	size_t i;
	int path;

	if (one->ops != other->ops || one->deny != other->deny || one->tree != other->tree ||
	    one->follow != other->follow || one->nofollow != other->nofollow ||
	    one->audit != other->audit || one->optional != other->optional ||
	    strcmp(one->label ?: "-none-", other->label ?: "-none-") ||
	    one->who.count != other->who.count || one->nr_paths != other->nr_paths)
		return false;
	for (i = 0; i < one->who.count; i++)
		if (who[i].kind != others[i].kind || strcmp(who[i].text, others[i].text))
			return false;
	for (path = 0; path < one->nr_paths; path++)
		if (strcmp(one->paths[path], other->paths[path]))
			return false;
	return true;
}

static int read_conf(void *conf)
{
	return conf_read("conf", conf);
}

static void check_line(const struct conf_line *line)
{
	char *text = arguments_line(&line->arguments);
	struct conf again = {};
	struct conf_line *lines;

	/* No matches: the line of a pattern would be read as the paths that the pattern matches. */
	world_begin();
	conf_read_line(&again, text);
	lines = again.lines.items;
	if (again.errors || again.lines.count != 1 ||
	    !arguments_same(&line->arguments, &lines->arguments))
		broken("line %u, read again, means something else: %s", line->number, text);
	conf_free(&again);
	free(text);
}

void check_rules(const uint8_t *data, size_t size)
{
	struct conf conf = {};
	struct conf_line *lines;
	size_t i;

	world_begin();
	world.conf = (struct input){ data, size };
	*(char **)array_add(&world.matches, sizeof(char *)) = xstrdup("/of/a pattern");
	free(said_by(read_conf, &conf));
	lines = conf.lines.items;
	for (i = 0; i < conf.lines.count; i++)
		check_line(&lines[i]);
	conf_free(&conf);
	world_end();
}
