// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ways to change a directory: adding and removing names. In the tables of writing.c. */
#include <linux/io_uring.h>

#include "writing.h"

static const char *in_directory(const struct target *t, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", t->path, name);
	return path;
}

int try_create(struct target *t)
{
	return close_opened(result(open(in_directory(t, "new"), O_WRONLY | O_CREAT, 0600)));
}

int try_mkdir(struct target *t)
{
	return result(mkdir(in_directory(t, "new"), 0700));
}

int try_mknod(struct target *t)
{
	return result(mknod(in_directory(t, "new"), S_IFIFO | 0600, 0));
}

int try_symlink(struct target *t)
{
	return result(symlink("nowhere", in_directory(t, "new")));
}

int try_bind_socket(struct target *t)
{
	return result(mknod(in_directory(t, "new"), S_IFSOCK | 0600, 0));
}

int try_link_into(struct target *t)
{
	return result(link(scratch_file(t, "file", TEXT), in_directory(t, "new")));
}

int try_rename_into(struct target *t)
{
	return result(rename(scratch_file(t, "file", TEXT), in_directory(t, "new")));
}

int try_rename_within(struct target *t)
{
	char old[300];

	snprintf(old, sizeof(old), "%s", in_directory(t, "entry"));
	return result(rename(old, in_directory(t, "new")));
}

int try_rename_out(struct target *t)
{
	return result(rename(in_directory(t, "entry"), scratch(t, "moved")));
}

int try_unlink_in(struct target *t)
{
	return result(unlink(in_directory(t, "entry")));
}

int try_uring_mkdir(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_MKDIRAT, .fd = AT_FDCWD, .len = 0700 };

	request.addr = (uintptr_t)in_directory(t, "new");
	return uring(&request, 0);
}

int try_tmpfile_link(struct target *t)
{
	int fd = result(open(t->path, O_TMPFILE | O_WRONLY, 0600));

	if (fd < 0)
		return fd;
	return result(linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, in_directory(t, "new"),
			     AT_SYMLINK_FOLLOW));
}

int try_tmpfile(struct target *t)
{
	return close_opened(result(open(t->path, O_TMPFILE | O_WRONLY, 0600)));
}
