// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * inode-guard: denies access to files, whatever path leads to them.
 *
 * The programs that deny are in inode_guard.bpf.c; this is the command that loads them and fills
 * their map. It runs as root and does one thing at a time: what stays between two runs is pinned
 * under /sys/fs/bpf/inode_guard (the map and a link for each program), and so the guard is on from
 * "start" to "stop" without a process of its own.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>

#include <inode_map.h>
#include "inode_guard.h"
#include "inode_guard.skel.h"

#define BPF_DIR		"/sys/fs/bpf"
#define GUARD_DIR	BPF_DIR "/inode_guard"
#define MAP_PATH	GUARD_DIR "/map"
#define LSM_LIST	"/sys/kernel/security/lsm"

#define DEFAULT_ENTRIES	65536

/* Exit codes. */
enum {
	EXIT_USAGE = 2,
	EXIT_STATE = 3,
};

static const char *const kinds[INODE_GUARD_KINDS] = {
	[INODE_GUARD_READ]	= "read",
	[INODE_GUARD_WRITE]	= "write",
	[INODE_GUARD_EXEC]	= "exec",
	[INODE_GUARD_DELETE]	= "delete",
	[INODE_GUARD_REPLACE]	= "replace",
};

#define ALL_KINDS	((1U << INODE_GUARD_KINDS) - 1)

static bool verbose;

__attribute__((format(printf, 1, 2)))
static void error(const char *format, ...)
{
	va_list args;

	fputs("inode-guard: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* What a negative errno means, for the end of a line. */
static const char *reason(int err)
{
	static char text[128];

	if (err != -EPERM && err != -EACCES)
		return inode_map_strerror(err);
	snprintf(text, sizeof(text), "%s (are you root?)", strerror(-err));
	return text;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

/* The command line */

static int show_help(const char *text)
{
	fputs(text, stdout);
	return EXIT_SUCCESS;
}

static int too_few(const char *what)
{
	error("%s is missing (see --help)", what);
	return EXIT_USAGE;
}

static int too_many(const char *what)
{
	error("unexpected argument '%s' (see --help)", what);
	return EXIT_USAGE;
}

static int parse_number(const char *text, unsigned long max, __u32 *number)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || !value || value > max) {
		error("'%s' is not a number from 1 to %lu", text, max);
		return EXIT_USAGE;
	}
	*number = value;
	return EXIT_SUCCESS;
}

/* The pins */

static int not_running(void)
{
	error("not running (start it with 'inode-guard start')");
	return EXIT_STATE;
}

static bool is_guard_map(int map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(map, &info, &size) && info.type == BPF_MAP_TYPE_HASH &&
	       info.key_size == sizeof(struct inode_map_key) &&
	       info.value_size == sizeof(struct inode_guard_value);
}

/* Open the map of the running guard. Returns an exit code. */
static int open_map(int *map)
{
	*map = bpf_obj_get(MAP_PATH);
	if (*map < 0 && errno == ENOENT && access(GUARD_DIR, F_OK))
		return not_running();
	if (*map < 0 && errno == ENOENT) {
		error(MAP_PATH " is gone, but the programs may be attached: stop and start again");
		return EXIT_FAILURE;
	}
	if (*map < 0) {
		error("cannot open " MAP_PATH ": %s", reason(-errno));
		return EXIT_FAILURE;
	}
	if (!is_guard_map(*map)) {
		error(MAP_PATH " is not a map of this version of inode-guard");
		close(*map);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/*
 * Step to the next entry; a @key of zeros begins the walk, as no entry has the handle 0. An entry
 * that goes before its value is read is passed over. Returns 1, 0 at the end, or a negative errno.
 */
static int next_entry(int map, struct inode_map_key *key, struct inode_guard_value *value)
{
	while (!bpf_map_get_next_key(map, key->handle ? key : NULL, key)) {
		if (!bpf_map_lookup_elem(map, key, value))
			return 1;
		if (errno != ENOENT)
			return -errno;
	}
	return errno == ENOENT ? 0 : -errno;
}

/* Empty the map: the kernel detaches programs a little after their links are gone. */
static void clear_map(void)
{
	int map = bpf_obj_get(MAP_PATH);
	struct inode_guard_value value;
	struct inode_map_key key = {};

	if (map < 0)
		return;
	unlink(MAP_PATH);
	if (is_guard_map(map))
		while (next_entry(map, &key, &value) > 0)
			bpf_map_delete_elem(map, &key);
	close(map);
}

/*
 * Remove all pins. When this returns, nothing is denied any more. Returns 0, -ENOENT when there was
 * nothing, or another negative errno.
 */
static int unpin_all(void)
{
	DIR *dir = opendir(GUARD_DIR);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	clear_map();
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    unlinkat(dirfd(dir), entry->d_name, 0) && errno != ENOENT)
			err = -errno;
	closedir(dir);
	if (!err && rmdir(GUARD_DIR) && errno != ENOENT)
		err = -errno;
	return err;
}

static void link_path(char *path, size_t size, const struct bpf_program *prog)
{
	snprintf(path, size, GUARD_DIR "/%s", bpf_program__name(prog));
}

/* start */

/* Bind the map to a program, so that it lives as long, attach the program and pin the link. */
static int attach_program(int map, struct bpf_program *prog)
{
	struct bpf_link *link;
	char path[PATH_MAX];
	int err;

	err = inode_map_bind(map, bpf_program__fd(prog));
	if (err) {
		error("cannot bind the map to %s: %s", bpf_program__name(prog), strerror(-err));
		return err;
	}
	link = bpf_program__attach(prog);
	if (!link) {
		err = -errno;
		error("cannot attach %s: %s", bpf_program__name(prog), strerror(-err));
		return err;
	}
	link_path(path, sizeof(path), prog);
	err = bpf_link__pin(link, path);
	if (err)
		error("cannot pin %s: %s", path, strerror(-err));
	/* A link that is pinned stays. */
	bpf_link__destroy(link);
	return err;
}

static int attach_programs(int map)
{
	struct inode_guard *skel = inode_guard__open();
	struct bpf_program *prog;
	int err;

	if (!skel) {
		err = -errno;
		error("cannot read the programs: %s", strerror(-err));
		return err;
	}
	err = inode_map_id(map);
	if (err >= 0) {
		skel->rodata->guard_map_id = err;
		err = inode_guard__load(skel);
	}
	if (err)
		error("the kernel does not take the programs: %s%s", strerror(-err),
		      verbose ? "" : " (-v shows more)");
	if (!err)
		bpf_object__for_each_program(prog, skel->obj) {
			err = attach_program(map, prog);
			if (err)
				break;
		}
	inode_guard__destroy(skel);
	return err;
}

/*
 * The kernel attaches programs to security hooks even if it was not told to call them. Guard a file
 * of our own, and see.
 */
static int check_denial(int map)
{
	struct inode_guard_value value = { .deny = 1U << INODE_GUARD_READ };
	int fd, again, err;
	char path[64];

	fd = memfd_create("inode-guard", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = inode_map_set_fd(map, fd, &value, BPF_NOEXIST, INODE_MAP_WEAK);
	if (!err) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		again = open(path, O_RDONLY | O_CLOEXEC);
		if (again >= 0) {
			err = -ENOTSUP;
			close(again);
		} else if (errno != EPERM) {
			err = -errno;
		}
		inode_map_remove_fd(map, fd);
	}
	close(fd);
	return err;
}

static int check_hooks(int map)
{
	int err = check_denial(map);
	char lsms[256] = "";
	FILE *file;

	if (err == -ENOTSUP) {
		file = fopen(LSM_LIST, "r");
		if (file && !fgets(lsms, sizeof(lsms), file))
			lsms[0] = '\0';
		if (file)
			fclose(file);
		lsms[strcspn(lsms, "\n")] = '\0';
		error("the kernel does not call BPF programs for security decisions: boot it with "
		      "lsm=%s%sbpf", lsms, lsms[0] ? "," : "...,");
	} else if (err) {
		error("cannot check that access is denied: %s", strerror(-err));
	}
	return err;
}

static int make_dir(void)
{
	struct statfs fs;

	if (statfs(BPF_DIR, &fs) || (unsigned int)fs.f_type != BPF_FS_MAGIC) {
		error("there is no BPF filesystem at " BPF_DIR " (mount -t bpf bpf " BPF_DIR ")");
		return EXIT_FAILURE;
	}
	/* The directory is what makes sure that only one is started. */
	if (!mkdir(GUARD_DIR, 0700))
		return EXIT_SUCCESS;
	if (errno == EEXIST) {
		if (access(MAP_PATH, F_OK) && errno == ENOENT)
			error(GUARD_DIR " is incomplete: another start is under way, or "
			      "'inode-guard stop' has to clean up");
		else
			error("already running");
		return EXIT_STATE;
	}
	error("cannot create " GUARD_DIR ": %s", reason(-errno));
	return EXIT_FAILURE;
}

static int start_with(int map)
{
	if (attach_programs(map) || check_hooks(map))
		return EXIT_FAILURE;
	/* Last: without it the guard is not running. */
	if (bpf_obj_pin(map, MAP_PATH)) {
		error("cannot pin " MAP_PATH ": %s", reason(-errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int start(__u32 entries)
{
	sigset_t all;
	int map, rc;

	/* All or nothing: no signal stops it half-way. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);

	rc = make_dir();
	if (rc)
		return rc;
	map = inode_map_create("inode_guard", sizeof(struct inode_guard_value), entries);
	if (map >= 0) {
		rc = start_with(map);
		close(map);
	} else {
		error("cannot create the map: %s", reason(map));
		rc = EXIT_FAILURE;
	}
	if (rc)
		unpin_all();
	return rc;
}

/* add, remove */

static int open_file(const char *path, bool follow)
{
	/* O_PATH reads nothing: it works on files that are guarded. */
	int fd = open(path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));

	return fd < 0 ? -errno : fd;
}

static int parse_deny(char *list, __u32 *deny)
{
	char *word;
	int kind;

	*deny = 0;
	for (word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		if (!strcmp(word, "all")) {
			*deny |= ALL_KINDS;
			continue;
		}
		for (kind = 0; kind < INODE_GUARD_KINDS; kind++)
			if (!strcmp(word, kinds[kind]))
				break;
		if (kind == INODE_GUARD_KINDS) {
			error("'%s' is no kind of access: read, write, exec, delete, replace, all",
			      word);
			return EXIT_USAGE;
		}
		*deny |= 1U << kind;
	}
	if (*deny)
		return EXIT_SUCCESS;
	error("--deny wants a kind of access: read, write, exec, delete, replace, all");
	return EXIT_USAGE;
}

static int add_file(int map, const char *path, bool follow, __u32 deny, __u32 key_flags)
{
	struct inode_guard_value value = {};
	int fd, err;

	fd = open_file(path, follow);
	if (fd < 0) {
		error("%s: %s", path, strerror(-fd));
		return EXIT_FAILURE;
	}
	/* A file that is guarded already keeps its counts. */
	err = inode_map_get_fd(map, fd, &value);
	if (!err || err == -ENOENT) {
		value.deny = deny;
		err = inode_map_set_fd(map, fd, &value, BPF_ANY, key_flags);
	}
	close(fd);
	if (err)
		error("%s: %s", path, reason(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int remove_file(int map, const char *path, bool follow)
{
	int fd = open_file(path, follow);
	int err;

	if (fd < 0) {
		error("%s: %s", path, strerror(-fd));
		return EXIT_FAILURE;
	}
	err = inode_map_remove_fd(map, fd);
	close(fd);
	if (err)
		error("%s: %s", path, err == -ENOENT ? "is not guarded" : reason(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int remove_handle(int map, const char *text)
{
	struct inode_map_key key = { .fd = -1 };
	int rc = parse_number(text, INT_MAX, &key.handle);

	if (rc)
		return rc;
	if (!bpf_map_delete_elem(map, &key))
		return EXIT_SUCCESS;
	error("handle %s: %s", text, errno == ENOENT ? "there is none" : reason(-errno));
	return EXIT_FAILURE;
}

/* list */

/* The kinds in a mask, each between @quote marks. */
static const char *deny_words(__u32 deny, const char *quote)
{
	static char text[64];
	size_t length = 0;
	int kind;

	text[0] = '\0';
	for (kind = 0; kind < INODE_GUARD_KINDS; kind++)
		if (deny & (1U << kind))
			length += snprintf(text + length, sizeof(text) - length, "%s%s%s%s",
					   length ? "," : "", quote, kinds[kind], quote);
	return text;
}

static const char *lifetime(const struct inode_map_key *key)
{
	return key->flags & INODE_MAP_WEAK ? "weak" : "pinned";
}

static void print_text(const struct inode_map_key *key, const struct inode_guard_value *value)
{
	const char *separator = "";
	char device[32];
	int kind;

	snprintf(device, sizeof(device), "%u:%u", major(key->dev), minor(key->dev));
	printf("%-6u  %-7s  %-9llu  %-10u  %-6s  %-30s  ", key->handle, device, key->ino, key->gen,
	       lifetime(key), deny_words(value->deny, ""));
	for (kind = 0; kind < INODE_GUARD_KINDS; kind++) {
		if (!value->denied[kind])
			continue;
		printf("%s%s=%llu", separator, kinds[kind], value->denied[kind]);
		separator = ",";
	}
	puts(*separator ? "" : "-");
}

static void print_json(const struct inode_map_key *key, const struct inode_guard_value *value)
{
	int kind;

	printf("{\"handle\":%u,\"device\":{\"major\":%u,\"minor\":%u},\"inode\":%llu,"
	       "\"generation\":%u,\"lifetime\":\"%s\",\"deny\":[%s],\"denied\":{", key->handle,
	       major(key->dev), minor(key->dev), key->ino, key->gen, lifetime(key),
	       deny_words(value->deny, "\""));
	for (kind = 0; kind < INODE_GUARD_KINDS; kind++)
		printf("%s\"%s\":%llu", kind ? "," : "", kinds[kind], value->denied[kind]);
	fputs("}}", stdout);
}

static int list_entries(int map, bool json)
{
	struct inode_guard_value value;
	struct inode_map_key key = {};
	const char *separator = "";
	int err;

	if (json)
		putchar('[');
	else
		printf("%-6s  %-7s  %-9s  %-10s  %-6s  %-30s  %s\n", "HANDLE", "DEVICE", "INODE",
		       "GENERATION", "LIFE", "DENY", "DENIED");
	while ((err = next_entry(map, &key, &value)) > 0) {
		if (json) {
			fputs(separator, stdout);
			print_json(&key, &value);
			separator = ",\n ";
		} else {
			print_text(&key, &value);
		}
	}
	if (json)
		puts("]");
	if (err)
		error("cannot read the map: %s", reason(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* status */

/* How many programs there are, and how many of them are attached. */
static int count_programs(unsigned int *attached, unsigned int *count)
{
	struct inode_guard *skel = inode_guard__open();
	struct bpf_program *prog;
	char path[PATH_MAX];

	*attached = 0;
	*count = 0;
	if (!skel) {
		error("cannot read the programs: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	bpf_object__for_each_program(prog, skel->obj) {
		link_path(path, sizeof(path), prog);
		*attached += !access(path, F_OK);
		++*count;
	}
	inode_guard__destroy(skel);
	return EXIT_SUCCESS;
}

static int print_status(int map)
{
	unsigned int attached, programs, files = 0;
	struct inode_guard_value value;
	struct bpf_map_info info = {};
	struct inode_map_key key = {};
	__u32 size = sizeof(info);
	int err;

	if (count_programs(&attached, &programs))
		return EXIT_FAILURE;
	while ((err = next_entry(map, &key, &value)) > 0)
		files++;
	if (!err && bpf_obj_get_info_by_fd(map, &info, &size))
		err = -errno;
	if (err) {
		error("cannot read the map: %s", reason(err));
		return EXIT_FAILURE;
	}
	printf("running: %u of %u files guarded, %u of %u programs attached, map id %u\n", files,
	       info.max_entries, attached, programs, info.id);
	if (attached == programs)
		return EXIT_SUCCESS;
	error("some programs are not attached: stop it and start it again");
	return EXIT_FAILURE;
}

/* Commands: what they take, and what they do with it */

static const char help_start[] =
	"Usage: inode-guard start [-e NUMBER] [-v]\n"
	"\n"
	"Attaches the programs and pins them and their map under " GUARD_DIR ".\n"
	"No file is guarded yet. On failure nothing stays.\n"
	"\n"
	"  -e, --entries NUMBER  how many files can be guarded (default 65536)\n"
	"  -v, --verbose         show what libbpf says about a failure\n"
	"  -h, --help            this text\n";

static const char help_add[] =
	"Usage: inode-guard add [-d KIND[,KIND]...] [-w] [-P] PATH...\n"
	"\n"
	"Guards files: denied accesses fail with \"Operation not permitted\", for root as well.\n"
	"A file that is guarded already gets the new kinds and keeps its counts.\n"
	"\n"
	"  -d, --deny KIND,...    what to deny (default all):\n"
	"                           read     opening it for reading\n"
	"                           write    opening it for writing, changing its size\n"
	"                           exec     executing it, mapping it as code\n"
	"                           delete   removing any of its names\n"
	"                           replace  renaming another file over it\n"
	"                           all      these five\n"
	"  -w, --weak             do not keep the inode in memory: the file is no longer guarded\n"
	"                         once the kernel drops its inode, as it may when nobody uses the\n"
	"                         file. Always so for pipes, sockets and namespaces\n"
	"  -P, --no-dereference   a symbolic link is meant itself\n"
	"  -h, --help             this text\n"
	"\n"
	"The entry goes when the file is deleted or its filesystem unmounted. What has been\n"
	"opened before stays open.\n";

static const char help_remove[] =
	"Usage: inode-guard remove [-P] PATH...\n"
	"       inode-guard remove -H HANDLE...\n"
	"\n"
	"Stops guarding files.\n"
	"\n"
	"  -H, --handle           the arguments are handles, as the list shows them\n"
	"  -P, --no-dereference   a symbolic link is meant itself\n"
	"  -h, --help             this text\n";

static const char help_list[] =
	"Usage: inode-guard list [-j]\n"
	"\n"
	"Shows the guarded files, what is denied and how often each kind has been. The kernel\n"
	"knows a file by device and inode number, not by a path (find FILESYSTEM -inum NUMBER).\n"
	"\n"
	"  -j, --json   as a JSON array\n"
	"  -h, --help   this text\n";

static const char help_status[] =
	"Usage: inode-guard status\n"
	"\n"
	"Says whether the guard is running; exit status 0 if so, 3 if not, 1 if only in part.\n";

static const char help_stop[] =
	"Usage: inode-guard stop\n"
	"\n"
	"Detaches the programs and frees the map, or what is left of them. Nothing is denied any\n"
	"more when this ends; the kernel lets go of the module a moment later.\n";

static int cmd_start(int argc, char **argv)
{
	static const struct option options[] = {
		{ "entries", required_argument, NULL, 'e' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	__u32 entries = DEFAULT_ENTRIES;
	int opt;

	while ((opt = getopt_long(argc, argv, "e:vh", options, NULL)) != -1) {
		switch (opt) {
		case 'e':
			if (parse_number(optarg, UINT_MAX, &entries))
				return EXIT_USAGE;
			break;
		case 'v':
			verbose = true;
			break;
		case 'h':
			return show_help(help_start);
		default:
			return EXIT_USAGE;
		}
	}
	return optind < argc ? too_many(argv[optind]) : start(entries);
}

static int cmd_add(int argc, char **argv)
{
	static const struct option options[] = {
		{ "deny", required_argument, NULL, 'd' },
		{ "weak", no_argument, NULL, 'w' },
		{ "no-dereference", no_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	__u32 deny = ALL_KINDS, key_flags = 0;
	bool follow = true;
	int map, opt, rc;

	while ((opt = getopt_long(argc, argv, "d:wPh", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			if (parse_deny(optarg, &deny))
				return EXIT_USAGE;
			break;
		case 'w':
			key_flags = INODE_MAP_WEAK;
			break;
		case 'P':
			follow = false;
			break;
		case 'h':
			return show_help(help_add);
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return too_few("PATH");
	rc = open_map(&map);
	if (rc)
		return rc;
	for (; optind < argc; optind++)
		if (add_file(map, argv[optind], follow, deny, key_flags))
			rc = EXIT_FAILURE;
	close(map);
	return rc;
}

static int cmd_remove(int argc, char **argv)
{
	static const struct option options[] = {
		{ "handle", no_argument, NULL, 'H' },
		{ "no-dereference", no_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	bool follow = true, handles = false;
	int map, opt, rc;

	while ((opt = getopt_long(argc, argv, "HPh", options, NULL)) != -1) {
		switch (opt) {
		case 'H':
			handles = true;
			break;
		case 'P':
			follow = false;
			break;
		case 'h':
			return show_help(help_remove);
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return too_few(handles ? "HANDLE" : "PATH");
	rc = open_map(&map);
	if (rc)
		return rc;
	for (; optind < argc; optind++)
		if (handles ? remove_handle(map, argv[optind]) :
			      remove_file(map, argv[optind], follow))
			rc = EXIT_FAILURE;
	close(map);
	return rc;
}

static int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	bool json = false;
	int map, opt, rc;

	while ((opt = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'h':
			return show_help(help_list);
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return too_many(argv[optind]);
	rc = open_map(&map);
	if (rc)
		return rc;
	rc = list_entries(map, json);
	close(map);
	return rc;
}

/* status and stop take nothing but --help. Returns -1 if the command is to be run. */
static int parse_nothing(int argc, char **argv, const char *help)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int opt = getopt_long(argc, argv, "h", options, NULL);

	if (opt == 'h')
		return show_help(help);
	if (opt != -1)
		return EXIT_USAGE;
	return optind < argc ? too_many(argv[optind]) : -1;
}

static int cmd_status(int argc, char **argv)
{
	int rc = parse_nothing(argc, argv, help_status);
	int map;

	if (rc >= 0)
		return rc;
	rc = open_map(&map);
	if (rc)
		return rc;
	rc = print_status(map);
	close(map);
	return rc;
}

static int cmd_stop(int argc, char **argv)
{
	int rc = parse_nothing(argc, argv, help_stop);
	int err;

	if (rc >= 0)
		return rc;
	err = unpin_all();
	if (!err)
		return EXIT_SUCCESS;
	if (err == -ENOENT)
		return not_running();
	error("cannot remove " GUARD_DIR ": %s", reason(err));
	return EXIT_FAILURE;
}

static const struct command {
	const char *name;
	const char *what;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "start", "attach the programs; nothing is guarded yet", cmd_start },
	{ "add", "guard files", cmd_add },
	{ "remove", "stop guarding files", cmd_remove },
	{ "list", "show the guarded files and what was denied", cmd_list },
	{ "status", "say whether the guard is running", cmd_status },
	{ "stop", "detach the programs; no file is guarded any more", cmd_stop },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	size_t i;

	puts("Usage: inode-guard COMMAND [option...] [argument...]\n"
	     "\n"
	     "Denies opening, executing, deleting and replacing files, whatever path leads to\n"
	     "them. Needs root, the kernel module inode_map, and a kernel with the BPF security\n"
	     "module active.\n");
	for (i = 0; i < NR_COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].what);
	puts("\n"
	     "'inode-guard COMMAND --help' shows the options of a command.\n"
	     "\n"
	     "Exit status:\n"
	     "  0  success\n"
	     "  1  failure; of several files the others are done all the same\n"
	     "  2  wrong usage\n"
	     "  3  not running, or (start) running already");
	return EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return too_few("COMMAND");
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return help();
	for (i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		/* What getopt_long() reports begins with it. */
		argv[1] = argv[0];
		return commands[i].run(argc - 1, argv + 1);
	}
	error("there is no command '%s' (see inode-guard --help)", argv[1]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int rc;

	libbpf_set_print(print_libbpf);
	rc = run(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		error("cannot write: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return rc;
}
