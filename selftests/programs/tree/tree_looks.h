/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tree.c and tree_storm.c share: programs that search the trees of every file that the process
 * opens, and checks of their answers.
 */
#ifndef TREE_LOOKS_H
#define TREE_LOOKS_H

#include "harness.h"
#include "tree.h"
#include "selftests/programs/tree/tree.skel.h"

/* Functions that stay in a filesystem, and functions that cross mounts. */
enum { TREE = 1, PATH = 2, BOTH = TREE | PATH };

static struct tree *programs;

static inline void programs_open(void)
{
	programs = tree__open();
	CHECK(programs);
}

static inline struct bpf_program *program_find(const char *name)
{
	return want_program(programs->obj, name);
}

/* Attach the programs named in @names, which ends with NULL, for this process. */
static inline void programs_attach(int map, const char *const names[])
{
	programs_open();
	for (unsigned int i = 0; names[i]; i++)
		program_find(names[i]);
	programs->bss->map_id = map < 0 ? 0 : map_id_of(map);
	programs->bss->pid = getpid();
	load_programs(programs->skeleton, names[0]);
	attach_programs(programs->obj);
}

#define ATTACH(map, ...)	programs_attach(map, (const char *const[]){ __VA_ARGS__, NULL })

static inline int map_new(void)
{
	return map_create(32, sizeof(struct value), 32);
}

/* A map, and programs that search it for every file opened. */
static inline int map_watched(void)
{
	int map = map_new();

	ATTACH(map, "open_tree", "open_path");
	return map;
}

static inline void set(int map, int fd, __u64 number)
{
	struct value value = { .number = number };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, 0));
}

static inline void put(int map, const char *path, __u64 number)
{
	int fd = file_open(path, O_PATH | O_NOFOLLOW);

	set(map, fd, number);
	close(fd);
}

static inline void take(int map, const char *path)
{
	CHECK_OK(inode_map_remove_path(map, path));
}

static inline __u64 count_of(int map, const char *path)
{
	struct value value;

	CHECK_OK(inode_map_get_path(map, path, &value));
	return value.count;
}

static inline void create(const char *path)
{
	close(file_create(path));
}

static inline void make_dir(const char *path)
{
	CHECK_SYS(mkdir(path, 0755));
}

static inline void mount_tmpfs(const char *path)
{
	CHECK_SYS(mount("tree", path, "tmpfs", 0, NULL));
}

/* A path to @name below a descriptor, or to the descriptor's own file. */
static inline const char *below(int fd, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", fd, *name ? "/" : "", name);
	return path;
}

/* Answers */

static inline void forget_answers(void)
{
	programs->bss->tree_calls = 0;
	programs->bss->path_calls = 0;
}

static inline void check_answer(const char *what, const char *function, const struct answer *answer,
				int distance, __u64 number)
{
	if (answer->distance != distance)
		FAIL("%s: read_%s() returned %d, not %d", what, function, answer->distance,
		     distance);
	if (answer->read != number)
		FAIL("%s: read_%s() gave %lld, not %lld", what, function, answer->read, number);
	if (answer->looked != number)
		FAIL("%s: lookup_%s() found %lld, not %lld", what, function, answer->looked,
		     number);
}

/* The first answer must be @distance and @number, or a negative errno and NOTHING. */
static inline void check_answers(const char *what, int which, int distance, __u64 number)
{
	if (which & TREE) {
		CHECK(programs->bss->tree_calls);
		check_answer(what, "tree", &programs->bss->tree[0], distance, number);
	}
	if (which & PATH) {
		CHECK(programs->bss->path_calls);
		check_answer(what, "path", &programs->bss->path[0], distance, number);
	}
}

static inline void expect_at(int dir, const char *name, int which, int distance, __u64 number)
{
	int fd;

	forget_answers();
	fd = CHECK_SYS(openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	close(fd);
	check_answers(name, which, distance, number);
}

static inline void expect(const char *path, int which, int distance, __u64 number)
{
	expect_at(AT_FDCWD, path, which, distance, number);
}

static inline void expect_none(const char *path, int which, int error)
{
	expect(path, which, -error, NOTHING);
}

/* Deep trees */

/* Make a chain of @count directories below @dir, and close @dir. Returns the last one. */
static inline int descend(int dir, unsigned int count)
{
	while (count--) {
		int next;

		CHECK_SYS(mkdirat(dir, "d", 0755));
		next = CHECK_SYS(openat(dir, "d", O_PATH | O_DIRECTORY | O_CLOEXEC));
		close(dir);
		dir = next;
	}
	return dir;
}

static inline int create_at(int dir, const char *name)
{
	return CHECK_SYS(openat(dir, name, O_RDONLY | O_CREAT | O_CLOEXEC, 0644));
}

#endif /* TREE_LOOKS_H */
