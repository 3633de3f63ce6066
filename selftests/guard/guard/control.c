// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Refused control of processes (of executables that may do what others may not) is reported like
 * denials for files. attempts/subject.c tests that it is refused.
 */
#include "steps.h"

#include <sys/ptrace.h>

#include "bpf/guard/guard.h"
#include "events.h"

#define ALLOWED_EXE	"./exe"

static pid_t victim;

static int try_seize(void)
{
	int err = ptrace(PTRACE_SEIZE, victim, NULL, NULL) ? errno : 0;

	if (!err)
		CHECK_SYS(ptrace(PTRACE_DETACH, victim, NULL, NULL) && errno != ESRCH ? -1 : 0);
	return err;
}

static int try_pretend(void)
{
	int exe = file_open(ALLOWED_EXE, O_RDONLY), err;

	err = prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, exe, 0, 0) ? errno : 0;
	close(exe);
	return err;
}

/* Call execve() while the parent traces the process. */
static int try_traced_exec(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(126);
		execl(ALLOWED_EXE, "exe", "-c", ":", NULL);
		_exit(errno);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_SYS(waitpid(pid, &status, 0));
	return 0;
}

/* Try each way, and check its events. */
static void check_told(const char *verdict, int want)
{
	pid_t pid = watch_start(WORDS("watch"));
	char pattern[256];

	CHECK_EQ(try_seize(), want);
	await_event("/exe pid=");
	CHECK_EQ(try_traced_exec(), want);
	/* The other refusals are reported as well; without a refusal there is no event. */
	if (want)
		CHECK_EQ(try_pretend(), want);
	else
		try_pretend();
	await_event("/selftests/guard pid=");
	watch_end(pid, SIGTERM);
	snprintf(pattern, sizeof(pattern), "^" TIME " %s control [^ ]*/exe pid=%d uid=0 command=[^ ]+ "
		 "executable=[^ ]*/guard rule=$", verdict, getpid());
	MATCHES(pattern);
	snprintf(pattern, sizeof(pattern), "^" TIME " %s control [^ ]*/guard pid=%d ", verdict,
		 getpid());
	MATCHES(pattern);
}

STEP(control_told)
{
	volatile struct guard_state *state = state_map();
	__u64 before = state->refused;

	make("f");
	CHECK_EQ(sh("cp /usr/bin/dash exe"), 0);
	QUIET("allow", "--ops", "read", "--only-for", ALLOWED_EXE, "f");
	victim = shell_start(ALLOWED_EXE);
	check_told("denied", EPERM);
	CHECK_EQ(state->refused - before, 3);
	SAYS("status");
	MATCHES(", control refused [0-9]+ times$");
	QUIET("start", "--audit");
	check_told("audit", 0);
	SAYS("status", "--json");
	HAS("\"refused\":");
	child_kill(victim);
}
