/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kill the traced tool inode-guard just before a given system call, like a crash: for
 * ../guard_atomic.c, ../guard_killed.c and ../guard_upgrade.c.
 */
#ifndef KILL_H
#define KILL_H

#include "steps.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>

/* Newer architectures have only the *at() variants. */
#ifdef SYS_mkdir
#define CALL_OF_MKDIR	SYS_mkdir
#define CALL_OF_UNLINK	SYS_unlink
#else
#define CALL_OF_MKDIR	SYS_mkdirat
#define CALL_OF_UNLINK	SYS_unlinkat
#endif

struct call {
	unsigned long number;		/* of the system call */
	unsigned long command;		/* its first argument: that of bpf(2) */
	unsigned long flags;		/* its third: those of unlinkat(2) */
};

/* The call that rmdir(3) makes. */
static inline bool is_rmdir(const struct call *call)
{
#ifdef SYS_rmdir
	return call->number == SYS_rmdir;
#else
	return call->number == SYS_unlinkat && (int)call->command == AT_FDCWD &&
	       call->flags == AT_REMOVEDIR;
#endif
}

static inline void wait_stop(pid_t pid, int *status)
{
	CHECK_SYS(waitpid(pid, status, __WALL));
}

static inline bool call_begins(pid_t pid, struct call *call)
{
	struct __ptrace_syscall_info info;

	CHECK_SYS(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info));
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	call->number = info.entry.nr;
	call->command = info.entry.args[0];
	call->flags = info.entry.args[2];
	return true;
}

/*
 * Run the tool and kill it at the @nth of the calls that @meant selects. Return whether it got that
 * far; if not, it must have succeeded.
 */
static inline bool killed_at(char **argv, bool (*meant)(const struct call *call), unsigned int nth)
{
	unsigned int seen = 0;
	struct call call;
	int status, fd;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		fd = open("tool-output", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		tool_exec(argv, fd, fd);
	}
	wait_stop(pid, &status);
	CHECK_SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL,
			 (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)));
	for (;;) {
		CHECK_SYS(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		wait_stop(pid, &status);
		if (WIFEXITED(status))
			break;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (call_begins(pid, &call) && meant(&call) && ++seen == nth) {
			CHECK_SYS(kill(pid, SIGKILL));
			wait_stop(pid, &status);
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			return true;
		}
	}
	if (WEXITSTATUS(status))
		FAIL("%s: status %d: %s", argv[1], WEXITSTATUS(status), get_file("tool-output"));
	return false;
}

#endif /* KILL_H */
