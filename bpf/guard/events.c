// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Events: accesses that were denied, from the ring buffer.
 *
 * The programs report where a file is within its filesystem. Here the path is completed by the
 * mount that has most of it in this mount namespace. No lock is needed; only one process reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "events.h"

/* From include/linux/exportfs.h. */
#define FILEID_KERNFS	0xfe

/**
 * struct mount - a mount
 * @dev: device of the filesystem
 * @root: the directory of the filesystem that is mounted
 * @point: the mount point
 */
struct mount {
	__u32 dev;
	char *root;
	char *point;
};

/* Mounts */

static void forget_mounts(struct events *events)
{
	struct mount *mounts = events->mounts.items;
	size_t i;

	for (i = 0; i < events->mounts.count; i++) {
		free(mounts[i].root);
		free(mounts[i].point);
	}
	events->mounts.count = 0;
}

static void read_mounts(struct events *events)
{
	struct mount_line line;
	struct mounts mounts;
	struct mount *mount;

	forget_mounts(events);
	mounts_begin(&mounts);
	while (mounts_next(&mounts, &line)) {
		mount = array_add(&events->mounts, sizeof(*mount));
		mount->dev = line.major << 20 | line.minor;
		mount->root = xstrdup(line.root);
		mount->point = xstrdup(line.point);
	}
	mounts_end(&mounts);
}

static void refresh_mounts(struct events *events)
{
	struct pollfd poll_fd = { .fd = events->mounts_fd, .events = POLLPRI };

	if (!events->mounts.count || poll(&poll_fd, 1, 0) > 0)
		read_mounts(events);
}

/* The rest of a path in a filesystem below the root of a mount, or NULL. */
static const char *below(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (!strcmp(root, "/"))
		return path;
	if (strncmp(path, root, length) || (path[length] && path[length] != '/'))
		return NULL;
	return path + length;
}

/* By the mount that has most of the filesystem, or the first of several. */
static char *mounted_path(struct events *events, __u32 dev, const char *path)
{
	const struct mount *mounts, *best = NULL;
	const char *rest;
	char *result;
	size_t i;

	refresh_mounts(events);
	mounts = events->mounts.items;
	for (i = 0; i < events->mounts.count; i++)
		if (mounts[i].dev == dev && below(path, mounts[i].root) &&
		    (!best || strlen(mounts[i].root) < strlen(best->root)))
			best = &mounts[i];
	if (!best) {
		result = xcalloc(strlen(path) + 32, 1);
		sprintf(result, "[%u:%u]%s", dev >> 20, dev & 0xfffff, path);
		return result;
	}
	rest = below(path, best->root);
	result = xcalloc(strlen(best->point) + strlen(rest) + 2, 1);
	sprintf(result, "%s%s", strcmp(best->point, "/") ? best->point : "",
		strcmp(rest, "/") ? rest : "");
	if (!*result)
		strcpy(result, "/");
	return result;
}

/* Join the names to a path; the last name comes first. */
static char *place_path(struct events *events, const struct guard_place *place, const char *names,
			size_t room)
{
	size_t length = place->length < room ? place->length : room;
	char *path = xcalloc(length + 8, 1), *to = path, *result;
	const char *from = names + length, *end;

	if (!place->dev) {
		free(path);
		return xstrdup("");
	}
	if (place->cut)
		to += sprintf(to, "/...");
	while (from > names) {
		/* Zeros follow a name. */
		while (from > names && !from[-1])
			from--;
		for (end = from; from > names && from[-1];)
			from--;
		to += sprintf(to, "/%.*s", (int)(end - from), from);
	}
	if (to == path)
		strcpy(path, "/");
	result = mounted_path(events, place->dev, path);
	free(path);
	return result;
}

/* Rules */

static void forget_rules(struct events *events)
{
	size_t i;

	for (i = 0; events->rules.slots && i <= events->rules.mask; i++)
		free(events->rules.slots[i].item);
	index_free(&events->rules);
}

static void load_rules(struct events *events)
{
	struct policy policy;
	struct rule **rules;
	size_t i;

	/* Removed rules are not kept. */
	forget_rules(events);
	if (!policy_load(events->guard, &policy)) {
		rules = policy.rules.items;
		for (i = 0; i < policy.rules.count; i++)
			index_put(&events->rules, rules[i]->id,
				  text_join(rules[i]->path, rules[i]->label));
	}
	policy_free(&policy);
}

/* The rule's path; the label follows it. */
static const char *rule_text(struct events *events, __u32 id)
{
	if (!id)
		return "\0";
	if (!index_get(&events->rules, id)) {
		load_rules(events);
		/* Don't look for a removed rule again. */
		if (!index_get(&events->rules, id))
			index_put(&events->rules, id, text_join("?", ""));
	}
	return index_get(&events->rules, id);
}

/* Cgroups */

/* Open the unified hierarchy, mounted alone or beside the first version's. */
static int open_cgroups(void)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		fd = open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* The inode number of a cgroup's directory, as a handle. */
struct cgroup_handle {
	struct file_handle handle;
	__u64 id;
};

/* The path of a cgroup in the hierarchy, to be freed; "" if it does not exist any more. */
static char *cgroup_path(const struct events *events, __u64 id)
{
	struct cgroup_handle handle = { .handle = { sizeof(id), FILEID_KERNFS }, .id = id };
	char *path = NULL, *root = path_of_fd(events->cgroups), *result = NULL;
	int fd = -1;

	if (root && id)
		fd = open_by_handle_at(events->cgroups, &handle.handle, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		path = path_of_fd(fd);
	if (path && !strncmp(path, root, strlen(root)))
		result = xstrdup(path[strlen(root)] ? path + strlen(root) : "/");
	if (fd >= 0)
		close(fd);
	free(path);
	free(root);
	return result ?: xstrdup("");
}

/* Events */

/* The time of an event, by the current time of day. */
static void time_text(__u64 since_boot, char *text, size_t size)
{
	struct timespec day, boot;
	__u64 now;
	time_t seconds;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &day);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	now = day.tv_sec * 1000000000ULL + day.tv_nsec;
	now -= boot.tv_sec * 1000000000ULL + boot.tv_nsec - since_boot;
	seconds = now / 1000000000;
	gmtime_r(&seconds, &tm);
	size -= strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + strlen(text), size, ".%09lluZ", (unsigned long long)now % 1000000000);
}

/* Fill in a denial for one of the event's operations. */
static void fill_denial(struct events *events, const struct guard_event *event, int op,
			struct denial *denial)
{
	bool tried = event->tried & (1U << op);

	denial->id = tried ? event->tried_rule : event->rule;
	denial->cut = event->file.cut || event->exe.cut;
	denial->name = event->name;
	denial->op = op;
	denial->pid = event->pid;
	denial->uid = event->uid;
	denial->parent = event->parent;
	denial->login = event->login;
	denial->session = event->session;
	denial->fsuid = event->fsuid;
	denial->fsgid = event->fsgid;
	denial->unseen = event->unseen;
	denial->cgroup = event->cgroup;
	denial->audit = tried || event->audit;
	memset(denial->command, 0, sizeof(denial->command));
	memcpy(denial->command, event->command, sizeof(event->command));
	memset(denial->parent_command, 0, sizeof(denial->parent_command));
	memcpy(denial->parent_command, event->parent_command, sizeof(event->parent_command));
	denial->rule = rule_text(events, denial->id);
	denial->label = text_label(denial->rule);
}

static int handle_event(void *context, void *data, size_t size)
{
	const struct guard_event *event = data;
	struct events *events = context;
	struct denial denial;
	char *path, *exe, *cgroup;
	__u32 ops;
	int op;

	if (events->discard || size < sizeof(*event))
		return 0;
	ops = (event->ops | event->tried) & (GUARD_ALL | 1U << GUARD_CONTROL);
	path = place_path(events, &event->file, event->path, sizeof(event->path));
	exe = place_path(events, &event->exe, event->exe_path, sizeof(event->exe_path));
	cgroup = cgroup_path(events, event->cgroup);
	denial.cgroup_path = cgroup;
	denial.path = path;
	denial.exe = exe;
	time_text(event->time, denial.time, sizeof(denial.time));
	for (op = 0; op <= GUARD_CONTROL; op++) {
		if (!(ops & 1U << op))
			continue;
		fill_denial(events, event, op, &denial);
		events->denied(events->context, &denial);
	}
	free(path);
	free(exe);
	free(cgroup);
	return 0;
}

static void tell_dropped(struct events *events)
{
	__u64 dropped = __atomic_load_n(&events->guard->state->dropped, __ATOMIC_RELAXED);

	if (dropped == events->told)
		return;
	events->dropped(events->context, dropped - events->told);
	events->told = dropped;
}

int events_open(struct events *events)
{
	int only;

	events->only = -1;
	events->mounts_fd = -1;
	events->cgroups = -1;
	only = guard_watch_open();
	if (only < 0 || flock(only, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			error("somebody else is watching");
		else
			error("cannot take the right to watch: %s", reason(-errno));
		if (only >= 0)
			close(only);
		return -1;
	}
	events->only = only;
	events->mounts_fd = open(MOUNTS, O_RDONLY | O_CLOEXEC);
	events->cgroups = open_cgroups();
	events->ring = ring_buffer__new(events->guard->events, handle_event, events, NULL);
	if (!events->ring) {
		error("cannot watch: %s", reason(-errno));
		return -1;
	}
	/* Discard events from before, which a watcher that crashed has left. */
	events->discard = true;
	ring_buffer__consume(events->ring);
	events->discard = false;
	events->told = events->guard->state->dropped;
	__atomic_store_n(&events->guard->state->watching, 1, __ATOMIC_SEQ_CST);
	return 0;
}

int events_poll(struct events *events, int milliseconds)
{
	int err = ring_buffer__poll(events->ring, milliseconds);

	if (err < 0 && err != -EINTR)
		return err;
	tell_dropped(events);
	return 0;
}

void events_close(struct events *events)
{
	if (events->ring) {
		__atomic_store_n(&events->guard->state->watching, 0, __ATOMIC_SEQ_CST);
		ring_buffer__consume(events->ring);
		tell_dropped(events);
	}
	ring_buffer__free(events->ring);
	forget_rules(events);
	forget_mounts(events);
	free(events->mounts.items);
	if (events->mounts_fd >= 0)
		close(events->mounts_fd);
	if (events->cgroups >= 0)
		close(events->cgroups);
	if (events->only >= 0)
		close(events->only);
}
