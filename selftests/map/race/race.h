/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the race test share: see race.c.
 */
#ifndef RACE_H
#define RACE_H

#include "harness.h"
#include "words.h"

#define TASKS		8

/* How long a case repeats its rounds. */
#define SECONDS		2

struct shared {
	unsigned int arrived, generation;
	unsigned int won, lost, rounds;
	unsigned long long total;
	unsigned int winner;
	bool stop;
};

struct task {
	unsigned int number;
	void (*run)(unsigned int task);
};

#include "race.skel.h"

/* race.c */

void value_fill(struct value *value, __u64 seed);
void value_check(const struct value *value);
int value_set(int map, int fd, __u64 seed);
void check_either(const char *what, int err, int allowed, int also_allowed);
extern struct shared *shared;
extern unsigned int tasks;
extern int maps[20];
void msleep(unsigned int ms);
void barrier(void);
void add(unsigned int *counter);
bool stopped(void);
void shared_reset(unsigned int nr_tasks);
void tasks_start(unsigned int nr_tasks, void (*run)(unsigned int task), pid_t *pids);
void tasks_wait(const pid_t *pids);
void parallel(unsigned int nr_tasks, void (*run)(unsigned int task));
void parallel_for(unsigned int seconds, unsigned int nr_tasks,
		  void (*run)(unsigned int task));
extern int file;

/* programs.c */

extern struct race *programs;
extern struct bpf_link *links[2];
void programs_load(const char *first, const char *second);
void programs_destroy(void);

#endif /* RACE_H */
