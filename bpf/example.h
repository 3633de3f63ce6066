/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code that the loaders of the examples share; each loader has the parts that are worth reading.
 *
 * A loader runs in the foreground and pins nothing. However it ends, by an error, a signal or a
 * return, the kernel closes its descriptors; with the last descriptor of the link it detaches the
 * program, and frees the program and the map that is bound to it. So a loader just ends on errors
 * (errx(3)).
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

/* Exit status for a wrong command line; EXIT_FAILURE is for all other errors. */
#define EXIT_USAGE	2

/*
 * The result of something that a loader does, for the rest of the loader: if it is a negative
 * errno, this ends with one line about it. @what completes "cannot ...".
 */
static inline int example_check(int result, const char *what)
{
	if (result < 0)
		errx(EXIT_FAILURE, "cannot %s: %s", what, inode_map_strerror(result));
	return result;
}

static inline int example_print_warnings(enum libbpf_print_level level, const char *format,
					 va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

/* With --verbose, libbpf prints why the kernel refuses a program; without it, libbpf is silent. */
static inline void example_set_verbose(bool verbose)
{
	libbpf_set_print(verbose ? example_print_warnings : NULL);
}

/*
 * Ask first for what a stranger most often lacks: later steps fail with errors that do not name it.
 * A kernel that was booted without "bpf" in its list of security modules does not even fail. It
 * lets loaders attach programs to security hooks and never calls them: the policy looks as if it
 * were in place.
 */
static inline void example_check_kernel(void)
{
	int error = inode_map_check_lsm();

	if (!error)
		error = inode_map_check_module();
	if (error)
		errx(EXIT_FAILURE, "%s", inode_map_strerror(error));
}

/* Block SIGINT and SIGTERM until example_wait(), so that none comes at a bad moment. */
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
