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
#define INODE_MAP_FUZZ_REMOTE	0x66757a7aU

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
#define INODE_MAP_YIELD()		inode_map_pause(false)
/* In contexts that may sleep. */
#define INODE_MAP_YIELD_SLEEP()	inode_map_pause(true)
/* Around the work of a worker, for KCOV. */
#define INODE_MAP_WORK_BEGIN()	kcov_remote_start_common(INODE_MAP_FUZZ_REMOTE)
#define INODE_MAP_WORK_END()	kcov_remote_stop()

#else

static inline void inode_map_been_init(void)
{
}

static inline void inode_map_been_exit(void)
{
}

#define INODE_MAP_YIELD()		do { } while (0)
#define INODE_MAP_YIELD_SLEEP()	do { } while (0)
#define INODE_MAP_WORK_BEGIN()	do { } while (0)
#define INODE_MAP_WORK_END()	do { } while (0)

#endif

#endif /* _INODE_MAP_YIELD_H */
