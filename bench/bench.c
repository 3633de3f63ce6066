// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the inode map costs, next to what people use today, in instructions.
 *
 * Runs as root in a virtual machine whose clock counts instructions (scripts/vm --icount): there is
 * one processor, its time-stamp counter goes up by 1 with every instruction, idle time is skipped,
 * and nothing random comes from outside. Still two machines do not begin at the same moment, by
 * some instructions, and what the kernel makes of it is not the same: where inodes and slabs are,
 * and so which entries share a bucket. A typical operation does not depend on it: what counts is
 * the median of many, which agrees from run to run to the instruction. Their mean, with the
 * collisions and the refills of slabs, is a row of its own, and differs by a fraction of a percent.
 * (A repeated string instruction counts once for every repetition: clearing and copying looks
 * expensive.)
 *
 * What a figure is:
 *
 *   - Of programs: a program makes the same operation 64 times over (trees: 8), unrolled, between
 *     two looks at the clock (bench.bpf.c). It runs when we open a file whose inode is what it
 *     looks up. Each file is opened several times and the smallest number counts, so that no timer
 *     interrupt is in it; the figure is of up to 256 files, less what the clock costs. The call is
 *     in it: "empty" is the call of a function that has the arguments of bpf_inode_map_lookup() and
 *     does nothing. Hash maps hash without a random seed.
 *   - Of system calls: of 1,000 calls one after the other, each for a file of its own, with what it
 *     takes to make the key: fstat() for the number of a file; the inode map and inode storage have
 *     descriptors for keys. Likewise the best of several rounds, each with a new map. "Empty" is
 *     bpf(2) with a command that does not exist.
 *   - No figure includes later work: workers and grace periods, which free replaced and deleted
 *     entries of all kinds of map. We have a real-time priority so that they don't preempt us, but
 *     a timer interrupt may be in the figure of a long series.
 *   - Memory: what the slab caches have more than before, objects in use times their size, and what
 *     our memory cgroup was charged beyond slabs (tables), for a map that is full.
 *   - Unmounts: umount(2) of a tmpfs, in which all files are in memory in either case.
 *   - Ordinary use: the least of 100 calls.
 *
 * The files are in tmpfs, except where an inode has to be evicted (ext4). Maps have as many
 * entries as they have room for; but the LRU hash, which would forget some, has twice the room.
 *
 * What can't be counted is what processors cost each other: for that there are lookups per second
 * (--smp), without -icount, which agree from run to run as well as such things do.
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

/* No other task runs unless we sleep. */
static void take_priority(void)
{
	struct sched_param param = { .sched_priority = 1 };

	write_to("/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
	/* Newer kernels let the others have their share all the same. */
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
	tmpfs_mount(BASE);
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
	/* The maps of the skeleton are not used from here on; its types are. */
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
	fprintf(file, "Usage: bench [--quick | --scale | --smp | --profile | --day]\n\n"
		      "  --quick  at most 10,000 entries\n"
		      "  --scale  1,000,000 entries next to 1,000 (100,000 with --quick)\n"
		      "  --entries N  or so many\n"
		      "  --smp    lookups per second, on 2 processors of 3; boot with maxcpus=1\n"
		      "  --profile  what scripts/profile looks at\n"
		      "  --profile-guard  likewise of what inode-guard costs\n"
		      "  --day    what a user feels; with --quick of less\n");
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
