// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tasks that run programs. They are processes, so that one can be killed or throttled, and they
 * share their descriptors (CLONE_FILES) with each other and the supervisor. They live as long as an
 * epoch, and wait for programs.
 *
 * A program never uses the number of a descriptor twice: a number that one task has read from a
 * slot does not become another file when a second task closes it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/*
 * The supervisor stops a program after STOP_SECONDS, or later if it makes very many maps or inodes.
 * A task hangs if no call of any task has returned for STUCK_SECONDS.
 */
#define STOP_SECONDS	3
#define STOP_SECONDS_MANY	15
#define STUCK_SECONDS	120
#define FDS_MAX		60000

static struct starts {
	sem_t start[FUZZ_TASKS], done;
} *starts;

/* Descriptors from this number on belong to programs. */
static int first_fd;

/* The task's own: the number of an allocation that is to fail. */
static unsigned int fails;

int fresh_fd(int fd)
{
	int new;

	if (fd < 0)
		return -1;
	new = fcntl(fd, F_DUPFD_CLOEXEC, __atomic_fetch_add(&shared->next_fd, 1, __ATOMIC_RELAXED));
	close(fd);
	return new;
}

int distant_fd(int fd)
{
	int new;

	if (fd < 0)
		return -1;
	new = fcntl(fd, F_DUPFD_CLOEXEC, FDS_MAX + 64);
	close(fd);
	return new;
}

struct quiet quiet_since(void)
{
	struct quiet since;

	since.removed = __atomic_load_n(&shared->removed, __ATOMIC_SEQ_CST);
	since.by_programs = __atomic_load_n(&board->removed, __ATOMIC_SEQ_CST);
	since.quiet = true;
	since.quiet = still_quiet(&since);
	return since;
}

bool still_quiet(const struct quiet *since)
{
	return since->quiet &&
	       __atomic_load_n(&shared->removing, __ATOMIC_SEQ_CST) == since->removed &&
	       __atomic_load_n(&board->removing, __ATOMIC_SEQ_CST) == since->by_programs;
}

void fail_next(unsigned int number)
{
	fails = number;
}

static void inject(int fd, unsigned int number)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);

	if (pwrite(fd, text, length, 0) != length)
		die("/proc/self/fail-nth: %s", strerror(errno));
}

/*
 * Make an allocation of a call fail, if the kernel can do that. The descriptor is open before the
 * call and until no allocation can fail any more. It is not kept, because the supervisor closes all
 * descriptors of a program at once.
 */
static void run_failing(const struct call_type *type, const struct call *call)
{
	int fd = open("/proc/self/fail-nth", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		inject(fd, fails);
	type->run(call->args);
	if (fd >= 0) {
		inject(fd, 0);
		close(fd);
	}
	fails = 0;
}

static void run_call(const struct call *call)
{
	const struct call_type *type = call_type(call->type);

	if (type->flags & REMOVES)
		__atomic_add_fetch(&shared->removing, 1, __ATOMIC_SEQ_CST);
	if (fails && type->flags & ALLOCATES)
		run_failing(type, call);
	else
		type->run(call->args);
	if (type->flags & REMOVES)
		__atomic_add_fetch(&shared->removed, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&shared->done, 1, __ATOMIC_RELAXED);
}

void enter_cgroup(const char *cgroup)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	snprintf(text, sizeof(text), "%d", getpid());
	write_to(path, text);
}

/* Undo what the task did to itself in the last program. */
static void task_reset(void)
{
	cpu_set_t all;

	CPU_ZERO(&all);
	CPU_SET(0, &all);
	CPU_SET(1, &all);
	sched_setaffinity(0, sizeof(all), &all);
	setpriority(PRIO_PROCESS, 0, 0);
	fails = 0;
	if (!shared->confined[task_number])
		return;
	enter_cgroup(CGROUP_ROOT);
	shared->confined[task_number] = false;
	shared->starved[task_number] = false;
}

static void task_run(void)
{
	for (__u32 turn = 0; turn < shared->program.tasks[task_number].repeat; turn++) {
		for (__u32 i = 0; i < shared->program.tasks[task_number].nr_calls; i++) {
			if (__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) ||
			    __atomic_load_n(&shared->next_fd, __ATOMIC_RELAXED) > FDS_MAX)
				return;
			run_call(&shared->program.tasks[task_number].calls[i]);
		}
	}
}

__attribute__((noreturn)) static void task_main(unsigned int number)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	task_number = number;
	random_state = random_state * 31 + number + 1;
	cover_task_begin();
	__atomic_store_n(&shared->ready[number], true, __ATOMIC_SEQ_CST);
	for (;;) {
		while (sem_wait(&starts->start[number]))
			;
		task_reset();
		cover_start();
		task_run();
		__atomic_add_fetch(&shared->new_edges, cover_stop(), __ATOMIC_RELAXED);
		__atomic_store_n(&shared->running[number], false, __ATOMIC_SEQ_CST);
		sem_post(&starts->done);
	}
}

static void task_start(unsigned int number)
{
	pid_t pid;

	fflush(stdout);
	sem_destroy(&starts->start[number]);
	sem_init(&starts->start[number], 1, 0);
	shared->ready[number] = false;
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		die("clone: %s", strerror(errno));
	if (!pid)
		task_main(number);
	/* It opens and closes a descriptor first, which must not be closed with the programs'. */
	while (!__atomic_load_n(&shared->ready[number], __ATOMIC_SEQ_CST)) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			die("task %u does not begin", number);
		usleep(1000);
	}
	shared->tasks[number] = pid;
	/* Not when a program begins: a task that the last one killed may not have died yet. */
	shared->dies[number] = false;
	shared->starved[number] = false;
	shared->confined[number] = false;
}

/* Set first_fd above all descriptors that are open now, and fill the gaps below it. */
static void find_first_fd(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd;

	if (!dir)
		die("/proc/self/fd: %s", strerror(errno));
	first_fd = 0;
	while ((entry = readdir(dir)))
		if (atoi(entry->d_name) > first_fd)
			first_fd = atoi(entry->d_name);
	closedir(dir);
	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} while (fd >= 0 && fd < first_fd);
	first_fd++;
}

/* Call at the beginning of an epoch, when all descriptors of the epoch are open. */
void run_begin(void)
{
	if (!starts) {
		starts = mmap(NULL, sizeof(*starts), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (starts == MAP_FAILED || sem_init(&starts->done, 1, 0))
			die("no memory");
	}
	find_first_fd();
	for (unsigned int i = 0; i < FUZZ_TASKS; i++)
		task_start(i);
}

void run_end(void)
{
	for (unsigned int i = 0; i < FUZZ_TASKS; i++) {
		kill(shared->tasks[i], SIGKILL);
		waitpid(shared->tasks[i], NULL, 0);
		shared->tasks[i] = 0;
	}
	close_range(first_fd, ~0U, 0);
}

static void show_stack(pid_t pid)
{
	char path[64], text[4096];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = read(fd, text, sizeof(text));
	if (got > 0)
		printf("%.*s", (int)got, text);
	close(fd);
}

/* Replace tasks that have died. */
static void bury(void)
{
	int status;

	for (unsigned int i = 0; i < FUZZ_TASKS; i++) {
		if (waitpid(shared->tasks[i], &status, WNOHANG) != shared->tasks[i])
			continue;
		if (!shared->dies[i] && !shared->starved[i] && !shared->failed)
			violation("task %u ended with status %#x", i, status);
		shared->running[i] = false;
		task_start(i);
	}
}

static bool some_run(void)
{
	for (unsigned int i = 0; i < FUZZ_TASKS; i++)
		if (__atomic_load_n(&shared->running[i], __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static void wait_for_tasks(void)
{
	double begin = now(), progress = begin;
	unsigned long long done = 0, before;
	struct timespec until;

	while (some_run() && !__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 20000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		sem_timedwait(&starts->done, &until);
		bury();
		if (now() - begin > (shared->many ? STOP_SECONDS_MANY : STOP_SECONDS)) {
			__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
			place_thaw();
		}
		before = done;
		done = __atomic_load_n(&shared->done, __ATOMIC_RELAXED);
		if (done != before)
			progress = now();
		if (now() - progress < STUCK_SECONDS)
			continue;
		for (unsigned int i = 0; i < FUZZ_TASKS; i++) {
			if (!shared->running[i])
				continue;
			show_stack(shared->tasks[i]);
			violation("task %u hangs", i);
		}
	}
}

static void forget(void)
{
	memset(board->acts, 0, sizeof(board->acts));
	memset(board->ids, 0, sizeof(board->ids));
	memset(&board->quiet[2], 0, sizeof(board->quiet) - 2 * sizeof(board->quiet[0]));
	board->delayed = 0;
	for (unsigned int i = 0; i < FUZZ_MAPS; i++) {
		shared->maps[i].fd = -1;
		shared->maps[i].turn &= ~1U;
		shared->maps[i].wild = false;
	}
	for (unsigned int i = 0; i < NR_FILES; i++)
		shared->files[i] = -1;
	shared->stop = false;
	shared->crowd = 0;
	shared->crowd_time = 0;
	shared->many = false;
	shared->removing = 0;
	shared->removed = 0;
	memset(shared->met, 0, sizeof(shared->met));
	shared->next_fd = first_fd + 64;
}

static bool has_meetings(const struct program *program, unsigned int t)
{
	for (__u32 i = 0; i < program->tasks[t].nr_calls; i++)
		if (call_type(program->tasks[t].calls[i].type)->flags & MEETS)
			return true;
	return false;
}

/* How many maps may still wait for a grace period, or be pinned. */
#define CROWD_LEFT	100
#define CROWD_SECONDS	120

/* Freeing a crowd is part of the program that made it, and the watchdog knows how large it was. */
static void crowd_wait(void)
{
	double end = now() + CROWD_SECONDS;
	unsigned int maps = UINT_MAX;
	FILE *file;

	while (maps > CROWD_LEFT && now() < end &&
	       !__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST)) {
		usleep(20000);
		file = fopen("/proc/inode_map", "re");
		if (!file || fscanf(file, "maps %u", &maps) != 1)
			die("/proc/inode_map can't be read");
		fclose(file);
	}
}

/* Run a program and clean up after it. shared->new_edges tells how many new edges it reached. */
void run_program(const struct program *program)
{
	forget();
	shared->program = *program;
	shared->new_edges = 0;
	cover_start();
	for (unsigned int i = 0; i < FUZZ_TASKS; i++) {
		shared->running[i] = program->tasks[i].nr_calls;
		shared->meets[i] = has_meetings(program, i);
	}
	for (unsigned int i = 0; i < FUZZ_TASKS; i++)
		if (program->tasks[i].nr_calls)
			sem_post(&starts->start[i]);
	wait_for_tasks();
	bury();
	if (shared->failed)
		return;
	memset(board->acts, 0, sizeof(board->acts));
	place_thaw();
	close_range(first_fd, ~0U, 0);
	if (shared->crowd)
		crowd_wait();
	places_clean();
	shared->new_edges += cover_stop();
}
