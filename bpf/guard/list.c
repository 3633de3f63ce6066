// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Showing the rules: "list".
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

#include "shown.h"

enum verdict verdict_of(const struct rule *rule, int op)
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

__u32 ops_like(const struct rule *rule, int op)
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

static const char *const state_names[] = {
	[STATE_ACTIVE]		= "active",
	[STATE_AUDIT]		= "audit",
	[STATE_GONE]		= "gone",
	[STATE_ELSEWHERE]	= "elsewhere",
	[STATE_WAITING]		= "waiting",
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
	return __atomic_load_n(&policy->guard->state->beyond, __ATOMIC_SEQ_CST) & GUARD_ALL_FRESH &&
	       !is_mount_root(fd) && name_has_rule(policy, rule, path);
}

/* Whether there are cgroups in a set, and none of them is there. */
static bool lacks_cgroups(const struct policy *policy, const struct set *set)
{
	const struct member *members = set->members.items;
	const char *path;
	size_t i;
	__u64 id;

	if (!(set->kinds & 1U << GUARD_BY_CGROUP))
		return false;
	for (i = 0; i < set->members.count; i++) {
		path = index_get(&policy->texts, members[i].text);
		if (members[i].kind == GUARD_BY_CGROUP && path && !cgroup_find(path, &id))
			return false;
	}
	return true;
}

/* Whether a rule is only for cgroups that are still to come: until then it is for nobody. */
static bool waits_for_cgroups(const struct policy *policy, const struct rule *rule)
{
	const struct set *set;
	int op;

	for (op = 0; op < GUARD_OPS; op++) {
		set = rule->body.only & 1U << op ?
		      index_get(&policy->set_by_id, rule->body.set[op]) : NULL;
		if (set && lacks_cgroups(policy, set))
			return true;
	}
	return false;
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
	if (shown->state <= STATE_AUDIT && waits_for_cgroups(policy, rule))
		shown->state = STATE_WAITING;
	if (fd >= 0)
		close(fd);
}

struct array show_rules(struct policy *policy)
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

const struct kind_words kind_words[GUARD_KINDS] = {
	[GUARD_BY_EXE]		= { "", "only_for", "only-for" },
	[GUARD_BY_USER]		= { "user=", "only_for_users", "only-for-user" },
	[GUARD_BY_GROUP]	= { "group=", "only_for_groups", "only-for-group" },
	[GUARD_BY_CGROUP]	= { "cgroup=", "only_for_cgroups", "only-for-cgroup" },
};

const char *member_text(const struct policy *policy, const struct member *member)
{
	return index_get(&policy->texts, member->text) ?: "?";
}

/* list */

static void print_verdicts(const struct policy *policy, const struct rule *rule)
{
	const struct member *members;
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
		members = set ? set->members.items : NULL;
		for (i = 0; set && i < set->members.count; i++) {
			printf("%c%s", i ? ',' : '(', kind_words[members[i].kind].text);
			put_word(stdout, member_text(policy, &members[i]));
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

/* An executable is its path; others are objects, of which a cgroup need not be there. */
static void print_json_member(const struct policy *policy, const struct member *member)
{
	const char *text = member_text(policy, member);
	__u64 id;

	if (member->kind == GUARD_BY_EXE) {
		put_json(stdout, text);
		return;
	}
	printf("{\"%s\":", member->kind == GUARD_BY_CGROUP ? "path" : "name");
	put_json(stdout, text);
	if (member->kind != GUARD_BY_CGROUP)
		printf(",\"id\":%u}", member->subject);
	else if (cgroup_find(text, &id))
		printf(",\"id\":null}");
	else
		printf(",\"id\":%llu}", (unsigned long long)id);
}

/* The kinds of subjects that there are in a set, a list each; its members are in their order. */
static void print_json_set(const struct policy *policy, const struct set *set)
{
	const struct member *members = set->members.items;
	size_t i;

	for (i = 0; i < set->members.count; i++) {
		if (!i || members[i].kind != members[i - 1].kind)
			printf("%s,\"%s\":[", i ? "]" : "", kind_words[members[i].kind].member);
		else
			putchar(',');
		print_json_member(policy, &members[i]);
	}
	if (i)
		putchar(']');
}

static void print_json_op(const struct policy *policy, const struct rule *rule, int op,
			  const struct guard_hits *hits)
{
	const struct set *set = NULL;

	printf("{\"operation\":\"%s\",\"verdict\":\"%s\"", op_names[op],
	       verdict_names[verdict_of(rule, op)]);
	if (verdict_of(rule, op) == ONLY)
		set = index_get(&policy->set_by_id, rule->body.set[op]);
	if (set)
		print_json_set(policy, set);
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

int load_shown(struct guard *guard, struct policy *policy)
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
