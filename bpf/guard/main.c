// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * inode-guard: guards files, whatever path leads to them.
 *
 * This file has the commands: what they take, and which functions of the others do them. The tool
 * runs as root and does one thing at a time. What stays between two runs is pinned (load.c): the
 * guard is on from "start" to "stop" without a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

#define DEFAULT_RULES	131072
#define MOST_RULES	(1U << 24)

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

static int show_help(const char *text)
{
	fputs(text, stdout);
	return EXIT_SUCCESS;
}

static int bad_usage(const char *what, const char *argument)
{
	error("%s%s%s (see --help)", what, argument ? " " : "", argument ?: "");
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

/* What is common to the options of all commands: returns an exit code. */
static int other_option(int opt, char **argv, const char *help)
{
	switch (opt) {
	case 'v':
		verbose = true;
		return -1;
	case 'h':
		return show_help(help);
	case ':':
		return bad_usage("an argument is missing for", argv[optind - 1]);
	default:
		return bad_usage("unknown option", argv[optind - 1]);
	}
}

#define COMMON_OPTIONS						\
	{ "verbose", no_argument, NULL, 'v' },			\
	{ "help", no_argument, NULL, 'h' },			\
	{}

/* start, stop, status */

static const char help_start[] =
	"Usage: inode-guard start [--audit | --enforce] [--max-rules NUMBER] [-v]\n"
	"\n"
	"Attaches the programs and pins them and their maps in /sys/fs/bpf/inode-guard, where they\n"
	"stay until 'inode-guard stop'. Nothing is guarded yet. If it runs already, or what a start\n"
	"or stop that was interrupted has left is there, that is completed.\n"
	"\n"
	"  -a, --audit             report what would be denied, and deny nothing\n"
	"  -e, --enforce           deny (default); both also switch a guard that runs\n"
	"  -n, --max-rules NUMBER  how many rules there can be (default 131072)\n"
	"  -v, --verbose           show what libbpf says about a failure\n"
	"  -h, --help              this text\n";

static int cmd_start(int argc, char **argv)
{
	static const struct option options[] = {
		{ "audit", no_argument, NULL, 'a' },
		{ "enforce", no_argument, NULL, 'e' },
		{ "max-rules", required_argument, NULL, 'n' },
		COMMON_OPTIONS
	};
	__u32 max_rules = DEFAULT_RULES;
	int opt, ret, audit = -1;

	while ((opt = getopt_long(argc, argv, ":aen:vh", options, NULL)) != -1) {
		switch (opt) {
		case 'a':
			audit = 1;
			break;
		case 'e':
			audit = 0;
			break;
		case 'n':
			if (parse_number(optarg, MOST_RULES, &max_rules))
				return EXIT_USAGE;
			break;
		default:
			ret = other_option(opt, argv, help_start);
			if (ret >= 0)
				return ret;
		}
	}
	if (optind < argc)
		return bad_usage("unexpected argument", argv[optind]);
	return guard_start(max_rules, audit);
}

static const char help_stop[] =
	"Usage: inode-guard stop\n"
	"\n"
	"Detaches the programs and frees their maps, with all rules, or what is left of them.\n"
	"\n"
	"  -h, --help   this text\n";

static int cmd_stop(int argc, char **argv)
{
	static const struct option options[] = { COMMON_OPTIONS };
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":vh", options, NULL)) != -1) {
		ret = other_option(opt, argv, help_stop);
		if (ret >= 0)
			return ret;
	}
	return optind < argc ? bad_usage("unexpected argument", argv[optind]) : guard_stop();
}

/* Commands that have no option but --json. Returns an exit code or -1. */
static int parse_json(int argc, char **argv, const char *help, bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		COMMON_OPTIONS
	};
	int opt, ret;

	*json = false;
	while ((opt = getopt_long(argc, argv, ":jvh", options, NULL)) != -1) {
		if (opt == 'j') {
			*json = true;
			continue;
		}
		ret = other_option(opt, argv, help);
		if (ret >= 0)
			return ret;
	}
	return optind < argc ? bad_usage("unexpected argument", argv[optind]) : -1;
}

static const char help_status[] =
	"Usage: inode-guard status [--json]\n"
	"\n"
	"Says whether the guard is running: exit status 0 if so, 3 if not, 1 if only in part.\n"
	"\n"
	"  -j, --json   as a JSON object\n"
	"  -h, --help   this text\n";

static int cmd_status(int argc, char **argv)
{
	bool json;
	int ret = parse_json(argc, argv, help_status, &json);

	return ret >= 0 ? ret : guard_status(json);
}

/* deny, allow */

static const char help_rule[] =
	"Usage: inode-guard deny [option...] PATH...\n"
	"       inode-guard allow [option...] PATH...\n"
	"\n"
	"Makes rules for files: for what the paths lead to now, by whatever path it is reached. What\n"
	"is said about an operation replaces what was said before about it and the same file.\n"
	"Denied accesses fail with \"Operation not permitted\", for root as well.\n"
	"\n"
	"  -o, --ops OP,...       the operations (default all):\n"
	"                           read    opening it for reading, and reading\n"
	"                           write   opening it for writing, writing, changing its size; of\n"
	"                                   a directory, making and removing names in it\n"
	"                           append  writing by descriptors that can only append; where no\n"
	"                                   rule names it, those about write decide\n"
	"                           exec    executing it, mapping it as code\n"
	"                           delete  removing a name of it, or renaming another file over it\n"
	"                           rename  renaming it, or another file over it; mounting over it\n"
	"                           link    making another name for it\n"
	"                           attr    changing mode, owner, times and other attributes\n"
	"                           mmap    mapping it into memory\n"
	"                           all     all of these\n"
	"  -t, --tree             for all below a directory, in its filesystem, and itself; a rule\n"
	"                         for the file itself or for a nearer directory goes first\n"
	"  -x, --only-for EXE     only processes that execute this file may, and not those in a user\n"
	"                         namespace of their own. Repeatable\n"
	"  -f, --follow           if another file is renamed over it, the rule is for that one\n"
	"  -P, --no-dereference   a symbolic link is meant itself\n"
	"  -v, --verbose          say what was done\n"
	"  -h, --help             this text\n";

static int change_rules(struct request *request)
{
	struct policy policy;
	struct guard guard;
	int ret;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	ret = change_begin(&guard, &policy);
	if (!ret && change_request(&policy, request, false, "", NULL, NULL)) {
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

static int cmd_rule(int argc, char **argv)
{
	struct request request;
	char message[256];
	int ret;

	ret = request_parse(argc, argv, &request, true, message, sizeof(message));
	if (ret > 0)
		ret = show_help(help_rule);
	else if (ret < 0)
		ret = bad_usage(message, NULL);
	else
		ret = change_rules(&request);
	request_free(&request);
	return ret;
}

/* remove */

static const char help_remove[] =
	"Usage: inode-guard remove [--tree] [-P] PATH...\n"
	"       inode-guard remove --all\n"
	"\n"
	"Removes the rules of what the paths lead to; where a path leads to nothing that has one,\n"
	"the rules that were given it.\n"
	"\n"
	"  -t, --tree             only those that were made with --tree\n"
	"  -a, --all              all rules there are\n"
	"  -P, --no-dereference   a symbolic link is meant itself\n"
	"  -h, --help             this text\n";

static int remove_paths(char **paths, int count, bool nofollow, bool tree, bool all)
{
	int i, ret, failed = 0;
	struct policy policy;
	struct guard guard;

	ret = guard_open(&guard, true);
	if (ret)
		return ret;
	ret = change_begin(&guard, &policy);
	if (!ret && all)
		failed = change_remove_all(&policy);
	for (i = 0; i < count && !ret; i++)
		failed |= change_remove(&policy, paths[i], nofollow, tree);
	if (!ret && failed)
		change_abort(&policy);
	if (!ret)
		ret = failed ? EXIT_FAILURE : change_commit(&policy);
	policy_free(&policy);
	guard_close(&guard);
	return ret;
}

static int cmd_remove(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tree", no_argument, NULL, 't' },
		{ "all", no_argument, NULL, 'a' },
		{ "no-dereference", no_argument, NULL, 'P' },
		COMMON_OPTIONS
	};
	bool tree = false, all = false, nofollow = false;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":taPvh", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			tree = true;
			break;
		case 'a':
			all = true;
			break;
		case 'P':
			nofollow = true;
			break;
		default:
			ret = other_option(opt, argv, help_remove);
			if (ret >= 0)
				return ret;
		}
	}
	if (all ? optind < argc : optind == argc)
		return bad_usage(all ? "--all takes no PATH" : "PATH is missing", NULL);
	return remove_paths(argv + optind, argc - optind, nofollow, tree, all);
}

/* list, save, watch */

static const char help_list[] =
	"Usage: inode-guard list [--json]\n"
	"\n"
	"Shows the rules, and how often each operation was denied (or would have been, in audit\n"
	"mode). The state is active, audit, or gone: the file was removed, or its filesystem\n"
	"unmounted.\n"
	"\n"
	"  -j, --json   as a JSON array. A byte 0xNN of a path that is not UTF-8 is \\udcNN\n"
	"  -h, --help   this text\n";

static int cmd_list(int argc, char **argv)
{
	bool json;
	int ret = parse_json(argc, argv, help_list, &json);

	return ret >= 0 ? ret : guard_list(json);
}

static const char help_save[] =
	"Usage: inode-guard save [FILE]\n"
	"\n"
	"Writes the rules as 'inode-guard apply' takes them, to FILE or standard output. Those whose\n"
	"file is gone, or whose path leads elsewhere now, become comments; exit status 1 for the\n"
	"latter.\n"
	"\n"
	"  -h, --help   this text\n";

static int cmd_save(int argc, char **argv)
{
	static const struct option options[] = { COMMON_OPTIONS };
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":vh", options, NULL)) != -1) {
		ret = other_option(opt, argv, help_save);
		if (ret >= 0)
			return ret;
	}
	if (optind + 1 < argc)
		return bad_usage("unexpected argument", argv[optind + 1]);
	return guard_save(optind < argc ? argv[optind] : NULL);
}

static const char help_watch[] =
	"Usage: inode-guard watch [--json]\n"
	"\n"
	"Shows what is denied as it happens, until it is interrupted or the guard is stopped. Events\n"
	"that came too fast are counted: \"N events dropped\".\n"
	"\n"
	"  -j, --json   one JSON object a line. A byte 0xNN that is not UTF-8 is \\udcNN\n"
	"  -h, --help   this text\n";

static int cmd_watch(int argc, char **argv)
{
	bool json;
	int ret = parse_json(argc, argv, help_watch, &json);

	return ret >= 0 ? ret : guard_watch(json);
}

/* apply */

static const char help_apply[] =
	"Usage: inode-guard apply [--check] [--progress] [-v] FILE\n"
	"\n"
	"Makes the rules what the file says, all of them or, if anything is wrong, none. A line is\n"
	"a 'deny' or an 'allow' as on the command line, without 'inode-guard'. Words are separated by\n"
	"spaces; quotation marks, and backslashes (also \\n, \\t and \\xNN, a byte) are as in a shell;\n"
	"what follows a '#' at the beginning of a word is a comment. FILE may be '-', standard input.\n"
	"\n"
	"  -c, --check      only read the file and look for what it names; needs no running guard\n"
	"  -p, --progress   say how far it is, as if standard error were a terminal\n"
	"  -v, --verbose    say what was done\n"
	"  -h, --help       this text\n";

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

static int check_request(const struct request *request, const char *where,
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
	struct request *requests = conf->requests.items;
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

static int cmd_apply(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "progress", no_argument, NULL, 'p' },
		COMMON_OPTIONS
	};
	bool check = false, shown = isatty(STDERR_FILENO);
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":cpvh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			check = true;
			break;
		case 'p':
			shown = true;
			break;
		default:
			ret = other_option(opt, argv, help_apply);
			if (ret >= 0)
				return ret;
		}
	}
	if (optind == argc)
		return bad_usage("FILE is missing", NULL);
	if (optind + 1 < argc)
		return bad_usage("unexpected argument", argv[optind + 1]);
	return apply(argv[optind], check, shown);
}

/* All of them */

static const struct command {
	const char *name;
	const char *what;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "start", "attach the programs; nothing is guarded yet", cmd_start },
	{ "stop", "detach the programs; nothing is guarded any more", cmd_stop },
	{ "status", "say whether the guard is running", cmd_status },
	{ "deny", "deny operations with files", cmd_rule },
	{ "allow", "allow operations with files, or only to some executables", cmd_rule },
	{ "remove", "remove rules", cmd_remove },
	{ "list", "show the rules and what was denied", cmd_list },
	{ "save", "write the rules as apply takes them", cmd_save },
	{ "apply", "make the rules what a file says", cmd_apply },
	{ "watch", "show what is denied as it happens", cmd_watch },
};

static int help(void)
{
	size_t i;

	puts("Usage: inode-guard COMMAND [option...] [argument...]\n"
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

static int run(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return bad_usage("COMMAND is missing", NULL);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return help();
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version"))
		return puts(VERSION_TEXT) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	error("there is no command '%s' (see inode-guard --help)", argv[1]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int rc;

	libbpf_set_print(print_libbpf);
	/* Messages are this program's own. */
	opterr = 0;
	rc = run(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		error("cannot write: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return rc;
}
