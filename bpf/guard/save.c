// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * "save": writes the rules as "apply" reads them. Releases the lock before it writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shown.h"

static void save_line(FILE *file, const struct policy *policy, const struct shown *shown, int op,
		      const char *comment)
{
	const struct rule *rule = shown->rule;
	const struct member *members;
	const struct set *set = NULL;
	__u32 ops = ops_like(rule, op);
	size_t i;

	fprintf(file, "%s%s", comment, verdict_of(rule, op) == ALLOW ? "allow" : "deny");
	fprintf(file, " --ops %s%s%s%s", ops_text(ops),
		rule->body.flags & GUARD_TREE ? " --tree" : "",
		rule->body.flags & GUARD_FOLLOW ? "" : " --inode",
		rule->body.flags & GUARD_SYMLINK ? " --no-dereference" : "");
	if (is_tried(rule, op))
		fputs(" --audit", file);
	if (*rule->label)
		fprintf(file, " --label %s", rule->label);
	if (verdict_of(rule, op) == ONLY)
		set = index_get(&policy->set_by_id, rule->body.set[op]);
	members = set ? set->members.items : NULL;
	for (i = 0; set && i < set->members.count; i++) {
		fprintf(file, " --%s ", kind_words[members[i].kind].option);
		put_word(file, member_text(policy, &members[i]));
	}
	fputc(' ', file);
	put_word(file, shown->path);
	fputc('\n', file);
}

/* Returns whether the rule could be written as it is, which is always so for a rule for a name. */
static bool save_rule(FILE *file, const struct policy *policy, struct shown *shown)
{
	const struct rule *rule = shown->rule;
	const char *comment = "";
	__u32 done = 0;
	int op;

	shown->saved = true;
	if (shown->state == STATE_GONE) {
		error("%s: is gone", shown->path);
		comment = "# gone: ";
	} else if (shown->state == STATE_ELSEWHERE && !(rule->body.flags & GUARD_FOLLOW)) {
		error("%s: leads to another file than the one that is guarded", shown->path);
		comment = "# leads elsewhere: ";
	}
	for (op = 0; op < GUARD_OPS; op++) {
		if (!(rule->body.named & ~done & (1U << op)))
			continue;
		save_line(file, policy, shown, op, comment);
		done |= ops_like(rule, op);
	}
	return !*comment;
}

/* Write the rules of the paths in a line of the old file, unless they are written already. */
static bool save_in_place(FILE *file, const struct policy *policy, struct array *shown,
			  const struct arguments *line)
{
	struct shown *items = shown->items;
	bool whole = true, tree;
	char *path;
	size_t j;
	int i;

	for (i = 0; i < line->nr_paths; i++) {
		path = absolute_path(line->paths[i]);
		for (j = 0; j < shown->count; j++) {
			tree = items[j].rule->body.flags & GUARD_TREE;
			if (!items[j].saved && tree == line->tree && !strcmp(items[j].path, path))
				whole &= save_rule(file, policy, &items[j]);
		}
		free(path);
	}
	return whole;
}

/* Keep the comments and empty lines of the old file in their places, and the rules in theirs. */
static bool save_like(FILE *file, const struct policy *policy, struct array *shown, FILE *old)
{
	struct conf conf = { .optional = true };
	struct conf_line *lines;
	char *line = NULL;
	bool whole = true;
	size_t size = 0;

	while (getline(&line, &size, old) >= 0) {
		if (!conf_is_rule(line)) {
			/* Earlier saves have made these comments; this one makes them anew. */
			if (strncmp(line, "# gone: ", 8) &&
			    strncmp(line, "# leads elsewhere: ", 19))
				fputs(line, file);
			continue;
		}
		conf_read_line(&conf, line);
		lines = conf.lines.items;
		if (conf.lines.count)
			whole &= save_in_place(file, policy, shown,
					       &lines[conf.lines.count - 1].arguments);
	}
	free(line);
	conf_free(&conf);
	return whole;
}

/* @old is the previous content of the file, or NULL. */
static bool save_rules(FILE *file, const struct policy *policy, struct array *shown, FILE *old)
{
	struct shown *items = shown->items;
	bool whole = true;
	size_t i;

	if (old)
		whole = save_like(file, policy, shown, old);
	for (i = 0; i < shown->count; i++)
		if (!items[i].saved && !seal_has_made(policy->guard, items[i].rule))
			whole &= save_rule(file, policy, &items[i]);
	return whole;
}

/* The new file has the owner and mode of the old one. */
static int copy_mode(int fd, FILE *old)
{
	struct stat stat;

	if (!old)
		return 0;
	if (fstat(fileno(old), &stat) || fchown(fd, stat.st_uid, stat.st_gid) ||
	    fchmod(fd, stat.st_mode & 07777))
		return -errno;
	return 0;
}

/* Replace the file once the new one is complete. */
static int save_file(const char *path, const struct policy *policy, struct array *shown,
		     bool *whole)
{
	char temporary[PATH_MAX];
	FILE *file, *old;
	int fd, err;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return -errno;
	old = fopen(path, "re");
	err = copy_mode(fd, old);
	*whole = save_rules(file, policy, shown, old);
	if (old)
		fclose(old);
	if ((fflush(file) || ferror(file) || fsync(fd)) && !err)
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

int guard_save(const char *path)
{
	struct policy policy;
	struct guard guard;
	struct array shown;
	bool whole = true;
	int ret, err = 0;

	ret = load_shown(&guard, &policy);
	if (ret)
		return ret;
	shown = show_rules(&policy);
	/* A slow reader must not keep the lock. */
	guard_unlock(&guard);
	if (path)
		err = save_file(path, &policy, &shown, &whole);
	else
		whole = save_rules(stdout, &policy, &shown, NULL);
	free(shown.items);
	if (err)
		error("%s: %s", path, reason(err));
	policy_free(&policy);
	guard_close(&guard);
	return err || !whole ? EXIT_FAILURE : EXIT_SUCCESS;
}
