// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A loop device for a descriptor: it reads and writes the file below without a hook. Called by the
 * attempts. The first read or write also frees the device.
 */
#include "bypass.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

int loop_open(int fd)
{
	int control = file_open("/dev/loop-control", O_RDWR), loop;
	char path[32];

	snprintf(path, sizeof(path), "/dev/loop%lld", CHECK_SYS(ioctl(control, LOOP_CTL_GET_FREE)));
	loop = file_open(path, O_RDWR);
	return ioctl(loop, LOOP_SET_FD, fd) ? -errno : loop;
}

dev_t loop_make(const char *path)
{
	int fd = file_open(path, O_RDWR), loop = loop_open(fd);
	struct stat stat;

	CHECK(loop >= 0);
	CHECK_SYS(fstat(loop, &stat));
	close(loop);
	close(fd);
	return stat.st_rdev;
}

int loop_read(int loop)
{
	static char bytes[4096];
	long size = result(pread(loop, bytes, sizeof(bytes), 0));

	CHECK_SYS(ioctl(loop, LOOP_CLR_FD, 0));
	return judge_text(bytes, size);
}

long loop_write(int loop, const void *bytes, size_t size)
{
	long written = result(pwrite(loop, bytes, size, 0));

	CHECK_SYS(fsync(loop));
	CHECK_SYS(ioctl(loop, LOOP_CLR_FD, 0));
	return written;
}
