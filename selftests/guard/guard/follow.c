// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules for names: any file that comes to be at the name gets the rule, however it got there. And
 * rules for inodes, which stay with their file.
 */
#include "steps.h"

#include <bpf/bpf.h>
#include <linux/fs.h>

#include "bpf/guard/guard.h"

static int try_chmod(const char *path)
{
	return chmod(path, 0700) ? errno : 0;
}

static void make_with(const char *path, const char *text)
{
	put_file(path, text);
}

STEP(replaced_inode)
{
	make_with("f", "old\n");
	make_with("new", "new\n");
	QUIET("deny", "--ops", "write", "--inode", "f");
	CHECK_SYS(rename("new", "f"));
	/* The rule was for the old file. */
	ALLOWED(try_write("f"));
	SAYS("list");
	MATCHES("^gone .*  inode  .*/f$");
}

STEP(follow)
{
	char pattern[128];
	int i;

	make("f");
	QUIET("deny", "--ops", "write", "f");
	/* Every new file gets the rule. */
	for (i = 0; i < 3; i++) {
		make("new");
		ALLOWED(try_write("new"));
		CHECK_SYS(rename("new", "f"));
		DENIED(try_write("f"));
		ALLOWED(try_read("f"));
	}
	SAYS("list");
	snprintf(pattern, sizeof(pattern), "^active +[0-9:]+ +%lu .*/f$",
		 (unsigned long)file_ino("f"));
	MATCHES(pattern);
	MATCHES("write=3 ");
	/* It is one rule, and is removed as a whole. */
	SAYS("status");
	HAS(" 1 of ");
	QUIET("remove", "f");
	ALLOWED(try_write("f"));
	make("new");
	CHECK_SYS(rename("new", "f"));
	ALLOWED(try_write("f"));
}

/* The file gets the rule before the rename, so that it is never without. */
STEP(follow_from_another_name)
{
	make("f");
	make("new");
	CHECK_SYS(link("new", "also-new"));
	QUIET("deny", "--ops", "write", "f");
	CHECK_SYS(rename("new", "f"));
	DENIED(try_write("also-new"));
}

STEP(follow_denied)
{
	make("f");
	make("new");
	QUIET("deny", "--ops", "write,delete", "f");
	DENIED(try_rename("new", "f"));
	/* A file whose rename failed gets no rule. */
	ALLOWED(try_write("new"));
	DENIED(try_write("f"));
	QUIET("deny", "--ops", "rename", "f");
	QUIET("allow", "--ops", "delete", "f");
	DENIED(try_rename("new", "f"));
	ALLOWED(try_write("new"));
}

/* EBUSY, which comes after the security hooks: the name is a mount point in this namespace. */
STEP(follow_failed)
{
	int fd;

	make("f");
	make("new");
	make("over");
	QUIET("deny", "--ops", "write", "f");
	CHECK_SYS(mount("over", "f", NULL, MS_BIND, NULL));
	CHECK_EQ(try_rename("new", "f"), EBUSY);
	CHECK_SYS(umount("f"));
	ALLOWED(try_write("new"));
	DENIED(try_write("f"));
	SAYS("status");
	HAS(" 1 of ");
	/* A file that already has the same rule keeps it. */
	QUIET("deny", "--ops", "write", "new");
	fd = file_open("f", O_RDONLY);
	CHECK_SYS(mount("over", "f", NULL, MS_BIND, NULL));
	CHECK_EQ(try_rename("new", "f"), EBUSY);
	CHECK_SYS(umount("f"));
	DENIED(try_write("new"));
	QUIET("remove", "f");
	DENIED(try_write("new"));
	close(fd);
}

/* Otherwise a rename could replace a file's rule by a weaker one. */
STEP(follow_with_another_rule)
{
	make("f");
	make("secret");
	QUIET("deny", "--ops", "write", "f");
	QUIET("deny", "--ops", "read", "secret");
	DENIED(try_rename("secret", "f"));
	CHECK(link("secret", "f") && errno == EEXIST);
	CHECK_SYS(unlink("f"));
	DENIED(try_rename("secret", "f"));
	CHECK(link("secret", "f") && errno == EPERM);
	DENIED(try_read("secret"));
}

STEP(follow_exchange)
{
	make("f");
	make("new");
	QUIET("deny", "--ops", "write", "f");
	CHECK_SYS(renameat2(AT_FDCWD, "new", AT_FDCWD, "f", RENAME_EXCHANGE));
	DENIED(try_write("f"));
	/* The file that had the name before keeps the rule. */
	DENIED(try_write("new"));
	CHECK_SYS(renameat2(AT_FDCWD, "new", AT_FDCWD, "f", RENAME_EXCHANGE));
	DENIED(try_write("f"));
	DENIED(try_write("new"));
}

/* Only the guarded name counts, not other links that somebody made to the file. */
STEP(follow_no_other_link)
{
	CHECK_SYS(mkdir("elsewhere", 0755));
	make("f");
	make("victim");
	CHECK_SYS(link("f", "elsewhere/f"));
	CHECK_SYS(link("f", "g"));
	QUIET("deny", "--ops", "write", "f");
	CHECK_SYS(rename("victim", "elsewhere/f"));
	ALLOWED(try_write("elsewhere/f"));
	CHECK_SYS(rename("elsewhere/f", "g"));
	ALLOWED(try_write("g"));
	DENIED(try_write("f"));
}

STEP(follow_vacated_name)
{
	make("f");
	make("new");
	make("newer");
	QUIET("deny", "--ops", "attr", "f");
	CHECK_SYS(rename("f", "f.old"));
	DENIED(try_chmod("f.old"));
	CHECK_SYS(rename("new", "f"));
	DENIED(try_chmod("f"));
	CHECK_SYS(unlink("f"));
	CHECK_SYS(rename("newer", "f"));
	DENIED(try_chmod("f"));
}

static void create(const char *path)
{
	make(path);
}

static void create_node(const char *path)
{
	CHECK_SYS(mknod(path, S_IFIFO | 0600, 0));
}

static void create_link(const char *path)
{
	make("source");
	CHECK_SYS(link("source", path));
	CHECK_SYS(unlink("source"));
}

static void create_unnamed(const char *path)
{
	char from[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0) {
		create_link(path);
		return;
	}
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	CHECK_SYS(linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	close(fd);
}

static void create_directory(const char *path)
{
	CHECK_SYS(mkdir(path, 0700));
}

/* A file that comes to be at a name has its rule at once, in whichever way it was made. */
STEP(follow_what_is_made)
{
	static void (*const ways[])(const char *path) = {
		create, create_node, create_link, create_unnamed, create_directory,
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		QUIET("deny", "--ops", "attr", "f");
		ways[i]("f");
		DENIED(try_chmod("f"));
		/* Through its new name, too. */
		CHECK_SYS(rename("f", "moved"));
		DENIED(try_chmod("moved"));
		/* Do it once more. */
		ways[i]("f");
		DENIED(try_chmod("f"));
		SAYS("list");
		MATCHES("^active .*/f$");
		QUIET("remove", "f");
		ALLOWED(try_chmod("f"));
		ALLOWED(try_chmod("moved"));
		CHECK_EQ(sh("rm -r f moved"), 0);
	}
}

/* Even a task that waits for the file can't open it before it has the rule. */
STEP(follow_made_and_opened)
{
	QUIET("deny", "--ops", "read", "f");
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(try_open("f", O_WRONLY | O_CREAT), 0);
		DENIED(try_read("f"));
		CHECK_SYS(unlink("f"));
		CHECK_EQ(try_open("f", O_RDWR | O_CREAT), EPERM);
		DENIED(try_read("f"));
		CHECK_SYS(unlink("f"));
	}
}

/* Making the file needs what writing to it needs. */
STEP(waiting)
{
	make("new");
	QUIET("deny", "--ops", "write", "f");
	SAYS("list");
	MATCHES("^waiting .*/f$");
	DENIED(try_open("f", O_RDONLY | O_CREAT));
	DENIED(try_rename("new", "f"));
	CHECK(link("new", "f") && errno == EPERM);
	CHECK(symlink("new", "f") && errno == EPERM);
	CHECK(mkdir("f", 0700) && errno == EPERM);
	CHECK(mknod("f", S_IFIFO | 0600, 0) && errno == EPERM);
	CHECK(access("f", F_OK));
	SAYS("list");
	MATCHES("^waiting .* write=6 .*/f$");
	ALLOWED(try_write("new"));
	/* A rule with --only-for. */
	QUIET("allow", "--ops", "write", "--only-for", "/usr/bin/dash", "f");
	DENIED(try_open("f", O_RDONLY | O_CREAT));
	CHECK_EQ(sh("dash -c 'echo text >f'"), 0);
	DENIED(try_write("f"));
	ALLOWED(try_read("f"));
	SAYS("list");
	MATCHES("^active .*/f$");
	/* The directory must exist. */
	FAILS(1, "No such file", "deny", "nowhere/f");
	FAILS(1, "No such file", "deny", "--inode", "nothing");
}

/* The rule is for the name that the path leads to, through symbolic links, even dangling ones. */
STEP(waiting_behind_links)
{
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(symlink("d/f", "link"));
	QUIET("deny", "--ops", "write", "link");
	DENIED(try_open("d/f", O_RDONLY | O_CREAT));
	DENIED(try_open("link", O_RDONLY | O_CREAT));
	SAYS("list");
	MATCHES("^waiting .*/link$");
}

/* The kernel does not follow changes further up a path; list reports them. */
STEP(elsewhere)
{
	CHECK_EQ(sh("mkdir one two && touch one/f two/f && ln -s one current"), 0);
	QUIET("deny", "--ops", "attr", "current/f");
	DENIED(try_chmod("one/f"));
	CHECK_EQ(sh("ln -s two next && mv -T next current"), 0);
	SAYS("list");
	MATCHES("^elsewhere .*/current/f$");
	DENIED(try_chmod("one/f"));
	ALLOWED(try_chmod("current/f"));
	/* save writes the path, and apply looks it up anew. */
	QUIET("save", "saved");
	QUIET("apply", "saved");
	DENIED(try_chmod("current/f"));
	SAYS("list");
	MATCHES("^active .*/current/f$");
	SAYS("status");
	HAS(" 1 of ");
	CHECK_EQ(sh("ln -s one next && mv -T next current"), 0);
	QUIET("refresh");
	SAYS("list");
	MATCHES("^active .*/current/f$");
	SAYS("refresh", "--verbose");
	HAS("nothing to change\n");
	CHECK_EQ(sh("ln -s two next && mv -T next current"), 0);
	QUIET("deny", "--ops", "attr", "current/f");
	CHECK_EQ(sh("ln -s one next && mv -T next current"), 0);
	QUIET("deny", "--ops", "attr", "current/f");
	SAYS("list");
	MATCHES("^active .*/current/f$");
	SAYS("status");
	HAS(" 1 of ");
	CHECK_EQ(sh("touch new && mv new one/f"), 0);
	DENIED(try_chmod("one/f"));
	CHECK_EQ(sh("touch new && mv new two/f"), 0);
	ALLOWED(try_chmod("two/f"));
	/* Another file is mounted on the name. */
	CHECK_SYS(mount("two/f", "one/f", NULL, MS_BIND, NULL));
	SAYS("list");
	MATCHES("^elsewhere .*/current/f$");
	CHECK_SYS(umount("one/f"));
	SAYS("list");
	MATCHES("^active .*/current/f$");
}

/* Rules for trees are for names, too. */
STEP(follow_tree)
{
	CHECK_SYS(mkdir("t", 0755));
	CHECK_SYS(mkdir("new", 0755));
	make("t/a");
	make("new/b");
	QUIET("deny", "--ops", "attr", "--tree", "t");
	DENIED(try_chmod("t/a"));
	ALLOWED(try_chmod("new/b"));
	CHECK_SYS(rename("t", "old"));
	CHECK_SYS(rename("new", "t"));
	DENIED(try_chmod("t/b"));
	/* The directory that had the name keeps the rule. */
	DENIED(try_chmod("old/a"));
	CHECK_SYS(rename("t", "older"));
	CHECK_SYS(mkdir("t", 0755));
	make("t/c");
	DENIED(try_chmod("t/c"));
	CHECK_SYS(mkdir("t/d", 0755));
	make("t/d/e");
	DENIED(try_chmod("t/d/e"));
	SAYS("list");
	MATCHES("^active .*tree  .*/t$");
	QUIET("remove", "t");
	ALLOWED(try_chmod("t/c"));
	ALLOWED(try_chmod("old/a"));
	ALLOWED(try_chmod("older/b"));
}

STEP(waiting_tree)
{
	QUIET("deny", "--ops", "attr", "--tree", "t");
	SAYS("list");
	MATCHES("^waiting .*tree  .*/t$");
	/* Nested directories, before anything else touches them. */
	CHECK_EQ(sh("mkdir -p t/a/b"), 0);
	CHECK_SYS(mknod("t/a/b/fifo", S_IFIFO | 0600, 0));
	DENIED(try_chmod("t/a/b"));
	DENIED(try_chmod("t/a/b/fifo"));
	DENIED(try_chmod("t"));
}

/* Leave an entry without a rule, as a killed tool does. */
static void leave_entry(const char *map, const char *path)
{
	const struct guard_entry nothing = {};
	int map_fd = CHECK_SYS(bpf_obj_get(map)), fd = file_open(path, O_PATH);

	CHECK_OK(inode_map_set_fd(map_fd, fd, &nothing, BPF_ANY, 0));
	close(fd);
	close(map_fd);
}

STEP(follow_with_entries_left)
{
	QUIET("deny", "--ops", "attr", "--tree", "t");
	QUIET("deny", "--ops", "attr", "f");
	CHECK_SYS(mkdir("new", 0755));
	make("new/a");
	make("g");
	leave_entry(GUARD_PINS "/tree_attr", "new");
	leave_entry(GUARD_PINS "/files", "g");
	CHECK_SYS(rename("new", "t"));
	CHECK_SYS(rename("g", "f"));
	DENIED(try_chmod("t/a"));
	DENIED(try_chmod("f"));
}

/* Two names of one file make one rule, and both names are followed. */
STEP(follow_two_names)
{
	make("f");
	CHECK_SYS(link("f", "g"));
	put_file("conf", "deny --ops attr f\ndeny --ops attr g\n");
	QUIET("apply", "conf");
	SAYS("status");
	HAS(" 1 of ");
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(sh("touch n m && mv n f && mv m g"), 0);
		DENIED(try_chmod("f"));
		DENIED(try_chmod("g"));
		SAYS("list");
		MATCHES("^active .*/f$");
		MATCHES("^active .*/g$");
		QUIET("save", "saved");
		QUIET("apply", "saved");
	}
}

static int read_by(const char *exe, const char *path)
{
	return sh("%s -c 'read -r line <%s' 2>/dev/null", exe, path);
}

/* The same with the names in two directories. */
STEP(follow_names_in_two_directories)
{
	CHECK_EQ(sh("mkdir a b && touch a/f && ln a/f b/g"), 0);
	QUIET("deny", "--ops", "attr", "a/f");
	QUIET("deny", "--ops", "attr", "b/g");
	SAYS("status");
	HAS(" 1 of ");
	CHECK_EQ(sh("touch n m && mv n a/f && mv m b/g"), 0);
	DENIED(try_chmod("a/f"));
	DENIED(try_chmod("b/g"));
	SAYS("list");
	MATCHES("^active .*/a/f$");
	MATCHES("^active .*/b/g$");
}

STEP(follow_executable)
{
	make("f");
	CHECK_EQ(sh("cp /usr/bin/dash exe && cp /usr/bin/dash new && cp /usr/bin/dash other"), 0);
	QUIET("allow", "--ops", "read", "--only-for", "exe", "f");
	CHECK_EQ(read_by("./exe", "f"), 0);
	CHECK(read_by("./new", "f"));
	CHECK_SYS(rename("new", "exe"));
	CHECK_EQ(read_by("./exe", "f"), 0);
	CHECK(read_by("./other", "f"));
}

/* After a failed rename, a file is not the executable, and keeps what it had. */
STEP(follow_executable_failed)
{
	make("f");
	make("own");
	CHECK_EQ(sh("cp /usr/bin/dash exe && cp /usr/bin/dash new && cp /usr/bin/dash over"), 0);
	QUIET("allow", "--ops", "read", "--only-for", "exe", "f");
	CHECK_SYS(mount("over", "exe", NULL, MS_BIND, NULL));
	CHECK_EQ(try_rename("new", "exe"), EBUSY);
	CHECK(read_by("./new", "f"));
	QUIET("allow", "--ops", "read", "--only-for", "new", "own");
	CHECK_EQ(try_rename("new", "exe"), EBUSY);
	CHECK_SYS(umount("exe"));
	CHECK(read_by("./new", "f"));
	CHECK_EQ(read_by("./new", "own"), 0);
	CHECK_EQ(read_by("./exe", "f"), 0);
}

STEP(replaced_executable)
{
	make("f");
	CHECK_EQ(sh("cp /usr/bin/dash exe && cp /usr/bin/dash new"), 0);
	QUIET("allow", "--ops", "read", "--inode", "--only-for", "exe", "f");
	CHECK_SYS(rename("new", "exe"));
	CHECK(read_by("./exe", "f"));
}
