/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking up paths, and properties of the filesystems that they lead to. A part of tool.h.
 */
#ifndef _GUARD_LOOKUP_H
#define _GUARD_LOOKUP_H

#include <stdbool.h>
#include <stdio.h>

#include <linux/types.h>

struct arguments;
struct array;
struct conf;
struct guard;
struct policy;
struct stat;

/* lookup.c */

/*
 * Open a path with O_PATH and @flags: a descriptor, or a negative errno, -ETIMEDOUT if it took too
 * long.
 */
int path_open(const char *path, int flags);
/* The target of a symbolic link, to be freed; NULL if it is none, or takes too long. */
char *path_read_link(const char *path);
/*
 * Wait until tasks that are making or removing names in a directory at this moment have done so.
 * @path is that of a name in it. Returns 0 or -ETIMEDOUT.
 */
int path_wait(int dir, const char *path);
/* Bring paths (char *) into the kernel's memory, or learn which hang, before taking the lock. */
void paths_look_up(const struct array *paths);
/*
 * The paths that match a pattern, as by glob(3), to be freed. Returns 0, -ENOENT for none,
 * -ETIMEDOUT, or another negative errno.
 */
int paths_expand(const char *pattern, struct array *paths);
/* From now on all lookups that hang share one time limit. */
void lookups_limit(void);
/*
 * From now on each has its own. Returns whether any was given less than that: its directory may not
 * hang, and is tried again.
 */
bool lookups_unlimit(void);
/* The path of an open file, or NULL and errno. */
char *path_of_fd(int fd);

/* ahead.c */

/* Look up all paths that will be looked up with the lock held. */
void arguments_look_up(const struct arguments *arguments);
void conf_look_up(const struct conf *conf);
/* The same for all names of rules and executables. */
void policy_look_up(const struct policy *policy);
/* The same for the policy in force, which this loads if the guard runs. */
void rules_look_up(struct policy *policy);
/*
 * With the lock held: take the policy that rules_look_up() has loaded if it is still in force;
 * otherwise free it. Returns whether @policy was taken.
 */
bool policy_take(struct policy *policy, struct policy *ahead, struct guard *guard);

/* filesystem.c */

#define MOUNTS	"/proc/self/mountinfo"

/**
 * struct mount_line - a line of the list of mounts
 * @id: the mount's id
 * @major: the device of its filesystem
 * @minor: likewise
 * @root: the directory of the filesystem that is mounted
 * @point: the mount point
 * @type: the filesystem's type
 * @options: the superblock's options, separated by commas
 *
 * The texts are valid until the next line is read.
 */
struct mount_line {
	unsigned long long id;
	unsigned int major;
	unsigned int minor;
	char *root;
	char *point;
	char *type;
	char *options;
};

/**
 * struct mounts - going through the list of mounts
 * @file: the list, or NULL if it can't be opened: then it has no lines
 * @text: the current line
 * @size: the room for it
 */
struct mounts {
	FILE *file;
	char *text;
	size_t size;
};

void mounts_begin(struct mounts *mounts);
/* Read a line; returns false at the end. */
bool mounts_next(struct mounts *mounts, struct mount_line *line);
void mounts_end(struct mounts *mounts);

/*
 * Type, mode, number of links, device and inode number of an open file, from memory. Returns 0 or a
 * negative errno.
 */
int file_stat(int fd, struct stat *stat);
/* Whether an open file is the root of a mount. */
bool is_mount_root(int fd);
/* Whether a file is on procfs, where files come and go with their names; not a mount's root. */
bool is_of_procfs(int fd);
/* Whether names in a directory that only differ in case are the same. */
bool directory_folds_case(int fd);
/*
 * Whether a file is one of several hard links in a lower layer of an overlay that treats each as a
 * separate file, with an inode that it makes anew when needed.
 */
bool is_broken_link(int fd, const struct stat *stat);
/* Whether a device number is a superblock's whose files report other numbers. */
bool is_superblock_device(__u32 dev);
/* Forget what is known of mounts: they come and go. */
void filesystems_forget(void);

#endif /* _GUARD_LOOKUP_H */
