// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Labels: which words are valid, how long a rule keeps its label, and where it is shown. */
#include "events.h"

#define REFUSED	"a label is up to 32 letters, digits, and characters of ._:/@+-"

/* The error is one line, whatever the word contains. */
static void check_refused(char *label)
{
	FAILS(2, REFUSED, "deny", "--ops", "read", "--label", label, "f");
	CHECK(!strchr(err, '\n')[1]);
}

STEP(label_words)
{
	make("f");
	check_refused("two words");
	check_refused("an,other");
	check_refused("quote\"d");
	check_refused("new\nline");
	check_refused("\xc3\xa4");
	check_refused("012345678901234567890123456789012");
	QUIET("deny", "--ops", "read", "--label", "01234567890123456789012345678901", "f");
	QUIET("deny", "--ops", "read", "--label", "CIS-1.2:a/b_c@d+e", "f");
	SAYS("list");
	MATCHES("^active .* deny:read  label=CIS-1\\.2:a/b_c@d\\+e  " DIR_PATH "/label_words/f$");
	put_file("conf", "deny --label 'two words' f\n");
	FAILS(1, "conf:1: " REFUSED, "apply", "conf");
}

/* The label that list shows for the only rule. */
static void check_label(const char *label)
{
	char text[64];

	SAYS("list", "--json");
	json_check(out);
	snprintf(text, sizeof(text), "\"label\":\"%s\",\"operations\":", label);
	HAS(text);
}

STEP(label_stays)
{
	make("f");
	QUIET("deny", "--ops", "read", "f");
	check_label("");
	QUIET("deny", "--ops", "write", "--label", "one", "f");
	check_label("one");
	/* With other operations, and through another path. */
	QUIET("allow", "--ops", "read", "f");
	QUIET("refresh");
	CHECK_SYS(link("f", "hard"));
	QUIET("deny", "--ops", "attr", "hard");
	SAYS("list");
	MATCHES(" label=one  .*/f$");
	MATCHES(" label=one  .*/hard$");
	SAYS("deny", "-v", "--ops", "attr", "--label", "one", "hard");
	HAS("nothing to change");
	SAYS("deny", "-v", "--ops", "attr", "--label", "two", "hard");
	CHECK(!strcmp(out, "changed\n"));
	SAYS("list");
	MATCHES(" label=two  .*/f$");
	QUIET("deny", "--ops", "attr", "--label", "", "hard");
	check_label("");
	SAYS("list");
	HAS_NOT("label=");
}

/* Paths that, with labels, just fit into a chunk of a text, or just don't: see text_add(). */
STEP(label_of_a_long_path)
{
	static const char directory[] = DIR_PATH "/label_of_a_long_path/";
	char name[GUARD_CHUNK + 2], expected[256];
	FILE *conf = fopen("conf", "w");
	int length;

	CHECK(conf);
	memset(name, 'x', sizeof(name));
	for (length = GUARD_CHUNK - 8; length < GUARD_CHUNK + 2; length++)
		fprintf(conf, "deny --ops read --label %s %.*s\n", length & 1 ? "word" : "''",
			(int)(length - strlen(directory)), name);
	fclose(conf);
	QUIET("apply", "conf");
	SAYS("list");
	for (length = GUARD_CHUNK - 8; length < GUARD_CHUNK + 2; length++) {
		snprintf(expected, sizeof(expected), "  deny:read  %s%s%.*s\n",
			 length & 1 ? "label=word  " : "", directory,
			 (int)(length - strlen(directory)), name);
		HAS(expected);
	}
}

/* apply sets what the files say: without a label in a line, the label is removed. */
STEP(label_in_files)
{
	char *saved;

	make("f");
	CHECK_SYS(mkdir("d", 0755));
	put_file("conf", "deny --ops read,write --label one f\nallow --ops exec f\n"
		 "deny --tree --label two d\n");
	QUIET("apply", "conf");
	QUIET("save", "saved");
	saved = get_file("saved");
	CHECK(strstr(saved, "deny --ops read,write --label one " DIR_PATH "/label_in_files/f\n"));
	CHECK(strstr(saved, "allow --ops exec --label one " DIR_PATH "/label_in_files/f\n"));
	CHECK(strstr(saved, "deny --ops all --tree --label two " DIR_PATH "/label_in_files/d\n"));
	check_saved(saved);
	put_file("conf", "deny --ops read,write f\nallow --ops exec f\ndeny --tree d\n");
	SAYS("apply", "-v", "conf");
	HAS(", changed");
	SAYS("save");
	HAS_NOT("--label");
}

/* An event shows the rule's label, if it has one. */
STEP(label_in_events)
{
	pid_t pid;

	make("f");
	make("g");
	QUIET("deny", "--ops", "read", "--label", "one", "f");
	QUIET("deny", "--ops", "read", "g");
	pid = watch_start(WORDS("watch"));
	DENIED(try_read("g"));
	DENIED(try_read("f"));
	await_event("/f pid=");
	/* Change the label. */
	QUIET("deny", "--ops", "read", "--label", "two", "f");
	DENIED(try_read("f"));
	await_event("label=two");
	watch_end(pid, SIGTERM);
	MATCHES(" rule=" DIR_PATH "/label_in_events/f label=one$");
	MATCHES(" rule=" DIR_PATH "/label_in_events/f label=two$");
	MATCHES(" rule=" DIR_PATH "/label_in_events/g$");
	pid = watch_start(WORDS("watch", "--json"));
	DENIED(try_read("f"));
	DENIED(try_read("g"));
	await_event("/g\",\"label\":\"\",\"verdict\":\"denied\",\"parent_pid\":");
	watch_end(pid, SIGTERM);
	HAS("/f\",\"label\":\"two\",\"verdict\":\"denied\",\"parent_pid\":");
}
