// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes of an executable of --only-for that do not count as its own, since the guard did not
 * see them begin: "adopt", with the lock held, makes them count; "status" says how many there are.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tool.h"

/**
 * struct process - a process
 * @pid: its number
 * @fd: pidfd, which never comes to mean another process
 * @executes: whether it executes what a rule is only for
 * @listed: whether the programs know anything of it
 * @known: what they know
 * @tracer: the process that traces it, or 0
 * @filters: whether it has a seccomp filter or no_new_privs
 * @uid: its effective user
 */
struct process {
	pid_t pid;
	int fd;
	bool executes;
	bool listed;
	struct guard_process known;
	unsigned int tracer;
	bool filters;
	unsigned int uid;
};

/* Whether a rule that is in force is only for the executable of a process. */
static int look_at_exe(const struct guard *guard, struct process *process)
{
	struct guard_member key = { .set = GUARD_PROTECTED, .kind = GUARD_BY_EXE };
	char path[64];
	__u32 text;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/exe", process->pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = entry_get(guard->subjects, fd, &key.subject);
	close(fd);
	process->executes = !err && !bpf_map_lookup_elem(guard->members, &key, &text);
	return 0;
}

static int look_at_status(struct process *process)
{
	unsigned int number, user;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", process->pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "TracerPid: %u", &number) == 1)
			process->tracer = number;
		else if (sscanf(line, "NoNewPrivs: %u", &number) == 1 ||
			 sscanf(line, "Seccomp: %u", &number) == 1)
			process->filters |= number;
		else if (sscanf(line, "Uid: %u %u", &number, &user) == 2)
			process->uid = user;
	}
	fclose(file);
	return 0;
}

/* Collect what is known of a process: by @fd, which never means another one, and from /proc. */
static int process_open(const struct guard *guard, pid_t pid, struct process *process)
{
	int err;

	memset(process, 0, sizeof(*process));
	process->pid = pid;
	process->fd = syscall(SYS_pidfd_open, pid, 0);
	if (process->fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	process->listed = !bpf_map_lookup_elem(guard->processes, &process->fd, &process->known);
	err = look_at_exe(guard, process);
	/* A kernel thread, or a thread that has ended, executes nothing. */
	if (err == -ENOENT)
		err = 0;
	if (!err)
		err = look_at_status(process);
	if (err)
		close(process->fd);
	return err;
}

/* Whether programs count a process as one of its executable. */
static bool is_seen(const struct guard *guard, const struct process *process)
{
	__u32 counts = guard->state->audit ? GUARD_SEEN | GUARD_SEEN_AUDITED : GUARD_SEEN;

	return process->listed && process->known.flags & counts;
}

/* If the process has executed anything since we looked, this is refused, or has no effect. */
static int process_adopt(const struct guard *guard, struct process *process)
{
	if (!process->listed) {
		process->known.flags = GUARD_SEEN;
		return bpf_map_update_elem(guard->processes, &process->fd, &process->known,
					   BPF_NOEXIST) ? -errno : 0;
	}
	process->known.flags |= GUARD_SEEN | GUARD_ADOPTED;
	return bpf_map_update_elem(guard->processes, &process->fd, &process->known, BPF_EXIST) ?
	       -errno : 0;
}

static void adopt_failed(pid_t pid, int err)
{
	error("process %d: %s", pid, err == -EEXIST || err == -ENOENT ?
	      "it has executed something just now" : reason(err));
}

/* Says why not. */
static bool may_be_adopted(const struct process *process)
{
	if (!process->executes) {
		error("process %d executes nothing that a rule is only for", process->pid);
		return false;
	}
	if (process->tracer) {
		error("process %d is traced, by process %u", process->pid, process->tracer);
		return false;
	}
	return true;
}

/* Adopt a process that was named, or only check it without @doing. Returns whether that failed. */
static bool adopt_one(const struct guard *guard, const char *text, bool doing)
{
	struct process process;
	__u32 pid;
	int err;

	if (number_parse(text, 1, INT_MAX, &pid)) {
		error("'%s' is not the number of a process", text);
		return true;
	}
	err = process_open(guard, pid, &process);
	if (err) {
		adopt_failed(pid, err);
		return true;
	}
	err = may_be_adopted(&process) ? 0 : -EINVAL;
	if (!err && doing && !is_seen(guard, &process)) {
		err = process_adopt(guard, &process);
		if (err)
			adopt_failed(pid, err);
		else if (verbose)
			printf("%d\n", process.pid);
	}
	close(process.fd);
	return err;
}

/* Call @step for each process that executes what a rule is only for but is not one of it. */
static int for_each_unseen(const struct guard *guard, void (*step)(struct process *, void *),
			   void *context)
{
	DIR *dir = opendir("/proc");
	struct process process;
	struct dirent *entry;
	__u32 pid;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (number_parse(entry->d_name, 1, INT_MAX, &pid) ||
		    process_open(guard, pid, &process))
			continue;
		if (process.executes && !is_seen(guard, &process))
			step(&process, context);
		close(process.fd);
	}
	closedir(dir);
	return 0;
}

/* What "adopt --all" does, and the result of one round. */
struct adoption {
	const struct guard *guard;
	bool tell;
	size_t done;
	size_t left;
};

static void leave_out(struct adoption *adoption, const struct process *process, const char *why)
{
	adoption->left++;
	if (adoption->tell)
		error("process %d was left out: %s", process->pid, why);
}

static void adopt_unseen(struct process *process, void *context)
{
	struct adoption *adoption = context;
	int err;

	if (process->tracer) {
		leave_out(adoption, process, "it is traced");
		return;
	}
	if (process->filters && process->uid) {
		leave_out(adoption, process, "it has seccomp filters or no_new_privs, which the user may "
			  "have chosen");
		return;
	}
	err = process_adopt(adoption->guard, process);
	if (err) {
		leave_out(adoption, process, reason(err));
		return;
	}
	adoption->done++;
	if (verbose)
		printf("%d\n", process->pid);
}

/* In rounds, since those that are not adopted yet can fork. Returns an exit code. */
static int adopt_all(const struct guard *guard)
{
	struct adoption adoption = { .guard = guard };
	int err;

	do {
		adoption.done = 0;
		err = for_each_unseen(guard, adopt_unseen, &adoption);
	} while (!err && adoption.done);
	adoption.tell = true;
	adoption.left = 0;
	if (!err)
		err = for_each_unseen(guard, adopt_unseen, &adoption);
	if (err) {
		error("cannot look for processes: %s", reason(err));
		return EXIT_FAILURE;
	}
	return adoption.left ? EXIT_MISSING : EXIT_SUCCESS;
}

int guard_adopt(const struct arguments *arguments)
{
	bool failed = false;
	struct guard guard;
	int ret, i;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	if (seal_refuse(&guard, "no process is adopted any more")) {
		guard_close(&guard);
		return EXIT_FAILURE;
	}
	if (arguments->all) {
		ret = adopt_all(&guard);
		guard_close(&guard);
		return ret;
	}
	for (i = 0; i < arguments->nr_paths; i++)
		failed |= adopt_one(&guard, arguments->paths[i], false);
	for (i = 0; i < arguments->nr_paths && !failed; i++)
		failed |= adopt_one(&guard, arguments->paths[i], true);
	guard_close(&guard);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void count_one(struct process *process, void *count)
{
	(void)process;
	++*(size_t *)count;
}

size_t processes_unseen(const struct guard *guard)
{
	size_t count = 0;

	if (guard->state->subjects)
		for_each_unseen(guard, count_one, &count);
	return count;
}
