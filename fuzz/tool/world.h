/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the fuzz targets of inode-guard share. Each target, a file in this folder, is a program of
 * libFuzzer: it makes of its input what others could give the tool, has the tool's own functions take it,
 * and looks at what they say. The tool is linked as it is, with sanitizers; what it asks the kernel for,
 * world.c answers from memory. checks.c has what holds for all that it says.
 */
#ifndef _FUZZ_WORLD_H
#define _FUZZ_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "../../bpf/guard/pins.h"
#include "../../bpf/guard/shown.h"

/* Called by libFuzzer, for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Read a rules file, and check it: of conf.c and long.c. */
void check_rules(const uint8_t *data, size_t size);

/* End as a crash, so that the input is kept. */
__attribute__((noreturn, format(printf, 1, 2)))
void broken(const char *format, ...);

/* Input, which ends at some time: what is behind its end is zeros. */

struct input {
	const uint8_t *data;
	size_t size;
};

/* Returns how many bytes there still were. */
size_t take(struct input *input, void *to, size_t size);
unsigned int take_byte(struct input *input);
/* A text of up to @most bytes, its length before it: to be freed. */
char *take_text(struct input *input, size_t most);

/* world.c */

/**
 * struct world_map - a pinned map
 * @key_size: bytes of a key
 * @value_size: bytes of a value
 * @type: enum bpf_map_type
 * @count: how many entries there are
 * @keys: their keys
 * @values: their values
 */
struct world_map {
	__u32 key_size;
	__u32 value_size;
	__u32 type;
	size_t count;
	char *keys;
	char *values;
};

/**
 * struct world - what the kernel has to say
 * @state: the word of the guard, as the programs have them
 * @mounts: the list of mounts
 * @conf: what any conf file has in it
 * @events: what the ring buffer has, each event with the length before it, 16 bits
 * @found: what path_open() says of a path: 0, or a negative errno; NULL, that it is there
 * @entry: the entry that inode maps have of the path that was opened last: 0 or a negative errno
 * @matches: what patterns stand for, of char *
 * @sent: is called for each line to the log, with the socket's name
 * @asked: whether it is the tool that asks, and not libFuzzer
 */
struct world {
	struct guard_state *state;
	struct input mounts;
	struct input conf;
	struct input events;
	int (*found)(const char *path);
	int (*entry)(const char *path, struct guard_entry *entry);
	struct array matches;
	void (*sent)(const char *socket, const char *data, size_t size);
	bool asked;
};

extern struct world world;

/* Each input is taken in between. It begins with a guard that runs and has no rules. */
void world_begin(void);
void world_end(void);
/* By a name of guard_maps, "subjects", or an inode map's. */
struct world_map *world_map(const char *name);
/* By a number from 0 to WORLD_MAPS less 1. */
struct world_map *world_map_at(size_t i);
void world_put(struct world_map *map, const void *key, const void *value);

#define WORLD_MAPS	(GUARD_MAPS + 1 + RULE_MAPS)

/* checks.c */

/* What a command says, to be freed; what it says on standard error is checked and forgotten. */
char *said_by(int (*command)(void *argument), void *argument);
/* Lines that a terminal shows as they are: returns how many. */
size_t check_lines(const char *text);
/* No character in it may be one that is not to look at. */
void check_seen(const char *text, size_t length);
/* One value: returns what follows it. */
const char *check_json(const char *text);
/* What a string of JSON means, to be freed; *@text is behind it then. */
char *json_string(const char **text);
/* A rule as a line of a conf file, to be freed. */
char *arguments_line(const struct arguments *arguments);
/* Whether two rules say the same. */
bool arguments_same(const struct arguments *one, const struct arguments *other);

#endif /* _FUZZ_WORLD_H */
