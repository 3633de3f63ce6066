// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Rules for devices: through any node, when a filesystem on the device is mounted, and when the
 * device goes and comes back.
 */
#include "steps.h"

#include <sys/syscall.h>

static char node[32];

/* Attach a loop device with a filesystem. */
static void attach_image(void)
{
	CHECK_EQ(sh("modprobe loop 2>/dev/null; truncate -s 8M image && mkfs.ext4 -q image && "
		    "losetup --find --show image >node"), 0);
	snprintf(node, sizeof(node), "%s", get_file("node"));
	node[strcspn(node, "\n")] = '\0';
}

static int mount_node(const char *dir, unsigned long flags)
{
	int err = mount(node, dir, "ext4", flags, NULL) ? errno : 0;

	if (!err)
		CHECK_SYS(umount(dir));
	return err;
}

/* Mount with the system calls that newer versions of mount(8) use. */
static int mount_by_context(bool read_only)
{
	int context = CHECK_SYS(syscall(SYS_fsopen, "ext4", 0)), fd, err;

	CHECK_SYS(syscall(SYS_fsconfig, context, 1, "source", node, 0));
	if (read_only)
		CHECK_SYS(syscall(SYS_fsconfig, context, 0, "ro", NULL, 0));
	fd = syscall(SYS_fsconfig, context, 6, NULL, NULL, 0);
	if (!fd)
		fd = syscall(SYS_fsmount, context, 0, 0);
	err = fd < 0 ? errno : 0;
	if (!err)
		close(fd);
	close(context);
	return err;
}

STEP(device_mounted)
{
	attach_image();
	CHECK_SYS(mkdir("m", 0755));
	ALLOWED(mount_node("m", 0));
	QUIET("deny", "--ops", "write", node);
	DENIED(mount_node("m", 0));
	DENIED(mount_by_context(false));
	ALLOWED(mount_node("m", MS_RDONLY));
	ALLOWED(mount_by_context(true));
	QUIET("deny", "--ops", "read", node);
	DENIED(mount_node("m", MS_RDONLY));
	DENIED(mount_by_context(true));
	SAYS("list");
	MATCHES(" read=2,write=[0-9]+ ");
	/* Other filesystems, which need no device, can be mounted. */
	ALLOWED(mount("none", "m", "tmpfs", 0, NULL) ? errno : 0);
	CHECK_SYS(umount("m"));
	QUIET("remove", node);
	ALLOWED(mount_node("m", 0));
	CHECK_EQ(sh("losetup --detach %s", node), 0);
}

static int remount(unsigned long flags)
{
	return mount(NULL, "m", NULL, MS_REMOUNT | flags, NULL) ? errno : 0;
}

static int make_writable_by_context(void)
{
	int context = CHECK_SYS(syscall(SYS_fspick, AT_FDCWD, "m", 0)), err;

	CHECK_SYS(syscall(SYS_fsconfig, context, 0, "rw", NULL, 0));
	err = syscall(SYS_fsconfig, context, 7, NULL, NULL, 0) ? errno : 0;
	close(context);
	return err;
}

STEP(device_made_writable)
{
	attach_image();
	CHECK_SYS(mkdir("m", 0755));
	CHECK_SYS(mount(node, "m", "ext4", MS_RDONLY, NULL));
	ALLOWED(remount(0));
	ALLOWED(remount(MS_RDONLY));
	ALLOWED(make_writable_by_context());
	ALLOWED(remount(MS_RDONLY));
	QUIET("deny", "--ops", "write", node);
	DENIED(remount(0));
	DENIED(make_writable_by_context());
	SAYS("list");
	MATCHES(" write=2 ");
	QUIET("remove", node);
	ALLOWED(remount(0));
	QUIET("deny", "--ops", "write", node);
	/* A filesystem that is writable already can be remounted, also read-only. */
	ALLOWED(remount(MS_NOATIME));
	ALLOWED(remount(MS_RDONLY));
	QUIET("remove", node);
	CHECK_SYS(umount("m"));
	CHECK_EQ(sh("losetup --detach %s", node), 0);
}

static int alias_read(void)
{
	struct stat stat;
	int err;

	CHECK_SYS(lstat(node, &stat));
	CHECK_SYS(mknod("alias", S_IFBLK | 0600, stat.st_rdev));
	err = try_read("alias");
	CHECK_SYS(unlink("alias"));
	return err;
}

/* A rule for a device holds for all its nodes without rules of their own, until it is removed. */
STEP(device_nodes)
{
	attach_image();
	ALLOWED(alias_read());
	QUIET("deny", "--ops", "read", node);
	DENIED(alias_read());
	CHECK_EQ(sh("cp -a %s second", node), 0);
	QUIET("deny", "--ops", "write", "second");
	DENIED(try_read(node));
	DENIED(try_read("second"));
	DENIED(try_write("second"));
	DENIED(alias_read());
	/* Of two rules for the same operation, the newer one decides. */
	QUIET("allow", "--ops", "read", "second");
	ALLOWED(alias_read());
	QUIET("remove", "second");
	DENIED(alias_read());
	/* Operations on the node itself do not concern the device. */
	QUIET("deny", node);
	CHECK_EQ(sh("cp -a %s third && chmod 600 third && mv third fourth && rm fourth", node), 0);
	QUIET("remove", node);
	ALLOWED(alias_read());
	QUIET("deny", "--inode", "--ops", "read", node);
	DENIED(alias_read());
	QUIET("deny", "--audit", "--ops", "read", node);
	ALLOWED(alias_read());
	QUIET("allow", "--only-for", "/usr/bin/dash", "--ops", "read", node);
	DENIED(alias_read());
	CHECK_EQ(sh("cp -a %s fifth && dash -c 'read -r x <fifth; :'", node), 0);
	QUIET("remove", node);
	CHECK_EQ(sh("losetup --detach %s", node), 0);
}

static bool file_is_there(void *path)
{
	return !access(path, F_OK);
}

/* The kernel can make and remove the nodes in /dev, whatever their rules deny. */
STEP(device_comes_again)
{
	if (sh("grep -qs '^loop ' /proc/modules")) {
		printf("# not tried: loop is no module of this kernel\n");
		return;
	}
	CHECK_EQ(sh("losetup --detach-all; rmmod loop && modprobe loop && test -b /dev/loop0"), 0);
	strcpy(node, "/dev/loop0");
	QUIET("deny", node);
	DENIED(try_read(node));
	CHECK_EQ(sh("rmmod loop && ! test -e %s && modprobe loop", node), 0);
	CHECK(wait_until(file_is_there, node, 10));
	DENIED(try_read(node));
	DENIED(alias_read());
	CHECK_EQ(unlink(node) ? errno : 0, EPERM);
	SAYS("list");
	MATCHES("^active .* /dev/loop0$");
	/* It does not count as a hit either. */
	HAS_NOT("write=");
}
