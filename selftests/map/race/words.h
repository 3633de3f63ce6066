/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The values of the race test. Its programs (race.bpf.c) check that a value is whole: every word
 * follows from the seed.
 */
#ifndef WORDS_H
#define WORDS_H

#define WORDS	125
#define WORD(seed, i)	((seed) * 0x9e3779b97f4a7c15 + (i))

struct value {
	__u64 seed;
	__u64 words[WORDS];
};

#endif /* WORDS_H */
