// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Files of rules: what apply takes, how it reports errors, and that apply reads what save writes.
 */
#include "steps.h"

#include <dirent.h>

TOOL_STEP(apply_replaces)
{
	make("old");
	make("both");
	make("new");
	QUIET("deny", "--ops", "read", "old", "both");
	put_file("conf", "# what is allowed no more\n\n"
		 "deny --ops write both\n"
		 "deny --ops read new # and this\n");
	QUIET("apply", "conf");
	ALLOWED(try_read("old"));
	ALLOWED(try_read("both"));
	DENIED(try_write("both"));
	DENIED(try_read("new"));
	SAYS("status", "--json");
	HAS("\"rules\":2,");
	/* Lines for one file are merged. */
	put_file("conf", "deny --ops read,write new\nallow --ops read new\n");
	QUIET("apply", "conf");
	ALLOWED(try_read("new"));
	DENIED(try_write("new"));
	put_file("conf", "");
	QUIET("apply", "conf");
	SAYS("list", "--json");
	CHECK(!strcmp(out, "[]\n"));
}

TOOL_STEP(apply_again_changes_nothing)
{
	char *before;

	CHECK_SYS(mkdir("d", 0755));
	make("f");
	put_file("conf", "deny --ops read f\ndeny --tree --ops write d\n"
		 "allow --ops link --only-for /usr/bin/dash f\n");
	SAYS("apply", "-v", "conf");
	CHECK(!strcmp(out, "3 paths, changed\n"));
	DENIED(try_read("f"));
	SAYS("list");
	MATCHES("read=1 .*/f$");
	SAYS("status");
	before = strdup(out);
	QUIET("apply", "conf");
	SAYS("apply", "-v", "conf");
	CHECK(!strcmp(out, "3 paths, nothing to change\n"));
	SAYS("status");
	CHECK(!strcmp(out, before));
	SAYS("list");
	MATCHES("read=1 .*/f$");
}

/* apply reports all errors, with file and line, and applies nothing. */
static const char wrong[] =
	"deny --ops read good\n"
	"deny --ops reed good\n"		/* 2 */
	"\n"
	"forbid good\n"				/* 4 */
	"deny --ops write --inode missing-1\n"	/* 5 */
	"deny \"good\n"				/* 6 */
	"deny\n"				/* 7 */
	"allow --only-for missing-2 good\n"	/* 8 */
	"deny --tree good\n"			/* 9 */
	"deny good\\xzz\n";			/* 10 */

#define WRONG_LINE(line, text)						\
	do {								\
		if (!strstr(err, "inode-guard: conf:" #line ": " text))	\
			FAIL("no conf:" #line ": " text " in \"%s\"", err); \
	} while (0)

static void check_wrong_lines(void)
{
	const char *c;
	int lines = 0;

	WRONG_LINE(2, "'reed' is no operation");
	WRONG_LINE(4, "'forbid' is neither 'deny' nor 'allow'");
	WRONG_LINE(5, "missing-1: No such file or directory");
	WRONG_LINE(6, "a quotation that does not end");
	WRONG_LINE(7, "PATH is missing");
	WRONG_LINE(8, "missing-2: No such file or directory");
	WRONG_LINE(9, "good: Not a directory");
	for (c = err; *c; c++)
		lines += *c == '\n';
	CHECK_EQ(lines, 8);
}

TOOL_STEP(apply_tells_all_errors)
{
	make("good");
	put_file("conf", "deny --ops write good\n");
	QUIET("apply", "conf");
	put_file("conf", wrong);
	FAILS(1, "conf:10: a backslash that nothing known follows", "apply", "conf");
	check_wrong_lines();
	ALLOWED(try_read("good"));
	DENIED(try_write("good"));
	FAILS(1, "conf:10: a backslash that nothing known follows", "apply", "--check", "conf");
	check_wrong_lines();
	/* Lines with valid syntax fail only when their paths are looked up. */
	put_file("conf", "deny --ops read good\ndeny missing/name\n"
		 "allow --only-for nowhere good\n");
	FAILS(1, "conf:2: missing/name: No such file", "apply", "conf");
	CHECK(strstr(err, "conf:3: nowhere: No such file"));
	ALLOWED(try_read("good"));
	DENIED(try_write("good"));
	FAILS(1, "nothing-there: No such file", "apply", "nothing-there");
}

TOOL_STEP(apply_check)
{
	make("f");
	put_file("conf", "deny --ops read f\n");
	QUIET("apply", "--check", "conf");
	ALLOWED(try_read("f"));
	SAYS("status");
	HAS(" 0 of ");
}

TOOL_STEP(apply_standard_input)
{
	make("f");
	CHECK_EQ(sh("echo deny --ops read f | inode-guard apply -"), 0);
	DENIED(try_read("f"));
	CHECK_EQ(sh("echo deny --inode none | inode-guard apply - 2>error"), 1);
	CHECK_EQ(sh("grep -q '^inode-guard: standard input:1: none: No such' error"), 0);
}

/* Words are split and quoted as in a shell. */
TOOL_STEP(conf_quoting)
{
	static const struct {
		const char *line, *name;
	} words[] = {
		{ "'one word'", "one word" },
		{ "\"two  words\"", "two  words" },
		{ "back\\ slash", "back slash" },
		{ "'don'\\''t'", "don't" },
		{ "\"say \\\"so\\\"\"", "say \"so\"" },
		{ "a\\nb", "a\nb" },
		{ "a\\tb", "a\tb" },
		{ "a\\xffb", "a\xff" "b" },
		{ "a\\\\b", "a\\b" },
		{ "'a\\nb'", "a\\nb" },
		{ "\\#not-a-comment", "#not-a-comment" },
		{ "in#the-middle", "in#the-middle" },
		{ "par'ti'al", "partial" },
	};
	FILE *conf = fopen("conf", "w");
	size_t i;

	CHECK(conf);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		make(words[i].name);
		fprintf(conf, "\tdeny --ops read  %s%s", words[i].line,
			i + 1 < ARRAY_SIZE(words) ? "   # comment\n" : "");
	}
	/* The last line needs no newline. */
	fclose(conf);
	QUIET("apply", "conf");
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (try_read(words[i].name) != EPERM)
			FAIL("%s is not %s", words[i].line, words[i].name);
	put_file("conf", "deny a\\x0g\n");
	FAILS(1, "conf:1: a backslash that nothing known follows", "apply", "conf");
	CHECK_EQ(sh("printf 'deny a\\0b\\n' >conf; inode-guard apply conf 2>error; "
		    "grep -q 'conf:1: a zero byte' error"), 0);
}

/* Names that need every kind of quoting, in rules of every kind. */
static const char *const odd_names[] = {
	"plain", "with space", " leading", "trailing ", "double\"quote", "single'quote",
	"back\\slash", "\\n", "new\nline", "tab\there", "#comment", "mid#dle", "-dash",
	"\x01\x1f\x7f", "\xff\xfe invalid", "\xc3\xa4\xe2\x82\xac", "\xed\xa0\x80",
	"$HOME `id` *", "a=b;c|d&e", "carriage\rreturn",
};

static void make_odd(void)
{
	char path[300];
	size_t i;

	CHECK_SYS(mkdir("odd \"dir\"\n", 0755));
	for (i = 0; i < ARRAY_SIZE(odd_names); i++) {
		snprintf(path, sizeof(path), "odd \"dir\"\n/%s", odd_names[i]);
		make(path);
		switch (i % 3) {
		case 0:
			QUIET("deny", "--ops", "read", path);
			break;
		case 1:
			QUIET("deny", "--ops", "read,write", "--inode", path);
			QUIET("allow", "--ops", "append", path);
			break;
		default:
			QUIET("allow", "--ops", "read,exec", "--only-for", "/usr/bin/dash",
			      "--only-for", "odd exe\n", path);
		}
	}
	memset(path, 'x', 255);
	path[255] = '\0';
	make(path);
	QUIET("deny", "--ops", "read", path);
	CHECK_SYS(symlink("odd", "soft"));
	QUIET("deny", "-P", "soft");
	QUIET("deny", "--ops", "write", "--tree", "odd \"dir\"\n");
}

TOOL_STEP(save_and_apply)
{
	char *first, *again, *list;
	char path[300];
	size_t i;

	CHECK_EQ(sh("cp /usr/bin/dash 'odd exe\n'"), 0);
	make_odd();
	SAYS("list", "--json");
	json_check(out);
	list = strdup(out);
	QUIET("save", "saved");
	CHECK(access("saved.new", F_OK));
	SAYS("save");
	first = get_file("saved");
	CHECK(!strcmp(out, first));
	SAYS("apply", "-v", "saved");
	HAS("nothing to change");

	QUIET("remove", "--all");
	for (i = 0; i < ARRAY_SIZE(odd_names); i++) {
		snprintf(path, sizeof(path), "odd \"dir\"\n/%s", odd_names[i]);
		ALLOWED(try_read(path));
	}
	QUIET("apply", "saved");
	for (i = 0; i < ARRAY_SIZE(odd_names); i++) {
		snprintf(path, sizeof(path), "odd \"dir\"\n/%s", odd_names[i]);
		DENIED(try_read(path));
	}
	QUIET("save", "saved");
	again = get_file("saved");
	CHECK(!strcmp(first, again));
	/* Except for the hits. */
	QUIET("remove", "--all");
	QUIET("apply", "saved");
	SAYS("list", "--json");
	CHECK(!strcmp(out, list));
}

TOOL_STEP(save_what_can_not_be_applied)
{
	make("gone");
	make("moved");
	make("stays");
	QUIET("deny", "--ops", "read", "--inode", "gone", "moved", "stays");
	CHECK_SYS(unlink("gone"));
	CHECK_EQ(tool_run(WORDS("save"), NULL), 1);
	MATCHES("^# gone: deny --ops read --inode .*/gone$");
	MATCHES("^deny --ops read --inode .*/stays$");
	CHECK_SYS(rename("moved", "elsewhere"));
	make("moved");
	CHECK_EQ(tool_run(WORDS("save", "saved"), NULL), 1);
	CHECK(strstr(err, "/gone: is gone"));
	CHECK(strstr(err, "/moved: leads to another file than the one that is guarded"));
	CHECK_EQ(sh("grep -q '^# leads elsewhere: deny --ops read --inode .*/moved$' saved"), 0);
	/* The rest can be applied. */
	QUIET("apply", "saved");
	DENIED(try_read("stays"));
}

TOOL_STEP(save_replaces_the_file_at_once)
{
	make("f");
	QUIET("deny", "--ops", "read", "f");
	CHECK_SYS(mkdir("not-a-file", 0755));
	FAILS(1, "not-a-file: ", "save", "not-a-file");
	CHECK(access("not-a-file.new", F_OK));
	put_file("full", "old\n");
	FAILS(1, "No such file", "save", "no-directory/file");
}
