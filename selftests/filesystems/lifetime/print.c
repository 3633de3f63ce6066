// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table for readers, in Markdown: --table. scripts/lifetimes checks that src/README.md has it.
 */
#include "lifetime.h"

static const char *word(enum outcome outcome)
{
	static const char *const words[] = {
		[STAYS] = "stays",
		[LINGERS] = "stays, unreachable",
		[UNLINKED] = "goes: unlinked",
		[EVICTED] = "goes: evicted",
		[UNMOUNTED] = "goes: unmounted",
		[DELETED] = "goes: deleted",
		[FREED] = "goes: map freed",
	};

	return words[outcome];
}

/* Names that need not be listed because another in the list implies them. */
static bool is_implied(enum fs_id fs, const bool *in)
{
	return (fs == SUBVOLUME && in[BTRFS]) || (fs == LOWER && in[OVERLAY]);
}

static void print_names(const bool *in)
{
	const char *comma = "";

	for (int fs = 0; fs < NR_FS; fs++) {
		if (in[fs] && !is_implied(fs, in)) {
			printf("%s%s", comma, filesystems[fs].name);
			comma = ", ";
		}
	}
}

/* What happens, in the columns of the table; "" where the event does not apply. */
static void describe(enum fs_id fs, enum event_id event, char *text, size_t size)
{
	const struct expect *expect = expectation(fs, event);
	unsigned int last = nr_steps(&events[event]) - 1;
	enum outcome first, then = STAYS;
	const char *why = expect->why;
	char addons[2][8];
	size_t at = 0;

	text[0] = 0;
	if (expect->not)
		return;
	for (int weak = 0; weak < 2; weak++) {
		first = outcome_of(&filesystems[fs], expect, weak, 0);
		then = outcome_of(&filesystems[fs], expect, weak, last);
		at += snprintf(text + at, size - at, " %s%s%s |", word(first),
			       first == then ? "" : ", then ", first == then ? "" : word(then));
		snprintf(addons[weak], sizeof(addons[weak]), "%d", is_there(then));
	}
	snprintf(text + at, size - at, " %s%s%s |%s%s |", addons[0],
		 strcmp(addons[0], addons[1]) ? ", " : "",
		 strcmp(addons[0], addons[1]) ? addons[1] : "",
		 why ? " " : "", why ?: "");
}

/* A line for each group of file systems that behave in the same way. */
static void print_event(enum event_id event)
{
	const struct event *it = &events[event];
	bool done[NR_FS] = { }, first_line = true;

	for (int first = 0; first < NR_FS; first++) {
		char text[256], other[256];
		bool in[NR_FS] = { };

		describe(first, event, text, sizeof(text));
		if (!text[0] || done[first])
			continue;
		for (int fs = first; fs < NR_FS; fs++) {
			describe(fs, event, other, sizeof(other));
			in[fs] = !strcmp(text, other);
			done[fs] |= in[fs];
		}
		if (first_line)
			printf("| %s%s%s | ", it->text[0], it->text[1] ? ", then " : "",
			       it->text[1] ?: "");
		else
			printf("| | ");
		first_line = false;
		print_names(in);
		printf(" |%s\n", text);
	}
}

void print_table(void)
{
	printf("| event | on | pinned entry | weak entry | addons after | because |\n"
	       "| --- | --- | --- | --- | --- | --- |\n");
	for (int event = 0; event < NR_EVENTS; event++)
		print_event(event);
	printf("\nWhat is not in the table does not apply:\n\n");
	for (unsigned int need = 0; need < NEEDS && lacks[need]; need++) {
		bool in[NR_FS];

		for (int fs = 0; fs < NR_FS; fs++)
			in[fs] = !(filesystems[fs].has & 1U << need);
		printf("- %s: ", lacks[need]);
		print_names(in);
		printf("\n");
	}
	for (unsigned int i = 0; i < nr_exceptions; i++)
		if (exceptions[i].expect.not)
			printf("- %s: %s (%s)\n", exceptions[i].expect.not,
			       filesystems[exceptions[i].fs].name,
			       events[exceptions[i].event].text[0]);
}
