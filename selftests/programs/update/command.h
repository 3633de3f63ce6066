/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test of updates by programs and these programs (update.bpf.c) agree on.
 */
#ifndef COMMAND_H
#define COMMAND_H

/* An ioctl() that no file has: the program on it updates the file. */
#define COMMAND		0x494d

/* In @enabled: for the children of the process, and not for itself. */
#define CHILDREN	2

#endif /* COMMAND_H */
