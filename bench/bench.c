// SPDX-License-Identifier: GPL-2.0
/*
 * What the inode map costs, next to what people use today, in instructions.
 *
 * Runs as root in a virtual machine whose clock counts instructions (scripts/vm --icount): there is
 * one processor, its time-stamp counter goes up by 1 with every instruction, idle time is skipped,
 * and nothing random comes from outside. Still two machines do not begin at the same moment, by
 * some instructions, and what the kernel makes of it is not the same: where inodes and slabs are,
 * and so which entries share a bucket. A typical operation does not depend on it: what counts is the
 * median of many, which agrees from run to run to the instruction. Their mean, with the collisions
 * and the refills of slabs, is a row of its own, and differs by a fraction of a percent. (A repeated
 * string instruction counts once for every repetition: clearing and copying looks expensive.)
 *
 * What a figure is:
 *
 *   - Of programs: a program makes the same operation 64 times over (trees: 8), unrolled, between
 *     two looks at the clock (bench.bpf.c). It runs when we open a file whose inode is what it
 *     looks up. Each file is opened several times and the smallest number counts, so that no timer
 *     interrupt is in it; the figure is of up to 256 files, less what the clock costs. The call is
 *     in it: "empty" is the call of a function that has the arguments of bpf_inode_map_lookup() and
 *     does nothing. Hash maps hash without a random seed.
 *   - Of system calls: of 1,000 calls one after the other, each for a file of its own, with what it
 *     takes to make the key: fstat() for the number of a file; the inode map and inode storage have
 *     descriptors for keys. Likewise the best of several rounds, each with a new map. "Empty" is
 *     bpf(2) with a command that does not exist.
 *   - What others do later is in none of them: workers and grace periods, which free what was
 *     replaced or deleted, of all kinds of map. We have a real-time priority, lest they come
 *     between; but a timer interrupt may be in the figure of a long series.
 *   - Memory: what the slab caches have more than before, objects in use times their size, and what
 *     our memory cgroup was charged beyond slabs (tables), for a map that is full.
 *   - Unmounts: umount(2) of a tmpfs, in which all files are in memory in either case.
 *   - Ordinary use: the least of 100 calls.
 *
 * The files are in tmpfs, except where an inode has to be evicted (ext4). Maps have as many
 * entries as they have room for; but the LRU hash, which would forget some, has twice the room.
 *
 * What can't be counted is what processors cost each other: for that there are lookups per second
 * (--smp), without -icount, which agree from run to run as well as such things do.
 *
 * Prints CSV: table, row, column, value. Lines that begin with # are for who waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <x86intrin.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "bench.h"
#include "bench.skel.h"

#define BASE		"/tmp/bench"
#define MODULES		"/lib/modules/extra"
#define CGROUP		"/sys/fs/cgroup/bench"
#define SETTLE_SECONDS	60

/* Files that programs look up in a map, at most; the others only fill it. */
#define SAMPLES		256
/* How often a program is run for each file. */
#define RUNS		3
/* How often the others are repeated. */
#define ROUNDS		5
/* Files that system calls are measured with. */
#define CALLS		1000
/* Entries that memory is measured with. */
#define MEMORY_ENTRIES	10000

enum column {
	INODE_MAP,
	STORAGE,
	BY_NUMBER,
	BY_POINTER,
	LRU,
	EMPTY,
	NR_COLUMNS
};

static const char *const column_names[NR_COLUMNS] = {
	"inode map", "inode storage", "hash dev+ino", "hash pointer", "LRU hash dev+ino", "empty"
};

/* The programs of each column, in bench.bpf.c. */
static const char *const get_names[NR_COLUMNS] = {
	"by_inode_get", "storage_get", "by_number_get", "by_pointer_get", "lru_get", "floor_lookup"
};

static const char *const set_names[NR_COLUMNS] = {
	"by_inode_set", "storage_set", "by_number_set", "by_pointer_set", "lru_set", NULL
};

static const char *const rate_names[NR_COLUMNS] = {
	"by_inode_rate", "storage_rate", "by_number_rate", "by_pointer_rate", "lru_rate", NULL
};

static const char *const tree_names[NR_COLUMNS] = {
	"by_inode_tree", "storage_tree", "by_number_tree", "by_pointer_tree", "lru_tree", NULL
};

/* The maps of one size, and the programs that look into them. */
static struct bench *programs;
static int maps[NR_COLUMNS];

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *format, ...)
{
	va_list args;

	printf("bench: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

#define MUST(condition)								\
	do {									\
		if (!(condition))						\
			die("line %d: %s (errno: %s)", __LINE__, #condition, strerror(errno)); \
	} while (0)

static void say(const char *what)
{
	printf("# %s\n", what);
}

static void emit(const char *table, const char *row, const char *column, double value)
{
	printf("%s,%s,%s,%.3f\n", table, row, column, value);
}

static __u64 clock_now(void)
{
	return __rdtsc();
}

static void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static void keep_least(__u64 *least, __u64 value)
{
	if (!*least || value < *least)
		*least = value;
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	MUST(fd >= 0);
	MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* The module's counters. */

static void counters_read(unsigned int *nr_maps, unsigned int *nr_entries)
{
	FILE *file = fopen("/proc/inode_map", "r");

	MUST(file && fscanf(file, "maps %u entries %u", nr_maps, nr_entries) == 2);
	fclose(file);
}

/* Wait until what was deleted or replaced is freed. */
static void settle(unsigned int nr_maps, unsigned int nr_entries)
{
	unsigned int got_maps, got_entries;

	for (unsigned int i = 0; i < SETTLE_SECONDS * 100; i++) {
		counters_read(&got_maps, &got_entries);
		if (got_maps == nr_maps && got_entries == nr_entries) {
			/* The others have no counters. */
			pause_ms(200);
			return;
		}
		pause_ms(10);
	}
	die("%u maps and %u entries don't go", got_maps, got_entries);
}

/* Files. */

static const char *file_path(const char *dir, unsigned int i)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%u", dir, i);
	return path;
}

static void files_create(const char *dir, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		MUST(!mknod(file_path(dir, i), S_IFREG | 0644, 0));
		/* Nothing else comes to run meanwhile. */
		if (i % 10000 == 9999)
			pause_ms(1);
	}
}

static int file_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

static void tmpfs_mount(const char *dir)
{
	MUST(!mkdir(dir, 0755) || errno == EEXIST);
	MUST(!mount("bench", dir, "tmpfs", 0, "nr_inodes=0"));
}

/* Operations of user space: bpf(2) as it is, without the library's own instructions. */

union any_key {
	struct bench_number number;
	__u64 pointer;
	int fd;
};

/* A map whose keys are descriptors, as those of inode storage are. */
static int inode_map_make(unsigned int n)
{
	static unsigned int device;
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	/* Once, as the types that inode storage needs are loaded once. */
	device = device ?: if_nametoindex(INODE_MAP_DEVICE);
	opts.map_ifindex = device;
	return bpf_map_create(BPF_MAP_TYPE_HASH, "bench", sizeof(int), sizeof(__u64), n, &opts);
}

static void key_make(enum column column, int fd, union any_key *key)
{
	struct stat st;

	switch (column) {
	case INODE_MAP:
	case STORAGE:
		key->fd = fd;
		break;
	case BY_NUMBER:
	case LRU:
		MUST(!fstat(fd, &st));
		key->number.dev = (__u64)major(st.st_dev) << 20 | minor(st.st_dev);
		key->number.ino = st.st_ino;
		break;
	default:
		/* What the kernel knows only: another number does for what it takes. */
		key->pointer = fd;
	}
}

static long call(enum bpf_cmd cmd, enum column column, int fd, __u64 flags)
{
	static const __u64 value = 1;
	union any_key key;
	union bpf_attr attr = {
		.map_fd = maps[column],
		.key = (unsigned long)&key,
		.flags = flags,
	};

	/* A command that there is not. */
	if (column == EMPTY)
		return syscall(SYS_bpf, -1, &attr, sizeof(attr)) < 0 ? 0 : -1;
	if (cmd == BPF_MAP_UPDATE_ELEM)
		attr.value = (unsigned long)&value;
	key_make(column, fd, &key);
	return syscall(SYS_bpf, cmd, &attr, sizeof(attr));
}

/* Programs. */

static struct bpf_link *attach(const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(programs->obj, name);
	struct bpf_link *link = bpf_program__attach(program);

	if (!link)
		die("%s: %s", name, strerror(errno));
	return link;
}

static void detach(struct bpf_link *link)
{
	MUST(!bpf_link__destroy(link));
}

/* The inode map with room for @n entries, the others for @others; and all programs. */
static void maps_make_sizes(unsigned int n, unsigned int others)
{
	struct bpf_program *program;

	programs = bench__open();
	MUST(programs);
	MUST(!bpf_map__set_max_entries(programs->maps.by_number, others));
	MUST(!bpf_map__set_max_entries(programs->maps.by_pointer, others));
	MUST(!bpf_map__set_max_entries(programs->maps.lru, 2 * others + SAMPLES));
	bpf_object__for_each_program(program, programs->obj)
		bpf_program__set_autoload(program, true);
	MUST(!bench__load(programs));
	maps[INODE_MAP] = inode_map_make(n);
	MUST(maps[INODE_MAP] >= 0);
	maps[STORAGE] = bpf_map__fd(programs->maps.storage);
	maps[BY_NUMBER] = bpf_map__fd(programs->maps.by_number);
	maps[BY_POINTER] = bpf_map__fd(programs->maps.by_pointer);
	maps[LRU] = bpf_map__fd(programs->maps.lru);
	programs->bss->pid = getpid();
	programs->bss->map_id = inode_map_id(maps[INODE_MAP]);
}

static void maps_make(unsigned int n)
{
	maps_make_sizes(n, n);
}

static void maps_free(void)
{
	close(maps[INODE_MAP]);
	bench__destroy(programs);
	settle(0, 0);
}

/* Give a file an entry in every map. While the program that inserts pointers is attached. */
static void insert(const char *path)
{
	int fd = file_open(path);

	for (enum column column = 0; column < EMPTY; column++)
		if (column == BY_POINTER)
			MUST(!programs->bss->result);
		else
			MUST(!call(BPF_MAP_UPDATE_ELEM, column, fd, BPF_NOEXIST));
	close(fd);
}

static void insert_all(const char *dir, unsigned int n)
{
	struct bpf_link *link = attach("by_pointer_insert");

	for (unsigned int i = 0; i < n; i++) {
		insert(file_path(dir, i));
		if (i % 10000 == 9999)
			pause_ms(1);
	}
	detach(link);
}

static void insert_one(const char *path)
{
	struct bpf_link *link = attach("by_pointer_insert");

	insert(path);
	detach(link);
}

/* Remove what insert_one() has inserted. */
static void remove_one(const char *path)
{
	int fd = file_open(path);

	for (enum column column = 0; column < EMPTY; column++)
		if (column != BY_POINTER)
			MUST(!call(BPF_MAP_DELETE_ELEM, column, fd, 0));
	MUST(!bpf_map_delete_elem(maps[BY_POINTER], &programs->bss->pointer));
	close(fd);
}

enum outcome {
	A_MISS,		/* also: no error */
	A_HIT,
	ANY_OUTCOME,
};

/* Instructions of the program that is attached, for one file, with the clock's. */
static __u64 run_program(const char *path, enum outcome outcome)
{
	__u64 least = 0;

	for (unsigned int i = 0; i < RUNS; i++) {
		programs->bss->elapsed = 0;
		close(file_open(path));
		MUST(programs->bss->elapsed);
		if (outcome != ANY_OUTCOME && !!programs->bss->result != outcome)
			die("%s: the outcome is %ld", path, programs->bss->result);
		keep_least(&least, programs->bss->elapsed);
	}
	return least;
}

/* The instructions of the clock, which is all that the program does. */
static double clock_cost(const char *path)
{
	struct bpf_link *link = attach("nothing");
	double cost = run_program(path, ANY_OUTCOME);

	detach(link);
	return cost;
}

/**
 * struct cost - instructions of an operation that was measured many times
 * @median: of the times
 * @mean: likewise
 */
struct cost {
	double median;
	double mean;
};

static int compare_samples(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static struct cost cost_of(__u64 *samples, unsigned int n)
{
	struct cost cost = { };

	qsort(samples, n, sizeof(*samples), compare_samples);
	cost.median = samples[n / 2];
	for (unsigned int i = 0; i < n; i++)
		cost.mean += (double)samples[i] / n;
	return cost;
}

/* Instructions of an operation of a program, for up to SAMPLES of the @n files of a directory. */
static struct cost measure(const char *name, unsigned int times, const char *dir, unsigned int n,
			   enum outcome outcome)
{
	unsigned int nr = n < SAMPLES ? n : SAMPLES;
	double clock = clock_cost(file_path(dir, 0));
	struct bpf_link *link = attach(name);
	__u64 samples[SAMPLES];
	struct cost cost;

	for (unsigned int i = 0; i < nr; i++)
		samples[i] = run_program(file_path(dir, (unsigned long long)i * n / nr), outcome);
	detach(link);
	cost = cost_of(samples, nr);
	cost.median = (cost.median - clock) / times;
	cost.mean = (cost.mean - clock) / times;
	return cost;
}

static void emit_cost(const char *table, const char *row, enum column column, struct cost cost)
{
	emit(table, row, column_names[column], round(cost.median));
}

/*
 * What there is for the columns; of @n files or calls. The mean is a row of its own where it may be
 * another figure.
 */
static void emit_costs(const char *table, const char *row, const struct cost *costs,
		       unsigned int n)
{
	char mean[64];

	for (enum column column = 0; column < NR_COLUMNS; column++)
		if (costs[column].mean)
			emit_cost(table, row, column, costs[column]);
	if (n == 1)
		return;
	snprintf(mean, sizeof(mean), "%s; on the mean", row);
	for (enum column column = 0; column < NR_COLUMNS; column++)
		if (costs[column].mean)
			emit(table, mean, column_names[column], costs[column].mean);
}

static void measure_get(const char *row, const char *dir, unsigned int n, enum outcome outcome)
{
	struct cost costs[NR_COLUMNS];

	for (enum column column = 0; column < NR_COLUMNS; column++)
		costs[column] = measure(get_names[column], BENCH_TIMES, dir, n,
					column == EMPTY ? A_MISS : outcome);
	emit_costs("programs", row, costs, n);
}

static void bench_get(unsigned int n)
{
	char row[64];

	maps_make(n);
	insert_all(BASE "/in", n);
	snprintf(row, sizeof(row), "hit in %u", n);
	measure_get(row, BASE "/in", n, A_HIT);
	maps_free();
}

/* Files whose inodes are in no map at all, and files whose inodes are in another inode map. */
static void bench_miss(void)
{
	int other = inode_map_make(SAMPLES), mine;

	MUST(other >= 0);
	maps_make(CALLS);
	insert_all(BASE "/in", CALLS);
	measure_get("miss", BASE "/out", SAMPLES, A_MISS);
	mine = maps[INODE_MAP];
	maps[INODE_MAP] = other;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		int fd = file_open(file_path(BASE "/out", i));

		MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
		close(fd);
	}
	maps[INODE_MAP] = mine;
	emit_cost("programs", "miss; in another map", INODE_MAP,
		  measure(get_names[INODE_MAP], BENCH_TIMES, BASE "/out", SAMPLES, A_MISS));
	close(other);
	maps_free();
}

static void bench_set(void)
{
	maps_make(CALLS);
	insert_all(BASE "/in", CALLS);
	for (enum column column = 0; column < EMPTY; column++) {
		/* Few files: what was replaced waits for a grace period. */
		emit_cost("programs", "replace", column,
			  measure(set_names[column], BENCH_TIMES, BASE "/in", 16, A_MISS));
		pause_ms(1000);
	}
	maps_free();
}

/* The file is below BENCH_DEPTH directories, and has the name that measure() looks for. */
static void bench_tree(void)
{
	static const unsigned int depths[] = { 1, 4, BENCH_DEPTH };
	char leaf[256] = BASE "/tree", path[256], row[64];

	MUST(!mkdir(leaf, 0755));
	for (unsigned int i = 1; i < BENCH_DEPTH; i++) {
		strcat(leaf, "/d");
		MUST(!mkdir(leaf, 0755));
	}
	files_create(leaf, 1);
	maps_make(CALLS);
	insert_all(BASE "/in", CALLS - 3);
	for (unsigned int i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		snprintf(path, sizeof(path), "%s", leaf);
		for (unsigned int up = 1; up < depths[i]; up++)
			*strrchr(path, '/') = 0;
		insert_one(path);
		snprintf(row, sizeof(row), "tree at depth %u", depths[i]);
		for (enum column column = 0; column < EMPTY; column++)
			emit_cost("programs", row, column,
				  measure(tree_names[column], BENCH_TREE_TIMES, leaf, 1, A_HIT));
		remove_one(path);
	}
	maps_free();
}

/* System calls. */

/* A map of this kind needs its types described: those of the skeleton's do. */
static int storage_create(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
		    .btf_fd = bpf_object__btf_fd(programs->obj),
		    .btf_key_type_id = bpf_map__btf_key_type_id(programs->maps.storage),
		    .btf_value_type_id = bpf_map__btf_value_type_id(programs->maps.storage));

	return bpf_map_create(BPF_MAP_TYPE_INODE_STORAGE, "bench", sizeof(int), sizeof(__u64), 0,
			      &opts);
}

static int map_create(enum column column, unsigned int n)
{
	/* Where their entries go shall not be left to chance. */
	LIBBPF_OPTS(bpf_map_create_opts, zero_seed, .map_flags = BPF_F_ZERO_SEED);

	switch (column) {
	case INODE_MAP:
		return inode_map_make(n);
	case STORAGE:
		return storage_create();
	case BY_NUMBER:
		return bpf_map_create(BPF_MAP_TYPE_HASH, "bench", sizeof(struct bench_number),
				      sizeof(__u64), n, &zero_seed);
	case BY_POINTER:
		return bpf_map_create(BPF_MAP_TYPE_HASH, "bench", sizeof(__u64), sizeof(__u64), n,
				      &zero_seed);
	case LRU:
		return bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "bench", sizeof(struct bench_number),
				      sizeof(__u64), 2 * n + SAMPLES, &zero_seed);
	default:
		die("no map is of this kind");
	}
}

static void column_map_make(enum column column, unsigned int n)
{
	maps[column] = map_create(column, n);
	MUST(maps[column] >= 0);
}

/* A look at the clock is in each time. */
static struct cost series(enum bpf_cmd cmd, enum column column, const int *fds, __u64 flags)
{
	static __u64 times[CALLS];

	for (unsigned int i = 0; i < CALLS; i++) {
		__u64 begin = clock_now();

		MUST(!call(cmd, column, fds[i], flags));
		times[i] = clock_now() - begin;
	}
	return cost_of(times, CALLS);
}

static void keep_cheapest(struct cost *least, struct cost cost)
{
	if (!least->mean || cost.mean < least->mean)
		*least = cost;
}

enum { INSERT, REPLACE, DELETE, NR_CALLS };

static void bench_calls_column(enum column column, const int *fds,
			       struct cost (*least)[NR_COLUMNS])
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (column != EMPTY)
			column_map_make(column, CALLS);
		keep_cheapest(&least[INSERT][column],
			      series(BPF_MAP_UPDATE_ELEM, column, fds, BPF_NOEXIST));
		pause_ms(10);
		keep_cheapest(&least[REPLACE][column],
			      series(BPF_MAP_UPDATE_ELEM, column, fds, BPF_EXIST));
		pause_ms(10);
		keep_cheapest(&least[DELETE][column], series(BPF_MAP_DELETE_ELEM, column, fds, 0));
		if (column != EMPTY)
			close(maps[column]);
		settle(0, 0);
	}
}

static void bench_calls(void)
{
	static const char *const rows[NR_CALLS] = { "insert", "replace", "delete" };
	static struct cost least[NR_CALLS][NR_COLUMNS];
	static int fds[CALLS];

	for (unsigned int i = 0; i < CALLS; i++)
		fds[i] = file_open(file_path(BASE "/in", i));
	for (enum column column = 0; column < NR_COLUMNS; column++)
		if (column != BY_POINTER)
			bench_calls_column(column, fds, least);
	for (unsigned int i = 0; i < NR_CALLS; i++)
		emit_costs("calls", rows[i], least[i], CALLS);
	for (unsigned int i = 0; i < CALLS; i++)
		close(fds[i]);
}

/* The syscalls alone: what a worker does to free the map is not in it. */
static void bench_create(void)
{
	for (enum column column = 0; column < EMPTY; column++) {
		__u64 least = 0;

		for (unsigned int i = 0; i < ROUNDS; i++) {
			__u64 begin = clock_now();

			column_map_make(column, CALLS);
			close(maps[column]);
			keep_least(&least, clock_now() - begin);
			settle(0, 0);
		}
		emit("calls", "create and free", column_names[column], least);
	}
}

/* Memory. */

#define SLABS_MAX	1000

struct slab {
	char name[64];
	double bytes;
};

static struct slab slabs[SLABS_MAX];

/* Whoever wonders what the memory is sees which caches have grown since the last time. */
static void say_growth(struct slab *slab, const char *name, double bytes)
{
	double growth = bytes - slab->bytes;

	if (!strcmp(slab->name, name) && growth >= MEMORY_ENTRIES)
		printf("# %s: %.1f bytes for each of %u\n", name, growth / MEMORY_ENTRIES,
		       MEMORY_ENTRIES);
	snprintf(slab->name, sizeof(slab->name), "%s", name);
	slab->bytes = bytes;
}

/* Bytes in use of all slab caches. */
static double slab_bytes(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned int n = 0;
	char line[512];
	double sum = 0;

	MUST(file);
	while (fgets(line, sizeof(line), file) && n < SLABS_MAX) {
		unsigned long objects, all, size;
		char name[64];

		if (sscanf(line, "%63s %lu %lu %lu", name, &objects, &all, &size) != 4)
			continue;
		say_growth(&slabs[n], name, (double)objects * size);
		sum += slabs[n++].bytes;
	}
	fclose(file);
	return sum;
}

/* What the cgroup is charged of a kind. */
static double charged(const char *name)
{
	FILE *file = fopen(CGROUP "/memory.stat", "r");
	char found[64];
	double bytes;

	MUST(file);
	while (fscanf(file, "%63s %lf", found, &bytes) == 2)
		if (!strcmp(found, name)) {
			fclose(file);
			return bytes;
		}
	die("memory.stat does not have %s", name);
}

/* Memory of the kernel: slabs, whoever is charged for them, and whole pages that we are. */
static double memory(void)
{
	/* The counters of a cgroup are summed up every other second. */
	pause_ms(5000);
	return slab_bytes() + charged("kernel") - charged("slab");
}

static void drop_caches(void)
{
	sync();
	for (unsigned int i = 0; i < 3; i++) {
		write_to("/proc/sys/vm/drop_caches", "2\n");
		pause_ms(500);
	}
}

/* Insert files by names, which is how they come into memory where they are not. */
static void memory_insert(enum column column, const char *dir)
{
	column_map_make(column, MEMORY_ENTRIES);
	for (unsigned int i = 0; i < MEMORY_ENTRIES; i++) {
		int fd = file_open(file_path(dir, i));

		/* What stands for a pointer must not repeat itself. */
		MUST(!call(BPF_MAP_UPDATE_ELEM, column, column == BY_POINTER ? (int)i : fd,
			   BPF_NOEXIST));
		close(fd);
	}
}

static void bench_memory(void)
{
	for (enum column column = 0; column < EMPTY; column++) {
		double before = memory();

		memory_insert(column, BASE "/in");
		emit("memory", "bytes per entry; inode excluded", column_names[column],
		     (memory() - before) / MEMORY_ENTRIES);
		close(maps[column]);
		settle(0, 0);
		/* Deletes what inode storage has for inodes, too. */
		pause_ms(2000);
	}
}

static void shell(const char *command)
{
	if (system(command))
		die("%s: failed", command);
}

/*
 * With the inodes: on ext4, whose inodes are evicted when caches are dropped, unless an entry keeps
 * them.
 */
static void bench_memory_pinned(void)
{
	double before;

	shell("modprobe -q ext4; truncate -s 128M " BASE "/image && "
	      "mkfs.ext4 -q -N 20000 " BASE "/image && mkdir " BASE "/ext4 && "
	      "mount -o loop " BASE "/image " BASE "/ext4");
	files_create(BASE "/ext4", MEMORY_ENTRIES);
	drop_caches();
	before = memory();
	memory_insert(INODE_MAP, BASE "/ext4");
	drop_caches();
	emit("memory", "bytes per entry; inode included", column_names[INODE_MAP],
	     (memory() - before) / MEMORY_ENTRIES);
	close(maps[INODE_MAP]);
	MUST(!umount(BASE "/ext4"));
	settle(0, 0);
}

/* What a filesystem costs that has entries. */

static void entry_add(const char *path)
{
	int fd = file_open(path);

	MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
	close(fd);
}

/* Instructions of an unmount, waiting included, of a filesystem that has @n files. */
static __u64 unmount(unsigned int n, bool entries)
{
	__u64 begin;

	tmpfs_mount(BASE "/gone");
	files_create(BASE "/gone", n);
	column_map_make(INODE_MAP, n);
	for (unsigned int i = 0; entries && i < n; i++) {
		entry_add(file_path(BASE "/gone", i));
		if (i % 10000 == 9999)
			pause_ms(1);
	}
	pause_ms(100);
	begin = clock_now();
	MUST(!umount(BASE "/gone"));
	begin = clock_now() - begin;
	close(maps[INODE_MAP]);
	settle(0, 0);
	return begin;
}

static void bench_unmount(unsigned int n)
{
	__u64 least[2] = {};
	char row[64];

	for (unsigned int i = 0; i < (n > CALLS ? 1 : ROUNDS); i++)
		for (unsigned int entries = 0; entries < 2; entries++)
			keep_least(&least[entries], unmount(n, entries));
	snprintf(row, sizeof(row), "unmount with %u", n);
	emit("filesystem", row, "no entries", least[0]);
	emit("filesystem", row, "entries", least[1]);
	emit("filesystem", row, "ratio", (double)least[1] / least[0]);
}

enum { OPEN, READ, READ_BYTE, STAT, NR_ORDINARY };

#define PAGE		4096
#define ORDINARY_CALLS	100

/* What everybody does with a file; @fd is open to read it. */
static void ordinary_call(unsigned int which, const char *path, int fd)
{
	char page[PAGE];
	struct stat st;

	switch (which) {
	case OPEN:
		close(open(path, O_RDONLY));
		break;
	case READ:
		MUST(pread(fd, page, PAGE, 0) == PAGE);
		break;
	case READ_BYTE:
		MUST(pread(fd, page, 1, 0) == 1);
		break;
	case STAT:
		MUST(!stat(path, &st));
		break;
	}
}

/* Instructions of each. */
static void ordinary(const char *path, double figures[NR_ORDINARY])
{
	__u64 least[NR_ORDINARY] = {};
	int fds[ORDINARY_CALLS];
	int fd = file_open(path);

	for (unsigned int i = 0; i < ORDINARY_CALLS; i++) {
		/* So that the allocator's state is another one each time. */
		fds[i] = file_open("/dev/null");
		for (unsigned int which = 0; which < NR_ORDINARY; which++) {
			__u64 begin = clock_now();

			ordinary_call(which, path, fd);
			keep_least(&least[which], clock_now() - begin);
		}
	}
	for (unsigned int i = 0; i < ORDINARY_CALLS; i++)
		close(fds[i]);
	close(fd);
	for (unsigned int i = 0; i < NR_ORDINARY; i++)
		figures[i] = least[i];
}

static const char *const ordinary_names[NR_ORDINARY] = {
	"open and close", "read 4096 bytes", "read a byte", "stat"
};

/* A filesystem at BASE "/used" with CALLS files and one of a page, whose path it returns. */
static const char *ordinary_files(void)
{
	static const char page[PAGE];
	static char path[128];
	int fd;

	tmpfs_mount(BASE "/used");
	files_create(BASE "/used", CALLS + 1);
	snprintf(path, sizeof(path), "%s", file_path(BASE "/used", CALLS));
	fd = open(path, O_WRONLY);
	MUST(fd >= 0 && write(fd, page, PAGE) == PAGE);
	close(fd);
	return path;
}

/* All of its files but that one become entries. */
static void ordinary_entries(void)
{
	column_map_make(INODE_MAP, CALLS + 1);
	for (unsigned int i = 0; i < CALLS; i++)
		entry_add(file_path(BASE "/used", i));
}

static void bench_ordinary(void)
{
	static const char *const columns[] = { "no entries", "entries", "itself an entry" };
	const char *path = ordinary_files();
	double figures[3][NR_ORDINARY];

	ordinary(path, figures[0]);
	ordinary_entries();
	ordinary(path, figures[1]);
	entry_add(path);
	ordinary(path, figures[2]);
	for (unsigned int i = 0; i < NR_ORDINARY; i++) {
		for (unsigned int j = 0; j < 3; j++)
			emit("filesystem", ordinary_names[i], columns[j], figures[j][i]);
		emit("filesystem", ordinary_names[i], "ratio", figures[1][i] / figures[0][i]);
	}
	close(maps[INODE_MAP]);
	MUST(!umount(BASE "/used"));
	settle(0, 0);
}

/*
 * For scripts/profile, which stops us at getpgid(2) and looks which way the processor takes from
 * one that says what comes next to the one behind.
 */
#define PROFILE_ROUNDS	3
#define PROFILE_MARK	0x1000000

enum {
	PROFILE_AFTER = 2 * NR_ORDINARY,
	PROFILE_WAIT,
	PROFILE_END
};

/* Set by scripts/profile, which finds it by a system call's second argument. */
static volatile unsigned char profile_begun;

static void profile_mark(unsigned int what)
{
	syscall(SYS_getpgid, PROFILE_MARK + what, &profile_begun);
}

static void symbols_show(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char type, name[256];

	MUST(file);
	while (fscanf(file, "%llx %c %255s%*[^\n]", &address, &type, name) == 3)
		if (type == 't' || type == 'T')
			printf("symbol,%llx,%s\n", address, name);
	fclose(file);
}

static void profile_rounds(const char *path, int fd, unsigned int entries)
{
	for (unsigned int round = 0; round < PROFILE_ROUNDS; round++)
		for (unsigned int i = 0; i < NR_ORDINARY; i++) {
			profile_mark(2 * i + entries);
			ordinary_call(i, path, fd);
			profile_mark(PROFILE_AFTER);
		}
}

static void profile(void)
{
	const char *path = ordinary_files();
	int fd = file_open(path);

	for (unsigned int i = 0; i < NR_ORDINARY; i++)
		for (unsigned int entries = 0; entries < 2; entries++)
			printf("call,%u,%s,%s\n", PROFILE_MARK + 2 * i + entries,
			       ordinary_names[i], entries ? "entries" : "no entries");
	printf("wait,%u\nend,%u\n", PROFILE_MARK + PROFILE_WAIT, PROFILE_MARK + PROFILE_END);
	symbols_show();
	printf("ready\n");
	profile_begun = 0;
	while (!profile_begun) {
		profile_mark(PROFILE_WAIT);
		pause_ms(10);
	}
	profile_rounds(path, fd, 0);
	ordinary_entries();
	profile_rounds(path, fd, 1);
	profile_mark(PROFILE_END);
}

/* What inode-guard costs a file that it does not guard, with rules for another of the same filesystem. */
static void bench_guard(void)
{
	static const struct {
		const char *column, *operations;
	} states[] = {
		{ "guard off", NULL },
		{ "no rules", NULL },
		{ "rules for names and attributes", "delete,rename,link,attr" },
		{ "rules for reading as well", "all" },
	};
	enum { NR_STATES = sizeof(states) / sizeof(states[0]) };
	double figures[NR_STATES][NR_ORDINARY];
	const char *path = ordinary_files();
	char command[256];

	for (unsigned int i = 0; i < NR_STATES; i++) {
		if (i == 1)
			shell("inode-guard start");
		snprintf(command, sizeof(command), "inode-guard deny --ops %s %s",
			 states[i].operations, file_path(BASE "/used", 0));
		if (states[i].operations)
			shell(command);
		ordinary(path, figures[i]);
	}
	shell("inode-guard stop");
	for (unsigned int i = 0; i < NR_ORDINARY; i++) {
		for (unsigned int j = 0; j < NR_STATES; j++)
			emit("guard", ordinary_names[i], states[j].column, figures[j][i]);
		emit("guard", ordinary_names[i], "ratio",
		     figures[NR_STATES - 1][i] / figures[0][i]);
	}
	MUST(!umount(BASE "/used"));
}

/* Many entries. */

struct costs {
	double hit;
	double insert;
	double unmount;
};

/* What an entry costs in a map of @n, which are all the files of a filesystem. */
static void scale_once(unsigned int n, struct costs *costs)
{
	__u64 begin, sum = 0, with, without;

	without = unmount(n, false);
	tmpfs_mount(BASE "/gone");
	files_create(BASE "/gone", n);
	maps_make_sizes(n, 1);
	for (unsigned int i = 0; i < n; i++) {
		int fd = file_open(file_path(BASE "/gone", i));

		begin = clock_now();
		MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
		sum += clock_now() - begin;
		close(fd);
		if (i % 10000 == 9999)
			pause_ms(1);
	}
	costs->insert = (double)sum / n;
	costs->hit = measure(get_names[INODE_MAP], BENCH_TIMES, BASE "/gone", n, A_HIT).mean;
	pause_ms(100);
	begin = clock_now();
	MUST(!umount(BASE "/gone"));
	with = clock_now() - begin;
	costs->unmount = ((double)with - without) / n;
	maps_free();
}

static void emit_scale(const char *row, double small, double large, unsigned int n)
{
	char column[64];

	emit("scale", row, "of 1000", small);
	snprintf(column, sizeof(column), "of %u", n);
	emit("scale", row, column, large);
	emit("scale", row, "ratio", large / small);
}

static void bench_scale(unsigned int n)
{
	struct costs small, large;

	scale_once(CALLS, &small);
	say("the large map");
	scale_once(n, &large);
	emit_scale("hit", small.hit, large.hit, n);
	emit_scale("insert", small.insert, large.insert, n);
	emit_scale("unmount; beyond that without entries", small.unmount, large.unmount, n);
}

/* Lookups per second, on several processors. */

/*
 * Looks for each figure in a round. Their median counts, of the best round, since the host has other
 * things to do.
 */
#define RATE_LOOKS	401

static const char *const cpu_names[BENCH_CPUS] = { "1 CPU", "2 CPUs" };

static union any_key update_keys[CALLS];
static enum column update_column;
static atomic_bool update_stop;

static void on_cpu(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	MUST(!sched_setaffinity(0, sizeof(cpus), &cpus));
}

/*
 * All processors but the first are there while something is measured only: QEMU's may run stale
 * code when the kernel patches itself, as it does to attach a program.
 */
static void cpus_set(bool online)
{
	char path[64];

	for (unsigned int cpu = 1; cpu <= BENCH_CPUS; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
		write_to(path, online ? "1\n" : "0\n");
	}
}

/* Replaces values on a processor of its own, as fast as it can. */
static void *updater(void *unused)
{
	static const __u64 value = 1;

	on_cpu(BENCH_CPUS);
	while (!update_stop)
		for (unsigned int i = 0; i < CALLS && !update_stop; i++)
			MUST(!bpf_map_update_elem(maps[update_column], &update_keys[i], &value,
						  BPF_EXIST));
	return unused;
}

/* The keys of all entries. */
static void update_keys_make(enum column column, const int *fds)
{
	union any_key *last = NULL;

	update_column = column;
	for (unsigned int i = 0; i < CALLS; i++) {
		if (column != BY_POINTER) {
			key_make(column, fds[i], &update_keys[i]);
			continue;
		}
		MUST(!bpf_map_get_next_key(maps[column], last, &update_keys[i]));
		last = &update_keys[i];
	}
}

struct reader {
	pthread_t thread;
	unsigned int cpu;
	__u64 median;
};

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void *reader(void *arg)
{
	struct reader *reader = arg;
	__u64 looks[RATE_LOOKS];

	on_cpu(reader->cpu);
	for (unsigned int i = 0; i < RATE_LOOKS; i++) {
		char path[64];

		/* file_path() is not for threads. */
		snprintf(path, sizeof(path), BASE "/in/%u", i);
		close(file_open(path));
		looks[i] = programs->bss->spent[reader->cpu];
		MUST(looks[i]);
	}
	qsort(looks, RATE_LOOKS, sizeof(looks[0]), compare);
	reader->median = looks[RATE_LOOKS / 2];
	return NULL;
}

static double rate(unsigned int cpus, bool updates)
{
	struct reader readers[BENCH_CPUS];
	pthread_t update;
	double sum = 0;

	cpus_set(true);
	update_stop = false;
	if (updates)
		MUST(!pthread_create(&update, NULL, updater, NULL));
	for (unsigned int i = 0; i < cpus; i++) {
		readers[i].cpu = i;
		MUST(!pthread_create(&readers[i].thread, NULL, reader, &readers[i]));
	}
	for (unsigned int i = 0; i < cpus; i++) {
		MUST(!pthread_join(readers[i].thread, NULL));
		sum += BENCH_RATE_TIMES * 1e9 / readers[i].median;
	}
	update_stop = true;
	if (updates)
		MUST(!pthread_join(update, NULL));
	cpus_set(false);
	return sum;
}

/* The best of the rates of each kind of map, without and with an updater. */
static double rates[NR_COLUMNS][BENCH_CPUS][2];

static void measure_rates(enum column column, const int *fds)
{
	struct bpf_link *link = attach(rate_names[column]);

	update_keys_make(column, fds);
	for (unsigned int cpus = 1; cpus <= BENCH_CPUS; cpus++)
		for (unsigned int updates = 0; updates < 2; updates++) {
			double got = rate(cpus, updates);

			if (got > rates[column][cpus - 1][updates])
				rates[column][cpus - 1][updates] = got;
		}
	detach(link);
}

static void bench_smp(void)
{
	static int fds[CALLS];
	char row[64];

	maps_make(CALLS);
	insert_all(BASE "/in", CALLS);
	for (unsigned int i = 0; i < CALLS; i++)
		fds[i] = file_open(file_path(BASE "/in", i));
	for (unsigned int i = 0; i < ROUNDS; i++)
		for (enum column column = 0; column < EMPTY; column++)
			measure_rates(column, fds);
	for (unsigned int cpus = 0; cpus < BENCH_CPUS; cpus++)
		for (unsigned int updates = 0; updates < 2; updates++)
			for (enum column column = 0; column < EMPTY; column++) {
				snprintf(row, sizeof(row), "%s%s", cpu_names[cpus],
					 updates ? "; and an updater" : "");
				emit("smp", row, column_names[column],
				     rates[column][cpus][updates] / rates[STORAGE][cpus][updates]);
			}
	for (unsigned int i = 0; i < CALLS; i++)
		close(fds[i]);
	maps_free();
}

/* The machine. */

static void insmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(!syscall(SYS_finit_module, fd, "", 0));
	close(fd);
}

/* Nobody comes between but when we sleep. */
static void take_priority(void)
{
	struct sched_param param = { .sched_priority = 1 };

	write_to("/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
	/* Newer kernels let the others have their share all the same. */
	if (!access("/sys/kernel/debug/sched/fair_server/cpu0/runtime", W_OK))
		write_to("/sys/kernel/debug/sched/fair_server/cpu0/runtime", "0\n");
	MUST(!sched_setscheduler(0, SCHED_FIFO, &param));
}

static void enter_cgroup(void)
{
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	MUST(!mkdir(CGROUP, 0755));
	write_to(CGROUP "/cgroup.procs", "0\n");
}

static void prepare(unsigned int most)
{
	struct rlimit limit = { 8192, 8192 };

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	insmod(MODULES "/inode_map.ko");
	insmod(MODULES "/inode_map_bench.ko");
	enter_cgroup();
	tmpfs_mount(BASE);
	MUST(!mkdir(BASE "/in", 0755));
	MUST(!mkdir(BASE "/out", 0755));
	files_create(BASE "/in", most);
	files_create(BASE "/out", SAMPLES);
}

static void describe(void)
{
	struct utsname name;

	MUST(!uname(&name));
	printf("about,kernel,%s,\n", name.release);
}

static void bench(bool quick)
{
	unsigned int most = quick ? MEMORY_ENTRIES : 100000;

	prepare(most);
	take_priority();
	describe();
	say("programs");
	bench_miss();
	bench_get(1);
	bench_get(CALLS);
	bench_get(MEMORY_ENTRIES);
	if (most > MEMORY_ENTRIES)
		bench_get(most);
	bench_tree();
	bench_set();
	say("system calls");
	/* The maps of the skeleton are not used from here on; its types are. */
	maps_make(1);
	close(maps[INODE_MAP]);
	bench_calls();
	bench_create();
	say("memory");
	bench_memory();
	bench_memory_pinned();
	say("filesystems");
	bench_unmount(1);
	bench_unmount(CALLS);
	bench_unmount(most);
	bench_ordinary();
	say("inode-guard");
	bench_guard();
}

static void usage(FILE *file)
{
	fprintf(file, "Usage: bench [--quick | --scale | --smp | --profile]\n\n"
		      "  --quick  at most 10,000 entries\n"
		      "  --scale  1,000,000 entries next to 1,000 (100,000 with --quick)\n"
		      "  --smp    lookups per second, on 2 processors of 3; boot with maxcpus=1\n"
		      "  --profile  what scripts/profile looks at\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "scale", no_argument, NULL, 'l' },
		{ "smp", no_argument, NULL, 's' },
		{ "profile", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	bool quick = false;
	char what = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			quick = true;
			break;
		case 'l':
		case 's':
		case 'p':
			what = option;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (what == 's') {
		prepare(CALLS);
		bench_smp();
	} else if (what == 'p') {
		prepare(1);
		maps_make(1);
		close(maps[INODE_MAP]);
		profile();
	} else if (what == 'l') {
		prepare(1);
		take_priority();
		bench_scale(quick ? 100000 : 1000000);
	} else {
		bench(quick);
	}
	return 0;
}
