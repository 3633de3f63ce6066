// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The ways to names: every directory and symbolic link that the path of a rule, of an executable
 * or of a pattern goes through. Their names are watched: programs report changes of them. The
 * service calls this before it looks up rules anew, under the lock (pins.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tool.h"

/**
 * struct way - a path that is followed step by step
 * @policy: the policy
 * @seen: the keys of the names on all ways, of struct guard_leaf_key
 * @waited: directories whose lock was waited for, by their ids
 * @links: number of symbolic links that were followed
 */
struct way {
	struct policy *policy;
	struct array *seen;
	struct index waited;
	unsigned int links;
};

/*
 * A program reports a change before a task makes it, which holds the directory's lock. After this
 * wait, changes that were reported before have been made, and others will be reported.
 */
static void wait_for_directory(struct way *way, int fd, const char *directory, __u32 id)
{
	char *name;

	if (index_get(&way->waited, id))
		return;
	name = name_below(directory, "");
	path_wait(fd, name);
	free(name);
	index_put(&way->waited, id, way);
}

/* Have the name @component in a directory watched. */
static int watch_name(struct way *way, int fd, const char *directory, const char *component)
{
	const struct guard *guard = way->policy->guard;
	struct guard_leaf_key key, *seen;
	struct guard_leaf leaf = {};
	int err;

	name_key(guard, component, &key);
	err = subject_id(way->policy, fd, directory, &key.dir);
	if (err)
		return err;
	seen = array_add(way->seen, sizeof(key));
	*seen = key;
	bpf_map_lookup_elem(guard->leaves, &key, &leaf);
	if (!leaf.watch) {
		leaf.watch = 1;
		err = leaf_write(guard, &key, &leaf);
	}
	if (!err)
		wait_for_directory(way, fd, directory, key.dir);
	return err;
}

/*
 * Go on from a directory, whose path is freed, as far as anything exists. The first name that does
 * not exist yet is watched, too.
 */
static int watch_way(struct way *way, char *directory, const char *path)
{
	char *component, *copy = xstrdup(path), *at = copy, *target, *next;
	int fd, err = 0;

	for (; !err && (component = strsep(&at, "/"));) {
		if (!*component || !strcmp(component, "."))
			continue;
		fd = path_open(directory, O_DIRECTORY);
		if (fd < 0)
			break;
		if (strcmp(component, ".."))
			err = watch_name(way, fd, directory, component);
		close(fd);
		target = err ? NULL : link_target(directory, component);
		if (target && way->links++ < LINKS_MAX) {
			next = xasprintf("%s/%s", target, at ?: "");
			err = watch_way(way, xstrdup(*target == '/' ? "/" : directory), next);
			free(next);
			free(target);
			break;
		}
		free(target);
		next = name_below(directory, component);
		free(directory);
		directory = next;
		fd = path_open(directory, 0);
		if (fd < 0)
			break;
			/* The real path, after a "..", too. */
		next = path_of_fd(fd);
		close(fd);
		if (!next)
			break;
		free(directory);
		directory = next;
	}
	free(directory);
	free(copy);
	return err;
}

static int compare_keys(const void *one, const void *other)
{
	return memcmp(one, other, sizeof(struct guard_leaf_key));
}

/* Stop watching names that no way goes through any more. */
static int unwatch(struct policy *policy, const struct array *seen)
{
	struct array keys = {}, values = {};
	int map = policy->guard->leaves, err;
	struct guard_leaf_key *key;
	struct guard_leaf *leaf;
	size_t i;

	err = map_read(map, sizeof(*key), sizeof(*leaf), &keys, &values);
	for (i = 0; i < keys.count && !err; i++) {
		key = (struct guard_leaf_key *)keys.items + i;
		leaf = (struct guard_leaf *)values.items + i;
		if (!leaf->watch || (seen->count && bsearch(key, seen->items, seen->count,
							    sizeof(*key), compare_keys)))
			continue;
		leaf->watch = 0;
		if (bpf_map_update_elem(map, key, leaf, BPF_EXIST) && errno != ENOENT)
			err = -errno;
	}
	free(keys.items);
	free(values.items);
	return err;
}

int names_watch(struct policy *policy, const struct array *paths)
{
	struct rule **rules = policy->rules.items;
	struct set **sets = policy->sets.items;
	const struct member *member;
	struct array seen = {};
	struct way way = { .policy = policy, .seen = &seen };
	const char *path;
	size_t i, j;
	int err = 0;

	for (i = 0; i < policy->rules.count && !err; i++)
		for (j = 0; j < rules[i]->names.count && !err; j++) {
			way.links = 0;
			err = watch_way(&way, xstrdup("/"), ((char **)rules[i]->names.items)[j]);
		}
	for (i = 0; i < policy->sets.count && !err; i++)
		for (j = 0; j < sets[i]->members.count && !err; j++) {
			member = (struct member *)sets[i]->members.items + j;
			path = index_get(&policy->texts, member->text);
			way.links = 0;
			if (path && member->kind == GUARD_BY_EXE)
				err = watch_way(&way, xstrdup("/"), path);
		}
	for (i = 0; i < paths->count && !err; i++) {
		way.links = 0;
		err = watch_way(&way, xstrdup("/"), ((char **)paths->items)[i]);
	}
	if (seen.count)
		qsort(seen.items, seen.count, sizeof(struct guard_leaf_key), compare_keys);
	if (!err)
		err = unwatch(policy, &seen);
	free(seen.items);
	index_free(&way.waited);
	return err;
}
