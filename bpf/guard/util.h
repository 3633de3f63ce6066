/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Output, memory, arrays and texts (util.c): for all files of the tool.
 */
#ifndef _GUARD_UTIL_H
#define _GUARD_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "guard.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

extern bool verbose;

/* Print one line to standard error, after the name of the tool. */
__attribute__((format(printf, 1, 2)))
void error(const char *format, ...);

/* The meaning of a negative errno, for the end of a line. */
const char *reason(int err);
/* Have reason() name what is full, if @err means that, and how many fit. Returns @err. */
int no_room(int err, const char *what, __u32 most);
/* The same for a map that is full. */
int map_no_room(int err, const char *what, int map);

/* malloc() and friends that end the program if there is no memory. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *memory, size_t size);
char *xstrdup(const char *text);
__attribute__((format(printf, 1, 2)))
char *xasprintf(const char *format, ...);

/* The words for operations; and those of a set, separated by commas. */
extern const char *const op_names[GUARD_OPS];
/* The word for an operation in an event, which may be GUARD_CONTROL, too. */
const char *op_name(int op);
const char *ops_text(__u32 ops);

/* Milliseconds since some point in the past, by a clock that nobody can set. */
long milliseconds(void);

/* Parse all of a text as a decimal number from @least to @most: 0, or -EINVAL. */
int number_parse(const char *text, __u32 least, __u32 most, __u32 *number);

/* Make a path as somebody gave it absolute, without "." and empty components. */
char *absolute_path(const char *path);

/*
 * Write a name that others chose, of a file or a thread: as text, with a backslash before each of
 * the @special characters; as one of several words; as a word of a conf file, where it is no
 * pattern; as a JSON string. Unprintable characters become numbers: no terminal obeys them, and the
 * name stays on one line.
 */
void put_text(FILE *file, const char *text, const char *special);
void put_name(FILE *file, const char *text);
void put_word(FILE *file, const char *text);
void put_json(FILE *file, const char *text);

/**
 * struct array - an array that grows
 * @items: the items
 * @count: number of items
 * @room: number of items that fit
 */
struct array {
	void *items;
	size_t count;
	size_t room;
};

/* Add an item of @size bytes at the end; returns it, zeroed. */
void *array_add(struct array *array, size_t size);
/* Add a string to an array of char *; and free such an array, with the strings. */
void string_add(struct array *array, char *text);
void strings_free(struct array *array);

/**
 * struct index - finds pointers by an id
 * @slots: ids and pointers
 * @mask: number of slots less one
 * @count: number of slots in use
 */
struct index {
	struct index_slot {
		__u32 id;
		void *item;
	} *slots;
	size_t mask;
	size_t count;
};

void *index_get(const struct index *index, __u32 id);
void index_put(struct index *index, __u32 id, void *item);
void index_free(struct index *index);

#endif /* _GUARD_UTIL_H */
