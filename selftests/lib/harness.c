// SPDX-License-Identifier: GPL-2.0
/*
 * What the selftests share: see harness.h. Linked into every test program; has main().
 */
#include "harness.h"

#include <linux/btrfs.h>
#include <linux/fs.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 77 };

/* A case that takes longer hangs. Emulation is slow: a second elsewhere is ten here. */
#define CASE_SECONDS	100

bool kernel_is_rt(void)
{
	struct utsname name;

	CHECK_SYS(uname(&name));
	return strstr(name.version, "PREEMPT_RT");
}

unsigned int test_slowdown(void)
{
	const char *text = getenv("TEST_SLOWDOWN");
	int factor = text ? atoi(text) : 1;

	return factor > 1 ? factor : 1;
}

/* Why the case that runs is skipped, told by whichever of its processes it is. */
static char *skip_reason;

#define SKIP_REASON_SIZE	256

const struct test *test_current;
void (*test_table)(void);
bool test_leaves;
static struct test *tests;

void test_register(struct test *test)
{
	struct test **end = &tests;

	while (*end)
		end = &(*end)->next;
	*end = test;
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(EXIT_FAIL);
}

void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(skip_reason, SKIP_REASON_SIZE, format, args);
	va_end(args);
	fflush(stdout);
	_exit(EXIT_SKIP);
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

bool wait_until(bool (*ready)(void *arg), void *arg, unsigned int seconds)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds * test_slowdown();
	do {
		if (ready(arg))
			return true;
		sleep_ms(10);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	return ready(arg);
}

/* Counters */

static bool counts_try_read(struct counts *counts)
{
	FILE *file = fopen("/proc/inode_map", "r");
	int fields;

	if (!file)
		return false;
	fields = fscanf(file, "maps %u entries %u addons %u pinned %u", &counts->maps,
			&counts->entries, &counts->addons, &counts->pinned);
	fclose(file);
	return fields == 4;
}

void counts_read(struct counts *counts)
{
	if (!counts_try_read(counts))
		FAIL("can't read /proc/inode_map: %s", strerror(errno));
}

static bool counts_are(void *want)
{
	struct counts counts;

	counts_read(&counts);
	return !memcmp(&counts, want, sizeof(counts));
}

void counts_wait(unsigned int maps, unsigned int entries, unsigned int addons, unsigned int pinned)
{
	struct counts want = { maps, entries, addons, pinned }, got;

	if (wait_until(counts_are, &want, 10))
		return;
	counts_read(&got);
	FAIL("maps %u, entries %u, addons %u, pinned %u; expected %u, %u, %u, %u", got.maps,
	     got.entries, got.addons, got.pinned, maps, entries, addons, pinned);
}

/* Maps */

int map_try_create(unsigned int type, unsigned int key_size, unsigned int value_size,
		   unsigned int max_entries, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags,
		    .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));
	int fd;

	if (!opts.map_ifindex)
		FAIL("there is no device " INODE_MAP_DEVICE);
	fd = bpf_map_create(type, "test", key_size, value_size, max_entries, &opts);
	return fd < 0 ? -errno : fd;
}

int map_create(unsigned int key_size, unsigned int value_size, unsigned int max_entries)
{
	return CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, key_size, value_size, max_entries, 0));
}

int map_set(int map, int fd, unsigned int value)
{
	return inode_map_set_fd(map, fd, &value, BPF_ANY, 0);
}

unsigned int map_get(int map, int fd)
{
	unsigned int value;

	CHECK_OK(inode_map_get_fd(map, fd, &value));
	return value;
}

bool map_has(int map, int fd)
{
	char value[65536];
	int err = inode_map_get_fd(map, fd, value);

	if (err && err != -ENOENT)
		FAIL("looking an inode up: %s", strerror(-err));
	return !err;
}

unsigned int map_count(int map)
{
	union inode_map_any_key key, next;
	unsigned int count = 0;
	int err = bpf_map_get_next_key(map, NULL, &next);

	while (!err) {
		count++;
		key = next;
		err = bpf_map_get_next_key(map, &key, &next);
	}
	if (errno != ENOENT)
		FAIL("walking the map: %s", strerror(errno));
	return count;
}

unsigned int map_id_of(int map)
{
	return CHECK_OK(inode_map_id(map));
}

bool lsm_has_hook(const struct bpf_program *program)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC);
	const char *section = bpf_program__section_name(program), *hook = strchr(section, '/');
	int id, fd;

	if (strncmp(section, "lsm", 3) || !hook)
		return true;
	id = libbpf_find_vmlinux_btf_id(hook + 1, BPF_LSM_MAC);
	if (id < 0)
		return false;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "hook", "GPL", code, 2, &opts);
	if (fd < 0) {
		CHECK(fd == -EINVAL);
		return false;
	}
	close(fd);
	return true;
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* One of several, with a | between them: kernels differ in which reason they find first. */
static bool log_has(const char *log, const char *messages)
{
	char copy[256], *rest = copy, *message;

	CHECK(strlen(messages) < sizeof(copy));
	strcpy(copy, messages);
	while ((message = strsep(&rest, "|")))
		if (strstr(log, message))
			return true;
	return false;
}

bool verifier_refuses(const void *object, size_t size, const struct refused *refused)
{
	static char log[1 << 20];
	libbpf_print_fn_t print = libbpf_set_print(print_nothing);
	struct bpf_object *programs = bpf_object__open_mem(object, size, NULL);
	struct bpf_program *program;
	int err;

	CHECK(programs);
	program = bpf_object__find_program_by_name(programs, refused->name);
	CHECK(program);
	bpf_program__set_autoload(program, true);
	log[0] = 0;
	bpf_program__set_log_buf(program, log, sizeof(log));
	bpf_program__set_log_level(program, 1);
	err = bpf_object__load(programs);
	libbpf_set_print(print);
	if (err && !log_has(log, refused->message))
		FAIL("%s: no \"%s\" in: %s", refused->name, refused->message, log);
	bpf_object__close(programs);
	return err;
}

void verifier_must_refuse(const void *object, size_t size, const struct refused *refused,
			  unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!verifier_refuses(object, size, &refused[i]))
			FAIL("%s: accepted", refused[i].name);
}

void map_put(int map, int fd, unsigned int value, __u32 key_flags)
{
	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, key_flags));
}

struct inode_map_key map_only_key(int map)
{
	struct inode_map_key key, next;

	CHECK_SYS(bpf_map_get_next_key(map, NULL, &key));
	CHECK(bpf_map_get_next_key(map, &key, &next) && errno == ENOENT);
	return key;
}

bool map_has_path(int map, const char *path)
{
	int fd = file_open(path, O_RDONLY);
	bool found = map_has(map, fd);

	close(fd);
	return found;
}

bool map_is_empty(void *map)
{
	return !map_count(*(int *)map);
}

/* Files */

int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		FAIL("opening %s: %s", path, strerror(errno));
	return fd;
}

void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ssize_t size = strlen(text);

	if (fd < 0)
		FAIL("opening %s to write: %s", path, strerror(errno));
	if (write(fd, text, size) != size)
		FAIL("writing to %s: %s", path, strerror(errno));
	close(fd);
}

int file_create(const char *path)
{
	file_write(path, "content\n");
	return file_open(path, O_RDONLY);
}

char *file_read(const char *path, char *buffer, size_t size)
{
	int fd = file_open(path, O_RDONLY);
	ssize_t got = read(fd, buffer, size - 1);

	if (got < 0)
		FAIL("reading %s: %s", path, strerror(errno));
	close(fd);
	buffer[got] = 0;
	buffer[strcspn(buffer, "\n")] = 0;
	return buffer;
}

ino_t file_ino(const char *path)
{
	struct stat stat;

	if (lstat(path, &stat))
		FAIL("stat of %s: %s", path, strerror(errno));
	return stat.st_ino;
}

bool open_is_denied(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		CHECK_EQ(errno, EPERM);
		return true;
	}
	close(fd);
	return false;
}

bool open_is_allowed(void *path)
{
	return !open_is_denied(path);
}

void mount_bpffs(void)
{
	CHECK_SYS(mount("bpf", BPFFS_PATH, "bpf", 0, "mode=0700"));
}

int sh(const char *format, ...)
{
	char command[4096];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void mount_image(const char *type, unsigned int megabytes, const char *path, char device[32])
{
	char loop[32], command[256];
	FILE *pipe;

	if (sh("modprobe %s 2>/dev/null; modprobe loop 2>/dev/null; grep -qw %s /proc/filesystems",
	       type, type))
		SKIP("this kernel has no %s", type);
	if (sh("command -v mkfs.%s >/dev/null", type))
		SKIP("there is no mkfs.%s here", type);
	CHECK_SYS(mkdir(path, 0755));
	if (sh("truncate -s %uM image.%s && mkfs.%s image.%s >/dev/null 2>mkfs.log", megabytes,
	       type, type, type))
		FAIL("mkfs.%s failed", type);

	snprintf(command, sizeof(command), "losetup --find --show image.%s", type);
	pipe = popen(command, "r");
	CHECK(pipe && fscanf(pipe, "%31s", loop) == 1 && pclose(pipe) == 0);
	if (mount(loop, path, type, 0, NULL))
		FAIL("mounting %s (%s) at %s: %s", loop, type, path, strerror(errno));
	/* Detached by the kernel when its last user, the mount, is gone. */
	if (sh("losetup --detach %s", loop))
		FAIL("losetup --detach %s failed", loop);
	if (device)
		memcpy(device, loop, sizeof(loop));
}

void subvolume_make(const char *dir, const char *name)
{
	struct btrfs_ioctl_vol_args args = {};
	int fd = file_open(dir, O_RDONLY | O_DIRECTORY);

	snprintf(args.name, sizeof(args.name), "%s", name);
	CHECK_SYS(ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &args));
	close(fd);
}

void mount_overlay_on_ext4(void)
{
	if (sh("modprobe overlay 2>/dev/null; grep -qw overlay /proc/filesystems"))
		SKIP("this kernel has no overlayfs");
	mount_image("ext4", 8, "disk", NULL);
	CHECK_EQ(sh("mkdir -p lower disk/upper disk/work m"), 0);
	CHECK_SYS(mount("overlay", "m", "overlay", 0,
			"lowerdir=lower,upperdir=disk/upper,workdir=disk/work"));
}

void thaw_at_the_end(const char *path)
{
	int pipes[2], fd = file_open(path, O_RDONLY);
	char byte;
	pid_t pid;

	CHECK_SYS(pipe2(pipes, O_CLOEXEC));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		close(pipes[1]);
		/* The end of the pipe is the end of all who could need the filesystem. */
		while (read(pipes[0], &byte, 1) < 0 && errno == EINTR)
			;
		ioctl(fd, FITHAW, 0);
		_exit(0);
	}
	close(pipes[0]);
	close(fd);
}

void drop_caches(void)
{
	sync();
	file_write("/proc/sys/vm/drop_caches", "3");
}

/* Processes */

pid_t child_start(void (*run)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run(arg);
	fflush(stdout);
	_exit(EXIT_PASS);
}

void child_wait(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
		_exit(EXIT_SKIP);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_PASS)
		FAIL("a child process failed (status %#x)", status);
}

static void case_setup(void)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mkdir(DIR_PATH, 0755) && errno != EEXIST)
		FAIL("mkdir " DIR_PATH ": %s", strerror(errno));
	CHECK_SYS(mount("case", DIR_PATH, "tmpfs", 0, NULL));
	CHECK_SYS(chdir(DIR_PATH));
}

static void case_run(void *arg)
{
	struct test *test = arg;

	test_current = test;
	alarm(CASE_SECONDS * test_slowdown());
	case_setup();
	test->run();
}

/* Runs without the case's process, descriptors and mounts: all that it had is gone by now. */
static void case_leaks(void *unused)
{
	(void)unused;
	counts_wait(0, 0, 0, 0);
}

static int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return EXIT_FAIL;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("# killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	return EXIT_FAIL;
}

static int case_result(struct test *test)
{
	struct counts counts;
	int result;

	*skip_reason = '\0';
	result = child_status(child_start(case_run, test));
	if (result == EXIT_SKIP && !*skip_reason) {
		printf("# skipped, and nobody said why\n");
		return EXIT_FAIL;
	}
	/* A case may have removed the module and failed before it loaded it again. */
	if (!test_leaves && counts_try_read(&counts) && child_status(child_start(case_leaks, NULL)) != EXIT_PASS)
		return EXIT_FAIL;
	return result;
}

static void usage(const char *program)
{
	struct test *test;

	printf("Usage: %s [case...]\n\nRuns the named cases, or all. Cases:\n", program);
	for (test = tests; test; test = test->next)
		printf("  %s\n", test->name);
}

static bool is_wanted(const char *name, char **wanted)
{
	if (!*wanted)
		return true;
	for (; *wanted; wanted++)
		if (!strcmp(name, *wanted))
			return true;
	return false;
}

static int run_all(char **wanted)
{
	int number = 0, failed = 0, total = 0;
	struct test *test;

	for (test = tests; test; test = test->next)
		total += is_wanted(test->name, wanted);
	printf("TAP version 13\n1..%d\n", total);
	skip_reason = mmap(NULL, SKIP_REASON_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_reason == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (test = tests; test; test = test->next) {
		int result;

		if (!is_wanted(test->name, wanted))
			continue;
		result = case_result(test);
		failed += result != EXIT_PASS && result != EXIT_SKIP;
		printf("%sok %d - %s%s%s\n",
		       result == EXIT_PASS || result == EXIT_SKIP ? "" : "not ", ++number,
		       test->name, result == EXIT_SKIP ? " # SKIP " : "",
		       result == EXIT_SKIP ? skip_reason : "");
		fflush(stdout);
	}
	if (!total)
		fprintf(stderr, "no such case\n");
	return failed || !total;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "table", no_argument, NULL, 't' },
		{ }
	};
	int option = getopt_long(argc, argv, "h", options, NULL);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (option == 'h')
		return usage(argv[0]), 0;
	if (option == 't' && test_table)
		return test_table(), 0;
	if (option != -1)
		return 2;
	return run_all(argv + optind);
}
