/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the fuzz targets of inode-guard. Each target, a file in this folder, is a program of
 * libFuzzer: it makes its input into something that other users could give the tool, passes that to
 * the tool's own functions, and checks what they print. The tool is linked unchanged, with
 * sanitizers; world.c answers its system calls from memory. checks.c has the checks that hold for
 * all that it prints.
 */
#ifndef _FUZZ_WORLD_H
#define _FUZZ_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "../../bpf/guard/pins.h"
#include "../../bpf/guard/shown.h"

/* libFuzzer calls it for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Read a rules file, and check it: for conf.c and long.c. */
void check_rules(const uint8_t *data, size_t size);

/* Crash, so that libFuzzer keeps the input. */
__attribute__((noreturn, format(printf, 1, 2)))
void broken(const char *format, ...);

/* Input. Reads beyond its end get zeros. */

struct input {
	const uint8_t *data;
	size_t size;
};

/* Returns how many bytes were left, at most @size. */
size_t take(struct input *input, void *to, size_t size);
unsigned int take_byte(struct input *input);
/* Take a length, and a text of that length, at most @most bytes. The caller frees it. */
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
 * struct world - what the tool gets from the kernel
 * @state: the guard's state, as in the programs
 * @mounts: the list of mounts
 * @conf: the contents of every conf file
 * @events: the events in the ring buffer, each after its length, 16 bits
 * @found: returns the result of path_open() for a path: 0 or a negative errno; NULL: always 0
 * @entry: gets the entry that inode maps have of the path opened last: 0 or a negative errno
 * @matches: the paths that patterns match, of char *
 * @sent: called for each message to the log, with the socket's name
 * @asked: the tool makes the calls, not libFuzzer
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

/* Call them around each input. world_begin() sets up a guard that runs and has no rules. */
void world_begin(void);
void world_end(void);
/* Find a map by its name in guard_maps, "subjects", or the name of an inode map. */
struct world_map *world_map(const char *name);
/* Get a map by its index, from 0 to WORLD_MAPS - 1. */
struct world_map *world_map_at(size_t i);
void world_put(struct world_map *map, const void *key, const void *value);

#define WORLD_MAPS	(GUARD_MAPS + 1 + RULE_MAPS)

/* checks.c */

/* Returns what a command prints, to be freed; checks its standard error and drops it. */
char *said_by(int (*command)(void *argument), void *argument);
/* Check that the text is lines that a terminal shows as they are. Returns how many. */
size_t check_lines(const char *text);
/* Check that each character in it is a visible one. */
void check_seen(const char *text, size_t length);
/* Check one value. Returns what follows it. */
const char *check_json(const char *text);
/* Decode a string of JSON, to be freed; advances *@text beyond it. */
char *json_string(const char **text);

#endif /* _FUZZ_WORLD_H */
