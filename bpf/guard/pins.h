/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pins of the guard (pins.c), for code that starts, stops or examines it.
 */
#ifndef _GUARD_PINS_H
#define _GUARD_PINS_H

#include <dirent.h>

#include "tool.h"

#define BPF_DIR		"/sys/fs/bpf"
#define GUARD_DIR	BPF_DIR "/inode-guard"
/* For a guard that replaces one of another version; or what an interrupted upgrade left. */
#define GUARD_NEXT_DIR	BPF_DIR "/inode-guard-next"

/* A directory in it: a process that watches locks it. */
#define GUARD_WATCH	"watch"

/* Where the pins are: GUARD_DIR, or GUARD_NEXT_DIR while upgrade.c makes the next guard. */
extern const char *pins_dir;

/**
 * struct guard_map - a map of the programs' object that is not an inode map
 * @name: its name, in the object and as a pin
 * @fd: offset of its descriptor in struct guard
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
/* Pin @fd. Returns 0, even if there is a pin of that name already, or a negative errno. */
int pin_make(int fd, const char *name);
/* Open the directory of the pins: a descriptor or a negative errno, -EUCLEAN if it is not ours. */
int pins_open(void);
/* Likewise, to read its entries: 0 or a negative errno. The caller closes @dir. */
int pins_open_dir(DIR **dir);
/* The number of pins but READING_PIN, or a negative errno: -ENOENT when there is no directory. */
int pin_count(void);

/*
 * Lock the directory of the pins; a stop may remove it while we wait. Returns a descriptor or a
 * negative errno: -ENOENT when there is no directory.
 */
int guard_lock(bool exclusive);
/* Lock it exclusively, and make the directory if there is none. */
int guard_make_and_lock(void);

/* Initialise @guard, with nothing open. */
void guard_init(struct guard *guard);
/* Each returns 0 or a negative errno. After an error, guard_close() closes what was opened. */
int guard_open_state(struct guard *guard);
/* Open the processes of a guard of another version: -EPROTO if their map has another shape. */
int guard_open_processes(struct guard *guard);
int guard_open_maps(struct guard *guard);
/* Look at the pins, and open the state if there is one. Returns GUARD_* or a negative errno. */
int guard_examine(struct guard *guard);
/*
 * Whether the kernel has the object that is looked for. @next and @get are libbpf's for its kind.
 * Passes over objects of which no descriptor is to be had.
 */
bool kernel_has(int (*next)(__u32 from, __u32 *id), int (*get)(__u32 id), bool (*is_it)(int fd));
/* Write the name of a program, of BPF_OBJ_NAME_LEN bytes, to @name. Returns whether it is known. */
bool program_name(int program, char *name);
/* Whether programs are attached whose pins are not here. */
bool guard_is_elsewhere(void);
void guard_tell_elsewhere(void);
/* Report that the guard is not running, or is elsewhere; returns an exit code. */
int guard_tell_stopped(const char *hint);
/* Report why the guard can't be examined; returns an exit code. */
int guard_examine_failed(int err);

/* load.c */

/* Start the guard whose pins are in @pins_dir, or complete it; returns an exit code. */
int guard_start_here(const struct arguments *arguments);
/* Remove GUARD_NEXT_DIR, if any: 0 or a negative errno. The caller has locked GUARD_DIR. */
int guard_remove_next(void);

/* reading.c */

/* The pin of a link that exists only while a rule needs it. Named like its program. */
#define READING_PIN	"guard_permission"

/* Whether that link exists if a rule needs it. */
bool reading_is_whole(const struct guard *guard);
/* Pin the program for that link: 0 or a negative errno. */
int reading_make(int program);

#endif /* _GUARD_PINS_H */
