/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether programs find a file in a map: by the program of fault.bpf.c that looks up the file of
 * each fcntl().
 */
#ifndef FINDER_H
#define FINDER_H

#include "harness.h"
#include "selftests/lib/fault.skel.h"

/* Load and attach the programs, for this process and a map. */
static inline struct fault *finder_attach(int map)
{
	struct fault *programs = fault__open_and_load();

	CHECK(programs);
	programs->bss->pid = getpid();
	programs->bss->map_id = map_id_of(map);
	CHECK_OK(fault__attach(programs));
	return programs;
}

/* Whether the file of a descriptor is in the map. */
static inline bool finder_finds(struct fault *programs, int fd)
{
	__u64 calls = programs->bss->calls, hits = programs->bss->hits;

	CHECK_SYS(fcntl(fd, F_GETFD));
	CHECK_EQ(programs->bss->calls, calls + 1);
	return programs->bss->hits == hits + 1;
}

#endif /* FINDER_H */
