/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the test of /proc/inode_map and the tracepoints share: see observe.c.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "harness.h"

#define LISTING		"/proc/inode_map"
#define TRACING		"/sys/kernel/tracing"

#define CHECK_STR(got, want)						\
	do {								\
		const char *got_ = (got), *want_ = (want);		\
									\
		if (strcmp(got_, want_))				\
			FAIL("%s is \"%s\", not \"%s\"", #got, got_, want_); \
	} while (0)

struct line {
	unsigned int map;
	char name[BPF_OBJ_NAME_LEN];
	unsigned int major, minor;
	unsigned long long ino;
	unsigned int gen;
	unsigned int handle;
	char lifetime[8];
	char *path;
};

struct listing {
	char *text;
	size_t size;
	struct line *lines;
	unsigned int nr_lines;
};

/* observe.c */

char *read_all(int fd, size_t chunk, size_t *size);
void listing_parse(struct listing *listing);
void listing_read(struct listing *listing, size_t chunk);
void listing_free(struct listing *listing);
struct line *line_of_in(int map, int fd);
struct line *line_of(int map);
const char *path_of(int map);
int map_of_one(int fd);

/* events.c */

void events_make(void);
void check_events(char *seen);

#endif /* OBSERVE_H */
