// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device through which bpf(2) reaches the map type.
 *
 * The kernel's table of map types is constant. Map offload still lets a module provide a map: if a
 * map is created with the ifindex of a device, the operations of bpf(2) on it go to the callbacks
 * here. Nothing is offloaded and no packet is ever seen: the device can't be brought up, renamed,
 * moved, enslaved or given a program.
 *
 * Contexts and locks. The operations on elements run in process context, may sleep, and are called
 * with the kernel's bpf_devs_lock held for reading. Maps are created and destroyed under rtnl and
 * with bpf_devs_lock held for writing: no operation is under way then, and a task that sleeps under
 * bpf_devs_lock holds up rtnl. So nothing here may wait for a filesystem or a grace period: workers
 * release inodes (super.c), allocations do not enter filesystems for reclaim, and a task that
 * updates faster than entries can be freed tries again. We hold no lock of our own when we call
 * other files.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bpf.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/init.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>

#include <linux/inode_map.h>

#include "account.h"
#include "compat.h"
#include "delete.h"
#include "device.h"
#include "entry.h"
#include "handle.h"
#include "hash.h"
#include "key.h"
#include "map.h"
#include "registry.h"
#include "update.h"

static struct bpf_offload_dev *offload_dev __ro_after_init;
static struct net_device *map_netdev __ro_after_init;

static struct inode_map *to_map(struct bpf_offloaded_map *offmap)
{
	return offmap->dev_priv;
}

/* The handle of the entry that a target names, or 0. */
static u32 inode_map_target_find(struct inode_map *map, const struct inode_map_target *target)
{
	struct inode_map_entry *entry;
	u32 handle = target->handle;

	if (!target->inode)
		return handle;
	rcu_read_lock();
	entry = inode_map_find(map, target->inode);
	if (entry)
		handle = entry->handle;
	rcu_read_unlock();
	return handle;
}

static int inode_map_dev_lookup(struct bpf_offloaded_map *offmap, void *key, void *value)
{
	struct inode_map *map = to_map(offmap);
	struct inode_map_target target;
	struct inode_map_entry *entry;
	int err;

	err = inode_map_key_get(map, key, &target);
	if (err)
		return err;

	rcu_read_lock();
	entry = target.inode ? inode_map_find(map, target.inode) :
			      inode_map_find_handle(map, target.handle);
	if (entry)
		inode_map_entry_read(entry, value, map->value_size);
	rcu_read_unlock();
	inode_map_key_put(&target);
	return entry ? 0 : -ENOENT;
}

/*
 * Have the task make its system call again, after a moment in which dead entries may be freed.
 * Waiting here until they are would hold up bpf_devs_lock, and with it any task that waits for that
 * under rtnl. (A program that calls bpf(2) gets ERESTARTNOINTR.)
 */
static int inode_map_dev_update_later(void)
{
	inode_map_entry_hurry();
	schedule_timeout_killable(1);
	return restart_syscall();
}

static int inode_map_dev_update(struct bpf_offloaded_map *offmap, void *key, void *value, u64 flags)
{
	struct inode_map *map = to_map(offmap);
	struct inode_map_target target;
	unsigned int nofs;
	int err;

	inode_map_publish(map);
	if (inode_map_account_is_behind(map->account))
		return inode_map_dev_update_later();

	err = inode_map_key_get(map, key, &target);
	if (err)
		return err;
	nofs = memalloc_nofs_save();
	if (!target.inode)
		err = inode_map_update_handle(map, target.handle, value, flags);
	else
		err = PTR_ERR_OR_ZERO(inode_map_update(map, target.inode,
						       inode_map_target_dev(&target), target.weak,
						       value, flags, INODE_MAP_GFP));
	memalloc_nofs_restore(nofs);
	inode_map_key_put(&target);
	/* There may be memory once the dead entries are freed. */
	if (err == -ENOMEM && atomic_long_read(&map->account->dead_bytes))
		return inode_map_dev_update_later();
	return err;
}

static int inode_map_dev_delete(struct bpf_offloaded_map *offmap, void *key)
{
	struct inode_map *map = to_map(offmap);
	struct inode_map_target target;
	int err;

	err = inode_map_key_get(map, key, &target);
	if (err)
		return err;
	err = target.inode ? inode_map_delete_inode(map, target.inode) :
			     inode_map_delete(map, target.handle);
	inode_map_key_put(&target);
	return err;
}

static int inode_map_dev_get_next_key(struct bpf_offloaded_map *offmap, void *key, void *next_key)
{
	struct inode_map *map = to_map(offmap);
	struct inode_map_entry *entry;
	u32 handle = 0;

	if (key) {
		struct inode_map_target target;
		int err;

		err = inode_map_key_get(map, key, &target);
		if (err)
			return err;
		/* The key of an inode that is not in the map starts over, as in every map. */
		handle = inode_map_target_find(map, &target);
		inode_map_key_put(&target);
	}
	rcu_read_lock();
	entry = inode_map_next(map, handle);
	if (entry)
		inode_map_key_fill(map, entry, next_key);
	rcu_read_unlock();
	return entry ? 0 : -ENOENT;
}

static const struct bpf_map_dev_ops inode_map_dev_ops = {
	.map_get_next_key	= inode_map_dev_get_next_key,
	.map_lookup_elem	= inode_map_dev_lookup,
	.map_update_elem	= inode_map_dev_update,
	.map_delete_elem	= inode_map_dev_delete,
};

/*
 * The kernel's own hash map has the same limit: bpf(2) copies a key and a value through one
 * allocation, next to the 48 bytes of a struct htab_elem (htab_map_alloc_check()).
 */
#define INODE_MAP_ELEM_SIZE_MAX	(KMALLOC_MAX_SIZE - 48)
/* entry->bytes has 31 bits. */
static_assert(sizeof(struct inode_map_entry) + INODE_MAP_ELEM_SIZE_MAX < 1UL << 31);

/*
 * BPF_F_NO_PREALLOC asks for what this map does anyway. The kernel handles BPF_F_RDONLY and
 * BPF_F_WRONLY and does not pass them on.
 */
#define INODE_MAP_CREATE_FLAGS	(BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)

static int inode_map_alloc_check(const struct bpf_map *attr)
{
	if (attr->map_type != BPF_MAP_TYPE_HASH || attr->map_flags & ~INODE_MAP_CREATE_FLAGS)
		return -EINVAL;
	if (!bpf_map_flags_access_ok(attr->map_flags))
		return -EINVAL;
	if (!inode_map_key_size_ok(attr->key_size) || !attr->value_size || !attr->max_entries)
		return -EINVAL;
	if ((u64)attr->key_size + attr->value_size >= INODE_MAP_ELEM_SIZE_MAX)
		return -E2BIG;
	return 0;
}

/*
 * A map of maps must not take an offloaded map, as a template or as an element: programs would
 * treat it as a hash table (seen with 6.12: an oops). The kernel does not check for that, but it
 * refuses templates that have an inner map, and elements whose flags differ from the template's.
 */
static void inode_map_refuse_nesting(struct bpf_map *map)
{
	map->inner_map_meta = map;
	map->map_flags |= INODE_MAP_F_INODE;
}

static int inode_map_dev_alloc(struct bpf_offloaded_map *offmap)
{
	struct inode_map *map;
	unsigned int nofs;
	int err;

	err = inode_map_alloc_check(&offmap->map);
	if (err)
		return err;
	nofs = memalloc_nofs_save();
	map = inode_map_create(&offmap->map);
	memalloc_nofs_restore(nofs);
	if (IS_ERR(map))
		return PTR_ERR(map);
	inode_map_refuse_nesting(&offmap->map);
	offmap->dev_priv = map;
	offmap->dev_ops = &inode_map_dev_ops;
	return 0;
}

static int inode_map_ndo_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case BPF_OFFLOAD_MAP_ALLOC:
		return inode_map_dev_alloc(bpf->offmap);
	case BPF_OFFLOAD_MAP_FREE:
		inode_map_destroy(to_map(bpf->offmap));
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static netdev_tx_t inode_map_ndo_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops inode_map_netdev_ops = {
	.ndo_start_xmit	= inode_map_ndo_start_xmit,
	.ndo_bpf	= inode_map_ndo_bpf,
};

static int inode_map_prog_prepare(struct bpf_prog *prog)
{
	return -EOPNOTSUPP;
}

/* Preparation is the first step of offloading a program. It always fails, so there is no other. */
static const struct bpf_prog_offload_ops inode_map_prog_ops = {
	.prepare	= inode_map_prog_prepare,
};

/* Refuse what the networking core would do to any device. Called under rtnl. */
static int inode_map_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (dev != map_netdev)
		return NOTIFY_DONE;

	switch (event) {
	case NETDEV_CHANGENAME:
		/* The device has the new name already, and gets its own back if that is refused. */
		if (!strcmp(dev->name, INODE_MAP_DEVICE))
			return NOTIFY_DONE;
		fallthrough;
	case NETDEV_PRE_UP:
	case NETDEV_PRECHANGEUPPER:
		return notifier_from_errno(-EOPNOTSUPP);
	default:
		return NOTIFY_DONE;
	}
}

static struct notifier_block inode_map_netdev_notifier = {
	.notifier_call	= inode_map_netdev_event,
};

static void __init inode_map_netdev_setup(struct net_device *dev)
{
	dev->netdev_ops = &inode_map_netdev_ops;
	dev->needs_free_netdev = true;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features |= NETIF_F_VLAN_CHALLENGED;
	inode_map_netdev_keep(dev);
}

/**
 * inode_map_device_init - register the device; maps can be created from here on
 *
 * The device is in the initial network namespace, and a task that creates a map must be, too.
 *
 * Context: process; takes rtnl.
 * Return: 0, -ENOMEM, -EEXIST (a device of that name is there already).
 */
int __init inode_map_device_init(void)
{
	int err;

	offload_dev = bpf_offload_dev_create(&inode_map_prog_ops, NULL);
	if (IS_ERR(offload_dev))
		return PTR_ERR(offload_dev);

	err = -ENOMEM;
	map_netdev = alloc_netdev(0, INODE_MAP_DEVICE, NET_NAME_PREDICTABLE,
				  inode_map_netdev_setup);
	if (!map_netdev)
		goto err_offload;
	err = register_netdevice_notifier(&inode_map_netdev_notifier);
	if (err)
		goto err_netdev;

	rtnl_lock();
	err = register_netdevice(map_netdev);
	/* modprobe says "File exists", as for a module that is loaded already. */
	if (err == -EEXIST)
		pr_err("a network device named " INODE_MAP_DEVICE " exists\n");
	if (err)
		goto err_notifier;
	err = bpf_offload_dev_netdev_register(offload_dev, map_netdev);
	if (err)
		goto err_registered;
	rtnl_unlock();
	return 0;

err_registered:
	unregister_netdevice(map_netdev);
	/* Unregistered, it is freed when rtnl is dropped. */
	map_netdev = NULL;
err_notifier:
	rtnl_unlock();
	unregister_netdevice_notifier(&inode_map_netdev_notifier);
err_netdev:
	if (map_netdev)
		free_netdev(map_netdev);
err_offload:
	bpf_offload_dev_destroy(offload_dev);
	return err;
}

/**
 * inode_map_device_exit - unregister the device
 *
 * Every map holds the module, so none exists.
 *
 * Context: process; takes rtnl.
 */
void inode_map_device_exit(void)
{
	rtnl_lock();
	bpf_offload_dev_netdev_unregister(offload_dev, map_netdev);
	unregister_netdevice(map_netdev);
	rtnl_unlock();
	unregister_netdevice_notifier(&inode_map_netdev_notifier);
	bpf_offload_dev_destroy(offload_dev);
}
