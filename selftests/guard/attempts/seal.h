/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of seal.c and seal_tool.c, which ../bypass_seal.c runs.
 */
#ifndef SEAL_H
#define SEAL_H

#define BPF_DIR		"/sys/fs/bpf"
#define PINS		BPF_DIR "/inode-guard"
#define FTRACE_SWITCH	"/proc/sys/kernel/ftrace_enabled"

/* What root tries with a running guard, to end it or to change what it denies. */
struct seal_attempt {
	const char *name;
	/* 0: it worked, and everything but the guard is as before; or a negative errno. */
	int (*run)(void);
	int error;			/* of a stopped attempt, if not EPERM */
	bool ends;			/* it ends the guard or cuts it off, if it works */
	int always;			/* the kernel itself stops it with this, sealed or not */
	const char *(*missing)(void);	/* optional: why this kernel can't do it, or NULL */
};

#define SEAL_TRY(name_, run_, ...) \
	{ .name = (name_), .run = (run_), ## __VA_ARGS__ }

/* For the pins, maps and programs; for the kernel; for the tool's own processes. */
extern const struct seal_attempt seal_pins[], seal_kernel[], seal_tool[];

/* Why no module can be loaded on this kernel, or NULL. */
const char *seal_no_module(void);

/* Opened before anything was sealed. */
extern int seal_early_switch;

#endif /* SEAL_H */
