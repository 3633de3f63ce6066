// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Showing the rules: "list" for people and programs, "save" for "apply".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* What a rule does about an operation; the third with a set. */
enum verdict {
	ALLOW,
	DENY,
	ONLY,
};

static enum verdict verdict_of(const struct rule *rule, int op)
{
	if (rule->body.denied & (1U << op))
		return DENY;
	return rule->body.only & (1U << op) ? ONLY : ALLOW;
}

static const char *const verdict_names[] = {
	[ALLOW]	= "allow",
	[DENY]	= "deny",
	[ONLY]	= "only-for",
};

/* The operations that a rule treats as it treats @op. */
static __u32 ops_like(const struct rule *rule, int op)
{
	__u32 ops = 0;
	int other;

	for (other = 0; other < GUARD_OPS; other++)
		if (rule->body.named & (1U << other) &&
		    verdict_of(rule, other) == verdict_of(rule, op) &&
		    rule->body.set[other] == rule->body.set[op])
			ops |= 1U << other;
	return ops;
}

/* What there is to a rule at the moment. */
enum state {
	STATE_ACTIVE,
	STATE_AUDIT,
	STATE_GONE,
	STATE_ELSEWHERE,
	STATE_WAITING,
};

static const char *const state_names[] = {
	[STATE_ACTIVE]		= "active",
	[STATE_AUDIT]		= "audit",
	[STATE_GONE]		= "gone",
	[STATE_ELSEWHERE]	= "elsewhere",
	[STATE_WAITING]		= "waiting",
};

/**
 * struct shown - a rule under one of its paths
 * @rule: the rule
 * @path: the path
 * @state: what there is to it
 * @dev: device of the file, as stat(2) has it
 * @ino: number of its inode
 * @saved: whether it has been written
 */
struct shown {
	const struct rule *rule;
	const char *path;
	enum state state;
	__u32 dev;
	__u64 ino;
	bool saved;
};

static int compare_shown(const void *one, const void *other)
{
	const struct shown *a = one, *b = other;
	int order = strcmp(a->path, b->path);

	return order ?: (int)(a->rule->body.flags & GUARD_TREE) -
			(int)(b->rule->body.flags & GUARD_TREE);
}

/* Whether an inode has a rule. */
static bool fd_has_rule(const struct policy *policy, const struct rule *rule, int fd)
{
	bool tree = rule->body.flags & GUARD_TREE;
	struct guard_entry entry;
	int index;

	for (index = tree ? 0 : FILES_MAP; index < (tree ? FILES_MAP : RULE_MAPS); index++)
		if (!entry_get(policy->guard->maps[index], fd, &entry) &&
		    entry_rule(&entry, policy->generation) == rule->id)
			return true;
	return false;
}

/* Of what has just been made the kernel decides by its name, which what is mounted there has not. */
static bool is_in_force(struct policy *policy, const struct rule *rule, const char *path, int fd)
{
	if (fd_has_rule(policy, rule, fd))
		return true;
	return __atomic_load_n(&policy->guard->state->fresh, __ATOMIC_SEQ_CST) &&
	       !is_mount_root(fd) && name_has_rule(policy, rule, path);
}

static void show_rule(struct policy *policy, const struct rule *rule, const char *path,
		      struct shown *shown)
{
	bool follows = rule->body.flags & GUARD_FOLLOW, gone = rule_is_gone(rule);
	struct stat stat;
	int fd;

	*shown = (struct shown){
		.rule = rule, .path = path, .dev = gone ? rule->body.dev : rule->dev,
		.ino = gone ? rule->body.ino : rule->ino,
	};
	fd = path_open(path, rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0);
	if (fd >= 0 && is_in_force(policy, rule, path, fd) && !fstat(fd, &stat)) {
		shown->state = policy->guard->state->audit ? STATE_AUDIT : STATE_ACTIVE;
		shown->dev = makedev(major(stat.st_dev), minor(stat.st_dev));
		shown->ino = stat.st_ino;
	} else if (follows) {
		shown->state = fd == -ENOENT ? STATE_WAITING : STATE_ELSEWHERE;
	} else {
		shown->state = gone ? STATE_GONE : STATE_ELSEWHERE;
	}
	if (fd >= 0)
		close(fd);
}

/* All rules under all their paths, by path; an array of struct shown. */
static struct array show_rules(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct array shown = {};
	size_t i, j;

	for (i = 0; i < policy->rules.count; i++) {
		const struct array *names = &rules[i]->names;

		if (!names->count)
			show_rule(policy, rules[i], rules[i]->path,
				  array_add(&shown, sizeof(struct shown)));
		for (j = 0; j < names->count; j++)
			show_rule(policy, rules[i], ((char **)names->items)[j],
				  array_add(&shown, sizeof(struct shown)));
	}
	if (shown.count)
		qsort(shown.items, shown.count, sizeof(struct shown), compare_shown);
	return shown;
}

static const char *subject_path(const struct policy *policy, __u32 subject)
{
	return index_get(&policy->texts, subject) ?: "?";
}

static __u32 set_subject(const struct set *set, size_t i)
{
	return ((__u32 *)set->subjects.items)[i];
}

/* list */

static void print_verdicts(const struct policy *policy, const struct rule *rule)
{
	const struct set *set;
	__u32 done = 0, ops;
	size_t i;
	int op;

	for (op = 0; op < GUARD_OPS; op++) {
		if (!(rule->body.named & ~done & (1U << op)))
			continue;
		ops = ops_like(rule, op);
		printf("%s%s", done ? ";" : "", verdict_names[verdict_of(rule, op)]);
		set = verdict_of(rule, op) == ONLY ?
		      index_get(&policy->set_by_id, rule->body.set[op]) : NULL;
		for (i = 0; set && i < set->subjects.count; i++) {
			putchar(i ? ',' : '(');
			put_word(stdout, subject_path(policy, set_subject(set, i)));
		}
		printf("%s:%s", set ? ")" : "", ops_text(ops));
		done |= ops;
	}
}

static void print_hits(const struct guard_hits *hits)
{
	const char *separator = "";
	int op;

	for (op = 0; op < GUARD_OPS; op++) {
		if (!hits->count[op])
			continue;
		printf("%s%s=%llu", separator, op_names[op], (unsigned long long)hits->count[op]);
		separator = ",";
	}
	if (!*separator)
		putchar('-');
}

static void print_text(const struct policy *policy, const struct shown *shown,
		       const struct guard_hits *hits)
{
	const struct rule *rule = shown->rule;
	char device[32];

	snprintf(device, sizeof(device), "%u:%u", major(shown->dev), minor(shown->dev));
	printf("%-9s  %-7s  %-9llu  ", state_names[shown->state], device,
	       (unsigned long long)shown->ino);
	print_hits(hits);
	printf("  ");
	print_verdicts(policy, rule);
	printf("  %s%s", rule->body.flags & GUARD_TREE ? "tree  " : "",
	       rule->body.flags & GUARD_FOLLOW ? "" : "inode  ");
	if (*rule->label)
		printf("label=%s  ", rule->label);
	put_word(stdout, shown->path);
	putchar('\n');
}

static void print_json_op(const struct policy *policy, const struct rule *rule, int op,
			  const struct guard_hits *hits)
{
	const struct set *set;
	size_t i;

	printf("{\"operation\":\"%s\",\"verdict\":\"%s\"", op_names[op],
	       verdict_names[verdict_of(rule, op)]);
	if (verdict_of(rule, op) == ONLY) {
		set = index_get(&policy->set_by_id, rule->body.set[op]);
		printf(",\"only_for\":[");
		for (i = 0; set && i < set->subjects.count; i++) {
			if (i)
				putchar(',');
			put_json(stdout, subject_path(policy, set_subject(set, i)));
		}
		putchar(']');
	}
	printf(",\"hits\":%llu}", (unsigned long long)hits->count[op]);
}

static void print_json(const struct policy *policy, const struct shown *shown,
		       const struct guard_hits *hits)
{
	const struct rule *rule = shown->rule;
	const char *separator = "";
	int op;

	printf("{\"path\":");
	put_json(stdout, shown->path);
	printf(",\"state\":\"%s\",\"device\":{\"major\":%u,\"minor\":%u},\"inode\":%llu,"
	       "\"tree\":%s,\"follow\":%s,\"label\":\"%s\",\"operations\":[", state_names[shown->state],
	       major(shown->dev), minor(shown->dev), (unsigned long long)shown->ino,
	       rule->body.flags & GUARD_TREE ? "true" : "false",
	       rule->body.flags & GUARD_FOLLOW ? "true" : "false", rule->label);
	for (op = 0; op < GUARD_OPS; op++) {
		if (!(rule->body.named & (1U << op)))
			continue;
		fputs(separator, stdout);
		print_json_op(policy, rule, op, hits);
		separator = ",";
	}
	printf("]}");
}

static int load_hits(struct guard *guard, struct array *values, struct index *by_name)
{
	struct array keys = {};
	size_t i;
	int err;

	err = map_read(guard->hits, sizeof(__u32), sizeof(struct guard_hits), &keys, values);
	for (i = 0; i < keys.count; i++)
		index_put(by_name, ((__u32 *)keys.items)[i],
			  (struct guard_hits *)values->items + i);
	free(keys.items);
	return err;
}

static void print_rules(struct policy *policy, const struct index *hits_by_name, bool json)
{
	static const struct guard_hits none;
	struct array shown = show_rules(policy);
	const struct shown *items = shown.items;
	const struct guard_hits *hits;
	size_t i;

	if (!json)
		printf("%-9s  %-7s  %-9s  %s\n", "STATE", "DEVICE", "INODE",
		       "HITS  OPERATIONS  PATH");
	for (i = 0; i < shown.count; i++) {
		hits = index_get(hits_by_name, items[i].rule->body.name) ?: &none;
		if (json) {
			fputs(i ? ",\n " : "[", stdout);
			print_json(policy, &items[i], hits);
		} else {
			print_text(policy, &items[i], hits);
		}
	}
	if (json)
		puts(i ? "]" : "[]");
	free(shown.items);
}

void policy_count(struct policy *policy, struct counts *counts)
{
	struct array shown = show_rules(policy);
	const struct shown *items = shown.items;
	size_t i;

	memset(counts, 0, sizeof(*counts));
	for (i = 0; i < shown.count; i++) {
		counts->waiting += items[i].state == STATE_WAITING;
		counts->elsewhere += items[i].state == STATE_ELSEWHERE;
		counts->gone += items[i].state == STATE_GONE;
	}
	free(shown.items);
}

/* Load what is to be shown; returns an exit code. */
static int load_shown(struct guard *guard, struct policy *policy)
{
	int err, ret = guard_open(guard, false);

	if (ret)
		return ret;
	err = policy_load(guard, policy);
	if (!err)
		err = policy_walk(policy);
	if (!err)
		return EXIT_SUCCESS;
	error("cannot read the policy: %s", reason(err));
	policy_free(policy);
	guard_close(guard);
	return EXIT_FAILURE;
}

int guard_list(bool json)
{
	struct array hits = {};
	struct index by_name = {};
	struct policy policy;
	struct guard guard;
	int err, ret;

	ret = load_shown(&guard, &policy);
	if (ret)
		return ret;
	err = load_hits(&guard, &hits, &by_name);
	if (err)
		error("cannot read the hits: %s", reason(err));
	else
		print_rules(&policy, &by_name, json);
	index_free(&by_name);
	free(hits.items);
	policy_free(&policy);
	guard_close(&guard);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* save */

static void save_line(FILE *file, const struct policy *policy, const struct shown *shown, int op,
		      const char *comment)
{
	const struct rule *rule = shown->rule;
	const struct set *set = NULL;
	__u32 ops = ops_like(rule, op);
	size_t i;

	fprintf(file, "%s%s", comment, verdict_of(rule, op) == ALLOW ? "allow" : "deny");
	fprintf(file, " --ops %s%s%s%s", ops_text(ops),
		rule->body.flags & GUARD_TREE ? " --tree" : "",
		rule->body.flags & GUARD_FOLLOW ? "" : " --inode",
		rule->body.flags & GUARD_SYMLINK ? " --no-dereference" : "");
	if (*rule->label)
		fprintf(file, " --label %s", rule->label);
	if (verdict_of(rule, op) == ONLY)
		set = index_get(&policy->set_by_id, rule->body.set[op]);
	for (i = 0; set && i < set->subjects.count; i++) {
		fputs(" --only-for ", file);
		put_word(file, subject_path(policy, set_subject(set, i)));
	}
	fputc(' ', file);
	put_word(file, shown->path);
	fputc('\n', file);
}

/* Returns whether the rule could be written as it is: one that is for a name can be at any time. */
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

/* The rules of the paths that a line of the old file has, which are not written yet. */
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

/* The old file's comments and empty lines stay where they are, and so do its rules. */
static bool save_like(FILE *file, const struct policy *policy, struct array *shown, FILE *old)
{
	struct conf conf = {};
	struct conf_line *lines;
	char *line = NULL;
	bool whole = true;
	size_t size = 0;

	while (getline(&line, &size, old) >= 0) {
		if (!conf_is_rule(line)) {
			/* What a save has made a comment of it makes anew. */
			if (strncmp(line, "# gone: ", 8) && strncmp(line, "# leads elsewhere: ", 19))
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

/* @old is what the file was, or NULL. */
static bool save_rules(FILE *file, struct policy *policy, FILE *old)
{
	struct array shown = show_rules(policy);
	struct shown *items = shown.items;
	bool whole = true;
	size_t i;

	if (old)
		whole = save_like(file, policy, &shown, old);
	for (i = 0; i < shown.count; i++)
		if (!items[i].saved)
			whole &= save_rule(file, policy, &items[i]);
	free(shown.items);
	return whole;
}

/* What the file was may be read by whom the new one may be. */
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

/* A file is replaced when it is complete. */
static int save_file(const char *path, struct policy *policy, bool *whole)
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
	*whole = save_rules(file, policy, old);
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
	bool whole = true;
	int ret, err = 0;

	ret = load_shown(&guard, &policy);
	if (ret)
		return ret;
	if (path)
		err = save_file(path, &policy, &whole);
	else
		whole = save_rules(stdout, &policy, NULL);
	if (err)
		error("%s: %s", path, reason(err));
	policy_free(&policy);
	guard_close(&guard);
	return err || !whole ? EXIT_FAILURE : EXIT_SUCCESS;
}
