/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernel versions: names that came or went, for code that is written for the
 * newest.
 */
#ifndef _INODE_MAP_COMPAT_H
#define _INODE_MAP_COMPAT_H

/* Without it, BPF_OBJ_GET_INFO_BY_FD on any offloaded map oopses (seen with 6.12: nsfs_evict()). */
#ifndef CONFIG_NET_NS
#error "the inode map needs a kernel with CONFIG_NET_NS"
#endif

#include <linux/btf.h>
#include <linux/compiler.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_trace.h>
#include <linux/types.h>

/* For functions that are only called directly: no landing pad for indirect branches. */
#ifdef CONFIG_X86
#include <asm/ibt.h>
#else
#define __noendbr
#endif

/* Gone in 7.0, where pointer arguments must be trusted unless their names say otherwise. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

/* Kernels without this macro have the list node in a named union. */
#ifndef for_each_alias
#define for_each_alias(dentry, inode) \
	hlist_for_each_entry(dentry, &(inode)->i_dentry, d_u.d_alias)
#endif

/**
 * inode_map_netdev_keep - refuse to move a device to another network namespace
 * @dev: the device
 *
 * The flag came with 6.12 as netns_local. Later releases of 6.12, and 6.15 and later, call it
 * netns_immutable (Kbuild looks which).
 */
static inline void inode_map_netdev_keep(struct net_device *dev)
{
#ifdef HAVE_NETNS_IMMUTABLE
	dev->netns_immutable = true;
#else
	dev->netns_local = true;
#endif
}

#ifndef HAVE_INODE_STATE_READ_ONCE
/**
 * inode_state_read_once - the state of an inode, without its lock
 * @inode: the inode
 *
 * The name of the kernel's own function, on kernels where only functions may read the state.
 *
 * Return: the I_ bits.
 */
static inline unsigned long inode_state_read_once(const struct inode *inode)
{
	return READ_ONCE(inode->i_state);
}
#endif

#ifndef HAVE_RCU_TRACE_IMPLIES_RCU_GP
/**
 * rcu_trace_implies_rcu_gp - does a grace period of RCU tasks trace contain one of RCU?
 *
 * Kernels without this function have RCU tasks trace as an SRCU whose readers have no memory
 * barriers, and whose grace periods wait for RCU's instead.
 *
 * Return: whether it does.
 */
static inline bool rcu_trace_implies_rcu_gp(void)
{
	return true;
}
#endif

/**
 * inode_map_synchronize - wait until all programs that run now have ended
 *
 * Sleepable programs are readers of RCU tasks trace; other programs and our own code are of RCU.
 *
 * Context: process; sleeps for grace periods.
 */
static inline void inode_map_synchronize(void)
{
	synchronize_rcu_tasks_trace();
	if (!rcu_trace_implies_rcu_gp())
		synchronize_rcu();
}

#endif /* _INODE_MAP_COMPAT_H */
