// SPDX-License-Identifier: GPL-2.0
/*
 * The functions that BPF programs call.
 *
 * They run in whatever context the program runs in, from sleepable LSM hooks to NMI, inside an RCU
 * or RCU-tasks-trace read-side section that lasts as long as the program: pointers that they return
 * stay valid until the program ends. They take no lock.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "kfunc.h"
#include "map.h"

/*
 * Whether an inode is in any map, by the bit that its addon sets: the common answer is no, and this
 * makes it one load.
 *
 * LSM programs pass an inode that the kernel holds for them. The pointers that fentry and fexit
 * programs have are not verified by 6.12 to be more than once valid, and may be NULL: a load that
 * faults is a "no". Whatever inode is at the address by now, its entries are its own.
 */
static __always_inline bool inode_in_any_map(const struct inode *inode)
{
	u32 mask;

	if (!kernel_data_address(inode))
		return false;
	__get_kernel_nofault(&mask, &inode->i_fsnotify_mask, u32, fault);
	return mask & INODE_ADDON_MASK;
fault:
	return false;
}

__bpf_kfunc_start_defs();

/**
 * bpf_inode_map_lookup - look an inode up in an inode map
 * @map_id: id of the BPF map; the loader binds the map to the program, so that it stays
 * @inode: the inode; NULL and stale pointers are safe and in no map
 * @rdwr_buf_size: bytes of the value that the program means to access, a constant; at most the
 *	map's value size
 *
 * The program may read and write these bytes until it ends; an update of the entry meanwhile does
 * not show in them, and what is written to them is lost by it. Programs on several CPUs may have
 * the same value: counters want atomic operations.
 *
 * Context: any, NMI included. Takes no lock, does not sleep.
 * Return: the value, or NULL when the inode is not in the map, when there is no inode map of that
 * id (or nothing was ever stored in it), or when the map's values are smaller than @rdwr_buf_size.
 */
__bpf_kfunc u8 *bpf_inode_map_lookup(u32 map_id, struct inode *inode, const int rdwr_buf_size)
{
	struct inode_map_entry *entry;
	struct inode_map *map;

	if (!inode_in_any_map(inode))
		return NULL;
	map = inode_map_by_id(map_id);
	if (!map || (u32)rdwr_buf_size > map->value_size)
		return NULL;
	entry = inode_map_find(map, inode);
	return entry ? entry->value : NULL;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(inode_map_kfunc_ids)
BTF_ID_FLAGS(func, bpf_inode_map_lookup, KF_RET_NULL)
BTF_KFUNCS_END(inode_map_kfunc_ids)

static const struct btf_kfunc_id_set inode_map_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &inode_map_kfunc_ids,
};

/**
 * inode_map_kfunc_init - offer the functions to BPF programs
 *
 * LSM, tracing, tracepoint and perf event programs share one set: one registration serves them all.
 * A program that calls one of the functions holds a reference on the module. The kernel drops the
 * registration with the module.
 *
 * Return: 0 or a negative errno.
 */
int inode_map_kfunc_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &inode_map_kfunc_set);
}
