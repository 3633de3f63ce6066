// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees whose directories are moved all the time, by another processor: each answer was true at a
 * single moment, and a program that may wait for renames always gets one. This requires emulated
 * processors to run at the same time rather than in turns: see scripts/test.
 */
#include "harness.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "tree/tree.h"
#include "selftests/programs/tree/tree.skel.h"
#include "tree/tree_looks.h"

/*
 * At every moment "n" is in one of two trees, each at its own distance: at the end of a chain of
 * directories below "a/m", or directly in "b". While "n" is out of the chain, "m" moves to a place
 * outside of both trees, or into the other tree. A reader that climbs the chain while first "n" and
 * then "m" leaves would arrive where "n" never was.
 */
#define CHAIN		1900
/* Steps from "n/f": "n", the chain, "m", "a". */
#define IN_CHAIN	(CHAIN + 3)

struct mover {
	int top;
	int chain;
	unsigned int flags;
	volatile bool *stop;
};

/* Readers and mover run on different processors. */
static void use_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		SKIP("there is no processor %u", cpu);
}

static void move(const struct mover *mover, int from, const char *name, int to, const char *other)
{
	CHECK_SYS(renameat2(from, name, to, other, mover->flags));
}

static void keep_moving(void *arg)
{
	static const char *const elsewhere[] = { "free/m", "b/m" };
	struct mover *mover = arg;

	use_cpu(1);
	while (!*mover->stop) {
		/* Stay in each place for as long as in the other. */
		for (unsigned int i = 0; i < 2; i++) {
			CHECK_SYS(rename("free/x", "free/y"));
			CHECK_SYS(rename("free/y", "free/x"));
		}
		move(mover, mover->chain, "n", mover->top, "b/n");
		for (unsigned int i = 0; i < 2; i++) {
			move(mover, mover->top, "a/m", mover->top, elsewhere[i]);
			move(mover, mover->top, elsewhere[i], mover->top, "a/m");
		}
		move(mover, mover->top, "b/n", mover->chain, "n");
	}
}

/* Unrelated renames in another filesystem. */
static void keep_renaming(void *arg)
{
	struct mover *mover = arg;

	while (!*mover->stop) {
		CHECK_SYS(rename("other/x", "other/y"));
		CHECK_SYS(rename("other/y", "other/x"));
	}
}

static bool in_either_tree(int distance, __u64 number)
{
	return (number == 1 && distance == IN_CHAIN) || (number == 2 && distance == 2);
}

/* How often programs got each tree as the answer, and how often an error. */
struct tally {
	unsigned int answers[3];
	unsigned int unknown;
	unsigned int not_found;
};

static void judge(const struct answer *answer, struct tally *tally)
{
	if (answer->distance == -EAGAIN && answer->read == NOTHING)
		tally->unknown++;
	else if (in_either_tree(answer->distance, answer->read))
		tally->answers[answer->read]++;
	else
		FAIL("distance %d with %lld: it was never there", answer->distance, answer->read);
	if (answer->looked == NOTHING)
		tally->not_found++;
	else if (answer->looked != 1 && answer->looked != 2)
		FAIL("found %lld: it was never there", answer->looked);
}

static void keep_looking(int dir, struct tally *tree, struct tally *path)
{
	double end = now() + 3 * test_slowdown();

	use_cpu(0);
	while (now() < end) {
		forget_answers();
		close(CHECK_SYS(openat(dir, "f", O_RDONLY | O_CLOEXEC)));
		judge(&programs->bss->tree[0], tree);
		judge(&programs->bss->path[0], path);
	}
}

static void print_tally(const char *what, const struct tally *tally)
{
	printf("# %s: %u in the one tree, %u in the other, could not tell %u and %u times\n", what,
	       tally->answers[1], tally->answers[2], tally->unknown, tally->not_found);
	/* Otherwise the test met only one of the trees. */
	CHECK(tally->answers[1] && tally->answers[2]);
}

/* Whether the kernel lets a program at a security hook wait for renames to end. */
static bool hooks_can_wait(void)
{
	struct utsname name;

	CHECK_SYS(uname(&name));
	return strstr(name.version, " PREEMPT");
}

static void check_told(const char *what, const struct tally *tally)
{
	print_tally(what, tally);
	if (hooks_can_wait() && (tally->unknown || tally->not_found))
		FAIL("%s: it could not be told, where it could have been waited for", what);
}

static void while_moving(int map, unsigned int flags, bool slow)
{
	volatile bool *stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct mover mover = { .top = file_open(".", O_PATH), .flags = flags, .stop = stop };
	struct tally tree = {}, path = {};
	pid_t pids[2];
	int dir;

	CHECK(stop != MAP_FAILED);
	CHECK_EQ(sh("mkdir -p a/m b free/x other"), 0);
	/* Targets for the exchange */
	if (flags & RENAME_EXCHANGE)
		CHECK_EQ(sh("mkdir -p b/n b/m free/m"), 0);
	mount_tmpfs("other");
	create("other/x");
	mover.chain = descend(file_open("a/m", O_PATH), CHAIN);
	dir = descend(CHECK_SYS(dup(mover.chain)), 1);
	CHECK_SYS(renameat(mover.chain, "d", mover.chain, "n"));
	close(create_at(dir, "f"));
	put(map, "a", 1);
	put(map, "b", 2);

	pids[0] = child_start(keep_moving, &mover);
	pids[1] = child_start(keep_renaming, &mover);
	programs->bss->slow_pid = slow ? pids[0] : 0;
	keep_looking(dir, &tree, &path);
	*stop = true;
	child_wait(pids[0]);
	child_wait(pids[1]);
	check_told("in the filesystem", &tree);
	check_told("across mounts", &path);
	expect(below(dir, "f"), BOTH, IN_CHAIN, 1);
}

TEST(while_renamed)
{
	while_moving(map_watched(), 0, false);
}

TEST(while_exchanged)
{
	while_moving(map_watched(), RENAME_EXCHANGE, false);
}

/* Renames that take longer than a reader waits that may not sleep. */
TEST(while_renamed_slowly)
{
	int map = map_new();

	ATTACH(map, "slow_move", "open_tree", "open_path");
	while_moving(map, 0, true);
}
