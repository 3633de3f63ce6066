// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Events: what watch shows of denials, and what it prints when it could not show them all. */
#include "steps.h"

#include <limits.h>
#include <time.h>

#include "events.h"

/* Read as a process with a known name, user and executable. */
static void denied_read(const char *path)
{
	CHECK(sh("setpriv --reuid 1234 --clear-groups dash -c 'read -r line <\"$0\"' '%s' "
		 "2>/dev/null", path));
}

static long event_seconds(void)
{
	struct tm tm = {};

	CHECK(strptime(out, "%Y-%m-%dT%H:%M:%S", &tm));
	return timegm(&tm);
}

STEP(watch_text)
{
	long begun = time(NULL);
	pid_t pid;

	make("f g");
	CHECK_SYS(chmod(".", 0755));
	QUIET("deny", "--ops", "read", "f g");
	denied_read("f g");
	pid = watch_start(WORDS("watch"));
	denied_read("f g");
	await_event("\n");
	watch_end(pid, SIGTERM);
	MATCHES("^" TIME " denied read " DIR_PATH "/watch_text/f\\\\ g pid=[0-9]+ uid=1234 "
		"command=dash executable=/usr/bin/dash rule=" DIR_PATH "/watch_text/f\\\\ g$");
	/* The denial from before the watch is not shown. */
	CHECK(!strchr(strchr(out, '\n') + 1, '\n'));
	CHECK(event_seconds() >= begun - 1 && event_seconds() <= time(NULL) + 1);
}

STEP(watch_json)
{
	char text[64];
	const char *line;
	pid_t pid;

	CHECK_SYS(mkdir("d", 0755));
	make("d/f\"\xff");
	QUIET("deny", "--ops", "read,write", "--tree", "d");
	pid = watch_start(WORDS("watch", "--json"));
	denied_read("d/f\"\xff");
	/* One line for each operation denied. */
	DENIED(try_open("d/f\"\xff", O_RDWR));
	/* A name that is not created. */
	DENIED(try_open("d/new", O_WRONLY | O_CREAT));
	await_event("/watch_json/d/new\"");
	watch_end(pid, SIGINT);
	MATCHES("^\\{\"time\":\"" TIME "\",\"pid\":[0-9]+,\"uid\":1234,\"command\":\"dash\","
		"\"executable\":\"/usr/bin/dash\",\"operation\":\"read\",\"path\":\"" DIR_PATH
		"/watch_json/d/f\\\\\"\\\\udcff\",\"rule\":\"" DIR_PATH
		"/watch_json/d\",\"label\":\"\",\"verdict\":\"denied\",.*\\}$");
	for (line = out; *line; line = strchr(line, '\n') + 1)
		CHECK(json_value(line) == strchr(line, '\n'));
	snprintf(text, sizeof(text), "\"pid\":%d,\"uid\":0,", getpid());
	HAS(text);
	HAS("\"operation\":\"write\",\"path\":\"" DIR_PATH "/watch_json/d/f");
	HAS("\"operation\":\"write\",\"path\":\"" DIR_PATH "/watch_json/d/new\",");
}

/* Make a cgroup; return false if the kernel has none. */
static bool make_cgroup(struct stat *stat)
{
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) &&
	    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL))
		return false;
	CHECK_SYS(mkdir("/sys/fs/cgroup/guard \"test\"", 0755));
	CHECK_SYS(lstat("/sys/fs/cgroup/guard \"test\"", stat));
	return true;
}

/* Read in a child with another name, in that cgroup if @grouped. Return its login session. */
static unsigned int read_as_child(bool grouped, bool *logged_in)
{
	unsigned int session = 0;
	int status;
	pid_t pid;

	CHECK_SYS(prctl(PR_SET_NAME, "parent \"1\""));
	*logged_in = !access("/proc/self/loginuid", W_OK);
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		prctl(PR_SET_NAME, "child");
		if (*logged_in)
			file_write("/proc/self/loginuid", "4321");
		if (grouped)
			file_write("/sys/fs/cgroup/guard \"test\"/cgroup.procs", "0");
		status = try_read("f") != EPERM;
		if (*logged_in)
			CHECK_EQ(sh("cp /proc/%d/sessionid session", getpid()), 0);
		_exit(status);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	CHECK_EQ(status, 0);
	if (*logged_in)
		session = strtoul(get_file("session"), NULL, 10);
	return session;
}

/* The parent, the login and the cgroup of the process. */
STEP(watch_origin)
{
	bool grouped, logged_in;
	unsigned int session;
	struct stat stat;
	char text[128];
	pid_t pid;

	make("f");
	QUIET("deny", "--ops", "read", "f");
	grouped = make_cgroup(&stat);
	pid = watch_start(WORDS("watch", "--json"));
	session = read_as_child(grouped, &logged_in);
	await_event("\n");
	/* Of a removed cgroup only the number is known. */
	CHECK_SYS(kill(pid, SIGSTOP));
	read_as_child(grouped, &logged_in);
	if (grouped)
		CHECK_SYS(rmdir("/sys/fs/cgroup/guard \"test\""));
	CHECK_SYS(kill(pid, SIGCONT));
	CHECK(wait_until(events_have, "\"cgroup\":\"\"", 10));
	DENIED(try_read("f"));
	CHECK(wait_until(events_have, "parent \\\"1\\\"\",\"exe", 10));
	watch_end(pid, SIGTERM);
	snprintf(text, sizeof(text),
		 ",\"parent_pid\":%d,\"parent_command\":\"parent \\\"1\\\"\",", getpid());
	HAS(text);
	if (logged_in)
		snprintf(text, sizeof(text), "\"login_uid\":4321,\"session\":%u,", session);
	else
		snprintf(text, sizeof(text), "\"login_uid\":null,\"session\":null,");
	HAS(text);
	snprintf(text, sizeof(text), "\"cgroup_id\":%lu,\"cgroup\":\"/guard \\\"test\\\"\",\"unseen\":false}",
		 (unsigned long)stat.st_ino);
	if (!grouped)
		snprintf(text, sizeof(text), "\"cgroup_id\":");
	HAS(text);
	snprintf(text, sizeof(text), "\"cgroup_id\":%lu,\"cgroup\":\"\",\"unseen\":false}",
		 grouped ? (unsigned long)stat.st_ino : 0);
	HAS(text);
	/* A process without a login. */
	HAS("\"login_uid\":null,\"session\":null,");
	for (const char *line = out; *line; line = strchr(line, '\n') + 1)
		CHECK(json_value(line) == strchr(line, '\n'));
}

/* A file on a mount of another namespace, and a path that does not fit. */
STEP(watch_odd_paths)
{
	char component[202];
	pid_t pid;
	int i;

	memset(component, 'x', 200);
	component[200] = '\0';
	pid = watch_start(WORDS("watch"));
	for (i = 0; i < 9; i++) {
		CHECK_SYS(mkdir(component, 0755));
		CHECK_SYS(chdir(component));
	}
	make("f");
	QUIET("deny", "--ops", "read", "f");
	DENIED(try_read("f"));
	CHECK_SYS(chdir(DIR_PATH "/watch_odd_paths"));
	await_event("\n");
	CHECK_SYS(mkdir("mnt", 0755));
	CHECK(sh("unshare -m sh -c 'mount -t tmpfs none mnt && echo >mnt/hidden && "
		 "inode-guard deny --ops read mnt/hidden && cat mnt/hidden 2>/dev/null'"));
	await_event("hidden ");
	watch_end(pid, SIGTERM);
	MATCHES("denied read [^ ]*/\\.\\.\\./x+/.*x/f pid=");
	MATCHES("denied read \\[[0-9]+:[0-9]+\\]/hidden pid=");
}

/* A deep path is shown in full, as long as it fits. */
STEP(watch_deep_path)
{
	char path[PATH_MAX] = DIR_PATH "/watch_deep_path";
	char pattern[PATH_MAX + 64];
	pid_t pid = watch_start(WORDS("watch"));
	int i;

	for (i = 0; i < 150; i++) {
		CHECK_SYS(mkdir("d", 0755));
		CHECK_SYS(chdir("d"));
		strcat(path, "/d");
	}
	make("f");
	QUIET("deny", "--ops", "read", "f");
	DENIED(try_read("f"));
	CHECK_SYS(chdir(DIR_PATH "/watch_deep_path"));
	await_event("\n");
	watch_end(pid, SIGTERM);
	snprintf(pattern, sizeof(pattern), "denied read %s/f pid=", path);
	MATCHES(pattern);
}

STEP(watch_audit)
{
	pid_t pid;

	make("f");
	QUIET("deny", "--ops", "read", "f");
	QUIET("start", "--audit");
	pid = watch_start(WORDS("watch"));
	ALLOWED(try_read("f"));
	await_event("\n");
	watch_end(pid, SIGTERM);
	MATCHES("^" TIME " audit read .*/watch_audit/f ");
}

/*
 * Every way to make a name where a hook sees a dentry without an inode. Programs built with clang
 * 19 lost their test for NULL in the verifier of 6.12, and the event panicked the kernel.
 */
static int make_regular(const char *path)
{
	return try_open(path, O_WRONLY | O_CREAT | O_EXCL);
}

static int make_directory(const char *path)
{
	return mkdir(path, 0755) ? errno : 0;
}

static int make_fifo(const char *path)
{
	return mknod(path, S_IFIFO | 0600, 0) ? errno : 0;
}

static int make_symlink(const char *path)
{
	return symlink("f", path) ? errno : 0;
}

static int make_link(const char *path)
{
	return link("f", path) ? errno : 0;
}

static int make_by_rename(const char *path)
{
	make("g");
	return try_rename("g", path);
}

static int exchange_names(const char *path)
{
	(void)path;
	return renameat2(AT_FDCWD, "f", AT_FDCWD, "d/f", RENAME_EXCHANGE) ? errno : 0;
}

static const struct {
	const char *path;
	int (*make)(const char *path);
} new_names[] = {
	{ "d/regular", make_regular },
	{ "d/directory", make_directory },
	{ "d/fifo", make_fifo },
	{ "d/symlink", make_symlink },
	{ "d/link", make_link },
	{ "d/renamed", make_by_rename },
	{ "d/f", exchange_names },
};

static void check_new_names(const char *step, char *mode, const char *verdict, int want)
{
	char pattern[128];
	pid_t pid;

	QUIET("start", mode);
	pid = watch_start(WORDS("watch"));
	for (size_t i = 0; i < ARRAY_SIZE(new_names); i++) {
		CHECK_EQ(new_names[i].make(new_names[i].path), want);
		snprintf(pattern, sizeof(pattern), "/%s pid=", new_names[i].path);
		await_event(pattern);
	}
	watch_end(pid, SIGTERM);
	for (size_t i = 0; i < ARRAY_SIZE(new_names); i++) {
		snprintf(pattern, sizeof(pattern), "^" TIME " %s write " DIR_PATH "/%s/%s pid=",
			 verdict, step, new_names[i].path);
		MATCHES(pattern);
	}
}

STEP(watch_new_names)
{
	make("f");
	CHECK_SYS(mkdir("d", 0755));
	make("d/f");
	QUIET("deny", "--ops", "write", "d");
	check_new_names("watch_new_names", "--enforce", "denied", EPERM);
	check_new_names("watch_new_names", "--audit", "audit", 0);
}

/* By a rule for a tree, which the programs look for from the negative dentry upwards. */
STEP(watch_new_names_in_tree)
{
	CHECK_SYS(mkdir("t", 0755));
	CHECK_SYS(chdir("t"));
	make("f");
	CHECK_SYS(mkdir("d", 0755));
	make("d/f");
	QUIET("deny", "--ops", "write", "--tree", "d");
	check_new_names("watch_new_names_in_tree/t", "--enforce", "denied", EPERM);
	check_new_names("watch_new_names_in_tree/t", "--audit", "audit", 0);
}

STEP(watch_once)
{
	pid_t pid = watch_start(WORDS("watch"));

	FAILS(1, "somebody else is watching", "watch");
	watch_end(pid, SIGTERM);
	pid = watch_start(WORDS("watch"));
	/* A watcher does not hold up changes. */
	make("f");
	QUIET("deny", "--ops", "read", "f");
	watch_end(pid, SIGTERM);
}

/* More events than the buffer holds. */
#define EVENTS	3000

/* Start a watcher, and suspend it while that many events happen. */
static pid_t watch_overrun(char **argv)
{
	pid_t pid;
	int i;

	make("f");
	QUIET("deny", "--ops", "read", "f");
	pid = watch_start(argv);
	CHECK_SYS(kill(pid, SIGSTOP));
	usleep(100000);
	for (i = 0; i < EVENTS; i++)
		DENIED(try_read("f"));
	return pid;
}

STEP(watch_dropped)
{
	volatile struct guard_state *state = state_map();
	unsigned int shown = 0, dropped = 0, part;
	const char *line;
	pid_t pid = watch_overrun(WORDS("watch", "--json"));

	CHECK(state->dropped);
	CHECK_SYS(kill(pid, SIGCONT));
	await_event("{\"dropped\":");
	watch_end(pid, SIGTERM);
	for (line = out; *line; line = strchr(line, '\n') + 1) {
		CHECK(json_value(line) == strchr(line, '\n'));
		if (sscanf(line, "{\"dropped\":%u}", &part) == 1)
			dropped += part;
		else
			shown++;
	}
	if (!dropped || shown + dropped != EVENTS)
		FAIL("%u shown and %u dropped of %u", shown, dropped, EVENTS);
	/* The dropped events counted as hits. */
	SAYS("list");
	MATCHES(" read=3000 ");
	SAYS("status");
	snprintf(err, sizeof(err), "%llu events dropped", (unsigned long long)state->dropped);
	HAS(err);
}

STEP(watch_dropped_text)
{
	pid_t pid = watch_overrun(WORDS("watch"));

	CHECK_SYS(kill(pid, SIGCONT));
	await_event(" events dropped\n");
	watch_end(pid, SIGTERM);
	MATCHES("^[1-9][0-9]* events dropped$");
}

#define WATCHED_BEFORE	2

/* A killed watcher does not get in the way of the next. */
STEP(watch_killed)
{
	volatile struct guard_state *state = state_map();
	pid_t pid;

	make("f");
	QUIET("deny", "--ops", "read", "f");
	pid = watch_start(WORDS("watch"));
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(tool_end(pid), 128 + SIGKILL);
	DENIED(try_read("f"));
	/* The killed one left this word set; other values also count until the next begins. */
	state->watching = WATCHED_BEFORE;
	pid = tool_start(WORDS("watch"), "events");
	if (!wait_until(is_watching, (void *)state, 10))
		FAIL("it does not watch: %s", get_file("events"));
	munmap((void *)state, sysconf(_SC_PAGESIZE));
	DENIED(try_read("f"));
	await_event("\n");
	watch_end(pid, SIGTERM);
	CHECK(!strchr(strchr(out, '\n') + 1, '\n'));
}
