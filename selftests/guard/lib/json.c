// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A strict parser that checks whether a text is JSON and UTF-8; and the state that the guard's
 * programs share with the tool.
 */
#include "steps.h"

#include <ctype.h>

#include "bpf/guard/guard.h"

static const char *skip_space(const char *text)
{
	return text + strspn(text, " \t\r\n");
}

static const char *json_escape(const char *text)
{
	int i;

	if (*text && strchr("\"\\/bfnrt", *text))
		return text + 1;
	if (*text++ != 'u')
		return NULL;
	for (i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)*text++))
			return NULL;
	return text;
}

/* Skip one UTF-8 character. */
static const char *utf8_character(const char *text)
{
	unsigned char first = *text++;
	int more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 :
		   first < 0xf5 ? 3 : -1;

	if (more < 0)
		return NULL;
	while (more--)
		if (((unsigned char)*text++ & 0xc0) != 0x80)
			return NULL;
	return text;
}

static const char *json_string(const char *text)
{
	if (*text++ != '"')
		return NULL;
	while (text && *text != '"') {
		if ((unsigned char)*text < ' ')
			return NULL;
		text = *text == '\\' ? json_escape(text + 1) : utf8_character(text);
	}
	return text ? text + 1 : NULL;
}

/* Values or members up to @end, separated by commas. */
static const char *json_members(const char *text, char end)
{
	text = skip_space(text + 1);
	if (*text == end)
		return text + 1;
	for (;;) {
		if (end == '}') {
			text = json_string(skip_space(text));
			text = text ? skip_space(text) : NULL;
			if (!text || *text++ != ':')
				return NULL;
		}
		text = json_value(text);
		if (!text)
			return NULL;
		text = skip_space(text);
		if (*text == end)
			return text + 1;
		if (*text++ != ',')
			return NULL;
	}
}

const char *json_value(const char *text)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i;

	text = skip_space(text);
	if (*text == '"')
		return json_string(text);
	if (*text == '{')
		return json_members(text, '}');
	if (*text == '[')
		return json_members(text, ']');
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(text, words[i], strlen(words[i])))
			return text + strlen(words[i]);
	/* Only integers, without leading zeros. */
	if (!isdigit((unsigned char)*text) || (*text == '0' && isdigit((unsigned char)text[1])))
		return NULL;
	return text + strspn(text, "0123456789");
}

void json_check(const char *text)
{
	const char *end = json_value(text);

	if (!end || *skip_space(end))
		FAIL("not JSON%s%.60s: %.2000s", end ? " from " : "", end ? end : "", text);
}

volatile struct guard_state *state_map(void)
{
	int fd = CHECK_SYS(bpf_obj_get(GUARD_PINS "/state"));
	void *memory = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(memory != MAP_FAILED);
	close(fd);
	return memory;
}
