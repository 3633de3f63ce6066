/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What request.c and its programs (request.bpf.c) agree on.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "value.h"

/* The result of a program that got no value. Neither an errno nor a number in use. */
#define NOTHING		(-10000)

/* More than the limit of pending requests for one map. */
#define MANY		300

/* A version far above the current one. */
#define FAR_VERSION	1000

#endif /* REQUEST_H */
