// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ways to change a mapped file. The attempts are in the tables of writing.c. */
#include <sys/syscall.h>

#include "writing.h"

static int store(const struct target *t)
{
	memcpy(t->memory, TEXT_NEW, SIZE_NEW);
	return 0;
}

int try_mmap(struct target *t)
{
	int err = map_target(t, PROT_READ | PROT_WRITE, MAP_SHARED);

	return err ? err : store(t);
}

int try_mprotect(struct target *t)
{
	int err = map_target(t, PROT_READ, MAP_SHARED);

	if (!err)
		err = result(mprotect(t->memory, FILE_SIZE, PROT_READ | PROT_WRITE));
	return err ? err : store(t);
}

int try_pkey_mprotect(struct target *t)
{
	int err = map_target(t, PROT_READ, MAP_SHARED);

	if (!err)
		err = result(syscall(SYS_pkey_mprotect, t->memory, FILE_SIZE,
				     PROT_READ | PROT_WRITE, -1));
	return err ? err : store(t);
}

int try_madvise_remove(struct target *t)
{
	int err = map_target(t, PROT_READ, MAP_SHARED);

	return err ? err : result(madvise(t->memory, 4096, MADV_REMOVE));
}

int prepare_map_read(struct target *t)
{
	return map_target(t, PROT_READ, MAP_SHARED);
}

int prepare_map_write(struct target *t)
{
	return map_target(t, PROT_READ | PROT_WRITE, MAP_SHARED);
}

int run_mprotect_before(struct target *t)
{
	int err = result(mprotect(t->memory, FILE_SIZE, PROT_READ | PROT_WRITE));

	return err ? err : store(t);
}

int run_madvise_before(struct target *t)
{
	return result(madvise(t->memory, 4096, MADV_REMOVE));
}

int run_store_before(struct target *t)
{
	return store(t);
}

/* A private mapping does not change the file. */
int try_private(struct target *t)
{
	int err = map_target(t, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	return err ? err : store(t);
}
