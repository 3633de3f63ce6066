// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Requests by "deny" and "allow", on the command line or in a conf file: finding the file at a path
 * and its present rule, and making the new rule. The caller holds the lock (pins.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

void change_failed(const char *where, const char *path, int err)
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
	case -ENOTUNIQ:
		error("%s%s: there the case of names does not count, so that a rule can't be for a name: use --inode",
		      where, path);
		break;
	case -EMLINK:
		error("%s%s: rules do not hold there: it has several names in a lower layer, and the overlay (index=off) makes a file of each: make the rule for the file in the layer",
		      where, path);
		break;
	case -ENOEXEC:
		error("%s%s: not an executable file", where, path);
		break;
	default:
		error("%s%s: %s", where, path, reason(err));
	}
}

/* Rules */

static void rule_merge(struct rule *rule, const struct arguments *request)
{
	__u32 ops = request->ops;
	int op;

	rule->body.named |= ops;
	rule->body.denied &= ~ops;
	rule->body.only &= ~ops;
	rule->body.audit &= ~ops;
	if (request->audit == 1)
		rule->body.audit |= ops;
	if (request->set)
		rule->body.only |= ops;
	else if (request->deny)
		rule->body.denied |= ops;
	for (op = 0; op < GUARD_OPS; op++)
		if (ops & (1U << op)) {
			rule->body.set[op] = request->set ? request->set->id : 0;
			rule->body.kinds[op] = request->set ? request->set->kinds : 0;
		}
	rule->body.flags &= ~(GUARD_FOLLOW | GUARD_SYMLINK);
	if (request->follow)
		rule->body.flags |= GUARD_FOLLOW;
	if (request->nofollow)
		rule->body.flags |= GUARD_SYMLINK;
	if (request->label) {
		free(rule->label);
		rule->label = xstrdup(request->label);
	}
}

/* Call after rule_merge(): the label is in the same text. */
static void rule_set_path(struct policy *policy, struct rule *rule, char *path)
{
	const struct rule *base = rule->base;

	free(rule->path);
	rule->path = path;
	if (base && !strcmp(base->path, path) && !strcmp(base->label, rule->label)) {
		rule->body.text = base->body.text;
		return;
	}
	rule->body.text = next_id(policy);
	text_add(policy, rule->body.text, path, rule->label);
}

/* FNV-1a of a path, and of whether the rule is for a tree. */
static __u32 path_hash(const char *path, bool tree)
{
	__u32 hash = 2166136261U ^ tree;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619U;
	return hash;
}

/* The rule in force that was given a path, or NULL. */
static struct rule *find_namesake(struct policy *policy, const char *path, bool tree)
{
	struct rule **rules = policy->rules.items, *rule;
	size_t i;

	for (i = 0; !policy->indexed && i < policy->rules.count; i++)
		if (!rules[i]->fresh)
			index_put(&policy->rule_by_path,
				  path_hash(rules[i]->path, is_tree(rules[i])), rules[i]);
	policy->indexed = true;
	rule = index_get(&policy->rule_by_path, path_hash(path, tree));
	if (!rule || strcmp(rule->path, path) || is_tree(rule) != tree)
		return NULL;
	return rule;
}

/* Drop a rule for the same path whose file is gone: the new rule replaces it. */
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

/* The rule that replaces a rule, or the rule itself. */
static struct rule *newest(struct rule *rule)
{
	return rule && !rule->fresh && rule->successor ? rule->successor : rule;
}

/**
 * struct target - what a request makes a rule for
 * @fd: the file at the path, or negative if there is none
 * @stat: of that file
 * @path: the path, absolute
 * @place: where the path leads, if the rule is for a name, and a file can have that name
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

/* Opens with O_PATH, which reads nothing and so works on guarded files. */
static int target_open(struct policy *policy, const struct arguments *request, const char *path,
		       struct target *target)
{
	bool is_link = false;
	int err = 0;

	memset(target, 0, sizeof(*target));
	target->path = absolute_path(path);
	target->fd = path_open(path, O_NOFOLLOW);
	if (target->fd >= 0)
		is_link = file_stat(target->fd, &target->stat) || S_ISLNK(target->stat.st_mode);
	if (is_link && !request->nofollow) {
		close(target->fd);
		target->fd = path_open(path, 0);
		if (target->fd >= 0)
			err = file_stat(target->fd, &target->stat);
	}
	if (target->fd < 0 && (target->fd != -ENOENT || !request->follow))
		err = target->fd;
	if (err || !request->follow)
		return err;
	err = place_open(policy->guard, target->path, request->nofollow || !is_link,
			 &target->place);
	/* The root directory has no name. */
	target->named = err != -EISDIR;
	return err == -EISDIR ? 0 : err;
}

/*
 * The rule that a request is about: the inode's, or else the name's, or else one that was given the
 * path when it led elsewhere; or NULL. @moved: inode and name don't both have it.
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
	/* One of the two rules would have to go. */
	if (rule && named && named != rule && guard_is_sealed(policy->guard))
		*err = -EPERM;
	if (!rule)
		rule = named;
	if (!rule && !*err && request->follow)
		rule = newest(find_namesake(policy, target->path, request->tree));
	return rule;
}

/*
 * Make the rule that a request asks for, for the file at a path, or for the name if there is no
 * file. With @replace, the policy is to consist of the requests alone: change_settle() handles the
 * entries of rules that exist already.
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
		/* For when the entry does not tell: until it is made, and when it is gone. */
		rule->body.dev = target->stat.st_dev;
		rule->body.ino = target->stat.st_ino;
	}
	if (fd >= 0)
		device_set(&rule->body, &target->stat);
	else if (old)
		rule_keep_device(rule, old);
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
		err = rule_follow(policy, rule, target->named ? &target->place : NULL,
				  target->path);
	return err || fd < 0 ? err : rule_put(policy, rule, fd, rule->body.named);
}

/*
 * Whether another lookup of a path finds the file that was given the rule: on some filesystems each
 * lookup makes another inode, and the rule would hold for nobody.
 */
static int check_again(struct policy *policy, const struct arguments *request,
		       const struct target *target)
{
	int again = path_open(target->path, request->nofollow ? O_NOFOLLOW : 0), err = 0;
	struct stat now;

	if (again < 0)
		return 0;
	if (!file_stat(again, &now) && target->stat.st_dev == now.st_dev &&
	    target->stat.st_ino == now.st_ino &&
	    !find_rule(policy, again, request->tree, &err) && !err)
		err = -ESTALE;
	close(again);
	return err;
}

int file_check(int fd, const struct stat *stat)
{
	if (is_of_procfs(fd))
		return -EOPNOTSUPP;
	return is_broken_link(fd, stat) ? -EMLINK : 0;
}

/* A path that hangs may exist: a policy that replaces the one in force keeps its rule. */
static void keep_rule(struct policy *policy, const struct arguments *request, const char *path)
{
	char *absolute = absolute_path(path);
	struct rule *rule = find_namesake(policy, absolute, request->tree);

	if (rule)
		rule->kept = true;
	free(absolute);
}

/* Whether a request may leave out what fails with this error. */
static bool may_be_missing(const struct arguments *request, int err)
{
	return request->optional &&
	       (err == -ENOENT || err == -ENOTDIR || err == -ETIMEDOUT || err == -ESRCH);
}

static int change_path(struct policy *policy, const struct arguments *request, const char *path,
		       bool replace, const char *where)
{
	struct target target;
	bool missing;
	int err;

	err = target_open(policy, request, path, &target);
	if (!err && target.fd >= 0)
		err = file_check(target.fd, &target.stat);
	if (!err)
		err = change_target(policy, request, &target, replace);
	if (!err && target.fd >= 0)
		err = check_again(policy, request, &target);
	target_close(&target);
	if (!err)
		return 0;
	missing = may_be_missing(request, err);
	if (!missing || !request->quiet)
		change_failed(where, path, err);
	policy->missing += missing;
	if (missing && err == -ETIMEDOUT)
		keep_rule(policy, request, path);
	return missing ? 0 : err;
}

int change_request(struct policy *policy, struct arguments *request, bool replace,
		   const char *where, void (*step)(void *), void *arg)
{
	int i, err, failed = 0;

	patterns_keep(policy, request);
	if (request->who.count)
		failed = request_set(policy, request, where);
	/* A rule for only those subjects that exist would be another rule. */
	if (may_be_missing(request, failed)) {
		policy->missing += request->nr_paths;
		for (i = 0; failed == -ETIMEDOUT && i < request->nr_paths; i++)
			keep_rule(policy, request, request->paths[i]);
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
