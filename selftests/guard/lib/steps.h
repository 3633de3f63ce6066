/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the tests of the tool inode-guard: guard/guard.c, which runs the steps next to it, and
 * guard_*.c.
 *
 * Starting the guard takes seconds, so many steps share one. Each step has its own process and
 * empty directory, and begins without rules. The manual page names the steps that test its
 * sentences (see scripts/manual).
 */
#ifndef STEPS_H
#define STEPS_H

#include "harness.h"

#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "small.h"

#define GUARD_PINS	"/sys/fs/bpf/inode-guard"

struct step {
	const char *name;
	void (*run)(void);
	bool is_tools;	/* see TOOL_STEP() */
	struct step *next;
};

void step_register(struct step *step);

/* A step. A TOOL_STEP tests what the tool does without the guard's programs. */
#define STEP(name)	STEP_OF(name, false)
#define TOOL_STEP(name)	STEP_OF(name, true)

#define STEP_OF(name, is_tools)						\
	static void step_##name(void);					\
	__attribute__((constructor)) static void register_step_##name(void) \
	{								\
		static struct step step = { #name, step_##name, is_tools, NULL }; \
									\
		step_register(&step);					\
	}								\
	static void step_##name(void)

/* The output of the last run of the tool. */
static char out[1 << 20] __attribute__((unused));
static char err[1 << 16] __attribute__((unused));

#define WORDS(...)	((char *[]){ "inode-guard", __VA_ARGS__, NULL })

static inline void tool_exec(char **argv, int out_fd, int err_fd)
{
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

static inline void tool_read(int fd, char *text, size_t size)
{
	ssize_t length = CHECK_SYS(pread(fd, text, size - 1, 0));

	text[length] = '\0';
	close(fd);
}

/* Run the tool, after calling @setup in its process, if set. Return the exit status. */
static inline int tool_run(char **argv, void (*setup)(void))
{
	int out_fd = CHECK_SYS(memfd_create("out", MFD_CLOEXEC)), status;
	int err_fd = CHECK_SYS(memfd_create("err", MFD_CLOEXEC));
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		if (setup)
			setup();
		tool_exec(argv, out_fd, err_fd);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	tool_read(out_fd, out, sizeof(out));
	tool_read(err_fd, err, sizeof(err));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The command must succeed and print nothing. */
#define QUIET(...)							\
	do {								\
		int status_ = tool_run(WORDS(__VA_ARGS__), NULL);	\
									\
		if (status_ || *out || *err)				\
			FAIL("%s: status %d, \"%s%s\"", #__VA_ARGS__, status_, out, err); \
	} while (0)

/* The command must succeed and print to standard output only. */
#define SAYS(...)							\
	do {								\
		int status_ = tool_run(WORDS(__VA_ARGS__), NULL);	\
									\
		if (status_ || *err)					\
			FAIL("%s: status %d, \"%s\"", #__VA_ARGS__, status_, err); \
	} while (0)

/* The command must fail with this status, and its error must contain this text. */
#define FAILS(want_, text_, ...)					\
	do {								\
		int status_ = tool_run(WORDS(__VA_ARGS__), NULL);	\
									\
		check_failure(status_, want_, text_, #__VA_ARGS__, __LINE__); \
	} while (0)

static inline void check_failure(int status, int want, const char *text, const char *what,
				 int line)
{
	if (status != want || strncmp(err, "inode-guard: ", 13) || !strstr(err, text) || *out)
		test_fail(__FILE__, line, "%s: status %d (expected %d), no \"%s\" in \"%s%s\"",
			  what, status, want, text, out, err);
}

static inline void check_matches(const char *text, const char *pattern, const char *file,
				 int line)
{
	regex_t regex;

	CHECK(!regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE));
	if (regexec(&regex, text, 0, NULL, 0))
		test_fail(file, line, "no /%s/ in \"%s\"", pattern, text);
	regfree(&regex);
}

/* A line of the output matches. */
#define MATCHES(pattern)	check_matches(out, pattern, __FILE__, __LINE__)
#define HAS(text)							\
	do {								\
		if (!strstr(out, text))					\
			FAIL("no \"%s\" in \"%s\"", text, out);		\
	} while (0)
#define HAS_NOT(text)							\
	do {								\
		if (strstr(out, text))					\
			FAIL("\"%s\" in \"%s\"", text, out);		\
	} while (0)

/* Accesses: they return 0 or an errno */

static inline int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* Read with a descriptor from before. */
static inline int try_held(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0) < 0 ? errno : 0;
}

static inline int try_read(const char *path)
{
	return try_open(path, O_RDONLY);
}

static inline int try_write_with(const char *path, int flags)
{
	int fd = open(path, O_WRONLY | flags | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, "x", 1) != 1)
		error = errno;
	close(fd);
	return error;
}

static inline int try_write(const char *path)
{
	return try_write_with(path, 0);
}

static inline int try_append(const char *path)
{
	return try_write_with(path, O_APPEND);
}

static inline int try_rename(const char *from, const char *to)
{
	return rename(from, to) ? errno : 0;
}

#define ALLOWED(attempt)	CHECK_EQ(attempt, 0)
#define DENIED(attempt)		CHECK_EQ(attempt, EPERM)

static inline void make(const char *path)
{
	close(file_create(path));
}

/* Write a conf file, or any other file with exactly these bytes. */
static inline void put_file(const char *path, const char *text)
{
	unlink(path);
	file_write(path, text);
}

static inline char *get_file(const char *path)
{
	int fd = file_open(path, O_RDONLY);
	struct stat stat;
	char *text;

	CHECK_SYS(fstat(fd, &stat));
	text = calloc(1, stat.st_size + 1);
	CHECK(text && read(fd, text, stat.st_size) == stat.st_size);
	close(fd);
	return text;
}

/* The file "saved", with this text, says what the rules are, and makes them anew. */
static inline void check_saved(const char *saved)
{
	SAYS("apply", "-v", "saved");
	HAS("nothing to change");
	QUIET("remove", "--all");
	QUIET("apply", "saved");
	SAYS("save");
	CHECK(!strcmp(out, saved));
}

/* Start a process of this shell, which waits until child_kill(). */
pid_t shell_start(const char *executable);
/* Whether others are kept away from the memory of such a process. */
bool memory_is_kept(const char *shell);

/* JSON (RFC 8259): return the text behind one value, or NULL if it is invalid. */
const char *json_value(const char *text);
/* @text must be one value, perhaps followed by space. */
void json_check(const char *text);

/* Start a tool that runs until its step ends it: see watch.c. Its output goes to a file. */
static inline pid_t tool_start(char **argv, const char *output)
{
	int fd = CHECK_SYS(open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		tool_exec(argv, fd, fd);
	}
	close(fd);
	return pid;
}

static inline int tool_end(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Run a case with more time, and remove the guard afterwards in any case. */
static inline void guarded(void (*run)(void *arg))
{
	int status;
	pid_t pid;

	time_limit(470);
	pid = child_start(run, NULL);
	CHECK_SYS(waitpid(pid, &status, 0));
	if (!access(GUARD_PINS, F_OK))
		sh("inode-guard stop 2>/dev/null");
	if (status)
		FAIL("status %#x", status);
}

/* Map the state that the programs share with the tool: see bpf/guard/guard.h. */
volatile struct guard_state *state_map(void);

static inline bool no_programs_left(void *unused)
{
	(void)unused;
	return sh("bpftool prog list 2>/dev/null | grep -q 'name guard_'");
}

/* The kernel unloads them one by one, after grace periods, which are long on PREEMPT_RT. */
static inline void check_no_programs_left(void)
{
	CHECK(wait_until(no_programs_left, NULL, 60));
}

#endif /* STEPS_H */
