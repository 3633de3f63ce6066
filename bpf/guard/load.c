// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Starting and stopping: the programs and maps, and their pins, which keep them when no process has
 * them open.
 *
 * All pins are in one directory; the word "ready" in the state is written last by a start and
 * erased first by a stop, so that neither, interrupted, leaves what looks like a running guard.
 * Whoever changes anything holds a lock on that directory, which only root can open; and who
 * watches, one on a directory in it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "tool.h"
/* Behind the types in it. */
#include "guard.skel.h"

#define BPF_DIR		"/sys/fs/bpf"
#define GUARD_DIR	BPF_DIR "/inode-guard"
#define LSM_LIST	"/sys/kernel/security/lsm"

const char guard_watch_dir[] = GUARD_DIR "/watch";

static void pin_path(char *path, const char *name)
{
	snprintf(path, PATH_MAX, GUARD_DIR "/%s", name);
}

static void map_pin_name(char *name, size_t size, int index)
{
	if (index == FILES_MAP)
		snprintf(name, size, "files");
	else
		snprintf(name, size, "tree_%s", op_names[index]);
}

static int open_pin(const char *name)
{
	char path[PATH_MAX];
	int fd;

	pin_path(path, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int pin(int fd, const char *name)
{
	char path[PATH_MAX];

	pin_path(path, name);
	return bpf_obj_pin(fd, path) && errno != EEXIST ? -errno : 0;
}

/* How many pins there are, or a negative errno: -ENOENT when there is no directory. */
static int count_pins(void)
{
	DIR *dir = opendir(GUARD_DIR);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* The lock */

/* Whether a directory is still the one that the path leads to. */
static bool is_guard_dir(int fd)
{
	struct stat own, there;

	return !fstat(fd, &own) && !stat(GUARD_DIR, &there) && own.st_dev == there.st_dev &&
	       own.st_ino == there.st_ino;
}

/*
 * Lock the directory of the pins; a stop may remove it while we wait. Returns a descriptor or a
 * negative errno: -ENOENT when there is no directory.
 */
static int lock(bool exclusive)
{
	int fd, err;

	for (;;) {
		fd = open(GUARD_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (flock(fd, exclusive ? LOCK_EX : LOCK_SH)) {
			err = -errno;
			close(fd);
			return err;
		}
		if (is_guard_dir(fd))
			return fd;
		close(fd);
	}
}

/* The same, and make the directory if it is not there. */
static int make_and_lock(void)
{
	int fd;

	for (;;) {
		if (mkdir(GUARD_DIR, 0700) && errno != EEXIST)
			return -errno;
		fd = lock(true);
		if (fd != -ENOENT)
			return fd;
	}
}

void guard_wait_programs(void)
{
	/* It waits for RCU, if there is more than one processor and none that has no ticks. */
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

/* What is there */

static void guard_init(struct guard *guard)
{
	memset(guard, 0xff, sizeof(*guard));
	guard->state = NULL;
}

static int open_state(struct guard *guard)
{
	long page = sysconf(_SC_PAGESIZE);

	guard->state_map = open_pin("state");
	if (guard->state_map < 0)
		return guard->state_map;
	guard->state = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, guard->state_map, 0);
	if (guard->state != MAP_FAILED)
		return 0;
	guard->state = NULL;
	return -errno;
}

/* The maps of the programs' object that are no inode maps: names, and where their descriptors are. */
static const struct {
	const char *name;
	size_t fd;
} guard_maps[] = {
	{ "rules", offsetof(struct guard, rules) },
	{ "hits", offsetof(struct guard, hits) },
	{ "members", offsetof(struct guard, members) },
	{ "texts", offsetof(struct guard, texts) },
	{ "leaves", offsetof(struct guard, leaves) },
	{ "fresh", offsetof(struct guard, fresh) },
	{ "changes", offsetof(struct guard, changes) },
	{ "moves", offsetof(struct guard, moves) },
	{ "events", offsetof(struct guard, events) },
};

static int *map_fd(struct guard *guard, size_t i)
{
	return (int *)((char *)guard + guard_maps[i].fd);
}

/* Open every map; returns 0 or a negative errno. */
static int open_maps(struct guard *guard)
{
	char name[32];
	size_t i;
	int index;

	guard->subjects = open_pin("subjects");
	if (guard->subjects < 0)
		return guard->subjects;
	for (i = 0; i < ARRAY_SIZE(guard_maps); i++) {
		*map_fd(guard, i) = open_pin(guard_maps[i].name);
		if (*map_fd(guard, i) < 0)
			return *map_fd(guard, i);
	}
	for (index = 0; index < RULE_MAPS; index++) {
		map_pin_name(name, sizeof(name), index);
		guard->maps[index] = open_pin(name);
		if (guard->maps[index] < 0)
			return guard->maps[index];
	}
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void guard_close(struct guard *guard)
{
	size_t i;
	int index;

	for (index = 0; index < RULE_MAPS; index++)
		close_fd(guard->maps[index]);
	close_fd(guard->subjects);
	for (i = 0; i < ARRAY_SIZE(guard_maps); i++)
		close_fd(*map_fd(guard, i));
	close_fd(guard->state_map);
	if (guard->state)
		munmap(guard->state, sysconf(_SC_PAGESIZE));
	/* Last. */
	close_fd(guard->lock);
	guard_init(guard);
}

/* Look at the pins; opens the state if it is there. Returns a negative errno or what there is. */
static int examine(struct guard *guard)
{
	int pins = count_pins(), err;

	if (pins == -ENOENT)
		return GUARD_STOPPED;
	if (pins < 0)
		return pins;
	err = open_state(guard);
	if (err == -ENOENT)
		return GUARD_DAMAGED;
	if (err)
		return err;
	if (guard->state->version != GUARD_VERSION)
		return -EPROTO;
	return guard->state->ready && guard->state->pins == (__u32)pins ? GUARD_RUNNING :
									  GUARD_DAMAGED;
}

static int examine_failed(int err)
{
	if (err == -EPROTO)
		error("what is pinned in " GUARD_DIR " is of another version of inode-guard "
		      "(stop it first)");
	else
		error("%s: %s", GUARD_DIR, reason(err));
	return EXIT_FAILURE;
}

int guard_open(struct guard *guard, bool change)
{
	int ret;

	guard_init(guard);
	guard->lock = lock(change);
	if (guard->lock >= 0)
		ret = examine(guard);
	else
		ret = guard->lock == -ENOENT ? GUARD_STOPPED : guard->lock;
	if (ret == GUARD_RUNNING)
		ret = open_maps(guard) ?: GUARD_RUNNING;
	if (ret == GUARD_RUNNING)
		return EXIT_SUCCESS;
	guard_close(guard);
	if (ret == GUARD_STOPPED) {
		error("not running (start it with 'inode-guard start')");
		return EXIT_STATE;
	}
	if (ret == GUARD_DAMAGED) {
		error("only partly there: 'inode-guard start' completes it, 'inode-guard stop' "
		      "removes it");
		return EXIT_FAILURE;
	}
	return examine_failed(ret);
}

bool guard_is_over(const struct guard *guard)
{
	return !__atomic_load_n(&guard->state->ready, __ATOMIC_ACQUIRE);
}

/* Stopping */

/* The state tells what the others are: it goes when they are gone. */
static int unpin(int dir, const struct dirent *entry, bool last)
{
	const char *name = entry->d_name;

	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "state") != last)
		return 0;
	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	return unlinkat(dir, name, AT_REMOVEDIR) ? -errno : 0;
}

static int unpin_all(void)
{
	DIR *dir = opendir(GUARD_DIR);
	struct dirent *entry;
	int last, ret, err = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (last = 0; last < 2; last++, rewinddir(dir))
		while ((entry = readdir(dir))) {
			ret = unpin(dirfd(dir), entry, last);
			err = err ?: ret;
		}
	closedir(dir);
	return err;
}

/* How many inode maps the module has, or 0. */
static unsigned int count_maps(void)
{
	FILE *file = fopen("/proc/inode_map", "re");
	unsigned int maps = 0;

	if (file && fscanf(file, "maps %u", &maps) != 1)
		maps = 0;
	if (file)
		fclose(file);
	return maps;
}

/* How many of them are pinned. */
static unsigned int count_pinned_maps(void)
{
	unsigned int count;
	struct guard guard;
	int index;

	guard_init(&guard);
	open_maps(&guard);
	count = guard.subjects >= 0;
	for (index = 0; index < RULE_MAPS; index++)
		count += guard.maps[index] >= 0;
	guard_close(&guard);
	return count;
}

/*
 * Wait, but not for ever, until the kernel has let go of the maps, which it does a while after the
 * pins are gone: until then the module can't be unloaded.
 */
static void wait_maps(unsigned int before, unsigned int gone)
{
	unsigned int tries;

	for (tries = 0; tries < 1000 && gone && count_maps() + gone > before; tries++)
		usleep(10000);
}

/* Have nothing denied any more, at once, and remove the pins, but for their directory. */
static int dismantle(struct guard *guard)
{
	unsigned int before = count_maps(), gone = count_pinned_maps();
	int err;

	if (guard->state) {
		__atomic_store_n(&guard->state->ready, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->generation, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->trees, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->subjects, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->follows, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->fresh, 0, __ATOMIC_SEQ_CST);
	}
	err = unpin_all();
	guard_close(guard);
	if (!err)
		wait_maps(before, gone);
	return err;
}

int guard_stop(void)
{
	struct guard guard;
	int fd, ret, err;

	fd = lock(true);
	if (fd == -ENOENT) {
		error("not running");
		return EXIT_STATE;
	}
	if (fd < 0)
		return examine_failed(fd);
	guard_init(&guard);
	ret = examine(&guard);
	/* Of another version: its words are not known. */
	if (ret == -EPROTO) {
		munmap(guard.state, sysconf(_SC_PAGESIZE));
		guard.state = NULL;
	}
	err = dismantle(&guard);
	if (!err && rmdir(GUARD_DIR))
		err = -errno;
	if (err)
		error("cannot remove %s: %s", GUARD_DIR, reason(err));
	close(fd);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Starting */

/* While one policy takes another's place there are entries of both. */
#define FILES_PER_RULE	2

static int make_inode_maps(struct guard *guard, __u32 max_rules)
{
	__u32 fewer = max_rules / 8 < 1024 ? 1024 : max_rules / 8;
	char name[32];
	int index, err;

	for (index = 0; index < RULE_MAPS; index++) {
		map_pin_name(name, sizeof(name), index);
		guard->maps[index] = inode_map_create(name, sizeof(struct guard_entry),
						      index == FILES_MAP ? FILES_PER_RULE * max_rules :
									   fewer);
		if (guard->maps[index] < 0)
			return guard->maps[index];
		err = pin(guard->maps[index], name);
		if (err)
			return err;
	}
	/* Executables, and the directories of all names. */
	guard->subjects = inode_map_create("subjects", sizeof(__u32), FILES_PER_RULE * max_rules);
	return guard->subjects < 0 ? guard->subjects : pin(guard->subjects, "subjects");
}

/* Hooks that not all kernels have: the mapping that overlayfs makes of the file in a layer. */
static void skip_unknown_hooks(struct guard_bpf *skel)
{
	const struct {
		const char *hook;
		struct bpf_program *program;
	} recent[] = {
		{ "bpf_lsm_mmap_backing_file", skel->progs.guard_mmap_backing },
		{ "bpf_lsm_inode_file_setattr", skel->progs.guard_file_setattr },
		{ "bpf_lsm_path_link", skel->progs.guard_follow_link },
	};
	struct btf *btf = btf__load_vmlinux_btf();

	for (size_t i = 0; btf && i < sizeof(recent) / sizeof(recent[0]); i++)
		if (btf__find_by_name_kind(btf, recent[i].hook, BTF_KIND_FUNC) < 0)
			bpf_program__set_autoload(recent[i].program, false);
	btf__free(btf);
}

static void set_sizes(struct guard_bpf *skel, __u32 max_rules)
{
	__u32 fewer = max_rules / 8 < 1024 ? 1024 : max_rules / 8;

	/* While one policy takes another's place: both, and the records of the old one's removal. */
	bpf_map__set_max_entries(skel->maps.rules, max_rules * 3);
	bpf_map__set_max_entries(skel->maps.hits, max_rules * 2);
	bpf_map__set_max_entries(skel->maps.texts, max_rules * 8);
	bpf_map__set_max_entries(skel->maps.members, fewer * 4);
	bpf_map__set_max_entries(skel->maps.leaves, max_rules * 2);
	bpf_map__set_max_entries(skel->maps.fresh, max_rules * 2);
}

/* Take the pinned maps instead of new ones, to complete what has lost some of its programs. */
static int reuse_maps(struct guard_bpf *skel, struct guard *guard)
{
	int err = bpf_map__reuse_fd(skel->maps.bss, guard->state_map);
	struct bpf_map *map;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(guard_maps) && !err; i++) {
		map = bpf_object__find_map_by_name(skel->obj, guard_maps[i].name);
		err = bpf_map__reuse_fd(map, *map_fd(guard, i));
	}
	return err;
}

static int pin_maps(struct guard_bpf *skel)
{
	/* First: without it there is nothing. */
	int err = pin(bpf_map__fd(skel->maps.bss), "state");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(guard_maps) && !err; i++)
		err = pin(bpf_object__find_map_fd_by_name(skel->obj, guard_maps[i].name),
			  guard_maps[i].name);
	return err;
}

/* Bind the inode maps to a program, so that they live as long, attach it and pin the link. */
static int attach_program(const struct guard *guard, struct bpf_program *prog)
{
	struct bpf_link *link;
	char path[PATH_MAX];
	int index, err;

	pin_path(path, bpf_program__name(prog));
	if (!bpf_program__autoload(prog) || !access(path, F_OK))
		return 0;
	err = inode_map_bind(guard->subjects, bpf_program__fd(prog));
	for (index = 0; index < RULE_MAPS && !err; index++)
		err = inode_map_bind(guard->maps[index], bpf_program__fd(prog));
	if (err)
		return err;
	link = bpf_program__attach(prog);
	if (!link)
		return -errno;
	err = bpf_link__pin(link, path);
	/* A link that is pinned stays. */
	bpf_link__destroy(link);
	return err;
}

static int attach_programs(const struct guard *guard, struct guard_bpf *skel)
{
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, skel->obj) {
		err = attach_program(guard, prog);
		if (err) {
			error("cannot attach %s: %s", bpf_program__name(prog), reason(err));
			return err;
		}
	}
	return 0;
}

/* The security modules that are active, separated by commas; empty if that is not known. */
static void read_lsms(char *lsms, size_t size)
{
	FILE *file = fopen(LSM_LIST, "re");

	if (!file || !fgets(lsms, size, file))
		lsms[0] = '\0';
	if (file)
		fclose(file);
	lsms[strcspn(lsms, "\n")] = '\0';
}

static void not_called(const char *lsms)
{
	error("the kernel does not call BPF programs for security decisions: boot it with "
	      "lsm=%s%sbpf", lsms, lsms[0] ? "," : "...,");
}

/*
 * The kernel attaches programs to security hooks even if it was not told to call them. Ask for a
 * call, and see.
 */
static bool is_called(const struct guard_state *state)
{
	__u32 probed = __atomic_load_n(&state->probed, __ATOMIC_SEQ_CST);

	prctl(GUARD_PRCTL_PROBE, 0, 0, 0, 0);
	return __atomic_load_n(&state->probed, __ATOMIC_SEQ_CST) != probed;
}

static int check_hooks(const struct guard_state *state)
{
	char lsms[256];

	if (is_called(state))
		return 0;
	read_lsms(lsms, sizeof(lsms));
	not_called(lsms);
	return -EOPNOTSUPP;
}

static int load_programs(struct guard *guard, __u32 max_rules, bool repair)
{
	struct guard_bpf *skel = guard_bpf__open();
	int index, err;

	if (!skel) {
		err = -errno;
		error("cannot read the programs: %s", reason(err));
		return err;
	}
	for (index = 0; index < GUARD_OPS; index++)
		skel->rodata->trees_id[index] = inode_map_id(guard->maps[index]);
	skel->rodata->files_id = inode_map_id(guard->maps[FILES_MAP]);
	skel->rodata->subjects_id = inode_map_id(guard->subjects);
	skel->bss->state.version = GUARD_VERSION;
	skel->bss->state.generation = 1;
	skel->bss->state.next = 1;
	if (getrandom(&skel->bss->state.seed, sizeof(skel->bss->state.seed), 0) < 0)
		error("no random number: %s", strerror(errno));
	skip_unknown_hooks(skel);
	set_sizes(skel, max_rules);
	err = repair ? reuse_maps(skel, guard) : 0;
	if (!err)
		err = guard_bpf__load(skel);
	if (err)
		error("the kernel does not take the programs: %s%s", reason(err),
		      verbose ? "" : " (-v shows more)");
	if (!err) {
		err = pin_maps(skel);
		/* libbpf need not map it in the skeleton: from 1.5 on it does not if it is reused. */
		if (!err && !guard->state)
			err = open_state(guard);
		if (err)
			error("cannot pin in %s: %s", GUARD_DIR, reason(err));
	}
	if (!err)
		err = attach_programs(guard, skel);
	if (!err)
		err = check_hooks(guard->state);
	guard_bpf__destroy(skel);
	return err;
}

static int start_anew(struct guard *guard, __u32 max_rules)
{
	int err;

	if (mkdir(guard_watch_dir, 0700)) {
		err = -errno;
		error("cannot create %s: %s", guard_watch_dir, reason(err));
		return err;
	}
	err = make_inode_maps(guard, max_rules);
	if (err) {
		error("cannot create the maps: %s",
		      err == -E2BIG ? "too large (see --max-rules)" : reason(err));
		return err;
	}
	return load_programs(guard, max_rules, false);
}

/* Make what is there, or what is missing of it, all but the mark that it is ready. */
static int start_guard(struct guard *guard, __u32 max_rules)
{
	int err;

	if (guard->state && guard->state->ready) {
		err = open_maps(guard);
		if (err)
			error("a map is missing: only 'inode-guard stop' can help");
		return err ?: load_programs(guard, max_rules, true);
	}
	err = dismantle(guard);
	if (err) {
		error("cannot remove %s: %s", GUARD_DIR, reason(err));
		return err;
	}
	err = start_anew(guard, max_rules);
	if (err) {
		if (!guard->state)
			open_state(guard);
		dismantle(guard);
		rmdir(GUARD_DIR);
	}
	return err;
}

/* Before all the work, if it can be told. */
static bool lsm_is_missing(void)
{
	char lsms[256], list[sizeof(lsms) + 2];

	read_lsms(lsms, sizeof(lsms));
	snprintf(list, sizeof(list), ",%s,", lsms);
	if (!lsms[0] || strstr(list, ",bpf,"))
		return false;
	not_called(lsms);
	return true;
}

static int check_system(void)
{
	struct statfs fs;

	if (geteuid()) {
		error("only root can start it");
		return EXIT_FAILURE;
	}
	if (statfs(BPF_DIR, &fs) || (unsigned int)fs.f_type != BPF_FS_MAGIC) {
		error("there is no BPF filesystem at " BPF_DIR " (mount -t bpf bpf " BPF_DIR ")");
		return EXIT_FAILURE;
	}
	if (!if_nametoindex(INODE_MAP_DEVICE)) {
		error("%s", reason(-ENODEV));
		return EXIT_FAILURE;
	}
	return lsm_is_missing() ? EXIT_FAILURE : EXIT_SUCCESS;
}

int guard_start(__u32 max_rules, int audit)
{
	struct guard guard;
	int fd, ret, err = 0;

	guard_init(&guard);
	ret = check_system();
	if (ret)
		return ret;
	fd = make_and_lock();
	if (fd < 0)
		return examine_failed(fd);
	ret = examine(&guard);
	if (ret < 0) {
		ret = examine_failed(ret);
		goto out;
	}
	if (ret != GUARD_RUNNING)
		err = start_guard(&guard, max_rules);
	ret = err ? EXIT_FAILURE : EXIT_SUCCESS;
	if (err)
		goto out;
	if (audit >= 0)
		__atomic_store_n(&guard.state->audit, audit, __ATOMIC_SEQ_CST);
	guard.state->pins = count_pins();
	__atomic_store_n(&guard.state->ready, 1, __ATOMIC_SEQ_CST);
out:
	guard_close(&guard);
	close(fd);
	return ret;
}

/* Status */

__u32 guard_max_rules(const struct guard *guard)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	bpf_obj_get_info_by_fd(guard->maps[FILES_MAP], &info, &size);
	return info.max_entries / FILES_PER_RULE;
}

/* Why the programs are not called, for the end of a line. */
static const char *why_not_called(void)
{
	FILE *file = fopen("/proc/sys/kernel/ftrace_enabled", "re");
	int enabled = 1;

	if (file && fscanf(file, "%d", &enabled) != 1)
		enabled = 1;
	if (file)
		fclose(file);
	return enabled ? "" : ": kernel.ftrace_enabled is 0";
}

static void print_counts(const struct counts *counts, bool json)
{
	const struct {
		const char *name;
		size_t count;
	} items[] = {
		{ "waiting", counts->waiting }, { "elsewhere", counts->elsewhere },
		{ "gone", counts->gone },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(items); i++) {
		if (json)
			printf("\"%s\":%zu,", items[i].name, items[i].count);
		else if (items[i].count)
			printf("%zu %s, ", items[i].count, items[i].name);
	}
}

static void print_status(const struct guard *guard, size_t rules, const struct counts *counts,
			 bool called, bool json)
{
	const struct guard_state *state = guard->state;
	__u32 max_rules = guard_max_rules(guard);

	if (json) {
		printf("{\"state\":\"running\",\"called\":%s,\"audit\":%s,\"rules\":%zu,"
		       "\"max_rules\":%u,", called ? "true" : "false",
		       state->audit ? "true" : "false", rules, max_rules);
		print_counts(counts, true);
		printf("\"generation\":%u,\"dropped\":%llu}\n", state->generation,
		       (unsigned long long)state->dropped);
		return;
	}
	printf("running: %s, %zu of %u rules, ", !called ? "not called by the kernel" :
	       state->audit ? "audit" : "enforcing", rules, max_rules);
	print_counts(counts, false);
	printf("generation %u, %llu events dropped\n", state->generation,
	       (unsigned long long)state->dropped);
}

/* Of a guard that runs; returns an exit code. */
static int show_status(struct guard *guard, bool json)
{
	struct policy policy;
	struct counts counts;
	bool called;
	int err;

	err = policy_load(guard, &policy);
	if (!err)
		err = policy_walk(&policy);
	if (err) {
		policy_free(&policy);
		error("%s", reason(err));
		return EXIT_FAILURE;
	}
	policy_count(&policy, &counts);
	called = is_called(guard->state);
	print_status(guard, policy.rules.count, &counts, called, json);
	policy_free(&policy);
	if (!called) {
		error("the kernel does not call the programs%s", why_not_called());
		return EXIT_FAILURE;
	}
	return counts.elsewhere || counts.gone ? EXIT_MISSING : EXIT_SUCCESS;
}

/* Programs without their pins, which somebody has removed. */
static bool has_programs(void)
{
	struct bpf_prog_info info;
	__u32 id = 0, size;
	bool found = false;
	int fd;

	while (!found && !bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		found = !bpf_obj_get_info_by_fd(fd, &info, &size) &&
			!strcmp(info.name, "guard_open");
		close(fd);
	}
	return found;
}

int guard_status(bool json)
{
	struct guard guard;
	int ret, err;

	guard_init(&guard);
	ret = examine(&guard);
	if (ret < 0)
		return examine_failed(ret);
	if (ret == GUARD_STOPPED && has_programs())
		ret = GUARD_DAMAGED;
	err = ret == GUARD_RUNNING ? open_maps(&guard) : 0;
	if (err) {
		error("%s", reason(err));
		ret = EXIT_FAILURE;
	} else if (ret == GUARD_RUNNING) {
		ret = show_status(&guard, json);
	} else {
		printf(json ? "{\"state\":\"%s\"}\n" : "%s\n",
		       ret == GUARD_STOPPED ? "stopped" : "damaged");
		ret = ret == GUARD_STOPPED ? EXIT_STATE : EXIT_FAILURE;
	}
	guard_close(&guard);
	return ret;
}
