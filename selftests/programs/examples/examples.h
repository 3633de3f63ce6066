/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the examples test share: see examples.c.
 */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include "harness.h"

/* The exit status of the programs executed here: nothing else returns it. */
#define RAN		42

#define RAN_TEXT	"42"

#define CGROUP_ROOT	"/sys/fs/cgroup"
#define ARGV(...)	((char *[]){ __VA_ARGS__, NULL })

/* examples.c */

extern char out[65536];
extern char cgroup[64];
void cgroup_create(void);
void cgroup_enter(const char *path);
void cgroup_remove(char *path);
int exit_status(pid_t pid);
pid_t start(char **argv);
void wait_for(pid_t pid, bool (*ready)(void *arg), void *arg);
void stop(pid_t pid, int signal);
void stop_silent(pid_t pid, int signal);
int run_to_end(char **argv);
unsigned int count_lines(const char *text);
void check_matches(const char *text, const char *pattern);
void check_fails(char **argv, const char *why);
int map_by_name(const char *name);
void map_clear(int map);

/* allowlist_exec.c */

void copy_tool(const char *path);
int try_exec(const char *in, char **argv);

/* tree_deny.c */

int try_open(const char *path, int flags);

#endif /* EXAMPLES_H */
