// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The service's clients that watch denials (watch.c): up to WATCHERS_MAX processes of root, each
 * connected to a socket. None of them can hold up the service.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "events.h"

#define SERVICE_SOCKET	"/run/inode-guard.socket"

static void watcher_close(struct watcher *watcher)
{
	if (watcher->fd >= 0)
		close(watcher->fd);
	*watcher = (struct watcher){ .fd = -1 };
}

/* Listen where only root can connect: a descriptor, or a negative errno. */
static int listen_for_watchers(void)
{
	struct sockaddr_un address = { AF_UNIX, SERVICE_SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;

	if (fd < 0)
		return -errno;
	unlink(SERVICE_SOCKET);
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, WATCHERS_MAX)) {
		int err = -errno;

		umask(mask);
		close(fd);
		return err;
	}
	umask(mask);
	return fd;
}

int watchers_open(struct watchers *watchers)
{
	size_t i;

	for (i = 0; i < WATCHERS_MAX; i++)
		watchers->items[i].fd = -1;
	watchers->listener = listen_for_watchers();
	if (watchers->listener >= 0)
		return 0;
	error(SERVICE_SOCKET ": %s", strerror(-watchers->listener));
	return -1;
}

void watchers_close(struct watchers *watchers)
{
	size_t i;

	unlink(SERVICE_SOCKET);
	close(watchers->listener);
	for (i = 0; i < WATCHERS_MAX; i++)
		watcher_close(&watchers->items[i]);
}

int service_connect(void)
{
	struct sockaddr_un address = { AF_UNIX, SERVICE_SOCKET };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* A watcher that does not read loses the lines that its socket has no room for. */
void watchers_tell(struct watchers *watchers, const char *text, bool json)
{
	size_t i;

	for (i = 0; i < WATCHERS_MAX; i++) {
		struct watcher *watcher = &watchers->items[i];

		if (!watcher->ready || watcher->json != json)
			continue;
		if (send(watcher->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			watcher_close(watcher);
	}
}

void watchers_ask(const struct watchers *watchers, struct pollfd *fds)
{
	size_t i;

	for (i = 0; i < WATCHERS_MAX; i++)
		fds[i] = (struct pollfd){ .fd = watchers->items[i].fd, .events = POLLIN };
	fds[WATCHERS_MAX] = (struct pollfd){ .fd = watchers->listener, .events = POLLIN };
}

static void accept_watcher(struct watchers *watchers)
{
	int fd = accept4(watchers->listener, NULL, NULL, SOCK_CLOEXEC);
	size_t i;

	for (i = 0; fd >= 0 && i < WATCHERS_MAX; i++) {
		if (watchers->items[i].fd >= 0)
			continue;
		watchers->items[i] = (struct watcher){ .fd = fd };
		return;
	}
	if (fd >= 0)
		close(fd);
}

/* A watcher first says in which form it wants lines. End of file means that it has gone. */
static void hear_watcher(struct watcher *watcher)
{
	char word[16];
	ssize_t length = recv(watcher->fd, word, sizeof(word), MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		watcher_close(watcher);
		return;
	}
	watcher->json = !strncmp(word, "json", 4);
	watcher->ready = true;
}

void watchers_hear(struct watchers *watchers, const struct pollfd *fds)
{
	size_t i;

	/* One that was asked may have been closed since, by watchers_tell(). */
	for (i = 0; i < WATCHERS_MAX; i++)
		if (watchers->items[i].fd >= 0 && fds[i].revents)
			hear_watcher(&watchers->items[i]);
	if (fds[WATCHERS_MAX].revents)
		accept_watcher(watchers);
}
