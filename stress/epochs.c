// SPDX-License-Identifier: GPL-2.0-only
/*
 * Epochs, run by the supervisor: it loads the module, makes the maps, attaches the programs, and
 * undoes all of it, after which everything must be accounted for.
 */
#include <sys/syscall.h>

#include "change.skel.h"
#include "stress.skel.h"
#include "tasks.h"

static struct stress *programs;
static struct change *changers;
double attach_seconds;

static void insmod(void)
{
	double end = now() + SETTLE_SECONDS;
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	/* An rmmod of the last epoch may still be running. */
	while (syscall(SYS_finit_module, fd, "", 0)) {
		MUST((errno == EBUSY || errno == EEXIST) && now() < end);
		supervise();
		msleep(5);
	}
	close(fd);
	did(INSMOD);
}

/* Insertions that were seen, minus removals. */
static long long balance(void)
{
	return board->runs[IN_INSERT] - board->runs[IN_REMOVE];
}

/* The balance before the epoch. It may change between epochs: one program is detached first. */
static long long old_balance;

static void programs_attach(void)
{
	old_balance = balance();
	programs = stress__open();
	MUST(programs);
	MUST(!bpf_map__reuse_fd(programs->maps.board, board_fd));
	MUST(!stress__load(programs));
	MUST(!stress__attach(programs));
	changers = change__open();
	MUST(changers);
	MUST(!bpf_map__reuse_fd(changers->maps.board, board_fd));
	MUST(!change__load(changers));
	MUST(!change__attach(changers));
}

static void programs_detach(void)
{
	change__destroy(changers);
	changers = NULL;
	stress__destroy(programs);
	programs = NULL;
}

static void makers_idle(void)
{
	double end = now() + SETTLE_SECONDS;

	for (unsigned int i = 1; i < TASKS_MAX; i++)
		while (tasks[i].pid && tasks[i].kind->run == map_maker &&
		       __atomic_load_n(&shared->idle[i], __ATOMIC_SEQ_CST) != shared->epoch) {
			MUST(now() < end);
			supervise();
			msleep(1);
		}
}

void epoch_begin(void)
{
	static const struct map wanted[NR_MAPS] = {
		[FREE4]	 = { -1, 0, 4, 50 },
		[FREE32] = { -1, 0, 32, 150 },
		[OWN4]	 = { -1, 0, 4, 1000 },
		[OWN32]	 = { -1, 0, 32, 1000 },
	};

	double before;

	__atomic_add_fetch(&shared->epoch, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->phase, LOADING, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->stop_epoch, false, __ATOMIC_SEQ_CST);
	makers_idle();
	insmod();
	for (unsigned int i = 0; i < NR_MAPS; i++) {
		/* An rmmod from before the epoch may remove the module before the first map. */
		while (try_map(&maps[i], wanted[i].key_size, wanted[i].max_entries)) {
			MUST(!i);
			insmod();
		}
		board->maps[i] = maps[i].id;
	}
	before = now();
	programs_attach();
	attach_seconds += now() - before;
	__atomic_store_n(&shared->phase, RUNNING, __ATOMIC_SEQ_CST);
	tasks_start(true);
}

static void maps_close(void)
{
	for (unsigned int i = 0; i < NR_MAPS; i++) {
		board->maps[i] = 0;
		MUST(!close(maps[i].fd));
	}
}

static void unload(void)
{
	double end = now() + SETTLE_SECONDS;

	while (syscall(SYS_delete_module, "inode_map", O_NONBLOCK)) {
		/* The task that tries rmmod may have been faster. */
		if (errno == ENOENT)
			return;
		MUST((errno == EAGAIN || errno == EBUSY) && now() < end);
		supervise();
		msleep(2);
	}
	did(RMMOD);
}

void epoch_end(void)
{
	tasks_end(true);
	__atomic_store_n(&shared->phase, UNLOADING, __ATOMIC_SEQ_CST);
	if (one_in(2)) {
		programs_detach();
		maps_close();
	} else {
		maps_close();
		msleep(below(100));
		programs_detach();
	}
	unload();
}

static bool counters_are_zero(char head[128])
{
	/* What is behind it may not be: requests that were lost. */
	static const char zero[] = "maps 0 entries 0 addons 0 pinned 0 requests 0 ";
	FILE *file = fopen("/proc/inode_map", "r");

	MUST(file && fgets(head, 128, file));
	fclose(file);
	head[strcspn(head, "\n")] = 0;
	return !strncmp(head, zero, strlen(zero));
}

/* The end of the last epoch: no task is left, so that everything can be accounted for. */
void last_epoch_end(void)
{
	double end = now() + SETTLE_SECONDS;
	char head[128];

	tasks_end(true);
	tasks_end(false);
	__atomic_store_n(&shared->phase, UNLOADING, __ATOMIC_SEQ_CST);
	maps_close();
	while (!counters_are_zero(head)) {
		if (now() > end)
			violation("counters at the end: %s", head);
		msleep(20);
	}
	check_board();
	if (balance() != old_balance)
		violation("%lld more entries were inserted than removed", balance() - old_balance);
	programs_detach();
	unload();
}
