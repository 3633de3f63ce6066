// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways through other parts of the kernel that use files: swap, accounting, core dumps, loop
 * devices, overlayfs, snapshots, the underlying device. Run by ../bypass/.
 */
#include "bypass.h"

#include <linux/btrfs.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

static char buffer[4096] __attribute__((aligned(4096)));

/* Swap, accounting, core dumps */

static int try_swap(struct target *t)
{
	if (swapon(t->path, 0))
		return -errno;
	CHECK_SYS(swapoff(t->path));
	return 0;
}

/* A process that exits leaves an accounting record. */
static void make_record(void)
{
	pid_t pid;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static int try_accounting(struct target *t)
{
	if (acct(t->path))
		return -errno;
	make_record();
	CHECK_SYS(acct(NULL));
	return 0;
}

static int prepare_accounting(struct target *t)
{
	return result(acct(t->path));
}

static int run_accounting(struct target *t)
{
	(void)t;
	make_record();
	return result(acct(NULL));
}

/* The kernel deletes the file of that name, and makes a new one. */
static int try_core_dump(struct target *t)
{
	struct stat stat;

	dump_core(t->path);
	return !lstat(t->path, &stat) && stat.st_size == FILE_SIZE ? -EPERM : 0;
}

/* Loop devices */

static int overwrite(int loop)
{
	long size = loop_write(loop, buffer, sizeof(buffer));

	return size < 0 ? size : 0;
}

static int try_loop_read(struct target *t)
{
	int loop, fd = descriptor(t);

	if (fd < 0)
		return fd;
	loop = loop_open(fd);
	return loop < 0 ? loop : loop_read(loop);
}

static int try_loop_write(struct target *t)
{
	int loop, fd = descriptor(t);

	if (fd < 0)
		return fd;
	loop = loop_open(fd);
	return loop < 0 ? loop : overwrite(loop);
}

static int prepare_loop(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	t->fd = loop_open(fd);
	close(fd);
	return t->fd < 0 ? t->fd : 0;
}

static int run_loop_read(struct target *t)
{
	return loop_read(t->fd);
}

static int run_loop_write(struct target *t)
{
	return overwrite(t->fd);
}

/* Overlays, in a mount namespace that ends with the process */

static char through[300];

/* Mount it in a new mount namespace and, with @users, in a new user namespace. */
static int overlay_in(const struct target *t, const char *lower, const char *upper, bool users)
{
	const char *work = scratch(t, "work"), *merged = scratch(t, "merged");
	char options[1024];

	CHECK_SYS(mkdir(work, 0755));
	CHECK_SYS(mkdir(merged, 0755));
	if (users)
		enter_user_namespace();
	else
		CHECK_SYS(unshare(CLONE_NEWNS));
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower,
		 upper, work);
	if (mount("overlay", merged, "overlay", 0, options))
		return -errno;
	snprintf(through, sizeof(through), "%s/%s", merged, name_of(t));
	return 0;
}

static int overlay(const struct target *t, const char *lower, const char *upper)
{
	return overlay_in(t, lower, upper, false);
}

/* The file is in the lower layer, which never changes. */
static int as_lower_in(const struct target *t, bool users)
{
	const char *upper = scratch(t, "upper");

	CHECK_SYS(mkdir(upper, 0755));
	return overlay_in(t, directory_of(t), upper, users);
}

static int as_lower(const struct target *t)
{
	return as_lower_in(t, false);
}

/* As any user can set it up. */
static int as_users_lower(const struct target *t)
{
	return as_lower_in(t, true);
}

static int as_upper(const struct target *t)
{
	const char *lower = scratch(t, "lower");

	CHECK_SYS(mkdir(lower, 0755));
	return overlay(t, lower, directory_of(t));
}

static int read_through(int flags)
{
	return read_next(result(open(through, flags)));
}

static int map_through(void)
{
	return map_text(result(open(through, O_RDONLY)));
}

static int write_through(void)
{
	int fd = result(open(through, O_WRONLY));

	if (fd < 0)
		return fd;
	return write(fd, "X", 1) == 1 ? 0 : -errno;
}

static int try_lower_read(struct target *t)
{
	int err = as_lower(t);

	return err ? err : read_through(O_RDONLY);
}

static int try_lower_map(struct target *t)
{
	int err = as_lower(t);

	return err ? err : map_through();
}

static int try_lower_exec(struct target *t)
{
	int err = as_lower(t);

	return err ? err : run_program(exec_path, through);
}

static int try_lower_map_code(struct target *t)
{
	int err = as_lower(t);

	return err ? err : map_code(result(open(through, O_RDONLY)));
}

static int try_users_lower_map_code(struct target *t)
{
	int err = as_users_lower(t);

	return err ? err : map_code(result(open(through, O_RDONLY)));
}

static int try_lower_protect_code(struct target *t)
{
	int err = as_lower(t);

	return err ? err : protect_code(result(open(through, O_RDONLY)));
}

static int try_users_lower_loader(struct target *t)
{
	int err = as_users_lower(t);

	return err ? err : run_program(exec_by_loader, through);
}

static int try_lower_write(struct target *t)
{
	int err = as_lower(t);

	return err ? err : write_through();
}

static int try_lower_unlink(struct target *t)
{
	int err = as_lower(t);

	return err ? err : result(unlink(through));
}

static int try_upper_read(struct target *t)
{
	int err = as_upper(t);

	return err ? err : read_through(O_RDONLY);
}

static int try_upper_map(struct target *t)
{
	int err = as_upper(t);

	return err ? err : map_through();
}

static int try_upper_map_write(struct target *t)
{
	int err = as_upper(t);

	return err ? err : write_mapped(result(open(through, O_RDWR)), PROT_READ | PROT_WRITE);
}

static int try_upper_mprotect(struct target *t)
{
	int err = as_upper(t);

	return err ? err : write_mapped(result(open(through, O_RDWR)), PROT_READ);
}

static int try_upper_write(struct target *t)
{
	int err = as_upper(t);

	return err ? err : write_through();
}

static int try_upper_truncate(struct target *t)
{
	int err = as_upper(t);

	return err ? err : result(truncate(through, 10));
}

static int try_upper_exec(struct target *t)
{
	int err = as_upper(t);

	return err ? err : run_program(exec_path, through);
}

static int try_upper_chmod(struct target *t)
{
	int err = as_upper(t);

	return err ? err : result(chmod(through, 0600));
}

static int try_upper_unlink(struct target *t)
{
	int err = as_upper(t);

	return err ? err : result(unlink(through));
}

static int try_upper_rename(struct target *t)
{
	int err = as_upper(t);
	char moved[310];

	if (err)
		return err;
	snprintf(moved, sizeof(moved), "%s.moved", through);
	return result(rename(through, moved));
}

static int try_upper_link(struct target *t)
{
	int err = as_upper(t);
	char name[310];

	if (err)
		return err;
	snprintf(name, sizeof(name), "%s.link", through);
	return result(link(through, name));
}

/* Copies that filesystems make, and the underlying device */

static int try_snapshot(struct target *t)
{
	struct btrfs_ioctl_vol_args arguments = { .fd = file_open(t->root, O_RDONLY) };
	char directory[300];
	int fd;

	snprintf(directory, sizeof(directory), "%s/scratch", t->root);
	snprintf(arguments.name, sizeof(arguments.name), "%d-snapshot", t->number);
	fd = file_open(directory, O_RDONLY);
	if (ioctl(fd, BTRFS_IOC_SNAP_CREATE, &arguments))
		return -errno;
	snprintf(through, sizeof(through), "%s%s", scratch(t, "snapshot"),
		 t->path + strlen(t->root));
	return read_through(O_RDONLY);
}

static int prepare_block(struct target *t)
{
	int fd = file_open(t->path, O_RDONLY), block = 0, size;

	CHECK_SYS(fsync(fd));
	CHECK_SYS(ioctl(fd, FIGETBSZ, &size));
	CHECK_SYS(ioctl(fd, FIBMAP, &block));
	t->spare = block * (size / 512);
	return 0;
}

static int try_device(struct target *t)
{
	char path[64], line[64], name[32] = "";
	struct stat stat;
	FILE *file;
	int fd;

	CHECK_SYS(lstat(t->root, &stat));
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(stat.st_dev),
		 minor(stat.st_dev));
	file = fopen(path, "re");
	CHECK(file);
	while (!*name && fgets(line, sizeof(line), file))
		sscanf(line, "DEVNAME=%31s", name);
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = file_open(path, O_RDONLY);
	CHECK_EQ(pread(fd, buffer, sizeof(buffer), t->spare * 512L), sizeof(buffer));
	return judge_text(buffer, sizeof(buffer));
}

#define ONCE	.ways = BY(DIRECT), .filesystems = EXT4
#define OVERLAY	ONCE, .own_process = true

const struct attempt machinery[] = {
	TRY("swapon(2)", READ | WRITE, try_swap, ONCE, .kind = SWAP, .unchanged = true),
	TRY("acct(2)", WRITE | APPEND, try_accounting, ONCE),
	TRY("accounting that was begun before", WRITE | APPEND, run_accounting,
	    .prepare = prepare_accounting, ONCE,
	    .why_not = "the kernel appends its records without asking: accton off"),
	TRY("a core dump over it", DELETE, try_core_dump, ONCE, .changes_directory = true),

	TRY("loop device, to read", READ, try_loop_read, ONCE),
	TRY("loop device, to write", READ | WRITE, try_loop_write, ONCE, .open_flags = O_RDWR),
	TRY("loop device for a descriptor that was opened before, to read", READ, try_loop_read,
	    .prepare = open_target, ONCE,
	    .why_not = "the device reads the file without asking, and what it is given is a "
		"descriptor; only root can"),
	TRY("loop device that was set up before, to read", READ, run_loop_read,
	    .prepare = prepare_loop, ONCE,
	    .why_not = "the device reads the file without asking: losetup -d"),
	TRY("loop device that was set up before, to write", WRITE, run_loop_write,
	    .prepare = prepare_loop, ONCE, .open_flags = O_RDWR,
	    .why_not = "the device writes the file without asking: losetup -d"),

	TRY("overlayfs, in the lower layer: read", READ, try_lower_read, OVERLAY),
	TRY("overlayfs, in the lower layer: mmap", READ | MMAP, try_lower_map, OVERLAY),
	TRY("overlayfs, in the lower layer: execve", EXEC, try_lower_exec, OVERLAY,
	    .kind = PROGRAM),
	TRY("overlayfs, in the lower layer: mmap as code", READ | EXEC | MMAP,
	    try_lower_map_code, OVERLAY),
	TRY("overlayfs, in the lower layer: mmap, then mprotect to executable",
	    READ | EXEC | MMAP, try_lower_protect_code, OVERLAY),
	TRY("overlayfs in a user's own namespaces, in the lower layer: mmap as code",
	    READ | EXEC | MMAP, try_users_lower_map_code, OVERLAY),
	TRY("overlayfs in a user's own namespaces, in the lower layer: ld.so PROGRAM",
	    READ | EXEC | MMAP, try_users_lower_loader, OVERLAY, .kind = DYNAMIC),
	TRY("overlayfs, in the lower layer: write, which makes a copy of it", READ,
	    try_lower_write, OVERLAY, .unchanged = true),
	TRY("overlayfs, in the lower layer: write", WRITE, try_lower_write, OVERLAY,
	    .unchanged = true,
	    .why_not = "the overlay makes a copy and changes that; the file stays as it is. "
		"Denying read prevents the copy"),
	TRY("overlayfs, in the lower layer: unlink", DELETE, try_lower_unlink, OVERLAY,
	    .unchanged = true,
	    .why_not = "the overlay notes in its upper layer that the name is gone; the file "
		"stays"),
	TRY("overlayfs, in the upper layer: read", READ, try_upper_read, OVERLAY),
	TRY("overlayfs, in the upper layer: mmap", READ | MMAP, try_upper_map, OVERLAY),
	TRY("overlayfs, in the upper layer: mmap to write", READ | WRITE | MMAP,
	    try_upper_map_write, OVERLAY),
	TRY("overlayfs, in the upper layer: mmap, then mprotect to writable",
	    READ | WRITE | MMAP, try_upper_mprotect, OVERLAY),
	TRY("overlayfs, in the upper layer: write", WRITE, try_upper_write, OVERLAY),
	TRY("overlayfs, in the upper layer: truncate", WRITE, try_upper_truncate, OVERLAY),
	TRY("overlayfs, in the upper layer: execve", EXEC, try_upper_exec, OVERLAY,
	    .kind = PROGRAM),
	TRY("overlayfs, in the upper layer: chmod", ATTR, try_upper_chmod, OVERLAY),
	TRY("overlayfs, in the upper layer: unlink", DELETE, try_upper_unlink, OVERLAY,
	    .changes_directory = true),
	TRY("overlayfs, in the upper layer: rename", RENAME, try_upper_rename, OVERLAY,
	    .changes_directory = true),
	TRY("overlayfs, in the upper layer: link", LINK, try_upper_link, OVERLAY,
	    .changes_directory = true),

	TRY("a btrfs snapshot", READ, try_snapshot, .ways = BY(DIRECT), .filesystems = BTRFS,
	    .why_not = "a snapshot's files are others, with the same content; only root or the "
		"owner can make one"),
	TRY("the block device below", READ, try_device, .prepare = prepare_block, ONCE,
	    .why_not = "who may read or write the device (root, the group disk) has all that is on "
		"it; guard the device as well"),
	{ }
};
