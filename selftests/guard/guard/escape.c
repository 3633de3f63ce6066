// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names with characters that a terminal would obey, or that make one name look like another or one
 * line like two.
 */
#include "steps.h"

#include "events.h"

/* Samples of control and format characters and line separators, and all that terminals obey. */
static const unsigned int unseen[] = {
	0x80, 0x84, 0x85, 0x90, 0x9b, 0x9c, 0x9d, 0x9f, 0xad, 0x61c, 0x200b, 0x200e, 0x200f, 0x2028,
	0x2029, 0x202a, 0x202d, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xfff9, 0xfe0f, 0xe0001,
	0xe007f,
};

static const unsigned int seen[] = { 0xa0, 0xe4, 0x3b1, 0x5d0, 0x4e2d, 0xfffd, 0x1f600 };

static void put_character(char *to, unsigned int number)
{
	if (number < 0x800)
		sprintf(to, "%c%c", 0xc0 | number >> 6, 0x80 | (number & 0x3f));
	else if (number < 0x10000)
		sprintf(to, "%c%c%c", 0xe0 | number >> 12, 0x80 | (number >> 6 & 0x3f),
			0x80 | (number & 0x3f));
	else
		sprintf(to, "%c%c%c%c", 0xf0 | number >> 18, 0x80 | (number >> 12 & 0x3f),
			0x80 | (number >> 6 & 0x3f), 0x80 | (number & 0x3f));
}

/* Return the next character of @at, which must be valid UTF-8. */
static unsigned int take_character(const unsigned char **at)
{
	const unsigned char *c = *at;
	unsigned int number = *c, more = *c < 0x80 ? 0 : *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : 1;

	CHECK(*c < 0x80 || (*c >= 0xc2 && *c < 0xf5));
	if (more)
		number = *c & (0x3f >> more);
	for (unsigned int i = 1; i <= more; i++) {
		CHECK((c[i] & 0xc0) == 0x80);
		number = number << 6 | (c[i] & 0x3f);
	}
	*at = c + more + 1;
	return number;
}

/* No character in @text may have an effect on a terminal. */
static void check_clean(const char *what, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned int number;

	while (*at) {
		number = take_character(&at);
		if (number == '\n')
			continue;
		if (number < 0x20 || number == 0x7f)
			FAIL("%s: U+%04X", what, number);
		for (size_t i = 0; i < ARRAY_SIZE(unseen); i++)
			if (number == unseen[i])
				FAIL("%s: U+%04X", what, number);
	}
}

static void make_names(void)
{
	char name[16];

	CHECK_SYS(mkdir("d", 0755));
	for (int byte = 1; byte < 256; byte++) {
		sprintf(name, "d/a%cz", byte);
		if (byte != '/')
			make(name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++) {
		strcpy(name, "d/u");
		put_character(name + 3, unseen[i]);
		make(name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		strcpy(name, "d/s");
		put_character(name + 3, seen[i]);
		make(name);
	}
}

static unsigned int lines(void)
{
	unsigned int count = 0;

	for (const char *at = out; (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

TOOL_STEP(escape_names)
{
	unsigned int count = 254 + ARRAY_SIZE(unseen) + ARRAY_SIZE(seen);
	char text[16];

	make_names();
	CHECK_EQ(sh("inode-guard deny --ops read d/*"), 0);
	SAYS("list");
	check_clean("list", out);
	CHECK_EQ(lines(), count + 1);
	HAS("/d/u\\xe2\\x80\\xae\n");
	HAS("/d/a\\x9bz\n");
	/* Visible characters stay as they are. */
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		strcpy(text, "/d/s");
		put_character(text + 4, seen[i]);
		HAS(text);
	}
	SAYS("list", "--json");
	check_clean("list --json", out);
	json_check(out);
	HAS("/d/u\\u202e\"");
	HAS("/d/u\\udb40\\udc01\"");
	HAS("/d/a\\udc9bz\"");
	SAYS("save");
	check_clean("save", out);
	/* What save writes leads to the same names. */
	SAYS("save", "conf");
	QUIET("remove", "--all");
	QUIET("apply", "conf");
	SAYS("list");
	CHECK_EQ(lines(), count + 1);
	CHECK_EQ(sh("for f in d/*; do ! cat \"$f\" 2>/dev/null || exit; done"), 0);
}

TOOL_STEP(escape_errors)
{
	static char names[256 + ARRAY_SIZE(unseen)][16];
	char *argv[ARRAY_SIZE(names) + 4] = { "inode-guard", "deny", "--inode" };
	size_t count = 0, said = 0;

	for (int byte = 1; byte < 256; byte++)
		if (byte != '/')
			sprintf(names[count++], "a%cz", byte);
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++) {
		names[count][0] = 'u';
		put_character(names[count++] + 1, unseen[i]);
	}
	for (size_t i = 0; i < count; i++)
		argv[i + 3] = names[i];
	CHECK_EQ(tool_run(argv, NULL), 1);
	check_clean("errors", err);
	for (const char *at = err; (at = strchr(at, '\n')); at++)
		said++;
	CHECK_EQ(said, count);
}

static void deny_as(const char *thread)
{
	CHECK_SYS(prctl(PR_SET_NAME, thread));
	DENIED(try_read("f\xc2\x9b"));
}

TOOL_STEP(escape_events)
{
	static char *const threads[] = {
		"t\x1b[1m", "t\x9b", "t\xc2\x9b", "t\xe2\x80\xae", "t\xe2\x80\xa8", "last",
	};
	pid_t pid, json;

	make("f\xc2\x9b");
	QUIET("deny", "--ops", "read", "f\xc2\x9b");
	pid = watch_start(WORDS("watch"));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		deny_as(threads[i]);
	await_event("command=last ");
	watch_end(pid, SIGTERM);
	check_clean("watch", out);
	CHECK_EQ(lines(), ARRAY_SIZE(threads));
	HAS("command=t\\xe2\\x80\\xae ");
	json = watch_start(WORDS("watch", "--json"));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		deny_as(threads[i]);
	await_event("\"last\"");
	watch_end(json, SIGTERM);
	check_clean("watch --json", out);
	CHECK_EQ(lines(), ARRAY_SIZE(threads));
	HAS("\"command\":\"t\\u202e\"");
	for (const char *line = out; *line; line = strchr(line, '\n') + 1)
		CHECK(json_value(line) == strchr(line, '\n'));
}
