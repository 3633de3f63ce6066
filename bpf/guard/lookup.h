/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Looking up paths, and what is known of the file systems that they lead to. A part of tool.h.
 */
#ifndef _GUARD_LOOKUP_H
#define _GUARD_LOOKUP_H

#include <stdbool.h>

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
/* The target of a symbolic link, to be freed, or NULL: it is none, or takes too long. */
char *path_read_link(const char *path);
/*
 * Wait until whoever makes or removes a name in a directory at this moment is through with it.
 * @path is that of a name in it. Returns 0 or -ETIMEDOUT.
 */
int path_wait(int dir, const char *path);
/* Have the kernel know these (char *), or know which of them hang: before the lock is taken. */
void paths_look_up(const struct array *paths);
/*
 * What a pattern matches, as glob(3) has it, to be freed. Returns 0, -ENOENT: nothing, -ETIMEDOUT, or
 * another negative errno.
 */
int paths_expand(const char *pattern, struct array *paths);
/* From now on all that hang have one time limit. */
void lookups_limit(void);

/* ahead.c */

/* Look up what is to be looked up with the lock held. */
void arguments_look_up(const struct arguments *arguments);
void conf_look_up(const struct conf *conf);
/* All names of rules and executables. */
void policy_look_up(const struct policy *policy);
/* Of the policy in force, which is loaded, if the guard runs. */
void rules_look_up(struct policy *policy);
/*
 * With the lock held: take what rules_look_up() has loaded if it is still in force; free it if not.
 * Returns whether @policy is that now.
 */
bool policy_take(struct policy *policy, struct policy *ahead, struct guard *guard);
/* The path of what a descriptor names, or NULL and errno. */
char *path_of_fd(int fd);

/* filesystem.c */

#define MOUNTS	"/proc/self/mountinfo"

/*
 * What a descriptor names: type, mode, links, device and inode number, from memory. Returns 0 or a
 * negative errno.
 */
int file_stat(int fd, struct stat *stat);
/* Whether it is the root of a mount. */
bool is_mount_root(int fd);
/* Files of procfs come and go with their names, but for the root of a mount. */
bool is_of_procfs(int fd);
/* Whether names in a directory are the same if they differ in case only. */
bool directory_folds_case(int fd);
/*
 * Whether it is one of several names of a file in a lower layer of an overlay that takes each for a
 * file of its own, which it makes anew when it needs it.
 */
bool is_broken_link(int fd, const struct stat *stat);
/* Whether a device is a superblock's whose files have others. */
bool is_superblock_device(__u32 dev);
/* Mounts come and go. */
void filesystems_forget(void);

#endif /* _GUARD_LOOKUP_H */
