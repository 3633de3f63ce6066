/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinned and weak users of one addon, and what keeps the inode in memory for them.
 *
 *   updater()	addon_join() with addon_suits(), addon_pin_attach(), addon_use_pin();
 *		then inode_map_link(), and perhaps inode_map_delete(): inode_map_addon_put()
 *   worker()	inode_map_addon_release()
 *   vfs()	the inode loses its name, and is removed or evicted
 *   watcher()	the invariants, at every moment, and the properties of the final state
 *
 * It begins with an addon that is attached and has one user, an entry that is pinned or weak.
 *
 * Left out: how an addon is found or added, and that fsnotify's mask and reference include its
 * mark; addon.pml has these. Here an updater that finds no addon, or one whose last user is gone,
 * stops. All updaters hold the inode by a descriptor; that of the first entry's updater is closed.
 *
 * run: -DUPDATERS=2
 * run: -DUPDATERS=3 -DPINNED=5 -DWEAK=2 -DSTAYS
 * run: -DUPDATERS=3 -DPINNED=4 -DWEAK=3 -DSTAYS
 *
 * fault: FAULT_UNPIN d_update_is_seen -DUPDATERS=2
 * fault: FAULT_STILL_KEEPS b_none_lost -DUPDATERS=2
 * fault: FAULT_PIN_STAYS b_none_lost -DUPDATERS=2
 */
#ifndef UPDATERS
#define UPDATERS	2
#endif

/* Which updaters make pinned or weak entries; with both bits set, the model tries both. */
#ifndef PINNED
#define PINNED		255
#define WEAK		255
#endif

#define MARKS		(UPDATERS + 1)
#define CONNECTORS	1
#define A		0	/* the addon */
#define FIRST		UPDATERS /* the entry that exists already */

#include "common.pml"

#define mark_freeing(m)	addon_die()
#define mark_freed(m)	skip

#include "fsnotify.pml"

/* The addon. */
byte users = 1;
byte pinned_users;
byte entries;		/* a bit for each updater */
byte pin = NONE;
bool pins;
bool dead;
byte owed;		/* calls of inode_map_addon_release() that are queued to the worker */

/* Ghosts. A bit for each entry. */
byte pinned;
byte seen;
byte removed;

bool has_name = true;
byte descriptors;

/* inode_map_addon_put(): drop the user, or leave that to inode_map_addon_release(). */
inline addon_put(entry) {
	atomic {
		due = false;
		if
		:: pinned & BIT(entry) ->
			CHECK(b_none_lost, pinned_users > 0);
			pinned_users--;
			due = pinned_users == 0 && pin != NONE
		:: else
		fi
	}
	atomic {
		CHECK(c_not_freed_in_use, users > owed);
		if
		:: !due && users > 1 -> users--
		:: else -> due = true
		fi
	}
}

inline addon_release() {
	atomic {
		if
#ifdef FAULT_UNPIN
		:: true ->
#else
		:: pinned_users == 0 ->
#endif
			p = pin;
			pin = NONE
		:: else -> p = NONE
		fi
	}
	if
	:: p != NONE -> mark_drop(p); p = NONE
	:: else
	fi;
	atomic {
		CHECK(c_not_freed_in_use, users > 0);
		users--;
		last = users == 0
	}
	if
	:: last -> last = false; mark_drop(A)
	:: else
	fi
}

#define NUMBER(set)	((set & 1) + (set >> 1 & 1) + (set >> 2 & 1) + (set >> 3 & 1))

/* addon_die_with_mark(); or addon_die(), if there is a pin. */
inline addon_die() {
	atomic {
		dead = true;
		out = entries;
		removed = removed | entries;
		entries = 0;
#ifdef FAULT_PIN_STAYS
		if
		:: true ->
#else
		if
		:: pin == NONE ->
#endif
			CHECK(b_none_lost, pinned_users >= NUMBER((out & pinned)));
			pinned_users = pinned_users - NUMBER((out & pinned));
			nr = NUMBER(out);
			out = 0
		:: else
		fi
	}
	if
	:: nr > 0 ->
		atomic {
			CHECK(c_not_freed_in_use, users >= owed + nr);
			users = users - nr;
			nr = 0;
			last = users == 0
		}
		if
		:: last ->
			last = false;
			/* That of fsnotify is left. */
			CHECK(c_not_freed_in_use, m_ref[A] > 1);
			mark_put(A)
		:: else
		fi
	:: else
	fi;
	do
	:: out != 0 ->
		atomic { e = FIRST_BIT(out); out = out & ~BIT(e) }
		addon_put(e);
		e = 0;
		if
		:: atomic { due -> owed++; due = false }
		:: else
		fi
	:: else -> break
	od
}

/* addon_use_pin(): attach a pin and make the addon use it. */
inline addon_use_pin(entry) {
	mark_alloc(p, OTHER, true);
	mark_attach(p, err);
	if
	:: err == OK ->
		atomic {
			pinned_users = pinned_users + (pinned & BIT(entry) -> 1 : 0);
			if
			:: pinned_users > 0 && pin == NONE -> pin = p; p = NONE
			:: else
			fi;
#ifndef FAULT_STILL_KEEPS
			/* Under mark->lock; fsnotify recalculates by the time the pin goes. */
			m_keep = (pins -> m_keep & ~BIT(A) : m_keep);
#endif
			pins = false
		}
		if
		:: p != NONE -> mark_drop(p)
		:: else
		fi
	:: else -> mark_put(p)
	fi;
	p = NONE
}

/* inode_map_delete(), of an entry that may be gone already. */
inline delete(entry) {
	if
	:: atomic { entries & BIT(entry) ->
		entries = entries & ~BIT(entry);
		removed = removed | BIT(entry)
	   }
		addon_put(entry);
		if
		:: atomic { due -> owed++; due = false }
		:: else
		fi
	:: else
	fi
}

proctype updater(byte me) {
	MARK_LOCALS;
	byte p = NONE, err = OK, out = 0, e = 0, nr = 0;
	bool due = false, last = false;

	if
	:: atomic { has_name -> descriptors++; i_count++ }
	:: atomic { !has_name -> goto gone }
	fi;
	if
	:: atomic { PINNED & BIT(me) -> pinned = pinned | BIT(me) }
	:: WEAK & BIT(me)
	fi;
	/* inode_map_addon_find() */
	atomic {
		if
		:: users == 0 || i_marks == NONE || !WANTS_MASK(i_marks) -> err = STALE
		:: else -> users++
		fi
	}
	if
	:: err == OK ->
		/* addon_join() */
		atomic {
			due = (pinned & BIT(me) -> pins || pin != NONE : !pins);
			pinned_users = pinned_users + (due && (pinned & BIT(me)) -> 1 : 0)
		}
		if
		:: due
		:: else -> addon_use_pin(me)
		fi;
		due = false;
		if
		:: err == OK ->
			/* inode_map_link() */
			atomic {
				if
				:: dead -> err = STALE
				:: else -> entries = entries | BIT(me)
				fi
			}
			if
			:: err != OK ->
				addon_put(me);
				if
				:: due -> due = false; addon_release()
				:: else
				fi
			:: else
			fi
		:: else -> addon_release()
		fi
	:: else
	fi;
	atomic {
		seen = seen | (err == OK -> BIT(me) : 0);
		descriptors--
	}
	inode_put();
	if
	:: err == OK -> delete(me)
	:: true
	fi;
gone:	atomic { err = OK; out = 0; e = 0; due = false; last = false }
}

proctype deleter() {
	bool due = false;

	if
	:: delete(FIRST)
	:: true
	fi
}

proctype worker() {
	MARK_LOCALS;
	byte p = NONE, out = 0, e = 0, nr = 0;
	bool due = false, last = false;

end:	do
	:: atomic { owed > 0 -> owed-- }
		addon_release()
	od
}

proctype vfs() {
	MARK_LOCALS;
	byte c = NONE, m = NONE, old = NONE, done = 0, out = 0, e = 0, nr = 0;
	bool due = false, last = false;

	if
	:: goto stays
	:: true
	fi;
	atomic { descriptors == 0 -> has_name = false }
	if
	:: marks_destroy(c, m, old, done)
	:: true
	fi;
	inode_put();
end_kept:
	atomic { i_count == 0 -> i_ending = true }
	marks_destroy(c, m, old, done);
	CHECK(a_unreachable_after_end, entries == 0 && !i_mask && i_marks == NONE);
	i_freed = true;
stays:	skip
}

#define SEEN		(seen & entries)

proctype watcher() {
end:	do
	:: atomic {
		(SEEN & pinned) && !i_ending && c_iref == 0 ->
		CHECK(d_update_is_seen, false)
	   }
	:: atomic {
		SEEN && !i_ending && !i_mask ->
		CHECK(d_update_is_seen, false)
	   }
	:: timeout -> break
	od;
	CHECK(b_none_lost, (seen & ~entries & ~removed) == 0 && (entries & removed) == 0);
	CHECK(b_none_lost, entries || m_used == 0);
	/* The inode is kept if and only if there is a pinned entry. */
	CHECK(b_none_lost, (c_iref != 0) == ((entries & pinned) != 0));
	CHECK(b_none_lost, i_count == (c_iref -> 1 : 0) + has_name)
}

init {
	MARK_LOCALS;
	byte m, err;

	atomic {
		if
		:: pins = true
		:: true
		fi;
		mark_alloc(m, ADDON, pins);
		mark_attach(m, err);
		pinned_users = pins;
		pinned = (pins -> BIT(FIRST) : 0);
		entries = BIT(FIRST);
		seen = BIT(FIRST);
		for (m : 0 .. UPDATERS - 1) { run updater(m) }
		m = 0;
		run deleter();
		run worker();
#ifndef STAYS
		run vfs();
#endif
		run watcher()
	}
}
