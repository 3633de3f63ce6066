// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The service replaces a guard of another version. A file with a rule is never open meanwhile, and
 * permitted executables are never denied. If the service is killed on the way or has to give up,
 * one of the two guards is complete.
 */
#include "kill.h"

#include <linux/bpf.h>

#include "bpf/guard/guard.h"

#define CONF		"/etc/inode-guard.conf"
#define NEXT_PINS	GUARD_PINS "-next"
/* The socket exists when the service is ready. */
#define SOCKET		"/run/inode-guard.socket"
/* Count the programs of this name that are loaded. */
#define COUNT_PROGRAMS	"bpftool prog list 2>/dev/null | grep -c 'name guard_open '"
/* Read the file, and print "yes" or "no". */
#define READ		"if { read line <f; } 2>/dev/null; then echo yes; else echo no; fi; "
/*
 * Do so in a loop. The pauses leave emulated processors for the upgrade; a new process for each
 * attempt would take most of their time.
 */
#define READER		"while [ ! -e over ]; do " READ READ READ READ READ "sleep 0.1; done"
/* New processes, which keep starting. */
#define BEGINNERS	"while [ ! -e over ]; do ./exe -c '" READ "'; sleep 0.1; done"

/* Results of try_on(). */
struct tries {
	unsigned long count;
	unsigned long opened;
	unsigned int over;
};

static volatile struct tries *tries;

/* A script, and the shell that runs it. */
struct script {
	const char *exe;
	const char *text;
	const char *output;
};

static void run_script(void *arg)
{
	const struct script *script = arg;

	dup2(CHECK_SYS(open(script->output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600)),
	     STDOUT_FILENO);
	execl(script->exe, script->exe, "-c", script->text, NULL);
	_exit(127);
}

/* Try with a new descriptor, and with one from before the rule. */
static void try_on(void *held)
{
	while (!tries->over) {
		if (try_read("f") != EPERM || try_held(*(int *)held) != EPERM)
			tries->opened++;
		tries->count++;
		usleep(3000);
	}
}

static void wait_all(pid_t *pids, int count)
{
	while (count--)
		CHECK_SYS(waitpid(pids[count], NULL, 0));
}

static int count_programs(void)
{
	FILE *pipe = popen(COUNT_PROGRAMS, "r");
	int count = -1;

	CHECK(pipe && fscanf(pipe, "%d", &count) == 1);
	pclose(pipe);
	return count;
}

static bool has_programs(void *count)
{
	return count_programs() == *(int *)count;
}

/* Only one guard's pins exist, and only one guard's programs are loaded. */
static void check_alone(void)
{
	int one = 1;

	CHECK(access(NEXT_PINS, F_OK) && errno == ENOENT);
	CHECK(wait_until(has_programs, &one, 60));
}

static void make_old(void)
{
	volatile struct guard_state *state = state_map();

	state->version--;
	FAILS(1, "of another version", "status");
}

/* Run the service until it is ready; return how long that took. */
static double upgrade(char *const *words)
{
	double begun = now();
	pid_t pid = tool_start((char **)words, "service-out");

	while (access(SOCKET, F_OK) || tool_run(WORDS("status"), NULL)) {
		if (waitpid(pid, NULL, WNOHANG) == pid || now() > begun + hang_limit(120))
			FAIL("the service says \"%s\"", get_file("service-out"));
		usleep(100000);
	}
	CHECK_SYS(kill(pid, SIGTERM));
	CHECK_EQ(tool_end(pid), 0);
	if (*get_file("service-out"))
		FAIL("the service says \"%s\"", get_file("service-out"));
	return now() - begun;
}

static void start_old(void)
{
	CHECK_EQ(sh("{ [ -e exe ] || cp /usr/bin/dash exe; } && echo line >f && mkdir -p /etc && "
		    "echo allow --ops read --only-for $PWD/exe $PWD/f >" CONF), 0);
	QUIET("start");
	QUIET("apply");
	DENIED(try_read("f"));
}

static unsigned int count_lines(const char *path, const char *line)
{
	char *text = get_file(path), *at = text;
	unsigned int count = 0;

	while ((at = strstr(at, line))) {
		count++;
		at++;
	}
	free(text);
	return count;
}

static void check_answers(const char *who, const char *path)
{
	unsigned int yes = count_lines(path, "yes"), no = count_lines(path, "no");

	printf("# %s: %u times allowed, %u times denied\n", who, yes, no);
	CHECK(yes > 10);
	CHECK_EQ(no, 0);
}

static void run_upgrade(void *arg)
{
	struct script reader = { "./exe", READER, "reader" };
	struct script beginners = { "/bin/sh", BEGINNERS, "beginners" };
	int held = CHECK_SYS(open("f", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
	double seconds;
	pid_t pids[3];

	(void)arg;
	start_old();
	DENIED(try_held(held));
	tries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	put_file("moved", "");
	QUIET("deny", "--ops", "read", "moved");
	CHECK_SYS(rename("moved", "away"));
	DENIED(try_read("away"));
	pids[0] = child_start(try_on, &held);
	pids[1] = child_start(run_script, &reader);
	pids[2] = child_start(run_script, &beginners);
	make_old();
	seconds = upgrade(WORDS("service"));
	SAYS("status");
	MATCHES("^running: enforcing, 1 of ");
	HAS_NOT("unseen");
	ALLOWED(try_read("away"));
	check_alone();
	tries->over = 1;
	make("over");
	wait_all(pids, 3);
	printf("# the upgrade took %.1f s; %lu attempts to read the file meanwhile\n", seconds,
	       tries->count);
	CHECK(tries->count > 100);
	CHECK_EQ(tries->opened, 0);
	check_answers("one that may", "reader");
	check_answers("others that began meanwhile", "beginners");
	QUIET("stop");
	ALLOWED(try_read("f"));
	CHECK_SYS(unlink(CONF));
}

TEST(upgrade)
{
	guarded(run_upgrade);
}

/* A process that the old guard had not seen is unseen by the new one, too. */
static void run_unseen(void *arg)
{
	struct script reader = {
		"./exe", "while [ ! -e go ]; do sleep 0.1; done; " READER, "reader"
	};
	pid_t pid;

	(void)arg;
	CHECK_EQ(sh("cp /usr/bin/dash exe"), 0);
	pid = child_start(run_script, &reader);
	start_old();
	make_old();
	upgrade(WORDS("service"));
	SAYS("status");
	MATCHES("1 process unseen$");
	make("go");
	sleep(1);
	make("over");
	wait_all(&pid, 1);
	CHECK_EQ(count_lines("reader", "yes"), 0);
	CHECK(count_lines("reader", "no") > 0);
	QUIET("stop");
	CHECK_SYS(unlink(CONF));
}

TEST(unseen)
{
	guarded(run_unseen);
}

/* The old guard was in audit mode: so is the new one, unless told otherwise. */
static void run_audit(void *arg)
{
	(void)arg;
	start_old();
	QUIET("start", "--audit");
	make_old();
	upgrade(WORDS("service"));
	SAYS("status");
	MATCHES("^running: audit");
	ALLOWED(try_read("f"));
	make_old();
	upgrade(WORDS("service", "--enforce"));
	SAYS("status");
	MATCHES("^running: enforcing");
	DENIED(try_read("f"));
	QUIET("stop");
	CHECK_SYS(unlink(CONF));
}

TEST(audit)
{
	guarded(run_audit);
}

/* The old guard stays. */
static void check_refused(const char *text)
{
	FAILS(1, text, "service");
	CHECK(strstr(err, "the guard of another version goes on, with its rules"));
	DENIED(try_read("f"));
	FAILS(1, "of another version", "status");
	check_alone();
}

static void run_refused(void *arg)
{
	(void)arg;
	start_old();
	make_old();
	FAILS(1, "'inode-guard service' takes its place", "start");
	CHECK_EQ(sh("mv " CONF " conf"), 0);
	check_refused("there is neither");
	put_file(CONF, "deny --ops none f\n");
	check_refused(CONF ":1: ");
	/* The directory for the new pins is not the guard's. */
	CHECK_EQ(sh("cp conf " CONF), 0);
	CHECK_SYS(mkdir(NEXT_PINS, 0755));
	CHECK_SYS(chmod(NEXT_PINS, 0755));
	FAILS(1, "no guard can take the place", "service");
	DENIED(try_read("f"));
	CHECK_SYS(rmdir(NEXT_PINS));
	QUIET("stop");
	check_no_programs_left();
	CHECK_SYS(unlink(CONF));
}

TEST(refused)
{
	guarded(run_refused);
}

/* Killed on the way */

static bool pins(const struct call *call)
{
	return call->number == SYS_bpf && call->command == BPF_OBJ_PIN;
}

static bool exchanges(const struct call *call)
{
	return call->number == SYS_renameat2;
}

static bool removes_other(const struct call *call)
{
	return call->number == SYS_unlinkat && !call->flags;
}

/* The next upgrade, or a stop, completes it. */
static void check_killed(bool (*meant)(const struct call *call), unsigned int nth)
{
	make_old();
	CHECK(killed_at(WORDS("service"), meant, nth));
	DENIED(try_read("f"));
	CHECK_SYS(access(NEXT_PINS, F_OK));
	upgrade(WORDS("service"));
	SAYS("status");
	DENIED(try_read("f"));
	check_alone();
}

static void run_killed(void *arg)
{
	(void)arg;
	start_old();
	check_killed(pins, 40);
	check_killed(exchanges, 1);
	/* The upgrade is done, and the old guard is partly removed. */
	check_killed(removes_other, 10);
	make_old();
	CHECK(killed_at(WORDS("service"), exchanges, 1));
	QUIET("stop");
	check_no_programs_left();
	CHECK(access(NEXT_PINS, F_OK) && access(GUARD_PINS, F_OK));
	ALLOWED(try_read("f"));
	CHECK_SYS(unlink(CONF));
}

TEST(killed)
{
	guarded(run_killed);
}
