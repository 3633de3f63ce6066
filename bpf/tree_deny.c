// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Example: nothing below the directories given on the command line can be opened, until this is
 * interrupted.
 *
 * tree_deny.bpf.c has the program that decides, and says what "below" means when there are hard
 * links and mounts.
 */
#include <argp.h>
#include <fcntl.h>

#include "example.h"
#include "tree_deny.skel.h"

static struct {
	char **directories;
	int count;
	bool verbose;
} arguments;

static const struct argp_option options[] = {
	{ "verbose", 'v', NULL, 0, "show what libbpf says about a failure", 0 },
	{}
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	switch (key) {
	case 'v':
		arguments.verbose = true;
		return 0;
	case ARGP_KEY_ARGS:
		arguments.directories = state->argv + state->next;
		arguments.count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "DIR is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	options, parse, "DIR...",
	"Denies opening these directories and everything below them, to everybody, until "
	"interrupted (SIGINT, SIGTERM)."
	"\vWhat is open already stays open. Hard links that lead in from elsewhere and other "
	"filesystems mounted below are not covered.\n\n"
	"Exit status: 0 when interrupted, 1 after a failure, 2 for wrong usage.",
	NULL, NULL, NULL
};

static void add_directory(int map, const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	__u32 value = 1;
	int error;

	if (fd < 0)
		err(EXIT_FAILURE, "cannot open %s", path);
	error = inode_map_set_fd(map, fd, &value, BPF_ANY, 0);
	if (error)
		errx(EXIT_FAILURE, "cannot add %s: %s", path, inode_map_strerror(error));
	close(fd);
}

int main(int argc, char **argv)
{
	struct tree_deny *programs;
	sigset_t signals;
	int map, i;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	example_set_verbose(arguments.verbose);
	example_block_signals(&signals);
	example_check_kernel();

	map = example_check(inode_map_create("denied_trees", sizeof(__u32), arguments.count),
			    "create the map");
	for (i = 0; i < arguments.count; i++)
		add_directory(map, arguments.directories[i]);

	programs = tree_deny__open();
	if (!programs)
		err(EXIT_FAILURE, "cannot read the program");
	programs->rodata->denied_id = example_check(inode_map_id(map), "tell the map's id");
	example_check(tree_deny__load(programs), "load the program");
	example_check(inode_map_attach(map, programs->progs.check_open,
				       &programs->links.check_open), "attach the program");
	/* It was bound, too: the program holds a reference to the map now. */
	close(map);

	example_wait(&signals);
	tree_deny__destroy(programs);
	return EXIT_SUCCESS;
}
