// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Patterns in conf files: finding the files that match them, which the service does again and
 * again. Paths are expanded without the lock (lookup.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "tool.h"

static void add_all(struct array *to, const struct array *from)
{
	size_t i;

	for (i = 0; i < from->count; i++)
		string_add(to, ((char **)from->items)[i]);
}

/* The paths of a line are what it names and what its patterns stand for. */
static void set_paths(struct conf_line *line)
{
	struct array paths = {};

	add_all(&paths, &line->plain);
	add_all(&paths, &line->matches);
	free(line->arguments.paths);
	line->arguments.paths = paths.items;
	line->arguments.nr_paths = paths.count;
}

/* If no file matches, or that can't be known, an optional line goes without it. */
static int expand_one(struct conf_line *line, const char *pattern, char *message, size_t size)
{
	int err = paths_expand(pattern, &line->matches);

	if (!err || (err == -ENOENT && line->arguments.optional))
		return 0;
	if (err == -ETIMEDOUT && line->arguments.optional) {
		*(const char **)array_add(&line->arguments.hanging, sizeof(char *)) = pattern;
		return 0;
	}
	snprintf(message, size, "%s: %s", pattern,
		 err == -ENOENT ? "no file matches this pattern" :
		 err == -ETIMEDOUT ? "took too long to look up" : reason(err));
	return -1;
}

int patterns_expand(struct conf_line *line, char *message, size_t size)
{
	char **patterns = line->patterns.items;
	size_t i;
	int err = 0;

	strings_free(&line->matches);
	free(line->arguments.hanging.items);
	memset(&line->arguments.hanging, 0, sizeof(line->arguments.hanging));
	for (i = 0; i < line->patterns.count && !err; i++)
		err = expand_one(line, patterns[i], message, size);
	set_paths(line);
	return err;
}

static bool same_texts(const struct array *one, const struct array *other)
{
	size_t i;

	if (one->count != other->count)
		return false;
	for (i = 0; i < one->count; i++)
		if (strcmp(((char **)one->items)[i], ((char **)other->items)[i]))
			return false;
	return true;
}

/* A pattern that takes too long to expand stands for what it stood for before. */
static void keep_hanging(struct conf_line *line, const struct array *before)
{
	char **patterns = line->arguments.hanging.items, **paths = before->items;
	size_t i, j;

	for (i = 0; i < line->arguments.hanging.count; i++)
		for (j = 0; j < before->count; j++)
			if (!fnmatch(patterns[i], paths[j], FNM_PATHNAME))
				string_add(&line->matches, xstrdup(paths[j]));
	if (line->arguments.hanging.count)
		set_paths(line);
}

/* If the matches can't be known, they stay what they were. */
static void refresh_line(struct conf_line *line)
{
	struct array before = line->matches;
	char message[512];

	memset(&line->matches, 0, sizeof(line->matches));
	if (patterns_expand(line, message, sizeof(message))) {
		strings_free(&line->matches);
		line->matches = before;
		set_paths(line);
		return;
	}
	keep_hanging(line, &before);
	line->missing |= !same_texts(&before, &line->matches);
	strings_free(&before);
}

void patterns_refresh(struct conf *conf)
{
	struct conf_line *lines = conf->lines.items;
	size_t i;

	for (i = 0; i < conf->lines.count; i++)
		if (lines[i].patterns.count)
			refresh_line(&lines[i]);
}

/* The directory of the first component that is a pattern: to be freed. */
static char *fixed_directory(const char *pattern)
{
	size_t length = strcspn(pattern, "*?[\\");

	while (length > 1 && pattern[length - 1] != '/')
		length--;
	return xasprintf("%.*s", (int)length, pattern);
}

static void watch_one(const char *pattern, int inotify)
{
	char *directory = fixed_directory(pattern), path[64];
	int fd = path_open(directory, O_DIRECTORY);

	if (fd >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		inotify_add_watch(inotify, path, IN_CREATE | IN_MOVED_TO);
		close(fd);
	}
	free(directory);
}

void patterns_watch(const struct conf *conf, int fd)
{
	const struct conf_line *lines = conf->lines.items;
	size_t i, j;

	for (i = 0; i < conf->lines.count; i++)
		for (j = 0; j < lines[i].patterns.count; j++)
			watch_one(((char **)lines[i].patterns.items)[j], fd);
}

static bool matches(const struct rule *rule, const char *pattern)
{
	const struct array *names = &rule->names;
	size_t i;

	for (i = 0; i < names->count; i++)
		if (!fnmatch(pattern, ((char **)names->items)[i], FNM_PATHNAME))
			return true;
	return !fnmatch(pattern, rule->path, FNM_PATHNAME);
}

void patterns_keep(struct policy *policy, const struct arguments *request)
{
	struct rule **rules = policy->rules.items;
	char **patterns = request->hanging.items;
	size_t i, j;

	for (i = 0; i < request->hanging.count; i++) {
		if (!request->quiet)
			change_failed("", patterns[i], -ETIMEDOUT);
		policy->missing++;
		for (j = 0; j < policy->rules.count; j++)
			rules[j]->kept |= matches(rules[j], patterns[i]);
	}
}

void line_free(struct conf_line *line)
{
	free(line->arguments.hanging.items);
	free(line->arguments.paths);
	free(line->plain.items);
	strings_free(&line->patterns);
	strings_free(&line->matches);
	arguments_free(&line->arguments);
}
