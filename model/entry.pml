/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of one inode in one map: how they are linked, found, claimed, replaced and freed.
 *
 *   updater()	inode_map_link() and inode_map_renew_inode(): bpf(2) and sleepable programs
 *   deleter()	inode_map_delete()
 *   inode_end() addon_die()
 *   map_end()	inode_map_free(), inode_map_unlink_first(), and then the memory of the map
 *   program()	under RCU or RCU tasks trace, interrupting anything, under a lock or not: it looks
 *		up and reads the value; or ends the entry that it finds, by inode or by handle
 *		(inode_map_claim(), inode_map_defer()); or replaces it (inode_map_try_replace())
 *   worker()	inode_map_defer_work(), inode_map_unlink_ended()
 *   reaper()	inode_map_entry_reap(): inode_map_synchronize(), then free the entries
 *   addon_end() free the addon, a grace period of RCU after its last user
 *   watcher()	the properties of the final state
 *
 * Steps. Tasks read and write entry->fate, entry->inode, the table and the index without locks, so
 * each access to them is a step. Both locks are one here, "lock": with one addon, only the store to
 * map->dead takes the index's lock alone.
 *
 * A grace period notes the readers when it begins, and ends when all of these have left. Each
 * access to an entry, the map or the addon checks that it has not been freed; no memory is reused.
 *
 * A lookup sees every end or update that has returned before it: "present" and "absent" are what a
 * lookup has to find if no process begins to undo it before the lookup ends.
 *
 * Left out: a second inode, which shares only the index and its lock; the bucket's other entries;
 * pins (pin.pml) and the inode's bit (addon.pml); release workers: here an entry stops to count for
 * its addon when inode_map_entry_release() is called, and the workers only delay that.
 *
 * run: -DUPDATERS=1 -DPROGRAMS=1 -DEND_INODE
 * run: -DUPDATERS=1 -DPROGRAMS=1 -DEND_MAP
 * run: -DUPDATERS=1 -DPROGRAMS=1 -DDELETES
 * run: -DUPDATERS=0 -DPROGRAMS=2
 * run: -DUPDATERS=0 -DPROGRAMS=2 -DKINDS=12 -DEND_INODE
 * run: -DUPDATERS=0 -DPROGRAMS=1 -DEND_INODE -DEND_MAP
 * run: -DUPDATERS=2 -DPROGRAMS=1 -DKINDS=4
 *
 * fault: FAULT_PLAIN_CLAIM c_not_freed_in_use -DUPDATERS=0 -DPROGRAMS=2 -DKINDS=4
 * fault: FAULT_PLAIN_REPLACE c_not_freed_in_use -DUPDATERS=1 -DPROGRAMS=1
 * fault: FAULT_CLAIM_REPLACED c_not_freed_in_use -DUPDATERS=1 -DPROGRAMS=1
 * fault: FAULT_RCU_ONLY c_not_freed_in_use -DUPDATERS=1 -DPROGRAMS=1 -DDELETES
 * fault: FAULT_TRACE_ONLY c_not_freed_in_use -DUPDATERS=1 -DPROGRAMS=1 -DDELETES
 * fault: FAULT_DEAD_LATER a_unreachable_after_end -DUPDATERS=1 -DPROGRAMS=0 -DEND_INODE
 */
#ifndef UPDATERS
#define UPDATERS	1
#define PROGRAMS	1
#define END_INODE
#endif
/* What programs do. 1, 2: look up under RCU or RCU tasks trace. 4: end an entry. 8: replace it. */
#ifndef KINDS
#define KINDS		15
#endif

#include "common.pml"

/* Entries: one exists at the beginning, and each updater and each program has one to link. */
#define ENTRIES		(1 + UPDATERS + PROGRAMS)
#define ENDED		(NONE - 1)

byte fate[ENTRIES] = NONE;	/* NONE is NULL, ENDED is INODE_MAP_ENDED */
byte handle[ENTRIES];
/* A bit for each entry. */
byte inode_set;			/* entry->inode is not NULL */
byte table;			/* in its bucket */
byte list;			/* in the addon's list */
byte index;			/* in the index */
byte deferred;			/* in defer.c's list */
byte retired;			/* in entry.c's list */
byte freed;

bool lock;			/* addon->lock and the index's */
bool map_dead;
bool map_freed;
byte users;			/* of the addon */
bool held;			/* inode_end() holds the addon, not as a user */
bool addon_dead;
bool addon_freed;
byte nr_entries;
byte next_handle;

/* Ghosts: a bit for each entry. */
byte inserted;
byte removed;
byte released;			/* it does not count for the addon any more: released or replaced */

bool present;			/* an insertion has returned, and no end has begun */
bool absent;			/* an end has returned, and no insertion has begun */
byte inserters;			/* how many insertions are under way */
byte enders;
bool overlap;
byte must_find;			/* lookups that began when it was present, a bit for each process */
byte must_miss;			/* lookups that began when it was absent */

#define FREED(e)	(freed & BIT(e))
#define FIRST_BIT(set) \
	((set) & 1 -> 0 : ((set) & 2 -> 1 : ((set) & 4 -> 2 : ((set) & 8 -> 3 : 4))))

/* Readers, a bit for each process; and the readers that each grace period waits for. */
byte in_rcu;
byte in_trace;
#define GRACE_PERIODS	3
#define FOR_ENTRIES	0
#define FOR_MAP		1
#define FOR_ADDON	2
byte waits_for[GRACE_PERIODS];

inline rcu_read_lock() {
	in_rcu = in_rcu | BIT(_pid)
}

inline leave(readers) {
	atomic {
		readers = readers & ~BIT(_pid);
		waits_for[0] = waits_for[0] & ~BIT(_pid);
		waits_for[1] = waits_for[1] & ~BIT(_pid);
		waits_for[2] = waits_for[2] & ~BIT(_pid)
	}
}

inline rcu_read_unlock() {
	leave(in_rcu)
}

inline synchronize(who, readers) {
	waits_for[who] = readers;
	waits_for[who] == 0
}

/* inode_map_synchronize(), and call_rcu_tasks_trace() followed by call_rcu(). */
inline inode_map_synchronize(who) {
#ifndef FAULT_RCU_ONLY
	synchronize(who, in_trace);
#endif
#ifndef FAULT_TRACE_ONLY
	synchronize(who, in_rcu)
#else
	skip
#endif
}

inline lock_both() {
	atomic { !lock -> lock = true; CHECK(c_not_freed_in_use, !addon_freed && !map_freed) }
}

/* Ghosts. If an insertion and an end overlap in time, either may come last. */
inline begin_insert() {
	atomic { inserters++; overlap = overlap || enders > 0; absent = false; must_miss = 0 }
}

inline done_insert(success) {
	atomic {
		inserters--;
		present = (success && !overlap -> true : present);
		overlap = overlap && inserters + enders > 0
	}
}

inline begin_end() {
	atomic { enders++; overlap = overlap || inserters > 0; present = false; must_find = 0 }
}

inline done_end(success) {
	atomic {
		enders--;
		absent = (success && !overlap -> true : absent);
		overlap = overlap && inserters + enders > 0
	}
}

/* In a step of the caller. */
inline begin_lookup() {
	must_find = must_find | (present -> BIT(_pid) : 0);
	must_miss = must_miss | (absent -> BIT(_pid) : 0)
}

/* inode_map_find(); e is NONE if there is none. */
inline find(e) {
	visited = 0;
	do
	:: atomic {
		(table & ~visited) != 0 ->
		CHECK(c_not_freed_in_use, !map_freed);
		e = FIRST_BIT(table & ~visited);
		visited = visited | BIT(e)
	   }
		atomic {
			CHECK(c_not_freed_in_use, !FREED(e));
			if
			:: inode_set & BIT(e) -> visited = 0; break
			:: else
			fi
		}
	:: atomic { (table & ~visited) == 0 -> e = NONE; visited = 0; break }
	od
}

/* inode_map_find_handle() for any handle that is in use, with inode_map_has_ended(). */
inline find_handle(e, h) {
	atomic {
		e = 0;
		do
		:: e < ENTRIES && !((index & BIT(e)) && (h == NONE || handle[e] == h)) -> e++
		:: else -> break
		od;
		e = (e < ENTRIES -> e : NONE);
		last = e
	}
	if
	:: e != NONE ->
		do
		:: atomic {
			CHECK(c_not_freed_in_use, !FREED(last));
			if
			:: fate[last] != NONE && fate[last] != ENDED -> last = fate[last]
			:: else -> break
			fi
		   }
		od;
		if
		:: !(inode_set & BIT(last)) -> e = NONE
		:: else
		fi
	:: else
	fi;
	last = NONE
}

/* inode_map_remove(), under the locks. */
inline remove(e) {
	atomic {
		CHECK(b_none_lost, (table & index & list & ~removed) & BIT(e));
		CHECK(c_not_freed_in_use, !FREED(e));
		table = table & ~BIT(e);
		removed = removed | BIT(e);
		list = list & ~BIT(e)
	}
	index = index & ~BIT(e)
}

/* inode_map_insert() with inode_map_remove_ended(), under the locks. */
inline insert(e) {
	do
	:: atomic {
		(table & ~visited) != 0 ->
		last = FIRST_BIT(table & ~visited);
		visited = visited | BIT(last)
	   }
		if
		:: fate[last] != NONE || !(inode_set & BIT(last)) -> remove(last)
		:: else
		fi
	:: else -> break
	od;
	atomic {
		visited = 0;
		last = NONE;
		next_handle++;
		handle[e] = next_handle;
		nr_entries++
	}
	/* inode_map_insert_next(), or an insertion with a reserved handle. */
	if
	:: index = index | BIT(e);
	   atomic {
		list = list | BIT(e);
		table = table | BIT(e);
		inserted = inserted | BIT(e)
	   }
	:: atomic {
		list = list | BIT(e);
		table = table | BIT(e);
		inserted = inserted | BIT(e)
	   }
	   index = index | BIT(e)
	fi
}

/* inode_map_replace(), under the locks. */
inline replace(o, e, ok) {
#ifdef FAULT_PLAIN_REPLACE
	ok = fate[o] == NONE;
	atomic { handle[e] = handle[o]; fate[o] = (ok -> e : fate[o]) };
#else
	atomic { handle[e] = handle[o]; ok = fate[o] == NONE; fate[o] = (ok -> e : fate[o]) };
#endif
	if
	:: ok ->
		atomic {
			CHECK(c_not_freed_in_use, !FREED(o) && !FREED(e));
			CHECK(b_none_lost, (table & index & list & ~removed) & BIT(o));
			list = list & ~BIT(o) | BIT(e);
			table = table & ~BIT(o) | BIT(e);
			removed = removed | BIT(o);
			inserted = inserted | BIT(e)
		}
		index = index & ~BIT(o) | BIT(e)
	:: else
	fi
}

/* inode_map_claim(): e becomes the entry that the caller has claimed, or NONE. */
inline end_entry(e) {
	last = e;
	do
#ifdef FAULT_PLAIN_CLAIM
	:: fate[last] == NONE ->
		atomic { CHECK(c_not_freed_in_use, !FREED(last)); fate[last] = ENDED; nr_entries--; ours = true; break }
#else
	:: atomic {
		fate[last] == NONE ->
		CHECK(c_not_freed_in_use, !FREED(last));
		fate[last] = ENDED;
		nr_entries--;
		ours = true;
		break
	   }
#endif
	:: atomic { fate[last] == ENDED -> CHECK(c_not_freed_in_use, !FREED(last)); ours = false; break }
#ifdef FAULT_CLAIM_REPLACED
	:: atomic { fate[last] != NONE && fate[last] != ENDED -> nr_entries--; ours = true; break }
#else
	:: atomic {
		fate[last] != NONE && fate[last] != ENDED ->
		CHECK(c_not_freed_in_use, !FREED(last));
		last = fate[last]
	   }
#endif
	od;
	do
	:: atomic {
		CHECK(c_not_freed_in_use, !FREED(e));
		inode_set = inode_set & ~BIT(e);
		if
		:: e == last -> break
		:: else -> e = fate[e]
		fi
	   }
	od;
	atomic { e = (ours -> last : NONE); ours = false; last = NONE }
}

/* inode_map_entry_retire() */
inline retire(e) {
	atomic {
		CHECK(c_not_freed_in_use, !FREED(e) && !((retired | released) & BIT(e)));
		/* Retiring overwrites links by a union: the entry may not be linked any more. */
		CHECK(c_not_freed_in_use, !((table | list | index | deferred) & BIT(e)));
		released = released | BIT(e);
		retired = retired | BIT(e)
	}
}

/* inode_map_entry_release() */
inline release(e) {
	atomic {
		CHECK(c_not_freed_in_use, users > 0 && !addon_freed);
		users--
	}
	retire(e)
}

/* inode_map_defer() */
inline defer(e) {
	atomic {
		CHECK(c_not_freed_in_use, !FREED(e) && !(deferred & BIT(e)));
		deferred = deferred | BIT(e)
	}
}

/* A program may look at an entry that it has found until it leaves its section. */
inline look(e) {
	atomic {
		CHECK(d_update_is_seen, e != NONE || !(must_find & BIT(_pid)));
		CHECK(a_unreachable_after_end, e == NONE || !(must_miss & BIT(_pid)));
		must_find = must_find & ~BIT(_pid);
		must_miss = must_miss & ~BIT(_pid)
	}
	if
	:: e != NONE -> CHECK(c_not_freed_in_use, !FREED(e)); e = NONE
	:: else
	fi
}

inline lock_addon() {
	atomic { !lock -> lock = true; CHECK(c_not_freed_in_use, !addon_freed) }
}

#define LOCALS	byte visited = 0, last = NONE; bool ours = false, ok = false

proctype updater(byte me) {
	LOCALS;
	byte old = NONE;

	/* A sleepable program, or bpf(2), which holds the map. inode_map_addon_get() */
	if
	:: atomic {
		users > 0 && !map_dead ->
		users++;
		in_trace = in_trace | BIT(_pid);
		begin_insert();
		inode_set = inode_set | BIT(me)
	   }
	:: atomic { users == 0 || map_dead -> goto out }
	fi;
	lock_both();
	find(old);
	if
	:: old != NONE && fate[old] != NONE -> old = NONE
	:: else
	fi;
	if
	:: addon_dead || map_dead -> ok = false; old = NONE
	:: else ->
		if
		:: old != NONE -> replace(old, me, ok)
		:: else
		fi;
		if
		:: !ok -> old = NONE; insert(me); ok = true
		:: else
		fi
	fi;
	lock = false;
	if
	:: old != NONE -> release(old); old = NONE
	:: else
	fi;
	if
	:: ok
	:: else -> atomic { users--; inode_set = inode_set & ~BIT(me); freed = freed | BIT(me) }
	fi;
	atomic { done_insert(ok); leave(in_trace) };
out:	skip
}

/* inode_map_renew_inode(): the new entry takes over the old one's user of the addon. */
proctype renewer(byte me) {
	LOCALS;
	byte old = NONE;

	if
	:: atomic { !map_dead -> in_trace = in_trace | BIT(_pid); begin_insert(); rcu_read_lock() }
	:: atomic { map_dead -> goto out }
	fi;
	find(old);
	if
	:: old != NONE ->
		atomic { CHECK(c_not_freed_in_use, !FREED(old)); old = NONE };
		lock_both();
		if
		:: !map_dead -> find(old)
		:: else
		fi;
		if
		:: old != NONE ->
			inode_set = inode_set | BIT(me);
			replace(old, me, ok)
		:: else
		fi;
		lock = false;
		if
		:: ok -> retire(old)
		:: else
		fi;
		old = NONE
	:: else
	fi;
	atomic {
		rcu_read_unlock();
		if
		:: ok
		:: else -> inode_set = inode_set & ~BIT(me); freed = freed | BIT(me)
		fi
	}
	atomic { done_insert(ok); leave(in_trace) };
out:	skip
}

/* inode_map_delete() */
proctype deleter() {
	LOCALS;
	byte e = NONE, h = 0, old = NONE;

	if
	:: map_dead -> goto out
	:: else
	fi;
	atomic { begin_end(); rcu_read_lock() };
	find_handle(e, NONE);
	if
	:: e != NONE ->
		/* Read the addon, and the handle that user space has named. */
		atomic { CHECK(c_not_freed_in_use, !FREED(e)); h = handle[e] }
		lock_both();
		find_handle(e, h);
		if
		:: e != NONE ->
			old = e;
			end_entry(e);
			remove(old);
			old = NONE
		:: else
		fi;
		lock = false;
		if
		:: e != NONE -> release(e); e = NONE
		:: else
		fi;
		h = 0
	:: else
	fi;
	/* The handle has ended; the inode may have an entry with another handle. */
	atomic { rcu_read_unlock(); done_end(false) };
out:	skip
}

/* addon_die() */
proctype inode_end() {
	LOCALS;
	byte e = NONE, gone = 0, first = NONE;

	/* The mark is attached, and fsnotify holds a reference to it. */
	if
	:: atomic { users > 0 -> held = true; begin_end() }
	:: atomic { users == 0 -> goto out }
	fi;
	lock_addon();
#ifdef FAULT_DEAD_LATER
	skip;
#else
	addon_dead = true;
#endif
	do
	:: atomic { list != 0 -> CHECK(c_not_freed_in_use, !map_freed); first = FIRST_BIT(list); e = first }
		end_entry(e);
		remove(first);
		atomic { gone = gone | (e != NONE -> BIT(e) : 0); e = NONE; first = NONE }
	:: atomic { list == 0 -> lock = false; break }
	od;
#ifdef FAULT_DEAD_LATER
	addon_dead = true;
#endif
	do
	:: atomic { gone != 0 -> e = FIRST_BIT(gone); gone = gone & ~BIT(e) }
		release(e);
		e = NONE
	:: else -> break
	od;
	done_end(true);
	CHECK(a_unreachable_after_end, list == 0);
	held = false;
out:	skip
}

proctype map_end() {
	LOCALS;
	byte e = NONE, old = NONE;

	begin_end();
	atomic { !lock -> map_dead = true };
	do
	/* xa_find() */
	:: atomic { rcu_read_lock(); e = (index -> FIRST_BIT(index) : NONE) };
		if
		:: e != NONE ->
			atomic { CHECK(c_not_freed_in_use, !FREED(e)); old = e };
			lock_both();
			if
			:: index & BIT(e) ->
				end_entry(e);
				remove(old)
			:: else -> e = NONE
			fi;
			atomic { lock = false; old = NONE };
			if
			:: e != NONE -> release(e); e = NONE
			:: else
			fi;
			rcu_read_unlock()
		:: else ->
			rcu_read_unlock();
			break
		fi
	od;
	done_end(true);
	inode_map_synchronize(FOR_MAP);
	atomic { CHECK(c_not_freed_in_use, table == 0 && list == 0 && index == 0); map_freed = true }
}

proctype program(byte me) {
	LOCALS;
	byte e = NONE, old = NONE;
	bool miss = false;

	if
	/* A lookup. It finds the map in the same read-side section. */
	:: atomic { (KINDS & 1) && !map_dead -> in_rcu = in_rcu | BIT(_pid); begin_lookup() }
		find(e);
		look(e);
		rcu_read_unlock()
	:: atomic { (KINDS & 2) && !map_dead -> in_trace = in_trace | BIT(_pid); begin_lookup() }
		find(e);
		look(e);
		leave(in_trace)
	/* inode_map_end_inode(), inode_map_end_handle() */
	:: atomic { (KINDS & 4) && !map_dead -> in_rcu = in_rcu | BIT(_pid); begin_end() }
		if
		:: find(e); miss = true
		:: find_handle(e, NONE)
		fi;
		if
		:: e != NONE ->
			end_entry(e);
			if
			:: e != NONE -> defer(e); e = NONE
			:: else
			fi
		:: else
		fi;
		atomic { done_end(miss); rcu_read_unlock() }
	/* inode_map_try_replace() */
	:: atomic { (KINDS & 8) && !map_dead -> in_rcu = in_rcu | BIT(_pid); begin_insert() }
		find(e);
		if
		:: e != NONE ->
			if
			:: atomic {
				!lock ->
				lock = true;
				CHECK(c_not_freed_in_use, !FREED(e) && !addon_freed && !map_freed)
			   }
				if
				:: !map_dead -> find_handle(old, handle[e])
				:: else
				fi;
				if
				:: old != NONE ->
					inode_set = inode_set | BIT(me);
					replace(old, me, ok);
					if
					:: ok -> defer(old)
					:: else
					fi
				:: else
				fi;
				lock = false
			/* -EBUSY */
			:: lock
			fi
		:: else
		fi;
		if
		:: ok
		:: else -> atomic { inode_set = inode_set & ~BIT(me); freed = freed | BIT(me) }
		fi;
		atomic { done_insert(ok); rcu_read_unlock() }
	:: map_dead
	fi
}

proctype worker() {
	byte mine = 0, e = NONE;

end:	do
	:: atomic { deferred != 0 -> mine = deferred; deferred = 0 }
		do
		:: atomic { mine != 0 -> e = FIRST_BIT(mine); mine = mine & ~BIT(e) }
			if
			:: fate[e] == ENDED ->
				/* inode_map_unlink_ended() */
				lock_addon();
				if
				:: atomic { list & BIT(e) -> CHECK(c_not_freed_in_use, !map_freed) }
					remove(e)
				:: else
				fi;
				lock = false;
				release(e)
			:: else -> retire(e)
			fi;
			e = NONE
		:: else -> break
		od
	od
}

proctype reaper() {
	byte mine = 0;

end:	do
	:: atomic { retired != 0 -> mine = retired; retired = 0 }
		inode_map_synchronize(FOR_ENTRIES);
		atomic {
			CHECK(c_not_freed_in_use, (freed & mine) == 0);
			freed = freed | mine;
			mine = 0
		}
	od
}

/* addon_free(), call_rcu() */
proctype addon_end() {
end:	users == 0 && !held;
	synchronize(FOR_ADDON, in_rcu);
	addon_freed = true
}

proctype watcher() {
end:	timeout ->
	/* Every entry that was linked and then removed has been released and freed. */
	CHECK(b_none_lost, (inserted & ~removed) == table && table == list && table == index);
	CHECK(b_none_lost, (removed & ~released) == 0 && (released & ~freed) == 0);
	CHECK(b_none_lost, deferred == 0 && retired == 0 && !lock);
	/* A linked entry has not ended, and counts as a user. There is only one. */
	CHECK(b_none_lost, (table & ~inode_set) == 0);
	CHECK(b_none_lost, (table & (table - 1)) == 0);
	CHECK(b_none_lost, nr_entries == (table -> 1 : 0) && users == nr_entries);
	CHECK(a_unreachable_after_end, !(addon_dead || map_dead) || table == 0)
}

init {
	byte i;

	atomic {
		/* One entry exists already. */
		inode_set = 1;
		table = 1;
		list = 1;
		index = 1;
		inserted = 1;
		users = 1;
		nr_entries = 1;
		present = true;
		do
		:: i < UPDATERS -> i++; run updater(i)
		:: i < UPDATERS -> i++; run renewer(i)
		:: else -> break
		od;
		do
		:: i < UPDATERS + PROGRAMS -> i++; run program(i)
		:: else -> break
		od;
		i = 0;
#ifdef DELETES
		run deleter();
#endif
#ifdef END_INODE
		run inode_end();
#endif
#ifdef END_MAP
		run map_end();
#endif
		run worker();
		run reaper();
		run addon_end();
		run watcher()
	}
}
