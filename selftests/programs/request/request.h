/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What request.c and its programs (request.bpf.c) agree on.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "value.h"

/* The value that a program got: none. (No errno, and no number that is used.) */
#define NOTHING		(-10000)

/* More than may be on the way for one map. */
#define MANY		300

/* A version that there will not be for a while. */
#define FAR_VERSION	1000

#endif /* REQUEST_H */
