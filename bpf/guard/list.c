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

static bool is_gone(const struct rule *rule)
{
	int index;

	for (index = 0; index < RULE_MAPS; index++)
		if (rule->handle[index])
			return false;
	return true;
}

static int compare_rules(const void *one, const void *other)
{
	const struct rule *const *a = one, *const *b = other;
	int order = strcmp((*a)->path, (*b)->path);

	return order ?: (int)((*a)->body.flags & GUARD_TREE) - (int)((*b)->body.flags & GUARD_TREE);
}

/* By path. */
static struct rule **sort_rules(struct policy *policy)
{
	if (policy->rules.count)
		qsort(policy->rules.items, policy->rules.count, sizeof(struct rule *),
		      compare_rules);
	return policy->rules.items;
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

static const char *rule_state(const struct policy *policy, const struct rule *rule)
{
	if (is_gone(rule))
		return "gone";
	return policy->guard->state->audit ? "audit" : "active";
}

static void print_text(const struct policy *policy, const struct rule *rule,
		       const struct guard_hits *hits)
{
	__u32 dev = is_gone(rule) ? rule->body.dev : rule->dev;
	__u64 ino = is_gone(rule) ? rule->body.ino : rule->ino;
	char device[32];

	snprintf(device, sizeof(device), "%u:%u", major(dev), minor(dev));
	printf("%-6s  %-7s  %-9llu  ", rule_state(policy, rule), device, (unsigned long long)ino);
	print_hits(hits);
	printf("  ");
	print_verdicts(policy, rule);
	printf("  %s%s", rule->body.flags & GUARD_TREE ? "tree  " : "",
	       rule->body.flags & GUARD_FOLLOW ? "follow  " : "");
	put_word(stdout, rule->path);
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

static void print_json(const struct policy *policy, const struct rule *rule,
		       const struct guard_hits *hits)
{
	__u32 dev = is_gone(rule) ? rule->body.dev : rule->dev;
	__u64 ino = is_gone(rule) ? rule->body.ino : rule->ino;
	const char *separator = "";
	int op;

	printf("{\"path\":");
	put_json(stdout, rule->path);
	printf(",\"state\":\"%s\",\"device\":{\"major\":%u,\"minor\":%u},\"inode\":%llu,"
	       "\"tree\":%s,\"follow\":%s,\"operations\":[", rule_state(policy, rule), major(dev),
	       minor(dev), (unsigned long long)ino,
	       rule->body.flags & GUARD_TREE ? "true" : "false",
	       rule->body.flags & GUARD_FOLLOW ? "true" : "false");
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
	struct rule **rules = sort_rules(policy);
	const struct guard_hits *hits;
	size_t i;

	if (!json)
		printf("%-6s  %-7s  %-9s  %s\n", "STATE", "DEVICE", "INODE",
		       "HITS  OPERATIONS  PATH");
	for (i = 0; i < policy->rules.count; i++) {
		hits = index_get(hits_by_name, rules[i]->body.name) ?: &none;
		if (json) {
			fputs(i ? ",\n " : "[", stdout);
			print_json(policy, rules[i], hits);
		} else {
			print_text(policy, rules[i], hits);
		}
	}
	if (json)
		puts(i ? "]" : "[]");
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

/* Whether the path of a rule leads to the inode that has it. */
static bool leads_to(const struct policy *policy, const struct rule *rule)
{
	bool found = false, tree = rule->body.flags & GUARD_TREE;
	struct guard_entry entry;
	int fd, index;

	fd = open(rule->path, O_PATH | O_CLOEXEC |
		  (rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0));
	if (fd < 0)
		return false;
	for (index = tree ? 0 : FILES_MAP; index < (tree ? FILES_MAP : RULE_MAPS); index++)
		if (!entry_get(policy->guard->maps[index], fd, &entry) &&
		    entry_rule(&entry, policy->generation) == rule->id)
			found = true;
	close(fd);
	return found;
}

static void save_line(FILE *file, const struct policy *policy, const struct rule *rule, int op,
		      const char *comment)
{
	const struct set *set = NULL;
	__u32 ops = ops_like(rule, op);
	size_t i;

	fprintf(file, "%s%s", comment, verdict_of(rule, op) == ALLOW ? "allow" : "deny");
	fprintf(file, " --ops %s%s%s%s", ops_text(ops),
		rule->body.flags & GUARD_TREE ? " --tree" : "",
		rule->body.flags & GUARD_FOLLOW ? " --follow" : "",
		rule->body.flags & GUARD_SYMLINK ? " --no-dereference" : "");
	if (verdict_of(rule, op) == ONLY)
		set = index_get(&policy->set_by_id, rule->body.set[op]);
	for (i = 0; set && i < set->subjects.count; i++) {
		fputs(" --only-for ", file);
		put_word(file, subject_path(policy, set_subject(set, i)));
	}
	fputc(' ', file);
	put_word(file, rule->path);
	fputc('\n', file);
}

/* Returns whether the rule could be written as it is. */
static bool save_rule(FILE *file, const struct policy *policy, const struct rule *rule)
{
	const char *comment = "";
	bool whole = true;
	__u32 done = 0;
	int op;

	if (is_gone(rule)) {
		comment = "# gone: ";
	} else if (!leads_to(policy, rule)) {
		error("%s: leads to another file than the one that is guarded", rule->path);
		comment = "# leads elsewhere: ";
		whole = false;
	}
	for (op = 0; op < GUARD_OPS; op++) {
		if (!(rule->body.named & ~done & (1U << op)))
			continue;
		save_line(file, policy, rule, op, comment);
		done |= ops_like(rule, op);
	}
	return whole;
}

static bool save_rules(FILE *file, struct policy *policy)
{
	struct rule **rules = sort_rules(policy);
	bool whole = true;
	size_t i;

	for (i = 0; i < policy->rules.count; i++)
		whole &= save_rule(file, policy, rules[i]);
	return whole;
}

/* A file is replaced when it is complete. */
static int save_file(const char *path, struct policy *policy, bool *whole)
{
	char temporary[PATH_MAX];
	FILE *file;
	int err = 0;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	*whole = save_rules(file, policy);
	if (fflush(file) || ferror(file) || fsync(fileno(file)))
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
		whole = save_rules(stdout, &policy);
	if (err)
		error("%s: %s", path, reason(err));
	policy_free(&policy);
	guard_close(&guard);
	return err || !whole ? EXIT_FAILURE : EXIT_SUCCESS;
}
