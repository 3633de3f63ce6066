// SPDX-License-Identifier: GPL-2.0-only
/*
 * An entry that a program has deleted is gone at once, although a worker has yet to erase it: no
 * lookup, walk or change finds it, and its room is free for another entry. Each check comes first
 * after a deletion, because the worker is quick.
 */
#include "context.h"

static struct inode_map_key deleted;

static void gone_for_walks(void)
{
	struct inode_map_key next;

	CHECK(bpf_map_get_next_key(map, NULL, &next) && errno == ENOENT);
}

static void gone_for_walks_there(void)
{
	struct inode_map_key next;

	CHECK(bpf_map_get_next_key(map, &deleted, &next) && errno == ENOENT);
}

static void gone_for_lookups(void)
{
	struct value value;

	CHECK_ERR(inode_map_get_fd(map, dir, &value), ENOENT);
}

static void gone_for_handles(void)
{
	struct value value;

	CHECK(bpf_map_lookup_elem(map, &deleted, &value) && errno == ENOENT);
}

static void gone_for_updates_by_handle(void)
{
	struct value value = {};

	CHECK(bpf_map_update_elem(map, &deleted, &value, BPF_ANY) && errno == ENOENT);
}

static void gone_for_deletes(void)
{
	CHECK_ERR(inode_map_remove_fd(map, dir), ENOENT);
}

static void gone_for_deletes_by_handle(void)
{
	CHECK(bpf_map_delete_elem(map, &deleted) && errno == ENOENT);
}

static void gone_for_programs(void)
{
	run_on("delete_entries", map_id_of(map));
	CHECK_EQ(programs->bss->deletes.ok, 1);
	CHECK_EQ(programs->bss->deletes.busy + programs->bss->deletes.absent, 0);
}

static void gone_for_proc(void)
{
	char line[256], id[16];
	FILE *proc = fopen("/proc/inode_map", "r");

	CHECK(proc);
	snprintf(id, sizeof(id), "%u ", map_id_of(map));
	while (fgets(line, sizeof(line), proc))
		if (!strncmp(line, id, strlen(id)))
			FAIL("still there: %s", line);
	fclose(proc);
}

static void gone_for_exist(void)
{
	struct value value = {};

	CHECK_ERR(inode_map_set_fd(map, dir, &value, BPF_EXIST, 0), ENOENT);
}

static void check_anew(int fd)
{
	struct value value = {};
	struct inode_map_key key;

	CHECK_OK(inode_map_set_fd(map, fd, &value, BPF_NOEXIST, 0));
	key = map_only_key(map);
	CHECK(key.handle != deleted.handle);
	gone_for_handles();
	CHECK_OK(inode_map_remove_fd(map, fd));
}

static void gone_for_noexist(void)
{
	check_anew(dir);
}

/* The map had room for one entry only. */
static void gone_for_max_entries(void)
{
	check_anew(file);
}

TEST(gone_at_once)
{
	static void (*const gone[])(void) = {
		gone_for_walks, gone_for_walks_there, gone_for_lookups, gone_for_handles,
		gone_for_updates_by_handle, gone_for_deletes, gone_for_deletes_by_handle,
		gone_for_programs, gone_for_proc, gone_for_exist, gone_for_noexist,
		gone_for_max_entries,
	};
	const unsigned int nr = ARRAY_SIZE(gone);

	setup();
	map = map_create(32, sizeof(struct value), 1);
	LOAD("delete_entries");
	for (unsigned int i = 0; i < 40 * nr; i++) {
		set(map, dir, i);
		deleted = map_only_key(map);
		memset(&programs->bss->deletes, 0, sizeof(programs->bss->deletes));
		run_on("delete_entries", map_id_of(map));
		CHECK_EQ(programs->bss->deletes.ok, 1);
		gone[i % nr]();
	}
	CHECK_EQ(map_count(map), 0);
}

/* A map with room for one inode is never full, as long as no other inode comes. */

static void update_dir(void)
{
	set(map, dir, 1);
}

static void replace_and_delete(void)
{
	run_on("replace_pwd", map_id_of(map));
	run_on("delete_entries", map_id_of(map));
}

static bool changed_both_ways(void *unused)
{
	(void)unused;
	return get(&programs->bss->deletes.ok) && get(&programs->bss->replaces.ok);
}

TEST(room_for_one)
{
	setup();
	close(map);
	map = map_create(32, sizeof(struct value), 1);
	LOAD("delete_entries", "replace_pwd");
	run_both(update_dir, replace_and_delete, changed_both_ways);
	CHECK_DELETIONS(deletes);
	CHECK_OUTCOMES(replaces);
	CHECK_OK(map_has(map, dir) ? inode_map_remove_fd(map, dir) : 0);
	counts_wait(1, 0, 0, 0);
}
