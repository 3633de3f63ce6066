// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Example: only the files given on the command line may be executed, until this is interrupted.
 *
 * Begin reading here; allowlist_exec.bpf.c has the program that decides, and says what it does not
 * stop. Every loader takes the steps in the order of main(): make the map, tell the program its id,
 * load the program, bind the map to it and attach it. For a policy that fails closed, fill the map
 * before you attach the program.
 */
#include <argp.h>
#include <fcntl.h>

#include "example.h"
#include "allowlist_exec.skel.h"

static struct {
	const char *cgroup;
	char **files;
	int count;
	bool verbose;
} arguments;

static const struct argp_option options[] = {
	{ "cgroup", 'c', "DIR", 0, "only for tasks in this cgroup (version 2) and those below", 0 },
	{ "verbose", 'v', NULL, 0, "show what libbpf says about a failure", 0 },
	{}
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	switch (key) {
	case 'c':
		arguments.cgroup = argument;
		return 0;
	case 'v':
		arguments.verbose = true;
		return 0;
	case ARGP_KEY_ARGS:
		arguments.files = state->argv + state->next;
		arguments.count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "FILE is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	options, parse, "FILE...",
	"Lets only these files be executed, until interrupted (SIGINT, SIGTERM)."
	"\vFiles are known by their inode: whatever path leads to them, and not what replaces "
	"them. A script needs its interpreter in the list, too. Without --cgroup no other program "
	"can be started by anybody, so try it with.\n\n"
	"Exit status: 0 when interrupted, 1 after a failure, 2 for wrong usage.",
	NULL, NULL, NULL
};

/*
 * Entries made without INODE_MAP_WEAK are pinned: they stay when memory gets short, as entries of
 * an allowlist should.
 */
static void add_files(int map)
{
	__u32 value = 1;
	int i, error;

	for (i = 0; i < arguments.count; i++) {
		error = inode_map_set_path(map, arguments.files[i], &value, BPF_ANY, 0);
		if (error)
			errx(EXIT_FAILURE, "cannot add %s: %s", arguments.files[i],
			     inode_map_strerror(error));
	}
}

/* The array takes a descriptor of the cgroup's directory, and keeps a reference to the cgroup. */
static void set_cgroup(struct allowlist_exec *programs)
{
	int fd = open(arguments.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__u32 index = 0;

	if (fd < 0)
		err(EXIT_FAILURE, "cannot open %s", arguments.cgroup);
	if (bpf_map_update_elem(bpf_map__fd(programs->maps.cgroups), &index, &fd, BPF_ANY))
		err(EXIT_FAILURE, "%s is not a cgroup", arguments.cgroup);
	close(fd);
}

int main(int argc, char **argv)
{
	struct allowlist_exec *programs;
	sigset_t signals;
	int map;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	example_set_verbose(arguments.verbose);
	example_block_signals(&signals);
	example_check_kernel();

	map = example_check(inode_map_create("allowed", sizeof(__u32), arguments.count),
			    "create the map");
	add_files(map);

	programs = allowlist_exec__open();
	if (!programs)
		err(EXIT_FAILURE, "cannot read the program");
	programs->rodata->allowed_id = example_check(inode_map_id(map), "tell the map's id");
	programs->rodata->one_cgroup = arguments.cgroup;
	example_check(allowlist_exec__load(programs), "load the program");
	if (arguments.cgroup)
		set_cgroup(programs);
	example_check(inode_map_attach(map, programs->progs.check_exec,
				       &programs->links.check_exec), "attach the program");
	/* It was bound, too: the program holds a reference to the map now. */
	close(map);

	example_wait(&signals);
	allowlist_exec__destroy(programs);
	return EXIT_SUCCESS;
}
