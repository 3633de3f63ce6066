/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the test of updates by programs share: see update.c.
 */
#ifndef UPDATE_H
#define UPDATE_H

#include "harness.h"
#include "command.h"

#define SECONDS		3

#include "update.skel.h"

/* update.c */

extern struct update *programs;
void program_choose(const char *name);
void programs_attach(unsigned int id);
void program_attach(const char *name, int map);
void programs_destroy(void);
int update(int fd, unsigned int value, __u64 flags);
int update_by(void (*trigger)(void), unsigned int value);
__u64 results(int error);
void results_check(int allowed, int also_allowed);
void mount_m(void);

/* ends.c */

void create_and_close(const char *path);
unsigned long blocks_free(void);
void check_blocks(unsigned long want);
int create_large(const char *path);

#endif /* UPDATE_H */
