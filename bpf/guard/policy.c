// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Changing the policy, all of it or nothing.
 *
 * A change writes what is new for the next generation, which nobody considers valid yet: slots in
 * the entries of inodes, rules and texts under new ids. Storing the word "generation" once puts
 * all of it in force; then the change deletes what was valid before. If a change is interrupted,
 * the next one removes what it left: the word "dirty" says that there was one.
 *
 * The lock (pins.c) is held for the whole change; change_policy() takes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

static int change_begin(struct guard *guard, struct policy *policy, struct policy *ahead)
{
	int err = 0;

	names_forget();
	if (!policy_take(policy, ahead, guard)) {
		if (guard->state->dirty)
			err = policy_sweep(guard);
		if (!err)
			err = policy_load(guard, policy);
	}
	if (!err)
		names_settle(policy);
	if (err) {
		error("cannot read the policy: %s", reason(err));
		return EXIT_FAILURE;
	}
	__atomic_store_n(&guard->state->dirty, 1, __ATOMIC_SEQ_CST);
	return EXIT_SUCCESS;
}

/* Remove all entries that have a rule. */
static int drop_rule(struct policy *policy, struct rule *rule)
{
	int index, err = 0;

	rule->dropped = true;
	policy->changed = true;
	for (index = 0; index < RULE_MAPS && !err; index++)
		if (rule->handle[index])
			err = entry_change(policy, index, rule->handle[index], 0);
	return err;
}

/* Move the entries of a rule to the rule that replaces it. */
static int succeed_rule(struct policy *policy, struct rule *old, struct rule *rule)
{
	__u32 named = rule->body.named;
	int index, err = 0;

	policy->changed = true;
	err = rule_follow(policy, rule, NULL, NULL);
	for (index = 0; index < RULE_MAPS && !err; index++) {
		bool stays = index == FILES_MAP || named & (1U << index);

		if (old->handle[index])
			err = entry_change(policy, index, old->handle[index],
					   stays ? rule->id : 0);
	}
	return err;
}

/* Called after all requests, if they replace the policy in force. */
int change_settle(struct policy *policy)
{
	struct rule **rules, *rule;
	size_t i;
	int err;

	err = policy_walk(policy);
	for (i = 0; i < policy->rules.count && !err; i++) {
		rules = policy->rules.items;
		rule = rules[i];
		if (rule->fresh) {
			policy->changed |= !rule->dropped && !rule->base;
			continue;
		}
		if (rule->kept && !rule->successor)
			continue;
		if (!rule->successor) {
			err = drop_rule(policy, rule);
		} else if (rule_same(rule, rule->successor)) {
			rule_forget(rule->successor);
			rule->successor = NULL;
		} else {
			err = succeed_rule(policy, rule, rule->successor);
		}
	}
	if (err)
		error("%s", reason(err));
	return err;
}

/* Remove the rules of the inode that a path leads to; or else those that were given the path. */
int change_remove(struct policy *policy, const char *path, bool nofollow, int tree)
{
	struct rule **rules, *found[2] = {};
	int fd, kind, err = 0, count = 0;
	char *absolute;
	size_t i;

	err = policy_walk(policy);
	if (err)
		goto out;
	fd = path_open(path, nofollow ? O_NOFOLLOW : 0);
	for (kind = 0; kind < 2 && fd >= 0 && !err; kind++) {
		found[kind] = find_rule(policy, fd, kind, &err);
		if (found[kind] && (kind || !tree) && !found[kind]->dropped) {
			err = drop_rule(policy, found[kind]);
			count++;
		} else if (found[kind]) {
			count += found[kind]->dropped;
		}
	}
	if (fd >= 0)
		close(fd);
	if (err || count)
		goto out;
	absolute = absolute_path(path);
	rules = policy->rules.items;
	for (i = 0; i < policy->rules.count && !err; i++) {
		if (strcmp(rules[i]->path, absolute) ||
		    (tree && !(rules[i]->body.flags & GUARD_TREE)))
			continue;
		if (!rules[i]->dropped)
			err = drop_rule(policy, rules[i]);
		count++;
	}
	free(absolute);
	if (!err && !count)
		err = -ENOENT;
out:
	if (err)
		error("%s: %s", path, err == -ENOENT ? "is not guarded" : reason(err));
	return err;
}

int change_remove_all(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	size_t i;
	int err;

	err = policy_walk(policy);
	for (i = 0; i < policy->rules.count && !err; i++)
		err = drop_rule(policy, rules[i]);
	if (err)
		error("%s", reason(err));
	return err;
}

/* Changes on the way to names */

/* Whether all files at a rule's names have it, and it is for the places where its names are now. */
static bool is_settled(struct policy *policy, const struct rule *rule)
{
	char **names = rule->names.items;
	struct guard_rule now = rule->body;
	struct rule *there;
	struct stat stat;
	int fd, err;
	size_t i;

	for (i = 0; i < rule->names.count; i++) {
		if (!name_has_rule(policy, rule, names[i]))
			return name_check(names[i], rule->body.flags & GUARD_SYMLINK) != 0;
		fd = path_open(names[i], rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0);
		if (fd < 0)
			continue;
		there = find_rule(policy, fd, is_tree(rule), &err);
		if (!file_stat(fd, &stat))
			device_set(&now, &stat);
		close(fd);
		if ((!err && there != rule) || now.device != rule->body.device ||
		    now.rdev != rule->body.rdev)
			return false;
	}
	return true;
}

/* Make the same rule anew, for its names where they are now. */
static int refresh_rule(struct policy *policy, struct rule *old)
{
	struct rule *rule = rule_make(policy, old, old->body.flags & GUARD_TREE);
	struct stat stat;
	char **names;
	size_t i;
	int fd, err;

	rule_copy(rule, old);
	rule->moved = true;
	old->successor = rule;
	policy->changed = true;
	err = rule_follow(policy, rule, NULL, NULL);
	names = rule->names.items;
	for (i = 0; i < rule->names.count && !err; i++) {
		fd = path_open(names[i], rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0);
		if (fd < 0)
			continue;
		if (!file_stat(fd, &stat))
			device_set(&rule->body, &stat);
		err = rule_put(policy, rule, fd, rule->body.named);
		close(fd);
	}
	return err ?: succeed_rule(policy, old, rule);
}

/* Give an executable's id to the file that has its name now. */
static int refresh_subject(struct policy *policy, __u32 subject)
{
	const char *path = index_get(&policy->texts, subject);
	__u32 id;
	int fd, err = 0;

	fd = path ? path_open(path, 0) : -ENOENT;
	if (fd < 0)
		return 0;
	if (entry_get(policy->guard->subjects, fd, &id))
		err = entry_update(policy->guard->subjects, fd, &subject, BPF_NOEXIST);
	close(fd);
	/* One that has moved to where names can't be followed doesn't keep others from it. */
	if (err || name_check(path, false))
		return err;
	return follow_path(policy, path, false, NULL, subject);
}

static int refresh_member(struct policy *policy, const struct member *member)
{
	const char *text = index_get(&policy->texts, member->text);

	if (member->kind == GUARD_BY_EXE)
		return refresh_subject(policy, member->subject);
	/* If this fails, programs will do it. */
	if (member->kind == GUARD_BY_CGROUP && text)
		cgroup_enter(policy, member->subject, text);
	return 0;
}

int change_refresh(struct policy *policy)
{
	struct rule **rules;
	size_t i, j, count = policy->rules.count;
	struct set **sets = policy->sets.items;
	int err;

	err = policy_walk(policy);
	for (i = 0; i < count && !err; i++) {
		rules = policy->rules.items;
		if (rules[i]->names.count && !is_settled(policy, rules[i]))
			err = refresh_rule(policy, rules[i]);
	}
	for (i = 0; i < policy->sets.count && !err; i++)
		for (j = 0; j < sets[i]->members.count && !err; j++)
			err = refresh_member(policy, (struct member *)sets[i]->members.items + j);
	if (err)
		error("%s", reason(err));
	return err;
}

/* Rules that follow a name */

/* The rule of an entry, if the change removes or replaces it; or NULL. */
static struct rule *rule_that_ends(struct policy *policy, const struct guard_entry *entry)
{
	struct rule *rule = index_get(&policy->rule_by_id,
				      entry_rule(entry, policy->generation));

	if (!rule || entry_is_pending(entry, policy->generation) ||
	    (!rule->dropped && !rule->successor))
		return NULL;
	return rule;
}

/* Another rule for a device, or 0, when the last one made ends, which decides for other nodes. */
static __u32 next_of_device(struct policy *policy, const struct guard_leaf_key *key)
{
	struct rule **rules = policy->rules.items;
	size_t i;

	for (i = 0; key->dir == GUARD_DEVICE_DIR && i < policy->rules.count; i++)
		if (!rules[i]->dropped && !rules[i]->successor && rule_has_device(rules[i], key))
			return rules[i]->id;
	return 0;
}

/* If the guard is sealed, a name or device keeps a rule whose successor is made elsewhere. */
static __u32 stays_at_name(struct policy *policy, const struct guard_entry *entry)
{
	const struct rule *rule = rule_that_ends(policy, entry);

	return rule->successor && guard_is_sealed(policy->guard) ? rule->successor->id : 0;
}

/* Update the names of rules that end, or that are replaced elsewhere. */
static int settle_leaves(struct policy *policy, size_t *count)
{
	struct array keys = {}, values = {};
	int map = policy->guard->leaves;
	struct guard_leaf *leaf;
	bool change;
	size_t i;
	int err;

	err = map_read(map, sizeof(struct guard_leaf_key), sizeof(*leaf), &keys, &values);
	for (i = 0; i < keys.count && !err; i++) {
		leaf = (struct guard_leaf *)values.items + i;
		change = false;
		if (rule_that_ends(policy, &leaf->entry)) {
			entry_set(&leaf->entry, policy->generation,
				  stays_at_name(policy, &leaf->entry) ?:
				  next_of_device(policy, (struct guard_leaf_key *)keys.items + i));
			change = true;
		}
		if (rule_that_ends(policy, &leaf->tree)) {
			entry_set(&leaf->tree, policy->generation,
				  stays_at_name(policy, &leaf->tree));
			change = true;
		}
		if (change && bpf_map_update_elem(map, (struct guard_leaf_key *)keys.items + i,
						  leaf, BPF_EXIST))
			err = -errno;
	}
	*count = keys.count;
	free(keys.items);
	free(values.items);
	return err;
}

/* The rule that follows one that ends in an inode map, or 0. */
static __u32 successor_id(const struct rule *rule, int index)
{
	if (rule->dropped)
		return 0;
	if (index != FILES_MAP && !(rule->successor->body.named & (1U << index)))
		return 0;
	return rule->successor->id;
}

/*
 * A program may have given a rule that ends to another file since we looked, and files that had
 * the name before may still have the rule. From now on programs give files what the leaves say.
 */
static int settle_follows(struct policy *policy)
{
	struct inode_map_key key;
	struct guard_entry entry;
	struct rule *rule;
	int index, err;
	size_t count;

	err = settle_leaves(policy, &count);
	for (index = 0; index < RULE_MAPS && count && !err; index++) {
		memset(&key, 0, sizeof(key));
		while ((err = map_next(policy->guard->maps[index], &key, &entry)) > 0) {
			rule = rule_that_ends(policy, &entry);
			if (!rule)
				continue;
			err = entry_change(policy, index, key.handle, successor_id(rule, index));
			if (err)
				return err;
		}
	}
	return err;
}

/* Ending a change */

/* From now on nobody else can control the processes of a set's executables. */
static int protect_set(struct policy *policy, const struct set *set)
{
	struct guard_member key = { .set = GUARD_PROTECTED, .kind = GUARD_BY_EXE };
	const struct member *members = set->members.items;
	struct guard *guard = policy->guard;
	size_t i;

	for (i = 0; i < set->members.count; i++) {
		if (members[i].kind != GUARD_BY_EXE)
			continue;
		key.subject = members[i].subject;
		if (bpf_map_update_elem(guard->members, &key, &members[i].text, BPF_ANY))
			return members_no_room(-errno, guard);
		__atomic_store_n(&guard->state->subjects, 1, __ATOMIC_SEQ_CST);
	}
	return 0;
}

/* Protect the executables that rules are only for, if these rules deny anything. */
static int protect_subjects(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct index done = {};
	struct set *set;
	size_t i;
	int op, err = 0;

	for (i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = rules[i];
		__u32 only = rule->body.only & denied_ops(rule);

		for (op = 0; op < GUARD_OPS && !err && rule->fresh && !rule->dropped; op++) {
			set = only & (1U << op) ?
			      index_get(&policy->set_by_id, rule->body.set[op]) : NULL;
			if (!set || index_get(&done, set->id))
				continue;
			index_put(&done, set->id, set);
			err = protect_set(policy, set);
		}
	}
	index_free(&done);
	return err;
}

/* Write the rules of the next generation, and entries for the rules that are removed. */
static int write_rules(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct array keys = {}, values = {};
	struct guard_rule *body;
	struct guard_state *state = policy->guard->state;
	__u32 beyond = 0, strict = 0, tried = 0;
	bool follows = false;
	size_t i;
	int err;

	for (i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = rules[i];

		if (rule->fresh == rule->dropped)
			continue;
		*(__u32 *)array_add(&keys, sizeof(__u32)) =
			rule->fresh ? rule->id : next_id(policy);
		body = array_add(&values, sizeof(*body));
		if (rule->fresh) {
			*body = rule->body;
			if (body->flags & GUARD_TREE)
				beyond |= body->named;
			else if (body->device)
				beyond |= GUARD_DEVICES;
			strict |= strict_ops(rule);
			tried |= body->audit;
			follows |= body->flags & GUARD_FOLLOW;
			continue;
		}
		body->generation = policy->generation + 1;
		body->name = rule->body.name;
		body->flags = GUARD_REMOVED;
	}
	err = map_write(policy->guard->rules, &keys, &values, sizeof(__u32), sizeof(*body));
	free(keys.items);
	free(values.items);
	if (err)
		return map_no_room(err, "rules, those among them that are being replaced,",
				   policy->guard->rules);
	/* From now on programs look into trees and at devices, and find nothing valid yet. */
	__atomic_or_fetch(&state->beyond, beyond, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&state->strict, strict, __ATOMIC_SEQ_CST);
	if (tried)
		__atomic_store_n(&state->tried, 1, __ATOMIC_SEQ_CST);
	if (follows)
		__atomic_store_n(&state->follows, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int delete_doomed(struct policy *policy)
{
	struct doomed *doomed = policy->doomed.items;
	size_t i;
	int err = 0;

	for (i = 0; i < policy->doomed.count && !err; i++)
		err = map_delete_handle(policy->guard->maps[doomed[i].index], doomed[i].handle);
	return err;
}

/* The maps have room for more rules, for when one policy replaces another. */
static bool is_too_large(const struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	size_t i, count = 0;

	for (i = 0; i < policy->rules.count; i++)
		count += !rules[i]->dropped && !rules[i]->successor;
	return count > guard_max_rules(policy->guard);
}

static void change_abort(struct policy *policy)
{
	int err = policy_sweep(policy->guard);

	if (err)
		error("cannot clean up, the next change will: %s", reason(err));
}

static int write_texts(struct policy *policy)
{
	int map = policy->guard->texts, err;

	err = map_write(map, &policy->new_text_keys, &policy->new_texts,
			sizeof(struct guard_text_key), sizeof(struct guard_text));
	return map_no_room(err, "pieces of paths", map);
}

static int change_commit(struct policy *policy)
{
	struct guard *guard = policy->guard;
	int err;

	err = seal_check(policy);
	if (err) {
		change_abort(policy);
		return EXIT_FAILURE;
	}
	err = is_too_large(policy) ? no_room(-E2BIG, "rules", guard_max_rules(guard)) : 0;
	if (!err)
		err = write_texts(policy);
	if (!err && !policy->changed) {
		/* Executables may have been given ids that nothing needs. */
		policy_collect(guard, policy);
		return EXIT_SUCCESS;
	}
	if (!err)
		err = settle_follows(policy);
	if (!err)
		err = protect_subjects(policy);
	if (!err)
		err = write_rules(policy);
	if (!err)
		err = reading_begin(policy);
	if (err) {
		error("%s", reason(err));
		change_abort(policy);
		return EXIT_FAILURE;
	}
	/* This store puts the change in force. */
	__atomic_store_n(&guard->state->generation, policy->generation + 1, __ATOMIC_SEQ_CST);

	/* If this fails, the next change cleans up. */
	guard_wait_programs();
	reading_end(policy);
	if (!delete_doomed(policy))
		policy_collect(guard, policy);
	return EXIT_SUCCESS;
}

int change_policy(struct policy *ahead, int (*change)(struct policy *policy, void *context),
		  void *context, const char *what)
{
	struct policy policy = {};
	struct guard guard;
	int ret;

	ret = guard_open(&guard, true);
	if (ret) {
		if (ahead)
			policy_free(ahead);
		return ret;
	}
	ret = change_begin(&guard, &policy, ahead);
	if (!ret && change(&policy, context)) {
		change_abort(&policy);
		ret = EXIT_FAILURE;
	}
	if (!ret)
		ret = change_commit(&policy);
	if (!ret && verbose && what)
		printf("%s%s\n", what, policy.changed ? "changed" : "nothing to change");
	if (!ret && policy.missing)
		ret = EXIT_MISSING;
	policy_free(&policy);
	guard_close(&guard);
	return ret;
}
