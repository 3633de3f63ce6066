/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the loaders of the examples have in common, beside what is worth reading in each of them.
 *
 * A loader runs in the foreground and pins nothing. Whatever ends it, an error, a signal or its own
 * doing, closes its descriptors, and with the last descriptor of a link the program is detached,
 * the program and the map it is bound to are freed. So an error just ends the loader (errx(3)).
 */
#ifndef _EXAMPLE_H
#define _EXAMPLE_H

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <inode_map.h>

/* Exit status for a command line that is wrong; EXIT_FAILURE is for everything else. */
#define EXIT_USAGE	2

/* The text of a negative errno, for the end of a line. */
static inline const char *example_reason(int error)
{
	return error == -EPERM ? "Operation not permitted (are you root?)" :
				 inode_map_strerror(error);
}

static inline int example_print_warnings(enum libbpf_print_level level, const char *format,
					 va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

/* With --verbose, libbpf tells why the kernel refuses a program; without, it is silent. */
static inline void example_set_verbose(bool verbose)
{
	libbpf_set_print(verbose ? example_print_warnings : NULL);
}

/*
 * A kernel that was not booted with "bpf" in its list of security modules lets programs be attached
 * to security hooks, and never calls them: a policy that is not there and looks as if it were.
 */
static inline void example_check_lsm(void)
{
	int error = inode_map_check_lsm();

	if (error)
		errx(EXIT_FAILURE, "%s", example_reason(error));
}

/* Hold SIGINT and SIGTERM back until example_wait(), so that none comes at a bad moment. */
static inline void example_block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

static inline void example_wait(const sigset_t *signals)
{
	int signal;

	sigwait(signals, &signal);
}

#endif /* _EXAMPLE_H */
