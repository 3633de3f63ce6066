/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by all models: the names of the properties, and how to check one.
 *
 * A model is a set of processes whose steps interleave in every possible way. A step is one access
 * to shared memory, or one critical section of a spinlock if all accesses to the data in it are
 * under the lock: then no process can see the inside. Memory is sequentially consistent here;
 * order.pml is about what processors may reorder.
 *
 * scripts/model reads the lines of a model that begin with " * run:" and " * fault:". The former
 * are the sizes to check it with, the latter the faults that can be put back, each with the
 * property that has to fail then and the sizes that show it.
 */

/*
 * CHECK(property, condition). pan prints the text of an assertion that fails, and with it the name
 * of the property. These variables are never true.
 */
#define CHECK(property, condition)	assert((condition) || property)

/* No entry is reachable after its inode's end, and no inode is touched then. */
bool a_unreachable_after_end;
/* No entry is lost: each is inserted, removed and released once, and nothing is left over. */
bool b_none_lost;
/* No entry is freed twice, or while a reader can see it. */
bool c_not_freed_in_use;
/* An update that has returned is seen until its entry ends, and the inode is kept if it must be. */
bool d_update_is_seen;
/* Module exit frees nothing that is still going to be used. */
bool e_exit_waits;
/* Not a property of the code: the arrays of the model are too small. */
bool model_is_too_small;

#define BIT(i)		(1 << (i))
#define NONE		255
