// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Completion of the command line, called the way bash calls it. */
#include "steps.h"

#define COMPLETION	"/usr/share/bash-completion/completions/inode-guard"

/* The completions of the last word, one per line and sorted, must equal @want. */
static void completes(const char *words, const char *want)
{
	FILE *script = fopen("script", "w");

	CHECK(script);
	fprintf(script, ". " COMPLETION "\n"
		"COMP_WORDS=(inode-guard %s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
		"function=$(complete -p inode-guard)\n"
		"[[ $function =~ -F\\ ([^ ]+) ]] && ${BASH_REMATCH[1]}\n"
		"((${#COMPREPLY[@]} == 0)) || printf '%%s\\n' \"${COMPREPLY[@]}\"\n", words);
	fclose(script);
	CHECK_EQ(sh("bash script 2>error | LC_ALL=C sort >offered"), 0);
	if (strcmp(get_file("offered"), want) || *get_file("error"))
		FAIL("%s: \"%s%s\", not \"%s\"", words, get_file("offered"), get_file("error"),
		     want);
}

static void need_completion(void)
{
	if (access(COMPLETION, R_OK))
		FAIL("there is no " COMPLETION);
}

/* Completes the PIDs of existing processes. */
static void completes_process(void)
{
	char words[32], want[16];

	snprintf(words, sizeof(words), "adopt %d", getpid());
	snprintf(want, sizeof(want), "%d\n", getpid());
	completes(words, want);
}

TOOL_STEP(completion)
{
	need_completion();
	completes("sta", "start\nstatus\n");
	completes("''", "--help\n--version\nadopt\nallow\napply\ndeny\nlearn\nlist\nrefresh\nremove\nsave\n"
		  "service\nstart\nstatus\nstop\nwatch\n");
	completes("deny --o", "--only-for\n--only-for-cgroup\n--only-for-group\n"
		  "--only-for-user\n--ops\n--optional\n");
	completes("deny --ops d", "delete\n");
	completes("allow -o read,a", "read,all\nread,append\nread,attr\n");
	completes("deny --ops read,re", "read,rename\n");
	completes("start --max-rules ''", "");
	completes("deny --label ''", "");
	completes("start --seal =", "add\nall\n");
	completes("service --seal = al", "all\n");
	completes("learn --for ''", "");
	completes("status --j", "--json\n");
	completes("list fi", "");
	completes("apply --c", "--check\n");
	completes("adopt --a", "--all\n");
	completes_process();
	completes("nonsense --", "");
	completes("deny --only-for-user roo", "root\n");
	completes("allow -g roo", "root\n");
}

/* Completion offers the options that a command takes, and no others. */
TOOL_STEP(completion_options)
{
	static char *const commands[] = {
		"start", "stop", "status", "deny", "allow", "remove", "list", "save", "apply", "adopt",
		"watch", "refresh", "service", "learn",
	};
	char words[32];
	size_t i;

	need_completion();
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		CHECK_EQ(sh("inode-guard %s --help | sed -n 's/^ \\{2,6\\}\\(-[a-zA-Z], \\)\\?"
			    "\\(--[a-z-]*\\).*/\\2/p' | LC_ALL=C sort -u >taken", commands[i]), 0);
		snprintf(words, sizeof(words), "%s --", commands[i]);
		completes(words, get_file("taken"));
	}
}

TOOL_STEP(completion_paths)
{
	need_completion();
	make("file one");
	make("file two");
	CHECK_SYS(mkdir("files", 0755));
	completes("deny fi", "file one\nfile two\nfiles\n");
	completes("allow --ops read 'file t'", "file two\n");
	completes("deny --only-for fi", "file one\nfile two\nfiles\n");
	completes("apply fi", "file one\nfile two\nfiles\n");
	make("quote\"d");
	QUIET("deny", "file one", "quote\"d");
	QUIET("deny", "--tree", "files");
	completes("remove " DIR_PATH "/completion_paths/f",
		  DIR_PATH "/completion_paths/file one\n" DIR_PATH "/completion_paths/files\n");
	completes("remove " DIR_PATH "/completion_paths/q",
		  DIR_PATH "/completion_paths/quote\"d\n");
	/* A relative path, which the list does not contain. */
	completes("remove file", "file one\nfile two\nfiles\n");
}
