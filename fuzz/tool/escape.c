// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Escaping (util.c): any user can choose names of files and threads. Whatever bytes a name has, no
 * dangerous character of it may reach a terminal, and it must read back as the same: from JSON, and
 * as a word of a conf file.
 */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static char *written(const char *text, void (*put)(FILE *file, const char *text))
{
	char *result = NULL;
	size_t size;
	FILE *file = open_memstream(&result, &size);

	put(file, text);
	fclose(file);
	if (strlen(result) != size)
		broken("a zero byte");
	check_seen(result, size);
	return result;
}

static void put_plain(FILE *file, const char *text)
{
	put_text(file, text, "");
}

static void check_json_string(const char *text)
{
	char *json = written(text, put_json), *meant;
	const char *end = json;

	meant = json_string(&end);
	if (*end || strcmp(meant, text))
		broken("JSON that means something else: %s", json);
	free(meant);
	free(json);
}

/* Read it back as the path of a rule. */
static void check_word(const char *text)
{
	char *word = written(text, put_word), *line = xasprintf("deny ''%s", word);
	struct conf conf = {};
	struct conf_line *lines;

	conf_read_line(&conf, line);
	lines = conf.lines.items;
	if (conf.errors || conf.lines.count != 1 || lines->arguments.nr_paths != 1 ||
	    strcmp(lines->arguments.paths[0], text))
		broken("a word that means something else: %s", word);
	conf_free(&conf);
	free(line);
	free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A path, so that it is not taken for an option. */
	char *text = xcalloc(1, size + 2);

	world_begin();
	text[0] = '/';
	memcpy(text + 1, data, size);
	free(written(text, put_plain));
	check_json_string(text);
	check_word(text);
	free(text);
	world_end();
	return 0;
}
