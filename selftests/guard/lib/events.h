/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Watching in a step: a watcher that writes to the file "events". */
#ifndef STEPS_EVENTS_H
#define STEPS_EVENTS_H

#include "steps.h"

#include "bpf/guard/guard.h"

static inline bool is_watching(void *state)
{
	return ((volatile struct guard_state *)state)->watching == 1;
}

static inline pid_t watch_start(char **argv)
{
	volatile struct guard_state *state = state_map();
	pid_t pid = tool_start(argv, "events");

	if (!wait_until(is_watching, (void *)state, 10))
		FAIL("it does not watch: %s", get_file("events"));
	munmap((void *)state, sysconf(_SC_PAGESIZE));
	return pid;
}

static inline bool events_have(void *text)
{
	return strstr(get_file("events"), text);
}

static inline void await_event(char *text)
{
	if (!wait_until(events_have, text, 10))
		FAIL("no \"%s\" in \"%s\"", text, get_file("events"));
}

static inline void watch_end(pid_t pid, int signal)
{
	CHECK_SYS(kill(pid, signal));
	CHECK_EQ(tool_end(pid), 0);
	snprintf(out, sizeof(out), "%s", get_file("events"));
}

#define TIME	"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z"

#endif /* STEPS_EVENTS_H */
