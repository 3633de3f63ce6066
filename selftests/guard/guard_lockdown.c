// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inode-guard on a kernel that is locked down while it runs: first for integrity (root can't change
 * the kernel), then for confidentiality (root can't read its memory either). Lockdown can't be
 * undone, so these tests come last of all, in this order.
 */
#include "harness.h"

#include "events.h"

#define LOCKDOWN	"/sys/kernel/security/lockdown"

/* The file has the current mode in square brackets. */
static void lock_down(const char *mode)
{
	char word[32];

	snprintf(word, sizeof(word), "[%s]", mode);
	if (sh("grep -qF '%s' " LOCKDOWN, word))
		CHECK_EQ(sh("echo %s >" LOCKDOWN, mode), 0);
	CHECK_EQ(sh("grep -qF '%s' " LOCKDOWN, word), 0);
}

static void fill(char *name, size_t length)
{
	memset(name, 'n', length);
	name[length] = '\0';
}

/* Programs read names in words of 8 bytes. */
static const size_t lengths[] = { 1, 7, 8, 9, 31, 32, 33, 40, 41, 247, 248, 255 };

/* A file made at a name gets its rule; one at a longer, shorter or similar name does not. */
static void check_names(void)
{
	char name[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(name, lengths[i]);
		QUIET("deny", "--ops", "attr", name);
	}
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(name, lengths[i]);
		make(name);
		if (!chmod(name, 0600) || errno != EPERM)
			FAIL("a name of %zu bytes is not followed", lengths[i]);
		name[lengths[i] - 1] = 'm';
		make(name);
		CHECK_SYS(chmod(name, 0600));
	}
	fill(name, 254);
	make(name);
	CHECK_SYS(chmod(name, 0600));
}

/* Events show each name unchanged, in the path of a denied file. */
static void check_events(void)
{
	char path[4096] = "", name[256], line[4352];
	pid_t pid;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(name, lengths[i]);
		name[lengths[i] - 1] = 'd';
		CHECK_SYS(mkdir(name, 0755));
		CHECK_SYS(chdir(name));
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", name);
	}
	strcat(path, "/f");
	make("f");
	QUIET("deny", "--ops", "read", "f");
	CHECK_SYS(chdir(DIR_PATH));
	pid = watch_start(WORDS("watch"));
	DENIED(try_read(path + 1));
	await_event("\n");
	watch_end(pid, SIGTERM);
	snprintf(line, sizeof(line), " denied read " DIR_PATH "%s pid=%d ", path, getpid());
	HAS(line);
	MATCHES(" executable=[^ ]*/guard_lockdown rule=");
}

static void check_all(void)
{
	QUIET("deny", "--ops", "write", "before");
	DENIED(try_write("before"));
	check_names();
	check_events();
	CHECK_EQ(sh("bpftool map create /sys/fs/bpf/lockdown type hash key 4 value 4 entries 16 "
		    "name lockdown dev inode_map && rm /sys/fs/bpf/lockdown"), 0);
}

/* A running guard survives the lockdown, and a new one can be started afterwards. */
static void run_locked_down(void *mode)
{
	make("before");
	QUIET("start");
	QUIET("deny", "--ops", "read", "before");
	lock_down(mode);
	DENIED(try_read("before"));
	check_all();
	QUIET("stop");
	CHECK_EQ(sh("rm -r ./*"), 0);
	make("before");
	QUIET("start");
	check_all();
}

static void run_integrity(void *arg)
{
	(void)arg;
	run_locked_down("integrity");
}

static void run_confidentiality(void *arg)
{
	(void)arg;
	run_locked_down("confidentiality");
}

TEST(integrity)
{
	if (access(LOCKDOWN, W_OK))
		SKIP("this kernel has no lockdown");
	guarded(run_integrity);
}

TEST(confidentiality)
{
	if (access(LOCKDOWN, W_OK))
		SKIP("this kernel has no lockdown");
	guarded(run_confidentiality);
}
