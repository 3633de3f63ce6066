// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * inode-guard: guards files, whatever path leads to them.
 *
 * This file has the commands: what they take, and which functions of the others do them. The tool
 * runs as root and does one thing at a time. What stays between two runs is pinned (load.c): the
 * guard is on from "start" to "stop" without a process of its own.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "tool.h"

#define VERSION_TEXT	"inode-guard 1.0"

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

/* Their arguments were looked at. */
static int cmd_start(struct arguments *arguments)
{
	return guard_start(arguments->max_rules, arguments->audit);
}

static int cmd_stop(struct arguments *arguments)
{
	(void)arguments;
	return guard_stop();
}

static int cmd_status(struct arguments *arguments)
{
	return guard_status(arguments->json);
}

static int cmd_list(struct arguments *arguments)
{
	return guard_list(arguments->json);
}

static int cmd_save(struct arguments *arguments)
{
	return guard_save(arguments->nr_paths ? arguments->paths[0] : NULL);
}

static int cmd_watch(struct arguments *arguments)
{
	return guard_watch(arguments->json);
}

static int cmd_rule(struct arguments *arguments)
{
	struct policy policy;
	struct guard guard;
	int ret;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	ret = change_begin(&guard, &policy);
	if (!ret && change_request(&policy, arguments, false, "", NULL, NULL)) {
		change_abort(&policy);
		ret = EXIT_FAILURE;
	}
	if (!ret)
		ret = change_commit(&policy);
	if (!ret && verbose)
		printf("%s\n", policy.changed ? "changed" : "nothing to change");
	policy_free(&policy);
	guard_close(&guard);
	return ret;
}

static int cmd_remove(struct arguments *arguments)
{
	int i, ret, failed = 0;
	struct policy policy;
	struct guard guard;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	ret = change_begin(&guard, &policy);
	if (!ret && arguments->all)
		failed = change_remove_all(&policy);
	for (i = 0; i < arguments->nr_paths && !ret; i++)
		failed |= change_remove(&policy, arguments->paths[i], arguments->nofollow,
					arguments->tree);
	if (!ret && failed)
		change_abort(&policy);
	if (!ret)
		ret = failed ? EXIT_FAILURE : change_commit(&policy);
	policy_free(&policy);
	guard_close(&guard);
	return ret;
}

/* apply */

/* Milliseconds between two progress lines. */
#define PROGRESS_TIME	200

/**
 * struct progress - how far an apply is
 * @shown: whether it is to be shown
 * @begun: whether it has been
 * @done: paths that are done
 * @total: how many there are
 * @last: when it was shown, or when it began
 */
struct progress {
	bool shown;
	bool begun;
	size_t done;
	size_t total;
	struct timespec last;
};

static bool progress_is_due(struct progress *progress)
{
	struct timespec now;

	if (progress->done == progress->total)
		return progress->begun;
	if (progress->done & 63)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - progress->last.tv_sec) * 1000 +
	    (now.tv_nsec - progress->last.tv_nsec) / 1000000 < PROGRESS_TIME)
		return false;
	progress->last = now;
	return true;
}

/* What takes less than a moment shows nothing. */
static void progress_step(void *context)
{
	struct progress *progress = context;

	progress->done++;
	if (!progress->shown || !progress_is_due(progress))
		return;
	progress->begun = true;
	fprintf(stderr, "\r%zu of %zu paths%s", progress->done, progress->total,
		progress->done == progress->total ? "\n" : "");
}

static int check_path(const char *path, bool nofollow, bool tree, bool exe, const char *where)
{
	int fd = open(path, O_PATH | O_CLOEXEC | (nofollow ? O_NOFOLLOW : 0));
	struct stat stat;
	int err = 0;

	if (fd < 0 || fstat(fd, &stat))
		err = -errno;
	else if (tree && !S_ISDIR(stat.st_mode))
		err = -ENOTDIR;
	else if (exe && (!S_ISREG(stat.st_mode) || !(stat.st_mode & 0111)))
		err = -ENOEXEC;
	if (fd >= 0)
		close(fd);
	if (err)
		error("%s%s: %s", where, path,
		      err == -ENOEXEC ? "not an executable file" : reason(err));
	return err;
}

static int check_request(const struct arguments *request, const char *where,
			 struct progress *progress)
{
	int i, err = 0;

	for (i = 0; i < request->nr_exes; i++)
		err |= check_path(request->exes[i], false, false, true, where);
	for (i = 0; i < request->nr_paths; i++) {
		err |= check_path(request->paths[i], request->nofollow, request->tree, false,
				  where);
		progress_step(progress);
	}
	return err;
}

/* Do or check all lines; returns whether any failed. */
static bool apply_lines(struct conf *conf, struct policy *policy, struct progress *progress)
{
	struct arguments *requests = conf->requests.items;
	unsigned int *lines = conf->lines.items;
	bool failed = conf->errors;
	char where[PATH_MAX];
	size_t i;

	for (i = 0; i < conf->requests.count; i++) {
		snprintf(where, sizeof(where), "%s:%u: ", conf->name, lines[i]);
		if (policy ? change_request(policy, &requests[i], true, where, progress_step,
					    progress) :
			     check_request(&requests[i], where, progress))
			failed = true;
	}
	return failed;
}

static int apply_conf(struct conf *conf, struct progress *progress)
{
	struct policy policy;
	struct guard guard;
	int ret;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	ret = change_begin(&guard, &policy);
	if (!ret && (apply_lines(conf, &policy, progress) || change_settle(&policy))) {
		change_abort(&policy);
		ret = EXIT_FAILURE;
	}
	if (!ret)
		ret = change_commit(&policy);
	if (!ret && verbose)
		printf("%zu paths, %s\n", conf->paths,
		       policy.changed ? "changed" : "nothing to change");
	policy_free(&policy);
	guard_close(&guard);
	return ret;
}

static int apply(const char *path, bool check, bool shown)
{
	struct progress progress = { .shown = shown };
	struct conf conf;
	int ret;

	if (conf_read(path, &conf)) {
		conf_free(&conf);
		return EXIT_FAILURE;
	}
	progress.total = conf.paths;
	clock_gettime(CLOCK_MONOTONIC, &progress.last);
	/* With lines that can't be read nothing is changed: look for all that is wrong. */
	if (check || conf.errors)
		ret = apply_lines(&conf, NULL, &progress) ? EXIT_FAILURE : EXIT_SUCCESS;
	else
		ret = apply_conf(&conf, &progress);
	conf_free(&conf);
	return ret;
}

static int cmd_apply(struct arguments *arguments)
{
	return apply(arguments->paths[0], arguments->check,
		     arguments->progress || isatty(STDERR_FILENO));
}

/* All of them */

#define VERBOSE		{ "verbose", 'v', NULL, 0, "say what was done", 0 }
#define HELP		{ "help", 'h', NULL, 0, "this text", 9 }, {}
/* Of commands that have nothing to say: taken, and not told. */
#define NOT_VERBOSE	{ "verbose", 'v', NULL, OPTION_HIDDEN, NULL, 8 }

static const struct argp_option start_options[] = {
	{ "audit", 'a', NULL, 0, "report what would be denied, and deny nothing", 0 },
	{ "enforce", 'e', NULL, 0, "deny (default); both also switch a guard that runs", 0 },
	{ "max-rules", 'n', "NUMBER", 0, "how many rules there can be (default 131072)", 0 },
	{ "verbose", 'v', NULL, 0, "show what libbpf says about a failure", 0 },
	HELP
};

#define GUARD_OP_HELP(name, word, meaning) \
	{ word, 0, NULL, OPTION_DOC | OPTION_NO_USAGE, meaning, 2 },

static const struct argp_option rule_options[] = {
	{ "ops", 'o', "OP,...", 0, "the operations (default all)", 0 },
	{ "tree", 't', NULL, 0, "for all below a directory, in its filesystem, and itself; a rule "
	  "for the file itself or for a nearer directory goes first", 0 },
	{ "only-for", 'x', "EXE", 0, "only processes that execute this file may, and not those in "
	  "a user namespace of their own. Repeatable", 0 },
	{ "follow", 'f', NULL, 0, "if another file is renamed over it, the rule is for that one",
	  0 },
	{ "no-dereference", 'P', NULL, 0, "a symbolic link is meant itself", 0 },
	{ NULL, 0, NULL, 0, "Operations:", 2 },
	GUARD_OPERATIONS(GUARD_OP_HELP)
	{ "all", 0, NULL, OPTION_DOC | OPTION_NO_USAGE, "all of these", 2 },
	VERBOSE, HELP
};

static const struct argp_option remove_options[] = {
	{ "tree", 't', NULL, 0, "only those that were made with --tree", 0 },
	{ "all", 'a', NULL, 0, "all rules there are", 0 },
	{ "no-dereference", 'P', NULL, 0, "a symbolic link is meant itself", 0 },
	NOT_VERBOSE, HELP
};

static const struct argp_option apply_options[] = {
	{ "check", 'c', NULL, 0, "only read the file and look for what it names; needs no running "
	  "guard", 0 },
	{ "progress", 'p', NULL, 0, "say how far it is, as if standard error were a terminal", 0 },
	VERBOSE, HELP
};

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "as JSON. A byte 0xNN that is not UTF-8 is \\udcNN", 0 },
	NOT_VERBOSE, HELP
};

static const struct argp_option no_options[] = {
	NOT_VERBOSE, HELP
};

static const char rule_help[] =
	"Makes rules for files: for what the paths lead to now, by whatever path it is reached. "
	"What is said about an operation replaces what was said before about it and the same file. "
	"Denied accesses fail with \"Operation not permitted\", for root as well.";

static const struct command commands[] = {
	{
		.name = "start", .what = "attach the programs; nothing is guarded yet",
		.run = cmd_start, .options = start_options,
		.help = "Attaches the programs and pins them and their maps in "
			"/sys/fs/bpf/inode-guard, where they stay until 'inode-guard stop'. Nothing "
			"is guarded yet. If it runs already, or what a start or stop that was "
			"interrupted has left is there, that is completed.",
	}, {
		.name = "stop", .what = "detach the programs; nothing is guarded any more",
		.run = cmd_stop, .options = no_options,
		.help = "Detaches the programs and frees their maps, with all rules, or what is "
			"left of them.",
	}, {
		.name = "status", .what = "say whether the guard is running",
		.run = cmd_status, .options = json_options,
		.help = "Says whether the guard is running: exit status 0 if so, 3 if not, 1 if "
			"only in part.",
	}, {
		.name = "deny", .what = "deny operations with files",
		.run = cmd_rule, .options = rule_options, .in_conf = true,
		.argument = "PATH", .usage = "PATH...", .least = 1, .most = INT_MAX,
		.help = rule_help,
	}, {
		.name = "allow",
		.what = "allow operations with files, or only to some executables",
		.run = cmd_rule, .options = rule_options, .in_conf = true,
		.argument = "PATH", .usage = "PATH...", .least = 1, .most = INT_MAX,
		.help = rule_help,
	}, {
		.name = "remove", .what = "remove rules",
		.run = cmd_remove, .options = remove_options,
		.argument = "PATH", .usage = "PATH...\n--all", .least = 1, .most = INT_MAX,
		.help = "Removes the rules of what the paths lead to; where a path leads to nothing "
			"that has one, the rules that were given it.",
	}, {
		.name = "list", .what = "show the rules and what was denied",
		.run = cmd_list, .options = json_options,
		.help = "Shows the rules, and how often each operation was denied (or would have "
			"been, in audit mode). The state is active, audit, or gone: the file was "
			"removed, or its filesystem unmounted.",
	}, {
		.name = "save", .what = "write the rules as apply takes them",
		.run = cmd_save, .options = no_options, .usage = "[FILE]", .most = 1,
		.help = "Writes the rules as 'inode-guard apply' takes them, to FILE or standard "
			"output. Those whose file is gone, or whose path leads elsewhere now, "
			"become comments; exit status 1 for the latter.",
	}, {
		.name = "apply", .what = "make the rules what a file says",
		.run = cmd_apply, .options = apply_options,
		.argument = "FILE", .usage = "FILE", .least = 1, .most = 1,
		.help = "Makes the rules what the file says, all of them or, if anything is wrong, "
			"none. A line is a 'deny' or an 'allow' as on the command line, without "
			"'inode-guard'. Words are separated by spaces; quotation marks, and "
			"backslashes (also \\n, \\t and \\xNN, a byte) are as in a shell; what "
			"follows a '#' at the beginning of a word is a comment. FILE may be '-', "
			"standard input.",
	}, {
		.name = "watch", .what = "show what is denied as it happens",
		.run = cmd_watch, .options = json_options,
		.help = "Shows what is denied as it happens, until it is interrupted or the guard "
			"is stopped; with --json an object a line. Events that came too fast are "
			"counted: \"N events dropped\".",
	},
};

const struct command *command_named(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int help(void)
{
	size_t i;

	puts("Usage: inode-guard COMMAND [OPTION...] [ARGUMENT...]\n"
	     "\n"
	     "Guards files: denies operations with them, whatever path leads to them. Needs root, the\n"
	     "kernel module inode_map, and a kernel with the BPF security module active.\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].what);
	puts("\n"
	     "'inode-guard COMMAND --help' shows the options of a command, 'inode-guard --version' the\n"
	     "version.\n"
	     "\n"
	     "Exit status:\n"
	     "  0  success\n"
	     "  1  failure; nothing was changed\n"
	     "  2  wrong usage\n"
	     "  3  not running");
	return EXIT_SUCCESS;
}

/* For the completion, a line each: the operations, the commands, or the options of one. */
static int words(const char *of)
{
	const struct command *command = of ? command_named(of) : NULL;
	const struct argp_option *option;
	size_t i;

	if (!of)
		for (i = 0; i < ARRAY_SIZE(commands); i++)
			puts(commands[i].name);
	else if (!strcmp(of, "--ops"))
		for (i = 0; i < GUARD_OPS; i++)
			puts(op_names[i]);
	for (option = command ? command->options : NULL;
	     option && (option->name || option->key || option->group); option++)
		if (option->name && option->key && !(option->flags & OPTION_HIDDEN))
			printf("--%s\n", option->name);
	return of && strcmp(of, "--ops") && !command ? EXIT_USAGE : EXIT_SUCCESS;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct arguments arguments;
	char message[256];
	int ret = EXIT_SUCCESS;

	if (arguments_parse(&arguments, command, argc, argv, false, message, sizeof(message))) {
		error("%s (see --help)", message);
		ret = EXIT_USAGE;
	} else if (!arguments.help) {
		ret = command->run(&arguments);
	}
	arguments_free(&arguments);
	return ret;
}

static int run(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		error("COMMAND is missing (see --help)");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return help();
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version"))
		return puts(VERSION_TEXT) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (!strcmp(argv[1], "--words"))
		return words(argv[2]);
	command = command_named(argv[1]);
	if (command)
		return run_command(command, argc - 1, argv + 1);
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
