// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ways to execute a file's content. Run by ../bypass/. */
#include "bypass.h"

#include <elf.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/ptrace.h>

/* execve(2) and similar calls */

static int try_execve(struct target *t)
{
	return run_program(exec_path, (void *)t->path);
}

/* Hide the error of an interpreter that can't read the script. */
static int exec_silent(void *path)
{
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	return execl(path, path, NULL);
}

static int try_script(struct target *t)
{
	return run_program(exec_silent, (void *)t->path);
}

static int exec_descriptor(void *fd)
{
	char *argv[] = { "program", NULL };

	return syscall(SYS_execveat, *(int *)fd, "", argv, environ, AT_EMPTY_PATH);
}

static int try_execveat(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : run_program(exec_descriptor, &fd);
}

static int try_fexecve(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : run_program(exec_path, (void *)proc_path(fd));
}

static int exec_shared(void *path)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(execl(path, path, NULL) ? errno : 0);
	return pid;
}

static int try_vfork(struct target *t)
{
	pid_t pid = exec_shared((void *)t->path);
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFSIGNALED(status))
		return -ECANCELED;
	return WEXITSTATUS(status) == RAN ? 0 : -WEXITSTATUS(status);
}

/* As the interpreter of another file */

static int try_interpreter(struct target *t)
{
	char text[300];
	const char *script = scratch(t, "script");

	snprintf(text, sizeof(text), "#!%s\n", t->path);
	file_write(script, text);
	CHECK_SYS(chmod(script, 0755));
	return run_program(exec_path, (void *)script);
}

/* Make a program that names the file as its dynamic linker. */
static int try_dynamic_linker(struct target *t)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr interpreter, segment;
		char path[256];
	} program;
	const char *path = scratch(t, "program"), *template = scratch_file(t, "template", PROGRAM);
	int fd = file_open(template, O_RDONLY);

	memset(&program, 0, sizeof(program));
	CHECK_EQ(read(fd, &program.header, sizeof(program.header)), sizeof(program.header));
	program.header.e_phnum = 2;
	program.header.e_entry = 0;
	program.interpreter = (Elf64_Phdr){
		.p_type = PT_INTERP, .p_offset = offsetof(typeof(program), path),
		.p_filesz = strlen(t->path) + 1, .p_memsz = strlen(t->path) + 1,
	};
	program.segment = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_align = 4096,
		.p_filesz = sizeof(program), .p_memsz = sizeof(program),
	};
	snprintf(program.path, sizeof(program.path), "%s", t->path);
	fd = CHECK_SYS(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	CHECK_EQ(write(fd, &program, sizeof(program)), sizeof(program));
	close(fd);
	return run_program(exec_path, (void *)path);
}

/* Through the dynamic linker */

int exec_by_loader(void *path)
{
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	return execl(loader(), loader(), path, "-c", "exit 42", NULL);
}

static int try_loader(struct target *t)
{
	return run_program(exec_by_loader, (void *)t->path);
}

static int exec_preload(void *path)
{
	/* The dynamic linker warns about a library that it can't load, and continues. */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	setenv("LD_PRELOAD", path, 1);
	return execl("/bin/dash", "dash", "-c",
		     "grep -q \"r-xp.*$LD_PRELOAD\" /proc/$$/maps && exit 42", NULL);
}

static int try_preload(struct target *t)
{
	return run_program(exec_preload, (void *)t->path);
}

/* Mapping code */

static int try_map_code(struct target *t)
{
	return map_target(t, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

/* With this personality, everything readable is executable. */
static int try_personality(struct target *t)
{
	CHECK_SYS(personality(READ_IMPLIES_EXEC));
	return map_target(t, PROT_READ, MAP_PRIVATE);
}

static int prepare_map(struct target *t)
{
	return map_target(t, PROT_READ, MAP_PRIVATE);
}

static int run_mprotect(struct target *t)
{
	return result(mprotect(t->memory, FILE_SIZE, PROT_READ | PROT_EXEC));
}

static int run_pkey_mprotect(struct target *t)
{
	return result(syscall(SYS_pkey_mprotect, t->memory, FILE_SIZE, PROT_READ | PROT_EXEC, -1));
}

static int try_mprotect(struct target *t)
{
	int err = prepare_map(t);

	return err ? err : run_mprotect(t);
}

/* Apart from its headers, a program contains only exit_group(RAN). */
static int run_code_before(struct target *t)
{
	Elf64_Ehdr *header = t->memory;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid)
		((void (*)(void))((char *)t->memory + header->e_entry))();
	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) && WEXITSTATUS(status) == RAN ? 0 : -EPERM;
}

/* Execution by the kernel itself */

#define BINFMT	"/proc/sys/fs/binfmt_misc"

static void register_format(const struct target *t, const char *flags)
{
	char text[400];

	if (access(BINFMT "/register", F_OK))
		CHECK_SYS(mount("binfmt_misc", BINFMT, "binfmt_misc", 0, NULL));
	snprintf(text, sizeof(text), ":bypass%d:E::bypass%d::%s:%s", t->number, t->number, t->path,
		 flags);
	file_write(BINFMT "/register", text);
}

static int run_format(struct target *t)
{
	char name[64], entry[64];
	const char *path;
	int err;

	snprintf(name, sizeof(name), "data.bypass%d", t->number);
	snprintf(entry, sizeof(entry), BINFMT "/bypass%d", t->number);
	path = scratch(t, name);
	file_write(path, "data\n");
	CHECK_SYS(chmod(path, 0755));
	err = run_program(exec_path, (void *)path);
	file_write(entry, "-1");
	return err;
}

static int try_format(struct target *t)
{
	register_format(t, "");
	return run_format(t);
}

/* With "F", the kernel opens the interpreter at registration. */
static int prepare_format(struct target *t)
{
	register_format(t, "F");
	return 0;
}

static bool has_run(void *path)
{
	return !access(path, F_OK);
}

/* The kernel runs the file as the core dump handler, which creates a file. */
static int try_core_handler(struct target *t)
{
	char pattern[300];
	const char *sign = scratch(t, "sign");

	snprintf(pattern, sizeof(pattern), "|/proc/%d/root%s %s", getpid(), t->path, sign);
	if (strlen(pattern) > 127)
		FAIL("a path too long for core_pattern: %s", pattern);
	dump_core(pattern);
	return wait_until(has_run, (void *)sign, 1) ? 0 : -EPERM;
}

static int prepare_sign(struct target *t)
{
	char text[300];
	int fd;

	/* In the test's mount namespace, where the kernel's helpers don't run. */
	snprintf(text, sizeof(text), "#!/bin/sh\n>/proc/%d/root$1\n", getpid());
	fd = file_open(t->path, O_WRONLY | O_TRUNC);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return 0;
}

/* Not executing the file */

static int exec_memfd(void *path)
{
	char bytes[4096];
	int fd = CHECK_SYS(memfd_create("copy", MFD_CLOEXEC));
	int from = open(path, O_RDONLY);
	ssize_t size = read(from, bytes, sizeof(bytes));

	if (size < 0)
		return -1;
	CHECK_EQ(write(fd, bytes, size), size);
	return fexecve(fd, (char *[]){ "copy", NULL }, environ);
}

static int try_copy(struct target *t)
{
	return run_program(exec_memfd, (void *)t->path);
}

static int exec_shell(void *path)
{
	return execl("/bin/sh", "sh", path, NULL);
}

static int try_shell(struct target *t)
{
	return run_program(exec_shell, (void *)t->path);
}

/* A task that may execute a program but not read it can find it in the process's memory. */
static int try_read_memory(struct target *t)
{
	char mem[64], line[256], magic[4] = "";
	unsigned long begin = 0;
	FILE *maps;
	int status, fd;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(t->path, t->path, NULL);
		_exit(errno);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	snprintf(mem, sizeof(mem), "/proc/%d/maps", pid);
	maps = fopen(mem, "re");
	CHECK(maps);
	while (!begin && fgets(line, sizeof(line), maps))
		if (strstr(line, "/file\n"))
			sscanf(line, "%lx-", &begin);
	snprintf(mem, sizeof(mem), "/proc/%d/mem", pid);
	fd = result(open(mem, O_RDONLY | O_CLOEXEC));
	if (fd >= 0)
		CHECK_EQ(pread(fd, magic, sizeof(magic), begin), sizeof(magic));
	kill(pid, SIGKILL);
	return fd < 0 ? fd : memcmp(magic, ELFMAG, SELFMAG) ? -ENODATA : 0;
}

#define BY_FD(flags)	.open_flags = (flags), .by_descriptor = true

const struct attempt executing[] = {
	TRY("execve(2)", EXEC, try_execve, .kind = PROGRAM, .every_way = true),
	TRY("execve(2) of a script, which its interpreter reads", READ | EXEC, try_script,
	    .kind = SCRIPT),
	TRY("execveat(2) of a descriptor opened with O_PATH", EXEC, try_execveat, .kind = PROGRAM,
	    BY_FD(O_PATH)),
	TRY("execveat(2) of a descriptor opened to read", EXEC, try_execveat,
	    .kind = PROGRAM, BY_FD(O_RDONLY)),
	TRY("fexecve(3)", EXEC, try_fexecve, .kind = PROGRAM, BY_FD(O_PATH)),
	TRY("vfork(2) and execve(2)", EXEC, try_vfork, .kind = PROGRAM),
	TRY("as the interpreter of a script", EXEC, try_interpreter, .kind = PROGRAM,
	    .ways = ANY_PATH & ~BY(PROC_FD)),
	TRY("as the dynamic linker of a program", EXEC, try_dynamic_linker, .kind = PROGRAM,
	    .ways = ANY_PATH & ~BY(PROC_FD)),
	TRY("as an interpreter in binfmt_misc", EXEC, try_format, .kind = PROGRAM,
	    .ways = BY(DIRECT) | BY(HARD_LINK) | BY(SYMBOLIC_LINK) | BY(BIND_MOUNT)),
	TRY("as an interpreter that binfmt_misc opened before", EXEC, run_format,
	    .prepare = prepare_format, .kind = PROGRAM, .ways = BY(DIRECT)),
	TRY("a script as the handler of core dumps", READ | EXEC, try_core_handler,
	    .prepare = prepare_sign, .kind = SCRIPT, .ways = BY(DIRECT)),
	TRY("ld.so PROGRAM", READ | EXEC | MMAP, try_loader, .kind = DYNAMIC, .error = EPERM),
	TRY("a library, loaded by LD_PRELOAD", READ | EXEC | MMAP, try_preload, .kind = LIBRARY,
	    .ways = ANY_PATH & ~BY(PROC_FD) & ~BY(BIND_FILE) & ~BY(SYMBOLIC_LINK), .error = EPERM),
	TRY("mmap(2) as code", READ | EXEC | MMAP, try_map_code, BY_FD(O_RDONLY)),
	TRY("mmap(2), with personality(2) READ_IMPLIES_EXEC", READ | EXEC | MMAP, try_personality,
	    .own_process = true, BY_FD(O_RDONLY)),
	TRY("mmap(2), then mprotect(2) to executable", READ | EXEC | MMAP, try_mprotect,
	    BY_FD(O_RDONLY)),
	TRY("mprotect(2) to executable of what was mapped before", EXEC | READ | MMAP,
	    run_mprotect, .prepare = prepare_map, .ways = BY(DIRECT)),
	TRY("pkey_mprotect(2) to executable of what was mapped before", EXEC | READ | MMAP,
	    run_pkey_mprotect, .prepare = prepare_map, .ways = BY(DIRECT)),
	TRY("code that was mapped before", EXEC, run_code_before, .prepare = try_map_code,
	    .kind = PROGRAM, .ways = BY(DIRECT),
	    .why_not = "the kernel asks nobody when code in memory is executed: what runs goes on, "
		"and can fork(2); end it after the rule was made"),
	TRY("a copy in a memfd", EXEC, try_copy, .kind = PROGRAM, .ways = BY(DIRECT),
	    .why_not = "a copy is another file; deny read as well, or allow only certain programs "
		"to be executed"),
	TRY("sh SCRIPT", EXEC, try_shell, .kind = SCRIPT, .ways = BY(DIRECT),
	    .why_not = "for the kernel the shell reads the script; deny read as well"),
	TRY("the memory of a process that executes it", READ, try_read_memory, .kind = PROGRAM,
	    .ways = BY(DIRECT),
	    .why_not = "execution puts the content where who executes it can read it; deny exec as "
		"well"),
	{ }
};
