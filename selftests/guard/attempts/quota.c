// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A guarded file as a quota file: the kernel reads it, writes it and makes it immutable. Run by
 * ../bypass/.
 */
#include "bypass.h"

#include <linux/dqblk_xfs.h>
#include <linux/quota.h>

#define FORMAT_OLD	1	/* QFMT_VFS_OLD: any content is valid */
#define RECORD_SIZE	40
#define QUOTA_OF	100	/* sets this id's quota, which is in the file */

/* Make a node for the filesystem's device. */
static const char *device(const struct target *t)
{
	static char path[64];
	struct stat stat;

	CHECK_SYS(lstat(t->root, &stat));
	snprintf(path, sizeof(path), DIR_PATH "/quota-device-%d", t->number);
	CHECK_SYS(mknod(path, S_IFBLK | 0600, stat.st_dev));
	return path;
}

/* Such quotas need a mount option, which changes nothing by itself. */
static int prepare_quota(struct target *t)
{
	CHECK_SYS(truncate(t->path, FILE_SIZE / RECORD_SIZE * RECORD_SIZE));
	return result(mount(NULL, t->root, NULL, MS_REMOUNT, "usrquota"));
}

static int try_quota(struct target *t)
{
	struct if_dqblk limits = { .dqb_bhardlimit = 1000, .dqb_valid = QIF_BLIMITS };
	const char *path = device(t);
	int err;

	err = result(syscall(SYS_quotactl, QCMD(Q_QUOTAON, USRQUOTA), path, FORMAT_OLD, t->path));
	if (err)
		return err;
	err = result(syscall(SYS_quotactl, QCMD(Q_SETQUOTA, USRQUOTA), path, QUOTA_OF, &limits));
	CHECK_SYS(syscall(SYS_quotactl, QCMD(Q_QUOTAOFF, USRQUOTA), path, 0, NULL));
	return err;
}

const struct attempt quotas[] = {
	TRY("quotactl(2) with Q_QUOTAON", READ | WRITE, try_quota, .prepare = prepare_quota,
	    .ways = BY(DIRECT), .filesystems = EXT4),
	{ }
};
