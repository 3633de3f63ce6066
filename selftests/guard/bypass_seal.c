// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A sealed guard: what root does to end it or to make it deny less. The attempts are in
 * attempts/seal.c and seal_tool.c. Each runs once with a guard that is not sealed, where it must
 * work (or else it proves nothing), and once with a sealed guard, which must stop it and stay as it
 * was.
 *
 * A sealed guard can't be removed, so this test comes last of all, in a machine of its own
 * (scripts/test, scripts/run-selftests). BYPASS_ONLY=TEXT in the environment selects the attempts
 * whose names contain TEXT.
 */
#include "harness.h"
#include "bypass.h"
#include "seal.h"

#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/vfs.h>

#define CONF		DIR_PATH "/conf"
#define MORE		DIR_PATH "/more"
#define LESS		DIR_PATH "/less"
#define OUTPUT		DIR_PATH "/output"

/* The rules that every attempt runs against. */
static const char rules[] =
	"deny " DIR_PATH "/strict\n"
	"deny --ops read --only-for /bin/mount --only-for /bin/umount " DIR_PATH "/secret\n"
	"deny --ops write --tree " DIR_PATH "/tree\n"
	"deny --ops read " DIR_PATH "/way/name\n"
	"deny --ops read " DIR_PATH "/weak\n";

static int *outcome;			/* shared with children */
static unsigned int nr_runs, nr_wrong;

#define NO_RESULT	1		/* the process died */

/* The machine */

__attribute__((constructor)) static void set_leaves(void)
{
	test_leaves = true;
}

/*
 * In init's mount namespace the guard can be sealed; DIR_PATH there is what the case's mount hides.
 */
static void go_home(void)
{
	int fd = file_open("/proc/1/ns/mnt", O_RDONLY);

	time_limit(900);
	CHECK_SYS(setns(fd, CLONE_NEWNS));
	close(fd);
	CHECK_SYS(chdir(DIR_PATH));
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	CHECK(outcome != MAP_FAILED);
}

static bool is_bpf(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned int)fs.f_type == BPF_FS_MAGIC;
}

static void restore_mounts(void)
{
	CHECK_SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (access("/sys/kernel", F_OK)) {
		CHECK_SYS(mount("sysfs", "/sys", "sysfs", 0, NULL));
		mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
		mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	}
	if (!is_bpf(BPF_DIR))
		CHECK_SYS(mount("bpf", BPF_DIR, "bpf", 0, NULL));
	unlink(BPF_DIR "/moved");
}

static bool is_running(void)
{
	return !sh("inode-guard status >" OUTPUT " 2>&1");
}

/* Restore what an attempt ended: mounts, guard and rules. */
static void restore(void)
{
	restore_mounts();
	guard_start();
	guard("apply " CONF);
}

static void put(const char *path, const char *text)
{
	unlink(path);
	close(file_create(path));
	CHECK_SYS(truncate(path, 0));
	file_write(path, text);
}

static void make_files(void)
{
	sh("rm -rf " DIR_PATH "/*");
	CHECK_EQ(sh("mkdir spot tree tree/below way"), 0);
	CHECK_EQ(sh("touch strict secret tree/file weak other"), 0);
	put(CONF, rules);
	put(MORE, "deny --ops write " DIR_PATH "/other\n"
		  "deny --ops exec " DIR_PATH "/weak\n");
	put(LESS, "deny --ops write " DIR_PATH "/other\n"
		  "allow --ops read " DIR_PATH "/weak\n");
}

/* Attempts */

static void attempt_child(void *arg)
{
	const struct seal_attempt *attempt = arg;

	time_limit(60);
	*outcome = attempt->run();
}

static const char *outcome_text(int err)
{
	return err > 0 ? "it broke" : err ? strerror(-err) : "it worked";
}

static bool is_selected(const char *name)
{
	const char *only = getenv("BYPASS_ONLY");

	return !only || strstr(name, only);
}

static void judge(const char *name, int got, int want, bool sealed)
{
	nr_runs++;
	if (got == want)
		return;
	printf("# wrong: %s, %s: %s, not %s\n", name, sealed ? "sealed" : "not sealed",
	       outcome_text(got), strerror(-want));
	nr_wrong++;
}

static int try_open(const char *path, int flags)
{
	int fd = result(open(path, flags | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* The guard still denies and, if that is in doubt, the tool finds all of it. */
static void check_whole(const char *name, bool doubt)
{
	if (try_open("strict", O_RDONLY) == -EPERM && (!doubt || is_running()))
		return;
	printf("# wrong: behind %s the sealed guard is not whole\n", name);
	sh("sed 's/^/#   /' " OUTPUT);
	nr_wrong++;
}

static void attempt_run(const struct seal_attempt *attempt, bool sealed)
{
	const char *missing = attempt->missing ? attempt->missing() : NULL;
	int want = attempt->always ? -attempt->always : !sealed ? 0 :
		   attempt->error ? -attempt->error : -EPERM;
	int status;

	if (missing) {
		printf("# %s: not tried: %s\n", attempt->name, missing);
		return;
	}
	*outcome = NO_RESULT;
	sh("rm -rf root");
	CHECK_SYS(waitpid(child_start(attempt_child, (void *)attempt), &status, 0));
	judge(attempt->name, *outcome, want, sealed);
	if (sealed)
		check_whole(attempt->name, attempt->ends);
	else if (attempt->ends)
		restore();
}

static void attempts_run(bool sealed)
{
	const struct seal_attempt *const tables[] = { seal_tool, seal_kernel, seal_pins };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct seal_attempt *attempt = tables[i]; attempt->name; attempt++)
			if (is_selected(attempt->name))
				attempt_run(attempt, sealed);
}

/* Commands for the tool itself. */
static const char *const commands[] = {
	"remove strict", "remove --tree tree", "remove way/name", "remove --all",
	"allow strict", "allow --ops write strict", "deny --audit strict", "deny --inode strict",
	"deny --ops read --only-for /bin/mount strict",
	"deny --ops read --only-for-user 0 strict",
	"deny --ops read --only-for /bin/mount --only-for /bin/losetup secret",
	"deny --ops read --only-for-user 0 secret",
	"allow --ops read secret",
	"allow --ops write tree/file", "allow --ops append tree/file",
	"deny --ops write --only-for /bin/mount tree/file",
	"allow --ops append --tree tree/below",
	"deny --ops read --only-for /bin/mount way/name",
	"apply less", "adopt --all", "start --audit", "stop",
};

static void commands_run(bool sealed)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!is_selected(commands[i]))
			continue;
		judge(commands[i], sh("inode-guard %s >" OUTPUT " 2>&1", commands[i]) ? -EPERM : 0,
		      sealed ? -EPERM : 0, sealed);
		if (sealed && sh("grep -q sealed " OUTPUT))
			judge(commands[i], -ENOMSG, -EPERM, sealed);
		if (sealed)
			check_whole(commands[i], false);
		else if (strcmp(commands[i], "stop"))
			guard("apply " CONF);
	}
	if (sealed)
		check_whole("all of them", true);
}

static void check_none_wrong(void)
{
	printf("# %u runs\n", nr_runs);
	if (nr_wrong)
		FAIL("%u are not as they should be", nr_wrong);
}

TEST(unsealed)
{
	go_home();
	make_files();
	guard_start();
	guard("apply " CONF);
	seal_early_switch = file_open(FTRACE_SWITCH, O_WRONLY);
	attempts_run(false);
	/* The last of these attempts stops the guard. */
	commands_run(false);
	sh("inode-guard stop >" OUTPUT " 2>&1");
	check_none_wrong();
}

/* Sealing it */

static void must_say(const char *command, const char *text)
{
	if (!sh("inode-guard %s >" OUTPUT " 2>&1", command))
		FAIL("inode-guard %s: it did", command);
	if (sh("grep -q -- '%s' " OUTPUT, text)) {
		sh("sed 's/^/#   /' " OUTPUT);
		FAIL("inode-guard %s: no '%s'", command, text);
	}
}

static void says(const char *command, const char *text)
{
	CHECK_EQ(sh("inode-guard %s >" OUTPUT, command), 0);
	if (sh("grep -q -- '%s' " OUTPUT, text)) {
		sh("sed 's/^/#   /' " OUTPUT);
		FAIL("inode-guard %s: no '%s'", command, text);
	}
}

/* The seal is refused if somebody could still change the guard with what they already hold. */
TEST(refused)
{
	int fd;

	go_home();
	make_files();
	guard_start();
	fd = CHECK_SYS(bpf_obj_get(PINS "/rules"));
	must_say("start --seal", "others have 1 maps");
	close(fd);
	says("status", "running");
	guard("start --audit");
	must_say("start --seal", "audit mode");
	guard("start --enforce");
	CHECK_EQ(sh("unshare -m inode-guard start --seal 2>" OUTPUT), 1);
	CHECK_EQ(sh("grep -q 'another mount namespace' " OUTPUT), 0);
	must_say("start --seal=none", "add, all");
	CHECK(sh("inode-guard status | grep -q sealed"));
	guard_stop();
}

/* A sealed guard takes rules that deny more, and commands that only look. */
static void check_adding(void)
{
	CHECK_EQ(try_open("other", O_WRONLY), 0);
	guard("apply " CONF);
	guard("apply " MORE);
	CHECK_EQ(try_open("other", O_WRONLY), -EPERM);
	CHECK_EQ(try_open("strict", O_RDONLY), -EPERM);
	guard("deny --ops read --only-for /bin/mount other");
	CHECK_EQ(try_open("other", O_RDONLY), -EPERM);
	guard("deny --ops write,attr weak");
	guard("deny --ops read --only-for /bin/mount secret");
	guard("deny --ops delete --tree tree");
	CHECK_EQ(unlink("tree/file") ? -errno : 0, -EPERM);
	says("status", "sealed (add)");
	says("status --json", "\"sealed\":\"add\"");
	says("list", "/tree");
	says("save", "--tree");
	CHECK(sh("grep -q inode-guard " OUTPUT));
	guard("refresh");
}

/*
 * Root decides where names lead, and rules for names follow them; a file must not lose its own rule
 * that way.
 */
static void check_names(void)
{
	CHECK_EQ(sh(": >way/name"), 0);
	CHECK_EQ(try_open("way/name", O_RDONLY), -EPERM);
	/* A file with a rule that it could not get back by a name. */
	CHECK_EQ(sh(": >fixed"), 0);
	guard("deny --inode --ops rename fixed");
	CHECK_SYS(mount("fixed", "weak", NULL, MS_BIND, NULL));
	guard("refresh");
	CHECK_SYS(umount("weak"));
	CHECK_EQ(result(rename("fixed", "moved")), -EPERM);
	CHECK_EQ(try_open("weak", O_RDONLY), -EPERM);
	CHECK_EQ(sh("mv way away && mkdir way && : >way/name"), 0);
	guard("refresh");
	CHECK_EQ(try_open("way/name", O_RDONLY), -EPERM);
	CHECK_EQ(sh("mv away/name away/other && : >away/name"), 0);
	CHECK_EQ(try_open("away/other", O_RDONLY), -EPERM);
	CHECK_EQ(try_open("away/name", O_RDONLY), -EPERM);
}

static bool has_event(void *text)
{
	return !sh("grep -q '%s' " OUTPUT, (char *)text);
}

static bool is_denying(void *unused)
{
	(void)unused;
	return try_open("strict", O_RDONLY) == -EPERM && has_event("strict");
}

static bool has_service(void *unused)
{
	(void)unused;
	return !access("/run/inode-guard.socket", F_OK);
}

static bool has_no_service(void *unused)
{
	return !has_service(unused);
}

/* Start the service, with the rules of CONF. */
static void begin_service(void)
{
	CHECK_EQ(sh("cp " CONF " /etc/inode-guard.conf"), 0);
	CHECK_EQ(sh("inode-guard service --seal=add >service 2>&1 & echo $! >pid"), 0);
	if (!wait_until(has_service, NULL, 90)) {
		sh("sed 's/^/#   /' service");
		FAIL("the service does not start");
	}
}

/* Watch directly, then through the service. */
static void check_watching(void)
{
	CHECK_EQ(sh("inode-guard watch >" OUTPUT " 2>&1 & echo $! >pid"), 0);
	CHECK(wait_until(is_denying, NULL, 30));
	CHECK_EQ(sh("kill $(cat pid)"), 0);
	begin_service();
	CHECK_EQ(sh("inode-guard watch >" OUTPUT " 2>&1 & echo $! >watcher"), 0);
	CHECK(wait_until(is_denying, NULL, 30));
	CHECK_EQ(sh("kill $(cat watcher) $(cat pid)"), 0);
}

/* What a seal does not promise: see the manual. */
static void check_limits(void)
{
	CHECK(seal_no_module() || !sh("modprobe dummy && rmmod dummy"));
	CHECK_SYS(mount("again", "spot", "tmpfs", 0, NULL));
	CHECK_EQ(sh("touch spot/file"), 0);
	guard("deny --ops read spot/file");
	CHECK_SYS(umount("spot"));
	CHECK_SYS(mount("again", "spot", "tmpfs", 0, NULL));
	CHECK_EQ(sh("touch spot/file"), 0);
	CHECK_EQ(try_open("spot/file", O_RDONLY), 0);
	guard("refresh");
	CHECK_EQ(try_open("spot/file", O_RDONLY), -EPERM);
	/* Another executable takes the name of the permitted one. */
	CHECK_EQ(sh("cp /bin/dash mount.new && cp /bin/mount mount.old"), 0);
	CHECK(sh("/bin/dash -c ': <secret' 2>/dev/null"));
	CHECK_EQ(sh("mv mount.new $(readlink -f /bin/mount)"), 0);
	CHECK_EQ(sh("/bin/mount -c ': <secret'"), 0);
	CHECK_EQ(sh("mv mount.old $(readlink -f /bin/mount)"), 0);
}

/* A service seals the guard at boot, and is gone when the attempts run. */
TEST(add)
{
	go_home();
	make_files();
	seal_early_switch = file_open(FTRACE_SWITCH, O_WRONLY);
	begin_service();
	says("status", "sealed (add)");
	CHECK_EQ(try_open("strict", O_RDONLY), -EPERM);
	CHECK_EQ(sh("kill $(cat pid)"), 0);
	CHECK(wait_until(has_no_service, NULL, 30));
	guard("start --seal");
	attempts_run(true);
	commands_run(true);
	check_adding();
	check_names();
	check_watching();
	check_limits();
	check_none_wrong();
}

/* From here on nothing can be undone, and no rules are made any more. */
TEST(all)
{
	go_home();
	guard("start --seal=all");
	says("status", "sealed (all)");
	must_say("start --seal=add", "sealed (all)");
	must_say("deny --ops link other", "no rules are made");
	must_say("apply " MORE, "no rules are made");
	must_say("remove strict", "sealed (all)");
	must_say("stop", "sealed (all)");
	says("list", "strict");
	guard("refresh");
	check_watching();
	CHECK_EQ(try_open("strict", O_RDONLY), -EPERM);
}
