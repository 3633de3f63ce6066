// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookups by BPF programs: from every type of program that can do one, with every kind of pointer,
 * in maps that exist and maps that don't; and what the verifier refuses.
 */
#include "harness.h"

#include "value.h"
#include "lookup.skel.h"

/* Open a skeleton that will load only the program @name. */
static struct lookup *programs_open(const char *name, struct bpf_program **program)
{
	struct lookup *programs = lookup__open();

	CHECK(programs);
	*program = want_program(programs->obj, name);
	return programs;
}

/* Load the program @name to look up inodes in the map @id for this process. */
static struct lookup *programs_load(const char *name, unsigned int id, struct bpf_program **program)
{
	struct lookup *programs = programs_open(name, program);

	programs->bss->map_id = id;
	programs->bss->pid = getpid();
	load_programs(programs->skeleton, name);
	return programs;
}

/* The only program attached. */
static struct bpf_link *attached;

static struct lookup *program_attach(const char *name, unsigned int id)
{
	struct bpf_program *program;
	struct lookup *programs = programs_load(name, id, &program);

	attached = attach_program(program);
	return programs;
}

static void programs_destroy(struct lookup *programs)
{
	bpf_link__destroy(attached);
	attached = NULL;
	lookup__destroy(programs);
}

static void set(int map, int fd, __u64 number)
{
	struct value value = { .number = number };

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_ANY, 0));
}

static struct value get(int map, int fd)
{
	struct value value;

	CHECK_OK(inode_map_get_fd(map, fd, &value));
	return value;
}

/* Triggers for the programs, which look at the file "f" or the directory "." */

static void check_kind(const char *name, void (*trigger)(struct bpf_program *program),
		       const char *path)
{
	int map = map_create(32, sizeof(struct value), 8);
	int other = file_create("other");
	int file = file_create("f");
	int fd = file_open(path, O_PATH);
	struct bpf_program *program;
	struct lookup *programs;
	__u64 hits, count;

	set(map, other, 1);
	programs = programs_load(name, map_id_of(map), &program);
	attached = attach_program(program);

	/* Not in the map: a miss. */
	trigger(program);
	CHECK(programs->bss->calls > 0);
	CHECK_EQ(programs->bss->hits, 0);

	/* In the map: the program reads what user space wrote, and vice versa. */
	set(map, fd, 0x1122334455667788);
	trigger(program);
	hits = programs->bss->hits;
	CHECK(hits > 0);
	CHECK_EQ(programs->bss->number, 0x1122334455667788);
	count = get(map, fd).count;
	/* The lookup by user space is a system call, too, and may trigger the program. */
	CHECK(count >= hits && count <= programs->bss->hits);
	CHECK_EQ(get(map, fd).number, 0x1122334455667788);
	CHECK_EQ(get(map, other).count, 0);

	/* A new value */
	set(map, fd, 5);
	trigger(program);
	CHECK(programs->bss->hits > hits);
	CHECK_EQ(programs->bss->number, 5);

	/* Removed from the map */
	CHECK_OK(inode_map_remove_fd(map, fd));
	programs->bss->hits = 0;
	programs->bss->calls = 0;
	trigger(program);
	CHECK(programs->bss->calls > 0);
	CHECK_EQ(programs->bss->hits, 0);
	programs_destroy(programs);
	close(file);
}

TEST(lsm)
{
	check_kind("on_lsm", trigger_open, "f");
}

TEST(lsm_sleepable)
{
	check_kind("on_lsm_sleepable", trigger_open, "f");
}

TEST(fentry)
{
	check_kind("on_fentry", trigger_open, "f");
}

TEST(fentry_sleepable)
{
	check_kind("on_fentry_sleepable", trigger_test_run, ".");
}

TEST(fexit)
{
	check_kind("on_fexit", trigger_open, "f");
}

TEST(fmod_ret)
{
	check_kind("on_fmod_ret", trigger_open, "f");
}

TEST(tp_btf)
{
	check_kind("on_tp_btf", trigger_lock, "f");
}

TEST(tracepoint)
{
	check_kind("on_tracepoint", trigger_syscall, ".");
}

static bool has_hits(void *arg)
{
	struct lookup *programs = arg;
	volatile unsigned int spin;

	/* The program samples a clock of this process. */
	for (spin = 0; spin < 1000000; spin++)
		;
	return *(volatile __u64 *)&programs->bss->hits;
}

/* Runs in interrupt context. */
TEST(perf_event)
{
	int map = map_create(32, sizeof(struct value), 8);
	int fd = file_open(".", O_PATH);
	struct bpf_program *program;
	struct lookup *programs;

	set(map, fd, 77);
	programs = programs_load("on_perf_event", map_id_of(map), &program);
	attached = attach_to_clock(program);
	if (!wait_until(has_hits, programs, 20))
		FAIL("%llu samples, no hit", programs->bss->calls);
	CHECK_EQ(programs->bss->number, 77);
	CHECK(get(map, fd).count > 0);
	programs_destroy(programs);
}

/* Ids of no map, of maps of other types, and of maps without the inode. */
TEST(wrong_map_id)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int hash = CHECK_OK(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, sizeof(struct value), 8,
					   &opts));
	int map = map_create(32, sizeof(struct value), 8);
	int empty = map_create(32, sizeof(struct value), 8);
	int removed = map_create(32, sizeof(struct value), 8);
	int fd = file_create("f");
	unsigned int id = map_id_of(map);
	struct value value = { };
	__u32 key = fd, wrong[] = { 0, 1U << 30, UINT32_MAX, map_id_of(hash), map_id_of(empty),
				    map_id_of(removed), id + 256, id + (1U << 31) };
	struct lookup *programs;

	set(map, fd, 1);
	set(removed, fd, 1);
	CHECK_OK(inode_map_remove_fd(removed, fd));
	CHECK_OK(bpf_map_update_elem(hash, &key, &value, 0));

	programs = program_attach("on_lsm", id);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		programs->bss->map_id = wrong[i];
		trigger_open(NULL);
		CHECK_EQ(programs->bss->calls, i + 1);
		if (programs->bss->hits)
			FAIL("a hit in the map %u, wrong id number %u", wrong[i], i);
	}
	programs->bss->map_id = id;
	trigger_open(NULL);
	CHECK_EQ(programs->bss->hits, 1);
}

/* After the first update, programs find the map, even if a program looked for it before. */
TEST(found_from_first_update_on)
{
	int map = map_create(4, sizeof(struct value), 8);
	struct lookup *programs = program_attach("on_lsm", map_id_of(map));
	int fd = file_create("f");
	__u64 calls = programs->bss->calls;

	CHECK_EQ(programs->bss->hits, 0);
	set(map, fd, 3);
	trigger_open(NULL);
	CHECK_EQ(programs->bss->calls, calls + 1);
	CHECK_EQ(programs->bss->hits, 1);
	CHECK_EQ(programs->bss->number, 3);
}

/* Programs find no freed map, and no later map with another id in its place. */
TEST(freed_map)
{
	int map = map_create(32, sizeof(struct value), 8);
	int fd = file_create("f");
	struct lookup *programs;
	int later;

	set(map, fd, 1);
	programs = program_attach("on_lsm", map_id_of(map));
	trigger_open(NULL);
	CHECK_EQ(programs->bss->hits, 1);
	close(map);
	counts_wait(0, 0, 0, 0);
	trigger_open(NULL);
	later = map_create(32, sizeof(struct value), 8);
	set(later, fd, 2);
	trigger_open(NULL);
	CHECK_EQ(programs->bss->hits, 1);
}

/* Links, renames and other mounts lead to one inode; a new file of the same name has another. */
TEST(same_inode)
{
	int map = map_create(32, sizeof(struct value), 8);
	int fd = file_create("f");
	struct lookup *programs = program_attach("on_lsm", map_id_of(map));

	set(map, fd, 9);
	CHECK_SYS(link("f", "link"));
	CHECK_SYS(symlink("f", "symlink"));
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mount(DIR_PATH, "d", NULL, MS_BIND, NULL));
	close(file_open("link", O_RDONLY));
	close(file_open("symlink", O_RDONLY));
	close(file_open("d/f", O_RDONLY));
	CHECK_EQ(programs->bss->hits, 3);
	CHECK_SYS(rename("f", "renamed"));
	close(file_open("renamed", O_RDONLY));
	CHECK_EQ(programs->bss->hits, 4);
	close(file_create("f"));
	CHECK_EQ(programs->bss->hits, 4);
	close(file_open("d/link", O_RDONLY));
	CHECK_EQ(programs->bss->hits, 5);
}

TEST(two_maps)
{
	int maps[] = { map_create(4, sizeof(struct value), 8),
		       map_create(32, sizeof(struct value) + 4, 1000) };
	char large[sizeof(struct value) + 4] = { 22 };
	int fd = file_create("f");
	struct bpf_program *program;
	struct lookup *programs = programs_load("two_maps", map_id_of(maps[0]), &program);

	programs->bss->other_map_id = map_id_of(maps[1]);
	attached = attach_program(program);
	set(maps[0], fd, 11);
	trigger_open(NULL);
	CHECK_EQ(programs->bss->number, 11);
	CHECK_EQ(programs->bss->other_number, 0);
	CHECK_OK(inode_map_set_fd(maps[1], fd, large, BPF_ANY, 0));
	trigger_open(NULL);
	CHECK_EQ(programs->bss->number, 11);
	CHECK_EQ(programs->bss->other_number, 22);
	CHECK_OK(inode_map_remove_fd(maps[0], fd));
	programs->bss->hits = 0;
	trigger_open(NULL);
	CHECK_EQ(programs->bss->hits, 0);
	CHECK_EQ(programs->bss->other_number, 22);
}

/* Values of every size, and programs that ask for every size. */
TEST(sizes)
{
	static const unsigned int asked[] = { 1, 4, 16, 17, 4097, 100000 };
	static const unsigned int value_sizes[] = { 1, 2, 3, 4, 5, 8, 15, 16, 17, 4096, 4097, 5000,
						    99999, 100000, 100001 };
	static __u8 written[100001], value[100001];
	struct lookup *programs = program_attach("sizes", 0);
	int fd = file_create("f");

	for (unsigned int i = 0; i < sizeof(written); i++)
		written[i] = i * 7 + i / 256;
	for (unsigned int i = 0; i < ARRAY_SIZE(value_sizes); i++) {
		unsigned int size = value_sizes[i];
		int map = map_create(32, size, 4);

		CHECK_OK(inode_map_set_fd(map, fd, written, BPF_ANY, 0));
		programs->bss->map_id = map_id_of(map);
		trigger_open(NULL);
		memcpy(value, written, size);
		for (unsigned int j = 0; j < 6; j++) {
			if (programs->bss->sizes_hit[j] != (asked[j] <= size))
				FAIL("%u bytes of a value of %u: %s", asked[j], size,
				     programs->bss->sizes_hit[j] ? "found" : "not found");
			if (asked[j] > size)
				continue;
			CHECK_EQ(programs->bss->last_bytes[j], value[asked[j] - 1]);
			value[asked[j] - 1]++;
		}
		CHECK_OK(inode_map_get_fd(map, fd, written));
		if (memcmp(value, written, size))
			FAIL("a value of %u bytes reads differently", size);
		close(map);
	}
}

/* Programs that the verifier must refuse, each with the message that identifies the reason. */
TEST(verifier)
{
	static const struct refused refused[] = {
		{ "refused_read_beyond", "invalid access to memory, mem_size=8 off=8 size=1" },
		{ "refused_write_beyond", "invalid access to memory, mem_size=8 off=8 size=1" },
		{ "refused_read_before", "is outside of the allowed memory range" },
		{ "refused_unchecked", "invalid mem access 'mem_or_null'" },
		{ "refused_variable_size", "is not a const" },
		{ "refused_program_type", "bpf_inode_map_lookup is not allowed" },
	};
	struct bpf_program *program;
	struct lookup *programs = programs_open("accepted_last_byte", &program);

	CHECK_OK(lookup__load(programs));
	programs_destroy(programs);
	CHECK_VERIFIER_REFUSES(lookup, refused);
}

/* Pointers that don't point to an inode cause misses, and nothing in the kernel's log. */

static void make_directory(void)
{
	CHECK_SYS(mkdir("d", 0755));
}

/* A name that was never looked up. Filesystems differ in how they report that there is no file. */
static void open_absent_file(void)
{
	char name[32];

	snprintf(name, sizeof(name), "/sys/absent-%d", getpid());
	CHECK(open(name, O_RDONLY) == -1 && errno == ENOENT);
}

/* The kernel tries to open the script's interpreter. */
static void execute_without_interpreter(void)
{
	static const char script[] = "#!/absent\n";
	int fd = CHECK_SYS(open("script", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));

	CHECK(write(fd, script, strlen(script)) == (ssize_t)strlen(script));
	close(fd);
	CHECK(execl("script", "script", NULL) == -1 && errno == ENOENT);
}

/* Create a file in a filesystem that has no inode left. */
static void create_one_too_many(void)
{
	CHECK_SYS(mkdir("full", 0755));
	CHECK_SYS(mount("full", "full", "tmpfs", 0, "nr_inodes=1"));
	CHECK(open("full/f", O_RDWR | O_CREAT, 0644) == -1 && errno == ENOSPC);
}

static void remove_file(void)
{
	CHECK_SYS(unlink("f"));
}

static void check_bogus(const char *name, void (*trigger)(void))
{
	int map = map_create(32, sizeof(struct value), 8);
	int file = file_create("f"), dir = file_open(".", O_PATH);
	struct lookup *programs;

	set(map, file, 1);
	set(map, dir, 1);
	close(file);
	programs = program_attach(name, map_id_of(map));
	trigger();
	CHECK(programs->bss->calls > 0);
	CHECK_EQ(programs->bss->hits, 0);
	programs_destroy(programs);
}

TEST(negative_dentry_lsm)
{
	check_bogus("null_lsm", make_directory);
}

TEST(negative_dentry_fentry)
{
	check_bogus("null_walk", make_directory);
}

TEST(null_argument)
{
	check_bogus("null_argument", open_absent_file);
}

TEST(error_pointer)
{
	check_bogus("error_pointer", execute_without_interpreter);
}

TEST(error_inode)
{
	check_bogus("error_inode", create_one_too_many);
}

/* An inode that was in a map until its last link and user went. */
TEST(stale_pointer)
{
	check_bogus("stale", remove_file);
}

/* A program keeps its bound map alive, without a descriptor or a pin. */
TEST(bound_map)
{
	int map = map_create(32, 4, 8), fd = file_create("denied");
	struct bpf_program *program;
	struct lookup *programs = programs_open("policy", &program);
	int ok = file_create("allowed"), again;
	unsigned int id = map_id_of(map);

	programs->rodata->denied_id = id;
	programs->rodata->denied_pid = getpid();
	CHECK_OK(lookup__load(programs));
	attached = attach_program(program);
	CHECK_OK(inode_map_bind(map, bpf_program__fd(program)));
	/* Binding twice takes one reference. */
	CHECK_OK(inode_map_bind(map, bpf_program__fd(program)));
	CHECK_OK(map_set(map, fd, 1));
	CHECK_OK(map_set(map, ok, 0));
	close(fd);
	CHECK_SYS(mkdir("bpf", 0755));
	CHECK_SYS(mount("bpf", "bpf", "bpf", 0, NULL));
	CHECK_OK(bpf_obj_pin(map, "bpf/map"));
	close(map);
	CHECK(open("denied", O_RDONLY) == -1 && errno == EPERM);

	CHECK_SYS(unlink("bpf/map"));
	/* Give the kernel's workers time to free whatever they would free. */
	usleep(300000);
	drop_caches();
	for (int i = 0; i < 3; i++) {
		CHECK(open("denied", O_RDONLY) == -1 && errno == EPERM);
		close(file_open("allowed", O_RDONLY));
		usleep(100000);
	}
	counts_wait(1, 2, 2, 2);

	/* The map is still available by its id, and can be changed. */
	again = CHECK_OK(bpf_map_get_fd_by_id(id));
	CHECK_OK(inode_map_remove_path(again, "denied"));
	close(file_open("denied", O_RDONLY));
	CHECK_OK(map_set(again, ok, 1));
	CHECK(open("allowed", O_RDONLY) == -1 && errno == EPERM);
	close(again);
	close(ok);

	programs_destroy(programs);
	counts_wait(0, 0, 0, 0);
	CHECK(bpf_map_get_fd_by_id(id) < 0);
	close(file_open("allowed", O_RDONLY));
}

/* Removing a file ends its entry for programs, too, before the inode's number can be reused. */
TEST(removed_file)
{
	int map = map_create(32, sizeof(struct value), 8);
	int fd = file_create("f");
	struct lookup *programs = program_attach("on_lsm", map_id_of(map));

	set(map, fd, 1);
	trigger_open(NULL);
	CHECK_EQ(programs->bss->hits, 1);
	close(fd);
	CHECK_SYS(unlink("f"));
	CHECK_EQ(map_count(map), 0);
	for (int i = 0; i < 50; i++) {
		close(file_create("f"));
		trigger_open(NULL);
		CHECK_SYS(unlink("f"));
	}
	CHECK_EQ(programs->bss->hits, 1);
}
