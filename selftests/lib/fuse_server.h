/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUSE_SERVER_H
#define FUSE_SERVER_H

/*
 * Serve a FUSE mount: @fd is the /dev/fuse that it was mounted with. Returns 0 after the unmount,
 * or a negative errno.
 */
int fuse_server_run(int fd);

/* How many seconds the kernel may cache names and attributes. */
extern unsigned int fuse_server_valid;

#endif /* FUSE_SERVER_H */
