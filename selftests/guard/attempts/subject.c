// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Rules that only certain executables are exempt from: who passes for one of them, and who does
 * not. Each attempt gets at the secret, or at the process of the allowed program. Run by
 * ../bypass/.
 *
 * The allowed program is a copy of the test, which does what ACT in its environment says.
 */
#include "bypass.h"
#include "subject.h"

#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#define STRING_(text)	#text
#define STRING(text)	STRING_(text)
#define SELF		"/proc/self/exe"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#define SYS_pidfd_getfd	438
#endif

static char buffer[FILE_SIZE];

static int judge(long size)
{
	return judge_text(buffer, size);
}

int read_secret(void)
{
	int fd = result(open(SECRET, O_RDONLY | O_CLOEXEC));

	return fd < 0 ? fd : judge(result(read(fd, buffer, sizeof(buffer))));
}

/* What the program does that is executed. The exit status is the error. */

static int act_read(void)
{
	return read_secret();
}

static int act_read_input(void)
{
	return judge(result(pread(STDIN_FILENO, buffer, sizeof(buffer), 0)));
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
	return judge(uring(&request, setup));
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

/* Opened by the allowed program, and then it is another that runs. */
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

/* To be attacked: has read the secret, has it open as descriptor 100. */
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

/* Foreign code has been loaded into it. */
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

static int run_with(const char *path, const char *argument0, const char *argument1,
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

static pid_t victim;

static int start_victim(void)
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

static int end_victim(int err)
{
	kill(victim, SIGKILL);
	waitpid(victim, NULL, __WALL);
	return err;
}

/* Those that are allowed */

static int try_allowed(void)
{
	return run_act(ALLOWED, "read");
}

static int try_hard_link(void)
{
	CHECK_SYS(link(ALLOWED, "link"));
	return run_act("./link", "read");
}

static int try_symbolic_link(void)
{
	CHECK_SYS(symlink(ALLOWED, "symlink"));
	return run_act("./symlink", "read");
}

static int try_renamed(void)
{
	int err;

	CHECK_SYS(rename(ALLOWED, "moved"));
	err = run_act("./moved", "read");
	CHECK_SYS(rename("moved", ALLOWED));
	return err;
}

static int try_bound(void)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(ALLOWED, OTHER, NULL, MS_BIND, NULL));
	return run_act(OTHER, "read");
}

static int try_script(void)
{
	file_write("script", "#!" ALLOWED "\n");
	CHECK_SYS(chmod("script", 0755));
	return run_act("./script", "read");
}

static int try_fork(void)
{
	return run_act(ALLOWED, "fork");
}

static int try_thread(void)
{
	return run_act(ALLOWED, "thread");
}

static int try_uring(void)
{
	return run_act(ALLOWED, "uring");
}

static int try_uring_poll(void)
{
	return run_act(ALLOWED, "uring-poll");
}

/* Those that are not */

static int try_other(void)
{
	return run_act(OTHER, "read");
}

static int try_other_uring(void)
{
	return run_act(OTHER, "uring");
}

static int try_other_uring_poll(void)
{
	return run_act(OTHER, "uring-poll");
}

static int try_replaced(void)
{
	int err;

	CHECK_SYS(rename(ALLOWED, "old"));
	CHECK_EQ(sh("cp " OTHER " " ALLOWED), 0);
	err = run_act(ALLOWED, "read");
	CHECK_SYS(rename("old", ALLOWED));
	return err;
}

static int try_loader(void)
{
	return run_with(loader(), loader(), ALLOWED, "read");
}

static int try_exec_other(void)
{
	return run_act(ALLOWED, "exec-other");
}

static int try_pass_on(void)
{
	return run_act(ALLOWED, "pass-on");
}

static int try_pass_on_to_loop(void)
{
	return run_act(ALLOWED, "pass-on-to-loop");
}

static int try_argument_zero(void)
{
	return run_with(OTHER, ALLOWED, NULL, "read");
}

/*
 * This process puts copies in place of all that it has mapped of its program, and then says that it
 * is another.
 */
static void copy_mapping(unsigned long begin, unsigned long end, const char *access)
{
	int prot = (access[0] == 'r' ? PROT_READ : 0) | (access[1] == 'w' ? PROT_WRITE : 0) |
		   (access[2] == 'x' ? PROT_EXEC : 0);
	char *copy = mmap(NULL, end - begin, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	CHECK(copy != MAP_FAILED);
	memcpy(copy, (void *)begin, end - begin);
	CHECK_SYS(mprotect(copy, end - begin, prot));
	CHECK(mremap(copy, end - begin, end - begin, MREMAP_MAYMOVE | MREMAP_FIXED, begin) !=
	      MAP_FAILED);
}

static void leave_program(void)
{
	static char maps[1 << 16];
	char exe[256] = "", access[8];
	unsigned long begin, end;
	size_t size = 0;
	ssize_t got;
	int fd = file_open("/proc/self/maps", O_RDONLY);

	CHECK_SYS(readlink(SELF, exe, sizeof(exe) - 1));
	while ((got = read(fd, maps + size, sizeof(maps) - 1 - size)) > 0)
		size += got;
	for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, exe) && sscanf(line, "%lx-%lx %7s", &begin, &end, access) == 3)
			copy_mapping(begin, end, access);
}

int pretend(const char *path)
{
	int fd = file_open(path, O_RDONLY);

	leave_program();
	return result(prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0));
}

static int try_become(void)
{
	return pretend(ALLOWED) ?: read_secret();
}

static int try_become_map(void)
{
	struct prctl_mm_map map;
	const struct {
		int number;
		__u64 *value;
	} parts[] = {
		{ 26, &map.start_code }, { 27, &map.end_code }, { 28, &map.start_stack },
		{ 45, &map.start_data }, { 46, &map.end_data }, { 47, &map.start_brk },
		{ 48, &map.arg_start }, { 49, &map.arg_end }, { 50, &map.env_start },
		{ 51, &map.env_end },
	};
	char line[1024];
	FILE *stat = fopen("/proc/self/stat", "re");
	char *field;

	CHECK(stat && fgets(line, sizeof(line), stat));
	/* By the numbers that proc(5) gives the fields. */
	memset(&map, 0, sizeof(map));
	field = strrchr(line, ')') + 1;
	for (int number = 3; field && number <= 51; number++) {
		unsigned long value;

		field = strchr(field, ' ') + 1;
		value = strtoul(field, NULL, 10);
		for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
			if (parts[i].number == number)
				*parts[i].value = value;
	}
	map.brk = (uintptr_t)sbrk(0);
	map.exe_fd = file_open(ALLOWED, O_RDONLY);
	leave_program();
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0))
		return -errno;
	return read_secret();
}

/* The process of the allowed program, and its memory and descriptors */

static int try_attach(void)
{
	int err = start_victim();

	return end_victim(err ? err : result(ptrace(PTRACE_ATTACH, victim, NULL, NULL)));
}

static int try_seize(void)
{
	int err = start_victim();

	return end_victim(err ? err : result(ptrace(PTRACE_SEIZE, victim, NULL, NULL)));
}

static int try_trace_exec(void)
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
	/* It has stopped behind execve(2), in our hands. */
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return exit_error(pid);
}

/* A tracer that has been there first. */
static int try_seize_exec(void)
{
	int go[2], status;
	char byte = 0;
	pid_t pid;

	CHECK_SYS(pipe(go));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		CHECK_EQ(read(go[0], &byte, 1), 1);
		_exit(-become_act(ALLOWED, "read"));
	}
	CHECK_SYS(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXEC));
	CHECK_EQ(write(go[1], &byte, 1), 1);
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

static int try_vm_read(void)
{
	return victim_memory(process_vm_readv);
}

static int try_vm_write(void)
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

static int try_mem_read(void)
{
	return open_victim("mem", O_RDONLY);
}

static int try_mem_write(void)
{
	return open_victim("mem", O_RDWR);
}

static int try_fd_of(void)
{
	return open_victim("fd/100", O_RDONLY);
}

static int try_getfd(void)
{
	int err = start_victim(), pidfd, fd;

	if (err)
		return end_victim(err);
	pidfd = CHECK_SYS(syscall(SYS_pidfd_open, victim, 0));
	fd = result(syscall(SYS_pidfd_getfd, pidfd, 100, 0));
	if (fd < 0)
		return end_victim(fd);
	return end_victim(judge(result(pread(fd, buffer, sizeof(buffer), 0))));
}

int perf_open(pid_t pid, bool from_exec)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = 100000, .sample_type = PERF_SAMPLE_STACK_USER | PERF_SAMPLE_REGS_USER,
		.sample_stack_user = 4096, .sample_regs_user = 1, .exclude_kernel = 1,
		.disabled = from_exec, .enable_on_exec = from_exec,
	};

	return result(syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

static int try_perf(void)
{
	int err = start_victim();

	if (!err)
		err = perf_open(victim, false);
	return end_victim(err < 0 ? err : 0);
}

static int try_perf_exec(void)
{
	char byte = 0;
	int go[2], fd;
	pid_t pid;

	CHECK_SYS(pipe(go));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		CHECK_EQ(read(go[0], &byte, 1), 1);
		_exit(-become_act(ALLOWED, "read"));
	}
	fd = perf_open(pid, true);
	CHECK(fd >= 0);
	CHECK_EQ(write(go[1], &byte, 1), 1);
	return exit_error(pid);
}

/* What is not stopped */

static int try_preload(void)
{
	char command[256];
	int err;

	snprintf(command, sizeof(command), "cp %s " LIBRARY_FILE, library());
	CHECK_EQ(sh(command), 0);
	setenv("LD_PRELOAD", LIBRARY_FILE, 1);
	err = run_act(ALLOWED, "read-preloaded");
	unsetenv("LD_PRELOAD");
	return err;
}

static int try_user_namespace(void)
{
	CHECK_SYS(unshare(CLONE_NEWUSER));
	return run_act(ALLOWED, "read");
}

/* Opens a file, and returns RAN if it can read from it, or else the error. */
#if defined(__x86_64__)
asm(".pushsection .rodata\n"
    "	.global interpreter_begin, interpreter_end\n"
    "interpreter_begin:\n"
    "	lea 1f(%rip), %rdi\n"
    "	xor %esi, %esi\n"
    "	mov $2, %eax\n"			/* open */
    "	syscall\n"
    "	test %eax, %eax\n"
    "	js 2f\n"
    "	mov %eax, %edi\n"
    "	lea -256(%rsp), %rsi\n"
    "	mov $100, %edx\n"
    "	xor %eax, %eax\n"			/* read */
    "	syscall\n"
    "	test %eax, %eax\n"
    "	js 2f\n"
    "	mov $-" STRING(RAN) ", %eax\n"
    "2:	neg %eax\n"
    "	mov %eax, %edi\n"
    "	mov $231, %eax\n"			/* exit_group */
    "	syscall\n"
    "1:	.asciz \"" SECRET "\"\n"
    "interpreter_end:\n"
    ".popsection");
#elif defined(__aarch64__)
asm(".pushsection .rodata\n"
    "	.global interpreter_begin, interpreter_end\n"
    "	.balign 4\n"
    "interpreter_begin:\n"
    "	mov x0, #-100\n"			/* AT_FDCWD */
    "	adr x1, 1f\n"
    "	mov x2, #0\n"
    "	mov x8, #56\n"			/* openat */
    "	svc #0\n"
    "	tbnz x0, #63, 2f\n"
    "	sub sp, sp, #256\n"
    "	mov x1, sp\n"
    "	mov x2, #100\n"
    "	mov x8, #63\n"			/* read */
    "	svc #0\n"
    "	tbnz x0, #63, 2f\n"
    "	mov x0, #-" STRING(RAN) "\n"
    "2:	neg x0, x0\n"
    "	mov x8, #94\n"			/* exit_group */
    "	svc #0\n"
    "1:	.asciz \"" SECRET "\"\n"
    "interpreter_end:\n"
    ".popsection");
#endif
#if defined(__x86_64__) || defined(__aarch64__)
extern const char interpreter_begin[], interpreter_end[];

/* In a namespace of mounts of one's own, another file has the name of the dynamic linker. */
static int try_linker(void)
{
	pid_t pid;
	int err;

	make_program_of("linker", interpreter_begin, interpreter_end - interpreter_begin);
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount("linker", loader(), NULL, MS_BIND, NULL));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		execl(ALLOWED, ALLOWED, NULL);
		_exit(errno);
	}
	err = exit_error(pid);
	unlink("linker");
	return err == -RAN ? 0 : err;
}
#endif

static int try_overwrite(void)
{
	/* As OTHER, it would be denied. */
	CHECK_EQ(sh("cat " OTHER " >" ALLOWED), 0);
	return run_act(ALLOWED, "read");
}

static int try_crash(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char old[128];
	int err = start_victim();

	if (err)
		return end_victim(err);
	file_read("/proc/sys/kernel/core_pattern", old, sizeof(old));
	file_write("/proc/sys/kernel/core_pattern", DIR_PATH "/core");
	CHECK_SYS(prlimit(victim, RLIMIT_CORE, &limit, NULL));
	CHECK_SYS(kill(victim, SIGABRT));
	CHECK_SYS(waitpid(victim, NULL, 0));
	file_write("/proc/sys/kernel/core_pattern", old);
	return sh("grep -qs 'secret of the guarded file' " DIR_PATH "/core") ? -ENODATA : 0;
}

static int try_loop(void)
{
	int fd = result(open(SECRET, O_RDONLY));

	return fd < 0 ? fd : loop_read(CHECK_OK(loop_open(fd)));
}

#define ALLOWED_TO(name_, run_)			{ .name = (name_), .run = (run_), .may = true }
#define DENIED_TO(name_, run_)			{ .name = (name_), .run = (run_) }
#define DENIED_WITH(name_, run_, error_) \
	{ .name = (name_), .run = (run_), .error = (error_) }
#define PASSES_FOR(name_, run_, why_not_) \
	{ .name = (name_), .run = (run_), .may = true, .why_not = (why_not_) }

const struct subject_attempt subjects[] = {
	ALLOWED_TO("the executable", try_allowed),
	ALLOWED_TO("a hard link of it", try_hard_link),
	ALLOWED_TO("a symbolic link to it", try_symbolic_link),
	ALLOWED_TO("it by another name", try_renamed),
	ALLOWED_TO("it, bound over another file", try_bound),
	ALLOWED_TO("a script that it is the interpreter of", try_script),
	ALLOWED_TO("its child process", try_fork),
	ALLOWED_TO("its thread", try_thread),
	ALLOWED_TO("its io_uring worker", try_uring),
	ALLOWED_TO("its io_uring thread that polls", try_uring_poll),

	DENIED_TO("a copy of it", try_other),
	DENIED_TO("a copy that says by its first argument that it is it", try_argument_zero),
	DENIED_TO("a copy's io_uring worker", try_other_uring),
	DENIED_TO("a copy's io_uring thread that polls", try_other_uring_poll),
	DENIED_TO("ld.so EXECUTABLE", try_loader),
	DENIED_TO("another program that it executes", try_exec_other),
	DENIED_TO("another program that it executes, with a descriptor it opened", try_pass_on),
	DENIED_TO("prctl(2) with PR_SET_MM_EXE_FILE", try_become),
	DENIED_TO("prctl(2) with PR_SET_MM_MAP", try_become_map),
	DENIED_TO("ptrace(2) with PTRACE_ATTACH", try_attach),
	DENIED_TO("ptrace(2) with PTRACE_SEIZE", try_seize),
	DENIED_TO("ptrace(2) with PTRACE_TRACEME, then execve(2) of it", try_trace_exec),
	DENIED_TO("ptrace(2) with PTRACE_SEIZE, then execve(2) of it", try_seize_exec),
	DENIED_TO("process_vm_readv(2)", try_vm_read),
	DENIED_TO("process_vm_writev(2)", try_vm_write),
	DENIED_WITH("/proc/PID/mem, to read", try_mem_read, EACCES),
	DENIED_WITH("/proc/PID/mem, to write", try_mem_write, EACCES),
	DENIED_TO("/proc/PID/fd", try_fd_of),
	DENIED_TO("pidfd_getfd(2)", try_getfd),
	DENIED_TO("perf_event_open(2)", try_perf),
	DENIED_TO("perf_event_open(2), then execve(2) of it", try_perf_exec),
	DENIED_WITH("a core dump of its process", try_crash, ENODATA),
	DENIED_TO("a loop device", try_loop),
	/* Where everybody can have his own mounts, and so his own dynamic linker: see below. */
	DENIED_TO("the executable in a user namespace", try_user_namespace),
	DENIED_WITH("LD_PRELOAD", try_preload, ENODATA),

#if defined(__x86_64__) || defined(__aarch64__)
	PASSES_FOR("another dynamic linker, mounted over the one that the executable names",
		try_linker,
		"the kernel takes the dynamic linker, and that the libraries, from the root and "
		"the mounts of who starts the program, and root can choose them: use executables "
		"that are linked statically"),
#endif
	PASSES_FOR("a loop device of a descriptor that the executable passes on",
		try_pass_on_to_loop,
		"the device reads the file without asking, and what it is given is a descriptor; "
		"only root can"),
	PASSES_FOR("another file that has its name now", try_replaced,
		"executables are known by their names, so that they can be upgraded: deny delete, "
		"rename and write of it, or say --inode"),
	PASSES_FOR("writing over the executable", try_overwrite,
		"the inode is the subject, whatever is in it: deny write to the executable, too"),
	{ }
};
