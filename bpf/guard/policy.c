// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Changing the policy, all of it or nothing.
 *
 * A change writes what is new for the next generation, which nobody takes for valid: slots in the
 * entries of inodes, rules and texts under ids of their own. One store of the word "generation"
 * then puts all of it in force, and what was valid before is deleted. A change that is interrupted
 * is swept away by the next one: the word "dirty" says that there was one.
 *
 * Whoever changes the policy holds the lock (see load.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* An entry to be deleted when no rule is in it any more. */
struct doomed {
	int index;
	__u32 handle;
};

static __u32 next_id(struct policy *policy)
{
	return policy->guard->state->next++;
}

int change_begin(struct guard *guard, struct policy *policy)
{
	int err = 0;

	if (guard->state->dirty)
		err = policy_sweep(guard);
	if (!err)
		err = policy_load(guard, policy);
	if (err) {
		error("cannot read the policy: %s", reason(err));
		return EXIT_FAILURE;
	}
	__atomic_store_n(&guard->state->dirty, 1, __ATOMIC_SEQ_CST);
	return EXIT_SUCCESS;
}

/* Entries */

static int entry_valid_slot(const struct guard_entry *entry, __u32 generation)
{
	int newer = entry->generation[1] > entry->generation[0];

	return entry->generation[newer] <= generation ? newer : !newer;
}

/* Have an entry say @rule from the next generation on. */
static void entry_set(struct guard_entry *entry, __u32 generation, __u32 rule)
{
	int slot = !entry_valid_slot(entry, generation);

	entry->generation[slot] = generation + 1;
	entry->rule[slot] = rule;
}

static int entry_put(struct policy *policy, int index, int fd, __u32 rule)
{
	int map = policy->guard->maps[index], err;
	struct guard_entry entry = {};

	/* Nearly always there is none yet. */
	entry_set(&entry, policy->generation, rule);
	err = entry_update(map, fd, &entry, BPF_NOEXIST);
	if (err != -EEXIST)
		return err;
	err = entry_get(map, fd, &entry);
	if (err)
		return err;
	entry_set(&entry, policy->generation, rule);
	return entry_update(map, fd, &entry, BPF_ANY);
}

/* By handle. An entry that is gone meanwhile, with its inode, needs nothing. */
static int entry_change(struct policy *policy, int index, __u32 handle, __u32 rule)
{
	struct inode_map_key key = { .fd = -1, .handle = handle };
	int map = policy->guard->maps[index];
	struct guard_entry entry;

	if (bpf_map_lookup_elem(map, &key, &entry))
		return errno == ENOENT ? 0 : -errno;
	entry_set(&entry, policy->generation, rule);
	if (!rule) {
		struct doomed *doomed = array_add(&policy->doomed, sizeof(*doomed));

		doomed->index = index;
		doomed->handle = handle;
	}
	return bpf_map_update_elem(map, &key, &entry, BPF_EXIST) && errno != ENOENT ? -errno : 0;
}

/* The rule that an entry will have, or NULL. */
static struct rule *entry_next_rule(struct policy *policy, int index, int fd, int *err)
{
	struct guard_entry entry;

	*err = entry_get(policy->guard->maps[index], fd, &entry);
	if (*err) {
		if (*err == -ENOENT)
			*err = 0;
		return NULL;
	}
	return index_get(&policy->rule_by_id, entry_rule(&entry, policy->generation + 1));
}

/* The rule of a file, or the rule for its tree, or NULL. */
static struct rule *find_rule(struct policy *policy, int fd, bool tree, int *err)
{
	struct rule *rule;
	int op;

	if (!tree)
		return entry_next_rule(policy, FILES_MAP, fd, err);
	for (op = 0; op < GUARD_OPS; op++) {
		rule = entry_next_rule(policy, op, fd, err);
		if (rule || *err)
			return rule;
	}
	return NULL;
}

/* Executables and directories, and sets of them */

/* The id of what a descriptor names; it gets one if it has none. */
static int subject_id(struct policy *policy, int fd, const char *path, __u32 *id)
{
	struct guard *guard = policy->guard;
	int err;

	err = entry_get(guard->subjects, fd, id);
	if (err != -ENOENT)
		return err;
	*id = next_id(policy);
	text_add(policy, *id, path);
	index_put(&policy->texts, *id, xstrdup(path));
	return entry_update(guard->subjects, fd, id, BPF_NOEXIST);
}

/* The directory of a path, opened, and the name in it; returns a descriptor or a negative errno. */
static int open_place(const char *path, bool nofollow, struct guard_leaf_key *key, char **directory)
{
	char *copy = xstrdup(path), *place, *slash;
	int fd;

	memset(key, 0, sizeof(*key));
	slash = strrchr(copy, '/');
	if (nofollow)
		*slash = '\0';
	place = realpath(*copy ? copy : "/", NULL);
	if (nofollow) {
		snprintf(key->name, sizeof(key->name), "%s", slash + 1);
	} else if (place) {
		slash = strrchr(place, '/');
		snprintf(key->name, sizeof(key->name), "%s", slash + 1);
		slash[slash == place] = '\0';
	}
	free(copy);
	if (!place)
		return -errno;
	fd = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		free(place);
		return fd;
	}
	*directory = place;
	return fd;
}

/* Have a rule, or an executable, follow the name that a path leads to. */
static int follow_path(struct policy *policy, const char *path, bool nofollow, __u32 rule,
		       __u32 subject)
{
	int map = policy->guard->leaves, fd, err;
	struct guard_leaf leaf = {};
	struct guard_leaf_key key;
	char *directory = NULL;

	fd = open_place(path, nofollow, &key, &directory);
	if (fd < 0)
		return fd;
	err = subject_id(policy, fd, directory, &key.dir);
	close(fd);
	free(directory);
	if (err)
		return err;
	bpf_map_lookup_elem(map, &key, &leaf);
	if (rule)
		entry_set(&leaf.entry, policy->generation, rule);
	if (subject)
		leaf.subject = subject;
	return bpf_map_update_elem(map, &key, &leaf, BPF_ANY) ? -errno : 0;
}

static int exe_subject(struct policy *policy, const char *name, bool follow, __u32 *id)
{
	struct stat stat;
	char *path;
	int fd, err;

	fd = open(name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fstat(fd, &stat) ? -errno : 0;
	if (!err && (!S_ISREG(stat.st_mode) || !(stat.st_mode & 0111)))
		err = -ENOEXEC;
	if (!err) {
		path = absolute_path(name);
		err = subject_id(policy, fd, path, id);
		if (!err && follow)
			err = follow_path(policy, path, false, 0, *id);
		free(path);
	}
	close(fd);
	return err;
}

static void sort_subjects(struct array *subjects)
{
	__u32 *items = subjects->items;
	size_t from, to = 0;

	qsort(items, subjects->count, sizeof(*items), compare_ids);
	for (from = 0; from < subjects->count; from++)
		if (!to || items[from] != items[to - 1])
			items[to++] = items[from];
	subjects->count = to;
}

static struct set *find_set(struct policy *policy, const struct array *subjects)
{
	struct set **sets = policy->sets.items;
	size_t i;

	for (i = 0; i < policy->sets.count; i++)
		if (sets[i]->subjects.count == subjects->count &&
		    !memcmp(sets[i]->subjects.items, subjects->items,
			    subjects->count * sizeof(__u32)))
			return sets[i];
	return NULL;
}

static int set_make(struct policy *policy, struct array *subjects, __u32 *id)
{
	struct guard_member member = {};
	struct set *set;
	__u32 one = 1;
	size_t i;

	set = xcalloc(1, sizeof(*set));
	set->id = next_id(policy);
	set->subjects = *subjects;
	set->fresh = true;
	memset(subjects, 0, sizeof(*subjects));
	*(struct set **)array_add(&policy->sets, sizeof(set)) = set;
	index_put(&policy->set_by_id, set->id, set);
	*id = set->id;
	member.set = set->id;
	for (i = 0; i < set->subjects.count; i++) {
		member.subject = ((__u32 *)set->subjects.items)[i];
		if (bpf_map_update_elem(policy->guard->members, &member, &one, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* The set of the executables that a request names. */
static int request_set(struct policy *policy, struct arguments *request, const char *where)
{
	struct array subjects = {};
	int i, err, failed = 0;
	struct set *set;

	for (i = 0; i < request->nr_exes; i++) {
		err = exe_subject(policy, request->exes[i], request->follow,
				  array_add(&subjects, sizeof(__u32)));
		if (err) {
			error("%s%s: %s", where, request->exes[i],
			      err == -ENOEXEC ? "not an executable file" : reason(err));
			failed = err;
		}
	}
	if (failed)
		goto out;
	sort_subjects(&subjects);
	set = find_set(policy, &subjects);
	if (set) {
		request->set = set->id;
	} else {
		failed = set_make(policy, &subjects, &request->set);
		if (failed)
			error("%s%s", where, reason(failed));
	}
out:
	free(subjects.items);
	return failed;
}

/* Rules */

static struct rule *rule_make(struct policy *policy, struct rule *base, __u32 flags)
{
	struct rule *rule = xcalloc(1, sizeof(*rule));

	rule->id = next_id(policy);
	rule->body.generation = policy->generation + 1;
	rule->body.name = base ? base->body.name : next_id(policy);
	rule->body.flags = flags;
	rule->base = base;
	rule->fresh = true;
	*(struct rule **)array_add(&policy->rules, sizeof(rule)) = rule;
	index_put(&policy->rule_by_id, rule->id, rule);
	return rule;
}

static void rule_copy(struct rule *rule, const struct rule *base)
{
	struct guard_rule body = base->body;

	body.generation = rule->body.generation;
	rule->body = body;
	rule->path = xstrdup(base->path);
}

static void rule_merge(struct rule *rule, const struct arguments *request)
{
	__u32 ops = request->ops;
	int op;

	rule->body.named |= ops;
	rule->body.denied &= ~ops;
	rule->body.only &= ~ops;
	if (request->nr_exes)
		rule->body.only |= ops;
	else if (request->deny)
		rule->body.denied |= ops;
	for (op = 0; op < GUARD_OPS; op++)
		if (ops & (1U << op))
			rule->body.set[op] = request->nr_exes ? request->set : 0;
	if (request->follow)
		rule->body.flags |= GUARD_FOLLOW;
	rule->body.flags &= ~GUARD_SYMLINK;
	if (request->nofollow)
		rule->body.flags |= GUARD_SYMLINK;
}

static bool rule_same(const struct rule *a, const struct rule *b)
{
	return a->body.flags == b->body.flags && a->body.named == b->body.named &&
	       a->body.denied == b->body.denied && a->body.only == b->body.only &&
	       !strcmp(a->path, b->path) &&
	       !memcmp(a->body.set, b->body.set, sizeof(a->body.set));
}

static void rule_set_path(struct policy *policy, struct rule *rule, char *path)
{
	const struct rule *base = rule->base;

	free(rule->path);
	rule->path = path;
	if (base && !strcmp(base->path, path)) {
		rule->body.text = base->body.text;
		return;
	}
	rule->body.text = next_id(policy);
	text_add(policy, rule->body.text, path);
}

static void rule_forget(struct rule *rule)
{
	rule->dropped = true;
	rule->base = NULL;
}

/* FNV-1a, of a path and of whether the rule is for a tree. */
static __u32 path_hash(const struct rule *rule)
{
	__u32 hash = 2166136261U ^ (rule->body.flags & GUARD_TREE);
	const char *c;

	for (c = rule->path; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	return hash;
}

/* The rule in force that was given the same path, or NULL. */
static struct rule *find_namesake(struct policy *policy, const struct rule *fresh)
{
	struct rule **rules = policy->rules.items, *rule;
	bool indexed = policy->rule_by_path.slots;
	size_t i;

	for (i = 0; !indexed && i < policy->rules.count; i++)
		if (!rules[i]->fresh)
			index_put(&policy->rule_by_path, path_hash(rules[i]), rules[i]);
	rule = index_get(&policy->rule_by_path, path_hash(fresh));
	if (!rule || strcmp(rule->path, fresh->path) ||
	    (rule->body.flags ^ fresh->body.flags) & GUARD_TREE)
		return NULL;
	return rule;
}

/* A rule for the same path whose file is gone: the new one takes its place. */
static int drop_gone(struct policy *policy, const struct rule *fresh)
{
	struct rule *rule = find_namesake(policy, fresh);
	int index, err;

	if (!rule || rule->dropped || rule->successor)
		return 0;
	err = policy_walk(policy);
	if (err)
		return err;
	for (index = 0; index < RULE_MAPS; index++)
		if (rule->handle[index])
			return 0;
	rule->dropped = true;
	return 0;
}

/* Entries of a rule for the operations in a mask; a rule for a file has one. */
static int rule_put(struct policy *policy, const struct rule *rule, int fd, __u32 ops)
{
	int op, err = 0;

	if (!(rule->body.flags & GUARD_TREE))
		return entry_put(policy, FILES_MAP, fd, rule->id);
	for (op = 0; op < GUARD_OPS && !err; op++)
		if (ops & (1U << op))
			err = entry_put(policy, op, fd, rule->id);
	return err;
}

/*
 * What a request says about a file. With @replace, the policy is to be only what requests say: the
 * entries of rules that there are already are left to change_settle().
 */
static int change_fd(struct policy *policy, const struct arguments *request, int fd,
		     const char *path, bool replace)
{
	struct rule *old, *rule;
	struct stat stat;
	int err;

	if (fstat(fd, &stat))
		return -errno;
	if (request->tree && !S_ISDIR(stat.st_mode))
		return -ENOTDIR;
	if (request->follow && S_ISDIR(stat.st_mode))
		return -EISDIR;
	old = find_rule(policy, fd, request->tree, &err);
	if (err)
		return err;
	if (old && !old->fresh && old->successor)
		old = old->successor;
	rule = old && old->fresh ? old : rule_make(policy, old, request->tree ? GUARD_TREE : 0);
	if (rule != old) {
		if (old && !replace)
			rule_copy(rule, old);
		/* Until the entry is there to tell, and when it is gone. */
		rule->body.dev = stat.st_dev;
		rule->body.ino = stat.st_ino;
	}
	rule_merge(rule, request);
	rule_set_path(policy, rule, absolute_path(path));

	old = rule->base;
	if (old && replace) {
		old->successor = rule;
		if (!request->tree)
			return 0;
		return rule_put(policy, rule, fd, rule->body.named & ~old->body.named);
	}
	if (old && !old->successor && rule_same(rule, old)) {
		rule_forget(rule);
		return 0;
	}
	if (old)
		old->successor = rule;
	else if (!replace)
		err = drop_gone(policy, rule);
	policy->changed = true;
	if (!err && rule->body.flags & GUARD_FOLLOW)
		err = follow_path(policy, rule->path, request->nofollow, rule->id, 0);
	return err ?: rule_put(policy, rule, fd, rule->body.named);
}

static int change_path(struct policy *policy, const struct arguments *request, const char *path,
		       bool replace, const char *where)
{
	int fd, err;

	/* O_PATH reads nothing: it works on files that are guarded. */
	fd = open(path, O_PATH | O_CLOEXEC | (request->nofollow ? O_NOFOLLOW : 0));
	err = fd < 0 ? -errno : change_fd(policy, request, fd, path, replace);
	if (fd >= 0)
		close(fd);
	if (err == -EISDIR)
		error("%s%s: --follow is for files, not for directories", where, path);
	else if (err)
		error("%s%s: %s", where, path, reason(err));
	return err;
}

int change_request(struct policy *policy, struct arguments *request, bool replace, const char *where,
		   void (*step)(void *), void *arg)
{
	int i, err, failed = 0;

	if (request->nr_exes)
		failed = request_set(policy, request, where);
	for (i = 0; i < request->nr_paths; i++) {
		err = change_path(policy, request, request->paths[i], replace, where);
		if (err)
			failed = err;
		if (step)
			step(arg);
	}
	return failed;
}

/* Take all entries away that a rule has. */
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

/* Move the entries of a rule to the one that comes to replace it. */
static int succeed_rule(struct policy *policy, struct rule *old, struct rule *rule)
{
	__u32 named = rule->body.named;
	int index, err = 0;

	policy->changed = true;
	if (rule->body.flags & GUARD_FOLLOW)
		err = follow_path(policy, rule->path, rule->body.flags & GUARD_SYMLINK, rule->id,
				  0);
	for (index = 0; index < RULE_MAPS && !err; index++) {
		bool stays = index == FILES_MAP || named & (1U << index);

		if (old->handle[index])
			err = entry_change(policy, index, old->handle[index],
					   stays ? rule->id : 0);
	}
	return err;
}

/* After all requests of a policy that replaces the one in force. */
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

/* Remove the rules of a path: of the inode that it leads to, or that were given it. */
int change_remove(struct policy *policy, const char *path, bool nofollow, int tree)
{
	struct rule **rules, *found[2] = {};
	int fd, kind, err = 0, count = 0;
	char *absolute;
	size_t i;

	err = policy_walk(policy);
	if (err)
		goto out;
	fd = open(path, O_PATH | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0));
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

/* Rules that follow a name */

/* The names of rules that are no more, or that another has come to replace elsewhere. */
static int settle_leaves(struct policy *policy, size_t *count)
{
	struct array keys = {}, values = {};
	int map = policy->guard->leaves;
	const struct rule *rule;
	struct guard_leaf *leaf;
	size_t i;
	int err;

	err = map_read(map, sizeof(struct guard_leaf_key), sizeof(*leaf), &keys, &values);
	for (i = 0; i < keys.count && !err; i++) {
		leaf = (struct guard_leaf *)values.items + i;
		rule = index_get(&policy->rule_by_id, entry_rule(&leaf->entry, policy->generation));
		if (!rule || entry_is_pending(&leaf->entry, policy->generation) ||
		    (!rule->dropped && !rule->successor))
			continue;
		entry_set(&leaf->entry, policy->generation, 0);
		if (bpf_map_update_elem(map, (struct guard_leaf_key *)keys.items + i, leaf,
					BPF_EXIST))
			err = -errno;
	}
	*count = keys.count;
	free(keys.items);
	free(values.items);
	return err;
}

/*
 * A program may have given such a rule to another file since it was looked for, and files that had
 * the name before may have it still. From now on programs give them what the leaves say.
 */
static int settle_follows(struct policy *policy)
{
	int map = policy->guard->maps[FILES_MAP], err;
	struct inode_map_key key = {};
	struct guard_entry entry;
	struct rule *rule;
	size_t count;

	err = settle_leaves(policy, &count);
	if (err || !count)
		return err;
	while ((err = map_next(map, &key, &entry)) > 0) {
		rule = index_get(&policy->rule_by_id, entry_rule(&entry, policy->generation));
		if (!rule || entry_is_pending(&entry, policy->generation) ||
		    (!rule->dropped && !rule->successor))
			continue;
		err = entry_change(policy, FILES_MAP, key.handle,
				   rule->dropped ? 0 : rule->successor->id);
		if (err)
			return err;
	}
	return err;
}

/* The end of it */

/* Write the rules of the next generation, and what says which ones are no more. */
static int write_rules(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct array keys = {}, values = {};
	struct guard_rule *body;
	bool follows = false;
	__u32 trees = 0;
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
				trees |= body->named;
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
		return err;
	/* Programs look into trees from now on; they find nothing that is valid. */
	__atomic_or_fetch(&policy->guard->state->trees, trees, __ATOMIC_SEQ_CST);
	if (policy->sets.count)
		__atomic_store_n(&policy->guard->state->subjects, 1, __ATOMIC_SEQ_CST);
	if (follows)
		__atomic_store_n(&policy->guard->state->follows, 1, __ATOMIC_SEQ_CST);
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

/* There is room for more while one policy takes another's place. */
static bool is_too_large(const struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	size_t i, count = 0;

	for (i = 0; i < policy->rules.count; i++)
		count += !rules[i]->dropped && !rules[i]->successor;
	return count > guard_max_rules(policy->guard);
}

int change_commit(struct policy *policy)
{
	struct guard *guard = policy->guard;
	int err;

	if (!policy->changed) {
		/* Executables may have been given an id for nothing. */
		policy_collect(guard, policy);
		return EXIT_SUCCESS;
	}
	err = is_too_large(policy) ? -E2BIG : 0;
	if (!err)
		err = map_write(guard->texts, &policy->new_text_keys, &policy->new_texts,
				sizeof(struct guard_text_key), sizeof(struct guard_text));
	if (!err)
		err = settle_follows(policy);
	if (!err)
		err = write_rules(policy);
	if (err) {
		error("%s", reason(err));
		change_abort(policy);
		return EXIT_FAILURE;
	}
	/* This is the moment. */
	__atomic_store_n(&guard->state->generation, policy->generation + 1, __ATOMIC_SEQ_CST);

	/* What is not removed here the next change removes. */
	guard_wait_programs();
	if (!delete_doomed(policy))
		policy_collect(guard, policy);
	return EXIT_SUCCESS;
}

void change_abort(struct policy *policy)
{
	int err = policy_sweep(policy->guard);

	if (err)
		error("cannot clean up, the next change will: %s", reason(err));
}
