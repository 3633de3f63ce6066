// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sealing: "start --seal" keeps root from removing the guard until the machine boots again. Under
 * the lock it loads the programs of seal.bpf.c, checks that nobody else has the guard's maps open,
 * and makes rules for the pins and the tool's code. sealed.c has what the tool refuses after that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inode_map.h>

#include "pins.h"
#include "seal.h"
/* After the types that it uses. */
#include "seal.skel.h"

#define SIGNATURES	"/sys/module/module/parameters/sig_enforce"
/* Room for the tool and its libraries. */
#define CODE_FILES	64

/**
 * struct sealing - a guard that is being sealed
 * @guard: the guard, with the lock held
 * @skel: the programs
 * @code: the inode map of enum seal_code, or -1
 * @files: of char *: the tool and its libraries
 * @others: number of maps and programs that somebody else has open
 * @foreign: number of programs that change what kernel functions return
 */
struct sealing {
	struct guard guard;
	struct seal_bpf *skel;
	int code;
	struct array files;
	unsigned int others;
	unsigned int foreign;
};

/* The tool's own code */

static bool has_file(const struct sealing *sealing, const char *path)
{
	char **files = sealing->files.items;
	size_t i;

	for (i = 0; i < sealing->files.count; i++)
		if (!strcmp(files[i], path))
			return true;
	return false;
}

static int add_code(struct sealing *sealing, const char *path, __u32 code)
{
	int fd, err;

	if (has_file(sealing, path))
		return 0;
	fd = open(path, O_PATH | O_CLOEXEC);
	err = fd < 0 ? -errno : entry_update(sealing->code, fd, &code, BPF_NOEXIST);
	if (fd >= 0)
		close(fd);
	if (err) {
		error("%s: %s", path, reason(err));
		return err;
	}
	string_add(&sealing->files, xstrdup(path));
	return 0;
}

/* Add the files that this process has mapped as code. */
static int add_libraries(struct sealing *sealing)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char *line = NULL, *path;
	size_t size = 0;
	char mode[8];
	int err = file ? 0 : -errno;

	while (!err && getline(&line, &size, file) > 0) {
		path = strchr(line, '/');
		if (!path || sscanf(line, "%*s %7s", mode) != 1 || mode[2] != 'x')
			continue;
		path[strcspn(path, "\n")] = '\0';
		err = add_code(sealing, path, SEAL_LIBRARY);
	}
	free(line);
	if (file)
		fclose(file);
	return err;
}

static int find_code(struct sealing *sealing)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int err;

	if (length < 0)
		return -errno;
	path[length] = '\0';
	sealing->code = inode_map_create("seal_code", sizeof(__u32), CODE_FILES);
	if (sealing->code < 0)
		return sealing->code;
	err = add_code(sealing, path, SEAL_TOOL);
	return err ?: add_libraries(sealing);
}

/* The maps and programs to seal */

static int add_object(struct sealing *sealing, __u32 kind, __u32 id, __u32 users)
{
	const struct seal_object object = { .users = users };
	__u64 key = seal_key(kind, id);

	return bpf_map__update_elem(sealing->skel->maps.seal_objects, &key, sizeof(key), &object,
				    sizeof(object), BPF_ANY);
}

static int add_map(struct sealing *sealing, int fd, __u32 users)
{
	int id = inode_map_id(fd);

	return id < 0 ? id : add_object(sealing, SEAL_MAP, id, users);
}

/* A pin and our descriptor hold each map of the guard; the skeleton also holds the state's. */
static int add_maps(struct sealing *sealing)
{
	struct guard *guard = &sealing->guard;
	struct bpf_map *map;
	int index, err;
	size_t i;

	err = add_map(sealing, guard->state_map, 3);
	if (!err)
		err = add_map(sealing, guard->subjects, 2);
	for (index = 0; index < RULE_MAPS && !err; index++)
		err = add_map(sealing, guard->maps[index], 2);
	for (i = 0; i < GUARD_MAPS && !err; i++)
		err = add_map(sealing, *guard_map_fd(guard, i), 2);
	if (!err)
		err = add_map(sealing, sealing->code, 0);
	bpf_object__for_each_map(map, sealing->skel->obj)
		if (!err && map != sealing->skel->maps.bss)
			err = add_map(sealing, bpf_map__fd(map), 0);
	return err;
}

/*
 * Add a program of the guard, by the pin of its link. The link holds the program, as does the
 * iterator that shows it; the program of reading and writing has a pin of its own, too.
 */
static int add_program(struct sealing *sealing, const char *name)
{
	__u32 users = strcmp(name, READING_PIN) ? 2 : 3;
	struct bpf_link_info link = {};
	__u32 size = sizeof(link);
	char path[PATH_MAX];
	int fd, err;

	pin_path(path, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == EISDIR || errno == EACCES ? 0 : -errno;
	/* A map has other words in the place of prog_id, and does not match any of these. */
	err = bpf_obj_get_info_by_fd(fd, &link, &size) ? -errno : 0;
	if (!err)
		err = add_object(sealing, SEAL_PROGRAM, link.prog_id, users);
	close(fd);
	return err;
}

static int add_programs(struct sealing *sealing)
{
	struct bpf_program *prog;
	struct bpf_prog_info info;
	struct dirent *entry;
	__u32 size;
	DIR *dir;
	int err;

	err = pins_open_dir(&dir);
	if (err)
		return err;
	while (!err && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "guard_", strlen("guard_")))
			err = add_program(sealing, entry->d_name);
	closedir(dir);
	bpf_object__for_each_program(prog, sealing->skel->obj) {
		if (err)
			break;
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		err = bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size) ? -errno : 0;
		if (!err)
			err = add_object(sealing, SEAL_PROGRAM, info.id, 0);
	}
	return err;
}

/* Trust this process, which goes on with the descriptors that it has. */
static int trust_ourselves(struct sealing *sealing)
{
	int fd = syscall(SYS_pidfd_open, getpid(), 0), err;
	const __u32 trust = SEAL_USED;

	if (fd < 0)
		return -errno;
	err = bpf_map__update_elem(sealing->skel->maps.seal_trusted, &fd, sizeof(fd), &trust,
				   sizeof(trust), BPF_ANY);
	close(fd);
	return err;
}

/* The programs */

static bool is_iterator(const struct bpf_program *prog)
{
	return !strncmp(bpf_program__section_name(prog), "iter/", strlen("iter/"));
}

static int describe_system(struct sealing *sealing)
{
	struct seal_system *system = (struct seal_system *)&sealing->skel->rodata->seal_system;
	struct stat pins, namespace;

	if (stat(GUARD_DIR, &pins) || stat("/proc/self/ns/mnt", &namespace))
		return -errno;
	system->code_id = inode_map_id(sealing->code);
	system->pins_device = major(pins.st_dev) << 20 | minor(pins.st_dev);
	system->pins_inode = pins.st_ino;
	system->mount_namespace = namespace.st_ino;
	system->unsigned_modules = access(SIGNATURES, F_OK) != 0;
	return 0;
}

static int load_seal(struct sealing *sealing)
{
	struct seal_bpf *skel = seal_bpf__open();
	int err;

	if (!skel)
		return -errno;
	sealing->skel = skel;
	err = describe_system(sealing);
	if (!err)
		err = bpf_map__reuse_fd(skel->maps.bss, sealing->guard.state_map);
	if (!err)
		err = seal_bpf__load(skel);
	if (err)
		error("the kernel does not take the programs of the seal: %s%s", reason(err),
		      verbose ? "" : " (-v shows more)");
	return err;
}

static int attach_one(struct sealing *sealing, struct bpf_program *prog)
{
	struct bpf_link *link;
	char path[PATH_MAX];
	int err;

	err = inode_map_bind(sealing->code, bpf_program__fd(prog));
	link = err ? NULL : bpf_program__attach(prog);
	if (!link)
		return err ?: -errno;
	pin_path(path, bpf_program__name(prog));
	err = bpf_link__pin(link, path);
	/* A pinned link stays. */
	bpf_link__destroy(link);
	return err;
}

static int attach_seal(struct sealing *sealing)
{
	struct bpf_program *prog;
	int err = 0;

	bpf_object__for_each_program(prog, sealing->skel->obj) {
		if (is_iterator(prog))
			continue;
		err = attach_one(sealing, prog);
		if (err) {
			error("cannot attach %s: %s", bpf_program__name(prog), reason(err));
			return err;
		}
	}
	return 0;
}

static bool is_of_seal(int program)
{
	char name[BPF_OBJ_NAME_LEN];

	return program_name(program, name) && !strncmp(name, "seal_", strlen("seal_"));
}

/* Whether any program of the seal exists: the kernel frees them a while after they are unpinned. */
static bool has_programs(void)
{
	return kernel_has(bpf_prog_get_next_id, bpf_prog_get_fd_by_id, is_of_seal);
}

/* Until the programs are gone, only this process can look at the guard. */
static void wait_detached(struct sealing *sealing)
{
	unsigned int tries;

	seal_bpf__destroy(sealing->skel);
	sealing->skel = NULL;
	for (tries = 0; tries < 600 && has_programs(); tries++)
		usleep(100000);
}

static void detach_seal(struct sealing *sealing)
{
	struct bpf_program *prog;
	char path[PATH_MAX];

	bpf_object__for_each_program(prog, sealing->skel->obj) {
		pin_path(path, bpf_program__name(prog));
		unlink(path);
	}
	sealing->guard.state->pins = pin_count();
	wait_detached(sealing);
}

/* Other users of the maps and programs */

static int read_users(struct sealing *sealing, struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	struct seal_user user;
	int fd, err = 0;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	while (!err && read(fd, &user, sizeof(user)) == sizeof(user)) {
		sealing->others += user.kind != SEAL_FOREIGN;
		sealing->foreign += user.kind == SEAL_FOREIGN;
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

/* The kernel releases descriptors and programs some time after they are closed. */
static int look_for_users(struct sealing *sealing)
{
	unsigned int tries;
	int err = 0;

	for (tries = 0; tries < 50 && !err; tries++) {
		sealing->others = 0;
		sealing->foreign = 0;
		err = read_users(sealing, sealing->skel->progs.seal_show_map);
		if (!err)
			err = read_users(sealing, sealing->skel->progs.seal_show_program);
		if (!err && !sealing->others)
			return 0;
		usleep(100000);
	}
	if (err)
		error("cannot see who has maps open: %s", reason(err));
	else
		error("others have %u maps or programs of the guard open, and could change them: "
		      "end 'inode-guard service', 'inode-guard watch' and whatever else has",
		      sealing->others);
	return err ?: -EBUSY;
}

/* The programs learn where the pins are when we open them. */
static int show_places(struct sealing *sealing)
{
	int fd = pins_open();

	if (fd < 0)
		return fd;
	close(fd);
	return sealing->skel->data_places->seal_places.pins ? 0 : -ENOENT;
}

/* Everything except the rules. */
static int begin_seal(struct sealing *sealing)
{
	int err = find_code(sealing);

	if (!err)
		err = load_seal(sealing);
	if (err)
		return err;
	err = reading_attach(&sealing->guard) ?: add_maps(sealing) ?: add_programs(sealing) ?:
	      trust_ourselves(sealing);
	if (!err)
		err = attach_seal(sealing);
	if (!err)
		err = show_places(sealing);
	if (err)
		error("cannot seal the guard: %s", reason(err));
	else
		err = look_for_users(sealing);
	if (err)
		detach_seal(sealing);
	else
		sealing->guard.state->pins = pin_count();
	return err;
}

/* The rules */

static int make_rule(struct policy *policy, __u32 ops, char **paths, int count)
{
	struct arguments request = {
		.ops = ops, .deny = true, .audit = -1, .label = SEAL_LABEL, .paths = paths,
		.nr_paths = count,
	};

	return change_request(policy, &request, false, "", NULL, NULL);
}

#define OP(name)	(1U << GUARD_##name)

/* Protect the pins from removal and change, and the code that the tool executes from change. */
static int make_rules(struct policy *policy, void *context)
{
	const struct sealing *sealing = context;
	const __u32 write = OP(WRITE) | OP(APPEND);
	char *pins = GUARD_DIR;

	return make_rule(policy, write | OP(DELETE) | OP(RENAME) | OP(LINK) | OP(ATTR), &pins, 1) ?:
	       make_rule(policy, write, sealing->files.items, sealing->files.count);
}

/* Whether this is the mount namespace of process 1: the tool makes rules for names in its own. */
static bool is_in_own_namespace(void)
{
	struct stat own, first;

	if (stat("/proc/self/ns/mnt", &own) || stat("/proc/1/ns/mnt", &first))
		return false;
	return own.st_ino == first.st_ino && own.st_dev == first.st_dev;
}

static int check_seal(const struct guard *guard)
{
	const char *why = NULL;

	if (__atomic_load_n(&guard->state->audit, __ATOMIC_SEQ_CST))
		why = "it is in audit mode and denies nothing (--enforce)";
	else if (!is_in_own_namespace())
		why = "this is another mount namespace than that of process 1, whose end would be "
		      "the end of the pins";
	if (!why)
		return 0;
	error("cannot seal the guard: %s", why);
	return -EINVAL;
}

static void tell_limits(const struct sealing *sealing)
{
	if (sealing->foreign)
		printf("%u BPF programs were loaded before that change what functions of the "
		       "kernel return: they stay\n", sealing->foreign);
	if (access(SIGNATURES, F_OK))
		puts("this kernel does not know of signatures of modules: it takes none any more");
}

static void sealing_free(struct sealing *sealing)
{
	seal_bpf__destroy(sealing->skel);
	if (sealing->code >= 0)
		close(sealing->code);
	strings_free(&sealing->files);
	guard_close(&sealing->guard);
}

/* Set the word that the tool obeys; it is never lowered. */
static int set_seal(struct sealing *sealing, enum guard_seal seal, bool or_more)
{
	struct guard_state *state = sealing->guard.state;

	if (state->sealed > seal && or_more)
		return EXIT_SUCCESS;
	if (state->sealed > seal) {
		error("sealed (%s): that stays until the machine boots again",
		      seal_name(state->sealed));
		return EXIT_FAILURE;
	}
	__atomic_store_n(&state->sealed, seal, __ATOMIC_SEQ_CST);
	return EXIT_SUCCESS;
}

/* Seal a guard that has no programs of the seal yet; then open it anew. */
static int seal_anew(struct sealing *sealing)
{
	struct guard guard;
	int ret;

	if (begin_seal(sealing))
		return EXIT_FAILURE;
	guard_close(&sealing->guard);
	ret = change_policy(NULL, make_rules, sealing, NULL);
	guard_init(&guard);
	if (guard_open(&guard, true))
		return EXIT_FAILURE;
	sealing->guard = guard;
	if (ret)
		detach_seal(sealing);
	else
		tell_limits(sealing);
	return ret;
}

int guard_seal(enum guard_seal seal, bool or_more)
{
	struct sealing sealing = { .code = -1 };
	int ret;

	ret = guard_open(&sealing.guard, true);
	if (ret)
		return ret;
	/* All descriptors are of our own guard: the kernel gives nobody those of another. */
	if (check_seal(&sealing.guard))
		ret = EXIT_FAILURE;
	else if (!sealing.guard.state->sealed)
		ret = seal_anew(&sealing);
	if (!ret)
		ret = set_seal(&sealing, seal, or_more);
	sealing_free(&sealing);
	return ret;
}
