/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the test of failing allocations share: see fault.c.
 */
#ifndef FAULT_H
#define FAULT_H

#include "harness.h"

enum sweep { NTH, SLABS, PAGES, SWEEPS };

#define VALUE_MAX	70000

struct operation {
	const char *name;
	void (*prepare)(void);
	int (*call)(void);
	void (*check_and_undo)(void);
	void (*clean)(void);
	/*
	 * How many allocations are known, and how many of them have no fallback: an update is
	 * retried as long as the map has dead entries that take memory.
	 */
	unsigned int points, failures;
	enum {
		SETTLE	 = 1,	/* wait for the end of all pending grace periods */
		LARGE	 = 2,	/* too many allocations to try one by one */
		ONLY_NTH = 4,
		DELETES	 = 8,
	} flags;
};

/* fault.c */

void sweep_operation(const struct operation *operation, enum sweep sweep);
void sweeps(const struct operation *operation);
void maps_setup(unsigned int key_size, unsigned int value_size);

/* injection.c */

extern const char *const sweep_names[];
void injection_setup(void);
void arm(enum sweep sweep, unsigned int n);
unsigned int disarm(enum sweep sweep);

/* calls.c */

extern int map, other_map;
extern unsigned int map_key_size, map_value_size;
extern __u32 key_flags;
extern char value[VALUE_MAX], read_value[VALUE_MAX];
extern unsigned int tries;
extern int file;
extern struct counts base;
void value_set(unsigned int seed);
void key_set_fd(int fd);
int call_update(void);
int call_delete(void);
int call_lookup(void);
int call_next_key(void);
int call_create(void);
extern char listing[1 << 17];
int call_list(void);
void new_file(void);
void new_file_of_other_map(void);
void new_mount(void);
void close_file(void);
void close_mount(void);
void check_and_delete(void);
void choose_entry(void);
void choose_handle(void);
void check_and_restore(void);
void insert_file(void);
void check_deleted(void);
void close_map(void);
void nothing(void);

#endif /* FAULT_H */
