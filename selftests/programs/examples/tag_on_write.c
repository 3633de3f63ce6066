// SPDX-License-Identifier: GPL-2.0-only
/*
 * tag_on_write: which files it notes, and how it prints them.
 */
#include <signal.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "examples.h"

/* Open a file in a new process, in the cgroup @in if not NULL. Returns the process's id. */
static pid_t open_in(const char *in, const char *path, int flags)
{
	pid_t pid = CHECK_SYS(fork());

	if (pid) {
		CHECK_EQ(exit_status(pid), 0);
		return pid;
	}
	if (in)
		cgroup_enter(in);
	_exit(try_open(path, flags));
}

/* Whether tag_on_write notes files. Leaves none noted. */
static bool probe_is_noted(void *unused)
{
	struct counts counts;

	(void)unused;
	open_in(cgroup, "probe", O_WRONLY | O_CREAT);
	counts_read(&counts);
	CHECK_SYS(unlink("probe"));
	return counts.entries;
}

static void dump(bool json)
{
	int status = run_to_end(ARGV("tag_on_write", "--dump", json ? "--json" : NULL));

	if (status)
		FAIL("--dump returned %d: %s", status, out);
}

#define TIME	"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"

/* Check the line about a file. @shown is its path, as a regular expression. */
static void check_noted(bool json, const char *path, const char *shown, pid_t pid,
			unsigned int count)
{
	char pattern[1024];
	struct stat stat;

	CHECK_SYS(lstat(path, &stat));
	snprintf(pattern, sizeof(pattern),
		 json ? "^[[ ]\\{\"time\":\"" TIME "\",\"pid\":%d,\"count\":%u,\"device\":"
			"\\{\"major\":%u,\"minor\":%u\\},\"inode\":%lu,\"path\":\"%s\"\\}[],]" :
			"^" TIME " +%d +%u +%u:%u +%lu %s$",
		 pid, count, major(stat.st_dev), minor(stat.st_dev), (unsigned long)stat.st_ino,
		 shown);
	check_matches(out, pattern);
}

/* Seconds since the time at the start of the list. */
static long age_of_first(void)
{
	struct tm tm = {};

	CHECK(strptime(out, "%Y-%m-%dT%H:%M:%SZ", &tm));
	return time(NULL) - timegm(&tm);
}

/* A name that each format of the list escapes differently. */
#define ODD		"a \"b\"\\\n\xc3\xa4"
#define ODD_TEXT	"/a\\\\040\"b\"\\\\134\\\\012\xc3\xa4"
#define ODD_JSON	"/a \\\\\"b\\\\\"\\\\\\\\\\\\u000a\xc3\xa4"

TEST(tag_on_write)
{
	pid_t pid, once, odd, below, last = 0;
	char below_path[80];

	cgroup_create();
	snprintf(below_path, sizeof(below_path), "%s/below", cgroup);
	CHECK_SYS(mkdir(below_path, 0755));
	CHECK_SYS(mkfifo("fifo", 0600));
	CHECK_EQ(sh("touch read outside; mkdir d"), 0);
	open_in(cgroup, "before", O_WRONLY | O_CREAT);

	pid = start(ARGV("tag_on_write", cgroup));
	wait_for(pid, probe_is_noted, NULL);
	counts_wait(1, 0, 0, 0);
	dump(false);
	CHECK(!*out);
	dump(true);
	CHECK(!strcmp(out, "[]\n"));

	once = open_in(cgroup, "d/once", O_WRONLY | O_CREAT | O_EXCL);
	for (unsigned int i = 0; i < 3; i++)
		last = open_in(cgroup, "thrice", O_RDWR | O_CREAT);
	odd = open_in(cgroup, ODD, O_WRONLY | O_CREAT);
	below = open_in(below_path, "below", O_WRONLY | O_CREAT);
	/* These do not change what is noted. */
	open_in(NULL, "d/once", O_WRONLY);
	open_in(cgroup, "thrice", O_RDONLY);
	/* None of these is noted. */
	open_in(cgroup, "read", O_RDONLY);
	open_in(cgroup, "fifo", O_RDWR);
	open_in(cgroup, "/dev/null", O_WRONLY);
	open_in(NULL, "outside", O_WRONLY);
	open_in(CGROUP_ROOT, "outside", O_WRONLY);
	counts_wait(1, 4, 4, 0);

	dump(false);
	CHECK_EQ(count_lines(out), 4);
	check_noted(false, "d/once", "/d/once", once, 1);
	check_noted(false, "thrice", "/thrice", last, 3);
	check_noted(false, ODD, ODD_TEXT, odd, 1);
	check_noted(false, "below", "/below", below, 1);
	CHECK(age_of_first() >= -2 && age_of_first() < 60 * (long)test_slowdown());
	dump(true);
	CHECK_EQ(count_lines(out), 4);
	CHECK(out[0] == '[' && !strcmp(out + strlen(out) - 3, "}]\n"));
	check_noted(true, "d/once", "/d/once", once, 1);
	check_noted(true, "thrice", "/thrice", last, 3);
	check_noted(true, ODD, ODD_JSON, odd, 1);
	check_noted(true, "below", "/below", below, 1);

	/* The list has a file's current name, and leaves out a file that is gone. */
	CHECK_SYS(rename("thrice", "d/renamed"));
	CHECK_SYS(unlink(ODD));
	CHECK_SYS(unlink("below"));
	counts_wait(1, 2, 2, 0);
	check_fails(ARGV("tag_on_write", cgroup), "running already");

	stop(pid, SIGINT);
	CHECK_EQ(count_lines(out), 2);
	check_noted(false, "d/once", "/d/once", once, 1);
	check_noted(false, "d/renamed", "/d/renamed", last, 3);
	counts_wait(0, 0, 0, 0);
	check_fails(ARGV("tag_on_write", "--dump"), "not running");
	open_in(cgroup, "after", O_WRONLY | O_CREAT);
	cgroup_remove(below_path);
	cgroup_remove(cgroup);
}

TEST(tag_on_write_json)
{
	pid_t pid, writer;

	cgroup_create();
	pid = start(ARGV("tag_on_write", "--json", cgroup));
	wait_for(pid, probe_is_noted, NULL);
	writer = open_in(cgroup, "f", O_WRONLY | O_CREAT);
	stop(pid, SIGTERM);
	CHECK_EQ(count_lines(out), 1);
	check_noted(true, "f", "/f", writer, 1);
	cgroup_remove(cgroup);
}
