// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs cases and prints their results: see harness.h. Linked into every test program; has main().
 */
#include "harness.h"

#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 77 };

/* A case that takes longer hangs. Emulation is slow: ten times slower than hardware. */
#define CASE_SECONDS	100

bool kernel_is_rt(void)
{
	struct utsname name;

	CHECK_SYS(uname(&name));
	return strstr(name.version, "PREEMPT_RT");
}

unsigned int test_slowdown(void)
{
	const char *text = getenv("TEST_SLOWDOWN");
	int factor = text ? atoi(text) : 1;

	return factor > 1 ? factor : 1;
}

unsigned int hang_limit(unsigned int seconds)
{
	return 3 * seconds * test_slowdown();
}

void time_limit(unsigned int seconds)
{
	alarm(hang_limit(seconds));
}

/* Why the running case is skipped. Shared, because any of its processes may set it. */
static char *skip_reason;

#define SKIP_REASON_SIZE	256

const struct test *test_current;
void (*test_table)(void);
bool test_leaves;
static struct test *tests;

void test_register(struct test *test)
{
	struct test **end = &tests;

	while (*end)
		end = &(*end)->next;
	*end = test;
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(EXIT_FAIL);
}

void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(skip_reason, SKIP_REASON_SIZE, format, args);
	va_end(args);
	fflush(stdout);
	_exit(EXIT_SKIP);
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void text_append(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + length, size - length, format, args);
	va_end(args);
	CHECK(strlen(text) < size - 1);
}

static void sleep_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

/*
 * Some questions take a shell or bpftool, which would keep an emulated processor from what is
 * waited for: pause for three times as long as the answer took.
 */
static void pause_after(double answered_in)
{
	double ms = 3000 * answered_in;

	sleep_ms(ms < 10 ? 10 : ms > 500 ? 500 : ms);
}

bool wait_until(bool (*ready)(void *arg), void *arg, unsigned int seconds)
{
	double end = now() + seconds * test_slowdown(), asked;

	do {
		asked = now();
		if (ready(arg))
			return true;
		pause_after(now() - asked);
	} while (now() < end);
	return ready(arg);
}

/* Processes */

pid_t child_start(void (*run)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run(arg);
	fflush(stdout);
	_exit(EXIT_PASS);
}

void child_wait(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
		_exit(EXIT_SKIP);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_PASS)
		FAIL("a child process failed (status %#x)", status);
}

void child_kill(pid_t pid)
{
	int status;

	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_SYS(waitpid(pid, &status, 0));
	/* It has failed earlier and printed the reason. */
	if (!WIFSIGNALED(status))
		FAIL("a child process ended (status %#x)", status);
}

/* Read at the start: sysconf(3) opens a file, which a case's programs would see. */
static unsigned int processors;

void run_on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % processors, &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
}

static void case_setup(void)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mkdir(DIR_PATH, 0755) && errno != EEXIST)
		FAIL("mkdir " DIR_PATH ": %s", strerror(errno));
	CHECK_SYS(mount("case", DIR_PATH, "tmpfs", 0, NULL));
	CHECK_SYS(chdir(DIR_PATH));
}

static void case_run(void *arg)
{
	struct test *test = arg;

	test_current = test;
	time_limit(CASE_SECONDS);
	case_setup();
	test->run();
}

/* Runs after the case's process, descriptors and mounts are gone. */
static void case_leaks(void *unused)
{
	(void)unused;
	counts_wait(0, 0, 0, 0);
}

static int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return EXIT_FAIL;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("# killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	return EXIT_FAIL;
}

static int case_result(struct test *test)
{
	struct counts counts;
	int result;

	*skip_reason = '\0';
	result = child_status(child_start(case_run, test));
	if (result == EXIT_SKIP && !*skip_reason) {
		printf("# skipped, and nobody said why\n");
		return EXIT_FAIL;
	}
	/* A case may have removed the module and failed before it loaded it again. */
	if (!test_leaves && counts_try_read(&counts) &&
	    child_status(child_start(case_leaks, NULL)) != EXIT_PASS)
		return EXIT_FAIL;
	return result;
}

static void usage(const char *program)
{
	struct test *test;

	printf("Usage: %s [case...]\n\nRuns the named cases, or all. Cases:\n", program);
	for (test = tests; test; test = test->next)
		printf("  %s\n", test->name);
}

static bool is_wanted(const char *name, char **wanted)
{
	if (!*wanted)
		return true;
	for (; *wanted; wanted++)
		if (!strcmp(name, *wanted))
			return true;
	return false;
}

static int run_all(char **wanted)
{
	int number = 0, failed = 0, total = 0;
	struct test *test;

	for (test = tests; test; test = test->next)
		total += is_wanted(test->name, wanted);
	printf("TAP version 13\n1..%d\n", total);
	skip_reason = mmap(NULL, SKIP_REASON_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_reason == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (test = tests; test; test = test->next) {
		int result;

		if (!is_wanted(test->name, wanted))
			continue;
		result = case_result(test);
		failed += result != EXIT_PASS && result != EXIT_SKIP;
		printf("%sok %d - %s%s%s\n",
		       result == EXIT_PASS || result == EXIT_SKIP ? "" : "not ", ++number,
		       test->name, result == EXIT_SKIP ? " # SKIP " : "",
		       result == EXIT_SKIP ? skip_reason : "");
		fflush(stdout);
	}
	if (!total)
		fprintf(stderr, "no such case\n");
	return failed || !total;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "table", no_argument, NULL, 't' },
		{ }
	};
	int option = getopt_long(argc, argv, "h", options, NULL);

	setvbuf(stdout, NULL, _IOLBF, 0);
	processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (option == 'h')
		return usage(argv[0]), 0;
	if (option == 't' && test_table)
		return test_table(), 0;
	if (option != -1)
		return 2;
	return run_all(argv + optind);
}
