/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test of updates by programs and its programs (update.bpf.c) agree on.
 */
#ifndef COMMAND_H
#define COMMAND_H

/* An ioctl() that no file implements: the program attached to it updates the file. */
#define COMMAND		0x494d

/* A value of @enabled: act for the children of the process, but not for itself. */
#define CHILDREN	2

#endif /* COMMAND_H */
