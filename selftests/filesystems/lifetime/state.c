// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processes of a case share, the names of its files, and how these processes wait for each
 * other.
 */
#include <signal.h>
#include <stdarg.h>

#include "lifetime.h"

struct state *s;

const struct fs *fs(void)
{
	return s->cell->fs;
}

bool has(unsigned int property)
{
	return (fs()->has & property) == property;
}

bool event_has(unsigned int flag)
{
	return s->cell->event->flags & flag;
}

const char *file_path(void)
{
	return fs()->file ?: "m/f";
}

const char *dir_path(void)
{
	return fs()->dir ?: "m/d";
}

/* A name in the file's directory. */
const char *beside(const char *name)
{
	static char path[128];
	const char *file = file_path();

	snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(file, '/') - file), file, name);
	return path;
}

void set_path(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->path, sizeof(s->path), format, args);
	va_end(args);
}

static bool is_turn(void *turn_)
{
	struct turn *turn = turn_;

	return __atomic_load_n(turn->turn, __ATOMIC_ACQUIRE) >= turn->value;
}

void wait_turn(int *turn, int value, const char *who)
{
	if (!wait_until(is_turn, &(struct turn){ turn, value }, 60))
		FAIL("%s does not get ready", who);
}

void next_turn(int *turn)
{
	__atomic_add_fetch(turn, 1, __ATOMIC_RELEASE);
}

void kill_process(pid_t *pid)
{
	if (!*pid)
		return;
	CHECK_SYS(kill(*pid, SIGKILL));
	CHECK_SYS(waitpid(*pid, NULL, 0));
	*pid = 0;
}

void wait_for_end(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}
