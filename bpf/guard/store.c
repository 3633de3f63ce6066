// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The maps that hold the policy, read and written in batches. Writers hold the lock (pins.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

/* Maximum number of elements that one system call reads or writes. */
#define BATCH	4096
/* Maximum number of elements that are read one by one. */
#define FEW	256

/* Maps */

static bool is_among(const struct array *keys, size_t size, const void *key)
{
	size_t i;

	for (i = 0; i < keys->count; i++)
		if (!memcmp((char *)keys->items + i * size, key, size))
			return true;
	return false;
}

/*
 * Read a hash map from key to key. Returns 0 at its end; -EAGAIN if it has more elements than FEW,
 * or if somebody deletes one meanwhile, since the walk begins again where its key is gone; or
 * another negative errno.
 */
static int map_read_few(int map, size_t key_size, size_t value_size, struct array *keys,
			struct array *values)
{
	void *last = NULL, *key = xcalloc(1, key_size);
	int err = 0;

	while (!err) {
		if (bpf_map_get_next_key(map, last, key)) {
			err = -errno;
		} else if (keys->count == FEW || is_among(keys, key_size, key)) {
			err = -EAGAIN;
		} else {
			last = memcpy(array_add(keys, key_size), key, key_size);
			if (bpf_map_lookup_elem(map, key, array_add(values, value_size)))
				err = errno == ENOENT ? -EAGAIN : -errno;
		}
	}
	free(key);
	return err == -ENOENT ? 0 : err;
}

static int map_read_batches(int map, size_t key_size, size_t value_size, struct array *keys,
			    struct array *values)
{
	size_t room = BATCH;
	__u64 position = 0;
	bool first = true;
	__u32 count;
	int err;

	for (;;) {
		keys->items = xrealloc(keys->items, (keys->count + room) * key_size);
		values->items = xrealloc(values->items, (values->count + room) * value_size);
		count = room;
		err = bpf_map_lookup_batch(map, first ? NULL : &position, &position,
					   (char *)keys->items + keys->count * key_size,
					   (char *)values->items + values->count * value_size,
					   &count, NULL) ? -errno : 0;
		if (err == -ENOSPC) {
			room *= 2;
			continue;
		}
		if (err && err != -ENOENT)
			return err;
		first = false;
		keys->count += count;
		values->count += count;
		keys->room = keys->count;
		values->room = values->count;
		if (err)
			return 0;
	}
}

/*
 * Read a whole hash map into empty arrays: 0 or a negative errno. The lock keeps the map from
 * changing meanwhile. Most maps have room for a million elements, and few: a batch takes more than
 * twice as many instructions to pass their empty buckets as a step to the next key.
 */
int map_read(int map, size_t key_size, size_t value_size, struct array *keys, struct array *values)
{
	int err = map_read_few(map, key_size, value_size, keys, values);

	if (err != -EAGAIN)
		return err;
	keys->count = 0;
	values->count = 0;
	return map_read_batches(map, key_size, value_size, keys, values);
}

int map_write(int map, const struct array *keys, const struct array *values, size_t key_size,
	      size_t value_size)
{
	size_t done = 0;
	__u32 count;

	while (done < keys->count) {
		count = keys->count - done < BATCH ? keys->count - done : BATCH;
		if (bpf_map_update_batch(map, (char *)keys->items + done * key_size,
					 (char *)values->items + done * value_size, &count, NULL))
			return -errno;
		done += count;
	}
	return 0;
}

/*
 * Step to the next entry of an inode map. A key of zeros begins the walk, since no entry has the
 * handle 0. Skips an entry that is deleted before its value is read. Returns 1, 0 at the end, or a
 * negative errno.
 */
int map_next(int map, struct inode_map_key *key, void *value)
{
	while (!bpf_map_get_next_key(map, key->handle ? key : NULL, key)) {
		if (!bpf_map_lookup_elem(map, key, value))
			return 1;
		if (errno != ENOENT)
			return -errno;
	}
	return errno == ENOENT ? 0 : -errno;
}

/* An entry that is gone counts as deleted. */
int map_delete_handle(int map, __u32 handle)
{
	struct inode_map_key key = { .fd = -1, .handle = handle };

	return bpf_map_delete_elem(map, &key) && errno != ENOENT ? -errno : 0;
}

int entry_get(int map, int fd, void *value)
{
	struct inode_map_key key = { .fd = fd };

	return bpf_map_lookup_elem(map, &key, value) ? -errno : 0;
}

int entry_update(int map, int fd, const void *value, __u64 flags)
{
	struct inode_map_key key = { .fd = fd };

	return bpf_map_update_elem(map, &key, value, flags) ? -errno : 0;
}

static void find_names(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	size_t i;

	for (i = 0; i < policy->rules.count; i++)
		index_put(&policy->rule_by_name, rules[i]->body.name, rules[i]);
	policy->named = true;
}

/* An id that is not in use, or reserved. The counter may wrap around while a machine runs. */
__u32 next_id(struct policy *policy)
{
	__u32 id;

	if (!policy->named)
		find_names(policy);
	do
		id = policy->guard->state->next++;
	while (!id || id == GUARD_PROTECTED || id == GUARD_DEVICE_DIR ||
	       index_get(&policy->rule_by_id, id) || index_get(&policy->set_by_id, id) ||
	       index_get(&policy->texts, id) || index_get(&policy->rule_by_name, id));
	return id;
}

/* Join them as in the map; a path without a label ends the text. */
char *text_join(const char *path, const char *label)
{
	size_t length = strlen(path);
	char *text = xcalloc(length + strlen(label) + 2, 1);

	strcpy(text, path);
	strcpy(text + length + 1, label);
	return text;
}

const char *text_label(const char *text)
{
	return text + strlen(text) + 1;
}

void text_add(struct policy *policy, __u32 id, const char *path, const char *label)
{
	size_t left = strlen(path) + 1 + (*label ? strlen(label) + 1 : 0), length;
	char *text = text_join(path, label), *from = text;
	struct guard_text_key *key;
	struct guard_text *value;
	__u32 index = 0;

	for (; left; from += length, left -= length) {
		key = array_add(&policy->new_text_keys, sizeof(*key));
		value = array_add(&policy->new_texts, sizeof(*value));
		length = left < sizeof(value->piece) ? left : sizeof(value->piece);
		key->text = id;
		key->index = index++;
		memcpy(value->piece, from, length);
	}
	free(text);
}

__u32 entry_rule(const struct guard_entry *entry, __u32 generation)
{
	__u32 best = 0, rule = 0;
	int slot;

	for (slot = 0; slot < 2; slot++)
		if (entry->generation[slot] <= generation && entry->generation[slot] > best) {
			best = entry->generation[slot];
			rule = entry->rule[slot];
		}
	return rule;
}

static int entry_valid_slot(const struct guard_entry *entry, __u32 generation)
{
	int newer = entry->generation[1] > entry->generation[0];

	return entry->generation[newer] <= generation ? newer : !newer;
}

/* Make an entry say @rule from the next generation on. */
void entry_set(struct guard_entry *entry, __u32 generation, __u32 rule)
{
	int slot = !entry_valid_slot(entry, generation);

	entry->generation[slot] = generation + 1;
	entry->rule[slot] = rule;
}

bool entry_is_pending(const struct guard_entry *entry, __u32 generation)
{
	return entry->generation[0] > generation || entry->generation[1] > generation;
}

/* Texts */

struct text_piece {
	struct guard_text_key key;
	const struct guard_text *value;
};

static int compare_pieces(const void *one, const void *other)
{
	const struct guard_text_key *a = one, *b = other;

	if (a->text != b->text)
		return a->text < b->text ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Join the text that begins with a piece; returns the number of its pieces. */
static size_t join_text(const struct text_piece *pieces, size_t left, char **text)
{
	size_t count = 1, i;

	while (count < left && pieces[count].key.text == pieces->key.text)
		count++;
	/* An empty label may begin after the last zero. */
	*text = xcalloc(count * GUARD_CHUNK + 2, 1);
	for (i = 0; i < count; i++)
		memcpy(*text + i * GUARD_CHUNK, pieces[i].value->piece, GUARD_CHUNK);
	return count;
}

static int load_texts(struct guard *guard, struct policy *policy)
{
	struct array keys = {}, values = {};
	struct text_piece *pieces;
	size_t i, count;
	char *text;
	int err;

	err = map_read(guard->texts, sizeof(struct guard_text_key), sizeof(struct guard_text),
		       &keys, &values);
	pieces = xcalloc(keys.count + 1, sizeof(*pieces));
	for (i = 0; i < keys.count; i++) {
		pieces[i].key = ((struct guard_text_key *)keys.items)[i];
		pieces[i].value = (struct guard_text *)values.items + i;
	}
	qsort(pieces, keys.count, sizeof(*pieces), compare_pieces);
	for (i = 0; i < keys.count; i += count) {
		count = join_text(pieces + i, keys.count - i, &text);
		index_put(&policy->texts, pieces[i].key.text, text);
	}
	free(pieces);
	free(keys.items);
	free(values.items);
	return err;
}

/* Rules and sets */

/*
 * Load only the rule in force of those with the same name. Read the texts after the rules, since
 * they are written before them: a watcher holds no lock.
 */
static int load_rules(struct guard *guard, struct policy *policy)
{
	struct array keys = {}, values = {};
	struct guard_rule *bodies, *body, *best;
	struct index by_name = {};
	const char *text;
	struct rule *rule;
	size_t i;
	int err;

	err = map_read(guard->rules, sizeof(__u32), sizeof(struct guard_rule), &keys, &values);
	if (!err)
		err = load_texts(guard, policy);
	bodies = values.items;
	for (i = 0; i < keys.count; i++) {
		body = &bodies[i];
		best = index_get(&by_name, body->name);
		if (body->generation <= policy->generation &&
		    (!best || best->generation < body->generation))
			index_put(&by_name, body->name, body);
	}
	for (i = 0; i < keys.count; i++) {
		body = &bodies[i];
		if (index_get(&by_name, body->name) != body || body->flags & GUARD_REMOVED)
			continue;
		rule = xcalloc(1, sizeof(*rule));
		rule->id = ((__u32 *)keys.items)[i];
		rule->body = *body;
		text = index_get(&policy->texts, body->text);
		rule->path = xstrdup(text ?: "?");
		rule->label = xstrdup(text ? text_label(text) : "");
		*(struct rule **)array_add(&policy->rules, sizeof(rule)) = rule;
		index_put(&policy->rule_by_id, rule->id, rule);
	}
	index_free(&by_name);
	free(keys.items);
	free(values.items);
	return err;
}

void rule_add_name(struct rule *rule, const char *path)
{
	char **names = rule->names.items;
	size_t i;

	for (i = 0; i < rule->names.count; i++)
		if (!strcmp(names[i], path))
			return;
	string_add(&rule->names, xstrdup(path));
}

bool rule_is_gone(const struct rule *rule)
{
	int index;

	for (index = 0; index < RULE_MAPS; index++)
		if (rule->handle[index])
			return false;
	return true;
}

/* Load the paths that rules for names were given. */
static int load_names(struct guard *guard, struct policy *policy)
{
	struct array keys = {}, values = {};
	const struct guard_leaf *leaf;
	const char *path;
	struct rule *rule;
	size_t i;
	int err;

	err = map_read(guard->leaves, sizeof(struct guard_leaf_key), sizeof(*leaf), &keys,
		       &values);
	for (i = 0; i < keys.count; i++) {
		leaf = (struct guard_leaf *)values.items + i;
		path = index_get(&policy->texts, leaf->text);
		rule = index_get(&policy->rule_by_id,
				 entry_rule(&leaf->entry, policy->generation));
		if (rule && path)
			rule_add_name(rule, path);
		rule = index_get(&policy->rule_by_id,
				 entry_rule(&leaf->tree, policy->generation));
		if (rule && path)
			rule_add_name(rule, path);
	}
	free(keys.items);
	free(values.items);
	return err;
}

static int load_sets(struct guard *guard, struct policy *policy)
{
	struct array keys = {}, values = {};
	const struct guard_member *keyed;
	struct set *set, **sets;
	struct member member;
	size_t i;
	int err;

	err = map_read(guard->members, sizeof(*keyed), sizeof(__u32), &keys, &values);
	for (i = 0; i < keys.count; i++) {
		keyed = (struct guard_member *)keys.items + i;
		if (keyed->set == GUARD_PROTECTED || keyed->kind >= GUARD_KINDS)
			continue;
		set = index_get(&policy->set_by_id, keyed->set) ?: set_add(policy, keyed->set);
		member = (struct member){
			.kind = keyed->kind, .subject = keyed->subject,
			.text = ((__u32 *)values.items)[i],
		};
		set_add_member(set, &member);
	}
	sets = policy->sets.items;
	for (i = 0; i < policy->sets.count; i++)
		qsort(sets[i]->members.items, sets[i]->members.count, sizeof(member),
		      compare_members);
	free(keys.items);
	free(values.items);
	return err;
}

int policy_load(struct guard *guard, struct policy *policy)
{
	int err;

	memset(policy, 0, sizeof(*policy));
	policy->guard = guard;
	policy->generation = __atomic_load_n(&guard->state->generation, __ATOMIC_ACQUIRE);
	err = load_rules(guard, policy);
	if (!err)
		err = load_names(guard, policy);
	return err ?: load_sets(guard, policy);
}

void policy_free(struct policy *policy)
{
	struct rule **rules = policy->rules.items;
	struct set **sets = policy->sets.items;
	size_t i;

	for (i = 0; i < policy->rules.count; i++) {
		strings_free(&rules[i]->names);
		free(rules[i]->path);
		free(rules[i]->label);
		free(rules[i]);
	}
	for (i = 0; i < policy->sets.count; i++) {
		free(sets[i]->members.items);
		free(sets[i]);
	}
	names_forget();
	for (i = 0; policy->texts.slots && i <= policy->texts.mask; i++)
		free(policy->texts.slots[i].item);
	index_free(&policy->texts);
	index_free(&policy->rule_by_id);
	index_free(&policy->rule_by_path);
	index_free(&policy->rule_by_name);
	index_free(&policy->set_by_id);
	free(policy->rules.items);
	free(policy->sets.items);
	free(policy->doomed.items);
	free(policy->new_text_keys.items);
	free(policy->new_texts.items);
	memset(policy, 0, sizeof(*policy));
}

int policy_walk(struct policy *policy)
{
	struct guard_entry entry;
	struct inode_map_key key;
	struct rule *rule;
	int index, err;

	if (policy->walked)
		return 0;
	for (index = 0; index < RULE_MAPS; index++) {
		memset(&key, 0, sizeof(key));
		while ((err = map_next(policy->guard->maps[index], &key, &entry)) > 0) {
			rule = index_get(&policy->rule_by_id,
					 entry_rule(&entry, policy->generation));
			/* Files that had the name of a rule before may have it, too. */
			if (!rule || rule->handle[index])
				continue;
			rule->handle[index] = key.handle;
			rule->dev = key.dev;
			rule->ino = key.ino;
		}
		if (err)
			return err;
	}
	policy->walked = true;
	return 0;
}
