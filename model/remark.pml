/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An addon whose mark fsnotify destroys although its inode lives on: some kernels tell fsnotify
 * that the inode ends each time a name of it goes (src/remark.c).
 *
 *   vfs()	the inode has names; for each that goes it tells fsnotify of an end. With the last
 *		name that is true
 *   remarker()	remark_work(), remark_attach()
 *   program()	a lookup: inode_map_in_any(), under RCU
 *   bystander() inotify_rm_watch() of a watch that the inode has
 *   watcher()	the properties of the final state
 *
 * It begins with an addon that is attached and has one entry, "linked", that only the end of the
 * inode ends. The callback is addon_freeing(): inode_map_remark() if the inode has a name,
 * or else addon_die().
 *
 * Left out: users and updaters (addon.pml; an updater waits while an addon waits for its anchor),
 * pins (inode_map_addon_repin() comes before the anchor), lack of memory, and the group of the
 * anchors, which is that of addons here: in both groups an inode has one attached mark.
 *
 * BYSTANDER is a window that the module can't close: fsnotify detaches a mark, and only then calls
 * back. If the last reference to another mark of the inode is dropped at that moment, fsnotify
 * calculates the inode's mask without the addon's bit, and the count is not raised yet: a lookup
 * misses an entry that lives on. This can happen only on such kernels, and only when a task removes
 * a watch from the same inode that loses one of several names.
 *
 * run: -DNAMES=2 -DWATCH=1
 * run: -DNAMES=3 -DWATCH=0
 *
 * fault: BYSTANDER d_update_is_seen -DNAMES=2 -DWATCH=1
 * fault: FAULT_NO_GRACE_PERIOD d_update_is_seen -DNAMES=2 -DWATCH=0
 * fault: FAULT_NO_ORPHAN a_unreachable_after_end -DNAMES=2 -DWATCH=0
 */
#ifndef WATCH
#define WATCH		0
#define NAMES		2
#endif

#define MARKS		4
#define CONNECTORS	4

#include "common.pml"

#define mark_freeing(m)	addon_lost(m)
#define mark_freed(m)	skip

#include "fsnotify.pml"

byte names = NAMES;
bool linked = true;
byte remarks;			/* minus inode_map_remarks */
bool remark;			/* addon->remark */
bool again;			/* remark->again */
byte connector = NONE;		/* remark->connector */
bool queued;
byte anchor = NONE;

byte in_rcu;
byte waits_for;

/* The caller holds the mark: addon and anchor keep one reference to theirs for this. */
inline addon_lost(m) {
	atomic {
		if
		:: linked && names > 0 ->
			if
			:: !remark ->
				remark = true;
				remarks++;
				queued = true;
				/* inode_map_hold_get() */
				i_count++
			:: else
			fi;
			again = true;
			connector = m_conn[m]
		:: else -> linked = false
		fi
	}
}

proctype remarker() {
	MARK_LOCALS;
	byte a = NONE, seen = NONE, swap = NONE, err = OK;
	bool done = false;

end:	do
	:: atomic { queued -> again = false; seen = connector; done = false }
		if
		:: i_marks == seen
		:: else ->
			mark_alloc(a, ADDON, false);
			mark_attach(a, err);
			if
			:: err == OK ->
				/* inode_map_mark_put() of the old anchor */
				atomic {
					swap = anchor;
					anchor = a;
					a = swap;
					swap = NONE;
					done = !again;
					queued = again;
					remark = again
				}
			:: else
			fi;
			if
			:: a != NONE -> mark_put(a); a = NONE
			:: else
			fi
		fi;
		seen = NONE;
		if
		:: done ->
			/* inode_map_hold_is_orphan(), addon_die() */
#ifndef FAULT_NO_ORPHAN
			if
			:: atomic { names == 0 -> linked = false }
			:: else
			fi;
#endif
			inode_put();
#ifndef FAULT_NO_GRACE_PERIOD
			/* inode_map_synchronize() */
			waits_for = in_rcu;
			waits_for == 0;
#endif
			remarks--;
			done = false
		:: else
		fi
	od
}

proctype program() {
	bool lives = false, has_bit = false;

	/* The lookup has to find an entry that is linked now and still when the lookup is over. */
	atomic { in_rcu = 1; lives = linked };
	has_bit = i_mask;
	/* smp_rmb() */
	atomic {
		CHECK(d_update_is_seen, !lives || !linked || names == 0 || has_bit || remarks > 0);
		in_rcu = 0;
		waits_for = 0
	}
}

proctype vfs() {
	MARK_LOCALS;
	byte c = NONE, m = NONE, old = NONE, done = 0;

	do
	:: names > 0 ->
		names--;
		marks_destroy(c, m, old, done)
	:: else -> break
	od
}

proctype bystander(byte m) {
	MARK_LOCALS;

	mark_drop(m)
}

proctype watcher() {
end:	timeout ->
	CHECK(a_unreachable_after_end, !linked);
	CHECK(b_none_lost, remarks == 0 && !remark && !queued && i_count == 1)
}

init {
	MARK_LOCALS;
	byte m, err;

	atomic {
		mark_alloc(m, ADDON, false);
		m_ref[m]++;
		mark_attach(m, err);
		mark_put(m);
#if WATCH
		mark_alloc(m, OTHER, true);
		mark_attach(m, err);
#ifdef BYSTANDER
		run bystander(m);
#else
		mark_put(m);
#endif
#endif
		m = 0;
		run vfs();
		run remarker();
		run program();
		run watcher()
	}
}
