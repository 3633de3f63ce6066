// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What holds by name while the service has not followed a change (--hold). Called by
 * guard_service.c.
 */
#include "guard_service.h"

/* Resume the service. Soon only the files that the paths lead to have the rules. */
static void follow_again(void)
{
	CHECK_SYS(kill(service, SIGCONT));
	becomes_allowed("elsewhere/f");
	CHECK_EQ(sh("! inode-guard status | grep 'not followed'"), 0);
}

/* Without --hold nothing is held. */
void check_no_hold(void)
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
void check_held(void)
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
void check_held_audit(void)
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
void check_held_failures(void)
{
	hold("! mv -T dir/f dir 2>/dev/null; ! mount -t nothing none mnt 2>/dev/null");
	follow_again();
}

/* With no service that could follow. */
void check_held_killed(void)
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
