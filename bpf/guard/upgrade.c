// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Replacing a running guard whose programs and maps are of another version: for the service, after
 * an upgrade of the tool.
 *
 * The old guard denies until the new one does. The new one is made beside it, with its pins in a
 * directory of its own, and only audits while it gets its rules. The old guard knows which
 * processes count as those of their executable. We copy that to the new one before it denies, and
 * once more afterwards, for processes that began in between, so that no process is denied what it
 * may do. Then we exchange the two directories in one step, and remove the old guard. If this is
 * interrupted at any point, GUARD_DIR has one of the two guards, complete; the next upgrade, start
 * or stop removes what is in GUARD_NEXT_DIR.
 *
 * Meanwhile an access is allowed if both guards allow it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "pins.h"

/* Processes */

/* Whether one guard knows of a process all that the other knows. */
static bool knows(const struct guard_process *one, const struct guard_process *other)
{
	return !(other->flags & ~one->flags) && one->filters == other->filters &&
	       one->execs == other->execs;
}

/*
 * Copy to the next guard what the old one knows of a process. Returns 1, 0 if there was nothing to
 * copy, or a negative errno. Looks again after each copy, so that the next guard keeps nothing that
 * is out of date, whatever the process does meanwhile.
 */
static int tell_process(int old, int next, int process)
{
	struct guard_process known, told, other;
	int ret = 0;

	if (bpf_map_lookup_elem(old, &process, &known))
		return 0;
	if (!bpf_map_lookup_elem(next, &process, &other) && knows(&other, &known))
		return 0;
	do {
		told = known;
		if (bpf_map_update_elem(next, &process, &told, BPF_ANY))
			return errno == ESRCH ? ret : -errno;
		ret = 1;
		if (bpf_map_lookup_elem(old, &process, &known))
			memset(&known, 0, sizeof(known));
	} while (memcmp(&known, &told, sizeof(told)));
	return ret;
}

/* Copy it for all processes. Returns for how many that was necessary, or a negative errno. */
static int tell_once(int old, int next)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int fd, ret, count = 0;
	__u32 pid;

	if (!dir)
		return -errno;
	while (count >= 0 && (entry = readdir(dir))) {
		if (number_parse(entry->d_name, 1, INT_MAX, &pid))
			continue;
		fd = syscall(SYS_pidfd_open, pid, 0);
		if (fd < 0)
			continue;
		ret = tell_process(old, next, fd);
		count = ret < 0 ? ret : count + ret;
		close(fd);
	}
	closedir(dir);
	return count;
}

/* Repeat until nothing is left, since a process can fork before it is copied. */
static int tell_processes(const struct guard *old, const struct guard *next)
{
	int count;

	do
		count = tell_once(old->processes, next->processes);
	while (count > 0);
	return count;
}

/* The guards */

/* Have the next guard, which has its rules by now, deny; or only report, if @audit. */
static int enforce(const struct guard *old, struct guard *next, bool audit)
{
	int err = tell_processes(old, next);

	if (err)
		return err;
	__atomic_store_n(&next->state->succeeds, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&next->state->audit, audit, __ATOMIC_SEQ_CST);
	/* After this, no new process is handled by a program that saw the next guard auditing. */
	guard_wait_programs();
	err = tell_processes(old, next);
	__atomic_store_n(&next->state->succeeds, 0, __ATOMIC_SEQ_CST);
	return err;
}

/* Have the next guard deny and move to GUARD_DIR. Reports errors; returns an exit code. */
static int replace(const struct guard *old, bool audit)
{
	struct guard next;
	int ret, err;

	ret = guard_open(&next, true);
	if (ret)
		return ret;
	err = enforce(old, &next, audit);
	if (!err && renameat2(AT_FDCWD, GUARD_NEXT_DIR, AT_FDCWD, GUARD_DIR, RENAME_EXCHANGE))
		err = -errno;
	if (err)
		error("the guard can't take the place of one of another version: %s", reason(err));
	guard_close(&next);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Make the next guard, apply its rules, and have it replace the old one. */
static int make_next(const struct guard *old, const struct arguments *arguments,
		     int (*apply)(void *context), void *context)
{
	bool audit = arguments->audit < 0 ? old->state->audit != 0 : arguments->audit;
	struct arguments auditing = *arguments;
	int ret;

	auditing.audit = 1;
	pins_dir = GUARD_NEXT_DIR;
	ret = guard_start_here(&auditing);
	if (!ret)
		ret = apply(context);
	if (!ret)
		ret = replace(old, audit);
	pins_dir = GUARD_DIR;
	return ret;
}

static int upgrade(struct guard *old, const struct arguments *arguments,
		   int (*apply)(void *context), void *context)
{
	int ret, err = guard_open_processes(old);

	if (!err)
		err = guard_remove_next();
	if (err) {
		error("no guard can take the place of that of another version in " GUARD_DIR ": %s",
		      err == -EPROTO ? "it is too old" : reason(err));
		return EXIT_FAILURE;
	}
	ret = make_next(old, arguments, apply, context);
	/* GUARD_NEXT_DIR has the old guard now. Processes that watch it see that it is over. */
	if (!ret)
		__atomic_store_n(&old->state->ready, 0, __ATOMIC_SEQ_CST);
	else
		error("the guard of another version goes on, with its rules");
	err = guard_remove_next();
	if (err)
		error("cannot remove " GUARD_NEXT_DIR ": %s", reason(err));
	return ret;
}

int guard_upgrade(const struct arguments *arguments, int (*apply)(void *context), void *context)
{
	int ret = EXIT_SUCCESS;
	struct guard old;

	guard_init(&old);
	old.lock = guard_lock(true);
	/* guard_start() reports anything else. */
	if (old.lock >= 0 && guard_examine(&old) == -EPROTO)
		ret = upgrade(&old, arguments, apply, context);
	guard_close(&old);
	return ret;
}
