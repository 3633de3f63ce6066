// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sweeps of programs: lookups, updates and replacements by programs.
 */
#include <sys/ioctl.h>

#include "fault.h"
#include "finder.h"

/* Same as in fault.bpf.c. */
#define UPDATE		0x494d
#define REPLACE		0x494e

/* A lookup by a program allocates nothing, so there is nothing that could be made to fail. */
TEST(program)
{
	struct fault *program;
	int files[3];

	maps_setup(32, 4);
	program = finder_attach(map);
	files[0] = file_open("1", O_PATH);
	files[1] = file_open("2", O_RDONLY);
	files[2] = file_create("absent");

	for (enum sweep sweep = NTH; sweep < SWEEPS; sweep++) {
		program->bss->hits = 0;
		program->bss->calls = 0;
		/* Without injection. Below, open(2) shows that a failure would be noticed. */
		for (int i = 0; i < 3; i++)
			CHECK_SYS(fcntl(files[i], F_GETFD));
		arm(sweep, sweep == NTH);
		for (int i = 0; i < 300; i++)
			fcntl(files[i % 3], F_GETFD);
		CHECK_EQ(disarm(sweep), 0);
		CHECK_EQ(program->bss->calls, 303);
		CHECK_EQ(program->bss->hits, 202);
	}
	arm(NTH, 1);
	CHECK(open("1", O_RDONLY) == -1 && errno == ENOMEM);
	CHECK_EQ(disarm(NTH), 1);
	arm(SLABS, 0);
	CHECK(open("1", O_RDONLY) == -1 && errno == ENOMEM);
	CHECK(disarm(SLABS) > 0);
	fault__destroy(program);
}

/* Updates and replacements that programs make. */

static struct fault *changer;

static int call_program(unsigned int command)
{
	memcpy(&changer->bss->new_value, value, sizeof(changer->bss->new_value));
	changer->bss->result = 1;
	ioctl(file, command);
	/* 1: the program did not run. */
	return changer->bss->result;
}

static int call_program_update(void)
{
	return call_program(UPDATE);
}

static int call_program_replace(void)
{
	return call_program(REPLACE);
}

/* Like choose_entry(), but with an open file: programs don't see an ioctl() on O_PATH. */
static void choose_open_entry(void)
{
	file = file_open("1", O_RDONLY);
	key_set_fd(file);
	value_set(100 + tries++);
}

static void program_sweeps(__u32 flags)
{
	/* A weak entry next to a pinned one needs a pin. */
	const unsigned int pin = !!flags;
	/* The hold on the inode (src/hold.c), entry, addon, its connector. None is retried. */
	const struct operation operations[] = {
		{ "insert by a program", new_file, call_program_update, check_and_delete,
		  close_file, 4, 4, SETTLE },
		{ "insert by a program, first of a filesystem", new_mount, call_program_update,
		  check_and_delete, close_mount, 5, 4, 0 },
		{ "insert by a program, inode in another map", new_file_of_other_map,
		  call_program_update, check_and_delete, close_file, 2 + pin, 2 + pin, 0 },
		{ "replace by a program that may sleep", choose_open_entry, call_program_update,
		  check_and_restore, close_file, 2, 2, 0 },
		{ "replace by a program", choose_open_entry, call_program_replace,
		  check_and_restore, close_file, 1, 1, 0 },
	};

	maps_setup(32, 4);
	key_flags = flags;
	changer = finder_attach(map);
	changer->bss->flags = flags;
	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		/* The entry "1" is pinned. */
		if (flags && operations[i].prepare == choose_open_entry)
			continue;
		if (flags)
			sweep_operation(&operations[i], NTH);
		else
			sweeps(&operations[i]);
	}
	fault__destroy(changer);
}

TEST(program_updates)
{
	program_sweeps(0);
}

TEST(program_updates_weak)
{
	program_sweeps(INODE_MAP_WEAK);
}
