// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls of ocfs2 only: copies that share blocks, and moving blocks. Run by ../bypass/ if there is
 * mkfs.ocfs2, which scripts/deps does not install, because the package brings services.
 */
#include "bypass.h"

#include <sys/ioctl.h>

struct reflink {
	__u64 old_path, new_path, preserve;
};

struct move_extents {
	__u64 start, len, goal, threshold, flags, moved_len, new_offset;
	__u32 reserved[2];
};

#define AUTO_DEFRAG	1
#define IOC_REFLINK	_IOW('o', 4, struct reflink)
#define IOC_MOVE_EXT	_IOW('o', 6, struct move_extents)

/* The call is made on any file of the filesystem. */
static int reflink(const struct target *t, const char *from, const char *to)
{
	struct reflink both = { (uintptr_t)from, (uintptr_t)to, 0 };

	return result(ioctl(file_open(t->root, O_RDONLY), IOC_REFLINK, &both));
}

static int try_copy(struct target *t)
{
	const char *copy = scratch(t, "copy");
	int err = reflink(t, t->path, copy);

	return err ? err : read_text(file_open(copy, O_RDONLY));
}

static int try_copy_into(struct target *t)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/new", t->path);
	return reflink(t, scratch_file(t, "other", TEXT), path);
}

static int run_defragment(struct target *t)
{
	struct move_extents move = { .len = FILE_SIZE, .flags = AUTO_DEFRAG };
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, IOC_MOVE_EXT, &move));
}

#define HERE	.ways = BY(DIRECT), .filesystems = OCFS2
#define REFLINK_WHY \
	"the call is made on any file, and has both paths in memory that can change while the " \
	"guard looks"

const struct attempt ocfs2_calls[] = {
	TRY("OCFS2_IOC_REFLINK of it", READ, try_copy, HERE, .why_not = REFLINK_WHY),
	TRY("OCFS2_IOC_REFLINK into it", WRITE, try_copy_into, HERE, .kind = DIRECTORY,
	    .why_not = REFLINK_WHY),
	TRY("OCFS2_IOC_MOVE_EXT", WRITE, run_defragment, .prepare = make_fragmented, HERE,
	    .open_flags = O_RDWR, .by_descriptor = true, .unchanged = true),
	{ }
};
