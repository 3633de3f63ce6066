/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The values of most program tests: a number that identifies the value, and a count of lookups.
 * Programs include it, too, after vmlinux.h.
 */
#ifndef VALUE_H
#define VALUE_H

struct value {
	__u64 number;
	__u64 count;
};

#endif /* VALUE_H */
