// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes allocations of this process fail, by the kernel's fault injection. For root, with debugfs.
 */
#include <sys/mman.h>

#include "fault.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define TIMES		1000000

const char *const sweep_names[] = { "the Nth", "slabs from the Nth", "pages from the Nth" };
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

void injection_setup(void)
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
	/* Page faults of this process must not allocate. */
	CHECK_SYS(mlockall(MCL_CURRENT | MCL_FUTURE));
}

void arm(enum sweep sweep, unsigned int n)
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
unsigned int disarm(enum sweep sweep)
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
