// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the parts of the bench share: output, files, the maps that are compared, and operations on
 * them. All parts call these functions, as root, in a virtual machine of their own. They are not
 * for threads. If a step fails, they end the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common.h"

#define SETTLE_SECONDS	60

const char *const column_names[NR_COLUMNS] = {
	"inode map", "inode storage", "hash dev+ino", "hash pointer", "LRU hash dev+ino", "empty"
};

struct bench *programs;
int maps[NR_COLUMNS];

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...)
{
	va_list args;

	printf("bench: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

void say(const char *what)
{
	printf("# %s\n", what);
}

void emit(const char *table, const char *row, const char *column, double value)
{
	printf("%s,%s,%s,%.3f\n", table, row, column, value);
}

void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

void keep_least(__u64 *least, __u64 value)
{
	if (!*least || value < *least)
		*least = value;
}

void write_to(const char *path, const char *text)
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

/*
 * Wait until the workers have freed all but @nr_maps maps and @nr_entries entries; not forever, if
 * nothing more goes.
 */
void settle(unsigned int nr_maps, unsigned int nr_entries)
{
	unsigned int got_maps, got_entries, before = 0;

	for (unsigned int i = 0; i < SETTLE_SECONDS * 100; i++) {
		counters_read(&got_maps, &got_entries);
		if (got_entries != before)
			i = 0;
		before = got_entries;
		if (got_maps == nr_maps && got_entries == nr_entries) {
			/* The other kinds of map have no counters: allow them some time. */
			pause_ms(200);
			return;
		}
		pause_ms(10);
	}
	die("%u maps and %u entries don't go", got_maps, got_entries);
}

/* Files. */

/* The path of file number @i. It is in a static buffer, which the next call overwrites. */
const char *file_path(const char *dir, unsigned int i)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%u", dir, i);
	return path;
}

void files_create(const char *dir, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		MUST(!mknod(file_path(dir, i), S_IFREG | 0644, 0));
		/* At our priority, other tasks run only while we sleep. */
		if (i % 10000 == 9999)
			pause_ms(1);
	}
}

int file_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

const char *files_type = "tmpfs";

/* A filesystem in memory, for any number of files. */
void files_mount(const char *dir)
{
	MUST(!mkdir(dir, 0755) || errno == EEXIST);
	MUST(!mount("bench", dir, files_type, 0, "nr_inodes=0"));
}

/* Operations of user space. */

/* Create an inode map. Its keys are descriptors, as those of inode storage are. */
int inode_map_make(unsigned int n)
{
	static unsigned int device;
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	/* Look it up only once, just as the types that inode storage needs are loaded only once. */
	device = device ?: if_nametoindex(INODE_MAP_DEVICE);
	opts.map_ifindex = device;
	return bpf_map_create(BPF_MAP_TYPE_HASH, "bench", sizeof(int), sizeof(__u64), n, &opts);
}

void key_make(enum column column, int fd, union any_key *key)
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
		/* Only the kernel knows the pointer. To measure memory, any number will do. */
		key->pointer = fd;
	}
}

/*
 * Make a key for the file @fd and call bpf(2) with it and a map. This is the bare system call, so
 * that no instructions of libbpf count. Returns 0, or -1 with errno.
 */
long call_map(int map, enum bpf_cmd cmd, enum column column, int fd, __u64 flags)
{
	static const __u64 value = 1;
	union any_key key;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (unsigned long)&key,
		.flags = flags,
	};

	/* No command has this number, so the call does nothing. */
	if (column == EMPTY)
		return syscall(SYS_bpf, -1, &attr, sizeof(attr)) < 0 ? 0 : -1;
	if (cmd == BPF_MAP_UPDATE_ELEM)
		attr.value = (unsigned long)&value;
	key_make(column, fd, &key);
	return syscall(SYS_bpf, cmd, &attr, sizeof(attr));
}

long call(enum bpf_cmd cmd, enum column column, int fd, __u64 flags)
{
	return call_map(maps[column], cmd, column, fd, flags);
}

/* Programs. */

struct bpf_link *attach(const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(programs->obj, name);
	struct bpf_link *link = bpf_program__attach(program);

	if (!link)
		die("%s: %s", name, strerror(errno));
	return link;
}

void detach(struct bpf_link *link)
{
	MUST(!bpf_link__destroy(link));
}

/*
 * Load all programs, and make their maps: the inode map with room for @n entries, the others for
 * @others. Programs do nothing when other processes than this one open files.
 */
void maps_make_sizes(unsigned int n, unsigned int others)
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

void maps_make(unsigned int n)
{
	maps_make_sizes(n, n);
}

void maps_free(void)
{
	close(maps[INODE_MAP]);
	bench__destroy(programs);
	settle(0, 0);
}

/* Give a file an entry in every map. Opening it runs the program that inserts its pointer. */
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

void insert_all(const char *dir, unsigned int n)
{
	struct bpf_link *link = attach("by_pointer_insert");

	for (unsigned int i = 0; i < n; i++) {
		insert(file_path(dir, i));
		if (i % 10000 == 9999)
			pause_ms(1);
	}
	detach(link);
}

void insert_one(const char *path)
{
	struct bpf_link *link = attach("by_pointer_insert");

	insert(path);
	detach(link);
}

/* Remove the entries that the last insert_one() has made. */
void remove_one(const char *path)
{
	int fd = file_open(path);

	for (enum column column = 0; column < EMPTY; column++)
		if (column != BY_POINTER)
			MUST(!call(BPF_MAP_DELETE_ELEM, column, fd, 0));
	MUST(!bpf_map_delete_elem(maps[BY_POINTER], &programs->bss->pointer));
	close(fd);
}

/* Inode storage needs BTF for key and value, so this takes that of the skeleton's map. */
static int storage_create(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
		    .btf_fd = bpf_object__btf_fd(programs->obj),
		    .btf_key_type_id = bpf_map__btf_key_type_id(programs->maps.storage),
		    .btf_value_type_id = bpf_map__btf_value_type_id(programs->maps.storage));

	return bpf_map_create(BPF_MAP_TYPE_INODE_STORAGE, "bench", sizeof(int), sizeof(__u64), 0,
			      &opts);
}

int map_create(enum column column, unsigned int n)
{
	/* With a random seed, other keys would collide in each run. */
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

void column_map_make(enum column column, unsigned int n)
{
	maps[column] = map_create(column, n);
	MUST(maps[column] >= 0);
}

void shell(const char *command)
{
	if (system(command))
		die("%s: failed", command);
}

/* Give a file an entry in the inode map. */
void entry_add(const char *path)
{
	int fd = file_open(path);

	MUST(!call(BPF_MAP_UPDATE_ELEM, INODE_MAP, fd, BPF_NOEXIST));
	close(fd);
}

/* Figures. */

static int compare_samples(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

struct cost cost_of(__u64 *samples, unsigned int n)
{
	struct cost cost = { };

	qsort(samples, n, sizeof(*samples), compare_samples);
	cost.median = samples[n / 2];
	for (unsigned int i = 0; i < n; i++)
		cost.mean += (double)samples[i] / n;
	return cost;
}

void emit_cost(const char *table, const char *row, enum column column, struct cost cost)
{
	emit(table, row, column_names[column], round(cost.median));
}

/*
 * Print the medians of the columns that were measured, those whose mean is not 0. Each is of @n
 * files or calls. If that is more than one, print the means as a row of their own.
 */
void emit_costs(const char *table, const char *row, const struct cost *costs,
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
