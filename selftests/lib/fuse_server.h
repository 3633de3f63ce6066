/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FUSE_SERVER_H
#define FUSE_SERVER_H

/*
 * Serve a mount of FUSE: @fd is /dev/fuse, which that was mounted with. Returns 0 when it is unmounted,
 * or a negative errno.
 */
int fuse_server_run(int fd);

/* For how many seconds the kernel may take what it was told for true. */
extern unsigned int fuse_server_valid;

#endif /* FUSE_SERVER_H */
