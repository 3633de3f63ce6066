/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What those share that have to do with events: they are read, shown, logged, and passed on.
 */
#ifndef _GUARD_EVENTS_H
#define _GUARD_EVENTS_H

#include "tool.h"

/* events.c */

/**
 * struct denial - an access that was denied, or would have been
 * @time: when, as text
 * @op: the operation
 * @pid: the process
 * @uid: its user
 * @parent: its parent process
 * @login: the user who logged in, or GUARD_UNSET
 * @session: the number of that login, or GUARD_UNSET
 * @fsuid: the user that file permissions are judged by
 * @fsgid: the group, likewise
 * @unseen: whether the process does not count as one of @exe, which a rule is only for
 * @cgroup: the number of its control group, or 0
 * @audit: whether it was only reported
 * @command: the thread's name
 * @parent_command: its parent's
 * @cgroup_path: the control group's path in the hierarchy, or "" if it is not known
 * @path: the file
 * @exe: the executable
 * @cut: whether one of these two is not complete
 * @name: whether it is about making or removing the name @path, which is writing to its directory
 * @rule: path of the rule
 * @label: its label, "" for none
 * @id: its id, or 0
 */
struct denial {
	char time[64];
	int op;
	__u32 pid;
	__u32 uid;
	__u32 parent;
	__u32 login;
	__u32 session;
	__u32 fsuid;
	__u32 fsgid;
	__u64 cgroup;
	bool unseen;
	bool audit;
	char command[17];
	char parent_command[17];
	const char *cgroup_path;
	const char *path;
	const char *exe;
	bool cut;
	bool name;
	const char *rule;
	const char *label;
	__u32 id;
};

struct ring_buffer;

/**
 * struct events - the denials of the running guard
 * @guard: the guard
 * @denied: is called for each
 * @dropped: is called when there was no room for some
 * @context: for both
 * @ring: the rest is events.c's: the ring buffer
 * @only: descriptor that keeps others from it
 * @discard: whether what comes is from before
 * @told: how many have been said to be dropped
 * @rules: paths and labels of rules, by id, as text_join() makes them
 * @mounts: of struct mount
 * @mounts_fd: tells when these change
 * @cgroups: descriptor of the root of the control groups' hierarchy, or -1
 */
struct events {
	struct guard *guard;
	void (*denied)(void *context, const struct denial *denial);
	void (*dropped)(void *context, __u64 dropped);
	void *context;
	struct ring_buffer *ring;
	int only;
	bool discard;
	__u64 told;
	struct index rules;
	struct array mounts;
	int mounts_fd;
	int cgroups;
};

/* Returns 0, or -1 having told why. */
int events_open(struct events *events);
/* Wait for events for so long at most; returns 0 or a negative errno. */
int events_poll(struct events *events, int milliseconds);
void events_close(struct events *events);
/* One line. */
void denial_print(FILE *file, const struct denial *denial, bool json);
void dropped_print(FILE *file, __u64 dropped, bool json);

/* log.c */

/**
 * struct log - where denials are written to
 * @fd: a socket
 * @journal: whether it is the journal; or else it is syslog
 * @second: in which so many lines were logged
 * @logged: how many
 * @left_out: how many more there were
 */
struct log {
	int fd;
	bool journal;
	time_t second;
	unsigned int logged;
	unsigned long left_out;
};

void log_open(struct log *log);
void log_denial(struct log *log, const struct denial *denial);
/* Once a second: say how many were left out, if any were. */
void log_second(struct log *log);
/* A denial as a line, to be freed. */
char *denial_line(const struct denial *denial, bool json);

#endif /* _GUARD_EVENTS_H */
