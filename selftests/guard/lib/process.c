// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Processes of executables that the guard's rules name: see steps.h. */
#include "steps.h"

#include <limits.h>

struct waiting {
	pid_t pid;
	char executable[PATH_MAX];
};

static bool executes(void *arg)
{
	const struct waiting *process = arg;
	char path[32], executable[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", process->pid);
	return readlink(path, executable, sizeof(executable) - 1) > 0 &&
	       !strcmp(executable, process->executable);
}

pid_t shell_start(const char *executable)
{
	struct waiting process = {};

	CHECK(realpath(executable, process.executable));
	fflush(stdout);
	process.pid = CHECK_SYS(fork());
	if (!process.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(executable, "dash", "-c", "while :; do sleep 1; done", NULL);
		_exit(127);
	}
	CHECK(wait_until(executes, &process, 10));
	return process.pid;
}

bool memory_is_kept(const char *shell)
{
	pid_t pid = shell_start(shell);
	int status;

	status = sh("cat /proc/%d/mem >/dev/null 2>error; grep -qi 'denied\\|permitted' error",
		    pid);
	child_kill(pid);
	return !status;
}
