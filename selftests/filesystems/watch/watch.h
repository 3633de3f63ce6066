/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the test of watches share: see watch.c.
 */
#ifndef WATCH_H
#define WATCH_H

#include "harness.h"

/* watch.c */

extern char seen[1 << 16];
void inotify_drain(int inotify);
void fanotify_drain(int fanotify, const char *what);
int fanotify_new(unsigned int flags);

#endif /* WATCH_H */
