/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all models share: the names of the properties, and how one is checked.
 *
 * A model is a set of processes whose steps interleave in every possible way. A step is one access
 * to shared memory, or one critical section of a spinlock where nothing that is read or written in
 * it is touched without the lock: then nobody can see the inside. Memory is sequentially consistent
 * here; what processors may reorder is the subject of order.pml.
 *
 * scripts/model reads the lines of a model that begin with " * run:" and " * fault:". The former
 * are the sizes that it is checked with, the latter the faults that can be put back, each with the
 * property that has to fail then and the sizes that show it.
 */

/*
 * CHECK(property, condition). pan prints the text of an assertion that fails, so that the name of
 * the property is in it. The names are never true.
 */
#define CHECK(property, condition)	assert((condition) || property)

/* No entry is reachable after its inode's end, and no inode is touched then. */
bool a_unreachable_after_end;
/* None is lost: what was inserted is removed once and released once, nothing is left over. */
bool b_none_lost;
/* None is freed twice, or while somebody can see it. */
bool c_not_freed_in_use;
/* An update that has returned is seen until somebody ends it, and the inode is kept if it must. */
bool d_update_is_seen;
/* Exit frees nothing that somebody is going to use. */
bool e_exit_waits;
/* Not a property of the code: the arrays of the model are too small. */
bool model_is_too_small;

#define BIT(i)		(1 << (i))
#define NONE		255
