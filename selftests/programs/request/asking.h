/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user-space files of the request test share: see request.c.
 */
#ifndef ASKING_H
#define ASKING_H

#include "harness.h"
#include "request.h"

#define NUMBER		0x1122334455667788

/* Same as in src/request.h. */
#define REQUESTS_MAX	256

#include "request.skel.h"

/* request.c */

struct request *programs_attach(const char *name, const char *also);
int run_on(struct request *programs, const char *path);
int run_on_map(struct request *programs, int map, const char *path);
int map_of_values(unsigned int max_entries);
struct value value_of(int map, int fd);
void set(int map, int fd, __u64 number);
void wait_until_made(int map, int fd);
unsigned int requests(unsigned int *lost);
unsigned int requests_wait(void);

#endif /* ASKING_H */
