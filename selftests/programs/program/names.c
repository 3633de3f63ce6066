// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding a map's id by its name, by a program and by bpftool alone.
 */
#include "program_alone.skel.h"
#include "calls.h"

static int map_create_named(const char *name)
{
	return CHECK_OK(inode_map_create(name, 4, 4));
}

static void check_names(struct bpf_program *program, struct program *programs, const int *want)
{
	trigger_test_run(program);
	check_results(programs, want, 6);
}

struct names {
	struct bpf_program *program;
	struct program *programs;
	int id;
};

static bool name_is(void *arg)
{
	struct names *names = arg;

	trigger_test_run(names->program);
	return names->programs->bss->results[0] == names->id;
}

TEST(names)
{
	struct names names;
	int hash, map, again, letters, id, letters_id;

	names.programs = programs_load("names", &names.program);
#define CHECK_NAMES(...) check_names(names.program, names.programs, (const int[]){ __VA_ARGS__ })
	CHECK_NAMES(-ENOENT, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);

	hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "program_one", 4, 4, 4, NULL));
	CHECK_NAMES(-ENOENT, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);

	/* Programs find a map both when just created and after an update. */
	map = map_create_named("program_one");
	id = map_id_of(map);
	CHECK_NAMES(id, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);
	CHECK_OK(map_set(map, file_create("f"), 1));
	CHECK_NAMES(id, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -EINVAL);

	/* Only the whole name matches, not a prefix. The empty string is not a name. */
	letters = map_create_named("fifteen_letters");
	letters_id = map_id_of(letters);
	map_create_named("");
	CHECK_NAMES(id, -ENOENT, -ENOENT, letters_id, -ENOENT, -EINVAL);

	again = map_create_named("program_one");
	CHECK_NAMES(-ENOTUNIQ, -ENOENT, -ENOENT, letters_id, -ENOENT, -EINVAL);
	close(map);
	names.id = map_id_of(again);
	if (!wait_until(name_is, &names, 10))
		FAIL("the name leads to %d, not %d", names.programs->bss->results[0], names.id);
	close(again);
	names.id = -ENOENT;
	if (!wait_until(name_is, &names, 10))
		FAIL("the name leads to %d still", names.programs->bss->results[0]);
	close(hash);
#undef CHECK_NAMES
}

/* bpftool alone: no loader, and no id known. */

static int output_of(const char *command, char *output, size_t size)
{
	FILE *pipe = popen(command, "r");
	size_t got;

	CHECK(pipe);
	got = fread(output, 1, size - 1, pipe);
	output[got] = 0;
	return WEXITSTATUS(pclose(pipe));
}

/* Run the program with bpftool and return its result. */
static int bpftool_run(void)
{
	char output[4096], *value;

	if (output_of("bpftool prog run pinned bpf/program repeat 0 2>&1", output, sizeof(output)))
		FAIL("bpftool prog run: %s", output);
	value = strstr(output, "Return value: ");
	if (!value)
		FAIL("bpftool prog run does not tell the return value: %s", output);
	return strtoul(value + strlen("Return value: "), NULL, 10);
}

static void bpftool(const char *arguments)
{
	char command[512], output[4096];

	snprintf(command, sizeof(command), "{ bpftool %s; } 2>&1", arguments);
	if (output_of(command, output, sizeof(output)))
		FAIL("bpftool %s: %s", arguments, output);
}

TEST(bpftool_alone)
{
	size_t size;
	const void *object = program_alone__elf_bytes(&size);
	int fd;

	if (sh("command -v bpftool >/dev/null"))
		SKIP("there is no bpftool");
	CHECK_SYS(mkdir("bpf", 0755));
	CHECK_SYS(mount("bpf", "bpf", "bpf", 0, NULL));
	fd = CHECK_SYS(open("alone.bpf.o", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	CHECK_EQ(write(fd, object, size), size);
	close(fd);

	bpftool("prog load alone.bpf.o bpf/program");
	CHECK_ERR(bpftool_run(), ENOENT);
	bpftool("map create bpf/map type hash key 4 value 4 entries 16 name alone dev inode_map");
	CHECK_EQ(bpftool_run(), 0);
	bpftool("map update pinned bpf/map key 9 0 0 0 value 41 0 0 0 9<.");
	CHECK_EQ(bpftool_run(), 42);
	CHECK_EQ(bpftool_run(), 43);
	bpftool("map lookup pinned bpf/map key 9 0 0 0 9<. | grep 'value: 2b 00 00 00'");
	bpftool("map delete pinned bpf/map key 9 0 0 0 9<.");
	CHECK_EQ(bpftool_run(), 0);
}
