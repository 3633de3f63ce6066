// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes that started before a rule named their executable do not count as its processes: how
 * the tool reports them, and the command "adopt", which makes them count. attempts/seen.c tests
 * which processes do not count.
 */
#include "steps.h"

#include <sys/ptrace.h>

#include "bpf/guard/guard.h"
#include "events.h"

#define NOBODY		65534
/* Reads the file whenever there is a file "go", and prints "yes" or "no". */
#define READER		"while :; do while [ ! -e go ]; do sleep 0.1; done; rm go; " \
			"if { read line <f; } 2>/dev/null; then echo yes; else echo no; fi; done"

static pid_t reader;
static char number[16];

static bool is_reading(void *unused)
{
	char path[64], target[256] = "";

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/exe", reader);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "/exe");
}

/* The executable, and a process of it, exist before any rule names it. */
static void start_reader(void (*set)(void))
{
	put_file("f", "line\n");
	put_file("answers", "");
	CHECK_EQ(sh("chmod 0777 . && chmod 0666 answers && cp /usr/bin/dash exe"), 0);
	fflush(stdout);
	reader = CHECK_SYS(fork());
	if (!reader) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(file_open("answers", O_WRONLY | O_APPEND), STDOUT_FILENO);
		if (set)
			set();
		execl("./exe", "exe", "-c", READER, NULL);
		_exit(127);
	}
	CHECK(wait_until(is_reading, NULL, 10));
	snprintf(number, sizeof(number), "%d", reader);
	QUIET("allow", "--ops", "read", "--only-for", "./exe", "f");
}

static void end_reader(void)
{
	CHECK_SYS(kill(reader, SIGKILL));
	CHECK_SYS(waitpid(reader, NULL, 0));
}

static bool answered(void *answers)
{
	return !strcmp(get_file("answers"), answers);
}

/* Make the reader try once more, and wait until its output is @answers. */
static void expect_answers(char *answers)
{
	put_file("go", "");
	if (!wait_until(answered, answers, 10))
		FAIL("the answers are \"%s\", not \"%s\"", get_file("answers"), answers);
}

STEP(adopt)
{
	start_reader(NULL);
	SAYS("status");
	MATCHES(", 1 process unseen$");
	SAYS("status", "--json");
	HAS(",\"unseen\":1}");
	expect_answers("no\n");
	QUIET("adopt", number);
	expect_answers("no\nyes\n");
	SAYS("status");
	HAS_NOT("unseen");
	SAYS("status", "--json");
	HAS(",\"unseen\":0}");
	/* A second time does nothing. */
	SAYS("adopt", "-v", number);
	CHECK_EQ(strlen(out), 0);
	end_reader();
}

STEP(adopt_all)
{
	char line[32];

	start_reader(NULL);
	SAYS("adopt", "--all", "-v");
	snprintf(line, sizeof(line), "%s\n", number);
	CHECK_EQ(strcmp(out, line), 0);
	expect_answers("yes\n");
	QUIET("adopt", "--all");
	end_reader();
}

/* Events tell that the process is unseen: otherwise nobody would know why it is denied. */
STEP(adopt_is_what_is_missing)
{
	pid_t pid;

	start_reader(NULL);
	pid = watch_start(WORDS("watch"));
	expect_answers("no\n");
	await_event("\n");
	watch_end(pid, SIGTERM);
	MATCHES("^" TIME " denied read [^ ]*/f pid=[0-9]+ uid=0 command=exe executable=[^ ]*/exe "
		"rule=[^ ]*/f unseen=yes$");
	pid = watch_start(WORDS("watch", "--json"));
	expect_answers("no\nno\n");
	await_event("\n");
	DENIED(try_read("f"));
	await_event("/guard");
	watch_end(pid, SIGTERM);
	HAS(",\"unseen\":true}");
	HAS(",\"unseen\":false}");
	end_reader();
}

static void be_user_without_privileges(void)
{
	CHECK_SYS(setresgid(NOBODY, NOBODY, NOBODY));
	CHECK_SYS(setresuid(NOBODY, NOBODY, NOBODY));
	CHECK_SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* The user may have done it, so the administrator has to name the process. */
STEP(adopt_all_leaves_out)
{
	start_reader(be_user_without_privileges);
	FAILS(4, "was left out: it has seccomp filters or no_new_privs, which the user may have chosen",
	      "adopt", "--all");
	expect_answers("no\n");
	QUIET("adopt", number);
	expect_answers("no\nyes\n");
	end_reader();
}

STEP(adopt_refuses)
{
	char own[16], text[128];

	start_reader(NULL);
	snprintf(own, sizeof(own), "%d", getpid());
	FAILS(2, "PID is missing", "adopt");
	FAILS(2, "--all takes no PID", "adopt", "--all", number);
	FAILS(1, "'1x' is not the number of a process", "adopt", "1x");
	FAILS(1, "'0' is not the number of a process", "adopt", "0");
	FAILS(1, "process 2147483647: No such process", "adopt", "2147483647");
	/* A kernel thread. */
	FAILS(1, "process 2 executes nothing that a rule is only for", "adopt", "2");
	snprintf(text, sizeof(text), "process %s executes nothing that a rule is only for", own);
	FAILS(1, text, "adopt", own);
	/* All or none of them are adopted. */
	FAILS(1, text, "adopt", number, own);
	expect_answers("no\n");

	CHECK_SYS(ptrace(PTRACE_SEIZE, reader, NULL, NULL));
	snprintf(text, sizeof(text), "process %s is traced, by process %s", number, own);
	FAILS(1, text, "adopt", number);
	snprintf(text, sizeof(text), "process %s was left out: it is traced", number);
	FAILS(4, text, "adopt", "--all");
	SAYS("status");
	MATCHES(", 1 process unseen$");
	end_reader();
}
