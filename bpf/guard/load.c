// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Starting and stopping the guard: load the programs, make the maps, attach and pin them, and
 * remove all of it again. Both hold the lock (pins.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "pins.h"
/* After the types that it uses. */
#include "guard.skel.h"

#define LSM_LIST	"/sys/kernel/security/lsm"
#define BTF_DIR		"/sys/kernel/btf"

/* Stopping */

/* The state describes the other pins, so remove it last. */
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
	struct dirent *entry;
	int last, ret, err;
	DIR *dir;

	err = pins_open_dir(&dir);
	if (err)
		return err == -ENOENT ? 0 : err;
	for (last = 0; last < 2; last++, rewinddir(dir))
		while ((entry = readdir(dir))) {
			ret = unpin(dirfd(dir), entry, last);
			err = err ?: ret;
		}
	closedir(dir);
	return err;
}

/* The number of inode maps that the module has, or 0. */
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

/* The number of inode maps that the guard has pinned. */
static unsigned int count_pinned_maps(void)
{
	unsigned int count;
	struct guard guard;
	int index;

	guard_init(&guard);
	guard_open_maps(&guard);
	count = guard.subjects >= 0;
	for (index = 0; index < RULE_MAPS; index++)
		count += guard.maps[index] >= 0;
	guard_close(&guard);
	return count;
}

/*
 * Wait, but not forever, until the kernel has freed the maps, which happens a while after the pins
 * are gone: until then the module can't be unloaded.
 */
static void wait_maps(unsigned int before, unsigned int gone)
{
	unsigned int tries;

	for (tries = 0; tries < 1000 && gone && count_maps() + gone > before; tries++)
		usleep(10000);
}

/* Stop denying at once, and remove the pins, but not their directory. */
static int dismantle(struct guard *guard)
{
	unsigned int before = count_maps(), gone = count_pinned_maps();
	int err;

	if (guard->state) {
		__atomic_store_n(&guard->state->ready, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->generation, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->beyond, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->subjects, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->cgroups, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&guard->state->follows, 0, __ATOMIC_SEQ_CST);
	}
	err = unpin_all();
	guard_close(guard);
	if (!err)
		wait_maps(before, gone);
	return err;
}

/* The state is of another version: don't write to it, since its layout is unknown. */
static void forget_state(struct guard *guard)
{
	munmap(guard->state, sysconf(_SC_PAGESIZE));
	guard->state = NULL;
}

int guard_remove_next(void)
{
	const char *dir = pins_dir;
	struct guard guard;
	int ret;

	if (access(GUARD_NEXT_DIR, F_OK))
		return 0;
	guard_init(&guard);
	pins_dir = GUARD_NEXT_DIR;
	ret = guard_examine(&guard);
	if (ret == -EPROTO)
		forget_state(&guard);
	if (ret >= 0 || ret == -EPROTO)
		ret = dismantle(&guard);
	if (!ret && rmdir(pins_dir))
		ret = -errno;
	pins_dir = dir;
	return ret;
}

int guard_stop(void)
{
	struct guard guard;
	int fd, ret, err;

	fd = guard_lock(true);
	if (fd == -ENOENT)
		return guard_tell_stopped("");
	if (fd < 0)
		return guard_examine_failed(fd);
	guard_init(&guard);
	ret = guard_examine(&guard);
	if (ret >= 0 && seal_refuse(&guard, "it can't be stopped")) {
		guard_close(&guard);
		close(fd);
		return EXIT_FAILURE;
	}
	if (ret == -EPROTO)
		forget_state(&guard);
	err = guard_remove_next() ?: dismantle(&guard);
	if (!err && rmdir(GUARD_DIR))
		err = -errno;
	if (err)
		error("cannot remove %s: %s", GUARD_DIR, reason(err));
	close(fd);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Starting */

/* While one policy replaces another, there are entries of both. */
#define FILES_PER_RULE	2

static int make_inode_maps(struct guard *guard, __u32 max_rules)
{
	__u32 fewer = max_rules / 8 < 1024 ? 1024 : max_rules / 8;
	char name[32];
	int index, err;

	for (index = 0; index < RULE_MAPS; index++) {
		pin_map_name(name, sizeof(name), index);
		guard->maps[index] = inode_map_create(name, sizeof(struct guard_entry),
						      index == FILES_MAP ?
						      FILES_PER_RULE * max_rules : fewer);
		if (guard->maps[index] < 0)
			return guard->maps[index];
		err = pin_make(guard->maps[index], name);
		if (err)
			return err;
	}
	/* Executables, and the directories that all names are in. */
	guard->subjects = inode_map_create("subjects", sizeof(__u32), FILES_PER_RULE * max_rules);
	return guard->subjects < 0 ? guard->subjects : pin_make(guard->subjects, "subjects");
}

/*
 * Don't load programs for hooks and tracepoints that this kernel lacks: such as the hook for when
 * overlayfs maps the file in a layer, and the tracepoints of cgroups.
 */
static void skip_unknown_hooks(struct guard_bpf *skel)
{
	const struct {
		const char *hook;
		__u32 kind;
		struct bpf_program *program;
	} recent[] = {
		{ "bpf_lsm_mmap_backing_file", BTF_KIND_FUNC, skel->progs.guard_mmap_backing },
		{ "bpf_lsm_inode_file_setattr", BTF_KIND_FUNC, skel->progs.guard_file_setattr },
		{ "bpf_lsm_path_link", BTF_KIND_FUNC, skel->progs.guard_follow_link },
		{ "btf_trace_cgroup_mkdir", BTF_KIND_TYPEDEF, skel->progs.guard_cgroup_made },
		{ "btf_trace_cgroup_rmdir", BTF_KIND_TYPEDEF, skel->progs.guard_cgroup_removed },
	};
	struct btf *btf = btf__load_vmlinux_btf();

	for (size_t i = 0; btf && i < sizeof(recent) / sizeof(recent[0]); i++)
		if (btf__find_by_name_kind(btf, recent[i].hook, recent[i].kind) < 0)
			bpf_program__set_autoload(recent[i].program, false);
	btf__free(btf);
}

static void set_sizes(struct guard_bpf *skel, __u32 max_rules)
{
	__u32 fewer = max_rules / 8 < 1024 ? 1024 : max_rules / 8;

	/* While one policy replaces another: both, and the records of the old one's removal. */
	bpf_map__set_max_entries(skel->maps.rules, max_rules * 3);
	bpf_map__set_max_entries(skel->maps.hits, max_rules * 2);
	bpf_map__set_max_entries(skel->maps.texts, max_rules * 8);
	/* Executables are in GUARD_PROTECTED, too. */
	bpf_map__set_max_entries(skel->maps.members, fewer * 8);
	bpf_map__set_max_entries(skel->maps.cgroup_paths, fewer);
	bpf_map__set_max_entries(skel->maps.cgroups, fewer);
	bpf_map__set_max_entries(skel->maps.leaves, max_rules * 2);
	bpf_map__set_max_entries(skel->maps.fresh, max_rules * 2);
	bpf_map__set_max_entries(skel->maps.held, max_rules * 2);
}

/* Use the pinned maps instead of new ones, to complete a guard that has lost some programs. */
static int reuse_maps(struct guard_bpf *skel, struct guard *guard)
{
	int err = bpf_map__reuse_fd(skel->maps.bss, guard->state_map);
	struct bpf_map *map;
	size_t i;

	for (i = 0; i < GUARD_MAPS && !err; i++) {
		map = bpf_object__find_map_by_name(skel->obj, guard_maps[i].name);
		err = bpf_map__reuse_fd(map, *guard_map_fd(guard, i));
	}
	return err;
}

static int pin_maps(struct guard_bpf *skel)
{
	/* First: without the state there is no guard. */
	int err = pin_make(bpf_map__fd(skel->maps.bss), "state");
	size_t i;

	for (i = 0; i < GUARD_MAPS && !err; i++)
		err = pin_make(bpf_object__find_map_fd_by_name(skel->obj, guard_maps[i].name),
			       guard_maps[i].name);
	return err;
}

/*
 * Bind the inode maps to a program, so that they live as long as it does, then attach it and pin
 * the link. A program to attach @later, when a rule needs it, is pinned itself.
 */
static int attach_program(const struct guard *guard, struct bpf_program *prog, bool later)
{
	struct bpf_link *link;
	char path[PATH_MAX];
	int index, err;

	pin_path(path, bpf_program__name(prog));
	if (!bpf_program__autoload(prog) || (!later && !access(path, F_OK)))
		return 0;
	err = inode_map_bind(guard->subjects, bpf_program__fd(prog));
	for (index = 0; index < RULE_MAPS && !err; index++)
		err = inode_map_bind(guard->maps[index], bpf_program__fd(prog));
	if (err || later)
		return err ?: reading_make(bpf_program__fd(prog));
	link = bpf_program__attach(prog);
	if (!link)
		return -errno;
	err = bpf_link__pin(link, path);
	/* A pinned link stays attached. */
	bpf_link__destroy(link);
	return err;
}

static int attach_programs(struct guard *guard, struct guard_bpf *skel)
{
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, skel->obj) {
		err = attach_program(guard, prog, prog == skel->progs.guard_permission);
		if (err) {
			error("cannot attach %s: %s", bpf_program__name(prog), reason(err));
			return err;
		}
	}
	err = guard->state->reading ? reading_attach(guard) : 0;
	if (err)
		error("cannot attach %s: %s", READING_PIN, reason(err));
	return err;
}

/* The active security modules, separated by commas; empty if unknown. */
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

bool guard_is_called(const struct guard_state *state)
{
	__u32 probed = __atomic_load_n(&state->probed, __ATOMIC_SEQ_CST);

	prctl(GUARD_PRCTL_PROBE, 0, 0, 0, 0);
	return __atomic_load_n(&state->probed, __ATOMIC_SEQ_CST) != probed;
}

static int check_hooks(const struct guard_state *state)
{
	char lsms[256];

	if (guard_is_called(state))
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
		/* From 1.5 on, libbpf does not map a reused map in the skeleton. */
		if (!err && !guard->state)
			err = guard_open_state(guard);
		if (err)
			error("cannot pin in %s: %s", pins_dir, reason(err));
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
	char path[PATH_MAX];
	int err;

	pin_path(path, GUARD_WATCH);
	if (mkdir(path, 0700)) {
		err = -errno;
		error("cannot create %s: %s", path, reason(err));
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

/* Make a guard, or the missing parts of one. The caller marks it as ready. */
static int start_guard(struct guard *guard, __u32 max_rules)
{
	int err;

	if (guard->state && guard->state->ready) {
		err = guard_open_maps(guard);
		if (err)
			error("a map is missing, or another one: only 'inode-guard stop' can help");
		return err ?: load_programs(guard, max_rules, true);
	}
	err = dismantle(guard);
	if (err) {
		error("cannot remove %s: %s", pins_dir, reason(err));
		return err;
	}
	err = start_anew(guard, max_rules);
	if (err) {
		if (!guard->state)
			guard_open_state(guard);
		dismantle(guard);
		rmdir(pins_dir);
	}
	return err;
}

/* Whether the kernel is known not to call BPF programs: an early check, before all the work. */
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

/* Whether the module has no BTF, without which programs can't call the module's functions. */
static bool btf_is_missing(void)
{
	if (access(BTF_DIR "/vmlinux", F_OK) || !access(BTF_DIR "/" INODE_MAP_DEVICE, F_OK))
		return false;
	error("the module " INODE_MAP_DEVICE " has no BTF, so that programs can't use it: build it "
	      "with pahole and the kernel's vmlinux at hand");
	return true;
}

/* Whether a user other than root can remove or rename root's files in a directory. */
static bool is_anybodys(const char *path)
{
	struct stat stat;

	if (lstat(path, &stat) || stat.st_uid)
		return true;
	return stat.st_mode & 0022 && !(stat.st_mode & S_ISVTX);
}

static int check_system(void)
{
	struct statfs fs;

	if (geteuid()) {
		error("only root can start it");
		return EXIT_FAILURE;
	}
	if (statfs(BPF_DIR, &fs) || (unsigned int)fs.f_type != BPF_FS_MAGIC) {
		error("there is no BPF filesystem at " BPF_DIR " (mount -t bpf -o mode=700 bpf "
		      BPF_DIR ")");
		return EXIT_FAILURE;
	}
	if (is_anybodys(BPF_DIR)) {
		error("others than root can rename what is in " BPF_DIR " (mount -t bpf -o mode=700 bpf "
		      BPF_DIR ")");
		return EXIT_FAILURE;
	}
	if (!if_nametoindex(INODE_MAP_DEVICE)) {
		error("%s", reason(-ENODEV));
		return EXIT_FAILURE;
	}
	if (pin_count() == -ENOENT && guard_is_elsewhere()) {
		guard_tell_elsewhere();
		return EXIT_FAILURE;
	}
	return lsm_is_missing() || btf_is_missing() ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Switch between denying and reporting, if requested. */
static int set_audit(struct guard *guard, int audit)
{
	if (audit < 0)
		return 0;
	if (audit && seal_refuse(guard, "it goes on denying"))
		return -EPERM;
	__atomic_store_n(&guard->state->audit, audit, __ATOMIC_SEQ_CST);
	return 0;
}

int guard_start_here(const struct arguments *arguments)
{
	struct guard guard;
	int fd, ret, err = 0;

	guard_init(&guard);
	fd = guard_make_and_lock();
	if (fd < 0)
		return guard_examine_failed(fd);
	ret = guard_examine(&guard);
	if (ret < 0) {
		ret = guard_examine_failed(ret);
		goto out;
	}
	/* Remove what an upgrade left that was interrupted at its end. */
	if (!strcmp(pins_dir, GUARD_DIR) && ret == GUARD_RUNNING)
		guard_remove_next();
	if (ret != GUARD_RUNNING)
		err = start_guard(&guard, arguments->max_rules);
	if (!err)
		err = set_audit(&guard, arguments->audit);
	ret = err ? EXIT_FAILURE : EXIT_SUCCESS;
	if (err)
		goto out;
	guard.state->pins = pin_count();
	__atomic_store_n(&guard.state->ready, 1, __ATOMIC_SEQ_CST);
out:
	guard_close(&guard);
	close(fd);
	return ret;
}

int guard_start(const struct arguments *arguments)
{
	int ret = check_system() ?: guard_start_here(arguments);

	return ret || !arguments->seal ? ret : guard_seal(arguments->seal, false);
}

__u32 guard_max_rules(const struct guard *guard)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	bpf_obj_get_info_by_fd(guard->maps[FILES_MAP], &info, &size);
	return info.max_entries / FILES_PER_RULE;
}
