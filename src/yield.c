// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pauses of the module that is built for the fuzzer (FUZZ=1), and only of that one. They are
 * called in any context, NMI included, and take no lock.
 *
 * Where other contexts can see the module between two steps, they seldom do: the steps are a few
 * instructions apart. Here they are sometimes further apart. What the fuzzer finds in this way can
 * happen without it: when a task is throttled, when a host takes its processor away, or when an
 * interrupt comes.
 */
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/instruction_pointer.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/time64.h>

#include "yield.h"

/* The fuzzer writes another one in each epoch. Without it there are no pauses. */
static unsigned int yield_seed;
module_param(yield_seed, uint, 0600);
MODULE_PARM_DESC(yield_seed, "what the pauses follow from; 0: none");

static atomic_t turn = ATOMIC_INIT(0);

/* One call in so many pauses. */
#define PAUSE_EVERY	16
/* Up to 2^9 microseconds, or 2^4 milliseconds. */
#define SPIN_BITS	10
#define SLEEP_BITS	5

/**
 * inode_map_pause - pause or not, as the seed has it
 * @may_sleep: whether the caller may sleep; if not, the pause spins
 *
 * Context: any, or process if @may_sleep.
 */
noinline void inode_map_pause(bool may_sleep)
{
	unsigned int seed = READ_ONCE(yield_seed);
	u32 random;

	if (!seed)
		return;
	random = hash_32(seed ^ (u32)atomic_inc_return(&turn), 32);
	random = hash_32(random ^ random >> 15, 32);
	if (random % PAUSE_EVERY)
		return;
	random /= PAUSE_EVERY;
	if (may_sleep)
		fsleep(USEC_PER_MSEC << random % SLEEP_BITS);
	else
		udelay(1U << random % SPIN_BITS);
}

#ifndef CONFIG_KCOV

/*
 * Where the module has been, on kernels without KCOV. The compiler puts a call into every basic
 * block. The file in debugfs has a byte for each place that was reached, by its distance from this
 * function, and one for each pair of places reached one after the other on a processor, by a hash.
 * There are no locks: what is lost comes again.
 */
static struct {
	u8 at[1 << 20];
	u8 pairs[1 << 16];
} been;

static DEFINE_PER_CPU(u32, been_last);

static struct debugfs_blob_wrapper been_blob = { .data = &been, .size = sizeof(been) };
static struct dentry *been_file;

/**
 * __sanitizer_cov_trace_pc - record a place in the module's code; the compiler inserts the calls
 *
 * Context: any, NMI included.
 */
void notrace __sanitizer_cov_trace_pc(void)
{
	u32 at = _RET_IP_ - (unsigned long)__sanitizer_cov_trace_pc;
	u32 last = raw_cpu_read(been_last);

	/* What only runs while the module is loaded (__init) has no place in the table. */
	if (!within_module_mem_type(_RET_IP_, THIS_MODULE, MOD_TEXT))
		return;
	at &= ARRAY_SIZE(been.at) - 1;
	raw_cpu_write(been_last, at);
	been.at[at] = 1;
	been.pairs[hash_32(last * 31 + at, 16)] = 1;
}

/**
 * inode_map_been_init - create the file that shows where the module has been
 *
 * Context: process; may sleep.
 */
void __init inode_map_been_init(void)
{
	been_file = debugfs_create_blob("inode_map_been", 0400, NULL, &been_blob);
}

/**
 * inode_map_been_exit - remove the file
 *
 * Context: process; may sleep.
 */
void inode_map_been_exit(void)
{
	debugfs_remove(been_file);
}

#endif
