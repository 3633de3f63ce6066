/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Helper processes, which look up paths for lookup.c. Each is asked about one path at a time.
 */
#ifndef _GUARD_HELPER_H
#define _GUARD_HELPER_H

#include <limits.h>
#include <sys/types.h>

/* The only descriptor that helper_begin() leaves open. */
#define HELPER_FD	3

/**
 * enum helper_request - what a helper does with a path
 * @HELPER_OPEN: opens it, with the flags given
 * @HELPER_READ_LINK: reads the symbolic link
 * @HELPER_WAIT: waits for the lock of its directory; the path is of a name that nothing has
 */
enum helper_request {
	HELPER_OPEN,
	HELPER_READ_LINK,
	HELPER_WAIT,
};

/**
 * struct helper_answer - what it says
 * @err: 0 or a negative errno
 * @text: of HELPER_READ_LINK, the target
 *
 * For HELPER_OPEN a descriptor comes with it.
 */
struct helper_answer {
	int err;
	char text[PATH_MAX];
};

/**
 * struct helper - a helper process
 * @fd: our end of the socket to it, or -1
 * @pid: its process
 * @path: what it was asked about, or NULL
 * @begun: when it was asked, in milliseconds
 */
struct helper {
	int fd;
	pid_t pid;
	const char *path;
	long begun;
};

/* Ask about a path, and start the helper if need be. Returns 0 or a negative errno. */
int helper_ask(struct helper *helper, enum helper_request request, const char *path, int flags);
/*
 * Receive the answer: returns 0 or the error in it. @fd becomes the descriptor, or -1 if there is
 * none.
 */
int helper_receive(struct helper *helper, struct helper_answer *answer, int *fd);
/* Abandon a helper: it ends when it can. */
void helper_leave(struct helper *helper);
/*
 * In a new process: end when the tool does, and keep no descriptor of it but @fd, as HELPER_FD, and
 * 0 to 2.
 */
void helper_begin(int fd);

#endif /* _GUARD_HELPER_H */
