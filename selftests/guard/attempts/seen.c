// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules that exempt only certain executables: processes that execute one of these, but that
 * somebody else may have tampered with, before the rule or by what they set for the program. Run by
 * ../bypass_subject.c; those of seen_limits with the guard started, and they make their own rules.
 */
#include "bypass.h"
#include "subject.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define NOBODY		65534
#define RULE		"deny --ops read --only-for " ALLOWED " " SECRET
#define RULE_FOR_OTHER	"deny --ops read --only-for " OTHER " " SECRET

/* State that is set for a program before it is executed */

static void set_no_new_privs(void)
{
	CHECK_SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* Add a filter that allows everything; another need not. */
static void add_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog filter = { .len = 1, .filter = &allow };

	CHECK_SYS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static void become_user(void)
{
	CHECK_SYS(setgroups(0, NULL));
	CHECK_SYS(setresgid(NOBODY, NOBODY, NOBODY));
	CHECK_SYS(setresuid(NOBODY, NOBODY, NOBODY));
}

/* Acts of a user's program: each executes the allowed program in the end */

static int act_execute(void)
{
	return become_act(ALLOWED, "read");
}

static int act_no_new_privs(void)
{
	set_no_new_privs();
	return act_execute();
}

static int act_filter(void)
{
	set_no_new_privs();
	add_filter();
	return act_execute();
}

/* With no_new_privs set already. */
static int act_another_filter(void)
{
	add_filter();
	return act_execute();
}

static int act_filter_in_thread(void)
{
	return run_in_thread(act_filter);
}

static int act_execute_in_thread(void)
{
	return run_in_thread(act_execute);
}

/* Acts of a process that waits for a byte on its standard input */

static void await_word(void)
{
	char byte = 0;

	CHECK_EQ(write(STDOUT_FILENO, &byte, 1), 1);
	CHECK_EQ(read(STDIN_FILENO, &byte, 1), 1);
}

static int act_read_later(void)
{
	await_word();
	return read_secret();
}

static int act_fork_later(void)
{
	pid_t pid;

	await_word();
	pid = CHECK_SYS(fork());
	if (!pid)
		_exit(-read_secret());
	return exit_error(pid);
}

static int act_execute_later(void)
{
	await_word();
	return act_execute();
}

static int act_execute_to_wait(void)
{
	await_word();
	return become_act(ALLOWED, "read-later");
}

static int act_pretend_later(void)
{
	int err;

	await_word();
	err = pretend(OTHER);
	await_word();
	return err ?: read_secret();
}

const struct act seen_acts[] = {
	{ "execute", act_execute }, { "no-new-privs", act_no_new_privs }, { "filter", act_filter },
	{ "another-filter", act_another_filter }, { "filter-in-thread", act_filter_in_thread },
	{ "execute-in-thread", act_execute_in_thread }, { "read-later", act_read_later },
	{ "fork-later", act_fork_later }, { "execute-later", act_execute_later },
	{ "execute-to-wait", act_execute_to_wait }, { "pretend-later", act_pretend_later },
	{ }
};

/* Executed by a user, or for one */

static int try_by_user(void)
{
	become_user();
	return run_act(OTHER, "execute");
}

static int try_by_users_thread(void)
{
	become_user();
	return run_act(OTHER, "execute-in-thread");
}

static int try_users_no_new_privs(void)
{
	become_user();
	return run_act(OTHER, "no-new-privs");
}

static int try_users_filter(void)
{
	become_user();
	return run_act(OTHER, "filter");
}

static int try_users_filter_in_thread(void)
{
	become_user();
	return run_act(OTHER, "filter-in-thread");
}

static int try_roots_filter(void)
{
	add_filter();
	return run_act(ALLOWED, "read");
}

/* Like service managers. */
static void start_for_user(void)
{
	become_user();
	set_no_new_privs();
	add_filter();
}

static int try_for_user(void)
{
	start_for_user();
	return run_act(ALLOWED, "read");
}

static int try_by_service(void)
{
	start_for_user();
	return run_act(OTHER, "execute");
}

static int try_by_services_thread(void)
{
	start_for_user();
	return run_act(OTHER, "execute-in-thread");
}

static int try_another_filter(void)
{
	start_for_user();
	return run_act(OTHER, "another-filter");
}

/* From before the rule */

static pid_t waiting;
static int word, answer;

static void await_answer(void)
{
	char byte;

	CHECK_EQ(read(answer, &byte, 1), 1);
}

static void give_word(void)
{
	char byte = 0;

	CHECK_EQ(write(word, &byte, 1), 1);
}

/* Start a program. */
static void begin(const char *path, const char *act)
{
	int in[2], out[2];

	unlink(SECRET);
	make_file(SECRET, TEXT);
	CHECK_SYS(pipe(in));
	CHECK_SYS(pipe(out));
	fflush(stdout);
	waiting = CHECK_SYS(fork());
	if (!waiting) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		_exit(-become_act(path, act));
	}
	word = in[1];
	answer = out[0];
	await_answer();
}

/* Let it run to its end. */
static int finish(void)
{
	give_word();
	return exit_error(waiting);
}

static int try_from_before(void)
{
	begin(ALLOWED, "read-later");
	guard(RULE);
	return finish();
}

static int try_child_from_before(void)
{
	begin(ALLOWED, "fork-later");
	guard(RULE);
	return finish();
}

static int try_execute_again(void)
{
	begin(ALLOWED, "execute-later");
	guard(RULE);
	return finish();
}

static int try_adopted(void)
{
	begin(ALLOWED, "read-later");
	guard(RULE);
	guard("adopt %d", waiting);
	return finish();
}

static int try_child_of_adopted(void)
{
	begin(ALLOWED, "fork-later");
	guard(RULE);
	guard("adopt --all");
	return finish();
}

/* The administrator adopted it for the executable that it ran then. */
static int try_executed_between(void)
{
	begin(ALLOWED, "execute-to-wait");
	guard(RULE);
	guard("adopt %d", waiting);
	guard("remove --all");
	give_word();
	await_answer();
	guard(RULE);
	return finish();
}

/* The process is protected while a rule names its executable, and unprotected afterwards. */
static int from_earlier_rule(void (*meanwhile)(void))
{
	guard(RULE);
	begin(ALLOWED, "read-later");
	guard("remove --all");
	if (meanwhile)
		meanwhile();
	guard(RULE);
	return finish();
}

static int try_earlier_rule(void)
{
	return from_earlier_rule(NULL);
}

static void trace_waiting(void)
{
	int status;

	CHECK_SYS(ptrace(PTRACE_ATTACH, waiting, NULL, NULL));
	CHECK_SYS(waitpid(waiting, &status, 0));
	CHECK_SYS(ptrace(PTRACE_DETACH, waiting, NULL, NULL));
}

static int try_traced_between(void)
{
	return from_earlier_rule(trace_waiting);
}

static void write_to_waiting(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", waiting);
	close(file_open(path, O_RDWR));
}

static int try_memory_between(void)
{
	return from_earlier_rule(write_to_waiting);
}

static void watch_waiting(void)
{
	CHECK_SYS(perf_open(waiting, false));
}

static int try_watched_between(void)
{
	return from_earlier_rule(watch_waiting);
}

static int try_pretended_between(void)
{
	guard(RULE);
	begin(ALLOWED, "pretend-later");
	guard("remove --all");
	give_word();
	await_answer();
	guard(RULE_FOR_OTHER);
	return finish();
}

static int try_from_audit(void)
{
	guard("start --audit");
	guard(RULE);
	begin(ALLOWED, "read-later");
	guard("start --enforce");
	return finish();
}

/* Such an executable obeys its environment; only a rule in force prevents that. */
static int try_from_trial(void)
{
	guard("deny --audit --ops read --only-for " ALLOWED " " SECRET);
	begin(ALLOWED, "read-later");
	guard(RULE);
	return finish();
}

#define ALLOWED_TO(name_, run_)		{ .name = (name_), .run = (run_), .may = true }
#define DENIED_TO(name_, run_)		{ .name = (name_), .run = (run_) }

const struct subject_attempt seen[] = {
	ALLOWED_TO("the executable, by a user", try_by_user),
	ALLOWED_TO("the executable, by a thread of a user's program", try_by_users_thread),
	ALLOWED_TO("the executable with root's seccomp filter", try_roots_filter),
	ALLOWED_TO("the executable with filter and no_new_privs, started for a user", try_for_user),
	ALLOWED_TO("the executable, by a service with filter and no_new_privs", try_by_service),
	ALLOWED_TO("the executable, by a thread of such a service", try_by_services_thread),

	DENIED_TO("the executable with no_new_privs of a user's", try_users_no_new_privs),
	DENIED_TO("the executable with a user's seccomp filter", try_users_filter),
	DENIED_TO("the executable with the filter of a user's thread", try_users_filter_in_thread),
	DENIED_TO("the executable with a filter that a service has added", try_another_filter),
	{ }
};

const struct subject_attempt seen_limits[] = {
	DENIED_TO("a process that began before the rule", try_from_before),
	DENIED_TO("a child of a process that began before the rule", try_child_from_before),
	ALLOWED_TO("a process from before the rule that executes it again", try_execute_again),
	ALLOWED_TO("a process from before the rule, adopted", try_adopted),
	ALLOWED_TO("a child of a process from before the rule, adopted", try_child_of_adopted),
	DENIED_TO("a process that was adopted, and has executed it while there was no rule",
		  try_executed_between),
	ALLOWED_TO("a process from under an earlier rule", try_earlier_rule),
	DENIED_TO("a process that was traced between two rules", try_traced_between),
	DENIED_TO("a process whose memory was opened between two rules", try_memory_between),
	DENIED_TO("a process that was watched between two rules", try_watched_between),
	DENIED_TO("a process that pretended between two rules to execute another",
		  try_pretended_between),
	DENIED_TO("a process from when the guard audited", try_from_audit),
	DENIED_TO("a process from when the rule was just tried", try_from_trial),
	{ }
};
