/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user-space files of the program test share: see program.c.
 */
#ifndef CALLS_H
#define CALLS_H

#include "harness.h"
#include "program.h"

#define TRACING		"/sys/kernel/tracing"

/* The number that user space writes. */
#define NUMBER		0x1122334455667788

/* What a function returns in which case, and its effect when it returns 0. */
struct function {
	const char *name;
	int absent;		/* the inode is not in the map */
	int no_map;
	int no_inode;		/* the pointer to the inode is NULL */
	int rdonly_prog;	/* the map has BPF_F_RDONLY_PROG */
	int wronly_prog;
	enum { READS, CHANGES, REMOVES, WALKS } effect;
};

#define FOR_EACH_FUNCTION(function, end) \
	for (unsigned int function = 0; function < (end); function++)

#define POSSIBLY_NULL	"Possibly NULL pointer passed to trusted"

struct run {
	struct program *programs;
	struct bpf_program *program;
	void (*trigger)(struct bpf_program *program);
};

#include "program.skel.h"

/* program.c */

extern const struct function functions[];
struct program *programs_load(const char *name, struct bpf_program **program);
extern struct bpf_link *attached;
void attach(struct bpf_program *program);
struct program *program_attach(const char *name);
void programs_destroy(struct program *programs);
int run_once(struct run *run);
int run_in_file_open(struct program *programs);
void set(int map, int fd, __u64 number, __u32 key_flags);
__u64 get(int map, int fd);
void check_function(struct run *run, unsigned int function, int want, int map, int fd,
		    __u64 before);
void check_type(const char *name, void (*trigger)(struct bpf_program *program),
		const char *path, unsigned int end);

/* values.c */

void check_results(struct program *programs, const int *want, unsigned int count);

#endif /* CALLS_H */
