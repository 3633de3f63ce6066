// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The subjects that rules are only for: finding executables, users, groups and cgroups, and making
 * the sets that rules name (who.bpf.h). To change the policy, the caller holds the lock (pins.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tool.h"

/* Finding them */

/* Open an executable: a descriptor, -ENOEXEC if it is not one, or another negative errno. */
static int exe_open(const char *path)
{
	int fd = path_open(path, 0), err = 0;
	struct stat stat;

	if (fd < 0)
		return fd;
	err = file_stat(fd, &stat);
	if (!err && (!S_ISREG(stat.st_mode) || !(stat.st_mode & 0111)))
		err = -ENOEXEC;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Parse a number that is given for a user or group; the highest number is invalid. */
static int parse_id(const char *text, __u32 *id)
{
	return *text < '0' || *text > '9' || number_parse(text, 0, UINT32_MAX - 1, id) ? -ESRCH : 0;
}

static int find_user(const char *name, __u32 *id)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return parse_id(name, id);
	*id = user->pw_uid;
	return 0;
}

static int find_group(const char *name, __u32 *id)
{
	const struct group *group = getgrnam(name);

	if (!group)
		return parse_id(name, id);
	*id = group->gr_gid;
	return 0;
}

/* The kernel's id of the root cgroup. */
#define ROOT_CGROUP	1

/*
 * Open the unified hierarchy, whether or not it is mounted anywhere: a descriptor, which stays
 * open, or a negative errno.
 */
static int open_cgroups(void)
{
	static int root = -1;
	struct stat stat;
	int context;

	if (root >= 0)
		return root;
	context = fsopen("cgroup2", FSOPEN_CLOEXEC);
	if (context < 0)
		return errno == ENODEV ? -EOPNOTSUPP : -errno;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		root = -errno;
	else
		root = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (root == -1)
		root = -errno;
	close(context);
	if (root >= 0 && (fstat(root, &stat) || stat.st_ino != ROOT_CGROUP)) {
		close(root);
		root = -EXDEV;
	}
	return root;
}

/*
 * A task that makes a cgroup holds the lock of the parent directory. This takes and releases it:
 * a cgroup whose making began before programs knew its path exists afterwards.
 */
static void wait_making(int root, const char *path)
{
	char *name = xasprintf("%.*s/.inode-guard-none", (int)(strrchr(path, '/') - path), path);

	unlinkat(root, name + 1, AT_REMOVEDIR);
	free(name);
}

int cgroup_find(const char *path, __u64 *id)
{
	int root = *path == '/' ? open_cgroups() : -EINVAL;
	struct stat stat;

	if (root < 0)
		return root;
	wait_making(root, path);
	if (fstatat(root, path[1] ? path + 1 : "", &stat, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -errno;
	if (!S_ISDIR(stat.st_mode))
		return -ENOTDIR;
	*id = stat.st_ino;
	return 0;
}

/* The path of a cgroup as the kernel reports it, to be freed; or NULL with an error. */
static char *cgroup_path(const char *text, int *err)
{
	char *slashed = xasprintf("/%s", text), *path = absolute_path(slashed);

	free(slashed);
	*err = strlen(path) >= GUARD_CGROUP_PATH ? -ENAMETOOLONG : 0;
	if (strstr(path, "/../") || (strlen(path) > 2 && !strcmp(path + strlen(path) - 3, "/..")))
		*err = -EINVAL;
	if (!*err)
		return path;
	free(path);
	return NULL;
}

static int check_cgroup(const char *text)
{
	int err = 0, root = open_cgroups();

	if (root < 0)
		return root;
	free(cgroup_path(text, &err));
	return err;
}

int who_check(const struct who *who)
{
	__u32 id;
	int fd;

	switch (who->kind) {
	case GUARD_BY_USER:
		return find_user(who->text, &id);
	case GUARD_BY_GROUP:
		return find_group(who->text, &id);
	case GUARD_BY_CGROUP:
		return check_cgroup(who->text);
	default:
		fd = exe_open(who->text);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : 0;
	}
}

void who_failed(const char *where, const struct who *who, int err)
{
	const char *why = reason(err);

	if (who->kind == GUARD_BY_EXE) {
		change_failed(where, who->text, err);
		return;
	}
	if (err == -ESRCH)
		why = who->kind == GUARD_BY_USER ? "there is no such user" :
						   "there is no such group";
	else if (err == -EOPNOTSUPP && who->kind == GUARD_BY_CGROUP)
		why = "the kernel has no cgroups";
	else if (err == -EXDEV)
		why = "cgroups are seen from a namespace of theirs, in which paths are others";
	else if (err == -EINVAL && who->kind == GUARD_BY_CGROUP)
		why = "not the path of a cgroup as in /proc/PID/cgroup";
	error("%s%s: %s", where, who->text, why);
}

/* Making them known to programs */

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

/* The hash that a program calculates of the path that the kernel reports (cgroup.bpf.h). */
static __u64 hash_path(const struct guard *guard, const char *path)
{
	size_t length = strlen(path), at, step;
	__u64 hash = guard_hash_begin(guard->state->seed, 0), word;

	for (at = 0; at <= length; at += GUARD_WORD) {
		step = length - at < GUARD_WORD ? length - at : GUARD_WORD;
		word = 0;
		memcpy(&word, path + at, step);
		hash = guard_hash_step(hash, guard_word(word));
	}
	return guard_hash_end(hash);
}

int cgroup_enter(struct policy *policy, __u32 subject, const char *path)
{
	__u64 id;
	int err = cgroup_find(path, &id);

	/* A program enters it when it is made. */
	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (!err && bpf_map_update_elem(policy->guard->cgroups, &id, &subject, BPF_ANY))
		err = map_no_room(-errno, "cgroups that are there", policy->guard->cgroups);
	return err;
}

/* Programs get the path before we look it up, so that no cgroup is made unseen in between. */
static int cgroup_subject(struct policy *policy, const char *text, __u32 *id)
{
	const struct guard *guard = policy->guard;
	char *path;
	__u64 hash;
	int err;

	path = cgroup_path(text, &err);
	if (err)
		return err;
	hash = hash_path(guard, path);
	if (bpf_map_lookup_elem(guard->cgroup_paths, &hash, id)) {
		*id = next_id(policy);
		text_add(policy, *id, path, "");
		index_put(&policy->texts, *id, xstrdup(path));
		__atomic_store_n(&guard->state->cgroups, 1, __ATOMIC_SEQ_CST);
		if (bpf_map_update_elem(guard->cgroup_paths, &hash, id, BPF_ANY))
			err = map_no_room(-errno, "cgroups", guard->cgroup_paths);
	}
	if (!err)
		err = cgroup_enter(policy, *id, path);
	free(path);
	return err;
}

/* Sets */

/**
 * struct wanted - a subject that a set is to have
 * @member: the subject, without a text if a number identifies it
 * @name: its name as the user gave it, in that case
 */
struct wanted {
	struct member member;
	const char *name;
};

/* Compare by kind and subject; struct wanted begins with a member, too. */
int compare_members(const void *one, const void *other)
{
	const struct member *a = one, *b = other;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->subject < b->subject ? -1 : a->subject > b->subject;
}

static int find_subject(struct policy *policy, const struct who *who, bool follow,
			struct wanted *wanted)
{
	struct member *member = &wanted->member;
	int err;

	member->kind = who->kind;
	switch (who->kind) {
	case GUARD_BY_USER:
		wanted->name = who->text;
		return find_user(who->text, &member->subject);
	case GUARD_BY_GROUP:
		wanted->name = who->text;
		return find_group(who->text, &member->subject);
	case GUARD_BY_CGROUP:
		err = check_cgroup(who->text);
		if (!err)
			err = cgroup_subject(policy, who->text, &member->subject);
		break;
	default:
		err = exe_subject(policy, who->text, follow, &member->subject);
	}
	member->text = member->subject;
	return err;
}

static void sort_wanted(struct array *wanted)
{
	struct wanted *items = wanted->items;
	size_t from, to = 0;

	qsort(items, wanted->count, sizeof(*items), compare_members);
	for (from = 0; from < wanted->count; from++)
		if (!to || compare_members(&items[from], &items[to - 1]))
			items[to++] = items[from];
	wanted->count = to;
}

static bool set_is(const struct policy *policy, const struct set *set, const struct array *wanted)
{
	const struct wanted *items = wanted->items;
	const struct member *members = set->members.items;
	const char *text;
	size_t i;

	if (set->members.count != wanted->count)
		return false;
	for (i = 0; i < wanted->count; i++) {
		if (compare_members(&members[i], &items[i].member))
			return false;
		text = items[i].name ? index_get(&policy->texts, members[i].text) : NULL;
		if (items[i].name && (!text || strcmp(text, items[i].name)))
			return false;
	}
	return true;
}

static struct set *find_set(struct policy *policy, const struct array *wanted)
{
	struct set **sets = policy->sets.items;
	size_t i;

	for (i = 0; i < policy->sets.count; i++)
		if (set_is(policy, sets[i], wanted))
			return sets[i];
	return NULL;
}

/* Store the name of a member under an id. */
static void name_member(struct policy *policy, struct member *member, const char *name)
{
	member->text = next_id(policy);
	text_add(policy, member->text, name, "");
	index_put(&policy->texts, member->text, xstrdup(name));
}

struct set *set_add(struct policy *policy, __u32 id)
{
	struct set *set = xcalloc(1, sizeof(*set));

	set->id = id;
	*(struct set **)array_add(&policy->sets, sizeof(set)) = set;
	index_put(&policy->set_by_id, id, set);
	return set;
}

void set_add_member(struct set *set, const struct member *member)
{
	*(struct member *)array_add(&set->members, sizeof(*member)) = *member;
	set->kinds |= 1U << member->kind;
}

int members_no_room(int err, const struct guard *guard)
{
	return map_no_room(err, "executables, users, groups and cgroups in rules, executables "
			   "counted twice,", guard->members);
}

static int set_make(struct policy *policy, const struct array *wanted, struct set **made)
{
	struct wanted *items = wanted->items;
	struct guard_member key = {};
	struct set *set;
	size_t i;

	set = *made = set_add(policy, next_id(policy));
	key.set = set->id;
	for (i = 0; i < wanted->count; i++) {
		if (items[i].name)
			name_member(policy, &items[i].member, items[i].name);
		set_add_member(set, &items[i].member);
		key.kind = items[i].member.kind;
		key.subject = items[i].member.subject;
		if (bpf_map_update_elem(policy->guard->members, &key, &items[i].member.text,
					BPF_ANY))
			return members_no_room(-errno, policy->guard);
	}
	return 0;
}

int request_set(struct policy *policy, struct arguments *request, const char *where)
{
	const struct who *who = request->who.items;
	struct array wanted = {};
	struct set *set;
	int err, failed = 0;
	size_t i;

	for (i = 0; i < request->who.count; i++) {
		err = find_subject(policy, &who[i], request->follow,
				   array_add(&wanted, sizeof(struct wanted)));
		if (err && (!request->quiet || (err != -ENOENT && err != -ESRCH)))
			who_failed(where, &who[i], err);
		failed = err ? err : failed;
	}
	if (failed)
		goto out;
	sort_wanted(&wanted);
	set = find_set(policy, &wanted);
	if (!set)
		failed = set_make(policy, &wanted, &set);
	if (failed)
		error("%s%s", where, reason(failed));
	else
		request->set = set;
out:
	free(wanted.items);
	return failed;
}
