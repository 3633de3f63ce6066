// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Looking up paths, with a time limit: a filesystem that hangs must not hold up other rules or
 * other commands.
 *
 * Paths that the kernel has in memory are looked up at once (RESOLVE_CACHED). For the others there
 * are helper processes (helper.c). A helper that does not answer in time is abandoned, and a new
 * one is started for the next path.
 *
 * Before a command takes the lock it looks up its paths, in many directories at a time. With the
 * lock held they are then in memory, or known to hang; those that begin to hang in between share
 * one time limit.
 *
 * A pattern is expanded by a process of its own, which is abandoned in the same way.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"
#include "tool.h"

/* Milliseconds: for a lookup; for all lookups before the lock; for each, when no time is left. */
#define LOOKUP_TIME	5000
#define AHEAD_TIME	15000
#define LEAST_TIME	50

/* Seconds for which a directory that has hung is not tried again. */
#define HUNG_TIME	60

/* How many directories are searched at the same time. */
#define HELPERS		16

/* The helper for single paths. */
static struct helper helper = { .fd = -1 };

/**
 * struct hung - a directory in which a lookup has taken too long
 * @path: a path in it
 * @until: when to try again, in milliseconds
 * @hurried: whether the lookup was given less than its time, because of others that hang
 */
struct hung {
	char *path;
	long until;
	bool hurried;
};

static struct array hung;

/* Milliseconds left for all lookups that hang; -1 if each has its own limit. */
static int time_left = -1;

/* Directories that hang */

static size_t directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool same_directory(const char *one, const char *other)
{
	size_t length = directory_length(one);

	return directory_length(other) == length && !strncmp(one, other, length);
}

/* Whether a lookup in the same directory has taken too long. */
static bool is_hung(const char *path)
{
	const struct hung *items = hung.items;
	size_t i;

	for (i = 0; i < hung.count; i++)
		if (same_directory(items[i].path, path))
			return milliseconds() < items[i].until;
	return false;
}

static void note_hung(const char *path, bool hurried)
{
	struct hung *items = hung.items;
	size_t i;

	for (i = 0; i < hung.count; i++)
		if (same_directory(items[i].path, path))
			break;
	if (i == hung.count) {
		items = array_add(&hung, sizeof(*items));
		items->path = xstrdup(path);
	} else {
		items += i;
	}
	items->until = milliseconds() + HUNG_TIME * 1000;
	items->hurried = hurried;
}

/* One path */

/* How long to wait for an answer, in milliseconds. */
static int time_limit(void)
{
	if (time_left < 0)
		return LOOKUP_TIME;
	return time_left < LEAST_TIME ? LEAST_TIME : time_left;
}

static bool wait_answer(const struct helper *helper, int limit)
{
	struct pollfd answer = { .fd = helper->fd, .events = POLLIN };
	long begun = milliseconds(), waited;

	if (poll(&answer, 1, limit) == 1)
		return true;
	waited = milliseconds() - begun;
	if (time_left >= 0)
		time_left = waited < time_left ? time_left - waited : 0;
	return false;
}

/* Ask about a path, unless the directory of @where hangs, an absolute path to the same. */
static int ask_helper(enum helper_request request, const char *path, const char *where, int flags,
		      struct helper_answer *answer, int *fd)
{
	int err, limit = time_limit();

	*fd = -1;
	if (is_hung(where))
		return -ETIMEDOUT;
	err = helper_ask(&helper, request, path, flags);
	if (!err && wait_answer(&helper, limit))
		return helper_receive(&helper, answer, fd);
	helper_leave(&helper);
	if (err)
		return err;
	note_hung(where, limit < LOOKUP_TIME);
	return -ETIMEDOUT;
}

/* Open a path from the kernel's memory: a descriptor, or a negative errno; -EAGAIN: not there. */
static int open_cached(const char *path, int flags)
{
	struct open_how how = {
		.flags = flags | O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED,
	};
	int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENOENT : -EAGAIN;
}

int path_open(const char *path, int flags)
{
	struct helper_answer answer;
	char *absolute;
	int fd, err;

	fd = open_cached(path, flags);
	if (fd != -EAGAIN)
		return fd;
	/* A directory that hangs is known by one absolute path. */
	absolute = absolute_path(path);
	err = ask_helper(HELPER_OPEN, absolute, absolute, flags | O_PATH, &answer, &fd);
	free(absolute);
	if (err)
		return err;
	return fd < 0 ? -EMFILE : fd;
}

char *path_read_link(const char *path)
{
	struct helper_answer answer;
	int fd;

	if (ask_helper(HELPER_READ_LINK, path, path, 0, &answer, &fd))
		return NULL;
	return xstrdup(answer.text);
}

int path_wait(int dir, const char *path)
{
	char *name = xasprintf("/proc/%d/fd/%d/.inode-guard-none", getpid(), dir);
	struct helper_answer answer;
	int fd, err;

	/* Other directories will have the descriptor's number: @path is what hangs. */
	err = ask_helper(HELPER_WAIT, name, path, 0, &answer, &fd);
	free(name);
	return err == -ETIMEDOUT ? err : 0;
}

void lookups_limit(void)
{
	time_left = LOOKUP_TIME;
}

bool lookups_unlimit(void)
{
	struct hung *items = hung.items;
	bool hurried = false;
	size_t i;

	time_left = -1;
	for (i = 0; i < hung.count; i++) {
		if (!items[i].hurried)
			continue;
		items[i].until = 0;
		items[i].hurried = false;
		hurried = true;
	}
	return hurried;
}

/* Many paths */

/* The next path to ask about, or NULL; not in a directory that another helper searches. */
static const char *next_path(const struct array *paths, size_t *next, const struct helper *helpers)
{
	const char *path;
	size_t i;
	int fd;

	for (; *next < paths->count; (*next)++) {
		path = ((char **)paths->items)[*next];
		fd = open_cached(path, 0);
		if (fd >= 0)
			close(fd);
		if (fd != -EAGAIN || is_hung(path))
			continue;
		for (i = 0; i < HELPERS; i++)
			if (helpers[i].path && same_directory(helpers[i].path, path))
				break;
		if (i < HELPERS)
			continue;
		(*next)++;
		return path;
	}
	return NULL;
}

/* Give each idle helper a path; returns whether any helper is busy. */
static bool employ(struct helper *helpers, const struct array *paths, size_t *next)
{
	const char *path;
	bool busy = false;
	size_t i;

	for (i = 0; i < HELPERS; i++) {
		path = helpers[i].path ? NULL : next_path(paths, next, helpers);
		if (path && helper_ask(&helpers[i], HELPER_OPEN, path, O_PATH))
			helper_leave(&helpers[i]);
		busy |= !!helpers[i].path;
	}
	return busy;
}

/* Take answers, and abandon helpers that take too long. */
static void gather(struct helper *helpers)
{
	struct pollfd fds[HELPERS];
	struct helper_answer answer;
	size_t i;
	int fd;

	for (i = 0; i < HELPERS; i++)
		fds[i] = (struct pollfd){
			.fd = helpers[i].path ? helpers[i].fd : -1, .events = POLLIN
		};
	poll(fds, HELPERS, 100);
	for (i = 0; i < HELPERS; i++) {
		if (!helpers[i].path)
			continue;
		if (fds[i].revents) {
			helper_receive(&helpers[i], &answer, &fd);
			if (fd >= 0)
				close(fd);
		} else if (milliseconds() - helpers[i].begun >= LOOKUP_TIME) {
			note_hung(helpers[i].path, false);
			helper_leave(&helpers[i]);
		}
	}
}

/*
 * In two rounds: one path per directory, in parallel; then the rest, except where a lookup hung.
 */
void paths_look_up(const struct array *paths)
{
	long end = milliseconds() + AHEAD_TIME;
	struct helper helpers[HELPERS];
	size_t i, next = 0;
	int fd;

	lookups_unlimit();
	for (i = 0; i < HELPERS; i++)
		helpers[i] = (struct helper){ .fd = -1 };
	while (milliseconds() < end && employ(helpers, paths, &next))
		gather(helpers);
	for (i = 0; i < HELPERS; i++)
		helper_leave(&helpers[i]);
	for (i = 0; i < paths->count && milliseconds() < end; i++) {
		fd = path_open(((char **)paths->items)[i], 0);
		if (fd >= 0)
			close(fd);
	}
}

/* Patterns */

/* The process that expands a pattern: writes each path to a pipe, with a zero byte after it. */
__attribute__((noreturn)) static void expand(const char *pattern, int pipe)
{
	glob_t found = {};
	FILE *file;
	size_t i;

	helper_begin(pipe);
	file = fdopen(HELPER_FD, "w");
	if (!file || glob(pattern, 0, NULL, &found))
		_exit(EXIT_FAILURE);
	for (i = 0; i < found.gl_pathc; i++)
		fwrite(found.gl_pathv[i], strlen(found.gl_pathv[i]) + 1, 1, file);
	_exit(fclose(file) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Read a pipe to its end, within the time limit. Returns 0 or -ETIMEDOUT. */
static int read_in_time(int pipe, struct array *bytes)
{
	struct pollfd end = { .fd = pipe, .events = POLLIN };
	long until = milliseconds() + LOOKUP_TIME, left;
	char buffer[4096];
	ssize_t length = 1, i;

	while (length > 0) {
		left = until - milliseconds();
		if (left <= 0 || poll(&end, 1, left) != 1)
			return -ETIMEDOUT;
		length = read(pipe, buffer, sizeof(buffer));
		for (i = 0; i < length; i++)
			*(char *)array_add(bytes, 1) = buffer[i];
	}
	return 0;
}

int paths_expand(const char *pattern, struct array *paths)
{
	struct array bytes = {};
	int ends[2], status, err;
	const char *at, *end;
	pid_t pid;

	if (is_hung(pattern))
		return -ETIMEDOUT;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid)
		expand(pattern, ends[1]);
	close(ends[1]);
	err = pid < 0 ? -errno : read_in_time(ends[0], &bytes);
	close(ends[0]);
	if (err == -ETIMEDOUT) {
		note_hung(pattern, false);
		kill(pid, SIGKILL);
	} else if (!err && (waitpid(pid, &status, 0) < 0 || status)) {
		err = -ENOENT;
	}
	end = (char *)bytes.items + bytes.count;
	for (at = bytes.items; !err && at < end; at += strlen(at) + 1)
		string_add(paths, xstrdup(at));
	free(bytes.items);
	return err;
}

char *path_of_fd(int fd)
{
	char link[64], *path;
	ssize_t length;
	size_t room = 4096;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = xcalloc(1, room);
	length = readlink(link, path, room - 1);
	if (length >= 0 && (size_t)length < room - 1)
		return path;
	free(path);
	if (length >= 0)
		errno = ENAMETOOLONG;
	return NULL;
}
