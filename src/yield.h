/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points where the module that is built for the fuzzer pauses, so that other contexts can get in
 * between, and where it tells KCOV that a worker begins and ends. In any other build they are
 * empty.
 */
#ifndef _INODE_MAP_YIELD_H
#define _INODE_MAP_YIELD_H

#include <linux/kcov.h>
#include <linux/types.h>

#ifdef INODE_MAP_FUZZ

/* Also in fuzz/cover.c. */
#define FUZZ_REMOTE	0x66757a7aU

void inode_map_pause(bool may_sleep);

#ifdef CONFIG_KCOV
static inline void inode_map_been_init(void)
{
}

static inline void inode_map_been_exit(void)
{
}
#else
/* The compiler calls it by this name. */
void __sanitizer_cov_trace_pc(void);

void inode_map_been_init(void);
void inode_map_been_exit(void);
#endif

/* In any context. */
#define YIELD_POINT()		inode_map_pause(false)
/* In contexts that may sleep. */
#define YIELD_POINT_SLEEP()	inode_map_pause(true)
/* Around the work of a worker, for KCOV. */
#define YIELD_WORK_BEGIN()	kcov_remote_start_common(FUZZ_REMOTE)
#define YIELD_WORK_END()	kcov_remote_stop()

#else

static inline void inode_map_been_init(void)
{
}

static inline void inode_map_been_exit(void)
{
}

#define YIELD_POINT()		do { } while (0)
#define YIELD_POINT_SLEEP()	do { } while (0)
#define YIELD_WORK_BEGIN()	do { } while (0)
#define YIELD_WORK_END()	do { } while (0)

#endif

#endif /* _INODE_MAP_YIELD_H */
