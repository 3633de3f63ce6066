// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inode-guard's service: it keeps rules for names up to date when a component of a path changes,
 * and logs denials. The rules in force don't depend on it.
 */
#include "steps.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guard_service.skel.h"
#include "sleepy.h"

#define CONF		"/etc/inode-guard.conf"
#define SOCKET		"/run/inode-guard.socket"
#define JOURNAL		"/run/systemd/journal/socket"
#define SYSTEM_LOG	"/dev/log"
#define NOTIFY		"/run/guard-service-notify"

static pid_t service;
static int journal, notifications;
static struct guard_service *slow;

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
static char *expect(int fd, const char *text, double seconds)
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

static void start_service(bool hold)
{
	double begun = now();

	service = tool_start(hold ? WORDS("service", "--hold") : WORDS("service"), "service-out");
	expect(notifications, "READY=1", 60);
	printf("# ready after %.1f s\n", now() - begun);
}

static bool is_denied(void *path)
{
	return try_write_with(path, O_CREAT) == EPERM;
}

/* Wait until writes are denied; print how long it took. */
static void becomes_denied(const char *what, const char *path)
{
	double begun = now();

	if (!wait_until(is_denied, (void *)path, 20))
		FAIL("%s: %s is not guarded; the service says \"%s\"", what, path,
		     get_file("service-out"));
	printf("# %s: guarded after %.2f s\n", what, now() - begun);
}

static bool is_allowed(void *path)
{
	return !try_write(path);
}

static void becomes_allowed(const char *path)
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

static bool is_slow(void *unused)
{
	(void)unused;
	return slow->bss->sleeping;
}

static void *rename_slowly(void *dir)
{
	CHECK_SYS(chdir(dir));
	slow->bss->tid = gettid();
	CHECK_SYS(rename("next", "current"));
	slow->bss->tid = 0;
	return NULL;
}

/*
 * The service hears of a change before the kernel makes it. It must not look before: the directory
 * stays locked during the change. @path leads through @dir, or through a mount of it.
 */
static void check_slow_rename(char *dir, const char *path)
{
	pthread_t thread;
	char file[64];
	double begun;

	CHECK_EQ(sh("mkdir -p %s/one %s/two && touch %s/one/f %s/two/f && ln -s one %s/current && "
		    "ln -s two %s/next", dir, dir, dir, dir, dir, dir), 0);
	CHECK_EQ(sh("echo deny --ops write $PWD/%s >>" CONF, path), 0);
	CHECK_SYS(kill(service, SIGHUP));
	expect(notifications, "READY=1", 20);
	snprintf(file, sizeof(file), "%s/one/f", dir);
	DENIED(try_write(file));

	slow->bss->sleeping = 0;
	slow->bss->user_page = sleepy_page();
	CHECK(!pthread_create(&thread, NULL, rename_slowly, dir));
	CHECK(wait_until(is_slow, NULL, 20));
	/* Time for the service to look too early, if it does. */
	sleep(2);
	sleepy_page_wake();
	CHECK(!pthread_join(thread, NULL));
	close(sleepy_uffd);
	CHECK_SYS(chdir(".."));
	snprintf(file, sizeof(file), "%s/two/f", dir);
	begun = now();
	becomes_denied(path, file);
	/* The service looks at everything every 30 seconds. */
	if (now() - begun > 20)
		FAIL("after %.1f s", now() - begun);
}

static void check_slow(void)
{
	CHECK_EQ(sh("mkdir slow fixed seen && mount --bind fixed seen && "
		    "mount -o remount,bind,ro seen"), 0);
	check_slow_rename("slow", "slow/current/f");
	check_slow_rename("fixed", "seen/current/f");
	CHECK_SYS(umount("seen"));
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

static int read_with(const char *exe, const char *path)
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

static void hold(const char *change)
{
	int status;

	CHECK_SYS(kill(service, SIGSTOP));
	CHECK_SYS(waitpid(service, &status, WUNTRACED));
	CHECK_EQ(sh("%s", change), 0);
}

/* Resume the service. Soon only the files that the paths lead to have the rules. */
static void follow_again(void)
{
	CHECK_SYS(kill(service, SIGCONT));
	becomes_allowed("elsewhere/f");
	CHECK_EQ(sh("! inode-guard status | grep 'not followed'"), 0);
}

/* Without --hold nothing is held. */
static void check_no_hold(void)
{
	CHECK_EQ(sh("mkdir elsewhere && touch elsewhere/f"), 0);
	hold("mkdir five && touch five/f && ln -s five next && mv -T next current");
	CHECK_EQ(try_write("current/f"), 0);
	CHECK_EQ(try_write("elsewhere/f"), 0);
	CHECK_SYS(kill(service, SIGCONT));
	becomes_denied("when the service goes on", "current/f");
	CHECK_EQ(sh("rm -r elsewhere"), 0);
}

/* With --hold, the rule applies by the last component's name while the service can't look. */
static void check_held(void)
{
	CHECK_EQ(sh("mkdir elsewhere elsewhere/sub && touch elsewhere/f elsewhere/g"), 0);
	CHECK_EQ(try_write("elsewhere/f"), 0);
	/* A rule for the directory does not cover names in it. */
	QUIET("allow", "--ops", "write", "elsewhere/sub");

	hold("mkdir four && touch four/f four/g && ln -s four next && mv -T next current");
	CHECK_EQ(sh("inode-guard status | grep -q ' [1-9] changes not followed, '"), 0);
	DENIED(try_write("current/f"));
	DENIED(try_write("elsewhere/f"));
	CHECK_EQ(try_write("elsewhere/g"), 0);
	/* Only the operations that the rule names. */
	CHECK_EQ(sh("cat current/f >/dev/null"), 0);
	CHECK_EQ(rename("elsewhere/g", "elsewhere/h"), 0);
	/* A new file of that name. */
	DENIED(try_write_with("elsewhere/sub/f", O_CREAT));
	CHECK(symlink("x", "elsewhere/sub/f") == -1 && errno == EPERM);
	CHECK(mkdir("elsewhere/sub/f", 0755) == -1 && errno == EPERM);
	CHECK(rename("elsewhere/h", "elsewhere/sub/f") == -1 && errno == EPERM);
	CHECK(link("elsewhere/h", "elsewhere/sub/f") == -1 && errno == EPERM);
	follow_again();
	DENIED(try_write("current/f"));

	/* A directory, and the files below it. */
	hold("mkdir new && touch new/f && mv dir old2 && mv new dir");
	DENIED(try_write("dir/f"));
	follow_again();
	DENIED(try_write("dir/f"));

	/* A tree behind a link is held by the name of the link's target. */
	hold("mkdir -p r2/sub && touch r2/sub/x r2/x && ln -s r2 n && mv -T n release");
	DENIED(try_write("release/x"));
	DENIED(try_write("r2/sub/x"));
	CHECK_EQ(sh("touch elsewhere/x"), 0);
	follow_again();
	DENIED(try_write("release/sub/x"));
	/* A new link in place of a removed one works likewise. */
	hold("mkdir p2 && cp other p2/ && rm programs && ln -s ./p2/ programs");
	CHECK(sh("programs/other -c : 2>/dev/null"));
	follow_again();
	CHECK(sh("programs/other -c : 2>/dev/null"));

	/* Executables that the rule allows are still allowed. */
	hold("mkdir -p keys/2 && echo key >keys/2/secret && ln -s 2 keys/n && mv -T keys/n keys/data");
	DENIED(try_open("keys/data/secret", O_RDONLY));
	CHECK_EQ(sh("./python -c 'read line <keys/data/secret'"), 0);
	follow_again();
	DENIED(try_open("keys/data/secret", O_RDONLY));

	/* Mounting and unmounting a filesystem. */
	CHECK_EQ(sh("mkdir other-mnt && touch other-mnt/f"), 0);
	hold("mount --bind other-mnt mnt");
	DENIED(try_write("mnt/f"));
	follow_again();
	DENIED(try_write("mnt/f"));
	hold("umount mnt");
	DENIED(try_write("elsewhere/f"));
	follow_again();

	/* Changes that can't be held. */
	hold("mkdir r3 && touch r3/x && ln -s $(printf '%0128d' 0 | sed 's#00#./#g')r3 n && "
	     "mv -T n release && mount -t tmpfs -o size=1m none mtree && touch mtree/x");
	CHECK_EQ(try_write("mtree/x"), 0);
	CHECK_EQ(try_write("r3/x"), 0);
	follow_again();
	DENIED(try_write("mtree/x"));
	DENIED(try_write("release/x"));
}

/* The audit rule of @name has reported the number of accesses in @hits. */
static void check_reported(const char *name, const char *hits)
{
	char pattern[128];

	SAYS("list");
	snprintf(pattern, sizeof(pattern), " %s  audit-deny:[a-z]+  .*/%s$", hits, name);
	MATCHES(pattern);
}

/*
 * Audit rules report meanwhile, too, once, and deny nothing. Check that after resuming the service,
 * which may be stopped with the lock held.
 */
static void check_held_audit(void)
{
	hold("mkdir tr2 && touch tr2/tried && ln -s tr2 n && mv -T n trial");
	CHECK_EQ(try_open("trial/tried", O_WRONLY), 0);
	CHECK_EQ(chmod("tr2/tried", 0600), 0);
	/* Audit rules take no room from the others: permitted executables still may. */
	CHECK_EQ(sh("echo line >elsewhere/same"), 0);
	DENIED(try_read("elsewhere/same"));
	CHECK_EQ(read_with("./python", "elsewhere/same"), 0);
	follow_again();
	check_reported("trial/tried", "write=1");
	check_reported("trial", "attr=1");
	hold("ln -s tr2 n && mv -T n trial");
	CHECK_EQ(try_open("trial/tried", O_WRONLY), 0);
	CHECK_EQ(chmod("trial/tried", 0644), 0);
	follow_again();
	check_reported("trial/tried", "write=2");
	check_reported("trial", "attr=2");
}

/* The service follows failed changes, too: nothing is held forever. */
static void check_held_failures(void)
{
	hold("! mv -T dir/f dir 2>/dev/null; ! mount -t nothing none mnt 2>/dev/null");
	follow_again();
}

/* With no service that could follow. */
static void check_held_killed(void)
{
	CHECK_SYS(kill(service, SIGKILL));
	CHECK_EQ(tool_end(service), 128 + SIGKILL);
	CHECK_EQ(sh("mkdir six && touch six/f && ln -s six next && mv -T next current"), 0);
	DENIED(try_write("current/f"));
	DENIED(try_write("elsewhere/f"));
	start_service(true);
	becomes_allowed("elsewhere/f");
	DENIED(try_write("current/f"));
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
		    "touch tr1/tried && for i in 1 2 3 4 5 6; do mkdir m$i a$i; done"), 0);
	CHECK_EQ(sh("mkdir -p /run/systemd/journal && cat >" CONF " <<EOF\n"
		    "deny --ops write $PWD/current/f $PWD/dir/f\n"
		    "deny --ops write --label simple $PWD/plain\n"
		    "deny --ops write $PWD/host_*_key $PWD/none_*\n"
		    "deny --ops write $PWD/later/still/f\n"
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
	slow = guard_service__open_and_load();
	CHECK(slow && !guard_service__attach(slow));
	start_service(false);
	DENIED(try_write("plain"));
	check_release();
	check_slow();
	check_directory();
	check_missing();
	check_mount();
	check_executable();
	check_reload();
	check_pattern();
	check_descriptors();
	check_journal();
	check_hung_journal();
	check_no_hold();
	check_watchers();
	check_killed();
	CHECK_EQ(sh("rm " CONF " " SYSTEM_LOG), 0);
	QUIET("stop");
	guard_service__destroy(slow);
}

TEST(service)
{
	guarded(run);
}
