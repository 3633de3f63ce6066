// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page that makes a program sleep, by userfaultfd(2): see sleepy.h.
 */
#include "harness.h"
#include "sleepy.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

int sleepy_uffd;
void *sleepy_address;

bool sleepy_page_make(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	long size = sysconf(_SC_PAGESIZE);

	sleepy_address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	CHECK(sleepy_address != MAP_FAILED);
	sleepy_uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (sleepy_uffd < 0)
		return false;
	CHECK_SYS(ioctl(sleepy_uffd, UFFDIO_API, &api));
	range.range.start = (unsigned long)sleepy_address;
	range.range.len = size;
	CHECK_SYS(ioctl(sleepy_uffd, UFFDIO_REGISTER, &range));
	return true;
}

void *sleepy_page(void)
{
	if (!sleepy_page_make())
		SKIP("this kernel has no userfaultfd");
	return sleepy_address;
}

void sleepy_page_wake(void)
{
	struct uffdio_zeropage zero = {
		.range.start = (unsigned long)sleepy_address,
		.range.len = sysconf(_SC_PAGESIZE),
	};

	CHECK_SYS(ioctl(sleepy_uffd, UFFDIO_ZEROPAGE, &zero));
}
