/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Conf files. A part of tool.h.
 */
#ifndef _GUARD_CONF_H
#define _GUARD_CONF_H

struct policy;

/* conf.c */

/* The system's own, and those that packages bring, in the order of their names. */
#define CONF_FILE	"/etc/inode-guard.conf"
#define CONF_DIR	"/etc/inode-guard.d"

/**
 * struct conf_line - a line of a conf file
 * @name: of the file
 * @number: of the line, from 1
 * @arguments: what it says; its paths are those of @plain and @matches
 * @plain: paths (char *) that stand for themselves
 * @patterns: and patterns, as glob(3) takes them, with an absolute path
 * @matches: the files that these stood for at last
 * @missing: whether something of it was missing when it was applied
 */
struct conf_line {
	const char *name;
	unsigned int number;
	struct arguments arguments;
	struct array plain;
	struct array patterns;
	struct array matches;
	bool missing;
};

/**
 * struct conf - conf files
 * @optional: what is missing is left out, whatever lines say; set before they are read
 * @lines: their lines, of struct conf_line
 * @memory: what they point into, of char *
 * @paths: how many paths there are
 * @errors: how many lines are wrong, each of which has been told
 */
struct conf {
	bool optional;
	struct array lines;
	struct array memory;
	size_t paths;
	size_t errors;
};

/* Add a file, or all of the system's. Returns 0, or -1 when one can't be read, which has been told. */
int conf_read(const char *path, struct conf *conf);
int conf_read_system(struct conf *conf);
/* Add a line, if it can be read. */
void conf_read_line(struct conf *conf, const char *line);
/* Whether a line is no comment, and not empty. */
bool conf_is_rule(const char *line);
void conf_free(struct conf *conf);

/* pattern.c */

/* Find what the patterns of a line stand for. Returns 0, or -1 with @message. */
int patterns_expand(struct conf_line *line, char *message, size_t size);
/* Find it again; lines for which it is something else now are missing something. */
void patterns_refresh(struct conf *conf);
/* Have the inotify instance @fd tell when files come to be that patterns may stand for. */
void patterns_watch(const struct conf *conf, int fd);
/* Have rules stay where what a pattern stands for can't be known, and count that as missing. */
void patterns_keep(struct policy *policy, const struct arguments *request);
void line_free(struct conf_line *line);

#endif /* _GUARD_CONF_H */
