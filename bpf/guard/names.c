// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names that rules and executables are for: finding them, putting a rule in force at one, and
 * cleaning up after files were made at them (the map "fresh": see maps.bpf.h).
 *
 * A name is the directory that a path leads to, which gets an id in the map "subjects", and the
 * last component, behind all symbolic links. There need not be a file. To change anything, the
 * caller holds the lock (pins.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* The id of an open file, which gets one if it has none. */
int subject_id(struct policy *policy, int fd, const char *path, __u32 *id)
{
	struct guard *guard = policy->guard;
	int err;

	err = entry_get(guard->subjects, fd, id);
	if (err != -ENOENT)
		return err;
	*id = next_id(policy);
	text_add(policy, *id, path, "");
	index_put(&policy->texts, *id, xstrdup(path));
	err = entry_update(guard->subjects, fd, id, BPF_NOEXIST);
	return map_no_room(err, "executables and directories with names of rules", guard->subjects);
}

/*
 * The directory that was opened last, since successive paths usually are in the same one: the path
 * that led there, the real path, the descriptor, and whether names there ignore case. Valid until
 * the change of the policy ends.
 */
static struct {
	char *path;
	char *real;
	int fd;
	bool folds_case;
} last;

static void forget_last(void)
{
	if (!last.path)
		return;
	close(last.fd);
	free(last.path);
	free(last.real);
	last.path = NULL;
}

void names_forget(void)
{
	forget_last();
	filesystems_forget();
}

void name_key(const struct guard *guard, const char *name, struct guard_leaf_key *key)
{
	size_t length = strlen(name), step;
	__u64 hash = guard_hash_begin(guard->state->seed, length), word;

	memset(key, 0, sizeof(*key));
	key->length = length;
	for (; length; length -= step, name += step) {
		step = length < GUARD_WORD ? length : GUARD_WORD;
		word = 0;
		memcpy(&word, name, step);
		hash = guard_hash_step(hash, guard_word(word));
	}
	key->hash = guard_hash_end(hash);
}

void place_close(struct place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	free(place->directory);
	place->fd = -1;
	place->directory = NULL;
}

char *name_below(const char *directory, const char *name)
{
	return xasprintf("%s/%s", directory[1] ? directory : "", name);
}

char *link_target(const char *directory, const char *name)
{
	char *path = name_below(directory, name), *target = NULL;
	struct stat stat;
	int fd;

	fd = path_open(path, O_NOFOLLOW);
	if (fd >= 0 && !file_stat(fd, &stat) && S_ISLNK(stat.st_mode))
		target = path_read_link(path);
	if (fd >= 0)
		close(fd);
	free(path);
	return target;
}

/* Open the directory of a path, and find its real path; splits @path. */
static int open_directory(char *path, struct place *place, char **name)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
	*name = slash + 1;
	if (!last.path || strcmp(last.path, path)) {
		forget_last();
		last.fd = path_open(*path ? path : "/", O_DIRECTORY);
		if (last.fd < 0)
			return last.fd;
		last.path = xstrdup(path);
		last.real = path_of_fd(last.fd);
		last.folds_case = directory_folds_case(last.fd);
	}
	if (!last.real)
		return -ENAMETOOLONG;
	/* A place may be in use while another is looked for. */
	place->fd = fcntl(last.fd, F_DUPFD_CLOEXEC, 0);
	if (place->fd < 0)
		return -errno;
	place->directory = xstrdup(last.real);
	return 0;
}

/* The real path of one that ends without a name, such as with "..": NULL and errno if it fails. */
static char *with_name(const char *path)
{
	int fd = path_open(path, 0);
	char *real;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	real = path_of_fd(fd);
	close(fd);
	return real;
}

/*
 * Find where a path leads, whether or not anything is there: behind symbolic links, except the
 * last one if @nofollow. Adds to @names the last component there, and those of the links before.
 * Returns 0, -EISDIR for the root directory, which has no name, -ENOTUNIQ if other names lead
 * there as well, which programs would not know, or another negative errno.
 */
static int place_find(const char *path, bool nofollow, struct place *place, struct array *names)
{
	char *at, *name, *target, *next;
	unsigned int links;
	int err = -ELOOP;

	memset(place, 0, sizeof(*place));
	place->fd = -1;
	/* From a pinned map that somebody else has made. */
	if (*path != '/')
		return -EINVAL;
	at = xstrdup(path);
	for (links = 0; links < LINKS_MAX; links++) {
		name = strrchr(at, '/') + 1;
		if (!*name || !strcmp(name, "..")) {
			next = with_name(at);
			err = next ? 0 : -errno;
			if (!err && !next[1])
				err = -EISDIR;
			free(at);
			at = next;
			if (err)
				break;
			nofollow = true;
		}
		err = open_directory(at, place, &name);
		string_add(names, xstrdup(name));
		target = err || nofollow ? NULL : link_target(place->directory, name);
		if (!target)
			break;
		next = *target == '/' ? xstrdup(target) : name_below(place->directory, target);
		free(target);
		free(at);
		place_close(place);
		at = next;
		err = -ELOOP;
	}
	if (!err && last.folds_case)
		err = -ENOTUNIQ;
	free(at);
	return err;
}

void place_names(const char *path, bool nofollow, struct array *names)
{
	struct place place;

	place_find(path, nofollow, &place, names);
	place_close(&place);
}

int place_open(const struct guard *guard, const char *path, bool nofollow, struct place *place)
{
	struct array names = {};
	int err;

	err = place_find(path, nofollow, place, &names);
	if (!err)
		name_key(guard, ((char **)names.items)[names.count - 1], &place->key);
	strings_free(&names);
	return err;
}

int name_check(const char *path, bool nofollow)
{
	struct place place;
	char *absolute = absolute_path(path);
	struct array names = {};
	int err;

	err = place_find(absolute, nofollow, &place, &names);
	place_close(&place);
	free(absolute);
	strings_free(&names);
	return err == -EISDIR ? 0 : err;
}

int leaf_write(const struct guard *guard, const struct guard_leaf_key *key,
	       const struct guard_leaf *leaf)
{
	int err = bpf_map_update_elem(guard->leaves, key, leaf, BPF_ANY) ? -errno : 0;

	return map_no_room(err, "names, and names on the way to these,", guard->leaves);
}

/* Read the leaf of a name, as it is or will be in force; returns whether there is one. */
static bool leaf_get(struct policy *policy, struct place *place, struct guard_leaf *leaf)
{
	struct guard *guard = policy->guard;

	memset(leaf, 0, sizeof(*leaf));
	return !entry_get(guard->subjects, place->fd, &place->key.dir) &&
	       !bpf_map_lookup_elem(guard->leaves, &place->key, leaf);
}

/* A leaf shares the text of its rule if the rule was given the same path. */
static void leaf_set_text(struct policy *policy, struct guard_leaf *leaf, const char *path,
			  const struct rule *rule)
{
	const char *text = index_get(&policy->texts, leaf->text);

	if (text && !strcmp(text, path))
		return;
	if (rule && !strcmp(rule->path, path)) {
		leaf->text = rule->body.text;
		return;
	}
	leaf->text = next_id(policy);
	text_add(policy, leaf->text, path, "");
	index_put(&policy->texts, leaf->text, xstrdup(path));
}

int follow_place(struct policy *policy, struct place *place, const char *path,
		 const struct rule *rule, __u32 subject)
{
	struct guard_leaf leaf = {};
	struct guard_entry *entry;
	int err;

	err = subject_id(policy, place->fd, place->directory, &place->key.dir);
	if (err)
		return err;
	leaf_get(policy, place, &leaf);
	entry = rule && rule->body.flags & GUARD_TREE ? &leaf.tree : &leaf.entry;
	if (rule && seal_keeps(policy, entry, rule->id))
		return 0;
	leaf_set_text(policy, &leaf, path, rule);
	if (rule)
		entry_set(entry, policy->generation, rule->id);
	if (subject)
		leaf.subject = subject;
	return leaf_write(policy->guard, &place->key, &leaf);
}

int follow_path(struct policy *policy, const char *path, bool nofollow, const struct rule *rule,
		__u32 subject)
{
	struct place place;
	int err;

	err = place_open(policy->guard, path, nofollow, &place);
	if (!err)
		err = follow_place(policy, &place, path, rule, subject);
	place_close(&place);
	return err == -EISDIR ? 0 : err;
}

/* Devices: see GUARD_DEVICE_DIR */

void device_set(struct guard_rule *body, const struct stat *stat)
{
	bool is_one = S_ISBLK(stat->st_mode) || S_ISCHR(stat->st_mode);

	body->device = is_one ? stat->st_mode & S_IFMT : 0;
	body->rdev = is_one ? major(stat->st_rdev) << 20 | minor(stat->st_rdev) : 0;
}

void rule_keep_device(struct rule *rule, const struct rule *old)
{
	rule->body.device = old->body.device;
	rule->body.rdev = old->body.rdev;
}

/* The key of a rule's device for an operation. Returns false if the rule has none. */
static bool device_key(const struct rule *rule, int op, struct guard_leaf_key *key)
{
	memset(key, 0, sizeof(*key));
	key->dir = GUARD_DEVICE_DIR;
	key->length = rule->body.device | op;
	key->hash = rule->body.rdev;
	return rule->body.device && !is_tree(rule) &&
	       rule->body.named & GUARD_DEVICE_OPS & 1U << op;
}

bool rule_has_device(const struct rule *rule, const struct guard_leaf_key *key)
{
	struct guard_leaf_key own;
	int op;

	for (op = 0; op < GUARD_OPS; op++)
		if (device_key(rule, op, &own) && !memcmp(&own, key, sizeof(own)))
			return true;
	return false;
}

static int follow_device_for(struct policy *policy, const struct rule *rule,
			     const struct guard_leaf_key *key)
{
	const struct guard *guard = policy->guard;
	struct guard_leaf leaf = {};

	bpf_map_lookup_elem(guard->leaves, key, &leaf);
	if (seal_keeps(policy, &leaf.entry, rule->id))
		return 0;
	entry_set(&leaf.entry, policy->generation, rule->id);
	return leaf_write(guard, key, &leaf);
}

int follow_device(struct policy *policy, const struct rule *rule)
{
	struct guard_leaf_key key;
	int op, err = 0;

	for (op = 0; op < GUARD_OPS && !err; op++)
		if (device_key(rule, op, &key))
			err = follow_device_for(policy, rule, &key);
	return err;
}

/* Names, again */

struct rule *place_rule(struct policy *policy, struct place *place, bool tree)
{
	struct guard_leaf leaf;

	if (!leaf_get(policy, place, &leaf))
		return NULL;
	return index_get(&policy->rule_by_id, entry_rule(tree ? &leaf.tree : &leaf.entry,
							 policy->generation + 1));
}

bool name_has_rule(struct policy *policy, const struct rule *rule, const char *path)
{
	bool tree = rule->body.flags & GUARD_TREE, has = false;
	struct guard_leaf leaf;
	struct place place;

	if (!place_open(policy->guard, path, rule->body.flags & GUARD_SYMLINK, &place) &&
	    leaf_get(policy, &place, &leaf))
		has = entry_rule(tree ? &leaf.tree : &leaf.entry, policy->generation) == rule->id;
	place_close(&place);
	return has;
}

/* Names at which a file was about to be made: see the map "fresh" in maps.bpf.h */

/* Whether an inode has no rule in a map: no entry, or what is left of a rule that was removed. */
static bool has_no_rule(int map, int fd, __u32 generation)
{
	struct guard_entry entry;
	int err = entry_get(map, fd, &entry);

	return err == -ENOENT || (!err && !entry_rule(&entry, generation));
}

/* Give the file at a name what the name has, as a program would have done. */
static int settle_file(struct policy *policy, int fd, const struct guard_leaf *leaf)
{
	__u32 rule = entry_rule(&leaf->entry, policy->generation), subject, named;
	__u32 tree = entry_rule(&leaf->tree, policy->generation);
	const struct guard *guard = policy->guard;
	const struct rule *for_tree = index_get(&policy->rule_by_id, tree);
	int op, err = 0;

	if (rule && has_no_rule(guard->maps[FILES_MAP], fd, policy->generation))
		err = entry_update(guard->maps[FILES_MAP], fd, &leaf->entry, BPF_ANY);
	named = for_tree ? for_tree->body.named : 0;
	for (op = 0; op < GUARD_OPS && !err; op++)
		if (named & (1U << op) && has_no_rule(guard->maps[op], fd, policy->generation))
			err = entry_update(guard->maps[op], fd, &leaf->tree, BPF_ANY);
	if (!err && leaf->subject && entry_get(guard->subjects, fd, &subject) == -ENOENT)
		err = entry_update(guard->subjects, fd, &leaf->subject, BPF_NOEXIST);
	return err == -EEXIST ? 0 : err;
}

/*
 * A task that makes a name holds the lock of its directory. Wait for that lock, by looking up a
 * name that nobody has given: afterwards the file is there, or will not be made.
 */
static int settle_name(struct policy *policy, const struct guard_leaf_key *key)
{
	const char *directory = index_get(&policy->texts, key->dir), *path;
	const struct guard *guard = policy->guard;
	struct place place = { .fd = -1 };
	struct guard_leaf leaf;
	int fd, err = 0;

	if (bpf_map_lookup_elem(guard->leaves, key, &leaf))
		return 0;
	path = index_get(&policy->texts, leaf.text);
	if (!directory || !path)
		return -ENOENT;
	err = place_open(guard, path, true, &place);
	if (!err && (entry_get(guard->subjects, place.fd, &place.key.dir) ||
		     memcmp(&place.key, key, sizeof(*key))))
		err = -ENOENT;
	if (!err)
		err = path_wait(place.fd, path);
	if (!err) {
		fd = path_open(path, O_NOFOLLOW);
		if (fd >= 0)
			err = settle_file(policy, fd, &leaf);
		if (fd >= 0)
			close(fd);
	}
	place_close(&place);
	return err;
}

/* If this fails, nothing is lost: decisions go on looking up names. */
void names_settle(struct policy *policy)
{
	const struct guard *guard = policy->guard;
	struct array keys = {}, values = {};
	__u64 *beyond = &guard->state->beyond;
	const struct guard_leaf_key *key;
	size_t i;

	if (!(__atomic_load_n(beyond, __ATOMIC_SEQ_CST) & GUARD_ALL_FRESH) ||
	    map_read(guard->fresh, sizeof(*key), sizeof(__u32), &keys, &values))
		goto out;
	for (i = 0; i < keys.count; i++) {
		key = (struct guard_leaf_key *)keys.items + i;
		/* Count anew what is made from now on; and count this name until it is settled. */
		__atomic_add_fetch(beyond, GUARD_FRESH, __ATOMIC_SEQ_CST);
		if (!bpf_map_delete_elem(guard->fresh, key))
			__atomic_sub_fetch(beyond, GUARD_FRESH, __ATOMIC_SEQ_CST);
		if (settle_name(policy, key) &&
		    !bpf_map_update_elem(guard->fresh, key, (__u32[]){ 1 }, BPF_NOEXIST))
			continue;
		__atomic_sub_fetch(beyond, GUARD_FRESH, __ATOMIC_SEQ_CST);
	}
out:
	free(keys.items);
	free(values.items);
}
