/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit of the module, and the work that may be pending then.
 *
 *   program()	inode_map_defer() of an entry that it has ended or replaced. A loaded program holds
 *		the module, until a grace period after its last call
 *   interrupt() the irq_work, inode_map_defer_queue()
 *   deferrer()	inode_map_defer_work()
 *   releaser()	inode_map_super_work(), inode_map_entry_release_now()
 *   reaper()	inode_map_entry_reap()
 *   map_end()	inode_map_free(), which calls inode_map_defer_hurry(), and its callback of RCU
 *   inode_end() addon_freeing(), in any task where the inode ends: it holds no reference to
 *		the module; instead, exit waits for the mark
 *   marks_end() fsnotify's reaper, addon_free() and addon_free_rcu()
 *   module_exit() inode_map_module_exit()
 *
 * Each step of a function of the module checks that the module's text exists; queueing work checks
 * that the workqueue exists, and freeing memory that the slab cache exists. A worker's last step
 * comes after its module_put(): the function still has to return.
 *
 * Left out: what the entries are linked into (entry.pml), and the device: it goes first, and no map
 * can be made after that. The inode's end may call __module_get() on a module that is going; that
 * is harmless, because exit does not wait for this reference.
 *
 * run: -DPROGRAMS=2
 * run: -DPROGRAMS=1 -DEND_MAP
 * run: -DPROGRAMS=1 -DEND_INODE
 * run: -DPROGRAMS=0 -DEND_INODE -DEND_MAP
 *
 * fault: FAULT_NO_IRQ_WORK_SYNC e_exit_waits -DPROGRAMS=1 -DEND_MAP
 * fault: FAULT_NO_DRAIN e_exit_waits -DPROGRAMS=1
 * fault: FAULT_RETIRE_WITHOUT_RCU e_exit_waits -DPROGRAMS=0 -DEND_INODE
 * fault: FAULT_NO_MARK_COUNT e_exit_waits -DPROGRAMS=0 -DEND_INODE
 */
#ifndef PROGRAMS
#define PROGRAMS	1
#define END_INODE
#endif

#include "common.pml"

#define OF_INODE	PROGRAMS	/* the entry that the inode's end removes */

bool text = true;
bool caches = true;
byte references;		/* to the module */

/* Workqueues, and their work: a bit for each entry, or one work. */
bool free_wq = true;
bool defer_wq = true;
bool reap_wq = true;
bool release_wq = true;
bool free_queued, free_runs;
bool defer_queued, defer_runs;
byte release_queued;
bool release_runs;
bool reap_queued, reap_runs;

bool irq_queued, irq_runs;

/* Lists, a bit for each entry. */
byte deferred;
byte retired;
byte replaced;			/* entries whose fate is another entry */

byte nr_entries;
byte nr_marks;			/* addon_class.nr */
bool mark_queued, mark_runs;	/* fsnotify's reaper */
byte callbacks;			/* of RCU */

byte in_rcu;			/* readers, a bit for each process */
byte reap_waits;

/* Ghost. */
byte freed;

#define FIRST_BIT(set)	((set) & 1 -> 0 : ((set) & 2 -> 1 : 2))

#define RUNS		CHECK(e_exit_waits, text)

inline queue(wq, work) {
	atomic { RUNS; CHECK(e_exit_waits, wq); work = true }
}

/* The module may go as soon as this has been called, and before its caller returns. */
inline module_put() {
	atomic { RUNS; CHECK(b_none_lost, references > 0); references-- }
}

inline retire(e) {
#ifndef FAULT_RETIRE_WITHOUT_RCU
	/* Keep the entry, which exit waits for, from being freed before the work is queued. */
	in_rcu = in_rcu | BIT(_pid);
#endif
	atomic {
		RUNS;
		CHECK(c_not_freed_in_use, !((retired | freed) & BIT(e)));
		first = retired == 0;
		retired = retired | BIT(e)
	}
	if
	:: first -> queue(reap_wq, reap_queued)
	:: else
	fi;
	atomic { in_rcu = in_rcu & ~BIT(_pid); reap_waits = reap_waits & ~BIT(_pid) }
}

/* The entry may or may not be the addon's last user: try both. */
inline release(e) {
	if
	:: retire(e)
	:: atomic { RUNS; references++ };
		atomic { RUNS; CHECK(e_exit_waits, release_wq); release_queued = release_queued | BIT(e) }
	fi
}

proctype program(byte me) {
	bool first = false;

	if
	:: true
	:: atomic { replaced = replaced | BIT(me) }
	fi;
	/* inode_map_defer() */
	atomic { RUNS; references++ };
	atomic { RUNS; first = deferred == 0; deferred = deferred | BIT(me) };
	if
	:: first -> atomic { RUNS; irq_queued = true }
	:: else
	fi;
	/* The program is unloaded. */
	module_put()
}

proctype interrupt() {
end:	do
	:: atomic { irq_queued -> irq_queued = false; irq_runs = true }
		queue(defer_wq, defer_queued);
		RUNS;
		irq_runs = false
	od
}

proctype deferrer() {
	byte mine = 0, e = 0;
	bool first = false;

end:	do
	:: atomic { defer_queued -> CHECK(e_exit_waits, defer_wq); defer_queued = false; defer_runs = true }
		atomic { RUNS; mine = deferred; deferred = 0 };
		do
		:: atomic { mine != 0 -> RUNS; e = FIRST_BIT(mine); mine = mine & ~BIT(e) }
			if
			:: replaced & BIT(e) -> retire(e)
			:: else -> release(e)
			fi;
			e = 0;
			first = false;
			module_put()
		:: else -> break
		od;
		RUNS;
		defer_runs = false
	od
}

proctype releaser() {
	byte e = 0;
	bool first = false;

end:	do
	:: atomic {
		release_queued != 0 ->
		CHECK(e_exit_waits, release_wq);
		e = FIRST_BIT(release_queued);
		release_queued = release_queued & ~BIT(e);
		release_runs = true
	   }
		retire(e);
		e = 0;
		first = false;
		module_put();
		RUNS;
		release_runs = false
	od
}

proctype reaper() {
	byte mine = 0;

end:	do
	:: atomic { reap_queued -> CHECK(e_exit_waits, reap_wq); reap_queued = false; reap_runs = true }
		atomic { RUNS; mine = retired; retired = 0 };
		if
		:: mine != 0 ->
			/* inode_map_synchronize() */
			reap_waits = in_rcu;
			reap_waits == 0;
			do
			:: atomic {
				mine != 0 ->
				RUNS;
				CHECK(e_exit_waits, caches);
				CHECK(c_not_freed_in_use, (freed & mine) == 0);
				freed = freed | BIT(FIRST_BIT(mine));
				mine = mine & ~BIT(FIRST_BIT(mine));
				nr_entries--
			   }
			:: else -> break
			od
		:: else
		fi;
		RUNS;
		reap_runs = false
	od
}

/* inode_map_destroy() has queued the work. */
proctype map_end() {
	atomic { free_queued = false; free_runs = true };
	/* inode_map_defer_hurry() */
	RUNS;
	if
	:: deferred != 0 -> queue(defer_wq, defer_queued)
	:: else
	fi;
	callbacks++;
	module_put();
	RUNS;
	free_runs = false;
	/* inode_map_free_rcu() */
	RUNS;
	callbacks--
}

proctype inode_end() {
	bool first = false;

	RUNS;
	release(OF_INODE);
	RUNS;
	/* It returns to fsnotify_destroy_marks(), which puts the mark. */
	mark_queued = true
}

proctype marks_end() {
end:	atomic { mark_queued -> mark_queued = false; mark_runs = true };
	RUNS;
	callbacks++;
	RUNS;
	mark_runs = false;
	/* addon_free_rcu() */
	atomic { RUNS; CHECK(e_exit_waits, caches); nr_marks-- };
	RUNS;
	callbacks--
}

proctype module_exit() {
	references == 0;
	/* inode_map_exit() */
	atomic { !free_queued && !free_runs -> free_wq = false };
	callbacks == 0 || nr_marks > 0;
	/* inode_map_defer_exit(): irq_work_sync(), destroy_workqueue() */
#ifndef FAULT_NO_IRQ_WORK_SYNC
	!irq_queued && !irq_runs;
#endif
#ifdef FAULT_NO_DRAIN
	defer_wq = false;
#else
	atomic { !defer_queued && !defer_runs -> defer_wq = false };
#endif
	/* inode_map_entry_exit(): cancel_delayed_work_sync(), destroy_workqueue() */
	nr_entries == 0;
	reap_queued = false;
	!reap_runs;
	reap_wq = false;
	/* inode_map_end_exit(), inode_map_mark_class_unregister(), with rcu_barrier() */
#ifndef FAULT_NO_MARK_COUNT
	nr_marks == 0;
#endif
	!mark_queued && !mark_runs;
	callbacks == 0;
	caches = false;
	/* inode_map_super_exit() */
	atomic { release_queued == 0 && !release_runs -> release_wq = false };
	text = false
}

proctype watcher() {
end:	timeout ->
	CHECK(e_exit_waits, !text);
	CHECK(b_none_lost, nr_entries == 0 && nr_marks == 0 && deferred == 0 && retired == 0)
}

init {
	byte i;

	atomic {
		/* Programs, and a map. Reap work may be queued still for entries that are freed. */
		references = PROGRAMS;
		nr_entries = PROGRAMS;
		reap_queued = true;
		i = 0;
		do
		:: i < PROGRAMS -> run program(i); i++
		:: else -> break
		od;
		i = 0;
#ifdef END_MAP
		references++;
		free_queued = true;
		run map_end();
#endif
		run interrupt();
		run deferrer();
		run releaser();
		run reaper();
#ifdef END_INODE
		nr_entries++;
		nr_marks++;
		run inode_end();
		run marks_end();
#endif
		run module_exit();
		run watcher()
	}
}
