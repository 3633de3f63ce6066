// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls on files of all kinds, on mounts, and on the tasks themselves. Nothing checks whether they
 * succeed, except where success would be a violation.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "fuzz.h"

#define PATH_SIZE	64

static void path_of(char path[PATH_SIZE], __u32 place, __u32 name)
{
	snprintf(path, PATH_SIZE, "%s/n%u", place_paths[place], name);
}

/* Put a descriptor, or -1, into a slot, and close the descriptor that was there. */
static void file_put(__u32 slot, int fd)
{
	int old = __atomic_exchange_n(&shared->files[slot], fresh_fd(fd), __ATOMIC_SEQ_CST);

	if (old >= 0)
		close(old);
}

static void call_open(const __u32 *args)
{
	static const int flags[] = {
		O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_PATH, O_RDONLY, O_PATH | O_NOFOLLOW
	};
	char path[PATH_SIZE];
	int fd;

	path_of(path, args[1], args[2]);
	if (args[3] == 5)
		fd = open(place_paths[args[1]], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	else if (args[3] == 6)
		fd = open(place_paths[args[1]], O_PATH | O_CLOEXEC);
	else
		fd = open(path, flags[args[3]] | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0 && errno == EROFS)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		file_put(args[0], fd);
}

static int ended_process(void)
{
	pid_t pid = fork();
	int fd;

	if (!pid)
		_exit(0);
	fd = syscall(SYS_pidfd_open, pid, 0);
	syscall(SYS_wait4, pid, NULL, 0, NULL);
	return fd;
}

static int new_namespace(void)
{
	int fd;

	if (unshare(CLONE_NEWUTS))
		return -1;
	fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	return fd;
}

enum kind {
	PIPE, SOCKET, SOCKETPAIR, MEMFD, EVENTFD, NS_OWN, NS_NEW, PIDFD, PIDFD_ENDED, PROC_SELF,
	PROC_FILE, BPF_MAP, DEVICE, SYSFS, DEBUGFS, TRACE_EVENT, TRACE_DIR, LOWER, SUBVOLUME,
	NR_KINDS
};

/* In an overlay: a file that is opened for reading stays in the lower layer. */
#define LOWER_FILE	BASE "/overlay/low"
#define SUBVOLUME_PATH	BASE "/btrfs/subvolume"
#define TRACEFS		"/sys/kernel/tracing"
#define PROBE_DIR	TRACEFS "/events/fuzz/probe"

static void call_make(const __u32 *args)
{
	int fds[2] = { -1, -1 };
	char path[PATH_SIZE];

	switch ((enum kind)args[1]) {
	case PIPE:
		if (pipe2(fds, O_CLOEXEC))
			return;
		break;
	case SOCKET:
		fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		break;
	case SOCKETPAIR:
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
			return;
		break;
	case MEMFD:
		fds[0] = memfd_create("fuzz", MFD_CLOEXEC);
		break;
	case EVENTFD:
		fds[0] = eventfd(0, EFD_CLOEXEC);
		break;
	case NS_OWN:
		fds[0] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		break;
	case NS_NEW:
		fds[0] = new_namespace();
		break;
	case PIDFD:
		fds[0] = syscall(SYS_pidfd_open, getpid(), 0);
		break;
	case PIDFD_ENDED:
		fds[0] = ended_process();
		break;
	case PROC_SELF:
		snprintf(path, sizeof(path), "/proc/%d/status", getpid());
		fds[0] = open(path, O_RDONLY | O_CLOEXEC);
		break;
	case PROC_FILE:
		fds[0] = open("/proc/meminfo", O_PATH | O_CLOEXEC);
		break;
	case BPF_MAP:
		fds[0] = dup(shared->maps[0].fd);
		break;
	case DEVICE:
		fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	case SYSFS:
		fds[0] = open("/sys/kernel/vmcoreinfo", O_PATH | O_CLOEXEC);
		break;
	case DEBUGFS:
		fds[0] = open("/sys/kernel/debug", O_PATH | O_CLOEXEC);
		break;
	case TRACE_EVENT:
		fds[0] = open(PROBE_DIR "/id", O_RDONLY | O_CLOEXEC);
		break;
	case TRACE_DIR:
		fds[0] = open(PROBE_DIR, O_RDONLY | O_CLOEXEC);
		break;
	case LOWER:
		fds[0] = open(LOWER_FILE, O_RDONLY | O_CLOEXEC);
		break;
	case SUBVOLUME:
		fds[0] = open(SUBVOLUME_PATH "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		break;
	case NR_KINDS:
		break;
	}
	if (fds[1] >= 0)
		close(fds[1]);
	if (fds[0] >= 0)
		file_put(args[0], fds[0]);
}

static void call_close(const __u32 *args)
{
	file_put(args[0], -1);
}

static void call_write(const __u32 *args)
{
	int fd = shared->files[args[0]];

	if (fd >= 0 && pwrite(fd, "text", 4, 0) < 0)
		return;
}

static void call_unlink(const __u32 *args)
{
	char path[PATH_SIZE];

	path_of(path, args[0], args[1]);
	unlink(path);
}

static void call_mkdir(const __u32 *args)
{
	char path[PATH_SIZE];

	path_of(path, args[0], args[1]);
	if (args[2])
		rmdir(path);
	else
		mkdir(path, 0755);
}

static void call_link(const __u32 *args)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	path_of(from, args[0], args[1]);
	path_of(to, args[0], args[2]);
	if (args[3])
		symlink(from, to);
	else
		link(from, to);
}

/* Give a file without a name one. */
static void call_link_fd(const __u32 *args)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", shared->files[args[0]]);
	path_of(to, args[1], args[2]);
	linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

static void call_rename(const __u32 *args)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	path_of(from, args[0], args[1]);
	path_of(to, args[0], args[2]);
	rename(from, to);
}

static void call_mount(const __u32 *args)
{
	(void)args;
	if (!__atomic_exchange_n(&shared->volatile_is_mounted, true, __ATOMIC_SEQ_CST))
		place_mount();
}

static void call_umount(const __u32 *args)
{
	place_umount(args[0]);
	__atomic_store_n(&shared->volatile_is_mounted, false, __ATOMIC_SEQ_CST);
}

/* Make or remove the directory of a trace event: its files exist as long as the event. */
static void call_trace_event(const __u32 *args)
{
	write_to(TRACEFS "/kprobe_events", args[0] ? "-:fuzz/probe\n" : "p:fuzz/probe vfs_fsync\n");
}

/* Its inodes go when btrfs has cleaned up a removed subvolume, or when their last user is gone. */
static void call_subvolume(const __u32 *args)
{
	struct btrfs_ioctl_vol_args subvolume = { .name = "subvolume" };
	int fd = open(BASE "/btrfs", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, args[0] ? BTRFS_IOC_SNAP_DESTROY : BTRFS_IOC_SUBVOL_CREATE, &subvolume);
	close(fd);
}

static void call_drop(const __u32 *args)
{
	write_to("/proc/sys/vm/drop_caches", args[0] ? "3" : "2");
}

/*
 * Release many inodes that are in a map while evicting them blocks: inodes of an overlay that hold
 * the last references to files of a frozen filesystem. The supervisor thaws it in the end.
 */
static void call_hang(const __u32 *args)
{
	static const unsigned int sizes[] = { 2, 20, 150, 400 };
	unsigned int size = sizes[args[0]];
	char path[PATH_SIZE];
	int map, fd;

	if (shared->frozen)
		return;
	shared->many = true;
	map = inode_map_create("hang", sizeof(struct fuzz_value), size);
	if (map < 0)
		return;
	for (unsigned int i = 0; i < size && !shared->stop; i++) {
		struct fuzz_value value = { .any = 1 };

		snprintf(path, sizeof(path), BASE "/hang/%u", i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			break;
		inode_map_set_fd(map, fd, &value, BPF_ANY, 0);
		close(fd);
		snprintf(path, sizeof(path), BASE "/hang-base/upper/%u", i);
		unlink(path);
	}
	write_to("/proc/sys/vm/drop_caches", "2");
	if (!shared->stop)
		place_freeze();
	close(map);
}

static void call_kill(const __u32 *args)
{
	if (args[0] == task_number)
		return;
	shared->dies[args[0]] = true;
	kill(shared->tasks[args[0]], SIGKILL);
}

static void call_pause(const __u32 *args)
{
	static const unsigned int times[] = { 0, 100, 3000, 100000 };

	if (times[args[0]])
		usleep(times[args[0]]);
	else
		sched_yield();
}

/* How long a task waits for the others. */
#define MEETING_SECONDS	0.05

/*
 * Wait until every other task that has meetings in its calls has come to as many: what they do
 * next they do at the same time. Don't wait long for a task that is late or dead.
 */
static void call_meet(const __u32 *args)
{
	unsigned int turn = __atomic_add_fetch(&shared->met[task_number], 1, __ATOMIC_SEQ_CST);
	double end = now() + MEETING_SECONDS;

	(void)args;
	for (unsigned int i = 0; i < FUZZ_TASKS; i++)
		while (shared->meets[i] &&
		       __atomic_load_n(&shared->running[i], __ATOMIC_SEQ_CST) &&
		       __atomic_load_n(&shared->met[i], __ATOMIC_SEQ_CST) < turn &&
		       !shared->stop && now() < end)
			sched_yield();
}

/* Put the task into a cgroup until the program ends, or take it out. */
static void confine(const char *cgroup)
{
	shared->confined[task_number] = true;
	enter_cgroup(cgroup);
}

/* Give the task a fraction of a processor, or all of it again. */
static void call_throttle(const __u32 *args)
{
	confine(args[0] ? CGROUP_ROOT : CGROUP);
}

/*
 * Give the task little memory, for itself and for its maps: the kernel charges their creator. The
 * kernel may kill the task for that.
 */
static void call_starve(const __u32 *args)
{
	shared->starved[task_number] = true;
	confine(args[0] ? CGROUP_ROOT : STARVED);
}

/* Make one of the allocations in the task's next call on a map fail. */
static void call_fail(const __u32 *args)
{
	fail_next(1 + args[0]);
}

/* The device must keep its name, which programs and tools look for. */
static void call_rename_device(const __u32 *args)
{
	struct ifreq request = { .ifr_name = INODE_MAP_DEVICE, .ifr_newname = "other" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)args;
	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCSIFNAME, &request))
		violation("the device has been renamed");
	request.ifr_flags = IFF_UP;
	if (!ioctl(fd, SIOCSIFFLAGS, &request))
		violation("the device is up");
	close(fd);
}

static void call_nice(const __u32 *args)
{
	setpriority(PRIO_PROCESS, 0, args[0] ? 19 : 0);
}

static void call_cpu(const __u32 *args)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(args[0], &cpus);
	if (args[0] == 2)
		CPU_SET(0, &cpus), CPU_SET(1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* Unloading the module must fail: the watchdog has a map. */
static void call_rmmod(const __u32 *args)
{
	(void)args;
	if (!syscall(SYS_delete_module, "inode_map", O_NONBLOCK))
		violation("rmmod succeeded, though there are maps");
}

const struct call_type file_calls[] = {
	{ "open", call_open, { FILE_SLOT, PLACE, NAME, NUMBER }, { 0, 0, 0, 7 }, 16, REMOVES },
	{ "make", call_make, { FILE_SLOT, NUMBER }, { 0, NR_KINDS }, 10, REMOVES },
	{ "close", call_close, { FILE_SLOT }, { 0 }, 6, REMOVES },
	{ "write", call_write, { FILE_SLOT }, { 0 }, 1, 0 },
	{ "unlink", call_unlink, { PLACE, NAME }, { 0 }, 6, REMOVES },
	{ "mkdir", call_mkdir, { PLACE, NAME, NUMBER }, { 0, 0, 2 }, 2, REMOVES },
	{ "link", call_link, { PLACE, NAME, NAME, NUMBER }, { 0, 0, 0, 2 }, 3, 0 },
	{ "link_fd", call_link_fd, { FILE_SLOT, PLACE, NAME }, { 0 }, 1, 0 },
	{ "rename", call_rename, { PLACE, NAME, NAME }, { 0 }, 3, REMOVES },
	{ "mount", call_mount, { NO_ARG }, { 0 }, 2, REMOVES },
	{ "umount", call_umount, { NUMBER }, { 2 }, 2, REMOVES },
	{ "trace_event", call_trace_event, { NUMBER }, { 2 }, 1, REMOVES },
	{ "subvolume", call_subvolume, { NUMBER }, { 2 }, 1, REMOVES },
	{ "drop", call_drop, { NUMBER }, { 2 }, 1, REMOVES },
	{ "hang", call_hang, { NUMBER }, { 4 }, 1, 0 },
	{ "kill", call_kill, { NUMBER }, { FUZZ_TASKS }, 1, REMOVES },
	{ "pause", call_pause, { NUMBER }, { 4 }, 3, 0 },
	{ "meet", call_meet, { NO_ARG }, { 0 }, 3, MEETS },
	{ "throttle", call_throttle, { NUMBER }, { 2 }, 1, 0 },
	{ "starve", call_starve, { NUMBER }, { 2 }, 1, 0 },
	{ "fail", call_fail, { NUMBER }, { 24 }, 4, 0 },
	{ "rename_device", call_rename_device, { NO_ARG }, { 0 }, 1, 0 },
	{ "nice", call_nice, { NUMBER }, { 2 }, 1, 0 },
	{ "cpu", call_cpu, { NUMBER }, { 3 }, 1, 0 },
	{ "rmmod", call_rmmod, { NO_ARG }, { 0 }, 1, 0 },
};

const unsigned int nr_file_calls = NR(file_calls);
