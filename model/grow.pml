/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How entries move to a bigger table while readers look for them: src/hash.c.
 *
 * The model has the links of entries and of buckets, table->bigger and map->buckets; each store and
 * each load of them is a step. A mover moves the entries, twice, bucket by bucket under the map's
 * lock; a changer deletes, replaces or inserts an entry under that lock; and a reader begins at any
 * moment, is as slow as it likes, and looks for an entry that is in the map all the time.
 *
 * Left out: the end of entries (entry.pml), on which links do not depend. Grace periods: no table
 * and no entry is reused here, so a late reader sees its old contents, as in the kernel until a
 * grace period is over. Reordering by processors: each store of a link is a release, after the
 * store to table->bigger, and the reader loads table->bigger after the links, with smp_rmb() in
 * between. (On this sequentially consistent machine FAULT_BIGGER_LATE acts like the wrong order.)
 *
 * Three tables, the first of one bucket and the others of two, with three entries in the one
 * bucket, each of which can go to either bucket of the next table. What is true for one bucket of
 * the old table is true for each, because buckets have no entry in common.
 *
 * run: -DCHANGE=0
 * run: -DCHANGE=1
 * run: -DCHANGE=2
 * run: -DCHANGE=3
 *
 * fault: FAULT_FIRST_FIRST d_update_is_seen -DCHANGE=0
 * fault: FAULT_UNLINK_FIRST d_update_is_seen -DCHANGE=0
 * fault: FAULT_NOT_BIGGER d_update_is_seen -DCHANGE=0
 * fault: FAULT_BIGGER_LATE d_update_is_seen -DCHANGE=0
 * fault: FAULT_LINK_CLEARED d_update_is_seen -DCHANGE=1
 */
#ifndef CHANGE
#define CHANGE		1
#endif

#include "common.pml"

/* The entries at the beginning, and one for the changer to insert or to replace one with. */
#define OLD_ENTRIES	3
#define NEW		3
#define ENTRIES		4
#define TABLES		3

/* What the changer does meanwhile. */
#define DELETE		1
#define REPLACE		2
#define INSERT		3

byte next[ENTRIES];
/* Two for each table; the first table uses one. */
byte heads[6];
/* In which of the two buckets an entry is; in the third table it is in the other one. */
bool odd[ENTRIES];
/* Whether table->bigger is set, and the table that map->buckets points to. */
bool bigger[TABLES];
byte current;
bool locked;

/* The entry that the reader looks for, and the one that the changer changes. */
byte wanted, victim;

#define BUCKET(table, e)	((table) * 2 + ((table) == 0 -> 0 : ((table) == 1 -> odd[e] : !odd[e])))
#define LOCK()			atomic { !locked -> locked = true }
#define UNLOCK()		locked = false

/* inode_map_table_add() */
inline add(table, e) {
	next[e] = heads[BUCKET(table, e)];
	heads[BUCKET(table, e)] = e
}

/* Find the link to an entry: that of the entry @before it, or of the bucket @at. */
inline find_link(e) {
	d_step {
		at = BUCKET(current, e);
		before = NONE;
		here = heads[at];
		do
		:: here != e && here != NONE -> before = here; here = next[here]
		:: here == NONE ->
			at = BUCKET(current + 1, e);
			before = NONE;
			here = heads[at]
		:: here == e -> break
		od;
		here = NONE
	}
}

/* inode_map_hash_relink() */
inline relink(e) {
	if
	:: before == NONE -> heads[at] = e
	:: else -> next[before] = e
	fi
}

/* inode_map_move_bucket() */
inline move_bucket(table, number) {
	do
	:: heads[number] != NONE ->
		d_step {
			at = number;
			before = NONE;
			here = heads[number];
#ifndef FAULT_FIRST_FIRST
			do
			:: next[here] != NONE -> before = here; here = next[here]
			:: else -> break
			od;
#endif
			behind = next[here]
		}
#ifdef FAULT_UNLINK_FIRST
		relink(behind);
		add(table + 1, here)
#else
		add(table + 1, here);
		relink(behind)
#endif
	:: else -> break
	od
}

proctype mover() {
	byte table = 0, at, before, here, behind;

	do
	:: table < TABLES - 1 ->
#ifndef FAULT_BIGGER_LATE
		LOCK();
		bigger[table] = true;
		UNLOCK();
#endif
		LOCK();
		move_bucket(table, table * 2);
		UNLOCK();
		LOCK();
		move_bucket(table, table * 2 + 1);
#ifdef FAULT_BIGGER_LATE
		bigger[table] = true;
#endif
		current = table + 1;
		UNLOCK();
		table++
	:: else -> break
	od
}

#if CHANGE
proctype changer() {
	byte at, before, here;

	LOCK();
#if CHANGE == DELETE
	find_link(victim);
	relink(next[victim]);
#ifdef FAULT_LINK_CLEARED
	next[victim] = NONE;
#endif
#elif CHANGE == REPLACE
	next[NEW] = next[victim];
	odd[NEW] = odd[victim];
	find_link(victim);
	relink(NEW);
#else
	if
	:: bigger[current] -> add(current + 1, NEW)
	:: else -> add(current, NEW)
	fi;
#endif
	UNLOCK()
}
#endif

/* inode_map_find_in() */
proctype reader() {
	byte table, here;
	bool more;

	table = current;
	here = heads[BUCKET(table, wanted)];
	do
	:: here == wanted -> break
	:: here != wanted && here != NONE -> here = next[here]
	:: here == NONE ->
#ifdef FAULT_NOT_BIGGER
		more = false;
#else
		more = bigger[table];
#endif
		CHECK(d_update_is_seen, more);
		table++;
		here = heads[BUCKET(table, wanted)]
	od
}

/* Try an entry in either bucket. */
inline choose(e) {
	if
	:: odd[e] = true
	:: odd[e] = false
	fi
}

init {
	atomic {
		byte i = 0;

		do
		:: i < 6 -> heads[i] = NONE; i++
		:: else -> break
		od;
		heads[0] = 0;
		next[0] = 1;
		next[1] = 2;
		next[2] = NONE;
		next[NEW] = NONE;
		choose(0);
		choose(1);
		choose(2);
		choose(NEW);
		if
		:: wanted = 0
		:: wanted = 1
		:: wanted = 2
		fi;
		if
		:: victim = (wanted + 1) % OLD_ENTRIES
		:: victim = (wanted + 2) % OLD_ENTRIES
		fi;
		run mover();
#if CHANGE
		run changer();
#endif
		run reader()
	}
}
