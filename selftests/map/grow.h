/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GROW_H
#define GROW_H

/* How many entries the programs look for. A power of two. */
#define STABLE	128

#endif /* GROW_H */
