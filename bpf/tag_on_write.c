// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Example: notes which files the tasks of a cgroup open for writing, and lists them.
 *
 * tag_on_write.bpf.c has the program that notes them. This is a loader for a map that the program
 * fills. It reads the map in two ways: bpf(2) has the values, and /proc/inode_map has the paths.
 * The handle, which is the number of an entry within its map, joins the two.
 */
#include <argp.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <linux/magic.h>

#include "example.h"
#include "tag_on_write.h"
#include "tag_on_write.skel.h"

#define MAP_NAME	"tag_on_write"
#define MAX_FILES	65536
#define PROC_PATH	"/proc/inode_map"

static struct {
	const char *cgroup;
	bool dump;
	bool json;
	bool verbose;
} arguments;

static const struct argp_option options[] = {
	{ "dump", 'd', NULL, 0, "list what the one that is running has noted so far", 0 },
	{ "json", 'j', NULL, 0, "list as JSON", 0 },
	{ "verbose", 'v', NULL, 0, "show what libbpf says about a failure", 0 },
	{}
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case 'd':
		arguments.dump = true;
		return 0;
	case 'j':
		arguments.json = true;
		return 0;
	case 'v':
		arguments.verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments.cgroup)
			argp_error(state, "one CGROUP is enough");
		arguments.cgroup = argument;
		return 0;
	case ARGP_KEY_END:
		if (!arguments.cgroup == !arguments.dump)
			argp_error(state, "CGROUP or --dump is what it takes, one of the two");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	options, parse, "CGROUP\n--dump",
	"Notes the regular files that tasks in the cgroup (version 2; its directory) and those below "
	"open for writing, until interrupted (SIGINT, SIGTERM), and lists them."
	"\vA file that is deleted leaves the list, and so may one that nobody uses when memory gets "
	"short. Paths begin at the root of the file's filesystem.\n\n"
	"Exit status: 0 when interrupted or listed, 1 after a failure, 2 for wrong usage.",
	NULL, NULL, NULL
};

/* Search all ids for the map of the running loader, by name. Returns -ENOENT if there is none. */
static int find_map(void)
{
	struct bpf_map_info info;
	__u32 id = 0, size;
	int map;

	while (!bpf_map_get_next_id(id, &id)) {
		map = bpf_map_get_fd_by_id(id);
		if (map < 0)
			continue;
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		if (!bpf_obj_get_info_by_fd(map, &info, &size) && !strcmp(info.name, MAP_NAME) &&
		    info.map_flags & INODE_MAP_F_INODE && info.value_size == sizeof(struct tag))
			return map;
		close(map);
	}
	if (errno != ENOENT)
		err(EXIT_FAILURE, "cannot look for the map");
	return -ENOENT;
}

/* The program's times are in nanoseconds since boot. */
static const char *time_text(__u64 time)
{
	static char text[sizeof("2000-01-01T00:00:00Z")];
	struct timespec boot, real;
	time_t seconds;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	seconds = real.tv_sec - boot.tv_sec + time / 1000000000;
	strftime(text, sizeof(text), "%FT%TZ", gmtime(&seconds));
	return text;
}

/* /proc/inode_map has blanks and backslashes as a backslash and three octal digits. */
static void print_json_path(const char *path)
{
	unsigned int c;

	putchar('"');
	for (; *path; path++) {
		c = (unsigned char)*path;
		if (c == '\\' && sscanf(path + 1, "%3o", &c) == 1)
			path += 3;
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* A line of /proc/inode_map. @path is NULL when the module knows no path. */
struct entry {
	unsigned int map_id;
	unsigned int major;
	unsigned int minor;
	unsigned long long ino;
	unsigned int handle;
	const char *path;
};

static bool parse_entry(char *line, struct entry *entry)
{
	int path_at = 0;

	/* Skips the map's name, the generation, and "pinned" or "weak". */
	if (sscanf(line, "%u %*s %u:%u %llu %*u %u %*s %n", &entry->map_id, &entry->major,
		   &entry->minor, &entry->ino, &entry->handle, &path_at) != 5 || !path_at)
		return false;
	line[strcspn(line, "\n")] = '\0';
	entry->path = strcmp(line + path_at, "-") ? line + path_at : NULL;
	return true;
}

static void print_entry(const struct entry *entry, const struct tag *tag, bool first)
{
	if (!arguments.json) {
		printf("%s %7u %6llu %3u:%-3u %8llu %s\n", time_text(tag->time), tag->pid,
		       tag->count, entry->major, entry->minor, entry->ino,
		       entry->path ? entry->path : "-");
		return;
	}
	printf("%s{\"time\":\"%s\",\"pid\":%u,\"count\":%llu,\"device\":{\"major\":%u,"
	       "\"minor\":%u},\"inode\":%llu,\"path\":", first ? "" : ",\n ",
	       time_text(tag->time), tag->pid, tag->count, entry->major, entry->minor, entry->ino);
	if (entry->path)
		print_json_path(entry->path);
	else
		fputs("null", stdout);
	putchar('}');
}

static void list(int map, unsigned int id)
{
	FILE *file = fopen(PROC_PATH, "r");
	struct inode_map_key key = { .fd = -1 };
	struct entry entry;
	struct tag tag;
	char *line = NULL;
	bool first = true;
	size_t size = 0;

	if (!file)
		err(EXIT_FAILURE, "cannot open " PROC_PATH);
	if (arguments.json)
		putchar('[');
	while (getline(&line, &size, file) > 0) {
		if (!parse_entry(line, &entry) || entry.map_id != id)
			continue;
		/* By now the file may be gone, and its entry with it. */
		key.handle = entry.handle;
		if (bpf_map_lookup_elem(map, &key, &tag))
			continue;
		print_entry(&entry, &tag, first);
		first = false;
	}
	if (ferror(file))
		err(EXIT_FAILURE, "cannot read " PROC_PATH);
	if (arguments.json)
		puts("]");
	if (fflush(stdout))
		err(EXIT_FAILURE, "cannot write the list");
	free(line);
	fclose(file);
}

static unsigned int id_of(int map)
{
	return example_check(inode_map_id(map), "tell the map's id");
}

/* A cgroup's id is the inode number of its directory. */
static unsigned long long cgroup_of(const char *path)
{
	struct statfs fs;
	struct stat dir;

	if (statfs(path, &fs) || stat(path, &dir))
		err(EXIT_FAILURE, "cannot open %s", path);
	if ((unsigned int)fs.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(dir.st_mode))
		errx(EXIT_FAILURE, "%s is not the directory of a cgroup", path);
	return dir.st_ino;
}

static struct tag_on_write *attach(int map)
{
	struct tag_on_write *programs = tag_on_write__open();

	if (!programs)
		err(EXIT_FAILURE, "cannot read the program");
	programs->rodata->tags_id = id_of(map);
	programs->rodata->cgroup_id = cgroup_of(arguments.cgroup);
	example_check(tag_on_write__load(programs), "load the program");
	example_check(inode_map_attach(map, programs->progs.tag_open, &programs->links.tag_open),
		      "attach the program");
	return programs;
}

static void run(void)
{
	struct tag_on_write *programs;
	sigset_t signals;
	int map;

	if (find_map() >= 0)
		errx(EXIT_FAILURE, "running already");
	example_block_signals(&signals);
	example_check_kernel();
	map = example_check(inode_map_create(MAP_NAME, sizeof(struct tag), MAX_FILES),
			    "create the map");
	programs = attach(map);
	example_wait(&signals);
	tag_on_write__detach(programs);
	list(map, id_of(map));
	if (programs->bss->lost)
		warnx("%llu times the map was full, or there was no memory", programs->bss->lost);
	tag_on_write__destroy(programs);
}

int main(int argc, char **argv)
{
	int map;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	example_set_verbose(arguments.verbose);
	if (!arguments.dump) {
		run();
		return EXIT_SUCCESS;
	}
	map = find_map();
	if (map < 0)
		errx(EXIT_FAILURE, "not running");
	list(map, id_of(map));
	return EXIT_SUCCESS;
}
