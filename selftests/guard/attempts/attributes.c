// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to change a file's mode, owner, times, extended attributes, access control lists and flags.
 * ../bypass/ runs them, and detects changes.
 */
#include "bypass.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/io_uring.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#define SYS_fchmodat2_	452
#define SYS_file_getattr_ 468
#define SYS_file_setattr_ 469
#define OWNER		1234

static const struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

/* Mode, owner, times */

static int try_chmod(struct target *t)
{
	return result(chmod(t->path, 0600));
}

static int try_fchmod(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fchmod(fd, 0600));
}

static int try_fchmodat2(struct target *t)
{
	return result(syscall(SYS_fchmodat2_, AT_FDCWD, t->path, 0600, AT_SYMLINK_NOFOLLOW));
}

static int try_fchmodat2_empty(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(syscall(SYS_fchmodat2_, fd, "", 0600, AT_EMPTY_PATH));
}

static int try_chown(struct target *t)
{
	return result(chown(t->path, OWNER, OWNER));
}

static int try_lchown(struct target *t)
{
	return result(lchown(t->path, OWNER, -1));
}

static int try_fchown(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fchown(fd, -1, OWNER));
}

static int try_fchownat(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fchownat(fd, "", OWNER, OWNER, AT_EMPTY_PATH));
}

static int try_utimensat(struct target *t)
{
	return result(utimensat(AT_FDCWD, t->path, times, 0));
}

static int try_futimens(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(futimens(fd, times));
}

static int try_utime(struct target *t)
{
	struct utimbuf when = { 1000000000, 1000000000 };

	return result(utime(t->path, &when));
}

/* Like touch(1): permission to write is enough. */
static int try_touch(struct target *t)
{
	/* The clock may be too coarse to show the change. */
	usleep(20000);
	return result(utimensat(AT_FDCWD, t->path, NULL, 0));
}

/* Extended attributes */

#define NAME	"user.bypass"

static int try_setxattr(struct target *t)
{
	return result(setxattr(t->path, NAME, "value", 5, 0));
}

static int try_lsetxattr(struct target *t)
{
	return result(lsetxattr(t->path, "trusted.bypass", "value", 5, XATTR_CREATE));
}

static int try_fsetxattr(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fsetxattr(fd, NAME, "value", 5, 0));
}

static int try_setxattr_proc(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(setxattr(proc_path(fd), NAME, "value", 5, 0));
}

static int try_capability(struct target *t)
{
	struct vfs_cap_data capability = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};

	return result(setxattr(t->path, "security.capability", &capability, sizeof(capability), 0));
}

static int prepare_xattr(struct target *t)
{
	return result(setxattr(t->path, NAME, "value", 5, 0));
}

static int run_removexattr(struct target *t)
{
	return result(removexattr(t->path, NAME));
}

static int run_lremovexattr(struct target *t)
{
	return result(lremovexattr(t->path, NAME));
}

static int run_fremovexattr(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fremovexattr(fd, NAME));
}

static int prepare_capability(struct target *t)
{
	return try_capability(t);
}

static int run_remove_capability(struct target *t)
{
	return result(removexattr(t->path, "security.capability"));
}

static int try_uring_setxattr(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_SETXATTR, .addr = (uintptr_t)NAME,
					.addr2 = (uintptr_t)"value", .len = 5,
					.addr3 = (uintptr_t)t->path };

	return uring(&request, 0);
}

static int try_uring_fsetxattr(struct target *t)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_FSETXATTR, .addr = (uintptr_t)NAME,
					.addr2 = (uintptr_t)"value", .len = 5 };

	request.fd = descriptor(t);
	return request.fd < 0 ? request.fd : uring(&request, 0);
}

/* Access control lists: OWNER may read and write, as with setfacl(1). */

#define ACL	"system.posix_acl_access"

static const struct {
	__u32 version;
	struct {
		__u16 tag, permissions;
		__u32 id;
	} entries[5];
} acl = { 2, { { 0x01, 6, -1 }, { 0x02, 6, OWNER }, { 0x04, 4, -1 }, { 0x10, 6, -1 },
	       { 0x20, 4, -1 } } };

static int try_set_acl(struct target *t)
{
	return result(setxattr(t->path, ACL, &acl, sizeof(acl), 0));
}

static int try_fset_acl(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(fsetxattr(fd, ACL, &acl, sizeof(acl), 0));
}

static int run_remove_acl(struct target *t)
{
	return result(removexattr(t->path, ACL));
}

/* Flags */

static int try_set_flags(struct target *t)
{
	int flags, fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -errno;
	flags |= FS_NODUMP_FL;
	return result(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static int try_set_xflags(struct target *t)
{
	struct fsxattr flags;
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &flags))
		return -errno;
	flags.fsx_xflags |= FS_XFLAG_NODUMP;
	return result(ioctl(fd, FS_IOC_FSSETXATTR, &flags));
}

/* This is struct file_attr in <linux/fs.h> since 6.17. */
struct file_flags {
	__u64 xflags;
	__u32 extsize, nextents, projid, cowextsize;
};

static const char *file_setattr_is_missing(void)
{
	/* The call checks the flags first. */
	syscall(SYS_file_setattr_, AT_FDCWD, "", NULL, 0, -1);
	return errno == ENOSYS ? "this kernel has no file_setattr(2)" : NULL;
}

static int set_file_flags(int fd, const char *path, unsigned int at_flags)
{
	struct file_flags flags;

	if (syscall(SYS_file_getattr_, fd, path, &flags, sizeof(flags), at_flags))
		return -errno;
	flags.xflags |= FS_XFLAG_NODUMP;
	return result(syscall(SYS_file_setattr_, fd, path, &flags, sizeof(flags), at_flags));
}

static int try_file_setattr(struct target *t)
{
	return set_file_flags(AT_FDCWD, t->path, 0);
}

static int try_file_setattr_empty(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : set_file_flags(fd, "", AT_EMPTY_PATH);
}

#ifdef __x86_64__
static int try_set_flags_compat(struct target *t)
{
	int *flags = low_memory();
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, FS_IOC_GETFLAGS, flags))
		return -errno;
	*flags |= FS_NODUMP_FL;
	return ioctl_compat(fd, FS_IOC32_SETFLAGS, flags);
}
#endif

/* Afterwards nobody can write to the file. */
static int try_verity(struct target *t)
{
	struct fsverity_enable_arg enable = {
		.version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 1024,
	};
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, FS_IOC_ENABLE_VERITY, &enable));
}

#define BY_FD(flags)	.open_flags = (flags), .by_descriptor = true
/* Changing the owner, or security attributes, needs privileges over the filesystem. */
#define ROOT		.ways = ANY_PATH & PRIVILEGED
#define ONLY_NAMES	.ways = ANY_NAME

const struct attempt attributes[] = {
	TRY("chmod(2)", ATTR, try_chmod, .every_way = true),
	TRY("fchmod(2)", ATTR, try_fchmod, BY_FD(O_RDONLY)),
	TRY("fchmod(2), opened with access mode 3", ATTR, try_fchmod, BY_FD(O_ACCMODE)),
	TRY("fchmodat2(2) with AT_SYMLINK_NOFOLLOW", ATTR, try_fchmodat2, ONLY_NAMES),
	TRY("fchmodat2(2) with AT_EMPTY_PATH", ATTR, try_fchmodat2_empty, BY_FD(O_PATH)),
	TRY("chown(2)", ATTR, try_chown, ROOT),
	TRY("lchown(2)", ATTR, try_lchown, .ways = ANY_NAME & PRIVILEGED),
	TRY("fchown(2)", ATTR, try_fchown, ROOT, BY_FD(O_RDONLY)),
	TRY("fchownat(2) with AT_EMPTY_PATH", ATTR, try_fchownat, ROOT, BY_FD(O_PATH)),
	TRY("utimensat(2)", ATTR, try_utimensat),
	TRY("futimens(3)", ATTR, try_futimens, BY_FD(O_RDONLY)),
	TRY("utime(2)", ATTR, try_utime),
	TRY("utimensat(2) to now, as touch(1) does", ATTR, try_touch),

	TRY("setxattr(2)", ATTR, try_setxattr, .every_way = true),
	TRY("lsetxattr(2) of a trusted attribute", ATTR, try_lsetxattr,
	    .ways = ANY_NAME & PRIVILEGED),
	TRY("fsetxattr(2)", ATTR, try_fsetxattr, BY_FD(O_RDONLY)),
	TRY("setxattr(2) of /proc/self/fd", ATTR, try_setxattr_proc, BY_FD(O_PATH)),
	TRY("setxattr(2) of capabilities", ATTR, try_capability, ROOT),
	TRY("removexattr(2)", ATTR, run_removexattr, .prepare = prepare_xattr),
	TRY("lremovexattr(2)", ATTR, run_lremovexattr, .prepare = prepare_xattr, ONLY_NAMES),
	TRY("fremovexattr(2)", ATTR, run_fremovexattr, .prepare = prepare_xattr,
	    BY_FD(O_RDONLY)),
	TRY("removexattr(2) of capabilities", ATTR, run_remove_capability,
	    .prepare = prepare_capability, ROOT),
	TRY("io_uring: setxattr", ATTR, try_uring_setxattr),
	TRY("io_uring: fsetxattr", ATTR, try_uring_fsetxattr, BY_FD(O_RDONLY)),
	TRY("setting an access control list", ATTR, try_set_acl, ROOT),
	TRY("setting an access control list, by descriptor", ATTR, try_fset_acl, ROOT,
	    BY_FD(O_RDONLY)),
	TRY("removing the access control list", ATTR, run_remove_acl, .prepare = try_set_acl,
	    ROOT),

	TRY("FS_IOC_SETFLAGS (chattr(1))", ATTR, try_set_flags, BY_FD(O_RDONLY)),
	TRY("FS_IOC_SETFLAGS, opened with access mode 3", ATTR, try_set_flags, BY_FD(O_ACCMODE)),
	TRY("FS_IOC_FSSETXATTR", ATTR, try_set_xflags, BY_FD(O_RDONLY)),
	TRY("file_setattr(2)", ATTR, try_file_setattr, .missing = file_setattr_is_missing),
	TRY("file_setattr(2) with AT_EMPTY_PATH", ATTR, try_file_setattr_empty, BY_FD(O_RDONLY),
	    .missing = file_setattr_is_missing),
#ifdef __x86_64__
	TRY("FS_IOC32_SETFLAGS, by a 32-bit system call", ATTR, try_set_flags_compat,
	    BY_FD(O_RDONLY)),
#endif
	TRY("FS_IOC_ENABLE_VERITY", ATTR, try_verity, BY_FD(O_RDONLY), .filesystems = EXT4),
	TRY("chmod(2) of a directory", ATTR, try_chmod, .kind = DIRECTORY,
	    .ways = ANY_PATH & ~BY(HARD_LINK)),
	{ }
};
