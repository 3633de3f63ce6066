// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values that programs point to while others replace and delete them. Two programs, one of which
 * sleeps, keep a pointer to the value of an opened file, write to it after a while, and record in
 * it which value they meant. One file's value stays, the others' come and go.
 */
#include <sched.h>
#include <sys/mman.h>

#include "context.h"

static const char *const names[] = { "kept", "replaced", "deleted" };
static int named[3];
static __u64 inos[3];
static __u64 serial;

static void set_next(unsigned int i)
{
	set(map, named[i], ++serial << 32 | (__u32)inos[i]);
}

static void check_value(unsigned int i)
{
	struct value value;
	int err = inode_map_get_fd(map, named[i], &value);

	if (err == -ENOENT && i == 2)
		return;
	CHECK_OK(err);
	if (value.copy != value.tag || (__u32)value.tag != (__u32)inos[i])
		FAIL("%s has the value %#llx, %#llx", names[i], value.tag, value.copy);
	if (value.last && value.last != value.tag)
		FAIL("%s: the value %#llx was written to as %#llx", names[i], value.tag,
		     value.last);
}

static void open_files(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		/* Drop the page, so that the program's access to it faults. */
		CHECK_SYS(madvise(programs->bss->user_page, getpagesize(), MADV_DONTNEED));
		close(file_open(names[i], O_RDONLY));
	}
}

static void change_values(void)
{
	set_next(1);
	set_next(2);
	for (unsigned int i = 0; i < 3; i++)
		check_value(i);
	remove_if_there(map, named[2]);
	sched_yield();
}

static bool counted_both_ways(void)
{
	return get(&programs->bss->kept_count) &&
	       get(&programs->bss->counted) > get(&programs->bss->kept_count);
}

TEST(values)
{
	struct thread threads[2];
	double least, most;
	struct value value;

	setup();
	for (unsigned int i = 0; i < 3; i++) {
		named[i] = file_create(names[i]);
		inos[i] = file_ino(names[i]);
		set_next(i);
	}
	LOAD("count_atomic", "count_sleepable");
	programs->bss->kept_ino = inos[0];
	programs->bss->user_page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(programs->bss->user_page != MAP_FAILED);
	attach("count_atomic");
	attach("count_sleepable");
	thread_start(&threads[0], 0, open_files);
	thread_start(&threads[1], 1, open_files);
	least = now() + SECONDS;
	most = now() + 20 * test_slowdown();
	while (now() < least || (!counted_both_ways() && now() < most))
		change_values();
	threads_stop(threads, 2);
	printf("# %llu counted, %llu in the value that stayed, %llu values\n",
	       programs->bss->counted, programs->bss->kept_count, serial);
	CHECK_EQ(programs->bss->wrong, 0);
	CHECK_OK(inode_map_get_fd(map, named[0], &value));
	CHECK(value.count > 0);
	CHECK_EQ(value.count, programs->bss->kept_count);
	CHECK(programs->bss->counted > value.count);
}
