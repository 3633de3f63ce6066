// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * "list": shows the rules to people and programs. Releases the lock before it writes.
 */
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "shown.h"

static const char *const verdict_names[] = {
	[ALLOW]	= "allow",
	[DENY]	= "deny",
	[ONLY]	= "only-for",
};

/* An executable that is not active has its state in front of the path. */
static void print_member(const struct policy *policy, const struct member *member,
			 const struct array *exes)
{
	enum state state = exe_state(exes, member);

	if (state != STATE_ACTIVE)
		printf("%s:", state_names[state]);
	fputs(kind_words[member->kind].text, stdout);
	put_word(stdout, member_text(policy, member));
}

static void print_verdicts(const struct policy *policy, const struct rule *rule,
			   const struct array *exes)
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
		printf("%s%s%s", done ? ";" : "", is_tried(rule, op) ? "audit-" : "",
		       verdict_names[verdict_of(rule, op)]);
		set = verdict_of(rule, op) == ONLY ?
		      index_get(&policy->set_by_id, rule->body.set[op]) : NULL;
		members = set ? set->members.items : NULL;
		for (i = 0; set && i < set->members.count; i++) {
			putchar(i ? ',' : '(');
			print_member(policy, &members[i], exes);
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
		       const struct array *exes, const struct guard_hits *hits)
{
	const struct rule *rule = shown->rule;
	char device[32];

	snprintf(device, sizeof(device), "%s%u:%u", shown->of_superblock ? "superblock:" : "",
		 major(shown->dev), minor(shown->dev));
	printf("%-9s  %-7s  %-9llu  ", state_names[shown->state], device,
	       (unsigned long long)shown->ino);
	print_hits(hits);
	printf("  ");
	print_verdicts(policy, rule, exes);
	printf("  %s%s", rule->body.flags & GUARD_TREE ? "tree  " : "",
	       rule->body.flags & GUARD_FOLLOW ? "" : "inode  ");
	if (*rule->label)
		printf("label=%s  ", rule->label);
	put_word(stdout, shown->path);
	putchar('\n');
}

/* An executable is just its path; the others are objects. A cgroup need not exist. */
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

static void print_json_exes(const struct policy *policy, const struct set *set,
			    const struct array *exes)
{
	const struct member *members = set->members.items;
	size_t i;

	printf(",\"executables\":[");
	for (i = 0; i < set->members.count && members[i].kind == GUARD_BY_EXE; i++) {
		printf("%s{\"path\":", i ? "," : "");
		put_json(stdout, member_text(policy, &members[i]));
		printf(",\"state\":\"%s\"}", state_names[exe_state(exes, &members[i])]);
	}
	putchar(']');
}

/* Print a list for each kind of subjects in a set; its members are sorted by kind. */
static void print_json_set(const struct policy *policy, const struct set *set,
			   const struct array *exes)
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
	if (set->kinds & 1U << GUARD_BY_EXE)
		print_json_exes(policy, set, exes);
}

static void print_json_op(const struct policy *policy, const struct rule *rule, int op,
			  const struct array *exes, const struct guard_hits *hits)
{
	const struct set *set = NULL;

	printf("{\"operation\":\"%s\",\"verdict\":\"%s\"", op_names[op],
	       verdict_names[verdict_of(rule, op)]);
	if (verdict_of(rule, op) == ONLY)
		set = index_get(&policy->set_by_id, rule->body.set[op]);
	if (set)
		print_json_set(policy, set, exes);
	printf(",\"hits\":%llu,\"audit\":%s}", (unsigned long long)hits->count[op],
	       is_tried(rule, op) ? "true" : "false");
}

static void print_json(const struct policy *policy, const struct shown *shown,
		       const struct array *exes, const struct guard_hits *hits)
{
	const struct rule *rule = shown->rule;
	const char *separator = "";
	int op;

	printf("{\"path\":");
	put_json(stdout, shown->path);
	printf(",\"state\":\"%s\",\"device\":{\"major\":%u,\"minor\":%u%s},\"inode\":%llu,"
	       "\"tree\":%s,\"follow\":%s,\"label\":\"%s\",\"operations\":[",
	       state_names[shown->state], major(shown->dev), minor(shown->dev),
	       shown->of_superblock ? ",\"of\":\"superblock\"" : "", (unsigned long long)shown->ino,
	       rule->body.flags & GUARD_TREE ? "true" : "false",
	       rule->body.flags & GUARD_FOLLOW ? "true" : "false", rule->label);
	for (op = 0; op < GUARD_OPS; op++) {
		if (!(rule->body.named & (1U << op)))
			continue;
		fputs(separator, stdout);
		print_json_op(policy, rule, op, exes, hits);
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

static void print_rules(const struct policy *policy, const struct array *shown,
			const struct index *hits_by_name, const struct array *exes, bool json)
{
	static const struct guard_hits none;
	const struct shown *items = shown->items;
	const struct guard_hits *hits;
	size_t i;

	if (!json)
		printf("%-9s  %-7s  %-9s  %s\n", "STATE", "DEVICE", "INODE",
		       "HITS  OPERATIONS  PATH");
	for (i = 0; i < shown->count; i++) {
		hits = index_get(hits_by_name, items[i].rule->body.name) ?: &none;
		if (json) {
			fputs(i ? ",\n " : "[", stdout);
			print_json(policy, &items[i], exes, hits);
		} else {
			print_text(policy, &items[i], exes, hits);
		}
	}
	if (json)
		puts(i ? "]" : "[]");
}

int guard_list(bool json)
{
	struct array hits = {}, exes = {}, shown;
	struct index by_name = {};
	struct policy policy;
	struct guard guard;
	int err, ret;

	ret = load_shown(&guard, &policy);
	if (ret)
		return ret;
	err = load_hits(&guard, &hits, &by_name);
	if (!err)
		err = show_exes(&policy, &exes);
	shown = show_rules(&policy);
	/* A slow reader must not keep the lock. */
	guard_unlock(&guard);
	if (err)
		error("cannot read the maps: %s", reason(err));
	else
		print_rules(&policy, &shown, &by_name, &exes, json);
	free(shown.items);
	free(exes.items);
	index_free(&by_name);
	free(hits.items);
	policy_free(&policy);
	guard_close(&guard);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
