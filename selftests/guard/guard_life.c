// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inode-guard from "start" to "stop": how long the guard lives, what the tool says when the guard
 * is missing or incomplete, and what "start" refuses.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "steps.h"
#include "bpf/guard/guard.h"

#define LSM_LIST	"/sys/kernel/security/lsm"
#define MODULE_FILE	"/lib/modules/extra/inode_map.ko"

/* The guard's own life */

static void check_not_running(void)
{
	CHECK_EQ(tool_run(WORDS("status"), NULL), 3);
	CHECK(!strcmp(out, "stopped\n"));
	CHECK_EQ(tool_run(WORDS("status", "--json"), NULL), 3);
	json_check(out);
	HAS("{\"state\":\"stopped\"}");
	FAILS(3, "not running", "stop");
	FAILS(3, "not running", "deny", "file");
	FAILS(3, "not running", "allow", "file");
	FAILS(3, "not running", "remove", "file");
	FAILS(3, "not running", "list");
	FAILS(3, "not running", "save");
	FAILS(3, "not running", "watch");
	put_file("conf", "deny file\n");
	FAILS(3, "not running", "apply", "conf");
	/* This command needs no guard. */
	QUIET("apply", "--check", "conf");
}

static void check_running(void)
{
	struct stat stat;

	SAYS("status");
	MATCHES("^running: enforcing, 0 of 5000 rules, generation 1, 0 events dropped$");
	SAYS("status", "--json");
	json_check(out);
	HAS("\"state\":\"running\",\"called\":true,\"audit\":false,\"rules\":0,"
	    "\"max_rules\":5000,");
	CHECK_SYS(lstat(GUARD_PINS, &stat));
	CHECK_EQ(stat.st_mode & 07777, 0700);
	ALLOWED(try_read("file"));
}

/* The limit on rules, and one more. Rules for trees have an eighth of it, but at least 1024. */
static void check_full(void)
{
	QUIET("apply", "conf-5000");
	FAILS(1, "no room for more rules than 5000 (stop, and start with a larger --max-rules)",
	      "deny", "--ops", "read", "file");
	ALLOWED(try_read("file"));
	FAILS(1, "no room for more rules", "apply", "conf-5001");
	SAYS("status");
	MATCHES("^running: enforcing, 5000 of 5000 rules");
	/* There is room to replace it by another policy of that size. */
	QUIET("apply", "conf-others");
	SAYS("status");
	MATCHES("^running: enforcing, 5000 of 5000 rules");
	QUIET("remove", "--all");
	QUIET("apply", "trees-1024");
	FAILS(1, "no room for more rules with --tree for one operation than 1024 (", "apply",
	      "trees-1025");
	SAYS("status");
	MATCHES("^running: enforcing, 1024 of 5000 rules");
	QUIET("remove", "--all");
	FAILS(1, "no room for more executables, users, groups and cgroups in rules, executables "
	      "counted twice, than 8192 (", "apply", "exes-4097");
}

static void make_full(void)
{
	CHECK_EQ(sh("mkdir full && for i in $(seq 5001); do >full/$i; echo deny full/$i; done "
		    ">conf-5001 && head -n 5000 conf-5001 >conf-5000"), 0);
	CHECK_EQ(sh("mkdir others && for i in $(seq 5000); do >others/$i; echo deny others/$i; done "
		    ">conf-others"), 0);
	CHECK_EQ(sh("mkdir trees && for i in $(seq 1025); do mkdir trees/$i; echo deny --tree "
		    "--ops read trees/$i; done >trees-1025 && head -n 1024 trees-1025 >trees-1024"),
		 0);
	CHECK_EQ(sh("mkdir exes && cd exes && touch $(seq 4097) && chmod 0755 $(seq 4097) && cd .. && "
		    "{ printf 'deny --ops read'; printf ' --only-for exes/%%s' $(seq 4097); "
		    "echo ' file'; } >exes-4097"), 0);
}

static void check_adopted(void)
{
	char *before;

	QUIET("deny", "--ops", "read", "file");
	SAYS("status");
	before = strdup(out);
	QUIET("start");
	SAYS("status");
	CHECK(!strcmp(out, before));
	DENIED(try_read("file"));
}

/* A rule can deny the tool its own executable and libraries. */
static void check_lock_out(void)
{
	volatile struct guard_state *state = state_map();

	QUIET("deny", "--tree", "--ops", "read,exec", "/");
	CHECK(tool_run(WORDS("remove", "--all"), NULL) > 2);
	/* A process that already has the guard's memory open can still switch to audit mode. */
	state->audit = 1;
	QUIET("remove", "--all");
	state->audit = 0;
}

/* A program's pin is removed, and the program with it. */
static void check_damaged(void)
{
	CHECK_SYS(unlink(GUARD_PINS "/guard_open"));
	CHECK_EQ(tool_run(WORDS("status"), NULL), 1);
	CHECK(!strcmp(out, "damaged\n"));
	CHECK_EQ(tool_run(WORDS("status", "--json"), NULL), 1);
	json_check(out);
	HAS("{\"state\":\"damaged\"}");
	FAILS(1, "only partly there", "deny", "file");
	QUIET("start");
	DENIED(try_read("file"));
	SAYS("list");
	HAS("/file");
	SAYS("status");
}

static void check_other_version(void)
{
	volatile struct guard_state *state = state_map();

	state->version++;
	FAILS(1, "of another version", "status");
	FAILS(1, "of another version", "start");
	FAILS(1, "of another version", "deny", "file");
	/* stop works with any version. */
}

/* Another map, with larger values, at the pin: the kernel would write past the tool's buffer. */
static void check_other_map(void)
{
	CHECK_SYS(rename(GUARD_PINS "/texts", "/sys/fs/bpf/texts"));
	CHECK_EQ(sh("bpftool map create " GUARD_PINS "/texts type hash key 8 value 240 entries 9 "
		    "name texts flags 1"), 0);
	FAILS(1, "of another version", "status");
	FAILS(1, "of another version", "list");
	FAILS(1, "of another version", "deny", "file");
	CHECK_SYS(rename("/sys/fs/bpf/texts", GUARD_PINS "/texts"));
	SAYS("list");
}

static void check_stopped(void)
{
	CHECK(access(GUARD_PINS, F_OK) && errno == ENOENT);
	counts_wait(0, 0, 0, 0);
	check_no_programs_left();
	ALLOWED(try_read("file"));
}

static void run_life(void *arg)
{
	(void)arg;
	make("file");
	check_not_running();
	QUIET("start", "--max-rules", "5000");
	check_running();
	make_full();
	check_full();
	check_lock_out();
	check_adopted();
	check_damaged();
	check_other_map();
	check_other_version();
	QUIET("stop");
	check_stopped();
	check_not_running();
}

TEST(life)
{
	guarded(run_life);
}

/* Each error names its limit. */
static void run_limits(void *arg)
{
	(void)arg;
	make("f");
	make("other");
	CHECK_EQ(sh("cp /bin/dash one && cp one two && d=$(printf '%%0200d' 0) && "
		    "mkdir -p $d/$d/$d/$d/$d && echo deny $d/$d/$d/$d/$d/f >long"), 0);
	QUIET("start", "--max-rules", "1");
	FAILS(1, "no room for more pieces of paths than 8 (", "apply", "long");
	FAILS(1, "no room for more executables and directories with names of rules than 2 (",
	      "deny", "--only-for", "one", "--only-for", "two", "f");
	QUIET("deny", "--ops", "read", "f");
	FAILS(1, "no room for more rules than 1 (", "deny", "--ops", "read", "--inode", "other");
	CHECK_SYS(link("f", "g"));
	CHECK_SYS(link("f", "h"));
	QUIET("deny", "--ops", "read", "g");
	FAILS(1, "no room for more names, and names on the way to these, than 2 (", "deny", "--ops",
	      "read", "h");
	DENIED(try_read("f"));
	QUIET("stop");
}

TEST(limits)
{
	guarded(run_limits);
}

/* If the tool can't see the pins of a running guard, it says so, and does not say "not running". */
static void check_unreachable(void)
{
	char *const commands[] = { "start", "stop", "list", "save", "refresh", "watch" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		FAILS(1, "the guard runs, but its pins are not in /sys/fs/bpf/inode-guard here",
		      commands[i]);
	FAILS(1, "another BPF filesystem is mounted there, or this is another mount namespace",
	      "deny", "file");
	FAILS(1, "the guard runs, but", "remove", "file");
	put_file("conf", "deny file\n");
	FAILS(1, "the guard runs, but", "apply", "conf");
	CHECK_EQ(tool_run(WORDS("status"), NULL), 1);
	CHECK(!strcmp(out, "unreachable\n") && strstr(err, "the guard runs, but"));
	CHECK_EQ(tool_run(WORDS("status", "--json"), NULL), 1);
	json_check(out);
	HAS("{\"state\":\"unreachable\"}");
}

static void in_another_namespace(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    umount2("/sys/fs/bpf", MNT_DETACH) || mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		_exit(126);
}

static void run_unreachable(void *arg)
{
	int status;

	(void)arg;
	make("file");
	QUIET("start");
	QUIET("deny", "--ops", "read", "file");
	CHECK_SYS(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL));
	check_unreachable();
	CHECK_SYS(umount("/sys/fs/bpf"));
	status = tool_run(WORDS("list"), in_another_namespace);
	check_failure(status, 1, "this is another mount namespace", "list", __LINE__);
	SAYS("list");
	DENIED(try_read("file"));
	/* Only while the guard runs. The kernel frees it some time after its pins are gone. */
	QUIET("stop");
	FAILS(3, "not running", "list");
	QUIET("start");
	QUIET("stop");
}

TEST(unreachable)
{
	guarded(run_unreachable);
}

/* The place of the pins: what other users can make there, if everybody can write to it */

#define PINS	"/sys/fs/bpf/inode-guard"

static int as_user(int (*make)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(126);
		_exit(make() ? errno : 0);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

static int make_pins(void)
{
	return mkdir(PINS, 0700);
}

static int link_pins(void)
{
	return symlink(DIR_PATH "/precious", PINS);
}

/* The tool leaves what is there alone. */
static void check_refused(void)
{
	FAILS(1, "is not the guard's", "start");
	FAILS(1, "is not the guard's", "stop");
	FAILS(1, "is not the guard's", "status");
	FAILS(1, "is not the guard's", "list");
	FAILS(1, "is not the guard's", "apply", "conf");
	CHECK_SYS(access("precious/file", F_OK));
	check_no_programs_left();
}

static void run_pins(void *arg)
{
	(void)arg;
	CHECK_EQ(sh("mkdir precious && chmod 777 precious && touch precious/file conf"), 0);
	CHECK_SYS(mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=1777"));
	CHECK_EQ(as_user(make_pins), 0);
	check_refused();
	CHECK_SYS(rmdir(PINS));
	CHECK_EQ(as_user(link_pins), 0);
	check_refused();
	CHECK_SYS(unlink(PINS));
	CHECK_SYS(mkdir(PINS, 0755));
	CHECK_SYS(chmod(PINS, 0755));
	check_refused();
	CHECK_SYS(rmdir(PINS));
	/* start works while nobody can replace root's own directory. */
	QUIET("start");
	CHECK_EQ(as_user(link_pins), EEXIST);
	QUIET("stop");
	CHECK_SYS(umount("/sys/fs/bpf"));
	CHECK_SYS(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL));
	CHECK_SYS(chmod("/sys/fs/bpf", 0777));
	FAILS(1, "others than root can rename what is in /sys/fs/bpf", "start");
	CHECK_SYS(umount("/sys/fs/bpf"));
	/* Another type of filesystem. */
	CHECK_SYS(mount("tmpfs", "/sys/fs/bpf", "tmpfs", 0, "mode=700"));
	CHECK_SYS(mkdir(PINS, 0700));
	CHECK_SYS(close(CHECK_SYS(open(PINS "/file", O_CREAT | O_WRONLY, 0600))));
	FAILS(1, "mode=700", "start");
	FAILS(1, "is not the guard's", "stop");
	CHECK_SYS(access(PINS "/file", F_OK));
	CHECK_SYS(umount("/sys/fs/bpf"));
	QUIET("start");
	QUIET("stop");
}

TEST(pins)
{
	guarded(run_pins);
}

/* Refusals */

static void in_network_namespace(void)
{
	if (unshare(CLONE_NEWNET))
		_exit(126);
}

static void few_descriptors(void)
{
	const struct rlimit limit = { 100, 100 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(126);
}

/* The number that the tool's error message asks for. */
static void enough_descriptors(void)
{
	const struct rlimit limit = { 64, 270 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(126);
}

static void check_descriptors(void)
{
	static char *const commands[][3] = {
		{ "start" }, { "stop" }, { "status" }, { "deny", "file" }, { "allow", "file" },
		{ "remove", "file" }, { "list" }, { "save" }, { "apply", "conf" }, { "refresh" },
		{ "service" }, { "watch" },
	};
	size_t i;
	int status;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		status = tool_run(WORDS(commands[i][0], commands[i][1]), few_descriptors);
		check_failure(status, 1, "there can't be more than 100 open files",
			      commands[i][0], __LINE__);
		CHECK(strstr(err, "raise the limit (ulimit -n, or LimitNOFILE="));
	}
	status = tool_run(WORDS("start"), enough_descriptors);
	if (status || *err)
		FAIL("status %d, \"%s\"", status, err);
	QUIET("stop");
}

/* Simulate a kernel that does not call the programs: seccomp fails the tool's probe. */
static void without_probe(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_PRCTL_PROBE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(126);
}

TEST(programs_that_are_not_called)
{
	int status;

	if (prctl(PR_GET_SECCOMP) < 0)
		SKIP("this kernel has no seccomp");
	status = tool_run(WORDS("start"), without_probe);
	check_failure(status, 1, "boot it with lsm=", "start", __LINE__);
	CHECK(access(GUARD_PINS, F_OK) && errno == ENOENT);
	counts_wait(0, 0, 0, 0);
	check_no_programs_left();
}

static void as_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		_exit(126);
}

static bool module_is_removed(void *arg)
{
	(void)arg;
	return !syscall(SYS_delete_module, "inode_map", O_NONBLOCK) || errno == ENOENT;
}

static void check_without_module(void)
{
	if (access(MODULE_FILE, R_OK))
		SKIP("there is no " MODULE_FILE);
	if (!wait_until(module_is_removed, NULL, 10))
		FAIL("removing the module: %s", strerror(errno));
	FAILS(1, "is the inode_map module loaded?", "start");
	CHECK(access(GUARD_PINS, F_OK));
	CHECK_EQ(sh("insmod " MODULE_FILE), 0);
}

static void run_refusals(void *arg)
{
	int status;

	(void)arg;
	check_without_module();

	status = tool_run(WORDS("start"), as_nobody);
	check_failure(status, 1, "only root", "start as nobody", __LINE__);
	status = tool_run(WORDS("list"), as_nobody);
	CHECK(status);

	status = tool_run(WORDS("start"), in_network_namespace);
	check_failure(status, 1, "is not in this network namespace: call it in the initial one",
		      "start", __LINE__);
	status = tool_run(WORDS("service"), in_network_namespace);
	check_failure(status, 1, "is not in this network namespace: call it in the initial one",
		      "service", __LINE__);
	CHECK(access(GUARD_PINS, F_OK));
	check_descriptors();

	CHECK_SYS(umount2("/sys/fs/bpf", MNT_DETACH));
	FAILS(1, "no BPF filesystem", "start");
	CHECK_SYS(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL));

	put_file("lsm", "lockdown,capability\n");
	CHECK_SYS(mount("lsm", LSM_LIST, NULL, MS_BIND, NULL));
	FAILS(1, "boot it with lsm=lockdown,capability,bpf\n", "start");
	CHECK_SYS(umount(LSM_LIST));

	CHECK_EQ(sh("mkdir btf && touch btf/vmlinux"), 0);
	CHECK_SYS(mount("/sys/kernel/btf/vmlinux", "btf/vmlinux", NULL, MS_BIND, NULL));
	CHECK_SYS(mount("btf", "/sys/kernel/btf", NULL, MS_BIND | MS_REC, NULL));
	FAILS(1, "the module inode_map has no BTF", "start");
	CHECK_SYS(umount2("/sys/kernel/btf", MNT_DETACH));

	CHECK(access(GUARD_PINS, F_OK) && errno == ENOENT);
	counts_wait(0, 0, 0, 0);
	check_no_programs_left();
}

static void load_module(void)
{
	if (access("/proc/inode_map", F_OK))
		sh("insmod " MODULE_FILE);
}

TEST(refusals)
{
	int status;

	CHECK_SYS(waitpid(child_start(run_refusals, NULL), &status, 0));
	load_module();
	if (status)
		FAIL("status %#x", status);
}
