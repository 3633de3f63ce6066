// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The service. It has no policy of its own, and the guard works without it: if it is killed, at any
 * moment, the kernel goes on with the present rules. The service
 *
 *   - loads the module, starts the guard and applies the system's conf files, again on SIGHUP,
 *   - looks up the names of rules again when something on the path to one has changed: the programs
 *     report changed names, and /proc/self/mountinfo mounts,
 *   - retries paths that were missing when the files were applied,
 *   - writes denials to the journal, or to syslog, and to watchers.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "events.h"

/* Milliseconds after which to look at what no event reports. */
#define RETRY_TIME	30000
/* The same after a failure. It doubles with each further one, the first few times. */
#define FAILURE_TIME	1000L
#define FAILURES_MAX	5
/* Milliseconds to wait for a mount that was allowed. A slower one is seen when it appears. */
#define MOUNT_TIME	2000

/* The descriptors that the loop polls; those of the watchers come last. */
enum { SIGNALS, EVENTS, CHANGES, MOUNTED, MADE, WATCHERS };

/**
 * struct service - the service
 * @guard: the guard, opened without the lock
 * @events: its denials
 * @changes: its ring buffer of names that change
 * @changed: whether there is a change to look at
 * @generation: of the policy that was looked at
 * @hold: whether rules hold by name until a change has been followed
 * @mounts: the number of mounts and unmounts that have been followed
 * @mounted: whether the table of mounts has changed since
 * @since: when a mount was first seen to have begun that is not in the table, or 0; all times
 *         are in milliseconds
 * @missed: the programs' count of changes, when last looked at
 * @looked: when looking up names last began, or ended
 * @failures: how many changes in a row have failed
 * @refused: whether a line could not be applied in the change that is being made
 * @hurried: whether the last lookups had no time for some of them, because others hung
 * @conf: the system's files
 * @made: inotify instance for new files in the directories of patterns, or -1
 * @log: where denials are written to
 * @watchers: clients that watch denials
 */
struct service {
	struct guard guard;
	struct events events;
	struct ring_buffer *changes;
	bool changed;
	__u32 generation;
	bool hold;
	__u64 mounts;
	bool mounted;
	long since;
	__u64 missed;
	long looked;
	unsigned int failures;
	bool refused;
	bool hurried;
	struct conf conf;
	int made;
	struct log log;
	struct watchers watchers;
};

/* Events */

static void denied(void *context, const struct denial *denial)
{
	struct service *service = context;
	char *line;
	int json;

	log_denial(&service->log, denial);
	for (json = 0; json < 2; json++) {
		line = denial_line(denial, json);
		watchers_tell(&service->watchers, line, json);
		free(line);
	}
}

static void dropped(void *context, __u64 count)
{
	struct service *service = context;
	char line[64];
	FILE *file;
	int json;

	service->log.left_out += count;
	for (json = 0; json < 2; json++) {
		file = fmemopen(line, sizeof(line), "w");
		dropped_print(file, count, json);
		fclose(file);
		watchers_tell(&service->watchers, line, json);
	}
}

/* Rules */

static int count_change(void *context, void *data, size_t size)
{
	struct service *service = context;
	const struct guard_leaf_key *key = data;

	(void)key;
	if (size >= sizeof(*key))
		service->changed = true;
	return 0;
}

/* A line that could not be applied is left out for a while. */
static bool is_left_out(const struct service *service, const struct conf_line *line)
{
	return line->refused && service->looked - line->refused < RETRY_TIME;
}

/* Retry the lines of the conf files that name a missing path. All that fail are noted. */
static int retry_missing(struct service *service, struct policy *policy)
{
	struct conf_line *lines = service->conf.lines.items;
	size_t i, before;
	int err;

	for (i = 0; i < service->conf.lines.count; i++) {
		if (!lines[i].missing || is_left_out(service, &lines[i]))
			continue;
		before = policy->missing;
		lines[i].arguments.quiet = true;
		err = change_request(policy, &lines[i].arguments, false, "", NULL, NULL);
		lines[i].found = !err && policy->missing == before;
		lines[i].refused = err ? service->looked : 0;
		service->refused |= !!err;
	}
	return service->refused ? -EAGAIN : 0;
}

/*
 * What was found is not missing any more, if the change was made. If it could not be, though no
 * line failed, there may be no room for all that was found: leave that out, too.
 */
static void settle_missing(struct service *service, bool changed)
{
	struct conf_line *lines = service->conf.lines.items;
	bool no_room = !changed && !service->refused;
	size_t i;

	for (i = 0; i < service->conf.lines.count; i++) {
		if (!lines[i].found)
			continue;
		lines[i].found = false;
		lines[i].missing = !changed;
		lines[i].refused = no_room ? service->looked : 0;
		service->refused |= no_room;
	}
}

static void missing_paths(const struct service *service, struct array *paths)
{
	const struct conf_line *lines = service->conf.lines.items;
	size_t i;
	int j;

	for (i = 0; i < service->conf.lines.count; i++)
		for (j = 0; lines[i].missing && j < lines[i].arguments.nr_paths; j++)
			string_add(paths, absolute_path(lines[i].arguments.paths[j]));
}

static int refresh_all(struct policy *policy, void *context)
{
	struct service *service = context;
	struct array paths = {};
	int err;

	missing_paths(service, &paths);
	/* Watch first, so that no change after a lookup is missed. */
	err = names_watch(policy, &paths);
	if (!err)
		err = change_refresh(policy);
	if (!err && policy->guard->state->sealed != GUARD_SEAL_ALL)
		err = retry_missing(service, policy);
	if (!err && service->hold)
		err = names_hold(policy);
	strings_free(&paths);
	/* The generation after this change. */
	service->generation = policy->generation + policy->changed;
	return err;
}

/*
 * The number of mounts and unmounts that have begun but don't show in the table of mounts yet.
 * Those that fail never do.
 */
static unsigned long mounts_pending(struct service *service)
{
	__u64 begun = __atomic_load_n(&service->guard.state->mounts, __ATOMIC_SEQ_CST);

	if (begun == service->mounts)
		return 0;
	if (!service->since)
		service->since = milliseconds();
	if (!service->mounted && milliseconds() - service->since < MOUNT_TIME)
		return begun - service->mounts;
	service->mounts = begun;
	service->since = 0;
	return 0;
}

/* Look up all names and missing paths again. Failures have been reported. */
static void refresh(struct service *service)
{
	const struct guard_state *state = service->guard.state;
	unsigned long held = hold_count(&service->guard), pending = mounts_pending(service);
	__u32 generation = __atomic_load_n(&state->generation, __ATOMIC_SEQ_CST);
	struct policy ahead;
	bool done, hurried;
	int ret;

	service->changed = false;
	service->mounted = false;
	service->refused = false;
	service->looked = milliseconds();
	service->missed = __atomic_load_n(&state->changes, __ATOMIC_SEQ_CST);
	lookups_unlimit();
	patterns_watch(&service->conf, service->made);
	patterns_refresh(&service->conf);
	rules_look_up(&ahead);
	ret = change_policy(&ahead, refresh_all, service, NULL);
	done = !ret || ret == EXIT_MISSING;
	settle_missing(service, done);
	if (done && held > pending)
		hold_follow(&service->guard, held - pending);
	if (!done)
		service->generation = generation;
	service->failures = done ? 0 : service->failures + 1;
	/* Once more, without the lines that failed; or for what there was no time for. */
	hurried = lookups_unlimit();
	service->changed = service->refused || (hurried && !service->hurried);
	service->hurried = hurried;
}

/* How long to wait until names are looked up without an event. */
static long pause_time(const struct service *service)
{
	if (!service->failures || service->failures > FAILURES_MAX)
		return RETRY_TIME;
	return FAILURE_TIME << (service->failures - 1);
}

/* Turned off when the service ends: then nobody follows changes, so nothing must be held. */
static void set_hold(struct service *service, bool hold)
{
	struct guard_state *state = service->guard.state;

	service->hold = hold;
	service->mounts = __atomic_load_n(&state->mounts, __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->hold, hold, __ATOMIC_SEQ_CST);
	if (!hold)
		hold_follow(&service->guard, hold_count(&service->guard));
}

static bool has_conf(void)
{
	return !access(CONF_FILE, F_OK) || !access(CONF_DIR, F_OK);
}

/* Apply the system's files; missing paths are retried. Without any file, the rules stay. */
static int apply_files(struct service *service)
{
	struct conf conf = { .optional = true };
	int ret;

	if (!has_conf())
		return EXIT_SUCCESS;
	if (conf_read_system(&conf) || conf.errors) {
		conf_free(&conf);
		return EXIT_FAILURE;
	}
	ret = apply_conf(&conf, NULL);
	if (ret && ret != EXIT_MISSING) {
		conf_free(&conf);
		return ret;
	}
	conf_free(&service->conf);
	service->conf = conf;
	patterns_watch(&conf, service->made);
	return EXIT_SUCCESS;
}

/* The rules have to come from files, since a guard of another version can't be asked for them. */
static int apply_to_next(void *service)
{
	if (has_conf())
		return apply_files(service);
	error("there is neither " CONF_FILE " nor " CONF_DIR " to take the rules from");
	return EXIT_FAILURE;
}

/* Starting */

static int load_module(void)
{
	int status = 0;
	pid_t pid;

	if (if_nametoindex(INODE_MAP_DEVICE))
		return 0;
	if (!access("/proc/inode_map", F_OK)) {
		error("%s", reason(-ENODEV));
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		execlp("modprobe", "modprobe", "inode_map", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status ||
	    !if_nametoindex(INODE_MAP_DEVICE)) {
		error("cannot load the module inode_map (modprobe: status %d)",
		      WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		return -1;
	}
	return 0;
}

/* Notify systemd, if it has started us. If it hangs, wait for a second at most. */
static void notify(const char *text)
{
	const struct timeval wait = { .tv_sec = 1 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   offsetof(struct sockaddr_un, sun_path) + length) < 0)
		error("systemd: %s", strerror(errno));
	close(fd);
}

static int block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Returns whether the service has to end. */
static bool handle_signal(struct service *service, int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo != SIGHUP)
		return true;
	notify("RELOADING=1");
	if (!apply_files(service))
		refresh(service);
	notify("READY=1");
	return false;
}

/* It does not matter which files were made: all patterns are expanded again. */
static void hear_made(struct service *service)
{
	char events[4096];

	while (read(service->made, events, sizeof(events)) > 0)
		service->changed = true;
}

static bool is_due(const struct service *service)
{
	const struct guard_state *state = service->guard.state;

	return service->changed || hold_count(&service->guard) ||
	       __atomic_load_n(&state->changes, __ATOMIC_SEQ_CST) != service->missed ||
	       __atomic_load_n(&state->generation, __ATOMIC_SEQ_CST) != service->generation;
}

/* Run until a signal, or the guard's end; returns an exit code. */
static int run(struct service *service, int signals)
{
	struct pollfd fds[WATCHERS + WATCHERS_FDS] = {
		[SIGNALS] = { .fd = signals, .events = POLLIN },
		[EVENTS] = { .fd = ring_buffer__epoll_fd(service->events.ring), .events = POLLIN },
		[CHANGES] = { .fd = ring_buffer__epoll_fd(service->changes), .events = POLLIN },
		[MOUNTED] = { .fd = open(MOUNTS, O_RDONLY | O_CLOEXEC), .events = POLLPRI },
		[MADE] = { .fd = service->made, .events = POLLIN },
	};

	while (!guard_is_over(&service->guard)) {
		watchers_ask(&service->watchers, fds + WATCHERS);
		poll(fds, ARRAY_SIZE(fds), 500);
		if (fds[SIGNALS].revents && handle_signal(service, signals))
			break;
		events_poll(&service->events, 0);
		ring_buffer__consume(service->changes);
		if (fds[MOUNTED].revents) {
			service->changed = true;
			service->mounted = true;
		}
		if (fds[MADE].revents)
			hear_made(service);
		watchers_hear(&service->watchers, fds + WATCHERS);
		log_second(&service->log);
		if (guard_is_over(&service->guard))
			break;
		if (!is_due(service) && milliseconds() - service->looked < pause_time(service))
			continue;
		refresh(service);
		service->looked = milliseconds();
	}
	close(fds[MOUNTED].fd);
	return EXIT_SUCCESS;
}

int guard_service(const struct arguments *arguments)
{
	struct service service = {
		.events = { .denied = denied, .dropped = dropped },
		.made = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
	};
	int signals = block_signals(), ret;
	struct arguments unsealed = *arguments;

	/* Seal the guard only after it has its rules. */
	unsealed.seal = GUARD_UNSEALED;

	if (load_module())
		return EXIT_FAILURE;
	ret = guard_upgrade(&unsealed, apply_to_next, &service) ?: guard_start(&unsealed);
	if (ret)
		return ret;
	log_open(&service.log);
	if (apply_files(&service))
		error("the rules stay as they are");
	/* Don't lower the seal: it may have been raised since the service was set up. */
	ret = arguments->seal ? guard_seal(arguments->seal, true) : EXIT_SUCCESS;
	if (ret)
		return ret;
	ret = guard_open(&service.guard, false);
	if (ret)
		return ret;
	guard_unlock(&service.guard);
	service.events.guard = &service.guard;
	service.events.context = &service;
	service.changes = ring_buffer__new(service.guard.changes, count_change, &service, NULL);
	ret = service.changes && !events_open(&service.events) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (!ret && watchers_open(&service.watchers))
		ret = EXIT_FAILURE;
	if (!ret) {
		set_hold(&service, arguments->hold);
		refresh(&service);
		notify("READY=1");
		ret = run(&service, signals);
		notify("STOPPING=1");
		set_hold(&service, false);
		watchers_close(&service.watchers);
	}
	events_close(&service.events);
	ring_buffer__free(service.changes);
	conf_free(&service.conf);
	if (service.made >= 0)
		close(service.made);
	guard_close(&service.guard);
	return ret;
}
