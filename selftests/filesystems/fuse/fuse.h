/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server of the test of FUSE: see server.c.
 */
#ifndef FUSE_H
#define FUSE_H

#include "harness.h"

#include <stdatomic.h>

/* Seconds that anything may take on a slow machine if it does not wait for the filesystem. */
#define BOUND	20

#define NR_FILES	3
#define FILE_SIZE	65536

/* Shared with the server's process. */
struct control {
	atomic_int stop_at;	/* stop at a request of this kind, as long as it is set */
	atomic_int stopped;	/* the server waits at one */
	struct {
		unsigned int size;
		unsigned int links;
		char data[FILE_SIZE];
	} files[NR_FILES];
};

/* server.c */

extern const char *const file_names[NR_FILES];
extern struct control *control;
extern pid_t server;
void fuse_start(const char *path);
bool has_stopped(void *unused);

#endif /* FUSE_H */
