// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * inode-guard: guards files, whatever path leads to them.
 *
 * This file has the table of commands: their arguments, and the functions in other files that do
 * them. The tool runs as root and does one thing at a time. What remains between two runs is
 * pinned (pins.c): the guard is on from "start" to "stop" without a process of its own.
 */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bpf/libbpf.h>

#include "tool.h"

#define VERSION_TEXT	"inode-guard " PROJECT_VERSION

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

/* Their arguments have been checked. */
static int cmd_start(struct arguments *arguments)
{
	return guard_start(arguments);
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

static int cmd_learn(struct arguments *arguments)
{
	return guard_learn(arguments);
}

static int cmd_service(struct arguments *arguments)
{
	return guard_service(arguments);
}

static int cmd_adopt(struct arguments *arguments)
{
	return guard_adopt(arguments);
}

static int refresh_all(struct policy *policy, void *context)
{
	(void)context;
	return change_refresh(policy);
}

static int cmd_refresh(struct arguments *arguments)
{
	struct policy ahead;

	(void)arguments;
	rules_look_up(&ahead);
	return change_policy(&ahead, refresh_all, NULL, "");
}

static int make_rules(struct policy *policy, void *arguments)
{
	if (seal_refuse_rules(policy->guard))
		return -EPERM;
	return change_request(policy, arguments, false, "", NULL, NULL);
}

static int cmd_rule(struct arguments *arguments)
{
	arguments_look_up(arguments);
	return change_policy(NULL, make_rules, arguments, "");
}

static int remove_rules(struct policy *policy, void *context)
{
	const struct arguments *arguments = context;
	int i, failed = seal_refuse(policy->guard, "rules are not removed any more");

	if (failed)
		return failed;
	if (arguments->all)
		failed = change_remove_all(policy);
	for (i = 0; i < arguments->nr_paths; i++)
		failed |= change_remove(policy, arguments->paths[i], arguments->nofollow,
					arguments->tree);
	return failed;
}

static int cmd_remove(struct arguments *arguments)
{
	arguments_look_up(arguments);
	return change_policy(NULL, remove_rules, arguments, NULL);
}

/* Options of all commands */

#define VERBOSE		{ "verbose", 'v', NULL, 0, "say what was done", 0 }
#define HELP		{ "help", 'h', NULL, 0, "this text", 9 }, {}
/* For commands that have nothing to report: accepted, but not shown in the help. */
#define NOT_VERBOSE	{ "verbose", 'v', NULL, OPTION_HIDDEN, NULL, 8 }

/* Options of commands that start the guard. */
#define STARTING \
	{ "audit", 'a', NULL, 0, "report what would be denied, and deny nothing", 0 }, \
	{ "enforce", 'e', NULL, 0, "deny (default); both also switch a guard that runs", 0 }, \
	{ "max-rules", 'n', "NUMBER", 0, "how many rules there can be (default 131072)", 0 }, \
	{ "seal", 'S', "add|all", OPTION_ARG_OPTIONAL, "until the machine boots again nobody can stop " \
	  "the guard; with add, the default, rules can be made that deny more, with all, none", 0 }

static const struct argp_option start_options[] = {
	STARTING,
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
	{ "only-for-user", 'u', "USER,...", 0, "only processes of these users may, as file "
	  "permissions judge them; names or numbers. Of this and the other options --only-for-... "
	  "that are given, each must hold. Repeatable, all of them", 0 },
	{ "only-for-group", 'g', "GROUP,...", 0, "only processes that have one of these groups may",
	  0 },
	{ "only-for-cgroup", 'C', "CGROUP", 0, "only processes in this cgroup or below it may: a path "
	  "as in /proc/PID/cgroup, of what is there now or later", 0 },
	{ "audit", 'a', NULL, 0, "the rule is just tried: report what it would deny, and decide as if it "
	  "were not there", 0 },
	{ "label", 'l', "WORD", 0, "a word that is shown with the rule, in lists and events; '' takes "
	  "it away", 0 },
	{ "inode", 'i', NULL, 0, "the rule is for the file that is there now, under all its names, and "
	  "not for what comes to be at its name later", 0 },
	{ "follow", 'f', NULL, 0, "the rule is for whatever is at the name (default)", 0 },
	{ "no-dereference", 'P', NULL, 0, "a symbolic link is meant itself", 0 },
	{ "optional", 'O', NULL, 0, "what is missing is told and left out", 0 },
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
	{ "skip-missing", 'O', NULL, 0, "what is missing is told and left out, as if each line had "
	  "--optional; exit status 4", 0 },
	{ "progress", 'p', NULL, 0, "say how far it is, as if standard error were a terminal", 0 },
	VERBOSE, HELP
};

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "as JSON. A byte 0xNN that is not UTF-8 is \\udcNN", 0 },
	NOT_VERBOSE, HELP
};

static const struct argp_option refresh_options[] = {
	VERBOSE, HELP
};

static const struct argp_option service_options[] = {
	STARTING,
	{ "hold", 'H', NULL, 0, "until a change on the way to a name is followed, decide about whatever "
	  "has the last component of its path by the rule", 0 },
	NOT_VERBOSE, HELP
};

static const struct argp_option learn_options[] = {
	{ "for", 's', "SECONDS", 0, "for so long; without it or COMMAND, until it is interrupted",
	  0 },
	NOT_VERBOSE, HELP
};

static const struct argp_option adopt_options[] = {
	{ "all", 'a', NULL, 0, "all processes that would count if they had begun later, but those that "
	  "are traced, or have seccomp filters or no_new_privs and are not root's; these are told, "
	  "exit status 4", 0 },
	{ "verbose", 'v', NULL, 0, "show the processes that it was said of", 0 },
	HELP
};

static const struct argp_option no_options[] = {
	NOT_VERBOSE, HELP
};

static const char rule_help[] =
	"Makes rules for files: for whatever is at the paths, now and later, by whatever path it "
	"is reached then. "
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
		.help = "Says whether the guard is running, and how many rules and executables are "
			"not in force: exit status 0 if it is and those only wait, 4 if others are "
			"not in force, 3 if it is not running, 1 if only in part or not called by the "
			"kernel.",
	}, {
		.name = "deny", .what = "deny operations with files",
		.run = cmd_rule, .options = rule_options, .in_conf = true,
		.argument = "PATH", .usage = "PATH...", .least = 1, .most = INT_MAX,
		.help = rule_help,
	}, {
		.name = "allow",
		.what = "allow operations with files, or only to some",
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
			"been, in audit mode). The state is active, audit, waiting (nothing is at "
			"the name), elsewhere (the path leads to what does not have the rule), hanging "
			"(the filesystem does not answer), or "
			"gone: the file was removed, or its filesystem unmounted. An executable that is "
			"not active has its state before its path.",
	}, {
		.name = "save", .what = "write the rules as apply takes them",
		.run = cmd_save, .options = no_options, .usage = "[FILE]", .most = 1,
		.help = "Writes the rules as 'inode-guard apply' takes them, to FILE or standard "
			"output. Those with --inode whose file is gone, or whose path leads "
			"elsewhere now, become comments; exit status 1 then.",
	}, {
		.name = "apply", .what = "make the rules what a file says",
		.run = cmd_apply, .options = apply_options,
		.usage = "[FILE...]", .most = INT_MAX,
		.help = "Makes the rules what the files say, all of them or, if anything is wrong, "
			"none; without FILE, " CONF_FILE " and " CONF_DIR "/*.conf. A line is a 'deny' or an 'allow' as on the command line, without "
			"'inode-guard'. Words are separated by spaces; quotation marks, and "
			"backslashes (also \\n, \\t and \\xNN, a byte) are as in a shell; what "
			"follows a '#' at the beginning of a word is a comment. Paths may be "
			"patterns as in a shell. FILE may be '-', standard input.",
	}, {
		.name = "refresh", .what = "look up the paths of all rules anew",
		.run = cmd_refresh, .options = refresh_options,
		.help = "Looks up the paths of all rules and executables anew: where one leads to "
			"another directory now, the rule is for the name there. The service does "
			"it by itself.",
	}, {
		.name = "adopt", .what = "have processes count that began before their rule",
		.run = cmd_adopt, .options = adopt_options,
		.argument = "PID", .usage = "PID...\n--all", .least = 1, .most = INT_MAX,
		.help = "Has processes count as processes of the executable that they execute, which "
			"rules are only for, though the guard did not see them begin: they began before "
			"the rule, or with seccomp filters of their user. What others have had them do "
			"till now is not undone.",
	}, {
		.name = "service", .what = "keep rules up to date, and log what is denied",
		.run = cmd_service, .options = service_options,
		.help = "Loads the module, starts the guard and applies " CONF_FILE " and "
			CONF_DIR "/*.conf, at SIGHUP again; looks up the paths of rules anew when "
			"something on the way has changed; and writes what is denied to the "
			"journal or syslog. Runs until it is interrupted; the guard stays as it is.",
	}, {
		.name = "watch", .what = "show what is denied as it happens",
		.run = cmd_watch, .options = json_options,
		.help = "Shows what is denied as it happens, until it is interrupted or the guard "
			"is stopped; with --json an object a line. Events that came too fast are "
			"counted: \"N events dropped\".",
	}, {
		.name = "learn", .what = "write the rules that would allow what is denied",
		.run = cmd_learn, .options = learn_options,
		.usage = "\n-- COMMAND [ARGUMENT...]", .most = INT_MAX,
		.help = "Writes what would have allowed what is denied or reported meanwhile, as lines "
			"that 'inode-guard apply' takes: somebody should read them, and add them to "
			"the rules. Runs COMMAND, if there is one, with its standard output as "
			"standard error. Exit status 4 if something is not in these lines.",
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
	     "  3  not running\n"
	     "  4  done, but for what is missing (adopt, apply, learn); a rule is not in force (status)");
	return EXIT_SUCCESS;
}

/* Print for the completion, one per line: the operations, the commands, or the options of one. */
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

/* The most that any command needs: start has all programs and maps open at the same time. */
#define DESCRIPTORS	256

static rlim_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	rlim_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Make sure that there are enough, rather than fail halfway. */
static int check_descriptors(void)
{
	rlim_t need = DESCRIPTORS + open_descriptors();
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
		return 0;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= need)
		return 0;
	error("there can't be more than %llu open files, and it takes %llu: raise the limit "
	      "(ulimit -n, or LimitNOFILE= of a systemd unit)",
	      (unsigned long long)limit.rlim_cur, (unsigned long long)need);
	return -1;
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
		ret = check_descriptors() ? EXIT_FAILURE : command->run(&arguments);
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
