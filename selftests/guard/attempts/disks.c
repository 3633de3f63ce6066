// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ways to a block device's data other than its nodes and block I/O: SCSI commands, stacked devices
 * (device mapper, md), and partitions. Run by ../bypass/.
 *
 * scsi_debug makes the disks: many, with the same text, because they share their data.
 */
#include "bypass.h"

#include <linux/blkpg.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/raid/md_p.h>
#include <linux/raid/md_u.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define SECTOR		512
#define SECTORS		(FILE_SIZE / SECTOR)
/* sda to sdz, two for each target. */
#define DISKS		26

static char buffer[FILE_SIZE] __attribute__((aligned(4096)));

/* The device number of a disk, and its name in @name; 0 if it is not there yet. */
static dev_t disk_number(unsigned int index, char name[32])
{
	char path[64], text[32];
	unsigned int major, minor;

	snprintf(name, 32, "sd%c", 'a' + index);
	snprintf(path, sizeof(path), "/sys/block/%s/dev", name);
	if (access(path, R_OK))
		return 0;
	CHECK(sscanf(file_read(path, text, sizeof(text)), "%u:%u", &major, &minor) == 2);
	return makedev(major, minor);
}

static bool all_are_there(void *arg)
{
	char name[32], node[64];

	(void)arg;
	for (unsigned int i = 0; i < DISKS; i++) {
		if (!disk_number(i, name))
			return false;
		snprintf(node, sizeof(node), "/dev/%s", name);
		if (access(node, R_OK))
			return false;
	}
	return true;
}

static const char *disks_are_missing(void)
{
	static bool tried, there;

	if (!tried) {
		tried = true;
		sh("modprobe -q sd_mod; "
		   "modprobe -q scsi_debug num_tgts=%d max_luns=2 dev_size_mb=8", DISKS / 2);
		there = !access("/sys/module/scsi_debug", F_OK) &&
			wait_until(all_are_there, NULL, 30);
		/* For each sector scsi_debug goes through the pages of the request anew. */
		sh("for queue in /sys/block/sd?/queue; do "
		   "echo 16 >$queue/max_sectors_kb 2>/dev/null; done");
	}
	return there ? NULL : "this kernel has no scsi_debug";
}

void make_disk(const char *path)
{
	static unsigned int next;
	char name[32], text[300];

	CHECK(next < DISKS);
	if (!next) {
		snprintf(text, sizeof(text), "%s.text", path);
		make_file(text, TEXT);
		CHECK_EQ(sh("dd if=%s of=/dev/sda bs=%d conv=fsync 2>/dev/null", text, FILE_SIZE),
			 0);
		CHECK_SYS(unlink(text));
	}
	CHECK_SYS(mknod(path, S_IFBLK | 0644, disk_number(next++, name)));
}

/* Commands */

/* READ(10) or WRITE(10) of the whole text. */
static int command(const struct target *t, unsigned char operation, int direction)
{
	unsigned char block[10] = { operation, [8] = SECTORS }, sense[32];
	sg_io_hdr_t io = {
		.interface_id = 'S', .dxfer_direction = direction, .cmd_len = sizeof(block),
		.mx_sb_len = sizeof(sense), .dxfer_len = FILE_SIZE, .dxferp = buffer, .cmdp = block,
		.sbp = sense, .timeout = 20000,
	};
	int fd = descriptor(t);

	if (fd < 0)
		return fd;
	if (ioctl(fd, SG_IO, &io))
		return -errno;
	return io.status || io.host_status || io.driver_status ? -EIO : 0;
}

static int try_command_read(struct target *t)
{
	int err = command(t, 0x28, SG_DXFER_FROM_DEV);

	return err ? err : judge_text(buffer, FILE_SIZE);
}

/* Write the text that is there already: all disks share it. */
static int try_command_write(struct target *t)
{
	int fd = file_open(scratch_file(t, "text", TEXT), O_RDONLY);

	CHECK_EQ(read(fd, buffer, FILE_SIZE), FILE_SIZE);
	close(fd);
	return command(t, 0x2a, SG_DXFER_TO_DEV);
}

static int try_partitions(struct target *t)
{
	int fd = descriptor(t);

	return fd < 0 ? fd : result(ioctl(fd, BLKRRPART));
}

/* Stacked devices */

static int read_node(const struct target *t, dev_t device)
{
	const char *path = scratch(t, "over");
	int fd, err;

	CHECK_SYS(mknod(path, S_IFBLK | 0600, device));
	fd = CHECK_SYS(open(path, O_RDONLY | O_DIRECT | O_CLOEXEC));
	err = read_text(fd);
	close(fd);
	CHECK_SYS(unlink(path));
	return err;
}

static int prepare_partition(struct target *t)
{
	struct blkpg_partition part = { .length = FILE_SIZE, .pno = 1 };
	struct blkpg_ioctl_arg add = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part,
	};
	int fd = file_open(t->path, O_RDONLY), err = result(ioctl(fd, BLKPG, &add));

	close(fd);
	return err;
}

static int run_partition(struct target *t)
{
	struct stat stat;

	CHECK_SYS(lstat(t->path, &stat));
	return read_node(t, stat.st_rdev + 1);
}

static int dm(const struct target *t, struct dm_ioctl *io, unsigned long request)
{
	static int control = -1;

	if (control < 0)
		control = file_open("/dev/mapper/control", O_RDWR);
	snprintf(io->name, sizeof(io->name), "bypass%d", t->number);
	io->version[0] = DM_VERSION_MAJOR;
	io->data_size = 1024;
	io->data_start = sizeof(*io);
	return result(ioctl(control, request, io));
}

static const char *dm_is_missing(void)
{
	sh("modprobe -q dm_mod");
	return access("/dev/mapper/control", F_OK) ? "this kernel has no device mapper" : NULL;
}

static int try_mapper(struct target *t)
{
	struct {
		struct dm_ioctl io;
		struct dm_target_spec target;
		char text[512];
	} table = {
		.io.target_count = 1, .target.length = SECTORS, .target.target_type = "linear",
	};
	union {
		struct dm_ioctl io;
		char room[1024];
	} device = {};
	struct stat stat;
	dev_t made;
	int err;

	CHECK_SYS(lstat(t->path, &stat));
	CHECK_SYS(dm(t, &device.io, DM_DEV_CREATE));
	made = device.io.dev;
	snprintf(table.text, sizeof(table.text), "%u:%u 0", major(stat.st_rdev),
		 minor(stat.st_rdev));
	err = dm(t, &table.io, DM_TABLE_LOAD);
	memset(&device, 0, sizeof(device));
	if (!err)
		err = dm(t, &device.io, DM_DEV_SUSPEND);
	if (!err)
		err = read_node(t, made);
	memset(&device, 0, sizeof(device));
	CHECK_SYS(dm(t, &device.io, DM_DEV_REMOVE));
	return err;
}

static const char *md_is_missing(void)
{
	return sh("modprobe -q raid0; grep -qsw raid0 /proc/mdstat") ?
	       "this kernel has no raid0" : NULL;
}

static int try_md(struct target *t)
{
	mdu_array_info_t array = {
		.raid_disks = 1, .nr_disks = 1, .not_persistent = 1, .chunk_size = 4096,
	};
	mdu_disk_info_t disk = { .state = 1 << MD_DISK_SYNC | 1 << MD_DISK_ACTIVE };
	const char *path = scratch(t, "md");
	dev_t device = makedev(MD_MAJOR, 32 + t->number % 200);
	struct stat stat;
	int fd, err;

	CHECK_SYS(lstat(t->path, &stat));
	disk.major = major(stat.st_rdev);
	disk.minor = minor(stat.st_rdev);
	CHECK_SYS(mknod(path, S_IFBLK | 0600, device));
	fd = CHECK_SYS(open(path, O_RDWR | O_CLOEXEC));
	CHECK_SYS(ioctl(fd, SET_ARRAY_INFO, &array));
	err = result(ioctl(fd, ADD_NEW_DISK, &disk));
	if (!err)
		err = result(ioctl(fd, RUN_ARRAY, NULL));
	if (!err)
		err = read_node(t, device);
	CHECK_SYS(ioctl(fd, STOP_ARRAY, NULL));
	close(fd);
	return err;
}

#define BY_FD(flags)	.open_flags = (flags), .by_descriptor = true
#define A_DISK		.kind = DISK, .filesystems = TMPFS, .ways = BY(DIRECT), \
			.missing = disks_are_missing
#define A_BLOCK		.kind = BLOCK, .filesystems = TMPFS, .ways = BY(DIRECT)
#define OVER_WHY \
	"the kernel opens the device by its number and asks nobody; only root can have it do so"

const struct attempt disks[] = {
	TRY("SG_IO, to read", READ | WRITE, try_command_read, A_DISK, BY_FD(O_RDWR),
	    .unchanged = true),
	TRY("SG_IO, to write", READ | WRITE, try_command_write, A_DISK, BY_FD(O_RDWR),
	    .unchanged = true),
	TRY("BLKRRPART", WRITE, try_partitions, A_DISK, BY_FD(O_RDONLY), .unchanged = true),
	TRY("a partition of it", READ, run_partition, A_DISK, .prepare = prepare_partition,
	    .why_not = "it is a device of its own, as is the disk that a partition is on; make a "
		"rule for both"),
	TRY("a device of the device mapper over it", READ, try_mapper, A_BLOCK,
	    .missing = dm_is_missing, .why_not = OVER_WHY),
	TRY("a device of md over it", READ, try_md, A_BLOCK, .missing = md_is_missing,
	    .why_not = OVER_WHY),
	{ }
};
