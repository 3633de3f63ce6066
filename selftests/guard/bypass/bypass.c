// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The file guard, inode-guard: is each operation denied on every way to do it?
 *
 * ../attempts/ has tables of attempts. Each runs as
 *
 *   control   without a rule, by each way to the file: it must take effect, or else it proves
 *             nothing
 *   stopped   with a rule that denies one of its operations, each in turn, and by each way: it must
 *             fail and leave the file as before
 *   others    with a rule that denies all operations but its own: it must take effect, or else the
 *             guard denies too much
 *   passes    if the table says that it can't be stopped, with a rule: it must take effect, or else
 *             the manual is wrong
 *
 * stopped and others run again with a rule for a tree that contains the file. plan.c chooses the
 * runs, run.c makes them, and look.c detects changes of the file; this file has the places, the
 * rules and the verdict. bypass_subject.c has the subjects (who may do what others may not) and
 * where rules end. --table (print.c) prints the manual's list of both. BYPASS_ONLY=TEXT|TEXT in the
 * environment selects attempts with one of the texts in their names; BYPASS_ALL=1 includes those
 * that are otherwise left out to save time.
 */
#include "runs.h"

/* The tables of attempts; NULL ends the list. */
const struct attempt *const tables[] = {
	reading, passed, writing, appending, executing, naming, attributes, machinery, ext4_calls,
	btrfs_calls, xfs_calls, quotas, nfs_calls, passthrough_calls, sockets, devices, before,
	f2fs_calls, disks, ocfs2_calls, bcachefs_calls, NULL
};

#define OPERATION_NAME(name, word, meaning)	word,

static const char *const operation_names[] = { GUARD_OPERATIONS(OPERATION_NAME) };

const char *const way_names[] = {
	[DIRECT] = "by its name", [BEFORE] = "by a descriptor opened before",
	[HARD_LINK] = "by a hard link", [SYMBOLIC_LINK] = "by a symbolic link",
	[PROC_FD] = "by /proc/self/fd", [BIND_MOUNT] = "in a bind mount",
	[BIND_FILE] = "bound elsewhere in another namespace", [CHROOT] = "in a chroot",
	[USER_NAMESPACE] = "by root of a user namespace",
	[PARENT_MOVED] = "after its directory was renamed", [USER] = "as an ordinary user",
};

void names_of(unsigned int operations, char text[128])
{
	size_t length = 0;

	*text = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(operation_names); i++)
		if (operations & 1U << i)
			length += snprintf(text + length, 128 - length, "%s%s", length ? "," : "",
					   operation_names[i]);
}

/* Judging */

static void wrong(const struct run *run, const char *what)
{
	printf("# wrong: %s: %s (%s)\n", describe(run), what,
	       run->result > 0 ? "it broke" : run->result ? strerror(-run->result) : "success");
	nr_wrong++;
}

static bool must_change(const struct attempt *attempt)
{
	return !attempt->unchanged && (attempt->operations & ~(READ | EXEC | MMAP));
}

/* ECANCELED: the kernel killed the process, because execve(2) was past the point of no return. */
static void judge_stopped(const struct run *run, bool changed)
{
	int error = run->attempt->error ? run->attempt->error : EPERM;

	if (!run->result)
		wrong(run, "NOT STOPPED");
	else if (changed)
		wrong(run, "it failed, and the file has changed");
	else if (run->result != -error && run->result != -ECANCELED)
		wrong(run, "stopped with another error");
}

static void judge(const struct run *run)
{
	bool changed = run_state(run) != run->before;

	if (run->expectation == STOPPED)
		return judge_stopped(run, changed);
	if (run->result)
		wrong(run, run->expectation == CONTROL ? "it does not work at all" :
		      run->expectation == OTHERS ? "DENIED TOO MUCH" : "it is stopped");
	else if (changed != must_change(run->attempt))
		wrong(run, changed ? "the file has changed" : "the file has not changed");
}

/* Rules */

#define RULES		DIR_PATH "/rules"

static void write_rules(void)
{
	FILE *file = fopen(RULES, "we");
	char names[128];

	CHECK(file);
	for (struct run *run = runs; run; run = run->next) {
		if (!run->denied)
			continue;
		names_of(run->denied, names);
		fprintf(file, "deny --ops %s %s%s\n", names, run->tree ? "--tree " :
			run->target.kind == SYMLINK ? "--no-dereference " : "",
			run->tree ? run->directory : run->path);
		if (run->denied & ALLOW_APPEND)
			fprintf(file, "allow --ops append %s\n", run->path);
	}
	CHECK(!fclose(file));
}

/* All runs without rules, or with */

static void make_all(bool denied)
{
	struct run *run;

	for (run = runs; run; run = run->next)
		if (!run->denied == !denied)
			run_make(run);
	for (run = runs; run; run = run->next)
		if (!run->denied == !denied)
			run_prepare(run);
}

static void judge_all(bool denied)
{
	for (struct run *run = runs; run; run = run->next)
		if (!run->denied == !denied)
			judge(run);
}

static void try_controls(void)
{
	make_all(false);
	run_all(false);
	judge_all(false);
}

static void try_rules(void)
{
	make_all(true);
	guard_start();
	write_rules();
	guard("apply " RULES);
	run_all(true);
	guard("remove --all");
	judge_all(true);
	guard_stop();
}

static void share_results(unsigned int nr)
{
	results = mmap(NULL, (nr + 1) * sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(results != MAP_FAILED);
}

/* The cases */

static void prepare_place(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/scratch", place->root);
	CHECK_SYS(mkdir(path, 0755));
	CHECK_SYS(mkdir(place->bound, 0755));
	CHECK_SYS(mount(place->root, place->bound, NULL, MS_BIND, NULL));
}

/* Allow fs-verity for files there. */
static void allow_verity(void)
{
	CHECK_EQ(sh("sed 's/has_journal,/has_journal,verity,/' /etc/mke2fs.conf >mke2fs.conf"), 0);
	setenv("MKE2FS_CONFIG", DIR_PATH "/mke2fs.conf", 1);
}

/* Allow files there to exchange contents, as newer versions of mkfs.xfs do. */
static void allow_exchange(const char *root)
{
	CHECK_SYS(umount(root));
	CHECK_EQ(sh("old=$(xfs_db -c 'sb 0' -c 'print features_incompat' image.xfs) && "
		    "xfs_db -x -c 'sb 0' -c \"write -d features_incompat $((${old#* = } | 0x40))\" "
		    "image.xfs >/dev/null && mount -o loop image.xfs %s", root), 0);
}

static bool has_filesystem(const char *type)
{
	return !sh("modprobe %s 2>/dev/null; grep -qw %s /proc/filesystems", type, type);
}

static void mount_made(const char *type, const char *root, const char *options)
{
	CHECK_SYS(mkdir(root, 0755));
	CHECK_EQ(sh("mount -t %s -o loop%s image.%s %s", type, options, type, root), 0);
}

/* Mount a filesystem that some kernels lack, or for which some systems lack the tool. */
static bool mount_if_there(const char *type, const char *root, const char *make,
			   const char *options)
{
	if (!has_filesystem(type) || sh("command -v mkfs.%s >/dev/null", type)) {
		printf("# %s: nothing tried: the kernel or the tool is missing\n", type);
		return false;
	}
	CHECK_EQ(sh("truncate -s 128M image.%s && mkfs.%s %s image.%s >mkfs.log 2>&1", type, type,
		    make, type), 0);
	mount_made(type, root, options);
	return true;
}

static bool mount_bcachefs(const char *root)
{
	if (!has_filesystem("bcachefs")) {
		printf("# bcachefs: nothing tried: the kernel has none\n");
		return false;
	}
	CHECK(bcachefs_make("image.bcachefs"));
	mount_made("bcachefs", root, "");
	return true;
}

static void add_place(const struct place *added)
{
	place = added;
	prepare_place();
	for (unsigned int i = 0; tables[i]; i++)
		for (const struct attempt *attempt = tables[i]; attempt->name; attempt++) {
			add_runs(attempt);
			turn++;
		}
}

static void make_places(void)
{
	static const struct place places[] = {
		{ TMPFS, "tmpfs", DIR_PATH "/tmpfs", DIR_PATH "/tmpfs-bound" },
		{ EXT4, "ext4", DIR_PATH "/ext4", DIR_PATH "/ext4-bound" },
		{ BTRFS, "btrfs", DIR_PATH "/btrfs", DIR_PATH "/btrfs-bound" },
		{ XFS, "xfs", DIR_PATH "/xfs", DIR_PATH "/xfs-bound" },
	};
	static const struct place f2fs = { F2FS, "f2fs", DIR_PATH "/f2fs", DIR_PATH "/f2fs-bound" },
		ocfs2 = { OCFS2, "ocfs2", DIR_PATH "/ocfs2", DIR_PATH "/ocfs2-bound" },
		bcachefs = { BCACHEFS, "bcachefs", DIR_PATH "/bcachefs",
			     DIR_PATH "/bcachefs-bound" };

	allow_verity();
	CHECK_SYS(mkdir(places[0].root, 0755));
	mount_image("ext4", 256, places[1].root, NULL);
	mount_image("btrfs", 128, places[2].root, NULL);
	mount_image("xfs", 300, places[3].root, NULL);
	allow_exchange(places[3].root);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		add_place(&places[i]);
	/* compress_mode=user: data is compressed when a call asks for it. */
	if (mount_if_there("f2fs", f2fs.root, "-q -O extra_attr,compression",
			   ",compress_mode=user"))
		add_place(&f2fs);
	if (mount_if_there("ocfs2", ocfs2.root,
			   "-M local -J size=4M -N 1 --fs-features=refcount,unwritten -F -x", ""))
		add_place(&ocfs2);
	if (mount_bcachefs(bcachefs.root))
		add_place(&bcachefs);
	/* The same paths, below another root. */
	CHECK_SYS(mkdir(DIR_PATH "/chroot", 0755));
	CHECK_SYS(mount("/", DIR_PATH "/chroot", NULL, MS_BIND | MS_REC, NULL));
}

TEST(files)
{
	double begun = now();

	/* This case takes longer than others. */
	time_limit(200);
	sh("modprobe -qa overlay binfmt_misc loop quota_v1 2>/dev/null");
	stash_open();
	make_places();
	share_results(nr_runs);
	try_controls();
	printf("# controls: %.1f s\n", now() - begun);
	try_rules();
	nfs_stop();
	printf("# %u controls, %u must be stopped, %u must not; %.1f s\n", nr_expected[CONTROL],
	       nr_expected[STOPPED], nr_expected[OTHERS] + nr_expected[PASSES], now() - begun);
	if (nr_wrong)
		FAIL("%u of %u are not as they should be", nr_wrong, nr_runs);
}
