// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rules for users, groups and cgroups only. rules.c has executables. */
#include "steps.h"

#include <grp.h>
#include <sched.h>
#include <sys/fsuid.h>

#include "bpf/guard/guard.h"

#define SHELL	"/usr/bin/dash"

/* Users and groups for this step. */
static void make_users(void)
{
	CHECK(!mkdir("/etc", 0755) || errno == EEXIST);
	CHECK_SYS(mount("etc", "/etc", "tmpfs", 0, NULL));
	put_file("/etc/passwd", "root:x:0:0::/:/bin/sh\nalice:x:1001:1001::/:/bin/sh\n"
		 "bob:x:1002:1002::/:/bin/sh\n");
	put_file("/etc/group", "root:x:0:\nalice:x:1001:\nbob:x:1002:\nstaff:x:50:alice\n");
	put_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
	CHECK_SYS(chmod(".", 0755));
	CHECK_SYS(chmod(DIR_PATH, 0755));
}

/* The credentials of a reader. */
struct reader {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t nr_groups;
	bool confined;
};

static void become(const struct reader *reader)
{
	if (setgroups(reader->nr_groups, reader->groups) || setgid(reader->gid) ||
	    setuid(reader->uid) || (reader->confined && unshare(CLONE_NEWUSER)))
		_exit(126);
}

/* Read @path with a reader's credentials: 0 or an errno. */
static int read_as(const struct reader *reader, const char *path)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		become(reader);
		_exit(try_read(path));
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

static const struct reader root, alice = { .uid = 1001, .gid = 1001 },
			   bob = { .uid = 1002, .gid = 1002 };

static void put_readable(const char *path)
{
	put_file(path, "text\n");
	CHECK_SYS(chmod(path, 0644));
}

STEP(only_for_user)
{
	struct reader confined = alice;
	int before;

	make_users();
	put_readable("f");
	before = file_open("f", O_RDONLY);
	QUIET("allow", "--ops", "read", "--only-for-user", "alice", "f");
	ALLOWED(read_as(&alice, "f"));
	DENIED(read_as(&bob, "f"));
	DENIED(read_as(&root, "f"));
	CHECK(read(before, out, 1) < 0 && errno == EPERM);
	/* Like file permissions, rules use the fsuid, which file servers set, for example. */
	setfsuid(1001);
	ALLOWED(try_read("f"));
	CHECK(read(before, out, 1) == 1);
	setfsuid(0);
	DENIED(try_read("f"));
	/* A user namespace does not change who a user is. */
	confined.confined = true;
	ALLOWED(read_as(&confined, "f"));
	QUIET("allow", "--ops", "read", "-u", "root,1002", "f");
	DENIED(read_as(&confined, "f"));
	DENIED(read_as(&alice, "f"));
	ALLOWED(read_as(&root, "f"));
	ALLOWED(read_as(&bob, "f"));
	CHECK(sh("setpriv --reuid 1001 --regid 1001 --clear-groups unshare -r cat f 2>/dev/null"));

	SAYS("list");
	HAS(" only-for(user=root,user=1002):read ");
	SAYS("list", "--json");
	json_check(out);
	HAS("\"verdict\":\"only-for\",\"only_for_users\":[{\"name\":\"root\",\"id\":0},"
	    "{\"name\":\"1002\",\"id\":1002}],\"hits\":");
	FAILS(1, "carol: there is no such user", "allow", "--only-for-user", "bob,carol", "f");
	FAILS(1, "-1: there is no such user", "allow", "--only-for-user", "-1", "f");
	FAILS(1, "4294967295: there is no such user", "allow", "-u", "4294967295", "f");
	FAILS(2, "has an empty name in it", "allow", "--only-for-user", "bob,", "f");
	put_file("conf", "allow --only-for-user carol f\n");
	FAILS(1, "conf:1: carol: there is no such user", "apply", "--check", "conf");
	FAILS(1, "conf:1: carol: there is no such user", "apply", "conf");
	CHECK_EQ(tool_run(WORDS("apply", "--skip-missing", "conf"), NULL), 4);
}

/* In the layers of an overlay, the kernel acts as the user who mounted it. */
STEP(only_for_user_of_two)
{
	make_users();
	CHECK_SYS(mkdir("lower", 0755));
	CHECK_SYS(mkdir("upper", 0755));
	CHECK_SYS(mkdir("work", 0755));
	CHECK_SYS(mkdir("over", 0755));
	put_readable("lower/f");
	if (sh("modprobe -q overlay; mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work "
	       "over over"))
		FAIL("there is no overlayfs");
	ALLOWED(read_as(&alice, "over/f"));
	QUIET("allow", "--ops", "read", "--only-for-user", "root", "lower/f");
	CHECK_EQ(sh("cat over/f >/dev/null"), 0);
	CHECK(sh("setpriv --reuid 1001 --regid 1001 --clear-groups cat over/f >/dev/null 2>&1"));
	QUIET("allow", "--ops", "read", "--only-for-user", "alice", "lower/f");
	CHECK(sh("setpriv --reuid 1001 --regid 1001 --clear-groups cat over/f >/dev/null 2>&1"));
	QUIET("allow", "--ops", "read", "--only-for-user", "alice,root", "lower/f");
	CHECK_EQ(sh("setpriv --reuid 1001 --regid 1001 --clear-groups cat over/f >/dev/null"), 0);
	CHECK_SYS(umount("over"));
}

STEP(only_for_group)
{
	static const gid_t staff[] = { 7, 50, 99 };
	struct reader helper = { .uid = 1002, .gid = 1002, .groups = staff, .nr_groups = 3 };
	struct reader primary = { .uid = 1002, .gid = 50 };
	gid_t *many = calloc(65536, sizeof(*many));
	size_t i;

	make_users();
	put_readable("f");
	QUIET("allow", "--ops", "read", "--only-for-group", "staff", "f");
	DENIED(read_as(&bob, "f"));
	DENIED(read_as(&root, "f"));
	ALLOWED(read_as(&helper, "f"));
	ALLOWED(read_as(&primary, "f"));
	/* The first and the last of the groups, and one of the maximum number. */
	QUIET("deny", "--ops", "read", "-g", "7", "f");
	ALLOWED(read_as(&helper, "f"));
	QUIET("allow", "--ops", "read", "-g", "99", "f");
	ALLOWED(read_as(&helper, "f"));
	DENIED(read_as(&primary, "f"));
	for (i = 0; i < 65536; i++)
		many[i] = 100000 + i;
	helper.groups = many;
	helper.nr_groups = 65536;
	DENIED(read_as(&helper, "f"));
	QUIET("allow", "--ops", "read", "-g", "165535", "f");
	ALLOWED(read_as(&helper, "f"));
	SAYS("list", "--json");
	json_check(out);
	HAS("\"only_for_groups\":[{\"name\":\"165535\",\"id\":165535}],");
	FAILS(1, "wheel: there is no such group", "allow", "-g", "wheel", "f");
}

/* The subject must match one of each kind that the rule names. */
STEP(only_for_all_of_them)
{
	static const char *const read_by = "setpriv --reuid %d --regid %d --clear-groups %s -c "
					   "'read -r line <f' 2>/dev/null";

	make_users();
	put_readable("f");
	CHECK_EQ(sh("cp " SHELL " copy"), 0);
	QUIET("allow", "--ops", "read", "--only-for", SHELL, "--only-for", "copy",
	      "--only-for-user", "alice", "--only-for-user", "bob", "--only-for-group", "bob", "f");
	CHECK_EQ(sh(read_by, 1001, 1002, SHELL), 0);
	CHECK_EQ(sh(read_by, 1002, 1002, "./copy"), 0);
	CHECK(sh(read_by, 1001, 1001, SHELL));
	CHECK(sh(read_by, 0, 1002, SHELL));
	CHECK(sh(read_by, 1001, 1002, "bash"));
	SAYS("list");
	MATCHES(" only-for\\(" SHELL ",[^ ]*/copy,user=alice,user=bob,group=bob\\):read ");
	SAYS("list", "--json");
	json_check(out);
	HAS("],\"only_for_users\":[{\"name\":\"alice\",\"id\":1001},{\"name\":\"bob\",\"id\":1002}],"
	    "\"only_for_groups\":[{\"name\":\"bob\",\"id\":1002}],\"executables\":[");
}

/* The same number by another name makes another rule: save writes what was given. */
STEP(only_for_is_saved)
{
	char *saved;

	make_users();
	put_readable("f");
	put_readable("g");
	make("h");
	make("i");
	put_file("conf", "deny --ops read --only-for-user root --only-for-cgroup /some\\ where "
		 DIR_PATH "/only_for_is_saved/f\n"
		 "deny --ops read --only-for-user 0 --only-for-group staff "
		 DIR_PATH "/only_for_is_saved/g\n"
		 "deny --ops read --only-for-user root " DIR_PATH "/only_for_is_saved/h\n"
		 "deny --ops read --only-for-user 0 " DIR_PATH "/only_for_is_saved/i\n");
	QUIET("apply", "--check", "conf");
	QUIET("apply", "conf");
	SAYS("save");
	saved = get_file("conf");
	CHECK(!strcmp(out, saved));
	SAYS("apply", "-v", "conf");
	HAS("nothing to change");
	put_file("conf", "allow --only-for-user bob --ops read g\n");
	QUIET("apply", "conf");
	DENIED(read_as(&root, "g"));
	ALLOWED(read_as(&bob, "g"));
	ALLOWED(try_read("f"));
	CHECK_EQ(sh("test $(bpftool map dump pinned " GUARD_PINS "/members | grep -c key) = 1"), 0);
	CHECK_EQ(sh("bpftool map dump pinned " GUARD_PINS "/cgroup_paths | grep -q key"), 1);
	CHECK_EQ(state_map()->cgroups, 0);
}

/* Cgroups */

/* Mount the cgroup hierarchy in this step's directory. */
static void mount_cgroups(void)
{
	CHECK_SYS(mkdir("cgroups", 0755));
	CHECK_SYS(mount("cgroup2", "cgroups", "cgroup2", 0, NULL));
}

static int read_in(const char *cgroup, const char *path)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		if (sh("echo %d >cgroups%s/cgroup.procs", getpid(), cgroup))
			_exit(126);
		_exit(try_read(path));
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

static bool cgroup_is_removed(void *path)
{
	return !rmdir(path) || errno == ENOENT;
}

static void remove_cgroup(const char *path)
{
	if (!wait_until(cgroup_is_removed, (void *)path, 10))
		FAIL("rmdir %s: %s", path, strerror(errno));
}

/* The number of cgroups that the programs know by the kernel's id. */
static void check_known_cgroups(int count)
{
	CHECK_EQ(sh("test $(bpftool map dump pinned " GUARD_PINS "/cgroups | grep -c key) = %d",
		    count), 0);
}

static void check_made_again(void)
{
	int i;

	/* Each is a new cgroup, and the rule is for it before a process enters it. */
	for (i = 0; i < 3; i++) {
		remove_cgroup("cgroups/guarded");
		SAYS("list");
		MATCHES("^waiting .*/f$");
		DENIED(try_read("f"));
		CHECK_SYS(mkdir("cgroups/guarded", 0755));
		ALLOWED(read_in("/guarded", "f"));
		DENIED(read_in("/other", "f"));
		SAYS("list");
		MATCHES("^active .*/f$");
	}
	/* Removed cgroups are forgotten, and other hierarchies have ids of their own. */
	check_known_cgroups(1);
	CHECK_SYS(mkdir("v1", 0755));
	if (sh("mount -t cgroup -o none,name=guard cgroup v1 2>/dev/null"))
		return;
	CHECK_SYS(mkdir("v1/guarded", 0755));
	check_known_cgroups(1);
	remove_cgroup("v1/guarded");
	CHECK_SYS(umount("v1"));
}

STEP(only_for_cgroup)
{
	char text[128];

	mount_cgroups();
	make("f");
	CHECK_SYS(mkdir("cgroups/guarded", 0755));
	CHECK_SYS(mkdir("cgroups/other", 0755));
	CHECK_SYS(mkdir("cgroups/other/guarded", 0755));
	QUIET("allow", "--ops", "read", "--only-for-cgroup", "/guarded", "f");
	DENIED(try_read("f"));
	ALLOWED(read_in("/guarded", "f"));
	DENIED(read_in("/other", "f"));
	/* The whole path must match. */
	DENIED(read_in("/other/guarded", "f"));
	SAYS("list", "--json");
	json_check(out);
	snprintf(text, sizeof(text), "\"only_for_cgroups\":[{\"path\":\"/guarded\",\"id\":%lu}],",
		 (unsigned long)file_ino("cgroups/guarded"));
	HAS(text);
	/* Cgroups below it match, too. */
	CHECK_SYS(mkdir("cgroups/guarded/deep", 0755));
	CHECK_SYS(mkdir("cgroups/guarded/deep/deeper", 0755));
	ALLOWED(read_in("/guarded/deep/deeper", "f"));
	remove_cgroup("cgroups/guarded/deep/deeper");
	remove_cgroup("cgroups/guarded/deep");
	check_made_again();
	/* The unified hierarchy does not allow renaming cgroups. */
	CHECK(rename("cgroups/guarded", "cgroups/renamed"));
	QUIET("allow", "--ops", "read", "-C", "other/", "f");
	ALLOWED(read_in("/other", "f"));
	ALLOWED(read_in("/other/guarded", "f"));
	DENIED(read_in("/guarded", "f"));
	QUIET("allow", "--ops", "read", "-C", "/", "f");
	ALLOWED(try_read("f"));
	FAILS(1, "not the path of a cgroup", "allow", "-C", "/other/../guarded", "f");
	remove_cgroup("cgroups/other/guarded");
	remove_cgroup("cgroups/other");
	remove_cgroup("cgroups/guarded");
}

/* Ways to become a permitted subject that the guard does not prevent, also for root. */
STEP(only_for_becoming)
{
	mount_cgroups();
	make_users();
	put_readable("f");
	put_readable("g");
	CHECK_SYS(mkdir("cgroups/guarded", 0755));
	QUIET("allow", "--ops", "read", "--only-for-user", "alice", "f");
	QUIET("allow", "--ops", "read", "--only-for-cgroup", "/guarded", "g");
	CHECK_EQ(sh("cp " SHELL " as-alice && chown 1001 as-alice && chmod 4755 as-alice && "
		    "./as-alice -p -c 'read -r line <f'"), 0);
	/* Only users with write access there can move a process. */
	CHECK_EQ(sh("sh -c 'echo $$ >cgroups/guarded/cgroup.procs && cat g >/dev/null'"), 0);
	CHECK(sh("setpriv --reuid 1001 --regid 1001 --clear-groups sh -c "
		 "'echo $$ >cgroups/guarded/cgroup.procs' 2>/dev/null"));
	remove_cgroup("cgroups/guarded");
}

STEP(only_for_cgroup_to_come)
{
	char path[1024], text[1200];

	mount_cgroups();
	make("f");
	QUIET("allow", "--ops", "read", "--only-for-cgroup", "/a/eight_by/c", "f");
	SAYS("list");
	MATCHES("^waiting .* only-for\\(cgroup=/a/eight_by/c\\):read .*/f$");
	SAYS("list", "--json");
	json_check(out);
	HAS("\"state\":\"waiting\"");
	HAS("[{\"path\":\"/a/eight_by/c\",\"id\":null}]");
	CHECK_EQ(tool_run(WORDS("status"), NULL), 0);
	HAS(", 1 waiting,");
	DENIED(try_read("f"));
	CHECK_SYS(mkdir("cgroups/a", 0755));
	CHECK_SYS(mkdir("cgroups/a/eight_by", 0755));
	DENIED(read_in("/a/eight_by", "f"));
	CHECK_SYS(mkdir("cgroups/a/eight_by/c", 0755));
	ALLOWED(read_in("/a/eight_by/c", "f"));
	SAYS("list");
	MATCHES("^active .*/f$");
	remove_cgroup("cgroups/a/eight_by/c");
	remove_cgroup("cgroups/a/eight_by");
	remove_cgroup("cgroups/a");
	/* In a cgroup namespace, paths differ. */
	CHECK(sh("unshare -C true") ||
	      !sh("mkdir cgroups/in && sh -c 'echo $$ >cgroups/in/cgroup.procs && unshare -C "
		  "inode-guard allow --only-for-cgroup /x f' 2>error; "
		  "grep -q 'a namespace of theirs' error"));
	remove_cgroup("cgroups/in");
	/* The longest path that the kernel tells. */
	memset(path, 'x', sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 200)
		path[i] = '/';
	path[1023] = '\0';
	QUIET("allow", "--only-for-cgroup", path, "f");
	snprintf(text, sizeof(text), "%sx", path);
	FAILS(1, "too long", "allow", "--only-for-cgroup", text, "f");
}
