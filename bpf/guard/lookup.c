// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Looking up paths, none of which may take for ever: a filesystem that hangs is to hold up neither
 * other rules nor other commands.
 *
 * What the kernel has in memory it looks up at once (RESOLVE_CACHED). For anything else there is a
 * helper, a process that opens paths and sends the descriptors. If it does not answer in time it is
 * left to itself, and another is made for the next path.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

/* How long a lookup may take. */
#define LOOKUP_SECONDS	5

/* Where the helper has its end of it. */
#define HELPER_FD	3

/* What the helper is asked; the path follows, and ends the message. */
struct question {
	int flags;
	bool wait;
};

/* Our end of the socket to the helper, or -1. */
static int helper = -1;
static pid_t helper_pid;

/* Directories in which a lookup has taken too long. */
static struct array hung;

static void send_answer(int socket, int fd, int err)
{
	char control[CMSG_SPACE(sizeof(fd))] = "";
	struct iovec data = { &err, sizeof(err) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
	if (fd >= 0)
		close(fd);
}

__attribute__((noreturn)) static void help(int socket)
{
	static struct {
		struct question question;
		char path[65536];
	} in;
	ssize_t length;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The locks of the tool are not to be kept by one that hangs. */
	dup2(socket, HELPER_FD);
	close_range(HELPER_FD + 1, ~0U, 0);
	while ((length = recv(HELPER_FD, &in, sizeof(in) - 1, 0)) > (ssize_t)sizeof(in.question)) {
		((char *)&in)[length] = '\0';
		if (in.question.wait) {
			/* Looking that up takes the directory's lock. */
			rmdir(in.path);
			send_answer(HELPER_FD, -1, 0);
			continue;
		}
		fd = open(in.path, in.question.flags | O_CLOEXEC);
		send_answer(HELPER_FD, fd, fd < 0 ? -errno : 0);
	}
	_exit(EXIT_SUCCESS);
}

static int start_helper(void)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	fflush(NULL);
	helper_pid = fork();
	if (!helper_pid) {
		close(sockets[0]);
		help(sockets[1]);
	}
	close(sockets[1]);
	if (helper_pid < 0) {
		close(sockets[0]);
		return -errno;
	}
	helper = sockets[0];
	return 0;
}

/* It ends when it can. */
static void leave_helper(void)
{
	close(helper);
	helper = -1;
	kill(helper_pid, SIGKILL);
}

static int ask(const char *path, const struct question *question)
{
	struct iovec data[] = {
		{ (void *)question, sizeof(*question) }, { (void *)path, strlen(path) },
	};
	struct msghdr message = { .msg_iov = data, .msg_iovlen = ARRAY_SIZE(data) };

	return sendmsg(helper, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A descriptor, or 0 where none was asked for. */
static int receive_answer(bool wait)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	int err = -EIO, fd;
	struct iovec data = { &err, sizeof(err) };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	if (recvmsg(helper, &message, MSG_CMSG_CLOEXEC) != sizeof(err))
		return -EIO;
	header = CMSG_FIRSTHDR(&message);
	if (err || !header)
		return err || wait ? err : -EMFILE;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static int ask_helper(const char *path, const struct question *question)
{
	struct pollfd answer = { .events = POLLIN };
	int err = helper < 0 ? start_helper() : 0;

	if (!err)
		err = ask(path, question);
	if (err)
		return err;
	answer.fd = helper;
	if (poll(&answer, 1, LOOKUP_SECONDS * 1000) == 1)
		return receive_answer(question->wait);
	leave_helper();
	return -ETIMEDOUT;
}

static size_t directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* Whether a lookup in the same directory has taken too long. */
static bool is_hung(const char *path)
{
	char **paths = hung.items;
	size_t i, length = directory_length(path);

	for (i = 0; i < hung.count; i++)
		if (directory_length(paths[i]) == length && !strncmp(paths[i], path, length))
			return true;
	return false;
}

static int ask_in_time(const char *path, const struct question *question)
{
	int ret;

	if (is_hung(path))
		return -ETIMEDOUT;
	ret = ask_helper(path, question);
	if (ret == -ETIMEDOUT)
		*(char **)array_add(&hung, sizeof(char *)) = xstrdup(path);
	return ret;
}

int path_wait(const char *directory)
{
	const struct question question = { .wait = true };
	char *path = xasprintf("%s/.inode-guard-none", directory[1] ? directory : "");
	int err = ask_in_time(path, &question);

	free(path);
	return err;
}

int path_open(const char *path, int flags)
{
	const struct question question = { .flags = flags | O_PATH };
	struct open_how how = {
		.flags = flags | O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED,
	};
	int fd;

	/* A descriptor's own path is looked up by nobody. */
	fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (fd >= 0 || errno == ENOENT)
		return fd >= 0 ? fd : -ENOENT;
	return ask_in_time(path, &question);
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
