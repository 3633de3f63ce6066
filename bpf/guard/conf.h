/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Conf files. A part of tool.h.
 */
#ifndef _GUARD_CONF_H
#define _GUARD_CONF_H

#include "options.h"

struct policy;

/* conf.c */

/* The administrator's file, and files from packages, which are read in the order of their names. */
#define CONF_FILE	"/etc/inode-guard.conf"
#define CONF_DIR	"/etc/inode-guard.d"

/**
 * struct conf_line - a line of a conf file
 * @name: the file's name
 * @number: the line's number, from 1
 * @arguments: what the line says; its paths are those of @plain and @matches
 * @plain: paths (char *) that stand for themselves
 * @patterns: patterns for glob(3), with absolute paths
 * @matches: the files that matched the patterns last
 * @missing: whether any part of it was missing when it was applied
 * @found: whether nothing is missing in the change that is being made (service.c)
 * @refused: when it could not be applied, though it was found, in milliseconds; or 0 (service.c)
 */
struct conf_line {
	const char *name;
	unsigned int number;
	struct arguments arguments;
	struct array plain;
	struct array patterns;
	struct array matches;
	bool missing;
	bool found;
	long refused;
};

/**
 * struct conf - conf files
 * @optional: leave out what is missing, whatever the lines say; set before they are read
 * @lines: their lines, of struct conf_line
 * @memory: what they point into, of char *
 * @paths: number of paths
 * @errors: number of lines that are wrong; each has been reported
 */
struct conf {
	bool optional;
	struct array lines;
	struct array memory;
	size_t paths;
	size_t errors;
};

/* Add a file, or all of the system's. Returns 0, or -1 if one can't be read, which was reported. */
int conf_read(const char *path, struct conf *conf);
int conf_read_system(struct conf *conf);
/* Add a line, if it can be read. */
void conf_read_line(struct conf *conf, const char *line);
/* Whether a line is neither empty nor a comment. */
bool conf_is_rule(const char *line);
void conf_free(struct conf *conf);

/* pattern.c */

/* Find the files that match the patterns of a line. Returns 0, or -1 with @message. */
int patterns_expand(struct conf_line *line, char *message, size_t size);
/* Find them again; lines whose matches have changed get @missing. */
void patterns_refresh(struct conf *conf);
/* Have the inotify instance @fd report new files that patterns may match. */
void patterns_watch(const struct conf *conf, int fd);
/* Keep the rules whose path matches a pattern that could not be expanded; count that as missing. */
void patterns_keep(struct policy *policy, const struct arguments *request);
void line_free(struct conf_line *line);

#endif /* _GUARD_CONF_H */
