// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the instructions that the inode map takes, next to those of maps that people use today.
 * This file prepares and runs the measurements; the files beside it make them. scripts/bench calls
 * the program.
 *
 * Runs as root in a virtual machine whose clock counts instructions (scripts/vm --icount). The
 * machine has one processor. Its time-stamp counter goes up by 1 with each instruction. While the
 * processor is idle, QEMU does not wait, and adds 1 for each nanosecond that it skips. Nothing
 * random comes from outside. Still, no two machines begin at exactly the same instruction, and a
 * small difference there changes where inodes and slabs are, and so which entries share a bucket.
 * The median of many operations does not depend on that, and is the same from run to run, to the
 * instruction. The mean includes collisions and the refills of slabs. It has a row of its own, and
 * differs by a fraction of a percent. (A repeated string instruction counts once for each
 * repetition, so clearing and copying look expensive.)
 *
 * What a figure is:
 *
 *   - Programs: a program makes the same operation 64 times (trees: 8), unrolled, between two reads
 *     of the clock (bench.bpf.c). It runs when we open a file, and looks up that file's inode. We
 *     open each file several times, and take the smallest number, so that no timer interrupt is in
 *     it. The figure is the median of up to 256 files, less what the clock costs. It includes the
 *     call: "empty" is the call of a function that has the arguments of bpf_inode_map_lookup() and
 *     does nothing. Hash maps hash without a random seed.
 *   - System calls: a series of 1,000 calls, each for a file of its own. A figure includes making
 *     the key: fstat() for the number of a file, while the inode map and inode storage have
 *     descriptors for keys. The best of several rounds counts, each with a new map. "Empty" is
 *     bpf(2) with a command that does not exist.
 *   - Figures of programs and of system calls include no later work: workers free replaced and
 *     deleted entries of all kinds of map, after grace periods. We have a real-time priority so
 *     that they don't preempt us. But a timer interrupt may be in the figure of a long series.
 *   - Memory: by how much the slab caches have grown (objects in use, times their size), and what
 *     our memory cgroup is charged beyond slabs (tables), for a map that is full.
 *   - Unmounts: umount(2) of a tmpfs, which has all its files in memory even without entries.
 *   - Ordinary use of files: the least of 100 calls.
 *
 * The files are on tmpfs, except where an inode has to be evicted (ext4). Maps are full, except the
 * LRU hash, which evicts entries before it is full: it has twice the room.
 *
 * Instructions don't show what processors cost each other. For that there are lookups, inserts
 * and deletes per second (--smp), in a machine without --icount. These vary from run to run as
 * times do.
 *
 * Prints CSV: table, row, column, value. Lines that begin with # show progress.
 */
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common.h"

#define MODULES		"/lib/modules/extra"

static void insmod(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(!syscall(SYS_finit_module, fd, "", 0));
	close(fd);
}

/* From here on, other tasks run only while we sleep. */
static void take_priority(void)
{
	struct sched_param param = { .sched_priority = 1 };

	write_to("/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
	/* Newer kernels have another server that gives other tasks a share. */
	if (!access("/sys/kernel/debug/sched/fair_server/cpu0/runtime", W_OK))
		write_to("/sys/kernel/debug/sched/fair_server/cpu0/runtime", "0\n");
	MUST(!sched_setscheduler(0, SCHED_FIFO, &param));
}

static void enter_cgroup(void)
{
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	MUST(!mkdir(CGROUP, 0755));
	write_to(CGROUP "/cgroup.procs", "0\n");
}

static void prepare(unsigned int most)
{
	struct rlimit limit = { 16384, 16384 };

	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	insmod(MODULES "/inode_map.ko");
	insmod(MODULES "/inode_map_bench.ko");
	enter_cgroup();
	files_mount(BASE);
	MUST(!mkdir(BASE "/in", 0755));
	MUST(!mkdir(BASE "/out", 0755));
	files_create(BASE "/in", most);
	files_create(BASE "/out", SAMPLES);
}

static void describe(void)
{
	struct utsname name;

	MUST(!uname(&name));
	printf("about,kernel,%s,\n", name.release);
}

static void bench(bool quick)
{
	unsigned int most = quick ? MEMORY_ENTRIES : 100000;

	prepare(most);
	take_priority();
	describe();
	say("programs");
	bench_miss();
	bench_get(1);
	bench_get(CALLS);
	bench_get(MEMORY_ENTRIES);
	if (most > MEMORY_ENTRIES)
		bench_get(most);
	bench_tree();
	bench_set();
	say("system calls");
	/* From here on the measurements make the maps. The skeleton stays for its types. */
	maps_make(1);
	close(maps[INODE_MAP]);
	bench_calls();
	bench_create();
	say("memory");
	bench_memory();
	bench_memory_pinned();
	say("filesystems");
	bench_unmount(1);
	bench_unmount(CALLS);
	bench_unmount(most);
	bench_ordinary();
	say("inode-guard");
	bench_guard();
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 10 * CALLS || value > 100000000)
		die("%s is not a number of entries", text);
	return value;
}

static void usage(FILE *file)
{
	fprintf(file, "Usage: bench [--quick] [--scale [--entries N] | --smp | --profile |\n"
		      "              --profile-guard | --day]\n\n"
		      "  --quick          at most 10,000 entries\n"
		      "  --scale          1,000,000 entries next to 1,000; with --quick 100,000\n"
		      "  --entries N      with --scale: N entries, at least 10,000\n"
		      "  --smp            lookups and changes per second on up to 4 of 5 CPUs;\n"
		      "                   boot with maxcpus=1\n"
		      "  --profile        the calls that scripts/profile traces\n"
		      "  --profile-guard  likewise, for what inode-guard costs\n"
		      "  --day            everyday work beside guards; with --quick less work\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "scale", no_argument, NULL, 'l' },
		{ "entries", required_argument, NULL, 'e' },
		{ "smp", no_argument, NULL, 's' },
		{ "profile", no_argument, NULL, 'p' },
		{ "profile-guard", no_argument, NULL, 'g' },
		{ "day", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	unsigned int entries = 0;
	bool quick = false;
	char what = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			quick = true;
			break;
		case 'e':
			entries = number(optarg);
			break;
		case 'l':
		case 's':
		case 'p':
		case 'g':
		case 'd':
			what = option;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (what == 's') {
		prepare(CALLS);
		bench_smp();
		bench_smp_calls();
	} else if (what == 'p' || what == 'g') {
		prepare(SAMPLES);
		take_priority();
		maps_make(1);
		close(maps[INODE_MAP]);
		profile(what == 'g');
	} else if (what == 'd') {
		prepare(1);
		describe();
		bench_day(quick);
	} else if (what == 'l') {
		prepare(1);
		take_priority();
		describe();
		bench_scale(entries ?: quick ? 100000 : 1000000);
	} else {
		bench(quick);
	}
	return 0;
}
