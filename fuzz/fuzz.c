// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer: runs programs of calls on inode maps and on the inodes in them, in several tasks at
 * the same time, with BPF programs at random hooks. It checks what must be true of the answers, and
 * keeps and mutates the programs that reach new edges in the module's code.
 *
 * A run is a series of epochs. An epoch loads the module and attaches BPF programs as its seed
 * says; runs programs, one after the other; and releases everything. Then the module's counters
 * must be back to zero, and the epoch unloads the module.
 *
 * Prints a line with each program before it runs it, so that the last one is known when the kernel
 * crashes: scripts/fuzz keeps it. Runs as root, in a virtual machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <inode_map.h>

#include "fuzz.h"

#define EPOCH_SECONDS	120
/* How long the module's counters may stay above zero, at the end of an epoch, without changing. */
#define SETTLE_SECONDS	120
#define CORPUS_MAX	8192

struct shared *shared;
struct fuzz_board *board;
unsigned int task_number = FUZZ_TASKS;
__u64 random_state;

static struct program *corpus;
static unsigned int nr_corpus, nr_unrun;
static unsigned long long nr_programs, nr_epochs, nr_new;
static double begin;
static pid_t supervisor;

__attribute__((noreturn)) static void end_run(void);

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static __u64 mix(__u64 number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

__u32 below(__u32 limit)
{
	random_state += 0x9e3779b97f4a7c15ULL;
	return (mix(random_state) >> 32) % limit;
}

bool one_in(__u32 chances)
{
	return !below(chances);
}

/* The fuzzer itself can't continue. */
void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("fuzz: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(2);
}

/* Something that must be true is not: report it, and end. */
void violation(const char *format, ...)
{
	unsigned int none = 0;
	va_list args;

	if (__atomic_compare_exchange_n(&shared->failed, &none, 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		va_start(args, format);
		vsnprintf(shared->message, sizeof(shared->message), format, args);
		va_end(args);
		__atomic_store_n(&shared->failed, 2, __ATOMIC_SEQ_CST);
	}
	if (getpid() == supervisor)
		end_run();
	_exit(1);
}

bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

int shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static const char *seconds(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "%.1f s", now() - begin);
	return text;
}

static void sum_up(void)
{
	printf("fuzz: %llu programs, %llu calls, %llu epochs, %s; %u edges, %u programs in the corpus, %llu of them new\n",
	       nr_programs, shared->done, nr_epochs, seconds(), cover_edges(), nr_corpus, nr_new);
	printf("fuzz: %llu updates were looked up by a program at once; programs found a value %llu times\n",
	       shared->checked, (unsigned long long)board->hits);
	printf("fuzz: in %llu rounds of the watchdog the longest update took %.2f s, \"ip link set lo mtu\" %.2f s; the longest read of /proc/inode_map %.2f s\n",
	       shared->rounds, shared->longest_update, shared->longest_network,
	       shared->longest_read);
}

/* Some task has found a violation: print it, and end. */
static void end_run(void)
{
	while (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST) == 1)
		usleep(1000);
	place_thaw();
	cover_module_end();
	sum_up();
	cover_print();
	printf("fuzz: FAILED after %llu programs, %s: %s\n", nr_programs, seconds(),
	       shared->message);
	fflush(stdout);
	_exit(1);
}

static void check_failed(void)
{
	static const char *const wrong[4] = {
		[WRONG_SUM] = "a value that is not whole",
		[WRONG_FILE] = "another file's value",
		[WRONG_MAP] = "another map's value",
	};
	const struct fuzz_value *value = &board->value;

	if (board->wrong && !shared->failed) {
		usleep(10000);
		snprintf(shared->message, sizeof(shared->message),
			 "the program at hook %u, with inode %llu dev %#x gen %u, found %s: of map %u, inode %llu dev %#x gen %u, seq %llx",
			 board->where, (unsigned long long)board->ino, board->dev, board->gen,
			 wrong[board->wrong & 3], value->map, (unsigned long long)value->ino,
			 value->dev, value->gen, (unsigned long long)value->seq);
		shared->failed = 2;
	}
	if (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST))
		end_run();
}

static void insmod(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die("%s: %s", MODULE, strerror(errno));
	close(fd);
}

static bool counters_are_zero(char head[128])
{
	static const char zero[] = "maps 0 entries 0 addons 0 pinned 0 requests 0 ";
	FILE *file = fopen("/proc/inode_map", "re");

	if (!file || !fgets(head, 128, file))
		die("/proc/inode_map can't be read");
	fclose(file);
	head[strcspn(head, "\n")] = 0;
	/* Requests may be lost: when there is no memory, or when the inode goes. */
	return !strncmp(head, zero, strlen(zero));
}

/* Let the module pause in three epochs of four. */
static void pauses_set(void)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", one_in(4) ? 0 : below(~0U));
	if (!write_to("/sys/module/inode_map/parameters/yield_seed", text))
		die("the module does not pause: it has not been built for this");
}

static void epoch_begin(__u64 seed)
{
	double before = now();

	printf("epoch %llu\n", (unsigned long long)seed);
	random_state = mix(seed);
	nr_epochs++;
	insmod();
	shared->ifindex = if_nametoindex(INODE_MAP_DEVICE);
	cover_module();
	pauses_set();
	hooks_attach();
	watch_begin();
	run_begin();
	watch_pause(false);
	printf("fuzz: %s: epoch %llu has begun, which took %.1f s\n", seconds(), nr_epochs,
	       now() - before);
}

static void epoch_end(void)
{
	double end = now() + SETTLE_SECONDS;
	char head[128], before[128] = "";

	watch_pause(true);
	run_end();
	watch_end();
	hooks_detach();
	check_failed();
	while (!counters_are_zero(head)) {
		if (strcmp(head, before))
			end = now() + SETTLE_SECONDS;
		strcpy(before, head);
		if (now() > end)
			violation("counters at the end of an epoch: %s", head);
		usleep(20000);
	}
	cover_module_end();
	end = now() + SETTLE_SECONDS;
	while (syscall(SYS_delete_module, "inode_map", O_NONBLOCK)) {
		if ((errno != EAGAIN && errno != EBUSY) || now() > end)
			violation("rmmod without maps: %s", strerror(errno));
		usleep(20000);
	}
}

static void corpus_add(const struct program *program)
{
	if (nr_corpus < CORPUS_MAX)
		corpus[nr_corpus++] = *program;
	else
		corpus[below(CORPUS_MAX)] = *program;
}

static void run_one(const struct program *program)
{
	static char text[PROGRAM_TEXT];

	program_print(program, ';', text, sizeof(text));
	printf("run %s\n", text);
	fflush(stdout);
	run_program(program);
	nr_programs++;
	check_failed();
	if (nr_programs == 20 && !cover_edges())
		die("nothing tells where the module has been: is it built with FUZZ=1?");
	if (shared->new_edges)
		printf("fuzz: %s: %lu new edges, %u in all\n", seconds(), shared->new_edges,
		       cover_edges());
}

static void fuzz_one(void)
{
	static char text[PROGRAM_TEXT];
	struct program program;
	unsigned int a, b;

	/* There may be many, so alternate with new ones. */
	if (nr_unrun < nr_corpus && (!nr_programs || one_in(2))) {
		run_one(&corpus[nr_unrun++]);
		return;
	}
	if (!nr_corpus || one_in(10)) {
		program_make(&program);
	} else {
		/* Choose newer ones more often. */
		a = below(nr_corpus);
		b = below(nr_corpus);
		program = corpus[a > b ? a : b];
		program_mutate(&program, &corpus[below(nr_corpus)]);
	}
	run_one(&program);
	if (!shared->new_edges)
		return;
	corpus_add(&program);
	/* Don't run it again: swap it with the first one that was not run. */
	if (nr_unrun < nr_corpus) {
		corpus[nr_corpus - 1] = corpus[nr_unrun];
		corpus[nr_unrun++] = program;
	}
	nr_new++;
	program_print(&program, ';', text, sizeof(text));
	printf("keep %s\n", text);
}

/* Read the programs of a file. Returns the seed of the epoch that it names, or 0. */
static __u64 read_programs(const char *path)
{
	static char text[1 << 20];
	struct program program;
	const char *at = text;
	FILE *file = fopen(path, "re");
	__u64 seed = 0;

	if (!file)
		die("%s: %s", path, strerror(errno));
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	if (!strncmp(text, "epoch ", 6)) {
		seed = strtoull(text + 6, NULL, 0);
		at += strcspn(at, "\n");
	}
	while (at[strspn(at, "\n")]) {
		if (!program_parse(&program, at, &at))
			die("%s: not a program, at: %.40s", path, at);
		corpus_add(&program);
	}
	return seed;
}

static void read_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[512];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		read_programs(file);
	}
	closedir(dir);
}

/* Let all kinds of allocations fail for a task that asks for it. */
static void faults_set(void)
{
	static const char *const knobs[] = {
		"failslab/verbose", "0", "failslab/ignore-gfp-wait", "0",
		"fail_page_alloc/verbose", "0", "fail_page_alloc/ignore-gfp-wait", "0",
		"fail_page_alloc/ignore-gfp-highmem", "0", "fail_page_alloc/min-order", "0",
	};
	char path[64];
	bool all = true;

	for (unsigned int i = 0; i < NR(knobs); i += 2) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", knobs[i]);
		all &= write_to(path, knobs[i + 1]);
	}
	if (!all)
		printf("fuzz: this kernel can't make allocations fail\n");
}

static void prepare(void)
{
	struct rlimit files = { 1 << 17, 1 << 17 }, memory = { RLIM_INFINITY, RLIM_INFINITY };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	corpus = malloc(CORPUS_MAX * sizeof(*corpus));
	if (shared == MAP_FAILED || !corpus)
		die("no memory");
	write_to("/proc/sys/fs/nr_open", "131072");
	if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_MEMLOCK, &memory))
		die("limits: %s", strerror(errno));
	write_to(CGROUP_ROOT "/cgroup.subtree_control", "+cpu");
	write_to(CGROUP_ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) || !write_to(CGROUP "/cpu.max", "10000 50000"))
		printf("fuzz: tasks can't be throttled here\n");
	if (mkdir(STARVED, 0755) || !write_to(STARVED "/memory.max", "24M"))
		printf("fuzz: tasks can have all memory here\n");
	faults_set();
	if (!cover_begin())
		printf("fuzz: this kernel has no KCOV: the module writes down itself where it was\n");
	hooks_board();
	supervisor = getpid();
	board->quiet[1] = supervisor;
	places_make();
}

static void usage(FILE *file)
{
	fprintf(file, "Usage: fuzz [option...]\n\n"
		      "  --duration SECONDS  how long (default 60)\n"
		      "  --seed NUMBER       for the choices (default: any)\n"
		      "  --corpus DIRECTORY  begin with the programs of the files there. Repeatable\n"
		      "  --reproduce FILE    run the programs of the file, in this order, over and over\n"
		      "  --limit SECONDS     that the watchdog may be held up (default %.1f)\n",
		watch_limit);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "duration", required_argument, NULL, 'd' },
		{ "seed", required_argument, NULL, 's' },
		{ "corpus", required_argument, NULL, 'c' },
		{ "reproduce", required_argument, NULL, 'r' },
		{ "limit", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	__u64 seed = mix(time(NULL) ^ (__u64)getpid() << 32) >> 16, of_epoch = 0;
	const char *directories[8], *reproduce = NULL;
	unsigned int nr_directories = 0;
	double duration = 60, end, epoch;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			duration = atof(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			if (nr_directories < 8)
				directories[nr_directories++] = optarg;
			break;
		case 'r':
			reproduce = optarg;
			break;
		case 'l':
			watch_limit = atof(optarg);
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
	begin = now();
	random_state = mix(seed);
	prepare();
	for (unsigned int i = 0; i < nr_directories; i++)
		read_directory(directories[i]);
	if (reproduce) {
		nr_corpus = 0;
		of_epoch = read_programs(reproduce);
	}
	printf("fuzz: seed %llu, %.0f s, %u programs to begin with\n", (unsigned long long)seed,
	       duration, nr_corpus);
	/* The duration begins after the preparation and the beginning of the first epoch. */
	for (end = now() + duration; now() < end;) {
		epoch_begin(of_epoch ? of_epoch : mix(seed + nr_epochs) >> 16);
		if (nr_epochs == 1)
			end = now() + duration;
		for (epoch = now() + EPOCH_SECONDS; now() < epoch && now() < end;) {
			if (!reproduce)
				fuzz_one();
			else
				run_one(&corpus[nr_programs % nr_corpus]);
		}
		epoch_end();
	}
	sum_up();
	cover_print();
	printf("fuzz: passed\n");
	return 0;
}
