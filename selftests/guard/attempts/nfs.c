// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's NFS server: a client (this machine itself) uses a file that has a rule on the
 * server. Run by ../bypass/, which calls nfs_stop() at the end.
 *
 * The test writes the server's exports and clients to the files that exportfs(8) and mountd(8) use.
 */
#include "bypass.h"

#include <arpa/inet.h>
#include <linux/falloc.h>
#include <sys/xattr.h>

#define NFSD		"/proc/fs/nfsd"
#define CACHES		"/proc/net/rpc/"
#define EXPORT_FLAGS	(0x0002 | 0x0400 | 0x2000)	/* any port, no subtree check, fsid */
/* The server's record of its clients. */
#define RECOVERY	DIR_PATH "/nfs-recovery"
#define FOREVER		"2147483647"

static const char *exported;		/* the root that the client has at CLIENT_PATH */

int nfs_serve(const char *root)
{
	char line[256];
	bool tracks;

	/* NFS may be modules or built in. */
	if (sh("modprobe -a nfsd nfs nfsv4 2>/dev/null; "
	       "grep -qw nfsd /proc/filesystems && grep -qw nfs4 /proc/filesystems"))
		FAIL("there is no NFS (scripts/vm --module nfsd --module nfsv4)");
	if (access(NFSD "/threads", F_OK))
		CHECK_SYS(mount("nfsd", NFSD, "nfsd", 0, NULL));
	tracks = !access(NFSD "/nfsv4recoverydir", F_OK);
	if (access(RECOVERY, F_OK))
		CHECK_SYS(mkdir(RECOVERY, 0700));
	/*
	 * Kernels without legacy client tracking track no clients here, so nobody can report that
	 * all of them are back: make the grace period as short as possible.
	 */
	if (tracks)
		file_write(NFSD "/nfsv4recoverydir", RECOVERY "\n");
	else
		file_write(NFSD "/nfsv4gracetime", "10\n");
	/* Version 3 would need a portmapper. */
	file_write(NFSD "/versions", "-3 +4 +4.1 +4.2\n");
	file_write(CACHES "auth.unix.ip/channel", "nfsd 127.0.0.1 " FOREVER " client\n");
	snprintf(line, sizeof(line), "client %s " FOREVER " %d 65534 65534 0\n", root,
		 EXPORT_FLAGS);
	file_write(CACHES "nfsd.export/channel", line);
	snprintf(line, sizeof(line), "client 1 \\x00000000 " FOREVER " %s\n", root);
	file_write(CACHES "nfsd.fh/channel", line);
	file_write(NFSD "/portlist", "tcp 2049\n");
	file_write(NFSD "/threads", "2\n");
	/* No client has anything to reclaim. */
	if (tracks)
		file_write(NFSD "/v4_end_grace", "Y\n");
	CHECK_SYS(mkdir(CLIENT_PATH, 0755));
	exported = root;
	return result(mount("127.0.0.1:/", CLIENT_PATH, "nfs4", 0,
			    "addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,port=2049,"
			    "lookupcache=none,noac"));
}

static int prepare(struct target *t)
{
	return exported ? 0 : nfs_serve(t->root);
}

void nfs_stop(void)
{
	if (!exported)
		return;
	CHECK_SYS(umount2(CLIENT_PATH, MNT_DETACH));
	CHECK_SYS(rmdir(CLIENT_PATH));
	file_write(NFSD "/threads", "0\n");
	file_write(CACHES "nfsd.fh/flush", FOREVER "\n");
	file_write(CACHES "nfsd.export/flush", FOREVER "\n");
	file_write(CACHES "auth.unix.ip/flush", FOREVER "\n");
	exported = NULL;
}

static const char *at_client(const struct target *t)
{
	static char path[256];

	snprintf(path, sizeof(path), CLIENT_PATH "%s", t->path + strlen(exported));
	return path;
}

/* A name next to the file, on the client. */
static const char *new_name(const struct target *t)
{
	static char path[260];

	snprintf(path, sizeof(path), "%s.new", at_client(t));
	return path;
}

/* A name that has no rule, on the client. */
static const char *elsewhere(const struct target *t, const char *name)
{
	return scratch(&(struct target){ .root = CLIENT_PATH, .number = t->number }, name);
}

static int open_client(struct target *t)
{
	return t->fd >= 0 ? t->fd : result(open(at_client(t), t->open_flags | O_CLOEXEC));
}

static int prepare_open(struct target *t)
{
	int err = prepare(t);

	if (err)
		return err;
	t->fd = open_client(t);
	return t->fd < 0 ? t->fd : 0;
}

/* Content */

static int run_read(struct target *t)
{
	return read_text(open_client(t));
}

static int run_write(struct target *t)
{
	int fd = open_client(t), err = overwrite_text(fd);

	return err ? err : result(fsync(fd));
}

static int run_truncate(struct target *t)
{
	return result(truncate(at_client(t), 10));
}

static int run_punch(struct target *t)
{
	int fd = open_client(t);

	if (fd < 0)
		return fd;
	return result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

/* The server copies. */
static int run_copy(struct target *t)
{
	int fd = open_client(t), copy;
	loff_t from = 0, to = 0;
	long size;

	if (fd < 0)
		return fd;
	copy = CHECK_SYS(open(elsewhere(t, "copy"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	size = result(copy_file_range(fd, &from, copy, &to, FILE_SIZE, 0));
	return size < 0 ? size : read_text(copy);
}

static int exec_client(void *t)
{
	return execl(at_client(t), "program", NULL);
}

static int run_exec(struct target *t)
{
	return run_program(exec_client, t);
}

/* Attributes */

static int run_chmod(struct target *t)
{
	return result(chmod(at_client(t), 0600));
}

static int run_chown(struct target *t)
{
	return result(chown(at_client(t), 1234, 1234));
}

static int run_utimensat(struct target *t)
{
	const struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

	return result(utimensat(AT_FDCWD, at_client(t), times, 0));
}

static int run_setxattr(struct target *t)
{
	return result(setxattr(at_client(t), "user.bypass", "value", 5, 0));
}

/* Everybody may read and write, as with nfs4_setfacl(1). */
static int run_set_acl(struct target *t)
{
	struct {
		__u32 entries, type, flags, mask, length;
		char who[12];
	} acl = { htonl(1), 0, 0, htonl(0x7), htonl(9), "EVERYONE@" };

	return result(setxattr(at_client(t), "system.nfs4_acl", &acl, sizeof(acl), 0));
}

static int prepare_xattr(struct target *t)
{
	int err = prepare(t);

	return err ? err : result(setxattr(t->path, "user.bypass", "value", 5, 0));
}

static int run_removexattr(struct target *t)
{
	return result(removexattr(at_client(t), "user.bypass"));
}

/* Names */

static int run_unlink(struct target *t)
{
	return result(unlink(at_client(t)));
}

static int run_rename(struct target *t)
{
	return result(rename(at_client(t), new_name(t)));
}

static int run_rename_over(struct target *t)
{
	scratch_file(t, "other", TEXT);
	return result(rename(elsewhere(t, "other"), at_client(t)));
}

static int run_link(struct target *t)
{
	return result(link(at_client(t), new_name(t)));
}

static int run_create(struct target *t)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/new", at_client(t));
	fd = result(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return fd < 0 ? fd : 0;
}

#define SERVED		.ways = BY(DIRECT), .filesystems = EXT4
#define PREPARED	SERVED, .prepare = prepare
#define A_NAME		.changes_directory = true

const struct attempt nfs_calls[] = {
	TRY("NFS: read", READ, run_read, PREPARED, .open_flags = O_RDONLY | O_DIRECT),
	TRY("NFS: read, opened before", READ, run_read, SERVED, .prepare = prepare_open,
	    .open_flags = O_RDONLY | O_DIRECT),
	TRY("NFS: copy_file_range(2) from it", READ, run_copy, PREPARED, .open_flags = O_RDONLY),
	/* With a write delegation, the client sets times in its cache before the server refuses. */
	TRY("NFS: write", WRITE | APPEND, run_write, PREPARED, .open_flags = O_WRONLY,
	    .sets_time = true),
	TRY("NFS: write, opened before", WRITE | APPEND, run_write, SERVED,
	    .prepare = prepare_open, .open_flags = O_WRONLY),
	TRY("NFS: write with O_DIRECT, opened before", WRITE | APPEND, run_write, SERVED,
	    .prepare = prepare_open, .open_flags = O_WRONLY | O_DIRECT),
	TRY("NFS: FALLOC_FL_PUNCH_HOLE, opened before", WRITE | APPEND, run_punch, SERVED,
	    .prepare = prepare_open, .open_flags = O_WRONLY),
	TRY("NFS: truncate", WRITE, run_truncate, PREPARED),
	TRY("NFS: chmod", ATTR, run_chmod, PREPARED),
	TRY("NFS: chown", ATTR, run_chown, PREPARED),
	TRY("NFS: utimensat", ATTR, run_utimensat, PREPARED),
	TRY("NFS: setxattr", ATTR, run_setxattr, PREPARED),
	TRY("NFS: removexattr", ATTR, run_removexattr, SERVED, .prepare = prepare_xattr),
	TRY("NFS: setting an access control list", ATTR, run_set_acl, PREPARED,
	    .why_not = "the server sets it without asking, where it changes nothing else"),
	TRY("NFS: unlink", DELETE, run_unlink, PREPARED, A_NAME),
	TRY("NFS: rename", RENAME, run_rename, PREPARED, A_NAME),
	TRY("NFS: rename over it", DELETE | RENAME, run_rename_over, PREPARED, A_NAME),
	TRY("NFS: link", LINK, run_link, PREPARED, A_NAME),
	TRY("NFS: open with O_CREAT in it", WRITE, run_create, PREPARED, .kind = DIRECTORY),
	TRY("NFS: execve by a client", EXEC, run_exec, PREPARED, .kind = PROGRAM,
	    .why_not = "to the server this is reading; deny read"),
	{ }
};
