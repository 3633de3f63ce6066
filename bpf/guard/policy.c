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
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* An entry to be deleted when no rule is in it any more. */
struct doomed {
	int index;
	__u32 handle;
};

int change_begin(struct guard *guard, struct policy *policy)
{
	int err = 0;

	names_forget();
	if (guard->state->dirty)
		err = policy_sweep(guard);
	if (!err)
		err = policy_load(guard, policy);
	if (!err)
		names_settle(policy);
	if (err) {
		error("cannot read the policy: %s", reason(err));
		return EXIT_FAILURE;
	}
	__atomic_store_n(&guard->state->dirty, 1, __ATOMIC_SEQ_CST);
	return EXIT_SUCCESS;
}

/* Entries */

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

/* Executables, and sets of them */

int exe_open(const char *path)
{
	int fd = path_open(path, 0), err = 0;
	struct stat stat;

	if (fd < 0)
		return fd;
	if (fstat(fd, &stat))
		err = -errno;
	else if (!S_ISREG(stat.st_mode) || !(stat.st_mode & 0111))
		err = -ENOEXEC;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int exe_subject(struct policy *policy, const char *name, bool follow, __u32 *id)
{
	int fd = exe_open(name), err;
	char *path;

	if (fd < 0)
		return fd;
	path = absolute_path(name);
	err = subject_id(policy, fd, path, id);
	if (!err && follow)
		err = follow_path(policy, path, false, NULL, *id);
	free(path);
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
		if (err && (!request->quiet || err != -ENOENT))
			error("%s%s: %s", where, request->exes[i],
			      err == -ENOEXEC ? "not an executable file" : reason(err));
		failed = err ? err : failed;
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
	size_t i;

	body.generation = rule->body.generation;
	rule->body = body;
	rule->path = xstrdup(base->path);
	for (i = 0; i < base->names.count; i++)
		rule_add_name(rule, ((char **)base->names.items)[i]);
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
	rule->body.flags &= ~(GUARD_FOLLOW | GUARD_SYMLINK);
	if (request->follow)
		rule->body.flags |= GUARD_FOLLOW;
	if (request->nofollow)
		rule->body.flags |= GUARD_SYMLINK;
}

static bool same_names(const struct rule *a, const struct rule *b)
{
	char **names = a->names.items, **others = b->names.items;
	size_t i, j;

	if (a->names.count != b->names.count)
		return false;
	for (i = 0; i < a->names.count; i++) {
		for (j = 0; j < b->names.count && strcmp(names[i], others[j]); j++)
			;
		if (j == b->names.count)
			return false;
	}
	return true;
}

static bool rule_same(const struct rule *a, const struct rule *b)
{
	return a->moved == b->moved && same_names(a, b) &&
	       a->body.flags == b->body.flags && a->body.named == b->body.named &&
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
static __u32 path_hash(const char *path, bool tree)
{
	__u32 hash = 2166136261U ^ tree;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619U;
	return hash;
}

static bool is_tree(const struct rule *rule)
{
	return rule->body.flags & GUARD_TREE;
}

/* The rule in force that was given a path, or NULL. */
static struct rule *find_namesake(struct policy *policy, const char *path, bool tree)
{
	struct rule **rules = policy->rules.items, *rule;
	size_t i;

	for (i = 0; !policy->indexed && i < policy->rules.count; i++)
		if (!rules[i]->fresh)
			index_put(&policy->rule_by_path, path_hash(rules[i]->path, is_tree(rules[i])),
				  rules[i]);
	policy->indexed = true;
	rule = index_get(&policy->rule_by_path, path_hash(path, tree));
	if (!rule || strcmp(rule->path, path) || is_tree(rule) != tree)
		return NULL;
	return rule;
}

/* A rule for the same path whose file is gone: the new one takes its place. */
static int drop_gone(struct policy *policy, const struct rule *fresh)
{
	struct rule *rule = find_namesake(policy, fresh->path, is_tree(fresh));
	int err;

	if (!rule || rule->dropped || rule->successor)
		return 0;
	err = policy_walk(policy);
	if (!err)
		rule->dropped = rule_is_gone(rule);
	return err;
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

/* What has come to replace a rule, or the rule itself. */
static struct rule *newest(struct rule *rule)
{
	return rule && !rule->fresh && rule->successor ? rule->successor : rule;
}

/**
 * struct target - what a request makes a rule for
 * @fd: what is at the path, or negative if there is nothing
 * @stat: of that
 * @path: the path, absolute
 * @place: if the rule is to be for a name that something can have: where that is
 * @named: whether there is a place
 */
struct target {
	int fd;
	struct stat stat;
	char *path;
	struct place place;
	bool named;
};

static void target_close(struct target *target)
{
	if (target->fd >= 0)
		close(target->fd);
	if (target->named)
		place_close(&target->place);
	free(target->path);
}

/* O_PATH reads nothing: it works on files that are guarded. */
static int target_open(struct policy *policy, const struct arguments *request, const char *path,
		       struct target *target)
{
	bool is_link = false;
	int err = 0;

	memset(target, 0, sizeof(*target));
	target->path = absolute_path(path);
	target->fd = path_open(path, O_NOFOLLOW);
	if (target->fd >= 0)
		is_link = fstat(target->fd, &target->stat) || S_ISLNK(target->stat.st_mode);
	if (is_link && !request->nofollow) {
		close(target->fd);
		target->fd = path_open(path, 0);
		if (target->fd >= 0)
			err = fstat(target->fd, &target->stat) ? -errno : 0;
	}
	if (target->fd < 0 && (target->fd != -ENOENT || !request->follow))
		err = target->fd;
	if (err || !request->follow)
		return err;
	err = place_open(policy->guard, target->path, request->nofollow || !is_link,
			 &target->place);
	/* The root of all has no name. */
	target->named = err != -EISDIR;
	return err == -EISDIR ? 0 : err;
}

/*
 * The rule that a request is about: that of the inode, or else that of the name, or that was given the
 * path when it led elsewhere; or NULL. @moved: it is not that of both, the inode and the name.
 */
static struct rule *find_request_rule(struct policy *policy, const struct arguments *request,
				      struct target *target, bool *moved, int *err)
{
	struct rule *rule = NULL, *named = NULL;

	*err = 0;
	if (target->fd >= 0)
		rule = newest(find_rule(policy, target->fd, request->tree, err));
	if (!*err && target->named)
		named = newest(place_rule(policy, &target->place, request->tree));
	*moved = !rule || (request->follow && named != rule);
	if (!rule)
		rule = named;
	if (!rule && !*err && request->follow)
		rule = newest(find_namesake(policy, target->path, request->tree));
	return rule;
}

/* Put it into force for all its names, of which a target has been found already. */
static int rule_follow(struct policy *policy, const struct rule *rule, struct target *target)
{
	bool nofollow = rule->body.flags & GUARD_SYMLINK;
	char **names = rule->names.items;
	size_t i;
	int err = 0;

	for (i = 0; i < rule->names.count && !err; i++)
		if (target && target->named && !strcmp(names[i], target->path))
			err = follow_place(policy, &target->place, names[i], rule, 0);
		else
			err = follow_path(policy, names[i], nofollow, rule, 0);
	return err;
}

/*
 * What a request says about what is at a path, or about the name, if nothing is there. With @replace,
 * the policy is to be only what requests say: the entries of rules that there are already are left to
 * change_settle().
 */
static int change_target(struct policy *policy, const struct arguments *request,
			 struct target *target, bool replace)
{
	struct rule *old, *rule;
	int fd = target->fd, err;
	bool moved;

	if (fd >= 0 && request->tree && !S_ISDIR(target->stat.st_mode))
		return -ENOTDIR;
	old = find_request_rule(policy, request, target, &moved, &err);
	if (err)
		return err;
	rule = old && old->fresh ? old : rule_make(policy, old, request->tree ? GUARD_TREE : 0);
	if (rule != old) {
		if (old && !replace)
			rule_copy(rule, old);
		/* Until the entry is there to tell, and when it is gone. */
		rule->body.dev = target->stat.st_dev;
		rule->body.ino = target->stat.st_ino;
	}
	rule_merge(rule, request);
	rule_set_path(policy, rule, xstrdup(target->path));
	if (request->follow)
		rule_add_name(rule, target->path);
	rule->moved |= moved && fd >= 0 && rule->base;

	old = rule->base;
	if (old && replace) {
		old->successor = rule;
		if (!request->tree && !moved)
			return 0;
		return fd < 0 ? 0 : rule_put(policy, rule, fd, moved ? rule->body.named :
					     rule->body.named & ~old->body.named);
	}
	if (old && !old->successor && rule_same(rule, old)) {
		rule_forget(rule);
		return 0;
	}
	if (old)
		old->successor = rule;
	else if (!replace && !request->follow)
		err = drop_gone(policy, rule);
	policy->changed = true;
	if (!err)
		err = rule_follow(policy, rule, target);
	return err || fd < 0 ? err : rule_put(policy, rule, fd, rule->body.named);
}

/*
 * Whether a path leads once more to what has been given the rule: on some filesystems each lookup makes
 * an inode of its own, and a rule holds for nobody.
 */
static int check_again(struct policy *policy, const struct arguments *request,
		       const struct target *target)
{
	int again = path_open(target->path, request->nofollow ? O_NOFOLLOW : 0), err = 0;
	struct stat now;

	if (again < 0)
		return 0;
	if (!fstat(again, &now) && target->stat.st_dev == now.st_dev &&
	    target->stat.st_ino == now.st_ino && !find_rule(policy, again, request->tree, &err) && !err)
		err = -ESTALE;
	close(again);
	return err;
}

/* Files of procfs come and go with their names, but for the root of a mount. */
static bool is_of_procfs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC && !is_mount_root(fd);
}

static void change_failed(const char *where, const char *path, int err)
{
	switch (err) {
	case -ESTALE:
		error("%s%s: rules do not hold there: each time it is looked up it is another file to the kernel",
		      where, path);
		break;
	case -EOPNOTSUPP:
		error("%s%s: rules do not hold there: files of procfs come and go, in each mount of it others",
		      where, path);
		break;
	case -ETIMEDOUT:
		error("%s%s: took too long to look up", where, path);
		break;
	default:
		error("%s%s: %s", where, path, reason(err));
	}
}

static int change_path(struct policy *policy, const struct arguments *request, const char *path,
		       bool replace, const char *where)
{
	struct target target;
	bool missing;
	int err;

	err = target_open(policy, request, path, &target);
	if (!err && target.fd >= 0 && is_of_procfs(target.fd))
		err = -EOPNOTSUPP;
	if (!err)
		err = change_target(policy, request, &target, replace);
	if (!err && target.fd >= 0)
		err = check_again(policy, request, &target);
	target_close(&target);
	if (!err)
		return 0;
	missing = request->optional && (err == -ENOENT || err == -ENOTDIR || err == -ETIMEDOUT);
	if (!missing || !request->quiet)
		change_failed(where, path, err);
	policy->missing += missing;
	return missing ? 0 : err;
}

int change_request(struct policy *policy, struct arguments *request, bool replace, const char *where,
		   void (*step)(void *), void *arg)
{
	int i, err, failed = 0;

	if (request->nr_exes)
		failed = request_set(policy, request, where);
	/* The rule for others than those that are there would be another. */
	if (failed == -ENOENT && request->optional) {
		policy->missing += request->nr_paths;
		return 0;
	}
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
	err = rule_follow(policy, rule, NULL);
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

/* What has changed on the way to names */

/* Whether everything at the names of a rule has it, and the rule is for them where they are now. */
static bool is_settled(struct policy *policy, const struct rule *rule)
{
	char **names = rule->names.items;
	struct rule *there;
	int fd, err;
	size_t i;

	for (i = 0; i < rule->names.count; i++) {
		if (!name_has_rule(policy, rule, names[i]))
			return name_check(names[i], rule->body.flags & GUARD_SYMLINK) != 0;
		fd = path_open(names[i], rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0);
		if (fd < 0)
			continue;
		there = find_rule(policy, fd, is_tree(rule), &err);
		close(fd);
		if (!err && there != rule)
			return false;
	}
	return true;
}

/* The same rule, for its names where they are now. */
static int refresh_rule(struct policy *policy, struct rule *old)
{
	struct rule *rule = rule_make(policy, old, old->body.flags & GUARD_TREE);
	char **names;
	size_t i;
	int fd, err;

	rule_copy(rule, old);
	rule->moved = true;
	old->successor = rule;
	policy->changed = true;
	err = rule_follow(policy, rule, NULL);
	names = rule->names.items;
	for (i = 0; i < rule->names.count && !err; i++) {
		fd = path_open(names[i], rule->body.flags & GUARD_SYMLINK ? O_NOFOLLOW : 0);
		if (fd < 0)
			continue;
		err = rule_put(policy, rule, fd, rule->body.named);
		close(fd);
	}
	return err ?: succeed_rule(policy, old, rule);
}

/* The executable that has a name now is the one that is meant. */
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
	return err ?: follow_path(policy, path, false, NULL, subject);
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
		for (j = 0; j < sets[i]->subjects.count && !err; j++)
			err = refresh_subject(policy,
					      ((__u32 *)sets[i]->subjects.items)[j]);
	if (err)
		error("%s", reason(err));
	return err;
}

/* Rules that follow a name */

/* Whether an entry has a rule that will be no more, or that another comes to replace. */
static struct rule *rule_that_ends(struct policy *policy, const struct guard_entry *entry)
{
	struct rule *rule = index_get(&policy->rule_by_id,
				      entry_rule(entry, policy->generation));

	if (!rule || entry_is_pending(entry, policy->generation) ||
	    (!rule->dropped && !rule->successor))
		return NULL;
	return rule;
}

/* The names of rules that are no more, or that another has come to replace elsewhere. */
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
			entry_set(&leaf->entry, policy->generation, 0);
			change = true;
		}
		if (rule_that_ends(policy, &leaf->tree)) {
			entry_set(&leaf->tree, policy->generation, 0);
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

/* The rule that an entry of one that ends comes to have in an inode map, or 0. */
static __u32 successor_id(const struct rule *rule, int index)
{
	if (rule->dropped)
		return 0;
	if (index != FILES_MAP && !(rule->successor->body.named & (1U << index)))
		return 0;
	return rule->successor->id;
}

/*
 * A program may have given such a rule to another file since it was looked for, and files that had
 * the name before may have it still. From now on programs give them what the leaves say.
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

	err = is_too_large(policy) ? -E2BIG : 0;
	if (!err)
		err = map_write(guard->texts, &policy->new_text_keys, &policy->new_texts,
				sizeof(struct guard_text_key), sizeof(struct guard_text));
	if (!err && !policy->changed) {
		/* Executables may have been given an id for nothing. */
		policy_collect(guard, policy);
		return EXIT_SUCCESS;
	}
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

int change_policy(int (*change)(struct policy *policy, void *context), void *context,
		  const char *what)
{
	struct policy policy = {};
	struct guard guard;
	int ret;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	ret = change_begin(&guard, &policy);
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
