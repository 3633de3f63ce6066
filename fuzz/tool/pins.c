// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Pins of another shape (pins.c, store.c, list.c, save.c): the input gives each map its sizes and
 * its entries. The tool must refuse maps that are not the guard's, and be able to show any
 * contents.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "world.h"

/* Few entries keep inputs small; but one map can have more bytes than the tool reads at a time. */
#define MOST_ENTRIES	8
#define MANY_BYTES	(2 << 20)

/* Nine maps of ten keep the right shape. */
static void shape_map(struct world_map *map, struct input *input)
{
	if (take_byte(input) % 10)
		return;
	map->type = take_byte(input) % 32;
	map->key_size = take_byte(input) + 1;
	map->value_size = (take_byte(input) | take_byte(input) << 8) + 1;
}

static void fill_map(struct world_map *map, struct input *input)
{
	unsigned int byte = take_byte(input);
	size_t count = byte % MOST_ENTRIES, size = map->key_size + map->value_size, i;
	char *key, *value;

	/* A ring buffer has no keys. */
	if (!map->key_size)
		return;
	key = xcalloc(1, map->key_size);
	value = xcalloc(1, map->value_size);
	for (; count && input->size; count--) {
		take(input, key, map->key_size);
		take(input, value, map->value_size);
		world_put(map, key, value);
	}
	for (i = 0; map->count && byte == 0xff && i < MANY_BYTES / size; i++)
		world_put(map, key, value);
	free(key);
	free(value);
}

static struct guard_entry entry;

static int find(const char *path)
{
	return strlen(path) % 5 ? 0 : strlen(path) % 2 ? -ENOENT : -ETIMEDOUT;
}

static int find_entry(const char *path, struct guard_entry *found)
{
	(void)path;
	*found = entry;
	return 0;
}

static int list(void *json)
{
	return guard_list(!!json);
}

static int save(void *unused)
{
	(void)unused;
	return guard_save(NULL);
}

static int status(void *json)
{
	return guard_status(!!json);
}

static void check_shown(int (*command)(void *argument))
{
	char *text = said_by(command, NULL), *json = said_by(command, "");
	const char *end;

	check_lines(text);
	if (*json) {
		end = check_json(json);
		if (strcmp(end, "\n"))
			broken("what is behind the object: %s", end);
	}
	free(text);
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char *text;
	size_t i;

	world_begin();
	world.found = find;
	world.entry = find_entry;
	take(&input, &entry, sizeof(entry));
	if (take_byte(&input) % 10 == 9)
		take(&input, world.state, sizeof(*world.state));
	for (i = 0; i < WORLD_MAPS; i++) {
		shape_map(world_map_at(i), &input);
		fill_map(world_map_at(i), &input);
	}
	check_shown(list);
	check_shown(status);
	text = said_by(save, NULL);
	check_lines(text);
	free(text);
	world_end();
	return 0;
}
