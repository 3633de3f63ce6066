// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules that exempt only certain executables: who passes for one of these, and who does not. Each
 * attempt gets at the secret, or at the process of the allowed program (victim.c). Run by
 * ../bypass_subject.c.
 *
 * The allowed program is a copy of the test, which does what ACT in its environment says (act.c).
 */
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "victim.h"

/* Attempts that are allowed */

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

/* Attempts that are denied */

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
 * This process replaces all mappings of its program by copies, and then tells the kernel that it
 * executes another.
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
	/* The numbers of the fields are those of proc(5). */
	memset(&map, 0, sizeof(map));
	field = strrchr(line, ')');
	for (int number = 3; field && number <= 51; number++) {
		unsigned long value;

		field = strchr(field + 1, ' ');
		value = field ? strtoul(field, NULL, 10) : 0;
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

/* Attempts that nothing stops */

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

/* Opens a file, and exits with RAN if it can read from it, or else with the error. */
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

/* In a new mount namespace, put another file in place of the dynamic linker. */
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
	/* OTHER itself would be denied. */
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
	/* Users there can have their own mounts, and so their own dynamic linker: see below. */
	DENIED_TO("the executable in a user namespace", try_user_namespace),
	DENIED_WITH("LD_PRELOAD", try_preload, ENODATA),

#if defined(__x86_64__) || defined(__aarch64__)
	PASSES_FOR("another dynamic linker, mounted over the one that the executable names",
		   try_linker,
		   "the kernel takes the dynamic linker, and that the libraries, from the root and "
		   "the mounts of who starts the program, and root can choose them: use "
		   "executables that are linked statically"),
#endif
	PASSES_FOR("a loop device of a descriptor that the executable passes on",
		   try_pass_on_to_loop,
		   "the device reads the file without asking, and what it is given is a "
		   "descriptor; only root can"),
	PASSES_FOR("another file that has its name now", try_replaced,
		   "executables are known by their names, so that they can be upgraded: deny "
		   "delete, rename and write of it, or say --inode"),
	PASSES_FOR("writing over the executable", try_overwrite,
		   "the inode is the subject, whatever is in it: deny write to the executable, "
		   "too"),
	{ }
};
