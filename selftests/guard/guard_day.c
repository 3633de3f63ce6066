// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A day's work on a Debian system, with rules for other files: everything works as it does without
 * a guard, and nothing is denied. scripts/day makes the system, a file, with apt, gcc, git, rsync,
 * systemd and more. day/work does the work and prints how each item ended. The test runs it twice,
 * each time in a fresh system: without a guard, and with one.
 */
#include "steps.h"

#include <sys/sysmacros.h>

#define SYSTEM		"/root/day.squashfs"
#define WORK		"/root/day"
/* On the same filesystem as the work. */
#define OTHER		"root/srv/other"

/*
 * Set up the system at "root": an overlay makes it writable, and its /home/day is on ext4. It
 * contains the work and the mounts that every system has.
 */
static void enter_system(void)
{
	CHECK_EQ(sh("mkdir -p lower upper root && mount -t tmpfs -o size=1500m tmpfs upper && "
		    "mkdir upper/upper upper/work && "
		    "{ [ -e lower/bin ] || mount -o loop,ro " SYSTEM " lower; } && "
		    "mount -t overlay -o lowerdir=lower,upperdir=upper/upper,workdir=upper/work "
		    "overlay root"), 0);
	CHECK_EQ(sh("truncate -s 300M upper/image && mkfs.ext4 -q upper/image && "
		    "mkdir -p root/home/day root/day root/srv/other && "
		    "mount -o loop upper/image root/home/day && "
		    "mkdir root/home/day/other && cp " WORK "/* root/day/"), 0);
	CHECK_EQ(sh("for i in proc sys dev dev/pts sys/fs/cgroup; do mount --bind /$i root/$i || exit; "
		    "done; mount -t tmpfs tmpfs root/tmp && mount -t tmpfs tmpfs root/run"), 0);
}

static void leave_system(void)
{
	CHECK_EQ(sh("umount -R root && umount upper && rmdir upper root"), 0);
}

/* Do the work; return its output. */
static char *work(const char *sections)
{
	CHECK_EQ(sh("chroot root /day/work %s >done", sections), 0);
	return get_file("done");
}

/* Return the first line of @done that @there lacks, or NULL. */
static const char *lacks_line(const char *there, const char *done)
{
	size_t length;
	char *line;
	bool has;

	for (; *done; done += length) {
		length = strcspn(done, "\n") + 1;
		line = strndup(done, length);
		has = strstr(there, line);
		free(line);
		if (!has)
			return done;
	}
	return NULL;
}

static void check_same(const char *without, const char *with)
{
	const char *line = lacks_line(without, with) ?: lacks_line(with, without);

	if (!line)
		return;
	sh("cat root/home/day/said");
	FAIL("\"%.*s\" is different without a guard", (int)strcspn(line, "\n"), line);
}

/* Make files of all kinds, next to those that the work uses. */
static void make_others(void)
{
	CHECK_EQ(sh("for other in " OTHER " root/home/day/other; do "
		    "mkdir -p $other/tree/sub $other/tried && cp root/bin/dash $other/tool && "
		    "for i in denied inode exec link audit user group cgroup exe tree/file tree/sub/file "
		    "tried/file log; do echo text >$other/$i || exit; done; "
		    "ln -s link $other/symbolic && mkfifo $other/pipe && mknod $other/loop b 7 77 && "
		    "mknod $other/null c 1 77 || exit; done"), 0);
}

/* Rules of all kinds for these files, none of which the work uses. */
static const char rules[] =
	"deny %s/denied %s/later\n"
	"deny --inode %s/inode\n"
	"deny --ops exec %s/exec\n"
	"deny --ops read,write --no-dereference %s/symbolic\n"
	"deny --ops read %s/symbolic %s/pipe\n"
	"deny --ops read,write %s/loop %s/null\n"
	"deny --ops write,delete,rename,link,attr,mmap --tree %s/tree\n"
	"allow --ops write --only-for %s/tool %s/tree/sub/file\n"
	"deny --audit %s/audit\n"
	"deny --audit --tree %s/tried\n"
	"deny --ops write %s/log\n"
	"allow --ops append %s/log\n"
	"deny --label day --only-for-user 12345 %s/user\n"
	"deny --only-for-group 12345 --only-for %s/tool %s/group\n"
	"deny --only-for-cgroup /none %s/cgroup\n"
	"deny --only-for %s/tool %s/exe\n";

/* The work itself uses these executables, which may do what others may not. */
static const char for_workers[] =
	"deny --only-for root/usr/bin/git --only-for root/usr/bin/dpkg --only-for root/usr/bin/rsync "
	"--only-for root/usr/bin/sqlite3 --only-for root/usr/bin/sed --only-for root/usr/bin/vim.tiny "
	"--only-for root/usr/lib/systemd/systemd " OTHER "/exe\n";

static void put_rules(FILE *file, const char *other)
{
	const char *at;

	for (at = rules; *at; at++)
		if (at[0] == '%' && at[1] == 's') {
			fputs(other, file);
			at++;
		} else {
			fputc(*at, file);
		}
}

static void apply_rules(void)
{
	FILE *file = fopen("conf", "we");

	CHECK(file);
	put_rules(file, OTHER);
	put_rules(file, "root/home/day/other");
	fputs(for_workers, file);
	CHECK(!fclose(file));
	QUIET("apply", "conf");
	/* The rules are in force. */
	DENIED(try_read(OTHER "/denied"));
	DENIED(try_write("root/home/day/other/tree/sub/file"));
}

/* The number of denials that the list shows. */
static unsigned long long count_hits(void)
{
	unsigned long long hits = 0;
	const char *at;

	SAYS("list", "--json");
	json_check(out);
	for (at = out; (at = strstr(at, "\"hits\":")); at++)
		hits += strtoull(at + strlen("\"hits\":"), NULL, 10);
	return hits;
}

static void check_denials(unsigned long long before, const char *watched)
{
	if (*watched)
		FAIL("denied: %s", watched);
	CHECK_EQ(count_hits(), before);
	SAYS("status", "--json");
	HAS("\"dropped\":0,\"refused\":0,");
}

/* A rule for a file of the work shows in its output, in the events and in the hits. */
static void check_noticed(const char *without)
{
	unsigned long long before = count_hits();
	pid_t watch;

	CHECK_EQ(sh("rm -r root/home/day/database && mkdir root/home/day/database"), 0);
	QUIET("deny", "--ops", "write", "--tree", "root/home/day/database");
	watch = tool_start(WORDS("watch"), "watched");
	sleep(1);
	CHECK(lacks_line(without, work("database")));
	kill(watch, SIGINT);
	CHECK_EQ(tool_end(watch), 0);
	CHECK(strstr(get_file("watched"), "/database"));
	CHECK(count_hits() > before);
}

static void run(void *unused)
{
	unsigned long long before;
	char *without, *with;
	pid_t watch;

	(void)unused;
	enter_system();
	without = work("");
	leave_system();
	QUIET("start");
	enter_system();
	make_others();
	apply_rules();
	before = count_hits();
	watch = tool_start(WORDS("watch"), "watched");
	sleep(1);
	with = work("");
	kill(watch, SIGINT);
	CHECK_EQ(tool_end(watch), 0);
	check_same(without, with);
	check_denials(before, get_file("watched"));
	check_noticed(without);
	leave_system();
	QUIET("stop");
}

TEST(day)
{
	if (access(SYSTEM, R_OK))
		SKIP("there is no Debian system of this architecture to work in");
	guarded(run);
}
