// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to delete, replace, rename, cover and link names. ../bypass/ runs them, and checks the file
 * and its name afterwards.
 */
#include "bypass.h"

#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>

/* Deleting */

static int try_unlink(struct target *t)
{
	return result(unlink(t->path));
}

static int try_unlinkat(struct target *t)
{
	int dir = file_open(directory_of(t), O_PATH | O_DIRECTORY);

	return result(unlinkat(dir, name_of(t), t->kind == DIRECTORY ? AT_REMOVEDIR : 0));
}

static int prepare_empty(struct target *t)
{
	char entry[256];

	snprintf(entry, sizeof(entry), "%s/entry", t->path);
	return result(unlink(entry));
}

static int try_rmdir(struct target *t)
{
	return result(rmdir(t->path));
}

static int try_uring_unlink(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD,
					.addr = (uintptr_t)t->path };

	return uring(&request, 0);
}

/* Renaming. An exchange puts another file in its place, which counts as a deletion, too. */

static int move(const char *from, const char *to, unsigned int flags)
{
	return result(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

static int try_rename(struct target *t)
{
	return result(rename(t->path, scratch(t, "moved")));
}

static int try_rename_same(struct target *t)
{
	char path[300];

	snprintf(path, sizeof(path), "%s.new", t->path);
	return move(t->path, path, RENAME_NOREPLACE);
}

static int try_whiteout(struct target *t)
{
	return move(t->path, scratch(t, "moved"), RENAME_WHITEOUT);
}

static int try_exchange_from(struct target *t)
{
	return move(t->path, scratch_file(t, "other", TEXT), RENAME_EXCHANGE);
}

static int try_exchange_to(struct target *t)
{
	return move(scratch_file(t, "other", TEXT), t->path, RENAME_EXCHANGE);
}

static int try_uring_rename(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_RENAMEAT, .fd = AT_FDCWD,
					.addr = (uintptr_t)t->path, .len = AT_FDCWD };

	request.addr2 = (uintptr_t)scratch(t, "moved");
	return uring(&request, 0);
}

static int try_rename_parent(struct target *t)
{
	const char *path = directory_of(t);
	char moved[300];

	snprintf(moved, sizeof(moved), "%s.elsewhere", path);
	return move(path, moved, 0);
}

/* Replacing */

static int try_rename_over(struct target *t)
{
	return result(rename(scratch_file(t, "other", t->kind), t->path));
}

static int try_rename_over_empty(struct target *t)
{
	const char *other = scratch(t, "other");

	CHECK_SYS(mkdir(other, 0755));
	return result(rename(other, t->path));
}

static int try_uring_rename_over(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_RENAMEAT, .fd = AT_FDCWD,
					.addr2 = (uintptr_t)t->path, .len = AT_FDCWD };

	request.addr = (uintptr_t)scratch_file(t, "other", TEXT);
	return uring(&request, 0);
}

/* Covering, in a mount namespace that ends with the process */

static int is_covered(const struct target *t, ino_t before)
{
	return file_ino(t->path) == before ? -ENODATA : 0;
}

static const char *other_like(const struct target *t)
{
	return scratch_file(t, "other", t->kind);
}

static int try_bind_over(struct target *t)
{
	ino_t before = file_ino(t->path);
	const char *other = other_like(t);

	CHECK_SYS(unshare(CLONE_NEWNS));
	if (mount(other, t->path, NULL, MS_BIND, NULL))
		return -errno;
	return is_covered(t, before);
}

/* As a user who is root only in a user namespace. */
static int try_bind_over_user(struct target *t)
{
	ino_t before = file_ino(t->path);
	const char *other = other_like(t);

	CHECK_SYS(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	if (mount(other, t->path, NULL, MS_BIND, NULL))
		return -errno;
	return is_covered(t, before);
}

static int try_mount_over(struct target *t)
{
	struct stat stat;
	dev_t before;

	CHECK_SYS(lstat(t->path, &stat));
	before = stat.st_dev;
	CHECK_SYS(unshare(CLONE_NEWNS));
	if (mount("over", t->path, "tmpfs", 0, NULL))
		return -errno;
	CHECK_SYS(lstat(t->path, &stat));
	return stat.st_dev == before ? -ENODATA : 0;
}

/* Afterwards the path leads to another file. */
static int try_mount_above(struct target *t)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
	if (mount("over", directory_of(t), "tmpfs", 0, NULL))
		return -errno;
	return access(t->path, F_OK) ? 0 : -ENODATA;
}

static int try_mount_above_user(struct target *t)
{
	CHECK_SYS(unshare(CLONE_NEWUSER));
	return try_mount_above(t);
}

static int try_move_over(struct target *t)
{
	ino_t before = file_ino(t->path);
	const char *other = other_like(t);

	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(other, other, NULL, MS_BIND, NULL));
	if (mount(other, t->path, NULL, MS_MOVE, NULL))
		return -errno;
	return is_covered(t, before);
}

static int try_move_mount(struct target *t)
{
	ino_t before = file_ino(t->path);
	const char *other = other_like(t);
	int tree;

	CHECK_SYS(unshare(CLONE_NEWNS));
	tree = CHECK_SYS(syscall(SYS_open_tree, AT_FDCWD, other,
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, t->path, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return is_covered(t, before);
}

static int try_fsmount(struct target *t)
{
	int context, tree;

	CHECK_SYS(unshare(CLONE_NEWNS));
	context = CHECK_SYS(syscall(SYS_fsopen, "tmpfs", 0));
	CHECK_SYS(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	tree = CHECK_SYS(syscall(SYS_fsmount, context, 0, 0));
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, t->path, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return 0;
}

/* Put the old root on it. */
static int try_pivot_root(struct target *t)
{
	const char *root = t->root;

	CHECK_SYS(unshare(CLONE_NEWNS));
	/* The initial root can't be the old root. */
	CHECK_SYS(chroot(DIR_PATH "/chroot"));
	CHECK_SYS(mount(root, root, NULL, MS_BIND, NULL));
	CHECK_SYS(chdir(root));
	if (syscall(SYS_pivot_root, ".", t->path))
		return -errno;
	return 0;
}

/* Linking */

static int try_link(struct target *t)
{
	return result(link(t->path, scratch(t, "link")));
}

static int try_link_path(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(linkat(fd, "", AT_FDCWD, scratch(t, "link"), AT_EMPTY_PATH));
}

static int try_link_proc(struct target *t)
{
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	return result(linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, scratch(t, "link"),
			     AT_SYMLINK_FOLLOW));
}

static int try_uring_link(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_LINKAT, .fd = AT_FDCWD,
					.addr = (uintptr_t)t->path, .len = AT_FDCWD };

	request.addr2 = (uintptr_t)scratch(t, "link");
	return uring(&request, 0);
}

static int try_symlink(struct target *t)
{
	return result(symlink(t->path, scratch(t, "symlink")));
}

static int try_bind_elsewhere(struct target *t)
{
	const char *other = other_like(t);

	CHECK_SYS(unshare(CLONE_NEWNS));
	return result(mount(t->path, other, NULL, MS_BIND, NULL));
}

/* Links can't be made through /proc paths, or to another mount. */
#define NAMES		.ways = ANY_NAME, .changes_directory = true
#define DIRECTORIES	.ways = ANY_NAME & ~BY(HARD_LINK), .changes_directory = true, \
			.kind = DIRECTORY
#define MOUNTS		.ways = ANY_NAME & ~BY(CHROOT) & ~BY(USER_NAMESPACE), \
			.unchanged = true, .own_process = true
#define LINKS		.ways = ANY_NAME
#define ABOVE_WHY \
	"the file stays guarded where it is, and its path leads elsewhere; guard the directories " \
	"above it against rename"

const struct attempt naming[] = {
	TRY("unlink(2)", DELETE, try_unlink, NAMES, .every_way = true),
	TRY("unlinkat(2) by a descriptor of the directory", DELETE, try_unlinkat, NAMES),
	TRY("io_uring: unlinkat", DELETE, try_uring_unlink, NAMES),
	TRY("rmdir(2)", DELETE, try_rmdir, .prepare = prepare_empty, DIRECTORIES),
	TRY("unlinkat(2) with AT_REMOVEDIR", DELETE, try_unlinkat, .prepare = prepare_empty,
	    DIRECTORIES),
	TRY("rename(2) over it", DELETE | RENAME, try_rename_over, NAMES, .every_way = true),
	TRY("rename(2) over a directory", DELETE | RENAME, try_rename_over_empty,
	    .prepare = prepare_empty, DIRECTORIES),
	TRY("io_uring: renameat over it", DELETE | RENAME, try_uring_rename_over, NAMES),

	TRY("rename(2)", RENAME, try_rename, NAMES, .every_way = true),
	TRY("rename(2) of a directory", RENAME, try_rename, DIRECTORIES),
	TRY("renameat2(2) in its directory", RENAME, try_rename_same, NAMES),
	TRY("RENAME_WHITEOUT", RENAME, try_whiteout, NAMES),
	TRY("RENAME_EXCHANGE with another file", DELETE | RENAME, try_exchange_from, NAMES),
	TRY("RENAME_EXCHANGE of another file with it", DELETE | RENAME, try_exchange_to, NAMES),
	TRY("RENAME_EXCHANGE with a directory", DELETE | RENAME, try_exchange_from, DIRECTORIES),
	TRY("io_uring: renameat", RENAME, try_uring_rename, NAMES),
	TRY("rename(2) of the directory it is in", RENAME, try_rename_parent, .ways = BY(DIRECT),
	    .why_not = "the file stays guarded, by whatever name; guard the directory, or the "
		"tree"),

	TRY("bind mount over it", RENAME, try_bind_over, MOUNTS),
	TRY("bind mount over it, by root of a user namespace", RENAME, try_bind_over_user, MOUNTS),
	TRY("bind mount over a directory", RENAME, try_bind_over, MOUNTS, .kind = DIRECTORY),
	TRY("mount over a directory", RENAME, try_mount_over, MOUNTS, .kind = DIRECTORY),
	TRY("mount over the directory it is in", RENAME, try_mount_above, .ways = BY(DIRECT),
	    .unchanged = true, .own_process = true, .why_not = ABOVE_WHY),
	TRY("mount over the directory it is in, by root of a user namespace", RENAME,
	    try_mount_above_user, .ways = BY(DIRECT) | BY(USER), .unchanged = true,
	    .own_process = true, .why_not = ABOVE_WHY),
	TRY("MS_MOVE of a mount over it", RENAME, try_move_over, MOUNTS),
	TRY("move_mount(2) over it", RENAME, try_move_mount, MOUNTS),
	TRY("fsmount(2) and move_mount(2) over a directory", RENAME, try_fsmount, MOUNTS,
	    .kind = DIRECTORY),
	TRY("pivot_root(2), the old root over a directory", RENAME, try_pivot_root,
	    .ways = BY(DIRECT), .kind = DIRECTORY, .unchanged = true, .own_process = true),

	TRY("link(2)", LINK, try_link, LINKS, .every_way = true),
	TRY("linkat(2) with AT_EMPTY_PATH", LINK, try_link_path, .open_flags = O_PATH,
	    .by_descriptor = true, .ways = ANY_NAME & PRIVILEGED),
	TRY("linkat(2) of /proc/self/fd", LINK, try_link_proc, .open_flags = O_PATH,
	    .by_descriptor = true, .ways = ANY_NAME & PRIVILEGED),
	TRY("io_uring: linkat", LINK, try_uring_link, LINKS),
	TRY("symlink(2) to it", LINK, try_symlink, .ways = BY(DIRECT), .unchanged = true,
	    .why_not = "a symbolic link is a path; the file is as guarded as by its name"),
	TRY("bind mount of it to another name", LINK, try_bind_elsewhere, .ways = BY(DIRECT),
	    .unchanged = true, .own_process = true,
	    .why_not = "it is the same inode there, with the same rules"),
	{ }
};
