// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can be done to inode maps and to the files in them, at the same time, for any
 * length of time, with checks all along:
 *
 *   - Every value says which file it was given to (device, inode number, generation), in which map,
 *     and has a checksum. Every reader, programs included, checks that a value is of the right file
 *     and map, and whole.
 *   - Some files and entries belong to one task, which predicts the result of everything that it
 *     does to them, to the errno and the value.
 *   - Filesystems that only one task uses must unmount at the first try, though they have entries.
 *   - rmmod must be refused while there is a map; and when there is none it must succeed, while
 *     files come and go, filesystems are mounted and unmounted, and other tasks try to make maps.
 *   - Walks hand out ever smaller handles, which is why they end.
 *   - In the end every insertion has had its removal, and all counters are zero.
 *
 * A run is a series of epochs (epochs.c). In each the module is loaded, the supervisor makes the
 * maps, attaches the programs and starts the tasks that use the maps (entries.c, own.c); then it
 * ends them, releases everything and unloads the module. Tasks that need no map of the supervisor
 * (always.c) go on through all epochs. This file is the supervisor, which starts tasks, watches
 * them and ends the run; base.c has what every task uses, values.c maps and values, places.c the
 * filesystems, report.c the summary.
 *
 * Runs as root, in a virtual machine: see scripts/stress.
 */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "tasks.h"

static const struct kind kinds[] = {
	{ "mover",		mover,			2, false },
	{ "opener",		opener,			2, false },
	{ "mount tmpfs",	shared_mount_tmpfs,	1, false },
	{ "mount ext4",		shared_mount_ext4,	1, false },
	{ "drop caches",	cache_dropper,		1, false },
	{ "rmmod",		rmmod,			1, false },
	{ "proc",		proc_reader,		1, false },
	{ "maps",		map_maker,		2, false },
	{ "update",		updater,		3, true },
	{ "walk",		walker,			2, true },
	{ "delete",		deleter,		1, true },
	{ "own files",		owner,			2, true },
	{ "own tmpfs",		own_mount_tmpfs,	1, true },
	{ "own ext4",		own_mount_ext4,		1, true },
	{ "memcg",		memcg,			1, true },
	{ "trace",		tracer,			1, true },
};

#define NR_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

struct task tasks[TASKS_MAX];

static unsigned long long seed;
static double begin;
unsigned int nr_restarted;

void end_run(void)
{
	for (unsigned int i = 1; i < TASKS_MAX; i++)
		if (tasks[i].pid)
			kill(tasks[i].pid, SIGKILL);
	while (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST) == 1)
		msleep(1);
	sum_up();
	printf("stress: FAILED after %.1f s, seed %llu: %s\n", now() - begin, seed,
	       shared->message);
	fflush(stdout);
	_exit(1);
}

static void show_stack(pid_t pid)
{
	char path[64], buffer[4096];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = read(fd, buffer, sizeof(buffer) - 1);
	if (got > 0)
		printf("%.*s", (int)got, buffer);
	close(fd);
}

static void task_start(unsigned int number, const struct kind *kind)
{
	struct task *task = &tasks[number];
	cpu_set_t cpus;

	fflush(stdout);
	task->kind = kind;
	task->beat = now();
	task->pid = fork();
	MUST(task->pid >= 0);
	if (task->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	task_number = number;
	task_name = kind->name;
	task_of_epoch = kind->of_epoch;
	random_state = mix(seed ^ mix((unsigned long long)number << 32 | shared->epoch));
	/* Half of them stay on one processor. */
	CPU_ZERO(&cpus);
	CPU_SET(number / 2 % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	if (number % 2)
		MUST(!sched_setaffinity(0, sizeof(cpus), &cpus));
	kind->run();
	_exit(0);
}

/* Start the tasks of an epoch, or those that run through all. Their numbers never change. */
void tasks_start(bool of_epoch)
{
	unsigned int number = 1;

	for (unsigned int i = 0; i < NR_KINDS; i++)
		for (unsigned int j = 0; j < kinds[i].tasks; j++, number++)
			if (kinds[i].of_epoch == of_epoch)
				task_start(number, &kinds[i]);
}

static void task_ended(struct task *task, int status)
{
	unsigned int number = task - tasks;

	task->pid = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && task->kind->run == memcg) {
		nr_restarted++;
		task_start(number, task->kind);
		return;
	}
	violation("task %u (%s) ended with status %#x", number, task->kind->name, status);
}

/* Check what the programs saw. */
void check_board(void)
{
	static const char *const what[NR_WHAT] = {
		"nothing", "a value that is not whole", "a value that changed under the program",
		"another file's value", "another map's value", "an error that may not be"
	};

	if (!__atomic_load_n(&board->violations, __ATOMIC_SEQ_CST))
		return;
	/* A program is about to write what the violation was. */
	for (unsigned int i = 0; i < 1000; i++)
		if (__atomic_load_n(&board->first, __ATOMIC_SEQ_CST) < 2)
			msleep(1);
	if (board->what == WRONG_ERROR)
		violation("program %s in process %u: %s: %s (%d); %llu violations",
			  where_names[board->where % NR_WHERE], board->pid,
			  call_names[board->call % NR_CALLS], strerror(-board->error),
			  board->error, (unsigned long long)board->violations);
	violation("program %s in process %u found %s: %s (%llu violations)",
		  where_names[board->where % NR_WHERE], board->pid, what[board->what % NR_WHAT],
		  describe(&board->value, &(struct map){ .id = board->map },
			   &(struct identity){ board->ino, board->dev, board->gen }),
		  (unsigned long long)board->violations);
}

static bool some_run(bool of_epoch)
{
	for (unsigned int i = 1; i < TASKS_MAX; i++)
		if (tasks[i].pid && tasks[i].kind->of_epoch == of_epoch)
			return true;
	return false;
}

/* Look at everything, once. */
void supervise(void)
{
	int status;

	for (unsigned int i = 1; i < TASKS_MAX; i++) {
		struct task *task = &tasks[i];
		unsigned long long beats;

		if (!task->pid)
			continue;
		if (waitpid(task->pid, &status, WNOHANG) == task->pid) {
			task_ended(task, status);
			continue;
		}
		beats = __atomic_load_n(&shared->beats[i], __ATOMIC_RELAXED);
		if (beats != task->beats) {
			task->beats = beats;
			task->beat = now();
		} else if (now() - task->beat > STUCK_SECONDS) {
			show_stack(task->pid);
			violation("task %u (%s) hangs", i, task->kind->name);
		}
	}
	check_board();
	if (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST))
		end_run();
}

static void supervise_until(double end)
{
	while (now() < end) {
		supervise();
		msleep(20);
	}
}

void tasks_end(bool of_epoch)
{
	__atomic_store_n(of_epoch ? &shared->stop_epoch : &shared->stop, true, __ATOMIC_SEQ_CST);
	while (some_run(of_epoch)) {
		supervise();
		msleep(5);
	}
}

static void *share(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (memory == MAP_FAILED) {
		perror("stress: mmap");
		exit(1);
	}
	return memory;
}

static void share_all(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	shared = share(-1, sizeof(*shared));
	board_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "board", sizeof(__u32),
				  sizeof(struct stress_board), 1, &opts);
	if (board_fd < 0) {
		perror("stress: creating a map");
		exit(1);
	}
	board = share(board_fd, sizeof(*board));
}

static void run(double duration, bool reload)
{
	double end = 0, epoch = duration / 6;

	if (epoch > EPOCH_SECONDS)
		epoch = EPOCH_SECONDS;
	groups_make();
	places_make();
	tasks_start(false);
	for (;;) {
		epoch_begin();
		/* The time before this was preparation. */
		if (shared->epoch == 1)
			end = now() + duration;
		if (!reload || now() + epoch >= end)
			break;
		supervise_until(now() + epoch);
		epoch_end();
	}
	supervise_until(end);
	last_epoch_end();
	places_remove();
	groups_remove();
}

static void usage(FILE *file)
{
	fprintf(file, "Usage: stress [--duration SECONDS] [--seed NUMBER] [--keep-module]\n\n"
		      "  --duration SECONDS  how long (default 60)\n"
		      "  --seed NUMBER       for the choices of all tasks (default: any)\n"
		      "  --keep-module       load the module and attach programs once only\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "duration", required_argument, NULL, 'd' },
		{ "seed", required_argument, NULL, 's' },
		{ "keep-module", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	double duration = 60;
	bool reload = true;
	int option;

	seed = time(NULL) ^ (unsigned long long)getpid() << 32;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			duration = atof(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'k':
			reload = false;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (duration < 1 || optind < argc) {
		usage(stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("stress: seed %llu, %.0f s\n", seed, duration);
	random_state = mix(seed);
	share_all();
	begin = now();
	run(duration, reload);
	sum_up();
	if (!all_happened()) {
		printf("stress: FAILED, seed %llu\n", seed);
		return 1;
	}
	printf("stress: passed, %.1f s, %u epochs (%.1f s to attach programs)\n", now() - begin,
	       shared->epoch, attach_seconds);
	return 0;
}
