/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trees: the entry of the nearest ancestor of a file.
 */
#ifndef _INODE_MAP_TREE_H
#define _INODE_MAP_TREE_H

struct dentry;
struct inode_map;
struct inode_map_entry;
struct path;

/*
 * How many dentries a walk looks at, including the file's own: as many as a path of PATH_MAX bytes
 * can name. Directories are nested deeper only on purpose.
 */
#define INODE_MAP_TREE_DEPTH	2048

int inode_map_tree_find(struct inode_map *map, struct dentry *dentry,
			struct inode_map_entry **found);
int inode_map_tree_find_path(struct inode_map *map, const struct path *path,
			     struct inode_map_entry **found);

#endif /* _INODE_MAP_TREE_H */
