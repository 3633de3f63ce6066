/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addon of one inode: how it is found or added, used, released, and ended with the inode.
 *
 *   updater()	inode_map_update() of one map, by bpf(2), or by bpf_inode_map_update() in a program:
 *		addon_find_or_add(), addon_see_attached(), inode_map_link(),
 *		inode_map_hold_is_orphan(); then perhaps inode_map_delete()
 *   worker()	inode_map_super_work(), calling inode_map_addon_release() for tasks that can't sleep
 *   bystander() inotify, which shares the inode's connector
 *   vfs()	the inode: its last name goes (dentry_unlink_inode(), fsnotify_inoderemove()),
 *		memory is short, the superblock shuts down (fsnotify_unmount_inodes()), the VFS
 *		evicts it (__destroy_inode()), and reuses its memory
 *   watcher()	the invariants, at every moment, and the properties of the final state
 *
 * Each updater has a map of its own, so that an entry is a bit of the addon's list. Either all of
 * them want the inode to be kept (KEEP=1), or none: pin.pml has mixtures.
 *
 * Left out: tables, readers, programs that end entries without locks, grace periods (entry.pml) and
 * second marks of addons (remark.pml): nothing in the life of an addon depends on them. Here an
 * addon's memory is freed with its mark's last reference, without a grace period: entry.pml has the
 * readers that come to it through an entry.
 *
 * The runs: up to two updaters of any kind with every end of the inode; and three that race to add
 * and release the addon, with nothing else.
 *
 * run: -DUPDATERS=2 -DKEEP=0
 * run: -DUPDATERS=2 -DKEEP=1
 * run: -DUPDATERS=1 -DKEEP=0 -DBYSTANDER
 * run: -DUPDATERS=2 -DKEEP=1 -DBYSTANDER -DSTAYS
 * run: -DUPDATERS=3 -DKEEP=1 -DSTAYS
 *
 * fault: FAULT_NO_WAIT d_update_is_seen -DUPDATERS=2 -DKEEP=0
 * fault: FAULT_NO_WAIT d_update_is_seen -DUPDATERS=2 -DKEEP=1 -DSTAYS
 * fault: FAULT_EARLY_FLAG d_update_is_seen -DUPDATERS=2 -DKEEP=0
 * fault: FAULT_REVIVAL b_none_lost -DUPDATERS=2 -DKEEP=0
 * fault: FAULT_UNLOCKED_END a_unreachable_after_end -DUPDATERS=2 -DKEEP=0
 * fault: FAULT_NO_ORPHAN a_unreachable_after_end -DUPDATERS=2 -DKEEP=1
 * fault: FAULT_NOT_LAST b_none_lost -DUPDATERS=2 -DKEEP=0
 * fault: FAULT_PLAIN_STORE d_update_is_seen -DUPDATERS=2 -DKEEP=1 -DBYSTANDER -DSTAYS
 */
#ifndef UPDATERS
#define UPDATERS	2
#define KEEP		0
#endif

#define MARKS		(UPDATERS + 3)
#define CONNECTORS	3

#include "common.pml"

/* Addons, by the number of their mark: a bit for each, or a number. */
byte users[MARKS];
byte entries[MARKS];	/* a bit for each updater */
byte dead;
byte attached;		/* addon->attached */
byte owed[MARKS];	/* calls of inode_map_addon_release() that are queued to the worker */
byte nr_owed;

#define mark_freeing(m)	addon_die_with_mark(m)
#define mark_freed(m)	addon_freed(m)

#include "fsnotify.pml"

/* Ghosts. A bit for each updater. */
byte linked;		/* its entry is in its map's table and the addon's list */
byte removed;		/* its entry was linked, and has been removed */
byte seen;		/* inode_map_update() has returned 0 */
byte busy;		/* inode_map_update() has not returned */

/* A descriptor keeps a name of the inode; a program's hold keeps the inode and the superblock. */
bool has_name = true;
bool has_link = true;
bool has_sb = true;
bool is_freeing;	/* I_FREEING */
byte descriptors;
byte holds;

/* In a step of the caller. */
inline addon_freed(m) {
	CHECK(b_none_lost, users[m] == 0 && entries[m] == 0 && owed[m] == 0);
	dead = dead & ~BIT(m);
	attached = attached & ~BIT(m);
}

/* In a step of the caller. inode_map_entry_release(): inode_map_addon_put(), or the worker. */
inline entry_release(a) {
	CHECK(c_not_freed_in_use, IS_USED(a) && users[a] > owed[a]);
	if
	:: users[a] > 1 -> users[a]--
	:: else -> owed[a]++; nr_owed++
	fi
}

/* addon_die(): take the entries out under addon->lock, then release them. */
inline addon_die(a) {
#ifdef FAULT_UNLOCKED_END
	atomic { entries_out(a) };
	dead = dead | BIT(a);
#else
	atomic { dead = dead | BIT(a); entries_out(a) };
#endif
	do
	:: atomic { gone > 0 -> entry_release(a); gone-- }
	:: else -> break
	od
}

/*
 * addon_die_with_mark(), in fsnotify's callback: the users that these entries were are counted out
 * there. (Where there is a pin as well it is addon_die(): pin.pml.)
 */
inline addon_die_with_mark(a) {
#ifdef FAULT_UNLOCKED_END
	atomic { entries_out(a) };
	dead = dead | BIT(a);
#else
	atomic { dead = dead | BIT(a); entries_out(a) };
#endif
	if
	:: gone > 0 ->
		atomic {
			CHECK(c_not_freed_in_use, IS_USED(a) && users[a] >= owed[a] + gone);
			users[a] = users[a] - gone;
			gone = 0;
#ifdef FAULT_NOT_LAST
			last = true
#else
			last = users[a] == 0
#endif
		}
		if
		:: last ->
			last = false;
			/* That of fsnotify is left. */
			CHECK(c_not_freed_in_use, m_ref[a] > 1);
			mark_put(a)
		:: else
		fi
	:: else
	fi
}

inline entries_out(a) {
	CHECK(b_none_lost, (entries[a] & ~linked) == 0);
	linked = linked & ~entries[a];
	removed = removed | entries[a];
	gone = (entries[a] & 1) + (entries[a] >> 1 & 1) + (entries[a] >> 2 & 1);
	entries[a] = 0
}

/* inode_map_addon_release() */
inline addon_release(a) {
	atomic {
		CHECK(c_not_freed_in_use, IS_USED(a) && users[a] > 0);
		users[a]--;
		last = users[a] == 0
	}
	if
	:: last -> last = false; mark_drop(a)
	:: else
	fi
}

/* inode_map_addon_find() */
inline addon_find(a) {
	mark_find(a);
	if
	:: a != NONE ->
		atomic {
#ifdef FAULT_REVIVAL
			last = false;
#else
			last = users[a] == 0;
#endif
			users[a] = users[a] + (last -> 0 : 1)
		}
		if
		:: last -> last = false; mark_drop(a); a = NONE
		:: else -> mark_put(a)
		fi
	:: else
	fi
}

/*
 * addon_see_attached(): when this returns, the inode has the addon's bit, and is kept. If the
 * addon that was found is not yet known to be attached, this makes fsnotify recalculate the mask:
 * it adds a mark of another group and removes it.
 */
inline addon_see_attached(a) {
	if
#ifdef FAULT_NO_WAIT
	:: true -> err = OK
#endif
	:: attached & BIT(a) -> err = OK
	:: else ->
		mark_alloc(m, OTHER, true);
		mark_attach(m, err);
		if
		:: err == OK -> mark_drop(m)
		:: else -> mark_put(m)
		fi;
		if
		:: err == OK -> attached = attached | BIT(a)
		:: else
		fi;
		m = NONE
	fi
}

/* addon_find_or_add(); a is NONE if it fails. */
inline addon_get(a) {
	do
	:: addon_find(a);
		if
		:: a != NONE ->
			addon_see_attached(a);
			if
			:: err != OK -> addon_release(a); a = NONE
			:: else
			fi;
			break
		:: else
		fi;
		mark_alloc(a, ADDON, KEEP);
		users[a] = 1;
#ifdef FAULT_EARLY_FLAG
		attached = attached | BIT(a);
#endif
		mark_attach(a, err);
		if
		:: err == OK -> attached = attached | BIT(a); break
		:: else ->
			/* No other task has seen it. */
			users[a] = 0;
			mark_put(a);
			a = NONE
		fi;
		if
		:: err != EXISTS -> break
		:: else
		fi
	od
}

/* inode_map_link(), for an inode that the map does not have; under both locks. */
inline entry_link(a) {
	atomic {
		CHECK(c_not_freed_in_use, IS_USED(a) && users[a] > 0);
		if
		:: dead & BIT(a) -> err = STALE
		:: else ->
			CHECK(a_unreachable_after_end, !i_freed);
			entries[a] = entries[a] | BIT(me);
			linked = linked | BIT(me);
			err = OK
		fi
	}
}

proctype updater(byte me) {
	MARK_LOCALS;
	byte a = NONE, m = NONE, err = OK, gone = 0;
	bool last = false, program = false;

	/* The file is open, or the program is called with an inode: inode_map_hold_get(). */
	if
	:: atomic { has_name && has_sb -> descriptors++; i_count++; busy = busy | BIT(me) }
#ifndef STAYS
	:: atomic { has_sb && !is_freeing -> holds++; i_count++; busy = busy | BIT(me); program = true }
#endif
	:: atomic { is_freeing || !has_sb -> goto out }
	fi;

	addon_get(a);
	if
	:: a != NONE ->
		entry_link(a);
		if
		:: err != OK -> addon_release(a)
		:: else
		fi;
		a = NONE
	:: else
	fi;
#ifndef FAULT_NO_ORPHAN
	/* inode_map_hold_is_orphan(), inode_map_end_everywhere() */
	if
	:: err == OK && program && !has_link && !has_name ->
		addon_find(a);
		if
		:: a != NONE ->
			addon_die(a);
			addon_release(a);
			a = NONE
		:: else
		fi;
		err = STALE
	:: else
	fi;
#endif
	atomic {
		seen = seen | (err == OK -> BIT(me) : 0);
		busy = busy & ~BIT(me);
		if
		:: program -> holds--; program = false
		:: else -> descriptors--
		fi
	}
	inode_put();

	/* inode_map_delete(), if the entry is still there; it finds the addon under RCU. */
	if
	:: err == OK ->
		atomic {
			if
			:: linked & BIT(me) ->
				a = 0;
				do
				:: entries[a] & BIT(me) -> break
				:: else -> a++
				od;
				linked = linked & ~BIT(me);
				removed = removed | BIT(me);
				entries[a] = entries[a] & ~BIT(me);
				entry_release(a);
				a = NONE
			:: else
			fi
		}
	:: true
	fi;
out:	atomic { err = OK; gone = 0; last = false }
}

/* inode_map_super_work() */
proctype worker() {
	MARK_LOCALS;
	byte a = NONE, gone = 0;
	bool last = false;

end:	do
	:: atomic {
		nr_owed > 0 ->
		nr_owed--;
		a = 0;
		do
		:: owed[a] > 0 -> break
		:: else -> a++
		od;
		owed[a]--
	   }
		addon_release(a);
		a = NONE
	od
}

/* inotify_add_watch() and inotify_rm_watch(), for events that the module does not look at. */
proctype bystander() {
	MARK_LOCALS;
	byte m = NONE, err = OK, gone = 0;
	bool last = false;

	if
	:: atomic { has_name && has_sb -> descriptors++; i_count++ }
	:: atomic { !has_name || !has_sb -> goto out }
	fi;
	mark_alloc(m, OTHER, true);
	mark_attach(m, err);
	atomic { descriptors-- }
	inode_put();
	if
	:: err == OK -> mark_drop(m)
	:: else -> mark_put(m)
	fi;
out:	skip
}

proctype vfs() {
	MARK_LOCALS;
	byte c = NONE, m = NONE, old = NONE, done = 0, gone = 0;
	bool umount = false, last = false;

	if
	:: umount = true
	:: true
	:: goto out
	fi;
	/* The last dentry goes: of a file without links, to save memory, or for umount. */
	if
	:: atomic { descriptors == 0 -> has_link = false; has_name = false }
		marks_destroy(c, m, old, done);
		inode_put()
	:: atomic { descriptors == 0 -> has_name = false }
		inode_put()
	fi;
	/* The inode goes with its last reference. While it is kept, umount may end it. */
end_kept:
	do
	:: atomic { i_count == 0 -> is_freeing = true; break }
	:: atomic { umount && has_sb && descriptors + holds == 0 && i_count > 0 -> has_sb = false; i_count++ }
		marks_destroy(c, m, old, done);
		inode_put()
	od;
	marks_destroy(c, m, old, done);
	CHECK(a_unreachable_after_end, linked == 0 && !i_mask && i_marks == NONE);
	i_freed = true;
out:	skip
}

#define SEEN		(seen & linked)

proctype watcher() {
end:	do
	/* These hold until the VFS tells fsnotify of the end of the inode. */
	:: atomic {
		SEEN && !i_ending && !i_mask ->
		CHECK(d_update_is_seen, false)
	   }
	:: atomic {
		SEEN && !i_ending && KEEP && c_iref == 0 ->
		CHECK(d_update_is_seen, false)
	   }
	/* Quiescence. */
	:: timeout -> break
	od;
	CHECK(b_none_lost, busy == 0);
	CHECK(b_none_lost, (seen & ~linked & ~removed) == 0 && (linked & removed) == 0);
	/* Without an entry, no mark and no reference is left; without inode or link, no entry. */
	CHECK(b_none_lost, linked || m_used == 0);
	CHECK(b_none_lost, linked || c_iref == 0);
	CHECK(a_unreachable_after_end, !linked || (has_link && has_sb && !i_freed));
}

init {
	atomic {
		byte i;

		for (i : 0 .. UPDATERS - 1) { run updater(i) }
		i = 0;
		run worker();
#ifdef BYSTANDER
		run bystander();
#endif
#ifndef STAYS
		run vfs();
#endif
		run watcher()
	}
}
