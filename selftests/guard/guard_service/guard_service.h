/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files of the test of inode-guard's service share: see guard_service.c.
 */
#ifndef GUARD_SERVICE_H
#define GUARD_SERVICE_H

#include "steps.h"

#define CONF	"/etc/inode-guard.conf"

/* guard_service.c */

/* The service's process; and where it tells what it tells systemd. */
extern pid_t service;
extern int notifications;
void start_service(bool hold);
/* Wait for a datagram with @text, @seconds at most. Return it with NUL bytes replaced by spaces. */
char *expect(int fd, const char *text, double seconds);
/* Wait until writes are denied, 20 seconds at most; print how long it took. */
void becomes_denied(const char *what, const char *path);
/* Wait until they are allowed. */
void becomes_allowed(const char *path);
/* Read a file with the shell @exe. Returns its exit status. */
int read_with(const char *exe, const char *path);
/* Stop the service, and run the shell command @change. */
void hold(const char *change);

/* slow.c */

/* Load the program that delays, before the guard starts; and unload it. */
void slow_begin(void);
void slow_end(void);
void check_slow(void);
/* @round: 0 or 1, each with directories of its own. */
void check_stuck(unsigned int round);

/* held.c */

void check_no_hold(void);
void check_held(void);
void check_held_audit(void);
void check_held_failures(void);
void check_held_killed(void);

#endif /* GUARD_SERVICE_H */
