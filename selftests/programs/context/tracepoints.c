// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs on the module's tracepoints that change the map of the event, or another map.
 */
#include "context.h"

/* Whether the programs have been called at least this often since the last expect_calls(). */
static bool were_called(void *calls)
{
	return get(&programs->bss->calls) >= *(__u64 *)calls;
}

static void expect_calls(__u64 calls)
{
	CHECK(wait_until(were_called, &calls, 10));
	/* Catch calls in excess. */
	usleep(10000);
	CHECK_EQ(programs->bss->calls, calls);
	programs->bss->calls = 0;
}

/* The results of one kind of change since the last EXPECT() of it. */
#define EXPECT(outcomes, ok_, busy_, absent_)				\
	do {								\
		CHECK_EQ(programs->bss->outcomes.ok, ok_);		\
		CHECK_EQ(programs->bss->outcomes.busy, busy_);		\
		CHECK_EQ(programs->bss->outcomes.absent, absent_);	\
		CHECK_EQ(programs->bss->outcomes.dead + programs->bss->outcomes.other, 0); \
		memset(&programs->bss->outcomes, 0, sizeof(programs->bss->outcomes)); \
	} while (0)

static void set_both(int other)
{
	set(map, other, 1);
	programs->bss->other_handle = map_only_key(map).handle;
	set(map, dir, 1);
}

/*
 * The map's locks are held, so no value can be replaced. But a program can delete the entry of the
 * event, in the middle of its insertion, and any other. Each deletion's own event comes later, and
 * finds nothing.
 */
TEST(own_insertion)
{
	int other;

	setup();
	other = file_create("other");
	LOAD("same_insert", "same_remove");
	programs->bss->map_id = 0;
	attach("same_insert");
	attach("same_remove");
	set(map, other, 1);
	programs->bss->other_handle = map_only_key(map).handle;
	programs->bss->map_id = map_id_of(map);

	set(map, dir, 1);
	CHECK_EQ(map_count(map), 0);
	CHECK(!map_has(map, dir) && !map_has(map, other));
	expect_calls(3);
	EXPECT(replaces, 0, 1, 2);
	EXPECT(deletes, 1, 0, 5);
	EXPECT(others, 1, 0, 2);
	counts_wait(1, 0, 0, 0);
}

/* Likewise for the entry that replaces another: at the event, the new value is there. */
TEST(own_replacement)
{
	int other;

	setup();
	other = file_create("other");
	LOAD("same_remove", "replace_pwd");
	set_both(other);
	attach("same_remove");

	set(map, dir, 2);
	CHECK_EQ(map_count(map), 0);
	expect_calls(3);
	EXPECT(replaces, 0, 1, 2);
	EXPECT(deletes, 1, 0, 5);
	EXPECT(others, 1, 0, 2);

	/* The same inside a program's update. */
	programs->bss->map_id = 0;
	set_both(other);
	programs->bss->map_id = map_id_of(map);
	run_on("replace_pwd", map_id_of(map));
	CHECK_EQ(map_count(map), 0);
	expect_calls(3);
	EXPECT(replaces, 1, 1, 2);
	EXPECT(deletes, 1, 0, 5);
	EXPECT(others, 1, 0, 2);
	counts_wait(1, 0, 0, 0);
}

/* A removed entry is gone for programs, too, however it was removed. */
TEST(own_removal)
{
	int other;

	setup();
	other = file_create("other");
	LOAD("same_remove");
	set_both(other);
	set(map, file, 1);
	attach("same_remove");

	CHECK_OK(inode_map_remove_fd(map, dir));
	expect_calls(2);
	EXPECT(deletes, 0, 0, 4);
	EXPECT(others, 1, 0, 1);
	close(file);
	CHECK_SYS(unlink("f"));
	expect_calls(1);
	EXPECT(deletes, 0, 0, 2);
	EXPECT(others, 0, 0, 1);
	EXPECT(replaces, 0, 0, 3);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
}

static int other_map, files[2];

static void churn_map(void)
{
	set(map, dir, 1);
	set(map, file, 2);
	set(map, files[0], 3);
	remove_if_there(map, file);
}

static void churn_other_map(void)
{
	set(other_map, dir, 1);
	set(other_map, file, 2);
	set(other_map, files[1], 3);
	remove_if_there(other_map, file);
}

static bool crossed_enough(void *unused)
{
	(void)unused;
	return get(&programs->bss->deletes.ok) > 20 && get(&programs->bss->others.ok) > 20;
}

static bool all_are_gone(void *unused)
{
	(void)unused;
	return map_is_empty(&map) && map_is_empty(&other_map);
}

/*
 * Each change of one map deletes from the other, and those deletions delete from the first. Some
 * inodes are in both maps, so that their entries share a lock, and some are in only one.
 */
TEST(crosswise_events)
{
	struct context__bss *bss;

	setup();
	other_map = map_create(32, sizeof(struct value), 8);
	files[0] = file_create("g");
	files[1] = file_create("h");
	LOAD("cross_insert", "cross_remove", "delete_entries");
	bss = programs->bss;
	bss->other_map_id = map_id_of(other_map);

	/* First without concurrency. */
	set(map, files[0], 1);
	set(map, dir, 1);
	attach("cross_insert");
	attach("cross_remove");
	set(other_map, dir, 1);
	CHECK_EQ(bss->others.ok, 2);
	CHECK(map_is_empty(&map));
	/* The events of these deletions come later, and delete the entry that started it all. */
	CHECK(wait_until(all_are_gone, NULL, 10));
	CHECK_EQ(bss->deletes.ok, 1);

	run_both(churn_map, churn_other_map, crossed_enough);
	CHECK_DELETIONS(deletes);
	CHECK_DELETIONS(others);
}
