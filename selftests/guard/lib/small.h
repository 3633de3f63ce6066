/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The size of the guard's tables in tests that are not about it: each command reads some of them
 * whole. guard_many.c and others start the guard as it is by default.
 */
#ifndef SMALL_H
#define SMALL_H

#define SMALL_RULES	"16384"
#define START_SMALL	"start", "--max-rules", SMALL_RULES

#endif /* SMALL_H */
