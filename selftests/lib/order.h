/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order in which a walk visits entries: in blocks of handles whose ends double from 4096, and
 * in each block from the largest handle to the smallest. Pure functions.
 */
#ifndef _SELFTESTS_ORDER_H
#define _SELFTESTS_ORDER_H

#include <stdbool.h>

static inline unsigned long handle_block(unsigned int handle)
{
	unsigned long end = 4096;

	while (end <= handle)
		end *= 2;
	return end;
}

/* Whether a walk visits the first before the second. */
static inline bool handle_is_met_before(unsigned int first, unsigned int second)
{
	unsigned long a = handle_block(first), b = handle_block(second);

	return a == b ? first > second : a < b;
}

#endif /* _SELFTESTS_ORDER_H */
