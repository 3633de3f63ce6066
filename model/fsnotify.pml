/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks on one inode: fs/notify/mark.c, and src/mark.c over it. The models of addons include this.
 *
 *   mark_attach()      fsnotify_add_mark_locked(): first fsnotify_add_mark_list(), where the mark
 *                      becomes findable, then fsnotify_recalc_mask(). It holds the group's mutex
 *                      over both, but fsnotify_find_mark() does not take that
 *   mark_find()        fsnotify_find_mark()
 *   mark_put()         fsnotify_put_mark(), fsnotify_detach_connector_from_object()
 *   mark_drop()        fsnotify_destroy_mark(): fsnotify_detach_mark(), fsnotify_free_mark()
 *   marks_destroy()    fsnotify_destroy_marks(), the inode's end
 *
 * Marks and connectors are numbers; sets of marks are bits. A critical section of a connector's
 * lock is one step. Outside of it the code accesses only flags of marks and the inode's mask, each
 * by one load or store.
 *
 * Left out:
 *   - SRCU. It protects a connector between the load of its address and its lock
 *     (fsnotify_grab_connector()). If the connector has been detached by then the answer is "none",
 *     as it would have been at the moment of the detachment: the load and the lock are one step
 *     here. A mark is freed here with its last reference, which is sooner than in the kernel.
 *   - The order of marks in a list: marks_destroy() takes them in any order.
 *   - Counts of watched objects, and children's flags: the module does not depend on them.
 *
 * A model that includes this defines MARKS and CONNECTORS, how many of them can exist at a time,
 * and mark_freeing(m), its ops->freeing_mark(), and mark_freed(m).
 */

/* Groups. The group of addons allows one mark for an inode, the other one any number. */
#define ADDON		0
#define OTHER		1

/* Errors. */
#define OK		0
#define EXISTS		1
#define STALE		2

/* The inode. */
byte i_count = 1;		/* references: of its name, holders, fsnotify */
bool i_mask;			/* the bit of i_fsnotify_mask that programs look at */
byte i_marks = NONE;		/* i_fsnotify_marks, the connector */
bool i_freed;			/* its memory may be in use for something else */
bool i_ending;			/* a ghost: the VFS has told fsnotify that it ends */

/* Connectors. */
byte c_list[CONNECTORS];	/* the marks in its list */
byte c_attached;		/* which belong to an inode; a bit for each connector */
byte c_destroying;		/* FSNOTIFY_CONN_FLAG_DESTROYING */
byte c_iref;			/* FSNOTIFY_CONN_FLAG_HAS_IREF */

/* Marks; a bit for each. */
byte m_used;			/* allocated */
byte m_addon;			/* of the group ADDON, with the bit in their mask */
byte m_keep;			/* without FSNOTIFY_MARK_FLAG_NO_IREF */
byte m_attached;		/* FSNOTIFY_MARK_FLAG_ATTACHED */
byte m_alive;			/* FSNOTIFY_MARK_FLAG_ALIVE */
byte m_ref[MARKS];		/* references */
byte m_conn[MARKS] = NONE;	/* connector */

bool mutex[2];			/* group->mark_mutex */

/* Locals of each process, which the steps below use. */
#define MARK_LOCALS	byte new = 0; bool drop = false, drop2 = false

#define FIRST_BIT(set) \
	((set) & 1 -> 0 : ((set) & 2 -> 1 : ((set) & 4 -> 2 : ((set) & 8 -> 3 : ((set) & 16 -> 4 : 5)))))
#define IS_USED(m)		(m_used & BIT(m))
#define GROUP_OF(m)		(m_addon & BIT(m) -> ADDON : OTHER)
/* The marks that count for the inode's mask and reference. */
#define LISTED(c)		(c_list[c] & m_attached)
#define WANTS_MASK(c)		((LISTED(c) & m_addon) != 0)
#define WANTS_IREF(c)		((LISTED(c) & m_keep) != 0)

inline mark_alloc(m, set_of_group, keeps) {
	atomic {
		CHECK(model_is_too_small, m_used != BIT(MARKS) - 1);
		m = FIRST_BIT(~m_used);
		m_used = m_used | BIT(m);
		m_addon = m_addon | (set_of_group == ADDON -> BIT(m) : 0);
		m_keep = m_keep | (keeps -> BIT(m) : 0);
		m_ref[m] = 1;
	}
}

/* In a step of the caller. fsnotify_final_mark_destroy(). */
inline mark_free(m) {
	m_used = m_used & ~BIT(m);
	m_addon = m_addon & ~BIT(m);
	m_keep = m_keep & ~BIT(m);
	m_conn[m] = NONE;
	CHECK(c_not_freed_in_use, !((m_attached | m_alive) & BIT(m)));
	mark_freed(m)
}

/* In a step of the caller. fsnotify_detach_connector_from_object(). */
inline connector_detach(c, drop) {
	if
	:: c_attached & BIT(c) ->
		CHECK(a_unreachable_after_end, !i_freed);
		i_mask = false;
		drop = (c_iref & BIT(c)) != 0;
		c_iref = c_iref & ~BIT(c);
		c_attached = c_attached & ~BIT(c);
		i_marks = NONE
	:: else -> drop = false
	fi
}

/* fsnotify_add_inode_mark() */
inline mark_attach(m, err) {
	/* No other process can find the mark before it is in the list. */
	atomic {
		!mutex[GROUP_OF(m)] ->
		mutex[GROUP_OF(m)] = true;
		m_attached = m_attached | BIT(m);
		m_alive = m_alive | BIT(m);
		m_ref[m]++
	}
	do
	/* fsnotify_attach_connector_to_object(): the allocation and the compare-and-exchange. */
	:: i_marks == NONE ->
		atomic {
			if
#ifdef FAULT_PLAIN_STORE
			:: true ->
#else
			:: i_marks == NONE ->
#endif
				CHECK(a_unreachable_after_end, !i_freed);
				new = 0;
				do
				:: new < CONNECTORS && (c_list[new] != 0 || (c_attached & BIT(new))) -> new++
				:: else -> break
				od;
				CHECK(model_is_too_small, new < CONNECTORS);
				c_attached = c_attached | BIT(new);
				c_destroying = c_destroying & ~BIT(new);
				i_marks = new;
				new = 0
			:: else
			fi
		}
	/* fsnotify_add_mark_list() */
	:: atomic {
		i_marks != NONE ->
		CHECK(a_unreachable_after_end, !i_freed);
		if
		:: c_destroying & BIT(i_marks) -> err = STALE
		:: else ->
			if
			:: GROUP_OF(m) == ADDON && (LISTED(i_marks) & m_addon) -> err = EXISTS
			:: else ->
				m_conn[m] = i_marks;
				c_list[i_marks] = c_list[i_marks] | BIT(m);
				err = OK
			fi
		fi;
		break
	   }
	od;
	if
	:: err == OK ->
		/* fsnotify_recalc_mask(): takes a reference if one is needed, never drops one. */
		atomic {
			if
			:: c_attached & BIT(m_conn[m]) ->
				CHECK(a_unreachable_after_end, !i_freed);
				i_mask = WANTS_MASK(m_conn[m]);
				if
				:: WANTS_IREF(m_conn[m]) && !(c_iref & BIT(m_conn[m])) ->
					c_iref = c_iref | BIT(m_conn[m]);
					i_count++
				:: else
				fi
			:: else
			fi;
			mutex[GROUP_OF(m)] = false
		}
	:: else ->
		atomic {
			m_attached = m_attached & ~BIT(m);
			m_alive = m_alive & ~BIT(m);
			m_ref[m]--;
			mutex[GROUP_OF(m)] = false
		}
	fi
}

/* fsnotify_find_mark() for a mark of the group ADDON. */
inline mark_find(m) {
	atomic {
		if
		:: i_marks != NONE && WANTS_MASK(i_marks) ->
			m = FIRST_BIT(LISTED(i_marks) & m_addon);
			CHECK(b_none_lost, (LISTED(i_marks) & m_addon) == BIT(m));
			m_ref[m]++
		:: else -> m = NONE
		fi
	}
}

inline mark_put(m) {
	atomic {
		CHECK(c_not_freed_in_use, IS_USED(m) && m_ref[m] > 0);
		m_ref[m]--;
		drop = false;
		if
		:: m_ref[m] == 0 ->
			if
			:: m_conn[m] != NONE ->
				c_list[m_conn[m]] = c_list[m_conn[m]] & ~BIT(m);
				if
				:: c_list[m_conn[m]] == 0 -> connector_detach(m_conn[m], drop)
				:: c_list[m_conn[m]] != 0 && (c_attached & BIT(m_conn[m])) ->
					CHECK(a_unreachable_after_end, !i_freed);
					i_mask = WANTS_MASK(m_conn[m]);
					if
					:: !WANTS_IREF(m_conn[m]) && (c_iref & BIT(m_conn[m])) ->
						c_iref = c_iref & ~BIT(m_conn[m]);
						drop = true
					:: else
					fi
				:: else
				fi
			:: else
			fi;
			mark_free(m)
		:: else
		fi
	}
	inode_drop(drop)
}

/* iput() */
inline inode_put() {
	atomic {
		CHECK(a_unreachable_after_end, !i_freed && i_count > 0);
		i_count--
	}
}

/* fsnotify_drop_object(), outside of the lock. */
inline inode_drop(due) {
	if
	:: atomic { due -> due = false; inode_put() }
	:: else
	fi
}

inline mark_destroy(m) {
	/* fsnotify_detach_mark() drops a reference, never the last one. */
	atomic {
		!mutex[GROUP_OF(m)] ->
		CHECK(c_not_freed_in_use, IS_USED(m));
		if
		:: m_attached & BIT(m) ->
			m_attached = m_attached & ~BIT(m);
			m_ref[m]--;
			CHECK(c_not_freed_in_use, m_ref[m] > 0)
		:: else
		fi
	}
	/* fsnotify_free_mark() */
	if
	:: atomic { m_alive & BIT(m) -> m_alive = m_alive & ~BIT(m) }
		if
		:: m_addon & BIT(m) -> mark_freeing(m)
		:: else
		fi
	:: else
	fi
}

inline mark_drop(m) {
	mark_destroy(m);
	mark_put(m)
}

/* c, m, old and done are variables of the caller; this walks over the list with m, old and done. */
inline marks_destroy(c, m, old, done) {
	atomic {
		c = i_marks;
		old = NONE;
		done = 0;
		if
		:: c != NONE ->
			c_destroying = c_destroying | BIT(c);
			i_ending = true
		:: else
		fi
	}
	if
	:: c != NONE ->
		do
		:: atomic {
			(c_list[c] & ~done) != 0 ->
			if
			:: m = FIRST_BIT(c_list[c] & ~done)
			/* Or the last one: of at most three marks, that gives every order. */
			:: m = (c_list[c] & ~done & 16 -> 4 : (c_list[c] & ~done & 8 -> 3 :
				(c_list[c] & ~done & 4 -> 2 : (c_list[c] & ~done & 2 -> 1 : 0))))
			fi;
			m_ref[m]++;
			done = done | BIT(m)
		   }
			if
			:: old != NONE -> mark_put(old)
			:: else
			fi;
			old = m;
			mark_destroy(m)
		:: atomic { (c_list[c] & ~done) == 0 -> connector_detach(c, drop2) }
			break
		od;
		if
		:: old != NONE -> mark_put(old)
		:: else
		fi;
		inode_drop(drop2);
		atomic { c = NONE; m = NONE; old = NONE; done = 0; drop2 = false }
	:: else
	fi
}
