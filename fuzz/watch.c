// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog: a process that updates its own map of tiny values with its own file, and configures
 * the network, all the time. The other tasks must not hold it up.
 *
 * The machine is slow, and a single delay is its fault: the host does not run the process, or the
 * holder of a lock. So each round also measures a short sleep, and it is a violation only when
 * several rounds in a row take long in which the sleep does not.
 *
 * Thousands of maps that are freed at once hold up every task that wants rtnl, and the module can't
 * change that: the kernel frees each in a worker of its own that takes rtnl, up to 512 of them wait
 * in the queue for it, and a later task waits behind them. The module's part of that is small (of
 * 2.8 ms for a map on the debug kernel, emulated, 0.7 % of the samples; selftests/map/registry.c
 * checks that). So the limit grows by the time that such a queue takes, estimated from the time it
 * took to create the maps of the same program, one after the other, under the same lock on the same
 * machine at the same time: a busy host, a slow kernel and an emulator slow down both alike.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "fuzz.h"

/* How many rounds in a row that take longer than the limit are a violation. */
#define SLOW_ROUNDS	3
/* Rounds in which the sleep takes this much longer than it should don't count. */
#define COMPARISON	0.25

/* Workers that free maps at the same time: the kernel's WQ_MAX_ACTIVE. */
#define QUEUE_MAX	512
/* Freeing a map takes at most so many times as long as creating one: workers have to wake up. */
#define FREE_FACTOR	2

double watch_limit = 0.7;

static pid_t watchdog;

static double network(int fd, struct ifreq *request)
{
	double begin = now();

	request->ifr_mtu ^= 1;
	if (ioctl(fd, SIOCSIFMTU, request))
		violation("changing the MTU of lo: %s", strerror(errno));
	return now() - begin;
}

static void longest(double *of, double took)
{
	if (took > *of)
		*of = took;
}

/* How long a round may take now. */
static double limit(void)
{
	unsigned int crowd = __atomic_load_n(&shared->crowd, __ATOMIC_RELAXED);
	double created = __atomic_load_n(&shared->crowd_time, __ATOMIC_RELAXED) / 1e9;

	if (crowd > QUEUE_MAX)
		created *= (double)QUEUE_MAX / crowd;
	return watch_limit + FREE_FACTOR * created;
}

static void watch(int map, int file)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* inode_map_set_fd() would make the same key: without flags it does not take rtnl. */
	const struct inode_map_key key = { .fd = file };
	unsigned int slow = 0;
	double begin, slept, updated, configured;
	int err;

	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request))
		violation("the MTU of lo: %s", strerror(errno));
	for (__u64 value = 0;; value++) {
		begin = now();
		usleep(20000);
		slept = now() - begin - 0.02;
		begin = now();
		err = bpf_map_update_elem(map, &key, &value, BPF_ANY);
		updated = now() - begin;
		configured = network(fd, &request);
		if (!shared->watch)
			continue;
		if (err)
			violation("watchdog: an update of its own map: %s", strerror(-err));
		longest(&shared->longest_update, updated);
		longest(&shared->longest_network, configured);
		shared->rounds++;
		if (slept > COMPARISON || updated + configured < limit())
			slow = 0;
		else if (++slow == SLOW_ROUNDS)
			violation("watchdog: %u times in a row an update of its own map and \"ip link set lo mtu\" took more than %.1f s, at last %.2f s and %.2f s",
				  slow, limit(), updated, configured);
	}
}

/* Call once the module is loaded. The watchdog does not share the descriptors of the programs. */
void watch_begin(void)
{
	int map, file, pipes[2];
	char byte = 0;

	if (pipe2(pipes, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	watchdog = fork();
	if (watchdog < 0)
		die("fork: %s", strerror(errno));
	if (!watchdog) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		map = inode_map_create("watchdog", sizeof(__u64), 4);
		file = open(BASE "/watchdog", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (map < 0 || file < 0 || write(pipes[1], &byte, 1) != 1)
			violation("watchdog: map %d, file %d", map, file);
		watch(map, file);
	}
	if (read(pipes[0], &byte, 1) != 1)
		die("the watchdog does not begin");
	close(pipes[0]);
	close(pipes[1]);
	board->quiet[0] = watchdog;
}

void watch_pause(bool pause)
{
	__atomic_store_n(&shared->watch, !pause, __ATOMIC_SEQ_CST);
}

void watch_end(void)
{
	kill(watchdog, SIGKILL);
	waitpid(watchdog, NULL, 0);
}
