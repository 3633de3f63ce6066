/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the context test and its programs (context.bpf.c) agree on.
 */
#ifndef OUTCOMES_H
#define OUTCOMES_H

struct value {
	__u64 tag;
	__u64 copy;
	__u64 last;
	__u64 count;
};

/* How many changes succeeded, and how many failed for which reason. */
struct outcomes {
	__u64 ok;
	__u64 busy;
	__u64 absent;
	__u64 dead;		/* -ENODEV: no such map */
	__u64 other;
	__s64 error;		/* the last of the other errors */
};

#endif /* OUTCOMES_H */
