// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The file guard, inode-guard: whether each operation is denied on each way to do it.
 *
 * attempts/ has tables of attempts. Each is made
 *
 *   control   without a rule, by each way to the file: it must take effect, or else it proves
 *             nothing
 *   stopped   with a rule that denies one of its operations, each in turn, and by each way: it must
 *             fail, and the file be as before
 *   others    with a rule that denies all operations but its own: it must take effect, or else the
 *             guard denies too much
 *   passes    if the table says that it can't be stopped, with a rule: it must take effect, or else
 *             the manual says something that is not so
 *
 * stopped and others likewise with a rule for a tree that the file is in. bypass_subject.c has the
 * subjects, who may do what others may not, and where rules end. --table prints what the manual has
 * of both. BYPASS_ONLY=TEXT|TEXT in the environment tries only what has such a text in its name,
 * BYPASS_ALL=1 also what is left out to save time.
 */
#include "harness.h"
#include "bypass.h"
#include "subject.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/xattr.h>

static const struct attempt *const tables[] = {
	reading, writing, appending, executing, naming, attributes, machinery, ext4_calls,
	btrfs_calls, xfs_calls, quotas, nfs_calls, passthrough_calls, sockets,
	devices, before, f2fs_calls, disks,
	ocfs2_calls,
	bcachefs_calls,
};

#define OPERATION_NAME(name, word, meaning)	word,

static const char *const operation_names[] = { GUARD_OPERATIONS(OPERATION_NAME) };

/* Not one of them: a second rule, for files that may be appended to and not written. */
#define ALLOW_APPEND	(ALL + 1)

static const char *const way_names[] = {
	[DIRECT] = "by its name", [BEFORE] = "by a descriptor opened before",
	[HARD_LINK] = "by a hard link", [SYMBOLIC_LINK] = "by a symbolic link",
	[PROC_FD] = "by /proc/self/fd", [BIND_MOUNT] = "in a bind mount",
	[BIND_FILE] = "bound elsewhere in another namespace", [CHROOT] = "in a chroot",
	[USER_NAMESPACE] = "by root of a user namespace",
	[PARENT_MOVED] = "after its directory was renamed", [USER] = "as an ordinary user",
};

static void names_of(unsigned int operations, char text[128])
{
	size_t length = 0;

	*text = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(operation_names); i++)
		if (operations & 1U << i)
			length += snprintf(text + length, 128 - length, "%s%s", length ? "," : "",
					   operation_names[i]);
}

/* What a file is like, in one number, without what reading it changes. */

static uint64_t hash;

static void hash_bytes(const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3;
}

static void hash_content(int fd)
{
	static char bytes[1 << 16];
	ssize_t size;

	while ((size = read(fd, bytes, sizeof(bytes))) > 0)
		hash_bytes(bytes, size);
}

static void hash_attributes(int fd)
{
	char names[4096], value[4096];
	ssize_t size = flistxattr(fd, names, sizeof(names)), length;
	int flags = 0;

	for (char *name = names; name < names + size; name += strlen(name) + 1) {
		length = fgetxattr(fd, name, value, sizeof(value));
		hash_bytes(name, strlen(name));
		hash_bytes(value, length > 0 ? length : 0);
	}
	ioctl(fd, FS_IOC_GETFLAGS, &flags);
	hash_bytes(&flags, sizeof(flags));
	flags = 0;
	ioctl(fd, FS_IOC_GETVERSION, &flags);
	hash_bytes(&flags, sizeof(flags));
}

static void hash_entries(int fd)
{
	DIR *directory = fdopendir(dup(fd));
	struct dirent *entry;
	uint64_t sum = 0, outer = hash;

	CHECK(directory);
	while ((entry = readdir(directory))) {
		hash = 1;
		hash_bytes(entry->d_name, strlen(entry->d_name));
		sum += hash;
	}
	closedir(directory);
	hash = outer;
	hash_bytes(&sum, sizeof(sum));
}

/* A FIFO would wait for who writes to it; of what else there is an open must wait for leases. */
static int open_to_look(const char *path)
{
	struct stat stat;
	bool is_fifo = !lstat(path, &stat) && S_ISFIFO(stat.st_mode);

	return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME | (is_fifo ? O_NONBLOCK : 0));
}

static uint64_t state_of(const char *path, bool with_time)
{
	int fd = open_to_look(path);
	struct stat stat;
	struct {
		ino_t ino;
		mode_t mode;
		nlink_t nlink;
		uid_t uid;
		gid_t gid;
		off_t size;
		blkcnt_t blocks;
		struct timespec changed;
	} of;

	if (fd < 0)
		return 0;
	CHECK_SYS(fstat(fd, &stat));
	memset(&of, 0, sizeof(of));
	of.ino = stat.st_ino;
	of.mode = stat.st_mode;
	of.nlink = stat.st_nlink;
	of.uid = stat.st_uid;
	of.gid = stat.st_gid;
	of.size = stat.st_size;
	of.blocks = stat.st_blocks;
	if (with_time)
		of.changed = stat.st_mtim;
	hash = 1;
	hash_bytes(&of, sizeof(of));
	if (S_ISDIR(stat.st_mode))
		hash_entries(fd);
	else
		hash_content(fd);
	hash_attributes(fd);
	close(fd);
	return hash;
}

/* Runs */

#define NOBODY	65534

/* A filesystem that attempts are made on, and a bind mount of it. */
struct place {
	enum filesystem filesystem;
	const char *name, *root, *bound;
};

static const struct place *place;	/* where runs are added now */
static unsigned int turn;		/* the number of the attempt that they are added for */

struct run {
	const struct attempt *attempt;
	const struct place *place;
	struct target target;
	enum way way;
	enum expectation expectation;
	unsigned int denied;		/* operations */
	bool tree;
	char directory[64];		/* the tree, if it is one */
	char path[96];
	uint64_t before;
	int result;
	struct run *next;
};

static struct run *runs, **last_run = &runs;
static unsigned int nr_runs, nr_expected[PASSES + 1], nr_wrong;
static int *results;			/* by number; shared with children */

static unsigned int ways_of(const struct attempt *attempt)
{
	unsigned int ways = attempt->ways ? attempt->ways : ANY_PATH;

	if (attempt->by_descriptor)
		ways |= BY(BEFORE);
	if (attempt->kind == DIRECTORY)
		ways &= ~BY(HARD_LINK);
	return ways;
}

/* Those that opening it takes. */
static unsigned int operations_to_open(unsigned int flags)
{
	unsigned int append = flags & O_APPEND ? APPEND : 0;

	if (flags & O_PATH)
		return 0;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return READ;
	case O_WRONLY:
		return WRITE | append;
	default:			/* 3, too, asks for both permissions */
		return READ | WRITE | append;
	}
}

/* What the file is denied for the attempt to be stopped: one of these. */
static unsigned int operations_of(const struct attempt *attempt, enum way way, bool tree)
{
	unsigned int operations = attempt->operations;

	if (tree && attempt->changes_directory)
		operations |= WRITE;
	if (tree)
		operations |= attempt->of_entry;
	if (attempt->by_descriptor && way != BEFORE)
		operations |= operations_to_open(attempt->open_flags);
	return operations;
}

static void add_run(const struct attempt *attempt, enum way way, enum expectation expectation,
		    unsigned int denied, bool tree)
{
	struct run *run = calloc(1, sizeof(*run));

	CHECK(run);
	run->attempt = attempt;
	run->way = way;
	run->expectation = expectation;
	run->denied = denied;
	run->tree = tree;
	run->target.number = ++nr_runs;
	nr_expected[expectation]++;
	run->target.fd = -1;
	run->target.open_flags = attempt->open_flags;
	run->target.kind = attempt->kind;
	run->place = place;
	run->target.root = place->root;
	*last_run = run;
	last_run = &run->next;
}

/*
 * On one filesystem and with rules for files, in some of the ways that lead to a file, every third
 * from another one on for each attempt; BYPASS_ALL in the environment has all of them tried, and
 * every_way says whose turn it is always.
 */
static unsigned int ways_to_try(const struct attempt *attempt, bool tree)
{
	unsigned int ways = ways_of(attempt), some = 0;
	bool all = getenv("BYPASS_ALL");

	if (place->filesystem != EXT4)
		return ways & (BY(DIRECT) | BY(BEFORE) | BY(USER));
	if (tree)
		return ways & (BY(DIRECT) | BY(BEFORE) | (all ? BY(BIND_MOUNT) : 0));
	if (attempt->every_way || all)
		return ways;
	for (int way = HARD_LINK + turn % 3; way < WAYS; way += 3)
		some |= BY(way);
	return ways & (BY(DIRECT) | BY(BEFORE) | BY(USER) | some);
}

static void add_stopped(const struct attempt *attempt, bool tree)
{
	unsigned int ways = ways_to_try(attempt, tree);

	for (int way = 0; way < WAYS; way++) {
		unsigned int operations = operations_of(attempt, way, tree);

		if (!(ways & BY(way)))
			continue;
		if (way != DIRECT && (way != BEFORE || tree)) {
			add_run(attempt, way, STOPPED, operations & -operations, tree);
			continue;
		}
		for (unsigned int operation = 1; operation < ALL; operation <<= 1)
			if (operations & operation)
				add_run(attempt, way, STOPPED, operation, tree);
		add_run(attempt, way, OTHERS, ALL & ~operations, tree);
	}
}

static bool is_selected(const struct attempt *attempt)
{
	return bypass_selects(attempt->name);
}

static void add_runs(const struct attempt *attempt)
{
	unsigned int ways = ways_to_try(attempt, false);
	const char *missing;

	if (!is_selected(attempt))
		return;
	if (!((attempt->filesystems ? attempt->filesystems : COMMON) & place->filesystem))
		return;
	missing = attempt->missing ? attempt->missing() : NULL;
	if (missing) {
		printf("# %s: not tried on %s: %s\n", attempt->name, place->name, missing);
		return;
	}
	for (int way = 0; way < WAYS; way++)
		if (ways & BY(way))
			add_run(attempt, way, CONTROL, 0, false);
	if (attempt->append_only) {
		add_run(attempt, DIRECT, attempt->append_only, WRITE | ALLOW_APPEND, false);
		if (attempt->by_descriptor)
			add_run(attempt, BEFORE, attempt->append_only, WRITE | ALLOW_APPEND, false);
		return;
	}
	if (attempt->why_not) {
		for (int way = 0; way < WAYS; way++)
			if (ways & (BY(DIRECT) | BY(USER)) & BY(way))
				add_run(attempt, way, PASSES, attempt->operations, false);
		return;
	}
	add_stopped(attempt, false);
	if (place->filesystem != TMPFS)
		add_stopped(attempt, true);
}

/*
 * Descriptors that wait for their runs do so in a socket, one behind the other: each process that
 * is forked would have to close them all.
 */

static int stash[2];

static void stash_open(void)
{
	int size = 64 << 20;

	CHECK_SYS(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, stash));
	CHECK_SYS(setsockopt(stash[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
	/* As many as wait, not the few that net.unix.max_dgram_qlen allows. */
	file_write("/proc/sys/net/unix/max_dgram_qlen", "100000");
}

struct parcel {
	struct iovec vector;
	struct msghdr message;
	char byte, control[CMSG_SPACE(sizeof(int))];
};

static struct cmsghdr *parcel_init(struct parcel *parcel)
{
	memset(parcel, 0, sizeof(*parcel));
	parcel->vector = (struct iovec){ &parcel->byte, 1 };
	parcel->message = (struct msghdr){
		.msg_iov = &parcel->vector, .msg_iovlen = 1, .msg_control = parcel->control,
		.msg_controllen = sizeof(parcel->control),
	};
	return CMSG_FIRSTHDR(&parcel->message);
}

static void stash_put(int fd)
{
	struct parcel parcel;
	struct cmsghdr *header = parcel_init(&parcel);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK_SYS(sendmsg(stash[0], &parcel.message, MSG_DONTWAIT));
	close(fd);
}

static int stash_get(void)
{
	struct parcel parcel;
	int fd;

	parcel_init(&parcel);
	CHECK_SYS(recvmsg(stash[1], &parcel.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	CHECK(CMSG_FIRSTHDR(&parcel.message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&parcel.message)), sizeof(fd));
	return fd;
}

/* Making the file of a run, and what leads to it */

static void run_make(struct run *run)
{
	snprintf(run->directory, sizeof(run->directory), "%s/%d", run->place->root,
		 run->target.number);
	CHECK_SYS(mkdir(run->directory, 0755));
	if (run->tree) {
		snprintf(run->path, sizeof(run->path), "%s/below", run->directory);
		CHECK_SYS(mkdir(run->path, 0755));
		strcat(run->path, "/file");
	} else {
		snprintf(run->path, sizeof(run->path), "%s/file", run->directory);
	}
	run->target.path = run->path;
	make_file(run->path, run->attempt->kind);
	if (run->way == USER)
		CHECK_SYS(chown(run->path, NOBODY, NOBODY));
	if (run->way == HARD_LINK)
		CHECK_SYS(link(run->path, scratch(&run->target, "hard")));
	if (run->way == SYMBOLIC_LINK)
		CHECK_SYS(symlink(run->path, scratch(&run->target, "soft")));
}

static const char *describe(const struct run *run)
{
	static char text[512];
	char names[128];

	names_of(run->denied, names);
	snprintf(text, sizeof(text), "%s, %s, %s, %s%s%s", run->attempt->name, way_names[run->way],
		 run->place->name, run->denied ? "denied in a " : "no rule", !run->denied ? "" :
		 run->denied & ALLOW_APPEND ? "file that may be appended to: " :
		 run->tree ? "tree: " : "file: ", names);
	return text;
}

/* Of the file, and of the name by which it was tried. */
static uint64_t run_state(const struct run *run)
{
	bool with_time = !run->attempt->sets_time || run->denied & ATTR;
	uint64_t state = state_of(run->path, with_time);

	if (run->way == HARD_LINK)
		state += 3 * state_of(scratch(&run->target, "hard"), with_time);
	return state;
}

static void run_prepare(struct run *run)
{
	int err = 0;

	if (run->way == BEFORE) {
		run->target.fd = open(run->path, run->attempt->open_flags | O_CLOEXEC);
		err = run->target.fd < 0 ? -errno : 0;
	}
	if (!err && run->attempt->prepare)
		err = run->attempt->prepare(&run->target);
	if (err)
		FAIL("%s: preparing it: %s", describe(run), strerror(-err));
	run->before = run_state(run);
	if (run->target.fd >= 0)
		stash_put(run->target.fd);
}

/* The way to the file, in the child process */

static void bind_file(struct run *run, char *path)
{
	snprintf(path, 256, "%s", scratch_file(&run->target, "bound", run->target.kind));
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(run->path, path, NULL, MS_BIND, NULL));
}

static void go(struct run *run)
{
	static char path[256];

	run->target.path = path;
	snprintf(path, sizeof(path), "%s", run->path);
	switch (run->way) {
	case HARD_LINK:
		snprintf(path, sizeof(path), "%s", scratch(&run->target, "hard"));
		break;
	case SYMBOLIC_LINK:
		snprintf(path, sizeof(path), "%s", scratch(&run->target, "soft"));
		break;
	case PROC_FD:
		snprintf(path, sizeof(path), "/proc/self/fd/%d",
			 (int)CHECK_SYS(open(run->path, O_PATH)));
		break;
	case BIND_MOUNT:
		snprintf(path, sizeof(path), "%s%s", run->place->bound,
			 run->path + strlen(run->place->root));
		run->target.root = run->place->bound;
		break;
	case BIND_FILE:
		bind_file(run, path);
		break;
	case CHROOT:
		CHECK_SYS(chroot(DIR_PATH "/chroot"));
		CHECK_SYS(chdir("/"));
		break;
	case USER_NAMESPACE:
		enter_user_namespace();
		break;
	case USER:
		CHECK_SYS(setresgid(NOBODY, NOBODY, NOBODY));
		CHECK_SYS(setresuid(NOBODY, NOBODY, NOBODY));
		break;
	default:
		break;
	}
}

/*
 * Many runs have one process in turn, which is much quicker than one for each; those that change
 * more about their process than descriptors and mappings have one of their own.
 */

#define NO_RESULT	1		/* the process died in it */

static bool has_own_process(const struct run *run)
{
	return run->attempt->own_process || run->way == BIND_FILE || run->way == CHROOT ||
	       run->way == USER_NAMESPACE || run->way == USER;
}

static void run_one(struct run *run)
{
	alarm(20 * test_slowdown());
	if (run->target.fd >= 0)
		run->target.fd = stash_get();
	go(run);
	results[run->target.number] = run->attempt->run(&run->target);
}

/* The next one after it that is for the same process, if there is. */
static struct run *next_for_process(struct run *run)
{
	struct run *next = run->next;

	if (has_own_process(run) || !next || !next->denied != !run->denied || has_own_process(next))
		return NULL;
	return next;
}

static void run_some(void *arg)
{
	int first_free = CHECK_SYS(dup(0));

	for (struct run *run = arg; run; run = next_for_process(run)) {
		run_one(run);
		close_range(first_free, ~0U, 0);
	}
}

static void run_make_way(struct run *run)
{
	char moved[sizeof(run->directory)];

	if (run->way != PARENT_MOVED)
		return;
	snprintf(moved, sizeof(moved), "%s/%d.moved", run->place->root,
		 run->target.number);
	CHECK_SYS(rename(run->directory, moved));
	memcpy(run->directory, moved, sizeof(moved));
	snprintf(run->path, sizeof(run->path), "%s/file", run->directory);
}

#define PENDING	2

static void run_all(bool denied)
{
	struct run *run;
	int status;

	for (run = runs; run; run = run->next)
		if (!run->denied == !denied) {
			run_make_way(run);
			results[run->target.number] = PENDING;
		}
	for (run = runs; run; run = run->next) {
		int *result = &results[run->target.number];

		if (!run->denied != !denied)
			continue;
		if (*result == PENDING) {
			CHECK_SYS(waitpid(child_start(run_some, run), &status, 0));
			if (*result == PENDING)
				*result = NO_RESULT;
		}
		run->result = *result;
		if (run->target.memory)
			munmap(run->target.memory, FILE_SIZE);
	}
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

/* ECANCELED: a process that the kernel ended, because it had gone too far with execve(2). */
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

/* So that files on it can have fs-verity. */
static void allow_verity(void)
{
	CHECK_EQ(sh("sed 's/has_journal,/has_journal,verity,/' /etc/mke2fs.conf >mke2fs.conf"), 0);
	setenv("MKE2FS_CONFIG", DIR_PATH "/mke2fs.conf", 1);
}

/* So that files on it can exchange their contents, as newer mkfs.xfs has it. */
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

/* Filesystems that not every kernel has, or every system the tool for. */
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
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
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
		bcachefs = { BCACHEFS, "bcachefs", DIR_PATH "/bcachefs", DIR_PATH "/bcachefs-bound" };

	allow_verity();
	CHECK_SYS(mkdir(places[0].root, 0755));
	mount_image("ext4", 256, places[1].root, NULL);
	mount_image("btrfs", 128, places[2].root, NULL);
	mount_image("xfs", 300, places[3].root, NULL);
	allow_exchange(places[3].root);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		add_place(&places[i]);
	/* So that what is written is compressed when a call says so. */
	if (mount_if_there("f2fs", f2fs.root, "-q -O extra_attr,compression",
			   ",compress_mode=user"))
		add_place(&f2fs);
	if (mount_if_there("ocfs2", ocfs2.root,
			   "-M local -J size=4M -N 1 --fs-features=refcount,unwritten -F -x", ""))
		add_place(&ocfs2);
	if (mount_bcachefs(bcachefs.root))
		add_place(&bcachefs);
	/* The same paths, in another root. */
	CHECK_SYS(mkdir(DIR_PATH "/chroot", 0755));
	CHECK_SYS(mount("/", DIR_PATH "/chroot", NULL, MS_BIND | MS_REC, NULL));
}

TEST(files)
{
	double begun = now();

	/* It takes longer than others. */
	alarm(200 * test_slowdown());
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

/*
 * What --table prints, a line for each, with tabs: "stopped", "not stopped", or "works" where that
 * is allowed; the operations; what is tried; why it is not stopped. The manual has its list from
 * here.
 */

static void print_line(const char *what, const char *operations, const char *name,
		       const char *why_not)
{
	printf("%s\t%s\t%s\t%s\n", what, operations, name, why_not ? why_not : "");
}

static void print_attempts(const struct attempt *attempt)
{
	char names[128];

	for (; attempt->name; attempt++) {
		names_of(attempt->operations, names);
		print_line(attempt->why_not ? "not stopped" :
			   attempt->append_only == OTHERS ? "works" : "stopped", names,
			   attempt->name, attempt->why_not);
	}
}

static void print_subjects(const struct subject_attempt *attempt, const char *operations)
{
	for (; attempt->name; attempt++)
		print_line(attempt->why_not ? "not stopped" : attempt->may ? "works" : "stopped",
			   operations, attempt->name, attempt->why_not);
}

static void print_table(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
		print_attempts(tables[i]);
	print_subjects(subjects, "only-for");
	print_subjects(seen, "only-for");
	print_subjects(seen_limits, "only-for");
	print_subjects(limits, "all");
	print_subjects(root_limits, "all");
	print_subjects(memory_limits, "read");
	print_subjects(earlier_limits, "all");
}

__attribute__((constructor)) static void set_table(void)
{
	test_table = print_table;
}
