// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Watching: events as they happen, from the ring buffer.
 *
 * The programs tell where a file is within its filesystem; the path is completed here, by the first
 * mount of it that this mount namespace has.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "tool.h"

#define MOUNTS	"/proc/self/mountinfo"

/**
 * struct mount - a mount
 * @dev: of the filesystem
 * @root: what of it is mounted
 * @point: where
 */
struct mount {
	__u32 dev;
	char *root;
	char *point;
};

/**
 * struct watch - a watch
 * @guard: the guard
 * @json: whether events are shown as JSON
 * @discard: whether what comes is from before
 * @dropped: how many have been said to be dropped
 * @rules: paths of rules, by id
 * @mounts: of struct mount
 * @mounts_fd: tells when these change
 */
struct watch {
	struct guard guard;
	bool json;
	bool discard;
	__u64 dropped;
	struct index rules;
	struct array mounts;
	int mounts_fd;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = signal;
}

/* Mounts */

/* Octal escapes, in place. */
static void unescape_mount(char *text)
{
	char *to = text;

	for (; *text; text++, to++) {
		if (*text == '\\' && text[1] && text[2] && text[3]) {
			*to = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 3;
		} else {
			*to = *text;
		}
	}
	*to = '\0';
}

static void forget_mounts(struct watch *watch)
{
	struct mount *mounts = watch->mounts.items;
	size_t i;

	for (i = 0; i < watch->mounts.count; i++) {
		free(mounts[i].root);
		free(mounts[i].point);
	}
	watch->mounts.count = 0;
}

static void read_mounts(struct watch *watch)
{
	FILE *file = fopen(MOUNTS, "re");
	unsigned int major, minor;
	struct mount *mount;
	char *line = NULL;
	char *root, *point;
	size_t size = 0;

	forget_mounts(watch);
	while (file && getline(&line, &size, file) > 0) {
		if (sscanf(line, "%*d %*d %u:%u %ms %ms", &major, &minor, &root, &point) != 4)
			continue;
		unescape_mount(root);
		unescape_mount(point);
		mount = array_add(&watch->mounts, sizeof(*mount));
		mount->dev = major << 20 | minor;
		mount->root = root;
		mount->point = point;
	}
	free(line);
	if (file)
		fclose(file);
}

static void refresh_mounts(struct watch *watch)
{
	struct pollfd poll_fd = { .fd = watch->mounts_fd, .events = POLLPRI };

	if (!watch->mounts.count || poll(&poll_fd, 1, 0) > 0)
		read_mounts(watch);
}

/* What is left of a path in a filesystem below the root of a mount, or NULL. */
static const char *below(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (!strcmp(root, "/"))
		return path;
	if (strncmp(path, root, length) || (path[length] && path[length] != '/'))
		return NULL;
	return path + length;
}

/* The mount that has most of the filesystem, of those the first. */
static char *mounted_path(struct watch *watch, __u32 dev, const char *path)
{
	const struct mount *mounts, *best = NULL;
	const char *rest;
	char *result;
	size_t i;

	refresh_mounts(watch);
	mounts = watch->mounts.items;
	for (i = 0; i < watch->mounts.count; i++)
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

/* The path that the names make, the last first. */
static char *place_path(struct watch *watch, const struct guard_place *place, const char *names,
			size_t room)
{
	size_t length = place->length < room ? place->length : room;
	char *path = xcalloc(length + 8, 1), *to = path, *result;
	const char *from = names + length;

	if (!place->dev) {
		free(path);
		return xstrdup("");
	}
	if (place->cut)
		to += sprintf(to, "/...");
	while (from > names) {
		/* Behind a name there is a zero. */
		for (from--; from > names && from[-1]; from--)
			;
		to += sprintf(to, "/%s", from);
	}
	if (to == path)
		strcpy(path, "/");
	result = mounted_path(watch, place->dev, path);
	free(path);
	return result;
}

/* Rules */

static void forget_rules(struct watch *watch)
{
	size_t i;

	for (i = 0; watch->rules.slots && i <= watch->rules.mask; i++)
		free(watch->rules.slots[i].item);
	index_free(&watch->rules);
}

static void load_rules(struct watch *watch)
{
	struct policy policy;
	struct rule **rules;
	size_t i;

	/* Those that are no more are not kept. */
	forget_rules(watch);
	if (!policy_load(&watch->guard, &policy)) {
		rules = policy.rules.items;
		for (i = 0; i < policy.rules.count; i++)
			index_put(&watch->rules, rules[i]->id, xstrdup(rules[i]->path));
	}
	policy_free(&policy);
}

static const char *rule_path(struct watch *watch, __u32 id)
{
	if (!id)
		return "";
	if (!index_get(&watch->rules, id)) {
		load_rules(watch);
		/* One that has been removed is not looked for again. */
		if (!index_get(&watch->rules, id))
			index_put(&watch->rules, id, xstrdup("?"));
	}
	return index_get(&watch->rules, id);
}

/* Events */

/* Of an event, in this machine's idea of the time of day now. */
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

static void print_event(const struct watch *watch, const struct guard_event *event, int op,
			const char *time, const char *path, const char *exe, const char *rule)
{
	const char *verdict = event->audit ? "audit" : "denied";
	char command[sizeof(event->command) + 1] = "";

	memcpy(command, event->command, sizeof(event->command));
	if (!watch->json) {
		printf("%s %s %s ", time, verdict, op_names[op]);
		put_word(stdout, path);
		printf(" pid=%u uid=%u command=", event->pid, event->uid);
		put_word(stdout, command);
		printf(" executable=");
		put_word(stdout, exe);
		printf(" rule=");
		put_word(stdout, rule);
		putchar('\n');
		return;
	}
	printf("{\"time\":\"%s\",\"pid\":%u,\"uid\":%u,\"command\":", time, event->pid, event->uid);
	put_json(stdout, command);
	printf(",\"executable\":");
	put_json(stdout, exe);
	printf(",\"operation\":\"%s\",\"path\":", op_names[op]);
	put_json(stdout, path);
	printf(",\"rule\":");
	put_json(stdout, rule);
	printf(",\"verdict\":\"%s\"}\n", verdict);
}

static int handle_event(void *context, void *data, size_t size)
{
	const struct guard_event *event = data;
	struct watch *watch = context;
	char *path, *exe, time[64];
	int op;

	if (watch->discard || size < sizeof(*event))
		return 0;
	path = place_path(watch, &event->file, event->path, sizeof(event->path));
	exe = place_path(watch, &event->exe, event->exe_path, sizeof(event->exe_path));
	time_text(event->time, time, sizeof(time));
	for (op = 0; op < GUARD_OPS; op++)
		if (event->ops & (1U << op))
			print_event(watch, event, op, time, path, exe,
				    rule_path(watch, event->rule));
	free(path);
	free(exe);
	return 0;
}

static void tell_dropped(struct watch *watch)
{
	__u64 dropped = __atomic_load_n(&watch->guard.state->dropped, __ATOMIC_RELAXED);

	if (dropped == watch->dropped)
		return;
	printf(watch->json ? "{\"dropped\":%llu}\n" : "%llu events dropped\n",
	       (unsigned long long)(dropped - watch->dropped));
	watch->dropped = dropped;
}

static int watch_events(struct watch *watch, struct ring_buffer *ring)
{
	int err;

	/* What one who watched before, and crashed, has left. */
	watch->discard = true;
	ring_buffer__consume(ring);
	watch->discard = false;
	watch->dropped = watch->guard.state->dropped;
	__atomic_store_n(&watch->guard.state->watching, 1, __ATOMIC_SEQ_CST);
	while (!interrupted && !guard_is_over(&watch->guard)) {
		err = ring_buffer__poll(ring, 200);
		if (err < 0 && err != -EINTR)
			return err;
		tell_dropped(watch);
		if (fflush(stdout))
			return -errno;
	}
	__atomic_store_n(&watch->guard.state->watching, 0, __ATOMIC_SEQ_CST);
	ring_buffer__consume(ring);
	tell_dropped(watch);
	return 0;
}

static void catch_signals(void)
{
	const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = interrupt };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

int guard_watch(bool json)
{
	struct watch watch = { .json = json };
	struct ring_buffer *ring;
	int ret, only, err;

	ret = guard_open(&watch.guard, false);
	if (ret)
		return ret;
	close(watch.guard.lock);
	watch.guard.lock = -1;
	only = open(guard_watch_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (only < 0 || flock(only, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			error("somebody else is watching");
		else
			error("%s: %s", guard_watch_dir, reason(-errno));
		if (only >= 0)
			close(only);
		guard_close(&watch.guard);
		return EXIT_FAILURE;
	}
	catch_signals();
	watch.mounts_fd = open(MOUNTS, O_RDONLY | O_CLOEXEC);
	ring = ring_buffer__new(watch.guard.events, handle_event, &watch, NULL);
	err = ring ? watch_events(&watch, ring) : -errno;
	if (err && err != -EPIPE)
		error("cannot watch: %s", reason(err));
	ring_buffer__free(ring);
	__atomic_store_n(&watch.guard.state->watching, 0, __ATOMIC_SEQ_CST);
	forget_rules(&watch);
	forget_mounts(&watch);
	free(watch.mounts.items);
	close(watch.mounts_fd);
	close(only);
	guard_close(&watch.guard);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
