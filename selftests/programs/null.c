// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pointers that are NULL although the verifier trusts them: inode_map_is_null() detects them,
 * whichever compiler builds the programs. If it does not, the kernel panics.
 */
#include "harness.h"

#include <sys/mman.h>

#include "null.skel.h"

static struct bpf_link *attached;

/* Load only the program @name. */
static struct null *program_load(const char *name, struct bpf_program **program)
{
	struct null *programs = null__open();
	struct bpf_program *other;

	CHECK(programs);
	bpf_object__for_each_program(other, programs->obj)
		bpf_program__set_autoload(other, false);
	*program = want_program(programs->obj, name);
	if (!lsm_has_hook(*program))
		SKIP("this kernel lets no program be attached to %s",
		     bpf_program__section_name(*program));
	programs->bss->pid = getpid();
	load_programs(programs->skeleton, name);
	return programs;
}

static struct null *program_attach(const char *name)
{
	struct bpf_program *program;
	struct null *programs = program_load(name, &program);

	attached = attach_program(program);
	return programs;
}

/* Run @trigger under the program @name, and check whether it saw NULL and other pointers. */
static void check(const char *name, void (*trigger)(void), bool absent, bool present)
{
	struct null *programs = program_attach(name);

	trigger();
	bpf_link__destroy(attached);
	printf("# %s: %u absent, %u present\n", name, programs->bss->absent,
	       programs->bss->present);
	if (!!programs->bss->absent != absent || !!programs->bss->present != present)
		FAIL("%s: %u absent, %u present", name, programs->bss->absent,
		     programs->bss->present);
	null__destroy(programs);
}

static void create(void)
{
	close(CHECK_SYS(open("new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
	CHECK_SYS(unlink("new"));
}

static void make_directory(void)
{
	CHECK_SYS(mkdir("new", 0700));
	CHECK_SYS(rmdir("new"));
}

static void make_fifo(void)
{
	CHECK_SYS(mknod("new", S_IFIFO | 0600, 0));
	CHECK_SYS(unlink("new"));
}

static void make_symlink(void)
{
	CHECK_SYS(symlink("old", "new"));
	CHECK_SYS(unlink("new"));
}

static void make_link(void)
{
	file_write("old", "");
	CHECK_SYS(link("old", "new"));
	CHECK_SYS(unlink("new"));
}

static void rename_to_nothing(void)
{
	file_write("old", "");
	CHECK_SYS(rename("old", "new"));
	CHECK_SYS(unlink("new"));
}

static void rename_to_file(void)
{
	file_write("old", "");
	file_write("new", "");
	CHECK_SYS(rename("old", "new"));
	CHECK_SYS(unlink("new"));
}

/* A name that was never looked up. */
static void look_up(void)
{
	struct stat stat;
	char name[32];

	snprintf(name, sizeof(name), "/sys/none-%d", getpid());
	CHECK(lstat(name, &stat) && errno == ENOENT);
}

static void open_file(void)
{
	close(file_open("/dev/null", O_RDONLY));
}

static void map_memory(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	munmap(memory, 4096);
}

static void map_file(void)
{
	int fd = file_create("file");
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(memory != MAP_FAILED);
	munmap(memory, 4096);
	close(fd);
}

TEST(names_that_are_made)
{
	check("inode_create", create, true, false);
	check("inode_mkdir", make_directory, true, false);
	check("inode_mknod", make_fifo, true, false);
	check("inode_symlink", make_symlink, true, false);
	check("inode_link", make_link, true, false);
}

TEST(names_that_are_made_inline)
{
	check("inode_create_inline", create, true, false);
	check("inode_mkdir_inline", make_directory, true, false);
	check("inode_mknod_inline", make_fifo, true, false);
	check("inode_symlink_inline", make_symlink, true, false);
}

TEST(names_that_are_made_by_path)
{
	check("path_mkdir", make_directory, true, false);
	check("path_mknod", make_fifo, true, false);
	check("path_symlink", make_symlink, true, false);
}

TEST(names_that_are_there)
{
	check("inode_unlink", create, false, true);
	check("inode_unlink_inline", create, false, true);
}

TEST(target_of_a_rename)
{
	check("inode_rename", rename_to_nothing, true, false);
	check("inode_rename", rename_to_file, false, true);
}

TEST(lookup_that_finds_nothing)
{
	check("d_splice_alias", look_up, true, false);
}

TEST(file_that_is_being_made)
{
	check("file_alloc_security", open_file, true, false);
}

TEST(memory_of_no_file)
{
	check("mmap_file", map_memory, true, false);
	check("mmap_file", map_file, false, true);
}

TEST(number_of_the_inode)
{
	struct null *programs = program_attach("inode_unlink");
	struct stat stat;
	int fd = CHECK_SYS(open("new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));

	CHECK_SYS(fstat(fd, &stat));
	CHECK_SYS(unlink("new"));
	CHECK_EQ(programs->bss->number, stat.st_ino);
	bpf_link__destroy(attached);
	null__destroy(programs);
}

TEST(addresses)
{
	static const struct {
		__u64 address;
		bool is_null;
	} cases[] = {
		{ 0, true }, { 1, true }, { 0x28, true }, { 4095, true },
		{ 4096, false }, { 1ULL << 32, false }, { 1ULL << 63, false }, { ~0ULL, false },
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct bpf_program *program;
	struct null *programs = program_load("ask", &program);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		programs->bss->address = cases[i].address;
		CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program), &opts));
		if (programs->bss->is_null != cases[i].is_null)
			FAIL("%#llx: %d", cases[i].address, programs->bss->is_null);
	}
	null__destroy(programs);
}
