// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * "apply": makes all lines of the conf files the policy in one change, or only checks them. The
 * service uses it, too. Takes the lock by change_policy().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* Milliseconds between two progress lines. */
#define PROGRESS_TIME	200

/**
 * struct progress - how far an apply is
 * @shown: whether to show it
 * @begun: whether anything was shown
 * @done: number of paths that are done
 * @total: number of paths
 * @last: when it was shown last, or when it began, in milliseconds
 */
struct progress {
	bool shown;
	bool begun;
	size_t done;
	size_t total;
	long last;
};

static bool progress_is_due(struct progress *progress)
{
	long now;

	if (progress->done == progress->total)
		return progress->begun;
	if (progress->done & 63)
		return false;
	now = milliseconds();
	if (now - progress->last < PROGRESS_TIME)
		return false;
	progress->last = now;
	return true;
}

/* An apply that takes less than a moment shows nothing. */
static void progress_step(void *context)
{
	struct progress *progress = context;

	if (!progress)
		return;
	progress->done++;
	if (!progress->shown || !progress_is_due(progress))
		return;
	progress->begun = true;
	fprintf(stderr, "\r%zu of %zu paths%s", progress->done, progress->total,
		progress->done == progress->total ? "\n" : "");
}

static int check_path(const struct arguments *request, const char *path)
{
	int fd = path_open(path, request->nofollow ? O_NOFOLLOW : 0), err = 0;
	struct stat stat;

	if (fd < 0 && (fd != -ENOENT || !request->follow))
		return fd;
	if (fd >= 0) {
		err = file_stat(fd, &stat);
		if (!err && request->tree && !S_ISDIR(stat.st_mode))
			err = -ENOTDIR;
		if (!err)
			err = file_check(fd, &stat);
		close(fd);
	}
	return err || !request->follow ? err : name_check(path, request->nofollow);
}

static int check_request(const struct arguments *request, const char *where,
			 struct progress *progress)
{
	const struct who *who = request->who.items;
	int i, err, failed = 0;
	size_t j;

	for (j = 0; j < request->who.count; j++) {
		err = who_check(&who[j]);
		if (err)
			who_failed(where, &who[j], err);
		failed |= err && !request->optional;
	}
	for (i = 0; i < request->nr_paths; i++) {
		err = check_path(request, request->paths[i]);
		if (err)
			change_failed(where, request->paths[i], err);
		failed |= err && !request->optional;
		progress_step(progress);
	}
	return failed;
}

/*
 * Apply or check all lines; returns whether any failed. If the guard is sealed, the lines are added
 * to the policy: rules that they do not name stay.
 */
static bool apply_lines(struct conf *conf, struct policy *policy, struct progress *progress)
{
	bool replace = policy && !guard_is_sealed(policy->guard);
	struct conf_line *lines = conf->lines.items;
	bool failed = conf->errors;
	char where[PATH_MAX];
	size_t i, before;

	for (i = 0; i < conf->lines.count; i++) {
		snprintf(where, sizeof(where), "%s:%u: ", lines[i].name, lines[i].number);
		before = policy ? policy->missing : 0;
		if (policy ? change_request(policy, &lines[i].arguments, replace, where,
					    progress_step, progress) :
			     check_request(&lines[i].arguments, where, progress))
			failed = true;
		lines[i].missing = policy && policy->missing != before;
	}
	return failed;
}

/* What to apply, for change_policy(). */
struct application {
	struct conf *conf;
	struct progress *progress;
};

static int apply_all(struct policy *policy, void *context)
{
	const struct application *application = context;

	if (seal_refuse_rules(policy->guard) ||
	    apply_lines(application->conf, policy, application->progress))
		return true;
	return !guard_is_sealed(policy->guard) && change_settle(policy);
}

int apply_conf(struct conf *conf, struct progress *progress)
{
	struct application application = { .conf = conf, .progress = progress };
	char paths[64];

	snprintf(paths, sizeof(paths), "%zu paths, ", conf->paths);
	conf_look_up(conf);
	return change_policy(NULL, apply_all, &application, paths);
}

int cmd_apply(struct arguments *arguments)
{
	struct progress progress = {
		.shown = arguments->progress || isatty(STDERR_FILENO),
	};
	struct conf conf = { .optional = arguments->optional };
	int ret = 0, i;

	for (i = 0; i < arguments->nr_paths; i++)
		ret |= conf_read(arguments->paths[i], &conf);
	if (!arguments->nr_paths)
		ret = conf_read_system(&conf);
	if (ret) {
		conf_free(&conf);
		return EXIT_FAILURE;
	}
	progress.total = conf.paths;
	progress.last = milliseconds();
	/* If lines can't be read, nothing is changed: check the others, to report all errors. */
	if (arguments->check || conf.errors)
		ret = apply_lines(&conf, NULL, &progress) ? EXIT_FAILURE : EXIT_SUCCESS;
	else
		ret = apply_conf(&conf, &progress);
	conf_free(&conf);
	return ret;
}
