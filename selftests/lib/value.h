/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The values of most tests of programs: a number that says whose it is, and how often it was
 * looked at. Included by programs, too, behind vmlinux.h.
 */
#ifndef VALUE_H
#define VALUE_H

struct value {
	__u64 number;
	__u64 count;
};

#endif /* VALUE_H */
