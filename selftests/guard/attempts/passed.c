// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to read a file with another's help: a process that passes its descriptor on, a listener of
 * fanotify(7), and calls for which the kernel reads the file. Run by ../bypass/.
 */
#include "bypass.h"

#include <signal.h>
#include <sys/fanotify.h>
#include <sys/socket.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open		434
#define SYS_pidfd_getfd		438
#endif

/* Descriptors passed to other processes */

static int try_inherited(struct target *t)
{
	int pipes[2], fd = descriptor(t), status;
	pid_t pid;

	if (fd < 0)
		return fd;
	CHECK_SYS(pipe(pipes));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		CHECK_SYS(dup2(fd, STDIN_FILENO));
		CHECK_SYS(dup2(pipes[1], STDOUT_FILENO));
		CHECK_SYS(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO));
		execl("/bin/cat", "cat", NULL);
		_exit(127);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	return status ? -EPERM : read_next(pipes[0]);
}

static int receive(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	CHECK_SYS(recvmsg(socket, &message, 0));
	if (!CMSG_FIRSTHDR(&message))
		return -EPERM;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return read_text(fd);
}

static int try_socket(struct target *t)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int sockets[2], fd = descriptor(t);

	if (fd < 0)
		return fd;
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK_SYS(sendmsg(sockets[0], &message, 0));
	return receive(sockets[1]);
}

static int try_pidfd_getfd(struct target *t)
{
	int pidfd, got, fd = descriptor(t);
	pid_t pid;

	if (fd < 0)
		return fd;
	pid = CHECK_SYS(fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	pidfd = CHECK_SYS(syscall(SYS_pidfd_open, pid, 0));
	got = result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return read_text(got);
}

/* fanotify gives a listener a descriptor for any file that somebody opens. */
static int try_fanotify(struct target *t)
{
	int listener = CHECK_SYS(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY));
	struct fanotify_event_metadata event;
	int opened;

	CHECK_SYS(fanotify_mark(listener, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, t->path));
	opened = result(open(t->path, O_WRONLY | O_CLOEXEC));
	if (opened < 0)
		return opened;
	if (read(listener, &event, sizeof(event)) < 0)
		return errno == EAGAIN ? -ENODATA : -errno;
	return event.fd < 0 ? -EPERM : read_text(event.fd);
}

/* The kernel reads the file for the caller, and rejects the content. */

static int try_load_module(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (!syscall(SYS_finit_module, fd, "", 0))
		return -ENODATA;
	return errno == ENOEXEC ? 0 : -errno;
}

#ifdef SYS_kexec_file_load
static const char *no_kexec_file(void)
{
	syscall(SYS_kexec_file_load, -1, -1, 1L, "", 0L);
	return errno == ENOSYS ? "the kernel is built without CONFIG_KEXEC_FILE" : NULL;
}

static int try_load_kernel(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (!syscall(SYS_kexec_file_load, fd, -1, 1L, "", 4L /* KEXEC_FILE_NO_INITRAMFS */))
		return -ENODATA;
	return errno == ENOEXEC || errno == EINVAL ? 0 : -errno;
}
#endif

const struct attempt passed[] = {
	TRY("a descriptor that a program inherits", READ, try_inherited, .by_descriptor = true),
	TRY("a descriptor sent by a socket", READ, try_socket, .by_descriptor = true),
	TRY("pidfd_getfd(2)", READ, try_pidfd_getfd, .by_descriptor = true),
	TRY("the descriptor in a fanotify(7) event", READ | WRITE, try_fanotify,
	    .ways = ANY_PATH & PRIVILEGED, .unchanged = true),
	TRY("finit_module(2)", READ, try_load_module, .by_descriptor = true,
	    .ways = ANY_PATH & PRIVILEGED),
#ifdef SYS_kexec_file_load
	TRY("kexec_file_load(2)", READ, try_load_kernel, .by_descriptor = true,
	    .ways = ANY_PATH & PRIVILEGED, .missing = no_kexec_file),
#endif
	{ }
};
