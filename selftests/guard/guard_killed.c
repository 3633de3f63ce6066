// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * "inode-guard start" and "stop", killed on the way: the rest does not pass for a running guard,
 * and guards either all files with rules or none. The next start or stop completes it.
 */
#include "harness.h"

#include <dirent.h>
#include <linux/bpf.h>

#include "kill.h"

static unsigned int count_pins(const char *prefix)
{
	DIR *dir = opendir(GUARD_PINS);
	struct dirent *entry;
	unsigned int count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.' &&
			 !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(dir);
	return count;
}

static bool makes_or_pins(const struct call *call)
{
	return call->number == CALL_OF_MKDIR || (call->number == SYS_bpf &&
	       (call->command == BPF_MAP_CREATE || call->command == BPF_OBJ_PIN));
}

static bool makes_link(const struct call *call)
{
	return call->number == SYS_bpf && call->command == BPF_LINK_CREATE;
}

static bool pins_link(const struct call *call)
{
	return call->number == SYS_bpf && call->command == BPF_OBJ_PIN && count_pins("guard_");
}

/* The tool tries a directory as a file first. */
static bool removes(const struct call *call)
{
	return (call->number == SYS_unlinkat && !call->flags) || is_rmdir(call);
}

static bool uses_bpf(const struct call *call)
{
	return call->number == SYS_bpf;
}

static void check_status(int want, const char *text)
{
	CHECK_EQ(tool_run(WORDS("status"), NULL), want);
	HAS(text);
}

static void check_nothing_left(void)
{
	check_status(3, "stopped");
	counts_wait(0, 0, 0, 0);
	check_no_programs_left();
	ALLOWED(try_read("f"));
}

/* Kill each stop when it has removed one more pin: every intermediate state occurs once. */
static void check_stop(void)
{
	unsigned int pins, removed;

	QUIET("deny", "--ops", "read", "f");
	CHECK(killed_at(WORDS("stop"), uses_bpf, 1));
	check_status(0, "running");
	DENIED(try_read("f"));
	pins = count_pins("");
	CHECK(killed_at(WORDS("stop"), removes, 1));
	for (removed = 0; removed < pins; removed++) {
		CHECK_EQ(count_pins(""), pins - removed);
		check_status(1, "damaged");
		FAILS(1, "only partly there", "deny", "f");
		ALLOWED(try_read("f"));
		CHECK(killed_at(WORDS("stop"), removes, 2));
	}
	check_status(1, "damaged");
	QUIET("stop");
	check_nothing_left();
	printf("# stop: %u pins\n", pins);
}

/* Kill a start early, while it makes maps: that part is quick. */
static void check_start_early(void)
{
	unsigned int nth;

	for (nth = 1; nth <= 24; nth++) {
		CHECK(killed_at(WORDS("start"), makes_or_pins, nth));
		if (access(GUARD_PINS, F_OK)) {
			check_nothing_left();
			continue;
		}
		check_status(1, "damaged");
		FAILS(1, "only partly there", "list");
		ALLOWED(try_read("f"));
		QUIET("stop");
	}
	check_nothing_left();
}

/* Kill a start after it has attached some of the programs. */
static void check_start_late(unsigned int programs)
{
	CHECK(killed_at(WORDS("start"), makes_link, programs / 2));
	check_status(1, "damaged");
	CHECK_EQ(count_pins("guard_"), programs / 2 - 1);
	QUIET("stop");
	check_nothing_left();
	/* The hook for reading and writing has a pin for its program, and no link. */
	CHECK(killed_at(WORDS("start"), pins_link, programs));
	CHECK_EQ(count_pins("guard_"), programs - 1);
	check_status(1, "damaged");
	/* This start completes it. */
	QUIET("start");
	check_status(0, "running");
	CHECK_EQ(count_pins("guard_"), programs);
	QUIET("deny", "--ops", "read", "f");
	DENIED(try_read("f"));
}

static void run(void *arg)
{
	unsigned int programs;

	(void)arg;
	make("f");
	QUIET("start");
	programs = count_pins("guard_");
	check_stop();
	check_start_early();
	check_start_late(programs);
	/* A start on the remains of a killed stop begins anew. */
	CHECK(killed_at(WORDS("stop"), removes, 20));
	check_status(1, "damaged");
	QUIET("start");
	check_status(0, "0 of ");
	ALLOWED(try_read("f"));
	QUIET("stop");
	check_nothing_left();
}

TEST(start_and_stop)
{
	guarded(run);
}
