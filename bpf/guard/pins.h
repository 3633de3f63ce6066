/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The pins of the guard (pins.c), for those who start it, stop it and look how it is.
 */
#ifndef _GUARD_PINS_H
#define _GUARD_PINS_H

#include "tool.h"

#define BPF_DIR		"/sys/fs/bpf"
#define GUARD_DIR	BPF_DIR "/inode-guard"
/* Of a guard that is to take the place of one of another version, or what is left of either. */
#define GUARD_NEXT_DIR	BPF_DIR "/inode-guard-next"

/* In it: who watches locks that. */
#define GUARD_WATCH	"watch"

/* Where the pins are: GUARD_DIR, but while upgrade.c makes the other. */
extern const char *pins_dir;

/**
 * struct guard_map - a map of the programs' object that is no inode map
 * @name: its name, there and as a pin
 * @fd: where its descriptor is in struct guard
 * @type: enum bpf_map_type
 * @key_size: bytes of a key
 * @value_size: bytes of a value
 */
struct guard_map {
	const char *name;
	size_t fd;
	__u32 type;
	__u32 key_size;
	__u32 value_size;
};

#define GUARD_MAPS	14

extern const struct guard_map guard_maps[GUARD_MAPS];

int *guard_map_fd(struct guard *guard, size_t i);

/* @path has room for PATH_MAX bytes. */
void pin_path(char *path, const char *name);
/* The name of an inode map, by its index. */
void pin_map_name(char *name, size_t size, int index);
/* Returns 0, also if there is one of that name, or a negative errno. */
int pin_make(int fd, const char *name);
/* Open their directory: a descriptor, or a negative errno, -EUCLEAN if what is there is not ours. */
int pins_open(void);
/* How many there are that stay, or a negative errno: -ENOENT when there is no directory. */
int pin_count(void);

/*
 * Lock the directory of the pins; a stop may remove it while we wait. Returns a descriptor or a
 * negative errno: -ENOENT when there is no directory.
 */
int guard_lock(bool exclusive);
/* The same, and make the directory if it is not there. */
int guard_make_and_lock(void);

/* Nothing is open. */
void guard_init(struct guard *guard);
/* Each returns 0 or a negative errno; what was opened before an error is left to guard_close(). */
int guard_open_state(struct guard *guard);
/* Of a guard of another version: its processes, if they are as this one has them. */
int guard_open_processes(struct guard *guard);
int guard_open_maps(struct guard *guard);
/* Look at the pins; opens the state if it is there. Returns a negative errno or what there is. */
int guard_examine(struct guard *guard);
/* Whether programs are attached whose pins are not here. */
bool guard_is_elsewhere(void);
void guard_tell_elsewhere(void);
/* Tell that it is not running, or is elsewhere; returns an exit code. */
int guard_tell_stopped(const char *hint);
/* Tell why it can't be looked at; returns an exit code. */
int guard_examine_failed(int err);

/* load.c */

/* Start the guard whose pins are in @pins_dir, or complete it; returns an exit code. */
int guard_start_here(const struct arguments *arguments);
/* Remove what is in GUARD_NEXT_DIR, if anything: 0 or a negative errno. With the lock of GUARD_DIR. */
int guard_remove_next(void);

/* reading.c */

/* The pin of the link that is there only while a rule needs it, by the name of the program. */
#define READING_PIN	"guard_permission"

/* Whether it is there if it has to be. */
bool reading_is_whole(const struct guard *guard);
/* Have a program for it: 0 or a negative errno. */
int reading_make(int program);

#endif /* _GUARD_PINS_H */
