// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails in turn, on kernels that can inject faults. A call that fails for it says
 * so by a clean errno, leaks nothing (the counters go back), leaves the maps as they were, and
 * works when it is made again. A call that succeeds all the same has done all that it is to do.
 *
 * There are three sweeps. One makes the Nth allocation fail, for N = 1, 2, 3 ... until the call has
 * none that is the Nth. But many an allocation that fails is tried again in another way: the other
 * two make all that follow the Nth fail, too, those of slabs or those of pages. All count only what
 * the task itself allocates in the call.
 */
#include "harness.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "selftests/lib/fault.skel.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define TIMES		1000000

/* fault.bpf.c has the same. */
#define UPDATE		0x494d
#define REPLACE		0x494e

/* Injection */

enum sweep { NTH, SLABS, PAGES, SWEEPS };

static const char *const sweep_names[] = { "the Nth", "slabs from the Nth", "pages from the Nth" };
static const char *const sweep_dirs[] = { NULL, "failslab", "fail_page_alloc" };

static int nth_fd, make_it_fail_fd;

static void knob_write(const char *dir, const char *knob, int number)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", dir, knob);
	snprintf(text, sizeof(text), "%d", number);
	file_write(path, text);
}

static int knob_read(const char *dir, const char *knob)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", dir, knob);
	return atoi(file_read(path, text, sizeof(text)));
}

static void number_write(int fd, unsigned int number)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);

	CHECK_EQ(pwrite(fd, text, length, 0), length);
}

static unsigned int number_read(int fd)
{
	char text[16] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	return atoi(text);
}

static void injection_setup(void)
{
	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		SKIP("this kernel can't inject faults");
	make_it_fail_fd = file_open("/proc/self/make-it-fail", O_RDWR);
	for (int sweep = SLABS; sweep <= PAGES; sweep++) {
		const char *dir = sweep_dirs[sweep];
		char path[128];

		snprintf(path, sizeof(path), DEBUGFS "%s/probability", dir);
		if (access(path, F_OK))
			SKIP("this kernel has no %s", dir);
		knob_write(dir, "probability", 0);
		knob_write(dir, "interval", 1);
		knob_write(dir, "verbose", 0);
		knob_write(dir, "task-filter", 1);
		knob_write(dir, "ignore-gfp-wait", 0);
	}
	knob_write("fail_page_alloc", "ignore-gfp-highmem", 0);
	knob_write("fail_page_alloc", "min-order", 0);
	/* What this process needs itself is there. */
	CHECK_SYS(mlockall(MCL_CURRENT | MCL_FUTURE));
}

static void arm(enum sweep sweep, unsigned int n)
{
	if (sweep == NTH) {
		number_write(nth_fd, n);
		return;
	}
	knob_write(sweep_dirs[sweep], "space", n);
	knob_write(sweep_dirs[sweep], "times", TIMES);
	knob_write(sweep_dirs[sweep], "probability", 100);
	number_write(make_it_fail_fd, 1);
}

/* Returns how many allocations failed. */
static unsigned int disarm(enum sweep sweep)
{
	unsigned int left;

	if (sweep == NTH) {
		left = number_read(nth_fd);
		number_write(nth_fd, 0);
		return !left;
	}
	number_write(make_it_fail_fd, 0);
	knob_write(sweep_dirs[sweep], "probability", 0);
	return TIMES - knob_read(sweep_dirs[sweep], "times");
}

/* What calls are made on: two maps, a few entries that must stay, and a file for each try. */

#define VALUE_MAX	70000

static int map, other_map, create_fd;
static unsigned int map_key_size, map_value_size;
static union inode_map_any_key key;
static __u32 key_flags;
static char value[VALUE_MAX], read_value[VALUE_MAX];
static unsigned int tries;
static int file = -1;
static struct counts base;

static void value_set(unsigned int seed)
{
	for (unsigned int i = 0; i < map_value_size; i++)
		value[i] = seed + i / 4;
}

static void key_set_fd(int fd)
{
	memset(&key, 0, sizeof(key));
	if (map_key_size == 4) {
		key.fd = fd;
	} else {
		key.full.fd = fd;
		key.full.flags = key_flags;
	}
}

static int call_update(void)
{
	return bpf_map_update_elem(map, &key, value, BPF_ANY) ? -errno : 0;
}

static int call_delete(void)
{
	return bpf_map_delete_elem(map, &key) ? -errno : 0;
}

static int call_lookup(void)
{
	return bpf_map_lookup_elem(map, &key, read_value) ? -errno : 0;
}

static int call_next_key(void)
{
	static union inode_map_any_key next;

	return bpf_map_get_next_key(map, &key, &next) ? -errno : 0;
}

static int call_create(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_ifindex = if_nametoindex(INODE_MAP_DEVICE));

	create_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "sweep", map_key_size, 4, 1, &opts);
	return create_fd < 0 ? -errno : 0;
}

static char listing[1 << 17];

static int call_list(void)
{
	int fd = open("/proc/inode_map", O_RDONLY | O_CLOEXEC), err = 0;
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while ((got = read(fd, listing + size, sizeof(listing) - 1 - size)) > 0)
		size += got;
	if (got < 0)
		err = -errno;
	close(fd);
	listing[size] = 0;
	return err;
}

/* Before each try, and after each call that succeeded. */

static void new_file(void)
{
	char name[32];

	snprintf(name, sizeof(name), "sweep%u", tries++);
	file = file_create(name);
	CHECK_SYS(unlink(name));
	key_set_fd(file);
	value_set(tries);
}

static void new_file_of_other_map(void)
{
	new_file();
	CHECK_OK(map_set(other_map, file, 1));
}

static void new_mount(void)
{
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount("m", "m", "tmpfs", 0, NULL));
	file = file_create("m/f");
	key_set_fd(file);
	value_set(tries++);
}

static void close_file(void)
{
	if (file >= 0)
		close(file);
	file = -1;
}

static void close_mount(void)
{
	close_file();
	CHECK_SYS(umount("m"));
	CHECK_SYS(rmdir("m"));
}

/* The entry that was inserted last, which is where walks begin, has the lifetime that was asked. */
static void check_lifetime(void)
{
	struct inode_map_key newest;

	if (map_key_size != sizeof(newest))
		return;
	CHECK_SYS(bpf_map_get_next_key(map, NULL, &newest));
	CHECK_EQ(newest.flags, key_flags);
}

static void check_and_delete(void)
{
	check_lifetime();
	CHECK_OK(call_lookup());
	CHECK(!memcmp(value, read_value, map_value_size));
	CHECK_OK(call_delete());
}

/* The entry of the file "1", which is one of those that must stay. */
static void choose_entry(void)
{
	file = file_open("1", O_PATH);
	key_set_fd(file);
	value_set(100 + tries++);
}

static void choose_handle(void)
{
	memset(&key, 0, sizeof(key));
	if (map_key_size == 4) {
		key.fd = -2;
	} else {
		key.full.fd = -1;
		key.full.handle = 2;
	}
	value_set(100 + tries++);
}

static void check_and_restore(void)
{
	CHECK_OK(call_lookup());
	CHECK(!memcmp(value, read_value, map_value_size));
	value_set(1);
	CHECK_OK(call_update());
}

static void insert_file(void)
{
	new_file();
	CHECK_OK(call_update());
}

static void check_deleted(void)
{
	CHECK_ERR(call_lookup(), ENOENT);
}

static void close_map(void)
{
	int fd = file_open("1", O_PATH);

	/* It can be used. */
	CHECK_OK(map_set(create_fd, fd, 1));
	CHECK_EQ(map_get(create_fd, fd), 1);
	close(fd);
	close(create_fd);
}

static void nothing(void)
{
}

/* What is in the map, so that one can compare. */

static char *snapshot(void)
{
	char *text = calloc(1, 4096), *at = text;
	union inode_map_any_key here, next;
	int err = bpf_map_get_next_key(map, NULL, &next);

	while (!err) {
		unsigned long long sum = 5381;

		here = next;
		CHECK_SYS(bpf_map_lookup_elem(map, &here, read_value));
		for (unsigned int i = 0; i < map_value_size; i++)
			sum = sum * 33 + (unsigned char)read_value[i];
		if (map_key_size == 4)
			at += sprintf(at, "%d:%llx\n", here.fd, sum);
		else
			at += sprintf(at, "%u %u %llu %u %u:%llx\n", here.full.handle,
				      here.full.dev, here.full.ino, here.full.gen, here.full.flags,
				      sum);
		CHECK(at < text + 3800);
		err = bpf_map_get_next_key(map, &here, &next);
	}
	CHECK_EQ(errno, ENOENT);
	return text;
}

static void check_same(const char *before, const char *what, unsigned int n)
{
	char *now = snapshot();

	if (strcmp(before, now))
		FAIL("%s, %u: the map was:\n%sand is:\n%s", what, n, before, now);
	free(now);
}

static bool base_reached(void *unused)
{
	struct counts counts;

	(void)unused;
	counts_read(&counts);
	return !memcmp(&counts, &base, sizeof(counts));
}

struct operation {
	const char *name;
	void (*prepare)(void);
	int (*call)(void);
	void (*check_and_undo)(void);
	void (*clean)(void);
	/*
	 * Allocations that are known to be there, and how many of them have nothing to fall back
	 * on: the call is made again as long as the map has dead entries that take memory.
	 */
	unsigned int points, failures;
	enum {
		SETTLE	 = 1,	/* wait until nothing waits for a grace period */
		LARGE	 = 2,	/* more allocations than can be tried one by one */
		ONLY_NTH = 4,
		DELETES	 = 8,
	} flags;
};

/* Tries that fail must leave the map as it was; the first is made without injection. */
static void sweep_operation(const struct operation *operation, enum sweep sweep)
{
	unsigned int n = sweep == NTH, points = 0, failures = 0, tried = 0;
	unsigned int last_point = ~0U, last_failure = ~0U;
	/* The budget is one of bytes for slabs, of pages for pages. */
	unsigned int step = sweep == SLABS ? 128 : 1;
	bool hit = true, again = false;
	char what[128];
	int err;

	snprintf(what, sizeof(what), "%s: %s", operation->name, sweep_names[sweep]);
	for (bool dry = true; hit || again; dry = false) {
		char *before;

		/* What can be stored again lets the case of the failure be the only difference. */
		if (operation->flags & SETTLE && !wait_until(base_reached, NULL, 10))
			FAIL("%s: the counters don't go back", what);
		operation->prepare();
		before = snapshot();
		if (!dry)
			arm(sweep, n);
		err = operation->call();
		hit = dry || disarm(sweep);
		tried += !dry;
		if (err && (dry || !hit))
			FAIL("%s, %u: fails without injection: %s", what, n, strerror(-err));
		if (err && err != -ENOMEM)
			FAIL("%s, %u: fails with %s", what, n, strerror(-err));
		points += !dry && hit && n != last_point;
		failures += err && n != last_failure;
		if (!dry && hit)
			last_point = n;
		if (err) {
			last_failure = n;
			check_same(before, what, n);
			err = operation->call();
			if (err)
				FAIL("%s, %u: fails again, without injection: %s", what, n,
				     strerror(-err));
		}
		operation->check_and_undo();
		if (!(operation->flags & DELETES))
			check_same(before, what, n);
		operation->clean();
		free(before);
		if (dry)
			continue;
		/* Twice: debugging aids of the kernel allocate now and then, and shift the rest. */
		again = sweep == NTH && !again;
		if (!again)
			n += operation->flags & LARGE && n > 64 * step ? n / 4 : step;
	}
	if (!wait_until(base_reached, NULL, 20)) {
		struct counts now;

		counts_read(&now);
		FAIL("%s: maps %u, entries %u, addons %u, pinned %u; before %u, %u, %u, %u", what,
		     now.maps, now.entries, now.addons, now.pinned, base.maps, base.entries,
		     base.addons, base.pinned);
	}
	printf("# %s: %u tries, %u hit, %u of these failed\n", what, tried, points, failures);
	if (sweep == NTH && points < operation->points)
		FAIL("%s: at least %u allocations are known", what, operation->points);
	if (sweep == NTH && failures < operation->failures)
		FAIL("%s: at least %u must make it fail", what, operation->failures);
	/* Whatever allocates at all does so from a slab. */
	if (sweep == SLABS && !failures)
		FAIL("%s: nothing made it fail", what);
}

static void sweeps(const struct operation *operation)
{
	for (int sweep = NTH; sweep < SWEEPS; sweep++)
		if (sweep == NTH || !(operation->flags & ONLY_NTH))
			sweep_operation(operation, sweep);
}

/* The maps and their entries: the files "0", "1", "2", with the handles 1, 2, 3. */
static void maps_setup(unsigned int key_size, unsigned int value_size)
{
	injection_setup();
	map_key_size = key_size;
	map_value_size = value_size;
	map = map_create(key_size, value_size, 64);
	other_map = map_create(32, 4, 64);
	for (unsigned int i = 0; i < 3; i++) {
		char name[] = { '0' + i, 0 };

		close(file_create(name));
		file = file_open(name, O_PATH);
		key_flags = key_size == 32 && i == 2 ? INODE_MAP_WEAK : 0;
		key_set_fd(file);
		value_set(i);
		CHECK_OK(call_update());
		close_file();
	}
	key_flags = 0;
	counts_wait(2, 3, 3, key_size == 32 ? 2 : 3);
	counts_read(&base);
}

TEST(create)
{
	const struct operation operation = {
		/* The map's two halves, its file. */
		"create a map", nothing, call_create, close_map, nothing, 3, 3, LARGE,
	};

	maps_setup(32, 4);
	sweeps(&operation);
}

/* Updates: key, value, entry; addon, its connector, pin; nodes of the index. */

static void update_sweeps(unsigned int key_size, __u32 flags)
{
	/* For a weak entry next to a pinned one. */
	const unsigned int pin = !!flags;
	const struct operation operations[] = {
		{ "insert", new_file, call_update, check_and_delete, close_file,
		  6, 3, SETTLE },
		{ "insert, first of a filesystem", new_mount, call_update, check_and_delete,
		  close_mount, 7, 3, SETTLE },
		{ "insert, inode in another map", new_file_of_other_map, call_update,
		  check_and_delete, close_file, 4 + pin, 2 + pin, SETTLE },
		{ "replace", choose_entry, call_update, check_and_restore, close_file, 3, 2,
		  SETTLE },
		{ "replace by handle", choose_handle, call_update, check_and_restore, close_file,
		  3, 2, SETTLE },
	};

	maps_setup(key_size, 4);
	key_flags = flags;
	for (unsigned int i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		/* The entry "1" is pinned. */
		if (flags && operations[i].prepare == choose_entry)
			continue;
		/* One key format and one lifetime for the sweeps that take long. */
		if (key_size == 4 || flags)
			sweep_operation(&operations[i], NTH);
		else
			sweeps(&operations[i]);
	}
}

TEST(update_4)
{
	update_sweeps(4, 0);
}

TEST(update_32)
{
	update_sweeps(32, 0);
}

TEST(update_32_weak)
{
	update_sweeps(32, INODE_MAP_WEAK);
}

/* Values that need more than a page: there are other allocators to fail, and to fall back on. */
TEST(update_large)
{
	const struct operation operations[] = {
		{ "insert a large value", new_file, call_update, check_and_delete, close_file,
		  7, 3, LARGE | SETTLE },
		{ "replace a large value", choose_entry, call_update, check_and_restore, close_file,
		  3, 1, LARGE | SETTLE },
	};

	maps_setup(32, VALUE_MAX);
	for (unsigned int i = 0; i < 2; i++)
		sweeps(&operations[i]);
}

/* These allocate nothing in the module, but bpf(2) does for them. */
static void other_sweeps(unsigned int key_size)
{
	const struct operation operations[] = {
		{ "lookup", choose_entry, call_lookup, nothing, close_file, 2, 2, 0 },
		{ "lookup by handle", choose_handle, call_lookup, nothing, nothing, 2, 2, 0 },
		{ "next key", choose_handle, call_next_key, nothing, nothing, 2, 2, 0 },
		{ "delete", insert_file, call_delete, check_deleted, close_file, 1, 1,
		  DELETES },
	};

	maps_setup(key_size, 4);
	for (unsigned int i = 0; i < 4; i++)
		sweep_operation(&operations[i], NTH);
}

TEST(others_4)
{
	other_sweeps(4);
}

TEST(others_32)
{
	other_sweeps(32);
}

/* The listing */

static char listing_before[sizeof(listing)];

static void list_before(void)
{
	CHECK_OK(call_list());
	memcpy(listing_before, listing, sizeof(listing));
}

static void check_listing(void)
{
	if (strcmp(listing, listing_before))
		FAIL("the listing was:\n%sand is:\n%s", listing_before, listing);
}

TEST(listing)
{
	const struct operation operations[] = {
		/* The name, the file, what it reads with, its buffer. */
		{ "list", list_before, call_list, check_listing, nothing, 4, 4, SETTLE },
		{ "list a long path", list_before, call_list, check_listing, nothing, 5, 4,
		  SETTLE | ONLY_NTH },
	};
	char name[256];
	int dir;

	maps_setup(32, 4);
	sweeps(&operations[0]);

	memset(name, 'n', 255);
	name[255] = 0;
	dir = file_open(".", O_PATH);
	for (int i = 0; i < 60; i++) {
		CHECK_SYS(mkdirat(dir, name, 0755));
		dir = CHECK_SYS(openat(dir, name, O_PATH | O_CLOEXEC));
	}
	CHECK_OK(map_set(other_map, dir, 1));
	counts_wait(2, 4, 4, 3);
	counts_read(&base);
	sweeps(&operations[1]);
	CHECK(strlen(listing) > 60 * 256);
}

/* A lookup by a program allocates nothing: nothing is counted that could be made to fail. */
TEST(program)
{
	struct fault *program;
	int files[3];

	maps_setup(32, 4);
	program = fault__open_and_load();
	CHECK(program);
	program->bss->pid = getpid();
	program->bss->map_id = map_id_of(map);
	CHECK_OK(fault__attach(program));
	files[0] = file_open("1", O_PATH);
	files[1] = file_open("2", O_RDONLY);
	files[2] = file_create("absent");

	for (enum sweep sweep = NTH; sweep < SWEEPS; sweep++) {
		program->bss->hits = 0;
		program->bss->calls = 0;
		/* The first is none, the second shows that this one would be noticed. */
		for (int i = 0; i < 3; i++)
			CHECK_SYS(fcntl(files[i], F_GETFD));
		arm(sweep, sweep == NTH);
		for (int i = 0; i < 300; i++)
			fcntl(files[i % 3], F_GETFD);
		CHECK_EQ(disarm(sweep), 0);
		CHECK_EQ(program->bss->calls, 303);
		CHECK_EQ(program->bss->hits, 202);
	}
	arm(NTH, 1);
	CHECK(open("1", O_RDONLY) == -1 && errno == ENOMEM);
	CHECK_EQ(disarm(NTH), 1);
	arm(SLABS, 0);
	CHECK(open("1", O_RDONLY) == -1 && errno == ENOMEM);
	CHECK(disarm(SLABS) > 0);
	fault__destroy(program);
}

/* Updates and replacements that programs make. */

static struct fault *changer;

static int call_program(unsigned int command)
{
	memcpy(&changer->bss->new_value, value, sizeof(changer->bss->new_value));
	changer->bss->result = 1;
	ioctl(file, command);
	/* 1: it did not run. */
	return changer->bss->result;
}

static int call_program_update(void)
{
	return call_program(UPDATE);
}

static int call_program_replace(void)
{
	return call_program(REPLACE);
}

/* As choose_entry(), but programs see an ioctl() of open files only. */
static void choose_open_entry(void)
{
	file = file_open("1", O_RDONLY);
	key_set_fd(file);
	value_set(100 + tries++);
}

static void program_sweeps(__u32 flags)
{
	/* For a weak entry next to a pinned one. */
	const unsigned int pin = !!flags;
	/* What holds the inode, entry, addon, its connector. None is tried again. */
	const struct operation operations[] = {
		{ "insert by a program", new_file, call_program_update, check_and_delete,
		  close_file, 4, 4, SETTLE },
		{ "insert by a program, first of a filesystem", new_mount, call_program_update,
		  check_and_delete, close_mount, 5, 4, 0 },
		{ "insert by a program, inode in another map", new_file_of_other_map,
		  call_program_update, check_and_delete, close_file, 2 + pin, 2 + pin, 0 },
		{ "replace by a program that may sleep", choose_open_entry, call_program_update,
		  check_and_restore, close_file, 2, 2, 0 },
		{ "replace by a program", choose_open_entry, call_program_replace,
		  check_and_restore, close_file, 1, 1, 0 },
	};

	maps_setup(32, 4);
	key_flags = flags;
	changer = fault__open_and_load();
	CHECK(changer);
	changer->bss->pid = getpid();
	changer->bss->map_id = map_id_of(map);
	changer->bss->flags = flags;
	CHECK_OK(fault__attach(changer));
	for (unsigned int i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		/* The entry "1" is pinned. */
		if (flags && operations[i].prepare == choose_open_entry)
			continue;
		if (flags)
			sweep_operation(&operations[i], NTH);
		else
			sweeps(&operations[i]);
	}
	fault__destroy(changer);
}

TEST(program_updates)
{
	program_sweeps(0);
}

TEST(program_updates_weak)
{
	program_sweeps(INODE_MAP_WEAK);
}
