// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to the secret through the process of the permitted program, its memory and its descriptors.
 * In the table of subject.c.
 */
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "victim.h"

pid_t victim;

int start_victim(void)
{
	int pipes[2], err = -ENODATA;

	CHECK_SYS(pipe(pipes));
	fflush(stdout);
	victim = CHECK_SYS(fork());
	if (!victim) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[1], STDOUT_FILENO);
		_exit(-become_act(ALLOWED, "wait"));
	}
	close(pipes[1]);
	if (read(pipes[0], &err, sizeof(err)) != sizeof(err))
		return -ENODATA;
	return err ? -EIO : 0;
}

int end_victim(int err)
{
	kill(victim, SIGKILL);
	waitpid(victim, NULL, __WALL);
	return err;
}

int try_attach(void)
{
	int err = start_victim();

	return end_victim(err ? err : result(ptrace(PTRACE_ATTACH, victim, NULL, NULL)));
}

int try_seize(void)
{
	int err = start_victim();

	return end_victim(err ? err : result(ptrace(PTRACE_SEIZE, victim, NULL, NULL)));
}

int try_trace_exec(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(errno);
		_exit(-become_act(ALLOWED, "read"));
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	/* It has stopped after execve(2), under our control. */
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return exit_error(pid);
}

/* Start a process that executes the allowed file when a byte is written to @go. */
static pid_t start_waiting(int *go)
{
	int pipes[2];
	char byte;
	pid_t pid;

	CHECK_SYS(pipe(pipes));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		CHECK_EQ(read(pipes[0], &byte, 1), 1);
		_exit(-become_act(ALLOWED, "read"));
	}
	*go = pipes[1];
	return pid;
}

/* Attach the tracer before execve(2). */
int try_seize_exec(void)
{
	int go, status;
	pid_t pid = start_waiting(&go);

	CHECK_SYS(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXEC));
	CHECK_EQ(write(go, "", 1), 1);
	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return exit_error(pid);
}

static unsigned long memory_of(pid_t pid)
{
	char path[64], line[512];
	unsigned long begin = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return 0;
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[heap]") || strstr(line, "[stack]"))
			sscanf(line, "%lx-", &begin);
	fclose(maps);
	return begin;
}

static int victim_memory(ssize_t (*access_memory)(pid_t, const struct iovec *, unsigned long,
						  const struct iovec *, unsigned long,
						  unsigned long))
{
	struct iovec local = { buffer, 16 }, remote = { NULL, 16 };
	int err = start_victim();

	if (err)
		return end_victim(err);
	remote.iov_base = (void *)memory_of(victim);
	if (!remote.iov_base)
		return end_victim(-EPERM);
	err = result(access_memory(victim, &local, 1, &remote, 1, 0));
	return end_victim(err < 0 ? err : 0);
}

int try_vm_read(void)
{
	return victim_memory(process_vm_readv);
}

int try_vm_write(void)
{
	return victim_memory(process_vm_writev);
}

static int open_victim(const char *name, int flags)
{
	char path[64];
	int err = start_victim();

	if (err)
		return end_victim(err);
	snprintf(path, sizeof(path), "/proc/%d/%s", victim, name);
	err = result(open(path, flags));
	return end_victim(err < 0 ? err : 0);
}

int try_mem_read(void)
{
	return open_victim("mem", O_RDONLY);
}

int try_mem_write(void)
{
	return open_victim("mem", O_RDWR);
}

int try_fd_of(void)
{
	return open_victim("fd/100", O_RDONLY);
}

int try_getfd(void)
{
	int err = start_victim(), pidfd, fd;

	if (err)
		return end_victim(err);
	pidfd = CHECK_SYS(syscall(SYS_pidfd_open, victim, 0));
	fd = result(syscall(SYS_pidfd_getfd, pidfd, 100, 0));
	if (fd < 0)
		return end_victim(fd);
	return end_victim(judge_secret(result(pread(fd, buffer, sizeof(buffer), 0))));
}

int perf_open(pid_t pid, bool from_exec)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK, .sample_period = 100000,
		.sample_type = PERF_SAMPLE_STACK_USER | PERF_SAMPLE_REGS_USER,
		.sample_stack_user = 4096, .sample_regs_user = 1, .exclude_kernel = 1,
		.disabled = from_exec, .enable_on_exec = from_exec,
	};

	return result(syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

int try_perf(void)
{
	int err = start_victim();

	if (!err)
		err = perf_open(victim, false);
	return end_victim(err < 0 ? err : 0);
}

int try_perf_exec(void)
{
	int go;
	pid_t pid = start_waiting(&go);

	CHECK(perf_open(pid, true) >= 0);
	CHECK_EQ(write(go, "", 1), 1);
	return exit_error(pid);
}
