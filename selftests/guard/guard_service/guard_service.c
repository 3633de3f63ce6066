// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inode-guard's service: it keeps rules for names up to date when a component of a path changes,
 * and logs denials. The rules in force don't depend on it. slow.c delays changes; held.c has rules
 * hold by name until the service has followed a change.
 */
#include "guard_service.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define SOCKET		"/run/inode-guard.socket"
#define MAX_RULES	"100"
#define JOURNAL		"/run/systemd/journal/socket"
#define SYSTEM_LOG	"/dev/log"
#define NOTIFY		"/run/guard-service-notify"

pid_t service;
int notifications;
static int journal;

/* Bind a socket to receive datagrams. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = CHECK_SYS(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	CHECK_SYS(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* Wait for a datagram with @text, @seconds at most. Return it with NUL bytes replaced by spaces. */
char *expect(int fd, const char *text, double seconds)
{
	static char message[65536];
	double end = now() + seconds * test_slowdown();
	ssize_t length;

	while (now() < end) {
		length = recv(fd, message, sizeof(message) - 1, MSG_DONTWAIT);
		if (length < 0) {
			usleep(10000);
			continue;
		}
		for (ssize_t i = 0; i < length; i++)
			if (!message[i])
				message[i] = ' ';
		message[length] = '\0';
		if (strstr(message, text))
			return message;
	}
	FAIL("no \"%s\"; the service says \"%s\"", text, get_file("service-out"));
}

void start_service(bool hold)
{
	double begun = now();

	service = tool_start(hold ? WORDS("service", "--max-rules", MAX_RULES, "--hold") :
			     WORDS("service", "--max-rules", MAX_RULES), "service-out");
	expect(notifications, "READY=1", 60);
	printf("# ready after %.1f s\n", now() - begun);
}

static bool is_denied(void *path)
{
	return try_write_with(path, O_CREAT) == EPERM;
}

/* Wait until writes are denied; print how long it took. */
static void becomes_denied_in(const char *what, const char *path, unsigned int seconds)
{
	double begun = now();

	if (!wait_until(is_denied, (void *)path, seconds))
		FAIL("%s: %s is not guarded; the service says \"%s\"", what, path,
		     get_file("service-out"));
	printf("# %s: guarded after %.2f s\n", what, now() - begun);
}

void becomes_denied(const char *what, const char *path)
{
	becomes_denied_in(what, path, 20);
}

static bool is_allowed(void *path)
{
	return !try_write(path);
}

void becomes_allowed(const char *path)
{
	if (!wait_until(is_allowed, (void *)path, 20))
		FAIL("%s is still guarded", path);
}

static void check_state(const char *state, const char *path)
{
	char pattern[128];

	SAYS("list");
	snprintf(pattern, sizeof(pattern), "^%s .*/%s$", state, path);
	MATCHES(pattern);
}

/* Rename over a symbolic link, as release tools and the kubelet do. */
static void check_release(void)
{
	CHECK_EQ(sh("ln -s two next && mv -T next current"), 0);
	becomes_denied("a symbolic link on the way was replaced", "current/f");
	DENIED(try_write("two/f"));
	check_state("active", "current/f");
}

static void check_directory(void)
{
	CHECK_EQ(sh("mkdir new && touch new/f && mv dir old && mv new dir"), 0);
	becomes_denied("a directory on the way was replaced", "dir/f");
	check_state("active", "dir/f");
}

/* A directory that did not exist when the files were applied. */
static void check_missing(void)
{
	CHECK_EQ(sh("mkdir -p later/still"), 0);
	becomes_denied("a directory that was missing was made", "later/still/f");
	SAYS("list");
	HAS("/later/still/f\n");
}

static void check_mount(void)
{
	CHECK_SYS(mount("mnt", "mnt", "tmpfs", 0, NULL));
	make("mnt/f");
	becomes_denied("a filesystem was mounted", "mnt/f");
	CHECK_SYS(umount("mnt"));
	CHECK_SYS(mount("mnt", "mnt", "tmpfs", 0, NULL));
	make("mnt/f");
	becomes_denied("it was mounted again", "mnt/f");
	CHECK_SYS(umount("mnt"));
}

int read_with(const char *exe, const char *path)
{
	return sh("%s -c 'read -r line <%s' 2>/dev/null", exe, path);
}

static bool exe_may(void *unused)
{
	(void)unused;
	return !read_with("./python", "secret");
}

/* Change an executable's link as update-alternatives does. */
static void check_executable(void)
{
	CHECK_EQ(read_with("./python", "secret"), 0);
	CHECK_EQ(sh("ln -s python2 next && mv -T next python"), 0);
	CHECK(wait_until(exe_may, NULL, 20));
	CHECK(read_with("./other", "secret"));
}

static void check_reload(void)
{
	CHECK_EQ(sh("echo deny --ops write $PWD/more >>" CONF), 0);
	CHECK_SYS(kill(service, SIGHUP));
	becomes_denied("the files were read again", "more");
	/* A file that can't be parsed changes nothing, and the service reports it. */
	CHECK_EQ(sh("cp " CONF " conf.good && echo nonsense >>" CONF), 0);
	CHECK_SYS(kill(service, SIGHUP));
	expect(notifications, "READY=1", 20);
	expect(notifications, "READY=1", 20);
	DENIED(try_write("more"));
	CHECK_EQ(sh("grep -q \"'nonsense' is neither\" service-out && cp conf.good " CONF), 0);
}

/*
 * A pattern without a match does not hold up the rest. A new match gets the rule soon, long before
 * the service looks at everything again.
 */
static void check_pattern(void)
{
	double begun = now();

	DENIED(try_write("host_a_key"));
	make("host_b_key");
	becomes_denied("a file that a pattern matches", "host_b_key");
	CHECK_EQ(sh("echo >made && mv made host_c_key"), 0);
	becomes_denied("a file that is given such a name", "host_c_key");
	if (now() - begun > 15 * test_slowdown())
		FAIL("after %.1f s", now() - begun);
	check_state("active", "host_a_key");
	check_state("active", "host_c_key");
	ALLOWED(try_write_with("host_d", O_CREAT));
}

void hold(const char *change)
{
	int status;

	CHECK_SYS(kill(service, SIGSTOP));
	CHECK_SYS(waitpid(service, &status, WUNTRACED));
	CHECK_EQ(sh("%s", change), 0);
}

/*
 * If there can be no rule for what a line names, that keeps no other rule from following its name,
 * and no other line from being applied.
 */
static void check_refused(void)
{
	hold("mkdir eight late && touch eight/f late/f && ln -s eight next && "
	     "mv -T next current && mount -t proc none pm");
	CHECK_SYS(kill(service, SIGCONT));
	becomes_denied("while a line fails", "current/f");
	becomes_denied("a file that was missing, likewise", "late/f");
	CHECK_EQ(sh("grep -q 'pm/self/comm: rules do not hold there' service-out"), 0);
	CHECK_SYS(umount("pm"));
}

/* The same if more files match a pattern than there is room for. */
static void check_no_room(void)
{
	hold("mkdir ten room && touch ten/f && for i in $(seq " MAX_RULES "); do echo >room/$i; done && "
	     "ln -s ten next && mv -T next current");
	CHECK_SYS(kill(service, SIGCONT));
	becomes_denied("while there is no room for some", "current/f");
	CHECK_EQ(sh("grep -q 'no room for more rules than " MAX_RULES "' service-out && "
		    "rm -r room"), 0);
}

static bool has_failed(void *unused)
{
	(void)unused;
	return !sh("[ $(wc -l <service-out) -gt $(cat lines) ]");
}

/* If the policy can't be changed for a moment, the service says so, and tries again soon. */
static void check_retry(void)
{
	CHECK_EQ(sh("mv /sys/fs/bpf/inode-guard /sys/fs/bpf/elsewhere && wc -l <service-out >lines && "
		    "mkdir nine && touch nine/f && ln -s nine next && mv -T next current"), 0);
	CHECK(wait_until(has_failed, NULL, 20));
	CHECK_EQ(try_write("current/f"), 0);
	CHECK_EQ(sh("mv /sys/fs/bpf/elsewhere /sys/fs/bpf/inode-guard"), 0);
	becomes_denied("after a failure", "current/f");
}

/*
 * No event reports a new file in a directory that a pattern's wildcard stands for. The service
 * finds it after 30 seconds, though the clock has been set back.
 */
static void check_clock(void)
{
	struct timespec time;

	/* Nothing else has changed either. */
	sleep(3);
	make("deep/1/key");
	CHECK_SYS(clock_gettime(CLOCK_REALTIME, &time));
	time.tv_sec -= 3600;
	CHECK_SYS(clock_settime(CLOCK_REALTIME, &time));
	becomes_denied_in("a file that nothing has reported", "deep/1/key", 40);
	time.tv_sec += 3600;
	CHECK_SYS(clock_settime(CLOCK_REALTIME, &time));
}

static unsigned int descriptors(void)
{
	CHECK_EQ(sh("ls /proc/%d/fd 2>/dev/null | wc -l >descriptors", service), 0);
	return atoi(get_file("descriptors"));
}

static bool has_at_most(void *count)
{
	return descriptors() <= *(unsigned int *)count;
}

/* It runs forever, so it must not leak descriptors. While it looks, it has more of them. */
static void check_descriptors(void)
{
	unsigned int before = descriptors(), count;

	for (int i = 0; i < 20; i++) {
		usleep(50000);
		count = descriptors();
		before = count < before ? count : before;
	}
	for (int i = 0; i < 3; i++) {
		CHECK_SYS(kill(service, SIGHUP));
		expect(notifications, "READY=1", 20);
	}
	CHECK(wait_until(has_at_most, &before, 10));
}

static void check_journal(void)
{
	char *entry;

	DENIED(try_write("plain"));
	entry = expect(journal, "/plain", 20);
	CHECK(strstr(entry, "SYSLOG_IDENTIFIER=inode-guard\n"));
	CHECK(strstr(entry, "INODE_GUARD_OPERATION=write\n"));
	CHECK(strstr(entry, "INODE_GUARD_VERDICT=denied\n"));
	CHECK(strstr(entry, "INODE_GUARD_PATH\n"));
	CHECK(strstr(entry, "INODE_GUARD_PARENT_PID="));
	CHECK(strstr(entry, "INODE_GUARD_PARENT_COMM\n"));
	CHECK(strstr(entry, "INODE_GUARD_LOGIN_UID=unset\n"));
	CHECK(strstr(entry, "INODE_GUARD_SESSION=unset\n"));
	CHECK(strstr(entry, "INODE_GUARD_CGROUP_ID=") && strstr(entry, "INODE_GUARD_CGROUP\n"));
	CHECK(strstr(entry, "INODE_GUARD_LABEL\n") && strstr(entry, "simple\n"));
	CHECK(strstr(entry, "{\"time\":\""));
	/* The service limits entries per second, and logs how many it left out. */
	for (int i = 0; i < 2000; i++)
		DENIED(try_write("plain"));
	expect(journal, "denials left out", 20);
}

/* A journal that accepts nothing holds up nobody. */
static void check_hung_journal(void)
{
	for (int i = 0; i < 2000; i++)
		DENIED(try_write("plain"));
	CHECK_EQ(sh("mkdir three && touch three/f && ln -s three next && mv -T next current"), 0);
	becomes_denied("with a log that hangs", "current/f");
	expect(journal, "/plain", 20);
	expect(journal, "denials left out", 20);
}

/* Nobody outside sees when a watcher has reached the service, so deny something at each look. */
static bool has_line(void *file)
{
	DENIED(try_write("plain"));
	return !sh("grep -q 'operation.*/plain\\|denied write .*/plain ' %s", (char *)file);
}

/* Several watchers at a time. */
static void check_watchers(void)
{
	char *const files[] = { "watch-0", "watch-1", "watch-2" };
	pid_t pids[ARRAY_SIZE(files)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		pids[i] = tool_start(i == 1 ? WORDS("watch", "--json") : WORDS("watch"), files[i]);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		if (!wait_until(has_line, files[i], 20))
			FAIL("%s: \"%s\"", files[i], get_file(files[i]));
	CHECK_EQ(sh("grep -q '^{\"time\":' watch-1 && ! grep -q '^{' watch-0"), 0);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		CHECK_SYS(kill(pids[i], SIGTERM));
		CHECK_EQ(tool_end(pids[i]), 0);
	}
}

/* The service is killed: the policy in the kernel stays as it is. */
static void check_killed(void)
{
	int system_log;
	char *entry;

	CHECK_SYS(kill(service, SIGKILL));
	CHECK_EQ(tool_end(service), 128 + SIGKILL);
	DENIED(try_write("plain"));
	DENIED(try_write("current/f"));
	SAYS("status");
	HAS("running: enforcing, ");
	/* Rules that somebody makes meanwhile stay when the service is back. */
	make("own");
	QUIET("deny", "--ops", "write", "own");
	/* A system without the journal. */
	CHECK_SYS(unlink(JOURNAL));
	system_log = listen_at(SYSTEM_LOG);
	start_service(true);
	DENIED(try_write("plain"));
	entry = expect(system_log, "/plain", 20);
	CHECK(!strncmp(entry, "<85>", 4) && strstr(entry, " inode-guard[") && strchr(entry, '{'));
	json_check(strchr(entry, '{'));
	check_held();
	check_held_audit();
	check_held_failures();
	check_held_killed();
	CHECK_SYS(kill(service, SIGTERM));
	CHECK_EQ(tool_end(service), 0);
	DENIED(try_write("plain"));
	CHECK(access(SOCKET, F_OK));
	/* No names are held any more. */
	CHECK_EQ(sh("mkdir seven && touch seven/f && ln -s seven next && mv -T next current"), 0);
	CHECK_EQ(try_write("elsewhere/f"), 0);
}

static void run(void *unused)
{
	(void)unused;
	CHECK_EQ(sh("mkdir -p one two dir mnt mtree r1 p1 keys/1 && ln -s r1 release && ln -s p1 programs && "
		    "ln -s 1 keys/data && echo key >keys/1/secret && touch one/f two/f dir/f plain more && "
		    "echo text >secret && "
		    "touch host_a_key && ln -s one current && cp /usr/bin/dash python1 && cp python1 python2 && "
		    "cp python1 other && ln -s python1 python && mkdir tr1 && ln -s tr1 trial && "
		    "touch tr1/tried && mkdir -p pm deep/1 && for i in 1 2 3 4 5 6; do mkdir m$i a$i; done && "
		    "for i in 0 1 2 3; do mkdir -p stuck$i/one; touch stuck$i/one/f; "
		    "ln -s one stuck$i/current; ln -s two stuck$i/next; done"), 0);
	CHECK_EQ(sh("mkdir -p /run/systemd/journal && cat >" CONF " <<EOF\n"
		    "deny --ops write $PWD/current/f $PWD/dir/f\n"
		    "deny --ops write --label simple $PWD/plain\n"
		    "deny --ops write $PWD/host_*_key $PWD/none_*\n"
		    "deny --ops write $PWD/later/still/f\n"
		    "deny --ops write $PWD/stuck0/current/f $PWD/stuck1/current/f\n"
		    "deny --ops write $PWD/stuck2/current/f $PWD/stuck3/current/f\n"
		    "deny --ops write $PWD/stuck0/k* $PWD/also_*\n"
		    "deny --ops write $PWD/late/f\n"
		    "deny --ops write $PWD/pm/self/comm\n"
		    "deny --ops write $PWD/room/*\n"
		    "deny --ops write $PWD/deep/*/key\n"
		    "deny --ops write $PWD/mnt/f\n"
		    "deny --ops write --tree $PWD/release\n"
		    "deny --ops exec --tree $PWD/programs\n"
		    "deny --ops write --tree $PWD/mtree\n"
		    "allow --ops read --only-for $PWD/python $PWD/keys/data/secret\n"
		    "allow --ops read --only-for $PWD/python $PWD/secret\n"
		    "deny --ops write --audit $PWD/trial/tried\n"
		    "deny --ops attr --audit --tree $PWD/trial\n"
		    "deny --ops read --audit $PWD/a1/same $PWD/a2/same $PWD/a3/same\n"
		    "deny --ops read --audit $PWD/a4/same $PWD/a5/same $PWD/a6/same\n"
		    "allow --ops read --only-for $PWD/python $PWD/m1/same $PWD/m2/same $PWD/m3/same\n"
		    "allow --ops read --only-for $PWD/python $PWD/m4/same $PWD/m5/same $PWD/m6/same\n"
		    "EOF"), 0);
	journal = listen_at(JOURNAL);
	notifications = listen_at(NOTIFY);
	setenv("NOTIFY_SOCKET", NOTIFY, 1);
	slow_begin();
	start_service(false);
	DENIED(try_write("plain"));
	check_release();
	check_slow();
	/* Twice: descriptors may have other numbers after a directory was given up. */
	check_stuck(0);
	check_stuck(1);
	check_directory();
	check_missing();
	check_mount();
	check_executable();
	check_reload();
	check_pattern();
	check_refused();
	check_no_room();
	check_retry();
	check_clock();
	check_descriptors();
	check_journal();
	check_hung_journal();
	check_no_hold();
	check_watchers();
	check_killed();
	CHECK_EQ(sh("rm " CONF " " SYSTEM_LOG), 0);
	QUIET("stop");
	slow_end();
}

TEST(service)
{
	guarded(run);
}
