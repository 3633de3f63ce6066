/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the context test share: see context.c.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include "harness.h"

#include <pthread.h>

#include "outcomes.h"

/* How long a case without a condition of its own repeats. */
#define SECONDS		2

/* Load the named programs. */
#define LOAD(...)							\
	do {								\
		programs_open((const char *const []){ __VA_ARGS__, NULL }); \
		CHECK_OK(context__load(programs));			\
	} while (0)

#define SHOW(outcomes)							\
	printf("# %s: %llu ok, %llu busy, %llu absent, %llu dead\n", #outcomes, \
	       programs->bss->outcomes.ok, programs->bss->outcomes.busy, \
	       programs->bss->outcomes.absent, programs->bss->outcomes.dead)

/* The only results were 0, -EBUSY, -ENOENT and -ENODEV. */
#define CHECK_OUTCOMES(outcomes)					\
	do {								\
		SHOW(outcomes);						\
		if (programs->bss->outcomes.other)			\
			FAIL("%llu other %s: %s", programs->bss->outcomes.other, #outcomes, \
			     strerror(-programs->bss->outcomes.error));	\
	} while (0)

/* Deletions are never busy. */
#define CHECK_DELETIONS(outcomes)					\
	do {								\
		CHECK_OUTCOMES(outcomes);				\
		CHECK_EQ(programs->bss->outcomes.busy, 0);		\
	} while (0)

struct thread {
	pthread_t thread;
	unsigned int cpu;
	void (*run)(void);
};

#include "context.skel.h"

/* context.c */

extern struct context *programs;
extern int map, dir, file;
struct bpf_program *program(const char *name);
void programs_open(const char *const *names);
struct bpf_link *attach(const char *name);
void run_on(const char *name, __u32 id);
__u64 get(const __u64 *counter);
extern bool stop;
void thread_start(struct thread *thread, unsigned int cpu, void (*run)(void));
void threads_stop(struct thread *threads, unsigned int nr);
void run_both(void (*first)(void), void (*second)(void), bool (*enough)(void *unused));
void set(int to, int fd, __u64 tag);
void remove_if_there(int from, int fd);
void setup(void);
void churn(void);
void check_whole(void);
struct bpf_link *attach_event(const char *name, struct perf_event_attr *attr, int tid,
			      int cpu);
void attach_samples(const char *name, unsigned int period_us);

/* functions.c */

struct bpf_link *attach_breakpoint(const char *name, const char *function);

#endif /* CONTEXT_H */
