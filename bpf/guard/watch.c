// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Watching events as they happen, without the lock. If the service runs, it passes them on to up to
 * WATCHERS_MAX watchers. Otherwise they come from the ring buffer, and only one process can watch.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "events.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = signal;
}

static void catch_signals(void)
{
	const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = interrupt };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* Show what the service sends, until it ends or we do. Returns an exit code. */
static int watch_service(int socket, bool json)
{
	const char *format = json ? "json\n" : "text\n";
	char text[65536];
	ssize_t length;

	if (send(socket, format, strlen(format), MSG_NOSIGNAL) < 0) {
		error("the service: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	while (!interrupted) {
		length = recv(socket, text, sizeof(text), 0);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			break;
		fwrite(text, 1, length, stdout);
		if (fflush(stdout))
			break;
	}
	return EXIT_SUCCESS;
}

static void show_denial(void *context, const struct denial *denial)
{
	denial_print(stdout, denial, *(bool *)context);
}

static void show_dropped(void *context, __u64 dropped)
{
	dropped_print(stdout, dropped, *(bool *)context);
}

int guard_watch(bool json)
{
	struct events events = {
		.denied = show_denial, .dropped = show_dropped, .context = &json,
	};
	struct guard guard;
	int socket, ret, err;

	socket = service_connect();
	if (socket >= 0) {
		catch_signals();
		ret = watch_service(socket, json);
		close(socket);
		return ret;
	}
	ret = guard_open(&guard, false);
	if (ret)
		return ret;
	guard_unlock(&guard);
	events.guard = &guard;
	catch_signals();
	err = events_open(&events);
	while (!err && !interrupted && !guard_is_over(&guard)) {
		err = events_poll(&events, 200);
		if (err && err != -EPIPE)
			error("cannot watch: %s", reason(err));
		if (!err && fflush(stdout))
			err = -errno;
	}
	events_close(&events);
	guard_close(&guard);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
