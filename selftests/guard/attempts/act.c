// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A program that an attempt executes reads the secret before anything else, in the way that its
 * environment names. The exit status is the error.
 */
#include <linux/io_uring.h>

#include "victim.h"

char buffer[FILE_SIZE];

int judge_secret(long size)
{
	return judge_text(buffer, size);
}

int read_secret(void)
{
	int fd = result(open(SECRET, O_RDONLY | O_CLOEXEC));

	return fd < 0 ? fd : judge_secret(result(read(fd, buffer, sizeof(buffer))));
}

static int act_read(void)
{
	return read_secret();
}

static int act_read_input(void)
{
	return judge_secret(result(pread(STDIN_FILENO, buffer, sizeof(buffer), 0)));
}

static int act_fork(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(-read_secret());
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

struct thread {
	int (*run)(void);
	int ret;
};

static void *begin_thread(void *thread)
{
	struct thread *own = thread;

	own->ret = own->run();
	return NULL;
}

int run_in_thread(int (*run)(void))
{
	struct thread thread = { .run = run };
	pthread_t id;

	CHECK(!pthread_create(&id, NULL, begin_thread, &thread));
	CHECK(!pthread_join(id, NULL));
	return thread.ret;
}

static int act_thread(void)
{
	return run_in_thread(read_secret);
}

static int uring_secret(unsigned int setup, unsigned int flags)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
					.flags = flags, .addr = (uintptr_t)SECRET };

	request.fd = uring(&request, setup);
	if (request.fd < 0)
		return request.fd;
	request.opcode = IORING_OP_READ;
	request.addr = (uintptr_t)buffer;
	request.len = sizeof(buffer);
	return judge_secret(uring(&request, setup));
}

static int act_uring(void)
{
	return uring_secret(0, IOSQE_ASYNC);
}

static int act_uring_poll(void)
{
	return uring_secret(IORING_SETUP_SQPOLL, 0);
}

static int act_loop_input(void)
{
	int loop = loop_open(STDIN_FILENO);

	return loop < 0 ? loop : loop_read(loop);
}

int become_act(const char *path, const char *name)
{
	setenv("ACT", name, 1);
	execl(path, path, NULL);
	return -errno;
}

/* The allowed program opens the secret, and another program continues with the descriptor. */
static int pass_on(const char *name)
{
	int fd = result(open(SECRET, O_RDONLY));

	if (fd < 0)
		return fd;
	dup2(fd, STDIN_FILENO);
	return become_act(OTHER, name);
}

static int act_pass_on(void)
{
	return pass_on("read-input");
}

static int act_pass_on_to_loop(void)
{
	return pass_on("loop-input");
}

static int act_exec_other(void)
{
	return become_act(OTHER, "read");
}

/* A victim: has read the secret, and has it open as descriptor 100. */
static int act_wait(void)
{
	int err = read_secret();

	if (!err)
		CHECK_SYS(dup2(file_open(SECRET, O_RDONLY), 100));
	CHECK_EQ(write(STDOUT_FILENO, &err, sizeof(err)), sizeof(err));
	for (;;)
		pause();
}

static int act_pause(void)
{
	pause();
	return 0;
}

/* Read the secret if foreign code has been loaded. */
static int act_read_preloaded(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, LIBRARY_FILE))
			return read_secret();
	return -ENODATA;
}

static const struct act acts[] = {
	{ "read", act_read }, { "read-input", act_read_input }, { "fork", act_fork },
	{ "thread", act_thread }, { "uring", act_uring }, { "uring-poll", act_uring_poll },
	{ "pass-on", act_pass_on }, { "exec-other", act_exec_other }, { "wait", act_wait },
	{ "loop-input", act_loop_input }, { "pass-on-to-loop", act_pass_on_to_loop },
	{ "pause", act_pause }, { "read-preloaded", act_read_preloaded },
	{ }
};

static void act_of(const struct act *act, const char *name)
{
	for (; act->name; act++)
		if (!strcmp(act->name, name))
			_exit(-act->run());
}

__attribute__((constructor)) static void act(void)
{
	const char *name = getenv("ACT");

	if (!name)
		return;
	act_of(acts, name);
	act_of(seen_acts, name);
}

/* Running it */

int exit_error(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}

int run_with(const char *path, const char *argument0, const char *argument1,
	     const char *name)
{
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		setenv("ACT", name, 1);
		execl(path, argument0, argument1, NULL);
		_exit(errno);
	}
	return exit_error(pid);
}

int run_act(const char *path, const char *name)
{
	return run_with(path, path, NULL, name);
}
