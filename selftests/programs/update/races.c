// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs update entries while other tasks unmount, remove and free the files and maps.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "update.h"

#define OPENERS	3

struct shared {
	bool stop, paused;
	bool busy[OPENERS];
};

static struct shared *shared;

static bool load(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void store(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
}

/* Open files of m, if there are any. While paused, have none of them open. */
static void open_often(void *number)
{
	bool *busy = &shared->busy[*(unsigned int *)number];

	for (unsigned int i = 0; !load(&shared->stop); i++) {
		char path[32];
		int fd;

		store(busy, true);
		if (load(&shared->paused)) {
			store(busy, false);
			usleep(100);
			continue;
		}
		snprintf(path, sizeof(path), "m/f%u", i % 4);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			if (i % 8 == 0)
				usleep(100);
			ioctl(fd, COMMAND);
			close(fd);
		} else if (errno != ENOENT) {
			FAIL("opening %s: %s", path, strerror(errno));
		}
		/* Have no file open for a moment. */
		usleep(i % 8 * 200);
	}
	store(busy, false);
}

static pid_t openers[OPENERS];

static void shared_create(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	CHECK(shared != MAP_FAILED);
}

static void openers_start(void)
{
	shared_create();
	programs->bss->enabled = CHILDREN;
	for (unsigned int i = 0; i < OPENERS; i++)
		openers[i] = child_start(open_often, &i);
}

static void openers_stop(void)
{
	store(&shared->stop, true);
	for (unsigned int i = 0; i < OPENERS; i++)
		child_wait(openers[i]);
	programs->bss->enabled = 0;
}

static bool are_idle(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < OPENERS; i++)
		if (load(&shared->busy[i]))
			return false;
	return true;
}

static void openers_pause(void)
{
	store(&shared->paused, true);
	if (!wait_until(are_idle, NULL, 20))
		FAIL("a process that opens files does not come back");
}

static void openers_go_on(void)
{
	store(&shared->paused, false);
	usleep(10000);
}

/* A persistent loop device with an ext4 that has files; not mounted. */
static char device[32];

static void device_setup(void)
{
	FILE *pipe;

	mount_image("ext4", 16, "m", NULL);
	for (unsigned int i = 0; i < 4; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%u", i);
		create_and_close(path);
	}
	CHECK_SYS(umount("m"));
	pipe = popen("losetup --find --show image.ext4", "r");
	CHECK(pipe && fscanf(pipe, "%31s", device) == 1 && pclose(pipe) == 0);
}

/* From this moment on, nothing may use the device. */
static void check_device_is_free(const char *when)
{
	int fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		FAIL("%s is in use after %s: %s", device, when, strerror(errno));
	close(fd);
}

static void device_detach(void)
{
	CHECK_EQ(sh("losetup --detach %s", device), 0);
}

/* Pause the tasks that open files, so that nothing makes the mount busy. */
static void unmount_idle(void)
{
	openers_pause();
	CHECK_SYS(umount("m"));
	check_device_is_free("an unmount while nobody opens files");
}

static void unmount_busy(void)
{
	if (!wait_until(umount_succeeds, "m", 20))
		FAIL("the file system can't be unmounted");
	check_device_is_free("an unmount while files are opened");
}

static void unmount_lazily(void)
{
	CHECK_SYS(umount2("m", MNT_DETACH));
	openers_pause();
	check_device_is_free("a lazy unmount");
}

TEST(against_unmounts)
{
	static void (*const unmounts[])(void) = { unmount_idle, unmount_busy, unmount_lazily };
	int map = map_create(32, 4, 100);
	unsigned int rounds = 0;
	double end;

	device_setup();
	program_choose("on_open");
	program_choose("on_ioctl");
	programs_attach(map_id_of(map));
	openers_start();
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		programs->bss->flags = rounds & 1 ? INODE_MAP_WEAK : 0;
		CHECK_SYS(mount(device, "m", "ext4", 0, NULL));
		openers_go_on();
		unmounts[rounds % 3]();
		CHECK_EQ(map_count(map), 0);
	}
	openers_stop();
	printf("# %u rounds\n", rounds);
	results_check(ESTALE, ESTALE);
	CHECK(results(0) > rounds);
	counts_wait(1, 0, 0, 0);
	device_detach();
}

static void drop_often(void *unused)
{
	(void)unused;
	while (!load(&shared->stop))
		file_write("/proc/sys/vm/drop_caches", "2");
}

static void use_many_files(int flags)
{
	for (unsigned int i = 0; i < 200; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/d/f%u", i);
		close(CHECK_SYS(open(path, O_RDONLY | O_CLOEXEC | flags, 0600)));
	}
}

/*
 * An unmount evicts inodes, and a program comes too late for each of them. It must not hold the
 * file system even for a moment: nothing would wait for it.
 */
TEST(too_late_against_unmounts)
{
	int map = map_create(32, 4, 100);
	unsigned int rounds = 0;
	double end;
	pid_t pid;

	device_setup();
	CHECK_SYS(mount(device, "m", "ext4", 0, NULL));
	CHECK_SYS(mkdir("m/d", 0755));
	use_many_files(O_CREAT);
	CHECK_SYS(umount("m"));
	program_attach("on_free", map);
	programs->bss->enabled = 1;
	shared_create();
	pid = child_start(drop_often, NULL);
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		CHECK_SYS(mount(device, "m", "ext4", 0, NULL));
		use_many_files(0);
		usleep(rounds % 8 * 500);
		CHECK_SYS(umount("m"));
		check_device_is_free("an unmount while caches are dropped");
	}
	store(&shared->stop, true);
	child_wait(pid);
	programs->bss->enabled = 0;
	printf("# %u rounds\n", rounds);
	results_check(ESTALE, ESTALE);
	CHECK_EQ(results(0), 0);
	CHECK(results(ESTALE) > rounds * 100);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
	device_detach();
}

/* Remove and replace the opened files all the time. */
TEST(against_removal)
{
	int map = map_create(32, 4, 100);
	unsigned long before;
	unsigned int rounds = 0;
	double end;

	mount_m();
	program_choose("on_open");
	program_choose("on_ioctl");
	programs_attach(map_id_of(map));
	close(create_large("m/f0"));
	CHECK_SYS(unlink("m/f0"));
	sync();
	before = blocks_free();
	openers_start();
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		char path[32];

		programs->bss->flags = rounds & 4 ? INODE_MAP_WEAK : 0;
		snprintf(path, sizeof(path), "m/f%u", rounds % 4);
		create_and_close(path);
		usleep(rounds % 8 * 50);
		if (rounds % 3) {
			CHECK_SYS(unlink(path));
		} else {
			create_and_close("m/new");
			CHECK_SYS(rename("m/new", path));
		}
	}
	openers_stop();
	printf("# %u rounds\n", rounds);
	results_check(ESTALE, ESTALE);
	CHECK(results(0) > rounds / 8);
	CHECK_EQ(sh("rm -f m/f? m/new"), 0);
	CHECK_EQ(map_count(map), 0);
	counts_wait(1, 0, 0, 0);
	check_blocks(before);
	CHECK_SYS(umount("m"));
}

/* Free maps that are not bound to the programs, while these use them by their ids. */
TEST(against_freed_maps)
{
	unsigned int rounds = 0;
	double end;

	CHECK_SYS(mkdir("m", 0755));
	for (unsigned int i = 0; i < 4; i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/f%u", i);
		create_and_close(path);
	}
	program_choose("on_open");
	program_choose("on_ioctl");
	programs_attach(0);
	openers_start();
	for (end = now() + SECONDS * test_slowdown(); now() < end; rounds++) {
		int map = map_create(rounds & 1 ? 4 : 32, 4, 100);

		programs->bss->flags = rounds & 2 ? INODE_MAP_WEAK : 0;
		programs->bss->map_id = map_id_of(map);
		usleep(rounds % 8 * 1000);
		close(map);
	}
	openers_stop();
	printf("# %u rounds\n", rounds);
	results_check(ENODEV, ENODEV);
	CHECK(results(0) > rounds && results(ENODEV) > 0);
	counts_wait(0, 0, 0, 0);
}
