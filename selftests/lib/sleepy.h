/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page that makes a program sleep: its first access (bpf_copy_from_user()) is answered when the
 * test says so.
 */
#ifndef SLEEPY_H
#define SLEEPY_H

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "harness.h"

static int sleepy_uffd;
static void *sleepy_address;

/* The page. Skips the case where the kernel does not have that. */
static inline void *sleepy_page(void)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	long size = sysconf(_SC_PAGESIZE);

	sleepy_address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	CHECK(sleepy_address != MAP_FAILED);
	sleepy_uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (sleepy_uffd < 0)
		SKIP("this kernel has no userfaultfd");
	CHECK_SYS(ioctl(sleepy_uffd, UFFDIO_API, &api));
	range.range.start = (unsigned long)sleepy_address;
	range.range.len = size;
	CHECK_SYS(ioctl(sleepy_uffd, UFFDIO_REGISTER, &range));
	return sleepy_address;
}

/* Whoever sleeps goes on. */
static inline void sleepy_page_wake(void)
{
	struct uffdio_zeropage zero = {
		.range.start = (unsigned long)sleepy_address,
		.range.len = sysconf(_SC_PAGESIZE),
	};

	CHECK_SYS(ioctl(sleepy_uffd, UFFDIO_ZEROPAGE, &zero));
}

#endif /* SLEEPY_H */
