// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The service and changes that take long: it hears of them before they are made, and the directory
 * stays locked. Called by guard_service.c.
 */
#include "guard_service.h"

#include <pthread.h>

#include "guard_service.skel.h"
#include "sleepy.h"

static struct guard_service *slow;

void slow_begin(void)
{
	slow = guard_service__open_and_load();
	CHECK(slow && !guard_service__attach(slow));
}

void slow_end(void)
{
	guard_service__destroy(slow);
}

/**
 * struct renaming - a thread that renames the link @dir/next over @dir/current, slowly
 * @dir: the directory; it stays locked
 * @tid: where the program reads which thread is slow
 * @thread: the thread
 */
struct renaming {
	const char *dir;
	__u32 *tid;
	pthread_t thread;
};

static void *rename_slowly(void *arg)
{
	const struct renaming *renaming = arg;
	int dir = file_open(renaming->dir, O_PATH | O_DIRECTORY);

	*renaming->tid = gettid();
	CHECK_SYS(renameat(dir, "next", dir, "current"));
	*renaming->tid = 0;
	close(dir);
	return NULL;
}

static bool all_sleep(void *count)
{
	return __atomic_load_n(&slow->bss->sleeping, __ATOMIC_SEQ_CST) == *(size_t *)count;
}

/* Begin to rename, in some directories. */
static void renames_begin(struct renaming *renamings, size_t count)
{
	size_t i;

	slow->bss->sleeping = 0;
	slow->bss->user_page = sleepy_page();
	for (i = 0; i < count; i++) {
		renamings[i].tid = &slow->bss->tids[i];
		CHECK(!pthread_create(&renamings[i].thread, NULL, rename_slowly, &renamings[i]));
	}
	CHECK(wait_until(all_sleep, &count, 20));
}

static void renames_end(const struct renaming *renamings, size_t count)
{
	size_t i;

	sleepy_page_wake();
	for (i = 0; i < count; i++)
		CHECK(!pthread_join(renamings[i].thread, NULL));
	close(sleepy_uffd);
}

/*
 * The service hears of a change before the kernel makes it. It must not look before: the directory
 * stays locked during the change. @path leads through @dir, or through a mount of it.
 */
static void check_slow_rename(const char *dir, const char *path)
{
	struct renaming renaming = { .dir = dir };
	char file[64];
	double begun;

	CHECK_EQ(sh("mkdir -p %s/one %s/two && touch %s/one/f %s/two/f && ln -s one %s/current && "
		    "ln -s two %s/next", dir, dir, dir, dir, dir, dir), 0);
	CHECK_EQ(sh("echo deny --ops write $PWD/%s >>" CONF, path), 0);
	CHECK_SYS(kill(service, SIGHUP));
	expect(notifications, "READY=1", 20);
	snprintf(file, sizeof(file), "%s/one/f", dir);
	DENIED(try_write(file));

	renames_begin(&renaming, 1);
	/* Time for the service to look too early, if it does. */
	sleep(2);
	renames_end(&renaming, 1);
	snprintf(file, sizeof(file), "%s/two/f", dir);
	begun = now();
	becomes_denied(path, file);
	/* The service looks at everything every 30 seconds. */
	if (now() - begun > 20)
		FAIL("after %.1f s", now() - begun);
}

void check_slow(void)
{
	CHECK_EQ(sh("mkdir slow fixed seen && mount --bind fixed seen && "
		    "mount -o remount,bind,ro seen"), 0);
	check_slow_rename("slow", "slow/current/f");
	check_slow_rename("fixed", "seen/current/f");
	CHECK_SYS(umount("seen"));
}

/* The service sees a new file, and looks at all names. */
static void check_new(const char *format, unsigned int round)
{
	char path[64];

	snprintf(path, sizeof(path), format, round);
	make(path);
	becomes_denied("a file that a pattern matches, beside locked directories", path);
}

/*
 * The service gives up directories that stay locked. That must not blind it to others, nor to what
 * other patterns of a line stand for.
 */
void check_stuck(unsigned int round)
{
	struct renaming renamings[2];
	char dirs[2][16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(dirs[i], sizeof(dirs[i]), "stuck%zu", round * ARRAY_SIZE(dirs) + i);
		renamings[i] = (struct renaming){ .dir = dirs[i] };
	}
	renames_begin(renamings, ARRAY_SIZE(renamings));
	sleep(5 + 2 * test_slowdown());
	check_new("host_e%u_key", round);
	check_new("host_f%u_key", round);
	check_new("also_%u", round);
	renames_end(renamings, ARRAY_SIZE(renamings));
}
