// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What programs do with their own files and processes, where Debian has no program for it: "work"
 * compiles and runs this. Exits with 0 if everything succeeded.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define MUST(condition)							\
	do {								\
		if (!(condition)) {					\
			perror(#condition);				\
			exit(1);					\
		}							\
	} while (0)

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	MUST(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* Stream and datagram sockets. */
static void use_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), one, other, datagrams;
	char text[8] = "";

	unlink("socket");
	MUST(!bind(listener, (struct sockaddr *)&address, sizeof(address)));
	MUST(!listen(listener, 1));
	one = connect_to("socket");
	other = accept(listener, NULL, NULL);
	MUST(write(one, "hello", 6) == 6 && read(other, text, sizeof(text)) == 6);
	MUST(!strcmp(text, "hello"));
	unlink("socket");
	datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);
	MUST(!bind(datagrams, (struct sockaddr *)&address, sizeof(address)));
	one = socket(AF_UNIX, SOCK_DGRAM, 0);
	MUST(sendto(one, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)) == 1);
}

static void use_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_TASK_CLOCK,
		.size = sizeof(attr),
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_STACK_USER, .sample_stack_user = 1024,
		.sample_period = 100000, .exclude_kernel = 1,
	};
	long long count;
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	MUST(fd >= 0);
	MUST(read(fd, &count, sizeof(count)) == sizeof(count));
}

/* Write through io_uring. */
static void use_ring(void)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	int file = open("ring", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct io_uring_sqe *sqe;
	struct iovec data = { "written", 7 };
	char *submissions, text[8] = "";

	MUST(ring >= 0 && file >= 0);
	submissions = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(int),
			   PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, params.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	MUST(submissions != MAP_FAILED && sqe != MAP_FAILED);
	sqe->opcode = IORING_OP_WRITEV;
	sqe->fd = file;
	sqe->addr = (unsigned long)&data;
	sqe->len = 1;
	__atomic_store_n((unsigned int *)(submissions + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	MUST(pread(file, text, sizeof(text), 0) == 7 && !strcmp(text, "written"));
}

/* Trace a child, as debuggers do. */
static void use_trace(void)
{
	static volatile long word = 1;
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(word == 2 ? 0 : 1);
	}
	MUST(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	MUST(ptrace(PTRACE_PEEKDATA, pid, &word, 0) == 1);
	MUST(!ptrace(PTRACE_POKEDATA, pid, &word, 2));
	MUST(!ptrace(PTRACE_CONT, pid, 0, 0));
	MUST(waitpid(pid, &status, 0) == pid && !status);
}

/* Access a child's memory in the other ways. */
static void use_memory(void)
{
	static char text[8] = "secret";
	char there[8] = "", path[64];
	struct iovec to = { there, sizeof(there) }, from = { text, sizeof(text) };
	pid_t pid = fork();
	int fd;

	if (!pid) {
		pause();
		_exit(0);
	}
	MUST(process_vm_readv(pid, &to, 1, &from, 1, 0) == sizeof(text));
	MUST(!strcmp(there, text));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	MUST(fd >= 0 && pread(fd, there, sizeof(there), (long)text) == sizeof(there));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void ask(const char *path)
{
	char text[64];
	int fd = connect_to(path);
	ssize_t length;

	while ((length = read(fd, text, sizeof(text))) > 0)
		MUST(write(STDOUT_FILENO, text, length) == length);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	alarm(600);
	if (!strcmp(what, "socket"))
		use_sockets();
	else if (!strcmp(what, "perf"))
		use_perf();
	else if (!strcmp(what, "ring"))
		use_ring();
	else if (!strcmp(what, "trace"))
		use_trace();
	else if (!strcmp(what, "memory"))
		use_memory();
	else if (!strcmp(what, "abort"))
		abort();
	else if (!strcmp(what, "ask") && argc > 2)
		ask(argv[2]);
	else
		return 2;
	return 0;
}
