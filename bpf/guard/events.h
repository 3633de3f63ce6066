/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the files that read, show, log and pass on events.
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
 * @session: the number of that login session, or GUARD_UNSET
 * @fsuid: the user that file permissions are checked for
 * @fsgid: the group, likewise
 * @unseen: whether a rule is limited to @exe, and the process does not count as its own
 * @cgroup: the number of its cgroup, or 0
 * @audit: whether it was only reported
 * @command: the thread's name
 * @parent_command: its parent's
 * @cgroup_path: the cgroup's path in the hierarchy, or "" if it is not known
 * @path: the file
 * @exe: the executable
 * @cut: whether either of these two is incomplete
 * @name: whether the name @path was to be made or removed, which is writing to its directory
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

struct pollfd;
struct ring_buffer;

/**
 * struct events - the denials of the running guard
 * @guard: the guard
 * @denied: called for each denial
 * @dropped: called when events did not fit into the ring buffer
 * @context: passed to both
 * @ring: the ring buffer; this and the following are private to events.c
 * @only: descriptor that holds the lock of the only reader
 * @discard: whether to discard events, which are from before
 * @told: number of dropped events that were reported
 * @rules: paths and labels of rules, by id, as text_join() makes them
 * @mounts: of struct mount
 * @mounts_fd: tells when the mounts change
 * @cgroups: descriptor of the root of the cgroup hierarchy, or -1
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

/* Returns 0, or -1 after reporting why. */
int events_open(struct events *events);
/* Wait for events for at most @milliseconds; returns 0 or a negative errno. */
int events_poll(struct events *events, int milliseconds);
void events_close(struct events *events);
/* Print one line. */
void denial_print(FILE *file, const struct denial *denial, bool json);
void dropped_print(FILE *file, __u64 dropped, bool json);

/* log.c */

/**
 * struct log - where denials are written
 * @fd: a socket
 * @journal: whether it is the journal's; otherwise syslog's
 * @second: the second that the counters are for
 * @logged: number of lines logged in it
 * @left_out: number of lines left out
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
/* Once a second: log how many lines were left out, if any. */
void log_second(struct log *log);
/* Format a denial as a line, to be freed. */
char *denial_line(const struct denial *denial, bool json);

/* watchers.c */

#define WATCHERS_MAX	32
/* The number of descriptors to poll for them. */
#define WATCHERS_FDS	(WATCHERS_MAX + 1)

/**
 * struct watchers - clients of the service that watch denials
 * @listener: the socket to which they connect
 * @items: the clients
 * @items.fd: its socket, or -1
 * @items.ready: whether it has said in which form it wants lines
 * @items.json: whether it wants JSON
 */
struct watchers {
	int listener;
	struct watcher {
		int fd;
		bool ready;
		bool json;
	} items[WATCHERS_MAX];
};

/* Returns 0, or -1 after reporting why. */
int watchers_open(struct watchers *watchers);
void watchers_close(struct watchers *watchers);
/* Send a line to all that want it in this form. */
void watchers_tell(struct watchers *watchers, const char *text, bool json);
/* Fill in the WATCHERS_FDS descriptors to poll; and take what poll(2) says of them. */
void watchers_ask(const struct watchers *watchers, struct pollfd *fds);
void watchers_hear(struct watchers *watchers, const struct pollfd *fds);
/* Connect to the running service as a client: a socket, or a negative errno. */
int service_connect(void);

#endif /* _GUARD_EVENTS_H */
