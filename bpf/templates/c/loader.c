// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The loader: denies opening the files on its command line, and ends. The map and the program's
 * link stay pinned. A second run adds files to the map, and replaces the program.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <inode_map.h>

#include "policy.skel.h"

#define PINS		"/sys/fs/bpf/policy"
#define MAP_PIN		PINS "/denied"
#define LINK_PIN	PINS "/deny_open"
#define MAX_FILES	1024

static int check(int result, const char *what)
{
	if (result < 0)
		errx(EXIT_FAILURE, "%s: %s", what, inode_map_strerror(result));
	return result;
}

static void start(int map)
{
	struct policy *policy = policy__open();

	if (!policy)
		err(EXIT_FAILURE, "cannot read the program");
	policy->rodata->denied_id = (__u32)check(inode_map_id(map), "the map's id");
	check(policy__load(policy), "loading the program");
	check(inode_map_attach_pinned(map, policy->progs.deny_open, LINK_PIN), LINK_PIN);
	policy__destroy(policy);
}

static void stop(void)
{
	if ((unlink(LINK_PIN) && errno != ENOENT) || (unlink(MAP_PIN) && errno != ENOENT) ||
	    (rmdir(PINS) && errno != ENOENT))
		err(EXIT_FAILURE, "%s", PINS);
}

int main(int argc, char **argv)
{
	__u32 value = 1;
	int map, i;

	if (argc < 2 || !strcmp(argv[1], "--help")) {
		fprintf(stderr, "Usage: policy FILE...\n       policy --stop\n");
		return 2;
	}
	if (!strcmp(argv[1], "--stop")) {
		stop();
		return EXIT_SUCCESS;
	}
	check(inode_map_check_module(), "the module");
	check(inode_map_check_lsm(), "security hooks");
	if (mkdir(PINS, 0700) && errno != EEXIST)
		err(EXIT_FAILURE, "%s", PINS);
	map = check(inode_map_open(MAP_PIN, "denied", sizeof(value), MAX_FILES), MAP_PIN);
	for (i = 1; i < argc; i++)
		check(inode_map_set_path(map, argv[i], &value, BPF_ANY, 0), argv[i]);
	start(map);
	return EXIT_SUCCESS;
}
