// SPDX-License-Identifier: GPL-2.0-only
/*
 * When programs are told that a tree can't be searched: in the middle of a rename, with a pointer
 * that is not to a dentry, or with memory of the wrong size; and what the verifier refuses.
 */
#include "tree_looks.h"

/* A program that interrupts a rename gets -EAGAIN at once, if the answer depends on the rename. */

static void check_move(int distance, __u64 number)
{
	CHECK_EQ(programs->bss->tree_calls, 2);
	check_answer("when it begins", "tree", &programs->bss->tree[0], distance, number);
	check_answer("when it ends", "tree", &programs->bss->tree[1], distance, number);
	forget_answers();
}

TEST(in_the_middle_of_a_rename)
{
	int map = map_new();

	ATTACH(map, "move_begins", "move_ends");
	make_dir("a");
	make_dir("b");
	create("a/f");
	create("a/g");
	CHECK_SYS(rename("a/f", "b/f"));
	check_move(-EAGAIN, NOTHING);
	put(map, "a", 1);
	put(map, "b", 2);
	CHECK_SYS(rename("b/f", "a/f"));
	check_move(-EAGAIN, NOTHING);
	CHECK_SYS(renameat2(AT_FDCWD, "a/f", AT_FDCWD, "a/g", RENAME_EXCHANGE));
	check_move(-EAGAIN, NOTHING);

	put(map, "a/f", 3);
	CHECK_SYS(rename("a/f", "b/f"));
	check_move(0, 3);
	CHECK_SYS(renameat2(AT_FDCWD, "b/f", AT_FDCWD, "a/g", RENAME_EXCHANGE));
	check_move(0, 3);
	printf("# at most %llu us\n", programs->bss->longest / 1000);
	CHECK(programs->bss->longest < 1000000000ULL * test_slowdown());
}

/* Bad dentry pointers, with everything in the map that a search could find instead */

static void check_bogus(const char *program, const char *dir, int error)
{
	int map = map_new();

	put(map, ".", 1);
	put(map, "/", 2);
	ATTACH(map, program);
	forget_answers();
	if (mkdir(dir, 0755))
		CHECK_EQ(errno, error);
	else
		CHECK_EQ(0, error);
	check_answers(program, TREE, -EFAULT, NOTHING);
}

TEST(null_dentry)
{
	check_bogus("null_dentry", "d", 0);
}

TEST(error_dentry)
{
	char name[256 + 1];

	memset(name, 'x', 256);
	name[256] = 0;
	check_bogus("error_dentry", name, ENAMETOOLONG);
}

/* Sizes, ids of no map, and maps that programs may not use */

/*
 * Sizes are a byte, a struct value, and one byte more. @reads has the results of reads, the last
 * one without a buffer; @lookups whether lookups found something.
 */
static void check_sizes(const char *what, int id, const int reads[4], const bool lookups[3])
{
	programs->bss->map_id = id;
	memset(programs->bss->sizes, 0x55, sizeof(programs->bss->sizes));
	close(file_open("a/f", O_RDONLY));
	for (unsigned int i = 0; i < 7; i++)
		if (programs->bss->sizes[READ_TREE_BYTE + i] != reads[i / 2])
			FAIL("%s: read number %u returned %d, not %d", what, i,
			     programs->bss->sizes[READ_TREE_BYTE + i], reads[i / 2]);
	for (unsigned int i = 0; i < 6; i++)
		if (programs->bss->sizes[LOOKUP_TREE_BYTE + i] != lookups[i / 2])
			FAIL("%s: lookup number %u %s", what, i,
			     lookups[i / 2] ? "found nothing" : "found something");
}

#define CHECK_READS(what, id, byte, whole, larger, nowhere, ...)			\
	check_sizes(what, id, (const int[]){ byte, whole, larger, nowhere },		\
		    (const bool[]){ __VA_ARGS__ })

/* Create a map with an entry for the directory "a". */
static int map_of(unsigned int value_size, unsigned int flags)
{
	static const char value[sizeof(struct value) + 1];
	int map = CHECK_OK(map_try_create(BPF_MAP_TYPE_HASH, 32, value_size, 4, flags));

	CHECK_OK(inode_map_set_path(map, "a", value, BPF_ANY, 0));
	return map;
}

TEST(sizes)
{
	unsigned int size = sizeof(struct value);

	make_dir("a");
	create("a/f");
	ATTACH(-1, "ask_sizes");
	CHECK_READS("a value of that size", map_id_of(map_of(size, 0)), 1, 1, -EINVAL, -EINVAL,
		    true, true, false);
	CHECK_READS("a smaller value", map_id_of(map_of(size - 1, 0)), 1, -EINVAL, -EINVAL,
		    -EINVAL, true, false, false);
	CHECK_READS("a larger value", map_id_of(map_of(size + 1, 0)), 1, 1, 1, -EINVAL, true, true,
		    true);
	CHECK_READS("a map that programs only read", map_id_of(map_of(size, BPF_F_RDONLY_PROG)),
		    1, 1, -EINVAL, -EINVAL, false, false, false);
	CHECK_READS("a map that programs only write", map_id_of(map_of(size, BPF_F_WRONLY_PROG)),
		    -EPERM, -EPERM, -EPERM, -EPERM, false, false, false);
	CHECK_READS("an empty map", map_id_of(map_new()), -ENOENT, -ENOENT, -EINVAL, -EINVAL,
		    false, false, false);
}

TEST(no_such_map)
{
	int hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 4, 4, NULL));
	int map, freed, ids[4];

	make_dir("a");
	create("a/f");
	map = map_of(sizeof(struct value), 0);
	freed = map_of(sizeof(struct value), 0);
	ids[0] = 0;
	ids[1] = -1;
	ids[2] = map_id_of(hash);
	ids[3] = map_id_of(freed);
	close(freed);
	counts_wait(1, 1, 1, 1);
	ATTACH(map, "ask_sizes");
	for (unsigned int i = 0; i < 4; i++)
		CHECK_READS("no inode map", ids[i], -ENODEV, -ENODEV, -ENODEV, -ENODEV, false,
			    false, false);
}

/* Programs that the verifier must refuse, each with the message that identifies the reason. */
TEST(verifier)
{
	static const struct refused refused[] = {
		{ "refused_not_sleepable", "must be sleepable" },
		{ "refused_fentry", "must be sleepable" },
	};

	CHECK_VERIFIER_REFUSES(tree, refused);
}
