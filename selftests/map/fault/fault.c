// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation fails in turn, on kernels that can inject faults. A call that fails for it
 * returns -ENOMEM, leaks nothing (the counters go back), leaves the maps as they were, and works
 * when it is repeated. A call that succeeds nevertheless has done all of its work.
 *
 * There are three sweeps. One makes the Nth allocation fail, for N = 1, 2, 3 ... until the call
 * makes fewer than N. But the kernel retries many failed allocations in another way: the other two
 * make all after the Nth fail, too, those of slabs or those of pages. All count only what the task
 * itself allocates in the call.
 *
 * This file has the sweeps, and those of bpf(2) and of the listing. injection.c makes allocations
 * fail, calls.c has the calls with preparations and checks, programs.c sweeps programs.
 */
#include "fault.h"

/* A copy of the map's contents, to compare with. */

static char *snapshot(void)
{
	char *text = calloc(1, 4096), *at = text;
	union inode_map_any_key here, next;
	int err = bpf_map_get_next_key(map, NULL, &next);

	while (!err) {
		unsigned long long sum = 5381;

		here = next;
		CHECK_SYS(bpf_map_lookup_elem(map, &here, read_value));
		for (unsigned int i = 0; i < map_value_size; i++)
			sum = sum * 33 + (unsigned char)read_value[i];
		if (map_key_size == 4)
			at += sprintf(at, "%d:%llx\n", here.fd, sum);
		else
			at += sprintf(at, "%u %u %llu %u %u:%llx\n", here.full.handle,
				      here.full.dev, here.full.ino, here.full.gen, here.full.flags,
				      sum);
		CHECK(at < text + 3800);
		err = bpf_map_get_next_key(map, &here, &next);
	}
	CHECK_EQ(errno, ENOENT);
	return text;
}

static void check_same(const char *before, const char *what, unsigned int n)
{
	char *now = snapshot();

	if (strcmp(before, now))
		FAIL("%s, %u: the map was:\n%sand is:\n%s", what, n, before, now);
	free(now);
}

static bool base_reached(void *unused)
{
	struct counts counts;

	(void)unused;
	counts_read(&counts);
	return !memcmp(&counts, &base, sizeof(counts));
}

/* How many tries there were, in how many of these an allocation failed, and then the call. */
struct tally {
	unsigned int tries;
	unsigned int points;
	unsigned int failures;
};

/* A failed try must leave the map as it was. The first try runs without injection. */
static struct tally sweep_once(const struct operation *operation, enum sweep sweep,
			       const char *what)
{
	struct tally tally = {};
	unsigned int n = sweep == NTH, last_point = ~0U, last_failure = ~0U;
	/* The budget counts bytes for slabs and pages for pages. */
	unsigned int step = sweep == SLABS ? 128 : 1;
	bool hit = true, again = false;
	int err;

	for (bool dry = true; hit || again; dry = false) {
		char *before;

		/* Let the counters settle, so that only the injected failure differs. */
		if (operation->flags & SETTLE && !wait_until(base_reached, NULL, 10))
			FAIL("%s: the counters don't go back", what);
		operation->prepare();
		before = snapshot();
		if (!dry)
			arm(sweep, n);
		err = operation->call();
		hit = dry || disarm(sweep);
		tally.tries += !dry;
		if (err && (dry || !hit))
			FAIL("%s, %u: fails without injection: %s", what, n, strerror(-err));
		if (err && err != -ENOMEM)
			FAIL("%s, %u: fails with %s", what, n, strerror(-err));
		tally.points += !dry && hit && n != last_point;
		tally.failures += err && n != last_failure;
		if (!dry && hit)
			last_point = n;
		if (err) {
			last_failure = n;
			check_same(before, what, n);
			err = operation->call();
			if (err)
				FAIL("%s, %u: fails again, without injection: %s", what, n,
				     strerror(-err));
		}
		operation->check_and_undo();
		if (!(operation->flags & DELETES))
			check_same(before, what, n);
		operation->clean();
		free(before);
		if (dry)
			continue;
		/* Twice: debugging code in the kernel also allocates now and then. */
		again = sweep == NTH && !again;
		if (!again)
			n += operation->flags & LARGE && n > 64 * step ? n / 4 : step;
	}
	return tally;
}

static bool reaches(const struct operation *operation, const struct tally *tally)
{
	return tally->points >= operation->points && tally->failures >= operation->failures;
}

void sweep_operation(const struct operation *operation, enum sweep sweep)
{
	struct tally tally;
	char what[128];

	snprintf(what, sizeof(what), "%s: %s", operation->name, sweep_names[sweep]);
	/*
	 * Code in the kernel that debugs may allocate in one try and not in the next: then an
	 * allocation that makes the call fail can be passed over.
	 */
	for (unsigned int i = 0; i < 3; i++) {
		tally = sweep_once(operation, sweep, what);
		printf("# %s: %u tries, %u hit, %u of these failed\n", what, tally.tries,
		       tally.points, tally.failures);
		if (sweep != NTH || reaches(operation, &tally))
			break;
	}
	if (!wait_until(base_reached, NULL, 20)) {
		struct counts now;

		counts_read(&now);
		FAIL("%s: maps %u, entries %u, addons %u, pinned %u; before %u, %u, %u, %u", what,
		     now.maps, now.entries, now.addons, now.pinned, base.maps, base.entries,
		     base.addons, base.pinned);
	}
	if (sweep == NTH && tally.points < operation->points)
		FAIL("%s: at least %u allocations are known", what, operation->points);
	if (sweep == NTH && tally.failures < operation->failures)
		FAIL("%s: at least %u must make it fail", what, operation->failures);
	/* A call that allocates anything takes some of it from a slab. */
	if (sweep == SLABS && !tally.failures)
		FAIL("%s: nothing made it fail", what);
}

void sweeps(const struct operation *operation)
{
	for (int sweep = NTH; sweep < SWEEPS; sweep++)
		if (sweep == NTH || !(operation->flags & ONLY_NTH))
			sweep_operation(operation, sweep);
}

/* Create the maps and their entries: the files "0", "1", "2", with the handles 1, 2, 3. */
void maps_setup(unsigned int key_size, unsigned int value_size)
{
	injection_setup();
	map_key_size = key_size;
	map_value_size = value_size;
	map = map_create(key_size, value_size, 64);
	other_map = map_create(32, 4, 64);
	for (unsigned int i = 0; i < 3; i++) {
		char name[] = { '0' + i, 0 };

		close(file_create(name));
		file = file_open(name, O_PATH);
		key_flags = key_size == 32 && i == 2 ? INODE_MAP_WEAK : 0;
		key_set_fd(file);
		value_set(i);
		CHECK_OK(call_update());
		close_file();
	}
	key_flags = 0;
	counts_wait(2, 3, 3, key_size == 32 ? 2 : 3);
	counts_read(&base);
}

TEST(create)
{
	const struct operation operation = {
		/* The map's two halves, and its file. */
		"create a map", nothing, call_create, close_map, nothing, 3, 3, LARGE,
	};

	maps_setup(32, 4);
	sweeps(&operation);
}

/* Updates allocate key, value, entry; addon, its connector, pin; nodes of the index. */

static void update_sweeps(unsigned int key_size, __u32 flags)
{
	/* A weak entry next to a pinned one needs a pin. */
	const unsigned int pin = !!flags;
	const struct operation operations[] = {
		{ "insert", new_file, call_update, check_and_delete, close_file,
		  6, 3, SETTLE },
		{ "insert, first of a filesystem", new_mount, call_update, check_and_delete,
		  close_mount, 7, 3, SETTLE },
		{ "insert, inode in another map", new_file_of_other_map, call_update,
		  check_and_delete, close_file, 4 + pin, 2 + pin, SETTLE },
		{ "replace", choose_entry, call_update, check_and_restore, close_file, 3, 2,
		  SETTLE },
		{ "replace by handle", choose_handle, call_update, check_and_restore, close_file,
		  3, 2, SETTLE },
	};

	maps_setup(key_size, 4);
	key_flags = flags;
	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		/* The entry "1" is pinned. */
		if (flags && operations[i].prepare == choose_entry)
			continue;
		/* The long sweeps run for one key format and one lifetime. */
		if (key_size == 4 || flags)
			sweep_operation(&operations[i], NTH);
		else
			sweeps(&operations[i]);
	}
}

TEST(update_4)
{
	update_sweeps(4, 0);
}

TEST(update_32)
{
	update_sweeps(32, 0);
}

TEST(update_32_weak)
{
	update_sweeps(32, INODE_MAP_WEAK);
}

/* So many entries are half of the buckets that a map begins with (src/hash.c). */
#define GROW_AT		32

static int settled_map;

/* Each try has a map of its own, whose table gets bigger for the next entry. */
static void new_full_map(void)
{
	char name[16];

	settled_map = map;
	map = map_create(map_key_size, map_value_size, 2 * GROW_AT);
	for (unsigned int i = 0; i < GROW_AT; i++) {
		snprintf(name, sizeof(name), "grow%u", i);
		file = file_open(name, O_RDWR | O_CREAT);
		key_set_fd(file);
		value_set(i);
		CHECK_OK(call_update());
		close_file();
	}
	new_file();
}

static void close_full_map(void)
{
	close_file();
	close(map);
	map = settled_map;
}

/* Without a bigger table the entry goes into the one that there is. */
TEST(update_that_grows)
{
	const struct operation operation = {
		"insert into a full table", new_full_map, call_update, check_and_delete,
		close_full_map, 7, 3, SETTLE,
	};

	maps_setup(32, 4);
	sweeps(&operation);
}

/* Values of more than a page use other allocators, which can fail and have fallbacks. */
TEST(update_large)
{
	const struct operation operations[] = {
		{ "insert a large value", new_file, call_update, check_and_delete, close_file,
		  7, 3, LARGE | SETTLE },
		{ "replace a large value", choose_entry, call_update, check_and_restore, close_file,
		  3, 1, LARGE | SETTLE },
	};

	maps_setup(32, VALUE_MAX);
	for (unsigned int i = 0; i < 2; i++)
		sweeps(&operations[i]);
}

/* The module allocates nothing in these calls, but bpf(2) does. */
static void other_sweeps(unsigned int key_size)
{
	const struct operation operations[] = {
		{ "lookup", choose_entry, call_lookup, nothing, close_file, 2, 2, 0 },
		{ "lookup by handle", choose_handle, call_lookup, nothing, nothing, 2, 2, 0 },
		{ "next key", choose_handle, call_next_key, nothing, nothing, 2, 2, 0 },
		{ "delete", insert_file, call_delete, check_deleted, close_file, 1, 1,
		  DELETES },
	};

	maps_setup(key_size, 4);
	for (unsigned int i = 0; i < 4; i++)
		sweep_operation(&operations[i], NTH);
}

TEST(others_4)
{
	other_sweeps(4);
}

TEST(others_32)
{
	other_sweeps(32);
}

/* The listing */

static char listing_before[sizeof(listing)];

static void list_before(void)
{
	CHECK_OK(call_list());
	memcpy(listing_before, listing, sizeof(listing));
}

static void check_listing(void)
{
	if (strcmp(listing, listing_before))
		FAIL("the listing was:\n%sand is:\n%s", listing_before, listing);
}

TEST(listing)
{
	const struct operation operations[] = {
		/* The name, the file, its state for reading, its buffer. */
		{ "list", list_before, call_list, check_listing, nothing, 4, 4, SETTLE },
		{ "list a long path", list_before, call_list, check_listing, nothing, 5, 4,
		  SETTLE | ONLY_NTH },
	};
	char name[256];
	int dir;

	maps_setup(32, 4);
	sweeps(&operations[0]);

	memset(name, 'n', 255);
	name[255] = 0;
	dir = file_open(".", O_PATH);
	for (int i = 0; i < 60; i++) {
		CHECK_SYS(mkdirat(dir, name, 0755));
		dir = CHECK_SYS(openat(dir, name, O_PATH | O_CLOEXEC));
	}
	CHECK_OK(map_set(other_map, dir, 1));
	counts_wait(2, 4, 4, 3);
	counts_read(&base);
	sweeps(&operations[1]);
	CHECK(strlen(listing) > 60 * 256);
}
