// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Helper processes: each looks up paths for lookup.c, one at a time, and sends the results. One
 * that hangs is abandoned; the tool goes on without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"
#include "util.h"

/* A question to a helper; the path follows, to the end of the message. */
struct question {
	enum helper_request request;
	int flags;
};

/* The helper's side */

void helper_begin(int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A process that hangs must not keep the tool's locks. */
	dup2(fd, HELPER_FD);
	close_range(HELPER_FD + 1, ~0U, 0);
}

static void send_answer(const struct helper_answer *answer, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "";
	struct iovec data = {
		(void *)answer, offsetof(struct helper_answer, text) + strlen(answer->text) + 1,
	};
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
	if (sendmsg(HELPER_FD, &message, MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
	if (fd >= 0)
		close(fd);
}

/*
 * Wait for the lock of a directory, by looking up a name in order to remove it. On a read-only
 * mount the kernel does not get that far; reading the directory takes the lock as well.
 */
static int wait_for_lock(char *path)
{
	char entries[1024];
	int fd, err = rmdir(path) ? errno : 0;

	if (err != EROFS)
		return 0;
	*strrchr(path, '/') = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	syscall(SYS_getdents64, fd, entries, sizeof(entries));
	close(fd);
	return 0;
}

static void answer_question(const struct question *question, char *path)
{
	static struct helper_answer answer;
	int fd = -1, ret = 0;

	memset(&answer, 0, sizeof(answer));
	switch (question->request) {
	case HELPER_OPEN:
		fd = open(path, question->flags | O_CLOEXEC);
		ret = fd;
		break;
	case HELPER_READ_LINK:
		ret = readlink(path, answer.text, sizeof(answer.text) - 1);
		break;
	case HELPER_WAIT:
		ret = wait_for_lock(path);
		break;
	}
	answer.err = ret < 0 ? -errno : 0;
	send_answer(&answer, fd);
}

__attribute__((noreturn)) static void help(int socket)
{
	static struct {
		struct question question;
		char path[65536];
	} in;
	ssize_t length;

	helper_begin(socket);
	while ((length = recv(HELPER_FD, &in, sizeof(in) - 1, 0)) > (ssize_t)sizeof(in.question)) {
		((char *)&in)[length] = '\0';
		answer_question(&in.question, in.path);
	}
	_exit(EXIT_SUCCESS);
}

/* The tool's side */

static int start(struct helper *helper)
{
	int sockets[2];

	if (helper->fd >= 0)
		return 0;
	/* Reap abandoned helpers. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	fflush(NULL);
	helper->pid = fork();
	if (!helper->pid) {
		close(sockets[0]);
		help(sockets[1]);
	}
	close(sockets[1]);
	if (helper->pid < 0) {
		close(sockets[0]);
		return -errno;
	}
	helper->fd = sockets[0];
	return 0;
}

void helper_leave(struct helper *helper)
{
	if (helper->fd < 0)
		return;
	close(helper->fd);
	kill(helper->pid, SIGKILL);
	*helper = (struct helper){ .fd = -1 };
}

int helper_ask(struct helper *helper, enum helper_request request, const char *path, int flags)
{
	struct question question = { .request = request, .flags = flags };
	struct iovec data[] = {
		{ &question, sizeof(question) }, { (void *)path, strlen(path) },
	};
	struct msghdr message = { .msg_iov = data, .msg_iovlen = ARRAY_SIZE(data) };
	int err = start(helper);

	if (err)
		return err;
	helper->path = path;
	helper->begun = milliseconds();
	return sendmsg(helper->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int helper_receive(struct helper *helper, struct helper_answer *answer, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec data = { answer, sizeof(*answer) };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;

	*fd = -1;
	helper->path = NULL;
	if (recvmsg(helper->fd, &message, MSG_CMSG_CLOEXEC) <= (ssize_t)sizeof(answer->err))
		return -EIO;
	header = CMSG_FIRSTHDR(&message);
	if (header)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return answer->err;
}
