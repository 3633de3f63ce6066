/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An event of a tracepoint, as the programs (observe.bpf.c) record it for programs.c.
 */
#ifndef EVENT_H
#define EVENT_H

struct event {
	__u64 ino;
	__u32 map_id;
	__u32 major;
	__u32 minor;
	__u32 handle;
	__u32 removed;
	__u32 detail;		/* pinned or not, or the reason */
};

#endif /* EVENT_H */
