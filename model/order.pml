/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory ordering: the places where the module relies on more than locks.
 *
 * Debian 12 has no herd7, so these litmus tests define their own machine: a processor performs the
 * loads and stores of a function in any order that the kernel's memory model allows, and all others
 * see a store at the same time (as on arm64; x86 reorders much less). The tests do not cover POWER,
 * where processors may see two stores of different processors in different orders: none of them has
 * two writers on whose order a third processor would have to agree.
 *
 * Each event names the events that have to be performed before it, and why: a release or an
 * acquire, a full barrier, an address that depends on a load, or po-unlock-lock-po: accesses before
 * the unlock of one lock come before those after the lock of the next one on the same processor.
 *
 *   PUBLISH	inode_map_insert(), inode_map_find(): the writer stores the value, then links the
 *		entry with rcu_assign_pointer(); a reader gets the value's address from the link
 *   TOLD	inode_map_update(), and a program that learns, by something that orders memory, that
 *		it has returned: the program sees the inode's bit and the bucket, in whichever order
 *		it loads them. The bit is stored under connector->lock, the bucket under addon->lock
 *   ATTACHED	addon_see_attached(): the first task stores the bit and then addon->attached
 *		with release; the second loads that with acquire, links its entry and returns; a
 *		reader that learns that from the second sees the bit
 *   REMARK	remark_enter() counts in inode_map_remarks (downwards) under addon->lock, before
 *		fsnotify clears the bit under connector->lock; inode_map_in_any() loads the bit and
 *		then, after smp_rmb(), the count: it sees the bit or the count
 *
 * run: -DPUBLISH
 * run: -DTOLD
 * run: -DATTACHED
 * run: -DREMARK
 *
 * fault: FAULT_PLAIN_LINK f_value_is_whole -DPUBLISH
 * fault: FAULT_TOLD_RELAXED d_update_is_seen -DTOLD
 * fault: FAULT_ATTACHED_RELAXED d_update_is_seen -DATTACHED
 * fault: FAULT_NO_RMB d_update_is_seen -DREMARK
 * fault: FAULT_COUNT_LATE d_update_is_seen -DREMARK
 */
#include "common.pml"

/* A reader that finds an entry sees its whole value. */
bool f_value_is_whole;

/* An event of the process: its number, the events that must come before it as bits, its action. */
#define EVENT(number, needs, what) \
	:: atomic { \
		!(done & BIT(number)) && (done & (needs)) == (needs) -> \
		what; \
		done = done | BIT(number) \
	   }
#define ALL_OF(count)	:: done == BIT(count) - 1 -> break

#ifdef PUBLISH
bool value, linked;

proctype writer() {
	byte done = 0;

	do
	EVENT(0, 0, value = true)
#ifdef FAULT_PLAIN_LINK
	EVENT(1, 0, linked = true)
#else
	EVENT(1, BIT(0), linked = true)		/* a release */
#endif
	ALL_OF(2)
	od
}

proctype reader() {
	byte done = 0;
	bool found = false, got = false;

	do
	EVENT(0, 0, found = linked)
	EVENT(1, BIT(0), got = value)		/* an address that depends */
	ALL_OF(2)
	od;
	CHECK(f_value_is_whole, !found || got)
}
#endif

#ifdef TOLD
bool i_bit, bucket, told;

proctype writer() {
	byte done = 0;

	do
	EVENT(0, 0, i_bit = true)
	EVENT(1, BIT(0), bucket = true)		/* po-unlock-lock-po */
#ifdef FAULT_TOLD_RELAXED
	EVENT(2, 0, told = true)
#else
	EVENT(2, BIT(0) | BIT(1), told = true)	/* a release */
#endif
	ALL_OF(3)
	od
}

proctype reader() {
	byte done = 0;
	bool know = false, has_bit = false, has_entry = false;

	do
	EVENT(0, 0, know = told)
	EVENT(1, BIT(0), has_bit = i_bit)		/* an acquire; not ordered with the next */
	EVENT(2, BIT(0), has_entry = bucket)
	ALL_OF(3)
	od;
	CHECK(d_update_is_seen, !know || (has_bit && has_entry))
}
#endif

#ifdef ATTACHED
bool i_bit, attached, told;

/* The first task. */
proctype writer() {
	byte done = 0;

	do
	EVENT(0, 0, i_bit = true)
#ifdef FAULT_ATTACHED_RELAXED
	EVENT(1, 0, attached = true)
#else
	EVENT(1, BIT(0), attached = true)	/* a release */
#endif
	ALL_OF(2)
	od
}

/* The second task tells the reader only if it has seen that the addon is attached. */
proctype second() {
	byte done = 0;
	bool see = false;

	do
	EVENT(0, 0, see = attached)
	EVENT(1, BIT(0), told = see)		/* an acquire, and a release */
	ALL_OF(2)
	od
}

proctype reader() {
	byte done = 0;
	bool know = false, has_bit = false;

	do
	EVENT(0, 0, know = told)
	EVENT(1, BIT(0), has_bit = i_bit)		/* an acquire */
	ALL_OF(2)
	od;
	CHECK(d_update_is_seen, !know || has_bit)
}
#endif

#ifdef REMARK
bool i_bit = true;
bool count;

proctype writer() {
	byte done = 0;

	do
#ifdef FAULT_COUNT_LATE
	EVENT(0, BIT(1), count = true)
	EVENT(1, 0, i_bit = false)
#else
	EVENT(0, 0, count = true)
	EVENT(1, BIT(0), i_bit = false)		/* po-unlock-lock-po */
#endif
	ALL_OF(2)
	od
}

proctype reader() {
	byte done = 0;
	bool has_bit = false, looks = false;

	do
	EVENT(0, 0, has_bit = i_bit)
#ifdef FAULT_NO_RMB
	EVENT(1, 0, looks = count)
#else
	EVENT(1, BIT(0), looks = count)		/* smp_rmb() */
#endif
	ALL_OF(2)
	od;
	CHECK(d_update_is_seen, has_bit || looks)
}
#endif

init {
	atomic {
		run writer();
#ifdef ATTACHED
		run second();
#endif
		run reader()
	}
}
