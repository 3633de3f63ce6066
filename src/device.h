/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network device through which bpf(2) reaches the map type.
 */
#ifndef _INODE_MAP_DEVICE_H
#define _INODE_MAP_DEVICE_H

int inode_map_device_init(void);
void inode_map_device_exit(void);

#endif /* _INODE_MAP_DEVICE_H */
