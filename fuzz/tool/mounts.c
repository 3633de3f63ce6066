// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The list of mounts (filesystem.c, events.c): the input is such a list. Users who may mount choose
 * the types, options and paths in it.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "world.h"

static void ask(void)
{
	struct stat stat = { .st_nlink = 2, .st_mode = S_IFREG };

	filesystems_forget();
	is_of_procfs(0);
	directory_folds_case(0);
	is_broken_link(0, &stat);
	is_superblock_device(makedev(0, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	world_begin();
	world.mounts = (struct input){ data, size };
	ask();
	world_end();
	return 0;
}
